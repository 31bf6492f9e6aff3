package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

func TestParseOrder(t *testing.T) {
	for _, o := range []Order{{To: hostA}, {To: hostB, By: "a <person>", AtMs: 1700000000000, Yielded: true, Auto: true}} {
		if got, err := ParseOrder(o.Append(nil)); err != nil || got != o {
			t.Errorf("%+v, %v, want %+v", got, err, o)
		}
	}
	for _, text := range []string{"", "null", "{}", `{"to":""}`, `{"to":1}`, "[]", "nothing"} {
		if o, err := ParseOrder([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, o)
		}
	}
}

func TestMoveTo(t *testing.T) {
	f := newFleet(t, 3)
	f.join(Options{Address: hostA})
	f.await(soon, map[string]int{hostA: 3})
	f.join(Options{Address: hostB})
	f.join(Options{Address: hostC})
	f.competing(hostB, hostC)
	for _, to := range []string{hostB, hostC, hostB, hostA, hostB} { // back and forth, at once
		m, err := MoveTo(t.Context(), f.admin, "d00", to, "the test")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", m)
		if m.Took > time.Second {
			t.Errorf("it took %v", m.Took)
		}
		eventually(t, soon, "it runs there", f.runners[to]["d00"].valid)
		eventually(t, soon, "the order is gone", func() bool { _, ok, err := f.admin.Exists(t.Context(), zktree.Move("d00")); return !ok && err == nil })
	}
	if m, err := MoveTo(t.Context(), f.admin, "d00", hostB, "the test"); err != nil || m.Took != 0 {
		t.Errorf("to its owner: %+v, %v", m, err)
	}
	if !f.runners[hostA]["d00"].handOver {
		t.Error("a did not hand over")
	}
	if n := f.loads(); n[hostA] != 2 || n[hostB] != 1 {
		t.Errorf("%v", n)
	}
}

// competing waits until the servers compete for everything.
func (f *fleet) competing(addresses ...string) {
	f.t.Helper()
	for _, a := range addresses {
		for _, d := range f.destinations {
			eventually(f.t, soon, a+" competes for "+d, func() bool {
				_, ok, err := f.admin.Exists(f.t.Context(), zktree.Competitor(d, a))
				return ok && err == nil && f.hosts[a].Contender(d).Status().Owner != ""
			})
		}
	}
}

func TestMoveToAServerThatCannot(t *testing.T) {
	f := newFleet(t, 1)
	f.join(Options{Address: hostA})
	f.await(soon, map[string]int{hostA: 1})
	b := f.hostWith(Options{Address: hostB}) // competes for nothing
	eventually(t, soon, "b is there", func() bool { return b.sessionID() != 0 })
	c := f.join(Options{Address: hostC})
	f.competing(hostC)
	if err := Drain(t.Context(), f.admin, hostC); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "c is drained", c.draining.Load)
	for _, to := range []string{"10.0.0.9:11111", hostB, hostC} {
		if _, err := MoveTo(t.Context(), f.admin, "d00", to, "the test"); !errors.Is(err, ErrWrongTarget) {
			t.Errorf("to %s: %v", to, err)
		} else {
			t.Log(err)
		}
	}
	// The owner itself refuses an order to a server that does not compete.
	if _, err := f.admin.Create(t.Context(), zktree.Move("d00"), Order{To: hostB, By: "the test"}.Append(nil), zk.Persistent); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "a refuses", func() bool { return f.hosts[hostA].log.has("the server that it names does not compete") })
	if _, stops := f.runners[hostA]["d00"].counts(); stops != 0 {
		t.Error("the instance was stopped")
	}
}

func TestMoveToAServerThatFailsComesBack(t *testing.T) {
	f := newFleet(t, 1)
	f.join(Options{Address: hostA})
	f.await(soon, map[string]int{hostA: 1})
	b := f.join(Options{Address: hostB})
	f.competing(hostB)
	r := f.runners[hostB]["d00"]
	r.mu.Lock()
	r.fail = errors.New("no such luck")
	r.mu.Unlock()
	moved := make(chan error, 1)
	go func() {
		_, err := MoveTo(t.Context(), f.admin, "d00", hostB, "the test")
		moved <- err
	}()
	eventually(t, soon, "b has tried", func() bool { return b.log.has("no such luck") })
	took := eventually(t, soon, "a runs it again", f.runners[hostA]["d00"].valid)
	t.Logf("back after %v", took)
	if err := <-moved; !errors.Is(err, ErrNotMoved) {
		t.Errorf("%v", err)
	}
	if starts, _ := r.counts(); starts > 5 {
		t.Errorf("b tried %d times", starts)
	}
}

