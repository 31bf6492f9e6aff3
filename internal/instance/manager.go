package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/server"
	"github.com/towpath-cdc/towpath/internal/store"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// ManagerOptions are what a Manager works with.
type ManagerOptions struct {
	Config *config.Config
	Budget *store.Budget
	Logger *slog.Logger // of the server

	// Cluster decides which destinations run here, and ZooKeeper is where it keeps
	// them. nil for a server that is alone, which runs all.
	Cluster   *cluster.Member
	ZooKeeper *zk.Client

	// InstanceLogger returns the logger of a destination and where its meta.log
	// lines go.
	InstanceLogger func(destination string) (log *slog.Logger, metaLog func(string))

	// Released is told of a destination that has stopped, so that its log files
	// can be closed; nil if nobody cares.
	Released func(destination string)
}

// Manager keeps the instances of a server. Its methods may be called from
// anywhere; what is done to one destination happens one after the other.
type Manager struct {
	o ManagerOptions

	mu    sync.Mutex
	slots map[string]*slot
	down  bool // Close has been called
}

// slot is a destination the manager knows.
type slot struct {
	op sync.Mutex // held while the destination is started or stopped

	mu        sync.Mutex
	running   *Instance          // nil when it does not run
	lazy      bool               // waits for its first client
	err       error              // why the last start failed
	since     time.Time          // of the above
	contender *cluster.Contender // nil when this server does not compete for it
	preferred []string           // the servers it prefers, as it was told
	move      *Move              // for the next start; nil for none
}

// NewManager returns a manager that runs nothing yet.
func NewManager(o ManagerOptions) *Manager {
	return &Manager{o: o, slots: make(map[string]*slot)}
}

// Destinations are the names known, sorted.
func (m *Manager) Destinations() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.slots))
}

// Known says whether a destination is one that was started and not forgotten.
func (m *Manager) Known(destination string) bool { return m.slot(destination, false) != nil }

// slot returns the slot of a destination, making it when create is set.
func (m *Manager) slot(destination string, create bool) *slot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[destination]
	if s == nil && create && !m.down {
		s = &slot{}
		m.slots[destination] = s
	}
	return s
}

// errDown is returned for a start after Close has begun.
var errDown = errors.New("the server is going down")

// lock returns the slot of a destination, making it if need be, and holds its op.
func (m *Manager) lock(destination string) (*slot, error) {
	for {
		s := m.slot(destination, true)
		if s == nil {
			return nil, errDown
		}
		s.op.Lock()
		m.mu.Lock()
		known, down := m.slots[destination] == s, m.down
		m.mu.Unlock()
		if known && !down {
			return s, nil
		}
		s.op.Unlock()
		if down {
			return nil, errDown
		}
		// It was forgotten meanwhile: what ran in it now, nobody would find.
	}
}

// Start starts a destination unless it runs or is lazy. The error is also
// logged and kept for Status.
func (m *Manager) Start(destination string) error {
	return m.start(destination, false)
}

func (m *Manager) start(destination string, byClient bool) error {
	s, err := m.lock(destination)
	if err != nil {
		return err
	}
	defer s.op.Unlock()
	if s.instance() != nil || s.competes() != nil {
		return nil
	}
	c, err := m.configuration(destination)
	switch {
	case err != nil:
		s.set(nil, c.Lazy, err)
		return err
	case c.Lazy && !byClient:
		m.o.Logger.Info("the instance is lazy and starts with its first client", "instance", destination)
		s.set(nil, true, nil)
		return nil
	case m.o.Cluster != nil:
		return m.compete(s, c)
	}
	in, err := m.open(Options{Config: c})
	s.set(in, c.Lazy, err)
	return err
}

// configuration reads the configuration of a destination.
func (m *Manager) configuration(destination string) (config.Instance, error) {
	c, err := m.o.Config.Instance(destination)
	if err != nil {
		return c, m.startFailed(destination, err)
	}
	return c, nil
}

