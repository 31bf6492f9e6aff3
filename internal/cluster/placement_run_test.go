package cluster

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

const hostC = "10.0.0.3:11111"

// settle is Options.Settle of the tests.
const settle = 300 * time.Millisecond

// fleet is servers that spread the same destinations.
type fleet struct {
	*world
	destinations []string
	preferred    map[string][]string
	hosts        map[string]*host
	runners      map[string]map[string]*runner // by server and destination
}

func newFleet(t *testing.T, destinations int) *fleet {
	t.Parallel() // they mostly wait
	f := &fleet{world: newWorld(t), preferred: make(map[string][]string), hosts: make(map[string]*host), runners: make(map[string]map[string]*runner)}
	for i := range destinations {
		f.destinations = append(f.destinations, fmt.Sprintf("d%02d", i))
	}
	return f
}

// join starts a server that competes for everything.
func (f *fleet) join(o Options) *host {
	f.t.Helper()
	o.Settle = settle
	h := f.hostWith(o)
	f.hosts[o.Address], f.runners[o.Address] = h, make(map[string]*runner)
	for _, d := range f.destinations {
		r := newRunner()
		if _, err := h.Compete(d, f.preferred[d], r); err != nil {
			f.t.Fatal(err)
		}
		f.runners[o.Address][d] = r
	}
	return h
}

// owners are the owners by destination; none may have two.
func (f *fleet) owners() map[string]string {
	f.t.Helper()
	owners := make(map[string]string)
	for address, runners := range f.runners {
		for d, r := range runners {
			if !r.valid() {
				continue
			}
			if owners[d] != "" {
				f.t.Fatalf("%s runs on %s and %s", d, owners[d], address)
			}
			owners[d] = address
		}
	}
	return owners
}

// loads are how many destinations each server runs.
func (f *fleet) loads() map[string]int {
	loads := make(map[string]int)
	for _, o := range f.owners() {
		loads[o]++
	}
	return loads
}

func (f *fleet) await(d time.Duration, want map[string]int) {
	f.t.Helper()
	begun := time.Now()
	for !maps.Equal(f.loads(), want) {
		if time.Since(begun) > d {
			f.t.Fatalf("not within %v: %v, want %v", d, f.loads(), want)
		}
		time.Sleep(5 * time.Millisecond)
	}
	f.t.Logf("%v after %v", want, time.Since(begun).Round(time.Millisecond))
}

// starts counts the starts on all servers.
func (f *fleet) starts() int {
	n := 0
	for _, runners := range f.runners {
		for _, r := range runners {
			s, _ := r.counts()
			n += s
		}
	}
	return n
}

// calm fails the test if anything moves for a while.
func (f *fleet) calm(d time.Duration) {
	f.t.Helper()
	before := f.starts()
	time.Sleep(d)
	if n := f.starts() - before; n != 0 {
		f.t.Errorf("%d moves although all is in its place", n)
	}
}

func TestServersGetTheirShares(t *testing.T) {
	f := newFleet(t, 12)
	f.join(Options{Address: hostA, Rebalance: true})
	f.await(soon, map[string]int{hostA: 12})
	f.join(Options{Address: hostB, Rebalance: true})
	f.await(soon, map[string]int{hostA: 6, hostB: 6})
	c := f.join(Options{Address: hostC, Rebalance: true})
	f.await(soon, map[string]int{hostA: 4, hostB: 4, hostC: 4})
	if n := f.starts(); n != 12+6+4 {
		t.Errorf("%d starts, 22 would do", n)
	}
	f.calm(3 * time.Second)

	// A planned stop, then one that ZooKeeper has to find out.
	c.stop()
	_ = c.client.Close(t.Context())
	f.await(soon, map[string]int{hostA: 6, hostB: 6})
	f.calm(2 * time.Second)
	f.hosts[hostA].proxy.Cut()
	f.await(soon+timeout, map[string]int{hostB: 12})
}

func TestWeights(t *testing.T) {
	f := newFleet(t, 8)
	f.join(Options{Address: hostA, Rebalance: true, Weight: 3})
	f.await(soon, map[string]int{hostA: 8})
	f.join(Options{Address: hostB, Rebalance: true})
	f.await(soon, map[string]int{hostA: 6, hostB: 2})
}

func TestWithoutRebalanceNothingMoves(t *testing.T) {
	f := newFleet(t, 4)
	f.join(Options{Address: hostA})
	f.await(soon, map[string]int{hostA: 4})
	f.join(Options{Address: hostB})
	f.calm(4 * settle)
	// Unless somebody asks for it.
	if err := RequestRebalance(t.Context(), f.admin); err != nil {
		t.Fatal(err)
	}
	f.await(soon, map[string]int{hostA: 2, hostB: 2})
	eventually(t, soon, "the request is gone", func() bool { _, ok, err := f.admin.Exists(t.Context(), zktree.Rebalance); return !ok && err == nil })
}

func TestARestartedServerCausesNoMoves(t *testing.T) {
	f := newFleet(t, 6)
	f.join(Options{Address: hostA, Rebalance: true})
	f.await(soon, map[string]int{hostA: 6})
	b := f.join(Options{Address: hostB, Rebalance: true})
	f.await(soon, map[string]int{hostA: 3, hostB: 3})
	f.join(Options{Address: hostC, Rebalance: true})
	f.await(soon, map[string]int{hostA: 2, hostB: 2, hostC: 2})
	before := f.owners()
	b.stop()
	_ = b.client.Close(t.Context())
	eventually(t, soon, "all run", func() bool { return len(f.owners()) == 6 })
	f.join(Options{Address: hostB, Rebalance: true})
	f.await(soon, map[string]int{hostA: 2, hostB: 2, hostC: 2})
	for d, o := range f.owners() {
		if before[d] != hostB && o != before[d] && o != hostB {
			t.Errorf("%s went from %s to %s", d, before[d], o)
		}
	}
}

