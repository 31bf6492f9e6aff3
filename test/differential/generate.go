package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/towpath-cdc/towpath/test/servers"
)

// generator makes a workload of random tables, rows, transactions and changes
// of definitions. Equal seeds make equal workloads.
type generator struct {
	*rand.Rand
	kind   servers.Kind
	tables []*randomTable
	made   int  // tables so far
	open   bool // inside a transaction
}

type randomTable struct {
	name    string
	columns []randomColumn // after id
	made    int            // columns so far
	ids     int            // rows inserted so far
}

type randomColumn struct {
	name string
	randomType
}

// randomType is a column type and values for it, as SQL.
type randomType struct {
	sql    string
	values []string
	any    func(r *rand.Rand) string // one more value; may be nil
}

var randomTypes = []randomType{
	{"TINYINT", []string{"-128", "127", "0"}, ints(8, true)},
	{"TINYINT UNSIGNED", []string{"0", "128", "255"}, ints(8, false)},
	{"SMALLINT UNSIGNED", []string{"32767", "32768", "65535"}, ints(16, false)},
	{"MEDIUMINT", []string{"-8388608", "8388607"}, ints(24, true)},
	{"INT(7) UNSIGNED ZEROFILL", []string{"7", "4294967295"}, nil},
	{"INT", []string{"-2147483648", "2147483647"}, ints(32, true)},
	{"BIGINT UNSIGNED", []string{"1", "9223372036854775808", "18446744073709551615"}, ints(64, false)},
	{"DECIMAL(20,6)", []string{"0", "1.5", "-12345678901234.123456", "100"}, decimals(14, 6)},
	{"DECIMAL(9,0) UNSIGNED", []string{"0", "999999999"}, nil},
	{"FLOAT", []string{"0.1", "1e10", "-3.4e38", "16777217"}, floats(32)},
	{"DOUBLE", []string{"0.1", "1e100", "2e23", "-1.7976931348623157e308", "123456.789"}, floats(64)},
	{"BIT(13)", []string{"0", "8191", "b'101'"}, ints(13, false)},
	{"DATE", []string{"'2024-02-29'", "'0000-00-00'", "'9999-12-31'"}, dates},
	{"TIME(2)", []string{"'-838:59:58.99'", "'00:00:00.01'", "'12:34:56'"}, times},
	{"DATETIME(6)", []string{"'2024-01-02 03:04:05.678901'", "'0000-00-00 00:00:00'"}, datetimes},
	{"TIMESTAMP(3) NULL", []string{"'2024-01-02 03:04:05.678'", "'2038-01-19 03:14:07'"}, timestamps},
	{"YEAR", []string{"0", "1901", "2155"}, nil},
	{"ENUM('a','b''c','d,e','é')", []string{"'a'", "'b''c'", "4", "''"}, nil},
	{"SET('x','y','z')", []string{"''", "'x,z'", "7"}, nil},
	{"CHAR(7)", []string{"''", "'abc'", "'中文é'", "'  x '"}, nil},
	{"VARCHAR(300)", []string{"''", "'😀'", "REPEAT('v', 300)", "'q''q\\\\n\\n'"}, texts(60)},
	{"VARCHAR(40) CHARACTER SET ascii", []string{"'ascii'", "''"}, nil},
	{"TEXT", []string{"''", "REPEAT('long ', 500)", "'ü'"}, texts(400)},
	{"MEDIUMTEXT", []string{"REPEAT('é', 5000)", "'m'"}, nil},
	{"BINARY(5)", []string{"0x0001000000", "'ab'", "''"}, nil},
	{"VARBINARY(30)", []string{"0xFFFE00", "''", "'text'"}, octets(30)},
	{"BLOB", []string{"REPEAT(0x80, 300)", "''", "0x00"}, octets(300)},
	{"TINYBLOB", []string{"0xC3A9", "''"}, nil},
	{"POINT", []string{"POINT(1, 2)", "POINT(-1.5, 1e10)"}, nil},
}

