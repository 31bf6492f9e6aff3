package entry

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/filter"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/value"
	"github.com/towpath-cdc/towpath/protocol"
)

// colDef is a column of a test table as the log and the definition have it.
type colDef struct {
	typ  byte
	meta uint16
	def  schema.Column
}

func intColumn(name string) colDef {
	return colDef{binlog.TypeLong, 0, schema.Column{Name: name, Type: "int"}}
}

func textColumn(name string) colDef {
	return colDef{binlog.TypeBlob, 4, schema.Column{Name: name, Type: "longtext"}}
}

// planOf makes the plan of a table d.t; columns beyond defined ones are only in the log.
func planOf(t *testing.T, o Options, columns []colDef, defined int) (*Plan, error) {
	t.Helper()
	m := &binlog.TableMap{ID: 1, Schema: []byte("d"), Name: []byte("t")}
	table := &schema.Table{Schema: "d", Name: "t"}
	for i, c := range columns {
		m.Types, m.Meta = append(m.Types, c.typ), append(m.Meta, c.meta)
		if i < defined {
			table.Columns = append(table.Columns, c.def)
		}
	}
	if o.Charset == nil {
		o.Charset = charset.UTF8
	}
	o.Zone = value.NewZone(time.UTC)
	return NewPlan(table, m, o)
}

