package meta

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

const (
	// maxRounds is how often a write is tried again at once because nodes were not
	// as expected.
	maxRounds = 5
	// maxOps and maxBytes bound one transaction; ZooKeeper takes a request of 1 MiB
	// (jute.maxbuffer).
	maxOps   = 500
	maxBytes = 512 << 10
	// maxAttempts bounds known.attempts. Beyond it a write of our own may be taken
	// for a foreign one, which only raises an alarm.
	maxAttempts = 16
)

// errConflict says that the nodes changed as often as they were read.
var errConflict = errors.New("other programs go on changing the nodes")

// write is one flush.
type write struct {
	z         *ZooKeeper
	todo      changes         // what is left
	lingering changes         // clients that have unsubscribed and still run
	aside     map[int16]error // clients whose nodes cannot be written
	moved     []Record
	noExtra   bool
}

// all writes todo, reading nodes again that turn out not to be as expected.
func (w *write) all(ctx context.Context) error {
	for conflicts := 0; len(w.todo) > len(w.aside); {
		if w.z.isLost() {
			return ErrNotOwner
		}
		t, checks, err := w.z.o.right()
		if err != nil {
			return err
		}
		steps, err := w.plan(ctx, t)
		if err != nil {
			return cause(ctx, err)
		}
		done, err := w.commit(ctx, t, checks, steps)
		if err != nil {
			return cause(ctx, err)
		}
		if done {
			continue // a removal may have more to do
		}
		switch conflicts++; {
		case conflicts > maxRounds:
			return errors.Join(append(slices.Collect(maps.Values(w.aside)), errConflict)...)
		case conflicts > 1: // rather than one by one
			for id := range w.todo {
				w.z.node(id).stale = true
			}
		}
	}
	return errors.Join(slices.Collect(maps.Values(w.aside))...)
}

// cause says that the destination was lost meanwhile, if it was.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); errors.Is(c, ErrNotOwner) {
		return c
	}
	return err
}

// step is what has to be done for one client.
type step struct {
	id    int16
	ops   []op
	size  int
	after *known // what will be known when it is done
	more  bool   // there will be more to do
	// cursor says that the cursor's node changes, and moved that it is set to a
	// new value.
	cursor bool
	moved  *Record
}

func (s *step) add(o op) {
	s.ops = append(s.ops, o)
	s.size += len(o.path) + len(o.data)
}

// plan finds what has to be done. Clients of which everything is as it should be
// are taken out of todo.
func (w *write) plan(ctx context.Context, t tree) ([]step, error) {
	if err := w.settle(ctx, t); err != nil {
		return nil, err
	}
	var steps []step
	for _, id := range slices.Sorted(maps.Keys(w.todo)) {
		if w.aside[id] != nil {
			continue
		}
		want := w.z.wanted(id)
		var s step
		var err error
		if want.subscribed {
			s, err = w.z.keep(ctx, t, want)
		} else {
			s, err = w.remove(ctx, t, id)
		}
		switch {
		case err != nil:
			return nil, err
		case len(s.ops) == 0:
			delete(w.todo, id)
		default:
			steps = append(steps, s)
		}
	}
	return steps, nil
}

// settle makes sure, where nodes are going to be read, that writes of which the
// outcome is not known have been done or never will be: a server answers the
// sync when everything has arrived that was proposed before, and the leader
// refuses what comes later over a connection that the session has left, or from
// a session that has expired (SessionTracker.checkSession).
func (w *write) settle(ctx context.Context, t tree) error {
	for id := range w.todo {
		if w.z.node(id).stale || !w.z.wanted(id).subscribed {
			return ignoreNoNode(t.Sync(ctx, zktree.Destination(w.z.o.Destination)))
		}
	}
	return nil
}

