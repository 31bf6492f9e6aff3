package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/netfault"
	"github.com/towpath-cdc/towpath/test/servers"
)

// The tests share one ZooKeeper; each has a chroot of its own.
var (
	shared     *servers.ZooKeeper
	sharedErr  error
	sharedOnce sync.Once
	sharedDir  string
	chroots    atomic.Int64
)

func TestMain(m *testing.M) {
	before := goleak.IgnoreCurrent() // what the test servers keep
	var err error
	if sharedDir, err = os.MkdirTemp("", "towpath-cluster"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if shared != nil {
		_ = shared.Stop()
	}
	_ = os.RemoveAll(sharedDir)
	if code == 0 {
		if err := goleak.Find(before); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// timeout is the session timeout of the tests.
const timeout = 2 * time.Second

func zooKeeper(t *testing.T) *servers.ZooKeeper {
	t.Helper()
	sharedOnce.Do(func() {
		shared, sharedErr = servers.StartZooKeeper(context.Background(), servers.ZooKeeperOptions{Dir: filepath.Join(sharedDir, "zk")})
	})
	if sharedErr != nil {
		if os.Getenv("TOWPATH_REQUIRE_SERVERS") == "" {
			t.Skip(sharedErr)
		}
		t.Fatal(sharedErr)
	}
	return shared
}

// world is a tree in which servers compete.
type world struct {
	t      *testing.T
	zk     *servers.ZooKeeper
	chroot string
	admin  *zk.Session // of an onlooker

	timeout time.Duration // of the sessions
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, zk: zooKeeper(t), chroot: fmt.Sprintf("/t%d", chroots.Add(1)), timeout: timeout}
	c := w.open(w.zk.Addrs(), nil)
	s, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.admin = s
	return w
}

func (w *world) config(addrs []string, log *slog.Logger) zk.Config {
	return zk.Config{Servers: addrs, Chroot: w.chroot, SessionTimeout: w.timeout, Logger: log}
}

func (w *world) open(addrs []string, log *slog.Logger) *zk.Client {
	w.t.Helper()
	c, err := zk.Open(w.config(addrs, log))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c
}

// host is a server of the cluster, which reaches ZooKeeper through a proxy.
type host struct {
	*Member
	w      *world
	proxy  *netfault.Proxy
	client *zk.Client
	log    *testLog
	stop   func()
}

// testLog keeps what is logged.
type testLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *testLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *testLog) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), s)
}

func (w *world) host(address string) *host {
	w.t.Helper()
	return w.hostWith(Options{Address: address})
}

// hostWith makes a server; prepare is told of its proxy before it connects.
func (w *world) hostWith(o Options, prepare ...func(*netfault.Proxy)) *host {
	w.t.Helper()
	proxy, err := netfault.Start(w.zk.Addrs()[0])
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(proxy.Close)
	for _, p := range prepare {
		p(proxy)
	}
	h := &host{w: w, proxy: proxy, log: &testLog{}}
	o.Logger = slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("server", o.Address)
	h.client = w.open([]string{proxy.Addr()}, o.Logger)
	o.ZooKeeper, o.Version = h.client, "test"
	h.Member = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		var all sync.WaitGroup
		for _, c := range h.Contenders() {
			all.Go(c.Withdraw)
		}
		all.Wait()
		cancel()
		<-done
	})
	w.t.Cleanup(func() {
		_ = proxy.Heal()
		h.stop()
		if w.t.Failed() {
			w.t.Logf("log of %s:\n%s", o.Address, h.log.text.String())
		}
	})
	return h
}

// runner is an instance that counts what is done to it.
type runner struct {
	mu       sync.Mutex
	lease    *Lease
	starts   int
	stops    int
	handOver bool // of the last stop
	fail     error
	change   chan struct{}
}

func newRunner() *runner { return &runner{change: make(chan struct{}, 1)} }

func (r *runner) Start(l *Lease) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts++
	if r.fail != nil {
		return r.fail
	}
	if r.lease != nil {
		panic("started twice")
	}
	r.lease = l
	return nil
}

