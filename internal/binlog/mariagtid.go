package binlog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MariaGTID is the global identifier of one MariaDB event group.
type MariaGTID struct {
	Domain   uint32
	ServerID uint32
	Sequence uint64
}

// String is domain-server-sequence.
func (g MariaGTID) String() string { return string(g.append(nil)) }

// AppendText appends the text of String.
func (g MariaGTID) AppendText(dst []byte) ([]byte, error) { return g.append(dst), nil }

func (g MariaGTID) append(dst []byte) []byte {
	dst = append(strconv.AppendUint(dst, uint64(g.Domain), 10), '-')
	dst = append(strconv.AppendUint(dst, uint64(g.ServerID), 10), '-')
	return strconv.AppendUint(dst, g.Sequence, 10)
}

// ParseMariaGTIDText reads domain-server-sequence, blanks around it allowed.
func ParseMariaGTIDText(text string) (MariaGTID, error) {
	parts := strings.Split(strings.TrimSpace(text), "-")
	if len(parts) != 3 {
		return MariaGTID{}, fmt.Errorf("GTID %q: want domain-server-sequence", text)
	}
	var n [3]uint64
	for i, bits := range [3]int{32, 32, 64} {
		var err error
		if n[i], err = strconv.ParseUint(parts[i], 10, bits); err != nil {
			return MariaGTID{}, fmt.Errorf("GTID %q: %w", text, err)
		}
	}
	return MariaGTID{Domain: uint32(n[0]), ServerID: uint32(n[1]), Sequence: n[2]}, nil
}

// Flags of a MariaGTIDEvent, from MariaDB's log_event.h.
const (
	MariaStandalone    uint8 = 1 << 0 // the group is one event, mostly DDL, and no commit follows
	MariaGroupCommit   uint8 = 1 << 1 // CommitID is set
	MariaTransactional uint8 = 1 << 2
	MariaAllowParallel uint8 = 1 << 3
	MariaWaited        uint8 = 1 << 4
	MariaDDL           uint8 = 1 << 5
	MariaPreparedXA    uint8 = 1 << 6 // XA PREPARE; XID is set
	MariaCompletedXA   uint8 = 1 << 7 // XA COMMIT or XA ROLLBACK; XID is set
)

// Bits of a MariaGTIDEvent's ExtraFlags.
const (
	MariaExtraMultiEngine   uint8 = 1 << 0
	MariaExtraStartAlter    uint8 = 1 << 1
	MariaExtraCommitAlter   uint8 = 1 << 2 // AlterSequence is set
	MariaExtraRollbackAlter uint8 = 1 << 3 // AlterSequence is set
	MariaExtraThreadID      uint8 = 1 << 4 // ThreadID is set
)

// MariaGTIDEvent is MariaDB's GTID_EVENT. It also stands for the BEGIN of its
// group: no QUERY_EVENT says that to a replica that understands GTIDs.
type MariaGTIDEvent struct {
	GTID          MariaGTID
	Flags         uint8
	CommitID      uint64 // equal for the groups that were committed together; 0 if none
	XID           XID    // aliases the event
	ExtraFlags    uint8  // MariaDB 10.8 and later
	AlterSequence uint64 // sequence of the group that started the ALTER this one ends
	ThreadID      uint32 // MariaDB 11.5 and later
}

// Standalone reports whether the group is a single event without a commit.
func (e *MariaGTIDEvent) Standalone() bool { return e.Flags&MariaStandalone != 0 }

// ParseMariaGTID reads MariaDB's GTID_EVENT; serverID is that of its header.
func ParseMariaGTID(body []byte, serverID uint32) (MariaGTIDEvent, error) {
	c := newCursor(body)
	var e MariaGTIDEvent
	e.GTID.ServerID = serverID
	e.GTID.Sequence = c.u64()
	e.GTID.Domain = c.u32()
	e.Flags = c.u8()
	if e.Flags&MariaGroupCommit != 0 {
		e.CommitID = c.u64()
	}
	if e.Flags&(MariaPreparedXA|MariaCompletedXA) != 0 {
		e.XID.FormatID = c.u32()
		gtridLen, bqualLen := c.u8(), c.u8()
		e.XID.GTRID = c.bytes(uint64(gtridLen))
		e.XID.BQual = c.bytes(uint64(bqualLen))
	}
	if c.len() > 0 { // older servers pad with zero bytes here
		e.readExtra(&c)
	}
	if err := c.err("mariadb gtid event"); err != nil {
		return MariaGTIDEvent{}, err
	}
	return e, nil
}

