package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/entry"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/source"
)

// dummyTableID is what MySQL writes in a rows event without rows that only ends
// its statement (Table_id::DUMMY, 24 bits in Rows_log_event::do_apply_event).
const dummyTableID = 0x00ffffff

// maxTableMaps bounds the table maps remembered; beyond it they are forgotten
// and come again with the next event of each table.
const maxTableMaps = 1 << 16

// tableMaps are the table maps of a dump by table id, with what rows of each
// table need. A table id stands for one version of a table until the source
// closes it, so the same bytes under the same id need no second look.
type tableMaps struct {
	d       *dump
	byID    map[uint64]*mapped
	changes uint64 // grows with each statement that may have changed a table
	options entry.Options
	warned  map[string]bool // tables whose rows are skipped
}

// mapped is one table map.
type mapped struct {
	body []byte // of the event, to see whether it is the same again
	m    *binlog.TableMap
	err  error // the map could not be read

	// Set when the rows are first met, and again after a DDL, a new filter or a
	// dismissal.
	resolved  bool
	changes   uint64 // of tableMaps when it was resolved
	dismissed int64  // of keeper when it was resolved
	names     *nameFilter
	table     *schema.Table
	plan      *entry.Plan // nil when the rows are not wanted, or held back
	held      bool        // the rows are in quarantine
	name      tableName
}

func (t *tableMaps) init(d *dump) {
	t.d = d
	t.byID = make(map[uint64]*mapped)
	t.warned = make(map[string]bool)
	p := d.p
	t.options = entry.Options{Charset: p.charset, Zone: p.zone, Keep: p.fields.Keep}
	switch {
	case d.s.Server.PolarX:
		t.options.HiddenKey = "_drds_implicit_id_"
	case d.s.Server.RDS:
		t.options.HiddenKey = "__#alibaba_rds_row_id#__"
	}
}

// rotated forgets what a new file may say anew: a restarted source counts
// table ids from the start.
func (t *tableMaps) rotated() { clear(t.byID) }

// add takes a table map event. One that cannot be read is remembered, because
// it only matters when rows of it are wanted.
func (t *tableMaps) add(body []byte, f *binlog.FormatDescription) error {
	id, ok := tableID(body, f, binlog.EventTableMap)
	if !ok {
		return fmt.Errorf("table map event of %d bytes", len(body))
	}
	if old := t.byID[id]; old != nil && bytes.Equal(old.body, body) {
		return nil
	}
	if len(t.byID) >= maxTableMaps {
		clear(t.byID)
	}
	m, err := binlog.ParseTableMap(body, f)
	t.byID[id] = &mapped{body: bytes.Clone(body), m: m, err: err}
	return nil
}

// tableID reads the table id at the start of a table map or rows event.
func tableID(body []byte, f *binlog.FormatDescription, typ binlog.EventType) (uint64, bool) {
	width := 6
	if f != nil && int(typ) <= len(f.PostHeaderLengths) && f.PostHeaderLengths[typ-1] == 6 {
		width = 4
	}
	if len(body) < width {
		return 0, false
	}
	var b [8]byte
	copy(b[:], body[:width])
	return binary.LittleEndian.Uint64(b[:]), true
}

// plan returns how the rows of an event at a place are encoded. It is false when
// nobody wants them, or nobody can have them.
func (t *tableMaps) plan(ctx context.Context, h binlog.Header, body []byte, f *binlog.FormatDescription, at binlog.Position) (*entry.Plan, bool, error) {
	id, ok := tableID(body, f, h.Type)
	if !ok {
		return nil, false, fmt.Errorf("rows event of %d bytes", len(body))
	}
	if id == dummyTableID {
		return nil, false, nil
	}
	m := t.byID[id]
	if m == nil {
		return nil, false, fmt.Errorf("rows of table id %d, which no table map has announced: %w", id, source.ErrNeedTransactionStart)
	}
	names, dismissed := t.d.p.names.Load(), t.d.p.keeper.dismissed.Load()
	if !m.resolved || m.changes != t.changes || m.names != names || m.dismissed != dismissed {
		if err := t.resolve(ctx, m, names, at); err != nil {
			return nil, false, err
		}
		m.resolved, m.changes, m.names, m.dismissed = true, t.changes, names, dismissed
	}
	if m.held {
		t.d.p.keeper.counted(m.name)
	}
	return m.plan, m.plan != nil, nil
}

// resolve finds the table of a map and prepares its plan.
func (t *tableMaps) resolve(ctx context.Context, m *mapped, names *nameFilter, at binlog.Position) error {
	name, err := t.names(m)
	if err != nil {
		return err
	}
	m.name, m.held = name, false
	if !names.wants(name.schema, name.table) {
		m.plan, m.table = nil, nil
		return nil
	}
	if m.err != nil {
		return t.unresolved(ctx, m, name, at, m.err)
	}
	table, err := t.d.p.tracker.Table(ctx, name.schema, name.table, m.m, at)
	if err != nil {
		return t.unresolved(ctx, m, name, at, err)
	}
	if m.plan == nil || m.table != table {
		if m.plan, err = t.newPlan(table, m.m); err != nil {
			return t.unresolved(ctx, m, name, at, err)
		}
		m.table = table
		t.unknownMetadata(m.m, name)
	}
	return t.release(ctx, name, at)
}

func (t *tableMaps) newPlan(table *schema.Table, m *binlog.TableMap) (*entry.Plan, error) {
	return entry.NewPlan(table, m, t.options)
}

// tableName is the name of a table in the connection's charset.
type tableName struct{ schema, table string }

// names reads the names of a map, also of one whose columns cannot be read.
func (t *tableMaps) names(m *mapped) (tableName, error) {
	if m.m != nil {
		return tableName{t.text(m.m.Schema), t.text(m.m.Name)}, nil
	}
	var unknown *binlog.ColumnTypeError
	if errors.As(m.err, &unknown) {
		return tableName{t.text([]byte(unknown.Schema)), t.text([]byte(unknown.Table))}, nil
	}
	return tableName{}, m.err
}

func (t *tableMaps) text(b []byte) string { return string(t.d.p.charset.Append(nil, b)) }

// apply follows a statement that may change tables.
func (t *tableMaps) apply(ctx context.Context, st schema.Statement) error {
	t.changes++
	t.d.p.scannedDDL++
	return t.d.p.keeper.apply(ctx, st)
}

// isColumnError says whether a plan could not be made for the columns of a table.
func isColumnError(err error) bool {
	var count *entry.ColumnCountError
	var unsupported *entry.UnsupportedTypeError
	return errors.As(err, &count) || errors.As(err, &unsupported)
}
