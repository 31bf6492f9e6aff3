package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/testkit/cputime"
)

// TestUnreadableStatements checks that a statement which cannot be read costs what
// is known of the tables that it mentions, and of no other.
func TestUnreadableStatements(t *testing.T) {
	for _, sql := range []string{
		"ALTER TABLE gone FROB (", "ALTER TABLE d.`gone` ADD COLUMN a 'x", "RENAME TABLE gone TO",
		"CREATE UNIQUE INDEX i ON gone", "DROP TABLE IF EXISTS gone 'x", "CREATE TABLE gone (a int", "ALTER TABLE GONE.gone.gone ADD a int, d.gone TABLE (",
		"ALTER TABLE gone ADD a int FIRST, CHANGE nothing b int", "ALTER TABLE gone DROP nothing", "ALTER TABLE gone ADD b int AFTER nothing",
	} {
		tracker := NewTracker(&live{}, Options{Server: ddl.Server{Version: 80030}})
		for _, name := range []string{"gone", "stays", "gone2", "a", "`ta``ble`"} {
			if err := tracker.Apply(t.Context(), "CREATE TABLE "+name+" (id int)", "d"); err != nil {
				t.Fatal(err)
			}
		}
		if err := tracker.Apply(t.Context(), sql, "d"); err == nil {
			t.Errorf("%s: understood", sql)
		}
		for name, want := range map[string]bool{"gone": false, "stays": true, "gone2": true, "ta`ble": true} {
			if got := tracker.tables[ddl.Name{Schema: "d", Table: name}] != nil; got != want {
				t.Errorf("%s: %s known: %v, want %v", sql, name, got, want)
			}
		}
	}
}

// FuzzIsolation applies any text. A table that it does not mention stays as it is,
// unless its schema goes.
func FuzzIsolation(f *testing.F) {
	for _, sql := range []string{
		"ALTER TABLE t FROB (", "DROP TABLE t, u", "RENAME TABLE t TO u", "CREATE TABLE u (a int) SELECT", "FROB TABLE (", "table",
		"ALTER TABLE t ADD UNIQUE (a), DROP a, ADD a int, RENAME TO v; CREATE TABLE t LIKE v",
	} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		lower := strings.ToLower(sql)
		if strings.Contains(lower, "keep") || strings.Contains(lower, "database") || strings.Contains(lower, "schema") {
			return
		}
		tracker := NewTracker(&live{}, Options{Server: ddl.Server{Version: 80030}})
		for _, create := range []string{"CREATE TABLE keepme (id int, n text, UNIQUE (id))", "CREATE TABLE t (a int, b int UNIQUE)"} {
			if err := tracker.Apply(t.Context(), create, "d"); err != nil {
				t.Fatal(err)
			}
		}
		kept := tracker.tables[ddl.Name{Schema: "d", Table: "keepme"}]
		_ = tracker.Apply(t.Context(), sql, "d")
		if got := tracker.tables[ddl.Name{Schema: "d", Table: "keepme"}]; got != kept {
			t.Errorf("%q changed a table that it does not mention", sql)
		}
	})
}

// TestLongStatements follows statements of about as many parts as a server takes.
func TestLongStatements(t *testing.T) {
	const n = 4000
	list := func(format string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, ", ")
	}
	start := cputime.Used(t)
	tracker := NewTracker(&live{}, Options{Server: ddl.Server{Version: 80030}})
	for _, sql := range []string{
		"CREATE TABLE t (" + list("c# int UNIQUE") + ")",
		"ALTER TABLE t " + list("CHANGE c# d# int FIRST"),
		"ALTER TABLE t " + list("ADD UNIQUE (d#)"),
		"ALTER TABLE t ADD UNIQUE (" + list("d#") + ")",
		"CREATE OR REPLACE TABLE t (a int, b int)",
		"ALTER TABLE t " + list("ADD e# int AFTER a"),
		"ALTER TABLE t " + list("ADD FOREIGN KEY (e#) REFERENCES x (y)"),
		"ALTER TABLE t " + list("RENAME COLUMN e# TO f#"),
		"ALTER TABLE t " + list("DROP f#"),
		"CREATE TABLE u (a int, " + list("UNIQUE (a)") + ")",
		"DROP TABLE " + list("v#"), "RENAME TABLE " + list("v# TO w#"),
	} {
		if err := tracker.Apply(t.Context(), sql, "d"); err != nil {
			t.Errorf("%.60s: %v", sql, err)
		}
	}
	if d := cputime.Used(t) - start; d > 30*time.Second {
		t.Errorf("took %v of CPU time", d)
	} else {
		t.Log(d)
	}
}
