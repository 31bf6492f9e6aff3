package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/source"
)

// keeper keeps the history of the tables of a pipeline: it has the tracker know the
// tables of the place where a dump begins, and writes down what changes them before
// anything behind it is handed on. Without a log it keeps nothing.
type keeper struct {
	p   *Pipeline
	log atomic.Pointer[history.Log] // nil before it is opened, or when no history is kept

	// Used by the source's goroutine.
	origin  string // of the dump at hand: history.Place.Origin
	unsaved int    // changes since the last snapshot

	due     atomic.Bool // a snapshot is wanted
	busy    atomic.Bool // one is being written
	writing sync.WaitGroup
	life    context.Context // of what writes; ends with end
	end     context.CancelFunc

	writeState sync.Mutex // held while the state is changed and written

	// dismissed counts the calls of Dismiss that found a table: its rows are looked at
	// anew. It is set before the table is out of the state, with writeState held, so
	// that no rows behind that are held back unseen.
	dismissed atomic.Int64

	mu     sync.Mutex
	state  keeperState
	events map[tableName]int64 // rows events of tables in quarantine
	stats  HistoryStats
}

// keeperState is what is kept beside the history, as history.Log.State.
type keeperState struct {
	// Tip is a place up to which every statement is in the history. A start behind it
	// has to look at what lies between.
	Tip *tip `json:"tip,omitempty"`

	Quarantine []Quarantined `json:"quarantine,omitempty"`
}

// tip is a history.Place as it is stored.
type tip struct {
	Origin    string `json:"origin"`
	File      string `json:"file"`
	Offset    int64  `json:"offset"`
	Timestamp int64  `json:"timestamp"`
	GTIDSet   string `json:"gtidSet,omitempty"`
}

func (t *tip) place() history.Place {
	return history.Place{Origin: t.Origin, Position: binlog.Position{File: t.File, Offset: t.Offset, Timestamp: t.Timestamp, GTIDSet: t.GTIDSet}}
}

// HistoryStats tell how the history of the tables is doing.
type HistoryStats struct {
	Changes      int64     // appended since New
	LastChange   time.Time // when, by the source's clock; zero before the first
	LastSnapshot time.Time // when one was written by this process; zero before
	Err          error     // why it can at present not be written or read; nil when it can
}

// snapshotChanges is after how many changes a snapshot is written though none is
// due: it bounds what a start has to follow.
const snapshotChanges = 1000

// snapshotTimeout bounds the writing of a snapshot.
const snapshotTimeout = 5 * time.Minute

