package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/testkit/canaltest"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/netfault"
	"github.com/towpath-cdc/towpath/test/servers"
)

// cluster is a ZooKeeper for the tests of one function, each with a destination of
// its own.
type cluster struct {
	*servers.ZooKeeper
	root *zk.Client // to play the servers, and operators
}

// testSession is the session timeout of the clients.
const testSession = 3 * time.Second

func newCluster(t *testing.T, o servers.ZooKeeperOptions) *cluster {
	t.Helper()
	z := servers.ZooKeeperForTest(t, o)
	root, err := zk.Open(zk.Config{Servers: z.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &cluster{z, root}
}

func (c *cluster) session(t *testing.T) *zk.Session {
	t.Helper()
	s, err := c.root.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put makes a node what it shall be; nil data deletes it.
func (c *cluster) put(t *testing.T, path string, data []byte) {
	t.Helper()
	s := c.session(t)
	var err error
	if data == nil {
		err = s.DeleteAll(t.Context(), path)
	} else if _, err = s.Set(t.Context(), path, data, zk.AnyVersion); errors.Is(err, zk.ErrNoNode) {
		if err = s.CreateParents(t.Context(), path); err == nil {
			_, err = s.Create(t.Context(), path, data, zk.Persistent)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run has the destination run by the server at addr, "" for none.
func (c *cluster) run(t *testing.T, destination, addr string) {
	t.Helper()
	if addr == "" {
		c.put(t, zktree.Running(destination), nil)
		return
	}
	c.put(t, zktree.Running(destination), zktree.ServerRunning{Active: true, Address: addr}.Append(nil))
}

// claim is what is in the node of the active client, ok when there is one.
func (c *cluster) claim(t *testing.T, destination string) (got claim, ok bool) {
	t.Helper()
	b, _, err := c.session(t).Get(t.Context(), zktree.RunningClient(destination, DefaultClientID))
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		t.Fatal(err)
	}
	return parseClaim(b), err == nil
}

// watchers is how many sessions watch a node.
func (c *cluster) watchers(t *testing.T, path string) (n int) {
	t.Helper()
	out, err := c.FourLetter(0, "wchp")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(out, path+"\n")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "\t") {
			break
		}
		n++
	}
	return n
}

// open opens a ZooKeeper as a process of its own would.
func (c *cluster) open(t *testing.T, addr string) *ZooKeeper {
	t.Helper()
	z, err := OpenZooKeeper(ZooKeeperOptions{Servers: addr, SessionTimeout: testSession})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = z.Close() }) // a test may have cut it off
	return z
}

// reader runs a consumer in the background and notes what it is given.
type reader struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	tables []string
	events []Event
	stale  int
}

// read starts a consumer, which acks what it gets. It ends with the test.
func read(t *testing.T, o ConsumerOptions) *reader {
	t.Helper()
	r := &reader{t: t, done: make(chan struct{})}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	o.SOTimeout = time.Minute // none of the tests may have to wait for it
	o.Event = func(e Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	go func() {
		defer close(r.done)
		for b, err := range NewConsumer(o).Batches(ctx) {
			if err != nil {
				t.Error(err)
				return
			}
			r.take(b)
		}
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *reader) take(b *Batch) {
	names := []string{}
	for e := range b.Entries() {
		names = append(names, e.Header().TableName())
	}
	err := b.Ack()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tables = append(r.tables, names...)
	if errors.Is(err, ErrStale) {
		r.stale++
	} else if err != nil {
		r.t.Error(err)
	}
}

// stop leaves the loop and waits for it.
func (r *reader) stop() {
	r.cancel()
	<-r.done
}

func (r *reader) has(table string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.tables, table)
}

func (r *reader) kinds() (kinds []EventKind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (r *reader) last() Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return Event{}
	}
	return r.events[len(r.events)-1]
}

// awaitTable waits for an entry and returns how long that took.
func (r *reader) awaitTable(table string) time.Duration {
	r.t.Helper()
	begun := time.Now()
	eventually(r.t, table, func() bool { return r.has(table) })
	return time.Since(begun)
}

