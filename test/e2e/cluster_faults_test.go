package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/netfault"
	"github.com/towpath-cdc/towpath/test/servers"
)

// both reads a destination from all servers of a cluster at a time, as one client:
// whatever any of them hands out is entered into one account.
type both struct {
	*reader
	mu    sync.Mutex
	from  map[string]span // by address of the server
	quiet time.Duration   // longest time without a change
	came  time.Time       // the last one
}

// span is when the first and the last change of a server came.
type span struct{ first, last time.Time }

func readBoth(t testing.TB, homes []*home, destination, schema string) *both {
	ctx, cancel := context.WithCancel(t.Context())
	r := &both{reader: &reader{t: t}, from: make(map[string]span)}
	a := newAccount(t)
	var wg sync.WaitGroup
	for _, h := range homes {
		c := client.NewConsumer(client.ConsumerOptions{Options: h.options(destination), Retry: soon})
		wg.Go(func() {
			for b, err := range c.Batches(ctx) {
				if err == nil {
					err = r.take(a, b, schema, h.addr())
				}
				if err != nil {
					t.Errorf("reader of %s: %v", destination, err)
					return
				}
				_ = b.Ack() // if it is stale it comes again
			}
		})
	}
	r.stop = func() *account {
		cancel()
		wg.Wait()
		return a
	}
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *both) take(a *account, b *client.Batch, schema, from string) error {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	before := a.taken
	if err := r.batch(a, b, schema); err != nil {
		return fmt.Errorf("from %s: %w", from, err)
	}
	if a.taken == before {
		return nil
	}
	s := r.from[from]
	if s.first.IsZero() {
		s.first = now
	}
	s.last = now
	r.from[from] = s
	if !r.came.IsZero() {
		r.quiet = max(r.quiet, now.Sub(r.came))
	}
	r.came = now
	return nil
}

func (r *both) span(h *home) span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.from[h.addr()]
}

// latest is when the last change came.
func (r *both) latest() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.came
}

// TestClusterFence separates the owner from ZooKeeper for longer than its session,
// and stops its process where it stands for as long. It has to have stopped handing
// anything out before the other server begins; when it is back it stops its
// instance. Its clients miss nothing, and the cursor never goes back.
func TestClusterFence(t *testing.T) {
	t.Parallel()
	// A statement that changes tables holds up what is behind it while ZooKeeper, where
	// the history is, cannot be reached; so nobody makes a table on this source while a
	// fault lasts.
	db := servers.ForTest(t, servers.MySQL80)
	tests := []struct {
		name         string
		fault, mend  func(t *testing.T, c *cluster, i int)
		afterwards   time.Duration // that the fault lasts when the other server has taken over
		keepsServing bool          // clients are served until the lease is over, which is longer than three seconds
	}{
		{"partition", func(_ *testing.T, c *cluster, i int) { c.network[i].Blackhole() }, heal, 10 * time.Second, true},
		{"one_way", func(_ *testing.T, c *cluster, i int) { c.network[i].Pause(netfault.ToServer) }, heal, time.Second, true},
		{"refused", func(_ *testing.T, c *cluster, i int) { c.network[i].Cut() }, heal, time.Second, true},
		{"suspended", func(t *testing.T, c *cluster, i int) { c.homes[i].signal(syscall.SIGSTOP) },
			func(t *testing.T, c *cluster, i int) { c.homes[i].signal(syscall.SIGCONT) }, time.Second, false},
	}
	writers := make(map[string]*writer)
	for _, tt := range tests {
		writers[tt.name] = newWriter(t, db, "fence_"+tt.name)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := writers[tt.name]
			d := w.schema
			c := newCluster(t, db, nil)
			c.instance(d, at(end(t, c.db)).with(only(d)))
			c.start()
			c.watchCursor(d)
			a := c.leader(d)
			old, other := c.homes[a], c.homes[1-a]
			r := readBoth(t, c.homes, d, d)
			stop := keepWriting(t, w)
			eventually(t, startLimit, "the client reads", func() bool { return r.last.Load() > 20 })
			before := c.born(d)
			began := time.Now()
			tt.fault(t, c, a)
			if tt.keepsServing {
				pauseFor(t.Context(), time.Second)
				written := w.last.Load()
				eventually(t, 2*time.Second, "the owner hands out what was written in the first second", func() bool { return r.last.Load() >= written })
			}
			v := c.awaitVacancy(d, before)
			c.awaitLeader(d, 1-a)
			eventually(t, startLimit, "the other server hands out", func() bool { return !r.span(other).first.IsZero() })
			pauseFor(t.Context(), tt.afterwards)
			tt.mend(t, c, a)
			eventually(t, startLimit, "the old owner has stopped its instance", func() bool { return !old.serves(d) })
			eventually(t, startLimit, "the old owner stands by", func() bool { return c.exists(zktree.Competitor(d, old.addr())) })
			w.mustWriteMore(t)
			stop()
			r.await(w)
			if !other.serves(d) || c.running(d) != other.addr() {
				t.Error("the other server has lost the destination again")
			}
			got := r.stop()
			got.compare(w)
			last, first := r.span(old).last, r.span(other).first
			t.Logf("after the fault the owner handed out for %v; its node went after %v and was made again %v later; the other server's first change came after %v; %d changes came again",
				last.Sub(began).Round(time.Millisecond), v.gone.Sub(began).Round(time.Millisecond), v.lasted().Round(time.Millisecond),
				first.Sub(began).Round(time.Millisecond), got.again)
			if !last.Before(v.gone) || !last.Before(first) {
				t.Errorf("the owner handed out at %v, its node went at %v, the other server began at %v", last, v.gone, first)
			}
			if v.lasted() > time.Second+slack {
				t.Errorf("the destination was free for %v", v.lasted())
			}
		})
	}
}