// noted keeps the outcome of a use of the history for HistoryStats.
func (k *keeper) noted(err error) error {
	if errors.Is(err, history.ErrNotOwner) && k.p.o.HistoryRefused != nil {
		k.p.o.HistoryRefused()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !errors.Is(err, context.Canceled) {
		k.stats.Err = err
	}
	return err
}

// place is the place of a position of the dump at hand.
func (k *keeper) place(p binlog.Position) history.Place {
	return history.Place{Origin: k.origin, Position: p}
}

// begin has the tracker know the tables as they were where a dump begins.
func (k *keeper) begin(ctx context.Context, s source.Session) error {
	if k.p.o.OpenHistory == nil {
		return nil
	}
	if k.log.Load() == nil {
		l, err := k.p.o.OpenHistory(ctx)
		if k.noted(err) != nil {
			return fmt.Errorf("open the history of the tables: %w", err)
		}
		k.log.Store(&l)
	}
	k.writing.Wait() // else a snapshot could come behind what is removed now
	at := k.place(s.Position)
	if s.GTIDMode {
		at.File, at.Offset = "", 0 // where the set was seen, maybe on another server
	}
	return k.noted(k.restore(ctx, *k.log.Load(), s, at))
}

func (k *keeper) restore(ctx context.Context, l history.Log, s source.Session, at history.Place) error {
	if err := k.readState(ctx, l, at); err != nil {
		return err
	}
	sel, err := history.Select(ctx, l, at)
	if err != nil {
		return err
	}
	switch {
	case s.Reset:
		return k.found(ctx, l, s, at, "the position before was given up, and files may count anew")
	case sel.Base == nil:
		return k.found(ctx, l, s, at, "no history of the tables reaches back to this place")
	}
	k.follow(ctx, sel)
	if tip := k.tip(); tip != nil && !history.Covers(tip.place(), at) {
		if err := k.catchUp(ctx, s, tip.place(), at, sel); err != nil {
			if ctx.Err() != nil {
				return err
			}
			return k.found(ctx, l, s, at, "the history of the tables ends before this place, and what lies between cannot be read: "+err.Error())
		}
	}
	if err := k.setTip(ctx, at); err != nil { // first: behind it the history is not complete any more
		return err
	}
	if err := l.Remove(ctx, sel.LaterSnapshots, sel.LaterChanges); err != nil {
		return fmt.Errorf("remove from the history what is read again: %w", err)
	}
	k.unsaved = len(sel.Changes)
	k.p.o.Logger.Info("table definitions are those of the start position", "position", at.String(),
		"snapshot", sel.Base.At.String(), "changes", len(sel.Changes), "removed", len(sel.LaterChanges))
	return nil
}

// follow rebuilds the tables of a selection.
func (k *keeper) follow(ctx context.Context, sel history.Selection) {
	warn := func(text string, at history.Place, err error) {
		k.p.o.Logger.Warn(text+"; the tables concerned are read from the source when they are needed", "position", at.String(), "error", err)
	}
	if err := k.p.tracker.Restore(sel.Base.Schemas, sel.Base.Extra); err != nil {
		warn("a snapshot of the history cannot be read as a whole", sel.Base.At, err)
	}
	for i := range sel.Changes {
		c := &sel.Changes[i]
		k.p.tracker.Follow(schema.Change{Position: c.At.Position, SQL: c.SQL})
		var err error
		if c.Loaded && c.Table.Table != "" {
			err = k.p.tracker.Learn(c.Table, c.SQL)
		} else {
			_, err = k.p.tracker.ApplyMode(ctx, c.SQL, c.Schema, c.SQLMode)
		}
		if err != nil {
			warn("a statement of the history is not understood", c.At, err)
		}
	}
	k.p.tracker.Follow(schema.Change{})
}

// catchUp adds the statements between the end of the history and a place, which
// nobody has followed: the cursor was moved, or another program read meanwhile.
func (k *keeper) catchUp(ctx context.Context, s source.Session, from, to history.Place, sel history.Selection) error {
	live, ok := s.Tables.(schema.Live)
	if !ok {
		return errors.New("there is no server to read it from")
	}
	begin, end := from.Position, to.Position
	switch {
	case s.GTIDMode && (from.GTIDSet != "" || from.File == ""):
		begin, end = binlog.Position{GTIDSet: from.GTIDSet}, binlog.Position{GTIDSet: to.GTIDSet}
	case from.Origin != to.Origin || from.File == "" || to.File == "":
		return errors.New("it is another server's log")
	}
	k.p.o.Logger.Info("reading the statements between the end of the history of the tables and the start position", "from", from.String(), "to", to.String())
	known := make(map[binlog.Position]bool, len(sel.Changes))
	knownGTIDs := make(map[string]bool, len(sel.Changes))
	for i := range sel.Changes {
		switch c := &sel.Changes[i]; {
		case c.Loaded:
		case c.GTID != "":
			knownGTIDs[c.GTID] = true // at a server before it was at another place
		default:
			known[binlog.Position{File: c.At.File, Offset: c.At.Offset}] = true
		}
	}
	return live.Ahead(ctx, begin, end, func(st schema.Statement) error {
		c := history.Change{At: k.place(st.Position), GTID: st.GTID}
		if knownGTIDs[st.GTID] || known[binlog.Position{File: st.Position.File, Offset: st.Position.Offset}] || !history.Before(&c, to) {
			return nil
		}
		return k.apply(ctx, st)
	})
}

// found begins a new history with the tables of the source. Of the old one nothing is
// kept: there may be a gap between it and the place.
func (k *keeper) found(ctx context.Context, l history.Log, s source.Session, at history.Place, why string) error {
	if err := k.clear(ctx, l); err != nil {
		return fmt.Errorf("remove from the history what is of no use: %w", err)
	}
	if err := k.setTip(ctx, at); err != nil { // with an old snapshot it would say that nothing is missing
		return err
	}
	k.p.o.Logger.Info("reading the definitions of all tables from the source", "position", at.String(), "reason", why)
	began, unknown := time.Now(), 0
	k.p.tracker.Reset(false)
	if c, ok := s.Tables.(schema.Catalogue); ok {
		var err error
		if unknown, err = k.p.tracker.LoadAll(ctx, c, k.p.names.Load().wants, at.Position); errors.Is(err, schema.ErrNoForesight) {
			k.p.o.Logger.Warn("nothing is known for certain of the tables at the start position; they are read from the source when they are needed", "reason", err)
		} else if err != nil {
			return err
		}
	}
	image := k.p.tracker.Image()
	err := l.AddSnapshot(ctx, history.Snapshot{At: at, Initial: true, Schemas: image.Texts(), Extra: image.Extra()})
	if errors.Is(err, history.ErrTooLarge) {
		k.p.o.Logger.Error("the history of the tables cannot be kept; after a restart or a take-over definitions are read from the source again", "error", err)
		_ = k.noted(err) // for the statistics
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the first snapshot of the history: %w", err)
	}
	k.unsaved = 0
	k.p.o.Logger.Info("the definitions of all tables are in the history", "tables", image.Len(), "unknown_at_this_position", unknown, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// clear removes all from the history.
func (k *keeper) clear(ctx context.Context, l history.Log) error {
	snapshots, err := l.Snapshots(ctx)
	if err != nil {
		return err
	}
	changes, err := l.Changes(ctx, 0)
	if err != nil {
		return err
	}
	var snapshotIDs, changeIDs []int64
	for i := range snapshots {
		snapshotIDs = append(snapshotIDs, snapshots[i].ID)
	}
	for i := range changes {
		changeIDs = append(changeIDs, changes[i].ID)
	}
	return l.Remove(ctx, snapshotIDs, changeIDs)
}

// apply follows a statement and writes it down if it changes tables. One that is not
// understood is no reason to stop: its tables are read anew when rows show them.
func (k *keeper) apply(ctx context.Context, st schema.Statement) error {
	t := k.p.tracker
	t.Follow(schema.Change{Position: st.Position, SQL: st.SQL})
	defer t.Follow(schema.Change{})
	about, err := t.ApplyMode(ctx, st.SQL, st.Schema, st.SQLMode)
	if err != nil {
		k.p.o.Logger.Warn("a statement is not understood; definitions of its tables are read from the source when they are needed",
			"position", st.Position.String(), "statement", abbreviate(st.SQL), "error", err)
	}
	if !about || k.log.Load() == nil {
		return nil
	}
	c := history.Change{At: k.place(st.Position), GTID: st.GTID, Schema: st.Schema, SQL: st.SQL, SQLMode: st.SQLMode}
	c.At.GTIDSet = ""
	if results := ddl.Classify(st.SQL, st.Schema, ddlMode(&k.p.o.Instance)); len(results) > 0 {
		c.Table, c.Type = ddl.Name{Schema: results[0].Schema, Table: results[0].Table}, results[0].Type.String()
	}
	return k.append(ctx, c)
}

func (k *keeper) append(ctx context.Context, c history.Change) error {
	l := *k.log.Load()
	err := k.noted(l.Append(ctx, c))
	if errors.Is(err, history.ErrTooLarge) {
		k.p.o.Logger.Error("the history of the tables cannot be kept and is removed, because without this statement it would be wrong; "+
			"until the next snapshot definitions are read from the source again after a restart or a take-over", "position", c.At.String(), "error", err)
		k.writing.Wait() // else an older snapshot could come behind that
		if err = k.clear(ctx, l); err == nil {
			k.unsaved++
			k.due.Store(true)
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("write a change of tables to the history, without which nothing behind it is handed on: %w", err)
	}
	k.mu.Lock()
	k.stats.Changes++
	k.stats.LastChange = time.UnixMilli(c.At.Timestamp)
	k.mu.Unlock()
	if k.unsaved++; k.unsaved >= snapshotChanges {
		k.due.Store(true)
	}
	return nil
}

// loaded writes down a definition that was read from the source for rows at a place.
func (k *keeper) loaded(ctx context.Context, at binlog.Position, name ddl.Name, createSQL string) error {
	if k.log.Load() == nil {
		return nil
	}
	scan := &k.p.dump.scan
	c := history.Change{At: k.place(scan.apart(at)), GTID: scan.gtid.text(), Schema: name.Schema, SQL: createSQL, Loaded: true, Table: name, Type: ddl.TypeCreate.String()}
	c.At.GTIDSet = ""
	return k.append(ctx, c)
}

// image writes a snapshot of the tables at a place between two transactions, if one
// is due. It does not wait until it is written.
func (k *keeper) image(at history.Place) {
	l := k.log.Load()
	if l == nil || k.unsaved == 0 {
		k.due.Store(false)
		return
	}
	if !k.busy.CompareAndSwap(false, true) {
		return // the one before is still being written
	}
	k.due.Store(false)
	image := k.p.tracker.Image()
	k.unsaved = 0
	k.writing.Go(func() {
		defer k.busy.Store(false)
		ctx, cancel := context.WithTimeout(k.life, snapshotTimeout)
		defer cancel()
		err := (*l).AddSnapshot(ctx, history.Snapshot{At: at, Schemas: image.Texts(), Extra: image.Extra()})
		if err == nil {
			err = (*l).Expire(ctx, time.Now().Add(-k.p.o.Instance.History.Expire).UnixMilli())
		}
		if k.noted(err) != nil && k.life.Err() != nil {
			return // the next start follows more statements
		}
		if err != nil {
			k.p.o.Logger.Error("a snapshot of the history of the tables could not be written; a start has to follow more statements", "position", at.String(), "error", err)
			return
		}
		k.mu.Lock()
		k.stats.LastSnapshot = time.Now()
		k.mu.Unlock()
		k.p.o.Logger.Info("snapshot of the tables written", "position", at.String(), "tables", image.Len())
	})
}

// readState reads what is kept beside the history, and forgets what the start at a
// place has overtaken: rows of tables in quarantine that are read again.
func (k *keeper) readState(ctx context.Context, l history.Log, at history.Place) error {
	k.writeState.Lock()
	defer k.writeState.Unlock()
	text, err := l.State(ctx)
	if err != nil {
		return fmt.Errorf("read the state of the history: %w", err)
	}
	var st keeperState
	if len(text) > 0 {
		if err := json.Unmarshal(text, &st); err != nil {
			k.p.o.Logger.Warn("the state of the history cannot be read and is begun anew", "error", err)
			st = keeperState{}
		}
	}
	st.Quarantine = slices.DeleteFunc(st.Quarantine, func(q Quarantined) bool {
		return history.Covers(history.Place{Origin: q.Origin, Position: q.Position}, at)
	})
	k.mu.Lock()
	k.state = st
	k.mu.Unlock()
	return nil
}

func (k *keeper) tip() *tip {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Tip
}

// setTip notes how far the history is complete.
func (k *keeper) setTip(ctx context.Context, at history.Place) error {
	return k.change(ctx, func(st *keeperState) bool { return st.advance(at) })
}

// advance makes a place the tip. It is false when it is that already.
func (st *keeperState) advance(at history.Place) bool {
	next := tip{Origin: at.Origin, File: at.File, Offset: at.Offset, Timestamp: at.Timestamp, GTIDSet: at.GTIDSet}
	if st.Tip != nil && *st.Tip == next {
		return false
	}
	st.Tip = &next
	return true
}

// change changes the state and stores it, unless f says that there is nothing to
// change. f gets a copy that is its own.
func (k *keeper) change(ctx context.Context, f func(*keeperState) bool) error {
	k.writeState.Lock()
	defer k.writeState.Unlock()
	k.mu.Lock()
	st := keeperState{Tip: k.state.Tip, Quarantine: slices.Clone(k.state.Quarantine)}
	k.mu.Unlock()
	if !f(&st) {
		return nil
	}
	if l := k.log.Load(); l != nil {
		text, err := json.Marshal(st)
		if err == nil {
			err = k.noted((*l).SetState(ctx, text))
		}
		if err != nil {
			return fmt.Errorf("write the state of the history: %w", err)
		}
	}
	k.mu.Lock()
	k.state = st
	k.mu.Unlock()
	return nil
}
