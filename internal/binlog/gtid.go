package binlog

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

// UUID identifies a MySQL server (server_uuid), in the order of its text.
type UUID [16]byte

// AppendText appends the usual lower-case form with dashes.
func (u UUID) AppendText(dst []byte) ([]byte, error) { return u.append(dst), nil }

func (u UUID) append(dst []byte) []byte {
	var text [36]byte
	at := 0
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		start := [...]int{0, 4, 6, 8, 10}[i]
		if i > 0 {
			text[at] = '-'
			at++
		}
		at += hex.Encode(text[at:], u[start:end])
	}
	return append(dst, text[:]...)
}

// String is the usual lower-case form with dashes.
func (u UUID) String() string { return string(u.append(nil)) }

// ParseUUID reads a UUID: 32 hexadecimal digits of either case, with or
// without dashes at the usual places.
func ParseUUID(text string) (UUID, error) {
	var u UUID
	digits := make([]byte, 0, 32)
	switch len(text) {
	case 32:
		digits = append(digits, text...)
	case 36:
		for i := range len(text) {
			switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
			case dash && text[i] != '-':
				return u, fmt.Errorf("UUID %q: want a dash at %d", text, i)
			case !dash:
				digits = append(digits, text[i])
			}
		}
	default:
		return u, fmt.Errorf("UUID %q: %d characters, want 36", text, len(text))
	}
	if _, err := hex.Decode(u[:], digits); err != nil {
		return UUID{}, fmt.Errorf("UUID %q: %w", text, err)
	}
	return u, nil
}

// GTID is the global identifier of one MySQL transaction.
type GTID struct {
	UUID     UUID
	Tag      string // MySQL 8.3 and later; lower case, "" for none
	Sequence int64  // from 1; 0 for an anonymous transaction
}

// String is uuid:sequence or uuid:tag:sequence.
func (g GTID) String() string { return string(g.append(nil)) }

// AppendText appends the text of String.
func (g GTID) AppendText(dst []byte) ([]byte, error) { return g.append(dst), nil }

func (g GTID) append(dst []byte) []byte {
	dst = append(g.UUID.append(dst), ':')
	if g.Tag != "" {
		dst = append(append(dst, g.Tag...), ':')
	}
	return strconv.AppendInt(dst, g.Sequence, 10)
}

// GTIDEvent is what precedes each transaction of MySQL 5.6 and later: GTID_LOG_EVENT,
// ANONYMOUS_GTID_LOG_EVENT or GTID_TAGGED_LOG_EVENT.
type GTIDEvent struct {
	GTID  GTID  // Sequence is 0 and UUID zero when anonymous
	Flags uint8 // see MayHaveSBR

	// Logical clock for parallel appliers, from MySQL 5.7. Canal calls them
	// curtGtidLct and curtGtidSn.
	LastCommitted  int64
	SequenceNumber int64

	// From MySQL 8.0, else 0.
	ImmediateCommit   uint64 // microseconds since the epoch, on the server that wrote this event
	OriginalCommit    uint64 // the same on the server where the transaction began
	TransactionLength uint64 // bytes of the whole transaction in the log, with this event
	ImmediateVersion  uint32 // e.g. 80015
	OriginalVersion   uint32
	CommitGroup       uint64 // commit group ticket, tagged events only
}

// MayHaveSBR reports whether the transaction may hold statements beside rows
// (FLAG_MAY_HAVE_SBR; before MySQL 5.7.4 the bit said something else, always 1).
func (e *GTIDEvent) MayHaveSBR() bool { return e.Flags&1 != 0 }

const (
	logicalTimestampType = 2         // LOGICAL_TIMESTAMP_TYPECODE
	secondCommitTime     = 1 << 55   // in a 7-byte commit timestamp: the original one follows
	secondVersion        = 1 << 31   // in a server version: the original one follows
	maxGNO               = 1<<63 - 2 // GNO_END - 1
)

// ParseGTID reads a GTID_LOG_EVENT or an ANONYMOUS_GTID_LOG_EVENT of any server
// since MySQL 5.6. Older servers write fewer fields; what is absent stays 0.
func ParseGTID(body []byte) (GTIDEvent, error) {
	c := newCursor(body)
	var e GTIDEvent
	e.Flags = c.u8()
	copy(e.GTID.UUID[:], c.bytes(16))
	e.GTID.Sequence = int64(c.u64())
	if err := c.err("gtid event"); err != nil {
		return GTIDEvent{}, err
	}
	if e.GTID.Sequence < 0 || e.GTID.Sequence > maxGNO {
		return GTIDEvent{}, fmt.Errorf("gtid event: sequence %d out of range", uint64(e.GTID.Sequence))
	}
	e.readTail(&c)
	if err := c.err("gtid event"); err != nil {
		return GTIDEvent{}, err
	}
	return e, nil
}

// readTail reads the fields that came with later versions, each only if there
// are bytes for it.
func (e *GTIDEvent) readTail(c *cursor) {
	if c.len() < 17 || c.u8() != logicalTimestampType {
		return
	}
	e.LastCommitted, e.SequenceNumber = int64(c.u64()), int64(c.u64())
	if c.len() < 7 {
		return
	}
	e.ImmediateCommit = c.uint(7)
	e.OriginalCommit = e.ImmediateCommit
	if e.ImmediateCommit&secondCommitTime != 0 {
		e.ImmediateCommit &^= secondCommitTime
		e.OriginalCommit = c.uint(7)
	}
	if c.len() < 1 {
		return
	}
	e.TransactionLength = c.packed()
	if c.len() < 4 {
		return
	}
	e.ImmediateVersion = c.u32()
	e.OriginalVersion = e.ImmediateVersion
	if e.ImmediateVersion&secondVersion != 0 {
		e.ImmediateVersion &^= secondVersion
		e.OriginalVersion = c.u32()
	}
	if c.len() >= 8 {
		e.CommitGroup = c.u64()
	}
}
