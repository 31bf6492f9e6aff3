package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/entry"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/schema"
)

// Quarantined is a table of which rows could not be given the names of their
// columns for certain. The other tables flow.
type Quarantined struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	Reason string `json:"reason"`
	Cause  string `json:"cause"` // one of the causes above Remedy

	Since    time.Time       `json:"since"`
	Origin   string          `json:"origin"`   // whose log Position is of: history.Place.Origin
	Position binlog.Position `json:"position"` // of the first rows event concerned

	// Until is where rows of the table could be decoded again; its File is "" while
	// they cannot.
	Until binlog.Position `json:"until"`

	// Events counts the rows events concerned since the process has started.
	Events int64 `json:"-"`

	// Marked says that the rows were delivered with made-up names, not held back.
	Marked bool `json:"marked,omitempty"`
}

// Causes of a quarantine.
const (
	causePrivilege = "privilege" // the definition may not be read
	causeType      = "type"      // a column is of a type that is not known
	causeNames     = "names"     // nothing tells for certain what the columns were called
)

func causeOf(err error) string {
	var unknown *binlog.ColumnTypeError
	var unsupported *entry.UnsupportedTypeError
	switch {
	case errors.Is(err, schema.ErrNoPrivilege):
		return causePrivilege
	case errors.As(err, &unknown), errors.As(err, &unsupported):
		return causeType
	}
	return causeNames
}

// Remedy says what a person can do.
func (q *Quarantined) Remedy() string {
	again := fmt.Sprintf("move the cursor back to %s:%d", q.Position.File, q.Position.Offset)
	if q.Until.File != "" {
		return fmt.Sprintf("its rows before %s are missing or nameless at clients: copy the table to them anew, or %s if they can be read now", q.Until, again)
	}
	switch q.Cause {
	case causePrivilege:
		return "grant SELECT on the table to the user of the instance and " + again
	case causeType:
		return "use a version that knows the type and " + again + ", or leave the table out by canal.instance.filter.black.regex"
	}
	return "for rows that tell the names of their columns set binlog_row_metadata=FULL at the source (from MySQL 8.0.1 and MariaDB 10.5 on); " +
		"copy the table to the clients anew, or leave it out by canal.instance.filter.black.regex"
}

// maxQuarantined bounds the list; beyond it tables are held back all the same, and
// the log tells of them.
const maxQuarantined = 1000

// Quarantine returns the tables in quarantine, by the order in which they got there.
func (p *Pipeline) Quarantine() []Quarantined {
	k := &p.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Clone(k.state.Quarantine)
	for i := range all {
		all[i].Events = k.events[tableName{all[i].Schema, all[i].Table}]
	}
	return all
}

// ReadQuarantine returns the tables that a history tells are in quarantine, without
// their Events, for who looks at it while no Pipeline has it, or beside one. A start
// at a place before rows that were held back forgets that they were.
func ReadQuarantine(ctx context.Context, l history.Log) ([]Quarantined, error) {
	text, err := l.State(ctx)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	var st keeperState
	if err := json.Unmarshal(text, &st); err != nil {
		return nil, fmt.Errorf("the state of the history cannot be read: %w", err)
	}
	return st.Quarantine, nil
}

// quarantine notes that rows of a table cannot be decoded. It is written down before
// anything behind these rows is handed on.
func (t *tableMaps) quarantine(ctx context.Context, n tableName, at binlog.Position, reason error, marked bool) error {
	k := &t.d.p.keeper
	fresh := false
	err := k.change(ctx, func(st *keeperState) bool {
		i := slices.IndexFunc(st.Quarantine, func(q Quarantined) bool { return q.Schema == n.schema && q.Table == n.table })
		switch {
		case i >= 0 && st.Quarantine[i].Until.File == "":
			return false
		case i >= 0:
			q := &st.Quarantine[i]
			q.Until, q.Reason, q.Cause = binlog.Position{}, reason.Error(), causeOf(reason)
		case len(st.Quarantine) >= maxQuarantined:
			return false
		default:
			st.Quarantine = append(st.Quarantine, Quarantined{Schema: n.schema, Table: n.table, Reason: reason.Error(), Cause: causeOf(reason),
				Since: time.Now().Round(time.Second), Origin: k.origin, Position: at, Marked: marked})
		}
		fresh = true
		return true
	})
	if err != nil {
		return err
	}
	if key := n.schema + "." + n.table; fresh || !t.warned[key] {
		t.warned[key] = true
		q := Quarantined{Position: at, Cause: causeOf(reason)}
		what := "rows of a table are held back, because they cannot be decoded for certain; other tables go on"
		if marked {
			what = "rows of a table are delivered with made-up names of columns (@1, @2, …), because their own are not certain"
		}
		t.d.p.o.Logger.Error(what, "table", key, "position", at.String(), "reason", reason, "remedy", q.Remedy())
	}
	return nil
}