func (r *reader) awaitEvent(kind EventKind) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("event %d", kind), func() bool { return r.last().Kind == kind })
}

// busy is how much longer anything may take on a busy machine. It stays below the
// delays of Canal's own client.
const busy = 3 * time.Second

// within fails the test when something took longer than it may.
func within(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took > limit+busy {
		t.Errorf("%s took %v, over %v", what, took, limit)
	}
}

func in(z *ZooKeeper, destination string) ConsumerOptions {
	return ConsumerOptions{Options: Options{ZooKeeper: z, Destination: destination}, Wait: 20 * time.Millisecond}
}

// silent is a server that is stopped in its tracks: it accepts connections and says
// nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func serve(t *testing.T, destination string, tables ...string) *canaltest.Server {
	t.Helper()
	s := canaltest.Start(t, canaltest.Options{Destination: destination})
	for _, name := range tables {
		s.Put(entry(name))
	}
	return s
}

func TestFollow(t *testing.T) {
	c := newCluster(t, servers.ZooKeeperOptions{})
	z := c.open(t, c.Addr())

	t.Run("waits for the tree", func(t *testing.T) {
		r := read(t, in(z, "late"))
		r.awaitEvent(Searching)
		s := serve(t, "late", "a")
		c.run(t, "late", s.Addr())
		within(t, "the first entry", r.awaitTable("a"), time.Second)
	})
	t.Run("moves", func(t *testing.T) {
		a, b := serve(t, "moves", "a"), serve(t, "moves", "b")
		c.run(t, "moves", a.Addr())
		r := read(t, in(z, "moves"))
		r.awaitTable("a")
		c.run(t, "moves", "") // the connection stays
		a.Put(entry("a2"))
		r.awaitTable("a2")
		c.run(t, "moves", b.Addr())
		within(t, "the move", r.awaitTable("b"), time.Second)
		if got := r.kinds(); !slices.Equal(got, []EventKind{Searching, Connected, Moved, Connected}) && !slices.Equal(got, []EventKind{Connected, Moved, Connected}) {
			t.Errorf("events %v", got)
		}
	})
	t.Run("leaves a hung server", func(t *testing.T) {
		asked := make(chan struct{})
		var once sync.Once
		hung := canaltest.Start(t, canaltest.Options{Destination: "hung", Intercept: func(m protocol.Message) (canaltest.Action, bool) {
			_, get := m.(*protocol.Get)
			if get {
				once.Do(func() { close(asked) })
			}
			return canaltest.Action{}, get
		}})
		b := serve(t, "hung", "b")
		c.run(t, "hung", hung.Addr())
		r := read(t, in(z, "hung"))
		<-asked
		c.run(t, "hung", b.Addr())
		within(t, "to leave a server that hangs in a get", r.awaitTable("b"), time.Second)
		c.run(t, "hung", silent(t))
		r.awaitEvent(Moved)
		b.Put(entry("b2"))
		c.run(t, "hung", b.Addr())
		within(t, "to leave a server that hangs in the handshake", r.awaitTable("b2"), time.Second)
	})
	t.Run("starts a lazy instance", func(t *testing.T) {
		s := serve(t, "lazy", "a")
		c.put(t, zktree.Competitor("lazy", s.Addr()), []byte{})
		r := read(t, in(z, "lazy"))
		within(t, "a lazy start", r.awaitTable("a"), lazyPatience+time.Second)
	})
	t.Run("comes back after a crash", func(t *testing.T) {
		a, b := serve(t, "crash", "a"), serve(t, "crash", "b")
		c.run(t, "crash", a.Addr())
		var failures atomic.Int32
		o := in(z, "crash")
		retry := Backoff(ClusterRetryMin, ClusterRetryMax)
		o.Retry = func(n int, err error) (time.Duration, bool) {
			failures.Store(int32(n))
			return retry(n, err)
		}
		r := read(t, o)
		r.awaitTable("a")
		a.Stop() // its node stays until its session ends
		eventually(t, "the waits to grow", func() bool { return failures.Load() > 4 })
		c.run(t, "crash", b.Addr())
		within(t, "to find the successor", r.awaitTable("b"), 500*time.Millisecond)
	})
	t.Run("without the right to consume", func(t *testing.T) {
		s := serve(t, "free", "a")
		c.run(t, "free", s.Addr())
		r := read(t, ConsumerOptions{Options: Options{Discoverer: z.Discover("free"), Destination: "free"}})
		r.awaitTable("a")
		if got, ok := c.claim(t, "free"); ok {
			t.Errorf("claim %+v", got)
		}
	})
	t.Run("gives up with its context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Dial(ctx, Options{ZooKeeper: z, Destination: "nosuch"})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "zookeeper has no server of nosuch") {
			t.Errorf("error %v", err)
		}
	})
}

