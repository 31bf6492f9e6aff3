package fleet

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/test/servers"
)

// idle is an instance that does nothing.
type idle struct{}

func (idle) Start(*cluster.Lease) error { return nil }
func (idle) Stop(bool) error            { return nil }

// member is a server that competes for destinations.
func member(t *testing.T, z *servers.ZooKeeper, address string, destinations ...string) {
	t.Helper()
	client, err := zk.Open(zk.Config{Servers: z.Addrs(), SessionTimeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.New(cluster.Options{ZooKeeper: client, Address: address, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	t.Cleanup(func() {
		for _, c := range m.Contenders() {
			c.Withdraw()
		}
		cancel()
		<-done
		_ = client.Close(context.Background())
	})
	for _, d := range destinations {
		c, err := m.Compete(d, nil, idle{})
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); c.Status().Owner == "" && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// TestOrders moves destinations between two servers in every way there is.
func TestOrders(t *testing.T) {
	const first, second = "10.0.0.1:11111", "10.0.0.2:11111"
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	c := database.Cluster{ID: 1, Name: "c", ZKHosts: z.Addr()}
	f := newFleet(t, &stored{clusters: []database.Cluster{c}})
	member(t, z, first, "a", "b")
	member(t, z, second, "a", "b")
	ctx := t.Context()
	owners := func() string {
		t.Helper()
		o, err := f.Overview(ctx, c)
		if err != nil || len(o.Destinations) != 2 {
			t.Fatalf("overview %+v, %v", o, err)
		}
		return o.Destinations[0].Owner + " " + o.Destinations[1].Owner
	}
	if got := owners(); got != first+" "+first {
		t.Fatalf("at first: %s", got)
	}
	if moved, err := f.Move(ctx, c, "a", second, "me"); err != nil || moved.From != first || moved.To != second {
		t.Errorf("move: %+v, %v", moved, err)
	}
	if got := owners(); got != second+" "+first {
		t.Errorf("after the move: %s", got)
	}
	if from, to, err := f.Release(ctx, c, "b"); err != nil || from != first || to != second {
		t.Errorf("release: from %s to %s, %v", from, to, err)
	}
	if moved, err := f.Rebalance(ctx, c); err != nil || moved != 1 {
		t.Errorf("rebalance: %d, %v", moved, err)
	}
	if err := f.Drain(ctx, c, second); err != nil {
		t.Errorf("drain: %v", err)
	}
	if got := owners(); got != first+" "+first {
		t.Errorf("after the drain: %s", got)
	}
	if was, err := f.Undrain(ctx, c, second); !was || err != nil {
		t.Errorf("undrain: %v, %v", was, err)
	}
}
