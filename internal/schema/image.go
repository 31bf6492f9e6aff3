package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// Image is what a Tracker knows at one place of the stream, to be stored. It is
// not changed any more.
type Image struct {
	tables []*definition
	extra  imageExtra
}

// Image returns what is known now. It costs little, also for many tables.
func (t *Tracker) Image() Image {
	i := Image{extra: imageExtra{Version: 1, Charsets: maps.Clone(t.schemas), Complete: t.complete, Doubts: t.doubtList()}}
	t.mu.Lock()
	for _, d := range t.tables {
		if d.table.Certain {
			i.tables = append(i.tables, d)
		}
	}
	t.mu.Unlock()
	slices.SortFunc(i.tables, func(a, b *definition) int {
		return cmp.Or(strings.Compare(a.table.Schema, b.table.Schema), strings.Compare(a.table.Name, b.table.Name))
	})
	return i
}

// Len is the number of tables.
func (i Image) Len() int { return len(i.tables) }

// Texts are the CREATE TABLE statements of the tables by schema, each ended by
// "; \n": the form of Canal's snapshots (MemoryTableMeta.snapshot).
func (i Image) Texts() map[string]string {
	all := make(map[string]*strings.Builder)
	for _, d := range i.tables {
		b := all[d.table.Schema]
		if b == nil {
			b = new(strings.Builder)
			all[d.table.Schema] = b
		}
		d.writeCreate(b)
		b.WriteString(endOfTable)
	}
	texts := make(map[string]string, len(all))
	for name, b := range all {
		texts[name] = b.String()
	}
	return texts
}

// imageExtra is what Texts cannot say.
type imageExtra struct {
	Version  int               `json:"version"`            // 1
	Charsets map[string]string `json:"charsets,omitempty"` // default character sets of schemas

	// Tables that may be there without being known, by schema; no names stand for all
	// of a schema. Complete says that there are no others.
	Complete bool                `json:"complete,omitempty"`
	Doubts   map[string][]string `json:"doubts,omitempty"`
}

// maxDoubts bounds the names in a snapshot, whose extra has room for 64 KiB in
// Canal's tables. With more of them whole schemas are doubted.
const maxDoubts = 500

func (t *Tracker) doubtList() map[string][]string {
	all := make(map[string][]string)
	for name := range t.doubts {
		if name.Table == "" || len(t.doubts) > maxDoubts {
			all[name.Schema] = []string{}
		}
	}
	for name := range t.doubts {
		if list, whole := all[name.Schema]; !whole || len(list) > 0 {
			all[name.Schema] = append(list, name.Table)
		}
	}
	for _, list := range all {
		slices.Sort(list)
	}
	return all
}

// Extra is what Texts cannot say, for Restore.
func (i Image) Extra() []byte {
	b, err := json.Marshal(i.extra)
	if err != nil {
		panic(err) // strings and a number can be marshalled
	}
	return b
}

// Restore makes the Tracker know what an Image has said, and nothing else. Texts
// without an extra are Canal's: their types are spelled as users have written
// them. An error names the text that could not be read; what could be is known.
func (t *Tracker) Restore(texts map[string]string, extra []byte) error {
	t.Reset(false)
	var x imageExtra
	var errs []error
	if len(extra) > 0 {
		if err := json.Unmarshal(extra, &x); err != nil {
			errs = append(errs, fmt.Errorf("read what goes with a snapshot: %w", err))
		}
	}
	for name, charset := range x.Charsets {
		t.schemas[name] = charset
	}
	t.complete = x.Complete
	for schema, names := range x.Doubts {
		if len(names) == 0 {
			t.doubts[ddl.Name{Schema: schema}] = true
		}
		for _, table := range names {
			t.doubts[ddl.Name{Schema: schema, Table: table}] = true
		}
	}
	for name, text := range texts {
		for statement := range strings.SplitSeq(text, endOfTable) { // one that cannot be read costs its own table
			if err := t.restore(name, statement, x.Version > 0); err != nil {
				errs = append(errs, fmt.Errorf("read the tables of %s in a snapshot: %w", name, err))
			}
		}
	}
	return joinFirst(errs)
}

