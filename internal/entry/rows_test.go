package entry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/value"
	"github.com/towpath-cdc/towpath/protocol"
)

var (
	fixtures = []string{"mysql56", "mysql57", "mysql80", "mysql97", "mariadb1011"}
	forms    = []string{"forms-mysql56", "forms-mysql57", "forms-mysql80", "forms-mysql97", "forms-mariadb1011"}
)

// typeNames stand for the types of a table whose definition is not at hand.
var typeNames = map[byte]string{binlog.TypeBlob: "text", binlog.TypeString: "char(8)", binlog.TypeVarchar: "varchar(8)"}

// tableOf makes up a definition for a table map.
func tableOf(m *binlog.TableMap) *schema.Table {
	t := &schema.Table{Schema: string(m.Schema), Name: string(m.Name)}
	for i, typ := range m.Types {
		name := typeNames[typ]
		if name == "" {
			name = fmt.Sprintf("type%d", typ)
		}
		t.Columns = append(t.Columns, schema.Column{Name: fmt.Sprintf("c%d", i), Type: name, Key: i == 0, Unsigned: i%2 == 1})
	}
	return t
}

// rowsEvent is a rows event of a fixture, ready to encode.
type rowsEvent struct {
	context Context
	plan    *Plan
	rows    binlog.Rows
}

// eachEvent calls f with the events of a fixture.
func eachEvent(t testing.TB, name string, f func(binlog.FileEvent)) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "binlog", "testdata", name+".binlog"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := binlog.NewFileReader(file)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f(e)
	}
}

func loadRows(t testing.TB, name string) (out []rowsEvent) {
	t.Helper()
	o := Options{Charset: charset.UTF8, Zone: value.NewZone(time.UTC)}
	plans := map[uint64]*Plan{}
	eachEvent(t, name, func(e binlog.FileEvent) {
		switch e.Header.Type {
		case binlog.EventTableMap:
			m, err := binlog.ParseTableMap(e.Body, nil)
			if err != nil {
				t.Fatal(err)
			}
			if plans[m.ID], err = NewPlan(tableOf(m), m, o); err != nil {
				t.Fatal(err)
			}
		case binlog.EventWriteRowsV1, binlog.EventWriteRowsV2, binlog.EventUpdateRowsV1, binlog.EventUpdateRowsV2,
			binlog.EventDeleteRowsV1, binlog.EventDeleteRowsV2, binlog.EventPartialUpdateRows:
			rows, err := binlog.ParseRows(e.Header.Type, bytes.Clone(e.Body), nil)
			if err != nil {
				t.Fatal(err)
			}
			c := ContextOf(name+".000001", e.Header, nil)
			out = append(out, rowsEvent{c, plans[rows.TableID], rows})
		}
	})
	return out
}

// TestRowsOfFixtures encodes every rows event of the recorded binlogs and
// reads the result back.
func TestRowsOfFixtures(t *testing.T) {
	for _, name := range slices.Concat(fixtures, forms) {
		t.Run(name, func(t *testing.T) {
			events := loadRows(t, name)
			if len(events) == 0 {
				t.Fatal("no rows events")
			}
			var enc Encoder
			var buf []byte
			for i := range events {
				e := &events[i]
				start := len(buf)
				var n int
				var err error
				if buf, n, err = enc.Rows(buf, &e.context, e.plan, &e.rows, e.rows.TableID); err != nil {
					t.Fatalf("at %d: %v", e.context.Offset, err)
				}
				check(t, buf[start:], e, n)
			}
		})
	}
}

// check reads a framed entry back and compares what it says with its event.
func check(t *testing.T, framed []byte, e *rowsEvent, n int) {
	t.Helper()
	raw := unframe(t, framed)
	entry, err := protocol.ParseEntry(raw)
	if err != nil {
		t.Fatalf("at %d: %v", e.context.Offset, err)
	}
	change, err := entry.RowChange()
	if err != nil {
		t.Fatalf("at %d: %v", e.context.Offset, err)
	}
	got := 0
	for range change.Rows() {
		got++
	}
	if got != n || n == 0 {
		t.Errorf("at %d: %d row changes, want %d", e.context.Offset, got, n)
	}
}

