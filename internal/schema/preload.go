package schema

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// notLogged are the schemas of which the log has nothing, or as good as nothing:
// tables of the server itself, which are read when rows of them come.
var notLogged = []string{"information_schema", "performance_schema", "mysql", "sys"}

// LoadAll makes the Tracker know the wanted tables of the source as they were at a
// place of its log, and nothing else. Tables of which that cannot be known are left
// out; they are looked for again when rows of them come. It returns how many these
// are. After an error that matches ErrNoForesight all are left out.
func (t *Tracker) LoadAll(ctx context.Context, c Catalogue, want func(schema, table string) bool, at binlog.Position) (unknown int, err error) {
	t.Reset(false)
	charsets, err := c.Charsets(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the schemas of the source: %w", err)
	}
	for name, charset := range charsets {
		t.schemas[t.key(ddl.Name{Schema: name}).Schema] = charset
	}
	begin, err := c.End(ctx)
	if err != nil {
		return 0, fmt.Errorf("where the log ends: %w", err)
	}
	if err := t.ahead.extend(ctx, c, at, begin); err != nil {
		return 0, err
	}
	found := make(map[ddl.Name]*definition)
	var left []ddl.Name
	for _, schema := range slices.Sorted(maps.Keys(charsets)) {
		if slices.Contains(notLogged, strings.ToLower(schema)) {
			continue
		}
		more, err := t.loadSchema(ctx, c, schema, want, found)
		if err != nil {
			return 0, err
		}
		left = append(left, more...)
	}
	end, err := c.End(ctx)
	if err != nil {
		return 0, fmt.Errorf("where the log ends: %w", err)
	}
	if err := t.ahead.extend(ctx, c, at, end); err != nil {
		return 0, err
	}
	for name, d := range found {
		before, ok := t.before(name, at, begin, end)
		if !ok {
			unknown++
			continue
		}
		if d, err = d.undo(before.altered); err != nil || !d.typed() {
			unknown++
			continue
		}
		d = d.renamed(before.name)
		d.table.Certain = true
		t.keep(before.name, d)
	}
	for name := range found {
		left = append(left, name)
	}
	t.leave(left, begin)
	return unknown, nil
}

// leave notes which tables may be there without being known: those that are left
// over at the end of the log, and those of which the log ahead tells.
func (t *Tracker) leave(left []ddl.Name, begin binlog.Position) {
	t.complete = true
	for _, name := range left {
		if old, ok := t.ahead.origin(name, begin, t.same); ok {
			t.suspect(t.key(old))
		}
	}
	born := make(map[ddl.Name]bool)
	for i := range t.ahead.changes {
		switch c := &t.ahead.changes[i].change; {
		case t.ahead.changes[i].text != "": // it may be about any table
			t.complete = false
		case c.Kind == ddl.DropSchema:
			t.suspect(ddl.Name{Schema: t.key(c.Table).Schema})
		case c.Kind == ddl.CreateSchema:
		case c.Kind == ddl.Create:
			born[t.key(c.Table)] = !c.Create.IfNotExists
		case !born[t.key(c.Table)]:
			t.suspect(t.key(c.Table))
		}
	}
	for _, schema := range notLogged {
		t.doubts[ddl.Name{Schema: schema}] = true
	}
}

// suspect notes a table that may be there, unless it is known.
func (t *Tracker) suspect(key ddl.Name) {
	if t.tables[key] == nil {
		t.doubts[key] = true
	}
}

// loadSchema reads the wanted tables of a schema, and returns the names of others.
func (t *Tracker) loadSchema(ctx context.Context, c Catalogue, schema string, want func(schema, table string) bool, found map[ddl.Name]*definition) (left []ddl.Name, err error) {
	names, err := c.TableNames(ctx, schema)
	if IsAboutTable(err) {
		t.doubts[ddl.Name{Schema: t.key(ddl.Name{Schema: schema}).Schema}] = true
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the tables of %s: %w", schema, err)
	}
	for _, table := range names {
		name := ddl.Name{Schema: schema, Table: table}
		if !want(schema, table) && !t.ahead.renames(name, t.same) {
			left = append(left, name)
			continue
		}
		d, err := t.load(ctx, name)
		switch {
		case err == nil:
			found[name] = d
		case IsAboutTable(err):
			left = append(left, name)
		default:
			return nil, err
		}
	}
	return left, nil
}

// before follows a table that is there at the end back to a place before: what it
// was called, and what altered it since. It is false when it was altered while it
// was read, between begin and end, or does not come from a table that was there.
func (t *Tracker) before(name ddl.Name, at, begin, end binlog.Position) (fate, bool) {
	if since := t.ahead.of(name, begin, end, t.same); since.lost != "" || len(since.altered) > 0 || since.name != name {
		return fate{}, false
	}
	old, ok := t.ahead.origin(name, begin, t.same)
	if !ok {
		return fate{}, false
	}
	f := t.ahead.of(old, at, begin, t.same)
	if f.lost != "" || !t.same(f.name, name) {
		return fate{}, false
	}
	f.name = old
	return f, true
}

// origin follows the renames of a table back from a place. It is false for one that
// is created on the way.
func (f *foresight) origin(name ddl.Name, to binlog.Position, same func(a, b ddl.Name) bool) (ddl.Name, bool) {
	for _, c := range slices.Backward(f.changes) {
		switch {
		case c.text != "" || c.at.Compare(to) >= 0:
		case c.change.Kind == ddl.Rename && same(c.change.To, name):
			name = c.change.Table
		case c.change.Kind == ddl.Create && same(c.change.Table, name) && !c.change.Create.IfNotExists:
			return name, false
		}
	}
	return name, true
}

// renames reports whether a table got its name from a statement ahead.
func (f *foresight) renames(name ddl.Name, same func(a, b ddl.Name) bool) bool {
	return slices.ContainsFunc(f.changes, func(c foreseen) bool {
		return c.text == "" && c.change.Kind == ddl.Rename && same(c.change.To, name)
	})
}

// typed reports whether undo has left no type open.
func (d *definition) typed() bool {
	return !slices.ContainsFunc(d.table.Columns, func(c Column) bool { return c.Type == "" })
}

// Learn makes the Tracker know a definition that was read from the source at this
// place before, as Options.Loaded was told.
func (t *Tracker) Learn(name ddl.Name, createSQL string) error {
	create, err := ddl.ParseCreateTable(createSQL, ddl.Options{Server: t.opts.Server})
	if err != nil {
		return fmt.Errorf("read definition of %s: %w", name, err)
	}
	d := define(create, name, t.opts.Server, true)
	d.table.Certain = true
	clear(t.resolved)
	t.keep(name, d)
	return nil
}
