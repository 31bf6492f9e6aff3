package zkstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// DefaultLimit is how much a history may take in ZooKeeper, in bytes.
const DefaultLimit = 16 << 20

// errClosed is returned after Close.
var errClosed = errors.New("the history is closed")

// Options are the settings of a Store.
type Options struct {
	Destination string

	// Session returns a session to read in.
	Session func(ctx context.Context) (*zk.Session, error)
	// Guard returns the session to write in and the checks that must head every
	// transaction, which fail unless this server owns the destination. An error
	// means that nothing may be written at the moment: it is asked again. It must
	// not wait. nil: nothing is ever written.
	Guard func() (s *zk.Session, checks []zk.Op, err error)
	// Lost is closed when the destination is not this server's any more; nil means
	// never.
	Lost <-chan struct{}

	// Limit is how much may be kept, compressed, in bytes. DefaultLimit if 0.
	Limit int64
	// Renew has a damaged history discarded, and a snapshot of which the pieces are
	// damaged removed, with a Notice. Otherwise the caller gets a DamagedError.
	Renew bool
	// Notice is told what a person may want to know, such as that old snapshots
	// were removed to stay within the Limit. It must not call the Store. May be nil.
	Notice func(text string)
}

func (o Options) withDefaults() Options {
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	if o.Guard == nil {
		o.Guard = func() (*zk.Session, []zk.Op, error) { return nil, nil, history.ErrNotOwner }
	}
	return o
}

// Store is a history.Log in ZooKeeper. It has the changes in memory as they are in
// ZooKeeper, compressed, so that only Schemas reads. It is to be opened by the owner
// of the destination and to be closed when the destination is lost; methods that
// write then return history.ErrNotOwner. An error that matches it and
// zk.ErrConnectionLost as well leaves open whether the last change is there.
type Store struct {
	o Options

	life context.Context // ends with history.ErrNotOwner when Lost is closed, and with Close
	end  context.CancelCauseFunc
	wg   sync.WaitGroup // the one who waits for Lost

	writing chan struct{} // has a token while nobody writes
	// stale says that a write has failed, so that nodes may be others than is known;
	// guarded by writing, as what follows.
	stale   bool
	garbage []string // nodes that the head does not name
	places  places   // where there may be changes

	mu      sync.Mutex // guards current itself; what it points to does not change
	current *state
}

var _ history.Log = (*Store)(nil)

// DamagedError says that something of a history cannot be read. See the package
// for what to do.
type DamagedError struct {
	Path string // of the node
	Err  error
}

// Error names the node, what is wrong with it, and what can be done.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("what is in %s is no history of tables: %v; it can be deleted (zkCli: deleteall), then the history begins anew with the tables that the source has now", e.Path, e.Err)
}

// Unwrap is Err.
func (e *DamagedError) Unwrap() error { return e.Err }

// Open reads the history of a destination; nothing is written but that rests of
// interrupted writes are deleted. ctx bounds the reading. The errors are those of
// ZooKeeper, a *DamagedError, and one that matches ErrFormat.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := newStore(o)
	if err := s.loadOrRenew(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open the history of %s in ZooKeeper: %w", o.Destination, err)
	}
	s.sweep(ctx)
	return s, nil
}

// loadOrRenew reads the history, and discards one that is damaged if that is wanted.
func (s *Store) loadOrRenew(ctx context.Context) error {
	err := s.load(ctx)
	if !s.renews(err) {
		return err
	}
	s.o.Notice(fmt.Sprintf("the history of the tables of %s in ZooKeeper is damaged and begun anew: %v", s.o.Destination, err))
	if err := s.discard(ctx); err != nil {
		return err
	}
	return s.load(ctx)
}

// renews says whether an error is of damage that is to be removed.
func (s *Store) renews(err error) bool {
	var damaged *DamagedError
	return s.o.Renew && errors.As(err, &damaged)
}

func newStore(o Options) *Store {
	s := &Store{o: o.withDefaults(), writing: make(chan struct{}, 1)}
	s.writing <- struct{}{}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.wg.Go(func() {
		select {
		case <-s.o.Lost:
			s.end(history.ErrNotOwner)
		case <-s.life.Done():
		}
	})
	return s
}

// Discard deletes the history of a destination, for the owner, when it is damaged.
func Discard(ctx context.Context, o Options) error {
	s := newStore(o)
	defer s.Close()
	if err := s.discard(ctx); err != nil {
		return fmt.Errorf("discard the history of %s in ZooKeeper: %w", o.Destination, err)
	}
	return nil
}

func (s *Store) discard(ctx context.Context) error {
	ctx, release := s.bind(ctx)
	defer release()
	session, err := s.o.Session(ctx)
	if err != nil {
		return err
	}
	path := zktree.History(s.o.Destination)
	for {
		names, _, err := session.Children(ctx, path)
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		if err != nil {
			return err
		}
		var ops []zk.Op
		for _, name := range names[:min(len(names), maxDeletes)] {
			ops = append(ops, zk.DeleteOp(path+"/"+name, zk.AnyVersion))
		}
		if len(names) == len(ops) {
			ops = append(ops, zk.DeleteOp(path, zk.AnyVersion))
		}
		if _, err := s.write(ctx, ops); err != nil && !errors.Is(err, errConflict) {
			return err
		}
	}
}

