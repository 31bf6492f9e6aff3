package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/netfault"
	"github.com/towpath-cdc/towpath/test/servers"
)

const (
	// sessionTimeout is that of most servers of these tests. A busy machine can
	// keep a process from running for a second.
	sessionTimeout = 4 * time.Second

	// slack is what a busy machine may add to a time that is measured.
	slack = 3 * time.Second
)

// sharedZooKeeper is a ZooKeeper that several tests use, each below a node of its
// own. A test may not stop it.
var sharedZooKeeper = sync.OnceValues(func() (*servers.ZooKeeper, error) {
	return servers.StartZooKeeper(context.Background(), servers.ZooKeeperOptions{Dir: filepath.Join(scratch, "zookeeper")})
})

// stopSharedZooKeeper is for the end of the run.
func stopSharedZooKeeper() {
	if _, err := os.Stat(filepath.Join(scratch, "zookeeper")); err != nil {
		return // nobody has started it
	}
	if z, err := sharedZooKeeper(); err == nil {
		_ = z.Stop() // the run is over
	}
}

// tree is what is in ZooKeeper, as an operator sees and changes it.
type tree struct {
	t    testing.TB
	zk   *servers.ZooKeeper
	root string // the chroot
	c    *zk.Client
}

// newTree is a tree of the shared ZooKeeper that belongs to this test.
func newTree(t testing.TB) *tree {
	t.Helper()
	z, err := sharedZooKeeper()
	if err != nil {
		if os.Getenv("TOWPATH_REQUIRE_SERVERS") == "" && strings.Contains(err.Error(), "not installed") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	root := "/" + strings.ReplaceAll(t.Name(), "/", "-") // whoever needs it first makes it
	tr := openTree(t, z, zk.Config{Servers: z.Addrs(), Chroot: root})
	tr.root = root
	return tr
}

func openTree(t testing.TB, z *servers.ZooKeeper, c zk.Config) *tree {
	t.Helper()
	client, err := zk.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = client.Close(ctx) // its session may have gone with ZooKeeper
	})
	return &tree{t: t, zk: z, c: client}
}

// addr is canal.zkServers for servers that reach ZooKeeper at an address.
func (z *tree) addr(at string) string { return at + z.root }

func (z *tree) session() *zk.Session {
	z.t.Helper()
	s, err := z.c.Session(z.t.Context())
	if err != nil {
		z.t.Fatal(err)
	}
	return s
}

// get is what a node holds; ok is false when there is none.
func (z *tree) get(path string) (data string, st zk.Stat, ok bool) {
	z.t.Helper()
	for {
		b, st, err := z.session().Get(z.t.Context(), path)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			return "", zk.Stat{}, false
		case errors.Is(err, zk.ErrSessionExpired):
			continue
		case err != nil:
			z.t.Fatalf("get %s: %v", path, err)
		}
		return string(b), st, true
	}
}

func (z *tree) exists(path string) bool {
	z.t.Helper()
	_, _, ok := z.get(path)
	return ok
}

// owner is the session that a node belongs to, 0 for none.
func (z *tree) owner(path string) int64 {
	z.t.Helper()
	_, st, _ := z.get(path)
	return st.EphemeralOwner
}

// put writes a persistent node, which is made if it is missing.
func (z *tree) put(path, data string) {
	z.t.Helper()
	ctx := z.t.Context()
	_, err := z.session().Set(ctx, path, []byte(data), zk.AnyVersion)
	if errors.Is(err, zk.ErrNoNode) {
		if err = z.session().CreateParents(ctx, path); err == nil {
			_, err = z.session().Create(ctx, path, []byte(data), zk.Persistent)
		}
	}
	if err != nil {
		z.t.Fatalf("put %s: %v", path, err)
	}
}

func (z *tree) remove(path string) {
	z.t.Helper()
	if err := z.session().DeleteAll(z.t.Context(), path); err != nil {
		z.t.Fatalf("remove %s: %v", path, err)
	}
}

// children are the names below a node.
func (z *tree) children(path string) []string {
	z.t.Helper()
	names, _, err := z.session().Children(z.t.Context(), path)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		z.t.Fatalf("children of %s: %v", path, err)
	}
	return names
}

// running is the address of the server that runs a destination, "" for none.
func (z *tree) running(destination string) string {
	z.t.Helper()
	data, _, ok := z.get(zktree.Running(destination))
	if !ok {
		return ""
	}
	r, err := zktree.ParseServerRunning([]byte(data))
	if err != nil {
		z.t.Fatalf("running node of %s: %v: %q", destination, err, data)
	}
	return r.Address
}

// cursor is the cursor of client 1001, as Canal writes it.
func (z *tree) cursor(destination string) (place, bool) {
	z.t.Helper()
	data, _, ok := z.get(zktree.Cursor(destination, client.DefaultClientID))
	if !ok || data == "" {
		return place{}, false
	}
	return parseCursor(z.t, []byte(data)), true
}

func parseCursor(t testing.TB, b []byte) place {
	t.Helper()
	var c struct {
		Postion struct {
			JournalName string
			Position    int64
		}
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Errorf("cursor %q: %v", b, err)
	}
	return place{c.Postion.JournalName, c.Postion.Position}
}

func (p place) before(q place) bool {
	return p.file < q.file || p.file == q.file && p.offset < q.offset
}

