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

	// Set when the rows are first met, and again after a DDL or a new filter.
	resolved bool
	changes  uint64 // of tableMaps when it was resolved
	names    *nameFilter
	table    *schema.Table
	plan     *entry.Plan // nil when the rows are not wanted
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

// plan returns how the rows of an event are encoded. It is false when nobody
// wants them.
func (t *tableMaps) plan(ctx context.Context, h binlog.Header, body []byte, f *binlog.FormatDescription) (*entry.Plan, bool, error) {
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
	names := t.d.p.names.Load()
	if m.resolved && m.changes == t.changes && m.names == names {
		return m.plan, m.plan != nil, nil
	}
	if err := t.resolve(ctx, m, names); err != nil {
		return nil, false, err
	}
	m.resolved, m.changes, m.names = true, t.changes, names
	return m.plan, m.plan != nil, nil
}

// resolve finds the table of a map and prepares its plan.
func (t *tableMaps) resolve(ctx context.Context, m *mapped, names *nameFilter) error {
	name, err := t.names(m)
	if err != nil {
		return err
	}
	if !names.wants(name.schema, name.table) {
		m.plan, m.table = nil, nil
		return nil
	}
	if m.err != nil {
		return t.unresolved(m, name, m.err)
	}
	table, err := t.d.p.tracker.Table(ctx, name.schema, name.table, m.m)
	if err != nil {
		return t.unresolved(m, name, err)
	}
	if m.plan != nil && m.table == table {
		return nil
	}
	if m.plan, err = entry.NewPlan(table, m.m, t.options); err != nil {
		return t.unresolved(m, name, err)
	}
	m.table = table
	t.unknownMetadata(m.m, name)
	return nil
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

// unresolved decides about a table whose rows cannot be decoded. With
// canal.instance.filter.table.error the rows are skipped; otherwise the error
// ends the dump, for losing rows silently is worse than standing still.
func (t *tableMaps) unresolved(m *mapped, n tableName, err error) error {
	if err == nil {
		return nil
	}
	if t.d.p.o.Instance.FilterTableErr && isTableError(err) {
		m.plan, m.table = nil, nil
		t.d.p.stats.skippedRows.Add(1)
		if key := n.schema + "." + n.table; !t.warned[key] {
			t.warned[key] = true
			t.d.p.o.Logger.Warn("rows of a table are skipped, because canal.instance.filter.table.error is on",
				"table", key, "error", err)
		}
		return nil
	}
	return fmt.Errorf("table %s.%s cannot be decoded: %w; to go on without it add it to canal.instance.filter.black.regex, or set canal.instance.filter.table.error=true to skip all such tables", n.schema, n.table, err)
}

// apply follows a statement that may change tables. One that is not understood
// is no reason to stop: its tables are loaded anew when rows show them.
func (t *tableMaps) apply(ctx context.Context, sql, current string, mode uint64, at binlog.Position) {
	t.changes++
	t.d.p.scannedDDL++
	t.d.p.tracker.Follow(schema.Change{Position: at, SQL: sql})
	defer t.d.p.tracker.Follow(schema.Change{})
	if err := t.d.p.tracker.ApplyMode(ctx, sql, current, mode); err != nil {
		t.d.p.o.Logger.Warn("a statement is not understood; definitions of its tables are read from the source when they are needed",
			"position", at.String(), "statement", abbreviate(sql), "error", err)
	}
}

// isTableError says whether an error is about one table, not about the
// connection to the source.
func isTableError(err error) bool {
	var count *entry.ColumnCountError
	var unknown *binlog.ColumnTypeError
	var unsupported *entry.UnsupportedTypeError
	return errors.Is(err, schema.ErrNoTable) || errors.Is(err, schema.ErrNoPrivilege) || errors.Is(err, schema.ErrMismatch) ||
		errors.As(err, &count) || errors.As(err, &unknown) || errors.As(err, &unsupported)
}