func ignoreNoNode(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

// wanted is how the nodes of a client should be.
type wanted struct {
	Record
	subscribed bool
	filter     string
}

func (z *ZooKeeper) wanted(id int16) wanted {
	z.mu.Lock()
	defer z.mu.Unlock()
	c := Client{Destination: z.o.Destination, ID: id}
	w := wanted{subscribed: z.HasSubscription(c), filter: z.filters[id]}
	w.Client = c
	w.Cursor, w.HasCursor = z.Cursor(c)
	return w
}

// node is what is known of a client's nodes: nothing, of one that is new.
func (z *ZooKeeper) node(id int16) *known {
	k := z.known[id]
	if k == nil {
		k = &known{stale: true}
		z.known[id] = k
	}
	return k
}

// keep writes a client's subscription and cursor.
func (z *ZooKeeper) keep(ctx context.Context, t tree, want wanted) (step, error) {
	d, id := z.o.Destination, want.Client.ID
	if z.node(id).stale {
		if err := z.refresh(ctx, t, want.Record); err != nil {
			return step{}, err
		}
	}
	k := *z.node(id)
	s := step{id: id, after: &k}
	if !k.exists {
		if err := t.CreateParents(ctx, zktree.Client(d, id)); err != nil {
			return step{}, err
		}
		s.add(op{kind: opCreate, path: zktree.Client(d, id)})
		k.exists = true
	}
	path := zktree.Filter(d, id)
	switch {
	case want.filter == "" && k.hasFilter:
		s.add(op{kind: opDelete, path: path, version: zk.AnyVersion})
	case want.filter != "" && !k.hasFilter:
		s.add(op{kind: opCreate, path: path, data: []byte(want.filter)})
	case want.filter != k.filter:
		s.add(op{kind: opSet, path: path, data: []byte(want.filter), version: zk.AnyVersion})
	}
	k.filter, k.hasFilter = want.filter, want.filter != ""
	if want.HasCursor {
		s.addCursor(zktree.Cursor(d, id), &k, want.Record)
	}
	return s, nil
}

// addCursor writes the cursor if it is not there.
func (s *step) addCursor(path string, k *known, r Record) {
	data := AppendCursor(nil, r.Cursor)
	switch {
	case !k.hasCursor:
		s.add(op{kind: opCreate, path: path, data: data})
		k.version = 0
	case k.cursor != string(data):
		s.add(op{kind: opSet, path: path, data: data, version: k.version})
		k.version++
	default:
		return
	}
	k.cursor, k.hasCursor, k.attempts = string(data), true, nil
	s.cursor, s.moved = true, &r
}

// refresh reads the nodes of a client again, and raises an alarm when the cursor
// is not what this manager wrote or may have written.
func (z *ZooKeeper) refresh(ctx context.Context, t tree, r Record) error {
	s, err := readClient(ctx, t, r.Client)
	if err != nil {
		return err
	}
	old := z.node(r.Client.ID)
	z.known[r.Client.ID] = s.known
	if old.cursor == s.known.cursor || slices.Contains(old.attempts, s.known.cursor) {
		return nil
	}
	z.foreign(s, r)
	return nil
}

// remove deletes the nodes of a client, but leaves it to a process that consumes
// to delete its own: then the client's node is deleted when that has happened.
func (w *write) remove(ctx context.Context, t tree, id int16) (step, error) {
	d := w.z.o.Destination
	s := step{id: id, cursor: true, after: &known{stale: true}}
	children, err := descendants(ctx, t, zktree.Client(d, id))
	if err != nil {
		return step{}, err
	}
	running := slices.Contains(children, zktree.RunningClient(d, id))
	for i := len(children) - 1; i >= 0; i-- { // the deepest first
		switch path := children[i]; {
		case running && (path == zktree.Client(d, id) || path == zktree.RunningClient(d, id)):
		case len(s.ops) == maxOps/2:
			after := *w.z.node(id)
			after.doubt(s)
			s.more, s.after = true, &after
			return s, nil
		default:
			s.add(op{kind: opDelete, path: path, version: zk.AnyVersion})
		}
	}
	if running {
		if w.lingering == nil {
			w.lingering = make(changes)
		}
		w.lingering[id] = w.todo[id]
	}
	if len(s.ops) == 0 {
		w.z.known[id] = s.after
	}
	return s, nil
}

// descendants returns a node and what is under it, parents first; nothing when
// it is missing.
func descendants(ctx context.Context, t tree, path string) ([]string, error) {
	children, _, err := t.Children(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	paths := []string{path}
	for _, name := range children {
		below, err := descendants(ctx, t, path+"/"+name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, below...)
	}
	return paths, nil
}

// commit writes the steps, in as few transactions as they fit in. ok is false
// when something was not as expected and has to be planned again.
func (w *write) commit(ctx context.Context, t tree, checks []zk.Op, steps []step) (ok bool, err error) {
	for len(steps) > 0 {
		n, size, ops := 0, 0, []op(nil)
		for ; n < len(steps); n++ {
			s := steps[n]
			if n > 0 && (len(ops)+len(s.ops) > maxOps || size+s.size > maxBytes) {
				break
			}
			ops, size = append(ops, s.ops...), size+s.size
		}
		var extra []zk.Op
		if n == len(steps) && !w.noExtra {
			extra = w.z.o.Extra()
		}
		err := t.commit(ctx, checks, ops, extra)
		if err != nil {
			return false, w.failed(err, len(checks), steps[:n])
		}
		w.z.extraFails = w.z.extraFails && len(extra) == 0
		w.committed(ctx, t, steps[:n])
		steps = steps[n:]
	}
	return true, nil
}

// committed notes that steps have been done.
func (w *write) committed(ctx context.Context, t tree, steps []step) {
	for _, s := range steps {
		w.z.known[s.id] = s.after
		if !s.more {
			delete(w.todo, s.id)
		}
		if s.moved != nil {
			w.moved = append(w.moved, *s.moved)
		}
	}
	if !w.z.marked {
		// When it fails it is made with the next write.
		w.z.marked = t.CreateParents(ctx, marker(w.z.o.Destination)+"/-") == nil
	}
}

// failed finds out why a transaction was not done. nil means that it is worth to
// plan again.
func (w *write) failed(err error, checks int, steps []step) error {
	var m *zk.MultiError
	if !errors.As(err, &m) || m.Index < 0 {
		for _, s := range steps {
			w.z.node(s.id).doubt(s)
		}
		return err
	}
	if m.Index < checks {
		return fmt.Errorf("%w: %w", ErrNotOwner, err)
	}
	at := m.Index - checks
	for _, s := range steps {
		if at >= len(s.ops) {
			at -= len(s.ops)
			continue
		}
		w.z.node(s.id).stale = true
		if !isConflict(err) {
			if w.aside == nil {
				w.aside = make(map[int16]error)
			}
			w.aside[s.id] = err
		}
		return nil
	}
	w.noExtra = true
	if !w.z.extraFails {
		w.z.extraFails = true
		w.z.o.Notice(fmt.Sprintf("what goes with the cursors of %s cannot be written: %v", w.z.o.Destination, err))
	}
	return nil
}

// isConflict says whether a node was only not as expected.
func isConflict(err error) bool {
	return errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNotEmpty)
}

// doubt notes that a step may or may not have been done.
func (k *known) doubt(s step) {
	k.stale = true
	if !s.cursor || slices.Contains(k.attempts, s.after.cursor) {
		return
	}
	if len(k.attempts) == maxAttempts {
		k.attempts = k.attempts[1:]
	}
	k.attempts = append(slices.Clone(k.attempts), s.after.cursor)
}
