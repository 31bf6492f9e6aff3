package zkstore

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/testkit/historytest"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/netfault"
)

// TestLostAnswers breaks the connection between each transaction of a write and
// its answer, and in another round before the transaction has arrived: all is
// there once.
func TestLostAnswers(t *testing.T) {
	server := startZooKeeper(t)
	proxy := netfault.New(t, server.Addr())
	client := openClient(t, zk.Config{Servers: []string{proxy.Addr()}, SessionTimeout: 20 * time.Second})
	s, err := client.Session(t.Context())
	must(t, err)
	for name, cut := range map[string]func() (done func()){
		"after": func() func() {
			lost := proxy.CutAfter(netfault.ZooKeeperRequest(netfault.OpMulti))
			return func() { <-lost }
		},
		"before": func() func() {
			proxy.Pause(netfault.ToServer)
			healed := make(chan error, 1)
			time.AfterFunc(100*time.Millisecond, func() {
				proxy.Cut()
				healed <- proxy.Heal()
			})
			return func() { must(t, <-healed) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := owner(t, s, destination(), "1-1")
			store := open(t, o)
			for step, write := range []func(ctx context.Context) error{
				func(ctx context.Context) error { return store.Append(ctx, historytest.Statement(1)) }, // makes the nodes
				func(ctx context.Context) error { return store.Append(ctx, historytest.Statement(2)) },
				func(ctx context.Context) error { return store.AddSnapshot(ctx, tables(1, 900_000)) },
				func(ctx context.Context) error {
					c := historytest.Statement(3)
					c.SQL = noise(600_000)
					return store.Append(ctx, c)
				},
				func(ctx context.Context) error {
					c := historytest.Statement(2)
					c.SQL = "x"
					return store.Append(ctx, c)
				},
				func(ctx context.Context) error { return store.SetState(ctx, []byte("first")) },
				func(ctx context.Context) error { return store.SetState(ctx, []byte("second")) },
				func(ctx context.Context) error { return store.AddSnapshot(ctx, historytest.Tables(2)) },
				func(ctx context.Context) error {
					return store.Remove(ctx, []int64{store.current.byAge()[0].ID}, []int64{1})
				},
			} {
				done := cut()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				if err := write(ctx); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				cancel()
				done()
				must(t, proxy.Heal())
			}
			got := readAll(t, open(t, o))
			if len(got.changes) != 2 || got.changes[0].SQL != "x" || got.state != "second" || len(got.snapshots) != 1 || got.snapshots[0].At != historytest.Tables(2).At {
				t.Errorf("there is %.2000v", got)
			}
			if got, want := nodes(t, s, o.Destination), named(store); !slices.Equal(got, want) {
				t.Errorf("nodes %v, want %v", got, want)
			}
		})
	}
	if n := client.Stats().Reconnects; n < 15 {
		t.Errorf("only %d connections were lost", n)
	}
}

// TestLostLease: an answer is lost, and then the destination. What was written
// must not be taken for not written.
func TestLostLease(t *testing.T) {
	server := startZooKeeper(t)
	proxy := netfault.New(t, server.Addr())
	s, err := openClient(t, zk.Config{Servers: []string{proxy.Addr()}, SessionTimeout: 20 * time.Second}).Session(t.Context())
	must(t, err)
	other := openSession(t, server.Addr())
	o := owner(t, s, destination(), "1-1")
	store := open(t, o)
	must(t, store.Append(t.Context(), historytest.Statement(1)))
	lost := proxy.CutAfter(netfault.ZooKeeperRequest(netfault.OpMulti))
	guard := o.Guard
	tries := 0
	store.o.Guard = func() (*zk.Session, []zk.Op, error) {
		if tries++; tries == 2 {
			<-lost
			disown(t, other, o.Destination, "1-1")
		}
		return guard()
	}
	err = store.Append(t.Context(), historytest.Statement(2))
	if !errors.Is(err, history.ErrNotOwner) || !errors.Is(err, zk.ErrConnectionLost) {
		t.Errorf("append: %v", err)
	}
}

// TestOutage: ZooKeeper goes away for a while. Writes wait, or end with their
// context.
func TestOutage(t *testing.T) {
	server := startZooKeeper(t)
	s := openSession(t, server.Addr())
	o := owner(t, s, destination(), "1-1")
	store := open(t, o)
	must(t, store.Append(t.Context(), historytest.Statement(1)))
	must(t, server.Kill(0))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := store.Append(ctx, historytest.Statement(2)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- store.Append(t.Context(), historytest.Statement(3)) }()
	select {
	case err := <-done:
		t.Fatalf("append without ZooKeeper: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	must(t, server.Restart(0))
	must(t, <-done)
	got := readAll(t, open(t, o))
	if !slices.ContainsFunc(got.changes, func(c history.Change) bool { return c.At == historytest.Statement(3).At }) {
		t.Errorf("there is %+v", got)
	}
}

// TestEndedWhileWaiting: Close ends calls under way, and leaves nothing running.
func TestEndedWhileWaiting(t *testing.T) {
	waits := make(chan struct{}, 100)
	store := newStore(Options{
		Session: func(ctx context.Context) (*zk.Session, error) { return nil, errors.New("none") },
		Guard: func() (*zk.Session, []zk.Op, error) {
			waits <- struct{}{}
			return nil, nil, errors.New("suspended")
		},
	})
	must(t, store.adopt(&state{tail: node{data: pack(kindPage, (&page{next: 1}).append(nil))}, doc: node{version: -1}}, nil))
	done := make(chan error, 2)
	for range 2 { // one waits for the lease, the other for it
		go func() { done <- store.SetState(t.Context(), nil) }()
	}
	<-waits
	must(t, store.Close())
	must(t, store.Close())
	for range 2 {
		if err := <-done; !errors.Is(err, errClosed) {
			t.Errorf("set state: %v", err)
		}
	}
}

// TestAccess: the nodes get the ACL of the client.
func TestAccess(t *testing.T) {
	server := startZooKeeper(t)
	s, err := openClient(t, zk.Config{Servers: server.Addrs(), Auth: []zk.Auth{{Scheme: "digest", Credential: "canal:secret"}}, ACL: zk.CreatorACL}).Session(t.Context())
	must(t, err)
	o := owner(t, s, destination(), "1-1")
	store := open(t, o)
	must(t, store.Append(t.Context(), historytest.Statement(1)))
	must(t, store.SetState(t.Context(), []byte("x")))
	must(t, store.AddSnapshot(t.Context(), historytest.Tables(1)))
	stranger := openSession(t, server.Addr())
	for _, name := range append(nodes(t, s, o.Destination), "") {
		path := zktree.History(o.Destination)
		if name != "" {
			path += "/" + name
		}
		if _, _, err := stranger.Get(t.Context(), path); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
