package schema

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/test/servers"
)

// full makes TestCorpus run every statement, not a sample of those that are
// written as combinations.
var full = flag.Bool("full", false, "run the whole corpus of statements")

// sample is how many of the items of a form share one that runs without -full.
const sample = 24

// quick are settings for servers whose data nobody needs after a crash.
var quick = []string{"innodb_flush_method=nosync", "skip-innodb-doublewrite", "innodb_file_per_table=0"}

// TestCorpus runs testdata/corpus on a server of each kind. What the server
// accepts is followed as the log has it, and the tables that come of it are
// compared with information_schema, with SHOW CREATE TABLE and with the table
// map of a row. A statement that no server accepts is a mistake in the corpus.
//
// A file is a list of statements, each ended by a semicolon at the end of a line.
// Lines that begin with --@ tell how to go on:
//
//	--@ about TEXT      what the statements are
//	--@ on KIND …       the following ones are for these servers, without KIND for all
//	--@ mode MODE       … run with this sql_mode
//	--@ set ASSIGNMENT  … run with this session variable, to the end of the group
//	--@ form STATEMENT  … are items: for each, the form is run with the item in
//	                    place of {} and a table of its own in place of #. Several
//	                    forms are run one after the other.
//	--@ plain           … are statements again
//	--@ group           … run in an empty schema, with none of the above
//
// [[a|b|c]] in a statement or item stands for one of a, b and c: it is run with
// each, and one that no server accepts is left out if another is accepted.
func TestCorpus(t *testing.T) {
	groups := readCorpus(t)
	var mu sync.Mutex
	kinds, accepted := 0, map[string]bool{}
	t.Run("servers", func(t *testing.T) {
		for _, kind := range servers.Kinds {
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				r := newRunner(t, kind)
				for i := range groups {
					r.group(&groups[i])
				}
				t.Logf("%d statements, %d accepted, %d tables compared, %d table maps", r.tried, len(r.accepted), r.compared, r.maps)
				mu.Lock()
				defer mu.Unlock()
				kinds++
				maps.Copy(accepted, r.accepted)
			})
		}
	})
	if kinds < len(servers.Kinds) {
		return
	}
	lines := map[string]bool{} // whether a statement of the line is accepted
	for _, g := range groups {
		for _, s := range g.steps {
			if *full || s.item == 0 {
				lines[s.line] = lines[s.line] || accepted[s.sql]
			}
		}
	}
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		if !lines[line] {
			t.Errorf("no server accepts %s", line)
		}
	}
	t.Logf("%d different statements are accepted by some server", len(accepted))
}

// group is a part of a corpus file that runs in an empty schema.
type group struct {
	file  string
	steps []step
}

// step is one statement of a group.
type step struct {
	sql   string
	line  string // file and text that it is made of
	mode  string
	set   []string
	kinds []string // where it is run, all if empty
	item  int      // number of the item that it is made of, 0 if it is none
}

// runs reports whether the step is part of the sample.
func (s *step) runs() bool { return *full || s.item%sample == 0 }

func readCorpus(t *testing.T) []group {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	var all []group
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := corpusReader{file: filepath.Base(file)}
		r.read(t, string(text))
		all = append(all, r.groups...)
	}
	return all
}

// corpusReader reads a file of the corpus.
type corpusReader struct {
	file   string
	groups []group
	now    step     // what the following statements have in common
	forms  []string // empty for plain statements
	filled bool     // the forms have items
	tables int      // made for forms
	items  int
}

func (r *corpusReader) read(t *testing.T, text string) {
	r.groups = []group{{file: r.file}}
	var statement strings.Builder
	for line := range strings.SplitAfterSeq(text, "\n") {
		if strings.HasPrefix(line, "--@ ") {
			if s := statement.String(); strings.TrimSpace(s) != "" {
				t.Fatalf("%s: no end of %q", r.file, s)
			}
			r.directive(t, strings.TrimSpace(line[4:]))
			continue
		}
		statement.WriteString(line)
		if s, ok := strings.CutSuffix(statement.String(), ";\n"); ok {
			r.statement(strings.TrimPrefix(s, "\n"))
			statement.Reset()
		}
	}
	if s := statement.String(); strings.TrimSpace(s) != "" {
		t.Fatalf("%s: no end of %q", r.file, s)
	}
}

func (r *corpusReader) directive(t *testing.T, line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "about":
	case "on":
		r.now.kinds = strings.Fields(rest)
	case "mode":
		r.now.mode = rest
	case "set":
		r.now.set = append(slices.Clone(r.now.set), rest)
	case "form":
		if r.filled {
			r.forms, r.filled = nil, false
		}
		r.forms = append(r.forms, strings.TrimSuffix(rest, ";"))
	case "plain":
		r.forms = nil
	case "group":
		r.groups, r.now, r.forms, r.filled = append(r.groups, group{file: r.file}), step{}, nil, false
	default:
		t.Fatalf("%s: %q is no directive", r.file, line)
	}
}

