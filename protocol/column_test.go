package protocol

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestColumnForms reads columns as no server writes them: the quick way to read the
// usual form and the other way have to agree.
func TestColumnForms(t *testing.T) {
	long := strings.Repeat("x", 300)
	usual := message{}.num(1, 3).num(2, int64(SQLBigInt)).text(3, "id").num(4, 1).num(5, 0).num(6, 0).text(8, "77").text(10, "bigint unsigned")
	cases := map[string][]byte{
		"usual":                 usual,
		"another order":         message{}.text(10, "int").text(8, "1").num(1, 200).text(3, long),
		"twice":                 message{}.text(8, "1").text(8, "2").num(4, 1).num(4, 0),
		"length":                message{}.num(9, 1<<40).text(8, long),
		"unknown field":         message{}.text(3, "id").text(99, "later").text(8, "1"),
		"field of two tags":     append(message{}.text(3, "id"), append([]byte{0x80 | 8<<3 | 2, 0}, "\x011"...)...),
		"another type of field": message{}.num(3, 5).text(1, "x").text(8, "1"),
		"number in two bytes":   {1 << 3, 0x83, 0, 3<<3 | 2, 0x82, 0, 'i', 'd'},
		"property":              message{}.msg(7, message{}.text(1, "k").text(2, "v")).text(8, "1"),
		"bad property":          message{}.msg(7, message{0x0a, 9}),
		"fixed width":           append(message{0x09, 1, 2, 3, 4, 5, 6, 7, 8}, message{}.text(8, "1")...),
		"field zero":            {0, 1},
		"empty":                 {},
		"one byte":              {3<<3 | 2},
	}
	for cut := range usual {
		cases[fmt.Sprintf("cut at %d", cut)] = usual[:cut:cut]
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) { compareColumn(t, b) })
	}
}

func FuzzColumn(f *testing.F) {
	for _, r := range recordedEntries(f) {
		e, err := ParseEntry(r.raw)
		if err != nil {
			f.Fatal(err)
		}
		if e.EntryType() != EntryRowData {
			continue
		}
		change, err := e.RowChange()
		if err != nil {
			f.Fatal(err)
		}
		for row := range change.Rows() {
			for c := range row.After() {
				f.Add(c.raw)
			}
		}
	}
	f.Fuzz(compareColumn)
}

// compareColumn reads b in both ways.
func compareColumn(t *testing.T, b []byte) {
	var quick, slow Column
	slow.raw = b
	err, want := quick.parse(b), slow.parseFields(b)
	if (err == nil) != (want == nil) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if err := validColumn(b); (err == nil) != (want == nil) {
		t.Fatalf("validColumn: error %v, want %v", err, want)
	}
	if want == nil && !reflect.DeepEqual(quick, slow) {
		t.Fatalf("got  %+v\nwant %+v", quick, slow)
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		text, unscaled string
		scale          int
	}{
		{"0", "0", 0},
		{"-12.50", "-1250", 2},
		{"-0.01", "-1", 2},
		{"99999999999999999999999999999999999.999999999999999999999999999999", "99999999999999999999999999999999999999999999999999999999999999999", 30},
	} {
		unscaled, scale, err := parsedColumn(t, message{}.text(8, c.text)).Decimal()
		if err != nil || unscaled.String() != c.unscaled || scale != c.scale {
			t.Errorf("%s: %v, scale %d, %v; want %s, scale %d", c.text, unscaled, scale, err, c.unscaled, c.scale)
		}
	}
	for _, s := range []string{"", "-", ".5", "1.", "1.-5", "-.5", "+1", "--1", "1.5e3", "1.2.3", "0x10", "1_0", " 1", "1.+5"} {
		if v, _, err := parsedColumn(t, message{}.text(8, s)).Decimal(); err == nil {
			t.Errorf("Decimal of %q is %v, want an error", s, v)
		}
	}
}