// watchCursor looks at each value of the cursor of client 1001 until the test
// ends, and fails it when one is before the last.
func (z *tree) watchCursor(destination string) {
	ctx, cancel := context.WithCancel(z.t.Context())
	var wg sync.WaitGroup
	z.t.Cleanup(wg.Wait)
	z.t.Cleanup(cancel)
	wg.Go(func() {
		var last place
		for ctx.Err() == nil {
			s, err := z.c.Session(ctx)
			if err != nil {
				return
			}
			b, _, changed, err := s.GetW(ctx, zktree.Cursor(destination, client.DefaultClientID))
			if err != nil {
				pauseFor(ctx, 20*time.Millisecond)
				continue
			}
			if c := parseCursor(z.t, b); c.before(last) {
				z.t.Errorf("the cursor of %s went back from %v to %v", destination, last, c)
			} else {
				last = c
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	})
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// options are what a client needs to find a destination through ZooKeeper. Its
// node there is told to no other test.
func (z *tree) options(destination string) client.Options {
	z.t.Helper()
	return z.optionsOf(destination, client.ZooKeeperOptions{Servers: z.addr(z.zk.Addr())})
}

func (z *tree) optionsOf(destination string, o client.ZooKeeperOptions) client.Options {
	z.t.Helper()
	found, err := client.OpenZooKeeper(o)
	if err != nil {
		z.t.Fatal(err)
	}
	z.t.Cleanup(func() { _ = found.Close() }) // its session may have gone with ZooKeeper
	return client.Options{ZooKeeper: found, Destination: destination}
}

// newMember makes an installation that is a member of the cluster of a ZooKeeper.
func newMember(t testing.TB, zkServers string, set settings) *home {
	t.Helper()
	return newHome(t, settings{
		"canal.zkServers": zkServers, "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml",
		"towpath.zookeeper.session.timeout": "4000", "towpath.cluster.rebalance": "false",
	}.with(set))
}

// cluster is two servers, each of which reaches ZooKeeper through a network of
// its own.
type cluster struct {
	*tree
	db      *servers.Server
	homes   []*home
	network []*netfault.Proxy // between a home and ZooKeeper
}

// newCluster makes two installations.
func newCluster(t testing.TB, db *servers.Server, set settings) *cluster {
	t.Helper()
	c := &cluster{tree: newTree(t), db: db}
	for range 2 {
		p := netfault.New(t, c.zk.Addr())
		c.network = append(c.network, p)
		c.homes = append(c.homes, newMember(t, c.addr(p.Addr()), set))
	}
	return c
}

// instance writes the file of a destination on both servers.
func (c *cluster) instance(destination string, set settings) {
	c.t.Helper()
	for _, h := range c.homes {
		h.instance(destination, c.db.Addr(), set)
	}
}

func (c *cluster) start() {
	c.t.Helper()
	for _, h := range c.homes {
		h.launch()
	}
	for _, h := range c.homes {
		h.awaitPort()
	}
}

// leader waits until a server runs a destination; it returns its number.
func (c *cluster) leader(destination string) int {
	c.t.Helper()
	found := -1
	eventually(c.t, startLimit, "a server runs "+destination, func() bool {
		at := c.running(destination)
		for i, h := range c.homes {
			if at == h.addr() && h.serves(destination) {
				found = i
			}
		}
		return found >= 0
	})
	return found
}

// awaitLeader waits until that server runs a destination and its instance works.
func (c *cluster) awaitLeader(destination string, i int) {
	c.t.Helper()
	eventually(c.t, startLimit, "the other server runs "+destination, func() bool {
		return c.running(destination) == c.homes[i].addr() && c.homes[i].serves(destination)
	})
}

// Words of the log of a destination.
const (
	instanceStarts = "start CannalInstance for"
	instanceStops  = "stop CannalInstance for"
)

// serves says whether an instance of a destination runs on a server, by its log.
// It does not know of instances that a kill has ended.
func (h *home) serves(destination string) bool {
	out := h.log(destination)
	return strings.LastIndex(out, instanceStarts) > strings.LastIndex(out, instanceStops)
}

// starts is how often an instance of a destination was started.
func (h *home) starts(destination string) int {
	return strings.Count(h.log(destination), instanceStarts)
}

// refusal is what a server says to a client that subscribes to a destination, ""
// if it lets it.
func (h *home) refusal(destination string) string {
	h.t.Helper()
	c, err := client.Dial(h.t.Context(), h.options(destination))
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if err := c.Subscribe(h.t.Context(), ""); err != nil {
		return err.Error()
	}
	return ""
}

// notStarted is how a server refuses a destination that it does not run.
const notStarted = "should start first"

// watched counts what happens to a client.
type watched struct {
	mu     sync.Mutex
	events []client.Event
}

// watch makes a client's options tell what happens.
func watch(o *client.Options) *watched {
	w := &watched{}
	o.Event = func(e client.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	return w
}

// connections is how often the client has connected.
func (w *watched) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.Kind == client.Connected {
			n++
		}
	}
	return n
}

// keepWriting writes until stop is called, which waits for it.
func keepWriting(t testing.TB, w *writer) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.write(ctx, 1<<40, 20*time.Millisecond); err != nil {
			t.Errorf("writer of %s: %v", w.schema, err)
		}
	})
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}
