package schema

import (
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/test/servers"
)

var (
	steps = flag.Int("steps", 150, "statements that TestRandomStatements has each server accept")
	seed  = flag.Uint64("seed", 0, "seed of TestRandomStatements; 0 is a new one")
)

// TestRandomStatements makes up statements, each from the tables as they are, and
// compares after each that a server accepts.
func TestRandomStatements(t *testing.T) {
	for _, kind := range servers.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			n := *seed
			if n == 0 {
				n = rand.Uint64()
			}
			t.Logf("-seed %d", n)
			r := newRunner(t, kind)
			r.reset()
			g := &generator{Rand: rand.New(rand.NewPCG(n, 0)), runner: r}
			for accepted := 0; accepted < *steps && r.tried < 20**steps && !r.dead && !t.Failed(); {
				if r.step(g.statement(), "") {
					accepted++
				}
				if accepted%50 == 49 {
					r.all()
				}
			}
			r.all()
			t.Logf("%d statements tried, %d tables compared, %d table maps", r.tried, r.compared, r.maps)
		})
	}
}

// generator makes up statements.
type generator struct {
	*rand.Rand
	*runner
}

func (g *generator) one(choices ...string) string { return choices[g.IntN(len(choices))] }

// maybe is s in one of n cases, else "".
func (g *generator) maybe(n int, s string) string {
	if g.IntN(n) == 0 {
		return s
	}
	return ""
}

// table is the name of a table that may be there.
func (g *generator) table() string {
	return g.maybe(6, otherSchema+".") + ddl.Quote(g.one("t1", "t2", "t3", "T4"))
}

// known is a table that is there, if there is one.
func (g *generator) known() (string, *definition) {
	if len(g.tracker.tables) == 0 {
		return g.table(), &definition{table: &Table{Columns: []Column{{Name: "a"}}}}
	}
	names := slices.SortedFunc(maps.Keys(g.tracker.tables), byName)
	name := names[g.IntN(len(names))]
	return ddl.Quote(name.Schema) + "." + ddl.Quote(name.Table), g.tracker.tables[name]
}

// column is a column of a definition, seldom another.
func (g *generator) column(d *definition) string {
	if g.IntN(12) == 0 {
		return g.fresh()
	}
	return ddl.Quote(d.table.Columns[g.IntN(len(d.table.Columns))].Name)
}

// fresh is the name of a column that may be new.
func (g *generator) fresh() string {
	return g.one("a", "b", "c", "D", "e", "`f``g`", "`h i`", "`列`", "j", "k", "l", "m", "`order`")
}

func (g *generator) dataType() string {
	return g.one("int", "INT UNSIGNED", "bigint(20)", "tinyint(1)", "smallint zerofill", "decimal(10,2)", "float", "double", "real",
		"char(5)", "varchar(20)", "varchar(300)", "VARCHAR(20) CHARACTER SET latin1", "char(3) charset utf8", "varchar(9) COLLATE utf8mb4_bin",
		"text", "text(300)", "mediumtext", "tinytext charset latin1", "blob", "blob(70000)", "binary(4)", "varbinary(30)", "national char(3)",
		"enum('a','b')", "set('x','y z') charset latin1", "date", "time(3)", "datetime", "datetime(6)", "timestamp null", "year", "bit(3)",
		"json", "point", "bool", "long varchar", "integer(3)", "numeric", "inet6", "uuid")
}

// definition is a column definition without position.
func (g *generator) define(name string) string {
	return name + " " + g.dataType() + g.maybe(4, " NOT NULL") + g.maybe(6, " NULL") + g.maybe(12, " UNIQUE") +
		g.maybe(30, " PRIMARY KEY") + g.maybe(10, " COMMENT 'a, b) c'") + g.maybe(30, " INVISIBLE")
}

func (g *generator) place(d *definition) string {
	switch g.IntN(4) {
	case 0:
		return " FIRST"
	case 1:
		return " AFTER " + g.column(d)
	}
	return ""
}

// keyColumns is a list of columns for a key.
func (g *generator) keyColumns(d *definition) string {
	return "(" + g.column(d) + g.maybe(4, "(3)") + g.maybe(3, ", "+g.column(d)) + ")"
}

