package meta

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
)

// ErrNotOwner is returned by a ZooKeeper manager once another server may own the
// destination: what it still has in memory is not written any more.
var ErrNotOwner = errors.New("this server does not own the destination")

// ZooKeeperMode is when cursors are written. Each is the way of one of Canal's
// meta managers; what is read and what the nodes look like is the same in all.
type ZooKeeperMode int

const (
	// PeriodMixed writes at most once a period: PeriodMixedMetaManager, which
	// Canal's default-instance.xml has.
	PeriodMixed ZooKeeperMode = iota
	// Mixed writes in the background as soon as something has changed:
	// MixedMetaManager.
	Mixed
	// Pure stands for ZooKeeperMetaManager, which has each ack wait for
	// ZooKeeper. Here it is the same as Mixed.
	Pure
)

// ZooKeeperOptions are the settings of a ZooKeeper.
type ZooKeeperOptions struct {
	Destination string
	Period      time.Duration // canal.zookeeper.flush.period; DefaultPeriod if 0
	Mode        ZooKeeperMode

	// Session returns a session to read in, while the manager is opened.
	Session func(ctx context.Context) (*zk.Session, error)
	// Guard returns the session to write in and the checks that must head every
	// transaction, which fail unless this server owns the destination. An error
	// means that nothing may be written at the moment. It must not wait.
	Guard func() (s *zk.Session, checks []zk.Op, err error)
	// Lost is closed when the destination is not this server's any more. nil
	// means never.
	Lost <-chan struct{}
	// Extra returns operations that go with a write, such as what the owner
	// tells of the destination. They must not depend on versions: when they
	// fail, the cursors are written without them. May be nil.
	Extra func() []zk.Op
	// Import returns what a File had in this place, for a destination of which
	// ZooKeeper has never had anything: without it, an instance that changes from
	// file-instance.xml to default-instance.xml would begin at the end of the
	// binlog. May be nil.
	Import func() ([]Record, error)

	// The hooks must not call the manager, and may be nil.
	Flushed func(moved []Record) // after a write, the clients whose cursors it moved
	Failed  func(error)          // once for each time in which writing in the background goes wrong; it is tried again
	Notice  func(text string)    // what a person may want to know
	Alarm   func(text string)    // what a person must look at: another program has written a cursor. At most once a minute

	// The seams for tests.
	tree    func(ctx context.Context) (tree, error)
	right   func() (tree, []zk.Op, error)
	inspect time.Duration
}

const (
	// inspectPeriod is how often cursors are compared with what was written.
	inspectPeriod = 10 * time.Second
	// alarmPeriod is how long Alarm stays silent after it was raised.
	alarmPeriod = time.Minute
	// closeTimeout bounds the last write.
	closeTimeout = 3 * time.Second
)

// ZooKeeper keeps subscriptions and cursors in memory and writes them to Canal's
// nodes in ZooKeeper, so that a Java server can take over from this one and the
// other way round.
//
// # What is lost and repeated
//
// Acks reach ZooKeeper up to Period later, or when it can be reached again;
// what was acked in that time is handed out again by the next owner. A new
// subscription and a client's first cursor are written at once, but by the
// flusher: if this server is killed within those few milliseconds, or while
// ZooKeeper cannot be reached, the next owner knows nothing of the client. Who
// cannot accept that calls Flush after Subscribe and UpdateCursor, before the
// client is told. A planned hand-over calls Flush or Close first and repeats
// nothing.
//
// # The fence
//
// Every write is one transaction that Guard's checks head, and every cursor is
// set at the version at which it is known. So nothing is written when another
// server owns the destination, however late a write arrives. When the checks
// fail, ErrNotOwner goes to Failed and the changes stay in memory: the owner may
// get its node back, or Lost is closed. After that nothing is written and the
// methods that change something refuse with ErrNotOwner.
//
// A cursor at another version was written by another hand: a Java server that
// has not noticed that it lost the destination, or a person. Alarm tells, and
// the next write puts the cursor in memory, which is what clients of the owner
// have confirmed, in its place. That repeats changes where the other one was
// ahead; to leave it would skip some that no client of this server has seen.
// A person who wants to set a cursor has to stop the destination first, as with
// Canal.
//
// # Nodes of others
//
// Batch marks, which Canal's MixedMetaManager leaves behind, are not read, not
// written and not deleted before the client unsubscribes: a client gets the
// batches that it never acked again, because its cursor is before them. The running node of a consuming client is never
// deleted. Where Canal does so on an unsubscription, and so throws out a client
// that then comes back, the client's node stays until the client has gone.
//
// A subscription whose node has been deleted from outside (towpath cluster
// expire) and that has done nothing since the manager was opened is given up
// within 10 s; one that is alive is written again.
//
// Canal takes only names that are all digits for clients, so those with a
// negative id are kept in memory alone. A client that subscribes without a
// filter keeps its old filter node, as in Canal; unsubscribing deletes it.
type ZooKeeper struct {
	*Memory
	o ZooKeeperOptions

	life   context.Context // ends with ErrNotOwner when Lost is closed, and with Close
	end    context.CancelCauseFunc
	stop   context.CancelFunc // ends the flusher
	wg     sync.WaitGroup     // the flusher, and the one that waits for Lost
	due    chan struct{}      // something has changed
	urgent chan struct{}      // and must not wait for the period

	closing sync.Once

	writing chan struct{} // has a token while nobody writes; taken before mu
	known   map[int16]*known
	marked  bool // the node marker is there, or not needed; guarded, as known is, by writing
	// extraFails says that Extra's operations failed the last time.
	extraFails bool

	mu      sync.Mutex // taken before Memory's
	closed  bool
	dirty   changes
	filters map[int16]string // what the filter node of a client is to hold; "" for no node
	active  map[int16]bool   // has subscribed or acked since the manager was opened
	alarmed time.Time
}

