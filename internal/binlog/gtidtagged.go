package binlog

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Field numbers of a GTID_TAGGED_LOG_EVENT, in the order in which MySQL's
// Gtid_event::define_fields lists them.
const (
	taggedFlags             = 0
	taggedUUID              = 1
	taggedSequence          = 2
	taggedTag               = 3
	taggedLastCommitted     = 4
	taggedSequenceNumber    = 5
	taggedImmediateCommit   = 6
	taggedOriginalCommit    = 7
	taggedTransactionLength = 8
	taggedImmediateVersion  = 9
	taggedOriginalVersion   = 10
	taggedCommitGroup       = 11
)

// ParseGTIDTagged reads a GTID_TAGGED_LOG_EVENT (MySQL 8.3 and later), which is
// written in MySQL's own serialization format: a version, the size, the number of
// the last field that a reader must know, then numbered fields.
func ParseGTIDTagged(body []byte) (GTIDEvent, error) {
	c := newCursor(body)
	c.varint() // version of the format
	c.varint() // size of the message
	mustKnow := c.varint()
	var e GTIDEvent
	originalCommit, originalVersion := false, false
	for c.len() > 0 {
		field := c.varint()
		if field > taggedCommitGroup {
			if field <= mustKnow {
				return GTIDEvent{}, fmt.Errorf("tagged gtid event: field %d is not known", field)
			}
			break
		}
		originalCommit = originalCommit || field == taggedOriginalCommit
		originalVersion = originalVersion || field == taggedOriginalVersion
		e.readTagged(&c, field)
	}
	if err := c.err("tagged gtid event"); err != nil {
		return GTIDEvent{}, err
	}
	if e.GTID.Sequence < 0 || e.GTID.Sequence > maxGNO {
		return GTIDEvent{}, fmt.Errorf("tagged gtid event: sequence %d out of range", e.GTID.Sequence)
	}
	if !originalCommit {
		e.OriginalCommit = e.ImmediateCommit
	}
	if !originalVersion {
		e.OriginalVersion = e.ImmediateVersion
	}
	return e, nil
}

// readTagged reads the value of one field.
func (e *GTIDEvent) readTagged(c *cursor, field uint64) {
	switch field {
	case taggedFlags:
		e.Flags = uint8(c.varint())
	case taggedUUID:
		for i := range e.GTID.UUID {
			e.GTID.UUID[i] = uint8(c.varint())
		}
	case taggedSequence:
		e.GTID.Sequence = c.varintSigned()
	case taggedTag:
		tag := c.bytes(c.varint())
		if !validTag(string(tag)) {
			c.fail()
			return
		}
		e.GTID.Tag = string(tag)
	case taggedLastCommitted:
		e.LastCommitted = c.varintSigned()
	case taggedSequenceNumber:
		e.SequenceNumber = c.varintSigned()
	case taggedImmediateCommit:
		e.ImmediateCommit = c.varint()
	case taggedOriginalCommit:
		e.OriginalCommit = c.varint()
	case taggedTransactionLength:
		e.TransactionLength = c.varint()
	case taggedImmediateVersion:
		e.ImmediateVersion = uint32(c.varint())
	case taggedOriginalVersion:
		e.OriginalVersion = uint32(c.varint())
	case taggedCommitGroup:
		e.CommitGroup = c.varint()
	}
}

// validTag reports whether tag is empty or a normalized GTID tag: up to 32
// of a-z, 0-9 and _, not beginning with a digit.
func validTag(tag string) bool {
	if len(tag) > 32 {
		return false
	}
	for i := range len(tag) {
		switch b := tag[i]; {
		case 'a' <= b && b <= 'z', b == '_':
		case '0' <= b && b <= '9' && i > 0:
		default:
			return false
		}
	}
	return true
}

// varint reads an integer of the serialization format: as many low bits set in
// the first byte as bytes follow it, then a zero bit, then the value, little endian.
func (c *cursor) varint() uint64 {
	if len(c.data) == 0 {
		c.fail()
		return 0
	}
	follow := bits.TrailingZeros8(^c.data[0]) // 8 if all bits are set
	b := c.bytes(uint64(follow) + 1)
	if b == nil {
		return 0
	}
	if follow == 8 {
		return binary.LittleEndian.Uint64(b[1:])
	}
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v >> (follow + 1)
}

// varintSigned reads a signed integer: the sign is the lowest bit.
func (c *cursor) varintSigned() int64 {
	v := c.varint()
	return int64(v>>1) ^ -int64(v&1)
}

// appendVarint is the opposite of cursor.varint for values below 64, which is
// all that the length of a tag needs.
func appendVarint(dst []byte, v uint8) []byte { return append(dst, v<<1) }
