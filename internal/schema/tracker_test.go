package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// live is a Loader with tables in memory.
type live struct {
	tables map[string]string // "schema.table" to CREATE TABLE
	loads  int
	err    error
}

func (l *live) LoadTable(_ context.Context, schema, table string) (string, error) {
	l.loads++
	if l.err != nil {
		return "", l.err
	}
	text, ok := l.tables[schema+"."+table]
	if !ok {
		return "", ErrNoTable
	}
	return text, nil
}

// tableMap is a table map of d.t. A type is a binlog type, with metadata in
// the next higher bytes.
func tableMap(id uint64, types ...uint32) *binlog.TableMap {
	m := &binlog.TableMap{ID: id, Schema: []byte("d"), Name: []byte("t"), NullBitmap: make([]byte, (len(types)+7)/8)}
	for _, t := range types {
		m.Types = append(m.Types, byte(t))
		m.Meta = append(m.Meta, uint16(t>>8))
	}
	return m
}

// columnNames are the metadata field with the names of all columns.
func columnNames(names ...string) binlog.OptionalMetadata {
	var value []byte
	for _, n := range names {
		value = append(append(value, byte(len(n))), n...)
	}
	return append([]byte{4, byte(len(value))}, value...)
}

const (
	tinyInt = uint32(binlog.TypeTiny)
	plain   = uint32(binlog.TypeLong)
	big     = uint32(binlog.TypeLongLong)
	varchar = uint32(binlog.TypeVarchar) | 40<<8
	blob    = uint32(binlog.TypeBlob) | 2<<8
)

