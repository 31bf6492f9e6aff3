package sqlstore

import (
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/testkit/historytest"
	"github.com/towpath-cdc/towpath/test/servers"
)

// rowsOf are rows of a query as text, columns parted by |, for looking past the
// package.
func rowsOf(t *testing.T, db *sql.DB, query string, args ...any) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, to := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range values {
			if v.Valid {
				texts = append(texts, v.String)
			} else {
				texts = append(texts, "NULL")
			}
		}
		all = append(all, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

const (
	historyQuery  = "SELECT destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, use_schema, sql_schema, sql_table, sql_text, sql_type, extra FROM meta_history ORDER BY id"
	snapshotQuery = "SELECT destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, data, extra FROM meta_snapshot ORDER BY id"
	stateQuery    = "SELECT destination, name, value FROM towpath_history_state ORDER BY destination, name"
)

func wantRows(t *testing.T, s *Store, query string, want ...string) {
	t.Helper()
	if got := rowsOf(t, s.db, query); !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", query, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRows is the form in which things are stored: Canal's, wherever it has one.
func TestRows(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) { testRows(t, open(t, b.fresh(t))) })
	}
}

func testRows(t *testing.T, s *Store) {
	at := func(offset int64) history.Place {
		return history.Place{Position: binlog.Position{File: "mysql-bin.000003", Offset: offset, Timestamp: 1_700_000_000_000, ServerID: 7}}
	}
	goods := ddl.Name{Schema: "shop", Table: "goods"}
	full := history.Change{At: at(200), GTID: "u:5", Schema: "shop", SQL: "DROP TABLE goods", SQLMode: 4, Charset: "utf8mb4", Table: goods, Type: "ERASE"}
	full.At.Origin = "u"
	nobody := history.Change{At: at(300), SQL: "CREATE DATABASE d"}
	nobody.At.ServerID = 0
	second := full
	second.At.Origin = "v"
	for _, c := range []history.Change{
		{At: at(100), Schema: "shop", SQL: "ALTER TABLE goods ADD a int", Table: goods, Type: "ALTER"},
		full, nobody, second,
		{At: at(400), Schema: "shop", SQL: "CREATE TABLE `goods` (a int)", Loaded: true, Table: goods, Type: "CREATE"},
		{At: at(500), GTID: "u:6", SQL: "CREATE TABLE `goods` (a int)", Loaded: true},
	} {
		if err := s.Append(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	wantRows(t, s, historyQuery,
		"example|mysql-bin.000003|100|7|1700000000000|shop|shop|goods|ALTER TABLE goods ADD a int|ALTER|NULL",
		`example|mysql-bin.000003|200|7|1700000000000|shop|shop|goods|DROP TABLE goods|ERASE|{"towpath":1,"origin":"u","gtid":"u:5","sqlMode":4,"charset":"utf8mb4"}`,
		"example|mysql-bin.000003|300|0|1700000000000||NULL|NULL|CREATE DATABASE d|NULL|NULL",
		`example|mysql-bin.000003|200|NULL|1700000000000|shop|shop|goods|DROP TABLE goods|ERASE|{"towpath":1,"origin":"v","gtid":"u:5","sqlMode":4,"charset":"utf8mb4","serverId":7}`,
		"example|mysql-bin.000003|400|7|1700000000000|shop|shop|goods|CREATE TABLE `goods` (a int)|CREATE|first",
		"example|mysql-bin.000003|500|7|1700000000000||NULL|NULL|CREATE TABLE `goods` (a int)|NULL|{\"towpath\":1,\"first\":true,\"gtid\":\"u:6\"}",
	)

	schemas := map[string]string{"shop": "CREATE TABLE `goods` (\n\t`id` int COMMENT '\"<😀'\n); \n", "b": ""}
	initial := history.Snapshot{At: full.At, Initial: true, Schemas: schemas}
	initial.At.GTIDSet = "u:1-4"
	for _, snapshot := range []history.Snapshot{initial, {At: full.At, Schemas: map[string]string{}, Extra: []byte{1}}} {
		if err := s.AddSnapshot(t.Context(), snapshot); err != nil {
			t.Fatal(err)
		}
	}
	wantRows(t, s, snapshotQuery,
		`example|0|0|-1|-2|{"b":"","shop":"CREATE TABLE `+"`goods`"+` (\n\t`+"`id`"+` int COMMENT '\"<\ud83d\ude00'\n); \n"}|`+
			`{"towpath":1,"origin":"u","gtidSet":"u:1-4","file":"mysql-bin.000003","offset":200,"timestamp":1700000000000,"serverId":7}`,
		`example|mysql-bin.000003|200|7|1700000000000|{}|{"towpath":1,"origin":"u","extra":"AQ=="}`,
	)
	if err := s.SetState(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, s, stateQuery, "example|lock|", "example|state|x")
	if got := rowsOf(t, s.db, "SELECT COUNT(*) FROM meta_history WHERE gmt_create >= '2020-01-01' AND gmt_modified >= '2020-01-01'"); got[0] != "6" {
		t.Errorf("%s changes have their times", got[0])
	}
}

// TestJavaRows reads what Canal writes.
func TestJavaRows(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) { testJavaRows(t, open(t, b.fresh(t))) })
	}
}

