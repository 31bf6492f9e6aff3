package binlog

import "fmt"

// Position is a place in a source's binary log, with what is known about the
// event that stands there. Its zero value means "nowhere yet".
//
// Canal's readers and writers call this EntryPosition.
type Position struct {
	File      string // binlog file name, e.g. "mysql-bin.000003"; "" when unknown
	Offset    int64  // start offset of the event in File, in bytes
	Timestamp int64  // of the event, milliseconds since the epoch; 0 when unknown
	ServerID  int64  // of the server that wrote the event; 0 when unknown
	GTIDSet   string // text of the set executed up to and including the event; "" outside GTID mode
}

// IsZero reports whether p names no place at all.
func (p Position) IsZero() bool { return p == Position{} }

// String is the form used in logs: file:offset, with the GTID set when there is one.
func (p Position) String() string {
	s := fmt.Sprintf("%s:%d", p.File, p.Offset)
	if p.GTIDSet != "" {
		s += " gtid=" + p.GTIDSet
	}
	return s
}
