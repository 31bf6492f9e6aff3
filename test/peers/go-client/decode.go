//go:build ignore

package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/withlin/canal-go/protocol"
	pbe "github.com/withlin/canal-go/protocol/entry"
	"google.golang.org/protobuf/proto"
)

// figures have the field names that ../../bench/decode reads.
type figures struct {
	Rows, Columns, Text int64
	Wall, CPU           time.Duration // nanoseconds
	Allocations         uint64
}

// decodeFile takes recorded batches apart, reading every column's name and value,
// again and again: for warm, then measured for span. It prints the figures.
func decodeFile(file string, warm, span time.Duration) {
	data, err := os.ReadFile(file)
	fail(err)
	var packets [][]byte
	for len(data) > 0 {
		n := int(binary.BigEndian.Uint32(data))
		packets = append(packets, data[4:4+n])
		data = data[4+n:]
	}
	new(figures).repeat(packets, warm)
	var f figures
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := processTime(), time.Now()
	f.repeat(packets, span)
	f.Wall, f.CPU = time.Since(start), processTime()-cpu
	runtime.ReadMemStats(&after)
	f.Allocations = after.Mallocs - before.Mallocs
	fail(json.NewEncoder(os.Stdout).Encode(f))
}

// repeat decodes all packets until span is over, at least once.
func (f *figures) repeat(packets [][]byte, span time.Duration) {
	for start := time.Now(); ; {
		for _, p := range packets {
			f.packet(p)
		}
		if time.Since(start) >= span {
			return
		}
	}
}

// packet decodes a batch as the connector's GetWithOutAck does.
func (f *figures) packet(b []byte) {
	m, err := protocol.Decode(b, false)
	fail(err)
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.GetEntryType() != pbe.EntryType_ROWDATA {
			continue
		}
		var change pbe.RowChange
		fail(proto.Unmarshal(e.GetStoreValue(), &change))
		for _, row := range change.GetRowDatas() {
			f.Rows++
			f.columns(row.GetBeforeColumns())
			f.columns(row.GetAfterColumns())
		}
	}
}

func (f *figures) columns(all []*pbe.Column) {
	for _, c := range all {
		f.Columns++
		f.Text += int64(len(c.GetName()) + len(c.GetValue()))
	}
}

// processTime is the CPU time of this process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		fail(fmt.Errorf("cpu time: %w", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