// rowsOf encodes a rows event and reads its row changes back.
func rowsOf(t *testing.T, p *Plan, r *binlog.Rows) []protocol.RowData {
	t.Helper()
	out, n, err := new(Encoder).Rows(nil, &Context{File: "f", Timestamp: 1}, p, r, 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := protocol.ParseEntry(unframe(t, out))
	if err != nil {
		t.Fatal(err)
	}
	change, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	var rows []protocol.RowData
	for row := range change.Rows() {
		rows = append(rows, row)
	}
	if count, ok := e.Header().Prop("rowsCount"); ok != (n > 0) || ok && count != fmt.Sprint(n) {
		t.Errorf("rowsCount is %q, want %d", count, n)
	}
	return rows
}

func inserted(data []byte, columns int) *binlog.Rows {
	all := bytes.Repeat([]byte{0xff}, (columns+7)/8)
	return &binlog.Rows{Kind: binlog.RowsInsert, ColumnCount: columns, Present: all, PresentAfter: all, Data: data}
}

// longBlob is a cell with four bytes of length.
func longBlob(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func int32Cell(v int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

// TestWidthsOfColumns: the lengths in a Column message take one to four bytes,
// whether the value, the name or the type is long, and whatever was guessed.
func TestWidthsOfColumns(t *testing.T) {
	long := []int{0, 1, 100, 126, 127, 128, 129, 16300, 16383, 16384, 16385, 2097151, 2097152}
	for _, n := range long {
		text := strings.Repeat("x", n)
		for _, names := range [][2]string{{"v", "longtext"}, {strings.Repeat("n", 120), "text"}, {"v", "enum('" + strings.Repeat("e", 20000) + "')"}} {
			c, err := planOf(t, Options{}, []colDef{{binlog.TypeVarchar, 1000, schema.Column{Name: names[0], Type: names[1]}}, intColumn("i")}, 2)
			if err != nil {
				t.Fatal(err)
			}
			var cell []byte
			if n > 65535 {
				c, err = planOf(t, Options{}, []colDef{{binlog.TypeBlob, 4, schema.Column{Name: names[0], Type: "longtext"}}, intColumn("i")}, 2)
				if err != nil {
					t.Fatal(err)
				}
				cell = longBlob([]byte(text))
			} else {
				cell = append(binary.LittleEndian.AppendUint16(nil, uint16(n)), text...)
			}
			row := append(append([]byte{0}, cell...), int32Cell(7)...)
			rows := rowsOf(t, c, inserted(row, 2))
			got, ok := rows[0].AfterColumn(names[0])
			if i, ok2 := rows[0].AfterColumn("i"); !ok || !ok2 || got.Value() != text || i.Value() != "7" {
				t.Errorf("%d bytes, name of %d, type of %d: damaged", n, len(names[0]), len(names[1]))
			}
			// Binary values grow when they become UTF-8.
			b, err := planOf(t, Options{}, []colDef{{binlog.TypeBlob, 4, schema.Column{Name: "b", Type: "longblob"}}}, 1)
			if err != nil {
				t.Fatal(err)
			}
			rows = rowsOf(t, b, inserted(append([]byte{0}, longBlob(bytes.Repeat([]byte{0xe9}, n))...), 1))
			if got, _ := rows[0].AfterColumn("b"); got.Value() != strings.Repeat("é", n) {
				t.Errorf("%d bytes of a BLOB: damaged", n)
			}
		}
	}
}

// TestFixedWidths: the guess at the length of a Column message is right or put
// right for short values too, as name and type grow past where it needs a byte more.
func TestFixedWidths(t *testing.T) {
	for n := 60; n < 130; n++ {
		name := strings.Repeat("n", n)
		p, err := planOf(t, Options{}, []colDef{{binlog.TypeLongLong, 0, schema.Column{Name: name, Type: "bigint"}}, intColumn("i")}, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []int64{0, -1, 1 << 40, -1 << 63} {
			row := binary.LittleEndian.AppendUint64([]byte{0}, uint64(v))
			rows := rowsOf(t, p, inserted(append(row, int32Cell(7)...), 2))
			got, _ := rows[0].AfterColumn(name)
			if i, _ := rows[0].AfterColumn("i"); got.Value() != fmt.Sprint(v) || i.Value() != "7" {
				t.Errorf("name of %d bytes, value %d: %q and %q", n, v, got.Value(), i.Value())
			}
		}
	}
}

// TestShapesOfColumns: names, types and texts of every length around those at which a column is
// written in another way, in rows with much and with nothing behind the text.
func TestShapesOfColumns(t *testing.T) {
	texts := []func(n int) string{
		func(n int) string { return strings.Repeat("abcdefghij", 20)[:n] },
		func(n int) string { return strings.Repeat("é", n/2) + "x"[:n%2] },
		func(n int) string { return strings.Repeat("x", n%3) + strings.Repeat("中", n/3) },
	}
	for size := 1; size <= 80; size++ {
		name, typ := strings.Repeat("n", size), strings.Repeat("y", 81-size)
		p, err := planOf(t, Options{}, []colDef{
			{binlog.TypeVarchar, 1000, schema.Column{Name: name, Type: typ}}, {binlog.TypeTiny, 0, schema.Column{Name: "i", Type: typ, Unsigned: true}},
		}, 2)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 140 {
			for kind, text := range texts {
				want := text(n)
				cell := func(s string) []byte {
					return append(binary.LittleEndian.AppendUint16(nil, uint16(len(s))), s...)
				}
				row := append(append([]byte{0}, cell(want)...), 200)
				event := bytes.Repeat(row, 2)
				rows := rowsOf(t, p, inserted(event, 2))
				changed := append(append([]byte{0}, cell(want+"!")...), 200)
				r := inserted(append(append([]byte{}, row...), changed...), 2)
				r.Kind = binlog.RowsUpdate
				rows = append(rows, rowsOf(t, p, r)...)
				if len(rows) != 3 {
					t.Fatalf("%d rows instead of 3", len(rows))
				}
				for i, want := range []string{want, want, want + "!"} {
					c, _ := rows[i].AfterColumn(name)
					d, _ := rows[i].AfterColumn("i")
					if c.Value() != want || c.MysqlType() != typ || !c.Updated() || d.Value() != "200" || d.MysqlType() != typ || d.Updated() != (i < 2) {
						t.Fatalf("name of %d bytes, text %d of %d, row %d: %q", size, kind, n, i, c.Value())
					}
				}
				for c := range rows[2].Before() {
					if c.Name() == name && c.Value() != want || c.Updated() {
						t.Fatalf("name of %d bytes, text %d of %d: before image %q", size, kind, n, c.Value())
					}
				}
			}
		}
	}
}

// updateText prints the images of a row: name=value, ~ for NULL, ! for updated.
func updateText(r protocol.RowData) string {
	var b strings.Builder
	one := func(c *protocol.Column) {
		fmt.Fprintf(&b, " %s=", c.Name())
		if c.IsNull() {
			b.WriteByte('~')
		}
		b.WriteString(c.Value())
		if c.Updated() {
			b.WriteByte('!')
		}
	}
	for c := range r.Before() {
		one(&c)
	}
	b.WriteString(" >")
	for c := range r.After() {
		one(&c)
	}
	return strings.TrimSpace(b.String())
}

// TestImagesOfUpdates: which columns count as updated, with full and partial
// images and with columns left out by the field filter.
func TestImagesOfUpdates(t *testing.T) {
	columns := []colDef{intColumn("a"), intColumn("b"), textColumn("c")}
	row := func(nulls byte, cells ...[]byte) []byte { return append([]byte{nulls}, bytes.Join(cells, nil)...) }
	one, two, x, y := int32Cell(1), int32Cell(2), longBlob([]byte("x")), longBlob([]byte("yy"))
	tests := []struct {
		name          string
		white, black  string // field filters
		present, then byte
		before, after []byte
		want          string
	}{
		{"nothing changed", "", "", 7, 7, row(0, one, two, x), row(0, one, two, x), "a=1 b=2 c=x > a=1 b=2 c=x"},
		{"one changed", "", "", 7, 7, row(0, one, two, x), row(0, one, one, x), "a=1 b=2 c=x > a=1 b=1! c=x"},
		{"text changed", "", "", 7, 7, row(0, one, two, x), row(0, one, two, y), "a=1 b=2 c=x > a=1 b=2 c=yy!"},
		{"to NULL", "", "", 7, 7, row(0, one, two, x), row(4, one, two), "a=1 b=2 c=x > a=1 b=2 c=~!"},
		{"from NULL", "", "", 7, 7, row(2, one, x), row(0, one, two, x), "a=1 b=~ c=x > a=1 b=2! c=x"},
		{"NULL stays", "", "", 7, 7, row(2, one, x), row(2, one, x), "a=1 b=~ c=x > a=1 b=~ c=x"},
		{"NULL and empty text differ", "", "", 7, 7, row(4, one, two), row(0, one, two, longBlob(nil)), "a=1 b=2 c=~ > a=1 b=2 c=!"},
		{"MINIMAL", "", "", 1, 2, row(0, one), row(0, two), "a=1 > b=2!"},
		{"MINIMAL to NULL", "", "", 1, 6, row(0, one), row(2, two), "a=1 > b=2! c=~!"},
		{"NOBLOB", "", "", 3, 3, row(0, one, two), row(0, one, one), "a=1 b=2 > a=1 b=1!"},
		{"NOBLOB with a changed text", "", "", 3, 7, row(0, one, two), row(0, one, two, x), "a=1 b=2 > a=1 b=2 c=x!"},
		{"only some columns wanted", "d.t:a/c", "", 7, 7, row(0, one, two, x), row(0, one, one, y), "a=1 c=x > a=1 c=yy!"},
		{"a column not wanted", "", "d.t:a", 7, 7, row(0, one, two, x), row(0, two, two, x), "b=2 c=x > b=2 c=x"},
		{"NULL in columns not wanted", "", "D.T:b/C", 7, 7, row(6, one), row(6, two), "a=1 > a=2!"},
		{"another table's filter", "d.other:a", "", 7, 7, row(0, one, two, x), row(0, one, two, x), "a=1 b=2 c=x > a=1 b=2 c=x"},
		{"no column wanted", "d.t:z", "", 7, 7, row(0, one, two, x), row(0, one, two, x), ">"},
		{"ends behind the before image", "", "", 7, 7, row(0, one, two, x), nil, "a=1 b=2 c=x >"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := planOf(t, Options{Keep: filter.ParseFields(tt.white, tt.black).Keep}, columns, 3)
			if err != nil {
				t.Fatal(err)
			}
			rows := rowsOf(t, p, &binlog.Rows{Kind: binlog.RowsUpdate, ColumnCount: 3, Present: []byte{tt.present}, PresentAfter: []byte{tt.then},
				Data: append(bytes.Clone(tt.before), tt.after...)})
			if len(rows) != 1 {
				t.Fatalf("%d rows", len(rows))
			}
			if got := updateText(rows[0]); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// deflated is a value of MariaDB's compressed columns.
func deflated(t *testing.T, text string) []byte {
	t.Helper()
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append([]byte{8<<4 | 2, byte(len(text) >> 8), byte(len(text))}, z.Bytes()...)
}

// TestRareColumns covers the kinds of columns that not every server has.
func TestRareColumns(t *testing.T) {
	short := func(b string) []byte { return append([]byte{byte(len(b))}, b...) }
	long := strings.Repeat("0123456789", 60)
	tests := []struct {
		name    string
		typ     byte
		meta    uint16
		def     string
		cell    []byte
		text    string
		sqlType protocol.SQLType
	}{
		{"uuid", binlog.TypeString, 0xfe10, "uuid", short("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"), "00112233-4455-6677-8899-aabbccddeeff", 1},
		{"uuid cut", binlog.TypeString, 0xfe10, "uuid", short("\x01"), "01000000-0000-0000-0000-000000000000", 1},
		{"uuid too long", binlog.TypeString, 0xfe14, "uuid", short(strings.Repeat("\x01", 20)), "01010101-0101-0101-0101-010101010101", 1},
		{"inet4", binlog.TypeString, 0xfe04, "inet4", short("\xc0\x00\x02\x01"), "192.0.2.1", 1},
		{"inet4 cut", binlog.TypeString, 0xfe04, "INET4", short("\x0a"), "10.0.0.0", 1},
		{"inet6", binlog.TypeString, 0xfe10, "inet6", short("\x20\x01\x0d\xb8"), "2001:db8::", 1},
		{"inet6 zero", binlog.TypeString, 0xfe10, "inet6", short(""), "::", 1},
		{"compressed text", binlog.TypeBlobCompressed, 4, "text /*M!100301 COMPRESSED*/", longBlob(deflated(t, long)), long, 2005},
		{"compressed blob", binlog.TypeBlobCompressed, 4, "blob /*M!100301 COMPRESSED*/", longBlob(deflated(t, "\xe9")), "é", 2004},
		{"compressed, stored plain", binlog.TypeVarcharCompressed, 200, "varchar(200) /*M!100301 COMPRESSED*/", short("\x00plain"), "plain", 12},
		{"compressed, empty", binlog.TypeVarcharCompressed, 200, "varchar(200) /*M!100301 COMPRESSED*/", short(""), "", 12},
		{"long char", binlog.TypeString, 0xdefc, "char(255)", append([]byte{3, 0}, "abc"...), "abc", 1},
		{"vector", binlog.TypeVector, 4, "vector(1)", longBlob([]byte{0, 0, 0x80, 0x3f}), "\x00\x00\u0080?", 2004},
		{"json", binlog.TypeJSON, 4, "json", longBlob([]byte{5, 7, 0}), "7", 12},
		{"json empty", binlog.TypeJSON, 4, "json", longBlob(nil), "", 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := planOf(t, Options{}, []colDef{{tt.typ, tt.meta, schema.Column{Name: "c", Type: tt.def}}, intColumn("i")}, 2)
			if err != nil {
				t.Fatal(err)
			}
			rows := rowsOf(t, p, inserted(append(append([]byte{0}, tt.cell...), int32Cell(7)...), 2))
			c, _ := rows[0].AfterColumn("c")
			i, _ := rows[0].AfterColumn("i")
			if c.Value() != tt.text || c.SQLType() != tt.sqlType || c.MysqlType() != tt.def || i.Value() != "7" {
				t.Errorf("value %q, sqlType %d, mysqlType %q; the next column %q", c.Value(), c.SQLType(), c.MysqlType(), i.Value())
			}
		})
	}
}

// TestPartialJSON: the bits before the after image say which JSON columns hold
// differences; they count the columns of the table, also those without a value.
func TestPartialJSON(t *testing.T) {
	json := func(name string) colDef { return colDef{binlog.TypeJSON, 4, schema.Column{Name: name, Type: "json"}} }
	columns := []colDef{intColumn("id"), json("j"), json("k")}
	full := longBlob([]byte{5, 1, 0})
	diff := longBlob([]byte("\x00\x03$.a\x03\x05\x07\x00")) // replace $.a with 7
	before := append(append([]byte{0}, int32Cell(1)...), append(bytes.Clone(full), full...)...)
	tests := []struct {
		name    string
		then    byte
		after   []byte
		want    string
		failing bool
	}{
		{"no options", 7, bytes.Join([][]byte{{0, 0}, int32Cell(1), full, full}, nil), "id=1 j=1 k=1", false},
		{"the first", 7, bytes.Join([][]byte{{1, 1, 0}, int32Cell(1), diff, full}, nil), "id=1 j=JSON_REPLACE(j, '$.a', 7)! k=1", false},
		{"the second", 7, bytes.Join([][]byte{{1, 2, 0}, int32Cell(1), full, diff}, nil), "id=1 j=1 k=JSON_REPLACE(k, '$.a', 7)!", false},
		{"the second alone", 4, bytes.Join([][]byte{{1, 2, 0}, diff}, nil), "k=JSON_REPLACE(k, '$.a', 7)!", false},
		{"no difference", 7, bytes.Join([][]byte{{1, 3, 0}, int32Cell(1), diff, longBlob(nil)}, nil), "id=1 j=JSON_REPLACE(j, '$.a', 7)! k=1", false},
		{"NULL in between", 7, bytes.Join([][]byte{{1, 2, 2}, int32Cell(1), diff}, nil), "id=1 j=~! k=JSON_REPLACE(k, '$.a', 7)!", false},
		{"options cut", 7, []byte{0xfc, 1}, "", true},
		{"no difference, cut", 7, bytes.Join([][]byte{{1, 3, 0}, int32Cell(1), diff, {0, 0}}, nil), "", true},
		{"bits cut", 7, []byte{1}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := planOf(t, Options{}, columns, 3)
			if err != nil {
				t.Fatal(err)
			}
			r := &binlog.Rows{Kind: binlog.RowsUpdate, ColumnCount: 3, Present: []byte{7}, PresentAfter: []byte{tt.then}, Partial: true,
				Data: append(bytes.Clone(before), tt.after...)}
			if tt.failing {
				if _, _, err := new(Encoder).Rows(nil, &Context{}, p, r, 1); err == nil {
					t.Error("no error")
				}
				return
			}
			_, after, _ := strings.Cut(updateText(rowsOf(t, p, r)[0]), "> ")
			if after != tt.want {
				t.Errorf("got  %s\nwant %s", after, tt.want)
			}
		})
	}
}

// TestColumnCounts: rows may have fewer columns than the table, and one more
// where the server hides a key.
func TestColumnCounts(t *testing.T) {
	hidden := colDef{binlog.TypeLongLong, 0, schema.Column{}}
	columns := []colDef{intColumn("a"), intColumn("b"), hidden}
	if p, err := planOf(t, Options{}, columns[:1], 1); err != nil || len(p.columns) != 1 {
		t.Errorf("fewer columns than the table: %v", err)
	}
	if _, err := planOf(t, Options{}, columns, 2); err == nil || !strings.Contains(err.Error(), "d.t") {
		t.Errorf("one column too many: %v", err)
	}
	p, err := planOf(t, Options{HiddenKey: "__hidden__"}, columns, 2)
	if err != nil {
		t.Fatal(err)
	}
	row := binary.LittleEndian.AppendUint64(append(append([]byte{0}, int32Cell(1)...), int32Cell(2)...), 1<<63)
	c, ok := rowsOf(t, p, inserted(row, 3))[0].AfterColumn("__hidden__")
	if !ok || !c.IsKey() || c.MysqlType() != "bigint" || c.Value() != "-9223372036854775808" || c.Index() != 2 {
		t.Errorf("hidden key: %v, %q of %s", ok, c.Value(), c.MysqlType())
	}
	keyed := []colDef{{binlog.TypeLong, 0, schema.Column{Name: "a", Type: "int", Key: true}}, hidden}
	if _, err := planOf(t, Options{HiddenKey: "__hidden__"}, keyed, 1); err == nil {
		t.Error("a table with a key has a hidden one too")
	}
}