func (r *corpusReader) statement(text string) {
	r.now.line = r.file + ": " + text
	r.filled = true
	for _, s := range alternatives(text) {
		if len(r.forms) == 0 {
			r.add(s, 0)
			continue
		}
		r.items++
		r.tables++
		for _, form := range r.forms {
			for _, f := range alternatives(form) {
				f = strings.ReplaceAll(f, "#", fmt.Sprintf("t%d", r.tables))
				r.add(strings.ReplaceAll(f, "{}", strings.TrimSpace(s)), r.items)
			}
		}
	}
}

func (r *corpusReader) add(sql string, item int) {
	s := r.now
	s.sql, s.item = sql, item
	g := &r.groups[len(r.groups)-1]
	g.steps = append(g.steps, s)
}

var choice = regexp.MustCompile(`(?s)\[\[(.*?)\]\]`)

// alternatives are the texts that one with choices stands for.
func alternatives(s string) []string {
	at := choice.FindStringSubmatchIndex(s)
	if at == nil {
		return []string{s}
	}
	var all []string
	rest := alternatives(s[at[1]:])
	for c := range strings.SplitSeq(s[at[2]:at[3]], "|") {
		for _, r := range rest {
			all = append(all, s[:at[0]]+c+r)
		}
	}
	return all
}

const (
	corpusSchema = "h_corpus" // where statements run
	otherSchema  = "h_other"  // another that is there
)

// runner runs statements on one server and follows them.
type runner struct {
	server
	kind     string
	opts     Options
	tracker  *Tracker
	log      *binlog.FileReader
	touched  map[ddl.Name]bool // tables that the last statement was about
	set      map[string]bool   // session variables that are not at their default
	accepted map[string]bool
	tried    int
	compared int
	maps     int
	dead     bool // the server has gone
}

