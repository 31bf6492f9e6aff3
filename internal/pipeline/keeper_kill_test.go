package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/history"
)

// TestPayloadNeedsTables: the events of a compressed transaction have no place of their
// own from which the log could be read ahead.
func TestPayloadNeedsTables(t *testing.T) {
	p := newPast(t, false, 0, `
		query d CREATE TABLE t (a int)
		query d CREATE TABLE u (b int)
		payload
		begin
		map 5 d.t 1
		insert 5 1
		map 6 d.u 1
		insert 6 2
		xid 1
		end
		query d ALTER TABLE u RENAME COLUMN b TO x`)
	r := &reader{past: p}
	at := slices.Index(p.lines, "payload")
	got := r.read(t, at, len(p.events), false, nil)[p.starts[at]]
	if want := []string{"t", "", "a int(11)=1", "u", "", "b int(11)=2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q; %s", got, want, r.rig.log)
	}
}

// TestTakenOverAmidChanges: the server that reads is killed before it has noted how far
// its history is complete, and the stream goes on at another server, where everything
// stands at other places. No statement is followed twice.
func TestTakenOverAmidChanges(t *testing.T) {
	other := newPast(t, true, 1, "rowsquery that moves all"+changingTables)
	want := (&reader{past: other, open: sqliteHistory(t), gtid: true}).read(t, 1, len(other.events), true, nil)
	first := newPast(t, true, 1, changingTables)
	for _, n := range first.borders() {
		r := &reader{past: first, open: sqliteHistory(t), gtid: true, kill: true}
		r.read(t, 1, n, true, nil)
		then := &reader{past: other, open: r.open, gtid: true, uuid: "another"}
		got := then.read(t, n+1, len(other.events), false, nil)
		then.compareFrom(t, fmt.Sprintf("from %d", n), n+1, got, want)
	}
}

// dying is a history of a process that is killed after a number of writes.
type dying struct {
	history.Log
	left *int
}

func (d dying) step() error {
	if *d.left == 0 {
		return errDisk
	}
	*d.left--
	return nil
}

func (d dying) Append(ctx context.Context, c history.Change) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Log.Append(ctx, c)
}

func (d dying) AddSnapshot(ctx context.Context, s history.Snapshot) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Log.AddSnapshot(ctx, s)
}

func (d dying) Remove(ctx context.Context, snapshots, changes []int64) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Log.Remove(ctx, snapshots, changes)
}

func (d dying) SetState(ctx context.Context, state []byte) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Log.SetState(ctx, state)
}

// TestGap starts far behind the end of the history, while what lies between is lost,
// is killed at each of its writes, and starts again: there, and in the gap.
func TestGap(t *testing.T) {
	p := newPast(t, false, 0, changingTables)
	want := (&reader{past: p, open: sqliteHistory(t)}).read(t, 1, len(p.events), true, nil)
	first := slices.Index(p.lines, "query d ALTER TABLE t RENAME COLUMN x TO b, RENAME COLUMN b TO x")
	far := slices.Index(p.lines, "query d DROP TABLE u")
	for writes := range 5 {
		open := sqliteHistory(t)
		r := &reader{past: p, open: open}
		p.done, p.gone = len(p.events), 0
		r.read(t, 1, first-5, true, func(p *Pipeline, event int) { p.WantSnapshot() })
		p.done, p.gone = len(p.events), far
		left := writes
		killed := &reader{past: p, open: func(ctx context.Context) (history.Log, error) {
			l, err := open(ctx)
			return dying{l, &left}, err
		}}
		killed.begin(t, far)
		for _, from := range []int{far, first + 1, far} {
			got := r.read(t, from, len(p.events), false, nil)
			for offset, g := range got {
				if !slices.Equal(g, want[offset]) {
					t.Errorf("killed after %d writes, from %d: at %d got %q, want %q", writes, from, offset, g, want[offset])
				}
			}
			p.gone = 0
		}
	}
}

