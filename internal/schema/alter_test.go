package schema

import (
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// TestAlterOrder has columns that one statement adds, moves, renames and changes at
// once. The orders are those of MySQL 5.6, 5.7, 8.0 and 9.7 and MariaDB 10.11; what
// only MariaDB takes is marked. Others than these had an item behind a column that a
// later item moves, twice a column that was dropped, added and changed, and so on.
func TestAlterOrder(t *testing.T) {
	for _, c := range []struct {
		items string
		maria bool
		want  string // "" when the statement is refused
	}{
		{"ADD f INT AFTER id, MODIFY id INT NOT NULL FIRST", false, "id int,a int,f int,b varchar,c int"},
		{"MODIFY id INT NOT NULL FIRST, ADD f INT AFTER id", false, "id int,f int,a int,b varchar,c int"},
		{"MODIFY a INT AFTER b, MODIFY b INT FIRST", false, "b int,id int,a int,c int"},
		{"CHANGE a z INT AFTER b, ADD f INT AFTER z", false, "id int,b varchar,z int,f int,c int"},
		{"ADD f INT AFTER z, CHANGE a z INT AFTER b", false, "f int,id int,b varchar,z int,c int"},
		{"ADD f INT AFTER a, CHANGE a z INT AFTER b", false, ""},
		{"CHANGE a b INT FIRST, CHANGE b a INT", false, "b int,id int,a int,c int"},
		{"CHANGE a b INT AFTER c, CHANGE b a INT AFTER b", false, "id int,c int,b int,a int"},
		{"RENAME COLUMN a TO b, RENAME COLUMN b TO a, MODIFY c INT AFTER a", false, "b int,id int,a varchar,c int"},
		{"RENAME COLUMN a TO q, ADD f INT AFTER q", false, "q int,f int,id int,b varchar,c int"},
		{"ADD f INT AFTER b, DROP b", false, ""},
		{"DROP b, MODIFY b INT", false, ""},
		{"MODIFY f INT, ADD f TEXT", false, ""},
		{"ADD (f INT, g INT), ADD COLUMN IF NOT EXISTS f TEXT", true, "a int,id int,b varchar,c int,f int,g int"},
		{"ADD COLUMN IF NOT EXISTS f TEXT, ADD COLUMN IF NOT EXISTS f INT FIRST", true, "a int,id int,b varchar,c int,f text"},
		{"DROP a, ADD COLUMN IF NOT EXISTS a TEXT FIRST", true, "id int,b varchar,c int"},
		{"ADD f TEXT FIRST, MODIFY f INT", true, "a int,id int,b varchar,c int,f int"},
		{"ADD f TEXT FIRST, CHANGE nothing f INT AFTER a", true, "a int,f int,id int,b varchar,c int"},
		{"DROP b, ADD b TEXT FIRST, MODIFY b INT", true, "a int,id int,c int,b int"},
		{"DROP b, ADD b TEXT, MODIFY b INT AFTER id", true, "a int,id int,b int,c int"},
		{"MODIFY COLUMN IF EXISTS zz INT, ADD zz INT", true, "a int,id int,b varchar,c int,zz int"},
		{"DROP COLUMN IF EXISTS zz, ADD f INT AFTER b, DROP c", true, "a int,id int,b varchar,f int"},
	} {
		version := "8.0.36"
		if c.maria {
			version = "10.11.14-MariaDB"
		}
		tracker := NewTracker(nil, Options{Server: ddl.VersionOf(version)})
		if err := tracker.Apply(t.Context(), "CREATE TABLE t (a INT, id INT NOT NULL, b VARCHAR(9), c INT)", "d"); err != nil {
			t.Fatal(err)
		}
		err := tracker.Apply(t.Context(), "ALTER TABLE t "+c.items, "d")
		var got []string
		if d := tracker.tables[ddl.Name{Schema: "d", Table: "t"}]; d != nil {
			for _, column := range d.table.Columns {
				word, _, _ := strings.Cut(column.Type, "(")
				got = append(got, column.Name+" "+word)
			}
		}
		if text := strings.Join(got, ","); text != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v, want %q", c.items, text, err, c.want)
		}
	}
}
