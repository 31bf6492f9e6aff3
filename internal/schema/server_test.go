package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestServers runs testdata/statements.sql on a server of each kind, and
// compares what the Tracker makes of each statement with SHOW CREATE TABLE and
// with the table maps in the log.
func TestServers(t *testing.T) {
	for _, kind := range servers.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			testServer(t, servers.ForTest(t, kind))
		})
	}
}

const testSchema = "h_schema"

// server is a connection to a real server.
type server struct {
	*testing.T
	conn *client.Conn
}

func (s *server) rows(sql string) [][]string {
	s.Helper()
	r, err := s.conn.Execute(sql)
	if err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	var all [][]string
	for i := range r.RowNumber() {
		var row []string
		for j := range r.ColumnNumber() {
			v, _ := r.GetString(i, j)
			row = append(row, v)
		}
		all = append(all, row)
	}
	return all
}

// LoadTable makes the server a Loader.
func (s *server) LoadTable(_ context.Context, schema, table string) (string, error) {
	r, err := s.conn.Execute("SHOW CREATE TABLE " + ddl.Quote(schema) + "." + ddl.Quote(table))
	if err != nil {
		return "", ErrNoTable
	}
	return r.GetString(0, 1)
}

// noLoader knows no table.
type noLoader struct{}

func (noLoader) LoadTable(context.Context, string, string) (string, error) { return "", ErrNoTable }

func testServer(t *testing.T, db *servers.Server) {
	conn, err := db.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := &server{t, conn}
	o := Options{Server: ddl.VersionOf(s.rows("SELECT VERSION()")[0][0])}
	for _, sql := range []string{
		"SET NAMES utf8mb4", "SET sql_mode=''",
		"CREATE DATABASE " + testSchema + " DEFAULT CHARACTER SET utf8", "USE " + testSchema, "FLUSH LOGS",
	} {
		s.rows(sql)
	}
	_, _ = conn.Execute("SET system_versioning_alter_history=KEEP")
	logs := s.rows("SHOW BINARY LOGS")
	first := logs[len(logs)-1][0]
	s.follow(o)
	s.replay(filepath.Join(db.BinlogDir(), first), o)
}

// follow runs the statements and compares definitions after each.
func (s *server) follow(o Options) {
	tracker := NewTracker(noLoader{}, o)
	tracker.schemas[testSchema] = "utf8"
	text, err := os.ReadFile("testdata/statements.sql")
	if err != nil {
		s.Fatal(err)
	}
	ran := 0
	for sql := range strings.SplitSeq(string(text), ";\n") {
		if _, err := s.conn.Execute(sql); err != nil {
			continue // not for this server
		}
		ran++
		if err := tracker.Apply(s.Context(), sql, testSchema); err != nil {
			s.Errorf("%s: %v", sql, err)
		}
		changes, _ := ddl.Changes(sql, testSchema, ddl.Options{Server: o.Server})
		for _, c := range changes {
			if c.Create != nil && c.Create.Select {
				continue // logged in another form
			}
			name := c.Table
			if c.Kind == ddl.Rename {
				name = c.To
			}
			s.compare(sql, tracker, name)
			_, _ = s.conn.Execute("INSERT INTO " + ddl.Quote(name.Table) + " () VALUES ()")
		}
	}
	s.Logf("%d statements ran", ran)
}

// compare checks a table of the tracker against the live one.
func (s *server) compare(sql string, tracker *Tracker, name ddl.Name) {
	got := tracker.tables[tracker.key(name)]
	text, err := s.LoadTable(s.Context(), name.Schema, name.Table)
	if err != nil {
		if got != nil {
			s.Errorf("%s\n%s does not exist, but the tracker has it", sql, name)
		}
		return
	}
	create, err := ddl.ParseCreateTable(text, ddl.Options{Server: tracker.opts.Server})
	if err != nil {
		s.Errorf("%v in\n%s", err, text)
		return
	}
	want := define(create, name, tracker.opts.Server, true)
	if got == nil {
		s.Errorf("%s\nthe tracker has no %s", sql, name)
		return
	}
	if g, w := describe(got.table), describe(want.table); g != w {
		s.Errorf("%s\ngot  %s\nwant %s", sql, g, w)
	}
}

// describe prints what matters of a table. Nullability is left out where
// explicit_defaults_for_timestamp decides.
func describe(t *Table) string {
	var b strings.Builder
	for _, c := range t.Columns {
		if strings.HasPrefix(c.Type, "timestamp") {
			c.Nullable = false
		}
		c.Charset = strings.Replace(c.Charset, "utf8mb3", "utf8", 1)
		fmt.Fprintf(&b, "%+v ", c)
	}
	return b.String()
}

// replay follows a log with a new tracker, and checks each table map.
func (s *server) replay(file string, o Options) {
	f, err := os.Open(file)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	tracker := NewTracker(noLoader{}, o)
	tracker.schemas[testSchema] = "utf8"
	r := binlog.NewFileReader(f)
	maps := 0
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			s.Fatal(err)
		}
		switch ev.Header.Type {
		case binlog.EventQuery:
			s.replayQuery(tracker, ev.Body, r.Format().Flavor())
		case binlog.EventTableMap:
			m, err := binlog.ParseTableMap(ev.Body, r.Format())
			if err != nil {
				s.Errorf("table map: %v", err)
			} else if string(m.Schema) == testSchema {
				maps++
				s.checkMap(tracker, m)
			}
		}
	}
	s.Logf("%d table maps", maps)
}

func (s *server) replayQuery(tracker *Tracker, body []byte, flavor binlog.Flavor) {
	q, err := binlog.ParseQuery(body, flavor)
	if err != nil {
		s.Fatal(err)
	}
	if bytes.Equal(q.Schema, []byte(testSchema)) {
		if _, err := tracker.ApplyMode(s.Context(), string(q.SQL), string(q.Schema), q.SQLMode); err != nil {
			s.Errorf("%s: %v", q.SQL, err)
		}
	}
}

func (s *server) checkMap(tracker *Tracker, m *binlog.TableMap) {
	table, err := tracker.Table(s.Context(), string(m.Schema), string(m.Name), m, binlog.Position{})
	if err != nil {
		s.Errorf("%s: %v", m.Name, err)
		return
	}
	md, err := m.Metadata()
	if err != nil {
		s.Fatal(err)
	}
	rows := &rows{TableMap: m, meta: md, server: tracker.opts.Server}
	known := tracker.tables[ddl.Name{Schema: testSchema, Table: string(m.Name)}]
	if q, reason := rows.judge(known.forRows(rows)); q != perfect {
		s.Errorf("%s: %s\n%s", m.Name, reason, describe(table))
	}
}
