package meta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// forest is a ZooKeeper in memory, with faults. Sessions to it are fakeTree.
type forest struct {
	mu    sync.Mutex
	nodes map[string]*fakeNode
	owner int      // who may write
	late  []func() // transactions that are still under way to the servers
	// fault is asked before each transaction, and luck whether one that is under
	// way arrives.
	fault func() fault
	luck  func() bool
	// down makes reading and asking for the right to write fail.
	down bool
	// commits counts the transactions that were done, extras those that had operations of Extra.
	commits, extras int
	badExtra        bool
	written         func(o op) // told of each operation of an owner that was done
}

type fakeNode struct {
	data     []byte
	version  int32
	modified time.Time
}

// fault is what happens to a transaction.
type fault int

const (
	noFault     fault = iota
	lostOnWay         // not done, ErrConnectionLost
	lostBack          // done, ErrConnectionLost
	comesLate         // done at some later time, if it can be, ErrConnectionLost
	expired           // not done, ErrSessionExpired; the next session is there at once
	lateExpired       // done, ErrSessionExpired
	noAuth            // refused
)

func newForest() *forest {
	f := &forest{nodes: make(map[string]*fakeNode), luck: func() bool { return true }}
	f.put(zktree.Destination(dest), "")
	return f
}

// put writes as another program does.
func (f *forest) put(p, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for d := path.Dir(p); d != "/"; d = path.Dir(d) {
		if f.nodes[d] == nil {
			f.nodes[d] = &fakeNode{}
		}
	}
	n := f.nodes[p]
	if n == nil {
		n = &fakeNode{version: -1}
		f.nodes[p] = n
	}
	n.data, n.version, n.modified = []byte(data), n.version+1, time.Now()
}

func (f *forest) drop(p string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for q := range f.nodes {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(f.nodes, q)
		}
	}
}

// text is what is in a node; "-" when there is none.
func (f *forest) text(p string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.nodes[p]; n != nil {
		return string(n.data)
	}
	return "-"
}

func (f *forest) under(p string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.childrenOf(p)
}

func (f *forest) childrenOf(p string) (names []string) {
	for q := range f.nodes {
		if path.Dir(q) == p {
			names = append(names, path.Base(q))
		}
	}
	slices.Sort(names)
	return names
}

// land does what is under way.
func (f *forest) land() {
	for len(f.late) > 0 {
		do := f.late[0]
		f.late = f.late[1:]
		do()
	}
}

// fakeTree is a session of the owner with the number.
type fakeTree struct {
	f     *forest
	owner int
}

var errFakeDown = fmt.Errorf("fake: %w", zk.ErrConnectionLost)

func (t fakeTree) read(ctx context.Context, p string) (*fakeNode, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case t.f.down:
		return nil, errFakeDown
	case t.f.nodes[p] == nil:
		return nil, fmt.Errorf("get %s: %w", p, zk.ErrNoNode)
	}
	return t.f.nodes[p], nil
}

func (t fakeTree) Sync(ctx context.Context, p string) error {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	_, err := t.read(ctx, p)
	if err == nil { // what was sent before is done or refused by now
		if t.f.luck() {
			t.f.land()
		}
		t.f.late = nil
	}
	return err
}

func (t fakeTree) Get(ctx context.Context, p string) ([]byte, zk.Stat, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	n, err := t.read(ctx, p)
	if err != nil {
		return nil, zk.Stat{}, err
	}
	return bytes.Clone(n.data), zk.Stat{Version: n.version, Mtime: n.modified.UnixMilli()}, nil
}

func (t fakeTree) Exists(ctx context.Context, p string) (zk.Stat, bool, error) {
	_, s, err := t.Get(ctx, p)
	if errors.Is(err, zk.ErrNoNode) {
		return zk.Stat{}, false, nil
	}
	return s, err == nil, err
}

func (t fakeTree) Children(ctx context.Context, p string) ([]string, zk.Stat, error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if _, err := t.read(ctx, p); err != nil {
		return nil, zk.Stat{}, err
	}
	return t.f.childrenOf(p), zk.Stat{}, nil
}

