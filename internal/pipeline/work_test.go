package pipeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// textMapBody is a table map of one LONGTEXT column.
func textMapBody(id uint64, db, table string) []byte {
	b := tableMapBody(id, db, table, 1)
	return append(b[:len(b)-3], byte(binlog.TypeBlob), 1, 4, 1)
}

// textRow is a row with one LONGTEXT.
func textRow(size int) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{0}, uint32(size))
	return append(b, bytes.Repeat([]byte{'x'}, size)...)
}

// TestLargeValues: an entry that is larger than a slab comes out whole, and its
// memory is not much larger than it.
func TestLargeValues(t *testing.T) {
	for _, size := range []int{slabSize / 8, slabSize, bigEvent - 1000, bigEvent + 1000, 4 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := newRig(t, "8.0.15", nil)
			r.session.Tables = tables{"d.t": "CREATE TABLE t (v longtext)"}
			w := newEventWriter()
			r.start()
			defer r.stop()
			check(t, r.chunk(w.format(), w.query("", "BEGIN"),
				w.event(binlog.EventTableMap, textMapBody(5, "d", "t")),
				w.event(binlog.EventWriteRowsV2, rowsBody(5, binlog.EventWriteRowsV2, 1, textRow(size))),
				w.event(binlog.EventXID, make([]byte, 8))))
			check(t, r.settle())
			if len(r.store.entries) != 3 {
				t.Fatalf("%d entries", len(r.store.entries))
			}
			it := &r.store.entries[1]
			if len(it.raw) < size {
				t.Errorf("entry of %d bytes", len(it.raw))
			}
			if have := len(it.Block.Bytes); size > bigEvent && have > size+size/8+8*entryOverhead {
				t.Errorf("a value of %d bytes holds %d bytes of memory", size, have)
			}
		})
	}
}

// BenchmarkLargeValue encodes an entry with one value of 8 MiB.
func BenchmarkLargeValue(b *testing.B) {
	r := newRig(b, "8.0.15", nil)
	r.session.Tables = tables{"d.t": "CREATE TABLE t (v longtext)"}
	w := newEventWriter()
	c := newChunk([][]byte{w.format(), w.query("", "BEGIN"),
		w.event(binlog.EventTableMap, textMapBody(5, "d", "t")),
		w.event(binlog.EventWriteRowsV2, rowsBody(5, binlog.EventWriteRowsV2, 1, textRow(8<<20)))})
	r.p.o.Store = discard{}
	r.start()
	defer r.p.Stop()
	b.SetBytes(int64(len(c.Buf)))
	b.ReportAllocs()
	for b.Loop() {
		c.Retain(1)
		check(b, r.p.Chunk(b.Context(), c))
	}
}
