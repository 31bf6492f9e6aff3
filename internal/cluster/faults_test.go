package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/netfault"
)

// healAfter heals the host's connection once it has been cut.
func (h *host) healAfter(cut <-chan struct{}) {
	h.w.t.Helper()
	select {
	case <-cut:
	case <-time.After(soon):
		h.w.t.Fatal("no connection was cut")
	}
	if err := h.proxy.Heal(); err != nil {
		h.w.t.Fatal(err)
	}
}

// mayWrite tells whether the guard of the lease lets the owner write.
func (r *runner) mayWrite(t *testing.T) bool {
	t.Helper()
	r.mu.Lock()
	l := r.lease
	r.mu.Unlock()
	if l == nil {
		return false
	}
	s, checks, err := l.Guard()
	if err != nil {
		return false
	}
	_, err = s.Multi(t.Context(), checks...)
	return err == nil
}

// TestFirstHeartbeatCutOff breaks the connection between the first heartbeat of a
// session and its answer: the session lives on, and so must the member.
func TestFirstHeartbeatCutOff(t *testing.T) {
	w := newWorld(t)
	var cut <-chan struct{}
	a := w.hostWith(Options{Address: hostA}, func(p *netfault.Proxy) { cut = p.CutAfter(netfault.ZooKeeperRequest(netfault.OpSetData)) })
	ra := a.compete("d")
	a.healAfter(cut)
	eventually(t, soon, "a runs d", ra.valid)
}

// TestAnswerCutOffWhenResuming is TestAnswerCutOff for an owner whose session has
// expired and that makes its node again.
func TestAnswerCutOffWhenResuming(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	old := a.sessionID()
	cut := a.proxy.CutAfter(netfault.ZooKeeperRequest(netfault.OpMulti))
	if err := w.zk.ExpireSession(old); err != nil {
		t.Fatal(err)
	}
	a.healAfter(cut)
	eventually(t, soon, "a owns d again", func() bool { return a.sessionID() != old && ra.valid() && ra.mayWrite(t) })
	if starts, stops := ra.counts(); starts != 1 || stops != 0 {
		t.Errorf("%d starts, %d stops", starts, stops)
	}
}

func TestAnswerCutOffWhenRunningIsMadeAgain(t *testing.T) {
	for name, write := range map[string]func(s *zk.Session) error{
		"deleted": func(s *zk.Session) error { return s.Delete(context.Background(), zktree.Running("d"), zk.AnyVersion) },
		"written": func(s *zk.Session) error {
			_, err := s.Set(context.Background(), zktree.Running("d"), []byte(`{"active":true,"address":"10.0.0.1:11111"}`), zk.AnyVersion)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.host(hostA)
			ra := a.compete("d")
			eventually(t, soon, "a runs d", ra.valid)
			_, before, _ := w.running("d")
			cut := a.proxy.CutAfter(netfault.ZooKeeperRequest(netfault.OpMulti))
			if err := write(w.admin); err != nil {
				t.Fatal(err)
			}
			a.healAfter(cut)
			eventually(t, soon, "the node is made anew", func() bool { _, st, ok := w.running("d"); return ok && st.Czxid != before.Czxid })
			eventually(t, soon, "a owns d", func() bool { return ra.valid() && ra.mayWrite(t) })
		})
	}
}

// TestWithdrawnIsLeftToOthers: what a server that has given up competing could not
// say to ZooKeeper it says when it can; its session goes on.
func TestWithdrawnIsLeftToOthers(t *testing.T) {
	w := newWorld(t)
	w.timeout = 20 * time.Second // far longer than all this takes
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	b := w.host(hostB)
	rb := b.compete("d")
	eventually(t, soon, "b stands by", func() bool { return b.Contender("d").Status().Owner == hostA })
	session := a.sessionID()
	a.proxy.Cut()
	a.Contender("d").Withdraw()
	if err := a.proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "b runs d", rb.valid)
	eventually(t, soon, "a does not compete", func() bool {
		_, there, err := w.admin.Exists(t.Context(), zktree.Competitor("d", hostA))
		return err == nil && !there
	})
	if a.sessionID() != session {
		t.Error("the session has expired, so that this tells nothing")
	}
}