// unframe takes the tag and length off a framed entry and checks both.
func unframe(t *testing.T, framed []byte) []byte {
	t.Helper()
	if framed[0] != 0x12 {
		t.Fatalf("frame begins with %#x, want the tag of Messages.messages", framed[0])
	}
	n, size := 0, 0
	for i, b := range framed[1:] {
		n |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			size = i + 1
			break
		}
	}
	raw := framed[1+size:]
	if len(raw) != n {
		t.Fatalf("frame announces %d bytes, has %d", n, len(raw))
	}
	return raw
}

// TestGuessesDoNotMatter encodes the same events with fresh encoders, whose
// guesses are different, and expects the same bytes.
func TestGuessesDoNotMatter(t *testing.T) {
	events := loadRows(t, "mysql80")
	var used Encoder
	for i := range events {
		e := &events[i]
		a, _, err := used.Rows(nil, &e.context, e.plan, &e.rows, 7)
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := new(Encoder).Rows(nil, &e.context, e.plan, &e.rows, 7)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("event at %d: a used and a fresh encoder differ", e.context.Offset)
		}
	}
}

// TestNumbersOfHeaders encodes events of few and of many rows one after the other,
// so that what one guesses from the last is right, wrong, and wrong in its width.
func TestNumbersOfHeaders(t *testing.T) {
	events := loadRows(t, "mysql80")
	var enc Encoder
	gtid := &GTID{Set: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-23", Current: "3e11fa47-71ca-11e1-9e33-c80aa9429562:23", Sequence: "8"}
	for i := range events {
		e := events[i]
		_, one, err := new(Encoder).Rows(nil, &e.context, e.plan, &e.rows, 7)
		if err != nil {
			t.Fatal(err)
		}
		data := e.rows.Data
		for k, copies := range []int{1, 3, 2, 9, 10, 1, 1, 130, 99, 5} {
			e.context.GTID = nil
			if (i+k)%2 == 0 {
				e.context.GTID = gtid
			}
			e.rows.Data = bytes.Repeat(data, copies)
			framed, n, err := enc.Rows([]byte("before"), &e.context, e.plan, &e.rows, 7)
			if err != nil || n != one*copies {
				t.Fatalf("event at %d, %d times: %d rows, %v", e.context.Offset, copies, n, err)
			}
			framed, found := bytes.CutPrefix(framed, []byte("before"))
			if !found {
				t.Fatalf("event at %d, %d times: what was before is changed", e.context.Offset, copies)
			}
			check(t, framed, &e, n)
			parsed, err := protocol.ParseEntry(unframe(t, framed))
			if err != nil {
				t.Fatal(err)
			}
			if rows, _ := parsed.Header().Prop("rowsCount"); rows != strconv.Itoa(n) {
				t.Errorf("event at %d, %d times: rowsCount %q, want %d", e.context.Offset, copies, rows, n)
			}
			if e.context.GTID != nil && parsed.Header().GTID() != gtid.Set {
				t.Errorf("event at %d, %d times: gtid %q", e.context.Offset, copies, parsed.Header().GTID())
			}
			again, _, err := new(Encoder).Rows(nil, &e.context, e.plan, &e.rows, 7)
			if err != nil || !bytes.Equal(framed, again) {
				t.Errorf("event at %d, %d times: a used and a fresh encoder differ, %v", e.context.Offset, copies, err)
			}
		}
	}
}

// TestShortRows cuts every event short: an error, never a panic, and nothing
// appended.
func TestShortRows(t *testing.T) {
	events := loadRows(t, "mysql80")
	var enc Encoder
	for i := range events {
		e := events[i]
		data := e.rows.Data
		for cut := len(data) - 1; cut > 0; cut -= 1 + len(data)/50 {
			e.rows.Data = data[:cut]
			prefix := []byte("prefix")
			if out, _, err := enc.Rows(prefix, &e.context, e.plan, &e.rows, 1); err != nil && string(out) != "prefix" {
				t.Fatalf("a failed event leaves %d bytes behind", len(out))
			}
		}
	}
}

func BenchmarkRows(b *testing.B) {
	for _, name := range fixtures {
		b.Run(name, func(b *testing.B) {
			events := loadRows(b, name)
			size := 0
			for i := range events {
				size += len(events[i].rows.Data)
			}
			var enc Encoder
			buf := make([]byte, 0, 1<<20)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				buf = buf[:0]
				for i := range events {
					e := &events[i]
					var err error
					if buf, _, err = enc.Rows(buf, &e.context, e.plan, &e.rows, 7); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
