package zk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/test/servers"
)

func TestMain(m *testing.M) {
	// One goroutine starts the servers of the tests and lasts as long as they.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// testLogger writes to the test's output.
func testLogger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// open starts a client that ends with the test.
func open(t testing.TB, c Config) *Client {
	t.Helper()
	c.Logger = testLogger(t)
	client, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		client.Close(ctx)
	})
	return client
}

func session(t testing.TB, c *Client) *Session {
	t.Helper()
	s, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t testing.TB, s *Session, path, data string, m Mode) string {
	t.Helper()
	created, err := s.Create(t.Context(), path, []byte(data), m)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func exists(t testing.TB, s *Session, path string) bool {
	t.Helper()
	_, ok, err := s.Exists(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// receive is the event of a watch; ok is false when it ended without one.
func receive(t testing.TB, watch <-chan Event) (e Event, ok bool) {
	t.Helper()
	select {
	case e, ok := <-watch:
		return e, ok
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
	}
	return e, false
}

func wantEvent(t testing.TB, watch <-chan Event, want Event) {
	t.Helper()
	if got, ok := receive(t, watch); !ok || got != want {
		t.Errorf("event %v %v, %v; want %v", got.Type, got.Path, ok, want)
	}
	if _, ok := receive(t, watch); ok {
		t.Error("a second event")
	}
}

// On one server.
func TestZooKeeper(t *testing.T) {
	t.Parallel()
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	for name, test := range map[string]func(*testing.T, *servers.ZooKeeper){
		"requests":                  testRequests,
		"multi":                     testMulti,
		"watches":                   testWatches,
		"close removes ephemerals":  testCloseRemovesEphemerals,
		"chroot":                    testChroot,
		"nodes of their creator":    testCreatorACL,
		"end of a dead predecessor": testCloseSession,
		"many at once":              testManyAtOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, z) })
	}
	// Last, as the server goes away in between.
	t.Run("restart", func(t *testing.T) { testRestart(t, z) })
}