const (
	javaChange   = "INSERT INTO meta_history (gmt_create, gmt_modified, destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, use_schema, sql_schema, sql_table, sql_text, sql_type, extra) VALUES (CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, "
	javaSnapshot = "INSERT INTO meta_snapshot (gmt_create, gmt_modified, destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, data, extra) VALUES (CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, "
)

func testJavaRows(t *testing.T, s *Store) {
	for _, row := range []string{
		javaSnapshot + `'example', '0', 0, '-1', -2, '{"` + "`shop`" + `":"A; \\n","shop":"B; \\n","x":""}', NULL)`,
		javaSnapshot + `'example', 'mysql-bin.000003', 200, '7', 1700000003000, '{}', NULL)`,
		javaChange + "'example', 'mysql-bin.000003', 200, '7', 1700000003000, 'shop', 'shop', 'goods', 'ALTER TABLE goods ADD a int', 'ALTER', NULL)",
		javaChange + "'example', 'mysql-bin.000003', 300, '7', 1700000002000, 'shop', 'shop', 'goods', 'CREATE TABLE goods (a int)', 'CREATE', 'first')",
		javaChange + "'example', 'mysql-bin.000003', 400, '7', 1700000004000, 'shop', NULL, NULL, NULL, NULL, NULL)", // its parser said nothing of it
		javaChange + "'example', 'mysql-bin.000003', 500, NULL, 1700000005000, NULL, NULL, NULL, 'DROP TABLE x', NULL, '{\"other\":1}')",
		javaChange + "'other', 'mysql-bin.000003', 200, '7', 1700000003000, 'shop', 'shop', 'goods', 'DROP TABLE goods', 'ERASE', NULL)",
	} {
		if b := s.where; strings.HasSuffix(b, ".db") {
			row = strings.ReplaceAll(row, `\\n`, `\n`)
		}
		if _, err := s.db.ExecContext(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := s.Changes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	goods := ddl.Name{Schema: "shop", Table: "goods"}
	want := []history.Change{
		{ID: 2, At: at(300, 2, 7), Schema: "shop", SQL: "CREATE TABLE goods (a int)", Loaded: true, Table: goods, Type: "CREATE"},
		{ID: 1, At: at(200, 3, 7), Schema: "shop", SQL: "ALTER TABLE goods ADD a int", Table: goods, Type: "ALTER"},
		{ID: 4, At: at(500, 5, 0), SQL: "DROP TABLE x"},
	}
	if !reflect.DeepEqual(changes, want) {
		t.Errorf("changes are\n%+v\nwant\n%+v", changes, want)
	}
	snapshots, err := s.Snapshots(t.Context())
	if wanted := []history.Snapshot{{ID: 1, Initial: true}, {ID: 2, At: at(200, 3, 7)}}; err != nil || !reflect.DeepEqual(snapshots, wanted) {
		t.Errorf("snapshots are %+v, %v; want %+v", snapshots, err, wanted)
	}
	schemas, err := s.Schemas(t.Context(), 1)
	if wanted := map[string]string{"shop": "A; \nB; \n", "x": ""}; err != nil || !reflect.DeepEqual(schemas, wanted) {
		t.Errorf("schemas are %q, %v; want %q", schemas, err, wanted)
	}
	if _, err := s.Schemas(t.Context(), 5); err == nil {
		t.Error("there is a snapshot 5")
	}

	// Told again, now with what Canal does not know.
	again := want[1]
	again.At.Origin, again.GTID = "u", "u:5"
	if err := s.Append(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	want[1] = again
	if changes, err = s.Changes(t.Context(), 0); err != nil || !reflect.DeepEqual(changes, want) {
		t.Errorf("changes are\n%+v, %v\nwant\n%+v", changes, err, want)
	}
}

// TestOriginBecomesKnown: what was written without its origin is found again with
// it, also where Canal's key does not hold it.
func TestOriginBecomesKnown(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			s := open(t, b.fresh(t))
			loaded, statement := history.Change{At: at(200, 3, 7), SQL: "CREATE TABLE x (a int)", Loaded: true}, history.Change{At: at(200, 3, 7), SQL: "DROP TABLE x"}
			for _, origin := range []string{"", "u", ""} {
				for _, c := range []*history.Change{&loaded, &statement} {
					c.At.Origin = origin
					if err := s.Append(t.Context(), *c); err != nil {
						t.Fatal(err)
					}
				}
			}
			loaded.ID, statement.ID = 1, 2
			loaded.At.Origin, statement.At.Origin = "u", "u"
			changes, err := s.Changes(t.Context(), 0)
			if want := []history.Change{loaded, statement}; err != nil || !reflect.DeepEqual(changes, want) {
				t.Errorf("%+v, %v; want %+v", changes, err, want)
			}
		})
	}
}