func TestElection(t *testing.T) {
	c := newCluster(t, servers.ZooKeeperOptions{})

	t.Run("the node is Java's", func(t *testing.T) {
		s := serve(t, "node", "a")
		c.run(t, "node", silent(t))
		z := c.open(t, c.Addr())
		r := read(t, in(z, "node"))
		eventually(t, "the claim", func() bool { _, ok := c.claim(t, "node"); return ok })
		if got, _ := c.claim(t, "node"); got.Address != hostIP() || got.ClientID != DefaultClientID || !got.Active {
			t.Errorf("claim %+v before there is a connection", got)
		}
		c.run(t, "node", s.Addr())
		r.awaitTable("a")
		eventually(t, "the port", func() bool { got, _ := c.claim(t, "node"); return strings.HasPrefix(got.Address, "127.0.0.1:") })
		_, before, _ := c.session(t).Get(t.Context(), zktree.RunningClient("node", DefaultClientID))
		b := serve(t, "node", "b")
		s.Stop()
		c.run(t, "node", b.Addr())
		r.awaitTable("b")
		if _, after, err := c.session(t).Get(t.Context(), zktree.RunningClient("node", DefaultClientID)); err != nil || after.Czxid != before.Czxid {
			t.Errorf("the node was created again by the failover: %v", err)
		}
		r.stop()
		if got, ok := c.claim(t, "node"); ok {
			t.Errorf("claim %+v after the end", got)
		}
	})
	t.Run("one consumes and another takes over", func(t *testing.T) {
		s := serve(t, "pair", "a")
		c.run(t, "pair", s.Addr())
		first := read(t, in(c.open(t, c.Addr()), "pair"))
		first.awaitTable("a")
		second := read(t, in(c.open(t, c.Addr()), "pair"))
		second.awaitEvent(Waiting)
		s.Put(entry("b"))
		first.awaitTable("b")
		eventually(t, "the ack", func() bool { return s.Acked() == 2 })
		first.stop()
		s.Put(entry("c"))
		within(t, "to take over from one that leaves", second.awaitTable("c"), time.Second)
		if second.has("b") {
			t.Error("the second got what the first had acked")
		}
	})
	t.Run("two of one process", func(t *testing.T) {
		s := serve(t, "same", "a")
		c.run(t, "same", s.Addr())
		z := c.open(t, c.Addr())
		first := read(t, in(z, "same"))
		first.awaitTable("a")
		second := read(t, in(z, "same"))
		second.awaitEvent(Waiting)
		first.stop()
		s.Put(entry("b"))
		within(t, "to take over within a process", second.awaitTable("b"), time.Second)
	})
	t.Run("cut off from ZooKeeper", func(t *testing.T) {
		p := netfault.New(t, c.Addr())
		s := serve(t, "cut", "a")
		c.run(t, "cut", s.Addr())
		first := read(t, in(c.open(t, p.Addr()), "cut"))
		first.awaitTable("a")
		second := read(t, in(c.open(t, c.Addr()), "cut"))
		second.awaitEvent(Waiting)
		shut := time.Now()
		p.Blackhole()
		first.awaitEvent(Displaced)
		if second.last().Kind != Waiting {
			t.Errorf("the second had %v before the first stopped", second.last())
		}
		s.Put(entry("b"))
		second.awaitTable("b")
		within(t, "to take over from one that is cut off or killed", time.Since(shut), testSession+time.Second)
		if err := p.Heal(); err != nil {
			t.Fatal(err)
		}
		first.awaitEvent(Waiting)
	})
	t.Run("connection lost while it is created", func(t *testing.T) {
		p := netfault.New(t, c.Addr())
		s := serve(t, "create", "a")
		c.run(t, "create", s.Addr())
		c.put(t, zktree.Client("create", DefaultClientID), []byte{})
		cut := p.CutAfter(netfault.ZooKeeperRequest(netfault.OpCreate))
		r := read(t, in(c.open(t, p.Addr()), "create"))
		<-cut
		within(t, "to find the node that was created", r.awaitTable("a"), time.Second)
	})
	t.Run("expired session", func(t *testing.T) {
		s := serve(t, "expired", "a")
		c.run(t, "expired", s.Addr())
		z := c.open(t, c.Addr())
		r := read(t, in(z, "expired"))
		r.awaitTable("a")
		session, err := z.zk.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := zk.CloseSession(t.Context(), zk.Config{Servers: c.Addrs()}, session.ID(), session.Password()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "displacement", func() bool { return slices.Contains(r.kinds(), Displaced) })
		s.Put(entry("b"))
		within(t, "to be elected again", r.awaitTable("b"), 3*time.Second)
	})
	t.Run("told to give way", func(t *testing.T) {
		s := serve(t, "told", "a")
		c.run(t, "told", s.Addr())
		first := read(t, in(c.open(t, c.Addr()), "told"))
		first.awaitTable("a")
		second := read(t, in(c.open(t, c.Addr()), "told"))
		second.awaitEvent(Waiting)
		eventually(t, "the port", func() bool { got, _ := c.claim(t, "told"); return strings.Contains(got.Address, ":") })
		got, _ := c.claim(t, "told")
		got.Active = false
		c.put(t, zktree.RunningClient("told", DefaultClientID), got.Append(nil)) // without our own member
		eventually(t, "displacement", func() bool { return slices.Contains(first.kinds(), Displaced) })
		s.Put(entry("b"))
		within(t, "to take over from one told to give way", second.awaitTable("b"), time.Second)
	})
	t.Run("deleted by hand", func(t *testing.T) {
		s := serve(t, "deleted", "a")
		c.run(t, "deleted", s.Addr())
		r := read(t, in(c.open(t, c.Addr()), "deleted"))
		r.awaitTable("a")
		c.put(t, zktree.RunningClient("deleted", DefaultClientID), nil)
		s.Put(entry("b"))
		within(t, "to be elected again", r.awaitTable("b"), time.Second)
	})
	t.Run("unsubscribe leaves nothing", func(t *testing.T) {
		path := zktree.Client("unsub", DefaultClientID)
		s := canaltest.Start(t, canaltest.Options{Destination: "unsub", Intercept: func(m protocol.Message) (canaltest.Action, bool) {
			if _, ok := m.(*protocol.Unsub); ok {
				c.put(t, path, nil) // as a server does whose subscriptions are in ZooKeeper
			}
			return canaltest.Action{}, false
		}})
		c.run(t, "unsub", s.Addr())
		o := in(c.open(t, c.Addr()), "unsub").Options
		conn, err := Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.Subscribe(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if err := conn.Unsubscribe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, exists, err := c.session(t).Exists(t.Context(), path); exists || err != nil {
			t.Errorf("node of the client: %v, %v", exists, err)
		}
		if err := conn.Subscribe(t.Context(), ""); err != nil {
			t.Errorf("subscribe again: %v", err)
		}
		if _, ok := c.claim(t, "unsub"); !ok {
			t.Error("no claim by the second subscription")
		}
	})
}