func (t fakeTree) CreateParents(ctx context.Context, p string) error {
	t.f.mu.Lock()
	_, err := t.read(ctx, p)
	t.f.mu.Unlock()
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	if p = path.Dir(p); t.f.text(p) == "-" {
		t.f.put(p, "")
	}
	return nil
}

func (t fakeTree) commit(ctx context.Context, checks []zk.Op, ops []op, extra []zk.Op) error {
	f := t.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	what := noFault
	if f.fault != nil {
		what = f.fault()
	}
	do := func() error { return f.apply(t.owner, len(checks), ops, len(extra)) }
	switch what {
	case lostOnWay:
		return errFakeDown
	case expired:
		return fmt.Errorf("fake: %w", zk.ErrSessionExpired)
	case lostBack:
		_ = do()
		return errFakeDown
	case lateExpired:
		_ = do()
		return fmt.Errorf("fake: %w", zk.ErrSessionExpired)
	case comesLate:
		f.late = append(f.late, func() { _ = do() })
		return errFakeDown
	case noAuth:
		return &zk.MultiError{Index: len(checks), Err: zk.ErrNoAuth}
	}
	return do()
}

// apply does all operations or none.
func (f *forest) apply(owner, checks int, ops []op, extra int) error {
	if owner != f.owner {
		return &zk.MultiError{Index: 0, Err: zk.ErrNoNode}
	}
	next := make(map[string]*fakeNode, len(f.nodes))
	for p, n := range f.nodes {
		c := *n
		next[p] = &c
	}
	for i, o := range ops {
		if err := applyOp(next, o); err != nil {
			return &zk.MultiError{Index: checks + i, Err: fmt.Errorf("%s: %w", o.path, err)}
		}
	}
	if extra > 0 && f.badExtra {
		return &zk.MultiError{Index: checks + len(ops), Err: zk.ErrNoNode}
	}
	f.nodes = next
	f.commits++
	if extra > 0 {
		f.extras++
	}
	if f.written != nil {
		for _, o := range ops {
			f.written(o)
		}
	}
	return nil
}

func applyOp(nodes map[string]*fakeNode, o op) error {
	n := nodes[o.path]
	switch {
	case o.kind == opCreate && n != nil:
		return zk.ErrNodeExists
	case o.kind == opCreate && nodes[path.Dir(o.path)] == nil:
		return zk.ErrNoNode
	case o.kind == opCreate:
		nodes[o.path] = &fakeNode{data: o.data, modified: time.Now()}
		return nil
	case n == nil:
		return zk.ErrNoNode
	case o.version != zk.AnyVersion && o.version != n.version:
		return zk.ErrBadVersion
	case o.kind == opSet:
		n.data, n.version, n.modified = o.data, n.version+1, time.Now()
		return nil
	}
	for p := range nodes {
		if path.Dir(p) == o.path {
			return zk.ErrNotEmpty
		}
	}
	delete(nodes, o.path)
	return nil
}

var errSuspended = errors.New("not now")

// options are those of a manager that becomes the owner.
func (f *forest) options() ZooKeeperOptions {
	f.mu.Lock()
	f.owner++
	t := fakeTree{f, f.owner}
	f.mu.Unlock()
	return ZooKeeperOptions{
		Destination: dest,
		tree:        func(context.Context) (tree, error) { return t, nil },
		right: func() (tree, []zk.Op, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.down {
				return nil, nil, errSuspended
			}
			return t, []zk.Op{zk.CheckOp("/lease", zk.AnyVersion)}, nil
		},
	}
}

// heard collects what the hooks of a manager were told.
type heard struct {
	failed          recorder[error]
	notices, alarms recorder[string]
	flushed         recorder[Record]
}

func (h *heard) listen(o *ZooKeeperOptions) {
	o.Failed, o.Notice, o.Alarm = h.failed.add, h.notices.add, h.alarms.add
	o.Flushed = func(rs []Record) {
		for _, r := range rs {
			h.flushed.add(r)
		}
	}
}

func openZK(t *testing.T, o ZooKeeperOptions) *ZooKeeper {
	t.Helper()
	z, err := OpenZooKeeper(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = z.Close() })
	return z
}