var jsonType = randomType{"JSON", []string{`'{"a": [1, 2.5, "x", null]}'`, `'[]'`, `'"s"'`, `'{"é": true, "n": -1e-7}'`}, func(r *rand.Rand) string { return "'" + document(r, 3) + "'" }}

func newGenerator(seed uint64, k servers.Kind) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), kind: k}
}

func sqls(q ...string) []statement {
	out := make([]statement, len(q))
	for i, s := range q {
		out[i] = statement{sql: s}
	}
	return out
}

// setUp makes the schema and the first tables.
func (g *generator) setUp(schema string) []statement {
	out := sqls("CREATE DATABASE "+schema+" DEFAULT CHARACTER SET utf8mb4", "USE "+schema, "SET SESSION sql_mode = ''")
	for range 4 {
		out = append(out, g.create())
	}
	return out
}

// end leaves no transaction open.
func (g *generator) end() []statement {
	if !g.open {
		return nil
	}
	g.open = false
	return sqls("COMMIT")
}

// next is one step: mostly rows, sometimes a border of a transaction, seldom a
// change of definitions.
func (g *generator) next() []statement {
	if g.IntN(100) < 8 && !g.open {
		return g.define()
	}
	return g.rows()
}

// rows are one step that changes no definition.
func (g *generator) rows() []statement {
	switch n := g.IntN(100); {
	case n < 12 && !g.open:
		g.open = true
		return sqls([]string{"BEGIN", "START TRANSACTION", "SET SESSION autocommit = 1", "BEGIN"}[g.IntN(4)], "BEGIN")
	case n < 30 && g.open:
		g.open = false
		return sqls([]string{"COMMIT", "COMMIT", "ROLLBACK"}[g.IntN(3)])
	case n < 36 && g.open:
		return append(append(sqls("SAVEPOINT s"), statement{sql: g.change()}, statement{sql: g.change()}), sqls([]string{"ROLLBACK TO s", "RELEASE SAVEPOINT s"}[g.IntN(2)])...)
	}
	return sqls(g.change())
}

func (g *generator) table() *randomTable { return g.tables[g.IntN(len(g.tables))] }

func (g *generator) columnType() randomType {
	if g.IntN(15) == 0 && g.kind != servers.MySQL56 && !g.kind.IsMariaDB() {
		return jsonType
	}
	if g.IntN(8) == 0 {
		return g.charsetType()
	}
	return randomTypes[g.IntN(len(randomTypes))]
}

func (t *randomTable) add(typ randomType, at int) randomColumn {
	t.made++
	c := randomColumn{fmt.Sprintf("c%d", t.made), typ}
	if set, found := characterSet(typ.sql); found {
		c.name = "c_" + set + fmt.Sprintf("_%d", t.made)
	}
	t.columns = append(t.columns[:at], append([]randomColumn{c}, t.columns[at:]...)...)
	return c
}

func (g *generator) create() statement {
	g.made++
	t := &randomTable{name: fmt.Sprintf("r%d", g.made)}
	for range 1 + g.IntN(8) {
		t.add(g.columnType(), len(t.columns))
	}
	g.tables = append(g.tables, t)
	return t.create([]string{"PRIMARY KEY", "NOT NULL", "UNIQUE"}[g.IntN(3)])
}