func at(offset, seconds, server int64) history.Place {
	return history.Place{Position: binlog.Position{File: "mysql-bin.000003", Offset: offset, Timestamp: 1_700_000_000_000 + 1000*seconds, ServerID: server}}
}

// TestForeignExtra: what cannot be read is named, and does not stop at a half.
func TestForeignExtra(t *testing.T) {
	s := open(t, Options{Destination: "example", Path: t.TempDir() + "/h2.towpath.db"})
	if err := s.Append(t.Context(), historytest.Statement(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddSnapshot(t.Context(), historytest.Tables(1)); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{`UPDATE meta_history SET extra = '{"towpath":1,"first":'`, `UPDATE meta_snapshot SET extra = '{"towpath":1,"long":true}', data = '[]'`} {
		if _, err := s.db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	_, changes := s.Changes(t.Context(), 0)
	_, snapshots := s.Snapshots(t.Context())
	_, schemas := s.Schemas(t.Context(), 1)
	for want, err := range map[string]error{"meta_history, id 1: column extra": changes, `towpath_history_state has no "snapshot 1"`: snapshots, "meta_snapshot, id 1: column data": schemas} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "h2.towpath.db") || !strings.Contains(err.Error(), "example") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestDestinationsShare: destinations in one database do not see each other, also
// when MySQL takes their names for equal.
func TestDestinationsShare(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			o := b.fresh(t)
			var all []*Store
			for _, name := range []string{"example", "Example", "other"} {
				o.Destination = name
				s := open(t, o)
				all = append(all, s)
				for n := range 3 {
					if err := s.Append(t.Context(), historytest.Statement(n)); err != nil {
						t.Fatal(err)
					}
					if err := s.AddSnapshot(t.Context(), historytest.Tables(n)); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.SetState(t.Context(), []byte(name)); err != nil {
					t.Fatal(err)
				}
			}
			if err := all[0].Expire(t.Context(), historytest.Statement(100).At.Timestamp); err != nil {
				t.Fatal(err)
			}
			if err := all[2].Remove(t.Context(), nil, []int64{1, 2, 3, 4}); err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{"1 3 example", "3 3 Example", "3 3 other"} {
				snapshots, err1 := all[i].Snapshots(t.Context())
				changes, err2 := all[i].Changes(t.Context(), 0)
				state, err3 := all[i].State(t.Context())
				if got := fmt.Sprintf("%d %d %s", len(snapshots), len(changes), state); got != want || err1 != nil || err2 != nil || err3 != nil {
					t.Errorf("%q, want %q; %v, %v, %v", got, want, err1, err2, err3)
				}
			}
		})
	}
}

// TestLongNames: names that columns do not hold, as they are.
func TestLongNames(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			s := open(t, b.fresh(t))
			c, snapshot := historytest.Statement(1), historytest.Tables(1)
			c.At.File = strings.Repeat("a-host-with-a-long-name.", 5) + "库-bin.000001"
			other := c
			other.At.File = "z" + c.At.File // the column has the same end
			snapshot.At.File = c.At.File
			for range 2 {
				if err := s.Append(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				if err := s.Append(t.Context(), other); err != nil {
					t.Fatal(err)
				}
				if err := s.AddSnapshot(t.Context(), snapshot); err != nil {
					t.Fatal(err)
				}
			}
			changes, err := s.Changes(t.Context(), 0)
			if err != nil || len(changes) != 2 || changes[0].At != c.At || changes[1].At != other.At {
				t.Errorf("%+v, %v", changes, err)
			}
			all, err := s.Snapshots(t.Context())
			if err != nil || len(all) != 1 || all[0].At != snapshot.At {
				t.Errorf("%+v, %v", all, err)
			}
			if got := rowsOf(t, s.db, "SELECT binlog_file, binlog_master_id FROM meta_history ORDER BY id"); len(got) != 2 || !strings.HasSuffix(got[0], "库-bin.000001|7") || !strings.HasSuffix(got[1], "库-bin.000001|NULL") {
				t.Errorf("rows are %v", got)
			}
		})
	}
}

