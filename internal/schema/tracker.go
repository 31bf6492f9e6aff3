package schema

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

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

	// Loaded is told of a definition that was read from the source because rows at
	// that place needed it, as a CREATE TABLE statement. Its error is that of Table.
	// nil when nobody wants to know.
	Loaded func(ctx context.Context, at binlog.Position, name ddl.Name, createSQL string) error

	// Healed is told that what was known of a table did not fit its rows, and that
	// something that does was found. nil when nobody wants to know.
	Healed func(name ddl.Name, reason string)
}

// Tracker knows the tables of a source at the position of the stream. Tables
// that the stream has created are followed through its DDL, others are loaded
// from the live source when rows show them, and checked against the rows.
//
// What is loaded is the table as it is now. A Loader that is also Live tells what
// the log has ahead of the stream, so that the table can be given as it was, or
// not at all.
//
// It serves one goroutine at a time, in stream order; only Layouts may be called
// from anywhere. The tables it returns are immutable and may be used anywhere.
type Tracker struct {
	loader  Loader
	opts    Options
	schemas map[string]string // default character sets of schemas
	change  Change            // that is being followed; zero while there is none
	ahead   foresight

	// What may be there at the source without being in tables. complete says that
	// doubts has all of it; a name without table stands for a whole schema.
	complete bool
	doubts   map[ddl.Name]bool

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
	t := &Tracker{loader: l, opts: o, ahead: foresight{mode: o.Server}}
	t.Reset(false)
	return t
}

// SetLoader replaces the Loader, after a reconnect.
func (t *Tracker) SetLoader(l Loader) { t.loader = l }

