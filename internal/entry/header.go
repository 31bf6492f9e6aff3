package entry

import (
	"strconv"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// EventType is Canal's number for what a change is.
type EventType int32

// The event types of Canal's EntryProtocol.proto.
const (
	NoEventType EventType = 0 // the header carries no event type
	Insert      EventType = 1
	Update      EventType = 2
	Delete      EventType = 3
	Create      EventType = 4
	Alter       EventType = 5
	Erase       EventType = 6
	Query       EventType = 7
	Truncate    EventType = 8
	Rename      EventType = 9
	CreateIndex EventType = 10
	DropIndex   EventType = 11
	XACommit    EventType = 13
	XARollback  EventType = 14
)

// Entry types of EntryProtocol.proto that reach clients.
const (
	typeTransactionBegin = 1
	typeRowData          = 2
	typeTransactionEnd   = 3
)

// GTID is what the headers of a transaction say in GTID mode. The texts are
// made once per transaction.
type GTID struct {
	Set          string // executed set up to and including this transaction
	Current      string // curtGtid; "" on MariaDB
	Sequence     string // curtGtidSn; "" when the event has none
	LastCommited string // curtGtidLct; "" when the event has none
}

// Context is what all entries of one event have in common.
type Context struct {
	File      string // binlog file name
	Offset    int64  // start of the event in File
	Size      int64  // length of the event, checksum included
	ServerID  uint32
	Timestamp uint32 // seconds
	GTID      *GTID  // nil outside GTID mode
}

// ContextOf is the context of an event that stands in file.
func ContextOf(file string, h binlog.Header, g *GTID) Context {
	return Context{File: file, Offset: h.Start(), Size: int64(h.EventSize), ServerID: h.ServerID, Timestamp: h.Timestamp, GTID: g}
}

// names are the schema and table of a header. Canal leaves a field out when it
// knows no name, and writes an empty one for transaction marks.
type names struct {
	schema, table     string
	noSchema, noTable bool
}

// appendHeader appends the fields of a Header message. rows is written as the
// property rowsCount when it is above zero.
func appendHeader(dst []byte, c *Context, n names, t EventType, rows int) []byte {
	dst = append(dst, 0x08, 1)
	dst = appendString(dst, 0x12, c.File)
	dst = appendInt(dst, 0x18, c.Offset)
	dst = appendInt(dst, 0x20, int64(c.ServerID))
	dst = append(dst, "\x2a\x05UTF-8"...)
	dst = appendInt(dst, 0x30, int64(c.Timestamp)*1000)
	dst = append(dst, 0x38, 2)
	if !n.noSchema {
		dst = appendString(dst, 0x42, n.schema)
	}
	if !n.noTable {
		dst = appendString(dst, 0x4a, n.table)
	}
	dst = appendInt(dst, 0x50, c.Size)
	if t != NoEventType {
		dst = append(dst, 0x58, byte(t))
	}
	if g := c.GTID; g != nil {
		dst = appendPairIf(dst, "curtGtid", g.Current)
		dst = appendPairIf(dst, "curtGtidSn", g.Sequence)
		dst = appendPairIf(dst, "curtGtidLct", g.LastCommited)
	}
	if rows > 0 {
		var digits [20]byte
		v := strconv.AppendInt(digits[:0], int64(rows), 10)
		dst = append(dst, 0x62, byte(len(rowsCountKey)+4+len(v)))
		dst = appendString(dst, 0x0a, rowsCountKey)
		dst = appendString(dst, 0x12, v)
	}
	if c.GTID != nil && c.GTID.Set != "" {
		dst = appendString(dst, 0x6a, c.GTID.Set)
	}
	return dst
}

// setSize is how many bytes of a header the executed set takes, which are its last
// ones.
func setSize(c *Context) int {
	if c.GTID == nil || c.GTID.Set == "" {
		return 0
	}
	return 1 + sizeVarint(uint64(len(c.GTID.Set))) + len(c.GTID.Set)
}

const rowsCountKey = "rowsCount"

// appendPairIf appends a header property when it has a value.
func appendPairIf(dst []byte, key, val string) []byte {
	if val == "" {
		return dst
	}
	return appendPair(dst, 0x62, key, val)
}

// appendPair appends a Pair message under a one-byte tag.
func appendPair(dst []byte, tag byte, key, val string) []byte {
	n := 2 + sizeVarint(uint64(len(key))) + len(key) + sizeVarint(uint64(len(val))) + len(val)
	dst = appendVarint(append(dst, tag), uint64(n))
	dst = appendString(dst, 0x0a, key)
	return appendString(dst, 0x12, val)
}