func (r *runner) Stop(handOver bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops++
	r.handOver, r.lease = handOver, nil
	return nil
}

func (r *runner) runs() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease != nil
}

func (r *runner) valid() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease != nil && r.lease.Valid()
}

func (r *runner) counts() (starts, stops int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts, r.stops
}

// compete makes the host compete for d.
func (h *host) compete(d string) *runner {
	h.w.t.Helper()
	r := newRunner()
	if _, err := h.Compete(d, nil, r); err != nil {
		h.w.t.Fatal(err)
	}
	return r
}

// eventually waits until ok, for at most d.
func eventually(t *testing.T, d time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !ok() {
		if time.Since(begun) > d {
			t.Fatalf("not within %v: %s", d, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begun)
}

func (w *world) running(d string) (zktree.ServerRunning, zk.Stat, bool) {
	w.t.Helper()
	b, st, err := w.admin.Get(w.t.Context(), zktree.Running(d))
	if errors.Is(err, zk.ErrNoNode) {
		return zktree.ServerRunning{}, st, false
	}
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := zktree.ParseServerRunning(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return r, st, true
}

func (h *host) sessionID() int64 {
	s, _ := h.current()
	if s == nil {
		return 0
	}
	return s.ID()
}

const (
	hostA = "10.0.0.1:11111"
	hostB = "10.0.0.2:11111"
	soon  = 10 * time.Second // for what happens at once on an idle machine
)

// pair is two servers that compete for d, of which a owns it.
func pair(t *testing.T) (w *world, a, b *host, ra, rb *runner) {
	t.Helper()
	w = newWorld(t)
	a = w.host(hostA)
	ra = a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	b = w.host(hostB)
	rb = b.compete("d")
	eventually(t, soon, "b stands by", func() bool {
		s := b.Contender("d").Status()
		return s.Role == RoleStandby && s.Owner == hostA
	})
	return w, a, b, ra, rb
}

func TestTree(t *testing.T) {
	w, a, b, _, _ := pair(t)
	for path, want := range map[string]struct {
		data  string
		owner int64
	}{
		zktree.Server(hostA):          {"", a.sessionID()},
		zktree.Server(hostB):          {"", b.sessionID()},
		zktree.Competitor("d", hostA): {"", a.sessionID()},
		zktree.Competitor("d", hostB): {"", b.sessionID()},
		zktree.Running("d"):           {`{"active":true,"address":"10.0.0.1:11111"}`, a.sessionID()},
		zktree.Competitors("d"):       {"", 0},
		zktree.Destination("d"):       {"", 0},
	} {
		eventually(t, soon, path+" exists", func() bool { _, ok, err := w.admin.Exists(t.Context(), path); return ok && err == nil })
		data, st, err := w.admin.Get(t.Context(), path)
		if err != nil || string(data) != want.data || st.EphemeralOwner != want.owner || st.Version != 0 {
			t.Errorf("%s: %q, owner %x, version %d, %v; want %q, %x, 0", path, data, st.EphemeralOwner, st.Version, err, want.data, want.owner)
		}
	}
	a.stop()
	for _, path := range []string{zktree.Competitor("d", hostA), zktree.Server(hostA)} {
		if _, ok, err := w.admin.Exists(t.Context(), path); ok || err != nil {
			t.Errorf("%s is still there after the server has stopped: %v", path, err)
		}
	}
}

func TestStandbyTakesOverAtOnceWhenTheOwnerStops(t *testing.T) {
	_, a, _, ra, rb := pair(t)
	begun := time.Now()
	a.stop()
	eventually(t, time.Second, "b runs d", rb.valid)
	t.Logf("taken over %v after the stop was asked for", time.Since(begun))
	if _, stops := ra.counts(); stops != 1 || !ra.handOver {
		t.Errorf("the instance of a: %d stops, handed over %v", stops, ra.handOver)
	}
}

func TestStandbyTakesOverWhenTheSessionExpires(t *testing.T) {
	_, a, _, ra, rb := pair(t)
	a.proxy.Blackhole() // as a cut cable
	begun := time.Now()
	eventually(t, timeout, "a has stopped delivering", func() bool { return !ra.valid() })
	fenced := time.Since(begun)
	if rb.runs() {
		t.Fatal("b runs d before a's session can have expired")
	}
	eventually(t, 2*timeout+time.Second, "b runs d", func() bool {
		if ra.valid() && rb.runs() {
			t.Fatal("both may deliver")
		}
		return rb.valid()
	})
	t.Logf("fenced %v and taken over %v after the cut", fenced, time.Since(begun))
	if err := a.proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a has stopped the instance", func() bool { return !ra.runs() })
	if ra.handOver {
		t.Error("a handed over what was not its own any more")
	}
	if !rb.valid() {
		t.Error("b does not own d any more")
	}
}

func TestOwnerKeepsTheInstanceWhenItsSessionExpires(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	lease := ra.lease
	old := a.sessionID()
	if err := w.zk.ExpireSession(old); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a has a new session and owns d", func() bool {
		id := a.sessionID()
		return id != 0 && id != old && ra.valid()
	})
	if starts, stops := ra.counts(); starts != 1 || stops != 0 || ra.lease != lease {
		t.Errorf("the instance was restarted: %d starts, %d stops", starts, stops)
	}
	if _, st, ok := w.running("d"); !ok || st.EphemeralOwner != a.sessionID() {
		t.Errorf("running node: %v of session %x", ok, st.EphemeralOwner)
	}
	eventually(t, soon, "a is registered again", func() bool {
		st, ok, err := w.admin.Exists(t.Context(), zktree.Competitor("d", hostA))
		return err == nil && ok && st.EphemeralOwner == a.sessionID()
	})
	// It once went on in the old session as fast as it could, until its end had got about.
	if a.log.has("trying again") {
		t.Error("it went on in a session that had ended")
	}
}

func TestOwnerStartsAnewWhenAnotherOwnedMeanwhile(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	a.proxy.Blackhole()
	eventually(t, 3*timeout, "the running node is gone", func() bool { _, _, ok := w.running("d"); return !ok })
	// Another server, a Java one say, comes and goes.
	for range 2 {
		if _, err := w.admin.Create(t.Context(), zktree.Running("d"), []byte(`{"active":true,"address":"10.0.0.9:11111"}`), zk.Ephemeral); err != nil {
			t.Fatal(err)
		}
		if err := w.admin.Delete(t.Context(), zktree.Running("d"), zk.AnyVersion); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a runs d anew", func() bool { starts, stops := ra.counts(); return starts == 2 && stops == 1 && ra.valid() })
}

func TestRunningDeletedByHand(t *testing.T) {
	w, _, _, ra, rb := pair(t)
	for range 3 {
		_, before, _ := w.running("d")
		if err := w.admin.Delete(t.Context(), zktree.Running("d"), zk.AnyVersion); err != nil {
			t.Fatal(err)
		}
		eventually(t, soon, "the node is back", func() bool { _, st, ok := w.running("d"); return ok && st.Czxid != before.Czxid })
		eventually(t, soon, "one of them owns d", func() bool { return ra.valid() != rb.valid() })
	}
}

func TestRunningOverwritten(t *testing.T) {
	w, a, _, ra, rb := pair(t)
	if _, err := w.admin.Set(t.Context(), zktree.Running("d"), []byte(`{"active":true,"address":"10.9.9.9:11111"}`), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a has stopped", func() bool { _, stops := ra.counts(); return stops == 1 })
	eventually(t, JavaDelay+soon, "b runs d", rb.valid) // 10.9.9.9 may have been a Java server
	if !a.log.has("was overwritten") {
		t.Error("a did not say why")
	}
}

func TestRunningWrittenAgainWithTheSameContent(t *testing.T) {
	w, _, _, ra, _ := pair(t)
	if _, err := w.admin.Set(t.Context(), zktree.Running("d"), []byte(`{"active":true,"address":"10.0.0.1:11111"}`), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "the node is made anew", func() bool { _, st, ok := w.running("d"); return ok && st.Version == 0 })
	eventually(t, soon, "a owns d", ra.valid)
	s, checks, err := ra.lease.Guard()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Multi(t.Context(), checks...); err != nil {
		t.Errorf("the owner may not write: %v", err)
	}
	if _, stops := ra.counts(); stops != 0 {
		t.Error("the instance was stopped")
	}
}

func TestActiveFalse(t *testing.T) {
	w, a, _, ra, rb := pair(t)
	if _, err := w.admin.Set(t.Context(), zktree.Running("d"), []byte(`{"active":false,"address":"10.0.0.1:11111"}`), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, soon, "b runs d", rb.valid)
	t.Logf("b runs d after %v", took)
	if !ra.handOver || ra.runs() {
		t.Error("a did not hand over")
	}
	if st := a.Contender("d").Status(); st.Role != RoleStandby {
		t.Errorf("a is %+v", st)
	}
}

func TestRelease(t *testing.T) {
	_, a, b, ra, rb := pair(t)
	if err := b.Contender("d").Release(t.Context(), "test"); err == nil {
		t.Error("a standby released what it does not own")
	}
	if err := a.Contender("d").Release(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Second, "b runs d", rb.valid)
	if ra.runs() {
		t.Error("a still runs d")
	}
}

func TestRestartKeepsTheNode(t *testing.T) {
	w, a, _, ra, rb := pair(t)
	_, before, _ := w.running("d")
	epoch := ra.lease.Epoch()
	if err := a.Contender("d").Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := ra.lease.Epoch(); now <= epoch {
		t.Errorf("the count went from %d to %d: batch ids would be used again", epoch, now)
	}
	if starts, stops := ra.counts(); starts != 2 || stops != 1 || !ra.valid() {
		t.Errorf("%d starts, %d stops, valid %v", starts, stops, ra.valid())
	}
	if _, after, _ := w.running("d"); after.Czxid != before.Czxid || rb.runs() {
		t.Error("the destination was given up")
	}
}

func TestFailedStartLeavesTheDestinationToOthers(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	ra := newRunner()
	ra.fail = errors.New("no such luck")
	if _, err := a.Compete("d", nil, ra); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a has tried", func() bool { return a.Contender("d").Status().Role == RoleFailed })
	eventually(t, soon, "the node is given back", func() bool { _, _, ok := w.running("d"); return !ok })
	b := w.host(hostB)
	rb := b.compete("d")
	eventually(t, soon, "b runs d", rb.valid)
	if !a.log.has("no such luck") {
		t.Error("a did not say why")
	}
	b.stop()
	ra.mu.Lock()
	ra.fail = nil
	ra.mu.Unlock()
	eventually(t, soon, "a tries again and runs d", ra.valid)
}

// TestAnswerCutOff breaks the connection between the request that makes the node
// and its answer: the node is there, and the session that made it does not know.
func TestAnswerCutOff(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	eventually(t, soon, "a is registered", func() bool { return a.sessionID() != 0 })
	cut := a.proxy.CutAfter(netfault.ZooKeeperRequest(netfault.OpMulti))
	ra := a.compete("d")
	select {
	case <-cut:
	case <-time.After(soon):
		t.Fatal("no connection was cut")
	}
	if err := a.proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a runs d", ra.valid)
	if starts, _ := ra.counts(); starts != 1 {
		t.Errorf("%d starts", starts)
	}
}

func TestTwoServersWithOneAddress(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	twin := w.host(hostA)
	rt := twin.compete("d")
	eventually(t, soon, "the twin says so", func() bool { return twin.log.has("two servers are configured with the same address") })
	if rt.runs() || !ra.valid() {
		t.Error("the twin runs d")
	}
	a.stop()
	_ = a.client.Close(t.Context())
	eventually(t, soon, "the twin runs d", rt.valid)
}

func TestJavaOwnerIsLeftFiveSeconds(t *testing.T) {
	w := newWorld(t)
	// A Java server has no node under /towpath.
	if err := w.admin.CreateParents(t.Context(), zktree.Running("d")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.Create(t.Context(), zktree.Running("d"), []byte(`{"active":true,"address":"10.0.0.9:11111"}`), zk.Ephemeral); err != nil {
		t.Fatal(err)
	}
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a stands by", func() bool { return a.Contender("d").Status().Owner == "10.0.0.9:11111" })
	if err := w.admin.Delete(t.Context(), zktree.Running("d"), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, JavaDelay+soon, "a runs d", ra.valid)
	if took < JavaDelay-100*time.Millisecond {
		t.Errorf("taken after %v, which is too soon for a Java owner that elects itself again", took)
	}
}

func TestWithdrawWithoutZooKeeper(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	a.proxy.Cut()
	begun := time.Now()
	a.stop()
	if d := time.Since(begun); d > 8*time.Second {
		t.Errorf("stopping took %v", d)
	}
	if ra.runs() {
		t.Error("the instance runs")
	}
}

func TestGuardRefusesAPastOwner(t *testing.T) {
	_, a, _, ra, rb := pair(t)
	past := ra.lease
	s, checks, err := past.Guard()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Contender("d").Release(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "b runs d", rb.valid)
	if _, err := s.Multi(t.Context(), append(checks, zk.CreateOp(zktree.Destination("d")+"/7", nil, zk.Persistent))...); err == nil {
		t.Error("a past owner has written")
	}
	if _, _, err := past.Guard(); !errors.Is(err, ErrLost) {
		t.Errorf("guard of a past lease: %v", err)
	}
}

func TestSessionFileFreesWhatACrashedServerHeld(t *testing.T) {
	w := newWorld(t)
	name := filepath.Join(t.TempDir(), "zookeeper.session")
	file, err := OpenSessionFile(name, w.config(w.zk.Addrs(), nil))
	if err != nil {
		t.Fatal(err)
	}
	a := w.hostWith(Options{Address: hostA, Sessions: file})
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	if _, err := OpenSessionFile(name, w.config(w.zk.Addrs(), nil)); err == nil {
		t.Fatal("the file of a living server was opened")
	}
	// The process dies: its lock goes with it, its session stays.
	a.proxy.Cut()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = OpenSessionFile(name, w.config(w.zk.Addrs(), nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	begun := time.Now()
	again := w.hostWith(Options{Address: hostA, Sessions: file})
	rb := again.compete("d")
	eventually(t, soon, "the restarted server runs d", rb.valid)
	if d := time.Since(begun); d > timeout*3/4 {
		t.Errorf("it took %v, as long as the old session lasts", d)
	}
}

func TestManyDestinationsOneSlow(t *testing.T) {
	w := newWorld(t)
	a, b := w.host(hostA), w.host(hostB)
	const n = 100
	slow := &slowRunner{runner: newRunner(), release: make(chan struct{})}
	t.Cleanup(sync.OnceFunc(func() { close(slow.release) }))
	var rs []*runner
	for i := range n {
		a.compete(fmt.Sprint("d", i))
	}
	eventually(t, soon, "a owns all", func() bool { return a.owned.Load() == n })
	if _, err := b.Compete("d0", nil, slow); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < n; i++ {
		rs = append(rs, b.compete(fmt.Sprint("d", i)))
	}
	eventually(t, soon, "b stands by for all", func() bool {
		for _, c := range b.Contenders() {
			if c.Status().Owner != hostA {
				return false
			}
		}
		return true
	})
	a.proxy.Cut()
	begun := time.Now()
	eventually(t, timeout+5*time.Second, "b owns all but the slow one", func() bool {
		for _, r := range rs {
			if !r.valid() {
				return false
			}
		}
		return true
	})
	t.Logf("%d destinations taken over %v after the cut, session timeout %v", n-1, time.Since(begun), timeout)
}

// slowRunner does not start until it is released.
type slowRunner struct {
	*runner
	release chan struct{}
}

func (r *slowRunner) Start(l *Lease) error {
	<-r.release
	return r.runner.Start(l)
}
