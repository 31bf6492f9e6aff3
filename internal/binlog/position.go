package binlog

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

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

// Compare orders two places in the log of one server, by file and offset: it is
// negative when p comes before o. Nothing else of them is looked at.
func (p Position) Compare(o Position) int {
	return cmp.Or(CompareFiles(p.File, o.File), cmp.Compare(p.Offset, o.Offset))
}

// CompareFiles orders the names of two binlog files of one server: by number when
// they have one and the same base name, for the number may grow by a digit, else
// as text.
func CompareFiles(a, b string) int {
	if a == b {
		return 0
	}
	i, j := strings.LastIndexByte(a, '.'), strings.LastIndexByte(b, '.')
	if i < 0 || j < 0 || a[:i] != b[:j] {
		return strings.Compare(a, b)
	}
	m, errA := strconv.ParseUint(a[i+1:], 10, 64)
	n, errB := strconv.ParseUint(b[j+1:], 10, 64)
	if errA != nil || errB != nil || m == n {
		return strings.Compare(a, b)
	}
	return cmp.Compare(m, n)
}
