package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/test/servers"
)

// definition is a kind of change of definitions.
type definition struct {
	name   string
	weight int
	run    func(g *generator, t *table) error // t is nil where there is no table
	on     func(g *generator) bool            // nil is everywhere
}

// definable are the kinds that g may use.
func (g *generator) definable() (all []definition) {
	for _, d := range definitions {
		if d.on == nil || d.on(g) {
			all = append(all, d)
		}
	}
	return all
}

func (d definition) share() int { return d.weight }

// draw picks one of several by how often they shall come.
func draw[T interface{ share() int }](r *rand.Rand, from []T) T {
	total := 0
	for _, d := range from {
		total += d.share()
	}
	n := r.IntN(total)
	for _, d := range from {
		if n -= d.share(); n < 0 {
			return d
		}
	}
	return from[0]
}

func onMariaDB(g *generator) bool { return g.kind.IsMariaDB() }

// renamesColumns is true where RENAME COLUMN is known.
func renamesColumns(g *generator) bool {
	return g.kind != servers.MySQL56 && g.kind != servers.MySQL57
}

// delivered is true where each statement makes an entry. With Canal's parser, which
// is the default, those that it knows and has no use for make none.
func delivered(g *generator) bool { return g.all }

var definitions []definition

func init() { // the flows use the list
	definitions = []definition{
		{"create", 5, func(g *generator, _ *table) error { return g.create() }, nil},
		{"alter", 30, withTable((*generator).alter), nil},
		{"create if not exists", 3, withTable((*generator).createExisting), nil},
		{"drop and create anew", 5, withTable((*generator).recreate), nil},
		{"create like", 4, withTable((*generator).createLike), nil},
		{"rename", 6, withTable((*generator).rename), nil},
		{"swap", 6, withTable((*generator).swap), nil},
		{"gh-ost", 5, withTable((*generator).ghost), nil},
		{"pt-osc", 3, withTable((*generator).ptOSC), nil},
		{"index", 5, withTable((*generator).index), nil},
		{"primary key", 3, withTable((*generator).primaryKey), nil},
		{"drop", 3, withTable((*generator).drop), nil},
		{"truncate", 3, withTable(func(g *generator, t *table) error {
			return g.define(pick(g.Rand, []string{"TRUNCATE TABLE ", "TRUNCATE "}) + t.String())
		}), nil},
		{"partition", 3, withTable((*generator).partition), nil},
		{"character set", 4, withTable((*generator).convert), nil},
		{"database", 2, func(g *generator, _ *table) error { return g.database() }, nil},
		{"burst", 4, withTable((*generator).burst), nil},
		{"temporary", 2, withTable((*generator).temporary), nil},
		{"in a transaction", 4, withTable((*generator).implicitCommit), nil},
		{"in double quotes", 2, withTable((*generator).ansiQuotes), nil},
		{"current schema", 4, func(g *generator, _ *table) error { return g.use(pick(g.Rand, g.schemas)) }, nil},
		{"create select", 3, withTable((*generator).createSelect), nil},
		{"flush", 1, func(g *generator, _ *table) error { return g.define("FLUSH BINARY LOGS") }, nil},
		{"or replace", 3, func(g *generator, _ *table) error {
			return g.define(g.createText("OR REPLACE TABLE", quote(g.newTable())))
		}, onMariaDB},
		{"no entry", 6, withTable((*generator).withoutEntry), delivered},
	}
}

// withTable makes a table where there is none.
func withTable(f func(g *generator, t *table) error) func(*generator, *table) error {
	return func(g *generator, t *table) error {
		if t == nil {
			return g.create()
		}
		return f(g, t)
	}
}

// Names come from small sets, so that they are used again for something else.
var (
	columnPool = []string{"a", "b", "c", "d", "e", "f", "g", "Größe", "select", "UPPER", "with space", "h-i", "j.k"}
	tablePool  = []string{"t0", "t1", "t2", "t3", "t4", "t5", "Tab-le", "größe", "order"}
)

func (g *generator) newTable() string { return pick(g.Rand, tablePool) }

func (g *generator) newColumn() string { return quote(pick(g.Rand, columnPool)) }