// timeTexts are texts that are times, nearly so, or not at all.
var timeTexts = []string{
	"2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-04-31", "2024-12-31", "2024-13-01", "0000-01-01", "9999-12-31",
	"2024-02-29 00:00:00", "2024-02-29 23:59:59", "2024-02-29 24:00:00", "2024-02-29 23:60:00", "2024-02-29 23:59:60", "2024-03-31 02:30:00",
	"2024-02-29 23:59:59.5", "2024-02-29 23:59:59.000001", "2024-02-29 23:59:59.123456789", "2024-02-29 23:59:59.1234567891", "2024-02-29 23:59:59.",
	"2024-02-29 23:59:59,5", "2024-02-29T23:59:59", "2024-2-29", "2024-02-29 3:04:05", "2024-02-29 ", "2024-02-2x", "2024-02-29 23:59:5x", "-024-02-29",
}

func TestTimeTexts(t *testing.T) {
	for _, s := range timeTexts {
		compareTime(t, []byte(s))
	}
	if _, ok := parseTime([]byte("2024-02-29 23:59:59.000001"), time.UTC); !ok {
		t.Error("a usual time is not read in the quick way")
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range timeTexts {
		f.Add([]byte(s))
	}
	f.Fuzz(compareTime)
}

// compareTime reads a time in the quick way and as package time does, in a zone that
// has hours twice and not at all.
func compareTime(t *testing.T, b []byte) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	got, ok := parseTime(b, berlin)
	if !ok {
		return
	}
	layout := time.DateTime
	if len(b) == len(time.DateOnly) {
		layout = time.DateOnly
	}
	if want, err := time.ParseInLocation(layout, string(b), berlin); err != nil || !got.Equal(want) {
		t.Errorf("%q: got %v, want %v, %v", b, got, want, err)
	}
}

// TestNameCache has goroutines ask for more texts than the cache holds.
func TestNameCache(t *testing.T) {
	var c nameCache
	texts := []string{"", "id", "not \xff UTF-8", strings.Repeat("x", maxName), strings.Repeat("x", maxName+1)}
	for i := range 3 * nameBuckets * nameWays {
		texts = append(texts, fmt.Sprintf("column_%d", i))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2 {
				for _, s := range texts {
					if got, want := c.text([]byte(s)), javaString([]byte(s)); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				}
			}
		})
	}
	wg.Wait()
}

// orders is a change of rows of ten columns of the usual kinds.
func orders(rows int) []byte {
	columns := []struct {
		sqlType          SQLType
		name, typ, value string
	}{
		{SQLBigInt, "id", "bigint unsigned", "123456"}, {SQLInteger, "user_id", "int unsigned", "23456"}, {SQLVarchar, "sku", "varchar(64)", "SKU-000000001234"},
		{SQLVarchar, "email", "varchar(128)", "user23456@mail.example.com"}, {SQLTinyInt, "status", "tinyint", "3"}, {SQLDecimal, "amount", "decimal(12,2)", "1234.56"},
		{SQLDouble, "score", "double", "17636.571428571428"}, {SQLClob, "note", "text", strings.Repeat("lorem ipsum ", 19)},
		{SQLTimestamp, "created", "datetime", "2024-01-02 10:17:36"}, {SQLTimestamp, "updated", "timestamp(3)", "2024-01-02 10:17:36.125"},
	}
	var row message
	for i, c := range columns {
		row = row.msg(2, message{}.num(1, int64(i)).num(2, int64(c.sqlType)).text(3, c.name).num(4, 0).num(5, 1).num(6, 0).text(8, c.value).text(10, c.typ))
	}
	change := message{}.num(1, 77).num(2, int64(EventInsert)).num(10, 0)
	for range rows {
		change = change.msg(12, row)
	}
	return change
}

// BenchmarkColumns reads a hundred rows of ten columns.
func BenchmarkColumns(b *testing.B) {
	raw := orders(100)
	read := func(b *testing.B, each func(*RowChange) int) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			change, err := ParseRowChange(raw)
			if err != nil || each(&change) == 0 {
				b.Fatal(err)
			}
		}
	}
	b.Run("parsed", func(b *testing.B) { read(b, (*RowChange).NumRows) })
	b.Run("in place", func(b *testing.B) {
		read(b, func(change *RowChange) (n int) {
			for row := range change.Rows() {
				for c := range row.After() {
					n += len(c.RawName()) + len(c.RawValue())
				}
			}
			return n
		})
	})
	b.Run("strings", func(b *testing.B) {
		read(b, func(change *RowChange) (n int) {
			for row := range change.Rows() {
				for c := range row.After() {
					n += len(c.Name()) + len(c.Value())
				}
			}
			return n
		})
	})
}
