package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// Loader reads table definitions from the live source, as SHOW CREATE TABLE
// prints them. It returns errors that match ErrNoTable and ErrNoPrivilege.
type Loader interface {
	LoadTable(ctx context.Context, schema, table string) (createSQL string, err error)
}

// defaultMaxTables is Options.MaxTables when that is 0.
const defaultMaxTables = 100_000

// Options are the settings of a Tracker. The zero value serves a MySQL 5.x
// server with case-sensitive names.
type Options struct {
	Server              ddl.Server
	LowerCaseTableNames int  // the server's variable: with 1 and 2, names are compared without case
	HiddenKey           bool // the source is RDS or PolarDB-X: see entry.Options.HiddenKey
	RDS                 bool // mysql.ha_health_check has a made-up layout
	MaxTables           int  // tables kept; beyond, some are forgotten and loaded again when needed
}

// Tracker knows the tables of a source at the position of the stream. Tables
// that the stream has created are followed through its DDL, others are loaded
// from the live source when rows show them, and checked against the rows.
//
// It serves one goroutine at a time, in stream order; only Layouts may be called
// from anywhere. The tables it returns are immutable and may be used anywhere.
type Tracker struct {
	loader  Loader
	opts    Options
	schemas map[string]string // default character sets of schemas that the stream created
	change  Change            // that is being followed; zero while there is none

	mu     sync.Mutex // held by the one goroutine while it changes tables, and by Layouts
	tables map[ddl.Name]*definition

	// resolved are the answers for the table maps seen since the last change.
	resolved map[uint64]answer
}

// answer is what Table returned for a table map.
type answer struct {
	m     *binlog.TableMap
	table *Table
	err   error
}

// NewTracker makes a Tracker that knows nothing yet.
func NewTracker(l Loader, o Options) *Tracker {
	if o.MaxTables <= 0 {
		o.MaxTables = defaultMaxTables
	}
	t := &Tracker{loader: l, opts: o}
	t.Reset(false)
	return t
}

// Reset forgets what may no longer hold after a reconnect. With samePlace the
// stream goes on where it stopped, at the same server, and what is known from
// the stream is kept.
func (t *Tracker) Reset(samePlace bool) {
	t.resolved = make(map[uint64]answer)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !samePlace {
		t.tables, t.schemas = make(map[ddl.Name]*definition), make(map[string]string)
		return
	}
	for name, d := range t.tables {
		if !d.table.Certain {
			delete(t.tables, name)
		}
	}
}

// key is the name under which a table is kept.
func (t *Tracker) key(n ddl.Name) ddl.Name {
	if t.opts.LowerCaseTableNames == 0 {
		return n
	}
	return ddl.Name{Schema: strings.ToLower(n.Schema), Table: strings.ToLower(n.Table)}
}

// Table returns the version of a table for rows that m describes at the
// current position. It may load the table from the source. Answers, ErrNoTable,
// ErrNoPrivilege and ErrMismatch among them, hold until the next DDL or Reset;
// other errors come from the loader and are worth another try.
//
// A table with more columns than the rows is returned when the columns it
// shares with them, from the left, go together: that is how Canal pairs them.
func (t *Tracker) Table(ctx context.Context, schema, name string, m *binlog.TableMap) (*Table, error) {
	if a, ok := t.resolved[m.ID]; ok && (a.m == m || sameMap(a.m, m)) {
		return a.table, a.err
	}
	table, err := t.resolve(ctx, ddl.Name{Schema: schema, Table: name}, m)
	if err == nil || errors.Is(err, ErrNoTable) || errors.Is(err, ErrNoPrivilege) || errors.Is(err, ErrMismatch) {
		if len(t.resolved) >= 2*t.opts.MaxTables {
			clear(t.resolved)
		}
		t.resolved[m.ID] = answer{m, table, err}
	}
	return table, err
}

// sameMap reports whether two table maps say the same.
func sameMap(a, b *binlog.TableMap) bool {
	if len(a.Meta) != len(b.Meta) || !bytes.Equal(a.Types, b.Types) || !bytes.Equal(a.Name, b.Name) ||
		!bytes.Equal(a.Schema, b.Schema) || !bytes.Equal(a.Optional, b.Optional) {
		return false
	}
	for i := range a.Meta {
		if a.Meta[i] != b.Meta[i] {
			return false
		}
	}
	return true
}