// freeColumn is a name that is likely to be free.
func (g *generator) freeColumn(t *table) string {
	for range 5 {
		n := pick(g.Rand, columnPool)
		if !slices.ContainsFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, n) }) {
			return quote(n)
		}
	}
	return g.newColumn()
}

func (g *generator) columnOf(t *table) string { return quote(pick(g.Rand, t.columns).name) }

// typeText is a type, and at times more of a definition.
func (g *generator) typeText() string {
	typ := pick(g.Rand, g.types)
	switch g.IntN(10) {
	case 0:
		return typ + " NOT NULL"
	case 1:
		return typ + " COMMENT 'it''s; a, comment )'"
	case 2:
		if typ == "INT" {
			return typ + " NOT NULL DEFAULT '7'"
		}
	case 3:
		if typ == "VARCHAR(20)" {
			return typ + " DEFAULT 'de''fault'"
		}
	}
	return typ
}

// place is a place in the table, mostly the last.
func (g *generator) place(t *table) string {
	switch g.IntN(5) {
	case 0:
		return " FIRST"
	case 1, 2:
		return " AFTER " + g.columnOf(t)
	}
	return ""
}

// create makes a table.
func (g *generator) create() error {
	return g.define(g.createText(pick(g.Rand, []string{"TABLE", "TABLE", "TABLE IF NOT EXISTS"}), g.created()))
}

// created is the name of a new table, qualified or not.
func (g *generator) created() string {
	n := quote(g.newTable())
	if g.IntN(3) == 0 {
		return quote(pick(g.Rand, g.schemas)) + "." + n
	}
	return n
}