func heal(t *testing.T, c *cluster, i int) {
	t.Helper()
	if err := c.network[i].Heal(); err != nil {
		t.Fatal(err)
	}
}

func (h *home) signal(s os.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil {
		h.t.Fatal(err)
	}
}

// TestClusterWithoutZooKeeper starts servers while there is no ZooKeeper, and takes
// it away for longer than a session lasts.
func TestClusterWithoutZooKeeper(t *testing.T) {
	t.Parallel()
	const d = "outage"
	db := servers.ForTest(t, servers.MySQL80) // see TestClusterFence
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	c := &cluster{tree: openTree(t, z, zk.Config{Servers: z.Addrs()}), db: db}
	for range 2 {
		c.homes = append(c.homes, newMember(t, z.Addr(), nil))
	}
	w := newWriter(t, db, d)
	c.instance(d, at(end(t, db)).with(only(d)))
	if err := z.Kill(0); err != nil {
		t.Fatal(err)
	}
	c.start()
	for _, h := range c.homes {
		if text := h.refusal(d); !strings.Contains(text, notStarted) {
			t.Errorf("a server that waits for ZooKeeper says %q", text)
		}
	}
	if err := z.Restart(0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.leader(d)
	t.Logf("ZooKeeper came after the servers: served after %v", time.Since(began).Round(time.Millisecond))
	c.watchCursor(d)
	r := readBoth(t, c.homes, d, d)
	stop := keepWriting(t, w)
	eventually(t, startLimit, "the client reads", func() bool { return r.last.Load() > 20 })
	if err := z.Kill(0); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	pauseFor(t.Context(), 2*sessionTimeout)
	lasted := r.latest().Sub(killed)
	t.Logf("without ZooKeeper batches were handed out for %v", lasted.Round(time.Millisecond))
	if lasted >= sessionTimeout || lasted < time.Second {
		t.Errorf("without ZooKeeper batches were handed out for %v, want less than %v", lasted, sessionTimeout)
	}
	if err := z.Restart(0); err != nil {
		t.Fatal(err)
	}
	restarted := time.Now()
	w.mustWriteMore(t)
	stop()
	r.await(w)
	t.Logf("everything had come %v after ZooKeeper was back", time.Since(restarted).Round(time.Millisecond))
	c.leader(d)
	if c.homes[0].serves(d) && c.homes[1].serves(d) {
		t.Error("both servers run the destination")
	}
	r.stop().compare(w)
}

// TestClusterEnsemble kills one ZooKeeper server of three after the other, the
// leader first, while one Towpath server knows all of them and the other one
// reaches them through a proxy. Clients notice nothing. The session is long: on a
// busy machine the servers that are left take up to twice initLimit, 20 s, to agree
// on a leader, and a server hands nothing out once its session could have ended.
func TestClusterEnsemble(t *testing.T) {
	t.Parallel()
	const d = "ensemble"
	db := servers.ForTest(t, servers.MySQL80) // see TestClusterFence
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{Servers: 3})
	c := &cluster{tree: openTree(t, z, zk.Config{Servers: z.Addrs()}), db: db}
	long := settings{"towpath.zookeeper.session.timeout": "60000"}
	c.homes = []*home{newMember(t, z.Addr(), long), newMember(t, z.Proxy(t), long)}
	w := newWriter(t, db, d)
	c.instance(d, at(end(t, db)).with(only(d)))
	c.start()
	owner := c.leader(d)
	c.watchCursor(d)
	stop := keepWriting(t, w)
	for range 2 {
		r := readBoth(t, c.homes[owner:owner+1], d, d)
		eventually(t, startLimit, "the client reads", func() bool { return r.last.Load() > 0 })
		before := c.born(d)
		lead, err := z.AwaitLeader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{lead, (lead + 1) % 3} {
			if err := z.Kill(i); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			cursor, _ := c.cursor(d)
			w.mustWriteMore(t)
			eventually(t, startLimit, "the cursor moves", func() bool { now, _ := c.cursor(d); return cursor.before(now) })
			t.Logf("the cursor moved %v after ZooKeeper server %d was killed", time.Since(killed).Round(time.Millisecond), i)
			if err := z.Restart(i); err != nil {
				t.Fatal(err)
			}
		}
		if c.born(d) != before {
			t.Error("the running node was made anew")
		}
		r.stop()
		t.Logf("server %d: the longest time without a change was %v", owner, r.quiet.Round(time.Millisecond))
		if r.quiet > slack {
			t.Errorf("the client got nothing for %v", r.quiet)
		}
		c.put(zktree.Running(d), string(zktree.ServerRunning{Active: false, Address: c.homes[owner].addr()}.Append(nil)))
		c.awaitLeader(d, 1-owner)
		owner = 1 - owner
	}
	stop()
	r := read(t, c.homes[owner].options(d), d)
	r.await(w)
}

