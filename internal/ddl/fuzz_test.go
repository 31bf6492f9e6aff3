package ddl

import (
	"strings"
	"testing"
	"time"
)

// seeds gives a fuzz target a part of the golden statements.
func seeds(f *testing.F) {
	n := 0
	readLines(f, "testdata/classify.jsonl", func(g golden) {
		if n++; n%5 == 0 {
			f.Add(g.SQL)
		}
	})
}

func FuzzClassify(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		for _, r := range Classify(sql, "cur", Druid) {
			if r.Type < TypeInsert || r.Type > TypeDropIndex {
				t.Errorf("type %d", r.Type)
			}
		}
		if got := Classify(sql, "cur", Regex); len(got) != 1 {
			t.Errorf("%d results in regex mode, want 1", len(got))
		}
	})
}

func FuzzParseCreateTable(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		table, err := ParseCreateTable(sql, Options{})
		if (table == nil) == (err == nil) {
			t.Errorf("table %v and error %v", table, err)
		}
		if err != nil {
			return
		}
		for _, c := range table.Columns {
			_ = c.Type.Text()
			c.Type.Canonical(Server{Version: 80030}, "utf8mb4")
		}
	})
}

func FuzzChanges(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		changes, _ := Changes(sql, "cur", Options{ANSIQuotes: len(sql)%2 == 0})
		for _, c := range changes {
			if c.Kind < Create || c.Kind > Unknown {
				t.Errorf("kind %d", c.Kind)
			}
		}
	})
}

// TestLongTexts reads texts that would keep a backtracking reader busy for ever.
func TestLongTexts(t *testing.T) {
	const n = 30_000
	start := time.Now()
	for _, sql := range []string{
		"CREATE TABLE t (" + strings.Repeat("(", n),
		"CREATE TABLE t " + strings.Repeat("(", n) + strings.Repeat(")", n),
		"CREATE TABLE t (a int DEFAULT " + strings.Repeat("(", n) + strings.Repeat(")", n) + ")",
		"CREATE TABLE t (a int" + strings.Repeat(" NOT NULL", n) + ")",
		"CREATE TABLE t (a enum('" + strings.Repeat("x','", n) + "'))",
		"ALTER TABLE t " + strings.Repeat("ADD a int, ", n),
		"ALTER TABLE t " + strings.Repeat("ADD (", n),
		"DROP TABLE " + strings.Repeat("a,", n),
		"RENAME TABLE " + strings.Repeat("a TO b,", n),
		"INSERT INTO t VALUES " + strings.Repeat("(1,'x'),", n) + "(1,'x')",
		strings.Repeat("/*", n), strings.Repeat("/*!", n), strings.Repeat("'", n), strings.Repeat(";", n),
		strings.Repeat("create ", n), strings.Repeat("rename table a to b ", n), strings.Repeat(" ", n) + "rename table" + strings.Repeat(" ", n),
	} {
		Classify(sql, "cur", Druid)
		Classify(sql, "cur", Regex)
		_, _ = Changes(sql, "cur", Options{})
		_, _ = ParseCreateTable(sql, Options{})
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}
