package zkstore

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/testkit/historytest"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openClient opens a client that ends with the test.
func openClient(t testing.TB, c zk.Config) *zk.Client {
	t.Helper()
	client, err := zk.Open(c)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := client.Close(ctx); err != nil {
			t.Log(err)
		}
	})
	return client
}

func openSession(t testing.TB, address string) *zk.Session {
	t.Helper()
	s, err := openClient(t, zk.Config{Servers: strings.Split(address, ","), SessionTimeout: 20 * time.Second}).Session(t.Context())
	must(t, err)
	return s
}

// owner makes the nodes that the owner of a destination has, and returns the
// options of its history.
func owner(t testing.TB, s *zk.Session, destination, id string) Options {
	t.Helper()
	for _, p := range []string{zktree.Lease(destination, id), zktree.Running(destination)} {
		must(t, s.CreateParents(t.Context(), p))
		_, err := s.Create(t.Context(), p, nil, zk.Ephemeral)
		must(t, err)
	}
	checks := []zk.Op{zk.CheckOp(zktree.Lease(destination, id), zk.AnyVersion), zk.CheckOp(zktree.Running(destination), 0)}
	return Options{
		Destination: destination,
		Session:     func(context.Context) (*zk.Session, error) { return s, nil },
		Guard:       func() (*zk.Session, []zk.Op, error) { return s, checks, nil },
		Notice:      func(text string) { t.Log(text) },
	}
}

// disown takes the nodes of an owner away, as another one does.
func disown(t testing.TB, s *zk.Session, destination, id string) {
	t.Helper()
	must(t, s.Delete(t.Context(), zktree.Running(destination), zk.AnyVersion))
	must(t, s.Delete(t.Context(), zktree.Lease(destination, id), zk.AnyVersion))
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

var destinations atomic.Int32

// destination is a name that no other test has.
func destination() string { return fmt.Sprintf("d%d", destinations.Add(1)) }

func TestSuite(t *testing.T) {
	server := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	s := openSession(t, server.Addr())
	historytest.Run(t, func(t *testing.T) history.Log { return open(t, owner(t, s, destination(), "1-1")) })
	t.Run("durable", func(t *testing.T) {
		historytest.RunDurable(t, func(t *testing.T) func(t *testing.T) history.Log {
			o := owner(t, s, destination(), "1-1")
			return func(t *testing.T) history.Log { return open(t, o) }
		})
	})
}
