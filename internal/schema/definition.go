package schema

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// definition is what is kept of a table: what its rows are decoded with, and
// what is needed to follow a DDL.
type definition struct {
	table   *Table
	keys    []ddl.Key
	charset string // default character set, lower case; "" when unknown
	hidden  int    // columns at the end that SHOW CREATE TABLE does not show
	period  ddl.Period
	spelled bool // the type texts have been compared with the server's own

	since  time.Time // when the tracker came to know it; guarded by its lock once it is kept
	change Change    // that made it, if the stream has shown it
}

// intern makes equal strings share their memory, and frees the statement that
// they were cut from.
func intern(s string) string { return unique.Make(s).Value() }

// versionColumns are the columns that MariaDB adds to a table WITH SYSTEM
// VERSIONING which names none for its period (vers_init_sys_field).
var versionColumns = []Column{
	{Name: "row_start", Type: "timestamp(6)", Hidden: true},
	{Name: "row_end", Type: "timestamp(6)", Hidden: true},
}

// define makes the definition that a CREATE TABLE gives. With live the text is
// the server's own, else types are put as the server would.
func define(t *ddl.CreateTable, name ddl.Name, s ddl.Server, live bool) *definition {
	d := &definition{
		table:   &Table{Schema: intern(name.Schema), Name: intern(name.Table), Certain: !live},
		charset: intern(t.Charset),
		spelled: live,
	}
	for i := range t.Columns {
		d.table.Columns = append(d.table.Columns, newColumn(&t.Columns[i], s, t.Charset, live))
	}
	d.setPeriod(t.Period)
	d.addKeys(t.Keys)
	if t.Versioned {
		d.version()
	}
	d.markKeys()
	return d
}

// newColumn makes the column of a definition. charset is the table's default.
func newColumn(c *ddl.Column, s ddl.Server, charset string, live bool) Column {
	canonical := c.Type.Canonical(s, charset)
	text := canonical.Text()
	if live {
		text = c.Type.Text()
	}
	return Column{
		Name:     intern(c.Name),
		Type:     intern(text),
		Nullable: !c.NotNull,
		Unsigned: canonical.Unsigned,
		Charset:  intern(canonical.Charset),
	}
}

// setPeriod sets the period of the table, whose columns are NOT NULL.
func (d *definition) setPeriod(p ddl.Period) {
	d.period = ddl.Period{Name: intern(p.Name), Start: intern(p.Start), End: intern(p.End)}
	for _, name := range []string{p.Start, p.End} {
		if i := find(d.table.Columns, name); i >= 0 {
			d.table.Columns[i].Nullable = false
		}
	}
}

// version adds the hidden columns of a system-versioned table.
func (d *definition) version() {
	d.table.Columns = append(d.table.Columns, versionColumns...)
	d.hidden = len(versionColumns)
}

// maxKeys is more than a table can have: 64, or 128 if MySQL was built so.
const maxKeys = 256

// maxKeyColumns is more than a key can have: 32 in MariaDB, 16 in MySQL.
const maxKeyColumns = 64

// addKeys adds keys in the order written. Those of foreign keys give way to
// others before names are chosen (mysql_prepare_create_table).
func (d *definition) addKeys(keys []ddl.Key) {
	old := len(d.keys)
	d.keys = slices.Concat(d.keys, keys[:min(len(keys), maxKeys)])
	served := make([]bool, len(d.keys))
	for i := range d.keys {
		served[i] = d.keys[i].Foreign && d.serves(i, served)
	}
	all := d.keys
	d.keys = nil
	for i, k := range all {
		switch {
		case served[i], len(k.Columns) == 0 && k.Expressions == 0, i >= old && k.IfNotExists && d.hasKey(&k):
			continue
		case i >= old:
			d.nameKey(&k)
		}
		d.keys = append(d.keys, k)
	}
}

// serves reports whether another key makes that of a foreign key unnecessary: it
// begins with the same columns. Of equal ones the last stays.
func (d *definition) serves(foreign int, served []bool) bool {
	f := &d.keys[foreign]
	for i := range d.keys {
		k := &d.keys[i]
		if i == foreign || served[i] || len(k.Columns) < len(f.Columns) || k.Expressions > 0 ||
			k.Foreign && len(k.Columns) == len(f.Columns) && i < foreign {
			continue
		}
		if slices.EqualFunc(f.Columns, k.Columns[:len(f.Columns)], strings.EqualFold) {
			return true
		}
	}
	return false
}

// hasKey reports whether a key with IF NOT EXISTS is there already. One without
// name is looked for by its first column.
func (d *definition) hasKey(k *ddl.Key) bool {
	name := k.Name
	if name == "" && len(k.Columns) > 0 {
		name = k.Columns[0]
	}
	return d.findKey(name) >= 0
}

// nameKey calls the columns of a new key as the table does, and gives it a name
// if it has none: that of its first column, with a number if that is taken
// (make_unique_key_name).
func (d *definition) nameKey(k *ddl.Key) {
	var columns []string
	for _, c := range k.Columns[:min(len(k.Columns), maxKeyColumns)] {
		n := find(d.table.Columns, c)
		switch {
		case n >= 0:
			columns = append(columns, d.table.Columns[n].Name)
		case d.period.Name != "" && strings.EqualFold(c, d.period.Name): // WITHOUT OVERLAPS
			columns = append(columns, d.period.End, d.period.Start)
		default:
			columns = append(columns, intern(c))
		}
	}
	k.Columns = columns
	if k.Name == "" {
		base := "functional_index"
		if k.Expressions == 0 {
			base = columns[0]
		}
		k.Name = base
		for n := 2; d.findKey(k.Name) >= 0 || strings.EqualFold(k.Name, "PRIMARY"); n++ {
			k.Name = fmt.Sprintf("%s_%d", base, n)
		}
	}
	k.Name = intern(k.Name)
}

