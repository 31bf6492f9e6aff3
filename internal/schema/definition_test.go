package schema

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// goldenTable is a line of testdata/showcreate.jsonl: a table as SHOW CREATE
// TABLE printed it (MySQL 5.6, 5.7, 8.0, 9.7, MariaDB 10.11), and the layout
// that Canal's MemoryTableMeta makes of it with polardbx-parser 5.4.19. Columns
// are missing where that cannot read the text.
type goldenTable struct {
	DDL     []string `json:"ddl"`
	DB      string   `json:"db"`
	Table   string   `json:"table"`
	Columns []struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Key      bool   `json:"key"`
		Unique   bool   `json:"unique"`
		Nullable bool   `json:"nullable"`
	} `json:"columns"`
}

func TestLiveDefinitionsAsCanal(t *testing.T) {
	f, err := os.Open("testdata/showcreate.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var g goldenTable
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		create, err := ddl.ParseCreateTable(g.DDL[0], ddl.Options{})
		if err != nil {
			t.Errorf("%v in\n%s", err, g.DDL[0])
			continue
		}
		got := define(create, ddl.Name{Schema: g.DB, Table: g.Table}, ddl.Server{}, true).table
		if g.Columns == nil {
			continue // beyond Canal's grammar: enough that it is read here
		}
		want := &Table{}
		for _, c := range g.Columns {
			want.Columns = append(want.Columns, Column{
				Name: strings.ReplaceAll(c.Name, "``", "`"), // Canal keeps the doubled quote; the name has one
				Type: c.Type, Key: c.Key, Unique: c.Unique, Nullable: c.Nullable,
			})
		}
		compareLayouts(t, g.DDL[0], got, want)
	}
}

// compareLayouts compares what Canal knows of columns.
func compareLayouts(t *testing.T, sql string, got, want *Table) {
	t.Helper()
	if len(got.Columns)-hiddenColumns(got) != len(want.Columns) {
		t.Errorf("%s\n%d columns, want %d", sql, len(got.Columns), len(want.Columns))
		return
	}
	for i, w := range want.Columns {
		g := got.Columns[i]
		g.Charset, g.Unsigned = "", false
		if g != w {
			t.Errorf("%s\ngot  %+v\nwant %+v", sql, g, w)
		}
	}
}

func hiddenColumns(t *Table) int {
	n := 0
	for _, c := range t.Columns {
		if c.Hidden {
			n++
		}
	}
	return n
}
