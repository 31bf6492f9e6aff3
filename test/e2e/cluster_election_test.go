package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/netfault"
	"github.com/towpath-cdc/towpath/test/servers"
)

// vacancy measures how long nobody has run a destination, from the end of one
// running node to the next one.
type vacancy struct {
	gone  time.Time
	taken time.Time
}

// awaitVacancy waits until the running node as it is now has been replaced.
func (z *tree) awaitVacancy(destination string, before int64) (v vacancy) {
	z.t.Helper()
	eventually(z.t, startLimit, "the running node of "+destination+" is replaced", func() bool {
		_, st, ok := z.get(zktree.Running(destination))
		if v.gone.IsZero() && (!ok || st.Czxid != before) {
			v.gone = time.Now()
		}
		v.taken = time.Now()
		return ok && st.Czxid != before
	})
	return v
}

func (v vacancy) lasted() time.Duration { return v.taken.Sub(v.gone) }

// born tells one running node of a destination from another.
func (z *tree) born(destination string) int64 {
	z.t.Helper()
	_, st, ok := z.get(zktree.Running(destination))
	if !ok {
		z.t.Fatalf("%s has no running node", destination)
	}
	return st.Czxid
}

// TestClusterHandOver stops the owner as an operator would, an instant after an
// ack and then under load. The other server takes over at once, and what was
// acked does not come again.
func TestClusterHandOver(t *testing.T) {
	t.Parallel()
	const d = "handover"
	c := newCluster(t, sharedServer(t, servers.MySQL80), settings{"canal.zookeeper.flush.period": "60000"})
	w := newWriter(t, c.db, d)
	c.instance(d, at(end(t, c.db)).with(only(d)))
	c.start()
	c.watchCursor(d)
	r := read(t, c.options(d), d)
	for i := range 2 {
		owner := c.leader(d)
		w.mustWrite(t, 50)
		r.await(w)
		<-time.After(100 * time.Millisecond) // for the ack, which has no answer
		c.handOver(d, owner, r)
		w.mustWrite(t, 50)
		r.await(w)
		if i == 0 {
			c.homes[owner].start()
		}
	}
	quiet := r.stop()
	quiet.compare(w)
	if quiet.again > 0 {
		t.Errorf("%d changes came again that had been acked", quiet.again)
	}

	owner := c.leader(d)
	c.homes[1-owner].start()
	eventually(t, startLimit, "the other server stands by", func() bool { return c.exists(zktree.Competitor(d, c.homes[1-owner].addr())) })
	r = read(t, c.options(d), d)
	stop := keepWriting(t, w)
	eventually(t, startLimit, "the client reads", func() bool { return r.last.Load() > quiet.last })
	c.handOver(d, owner, r)
	stop()
	r.await(w)
	if got := r.stop(); got.last != w.last.Load() {
		t.Errorf("the last change is %d, want %d", got.last, w.last.Load())
	}
}

// handOver stops the owner of a destination.
func (c *cluster) handOver(d string, owner int, r *reader) {
	c.t.Helper()
	before := c.born(d)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		c.homes[owner].stop()
	}()
	v := c.awaitVacancy(d, before)
	c.awaitLeader(d, 1-owner)
	took := time.Since(v.gone)
	<-stopped
	c.t.Logf("nobody owned it for %v, and it was served after %v", v.lasted().Round(time.Millisecond), took.Round(time.Millisecond))
	if took > time.Second+slack {
		c.t.Errorf("the other server had it %v after it was free", took)
	}
	if c.exists(zktree.Server(c.homes[owner].addr())) || c.exists(zktree.Competitor(d, c.homes[owner].addr())) {
		c.t.Error("the server has left nodes behind")
	}
}

