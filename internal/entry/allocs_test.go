//go:build !race

package entry

import (
	"bytes"
	"testing"
)

// TestAllocationsOfRows: an encoder that is warm makes the entry of a rows event in
// memory that it is given and its own. Rows that come as JSON or packed need more.
func TestAllocationsOfRows(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			var enc Encoder
			buf := make([]byte, 0, 1<<20)
			tried := 0
			for _, e := range loadRows(t, name) {
				if e.plan.jsonColumns > 0 || unpacks(e.plan) {
					continue
				}
				tried++
				encode := func() {
					if _, _, err := enc.Rows(buf, &e.context, e.plan, &e.rows, 7); err != nil {
						t.Fatal(err)
					}
				}
				if n := testing.AllocsPerRun(20, encode); n != 0 {
					t.Errorf("rows of %s.%s at %d: %v allocations, want none", e.plan.Schema, e.plan.Table, e.context.Offset, n)
				}
			}
			if tried == 0 {
				t.Error("no rows were tried")
			}
		})
	}
}

// unpacks says whether a table has columns that MariaDB has compressed.
func unpacks(p *Plan) bool {
	for i := range p.columns {
		if k := p.columns[i].cell; k == cellCompressedText || k == cellCompressedBinary {
			return true
		}
	}
	return false
}

// TestAllocationsGrowWithNoRow gives the rows of each event a hundred times over,
// whatever their types: what their columns need is not needed again for each row.
// JSON and compressed columns are the exception.
func TestAllocationsGrowWithNoRow(t *testing.T) {
	const times = 100
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			var enc Encoder
			buf := make([]byte, 0, 8<<20)
			for _, e := range loadRows(t, name) {
				if e.plan.jsonColumns > 0 || unpacks(e.plan) || len(e.rows.Data) > 10_000 {
					continue
				}
				many := e.rows
				many.Data = bytes.Repeat(e.rows.Data, times)
				encode := func() {
					if _, _, err := enc.Rows(buf, &e.context, e.plan, &many, 7); err != nil {
						t.Fatal(err)
					}
				}
				if n := testing.AllocsPerRun(5, encode); n != 0 {
					t.Errorf("%d times the rows of %s.%s: %v allocations, want none", times, e.plan.Schema, e.plan.Table, n)
				}
			}
		})
	}
}
