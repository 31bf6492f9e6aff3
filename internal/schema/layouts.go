package schema

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// Change is a statement of the stream that changes tables.
type Change struct {
	Position binlog.Position // where it stands
	SQL      string
}

// maxChangeText bounds, in bytes, what is kept of a statement.
const maxChangeText = 2048

// Follow tells what the statements are that Apply and ApplyMode follow from now
// on, for Layouts; the zero Change that nothing is followed.
func (t *Tracker) Follow(c Change) {
	if len(c.SQL) > maxChangeText {
		c.SQL = strings.Clone(strings.ToValidUTF8(c.SQL[:maxChangeText], "")) + "…"
	}
	t.change = c
}

// Layout is a table as it is known at the place of the stream.
type Layout struct {
	Table  *Table
	Since  time.Time // when it became known
	Change Change    // the statement that made it what it is; zero when it was read from the source
}

// Layouts returns the tables that are known, by schema and name: all, those of a
// schema, or the one table of a schema. Names are compared as the source does. It
// may be called from any goroutine.
func (t *Tracker) Layouts(schema, table string) []Layout {
	same := func(a, b string) bool {
		return b == "" || a == b || t.opts.LowerCaseTableNames != 0 && strings.EqualFold(a, b)
	}
	var all []Layout
	t.mu.Lock()
	for _, d := range t.tables {
		if same(d.table.Schema, schema) && same(d.table.Name, table) {
			all = append(all, Layout{Table: d.table, Since: d.since, Change: d.change})
		}
	}
	t.mu.Unlock()
	slices.SortFunc(all, func(a, b Layout) int {
		return cmp.Or(strings.Compare(a.Table.Schema, b.Table.Schema), strings.Compare(a.Table.Name, b.Table.Name))
	})
	return all
}