func newRunner(t *testing.T, kind servers.Kind) *runner {
	db := servers.ForTest(t, kind, quick...)
	conn, err := db.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := &runner{server: server{t, conn}, kind: string(kind), accepted: map[string]bool{}, set: map[string]bool{}}
	r.opts = Options{Server: ddl.VersionOf(r.rows("SELECT VERSION()")[0][0])}
	r.rows("SET NAMES utf8mb4")
	_, _ = conn.Execute("SET system_versioning_alter_history=KEEP")
	r.rows("FLUSH LOGS")
	logs := r.rows("SHOW BINARY LOGS")
	f, err := os.Open(filepath.Join(db.BinlogDir(), logs[len(logs)-1][0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	r.log = binlog.NewFileReader(f)
	return r
}

// reset makes both schemas empty and forgets what is known.
func (r *runner) reset() {
	r.rows("SET SESSION foreign_key_checks=0, sql_mode=''")
	for _, s := range []string{corpusSchema, otherSchema} {
		r.rows("DROP DATABASE IF EXISTS " + s)
	}
	for name := range r.set {
		r.rows("SET SESSION " + name + "=DEFAULT")
	}
	clear(r.set)
	r.events(func(*binlog.FileEvent) {})
	r.tracker = NewTracker(noLoader{}, r.opts)
	r.tracker.complete = true
	r.rows("CREATE DATABASE " + corpusSchema + " DEFAULT CHARACTER SET utf8mb4")
	r.rows("CREATE DATABASE " + otherSchema + " DEFAULT CHARACTER SET latin1")
	r.rows("USE " + corpusSchema)
	r.follow("")
}

// group runs the steps of a group.
func (r *runner) group(g *group) {
	used := slices.ContainsFunc(g.steps, func(s step) bool { return s.runs() && (len(s.kinds) == 0 || slices.Contains(s.kinds, r.kind)) })
	if !used || r.dead {
		return
	}
	r.reset()
	mode := ""
	for i := range g.steps {
		s := &g.steps[i]
		if r.dead || !s.runs() || len(s.kinds) > 0 && !slices.Contains(s.kinds, r.kind) {
			continue
		}
		if s.mode != mode {
			r.rows("SET SESSION sql_mode='" + s.mode + "'")
			mode = s.mode
		}
		for _, a := range s.set {
			name, _, _ := strings.Cut(a, "=")
			if !r.set[name] {
				_, _ = r.conn.Execute("SET SESSION " + a) // not all servers have it
				r.set[name] = true
			}
		}
		if r.step(s.sql, mode) {
			r.accepted[s.sql] = true
		}
	}
	if mode != "" {
		r.rows("SET SESSION sql_mode=''")
	}
	r.all()
}

// step runs one statement and compares the tables it is about. It is false when
// the server refuses it.
func (r *runner) step(sql, mode string) bool {
	r.tried++
	if _, err := r.conn.Execute(sql); err != nil {
		r.lost(sql, err)
		r.follow(sql) // some of the tables may be dropped
		return false
	}
	r.follow(sql)
	if mode != "" { // the server spells as it says
		r.rows("SET SESSION sql_mode=''")
		defer r.rows("SET SESSION sql_mode='" + mode + "'")
	}
	for _, name := range slices.SortedFunc(maps.Keys(r.touched), byName) {
		r.check(sql, name)
	}
	return true
}

func byName(a, b ddl.Name) int { return cmp.Compare(a.String(), b.String()) }

// lost ends the run when an error is not the server's answer.
func (r *runner) lost(sql string, err error) {
	if !errors.As(err, new(*mysql.MyError)) {
		r.Errorf("%s: %s\n%v", r.kind, sql, err)
		r.dead = true
	}
}

// events reads what has been added to the log.
func (r *runner) events(take func(*binlog.FileEvent)) {
	for {
		ev, err := r.log.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.Fatal(err)
		}
		take(&ev)
	}
}

// follow follows the statements that have been added to the log because of sql.
func (r *runner) follow(sql string) {
	r.touched = map[ddl.Name]bool{}
	r.events(func(ev *binlog.FileEvent) {
		if ev.Header.Type != binlog.EventQuery {
			return
		}
		q, err := binlog.ParseQuery(ev.Body, r.log.Format().Flavor())
		if err != nil {
			r.Fatal(err)
		}
		if string(q.SQL) == "BEGIN" {
			return
		}
		if _, err := r.tracker.ApplyMode(r.Context(), string(q.SQL), string(q.Schema), q.SQLMode); err != nil {
			r.Errorf(r.kind+": %s\nlogged as\n%s\n%v", sql, q.SQL, err)
		}
		changes, _ := ddl.Changes(string(q.SQL), string(q.Schema), ddl.OptionsFor(q.SQLMode, r.opts.Server))
		for _, c := range changes {
			if c.Table.Table != "" {
				r.touched[c.Table] = true
			}
			if c.Kind == ddl.Rename {
				r.touched[c.To] = true
			}
		}
	})
}

// check compares one table of the tracker with the server's.
func (r *runner) check(sql string, name ddl.Name) {
	known := r.tracker.tables[r.tracker.key(name)]
	text, err := r.LoadTable(r.Context(), name.Schema, name.Table)
	if err != nil {
		if known != nil {
			r.Errorf(r.kind+": %s\n%s does not exist, but the tracker has it", sql, name)
		}
		return
	}
	r.compared++
	create, err := ddl.ParseCreateTable(text, ddl.OptionsFor(0, r.opts.Server))
	if err != nil {
		r.Errorf("%v in\n%s", err, text)
		return
	}
	shown := define(create, name, r.opts.Server, true)
	if known == nil {
		r.Errorf(r.kind+": %s\nthe tracker has no %s, the server\n%s", sql, name, text)
		r.tracker.tables[r.tracker.key(name)] = shown
		return
	}
	if got, want := outline(known), outline(shown); got != want {
		r.Errorf(r.kind+": %s\nSHOW CREATE TABLE differs\n%s", sql, difference(got, want))
		r.tracker.tables[r.tracker.key(name)] = shown // so that other mistakes are seen
		return
	}
	if got, want := outline(known), r.described(name, shown); got != want {
		r.Errorf(r.kind+": %s\ninformation_schema differs\n%s", sql, difference(got, want))
		return
	}
	r.checkRow(sql, name, known)
}

// checkRow compares a definition with the table map of a row.
func (r *runner) checkRow(sql string, name ddl.Name, known *definition) {
	table := ddl.Quote(name.Schema) + "." + ddl.Quote(name.Table)
	if _, err := r.conn.Execute("INSERT INTO " + table + " () VALUES ()"); err != nil {
		r.lost(sql, err)
		return
	}
	if _, err := r.conn.Execute("DELETE FROM " + table); err != nil {
		r.lost(sql, err)
	}
	r.events(func(ev *binlog.FileEvent) {
		if ev.Header.Type != binlog.EventTableMap {
			return
		}
		m, err := binlog.ParseTableMap(bytes.Clone(ev.Body), r.log.Format())
		if err != nil {
			r.Errorf(r.kind+": %s\ntable map: %v", sql, err)
			return
		}
		if string(m.Name) != name.Table {
			return // of a table that a foreign key is about
		}
		r.maps++
		md, err := m.Metadata()
		if err != nil {
			r.Errorf(r.kind+": %s\ntable map: %v", sql, err)
			return
		}
		rows := &rows{TableMap: m, meta: md, server: r.opts.Server}
		if q, reason := rows.judge(known.forRows(rows)); q != perfect {
			r.Errorf(r.kind+": %s\ndoes not fit its rows: %s %v\n%s", sql, reason, m.Types, outline(known))
		}
	})
}

// all compares the names of all tables.
func (r *runner) all() {
	if r.dead {
		return
	}
	var got, want []string
	for name := range r.tracker.tables {
		got = append(got, name.String())
	}
	for _, row := range r.rows("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema LIKE 'h\\_%'") {
		want = append(want, row[0]+"."+row[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Errorf("the tracker has the tables\n%q, the server\n%q", got, want)
	}
}

// outline prints what is compared of a definition. Names of character sets that
// were changed between versions are made the same.
func outline(d *definition) string {
	var b strings.Builder
	for _, c := range d.table.Columns {
		if !c.Hidden {
			printColumn(&b, c)
		}
	}
	var keys []string
	for _, k := range d.keys {
		if k.Expressions > 0 {
			k.Columns = nil // those in expressions are printed anew by the server
		}
		keys = append(keys, fmt.Sprintf("  %d %s %q\n", k.Kind, k.Name, k.Columns))
	}
	slices.Sort(keys)
	for _, k := range keys {
		b.WriteString(k)
	}
	return b.String()
}

// difference are the lines in which two outlines differ.
func difference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return "got\n" + strings.Join(a, "\n") + "\nwant\n" + strings.Join(b, "\n")
}

func printColumn(w io.Writer, c Column) {
	c.Charset = strings.Replace(c.Charset, "utf8mb3", "utf8", 1)
	if c.Charset == "binary" {
		c.Charset = "" // of ENUM and SET, which keep their names
	}
	fmt.Fprintf(w, "  %q %s key=%v unique=%v null=%v unsigned=%v %s\n", c.Name, c.Type, c.Key, c.Unique, c.Nullable, c.Unsigned, c.Charset)
}

// described is the outline of a table by information_schema. What that does not
// tell, the columns in expressions of keys, is taken from shown.
func (r *runner) described(name ddl.Name, shown *definition) string {
	where := fmt.Sprintf(" WHERE table_schema=%s AND table_name=%s", sqlText(name.Schema), sqlText(name.Table))
	d := &definition{table: &Table{}}
	for _, row := range r.rows("SELECT column_name, column_type, is_nullable, IFNULL(character_set_name,'') FROM information_schema.columns" + where + " ORDER BY ordinal_position") {
		typ, _, _ := strings.Cut(row[1], " /*")
		unsigned := strings.Contains(typ, "unsigned") && !strings.HasPrefix(typ, "enum") && !strings.HasPrefix(typ, "set")
		if t, err := ddl.ParseType(typ); err == nil && shown.has(row[0], t.Text()) {
			typ = t.Text() // it has escapes
		}
		d.table.Columns = append(d.table.Columns, Column{Name: row[0], Type: typ, Nullable: row[2] == "YES", Unsigned: unsigned, Charset: row[3]})
	}
	for _, k := range shown.keys {
		if k.Expressions > 0 {
			d.keys = append(d.keys, k)
		}
	}
	for _, row := range r.rows("SELECT index_name, non_unique, column_name FROM information_schema.statistics" + where + " ORDER BY index_name, seq_in_index") {
		d.indexPart(row[0], row[1] == "0", row[2])
	}
	d.markKeys()
	return outline(d)
}

// has reports whether the definition has a column of this name and type.
func (d *definition) has(name, typ string) bool {
	i := find(d.table.Columns, name)
	return i >= 0 && d.table.Columns[i].Type == typ
}

// indexPart adds a row of information_schema.statistics.
func (d *definition) indexPart(name string, unique bool, column string) {
	kind := ddl.OtherKey
	switch {
	case name == "PRIMARY":
		kind = ddl.PrimaryKey
	case unique:
		kind = ddl.UniqueKey
	}
	i := d.findKey(name)
	switch {
	case i < 0:
		d.keys = append(d.keys, ddl.Key{Kind: kind, Name: name, Columns: []string{column}})
	case d.keys[i].Expressions == 0:
		d.keys[i].Columns = append(d.keys[i].Columns, column)
	}
}

// sqlText is s as a text of SQL, whatever the sql_mode.
func sqlText(s string) string { return fmt.Sprintf("0x%x", s) }

func TestAlternatives(t *testing.T) {
	got := alternatives("a[[b|]]c[[1|2]]")
	if want := []string{"abc1", "abc2", "ac1", "ac2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