func testRequests(t *testing.T, z *servers.ZooKeeper) {
	c := open(t, Config{Servers: z.Addrs()})
	s := session(t, c)
	ctx := t.Context()

	if got, err := s.Create(ctx, "/a", nil, Persistent); got != "/a" || err != nil {
		t.Fatalf("create: %q, %v", got, err)
	}
	if data, stat, err := s.Get(ctx, "/a"); data != nil || stat.Czxid == 0 || stat.Ctime == 0 || err != nil {
		t.Errorf("get of no data: %q, %+v, %v", data, stat, err)
	}
	stat, err := s.Set(ctx, "/a", []byte{}, 0)
	if stat.Version != 1 || err != nil {
		t.Errorf("set: %+v, %v", stat, err)
	}
	if data, again, err := s.Get(ctx, "/a"); data == nil || again != stat || err != nil {
		t.Errorf("get of empty data: %v, %+v, %v", data, again, err)
	}
	first := create(t, s, "/a/", "x", EphemeralSequential)
	second := create(t, s, "/a/n-", "yy", PersistentSequential)
	if first != "/a/0000000000" || second != "/a/n-0000000001" {
		t.Errorf("sequential nodes %s, %s", first, second)
	}
	names, stat, err := s.Children(ctx, "/a")
	slices.Sort(names)
	if !slices.Equal(names, []string{"0000000000", "n-0000000001"}) || stat.NumChildren != 2 || err != nil {
		t.Errorf("children %v, %+v, %v", names, stat, err)
	}
	if stat, ok, err := s.Exists(ctx, first); !ok || stat.EphemeralOwner != s.ID() || stat.DataLength != 1 || err != nil {
		t.Errorf("exists %+v, %v, %v", stat, ok, err)
	}
	if exists(t, s, "/b") {
		t.Error("/b exists")
	}
	if err := s.Sync(ctx, "/a"); err != nil {
		t.Errorf("sync: %v", err)
	}

	// The ways to fail.
	_, err = s.Create(ctx, "/a", nil, Persistent)
	wantError(t, err, ErrNodeExists)
	_, err = s.Create(ctx, "/b/c", nil, Persistent)
	wantError(t, err, ErrNoNode)
	_, err = s.Create(ctx, first+"/c", nil, Persistent)
	wantError(t, err, ErrNoChildrenForEphemerals)
	_, err = s.Set(ctx, "/a", nil, 7)
	wantError(t, err, ErrBadVersion)
	wantError(t, s.Delete(ctx, "/a", AnyVersion), ErrNotEmpty)
	wantError(t, s.Delete(ctx, second, 3), ErrBadVersion)
	_, _, err = s.Get(ctx, "/b")
	wantError(t, err, ErrNoNode)
	_, _, err = s.Children(ctx, "/b")
	wantError(t, err, ErrNoNode)
	if _, _, watch, err := s.GetW(ctx, "/b"); watch != nil || !errors.Is(err, ErrNoNode) {
		t.Errorf("watch of a missing node's data: %v, %v", watch, err)
	}
	if _, err := s.Create(ctx, "b", nil, Persistent); err == nil || !strings.Contains(err.Error(), `path "b" does not begin with /`) {
		t.Errorf("create of a path that is none: %v", err)
	}

	if err := s.Delete(ctx, second, 0); err != nil {
		t.Errorf("delete: %v", err)
	}
	for range 2 {
		if err := s.CreateParents(ctx, "/a/b/c/d/e"); err != nil {
			t.Errorf("create parents: %v", err)
		}
	}
	if !exists(t, s, "/a/b/c/d") || exists(t, s, "/a/b/c/d/e") {
		t.Error("the parents were not created, or more was")
	}
	for range 2 {
		if err := s.DeleteAll(ctx, "/a"); err != nil {
			t.Errorf("delete all: %v", err)
		}
	}
	if exists(t, s, "/a") {
		t.Error("/a is left")
	}
	if n := c.Stats(); n.Sessions != 1 || n.Reconnects != 0 || n.Requests["sync"] != 1 || n.Requests["children"] < 2 {
		t.Errorf("statistics %+v", n)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func testMulti(t *testing.T, z *servers.ZooKeeper) {
	s := session(t, open(t, Config{Servers: z.Addrs()}))
	ctx := t.Context()

	results, err := s.Multi(ctx,
		CreateOp("/m", nil, Persistent),
		CreateOp("/m/n-", []byte("x"), EphemeralSequential),
		SetOp("/m", []byte("abc"), 0),
		CheckOp("/m", 1),
		CreateOp("/gone", nil, Persistent),
		DeleteOp("/gone", 0),
	)
	if err != nil || len(results) != 6 {
		t.Fatalf("multi: %+v, %v", results, err)
	}
	if results[1].Path != "/m/n-0000000000" || results[2].Stat.Version != 1 || results[2].Stat.DataLength != 3 {
		t.Errorf("results %+v", results)
	}
	for i, tc := range []struct {
		ops   []Op
		index int
		want  error
	}{
		{[]Op{CheckOp("/m", 0), SetOp("/m", nil, 1)}, 0, ErrBadVersion},
		{[]Op{SetOp("/m", nil, 1), CreateOp("/m", nil, Persistent), CheckOp("/m", 9)}, 1, ErrNodeExists},
		{[]Op{CreateOp("/new", nil, Persistent), SetOp("/m", nil, 1), CheckOp("/none", AnyVersion)}, 2, ErrNoNode},
		{[]Op{DeleteOp("/m", AnyVersion)}, 0, ErrNotEmpty},
	} {
		_, err := s.Multi(ctx, tc.ops...)
		var failed *MultiError
		if !errors.As(err, &failed) || failed.Index != tc.index || !errors.Is(err, tc.want) {
			t.Errorf("multi %d: %v", i, err)
		}
	}
	if _, stat, err := s.Get(ctx, "/m"); stat.Version != 1 || err != nil || exists(t, s, "/new") {
		t.Errorf("a multi that failed did something: %+v, %v", stat, err)
	}
	if results, err := s.Multi(ctx); len(results) != 0 || err != nil {
		t.Errorf("multi of nothing: %v, %v", results, err)
	}
}

func testWatches(t *testing.T, z *servers.ZooKeeper) {
	c := open(t, Config{Servers: z.Addrs()})
	s := session(t, c)
	other := session(t, open(t, Config{Servers: z.Addrs()}))
	ctx := t.Context()

	_, ok, created, err := s.ExistsW(ctx, "/w")
	if ok || err != nil {
		t.Fatal(ok, err)
	}
	create(t, other, "/w", "", Persistent)
	wantEvent(t, created, Event{EventCreated, "/w"})

	_, ok, changed, err := s.ExistsW(ctx, "/w")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	_, _, got, err := s.GetW(ctx, "/w")
	if err != nil {
		t.Fatal(err)
	}
	_, _, children, err := s.ChildrenW(ctx, "/w")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Set(ctx, "/w", nil, AnyVersion); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, changed, Event{EventDataChanged, "/w"})
	wantEvent(t, got, Event{EventDataChanged, "/w"})
	create(t, other, "/w/c", "", Persistent)
	wantEvent(t, children, Event{EventChildrenChanged, "/w"})

	_, _, got, err = s.GetW(ctx, "/w/c")
	if err != nil {
		t.Fatal(err)
	}
	_, _, children, err = s.ChildrenW(ctx, "/w/c")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.DeleteAll(ctx, "/w"); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, got, Event{EventDeleted, "/w/c"})
	wantEvent(t, children, Event{EventDeleted, "/w/c"})

	_, _, left, err := s.ExistsW(ctx, "/w")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if e, ok := receive(t, left); ok {
		t.Errorf("event %v at the end of the session", e)
	}
}

