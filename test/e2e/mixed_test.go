package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/netfault"
)

// early is what the watching of nodes may add to or take from a time.
const early = 200 * time.Millisecond

// atLeast fails the test when a destination was not left alone for as long as Java's
// servers rely on.
func atLeast(t *testing.T, vacant, want time.Duration) {
	t.Helper()
	if vacant < want-early {
		t.Errorf("a vacant destination was taken after %v, want %v at least", vacant, want)
	}
}

// atMost fails the test when nobody ran a destination for too long.
func atMost(t *testing.T, vacant, want time.Duration) {
	t.Helper()
	if vacant > want+slack {
		t.Errorf("nobody ran a destination for %v, want %v at most", vacant, want)
	}
}

// TestMixed has a Java server and ours take over from each other in all ways, while
// a writer writes, and a Java client and ours read. Each client must get every
// change, and nothing again from before the cursor that the new owner found.
func TestMixed(t *testing.T) {
	t.Parallel()
	m := newMixed(t, "mixed", false, byJava, byOurs)
	ours := m.newOurs(nil, m.zk.Addr())
	java := m.startJava(m.zk.Addr())
	m.awaitOwner(java.Addr())
	m.startOurs(ours)
	stop := keepWriting(t, m.w)
	m.read()
	m.settle()
	for _, d := range m.destinations {
		if data, _, _ := m.get(zktree.Cursor(d, client.DefaultClientID)); !strings.Contains(data, `"address":"localhost"`) {
			t.Errorf("java's cursor has no host name: %s", data)
		}
	}

	atLeast(t, m.takeOver("java killed", java.Addr(), ours.addr(), java.Kill), javaPatience)
	java = m.startJava(m.zk.Addr())
	atLeast(t, m.takeOver("ours killed", ours.addr(), java.Addr(), ours.kill), javaPatience)
	m.startOurs(ours)
	atMost(t, m.takeOver("java told active=false", java.Addr(), ours.addr(), func() { m.yield(java.Addr()) }), 0)
	m.unchanged(javaPatience + time.Second) // in which Java, as its rules are, tries to come back
	atLeast(t, m.takeOver("ours stopped", ours.addr(), java.Addr(), ours.terminate), javaPatience)
	ours.stopped()
	m.startOurs(ours)
	atLeast(t, m.takeOver("java stopped", java.Addr(), ours.addr(), func() { java.Stop(t) }), javaPatience)
	m.finish(stop)
}

// TestMixedGTID is a take-over in each direction where positions are GTID sets.
// Before each, the servers must leave the destinations where they are.
func TestMixedGTID(t *testing.T) {
	t.Parallel()
	m := newMixed(t, "mixedgtid", true, byJava, byOurs)
	ours := m.newOurs(settings{"towpath.cluster.rebalance": "true"}, m.zk.Addr())
	java := m.startJava(m.zk.Addr())
	m.awaitOwner(java.Addr())
	m.startOurs(ours)
	stop := keepWriting(t, m.w)
	m.read()
	m.unchanged(10 * time.Second)
	atLeast(t, m.takeOver("java killed, GTID", java.Addr(), ours.addr(), java.Kill), javaPatience)
	for _, d := range m.destinations {
		if data, _, _ := m.get(zktree.Cursor(d, client.DefaultClientID)); strings.Contains(data, `"gtid":""`) {
			t.Errorf("a cursor without GTIDs: %s", data)
		}
	}
	java = m.startJava(m.zk.Addr())
	m.expire(ours.addr())
	m.unchanged(javaPatience + time.Second)
	for _, d := range m.destinations {
		if n := ours.starts(d); n != 1 {
			t.Errorf("our instance of %s was started %d times", d, n)
		}
	}
	atLeast(t, m.takeOver("ours stopped, GTID", ours.addr(), java.Addr(), ours.terminate), javaPatience)
	m.finish(stop)
}

