//go:build !race

package pipeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/source"
)

// maxAllocationsPerTransaction bounds what a transaction costs, whatever it changes,
// and maxAllocationsPerChunk what a run of events does.
const (
	maxAllocationsPerTransaction = 2
	maxAllocationsPerChunk       = 12
)

// transactions is a chunk of that many transactions, each with one event of that many rows.
func transactions(w *eventWriter, transactions, rows int) *source.Chunk {
	row := binary.LittleEndian.AppendUint32([]byte{0}, 7)
	events := [][]byte{w.format()}
	for range transactions {
		events = append(events, w.query("", "BEGIN"),
			w.event(binlog.EventTableMap, tableMapBody(5, "d", "t", 1)),
			w.event(binlog.EventWriteRowsV2, rowsBody(5, binlog.EventWriteRowsV2, 1, bytes.Repeat(row, rows))),
			w.event(binlog.EventXID, make([]byte, 8)))
	}
	return newChunk(events)
}

// chunkAllocations are those for one chunk, in a dump that is warm.
func chunkAllocations(t *testing.T, c *source.Chunk) float64 {
	t.Helper()
	r := newRig(t, "8.0.15", nil)
	r.session.Tables = tables{"d.t": "CREATE TABLE t (id int)"}
	r.p.o.Store = discard{}
	r.start()
	defer r.p.Stop()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it empties pools
	give := func() {
		c.Retain(1)
		check(t, r.p.Chunk(t.Context(), c))
	}
	for range 20 {
		give()
	}
	return testing.AllocsPerRun(50, give)
}

// TestAllocationsPerRow: from the bytes of an event to its entry in a slab nothing is
// allocated for a row.
func TestAllocationsPerRow(t *testing.T) {
	w := newEventWriter()
	few, many := chunkAllocations(t, transactions(&w, 1, 10)), chunkAllocations(t, transactions(&w, 1, 1510))
	// A chunk of many rows fills a slab sooner, which costs a block every few chunks.
	if perRow := (many - few) / 1500; perRow > 0.005 {
		t.Errorf("%v allocations for 10 rows, %v for 1510: %v for each", few, many, perRow)
	}
}

func TestAllocationsPerTransaction(t *testing.T) {
	w := newEventWriter()
	one, many := chunkAllocations(t, transactions(&w, 1, 1)), chunkAllocations(t, transactions(&w, 101, 1))
	t.Logf("%v allocations for one transaction, %v for 101", one, many)
	if per := (many - one) / 100; per > maxAllocationsPerTransaction {
		t.Errorf("%v allocations for a transaction, want at most %v", per, maxAllocationsPerTransaction)
	}
	if one > maxAllocationsPerChunk+maxAllocationsPerTransaction {
		t.Errorf("%v allocations for a chunk, want at most %v", one, maxAllocationsPerChunk)
	}
}

// BenchmarkTransactions is what an instance does with events between its source and
// its store: checksums, tables, rows to entries. Figures are for a hundred transactions.
func BenchmarkTransactions(b *testing.B) {
	for _, rows := range []int{1, 100} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			r := newRig(b, "8.0.15", nil)
			r.session.Tables = tables{"d.t": "CREATE TABLE t (id int)"}
			r.p.o.Store = discard{}
			r.start()
			defer r.p.Stop()
			w := newEventWriter()
			c := transactions(&w, 100, rows)
			b.SetBytes(int64(len(c.Buf)))
			b.ReportAllocs()
			for b.Loop() {
				c.Retain(1)
				check(b, r.p.Chunk(b.Context(), c))
			}
		})
	}
}

// BenchmarkTables is what a row event costs when those behind one another are of different tables: in
// rounds over all tables each comes to what is known of its table anew, in stretches of eight
// it is in the processor's cache. Both do the same things for the same tables.
func BenchmarkTables(b *testing.B) {
	const most, rounds = 10_000, 8
	for _, v := range []struct {
		name  string
		table func(event int) int
	}{
		{"one", func(int) int { return 0 }},
		{"rounds", func(event int) int { return event % most }},
		{"stretches", func(event int) int { return event / rounds }},
	} {
		b.Run(v.name, func(b *testing.B) {
			r := newRig(b, "8.0.15", nil)
			r.p.o.Store = discard{}
			definitions := tables{}
			for n := range most {
				definitions[fmt.Sprintf("d.t%d", n)] = "CREATE TABLE t (id int, a int, b int, c int)"
			}
			r.session.Tables = definitions
			r.start()
			defer r.p.Stop()
			w := newEventWriter()
			row := append([]byte{0}, bytes.Repeat([]byte{7, 0, 0, 0}, 4)...)
			var chunks []*source.Chunk
			events := [][]byte{w.format()}
			for n := range most * rounds {
				if n%1000 == 0 {
					chunks, events = append(chunks, newChunk(events)), nil
				}
				if n%100 == 0 {
					events = append(events, w.event(binlog.EventXID, make([]byte, 8)), w.query("", "BEGIN"))
				}
				id := v.table(n)
				events = append(events, w.event(binlog.EventTableMap, tableMapBody(uint64(100+id), "d", fmt.Sprintf("t%d", id), 4)),
					w.event(binlog.EventWriteRowsV2, rowsBody(uint64(100+id), binlog.EventWriteRowsV2, 4, row)))
			}
			chunks = append(chunks, newChunk(append(events, w.event(binlog.EventXID, make([]byte, 8)))))
			give := func() {
				for _, c := range chunks {
					c.Retain(1)
					check(b, r.p.Chunk(b.Context(), c))
				}
			}
			give() // learns the tables
			for b.Loop() {
				give()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/most/rounds, "ns/row")
		})
	}
}