// Close implements history.Log.
func (s *Store) Close() error {
	s.end(errClosed)
	s.wg.Wait()
	return nil
}

// bind returns a context that ends with ctx, and with the Store.
func (s *Store) bind(ctx context.Context) (context.Context, func()) {
	bound, cancel := context.WithCancelCause(ctx)
	if s.life.Err() != nil {
		cancel(context.Cause(s.life)) // not some time later
	}
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	return bound, func() {
		stop()
		cancel(context.Canceled)
	}
}

// state is the current one, unless ctx has ended or the Store is closed.
func (s *Store) state(ctx context.Context) (*state, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(context.Cause(s.life), errClosed) {
		return nil, errClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current, nil
}

// Snapshots implements history.Log.
func (s *Store) Snapshots(ctx context.Context) ([]history.Snapshot, error) {
	st, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]history.Snapshot, 0, len(st.head.snapshots))
	for _, n := range st.byAge() {
		n.Extra = slices.Clone(n.Extra)
		all = append(all, n.Snapshot)
	}
	return all, nil
}

// Schemas implements history.Log: it reads the snapshot's pieces.
func (s *Store) Schemas(ctx context.Context, id int64) (map[string]string, error) {
	st, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	ctx, release := s.bind(ctx)
	defer release()
	i := slices.IndexFunc(st.head.snapshots, func(n snapshot) bool { return n.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("the history of %s has no snapshot %d", s.o.Destination, id)
	}
	schemas, err := s.readSchemas(ctx, st.head.snapshots[i].blob)
	if s.renews(err) {
		s.o.Notice(fmt.Sprintf("a snapshot of the history of the tables of %s in ZooKeeper is damaged and removed: %v", s.o.Destination, err))
		err = errors.Join(err, s.Remove(ctx, []int64{id}, nil))
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot %d of the history of %s in ZooKeeper: %w", id, s.o.Destination, err)
	}
	return schemas, nil
}

func (s *Store) readSchemas(ctx context.Context, b blob) (map[string]string, error) {
	session, err := s.o.Session(ctx)
	if err != nil {
		return nil, err
	}
	packed, err := s.readBlobs(ctx, session, []blob{b})
	if err != nil {
		return nil, err
	}
	raw, err := unpack(kindSnapshot, packed[b.id], maxRaw)
	if err == nil {
		var schemas map[string]string
		if schemas, err = parseSchemas(raw); err == nil {
			return schemas, nil
		}
	}
	return nil, s.damaged(b.node(0), err)
}

// Changes implements history.Log.
func (s *Store) Changes(ctx context.Context, since int64) ([]history.Change, error) {
	st, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	var all []history.Change
	err = st.eachPage(func(_ int, p page) error {
		for _, c := range p.changes {
			if c.At.Timestamp >= since {
				all = append(all, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", s.o.Destination, err)
	}
	slices.SortFunc(all, func(a, b history.Change) int {
		return compare(a.At.Timestamp, a.ID, b.At.Timestamp, b.ID)
	})
	return all, nil
}

// State implements history.Log.
func (s *Store) State(ctx context.Context) ([]byte, error) {
	st, err := s.state(ctx)
	if err != nil || !st.doc.exists() {
		return nil, err
	}
	raw, err := unpack(kindState, st.doc.data, maxRaw)
	if err != nil {
		return nil, s.damaged("/state", err)
	}
	return raw, nil
}

// Append implements history.Log.
func (s *Store) Append(ctx context.Context, c history.Change) error {
	c.SQL = strings.Clone(c.SQL) // it may be a part of something large
	return s.update(ctx, "add to", func(d *draft) error { return d.appendChange(c) })
}

// AddSnapshot implements history.Log.
func (s *Store) AddSnapshot(ctx context.Context, n history.Snapshot) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n.Extra = append([]byte(nil), n.Extra...)
	content, err := packSnapshot(n.Schemas)
	n.Schemas = nil
	if err != nil {
		return fmt.Errorf("add a snapshot to the history of %s: %w", s.o.Destination, err)
	}
	return s.update(ctx, "add a snapshot to", func(d *draft) error { return d.addSnapshot(n, content) })
}

// Remove implements history.Log.
func (s *Store) Remove(ctx context.Context, snapshots, changes []int64) error {
	return s.update(ctx, "remove from", func(d *draft) error { return d.remove(snapshots, changes) })
}

// Expire implements history.Log. Changes stay; they are removed when the history
// would be larger than its limit.
func (s *Store) Expire(ctx context.Context, before int64) error {
	return s.update(ctx, "remove what is old from", func(d *draft) error { d.expire(before); return nil })
}

// SetState implements history.Log.
func (s *Store) SetState(ctx context.Context, state []byte) error {
	return s.update(ctx, "set the state of", func(d *draft) error { return d.setState(state) })
}

// Size is what the history takes in ZooKeeper, compressed, in bytes.
func (s *Store) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.size()
}

// compare orders by the first numbers and, where they are the same, the second.
func compare(a, a2, b, b2 int64) int {
	switch {
	case a < b || a == b && a2 < b2:
		return -1
	case a == b && a2 == b2:
		return 0
	}
	return 1
}

// moment is a timestamp for people.
func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 MST") }