func (d *definition) findKey(name string) int {
	return slices.IndexFunc(d.keys, func(k ddl.Key) bool { return strings.EqualFold(k.Name, name) })
}

// markKeys sets what the columns say of keys.
func (d *definition) markKeys() {
	for i := range d.table.Columns[:len(d.table.Columns)-d.hidden] {
		c := &d.table.Columns[i]
		c.Key, c.Unique = false, false
		for _, k := range d.keys {
			if !slices.ContainsFunc(k.Columns, func(name string) bool { return strings.EqualFold(name, c.Name) }) {
				continue
			}
			switch k.Kind {
			case ddl.PrimaryKey:
				c.Key, c.Nullable = true, false
			case ddl.UniqueKey:
				c.Unique = true
			}
		}
	}
}

// forRows is the table with the columns behind keys, when the rows have just
// these in addition. Early MySQL 8.0 has one for each functional key part,
// before columns that were added since; MariaDB has one at the end for each unique
// key that it keeps by hash.
func (d *definition) forRows(r *rows) *Table {
	parts, hashes := 0, 0
	for i := range d.keys {
		parts += d.keys[i].Expressions
		if r.server.MariaDB && d.mayHash(&d.keys[i]) {
			hashes++
		}
	}
	n := len(d.table.Columns)
	extra := len(r.Types) - n
	if extra <= 0 || extra != parts && (extra > hashes || !r.allHashes(n)) {
		return d.table
	}
	last := d.withHidden(r, n, extra)
	if q, _ := r.judge(last); q == perfect || extra != parts {
		return last
	}
	for at := n - 1; at >= 0; at-- { // columns were added behind them since
		t := d.withHidden(r, at, extra)
		if q, _ := r.judge(t); q == perfect {
			return t
		}
	}
	return last
}

// withHidden is the table with hidden columns of the rows put in.
func (d *definition) withHidden(r *rows, at, number int) *Table {
	hidden := make([]Column, number)
	for i := range hidden {
		hidden[i] = r.retyped(Column{Name: r.hiddenName(at + i), Nullable: true, Hidden: true}, at+i)
	}
	t := *d.table
	t.Columns = slices.Insert(slices.Clone(t.Columns), at, hidden...)
	return &t
}

// maxPlainKey is the length in bytes of a key that every engine of MariaDB can
// keep as it is.
const maxPlainKey = 767

// mayHash reports whether MariaDB may keep a unique key as a hash in a column of
// its own, because it is too long or USING HASH says so (add_hash_field).
func (d *definition) mayHash(k *ddl.Key) bool {
	if k.Kind != ddl.UniqueKey {
		return false
	}
	size := 0
	for _, name := range k.Columns {
		if i := find(d.table.Columns, name); i >= 0 {
			size += d.table.Columns[i].keySize()
		}
	}
	return k.Hash || size > maxPlainKey
}

// keySize is about how many bytes a column takes in a key. Numbers and the like
// take few.
func (c *Column) keySize() int {
	t, err := ddl.ParseType(c.Type)
	if err != nil || declared(t).family != text {
		return 8
	}
	if len(t.Args) == 0 { // TEXT, BLOB
		return maxPlainKey + 1
	}
	var n int
	_, _ = fmt.Sscanf(t.Args[0], "%d", &n)
	return n * ddl.CharLen(c.Charset)
}

// clone is a copy to be changed.
func (d *definition) clone() *definition {
	c := *d
	table := *d.table
	table.Columns = slices.Clone(table.Columns)
	c.table = &table
	c.keys = make([]ddl.Key, len(d.keys))
	for i, k := range d.keys {
		k.Columns = slices.Clone(k.Columns)
		c.keys[i] = k
	}
	return &c
}

// renamed is the definition under another name.
func (d *definition) renamed(name ddl.Name) *definition {
	c := *d
	table := *d.table
	table.Schema, table.Name = intern(name.Schema), intern(name.Table)
	c.table = &table
	return &c
}

// spell takes over the live server's spelling of types for columns that are
// the same at the same place.
func (d *definition) spell(live *definition) {
	d.spelled = true
	for i := range d.table.Columns {
		if i >= len(live.table.Columns) {
			return
		}
		mine, theirs := &d.table.Columns[i], &live.table.Columns[i]
		if !strings.EqualFold(mine.Name, theirs.Name) || mine.Type == theirs.Type && mine.Charset == theirs.Charset {
			continue
		}
		if equivalent(mine.Type, theirs.Type) {
			mine.Type, mine.Unsigned = theirs.Type, theirs.Unsigned
			if mine.Charset == "" {
				mine.Charset = theirs.Charset
			}
		}
	}
}

// equivalent compares two type texts by what they store.
func equivalent(a, b string) bool {
	if a == b {
		return true
	}
	t, err := ddl.ParseType(a)
	if err != nil {
		return false
	}
	u, err := ddl.ParseType(b)
	return err == nil && t.Equivalent(u)
}