func testCloseRemovesEphemerals(t *testing.T, z *servers.ZooKeeper) {
	c := open(t, Config{Servers: z.Addrs(), SessionTimeout: time.Minute})
	other := session(t, open(t, Config{Servers: z.Addrs()}))
	s := session(t, c)
	ctx := t.Context()
	create(t, s, "/e", "", Ephemeral)
	if !exists(t, other, "/e") {
		t.Fatal("/e is not there")
	}
	for range 2 {
		if err := c.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if exists(t, other, "/e") {
		t.Error("/e is left")
	}
	select {
	case <-s.Done():
	default:
		t.Error("the session is not done")
	}
	wantError(t, s.Err(), ErrClosed)
	wantError(t, s.Sync(ctx, "/"), ErrClosed)
	_, err := c.Session(ctx)
	wantError(t, err, ErrClosed)
}

func testChroot(t *testing.T, z *servers.ZooKeeper) {
	outside := session(t, open(t, Config{Servers: z.Addrs()}))
	s := session(t, open(t, Config{Servers: z.Addrs(), Chroot: "/deep/app"}))
	ctx := t.Context()
	_, err := s.Create(ctx, "/x", nil, Persistent)
	wantError(t, err, ErrNoNode)
	if err := s.CreateParents(ctx, "/x"); err != nil {
		t.Fatal(err)
	}
	if got := create(t, s, "/x-", "", PersistentSequential); got != "/x-0000000000" {
		t.Errorf("created %s", got)
	}
	if !exists(t, outside, "/deep/app/x-0000000000") {
		t.Error("the node is not under the chroot")
	}
	names, _, watch, err := s.ChildrenW(ctx, "/")
	if !slices.Equal(names, []string{"x-0000000000"}) || err != nil {
		t.Errorf("children %v, %v", names, err)
	}
	results, err := s.Multi(ctx, CreateOp("/y", nil, Persistent), CheckOp("/", AnyVersion))
	if err != nil || results[0].Path != "/y" {
		t.Errorf("multi: %v, %v", results, err)
	}
	wantEvent(t, watch, Event{EventChildrenChanged, "/"})
	if err := s.CreateParents(ctx, "/a/b/c"); err != nil || !exists(t, outside, "/deep/app/a/b") {
		t.Errorf("create parents: %v", err)
	}
	if err := outside.DeleteAll(ctx, "/deep"); err != nil {
		t.Error(err)
	}
}

func testCreatorACL(t *testing.T, z *servers.ZooKeeper) {
	mine := Config{Servers: z.Addrs(), ACL: CreatorACL, Auth: []Auth{{"digest", "me:secret"}}}
	s := session(t, open(t, mine))
	other := session(t, open(t, Config{Servers: z.Addrs(), Auth: []Auth{{"digest", "me:guess"}}}))
	ctx := t.Context()
	create(t, s, "/mine", "x", Persistent)
	if _, err := s.Multi(ctx, SetOp("/mine", nil, AnyVersion), CreateOp("/mine/c", nil, Persistent)); err != nil {
		t.Error(err)
	}
	_, _, err := other.Get(ctx, "/mine")
	wantError(t, err, ErrNoAuth)
	_, err = other.Create(ctx, "/mine/d", nil, Persistent)
	wantError(t, err, ErrNoAuth)
	_, err = other.Multi(ctx, SetOp("/mine", nil, AnyVersion))
	wantError(t, err, ErrNoAuth)
	if err := session(t, open(t, mine)).DeleteAll(ctx, "/mine"); err != nil {
		t.Errorf("delete by another session of the creator: %v", err)
	}

	_, err = open(t, Config{Servers: z.Addrs(), Auth: []Auth{{"nosuch", "x"}}}).Session(ctx)
	wantError(t, err, ErrAuthFailed)
}

func testCloseSession(t *testing.T, z *servers.ZooKeeper) {
	config := Config{Servers: z.Addrs(), SessionTimeout: time.Minute}
	c := open(t, config)
	s := session(t, c)
	other := session(t, open(t, config))
	ctx := t.Context()
	create(t, s, "/predecessor", "", Ephemeral)
	_, _, watch, err := s.GetW(ctx, "/predecessor")
	if err != nil {
		t.Fatal(err)
	}
	if err := CloseSession(ctx, config, s.ID(), []byte("guess")); err != nil || !exists(t, other, "/predecessor") {
		t.Errorf("with the wrong password: %v", err)
	}
	for range 2 {
		if err := CloseSession(ctx, config, s.ID(), s.Password()); err != nil {
			t.Error(err)
		}
		if exists(t, other, "/predecessor") {
			t.Error("the session's node is left")
		}
	}
	<-s.Done()
	wantError(t, s.Err(), ErrSessionExpired)
	// Whether the deletion of the node is still reported is a race.
	if e, ok := receive(t, watch); ok && e.Type != EventDeleted {
		t.Errorf("event %v", e)
	}
	next := session(t, c)
	if next.ID() == s.ID() {
		t.Error("the session goes on")
	}
	if err := next.Sync(ctx, "/"); err != nil {
		t.Error(err)
	}
}

// Many goroutines use a session, some of which do not wait for the answer.
func testManyAtOnce(t *testing.T, z *servers.ZooKeeper) {
	s := session(t, open(t, Config{Servers: z.Addrs()}))
	create(t, s, "/many", "", Persistent)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			path := fmt.Sprintf("/many/%d", i)
			if _, err := s.Create(t.Context(), path, []byte(path), Persistent); err != nil {
				t.Error(err)
			}
			for n := range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*100*time.Microsecond)
				if data, _, err := s.Get(ctx, path); string(data) != path && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %q, %v", path, data, err)
				}
				cancel()
			}
			if data, _, err := s.Get(t.Context(), path); string(data) != path || err != nil {
				t.Errorf("%s: %q, %v", path, data, err)
			}
		})
	}
	all.Wait()
	if err := s.DeleteAll(t.Context(), "/many"); err != nil {
		t.Error(err)
	}
}