// layout prints names and types.
func layout(t *Table) string {
	var parts []string
	for _, c := range t.Columns {
		s := c.Name + " " + c.Type
		if c.Key {
			s += " key"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

func TestTracker(t *testing.T) {
	mysql57, mysql80 := ddl.Server{Version: 50722}, ddl.Server{Version: 80030}
	tests := []struct {
		name   string
		server ddl.Server
		live   string // definition of d.t
		apply  []string
		rows   *binlog.TableMap
		want   string // layout, or what the error says
	}{
		{"created in the stream", mysql57, "", []string{"CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, n VarChar(10))"}, tableMap(1, plain, varchar), "id int(10) unsigned key, n varchar(10)"},
		{"spelling of a newer server", mysql80, "", []string{"CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, n VarChar(10))"}, tableMap(1, plain, varchar), "id int unsigned key, n varchar(10)"},
		{"spelling of the live server", mysql57, "CREATE TABLE `t` (`id` int unsigned, `n` varchar(10))", []string{"CREATE TABLE t (id INT UNSIGNED, n VarChar(10))"}, tableMap(1, plain, varchar), "id int unsigned, n varchar(10)"},
		{"first met by rows", mysql57, "CREATE TABLE `t` (`id` int(11), PRIMARY KEY (`id`))", nil, tableMap(1, plain), "id int(11) key"},
		{"dropped since", mysql57, "", nil, tableMap(1, plain), "does not exist"},
		{"dropped since, names in the log", mysql57, "", nil, withNames(tableMap(1, plain, varchar), "id", "n"), "id int(11), n varchar(40)"},
		{"column added since", mysql57, "CREATE TABLE `t` (`id` int(11), `n` varchar(10))", nil, tableMap(1, plain), "id int(11), n varchar(10)"},
		{"column added in front since", mysql57, "CREATE TABLE `t` (`n` varchar(10), `id` int(11))", nil, tableMap(1, plain), "column 1, n varchar(10), is MYSQL_TYPE_LONG(3) in the rows"},
		{"column added in front since, names in the log", mysql57, "CREATE TABLE `t` (`n` varchar(10), `id` int(11), PRIMARY KEY (`id`))", nil, withNames(tableMap(1, plain), "id"), "id int(11) key"},
		{"column dropped since", mysql57, "CREATE TABLE `t` (`id` int(11))", nil, tableMap(1, plain, varchar), "the rows have 2 columns, the table 1"},
		{"column widened since", mysql57, "CREATE TABLE `t` (`id` bigint(20))", nil, tableMap(1, plain), "id int(11)"},
		{"same names, another order", mysql57, "CREATE TABLE `t` (`a` int(11), `b` int(10) unsigned)", nil, withNames(tableMap(1, plain, plain), "b", "a"), "b int(10) unsigned, a int(11)"},
		{"altered in the stream while live is ahead", mysql57, "CREATE TABLE `t` (`x` varchar(9), `id` bigint(20))", []string{"CREATE TABLE t (id int)", "ALTER TABLE t ADD n varchar(10)"}, tableMap(1, plain, varchar), "id int(11), n varchar(10)"},
		{"statement not understood", mysql57, "CREATE TABLE `t` (`id` int(11), `n` varchar(10))", []string{"CREATE TABLE t (id int)", "ALTER TABLE t FROB ("}, tableMap(1, plain, varchar), "id int(11), n varchar(10)"},
		{"if not exists on a known table", mysql57, "", []string{"CREATE TABLE t (id int)", "CREATE TABLE IF NOT EXISTS t (a tinyint, b tinyint)"}, tableMap(1, plain), "id int(11)"},
		{"if not exists on a table from before", mysql57, "CREATE TABLE `t` (`id` int(11))", []string{"CREATE TABLE IF NOT EXISTS t (a tinyint, b tinyint)"}, tableMap(1, plain), "id int(11)"},
		{"temporary table of the same name", mysql57, "", []string{"CREATE TABLE t (id int)", "CREATE TEMPORARY TABLE t (a tinyint, b tinyint)", "DROP TEMPORARY TABLE t"}, tableMap(1, plain), "id int(11)"},
		{"swap", mysql57, "", []string{"CREATE TABLE t (id int)", "CREATE TABLE new (id bigint)", "RENAME TABLE t TO old, new TO t"}, tableMap(1, big), "id bigint(20)"},
		{"schema dropped and created", mysql57, "", []string{"CREATE TABLE t (id int)", "DROP DATABASE d", "CREATE DATABASE d", "CREATE TABLE d.t (a tinyint)"}, tableMap(1, tinyInt), "a tinyint(4)"},
		{"renamed away", mysql57, "", []string{"CREATE TABLE t (id int)", "ALTER TABLE t RENAME TO test.t"}, tableMap(1, plain), "does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &live{tables: map[string]string{}}
			if tt.live != "" {
				l.tables["d.t"] = tt.live
			}
			tracker := NewTracker(l, Options{Server: tt.server})
			for _, sql := range tt.apply {
				_ = tracker.Apply(t.Context(), sql, "d")
			}
			got := ""
			table, err := tracker.Table(t.Context(), "d", "t", tt.rows, binlog.Position{})
			if err != nil {
				got = err.Error()
			} else {
				got = layout(table)
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func withNames(m *binlog.TableMap, names ...string) *binlog.TableMap {
	m.Optional = columnNames(names...)
	return m
}

func TestTableIsCached(t *testing.T) {
	l := &live{tables: map[string]string{"d.t": "CREATE TABLE `t` (`id` int(11))"}}
	tracker := NewTracker(l, Options{})
	first, err := tracker.Table(t.Context(), "d", "t", tableMap(7, plain), binlog.Position{})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := tracker.Table(t.Context(), "d", "t", tableMap(7, plain), binlog.Position{}); again != first || l.loads != 1 {
		t.Errorf("another version or %d loads", l.loads)
	}
	if other, _ := tracker.Table(t.Context(), "d", "t", tableMap(8, plain), binlog.Position{}); other != first || l.loads != 1 {
		t.Errorf("another id: another version or %d loads", l.loads)
	}
	if err := tracker.Apply(t.Context(), "ALTER TABLE t MODIFY id bigint", "d"); err != nil {
		t.Fatal(err)
	}
	l.tables["d.t"] = "CREATE TABLE `t` (`id` bigint(20))"
	changed, err := tracker.Table(t.Context(), "d", "t", tableMap(9, big), binlog.Position{})
	if err != nil || changed == first || first.Columns[0].Type != "int(11)" {
		t.Errorf("%v, or the first version was changed", err)
	}
	tracker.Reset(false)
	if _, err := tracker.Table(t.Context(), "d", "t", tableMap(9, big), binlog.Position{}); err != nil || l.loads != 3 {
		t.Errorf("%v, %d loads", err, l.loads)
	}
}

func TestResetAtTheSamePlace(t *testing.T) {
	tracker := NewTracker(&live{}, Options{})
	if err := tracker.Apply(t.Context(), "CREATE TABLE t (id int)", "d"); err != nil {
		t.Fatal(err)
	}
	tracker.Reset(true)
	if _, err := tracker.Table(t.Context(), "d", "t", tableMap(1, plain), binlog.Position{}); err != nil {
		t.Error(err)
	}
	tracker.Reset(false)
	if _, err := tracker.Table(t.Context(), "d", "t", tableMap(1, plain), binlog.Position{}); !errors.Is(err, ErrNoTable) {
		t.Errorf("got %v, want ErrNoTable", err)
	}
}

func TestErrors(t *testing.T) {
	lost := errors.New("connection lost")
	l := &live{err: lost}
	tracker := NewTracker(l, Options{})
	for range 2 { // not held against the table
		if _, err := tracker.Table(t.Context(), "d", "t", tableMap(1, plain), binlog.Position{}); !errors.Is(err, lost) {
			t.Errorf("got %v", err)
		}
	}
	if l.loads != 2 {
		t.Errorf("%d loads, want 2", l.loads)
	}
	l.err, l.tables = nil, map[string]string{"d.t": "CREATE TABLE `t` (`n` varchar(10))"}
	_, err := tracker.Table(t.Context(), "d", "t", tableMap(1, plain), binlog.Position{})
	var mismatch *MismatchError
	if !errors.Is(err, ErrMismatch) || !errors.As(err, &mismatch) || mismatch.Closest == nil {
		t.Errorf("got %v, want a MismatchError", err)
	}
}

func TestMocked(t *testing.T) {
	l := &live{}
	tracker := NewTracker(l, Options{RDS: true})
	for name, want := range map[string]string{
		"Test.Heartbeat":        "id smallint(6) key, ts int(11)",
		"mysql.ha_health_check": "id bigint(20), type char(1) key",
	} {
		schema, table, _ := strings.Cut(name, ".")
		got, err := tracker.Table(t.Context(), schema, table, tableMap(uint64(len(name)), plain, plain), binlog.Position{})
		if err != nil || layout(got) != want || !got.Mocked {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if l.loads > 0 {
		t.Error("loaded")
	}
}

func TestCaseOfNames(t *testing.T) {
	tracker := NewTracker(&live{}, Options{LowerCaseTableNames: 1})
	if err := tracker.Apply(t.Context(), "CREATE TABLE D.T (id int)", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := tracker.Table(t.Context(), "d", "t", tableMap(1, plain), binlog.Position{}); err != nil {
		t.Error(err)
	}
}

func TestHiddenKey(t *testing.T) {
	l := &live{tables: map[string]string{"d.t": "CREATE TABLE `t` (`n` int(11))"}}
	tracker := NewTracker(l, Options{HiddenKey: true})
	got, err := tracker.Table(t.Context(), "d", "t", tableMap(1, plain, big), binlog.Position{})
	if err != nil || layout(got) != "n int(11)" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestHashColumns has rows of a MariaDB with the hidden column of a unique key over
// a text, with and without the names of columns. They were taken for rows of another
// table, and with names the column was delivered.
func TestHashColumns(t *testing.T) {
	for _, c := range []struct {
		name, create string
		m            *binlog.TableMap
		want         string // the columns, with hidden ones in brackets; "" for none that goes with the rows
	}{
		{"plain", "(id int, b text, UNIQUE (b))", tableMap(1, plain, blob, big), "id,b,[!hidden!]"},
		{"names", "(id int, b text, UNIQUE (b))", withNames(tableMap(1, plain, blob, big), "id", "b", "DB_ROW_HASH_1"), "id,b,[DB_ROW_HASH_1]"},
		{"two", "(a varchar(4000), b text, UNIQUE (a), UNIQUE (b))", tableMap(1, varchar, blob, big, big), "a,b,[!hidden!],[!hidden!]"},
		{"key of the usual sort", "(id int, b varchar(40), UNIQUE (b))", tableMap(1, plain, varchar), "id,b"},
		{"another column", "(id int, b text, UNIQUE (b))", tableMap(1, plain, blob, plain), ""},
		{"more than keys", "(id int, b text, UNIQUE (b))", tableMap(1, plain, blob, big, big), ""},
		{"short key", "(a varchar(40), b text, UNIQUE (a))", tableMap(1, varchar, blob, big), ""},
		{"key over numbers", "(id int, b text, UNIQUE (id))", tableMap(1, plain, blob, big), ""},
		{"unknown table", "", withNames(tableMap(1, plain, big), "id", "DB_ROW_HASH_1"), "id,[DB_ROW_HASH_1]"},
	} {
		tracker := NewTracker(&live{}, Options{Server: ddl.VersionOf("10.11.14-MariaDB")})
		if c.create != "" {
			if err := tracker.Apply(t.Context(), "CREATE TABLE t "+c.create, "d"); err != nil {
				t.Fatal(err)
			}
		}
		table, err := tracker.Table(t.Context(), "d", "t", c.m, binlog.Position{})
		var got []string
		if err == nil {
			for _, column := range table.Columns {
				if column.Hidden {
					column.Name = "[" + column.Name + "]"
				}
				got = append(got, column.Name)
			}
		}
		if text := strings.Join(got, ","); text != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, text, err, c.want)
		}
	}
}

func TestTablesAreBounded(t *testing.T) {
	tracker := NewTracker(&live{}, Options{MaxTables: 10})
	for i := range 100 {
		if err := tracker.Apply(t.Context(), fmt.Sprintf("CREATE TABLE t%d (id int)", i), "d"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(tracker.tables); n > 10 {
		t.Errorf("%d tables kept", n)
	}
}

func BenchmarkTable(b *testing.B) {
	tracker := NewTracker(&live{tables: map[string]string{"d.t": "CREATE TABLE `t` (`id` int(11), `n` varchar(10))"}}, Options{})
	m := tableMap(1, plain, varchar)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tracker.Table(b.Context(), "d", "t", m, binlog.Position{}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add("CREATE TABLE t (id int, n text)", "ALTER TABLE t ADD a int FIRST, CHANGE n m char(3) AFTER id, DROP id")
	f.Add("CREATE TABLE t (id int, UNIQUE ((id+1)))", "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, ADD SYSTEM VERSIONING")
	f.Fuzz(func(t *testing.T, create, alter string) {
		tracker := NewTracker(&live{}, Options{Server: ddl.Server{Version: 80030}})
		_ = tracker.Apply(t.Context(), create, "d")
		_ = tracker.Apply(t.Context(), alter, "d")
		for _, m := range []*binlog.TableMap{tableMap(1, plain, varchar), withNames(tableMap(2, plain), "id")} {
			_, _ = tracker.Table(t.Context(), "d", "t", m, binlog.Position{})
		}
	})
}