// TestWithdrawWhileTaking withdraws while the transaction that makes the running
// node is under way.
func TestWithdrawWhileTaking(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	eventually(t, soon, "a is registered", func() bool { return a.sessionID() != 0 })
	a.proxy.Delay(100 * time.Millisecond)
	a.compete("d")
	eventually(t, soon, "a asks for d", func() bool { return a.client.Stats().Requests["multi"] > 0 })
	a.Contender("d").Withdraw()
	b := w.host(hostB)
	rb := b.compete("d")
	eventually(t, soon, "b runs d", rb.valid)
}

// TestRefusedByACL: a destination of which ZooKeeper refuses everything is no
// reason to ask as fast as it answers.
func TestRefusedByACL(t *testing.T) {
	w := newWorld(t)
	config := w.config(w.zk.Addrs(), nil)
	config.Auth, config.ACL = []zk.Auth{{Scheme: "digest", Credential: "a:b"}}, zk.CreatorACL
	c, err := zk.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	s, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.admin.CreateParents(t.Context(), zktree.Destination("d")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), zktree.Destination("d"), nil, zk.Persistent); err != nil {
		t.Fatal(err)
	}
	a := w.host(hostA)
	a.compete("d")
	eventually(t, soon, "a says so", func() bool { return a.log.has("cannot take the destination") })
	count := func() (n uint64) {
		for _, k := range a.client.Stats().Requests {
			n += k
		}
		return n
	}
	before := count()
	time.Sleep(2 * time.Second)
	if n := count() - before; n > 100 {
		t.Errorf("%d requests in two seconds", n)
	}
}

// TestRestartWithoutZooKeeper: it neither waits for ZooKeeper nor stops what runs.
func TestRestartWithoutZooKeeper(t *testing.T) {
	w := newWorld(t)
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a runs d", ra.valid)
	if err := a.Contender("d").Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.proxy.Cut() // while it waits for something to happen
	begun := time.Now()
	if err := a.Contender("d").Restart(t.Context()); !errors.Is(err, ErrNotNow) {
		t.Errorf("restart while the lease lasts: %v", err)
	}
	eventually(t, timeout, "the lease is not valid", func() bool { return !ra.valid() })
	if err := a.Contender("d").Restart(t.Context()); !errors.Is(err, ErrNotNow) {
		t.Errorf("restart afterwards: %v", err)
	}
	if starts, stops := ra.counts(); starts != 2 || stops != 1 {
		t.Errorf("%d starts, %d stops", starts, stops)
	}

	b := w.hostWith(Options{Address: hostB}, (*netfault.Proxy).Cut)
	b.compete("d")
	if err := b.Contender("d").Restart(t.Context()); err != nil {
		t.Errorf("restart before there was a session: %v", err)
	}
	if took := time.Since(begun); took > 2*farewell+timeout {
		t.Errorf("it took %v", took)
	}
}

// TestLeaseNodeRemoved removes what only Towpath keeps, as somebody does who tidies
// up: the owner delivered on and could write nothing any more.
func TestLeaseNodeRemoved(t *testing.T) {
	w, _, _, ra, rb := pair(t)
	lease := ra.lease
	if err := w.admin.Delete(t.Context(), zktree.Lease("d", lease.ID()), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	lease.Doubt() // a write was refused
	mayWrite := func(r *runner) bool {
		r.mu.Lock()
		l := r.lease
		r.mu.Unlock()
		if l == nil {
			return false
		}
		s, checks, err := l.Guard()
		if err != nil {
			return false
		}
		_, err = s.Multi(t.Context(), checks...)
		return err == nil
	}
	eventually(t, soon, "an owner may write", func() bool { return mayWrite(ra) || mayWrite(rb) })
}

func TestRunningMadeByHand(t *testing.T) {
	w := newWorld(t)
	if err := w.admin.CreateParents(t.Context(), zktree.Running("d")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.Create(t.Context(), zktree.Running("d"), []byte(`{"active":true,"address":"10.0.0.9:11111"}`), zk.Persistent); err != nil {
		t.Fatal(err)
	}
	a := w.host(hostA)
	ra := a.compete("d")
	eventually(t, soon, "a says that nobody can run it", func() bool { return a.log.has("was made by hand") })
	if err := w.admin.Delete(t.Context(), zktree.Running("d"), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	eventually(t, JavaDelay+soon, "a runs d", ra.valid)
}