// A session outlives the server it is on.
func testRestart(t *testing.T, z *servers.ZooKeeper) {
	c := open(t, Config{Servers: z.Addrs(), SessionTimeout: time.Minute})
	s := session(t, c)
	ctx := t.Context()
	create(t, s, "/restart", "", Ephemeral)
	_, _, data, err := s.GetW(ctx, "/restart")
	if err != nil {
		t.Fatal(err)
	}
	_, _, missing, err := s.ExistsW(ctx, "/restart-2")
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Kill(0); err != nil {
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = s.Set(brief, "/restart", nil, AnyVersion)
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrConnectionLost) {
		t.Errorf("set without a server: %v", err)
	}
	read := get(ctx, s, "/restart")
	if err := z.Restart(0); err != nil {
		t.Fatal(err)
	}
	if _, err := read.wait(); err != nil {
		t.Errorf("get over the restart: %v", err)
	}
	if stat, ok, err := s.Exists(ctx, "/restart"); !ok || stat.EphemeralOwner != s.ID() || err != nil {
		t.Errorf("the node after the restart: %+v, %v, %v", stat, ok, err)
	}
	other := session(t, open(t, Config{Servers: z.Addrs()}))
	if _, err := other.Set(ctx, "/restart", nil, AnyVersion); err != nil {
		t.Error(err)
	}
	wantEvent(t, data, Event{EventDataChanged, "/restart"})
	create(t, other, "/restart-2", "", Persistent)
	wantEvent(t, missing, Event{EventCreated, "/restart-2"})
	if s.Err() != nil || session(t, c) != s {
		t.Errorf("the session did not live on: %v", s.Err())
	}
}