// resolve finds the definition that goes best with the rows.
func (t *Tracker) resolve(ctx context.Context, name ddl.Name, m *binlog.TableMap) (*Table, error) {
	if table := t.mocked(name); table != nil {
		return table, nil
	}
	r := &rows{TableMap: m, meta: &binlog.Metadata{}, server: t.opts.Server, hidden: t.opts.HiddenKey}
	if len(m.Optional) > 0 {
		if md, err := m.Metadata(); err == nil { // else the columns are judged without
			r.meta = md
		}
	}
	known := t.tables[t.key(name)]
	if known != nil && known.spelled {
		table := known.forRows(r)
		if q, _ := r.judge(table); q == perfect {
			return table, nil
		}
	}
	live, err := t.load(ctx, name)
	if err != nil && known == nil && !r.meta.HasNames {
		return nil, err
	}
	if known != nil && (errors.Is(err, ErrNoTable) || errors.Is(err, ErrNoPrivilege)) {
		known.spelled = true // there is nothing to compare with
	}
	best := t.choose(r, known, live)
	if best == nil {
		if r.meta.HasNames {
			return r.byName(nil, name.Schema, name.Table), nil
		}
		return nil, err
	}
	t.keep(name, best)
	return r.settle(best.forRows(r), name)
}

// choose compares what is known with the live definition; either may be nil.
// The known one takes over the server's spelling of types.
func (t *Tracker) choose(r *rows, known, live *definition) *definition {
	if known == nil || live == nil {
		if known == nil {
			return live
		}
		return known
	}
	knownQuality, _ := r.judge(known.forRows(r))
	liveQuality, _ := r.judge(live.forRows(r))
	if liveQuality > knownQuality || liveQuality == knownQuality && !known.table.Certain {
		return live
	}
	if !known.spelled {
		known = known.clone()
		known.spell(live)
	}
	return known
}

// settle makes the best definition go with the rows, if it can be done.
func (r *rows) settle(t *Table, name ddl.Name) (*Table, error) {
	q, reason := r.judge(t)
	switch {
	case q == perfect:
		return t, nil
	case r.meta.HasNames:
		return r.byName(t, name.Schema, name.Table), nil
	case q == byPlace:
		return r.adapt(t), nil
	}
	return nil, &MismatchError{Schema: name.Schema, Table: name.Table, Reason: reason, Closest: t}
}

// load reads a definition from the live source.
func (t *Tracker) load(ctx context.Context, name ddl.Name) (*definition, error) {
	text, err := t.loader.LoadTable(ctx, name.Schema, name.Table)
	if err != nil {
		return nil, fmt.Errorf("load definition of %s: %w", name, err)
	}
	create, err := ddl.ParseCreateTable(text, ddl.Options{Server: t.opts.Server})
	if err != nil {
		return nil, fmt.Errorf("read definition of %s: %w", name, err)
	}
	return define(create, name, t.opts.Server, true), nil
}

// keep stores a definition, and makes room for it if need be: what was loaded
// goes before what the stream told.
func (t *Tracker) keep(name ddl.Name, d *definition) {
	key := t.key(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.tables[key]; !ok && len(t.tables) >= t.opts.MaxTables {
		t.evict()
	}
	switch {
	case t.change.SQL != "":
		d.since, d.change = time.Now(), t.change
	case d.since.IsZero():
		d.since = time.Now()
	}
	t.tables[key] = d
}

// forget removes a definition.
func (t *Tracker) forget(key ddl.Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tables, key)
}

// evictionSample is how many tables are looked at for one to be forgotten.
const evictionSample = 32

func (t *Tracker) evict() {
	n := 0
	var victim ddl.Name
	for name, d := range t.tables {
		victim = name
		if n++; !d.table.Certain || n == evictionSample {
			break
		}
	}
	delete(t.tables, victim)
}

// mocked returns the made-up layouts that Canal has for two tables of health
// checks (TableMetaCache's caller LogEventConvert).
func (t *Tracker) mocked(name ddl.Name) *Table {
	switch full := strings.ToLower(name.String()); {
	case full == "test.heartbeat":
		return &Table{Schema: name.Schema, Name: name.Table, Mocked: true, Columns: []Column{
			{Name: "id", Type: "smallint(6)", Key: true}, {Name: "ts", Type: "int(11)", Nullable: true},
		}}
	case full == "mysql.ha_health_check" && t.opts.RDS:
		return &Table{Schema: name.Schema, Name: name.Table, Mocked: true, Columns: []Column{
			{Name: "id", Type: "bigint(20)", Nullable: true}, {Name: "type", Type: "char(1)", Key: true},
		}}
	}
	return nil
}