// Reset forgets what may no longer hold after a reconnect. With samePlace the
// stream goes on where it stopped, at the same server, and what is known from
// the stream is kept.
func (t *Tracker) Reset(samePlace bool) {
	t.resolved = make(map[uint64]answer)
	t.ahead = foresight{mode: t.opts.Server}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !samePlace {
		t.complete, t.doubts = false, make(map[ddl.Name]bool)
		t.tables, t.schemas = make(map[ddl.Name]*definition), make(map[string]string)
		return
	}
	for name, d := range t.tables {
		if !d.table.Certain {
			t.doubts[name] = true
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

// Table returns the version of a table for rows that m describes, of which the
// event stands at that place. It may load the table from the source. Answers,
// ErrNoTable, ErrNoPrivilege and ErrMismatch among them, hold until the next DDL or
// Reset; other errors come from the loader and are worth another try.
//
// From a Loader that is not Live a table with more columns than the rows is
// returned when the columns it shares with them, from the left, go together: that
// is how Canal pairs them.
func (t *Tracker) Table(ctx context.Context, schema, name string, m *binlog.TableMap, at binlog.Position) (*Table, error) {
	if a, ok := t.resolved[m.ID]; ok && (a.m == m || sameMap(a.m, m)) {
		return a.table, a.err
	}
	table, err := t.resolve(ctx, ddl.Name{Schema: schema, Table: name}, m, at)
	if err == nil || IsAboutTable(err) {
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

// resolve finds the definition that goes with the rows.
func (t *Tracker) resolve(ctx context.Context, name ddl.Name, m *binlog.TableMap, at binlog.Position) (*Table, error) {
	if table := t.mocked(name); table != nil {
		return table, nil
	}
	r := t.rows(m)
	known := t.tables[t.key(name)]
	reason := "nothing is known of it"
	if known != nil {
		table := known.forRows(r)
		var q quality
		if q, reason = r.judge(table); q == perfect && known.spelled {
			return table, nil
		} else if q == perfect && known.table.Certain {
			return t.respell(ctx, name, known, r)
		}
	}
	table, err := t.seek(ctx, name, known, r, at)
	if err == nil && known != nil && known.table.Certain && t.opts.Healed != nil {
		t.opts.Healed(name, reason)
	}
	return table, err
}

// respell has a definition that the stream gave take over the server's spelling of
// types, as far as the table is still the same there.
func (t *Tracker) respell(ctx context.Context, name ddl.Name, known *definition, r *rows) (*Table, error) {
	live, err := t.load(ctx, name)
	if err != nil && !IsAboutTable(err) {
		return nil, err
	}
	d := known.clone()
	d.spelled = true // also when there is nothing to compare with
	if err == nil {
		d.spell(live)
	}
	t.keep(name, d)
	return d.forRows(r), nil
}

// seek looks for a definition that goes with the rows where known, which may be
// nil, does not.
func (t *Tracker) seek(ctx context.Context, name ddl.Name, known *definition, r *rows, at binlog.Position) (*Table, error) {
	live, err := t.loadAt(ctx, name, r, at)
	if err != nil && (!IsAboutTable(err) || known == nil && !r.meta.HasNames) {
		return nil, err
	}
	_, tells := t.loader.(Live)
	if err != nil && known != nil && !r.meta.HasNames && (known.table.Certain || tells) {
		return nil, err // what is known has been found not to fit, or not to be certain
	}
	best := t.choose(r, known, live)
	if best == nil {
		return r.byName(nil, name.Schema, name.Table), nil
	}
	table, err := r.settle(best.forRows(r), name)
	if err != nil || best != live {
		return table, err
	}
	if t.opts.Loaded != nil && live.table.Certain {
		var text strings.Builder
		live.writeCreate(&text)
		if err := t.opts.Loaded(ctx, at, name, text.String()); err != nil {
			return nil, err
		}
	}
	t.keep(name, live)
	return table, nil
}

// Unnamed makes up a table for rows of which the names are not known: columns are
// called @1, @2 and so on, as mysqlbinlog does, with the types that the rows tell.
func (t *Tracker) Unnamed(schema, name string, m *binlog.TableMap) *Table {
	r := t.rows(m)
	made := &Table{Schema: intern(schema), Name: intern(name), Columns: make([]Column, len(m.Types))}
	for i := range made.Columns {
		made.Columns[i] = r.retyped(Column{Name: fmt.Sprintf("@%d", i+1), Nullable: r.Nullable(i)}, i)
	}
	return made
}

// rows reads the metadata of a table map.
func (t *Tracker) rows(m *binlog.TableMap) *rows {
	r := &rows{TableMap: m, meta: &binlog.Metadata{}, server: t.opts.Server, hidden: t.opts.HiddenKey}
	if len(m.Optional) > 0 {
		if md, err := m.Metadata(); err == nil { // else the columns are judged without
			r.meta = md
		}
	}
	return r
}

// choose compares what is known with the live definition; one of them may be nil.
func (t *Tracker) choose(r *rows, known, live *definition) *definition {
	if known == nil || live == nil {
		return cmp.Or(known, live)
	}
	knownQuality, _ := r.judge(known.forRows(r))
	liveQuality, _ := r.judge(live.forRows(r))
	if live.table.Certain || liveQuality > knownQuality || liveQuality == knownQuality && !known.table.Certain {
		return live
	}
	return known
}

// settle makes the best definition go with the rows, if it can be done. Columns
// of a table that is known to be the one of these rows are paired by place only if
// there are as many.
func (r *rows) settle(t *Table, name ddl.Name) (*Table, error) {
	q, reason := r.judge(t)
	switch {
	case q == perfect:
		return t, nil
	case r.meta.HasNames:
		return r.byName(t, name.Schema, name.Table), nil
	case q == byPlace && (!t.Certain || len(t.Columns) == len(r.Types)):
		return r.adapt(t), nil
	}
	return nil, &MismatchError{Schema: name.Schema, Table: name.Table, Reason: reason, Closest: t}
}

// maxLoads is how often a definition is read that is altered while it is read.
const maxLoads = 5

// loadAt reads the definition that a table had at a place of the log, as far as it
// can be known: from a Loader that is not Live, the one that it has now.
func (t *Tracker) loadAt(ctx context.Context, name ddl.Name, r *rows, at binlog.Position) (*definition, error) {
	l, ok := t.loader.(Live)
	if !ok || at.IsZero() {
		return t.load(ctx, name)
	}
	for range maxLoads {
		d, again, err := t.loadAhead(ctx, l, name, r, at)
		if !again {
			return d, err
		}
	}
	return nil, fmt.Errorf("read definition of %s: it was altered %d times meanwhile", name, maxLoads)
}

// loadAhead reads the definition that a table has at the end of the log and undoes
// what the log has ahead. again is true when the table was altered meanwhile.
func (t *Tracker) loadAhead(ctx context.Context, l Live, name ddl.Name, r *rows, at binlog.Position) (d *definition, again bool, err error) {
	end, err := l.End(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("where the log ends: %w", err)
	}
	unknown := func(why error) error {
		return &MismatchError{Schema: name.Schema, Table: name.Table, Reason: why.Error()}
	}
	if err = t.ahead.extend(ctx, l, at, end); errors.Is(err, ErrNoForesight) {
		return nil, false, unknown(err)
	} else if err != nil {
		return nil, false, err
	}
	f := t.ahead.of(name, at, end, t.same)
	if f.lost != "" {
		return nil, false, &MismatchError{Schema: name.Schema, Table: name.Table, Reason: "nothing tells what it was: " + f.lost}
	}
	d, err = t.load(ctx, f.name)
	if err != nil && !IsAboutTable(err) {
		return nil, false, err
	}
	after, e := l.End(ctx)
	if e != nil {
		return nil, false, fmt.Errorf("where the log ends: %w", e)
	}
	if e := t.ahead.extend(ctx, l, at, after); errors.Is(e, ErrNoForesight) {
		return nil, false, unknown(e)
	} else if e != nil {
		return nil, false, e
	}
	if since := t.ahead.of(f.name, end, after, t.same); since.lost != "" || len(since.altered) > 0 || since.name != f.name {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	if d, err = d.undo(f.altered); err == nil {
		err = d.complete(r)
	}
	if err != nil {
		return nil, false, unknown(err)
	}
	d = d.renamed(name)
	d.table.Certain = true
	return d, false, nil
}

// same compares names as the source does.
func (t *Tracker) same(a, b ddl.Name) bool { return t.key(a) == t.key(b) }

// load reads a definition from the live source.
func (t *Tracker) load(ctx context.Context, name ddl.Name) (*definition, error) {
	text, err := t.loader.LoadTable(ctx, name.Schema, name.Table)
	if err != nil {
		return nil, fmt.Errorf("load definition of %s: %w", name, err)
	}
	create, err := ddl.ParseCreateTable(text, ddl.Options{Server: t.opts.Server})
	if err != nil {
		return nil, &MismatchError{Schema: name.Schema, Table: name.Table, Reason: "its definition cannot be read: " + err.Error()}
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
	delete(t.doubts, key)
	switch {
	case t.change.SQL != "":
		d.since, d.change = time.Now(), t.change
	case d.since.IsZero():
		d.since = time.Now()
	}
	t.tables[key] = d
}

// doubtful reports whether a table that is not known may be there all the same.
func (t *Tracker) doubtful(key ddl.Name) bool {
	return !t.complete || t.doubts[key] || t.doubts[ddl.Name{Schema: key.Schema}]
}

// doubt forgets a table that may be there.
func (t *Tracker) doubt(key ddl.Name) {
	t.forget(key)
	t.doubts[key] = true
}

// gone forgets a table that is not there any more.
func (t *Tracker) gone(key ddl.Name) {
	t.forget(key)
	delete(t.doubts, key)
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
	t.doubts[victim] = true
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