func (m *Manager) startFailed(destination string, err error) error {
	err = fmt.Errorf("instance %s does not start: %w", destination, err)
	m.o.Logger.Error("start failed", "instance", destination, "error", err)
	return err
}

// openMoved starts a destination in the place of old, which may be nil, with its
// cursors moved; if that cannot be done, as they are. mv.err is the outcome of the move.
func (m *Manager) openMoved(old *Instance, c config.Instance, l *cluster.Lease, mv *Move) (*Instance, error) {
	o := Options{Config: c, Lease: l}
	if old != nil {
		o.Carried, o.NextIDs = old.meta.Snapshot(), old.NextIDs()
	}
	o.Move = mv
	in, err := m.open(o)
	if mv.err = err; err != nil {
		o.Move = nil
		in, err = m.open(o)
	}
	return in, err
}

// open starts a destination: o has what is its own.
func (m *Manager) open(o Options) (*Instance, error) {
	d := o.Config.Destination
	o.Logger, o.MetaLog = m.o.InstanceLogger(d)
	o.Budget, o.ZooKeeper = m.o.Budget, m.o.ZooKeeper
	in, err := Start(o)
	if err != nil {
		return nil, m.startFailed(d, err)
	}
	m.o.Logger.Info(fmt.Sprintf("start CanalInstances[%s] successfully", d))
	return in, nil
}

// Stop stops a destination if it runs.
func (m *Manager) Stop(destination string) error { return m.stop(destination, false) }

// Forget stops a destination and knows it no longer.
func (m *Manager) Forget(destination string) error { return m.stop(destination, true) }

func (m *Manager) stop(destination string, forget bool) error {
	s := m.slot(destination, false)
	if s == nil {
		return nil
	}
	s.op.Lock()
	defer s.op.Unlock()
	if forget {
		defer m.drop(destination, s)
	}
	if c := s.competes(); c != nil {
		c.Withdraw() // stops it, if it runs here
		s.setCompetes(nil, nil)
		s.set(nil, false, nil)
		return nil
	}
	in := s.instance()
	s.set(nil, false, nil)
	if in == nil {
		return nil
	}
	return m.stopped(destination, in.Stop())
}

// stopped logs the end of an instance.
func (m *Manager) stopped(destination string, err error) error {
	if err != nil {
		m.o.Logger.Error("stop failed", "instance", destination, "error", err)
		return err
	}
	m.o.Logger.Info(fmt.Sprintf("stop CanalInstances[%s] successfully", destination))
	if m.o.Released != nil {
		m.o.Released(destination)
	}
	return nil
}

// drop removes a slot. The caller holds its op.
func (m *Manager) drop(destination string, s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slots[destination] == s {
		delete(m.slots, destination)
	}
}

// Reload stops a destination and starts it with the configuration as it is now.
// In a cluster this server stays its owner, unless the new configuration is wrong.
func (m *Manager) Reload(destination string) error {
	if done, err := m.restart(destination); done {
		return err
	}
	return errors.Join(m.Stop(destination), m.Start(destination))
}

// Close stops all instances, several at a time, and starts none any more.
func (m *Manager) Close() {
	m.mu.Lock()
	m.down = true
	names := slices.Sorted(maps.Keys(m.slots))
	m.mu.Unlock()
	var wg sync.WaitGroup
	for _, d := range names {
		wg.Go(func() { _ = m.Stop(d) }) // it has logged its error
	}
	wg.Wait()
}

// Lookup implements server.Registry.
func (m *Manager) Lookup(ctx context.Context, destination string, start bool) (server.Instance, error) {
	s := m.slot(destination, false)
	if s == nil {
		return nil, server.ErrNotStarted
	}
	in, lazy := s.state()
	switch {
	case in != nil:
		return in, nil
	case lazy && start:
		if err := m.start(destination, true); err != nil {
			return nil, fmt.Errorf("%w: %w", server.ErrNotStarted, err)
		}
		in = s.settled(ctx)
	case s.starting(): // clients that follow come as soon as the running node is there
		in = s.started(ctx)
	}
	if in == nil {
		return nil, server.ErrNotStarted
	}
	return in, nil
}