// TestClusterKill kills the owner. When its session has expired the other server
// takes over; nothing is lost, not even to a client that has subscribed and acked
// nothing, and a late ack of the time before confirms nothing.
func TestClusterKill(t *testing.T) {
	t.Parallel()
	const d, d2 = "killed", "killed_early"
	c := newCluster(t, sharedServer(t, servers.MySQL80), nil)
	w, w2 := newWriter(t, c.db, d), newWriter(t, c.db, d2)
	c.instance(d, at(end(t, c.db)).with(only(d)))
	c.instance(d2, only(d2)) // begins at the end of the binlog
	c.homes[0].start()       // alone, so that it has both
	owner := c.homes[c.leader(d)]
	c.leader(d2)
	c.homes[1].start()
	c.watchCursor(d)
	r := read(t, c.options(d), d)
	early := owner.dial(d2)
	eventually(t, startLimit, "the cursor of a client that has acked nothing", func() bool { _, ok := c.cursor(d2); return ok })
	w2.mustWrite(t, 30)
	old, err := early.GetWithoutAck(t.Context(), 5, time.Second)
	if err != nil || old.Empty() {
		t.Fatalf("batch before the kill: %v, %v", old, err)
	}
	stop := keepWriting(t, w)
	eventually(t, startLimit, "the client reads", func() bool { return r.last.Load() > 20 })

	before := c.born(d)
	killed := time.Now()
	owner.kill()
	v := c.awaitVacancy(d, before)
	c.awaitLeader(d, 1)
	c.awaitLeader(d2, 1)
	t.Logf("killed; free after %v, owned %v later, served %v after that", v.gone.Sub(killed).Round(time.Millisecond),
		v.lasted().Round(time.Millisecond), time.Since(v.taken).Round(time.Millisecond))
	if expiry := v.gone.Sub(killed); expiry > sessionTimeout+slack {
		t.Errorf("the session expired after %v", expiry)
	}
	if v.lasted() > time.Second+slack {
		t.Errorf("the destination was free for %v", v.lasted())
	}
	w.mustWriteMore(t)
	stop()
	r.await(w)
	r.stop().compare(w)

	var wire net.Conn
	o := c.homes[1].options(d2)
	o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var err error
		wire, err = new(net.Dialer).DialContext(ctx, network, addr)
		return wire, err
	}
	conn, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	first, err := conn.GetWithoutAck(t.Context(), 5, time.Second)
	if err != nil || first.Empty() {
		t.Fatalf("batch after the kill: %v, %v", first, err)
	}
	if first.ID() <= old.ID() {
		t.Errorf("batch %d comes after batch %d", first.ID(), old.ID())
	}
	late := protocol.AppendRequest(nil, &protocol.ClientAck{Destination: d2, ClientID: "1001", BatchID: old.ID()})
	if _, err := wire.Write(late); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.GetWithoutAck(t.Context(), 5, 0); err != nil {
		var refused *client.ServerError
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, "is not exist") {
			t.Errorf("after a late ack: %v", err)
		}
	}
	conn.Close()
	r2 := read(t, c.homes[1].options(d2), d2)
	r2.await(w2)
	r2.stop().compare(w2)
}

// mustWriteMore waits until the writer that runs has made some more changes.
func (w *writer) mustWriteMore(t testing.TB) {
	t.Helper()
	last := w.last.Load()
	eventually(t, startLimit, "more changes are made", func() bool { return w.last.Load() > last+20 })
}

// TestClusterRestart kills a server and starts it again at once. It does not wait
// for its last session to expire; and where that cannot be helped, because the
// session is not remembered, its nodes are made again when it has expired.
func TestClusterRestart(t *testing.T) {
	t.Parallel()
	const d = "restarted"
	db := sharedServer(t, servers.MySQL80)
	z := newTree(t)
	long := newMember(t, z.addr(z.zk.Addr()), settings{"towpath.zookeeper.session.timeout": "50000"})
	w := newWriter(t, db, d)
	from := at(end(t, db)).with(only(d))
	long.instance(d, db.Addr(), from)
	long.start()
	eventually(t, startLimit, "the server runs the destination", func() bool { return z.running(d) == long.addr() })
	r := read(t, z.options(d), d)
	w.mustWrite(t, 50)
	r.await(w)
	before := z.born(d)
	long.kill()
	began := time.Now()
	long.start()
	z.awaitVacancy(d, before)
	if took := time.Since(began); took > 5*time.Second+slack {
		t.Errorf("the server ran the destination again after %v", took)
	}
	w.mustWrite(t, 50)
	r.await(w)
	r.stop().compare(w)
	long.stop()

	const forgetful = "forgetful"
	h := newMember(t, z.addr(z.zk.Addr()), nil)
	h.instance(forgetful, db.Addr(), from)
	h.start()
	eventually(t, startLimit, "the server runs the destination", func() bool { return z.running(forgetful) == h.addr() })
	h.kill()
	paths := []string{zktree.Server(h.addr()), zktree.Competitor(forgetful, h.addr()), zktree.Running(forgetful)}
	dead := z.owner(paths[0])
	if err := os.Remove(filepath.Join(h.dir, "conf", "zookeeper.session")); err != nil {
		t.Fatal(err)
	}
	h.start()
	eventually(t, startLimit, "the nodes are of the new session", func() bool {
		for _, p := range paths {
			if o := z.owner(p); o == 0 || o == dead {
				return false
			}
		}
		return h.serves(forgetful)
	})
	if !strings.Contains(h.output(), "another session holds this server's address") {
		t.Error("the log does not say what the server waited for")
	}
}

