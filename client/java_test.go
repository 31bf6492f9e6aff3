package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/testkit/canaltest"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// javaSession is the longest session timeout that Java's client, which asks for 90
// seconds, is given.
const javaSession = 3 * time.Second

// javaReads starts Canal's Java cluster client.
func javaReads(t *testing.T, c *cluster, destination string) *peers.Client {
	t.Helper()
	return peers.Start(t, peers.JavaClient, "--zk", c.Addr(), "--destination", destination, "--timeout", "100", "--batch", "1", "--retries", "100")
}

func printed(p *peers.Client, table string) bool {
	return slices.ContainsFunc(p.Lines(), func(l string) bool { return strings.Contains(l, `"tableName":"`+table+`"`) })
}

func awaitPrinted(t *testing.T, p *peers.Client, table string) time.Duration {
	t.Helper()
	begun := time.Now()
	eventuallyWithin(t, time.Minute, "java prints "+table, func() bool { return printed(p, table) })
	return time.Since(begun)
}

// TestJavaClients has our client and Canal's Java cluster client compete for one
// destination. Neither may read while the other does.
func TestJavaClients(t *testing.T) {
	peers.ForTest(t, peers.JavaClient)
	c := newCluster(t, servers.ZooKeeperOptions{MaxSessionTimeout: javaSession})
	begin := func(t *testing.T, destination string) *canaltest.Server {
		s := serve(t, destination, "a")
		c.run(t, destination, s.Addr())
		c.put(t, zktree.Competitor(destination, s.Addr()), []byte{})
		return s
	}
	t.Run("java is active", func(t *testing.T) {
		s := begin(t, "java")
		var ours *reader
		z := c.open(t, c.Addr())
		t.Run("and is killed", func(t *testing.T) {
			java := javaReads(t, c, "java")
			awaitPrinted(t, java, "a")
			ours = read(t, in(z, "java"))
			ours.awaitEvent(Waiting)
			s.Put(entry("b"))
			awaitPrinted(t, java, "b")
			if ours.has("b") {
				t.Error("both read")
			}
			ours.stop()
		})
		// The process is dead; its node is there until its session has ended.
		killed := time.Now()
		ours = read(t, in(z, "java"))
		ours.awaitEvent(Waiting)
		s.Put(entry("c"))
		eventuallyWithin(t, javaSession+javaDelay+5*time.Second, "to take over from java", func() bool { return ours.has("c") })
		took := time.Since(killed)
		within(t, "to take over from java, killed", took, javaSession+javaDelay+time.Second)
		if took < javaDelay {
			t.Errorf("took over after %v, within the delay that java relies on", took)
		}
	})
	t.Run("ours is active", func(t *testing.T) {
		s := begin(t, "ours")
		ours := read(t, in(c.open(t, c.Addr()), "ours"))
		ours.awaitTable("a")
		java := javaReads(t, c, "ours")
		eventuallyWithin(t, time.Minute, "java watches our node", func() bool { return c.watchers(t, zktree.RunningClient("ours", DefaultClientID)) == 2 })
		acked := 1
		for begun := time.Now(); time.Since(begun) < 2*time.Second; acked++ { // it is slow to compete
			name := fmt.Sprint("b", acked)
			s.Put(entry(name))
			ours.awaitTable(name)
		}
		eventually(t, "the acks", func() bool { return s.Acked() == acked })
		ours.stop()
		s.Put(entry("c"))
		t.Logf("java took over after %v", awaitPrinted(t, java, "c").Round(time.Millisecond))
		if len(java.Lines()) > 1 {
			t.Errorf("both read: %v", java.Lines())
		}
		if got, ok := c.claim(t, "ours"); !ok || got.Holder != "" || !strings.Contains(got.Address, ":") {
			t.Errorf("java's claim %+v, %v", got, ok)
		}
	})
}