// TestMixedSplitBrain cuts a Java owner off from ZooKeeper. It goes on for ever, as
// Java's do, also when it can reach ZooKeeper again and ours has taken over. The
// client follows the running node and misses nothing; ours tells what is wrong, and
// puts right what Java writes.
func TestMixedSplitBrain(t *testing.T) {
	t.Parallel()
	m := newMixed(t, "mixedsplit", false, byOurs)
	network := netfault.New(t, m.zk.Addr())
	ours := m.newOurs(nil, m.zk.Addr())
	java := m.startJava(network.Addr())
	m.awaitOwner(java.Addr())
	m.startOurs(ours)
	stop := keepWriting(t, m.w)
	m.read()
	m.settle()
	m.expire(java.Addr())
	m.unchanged(javaPatience + time.Second)
	atLeast(t, m.takeOver("java cut off", java.Addr(), ours.addr(), network.Blackhole), javaPatience)

	// A client that nobody has told reads on at Java's server, and lags.
	lag := slowly(t, client.Options{Addr: java.Addr(), Destination: byOurs})
	if err := network.Heal(); err != nil {
		t.Fatal(err)
	}
	healed := time.Now()
	const alarm = "another program has written the cursor"
	var alarmed time.Time
	var wg sync.WaitGroup
	wg.Go(func() {
		for alarmed.IsZero() && time.Since(healed) < startLimit {
			if strings.Contains(ours.log(byOurs), alarm) {
				alarmed = time.Now()
			}
			pauseFor(t.Context(), 20*time.Millisecond)
		}
	})
	worst, steps := m.cursorSteps(byOurs, 8*time.Second)
	t.Logf("java has thrown the cursor back %d times, for %v at the longest", steps, worst)
	if steps == 0 {
		t.Error("java has not written the cursor: the test tests nothing")
	}
	if worst > 3*time.Second {
		t.Errorf("the cursor was behind for %v", worst)
	}
	if wg.Wait(); alarmed.IsZero() {
		t.Error("ours does not tell of java's cursors")
	} else {
		t.Logf("the alarm was raised %v after the healing", alarmed.Sub(healed).Round(10*time.Millisecond))
	}
	if n := strings.Count(ours.log(byOurs), alarm); n > 2 {
		t.Errorf("the alarm was raised %d times", n)
	}
	if at := m.running(byOurs); at != ours.addr() {
		t.Errorf("%s runs the destination", at)
	}
	m.awaitCompetitor(java.Addr())
	lag()
	java.Stop(t)
	m.unchanged(time.Second)
	if n := ours.starts(byOurs); n != 1 {
		t.Errorf("our instance was started %d times", n)
	}
	m.finish(stop)
}

// TestMixedCutOff cuts our owner off from ZooKeeper. It stops before a Java server
// takes over, and stays stopped: nothing comes from it any more, and no cursor.
func TestMixedCutOff(t *testing.T) {
	t.Parallel()
	m := newMixed(t, "mixedcutoff", false, byOurs)
	network := netfault.New(t, m.zk.Addr())
	ours := m.newOurs(nil, network.Addr())
	m.startOurs(ours)
	m.awaitOwner(ours.addr())
	java := m.startJava(m.zk.Addr())
	stop := keepWriting(t, m.w)
	m.read()
	m.watchCursor(byOurs)
	fenced := func() {
		cut := time.Now()
		network.Blackhole()
		if served := m.streams[byOurs].awaitQuiet(time.Second).Sub(cut); served > mixedSession {
			t.Errorf("ours served for %v after it was cut off, with a session of %v", served, mixedSession)
		} else {
			t.Logf("ours served for %v after it was cut off", served.Round(10*time.Millisecond))
		}
	}
	atLeast(t, m.takeOver("ours cut off", ours.addr(), java.Addr(), fenced), javaPatience)
	if err := network.Heal(); err != nil {
		t.Fatal(err)
	}
	m.awaitCompetitor(ours.addr())
	eventually(t, startLimit, "ours has stopped its instance", func() bool { return !ours.serves(byOurs) })
	m.unchanged(javaPatience + time.Second)
	if n := ours.starts(byOurs); n != 1 {
		t.Errorf("our instance was started %d times", n)
	}
	m.finish(stop)
}