// TestStatementBeyondCharacterSet: what a column of utf8 cannot have is in full in
// extra, and in towpath_history_state when it is long.
func TestStatementBeyondCharacterSet(t *testing.T) {
	s := open(t, onRunning(t, shared.server(t, servers.MySQL57), canalTables("utf8")...))
	short, long := historytest.Statement(1), historytest.Statement(2)
	short.SQL = "ALTER TABLE t COMMENT '😀'"
	long.SQL = "ALTER TABLE t COMMENT '😀" + strings.Repeat("x", maxExtra) + "'"
	for range 2 {
		for _, c := range []history.Change{short, long} {
			if err := s.Append(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	changes, err := s.Changes(t.Context(), 0)
	if err != nil || len(changes) != 2 || changes[0].SQL != short.SQL || changes[1].SQL != long.SQL {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	if got := rowsOf(t, s.db, "SELECT LEFT(sql_text, 25) FROM meta_history ORDER BY id"); got[0] != "ALTER TABLE t COMMENT '\ufffd'" || got[1] != "ALTER TABLE t COMMENT '\ufffdx" {
		t.Errorf("rows are %q", got)
	}
	if err := s.Remove(t.Context(), nil, []int64{changes[1].ID}); err != nil {
		t.Fatal(err)
	}
	wantRows(t, s, stateQuery, "example|lock|")
}

// FuzzColumns: whatever stands in the columns is read or refused, and what has been
// read is written so that it is read again.
func FuzzColumns(f *testing.F) {
	f.Add(`{"towpath":1,"first":true,"origin":"u","sql":"AQ=="}`, "{\"`shop`\":\"CREATE TABLE `a` (b int); \\n\",\"shop\":\"\\ud83d\\ude00\"}", "-1")
	f.Add("first", "{}", "null")
	f.Add(`{"towpath":1,"long":true,"serverId":7}`, `{"a":1}`, "")
	f.Fuzz(func(t *testing.T, extra, data, master string) {
		text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
		_, _ = changeRow{extra: text(extra), master: text(master)}.change()
		_, _ = snapshotRow{extra: text(extra), master: text(master)}.snapshot()
		schemas, err := decodeSchemas(data)
		if err != nil {
			return
		}
		for name := range schemas {
			if bare(name) != name {
				return // two pairs of backquotes
			}
		}
		encoded, err := encodeSchemas(schemas)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeSchemas(encoded)
		if err != nil || !reflect.DeepEqual(again, schemas) {
			t.Errorf("%q, %v; want %q", again, err, schemas)
		}
	})
}

// TestExpireJavaSnapshots removes what Canal would of what it has written, but for
// the newest: the one that the history begins with stays.
func TestExpireJavaSnapshots(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			s := open(t, b.fresh(t))
			for _, row := range []string{
				"'example', '0', 0, '-1', -2, '{}', NULL)",
				"'example', 'mysql-bin.000003', 200, '7', 1700000003000, '{}', NULL)",
				"'example', 'mysql-bin.000003', 300, '7', 1700000004000, '{}', NULL)",
				"'other', 'mysql-bin.000003', 200, '7', 1700000003000, '{}', NULL)",
			} {
				if _, err := s.db.ExecContext(t.Context(), javaSnapshot+row); err != nil {
					t.Fatal(err)
				}
			}
			const all = "SELECT destination, binlog_timestamp FROM meta_snapshot ORDER BY id"
			for _, c := range []struct {
				before int64
				want   []string
			}{
				{1_700_000_003_000, []string{"example|-2", "example|1700000003000", "example|1700000004000", "other|1700000003000"}},
				{1_700_000_003_001, []string{"example|-2", "example|1700000004000", "other|1700000003000"}},
				{1_800_000_000_000, []string{"example|-2", "example|1700000004000", "other|1700000003000"}},
			} {
				if err := s.Expire(t.Context(), c.before); err != nil {
					t.Fatal(err)
				}
				wantRows(t, s, all, c.want...)
			}
		})
	}
}
