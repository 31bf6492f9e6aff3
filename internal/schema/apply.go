package schema

import (
	"context"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// Apply follows a statement of the stream, as ApplyMode does with the default sql_mode.
func (t *Tracker) Apply(ctx context.Context, sql, currentSchema string) error {
	_, err := t.ApplyMode(ctx, sql, currentSchema, 0)
	return err
}

// ApplyMode follows a statement of the stream, written with the given
// sql_mode. currentSchema is the session's. It never loads anything. An error
// says that the statement could not be understood; the tables it is about have
// been forgotten then and are loaded again when they are needed, so the stream
// can go on. about says whether it is about tables or schemas at all.
func (t *Tracker) ApplyMode(_ context.Context, sql, currentSchema string, sqlMode uint64) (about bool, err error) {
	changes, err := ddl.Changes(sql, currentSchema, ddl.OptionsFor(sqlMode, t.opts.Server))
	if len(changes) > 0 {
		clear(t.resolved)
	}
	about = len(changes) > 0
	if err != nil && len(changes) == 0 && mentions(sql, "table") {
		t.forgetMentioned(sql)
		about = true
	}
	for i := range changes {
		if e := t.apply(&changes[i]); e != nil && err == nil {
			err = e
		}
	}
	if err != nil {
		return about, fmt.Errorf("follow statement: %w", err)
	}
	return about, nil
}

// forgetMentioned forgets the tables of which the names stand in a statement.
func (t *Tracker) forgetMentioned(sql string) {
	clear(t.resolved)
	for name := range t.tables {
		if mentions(sql, name.Table) {
			t.doubt(name)
		}
	}
}

// apply makes one change.
func (t *Tracker) apply(c *ddl.Change) error {
	key := t.key(c.Table)
	switch c.Kind {
	case ddl.Create:
		t.create(c)
	case ddl.Drop:
		t.gone(key)
	case ddl.Unknown:
		t.doubt(key)
	case ddl.Rename:
		d := t.tables[key]
		t.gone(key)
		if d != nil {
			t.keep(c.To, d.renamed(c.To))
		} else {
			t.doubt(t.key(c.To))
		}
	case ddl.Alter:
		return t.alter(c)
	case ddl.CreateSchema:
		if _, ok := t.schemas[key.Schema]; !ok || !c.IfNotExists {
			t.schemas[key.Schema] = c.Charset
		}
	case ddl.DropSchema:
		delete(t.schemas, key.Schema)
		delete(t.doubts, ddl.Name{Schema: key.Schema})
		for name := range t.tables {
			if name.Schema == key.Schema {
				t.forget(name)
			}
		}
		for name := range t.doubts {
			if name.Schema == key.Schema {
				delete(t.doubts, name)
			}
		}
	}
	return nil
}

// create follows a CREATE TABLE.
func (t *Tracker) create(c *ddl.Change) {
	key := t.key(c.Table)
	if c.Create.IfNotExists && t.tables[key] != nil {
		return // the server logs the statement whether it did something or not
	}
	certain := !c.Create.IfNotExists || !t.doubtful(key)
	t.doubt(key)
	if c.Create.Select {
		return // the query may add columns
	}
	if like := c.Create.Like; like != nil {
		if d := t.tables[t.key(*like)]; d != nil && certain {
			t.keep(c.Table, d.renamed(c.Table))
		}
		return
	}
	create := *c.Create
	if create.Charset == "" {
		create.Charset = t.schemas[key.Schema]
	}
	d := define(&create, c.Table, t.opts.Server, false)
	d.table.Certain = certain
	t.keep(c.Table, d)
}

// alter follows an ALTER TABLE on a known table.
func (t *Tracker) alter(c *ddl.Change) error {
	key := t.key(c.Table)
	d := t.tables[key]
	if d == nil {
		return nil
	}
	altered, err := d.alter(withCharset(c.Items, t.schemas[key.Schema]), t.opts.Server)
	if err != nil {
		t.doubt(key)
		if d.table.Certain {
			return err
		}
		return nil // the live definition was already altered
	}
	t.keep(c.Table, altered)
	return nil
}