// Instance returns the running instance of a destination, or nil.
func (m *Manager) Instance(destination string) *Instance {
	s := m.slot(destination, false)
	if s == nil {
		return nil
	}
	return s.instance()
}

// Err is why the last start of a destination failed; nil when it did not.
func (m *Manager) Err(destination string) error {
	s := m.slot(destination, false)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *slot) instance() *Instance { in, _ := s.state(); return in }

func (s *slot) state() (*Instance, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running, s.lazy
}

func (s *slot) set(in *Instance, lazy bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.lazy, s.err, s.since = in, lazy, err, time.Now()
}

// Standing is how a destination stands on this server.
type Standing struct {
	Instance *Instance       // nil when it does not run here
	Lazy     bool            // it is one that waits for its first client
	Err      error           // why its last start failed
	Since    time.Time       // of the above
	Cluster  *cluster.Status // how this server competes for it; nil when it does not
}

// Standing tells how a destination stands; ok is false when it is not known.
func (m *Manager) Standing(destination string) (st Standing, ok bool) {
	s := m.slot(destination, false)
	if s == nil {
		return Standing{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st = Standing{Instance: s.running, Lazy: s.lazy, Err: s.err, Since: s.since}
	if s.contender != nil {
		c := s.contender.Status()
		st.Cluster = &c
	}
	return st, true
}

// Watch scans the configuration folder every interval, the first time at once,
// and does what changed files ask for, until ctx ends.
func (m *Manager) Watch(ctx context.Context, root string, interval time.Duration, started []string) {
	state := config.NewScanState(started)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		state = m.scan(root, state)
		timer.Reset(interval)
	}
}

// scan looks at the folders once. A listing that cannot be had changes nothing.
func (m *Manager) scan(root string, state config.ScanState) config.ScanState {
	folders, ok, err := config.ReadFolders(root)
	if err != nil {
		m.o.Logger.Error("scan failed", "folder", root, "error", err)
		return state
	}
	if !ok {
		return state
	}
	next, actions := config.Scan(state, folders)
	for _, a := range actions {
		var err error
		switch a.Op {
		case config.ScanStart:
			err = m.Start(a.Destination)
		case config.ScanStop:
			if err = m.Forget(a.Destination); err != nil {
				next[a.Destination] = state[a.Destination] // tried again by the next scan
			}
		case config.ScanReload:
			if err = m.Reload(a.Destination); errors.Is(err, cluster.ErrNotNow) {
				next[a.Destination] = state[a.Destination]
				m.o.Logger.Warn("the changed configuration is not in force yet; tried again by the next scan", "instance", a.Destination, "error", err)
			}
		}
		if err == nil {
			m.o.Logger.Info(fmt.Sprintf("auto notify %s %s successful.", a.Op, a.Destination))
		}
	}
	return next
}

// stallAfter is how long a full ring is left without a word. Back-pressure for
// a moment is normal; a client that does not ack is not.
const stallAfter = 30 * time.Second

// ReportStalls logs, until ctx ends, which instances stand still because a
// client does not take or ack what it is given: once when it begins, then every
// five minutes, and once when it is over.
func (m *Manager) ReportStalls(ctx context.Context) {
	const again = 5 * time.Minute
	said := make(map[string]time.Time)
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, d := range m.Destinations() {
				m.reportStall(d, now, again, said)
			}
		}
	}
}

func (m *Manager) reportStall(d string, now time.Time, again time.Duration, said map[string]time.Time) {
	in := m.Instance(d)
	if in == nil {
		delete(said, d)
		return
	}
	stall, full := in.Stall(now)
	last, told := said[d]
	switch {
	case full && now.Sub(stall.Since) >= stallAfter && now.Sub(last) >= again:
		said[d] = now
		in.log.Warn("reading from the source stands still, other instances go on", "why", stall.String())
	case !full && told:
		delete(said, d)
		in.log.Info("the ring has room again, reading from the source goes on")
	}
}
