package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// sourceWithLog is a source with a log: statements at the offsets 100, 200 and so on,
// which have all been executed.
type sourceWithLog struct {
	live
	statements []string
	errs       map[string]error // of a schema, which is there for that, or a table
	aheads     int              // calls of Ahead
	reads      int              // statements given
	during     func()           // called when a definition is read, once
}

func at(offset int64) binlog.Position { return binlog.Position{File: "bin.000001", Offset: offset} }

func (s *sourceWithLog) End(context.Context) (binlog.Position, error) {
	return at(int64(len(s.statements))*100 + 100), nil
}

func (s *sourceWithLog) LoadTable(ctx context.Context, schema, table string) (string, error) {
	if err := s.errs[schema+"."+table]; err != nil {
		return "", err
	}
	text, err := s.live.LoadTable(ctx, schema, table)
	if f := s.during; f != nil {
		s.during = nil
		f()
	}
	return text, err
}

func (s *sourceWithLog) Ahead(_ context.Context, from, to binlog.Position, each func(Statement) error) error {
	s.aheads++
	for i, sql := range s.statements {
		p := at(int64(i)*100 + 100)
		if p.Compare(from) < 0 || p.Compare(to) >= 0 {
			continue
		}
		s.reads++
		if err := each(Statement{Position: p, Schema: "d", SQL: sql}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sourceWithLog) Charsets(context.Context) (map[string]string, error) {
	all := map[string]string{"d": "latin1", "mysql": "utf8mb4"}
	for name := range s.errs {
		if !strings.Contains(name, ".") {
			all[name] = "latin1"
		}
	}
	return all, nil
}

func (s *sourceWithLog) TableNames(_ context.Context, schema string) ([]string, error) {
	if err := s.errs[schema]; err != nil {
		return nil, err
	}
	var names []string
	for name := range s.tables {
		if d, t, _ := strings.Cut(name, "."); d == schema {
			names = append(names, t)
		}
	}
	slices.Sort(names)
	return names, nil
}

// TestTableAsItWas reads a definition while statements about it stand ahead of the
// stream: it is what it was, or it is not told at all.
func TestTableAsItWas(t *testing.T) {
	const two = "CREATE TABLE `t` (`a` int(11), `b` int(11))"
	tests := []struct {
		name  string
		live  string // d.t now, unless a name stands before it
		ahead []string
		rows  *binlog.TableMap
		want  string // layout, or part of the error
	}{
		{"nothing ahead", two, nil, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"another table", two, []string{"ALTER TABLE u DROP COLUMN a"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"renamed column", two, []string{"ALTER TABLE t RENAME COLUMN x TO b"}, tableMap(1, plain, plain), "a int(11), x int(11)"},
		{"swapped names", two, []string{"ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a"}, tableMap(1, plain, plain), "b int(11), a int(11)"},
		{"swapped back", two, []string{"ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a", "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"added in front", two, []string{"ALTER TABLE t ADD a int FIRST"}, tableMap(1, plain), "b int(11)"},
		{"added and renamed", two, []string{"ALTER TABLE t ADD x int", "ALTER TABLE t RENAME COLUMN x TO b"}, tableMap(1, plain), "a int(11)"},
		{"dropped column", two, []string{"ALTER TABLE t DROP COLUMN x"}, tableMap(1, plain, plain, plain), "where column x was: cannot be known"},
		{"moved column", two, []string{"ALTER TABLE t MODIFY b int FIRST"}, tableMap(1, plain, plain), "from where column b came: cannot be known"},
		{"changed number", two, []string{"ALTER TABLE t CHANGE x b int"}, tableMap(1, plain, big), "the sign of column x: cannot be known"},
		{"changed date", "CREATE TABLE `t` (`a` int(11), `b` datetime)", []string{"ALTER TABLE t CHANGE x b datetime"}, tableMap(1, plain, uint32(binlog.TypeDate)), "a int(11), x date"},
		{"changed text", "CREATE TABLE `t` (`a` int(11), `b` text)", []string{"ALTER TABLE t CHANGE x b text"}, tableMap(1, plain, varchar), "the character set of column x: cannot be known"},
		{"primary key added", "CREATE TABLE `t` (`a` int(11) NOT NULL, `b` int(11), PRIMARY KEY (`a`))", []string{"ALTER TABLE t ADD PRIMARY KEY (a)"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"primary key dropped", two, []string{"ALTER TABLE t DROP PRIMARY KEY"}, tableMap(1, plain, plain), "the columns of its primary key: cannot be known"},
		{"converted", two, []string{"ALTER TABLE t CONVERT TO CHARACTER SET utf8"}, tableMap(1, plain, plain), "the character sets of its columns: cannot be known"},
		{"default character set", "CREATE TABLE `t` (`a` int(11), `b` int(11)) DEFAULT CHARSET=utf8", []string{"ALTER TABLE t ADD b int", "ALTER TABLE t DEFAULT CHARSET utf8"}, tableMap(1, plain), "a int(11)"},
		{"default character set that a column takes", "CREATE TABLE `t` (`a` int(11), `b` text) DEFAULT CHARSET=utf8", []string{"ALTER TABLE t ADD b text", "ALTER TABLE t DEFAULT CHARSET utf8"}, tableMap(1, plain), "its default character set: cannot be known"},
		{"renamed table", "u:" + two, []string{"RENAME TABLE t TO u"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"swapped tables", "old:" + two, []string{"RENAME TABLE t TO old, new TO t"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"dropped", "", []string{"DROP TABLE t"}, tableMap(1, plain, plain), "it is dropped at bin.000001:100"},
		{"dropped and created", two, []string{"DROP TABLE t", "CREATE TABLE t (a int, b int)"}, tableMap(1, plain, plain), "it is dropped"},
		{"created anew", two, []string{"CREATE OR REPLACE TABLE t (a int, b int)"}, tableMap(1, plain, plain), "it is created anew"},
		{"created if it is not there", two, []string{"CREATE TABLE IF NOT EXISTS t (x int, y int)"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"its schema dropped", two, []string{"DROP DATABASE d"}, tableMap(1, plain, plain), "its schema is dropped"},
		{"another schema dropped", two, []string{"DROP DATABASE e"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"statement not understood", two, []string{"ALTER TABLE t FROB ("}, tableMap(1, plain, plain), "a statement that is not understood is about it"},
		{"garbage that mentions it", two, []string{"FROB TABLE 'x T y"}, tableMap(1, plain, plain), "a statement that is not understood mentions it"},
		{"garbage that does not", two, []string{"FROB TABLE 'x U y"}, tableMap(1, plain, plain), "a int(11), b int(11)"},
		{"maybe added", two, []string{"ALTER TABLE t ADD COLUMN IF NOT EXISTS b int"}, tableMap(1, plain, plain), "whether a part of the statement with IF applied: cannot be known"},
		{"dropped, but rows tell their names", two, []string{"ALTER TABLE t DROP COLUMN x"}, withNames(tableMap(1, plain, plain, plain), "x", "a", "b"), "x int(11), a int(11), b int(11)"},
		{"altered unseen", two, nil, tableMap(1, plain, plain, plain), "the rows have 3 columns, the table 2"},
		{"narrower unseen", two, nil, tableMap(1, plain), "the rows have 1 columns, the table 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &sourceWithLog{live: live{tables: map[string]string{}}, statements: tt.ahead}
			name, text, renamed := strings.Cut(tt.live, ":")
			if !renamed {
				name, text = "t", tt.live
			}
			if text != "" {
				s.tables["d."+name] = text
			}
			tracker := NewTracker(s, Options{Server: ddl.Server{Version: 50722}})
			got := ""
			table, err := tracker.Table(t.Context(), "d", "t", tt.rows, at(50))
			if err != nil {
				got = err.Error()
				if !IsAboutTable(err) {
					t.Errorf("%v is not taken for an error of the table", err)
				}
			} else {
				got = layout(table)
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAlteredWhileItIsRead(t *testing.T) {
	s := &sourceWithLog{live: live{tables: map[string]string{"d.t": "CREATE TABLE `t` (`a` int(11))"}}}
	s.during = func() {
		s.statements = append(s.statements, "ALTER TABLE t RENAME COLUMN a TO b")
		s.tables["d.t"] = "CREATE TABLE `t` (`b` int(11))"
	}
	tracker := NewTracker(s, Options{})
	table, err := tracker.Table(t.Context(), "d", "t", tableMap(1, plain), at(50))
	if err != nil || table.Columns[0].Name != "a" || s.loads != 2 {
		t.Errorf("%v, %v after %d loads", table, err, s.loads)
	}
}

// TestForesightReadsOnce has the log ahead read once, however many tables are needed.
func TestForesightReadsOnce(t *testing.T) {
	s := &sourceWithLog{live: live{tables: map[string]string{}}, statements: []string{"ALTER TABLE t1 RENAME COLUMN x TO a", "CREATE TABLE other (a int)", "DROP TABLE gone"}}
	tracker := NewTracker(s, Options{})
	for i := range 10 {
		name := fmt.Sprintf("t%d", i)
		s.tables["d."+name] = "CREATE TABLE `" + name + "` (`a` int(11))"
		m := tableMap(uint64(i+1), plain)
		m.Name = []byte(name)
		table, err := tracker.Table(t.Context(), "d", name, m, at(50+int64(i)))
		want := "a"
		if i == 1 {
			want = "x"
		}
		if err != nil || table.Columns[0].Name != want {
			t.Errorf("%s: %v, %v", name, table, err)
		}
	}
	if s.aheads != 1 || s.reads != 3 {
		t.Errorf("%d reads of the log, %d statements", s.aheads, s.reads)
	}
	// A place behind the first statement: the part ahead of it is known.
	m := tableMap(99, plain)
	m.Name = []byte("gone")
	if _, err := tracker.Table(t.Context(), "d", "gone", m, at(150)); !errors.Is(err, ErrMismatch) || s.aheads != 1 {
		t.Errorf("%v after %d reads of the log", err, s.aheads)
	}
}

func TestLoadAll(t *testing.T) {
	s := &sourceWithLog{
		live: live{tables: map[string]string{
			"d.same":    "CREATE TABLE `same` (`a` int(11))",
			"d.renamed": "CREATE TABLE `renamed` (`b` int(11))",
			"d.t":       "CREATE TABLE `t` (`new` int(11))",
			"d.old":     "CREATE TABLE `old` (`old` int(11))",
			"d.born":    "CREATE TABLE `born` (`a` int(11))",
			"d.lost":    "CREATE TABLE `lost` (`a` int(11))",
			"d.other":   "CREATE TABLE `other` (`a` int(11))",
			"mysql.x":   "CREATE TABLE `x` (`a` int(11))",
		}},
		statements: []string{
			"ALTER TABLE renamed RENAME COLUMN a TO b", "CREATE TABLE gho (new int)", "RENAME TABLE t TO old, gho TO t",
			"CREATE TABLE born (a int)", "ALTER TABLE lost DROP COLUMN z",
		},
	}
	tracker := NewTracker(s, Options{Server: ddl.Server{Version: 50722}})
	unknown, err := tracker.LoadAll(t.Context(), s, func(_, table string) bool { return table != "other" }, at(50))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range tracker.Layouts("", "") {
		got = append(got, l.Table.Schema+"."+l.Table.Name+" "+layout(l.Table))
	}
	want := []string{"d.renamed a int(11)", "d.same a int(11)", "d.t old int(11)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if unknown != 3 { // of t, born and lost
		t.Errorf("%d are unknown", unknown)
	}
	// The stream goes on as the log says.
	for _, sql := range s.statements {
		if err := tracker.Apply(t.Context(), sql, "d"); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{"t": "new int(11)", "old": "old int(11)", "renamed": "b int(11)", "born": "a int(11)"} {
		if l := tracker.Layouts("d", name); len(l) != 1 || layout(l[0].Table) != want {
			t.Errorf("%s is %v", name, l)
		}
	}
}

// TestLoadAllWithTrouble: what cannot be read of a schema, or of a table, is no reason
// not to begin. It is in doubt.
func TestLoadAllWithTrouble(t *testing.T) {
	s := &sourceWithLog{live: live{tables: map[string]string{"d.fine": "CREATE TABLE `fine` (`a` int(11))", "d.broken": ""}}}
	s.errs = map[string]error{"d": nil, "secret": ErrNoPrivilege, "d.broken": ErrUnreadable}
	tracker := NewTracker(s, Options{LowerCaseTableNames: 2})
	if _, err := tracker.LoadAll(t.Context(), s, func(_, _ string) bool { return true }, at(50)); err != nil {
		t.Fatal(err)
	}
	if l := tracker.Layouts("", ""); len(l) != 1 || l[0].Table.Name != "fine" {
		t.Errorf("known are %v", l)
	}
	for name, want := range map[ddl.Name]bool{{Schema: "d", Table: "broken"}: true, {Schema: "secret", Table: "x"}: true, {Schema: "d", Table: "x"}: false} {
		if got := tracker.doubtful(name); got != want {
			t.Errorf("%s is doubtful: %v", name, got)
		}
	}
}

// TestGarbageAhead: what a statement that is not understood has dropped may be there.
func TestGarbageAhead(t *testing.T) {
	s := &sourceWithLog{live: live{tables: map[string]string{}}, statements: []string{"FROB TABLE 'x T y"}}
	tracker := NewTracker(s, Options{})
	if _, err := tracker.LoadAll(t.Context(), s, func(_, _ string) bool { return true }, at(50)); err != nil || !tracker.doubtful(ddl.Name{Schema: "d", Table: "t"}) {
		t.Errorf("%v, or it is not doubtful", err)
	}
}

// TestTooMuchAhead: more changes of tables ahead than are kept concern the tables, and
// do not stop the stream. The log is not read again for each of them.
func TestTooMuchAhead(t *testing.T) {
	s := &sourceWithLog{live: live{tables: map[string]string{"d.t": "CREATE TABLE `t` (`a` int(11))"}}, statements: make([]string, maxForeseen+1)}
	for i := range s.statements {
		s.statements[i] = "DROP TABLE u"
	}
	tracker := NewTracker(s, Options{})
	if _, err := tracker.LoadAll(t.Context(), s, func(_, _ string) bool { return true }, at(50)); !errors.Is(err, ErrNoForesight) || tracker.complete {
		t.Errorf("%v, or all is known", err)
	}
	for i := range uint64(3) {
		if _, err := tracker.Table(t.Context(), "d", "t", tableMap(i, plain), at(50)); !errors.Is(err, ErrMismatch) || s.aheads != 1 {
			t.Errorf("%v after %d reads of the log", err, s.aheads)
		}
	}
	half := at(100 * (maxForeseen/2 + 100))
	if table, err := tracker.Table(t.Context(), "d", "t", tableMap(9, plain), half); err != nil || s.aheads != 2 {
		t.Errorf("further on: %v, %v after %d reads of the log", table, err, s.aheads)
	}
}

func TestMarkedRows(t *testing.T) {
	tracker := NewTracker(&live{}, Options{Server: ddl.Server{Version: 50722}})
	if got := layout(tracker.Unnamed("d", "t", tableMap(1, plain, varchar, big))); got != "@1 int(11), @2 varchar(40), @3 bigint(20)" {
		t.Error(got)
	}
}

// TestFunctionalKeysInFullMetadata: MySQL tells the names of the columns behind
// functional key parts, which are nobody's.
func TestFunctionalKeysInFullMetadata(t *testing.T) {
	tracker := NewTracker(&live{}, Options{Server: ddl.Server{Version: 80015}})
	table, err := tracker.Table(t.Context(), "d", "t", withNames(tableMap(1, plain, big), "a", "!hidden!k!0!0"), at(50))
	if err != nil || table.Columns[0].Hidden || !table.Columns[1].Hidden {
		t.Errorf("%+v, %v", table, err)
	}
}
