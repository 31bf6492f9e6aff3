package entry

import (
	"bytes"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/value"
	"github.com/towpath-cdc/towpath/protocol"
)

// fuzzTypes are definitions that decide how cells are read.
var fuzzTypes = []string{"int", "text", "blob", "char(5)", "binary(5)", "varchar(300)", "uuid", "inet4", "inet6", "bigint unsigned",
	"text /*M!100301 COMPRESSED*/", "varbinary(9)", "json", "enum('a')"}

// FuzzRows encodes any rows of any table map. What comes out can be read back
// with the number of rows that was told, and its texts are UTF-8; after an
// error the buffer is as it was. The types of the definition follow from the
// bytes of definition.
func FuzzRows(f *testing.F) {
	for _, name := range slices.Concat(fixtures, forms) {
		for i, e := range loadEvents(f, name) {
			if (i%4 == 0 || slices.Contains(forms, name)) && len(e.body) < 2048 && len(e.tableMap) < 2048 {
				f.Add(e.tableMap, []byte{byte(i)}, byte(e.typ), e.body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, tableMap, definition []byte, typ byte, body []byte) {
		m, err := binlog.ParseTableMap(tableMap, nil)
		if err != nil {
			return
		}
		rows, err := binlog.ParseRows(binlog.EventType(typ), body, nil)
		if err != nil {
			return
		}
		table := tableOf(m)
		for i, d := range definition {
			if i < len(table.Columns) {
				table.Columns[i].Type = fuzzTypes[int(d)%len(fuzzTypes)]
			}
		}
		plan, err := NewPlan(table, m, Options{Charset: charset.UTF8, Zone: value.NewZone(time.UTC)})
		if err != nil {
			return
		}
		c := Context{File: "log.000001", Offset: 4, Size: int64(len(body))}
		var enc Encoder
		out, n, err := enc.Rows([]byte("prefix"), &c, plan, &rows, rows.TableID)
		if err != nil {
			if string(out) != "prefix" {
				t.Fatalf("a failed event leaves %q", out)
			}
			return
		}
		if again, _, err := enc.Rows([]byte("prefix"), &c, plan, &rows, rows.TableID); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("the second time something else comes out, error %v", err)
		}
		readBack(t, unframe(t, out[len("prefix"):]), n)
	})
}

// readBack reads an entry and all its texts, of which each must be UTF-8.
func readBack(t *testing.T, raw []byte, rows int) {
	t.Helper()
	e, err := protocol.ParseEntry(raw)
	if err != nil {
		t.Fatal(err)
	}
	change, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for row := range change.Rows() {
		n++
		for c := range row.Before() {
			valid(t, &c)
		}
		for c := range row.After() {
			valid(t, &c)
		}
	}
	if n < rows {
		t.Errorf("%d rows can be read, %d were told", n, rows)
	}
}

func valid(t *testing.T, c *protocol.Column) {
	t.Helper()
	if c.IsNull() == c.HasValue() {
		t.Errorf("column %s: null %v, with a value %v", c.Name(), c.IsNull(), c.HasValue())
	}
	if !utf8.Valid(c.RawValue()) {
		t.Errorf("column %s: %q is not UTF-8", c.Name(), c.RawValue())
	}
}

// rawEvent is a rows event of a fixture and its table map, both without header.
type rawEvent struct {
	typ            binlog.EventType
	tableMap, body []byte
}

func loadEvents(f *testing.F, name string) (out []rawEvent) {
	f.Helper()
	maps := map[string][]byte{} // by the six bytes of the id
	eachEvent(f, name, func(e binlog.FileEvent) {
		switch e.Header.Type {
		case binlog.EventTableMap:
			maps[string(e.Body[:6])] = bytes.Clone(e.Body)
		case binlog.EventWriteRowsV1, binlog.EventWriteRowsV2, binlog.EventUpdateRowsV1, binlog.EventUpdateRowsV2,
			binlog.EventDeleteRowsV1, binlog.EventDeleteRowsV2, binlog.EventPartialUpdateRows:
			out = append(out, rawEvent{e.Header.Type, maps[string(e.Body[:6])], bytes.Clone(e.Body)})
		}
	})
	return out
}

// FuzzNewPlan makes plans for tables that do not fit their rows.
func FuzzNewPlan(f *testing.F) {
	f.Add([]byte{3, 15}, []byte{0, 0, 20, 0}, "varchar(20)", "_rowid")
	f.Fuzz(func(t *testing.T, types, metas []byte, typ, hidden string) {
		m := &binlog.TableMap{Schema: []byte("d"), Name: []byte("t"), Types: types, Meta: make([]uint16, len(types))}
		for i := range m.Meta {
			if 2*i+1 < len(metas) {
				m.Meta[i] = uint16(metas[2*i]) | uint16(metas[2*i+1])<<8
			}
		}
		table := &schema.Table{Schema: "d", Name: "t"}
		for range len(types) {
			table.Columns = append(table.Columns, schema.Column{Name: "c", Type: typ})
		}
		if hidden != "" && len(types) > 0 {
			table.Columns = table.Columns[1:]
		}
		o := Options{Charset: charset.UTF8, Zone: value.NewZone(time.UTC), HiddenKey: hidden}
		if p, err := NewPlan(table, m, o); err == nil && len(p.columns) != len(types) {
			t.Errorf("plan of %d columns for %d", len(p.columns), len(types))
		}
	})
}
