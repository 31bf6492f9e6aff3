package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// field appends a field of a message: a number, or else bytes.
func field(b []byte, n protowire.Number, v any) []byte {
	switch v := v.(type) {
	case int:
		return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
	case string:
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v.([]byte))
}

// cell is a column of a row image: name, type, value.
type cell [3]string

func image(row []byte, side protowire.Number, cells []cell) []byte {
	for i, c := range cells {
		b := field(field(field(nil, 1, i), 3, c[0]), 10, c[1])
		b = field(b, 4, min(1, strings.Count(c[0], "id")))
		if b = field(b, 2, int(protocol.SQLVarchar)); c[2] == null {
			b = field(b, 6, 1)
		} else {
			b = field(b, 8, c[2])
		}
		row = field(row, side, b)
	}
	return row
}

// entry is an entry of table s.t at an offset.
func entry(t testing.TB, offset int, typ protocol.EventType, change []byte) *protocol.Entry {
	t.Helper()
	h := field(field(field(nil, 2, "bin.000001"), 3, offset), 6, 1700000000000)
	h = field(field(field(h, 8, "s"), 9, "t"), 11, int(typ))
	e, err := protocol.ParseEntry(field(field(field(nil, 1, h), 2, int(protocol.EntryRowData)), 3, change))
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func rowEntry(t testing.TB, offset int, typ protocol.EventType, before, after []cell) *protocol.Entry {
	t.Helper()
	row := image(image(nil, 1, before), 2, after)
	return entry(t, offset, typ, field(field(nil, 2, int(typ)), 12, row))
}

func ddlEntry(t testing.TB, offset int, sql string) *protocol.Entry {
	t.Helper()
	return entry(t, offset, protocol.EventQuery, field(field(field(nil, 10, 1), 11, sql), 14, "s"))
}

// What may come after what. An entry is its offset, and a! is another text for a.
func TestJournal(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"in order", "10 20 30", ""},
		{"all again", "10 20 30 again 10 20 30 40", ""},
		{"again from what was confirmed", "10 20 ack 30 again 30 40", ""},
		{"again from before what was confirmed", "10 20 ack 30 again 20 30 40", ""},
		{"again what was confirmed", "10 20 30 ack again 10 20 30 40", ""},
		{"nothing comes again, for all was confirmed", "10 20 30 ack again 40", ""},
		{"a part again on the same connection", "10 20 30 20 30 40", ""},
		{"something is left out of what comes again", "10 20 30 again 10 30", "entry 2 comes where entry 1 has to come"},
		{"what was not confirmed does not come again", "10 20 30 again 20", "entry 1 comes where entry 0 has to come, or one before it; 0 were confirmed"},
		{"nothing comes again", "10 20 ack 30 again 40", "an entry that did not come before, where entry 2 of 3 had to come again"},
		{"something new amid what comes again", "10 20 30 again 10 15", "an entry that did not come before, where entry 1 of 3 had to come again"},
		{"something new ahead of what has to come again", "10 20 30 again 10 40", "an entry that did not come before"},
		{"something new from before", "10 30 20", "an entry that did not come before, behind the one at bin.000001:30"},
		{"other content", "10 20 again 10 20!", "comes again, and not as before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJournal()
			var err error
			for word := range strings.FieldsSeq(c.script) {
				switch word {
				case "ack":
					j.confirm(j.next)
					continue
				case "again":
					j.again()
					continue
				}
				var offset int
				if _, err := fmt.Sscanf(word, "%d", &offset); err != nil {
					t.Fatal(err)
				}
				if _, err = j.add(rowEntry(t, offset, protocol.EventInsert, nil, []cell{{"id", "int", word}})); err != nil {
					break
				}
			}
			if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) && c.want != "" {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// The difference between two entries is named, whatever it is.
func TestDifference(t *testing.T) {
	was := []cell{{"id", "int", "1"}, {"a", "int", "2"}}
	first := rowEntry(t, 10, protocol.EventInsert, nil, was)
	for _, c := range []struct {
		name, want string
		e          *protocol.Entry
	}{
		{"nothing", "", rowEntry(t, 10, protocol.EventInsert, nil, was)},
		{"name", `columns ["id" "a"], now ["id" "b"]`, rowEntry(t, 10, protocol.EventInsert, nil, []cell{{"id", "int", "1"}, {"b", "int", "2"}})},
		{"type", `a int (12, key false, updated false) "2", now 1 a bigint`, rowEntry(t, 10, protocol.EventInsert, nil, []cell{{"id", "int", "1"}, {"a", "bigint", "2"}})},
		{"value", `now 1 a int (12, key false, updated false) "3"`, rowEntry(t, 10, protocol.EventInsert, nil, []cell{{"id", "int", "1"}, {"a", "int", "3"}})},
		{"null", `now 1 a int (12, key false, updated false) NULL`, rowEntry(t, 10, protocol.EventInsert, nil, []cell{{"id", "int", "1"}, {"a", "int", null}})},
		{"event", "INSERT s.t, now DELETE s.t", rowEntry(t, 10, protocol.EventDelete, was, nil)},
		{"rows", "1 rows, now 0", entry(t, 10, protocol.EventInsert, nil)},
		{"statement", `"" in "", now "x" in "s"`, entry(t, 10, protocol.EventInsert, field(field(nil, 11, "x"), 14, "s"))},
	} {
		if got := difference(first, c.e); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What does not fit is refused, and the rest is applied.
func TestApplier(t *testing.T) {
	db := servers.ForTest(t, servers.MySQL57)
	d, err := connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	db.MustExec(t, "CREATE DATABASE s")
	a := &applier{d: d}
	row := func(id, text, f string) []cell {
		return []cell{{"id", "int(11)", id}, {"a", "varchar(9)", text}, {"f", "float", f}}
	}
	swapped := []cell{{"a", "varchar(9)", "x"}, {"id", "int", "2"}, {"f", "float", "1.5"}}
	for i, c := range []struct {
		name, want string
		e          *protocol.Entry
	}{
		{"unknown table", "there is no such table", rowEntry(t, 0, protocol.EventInsert, nil, row("1", "x", "1"))},
		{"statement", "", ddlEntry(t, 0, "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9), f FLOAT)")},
		{"trigger", "", ddlEntry(t, 0, "CREATE DEFINER=`root`@`localhost` TRIGGER g AFTER INSERT ON t FOR EACH ROW DELETE FROM nothing")},
		{"refused statement", "doesn't exist", ddlEntry(t, 0, "ALTER TABLE other ADD a INT")},
		{"insert", "", rowEntry(t, 0, protocol.EventInsert, nil, row("1", "É' \\", "0.1"))},
		{"insert twice", "Duplicate entry", rowEntry(t, 0, protocol.EventInsert, nil, row("1", "x", "1"))},
		{"wrong order", "where the table has", rowEntry(t, 0, protocol.EventInsert, nil, swapped)},
		{"wrong type", `is called "int", and is "varchar(9)"`, rowEntry(t, 0, protocol.EventInsert, nil, []cell{{"id", "int", "3"}, {"a", "int", "2"}, {"f", "float", "1.5"}})},
		{"no number", "is no number", rowEntry(t, 0, protocol.EventInsert, nil, row("x", "x", "1"))},
		{"update of what is not so", "is not there", rowEntry(t, 0, protocol.EventUpdate, row("1", "é' \\", "0.1"), row("1", "y", "1"))},
		{"update", "", rowEntry(t, 0, protocol.EventUpdate, row("1", "É' \\", "0.1"), row("2", null, "2.5"))},
		{"delete of what is not there", "is not there", rowEntry(t, 0, protocol.EventDelete, row("1", "x", "1"), nil)},
		{"change without its images", "0 columns before", rowEntry(t, 0, protocol.EventDelete, nil, row("2", null, "2.5"))},
		{"double quotes", "", ddlEntry(t, 0, `ALTER TABLE "t" ADD COLUMN "more" INT`)},
		{"row without the new column", "where the table has", rowEntry(t, 0, protocol.EventDelete, row("2", null, "2.5"), nil)},
		{"delete", "", rowEntry(t, 0, protocol.EventDelete, append(row("2", null, "2.5"), cell{"more", "int", null}), nil)},
	} {
		rc, err := c.e.RowChange()
		if err != nil {
			t.Fatal(err)
		}
		if err = a.apply(c.e.Header(), &rc); c.want == "" && err != nil || c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%d, %s: error %v, want %q", i, c.name, err, c.want)
		}
	}
}

// compare sees what differs.
func TestCompare(t *testing.T) {
	source, target := servers.ForTest(t, servers.MySQL57), servers.ForTest(t, servers.MySQL57)
	for _, s := range []*servers.Server{source, target} {
		s.MustExec(t, "CREATE DATABASE d", "CREATE TABLE d.same (id INT AUTO_INCREMENT PRIMARY KEY, f FLOAT)", "INSERT INTO d.same VALUES (1, 16777217)",
			"CREATE TABLE d.rows_differ (a VARCHAR(9))", "INSERT INTO d.rows_differ VALUES ('x'), ('x')", "CREATE TABLE d.definition (a INT)")
	}
	source.MustExec(t, "INSERT INTO d.rows_differ VALUES ('x')", "CREATE TABLE d.missing (a INT)", "ALTER TABLE d.same AUTO_INCREMENT = 100")
	target.MustExec(t, "INSERT INTO d.rows_differ VALUES ('X')", "CREATE TABLE d.more (a INT)", "ALTER TABLE d.definition MODIFY a INT COMMENT 'c'")
	a, err := connect(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	b, err := connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	found, err := compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(found, "\n")
	for _, want := range []string{"`d`.`missing` is missing", "`d`.`more` is not there in the source", "`d`.`definition`: the definition is",
		"3 times in the source, 2 times applied: [\"78\"]", "not in the source: [\"58\"]"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not found:\n%s", want, text)
		}
	}
	if strings.Contains(text, "same`") {
		t.Errorf("found a difference where there is none:\n%s", text)
	}
}

// The seeds behind one another go through all settings, and a seed is always the
// same schedule.
func TestScheduleOf(t *testing.T) {
	seen := make(map[string]bool)
	for seed := range uint64(24) {
		s := scheduleOf(seed)
		if s != scheduleOf(seed) {
			t.Errorf("%v is another one the second time", s)
		}
		seen[fmt.Sprint(s.kind, s.gtid, s.cluster)] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d settings, want 20", len(seen))
	}
}

// Equal seeds make equal statements.
func TestGeneratorRepeats(t *testing.T) {
	play := func() string {
		var log strings.Builder
		g, err := newGenerator(t.Context(), servers.ForTest(t, servers.MySQL57), 1, schedule{seed: 5}, &log)
		if err != nil {
			t.Fatal(err)
		}
		defer g.d.close()
		if err := errorsOf(g.setUp, func() error { return g.run(30, 1) }); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	first := play()
	if again := play(); again != first || len(first) < 1000 {
		t.Errorf("statements\n%.2000s\nand again\n%.2000s", first, again)
	}
}

// TestReplayShort runs short schedules of different kinds, with new seeds each time.
// When one fails its seed is told and its files are kept.
func TestReplayShort(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes more than a minute")
	}
	servers.Require(t, servers.MySQL57, servers.MySQL80, servers.MariaDB1011)
	servers.RequireZooKeeper(t)
	o, err := options{root: filepath.Join("..", ".."), steps: 30, out: t.Output()}.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := rand.Uint64N(1<<32) / uint64(len(settings)) * uint64(len(settings))
	// MySQL 5.7 by file, MariaDB by GTIDs, and a cluster on MySQL 8.0 by GTIDs.
	for _, setting := range []uint64{0, 7, 16} {
		if err := runSchedule(t.Context(), o, scheduleOf(first+setting)); err != nil {
			t.Error(err)
		}
	}
	if !t.Failed() {
		if err := os.RemoveAll(o.dir); err != nil {
			t.Error(err)
		}
	}
}
