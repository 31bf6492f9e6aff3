package ddl

import (
	"fmt"
	"strings"
	"testing"
)

// kinds are short names for the output of describe.
var kinds = map[ChangeKind]string{Create: "create", Drop: "drop", Rename: "rename", Alter: "alter", DropSchema: "drop schema", CreateSchema: "create schema", Unknown: "unknown"}

func describe(changes []Change) string {
	var parts []string
	for _, c := range changes {
		s := kinds[c.Kind] + " " + c.Table.String()
		switch {
		case c.Kind == Rename:
			s += " to " + c.To.String()
		case c.Kind == CreateSchema && c.Charset != "":
			s += " " + c.Charset
		case c.Kind == Create && c.Create.Like != nil:
			s += " like " + c.Create.Like.String()
		case c.Kind == Create:
			for _, col := range c.Create.Columns {
				s += fmt.Sprintf(" %s=%s", col.Name, col.Type.Text())
			}
		case c.Kind == Alter:
			s += fmt.Sprintf(" %d", len(c.Items))
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

func TestChanges(t *testing.T) {
	tests := []struct {
		name, sql string
		opts      Options
		want      string
	}{
		{"create", "CREATE TABLE t (a INT, `b``c` ENUM('x', 'it''s'))", Options{}, "create cur.t a=INT b`c=ENUM('x','it''s')"},
		{"like", "CREATE TABLE d.t LIKE u", Options{}, "create d.t like cur.u"},
		{"temporary", "CREATE TEMPORARY TABLE t (a int); DROP TEMPORARY TABLE t", Options{}, ""},
		{"several statements", "DROP TABLE a, d.b; CREATE TABLE a (x int)", Options{}, "drop cur.a; drop d.b; create cur.a x=int"},
		{"rename", "RENAME TABLE a TO b, d.c TO e", Options{}, "rename cur.a to cur.b; rename d.c to cur.e"},
		{"alter and rename", "ALTER TABLE a RENAME TO d.b, ADD x int", Options{}, "alter cur.a 1; rename cur.a to d.b"},
		{"alter without effect", "ALTER TABLE a ENGINE=InnoDB, DISABLE KEYS", Options{}, ""},
		{"three-part name", "ALTER TABLE a.b.c ADD x int", Options{}, ""},
		{"not understood", "ALTER TABLE d.t FROB (", Options{}, "unknown d.t"},
		{"schemas", "CREATE DATABASE `d``x` DEFAULT CHARACTER SET = UTF8; DROP SCHEMA IF EXISTS e; ALTER DATABASE COLLATE latin1_bin", Options{}, "create schema d`x. utf8; drop schema e.; create schema cur. latin1"},
		{"index", "CREATE UNIQUE INDEX i USING BTREE ON t (a); DROP INDEX i ON t", Options{}, "alter cur.t 1; alter cur.t 1"},
		{"routine", "CREATE PROCEDURE p() BEGIN DROP TABLE x; ALTER TABLE y ADD z int; END", Options{}, ""},
		{"ANSI quotes", `CREATE TABLE "t" ("a""b" int)`, Options{ANSIQuotes: true}, `create cur.t a"b=int`},
		{"no backslash escapes", `CREATE TABLE t (a int DEFAULT '\', b int)`, Options{NoBackslashEscapes: true}, "create cur.t a=int b=int"},
		{"executed comment", "CREATE TABLE t (a int /*!50000 , b int */)", Options{Server: Server{Version: 50700}}, "create cur.t a=int b=int"},
		{"comment for newer servers", "CREATE TABLE t (a int /*!80000 , b int */)", Options{Server: Server{Version: 50700}}, "create cur.t a=int"},
		{"comment for MariaDB", "CREATE TABLE t (a int /*M! , b int */)", Options{Server: Server{Version: 80000}}, "create cur.t a=int"},
		{"comment for MariaDB there", "CREATE TABLE t (a int /*M! , b int */ /*!80000 , c int */)", Options{Server: Server{MariaDB: true, Version: 101100}}, "create cur.t a=int b=int"},
		{"hint statement", "/*!40101 CREATE TABLE t (a int) */", Options{}, "create cur.t a=int"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes, _ := Changes(tt.sql, "cur", tt.opts)
			if got := describe(changes); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestUnreadable checks that a statement which cannot be read tells the tables
// that it is about, and no others.
func TestUnreadable(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE TABLE t (a int":                        "unknown cur.t",
		"CREATE TABLE IF NOT EXISTS d.t (a int, b":     "unknown d.t",
		"CREATE OR REPLACE TABLE t (a int)) x (":       "unknown cur.t",
		"ALTER TABLE `d``x`.t ADD":                     "unknown d`x.t",
		"ALTER TABLE IF EXISTS t FROB (":               "unknown cur.t",
		"ALTER ONLINE IGNORE TABLE t /* b, c */ 5":     "unknown cur.t",
		"ALTER TABLE t ADD a int, FROB ((":             "unknown cur.t",
		"ALTER TABLE t COMMENT 'no end":                "unknown cur.t",
		"ALTER TABLE t ADD a int /* no end":            "unknown cur.t",
		"RENAME TABLE a TO b, c TO":                    "unknown cur.a; unknown cur.b; unknown cur.c",
		"DROP TABLE a, d.b, ":                          "unknown cur.a; unknown d.b",
		"DROP TABLE a 'no end":                         "unknown cur.a",
		"CREATE UNIQUE INDEX i ON t":                   "unknown cur.t",
		"CREATE INDEX i USING BTREE ON d.t (a":         "unknown d.t",
		"DROP INDEX i ON t 'no end":                    "unknown cur.t",
		"CREATE SEQUENCE s 'no end":                    "unknown cur.s",
		"DROP TABLE x; ALTER TABLE t FROB (":           "drop cur.x; unknown cur.t",
		"INSERT INTO t VALUES ('ALTER TABLE a FROB (":  "",
		"CREATE PROCEDURE p () ALTER TABLE t FROB ('x": "",
		"FROB TABLE t":                                 "",
		"table table table":                            "",
		"":                                             "",
	} {
		changes, err := Changes(sql, "cur", Options{})
		if got := describe(changes); got != want {
			t.Errorf("%s: got %q, want %q (%v)", sql, got, want, err)
		}
	}
}

func TestVersionOf(t *testing.T) {
	for version, want := range map[string]Server{
		"5.7.22-log":               {Version: 50722},
		"8.0.19":                   {Version: 80019},
		"9.7.4-1":                  {Version: 90704},
		"10.11.6-MariaDB-1":        {MariaDB: true, Version: 101106},
		"5.5.5-10.4.2-MariaDB-log": {MariaDB: true, Version: 100402},
		"":                         {},
		"x.y.z":                    {},
	} {
		if got := VersionOf(version); got != want {
			t.Errorf("%q: got %+v, want %+v", version, got, want)
		}
	}
}