// createText is a statement that makes a table.
func (g *generator) createText(verb, name string) string {
	id := pick(g.Rand, []string{"INT PRIMARY KEY", "INT PRIMARY KEY", "INT NOT NULL AUTO_INCREMENT PRIMARY KEY", "INT NOT NULL", "INT UNIQUE"})
	parts := []string{"id " + id}
	used := map[string]bool{}
	for range 2 + g.IntN(6) {
		c := g.newColumn()
		if used[c] {
			continue
		}
		used[c] = true
		parts = append(parts, c+" "+g.typeText())
	}
	if g.IntN(6) == 0 && g.kind != servers.MySQL56 {
		parts = append(parts, "gen INT GENERATED ALWAYS AS (id + 1) "+pick(g.Rand, []string{"VIRTUAL", "STORED"}))
	}
	if g.IntN(4) == 0 {
		parts = append(parts, "KEY k (id)")
	}
	if g.IntN(3) == 0 {
		i := g.IntN(len(parts))
		g.Shuffle(i, func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	text := fmt.Sprintf("CREATE %s %s (%s)", verb, name, strings.Join(parts, ", "))
	text += pick(g.Rand, []string{"", "", " ENGINE=InnoDB", " DEFAULT CHARSET=latin1", " COMMENT='a (comment)'", " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"})
	if !strings.Contains(id, "UNIQUE") && g.IntN(10) == 0 {
		text += " PARTITION BY HASH (id) PARTITIONS 3"
	}
	return text
}

// alter changes columns.
func (g *generator) alter(t *table) error { return g.define(g.alterText(t)) }

func (g *generator) alterText(t *table) string {
	n := 1
	if g.IntN(3) == 0 {
		n = 2 + g.IntN(2)
	}
	clauses := make([]string, n)
	for i := range clauses {
		clauses[i] = g.clause(t)
	}
	head := pick(g.Rand, []string{"ALTER TABLE ", "ALTER TABLE ", "alter table ", "/* by hand */ ALTER TABLE ", "ALTER  TABLE\n"})
	return head + g.naming(t.name) + " " + strings.Join(clauses, ", ")
}

// naming is a table's name, seldom unqualified, which may be another table then.
func (g *generator) naming(n name) string {
	if g.IntN(4) == 0 {
		return quote(n.table)
	}
	return n.String()
}

// clause is one change of columns.
func (g *generator) clause(t *table) string {
	c := pick(g.Rand, t.columns)
	old := quote(c.name)
	switch n := g.IntN(22); {
	case n < 5:
		return "ADD COLUMN " + g.freeColumn(t) + " " + g.typeText() + g.place(t)
	case n == 5:
		return "ADD (" + g.freeColumn(t) + " INT, " + g.freeColumn(t) + " INT)"
	case n == 6 && g.kind.IsMariaDB():
		return "ADD COLUMN IF NOT EXISTS " + g.newColumn() + " " + g.typeText()
	case n == 7 && g.kind.IsMariaDB():
		return "DROP COLUMN IF EXISTS " + g.newColumn()
	case n < 10 && c.name != "id":
		return "DROP " + pick(g.Rand, []string{"COLUMN ", ""}) + old
	case n < 12: // another place
		return "MODIFY " + old + " " + g.sameOrNew(c) + g.place(t)
	case n == 12:
		return "MODIFY COLUMN " + old + " " + g.sameOrNew(c) + pick(g.Rand, []string{" FIRST", " AFTER " + g.columnOf(t)})
	case n < 15:
		return "CHANGE " + old + " " + g.freeColumn(t) + " " + g.sameOrNew(c) + g.place(t)
	case n == 15 && renamesColumns(g):
		return "RENAME COLUMN " + old + " TO " + g.freeColumn(t)
	case n == 16: // two names change places
		d := pick(g.Rand, t.columns)
		if d.full == c.full && d.name != c.name && !c.generated && !d.generated {
			return fmt.Sprintf("CHANGE %s %s %s, CHANGE %s %s %s", old, quote(d.name), c.full, quote(d.name), old, d.full)
		}
	case n == 17 && c.name != "id": // the name is another column
		return "DROP COLUMN " + old + ", ADD COLUMN " + old + " " + g.typeText() + g.place(t)
	case n == 18:
		return "ALTER COLUMN " + old + pick(g.Rand, []string{" SET DEFAULT '1'", " DROP DEFAULT"})
	case n == 19:
		return pick(g.Rand, []string{"FORCE", "ENGINE=InnoDB", "COMMENT='changed, again'", "AUTO_INCREMENT=1000", "ROW_FORMAT=DYNAMIC"})
	case n == 20 && g.all: // Canal's parser takes it for a comment
		return "/*!50503 ADD COLUMN */ /*!50503 " + g.freeColumn(t) + " */ INT"
	}
	return "ADD " + g.freeColumn(t) + " INT" + g.place(t)
}

// sameOrNew is the type of a column, mostly the one that it has.
func (g *generator) sameOrNew(c column) string {
	if c.generated || g.IntN(4) == 0 {
		return g.typeText()
	}
	full := c.full
	if c.charset != "" {
		full += " CHARACTER SET " + c.charset
	}
	if c.key || !c.nullable {
		full += " NOT NULL"
	} else if c.kind == "timestamp" {
		full += " NULL"
	}
	return full
}

// createExisting makes no table, for there is one of that name.
func (g *generator) createExisting(t *table) error {
	return g.define(g.createText("TABLE IF NOT EXISTS", t.String()), g.change())
}

// recreate drops a table and makes another of its name.
func (g *generator) recreate(t *table) error {
	return g.fill(t.name, pick(g.Rand, []string{"DROP TABLE ", "DROP TABLE IF EXISTS "})+t.String(), g.createText("TABLE", t.String()))
}

// fill defines, and puts rows into a table that may have come of it.
func (g *generator) fill(into name, statements ...string) error {
	if err := g.define(statements...); err != nil {
		return err
	}
	if t := g.find(into); t != nil {
		_, err := g.exec(g.insert(t, "INSERT INTO ", 2))
		return err
	}
	return nil
}

func (g *generator) find(n name) *table {
	for _, t := range g.tables {
		if t.name == n {
			return t
		}
	}
	return nil
}

func (g *generator) createLike(t *table) error {
	n := name{pick(g.Rand, g.schemas), g.newTable()}
	return g.fill(n, fmt.Sprintf(pick(g.Rand, []string{"CREATE TABLE %s LIKE %s", "CREATE TABLE IF NOT EXISTS %s (LIKE %s)"}), n, t.name))
}

func (g *generator) rename(t *table) error {
	n := name{t.schema, g.newTable()}
	if g.IntN(3) == 0 {
		n.schema = pick(g.Rand, g.schemas)
	}
	return g.fill(n, fmt.Sprintf(pick(g.Rand, []string{"RENAME TABLE %s TO %s", "ALTER TABLE %s RENAME TO %s", "ALTER TABLE %s RENAME %s",
		"ALTER TABLE %s ADD COLUMN moved INT, RENAME AS %s"}), t.name, n))
}

// swap has two tables change names, by way of a third.
func (g *generator) swap(t *table) error {
	u := g.table()
	third := name{t.schema, "swap"}
	if g.IntN(2) == 0 { // a twin whose columns have other names
		u = &table{name: name{t.schema, "twin"}}
		if err := g.define("DROP TABLE IF EXISTS "+u.String(), fmt.Sprintf("CREATE TABLE %s LIKE %s", u.name, t.name)); err != nil {
			return err
		}
		if u = g.find(u.name); u == nil {
			return nil
		}
		if err := g.alter(u); err != nil {
			return err
		}
	}
	if err := g.fill(t.name, fmt.Sprintf("RENAME TABLE %s TO %s, %s TO %s, %s TO %s", t.name, third, u.name, t.name, third, u.name)); err != nil {
		return err
	}
	if u = g.find(u.name); u != nil {
		_, err := g.exec(g.insert(u, "INSERT INTO ", 1))
		return err
	}
	return nil
}

// ghost changes a table as gh-ost does: by a copy that takes its place.
func (g *generator) ghost(t *table) error {
	gho, ghc, del := name{t.schema, "_" + t.table + "_gho"}, name{t.schema, "_" + t.table + "_ghc"}, name{t.schema, "_" + t.table + "_del"}
	if err := g.define("DROP /* gh-ost */ TABLE IF EXISTS "+gho.String(), "DROP TABLE IF EXISTS "+ghc.String(),
		"CREATE /* gh-ost */ TABLE "+ghc.String()+" (id bigint auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256",
		"INSERT INTO "+ghc.String()+" (hint, value) VALUES ('state', 'GhostTableMigrated')",
		"CREATE /* gh-ost */ TABLE "+gho.String()+" LIKE "+t.String()); err != nil {
		return err
	}
	if err := g.alterCopy(gho); err != nil {
		return err
	}
	if err := g.copy(t, gho, "INSERT /* gh-ost */ IGNORE INTO "); err != nil {
		return err
	}
	return g.fill(t.name, fmt.Sprintf("RENAME /* gh-ost */ TABLE %s TO %s, %s TO %s", t.name, del, gho, t.name),
		"DROP TABLE IF EXISTS "+del.String(), "DROP TABLE IF EXISTS "+ghc.String())
}

// alterCopy changes the table that a tool copies to.
func (g *generator) alterCopy(n name) error {
	t := g.find(n)
	if t == nil {
		return nil
	}
	return g.define("ALTER TABLE " + n.String() + " " + g.clause(t))
}

// copy fills a copy with what it has in common with a table.
func (g *generator) copy(t *table, to name, verb string) error {
	u := g.find(to)
	if u == nil {
		return nil
	}
	common := g.common(t, u)
	if len(common) == 0 {
		return nil
	}
	list := strings.Join(common, ", ")
	_, err := g.exec(fmt.Sprintf("%s%s (%s) SELECT %s FROM %s LOCK IN SHARE MODE", verb, to, list, list, t.name))
	return err
}

func (g *generator) common(t, u *table) (list []string) {
	for _, c := range u.written() {
		if slices.ContainsFunc(t.columns, func(d column) bool { return d.name == c.name }) {
			list = append(list, quote(c.name))
		}
	}
	return list
}

// ptOSC changes a table as pt-online-schema-change does: triggers keep the copy up
// to date.
func (g *generator) ptOSC(t *table) error {
	fresh, old := name{t.schema, "_" + t.table + "_new"}, name{t.schema, "_" + t.table + "_old"}
	if err := g.define("DROP TABLE IF EXISTS "+fresh.String(), "CREATE TABLE "+fresh.String()+" LIKE "+t.String()); err != nil {
		return err
	}
	if err := g.alterCopy(fresh); err != nil {
		return err
	}
	u := g.find(fresh)
	if u == nil {
		return nil
	}
	common := g.common(t, u)
	var values []string
	for _, c := range common {
		values = append(values, "NEW."+c)
	}
	put := fmt.Sprintf("REPLACE INTO %s (%s) VALUES (%s)", fresh, strings.Join(common, ", "), strings.Join(values, ", "))
	for _, event := range []string{"INSERT", "UPDATE"} {
		if _, err := g.exec(fmt.Sprintf("CREATE TRIGGER %s.pt_osc_%s AFTER %s ON %s FOR EACH ROW %s", quote(t.schema), strings.ToLower(event), event, t.name, put)); err != nil {
			return err
		}
	}
	for range 2 {
		if _, err := g.exec(g.insert(t, "INSERT INTO ", 2)); err != nil {
			return err
		}
	}
	if err := g.copy(t, fresh, "INSERT LOW_PRIORITY IGNORE INTO "); err != nil {
		return err
	}
	drop := "DROP TRIGGER IF EXISTS " + quote(t.schema) + ".pt_osc_"
	return g.fill(t.name, fmt.Sprintf("RENAME TABLE %s TO %s, %s TO %s", t.name, old, fresh, t.name),
		"DROP TABLE IF EXISTS "+old.String(), drop+"insert", drop+"update")
}

// index changes keys that are not the primary one.
func (g *generator) index(t *table) error {
	c, n := g.columnOf(t), t.name
	switch g.IntN(6) {
	case 0:
		return g.definef("CREATE INDEX i%d ON %s (%s)", g.IntN(3), n, c)
	case 1:
		return g.definef("DROP INDEX i%d ON %s", g.IntN(3), n)
	case 2:
		return g.definef("ALTER TABLE %s ADD UNIQUE KEY u (%s)", n, c)
	case 3:
		return g.definef("CREATE UNIQUE INDEX u ON %s (%s)", n, c)
	case 4:
		return g.definef("ALTER TABLE %s DROP INDEX u", n)
	}
	return g.definef("ALTER TABLE %s ADD INDEX i%d (%s), ADD COLUMN %s INT", n, g.IntN(3), c, g.freeColumn(t))
}

func (g *generator) primaryKey(t *table) error {
	keyed := slices.ContainsFunc(t.columns, func(c column) bool { return c.key })
	switch n := g.IntN(4); {
	case n == 0:
		return g.definef("ALTER TABLE %s DROP PRIMARY KEY", t.name)
	case n == 1:
		return g.definef("ALTER TABLE %s DROP PRIMARY KEY, ADD PRIMARY KEY (id, %s)", t.name, g.columnOf(t))
	case n == 2 && keyed: // without a key, rows are numbered in the order in which they lie
		return g.definef("ALTER TABLE %s ADD COLUMN pk INT NOT NULL AUTO_INCREMENT UNIQUE FIRST", t.name)
	}
	return g.definef("ALTER TABLE %s ADD PRIMARY KEY (id)", t.name)
}

func (g *generator) drop(t *table) error {
	u := g.table()
	return g.define(pick(g.Rand, []string{
		"DROP TABLE " + g.naming(t.name), "DROP TABLE IF EXISTS " + t.String() + ", " + u.String(),
		"DROP TABLE IF EXISTS nothing_there, " + t.String(), "DROP TABLES " + t.String(),
	}))
}

// partition changes partitions, and makes a partitioned table.
func (g *generator) partition(t *table) error {
	switch g.IntN(4) {
	case 0:
		n := name{t.schema, "parts"}
		return g.fill(n, "DROP TABLE IF EXISTS "+n.String(), "CREATE TABLE "+n.String()+" (id INT PRIMARY KEY, a INT, b INT) PARTITION BY RANGE (id) "+
			"(PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)")
	case 1:
		n := name{t.schema, "parts"}
		return g.define("ALTER TABLE "+n.String()+" TRUNCATE PARTITION p0",
			"ALTER TABLE "+n.String()+" REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES LESS THAN (5000), PARTITION p2 VALUES LESS THAN MAXVALUE)")
	case 2:
		n := name{t.schema, "parts"}
		out := name{t.schema, "part_out"}
		return g.fill(n, "DROP TABLE IF EXISTS "+out.String(), fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, a INT, b INT)", out),
			fmt.Sprintf("ALTER TABLE %s EXCHANGE PARTITION p0 WITH TABLE %s", n, out), "ALTER TABLE "+n.String()+" DROP PARTITION p2")
	}
	return g.define("ALTER TABLE "+t.String()+" ADD PARTITION PARTITIONS 2", "ALTER TABLE "+t.String()+" COALESCE PARTITION 1")
}

func (g *generator) convert(t *table) error {
	set := pick(g.Rand, []string{"latin1", "utf8mb4", "gbk", "utf8mb4 COLLATE utf8mb4_unicode_ci"})
	switch g.IntN(3) {
	case 0:
		return g.definef("ALTER TABLE %s DEFAULT CHARACTER SET %s", t.name, set)
	case 1:
		return g.fill(t.name, fmt.Sprintf("ALTER TABLE %s CHARACTER SET = %s, ADD COLUMN %s VARCHAR(20)", t.name, set, g.freeColumn(t)))
	}
	return g.fill(t.name, fmt.Sprintf("ALTER TABLE %s CONVERT TO CHARACTER SET %s", t.name, set))
}

// database drops a schema and makes it again.
func (g *generator) database() error {
	s := pick(g.Rand, g.schemas)
	if err := g.define("DROP DATABASE "+quote(s), "CREATE DATABASE "+quote(s)+pick(g.Rand, []string{"", " CHARACTER SET latin1", " DEFAULT CHARSET utf8mb4"})); err != nil {
		return err
	}
	if err := g.use(s); err != nil {
		return err
	}
	return errorsOf(g.create, g.create)
}

// errorsOf calls functions up to the first error.
func errorsOf(all ...func() error) error {
	for _, f := range all {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// burst changes a table several times within a second, with rows in between.
func (g *generator) burst(t *table) error {
	n := t.name
	for range 3 + g.IntN(5) {
		if t = g.find(n); t == nil {
			return nil
		}
		if err := g.fill(n, g.alterText(t)); err != nil {
			return err
		}
	}
	return nil
}

// temporary makes a table that hides another, for this session alone.
func (g *generator) temporary(t *table) error {
	return g.define("CREATE TEMPORARY TABLE "+t.String()+" (x INT, y INT, z INT)", "INSERT INTO "+t.String()+" VALUES (1, 2, 3)",
		"ALTER TABLE "+t.String()+" DROP COLUMN y", "DROP TEMPORARY TABLE "+t.String())
}

// implicitCommit changes a definition in the middle of a transaction.
func (g *generator) implicitCommit(t *table) error {
	if _, err := g.exec("BEGIN"); err != nil {
		return err
	}
	if _, err := g.exec(g.insert(t, "INSERT INTO ", 1)); err != nil {
		return err
	}
	if err := g.fill(t.name, g.alterText(t)); err != nil {
		return err
	}
	_, err := g.exec("COMMIT")
	return err
}

func (g *generator) ansiQuotes(t *table) error {
	return g.define("SET SESSION sql_mode = 'ANSI_QUOTES'", fmt.Sprintf(`ALTER TABLE "%s"."%s" ADD COLUMN "quoted" INT, ADD COLUMN "more" INT FIRST`, t.schema, t.table),
		sessionSetting[1])
}

func (g *generator) createSelect(t *table) error {
	n := name{t.schema, g.newTable()}
	return g.fill(n, pick(g.Rand, []string{
		fmt.Sprintf("CREATE TABLE %s AS SELECT * FROM %s", n, t.name),
		fmt.Sprintf("CREATE TABLE %s (extra INT) SELECT * FROM %s", n, t.name),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s SELECT id, 1 AS one, 'x' AS letter FROM %s", n, t.name),
	}))
}

// withoutEntry runs what makes no entry with Canal's parser.
func (g *generator) withoutEntry(t *table) error {
	v := quote(t.schema) + ".v"
	return g.define(pick(g.Rand, []string{
		"ALTER DATABASE " + quote(t.schema) + " DEFAULT CHARACTER SET " + pick(g.Rand, []string{"latin1", "utf8mb4"}),
		"ALTER TABLE " + t.String() + " PARTITION BY HASH (id) PARTITIONS 2",
		"ALTER TABLE " + t.String() + " REMOVE PARTITIONING",
		"ALTER TABLE " + t.String() + " ADD CONSTRAINT positive CHECK (id > -1000)",
		"CREATE OR REPLACE VIEW " + v + " AS SELECT * FROM " + t.String(),
		"DROP VIEW IF EXISTS " + v,
	}))
}