// release notes that rows of a table can be decoded again.
func (t *tableMaps) release(ctx context.Context, n tableName, at binlog.Position) error {
	k := &t.d.p.keeper
	if !k.held(n) {
		return nil
	}
	t.d.p.o.Logger.Warn("rows of a table that was in quarantine are delivered again from here on; those before are missing at the client",
		"table", n.schema+"."+n.table, "position", at.String())
	return k.change(ctx, func(st *keeperState) bool {
		for i := range st.Quarantine {
			if q := &st.Quarantine[i]; q.Schema == n.schema && q.Table == n.table && q.Until.File == "" {
				q.Until = at
			}
		}
		return true
	})
}

// held reports whether rows of a table are in quarantine now.
func (k *keeper) held(n tableName) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.state.Quarantine, func(q Quarantined) bool {
		return q.Schema == n.schema && q.Table == n.table && q.Until.File == ""
	})
}

// counted counts a rows event of a table in quarantine.
func (k *keeper) counted(n tableName) {
	k.p.stats.heldRows.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.events == nil {
		k.events = make(map[tableName]int64)
	}
	if _, ok := k.events[n]; ok || len(k.events) < maxQuarantined {
		k.events[n]++
	}
}

// Dismiss takes a table out of the list of Quarantine, for a person who has seen to
// it. It is false when the table is not there. One of which rows cannot be decoded is
// back with its next rows.
func (p *Pipeline) Dismiss(ctx context.Context, schemaName, table string) (bool, error) {
	found := false
	err := p.keeper.change(ctx, func(st *keeperState) bool {
		st.Quarantine = slices.DeleteFunc(st.Quarantine, func(q Quarantined) bool {
			same := q.Schema == schemaName && q.Table == table
			found = found || same
			return same
		})
		if found {
			p.keeper.dismissed.Add(1)
		}
		return found
	})
	return found, err
}

// unresolved decides about a table whose rows cannot be decoded, as
// towpath.instance.table.mismatch says. With canal.instance.filter.table.error its
// rows are skipped, as in Canal.
func (t *tableMaps) unresolved(ctx context.Context, m *mapped, n tableName, at binlog.Position, err error) error {
	if !isTableError(err) {
		return fmt.Errorf("table %s.%s cannot be decoded: %w", n.schema, n.table, err)
	}
	m.plan, m.table = nil, nil
	o := &t.d.p.o.Instance
	switch {
	case o.FilterTableErr:
		t.skip(n, err)
		return nil
	case o.TableMismatch == config.MismatchStop:
		return fmt.Errorf("table %s.%s cannot be decoded: %w; to go on without it add it to canal.instance.filter.black.regex, set canal.instance.filter.table.error=true to skip all such tables, or towpath.instance.table.mismatch=hold to hold back their rows", n.schema, n.table, err)
	case o.TableMismatch == config.MismatchMark && m.m != nil:
		if plan, e := t.newPlan(t.d.p.tracker.Unnamed(n.schema, n.table, m.m), m.m); e == nil {
			m.plan = plan
			return t.quarantine(ctx, n, at, err, true)
		}
	}
	m.held = true
	return t.quarantine(ctx, n, at, err, false)
}

// skip tells once that rows of a table are skipped.
func (t *tableMaps) skip(n tableName, err error) {
	t.d.p.stats.skippedRows.Add(1)
	if key := n.schema + "." + n.table; !t.warned[key] {
		t.warned[key] = true
		t.d.p.o.Logger.Warn("rows of a table are skipped, because canal.instance.filter.table.error is on",
			"table", key, "error", err)
	}
}

// isTableError says whether an error is about one table, not about the
// connection to the source.
func isTableError(err error) bool {
	var unknown *binlog.ColumnTypeError
	return schema.IsAboutTable(err) || isColumnError(err) || errors.As(err, &unknown)
}
