package differential

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestWhereCanalStops reads what Java Canal never gets past. The rows that
// come have to make the tables' contents.
func TestWhereCanalStops(t *testing.T) {
	program := build(t)
	for _, k := range servers.Kinds {
		for _, setting := range stopSettings(k) {
			t.Run(strings.TrimSuffix(string(k)+"/"+setting, "/"), func(t *testing.T) {
				t.Parallel()
				db := servers.ForTest(t, k, strings.Fields(setting)...)
				at := recording{name: "stops"}.play(t.Context(), db)
				if at.err != nil {
					t.Fatal(at.err)
				}
				port, _ := startTowpath(t, program, db, place{file: at.at.file})
				lines, _, err := entries(t.Context(), port, "example", fetch{size: 500, timeout: 100 * time.Millisecond, marker: at.schema + ".done", until: protocol.EventInsert})
				if err != nil {
					t.Fatal(err)
				}
				tables := rebuild(t, lines)
				want, err := db.Query(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = '"+at.schema+"' AND table_name LIKE 'kept%'")
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range want {
					sameContent(t, db, at.schema, row[0], tables[row[0]])
				}
				if got := tables["short_lived"]; len(got) != 1 || got[0]["v"] != "gone" {
					t.Errorf("the table that is gone has rows %v", got)
				}
				if got := tables["vectors"]; k == servers.MySQL97 && (len(got) != 2 || got[0]["v"] != "\x00\x00\u0080?\x00\x00\x00@\x00\x00@@" || got[0]["after_it"] != "x") {
					t.Errorf("the table with vectors has rows %q", got)
				}
			})
		}
	}
}

// stopSettings are settings of a server that make more events Canal does not
// get past, or names it does not read; "" is none.
func stopSettings(k servers.Kind) []string {
	switch k {
	case servers.MySQL80:
		return []string{"", "binlog_row_metadata=FULL"}
	case servers.MySQL97:
		return []string{"", "binlog_row_metadata=FULL", "binlog_transaction_compression=ON"}
	case servers.MariaDB1011:
		return []string{"", "binlog_row_metadata=FULL", "log_bin_compress=ON log_bin_compress_min_len=10"}
	}
	return []string{""}
}

// rebuild applies the rows of entries: by table, the rows that are left, each
// by column name.
func rebuild(t *testing.T, lines []string) map[string][]map[string]string {
	t.Helper()
	tables := map[string][]map[string]string{}
	for _, line := range lines {
		o, err := parse(line)
		if err != nil {
			t.Fatal(err)
		}
		name := o.text("header", "tableName")
		rows, _ := o.at("rowChange", "rowDatas").([]any)
		for _, r := range rows {
			row, _ := r.(map[string]any)
			before, after := content(row["beforeColumns"]), content(row["afterColumns"])
			if before != nil {
				i := slices.IndexFunc(tables[name], func(x map[string]string) bool { return fmt.Sprint(x) == fmt.Sprint(before) })
				if i < 0 {
					t.Errorf("%s: a row that is not there changes: %v", name, before)
					continue
				}
				tables[name] = slices.Delete(tables[name], i, i+1)
			}
			if after != nil {
				tables[name] = append(tables[name], after)
			}
		}
	}
	return tables
}

func content(columns any) map[string]string {
	list, _ := columns.([]any)
	if len(list) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, c := range list {
		column := object(c.(map[string]any))
		out[column.text("name")] = column.text("value")
		if column.at("isNull") == true {
			out[column.text("name")] = "NULL"
		}
	}
	return out
}

// sameContent compares rows with a table. Rows from before a column was added
// have no value for it.
func sameContent(t *testing.T, db *servers.Server, schema, table string, got []map[string]string) {
	t.Helper()
	columns, err := db.Query(t.Context(), "SELECT column_name FROM information_schema.columns WHERE table_schema = '"+schema+"' AND table_name = '"+table+"' ORDER BY ordinal_position")
	if err != nil {
		t.Fatal(err)
	}
	quote := func(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
	var list []string
	for _, c := range columns {
		list = append(list, quote(c[0]))
	}
	from := quote(schema) + "." + quote(table)
	if table == "kept_versioned" { // history is rows too
		from += " FOR SYSTEM_TIME ALL"
	}
	want, err := db.Query(t.Context(), "SELECT "+strings.Join(list, ", ")+" FROM "+from)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, the table has %d: %v", table, len(got), len(want), got)
		return
	}
	for _, row := range want {
		if !slices.ContainsFunc(got, func(g map[string]string) bool {
			for i, c := range columns {
				if v, ok := g[c[0]]; ok && v != row[i] {
					return false
				}
			}
			return len(g) > 0
		}) {
			t.Errorf("%s %v: row %q is not among %q", table, columns, row, got)
		}
	}
}