// TestClusterExpired ends the owner's session from outside. It takes the
// destination again without stopping the instance. What was stopped before does
// not come back.
func TestClusterExpired(t *testing.T) {
	t.Parallel()
	const d, stopped = "expired", "expired_before"
	c := newCluster(t, sharedServer(t, servers.MySQL80), nil)
	w := newWriter(t, c.db, d)
	from := at(end(t, c.db)).with(only(d))
	c.instance(d, from)
	c.instance(stopped, from)
	c.homes[0].start()
	c.awaitLeader(d, 0)
	c.awaitLeader(stopped, 0)
	c.homes[1].start()
	eventually(t, startLimit, "the other server stands by", func() bool { return c.exists(zktree.Competitor(stopped, c.homes[1].addr())) })
	for _, h := range c.homes {
		if err := os.Remove(filepath.Join(h.dir, "conf", stopped, "instance.properties")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, startLimit, "the destination is stopped", func() bool {
		return !c.exists(zktree.Running(stopped)) && len(c.children(zktree.Competitors(stopped))) == 0
	})
	o := c.options(d)
	seen := watch(&o)
	r := read(t, o, d)
	stop := keepWriting(t, w)
	eventually(t, startLimit, "the client reads", func() bool { return r.last.Load() > 20 })
	starts := c.homes[0].starts(d)
	before, session := c.born(d), c.owner(zktree.Running(d))
	c.network[0].Blackhole() // else it may be back in the session before that is ended
	if err := c.zk.ExpireSession(session); err != nil {
		t.Fatal(err)
	}
	heal(t, c, 0)
	v := c.awaitVacancy(d, before)
	t.Logf("the destination was free for %v", v.lasted().Round(time.Millisecond))
	if got := c.leader(d); got != 0 {
		t.Fatal("the other server has taken the destination")
	}
	eventually(t, startLimit, "all nodes are there again", func() bool {
		now := c.owner(zktree.Running(d))
		return now != session && c.owner(zktree.Server(c.homes[0].addr())) == now && c.owner(zktree.Competitor(d, c.homes[0].addr())) == now
	})
	w.mustWriteMore(t)
	stop()
	r.await(w)
	got := r.stop()
	got.compare(w)
	if n := c.homes[0].starts(d) - starts; n != 0 {
		t.Errorf("the instance was started %d times again", n)
	}
	if n := seen.connections(); n != 1 || got.again != 0 {
		t.Errorf("the client connected %d times and got %d changes again", n, got.again)
	}
	if names := c.children(zktree.Competitors(stopped)); len(names) > 0 {
		t.Errorf("the stopped destination has competitors again: %v", names)
	}
}

// TestClusterCutAnswers breaks the connection to ZooKeeper exactly between a
// request that changes something and its answer. Whoever asked must find out what
// became of it: a node that is held with nothing behind it would be for ever.
func TestClusterCutAnswers(t *testing.T) {
	t.Parallel()
	const d = "cut"
	c := newCluster(t, sharedServer(t, servers.MySQL80), nil)
	w := newWriter(t, c.db, d)
	c.instance(d, at(end(t, c.db)).with(only(d)))
	cutNext := func(i int, kinds ...int32) <-chan struct{} {
		return c.network[i].CutAfter(netfault.ZooKeeperRequest(kinds...))
	}
	awaitCut := func(cut <-chan struct{}, what string) {
		t.Helper()
		select {
		case <-cut:
		case <-time.After(startLimit):
			t.Fatalf("no connection was cut: %s", what)
		}
	}
	cut := cutNext(0, netfault.OpCreate, netfault.OpCreate2)
	c.homes[0].start()
	awaitCut(cut, "at a node of the server")
	c.awaitLeader(d, 0)
	cut = cutNext(1, netfault.OpCreate, netfault.OpCreate2)
	c.homes[1].start()
	awaitCut(cut, "at a node of the second server")
	r := read(t, c.options(d), d)
	stop := keepWriting(t, w)
	owner := 0
	for i := range 4 {
		eventually(t, startLimit, "the other server stands by", func() bool { return c.exists(zktree.Competitor(d, c.homes[1-owner].addr())) })
		cut := cutNext(1-owner, netfault.OpMulti)
		began := time.Now()
		c.put(zktree.Running(d), string(zktree.ServerRunning{Active: false, Address: c.homes[owner].addr()}.Append(nil)))
		awaitCut(cut, "at a take-over")
		owner = c.leader(d)
		t.Logf("take-over %d: served after %v", i, time.Since(began).Round(time.Millisecond))
		if text := c.homes[owner].refusal(d); text != "" {
			t.Errorf("the owner refuses clients: %s", text)
		}
		w.mustWriteMore(t)
	}
	stop()
	r.await(w)
	r.stop().compare(w)
}

// TestClusterSameAddress configures one address twice. Only one of the servers
// runs anything, and the other one says why it does not.
func TestClusterSameAddress(t *testing.T) {
	t.Parallel()
	const d = "twice"
	db := sharedServer(t, servers.MySQL80)
	z := newTree(t)
	w := newWriter(t, db, d)
	from := at(end(t, db)).with(only(d))
	first := newMember(t, z.addr(z.zk.Addr()), nil)
	second := newMember(t, z.addr(z.zk.Addr()), settings{
		"canal.ip": "127.0.0.4", "canal.register.ip": "127.0.0.1", "canal.port": strconv.Itoa(first.port)})
	first.instance(d, db.Addr(), from)
	second.instance(d, db.Addr(), from)
	first.start()
	eventually(t, startLimit, "the first server runs the destination", func() bool { return first.serves(d) })
	second.launch()
	eventually(t, startLimit, "the second server raises an alarm", func() bool {
		return strings.Contains(second.output(), "ERROR towpath - another session holds this server's address") &&
			strings.Contains(second.output(), first.addr())
	})
	r := read(t, z.options(d), d)
	w.mustWrite(t, 50)
	r.await(w)
	if second.serves(d) {
		t.Error("both servers run the destination")
	}
	first.stop()
	eventually(t, startLimit, "the second server runs the destination", func() bool { return second.serves(d) })
	r.stop().compare(w)
}

// TestClusterStopsAlone stops a server that cannot reach ZooKeeper.
func TestClusterStopsAlone(t *testing.T) {
	t.Parallel()
	const d = "alone"
	db := sharedServer(t, servers.MySQL80)
	for _, tt := range []struct {
		name  string
		fault func(*netfault.Proxy)
	}{{"silent", (*netfault.Proxy).Blackhole}, {"refused", (*netfault.Proxy).Cut}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := newTree(t)
			p := netfault.New(t, z.zk.Addr())
			h := newMember(t, z.addr(p.Addr()), nil)
			h.instance(d, db.Addr(), at(end(t, db)).with(only(d)))
			h.start()
			eventually(t, startLimit, "the server runs the destination", func() bool { return h.serves(d) })
			tt.fault(p)
			began := time.Now()
			h.stop()
			took := time.Since(began)
			t.Logf("the process ended after %v", took.Round(time.Millisecond))
			if took > 10*time.Second {
				t.Errorf("the process ended after %v", took)
			}
		})
	}
}

// TestClusterReturns has a server give a destination up that nobody else takes:
// it abstains for a while, and then takes it again itself.
func TestClusterReturns(t *testing.T) {
	t.Parallel()
	const d = "returned"
	db := sharedServer(t, servers.MySQL80)
	z := newTree(t)
	h := newMember(t, z.addr(z.zk.Addr()), nil)
	h.instance(d, db.Addr(), at(end(t, db)).with(only(d)))
	h.start()
	eventually(t, startLimit, "the server runs the destination", func() bool { return h.serves(d) && z.running(d) != "" })
	before := z.born(d)
	z.put(zktree.Running(d), string(zktree.ServerRunning{Active: false, Address: h.addr()}.Append(nil)))
	v := z.awaitVacancy(d, before)
	if v.lasted() < 10*time.Second || v.lasted() > 20*time.Second+slack {
		t.Errorf("the destination was free for %v", v.lasted())
	}
}