func (g *generator) key(d *definition) string {
	return g.one("PRIMARY KEY", "UNIQUE", "UNIQUE KEY "+g.keyName(d), "CONSTRAINT "+g.keyName(d)+" UNIQUE", "KEY", "INDEX "+g.keyName(d)) +
		" " + g.keyColumns(d)
}

// keyName is the name of a key that is there, or of another.
func (g *generator) keyName(d *definition) string {
	if len(d.keys) > 0 && g.IntN(3) > 0 {
		return ddl.Quote(d.keys[g.IntN(len(d.keys))].Name)
	}
	return g.one("u1", "u2", "`k 1`", "a", "b")
}

func (g *generator) item(d *definition) string {
	switch g.IntN(20) {
	case 0, 1, 2, 3:
		return g.one("ADD ", "ADD COLUMN ") + g.define(g.fresh()) + g.place(d)
	case 4:
		return "ADD (" + g.define(g.fresh()) + ", " + g.define(g.fresh()) + ")"
	case 5, 6:
		return g.one("DROP ", "DROP COLUMN ") + g.column(d)
	case 7, 8, 9:
		return g.one("MODIFY ", "MODIFY COLUMN ") + g.define(g.column(d)) + g.place(d)
	case 10, 11:
		return "CHANGE " + g.column(d) + " " + g.define(g.one(g.fresh(), g.column(d))) + g.place(d)
	case 12:
		return "RENAME COLUMN " + g.column(d) + " TO " + g.fresh()
	case 13, 14:
		return "ADD " + g.key(d)
	case 15:
		return g.one("DROP KEY ", "DROP INDEX ") + g.keyName(d)
	case 16:
		return g.one("DROP PRIMARY KEY", "RENAME INDEX "+g.keyName(d)+" TO "+g.keyName(d))
	case 17:
		return g.one("CONVERT TO CHARACTER SET ", "DEFAULT CHARSET=", "CHARACTER SET ") + g.one("latin1", "utf8", "utf8mb4", "gbk")
	case 18:
		return g.one("COMMENT='x'", "ENGINE=InnoDB", "ALGORITHM=COPY", "FORCE", "ADD SYSTEM VERSIONING", "DROP SYSTEM VERSIONING")
	}
	return "RENAME TO " + g.table()
}

func (g *generator) statement() string {
	name, d := g.known()
	switch g.IntN(12) {
	case 0, 1:
		return g.createTable()
	case 2:
		return "CREATE TABLE " + g.maybe(3, "IF NOT EXISTS ") + g.table() + " LIKE " + name
	case 3:
		other, _ := g.known()
		return "RENAME TABLE " + name + " TO " + g.one(g.table(), "swap, "+other+" TO "+name+", swap TO "+other)
	case 4:
		if len(g.tracker.tables) < 3 {
			return g.createTable()
		}
		return "DROP TABLE " + g.maybe(3, "IF EXISTS ") + name + g.maybe(4, ", "+g.table())
	case 5:
		return g.one("CREATE UNIQUE INDEX ", "CREATE INDEX ") + g.keyName(d) + " ON " + name + " " + g.keyColumns(d)
	case 6:
		return "DROP INDEX " + g.keyName(d) + " ON " + name
	}
	items := make([]string, 1+g.IntN(4))
	for i := range items {
		items[i] = g.item(d)
		if strings.HasPrefix(items[i], "CONVERT") { // with others MySQL 8.0.15 makes odd sizes of blobs, or crashes
			items = items[i : i+1]
			break
		}
	}
	return "ALTER TABLE " + name + " " + strings.Join(items, ", ")
}

func (g *generator) createTable() string {
	d := &definition{table: &Table{}}
	var parts []string
	for range 1 + g.IntN(6) {
		written := g.fresh()
		name := strings.ReplaceAll(strings.Trim(written, "`"), "``", "`")
		if find(d.table.Columns, name) < 0 {
			parts = append(parts, g.define(written))
			d.table.Columns = append(d.table.Columns, Column{Name: name})
		}
	}
	for range g.IntN(3) {
		parts = append(parts, g.key(d))
	}
	return "CREATE TABLE " + g.maybe(5, "IF NOT EXISTS ") + g.table() + " (" + strings.Join(parts, ", ") + ")" +
		g.one("", "", " DEFAULT CHARSET=latin1", " CHARACTER SET utf8 COLLATE utf8_bin", " ENGINE=MyISAM", " WITH SYSTEM VERSIONING")
}
