package pipeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/store"
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

// TestMiddlingValues: entries of some ten KiB share slabs, so that what they hold is
// not several times what they are.
func TestMiddlingValues(t *testing.T) {
	r := newRig(t, "8.0.15", nil)
	r.session.Tables = tables{"d.t": "CREATE TABLE t (v longtext)"}
	w := newEventWriter()
	events := [][]byte{w.format(), w.query("", "BEGIN"), w.event(binlog.EventTableMap, textMapBody(5, "d", "t"))}
	for n := range 100 {
		events = append(events, w.event(binlog.EventWriteRowsV2, rowsBody(5, binlog.EventWriteRowsV2, 1, textRow(smallEvent+n*1000))))
	}
	r.start()
	defer r.stop()
	check(t, r.chunk(append(events, w.event(binlog.EventXID, make([]byte, 8)))...))
	check(t, r.settle())
	blocks := map[*store.Block]bool{}
	held, size := 0, 0
	for i := range r.store.entries {
		it := &r.store.entries[i]
		size += len(it.raw)
		if !blocks[it.Block] {
			blocks[it.Block] = true
			held += len(it.Block.Bytes)
		}
	}
	if held > 2*size {
		t.Errorf("%d bytes of entries hold %d bytes of memory", size, held)
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

// TestFormatChangesInsideAChunk: events before and after a format description
// in one chunk are each read as their own says. The second one here announces
// table ids of four bytes, as the first servers with row events wrote them.
func TestFormatChangesInsideAChunk(t *testing.T) {
	r := newRig(t, "8.0.15", nil)
	r.session.Tables = tables{"d.t": "CREATE TABLE t (id int)"}
	w := newEventWriter()
	row := binary.LittleEndian.AppendUint32([]byte{0}, 1)
	transaction := func(shorten int) [][]byte {
		return [][]byte{
			w.query("", "BEGIN"),
			w.event(binlog.EventTableMap, append([]byte{5, 0, 0, 0}, tableMapBody(5, "d", "t", 1)[4+shorten:]...)),
			w.event(binlog.EventWriteRowsV2, append([]byte{5, 0, 0, 0}, rowsBody(5, binlog.EventWriteRowsV2, 1, row)[4+shorten:]...)),
			w.event(binlog.EventXID, make([]byte, 8)),
		}
	}
	old := w.format()
	const lengths = binlog.HeaderSize + 57 // where the lengths of the fixed parts begin
	for _, typ := range []binlog.EventType{binlog.EventTableMap, binlog.EventWriteRowsV2} {
		old[lengths+int(typ)-1] = 6
	}
	binary.LittleEndian.PutUint32(old[len(old)-4:], crc32.ChecksumIEEE(old[:len(old)-4]))
	events := append([][]byte{w.format()}, transaction(0)...)
	events = append(append(events, old), transaction(2)...)
	r.start()
	defer r.stop()
	check(t, r.chunk(events...))
	check(t, r.settle())
	if n := len(r.store.entries); n != 6 {
		t.Errorf("%d entries, want 6", n)
	}
}
