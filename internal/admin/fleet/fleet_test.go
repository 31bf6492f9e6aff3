package fleet

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/admin/address"
	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/protocol"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // what the test servers keep
}

const (
	testUser     = "admin"
	testPassword = "secret"
)

// stored is a database of fixed rows.
type stored struct {
	mu        sync.Mutex
	clusters  []database.Cluster
	servers   []database.Server
	instances []database.Instance
	configs   map[int64]database.Config // of clusters
}

func (s *stored) Clusters(context.Context) ([]database.Cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clusters, nil
}

func (s *stored) Servers(context.Context, database.ServerFilter) ([]database.Server, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers, int64(len(s.servers)), nil
}

func (s *stored) Instances(context.Context, database.InstanceFilter, bool) ([]database.Instance, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instances, int64(len(s.instances)), nil
}

func (s *stored) ConfigOfCluster(_ context.Context, id int64) (database.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.configs[id]
	if !ok {
		return c, database.ErrNotFound
	}
	return c, nil
}

func (s *stored) ConfigOfServer(context.Context, int64) (database.Config, error) {
	return database.Config{}, database.ErrNotFound
}

// backend is a Towpath server that tells what it is told to tell.
type backend struct {
	questions atomic.Int64 // of all kinds
	hold      chan struct{}
	noReports bool

	mu      sync.Mutex
	stopped bool
	report  control.ServerReport
	actions []string
}

func (b *backend) Check() bool    { b.questions.Add(1); return !b.isStopped() }
func (b *backend) List() []string { b.questions.Add(1); return []string{"listed"} }

func (b *backend) isStopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stopped
}

func (b *backend) act(what string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.actions = append(b.actions, what)
	return true
}

func (b *backend) Start() bool {
	b.mu.Lock()
	b.stopped = false
	b.mu.Unlock()
	return b.act("start")
}

func (b *backend) Stop() bool {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	return b.act("stop")
}

func (b *backend) Restart() bool                     { return b.act("restart") }
func (b *backend) CheckInstance(d string) bool       { return b.act("check " + d) }
func (b *backend) StartInstance(d string) bool       { return b.act("start " + d) }
func (b *backend) StopInstance(d string) bool        { return b.act("stop " + d) }
func (b *backend) ReleaseInstance(d string) bool     { return b.act("release " + d) }
func (b *backend) RestartInstance(d string) bool     { return b.act("restart " + d) }
func (b *backend) set(f func(*control.ServerReport)) { b.mu.Lock(); defer b.mu.Unlock(); f(&b.report) }

func (b *backend) Call(ctx context.Context, method string, params json.RawMessage) (any, error) {
	b.questions.Add(1)
	if method != control.MethodReport || b.noReports {
		return nil, &control.Error{Code: control.CodeUnknownMethod, Message: "unknown method"}
	}
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.report
	r.Running = !b.stopped
	return r, nil
}

// serve starts a server and returns its port.
func serve(t testing.TB, b *backend) int32 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := control.NewServer(control.ServerOptions{User: testUser, PasswdHash: passwordHash(), LogsDir: t.TempDir(),
		Backend: b, Logger: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return int32(ln.Addr().(*net.TCPAddr).Port)
}

// accepting is a listener that lets connections in and says nothing; it counts
// them.
func accepting(t testing.TB) (port int32, accepted *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int64)
	var mu sync.Mutex
	var all []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		for _, c := range all {
			c.Close()
		}
	})
	return int32(ln.Addr().(*net.TCPAddr).Port), accepted
}

// closedPort is one at which nothing listens.
func closedPort(t testing.TB) int32 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return int32(ln.Addr().(*net.TCPAddr).Port)
}

func newFleet(t testing.TB, rows *stored, change ...func(*Options)) *Fleet {
	t.Helper()
	if rows == nil {
		rows = &stored{}
	}
	o := Options{DB: rows, User: testUser, Password: testPassword}
	for _, c := range change {
		c(&o)
	}
	f := New(o)
	t.Cleanup(f.Close)
	return f
}

func serverRow(id int64, port int32) database.Server {
	return database.Server{ID: id, Name: fmt.Sprintf("server%d", id), IP: "127.0.0.1", AdminPort: &port}
}

func in(cluster int64, s database.Server) database.Server {
	s.ClusterID = &cluster
	return s
}

