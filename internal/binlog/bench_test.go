package binlog

import (
	"math/rand/v2"
	"testing"
)

// find returns the greatest event of a type in a fixture.
func find(b *testing.B, name string, typ EventType) (FileEvent, *FormatDescription) {
	b.Helper()
	events, fd := readAll(b, name)
	var best FileEvent
	for _, ev := range events {
		if ev.Header.Type == typ && len(ev.Raw) > len(best.Raw) {
			best = ev
		}
	}
	if best.Raw == nil {
		b.Fatalf("%s has no event of type %d", name, typ)
	}
	return best, fd
}

func BenchmarkParseHeader(b *testing.B) {
	ev, _ := find(b, "mysql80", EventWriteRowsV2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseHeader(ev.Raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTableMap(b *testing.B) {
	for _, bm := range []struct{ name, fixture string }{{"plain", "mysql57"}, {"full metadata", "mysql97"}} {
		b.Run(bm.name, func(b *testing.B) {
			ev, fd := find(b, bm.fixture, EventTableMap)
			b.SetBytes(int64(len(ev.Body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseTableMap(ev.Body, fd); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMetadata(b *testing.B) {
	ev, fd := find(b, "mysql97", EventTableMap)
	m, err := ParseTableMap(ev.Body, fd)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Metadata(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRows(b *testing.B) {
	ev, fd := find(b, "mysql80", EventUpdateRowsV2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRows(ev.Header.Type, ev.Body, fd); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseQuery(b *testing.B) {
	ev, _ := find(b, "mysql80", EventQuery)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseQuery(ev.Body, FlavorMySQL); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseGTID(b *testing.B) {
	ev, _ := find(b, "mysql80", EventGTID)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseGTID(ev.Body); err != nil {
			b.Fatal(err)
		}
	}
}

// VerifyChecksum runs at many GB/s where the processor has carry-less
// multiplication or a CRC instruction; a fall to some hundred MB/s means that
// the table-driven form is used.
func BenchmarkVerifyChecksum(b *testing.B) {
	ev, _ := find(b, "mysql80", EventUpdateRowsV2)
	b.SetBytes(int64(len(ev.Raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := VerifyChecksum(ev.Raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCellSize measures one cell, over all columns of a row of 64 types.
func BenchmarkCellSize(b *testing.B) {
	m, img := widestImage(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		cells := img.Cells
		n = 0
		for i, typ := range m.Types {
			size, err := CellSize(typ, m.Meta[i], cells)
			if err != nil {
				b.Fatal(err)
			}
			cells = cells[size:]
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/cell")
}

func widestImage(b *testing.B) (*TableMap, Image) {
	b.Helper()
	tm, fd := find(b, "mysql57", EventTableMap)
	m, err := ParseTableMap(tm.Body, fd)
	if err != nil {
		b.Fatal(err)
	}
	ev, _ := find(b, "mysql57", EventWriteRowsV2)
	rows, err := ParseRows(ev.Header.Type, ev.Body, fd)
	if err != nil {
		b.Fatal(err)
	}
	data := rows.Data
	for len(data) > 0 {
		img, err := m.Image(rows.Present, data, false)
		if err != nil {
			b.Fatal(err)
		}
		data = data[img.Size:]
		if countBits(img.Nulls, len(m.Types)) == 0 {
			return m, img
		}
	}
	b.Fatal("no row without NULL")
	return nil, Image{}
}

func BenchmarkGTIDSetAdd(b *testing.B) {
	var s GTIDSet
	g := GTID{UUID: UUID{1}}
	b.ReportAllocs()
	for b.Loop() {
		g.Sequence++
		s.Add(g)
	}
}

func BenchmarkGTIDSetAppendText(b *testing.B) {
	var s GTIDSet
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 5 {
		for range 20 {
			s.Add(GTID{UUID: UUID{byte(i)}, Sequence: 1 + r.Int64N(1e6)})
		}
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = s.append(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
}