// change says that something of a client has to be written.
type change struct {
	since time.Time
	moved bool // the cursor has
}

type changes map[int16]change

// note adds a change.
func (c changes) note(id int16, n change) {
	if old, ok := c[id]; ok {
		n.moved = n.moved || old.moved
		if old.since.Before(n.since) {
			n.since = old.since
		}
	}
	c[id] = n
}

// OpenZooKeeper reads what ZooKeeper has of the destination and starts the
// flusher, which Close ends. ctx bounds the reading. A cursor that cannot be
// read is a CursorError.
func OpenZooKeeper(ctx context.Context, o ZooKeeperOptions) (*ZooKeeper, error) {
	z := &ZooKeeper{
		o: o.withDefaults(), due: make(chan struct{}, 1), urgent: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		known: make(map[int16]*known), dirty: make(changes), filters: make(map[int16]string), active: make(map[int16]bool),
	}
	z.writing <- struct{}{}
	if err := z.load(ctx); err != nil {
		return nil, fmt.Errorf("read the cursors of %s in ZooKeeper: %w", o.Destination, err)
	}
	z.life, z.end = context.WithCancelCause(context.Background())
	flusher, stop := context.WithCancel(z.life)
	z.stop = stop
	z.wg.Go(func() {
		select {
		case <-z.o.Lost:
			z.end(ErrNotOwner)
		case <-flusher.Done():
		}
	})
	z.wg.Go(func() { z.run(flusher) })
	return z, nil
}

func (o ZooKeeperOptions) withDefaults() ZooKeeperOptions {
	if o.Period <= 0 {
		o.Period = DefaultPeriod
	}
	if o.Flushed == nil {
		o.Flushed = func([]Record) {}
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	if o.Alarm == nil {
		o.Alarm = func(string) {}
	}
	if o.Extra == nil {
		o.Extra = func() []zk.Op { return nil }
	}
	if o.inspect == 0 {
		o.inspect = inspectPeriod
	}
	if o.tree == nil {
		o.tree = func(ctx context.Context) (tree, error) {
			s, err := o.Session(ctx)
			if err != nil {
				return nil, err
			}
			return session{s}, nil
		}
		o.right = func() (tree, []zk.Op, error) {
			s, checks, err := o.Guard()
			if err != nil {
				return nil, nil, err
			}
			return session{s}, checks, nil
		}
	}
	return o
}

// load fills memory with what is in ZooKeeper, or with what is to be imported.
func (z *ZooKeeper) load(ctx context.Context) error {
	stored, err := z.readStored(ctx)
	if err != nil {
		return err
	}
	var records []Record
	for _, s := range stored {
		if s.Err != nil {
			return s.Err
		}
		records = append(records, s.record())
		z.known[s.Client.ID] = s.known
		z.filters[s.Client.ID] = s.known.filter
	}
	z.Memory = NewMemory(records...)
	return z.importRecords(ctx, stored)
}

// importRecords takes over what a File had, if ZooKeeper has never had anything.
// The node of a client with nothing in it does not count: Canal's consuming
// clients make it before they connect, however the server keeps their cursors.
func (z *ZooKeeper) importRecords(ctx context.Context, stored []storedClient) error {
	if z.o.Import == nil {
		z.marked = true
		return nil
	}
	t, err := z.o.tree(ctx)
	if err != nil {
		return err
	}
	if _, z.marked, err = t.Exists(ctx, marker(z.o.Destination)); err != nil {
		return err
	}
	for _, s := range stored {
		if z.marked || s.known.hasCursor || s.known.hasFilter || s.marks {
			return nil
		}
	}
	if z.marked {
		return nil
	}
	records, err := z.o.Import()
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if len(records) == 0 {
		return nil
	}
	for _, r := range records {
		z.subscribe(r.Client) // of Memory
		z.filters[r.Client.ID] = r.Client.Filter
		if r.HasCursor {
			z.cursors[r.Client.ID] = r.Cursor
		}
		z.changed(r.Client.ID, r.HasCursor, true)
	}
	z.o.Notice(fmt.Sprintf("ZooKeeper has no cursors of %s yet; those of %d clients are taken over from %s", z.o.Destination, len(records), FileName))
	return nil
}

// Subscribe implements Manager. It does not wait for ZooKeeper, see the type.
func (z *ZooKeeper) Subscribe(ctx context.Context, c Client) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	isNew := !z.HasSubscription(c)
	if err := z.refused(); err != nil {
		return err
	}
	if err := z.Memory.Subscribe(ctx, c); err != nil {
		return err
	}
	if strings.TrimSpace(c.Filter) != "" && z.filters[c.ID] != c.Filter {
		z.filters[c.ID], isNew = c.Filter, true
	}
	z.active[c.ID] = true
	if isNew {
		_, known := z.Cursor(c)
		z.changed(c.ID, known, true)
	}
	return nil
}