func (e *MariaGTIDEvent) readExtra(c *cursor) {
	e.ExtraFlags = c.u8()
	if e.ExtraFlags&MariaExtraMultiEngine != 0 {
		c.skip(1) // number of engines
	}
	if e.ExtraFlags&(MariaExtraCommitAlter|MariaExtraRollbackAlter) != 0 {
		e.AlterSequence = c.u64()
	}
	if e.ExtraFlags&MariaExtraThreadID != 0 {
		e.ThreadID = c.u32()
	}
}

// mariaListCount masks the flags out of the count of a GTID_LIST_EVENT.
const mariaListCount = 1<<28 - 1

// ParseMariaGTIDList reads MariaDB's GTID_LIST_EVENT: for each domain and
// server the last GTID in the files before.
func ParseMariaGTIDList(body []byte) ([]MariaGTID, error) {
	c := newCursor(body)
	n := int(c.u32() & mariaListCount)
	if n > c.len()/16 {
		return nil, fmt.Errorf("mariadb gtid list: %d entries in %d bytes", n, len(body))
	}
	list := make([]MariaGTID, n)
	for i := range list {
		list[i] = MariaGTID{Domain: c.u32(), ServerID: c.u32(), Sequence: c.u64()}
	}
	return list, c.err("mariadb gtid list")
}

// ParseMariaCheckpoint reads MariaDB's BINLOG_CHECKPOINT_EVENT: the oldest file
// that crash recovery may still need.
func ParseMariaCheckpoint(body []byte) (file string, err error) {
	c := newCursor(body)
	name := c.bytes(uint64(c.u32()))
	if err := c.err("mariadb binlog checkpoint"); err != nil {
		return "", err
	}
	if len(name) > maxFileName {
		return "", fmt.Errorf("mariadb binlog checkpoint: file name of %d bytes", len(name))
	}
	return string(name), nil
}

// MariaGTIDSet is a place in a MariaDB history: the last GTID of each domain.
// The zero value is empty and ready for use. Its text is in Canal's order, that
// of a java.util.HashMap with the domain as key. It is not safe for concurrent use.
type MariaGTIDSet struct {
	order []MariaGTID // in the order of their domain's first appearance
	table javaTable
}

// ParseMariaGTIDSet reads GTIDs separated by commas. Blanks and line breaks
// around them are accepted. Of two with one domain the later stands.
func ParseMariaGTIDSet(text string) (*MariaGTIDSet, error) {
	s := new(MariaGTIDSet)
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		g, err := ParseMariaGTIDText(part)
		if err != nil {
			return nil, fmt.Errorf("GTID set: %w", err)
		}
		s.Add(g)
	}
	return s, nil
}

// Add makes g the last GTID of its domain.
func (s *MariaGTIDSet) Add(g MariaGTID) {
	for i := range s.order {
		if s.order[i].Domain == g.Domain {
			s.order[i] = g
			return
		}
	}
	s.order = append(s.order, g)
	s.table.grow(len(s.order))
}

// Contains reports whether the place is at or behind g in g's domain. It
// compares sequences only: MariaDB counts them per domain.
func (s *MariaGTIDSet) Contains(g MariaGTID) bool {
	return slices.ContainsFunc(s.order, func(x MariaGTID) bool { return x.Domain == g.Domain && x.Sequence >= g.Sequence })
}

// ContainsSet reports whether s is at or behind o in each domain of o.
func (s *MariaGTIDSet) ContainsSet(o *MariaGTIDSet) bool {
	return !slices.ContainsFunc(o.order, func(g MariaGTID) bool { return !s.Contains(g) })
}

// Equal reports whether both hold the same GTIDs.
func (s *MariaGTIDSet) Equal(o *MariaGTIDSet) bool {
	if len(s.order) != len(o.order) {
		return false
	}
	return !slices.ContainsFunc(s.order, func(g MariaGTID) bool { return !slices.Contains(o.order, g) })
}

// IsEmpty reports whether there is no GTID in the set.
func (s *MariaGTIDSet) IsEmpty() bool { return len(s.order) == 0 }

// Clone returns a copy that shares nothing with s.
func (s *MariaGTIDSet) Clone() *MariaGTIDSet {
	return &MariaGTIDSet{order: slices.Clone(s.order), table: s.table}
}

// String is the text form, as @slave_connect_state takes it; "" for the empty set.
func (s *MariaGTIDSet) String() string {
	sorted := slices.Clone(s.order)
	slices.SortStableFunc(sorted, func(a, b MariaGTID) int {
		return cmp.Compare(s.table.bucket(a.Domain), s.table.bucket(b.Domain)) // Long.hashCode of a number below 1<<32 is itself
	})
	var dst []byte
	for i, g := range sorted {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = g.append(dst)
	}
	return string(dst)
}
