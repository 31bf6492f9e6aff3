package instance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
)

// seat is a destination as the cluster runs it. The cluster calls it from one
// goroutine, which Stop of the manager waits for while it holds the slot's op:
// so it does not take that.
type seat struct {
	m           *Manager
	s           *slot
	destination string
}

// Start implements cluster.Runner, with the configuration as it is now.
func (t seat) Start(l *cluster.Lease) error {
	c, err := t.m.configuration(t.destination)
	var in *Instance
	old, mv := t.s.instance(), t.s.takeMove()
	switch {
	case err != nil && mv != nil:
		mv.err = err
	case err != nil:
	case mv != nil:
		in, err = t.m.openMoved(old, c, l, mv)
	default:
		in, err = t.m.open(Options{Config: c, Lease: l})
	}
	t.s.set(in, c.Lazy, err)
	return err
}

// Stop implements cluster.Runner.
func (t seat) Stop(handOver bool) error {
	in, lazy := t.s.state()
	if in == nil {
		return nil
	}
	if mv := t.s.moving(); mv != nil && handOver {
		mv.settle = in.bequeath() // it stays in the slot until Start puts another one there
		return t.m.stopped(t.destination, in.Stop())
	}
	defer t.s.set(nil, lazy, nil) // clients ack what they have in hand until it has stopped
	if handOver {
		return t.m.stopped(t.destination, in.HandOver())
	}
	err := in.Stop()
	if errors.Is(err, meta.ErrNotOwner) {
		// So it is when a destination is lost: the new owner has the cursors as
		// they were written last, and clients get again what they acked since.
		err = nil
	}
	return t.m.stopped(t.destination, err)
}

// compete begins to compete for a destination. The caller holds the slot's op.
func (m *Manager) compete(s *slot, c config.Instance) error {
	s.set(nil, c.Lazy, nil) // not afterwards: the instance may run by then
	contender, err := m.o.Cluster.Compete(c.Destination, c.Preferred, seat{m: m, s: s, destination: c.Destination})
	if err != nil {
		err = m.startFailed(c.Destination, err)
		s.set(nil, c.Lazy, err)
	}
	s.setCompetes(contender, c.Preferred)
	return err
}

// restartTimeout bounds how long a reload waits for ZooKeeper.
const restartTimeout = 10 * time.Second

// restart reloads a destination that this server competes for without giving it
// up. It reports false when that cannot be done.
func (m *Manager) restart(destination string) (done bool, err error) {
	s := m.slot(destination, false)
	if s == nil {
		return false, nil
	}
	s.op.Lock()
	defer s.op.Unlock()
	contender := s.competes()
	c, err := m.o.Config.Instance(destination)
	if contender == nil || err != nil || !slices.Equal(c.Preferred, s.preferences()) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), restartTimeout)
	defer cancel()
	return true, contender.Restart(ctx)
}

// Contender returns who competes for a destination on this server, or nil.
func (m *Manager) Contender(destination string) *cluster.Contender {
	s := m.slot(destination, false)
	if s == nil {
		return nil
	}
	return s.competes()
}

func (s *slot) competes() *cluster.Contender {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.contender
}

func (s *slot) preferences() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.preferred
}

func (s *slot) setCompetes(c *cluster.Contender, preferred []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contender, s.preferred = c, preferred
}

// starting tells whether this server owns the destination and its instance is not
// there yet.
func (s *slot) starting() bool {
	c := s.competes()
	return c != nil && c.Status().Role == cluster.RoleStarting
}

// settleTimeout is how long a client waits for an instance that is starting, and the
// first client of a lazy destination until it is decided which server runs it.
const settleTimeout = 5 * time.Second

// settled returns the instance when it runs here, and nil once it is known that
// it does not.
func (s *slot) settled(ctx context.Context) *Instance {
	return s.await(ctx, func(st cluster.Status) bool {
		return st.Role == cluster.RoleFailed || st.Role == cluster.RoleStandby && st.Owner != ""
	})
}

// started returns the instance that is starting, and nil when it does not start.
func (s *slot) started(ctx context.Context) *Instance {
	return s.await(ctx, func(st cluster.Status) bool { return st.Role != cluster.RoleStarting })
}

// await waits for the instance until it is there, or hopeless.
func (s *slot) await(ctx context.Context, hopeless func(cluster.Status) bool) *Instance {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		contender := s.competes()
		if contender == nil || hopeless(contender.Status()) {
			return s.instance() // which may have come since
		}
		if in := s.instance(); in != nil {
			return in
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
