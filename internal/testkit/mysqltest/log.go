package mysqltest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// ServerID is the id in the headers of the events of a Log.
const ServerID = 77

// headerStart is where the first event of a file stands, after the magic number.
const headerStart = 4

// Log is a binary log of several files, with events as a server of version 5.7
// writes them, checksums included. It may grow while it is being dumped.
type Log struct {
	mu    sync.Mutex
	base  string
	first int // number of files[0]
	files []*file
	grown chan struct{} // closed and replaced at each change
	seq   uint64
}

type file struct {
	name   string
	events [][]byte
	size   int64
}

// NewLog returns a log with one file, base.000001, begun at that time in seconds
// since the epoch.
func NewLog(base string, at uint32) *Log {
	l := &Log{base: base, first: 1, grown: make(chan struct{})}
	l.open(at)
	return l
}

// SID is the source id of the GTIDs of a Log.
var SID = binlog.UUID{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}

func (l *Log) open(at uint32) {
	f := &file{name: fmt.Sprintf("%s.%06d", l.base, l.first+len(l.files)), size: headerStart}
	l.files = append(l.files, f)
	f.append(at, binlog.EventFormatDescription, formatDescription())
	f.append(at, binlog.EventPreviousGTIDs, previousGTIDs(l.seq))
}

func (l *Log) last() *file { return l.files[len(l.files)-1] }

// change runs f and wakes the dumps that wait for events.
func (l *Log) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.grown)
	l.grown = make(chan struct{})
}

// Transaction appends a transaction with a GTID, one row event and a commit, and
// returns where its first event and its commit stand.
func (l *Log) Transaction(at uint32, rows []byte) (begin, commit binlog.Position) {
	l.change(func() {
		f := l.last()
		l.seq++
		begin = f.append(at, binlog.EventGTID, gtid(l.seq))
		f.append(at, binlog.EventQuery, query("h_source", "BEGIN"))
		f.append(at, binlog.EventTableMap, tableMap())
		f.append(at, binlog.EventWriteRowsV2, append(rowsHeader(), rows...))
		commit = f.append(at, binlog.EventXID, binary.LittleEndian.AppendUint64(nil, l.seq))
	})
	return begin, commit
}

// DDL appends a statement that is a transaction of its own and returns where it stands.
func (l *Log) DDL(at uint32, sql string) (pos binlog.Position) {
	l.change(func() {
		f := l.last()
		l.seq++
		f.append(at, binlog.EventGTID, gtid(l.seq))
		pos = f.append(at, binlog.EventQuery, query("h_source", sql))
	})
	return pos
}

// Rotate ends the file and begins the next one.
func (l *Log) Rotate(at uint32) {
	l.change(func() {
		next := fmt.Sprintf("%s.%06d", l.base, l.first+len(l.files))
		l.last().append(at, binlog.EventRotate, append(binary.LittleEndian.AppendUint64(nil, headerStart), next...))
		l.open(at)
	})
}

// Purge removes the n oldest files.
func (l *Log) Purge(n int) {
	l.change(func() {
		l.files = l.files[n:]
		l.first += n
	})
}

// End is where the next event will stand.
func (l *Log) End() binlog.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return binlog.Position{File: l.last().name, Offset: l.last().size}
}

// Events are the events of a file from an offset on.
func (l *Log) Events(name string, offset int64) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		if f.name == name {
			return f.from(offset)
		}
	}
	return nil
}

// GTIDs is the text of the executed set.
func (l *Log) GTIDs() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%s:1-%d", SID, l.seq)
}

// file finds a file by name; "" means the oldest. The channel is closed when
// the log changes.
func (l *Log) find(name string) (f *file, next string, grown <-chan struct{}) {
	for i, f := range l.files {
		if f.name == name || name == "" {
			if i+1 < len(l.files) {
				next = l.files[i+1].name
			}
			return f, next, l.grown
		}
	}
	return nil, "", l.grown
}

// from returns the events that begin at offset or later.
func (f *file) from(offset int64) [][]byte {
	at := int64(headerStart)
	for i, ev := range f.events {
		if at >= offset {
			return append([][]byte(nil), f.events[i:]...)
		}
		at += int64(len(ev))
	}
	return nil
}

func (f *file) append(at uint32, t binlog.EventType, body []byte) binlog.Position {
	start := f.size
	f.size += int64(binlog.HeaderSize + len(body) + binlog.ChecksumSize)
	f.events = append(f.events, event(at, t, uint32(f.size), 0, body))
	return binlog.Position{File: f.name, Offset: start, Timestamp: int64(at) * 1000, ServerID: ServerID}
}

// event builds an event with its checksum.
func event(at uint32, t binlog.EventType, logPos uint32, flags uint16, body []byte) []byte {
	size := binlog.HeaderSize + len(body) + binlog.ChecksumSize
	ev := make([]byte, 0, size)
	ev = binary.LittleEndian.AppendUint32(ev, at)
	ev = append(ev, byte(t))
	ev = binary.LittleEndian.AppendUint32(ev, ServerID)
	ev = binary.LittleEndian.AppendUint32(ev, uint32(size))
	ev = binary.LittleEndian.AppendUint32(ev, logPos)
	ev = binary.LittleEndian.AppendUint16(ev, flags)
	ev = append(ev, body...)
	return binary.LittleEndian.AppendUint32(ev, crc32.ChecksumIEEE(ev))
}

// formatDescription is the body of a 5.7 server's first event.
func formatDescription() []byte {
	b := binary.LittleEndian.AppendUint16(nil, 4)
	version := make([]byte, 50)
	copy(version, "5.7.22-log")
	b = append(b, version...)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, binlog.HeaderSize)
	b = append(b, 56, 13, 0, 8, 0, 18, 0, 4, 4, 4, 4, 18, 0, 0, 95, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0, 0, 0, 10, 10, 10, 42, 42, 0, 18, 52, 0)
	return append(b, 1) // checksum algorithm CRC32
}

func previousGTIDs(last uint64) []byte {
	if last == 0 {
		return binary.LittleEndian.AppendUint64(nil, 0)
	}
	b := binary.LittleEndian.AppendUint64(nil, 1)
	b = append(b, SID[:]...)
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = binary.LittleEndian.AppendUint64(b, 1)
	return binary.LittleEndian.AppendUint64(b, last+1)
}

func gtid(seq uint64) []byte {
	b := append([]byte{1}, SID[:]...)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = append(b, 2)
	b = binary.LittleEndian.AppendUint64(b, seq-1)
	return binary.LittleEndian.AppendUint64(b, seq)
}

func query(schema, sql string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 9) // thread
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, byte(len(schema)))
	b = binary.LittleEndian.AppendUint16(b, 0) // error code
	b = binary.LittleEndian.AppendUint16(b, 0) // status variables
	b = append(append(b, schema...), 0)
	return append(b, sql...)
}

// tableMap is of h_source.t with one INT column.
func tableMap() []byte {
	b := []byte{108, 0, 0, 0, 0, 0, 1, 0}
	b = append(append(b, 8), "h_source\x00"...)
	b = append(append(b, 1), "t\x00"...)
	return append(b, 1, 3, 0, 1)
}

// rowsHeader is what precedes the row images of a WRITE_ROWS_EVENT version 2.
func rowsHeader() []byte { return []byte{108, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 0xff} }
