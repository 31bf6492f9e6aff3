package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// rows is a table map with its metadata.
type rows struct {
	*binlog.TableMap
	meta   *binlog.Metadata // never nil
	server ddl.Server
	hidden bool // an unknown bigint column at the end is the hidden key of a cloud server
}

// column is the metadata of column i, or nil.
func (r *rows) column(i int) *binlog.ColumnMetadata {
	if i < len(r.meta.Columns) {
		return &r.meta.Columns[i]
	}
	return nil
}

// quality says how well a definition goes with rows.
type quality int

const (
	unusable quality = iota
	byPlace          // columns can be paired from the left, as Canal does; some may differ
	perfect
)

// judge compares a table with rows. reason says why it is not perfect.
func (r *rows) judge(t *Table) (q quality, reason string) {
	n := len(r.Types)
	q = perfect
	if n != len(t.Columns) && !r.hiddenKey(t) {
		q, reason = byPlace, fmt.Sprintf("the rows have %d columns, the table %d", n, len(t.Columns))
		if n > len(t.Columns) {
			return unusable, reason
		}
	}
	for i := range min(n, len(t.Columns)) {
		c := &t.Columns[i]
		switch f := fits(c.Type, r.Types[i], r.Meta[i]); {
		case f == alien:
			return unusable, fmt.Sprintf("column %d, %s %s, is %s in the rows", i+1, c.Name, c.Type, binlog.TypeName(r.Types[i]))
		case f == kin:
			q, reason = byPlace, fmt.Sprintf("column %d, %s %s, was of another type", i+1, c.Name, c.Type)
		}
		if md := r.column(i); md != nil {
			if r.meta.HasNames && !strings.EqualFold(string(md.Name), c.Name) {
				return unusable, fmt.Sprintf("column %d, %s, is %q in the rows", i+1, c.Name, md.Name)
			}
			if r.wrongSign(i, c) {
				q, reason = byPlace, fmt.Sprintf("column %d, %s %s, had another sign", i+1, c.Name, c.Type)
			}
		}
	}
	return q, reason
}

// hiddenKey reports whether the rows have one column more than the table,
// which is the key that RDS and PolarDB-X add to tables without one.
func (r *rows) hiddenKey(t *Table) bool {
	n := len(r.Types)
	return r.hidden && n == len(t.Columns)+1 && r.Types[n-1] == binlog.TypeLongLong && !t.HasKey()
}

// allHashes reports whether the columns from n on may be those of MariaDB's long
// unique keys: BIGINT, called DB_ROW_HASH_n.
func (r *rows) allHashes(n int) bool {
	for i := n; i < len(r.Types); i++ {
		if r.Types[i] != binlog.TypeLongLong || r.meta.HasNames && !isHash(r.hiddenName(i)) {
			return false
		}
	}
	return true
}

// isHash reports whether a column is one that MariaDB adds for a long unique key.
func isHash(name string) bool { return strings.HasPrefix(name, "DB_ROW_HASH_") }

// hiddenName is what the rows call a column that no definition shows.
func (r *rows) hiddenName(i int) string {
	if r.meta.HasNames && i < len(r.meta.Columns) {
		return utf8Name(r.meta.Columns[i].Name)
	}
	return "!hidden!"
}

// wrongSign reports whether the source says that column i is of another
// signedness than c.
func (r *rows) wrongSign(i int, c *Column) bool {
	md := r.column(i)
	if md == nil || !md.SignKnown || md.Unsigned == c.Unsigned {
		return false
	}
	f := logged(r.Types[i], r.Meta[i]).family
	return f == integer || f == float || f == decimal
}

// adapt returns the table with columns that differ from the rows put right. It
// must be usable by place. The table itself is returned when nothing differs.
func (r *rows) adapt(t *Table) *Table {
	var changed *Table
	for i := range min(len(r.Types), len(t.Columns)) {
		c := t.Columns[i]
		if fits(c.Type, r.Types[i], r.Meta[i]) == exact && !r.wrongSign(i, &c) {
			continue
		}
		if changed == nil {
			copied := *t
			copied.Columns = slices.Clone(t.Columns)
			changed = &copied
		}
		changed.Columns[i] = r.retyped(c, i)
	}
	if changed == nil {
		return t
	}
	return changed
}

// retyped is column c with the type that column i of the rows has.
func (r *rows) retyped(c Column, i int) Column {
	md := binlog.ColumnMetadata{Unsigned: c.Unsigned}
	if t, err := ddl.ParseType(c.Type); err == nil && declared(t).family == text && logged(r.Types[i], r.Meta[i]).family == text {
		if m := r.column(i); m == nil || m.Collation == 0 {
			return c // only of another length; without a collation text cannot be told from bytes
		}
	}
	if m := r.column(i); m != nil {
		unsigned := md.Unsigned
		md = *m
		if !m.SignKnown {
			md.Unsigned = unsigned
		}
	}
	c.Type = intern(typeOf(r.Types[i], r.Meta[i], &md, r.server).Text())
	c.Unsigned = md.Unsigned
	return c
}

// byName builds the table that the rows' own column names tell of
// (binlog_row_metadata=FULL). Columns that t knows by the same name keep what
// it says, as far as it fits. t may be nil.
func (r *rows) byName(t *Table, schema, name string) *Table {
	made := &Table{Schema: intern(schema), Name: intern(name), Columns: make([]Column, len(r.Types))}
	for i := range r.Types {
		md := r.column(i)
		c := Column{Name: utf8Name(md.Name), Nullable: r.Nullable(i), Unsigned: md.SignKnown && md.Unsigned}
		c.Hidden = r.server.MariaDB && isHash(c.Name) || !r.server.MariaDB && strings.HasPrefix(c.Name, "!hidden!")
		known := -1
		if t != nil {
			known = find(t.Columns, c.Name)
		}
		if known >= 0 && fits(t.Columns[known].Type, r.Types[i], r.Meta[i]) == exact && !r.wrongSign(i, &t.Columns[known]) {
			made.Columns[i] = t.Columns[known]
			continue
		}
		if known >= 0 {
			c.Charset, c.Key, c.Unique = t.Columns[known].Charset, t.Columns[known].Key, t.Columns[known].Unique
		}
		made.Columns[i] = r.retyped(c, i)
	}
	r.setKeys(made)
	return made
}

// setKeys marks the primary key as the source says.
func (r *rows) setKeys(t *Table) {
	if len(r.meta.PrimaryKey) == 0 {
		return
	}
	for i := range t.Columns {
		t.Columns[i].Key = false
	}
	for _, k := range r.meta.PrimaryKey {
		if k.Column < len(t.Columns) {
			t.Columns[k.Column].Key = true
		}
	}
}