// TestClusterSecure talks TLS to ZooKeeper, shows a certificate and a password,
// and keeps nodes that nobody else can read.
func TestClusterSecure(t *testing.T) {
	t.Parallel()
	const d, secret = "secure", "canal:s3cret"
	db := sharedServer(t, servers.MySQL80)
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{TLS: true, ClientCertificate: true})
	trust, key := z.TLSFiles()
	set := settings{
		"towpath.zookeeper.tls": "true", "towpath.zookeeper.tls.ca": trust, "towpath.zookeeper.tls.cert": key, "towpath.zookeeper.tls.key": key,
		"towpath.zookeeper.auth": secret, "towpath.zookeeper.acl": "creator",
	}
	auth := zk.Config{Servers: z.Addrs(), TLS: z.TLSConfig(), Auth: []zk.Auth{{Scheme: "digest", Credential: secret}}}
	c := &cluster{tree: openTree(t, z, auth), db: db, homes: []*home{newMember(t, z.Addr(), set), newMember(t, z.Addr(), set)}}
	w := newWriter(t, db, d)
	c.instance(d, at(end(t, db)).with(only(d)))
	c.start()
	owner := c.leader(d)
	r := read(t, c.optionsOf(d, client.ZooKeeperOptions{Servers: z.Addr(), TLS: z.TLSConfig(), Auth: secret}), d)
	w.mustWrite(t, 50)
	r.await(w)
	for _, path := range []string{zktree.Running(d), zktree.Cursor(d, 1001)} { // zkCli shows nothing of itself
		if out, err := z.CLI("get", path); err == nil || !strings.Contains(err.Error(), "Insufficient permission") {
			t.Errorf("a stranger reads %s: %q, %v", path, out, err)
		}
	}
	c.homes[owner].stop()
	c.awaitLeader(d, 1-owner)
	w.mustWrite(t, 50)
	r.await(w)
	r.stop().compare(w)
	for _, h := range c.homes {
		if strings.Contains(h.output(), "s3cret") {
			t.Error("the log shows the password")
		}
	}
}

// TestClusterMany moves 200 destinations at a time, one of which does not get on
// with its start: its file is a pipe that nobody writes to. There is no source, so
// that only the election takes time.
func TestClusterMany(t *testing.T) {
	t.Parallel()
	const many = 200
	var names []string
	for i := range many {
		names = append(names, fmt.Sprintf("m%03d", i))
	}
	slow := names[0]
	c := newCluster(t, nil, settings{
		"canal.destinations": strings.Join(names, ","), "canal.auto.scan": "false", "towpath.zookeeper.session.timeout": "20000"})
	plain, err := buildPlain()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range c.homes {
		h.bin = plain
		for _, d := range names {
			h.instance(d, "127.0.0.1:9", settings{"canal.instance.memory.buffer.size": "64"})
		}
	}
	const runs = "this server runs the destination"
	c.homes[0].start()
	eventually(t, startLimit, "the first server runs all", func() bool { return strings.Count(c.homes[0].output(), runs) == many })
	c.homes[1].start()
	eventually(t, startLimit, "the second server stands by for all", func() bool { return strings.Count(c.homes[1].output(), "standing by") >= many })

	file := filepath.Join(c.homes[1].dir, "conf", slow, "instance.properties")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	began := time.Now()
	c.homes[0].stop()
	stopped := time.Since(began)
	eventually(t, startLimit, "the other server runs all but one", func() bool { return strings.Count(c.homes[1].output(), runs) == many-1 })
	t.Logf("%d destinations: the server had stopped after %v, the other one ran them after %v", many, stopped.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if late := time.Since(began) - stopped; late > 2*time.Second+slack {
		t.Errorf("the last destination was taken %v after the server had stopped", late)
	}
	if c.running(slow) != c.homes[1].addr() || c.homes[1].serves(slow) {
		t.Errorf("the slow destination is in the hands of %q", c.running(slow))
	}
	if _, err := pipe.Write(text); err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	c.awaitLeader(slow, 1)
}