// Unsubscribe implements Manager.
func (z *ZooKeeper) Unsubscribe(ctx context.Context, c Client) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if err := z.refused(); err != nil {
		return err
	}
	if !z.HasSubscription(c) {
		return nil
	}
	if err := z.Memory.Unsubscribe(ctx, c); err != nil {
		return err
	}
	delete(z.filters, c.ID)
	z.changed(c.ID, false, true)
	return nil
}

// UpdateCursor implements Manager.
func (z *ZooKeeper) UpdateCursor(ctx context.Context, c Client, cur Cursor) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if err := z.refused(); err != nil {
		return err
	}
	_, had := z.Cursor(c)
	if err := z.Memory.UpdateCursor(ctx, c, cur); err != nil {
		return err
	}
	z.active[c.ID] = true
	z.changed(c.ID, true, !had || z.o.Mode != PeriodMixed)
	return nil
}

// MoveCursors implements Manager. They are one transaction unless there are more
// than it takes, some hundreds.
func (z *ZooKeeper) MoveCursors(ctx context.Context, records []Record) error {
	z.mu.Lock()
	err := z.refused()
	if err == nil {
		err = z.Memory.MoveCursors(ctx, records)
	}
	if err != nil {
		z.mu.Unlock()
		return err
	}
	for _, r := range records {
		z.active[r.Client.ID] = true
		z.changed(r.Client.ID, true, false)
	}
	z.mu.Unlock()
	return z.Flush(ctx)
}

// refused says why nothing can be changed. The caller holds mu.
func (z *ZooKeeper) refused() error {
	switch {
	case z.closed:
		return ErrClosed
	case z.isLost():
		return ErrNotOwner
	}
	return nil
}

func (z *ZooKeeper) isLost() bool {
	select {
	case <-z.o.Lost:
		return true
	default:
		return false
	}
}

// changed notes that a client has to be written. The caller holds mu.
func (z *ZooKeeper) changed(id int16, moved, urgent bool) {
	if id < 0 {
		return // Canal would not find it again
	}
	z.dirty.note(id, change{time.Now(), moved})
	z.signal(urgent)
}

// signal wakes the flusher.
func (z *ZooKeeper) signal(urgent bool) {
	c := z.due
	if urgent {
		c = z.urgent
	}
	select {
	case c <- struct{}{}:
	default: // it has not woken yet
	}
}

// Flush implements Manager: it writes all changes that were made before the call
// and waits for that until ctx ends. When it fails they stay due.
func (z *ZooKeeper) Flush(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(z.life, func() { cancel(context.Cause(z.life)) })()
	_, err := z.flush(ctx)
	return err
}

// Close implements Manager: it refuses further changes, ends the flusher and
// writes what is left, for which it allows itself 3 s. An error says that
// something was left unwritten.
func (z *ZooKeeper) Close() error {
	var err error
	z.closing.Do(func() {
		z.mu.Lock()
		z.closed = true
		z.mu.Unlock()
		z.stop()
		z.wg.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err = z.Flush(ctx); err != nil {
			err = fmt.Errorf("close meta manager: %w", err)
		}
		z.end(ErrClosed)
	})
	return errors.Join(err, z.Memory.Close())
}