// begin starts a dump, maybe in vain, and leaves it at that.
func (r *reader) begin(t *testing.T, from int) {
	t.Helper()
	r.rig = newRig(t, "8.0.15", nil)
	o := r.rig.p.o
	o.OpenHistory = r.open
	var err error
	if r.rig.p, err = New(o); err != nil {
		t.Fatal(err)
	}
	r.rig.session.Position, r.rig.session.Tables = r.position(from), r.past
	r.rig.session.Server.ServerUUID = pastUUID
	_ = r.rig.p.Start(t.Context(), r.rig.session)
	r.rig.stop()
	if err := r.rig.p.Close(); err != nil {
		t.Fatal(err)
	}
}

// full is a history with no room for more changes.
type full struct{ history.Log }

func (full) Append(context.Context, history.Change) error { return history.ErrTooLarge }

// TestNoRoomForChanges: the stream goes on without a history rather than stand still,
// and nothing is left that would be taken for one.
func TestNoRoomForChanges(t *testing.T) {
	p := newPast(t, false, 0, changingTables)
	want := (&reader{past: p, open: sqliteHistory(t)}).read(t, 1, len(p.events), true, nil)
	open := sqliteHistory(t)
	r := &reader{past: p, open: func(ctx context.Context) (history.Log, error) {
		l, err := open(ctx)
		return full{l}, err
	}}
	r.compareFrom(t, "without room", 1, r.read(t, 1, len(p.events), true, nil), want)
	if !strings.Contains(r.rig.log.String(), "cannot be kept and is removed") {
		t.Error("the log says nothing of it")
	}
	far := slices.Index(p.lines, "query d DROP TABLE u")
	r.open = open
	for offset, g := range r.read(t, far, len(p.events), false, nil) {
		if !slices.Equal(g, want[offset]) {
			t.Errorf("afterwards: at %d got %q, want %q", offset, g, want[offset])
		}
	}
}

// TestTipGoesBack: a dump that begins before the end of the one before leaves no tip
// that says more than the history has. One for which the position was given up begins
// the history anew.
func TestTipGoesBack(t *testing.T) {
	p := newPast(t, false, 0, changingTables)
	r := &reader{past: p, open: sqliteHistory(t)}
	r.read(t, 1, len(p.events), true, nil)
	rig := newRig(t, "8.0.15", nil)
	o := rig.p.o
	o.OpenHistory = r.open
	var err error
	if rig.p, err = New(o); err != nil {
		t.Fatal(err)
	}
	rig.session.Tables, rig.session.Server.ServerUUID = p, pastUUID
	back := p.borders()[3]
	for _, from := range []int{p.borders()[5], back} {
		rig.session.Position = p.position(from)
		rig.start()
		if from != back {
			if err := rig.chunk(p.events[0]); err != nil {
				t.Fatal(err)
			}
			for _, ev := range p.events[from:] {
				if err := rig.chunk(ev); err != nil {
					t.Fatal(err)
				}
			}
			if err := rig.settle(); err != nil {
				t.Fatal(err)
			}
		}
		if err := rig.p.SaveProgress(t.Context()); err != nil {
			t.Fatal(err)
		}
		rig.stop()
	}
	if tip := rig.p.keeper.tip(); tip == nil || tip.Offset != p.starts[back] {
		t.Errorf("the tip is %+v, want %d", tip, p.starts[back])
	}
	rig.session.Reset = true
	rig.session.Position = p.position(len(p.events))
	rig.start()
	rig.stop()
	l := *rig.p.keeper.log.Load()
	snapshots, err := l.Snapshots(t.Context())
	if err != nil || len(snapshots) != 1 || snapshots[0].At.Offset != rig.session.Position.Offset {
		t.Errorf("after a reset the snapshots are %+v, %v", snapshots, err)
	}
	if changes, err := l.Changes(t.Context(), 0); err != nil || len(changes) != 0 {
		t.Errorf("and there are %d changes, %v", len(changes), err)
	}
	if err := rig.p.Close(); err != nil {
		t.Fatal(err)
	}
}