func running(names ...string) control.ServerReport {
	r := control.ServerReport{Version: "test", PID: 1, StartedMs: 1}
	for _, n := range names {
		r.Instances = append(r.Instances, control.InstanceReport{Destination: n, State: control.StateRunning, Store: &control.StoreReport{}, LagMs: -1, LagBytes: -1})
	}
	return r
}

func TestStatuses(t *testing.T) {
	up, stopped := &backend{report: running("a", "b")}, &backend{stopped: true, report: running()}
	other := newFleet(t, nil, func(o *Options) { o.Password = "wrong" })
	f := newFleet(t, nil)
	servers := []database.Server{serverRow(1, serve(t, up)), serverRow(2, serve(t, stopped)), serverRow(3, closedPort(t)), {ID: 4, Name: "no port"}}
	got := f.ServerStatuses(t.Context(), servers)
	want := map[int64]string{1: StatusRunning, 2: StatusStopped, 3: StatusUnreachable, 4: StatusUnreachable}
	for id, status := range want {
		if got[id] != status {
			t.Errorf("status of %d = %q, want %q", id, got[id], status)
		}
	}
	lists := f.RunningInstances(t.Context(), servers)
	if fmt.Sprint(lists[1]) != "[a b]" || lists[2] == nil || len(lists[2]) != 0 || lists[3] != nil || lists[4] != nil {
		t.Errorf("running instances = %v", lists)
	}
	if up.questions.Load() != 1 {
		t.Errorf("%d questions for a status and a list, want 1", up.questions.Load())
	}
	if got := other.ServerStatuses(t.Context(), servers[:1])[1]; got != StatusUnreachable {
		t.Errorf("status with a wrong password = %q", got)
	}
	var ack *control.AckError
	if err := other.States(t.Context(), servers[:1], 0)[1].Err; !errors.As(err, &ack) {
		t.Errorf("error with a wrong password = %v, want an AckError", err)
	}
}

// TestOneQuestionForAll: page views at the same time share one look.
func TestOneQuestionForAll(t *testing.T) {
	b := &backend{report: running("a"), hold: make(chan struct{})}
	f := newFleet(t, nil)
	servers := []database.Server{serverRow(1, serve(t, b))}
	var views sync.WaitGroup
	for range 50 {
		views.Go(func() {
			if got := f.ServerStatuses(t.Context(), servers)[1]; got != StatusRunning {
				t.Errorf("status = %q", got)
			}
		})
	}
	for b.questions.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(b.hold)
	views.Wait()
	if got := b.questions.Load(); got != 1 {
		t.Errorf("%d questions for 50 views, want 1", got)
	}
}

// TestSlowServer: one that was seen lately is told as it was then, if it does not
// answer soon; one that was not is waited for.
func TestSlowServer(t *testing.T) {
	b := &backend{report: running(), hold: make(chan struct{})}
	defer close(b.hold)
	f := newFleet(t, nil)
	servers := []database.Server{serverRow(1, serve(t, b))}
	h := f.host(servers[0])
	for _, c := range []struct {
		age          time.Duration
		least, under time.Duration
	}{{5 * time.Second, 0, answerTime}, {knownAge, answerTime, 4 * answerTime}} {
		h.mu.Lock()
		h.state, h.flight = &State{At: time.Now().Add(-c.age), Status: StatusStopped}, nil
		h.mu.Unlock()
		begun := time.Now()
		if got := f.ServerStatuses(t.Context(), servers)[1]; got != StatusStopped {
			t.Errorf("status = %q", got)
		}
		if took := time.Since(begun); took < c.least || took >= c.under {
			t.Errorf("seen %v ago: it took %v, want %v to %v", c.age, took, c.least, c.under)
		}
	}
}

// TestDeadServer: one that lets connections in and says nothing delays the first
// view by less than a second and the next ones not at all.
func TestDeadServer(t *testing.T) {
	port, accepted := accepting(t)
	b := &backend{report: running()}
	f := newFleet(t, nil)
	servers := []database.Server{serverRow(1, port), serverRow(2, serve(t, b))}
	begun := time.Now()
	got := f.ServerStatuses(t.Context(), servers)
	if took := time.Since(begun); took > 2*answerTime {
		t.Errorf("the first view took %v", took)
	}
	if got[1] != StatusUnreachable || got[2] != StatusRunning {
		t.Errorf("statuses = %v", got)
	}
	h := f.host(servers[0])
	for end := time.Now().Add(2 * lookTimeout); h.current().At.IsZero() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if flight := h.refresh(lookAge); flight != nil {
		t.Error("a view has to wait for a server that did not answer the last time")
	}
	if n := accepted.Load(); n != 1 {
		t.Errorf("%d connections within the time in which it is left alone, want 1", n)
	}
	// In the background it is tried again.
	h.mu.Lock()
	h.retry = time.Time{}
	h.state = &State{At: time.Unix(1, 0), Status: StatusUnreachable}
	h.mu.Unlock()
	f.ServerStatuses(t.Context(), servers)
	for end := time.Now().Add(2 * lookTimeout); accepted.Load() < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if accepted.Load() != 2 {
		t.Error("it was not tried again")
	}
}