// A session moves between the servers of an ensemble, whatever happens to them.
func TestEnsemble(t *testing.T) {
	t.Parallel()
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{Servers: 3})
	addrs := z.Addrs()
	leader, err := z.Leader()
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, Config{Servers: addrs, SessionTimeout: 9 * time.Second})
	s := session(t, c)
	ctx := t.Context()
	create(t, s, "/lease", "", Ephemeral)
	_, _, watch, err := s.GetW(ctx, "/lease")
	if err != nil {
		t.Fatal(err)
	}

	if err := z.Kill(leader); err != nil {
		t.Fatal(err)
	}
	wrote := func() {
		t.Helper()
		for {
			_, err := s.Set(ctx, "/other", nil, AnyVersion)
			if errors.Is(err, ErrConnectionLost) {
				continue
			}
			if !errors.Is(err, ErrNoNode) {
				t.Errorf("write: %v", err)
			}
			return
		}
	}
	wrote()
	if err := z.Restart(leader); err != nil {
		t.Fatal(err)
	}

	// The server that the session is on goes silent, without closing anything.
	silent := slices.Index(addrs, s.Server())
	if err := z.Pause(silent); err != nil {
		t.Fatal(err)
	}
	defer z.Resume(silent)
	wrote()
	if err := z.Resume(silent); err != nil {
		t.Fatal(err)
	}
	if stat, ok, err := s.Exists(ctx, "/lease"); !ok || stat.EphemeralOwner != s.ID() || err != nil {
		t.Errorf("the node after all: %+v, %v, %v", stat, ok, err)
	}
	if _, err := s.Set(ctx, "/lease", nil, AnyVersion); err != nil {
		t.Error(err)
	}
	wantEvent(t, watch, Event{EventDataChanged, "/lease"})
	if s.Err() != nil || c.Stats().Sessions != 1 {
		t.Errorf("the session did not live on: %v", s.Err())
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{TLS: true})
	s := session(t, open(t, Config{Servers: z.Addrs(), TLS: z.TLSConfig()}))
	create(t, s, "/tls", "", Ephemeral)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := open(t, Config{Servers: z.Addrs(), TLS: new(tls.Config)}).Session(ctx)
	if err == nil || !strings.Contains(err.Error(), "start TLS: ") || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with a certificate that is not trusted: %v", err)
	}
}