func TestPreferredServer(t *testing.T) {
	f := newFleet(t, 4)
	for _, d := range f.destinations[:3] {
		f.preferred[d] = []string{hostB}
	}
	f.join(Options{Address: hostA, Rebalance: true})
	f.await(soon, map[string]int{hostA: 4})
	b := f.join(Options{Address: hostB, Rebalance: true})
	f.await(soon, map[string]int{hostA: 1, hostB: 3})
	for _, d := range f.destinations[:3] {
		if o := f.owners()[d]; o != hostB {
			t.Errorf("%s runs on %s", d, o)
		}
	}
	f.calm(time.Second)
	b.stop()
	f.await(soon, map[string]int{hostA: 4})
}

func TestJavaServersMakeTheCoordinatorKeepAway(t *testing.T) {
	f := newFleet(t, 4)
	if err := f.admin.CreateParents(t.Context(), zktree.Competitor("d00", "x")); err != nil {
		t.Fatal(err)
	}
	for _, d := range f.destinations[1:] {
		java := zktree.Competitor(d, "10.0.0.9:11111")
		if err := f.admin.CreateParents(t.Context(), java); err != nil {
			t.Fatal(err)
		}
		if _, err := f.admin.Create(t.Context(), java, nil, zk.Ephemeral); err != nil {
			t.Fatal(err)
		}
	}
	a := f.join(Options{Address: hostA, Rebalance: true})
	f.await(soon, map[string]int{hostA: 4})
	f.join(Options{Address: hostB, Rebalance: true})
	f.await(soon, map[string]int{hostA: 3, hostB: 1}) // d00, for which no Java server competes
	eventually(t, soon, "a says so", func() bool { return a.log.has("for which Java servers compete are not moved") })
	f.calm(time.Second)
}

func TestAMoveThatFailsIsNotRepeated(t *testing.T) {
	f := newFleet(t, 2)
	f.join(Options{Address: hostA, Rebalance: true})
	f.await(soon, map[string]int{hostA: 2})
	b := f.hostWith(Options{Address: hostB, Rebalance: true, Settle: settle})
	fails := newRunner()
	fails.fail = errors.New("no such luck")
	for _, d := range f.destinations {
		if _, err := b.Compete(d, nil, fails); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 2*orderLife, "a gives up", func() bool { return f.hosts[hostA].log.has("did not move and is left where it is") })
	f.await(soon, map[string]int{hostA: 2})
	for _, d := range f.destinations {
		eventually(t, soon, "the order is gone", func() bool { _, ok, err := f.admin.Exists(t.Context(), zktree.Move(d)); return !ok && err == nil })
	}
}

func TestStaleAndForeignOrdersAreRemoved(t *testing.T) {
	f := newFleet(t, 1)
	f.join(Options{Address: hostA})
	f.await(soon, map[string]int{hostA: 1})
	for d, data := range map[string]string{"d00": `{"to":"10.0.0.8:1"}`, "nosuch": "not an order"} {
		eventually(t, soon, "the parent is there", func() bool {
			_, err := f.admin.Create(t.Context(), zktree.Move(d), []byte(data), zk.Persistent)
			return err == nil
		})
	}
	eventually(t, 2*staleOrder, "they are removed", func() bool {
		names, _, err := f.admin.Children(t.Context(), zktree.Moves)
		return err == nil && len(names) == 0
	})
	f.await(soon, map[string]int{hostA: 1})
}

func TestOldestIsTheLeader(t *testing.T) {
	v := view{servers: map[string]peer{"a": {joined: 3}, "b": {joined: 2}, "c": {joined: 5}}}
	if got := v.leader(); got != "b" {
		t.Error(got)
	}
	v.servers["c"] = peer{joined: 5, ServerInfo: ServerInfo{Rebalance: true}}
	if got := v.leader(); got != "c" {
		t.Errorf("%s, although only c rebalances", got)
	}
	v.servers = nil
	if got := v.leader(); got != "" {
		t.Error(got)
	}
}

func TestCoordinatorReadsLittle(t *testing.T) {
	f := newFleet(t, 60)
	f.join(Options{Address: hostA, Rebalance: true})
	f.join(Options{Address: hostB, Rebalance: true})
	f.await(soon, map[string]int{hostA: 30, hostB: 30})
	f.calm(time.Second)
	leader := f.hosts[f.hosts[hostA].view.leader()]
	client := f.open(f.zk.Addrs(), nil)
	session, err := client.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &coordinator{m: leader.Member, s: session, refused: make(map[refusedMove]time.Duration)}
	c.rebalance(t.Context())
	if n := client.Stats().Requests; len(n) != 0 {
		t.Errorf("%v although all is in its place", n)
	}
	if _, err := c.compete(t.Context(), c.likely(leader.view.seats())); err != nil {
		t.Fatal(err)
	}
	if n := client.Stats().Requests; len(n) != 1 || n["children"] != 60 {
		t.Errorf("%v to read who competes, want 60 children", n)
	}
}