// TestOrderDropsState: what was seen before an order does not count after it, also
// when a look is under way.
func TestOrderDropsState(t *testing.T) {
	b := &backend{report: running("a")}
	f := newFleet(t, nil)
	s := serverRow(1, serve(t, b))
	servers := []database.Server{s}
	if got := f.ServerStatuses(t.Context(), servers)[1]; got != StatusRunning {
		t.Fatalf("status = %q", got)
	}
	if ok, err := f.ServerAction(t.Context(), s, "stop"); !ok || err != nil {
		t.Fatalf("stop = %v, %v", ok, err)
	}
	if got := f.ServerStatuses(t.Context(), servers)[1]; got != StatusStopped {
		t.Errorf("status after stop = %q", got)
	}
	if ok, err := f.InstanceAction(t.Context(), s, "a", "release"); !ok || err != nil {
		t.Errorf("release = %v, %v", ok, err)
	}
	if ok, err := f.ServerAction(t.Context(), s, "dance"); ok || err == nil {
		t.Errorf("an unknown action = %v, %v", ok, err)
	}
	h := f.host(s)
	epoch := h.epoch
	h.expire()
	h.seen(epoch, State{Status: StatusRunning}, nil)
	if !h.current().At.IsZero() {
		t.Error("a look that began before the order counts")
	}
}

// TestForbiddenAddresses: neither an address nor a name that comes to one is
// connected to.
func TestForbiddenAddresses(t *testing.T) {
	port, accepted := accepting(t)
	rules, err := address.New([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, nil, func(o *Options) { o.Allowed = rules })
	named := serverRow(2, port)
	named.IP = "localhost"
	servers := []database.Server{serverRow(1, port), named}
	for id, s := range f.States(t.Context(), servers, answerTime) {
		if !errors.Is(s.Err, address.ErrRefused) {
			t.Errorf("server %d: error = %v, want ErrRefused", id, s.Err)
		}
	}
	if _, err := f.ServerAction(t.Context(), named, "stop"); !errors.Is(err, address.ErrRefused) {
		t.Errorf("order: error = %v, want ErrRefused", err)
	}
	hosts := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)).String()
	check := f.CheckZooKeeper(t.Context(), hosts)
	if len(check.Servers) != 1 || !errors.Is(check.Servers[0].Err, address.ErrRefused) || check.Verdict != VerdictUnreachable {
		t.Errorf("check of ZooKeeper = %+v", check)
	}
	if n := accepted.Load(); n != 0 {
		t.Errorf("%d connections to a forbidden address", n)
	}
}

// TestMoved: a server whose address has been changed is asked at the new one.
func TestMoved(t *testing.T) {
	first, second := &backend{report: running("a")}, &backend{report: running("b")}
	f := newFleet(t, nil)
	f.ServerStatuses(t.Context(), []database.Server{serverRow(1, serve(t, first))})
	got := f.RunningInstances(t.Context(), []database.Server{serverRow(1, serve(t, second))})
	if fmt.Sprint(got[1]) != "[b]" {
		t.Errorf("running = %v", got[1])
	}
}

func TestAfterClose(t *testing.T) {
	b := &backend{report: running("a")}
	f := newFleet(t, nil)
	s := serverRow(1, serve(t, b))
	f.Close()
	if got := f.ServerStatuses(t.Context(), []database.Server{s})[1]; got != StatusUnreachable {
		t.Errorf("status = %q", got)
	}
	if _, err := f.ServerAction(t.Context(), s, "stop"); err == nil {
		t.Error("an order after Close was carried out")
	}
	if _, err := f.Snapshot(t.Context()); err == nil {
		t.Error("a snapshot after Close")
	}
}

func passwordHash() string {
	hash := protocol.HashPassword([]byte(testPassword))
	return hex.EncodeToString(hash[:])
}
