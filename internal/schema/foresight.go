package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// maxForeseen bounds what is kept of the log ahead. With more changes than that
// no definition that is read counts as certain.
const maxForeseen = 100_000

var errTooMuch = fmt.Errorf("%w: more than %d changes of tables", ErrNoForesight, maxForeseen)

// foresight knows the changes of tables that stand in the log ahead of the stream.
type foresight struct {
	from, to binlog.Position // the part of the log that was read; zero when none was
	changes  []foreseen      // in order
	full     binlog.Position // before it there is no use in reading on: it would be too much
	mode     ddl.Server
}

// foreseen is a change ahead.
type foreseen struct {
	at     binlog.Position
	change ddl.Change
	text   string // of a statement that could not be read: it is about tables it mentions
}

// extend reads on so that the part of the log from one place to the other is
// known. The stream moves on: what it has passed is forgotten.
func (f *foresight) extend(ctx context.Context, l Live, from, to binlog.Position) error {
	if to.Compare(from) <= 0 {
		return nil
	}
	if f.from.IsZero() || from.Compare(f.from) < 0 || from.Compare(f.to) > 0 {
		f.from, f.to, f.changes = from, from, nil
	}
	passed, _ := slices.BinarySearchFunc(f.changes, from, func(c foreseen, p binlog.Position) int { return c.at.Compare(p) })
	f.changes = slices.Delete(f.changes, 0, passed)
	f.from = from
	if to.Compare(f.to) <= 0 {
		return nil
	}
	if from.Compare(f.full) < 0 {
		return errTooMuch
	}
	read := len(f.changes)
	if err := l.Ahead(ctx, f.to, to, f.add); err != nil {
		if errors.Is(err, errTooMuch) {
			f.full = f.changes[len(f.changes)/2].at
		}
		clear(f.changes[read:])
		f.changes = f.changes[:read]
		return fmt.Errorf("read ahead from %s to %s: %w", f.to, to, err)
	}
	f.to = to
	return nil
}

// add takes a statement of the log ahead.
func (f *foresight) add(s Statement) error {
	changes, err := ddl.Changes(s.SQL, s.Schema, ddl.OptionsFor(s.SQLMode, f.mode))
	for _, c := range changes {
		f.changes = append(f.changes, foreseen{at: s.Position, change: c})
	}
	if err != nil && len(changes) == 0 && mentions(s.SQL, "table") {
		f.changes = append(f.changes, foreseen{at: s.Position, text: s.SQL})
	}
	if len(f.changes) > maxForeseen {
		return errTooMuch
	}
	return nil
}

// fate is what becomes of a table between two places.
type fate struct {
	name    ddl.Name     // at the end
	altered [][]ddl.Item // by which statements, in order
	lost    string       // why the definition at the end says nothing of the one at the begin; "" when it does
}

// of follows a table from one place to another, both within what was read.
func (f *foresight) of(name ddl.Name, from, to binlog.Position, same func(a, b ddl.Name) bool) fate {
	r := fate{name: name}
	for i := range f.changes {
		c := &f.changes[i]
		if c.at.Compare(from) < 0 || c.at.Compare(to) >= 0 {
			continue
		}
		if r.follow(c, same); r.lost != "" {
			return r
		}
	}
	return r
}

func (r *fate) follow(c *foreseen, same func(a, b ddl.Name) bool) {
	lose := func(what string) { r.lost = fmt.Sprintf("%s at %s", what, c.at) }
	table := ddl.Name{Schema: c.change.Table.Schema}
	switch {
	case c.text != "":
		if mentions(c.text, r.name.Table) {
			lose("a statement that is not understood mentions it")
		}
	case c.change.Kind == ddl.DropSchema:
		if table.Table = r.name.Table; same(table, r.name) {
			lose("its schema is dropped")
		}
	case !same(c.change.Table, r.name):
	case c.change.Kind == ddl.Rename:
		r.name = c.change.To
	case c.change.Kind == ddl.Alter:
		r.altered = append(r.altered, c.change.Items)
	case c.change.Kind == ddl.Drop:
		lose("it is dropped")
	case c.change.Kind == ddl.Unknown:
		lose("a statement that is not understood is about it")
	case c.change.Kind == ddl.Create && !c.change.Create.IfNotExists:
		lose("it is created anew")
	}
}

// mentions says whether a word or name stands somewhere in a statement, in any case
// and not as a part of another word.
func mentions(sql, word string) bool {
	text, word := strings.ToLower(strings.ReplaceAll(sql, "``", "`")), strings.ToLower(word)
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 || word == "" {
			return false
		}
		begin, end := from+i, from+i+len(word)
		if !joins(text, begin) && !joins(text, end) {
			return true
		}
		from = begin + 1
	}
}

// joins reports whether the bytes on both sides of a place are of one word.
func joins(text string, at int) bool {
	return at > 0 && at < len(text) && inWord(text[at-1]) && inWord(text[at])
}

func inWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z'
}