// TestMoveFromAJavaServer plays the owner: upon active=false it deletes its node.
func TestMoveFromAJavaServer(t *testing.T) {
	f := newFleet(t, 1)
	java := "10.0.0.9:11111"
	if err := f.admin.CreateParents(t.Context(), zktree.Running("d00")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.admin.Create(t.Context(), zktree.Running("d00"), zktree.ServerRunning{Active: true, Address: java}.Append(nil), zk.Ephemeral); err != nil {
		t.Fatal(err)
	}
	f.join(Options{Address: hostA})
	f.join(Options{Address: hostB})
	f.competing(hostA, hostB)
	_, _, watch, err := f.admin.GetW(t.Context(), zktree.Running("d00"))
	if err != nil {
		t.Fatal(err)
	}
	yielded := make(chan error, 1)
	go func() {
		<-watch
		yielded <- f.admin.Delete(t.Context(), zktree.Running("d00"), zk.AnyVersion)
	}()
	m, err := MoveTo(t.Context(), f.admin, "d00", hostB, "the test")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", m)
	if m.From != java || m.Took > time.Second {
		t.Errorf("%+v", m)
	}
	if err := <-yielded; err != nil {
		t.Error(err)
	}
	eventually(t, soon, "it runs there", f.runners[hostB]["d00"].valid)
}

func TestDrain(t *testing.T) {
	f := newFleet(t, 6)
	a := f.join(Options{Address: hostA, Rebalance: true})
	f.await(soon, map[string]int{hostA: 6})
	only := newRunner()
	if _, err := a.Compete("only", nil, only); err != nil {
		t.Fatal(err)
	}
	f.join(Options{Address: hostB, Rebalance: true})
	f.join(Options{Address: hostC, Rebalance: true})
	f.await(soon, map[string]int{hostA: 2, hostB: 2, hostC: 2})
	if err := Drain(t.Context(), f.admin, hostA); err != nil {
		t.Fatal(err)
	}
	f.await(soon, map[string]int{hostB: 3, hostC: 3})
	eventually(t, soon, "a says what it keeps", func() bool { return a.log.has("stays on this server, which is being drained") })
	if !only.valid() {
		t.Error("what nobody else competes for was stopped")
	}
	f.calm(time.Second)
	// Somebody comes who can take it.
	other := newRunner()
	if _, err := f.hosts[hostB].Compete("only", nil, other); err != nil {
		t.Fatal(err)
	}
	eventually(t, drainPause+soon, "it goes there", other.valid)
	a.Contender("only").Withdraw()
	f.hosts[hostB].Contender("only").Withdraw()
	if ok, err := Undrain(t.Context(), f.admin, hostA); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := Undrain(t.Context(), f.admin, hostA); ok || err != nil {
		t.Errorf("a second time: %v, %v", ok, err)
	}
	f.await(soon, map[string]int{hostA: 2, hostB: 2, hostC: 2})
}

func TestADrainedServerRunsWhatNobodyElseDoes(t *testing.T) {
	f := newFleet(t, 1)
	a := f.join(Options{Address: hostA})
	f.await(soon, map[string]int{hostA: 1})
	b := f.join(Options{Address: hostB})
	f.competing(hostB)
	r := f.runners[hostB]["d00"]
	r.mu.Lock()
	r.fail = errors.New("no such luck")
	r.mu.Unlock()
	if err := Drain(t.Context(), f.admin, hostA); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "b has tried", func() bool { return b.log.has("no such luck") })
	took := eventually(t, drainPatience+lastRetry/2, "a runs it all the same", f.runners[hostA]["d00"].valid)
	t.Logf("after %v", took)
	eventually(t, soon, "a says so", func() bool { return a.log.has("stays on this server, which is being drained") })
}

func TestReleaseOrder(t *testing.T) {
	f := newFleet(t, 1)
	if _, err := Release(t.Context(), f.admin, "d00"); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
	f.join(Options{Address: hostA})
	f.await(soon, map[string]int{hostA: 1})
	f.competing(hostA)
	if _, err := Release(t.Context(), f.admin, "d00"); !errors.Is(err, ErrNoSuccessor) {
		t.Error(err)
	}
	f.join(Options{Address: hostB})
	f.competing(hostB)
	if owner, err := Release(t.Context(), f.admin, "d00"); err != nil || owner != hostA {
		t.Errorf("%s, %v", owner, err)
	}
	f.await(soon, map[string]int{hostB: 1})
}