// create is the statement that makes the table; id says what sort of column that is.
func (t *randomTable) create(id string) statement {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (id INT %s", t.name, id)
	for _, c := range t.columns {
		fmt.Fprintf(&b, ", %s %s", c.name, c.sql)
	}
	b.WriteString(")")
	return statement{sql: b.String()}
}

// define changes definitions.
func (g *generator) define() []statement {
	t := g.table()
	switch n := g.IntN(15); {
	case n == 0:
		return []statement{g.create()}
	case n == 9 && len(t.columns) > 0:
		i := g.IntN(len(t.columns))
		c := &t.columns[i]
		t.made++
		old := c.name
		c.name = fmt.Sprintf("%s_%d", c.name, t.made)
		return sqls(fmt.Sprintf("ALTER TABLE %s CHANGE COLUMN %s %s %s", t.name, old, c.name, c.sql))
	case n == 10 && len(t.columns) > 1:
		c := t.columns[0]
		t.columns = append(t.columns[1:len(t.columns):len(t.columns)], c)
		return sqls(fmt.Sprintf("ALTER TABLE %s MODIFY %s %s AFTER %s", t.name, c.name, c.sql, t.columns[len(t.columns)-2].name))
	case n == 11:
		g.made++
		made := fmt.Sprintf("r%d", g.made)
		g.tables = append(g.tables, &randomTable{made, append([]randomColumn(nil), t.columns...), t.made, 0})
		return sqls(fmt.Sprintf("CREATE TABLE %s LIKE %s", made, t.name))
	case n == 12:
		return sqls(fmt.Sprintf("ALTER TABLE %s ADD INDEX i%d (id)", t.name, g.made), fmt.Sprintf("ALTER TABLE %s DROP INDEX i%d", t.name, g.made))
	case n == 13:
		u := g.table()
		if t == u {
			return sqls(fmt.Sprintf("ALTER TABLE %s COMMENT = 'alone'", t.name))
		}
		g.made += 2
		old, other := t.name, u.name
		t.name, u.name = fmt.Sprintf("r%d", g.made-1), fmt.Sprintf("r%d", g.made)
		return sqls(fmt.Sprintf("RENAME TABLE %s TO %s, %s TO %s", old, t.name, other, u.name))
	case n == 14:
		c, d := t.add(g.columnType(), 0), t.add(g.columnType(), len(t.columns))
		return sqls(fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s AFTER id, ADD (%s %s)", t.name, c.name, c.sql, d.name, d.sql))
	case n == 1 && len(g.tables) > 2:
		for i, x := range g.tables {
			if x == t {
				g.tables = append(g.tables[:i], g.tables[i+1:]...)
				break
			}
		}
		return sqls("DROP TABLE " + t.name)
	case n == 2:
		old := t.name
		g.made++
		t.name = fmt.Sprintf("r%d", g.made)
		return sqls(fmt.Sprintf([]string{"RENAME TABLE %s TO %s", "ALTER TABLE %s RENAME TO %s"}[g.IntN(2)], old, t.name))
	case n == 3 && len(t.columns) > 1:
		i := g.IntN(len(t.columns))
		c := t.columns[i]
		t.columns = append(t.columns[:i], t.columns[i+1:]...)
		return sqls(fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", t.name, c.name))
	case n == 4:
		c := t.add(g.columnType(), 0)
		return sqls(fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s AFTER id", t.name, c.name, c.sql))
	case n == 5:
		return sqls("TRUNCATE TABLE " + t.name)
	}
	c := t.add(g.columnType(), len(t.columns))
	return sqls(fmt.Sprintf("ALTER TABLE %s ADD %s %s", t.name, c.name, c.sql))
}

// value is one of a column's values, or NULL.
func (g *generator) value(c randomColumn) string {
	if g.IntN(6) == 0 {
		return "NULL"
	}
	if c.any != nil && g.IntN(2) == 0 {
		return c.any(g.Rand)
	}
	return c.values[g.IntN(len(c.values))]
}

// change is a statement that changes rows.
func (g *generator) change() string {
	t := g.table()
	switch g.IntN(5) {
	case 0:
		c := t.columns[g.IntN(len(t.columns))]
		return fmt.Sprintf("UPDATE %s SET %s = %s WHERE id %% %d = 0 ORDER BY id", t.name, c.name, g.value(c), 1+g.IntN(4))
	case 1:
		return fmt.Sprintf("DELETE FROM %s WHERE id %% 7 = %d ORDER BY id", t.name, g.IntN(7))
	}
	rows := make([]string, 1+g.IntN(3))
	for i := range rows {
		t.ids++
		values := []string{fmt.Sprint(t.ids)}
		for _, c := range t.columns {
			values = append(values, g.value(c))
		}
		rows[i] = "(" + strings.Join(values, ", ") + ")"
	}
	return fmt.Sprintf("INSERT INTO %s VALUES %s", t.name, strings.Join(rows, ", "))
}