// endOfTable ends each statement of a snapshot.
const endOfTable = "; \n"

// restore makes the table of a statement of a snapshot known.
func (t *Tracker) restore(schema, statement string, ours bool) error {
	changes, err := ddl.Changes(statement, schema, ddl.Options{Server: t.opts.Server})
	for i := range changes {
		c := &changes[i]
		if c.Kind != ddl.Create || c.Create.Like != nil {
			continue
		}
		d := define(c.Create, c.Table, t.opts.Server, ours)
		if d.table.Certain = true; !d.sound() {
			return fmt.Errorf("%s lacks a name or a column", c.Table)
		}
		t.keep(c.Table, d)
	}
	return err
}

// sound reports whether a server could have the table: all names are there, and a column.
func (d *definition) sound() bool {
	return d.table.Name != "" && len(d.table.Columns) > 0 &&
		!slices.ContainsFunc(d.table.Columns, func(c Column) bool { return c.Name == "" || c.Type == "" }) &&
		!slices.ContainsFunc(d.keys, func(k ddl.Key) bool { return slices.Contains(k.Columns, "") })
}

// joinFirst keeps an error from growing with the number of schemas.
func joinFirst(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)
}

// writeCreate writes the statement that makes this definition.
func (d *definition) writeCreate(b *strings.Builder) {
	b.WriteString("CREATE TABLE ")
	writeName(b, d.table.Name)
	b.WriteString(" (")
	columns := d.table.Columns[:len(d.table.Columns)-d.hidden]
	for i := range columns {
		writeItem(b, i)
		columns[i].write(b)
	}
	for i := range d.keys {
		writeItem(b, len(columns)+i)
		writeKey(b, &d.keys[i])
	}
	b.WriteString("\n)")
	if d.charset != "" {
		b.WriteString(" DEFAULT CHARSET=" + d.charset)
	}
	if d.hidden > 0 {
		b.WriteString(" WITH SYSTEM VERSIONING")
	}
}

func writeItem(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
	b.WriteString("\n\t")
}

func writeName(b *strings.Builder, name string) {
	b.WriteByte('`')
	b.WriteString(strings.ReplaceAll(name, "`", "``"))
	b.WriteByte('`')
}

func (c *Column) write(b *strings.Builder) {
	writeName(b, c.Name)
	b.WriteString(" " + c.Type)
	if c.Charset != "" {
		b.WriteString(" CHARACTER SET " + c.Charset)
	}
	if c.Nullable {
		b.WriteString(" NULL")
	} else {
		b.WriteString(" NOT NULL")
	}
}

func writeKey(b *strings.Builder, k *ddl.Key) {
	switch k.Kind {
	case ddl.PrimaryKey:
		b.WriteString("PRIMARY KEY ")
	case ddl.UniqueKey:
		b.WriteString("UNIQUE KEY ")
	default:
		b.WriteString("KEY ")
	}
	if k.Kind != ddl.PrimaryKey {
		writeName(b, k.Name)
		b.WriteByte(' ')
	}
	b.WriteByte('(')
	if k.Expressions == 0 {
		for i, c := range k.Columns {
			if i > 0 {
				b.WriteByte(',')
			}
			writeName(b, c)
		}
	} else {
		writeExpressions(b, k)
	}
	b.WriteByte(')')
	if k.Hash {
		b.WriteString(" USING HASH")
	}
}

// writeExpressions writes a key with parts that are expressions. Which of its
// columns are in which part is not kept, and does not matter to rows: all are put
// into the first expression.
func writeExpressions(b *strings.Builder, k *ddl.Key) {
	b.WriteString("(")
	for _, c := range k.Columns {
		writeName(b, c)
		b.WriteByte('+')
	}
	b.WriteString("1)")
	for range k.Expressions - 1 {
		b.WriteString(",(1)")
	}
}
