package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/clock"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Options say who this server is in its cluster.
type Options struct {
	ZooKeeper *zk.Client
	Address   string // ip:port for clients, by which servers tell one another apart
	Version   string // of the program
	Weight    int    // share of the destinations beside other servers; 1 if 0

	// Rebalance moves destinations by itself until the servers have their shares.
	Rebalance bool

	// Settle is for how long servers must neither come nor go before destinations
	// are moved; SettleTime if 0.
	Settle time.Duration

	// Sessions remembers the session, so that after a crash the next start need
	// not wait until it expires. nil remembers nothing.
	Sessions *SessionFile

	Logger *slog.Logger // required
}

// Member is this server in its cluster. Run does its work.
type Member struct {
	o       Options
	fence   *fence
	view    view
	started time.Time
	leases  atomic.Int64 // counts them, for their ids

	mu         sync.Mutex
	session    *zk.Session   // in which the server is registered; nil while there is none
	changed    chan struct{} // closed, and replaced, when session changes
	contenders map[string]*Contender
	owned      atomic.Int64
	draining   atomic.Bool
	nudge      chan struct{} // asks for a heartbeat now
}

// New returns a member that does nothing before Run.
func New(o Options) *Member {
	o.Weight = max(1, o.Weight)
	o.Settle = cmp.Or(o.Settle, SettleTime)
	return &Member{
		o: o, fence: newFence(clock.SinceBoot), started: time.Now(), changed: make(chan struct{}),
		contenders: make(map[string]*Contender), nudge: make(chan struct{}, 1),
		view: view{wishes: make(map[string]string)},
	}
}

// Address is that of this server.
func (m *Member) Address() string { return m.o.Address }

// Draining tells whether an operator has asked for this server's destinations to
// go to others.
func (m *Member) Draining() bool { return m.draining.Load() }

// Connected tells whether ZooKeeper has confirmed this server's session recently
// enough to rely on it.
func (m *Member) Connected() bool {
	s, _ := m.current()
	return s != nil && m.fence.remaining(s.ID()) > 0
}

// ServerInfo is what a Towpath server tells of itself in its node.
type ServerInfo struct {
	Version   string `json:"version"`
	StartedMs int64  `json:"started"` // since the epoch
	Weight    int    `json:"weight"`
	Instances int    `json:"instances"` // that it runs
	Draining  bool   `json:"draining,omitempty"`
	Rebalance bool   `json:"rebalance,omitempty"` // it spreads the destinations when it is its turn to
}

// ParseServerInfo reads the node of a Towpath server.
func ParseServerInfo(b []byte) (ServerInfo, error) {
	i := ServerInfo{Weight: 1}
	if err := json.Unmarshal(b, &i); err != nil {
		return ServerInfo{}, fmt.Errorf("parse server: %w", err)
	}
	return i, nil
}

func (m *Member) info() []byte {
	b, err := json.Marshal(ServerInfo{
		Version: m.o.Version, StartedMs: m.started.UnixMilli(), Weight: m.o.Weight,
		Instances: int(m.owned.Load()), Draining: m.draining.Load(), Rebalance: m.o.Rebalance,
	})
	if err != nil {
		return nil // a struct of plain values
	}
	return b
}

// Run keeps this server in its cluster, session after session, until ctx ends.
// Contenders compete only while it runs.
func (m *Member) Run(ctx context.Context) {
	predecessor := m.o.Sessions != nil
	for ctx.Err() == nil {
		s, err := m.o.ZooKeeper.Session(ctx)
		if err != nil {
			return // ctx has ended, or the client was closed
		}
		if predecessor { // not before ZooKeeper has answered
			predecessor = false
			m.o.Sessions.endPredecessor(ctx, m.o.Address, m.o.Logger)
		}
		m.attend(ctx, s)
	}
}

// attend is one session from its registration to its end.
func (m *Member) attend(ctx context.Context, s *zk.Session) {
	since := clock.SinceBoot() - time.Since(s.Began())
	ctx, cancel := within(ctx, s)
	defer cancel()
	defer m.fence.shut(s.ID())
	if err := m.register(ctx, s); err != nil {
		return
	}
	if m.o.Sessions != nil {
		if err := m.o.Sessions.save(s.ID(), s.Password(), m.o.Address); err != nil {
			m.o.Logger.Warn("the session with ZooKeeper cannot be remembered: after a crash a restart has to wait until it expires", "error", err)
		}
	}
	m.fence.open(s.ID(), s.Timeout(), since)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel() // ends the parts
	parts.Go(func() { m.keep(ctx, s, zktree.Server(m.o.Address)) })
	parts.Go(func() { m.watchOrders(ctx, s) })
	parts.Go(func() { m.coordinate(ctx, s) })
	if retry(ctx, func() error { return m.beat(ctx, s) }, m.o.Logger, "confirm the session with ZooKeeper") != nil {
		return
	}
	m.publish(s)
	defer m.publish(nil)
	m.heartbeats(ctx, s)
}

// register makes this server's node among the Towpath servers. While another
// session holds it, which is a predecessor that has just died, or a second
// server with the same address, this one does not compete.
func (m *Member) register(ctx context.Context, s *zk.Session) error {
	path := zktree.TowpathServer(m.o.Address)
	warned := false
	return retry(ctx, func() error {
		for {
			err := create(ctx, s, path, m.info())
			if !errors.Is(err, zk.ErrNodeExists) {
				return err
			}
			st, exists, gone, err := s.ExistsW(ctx, path)
			switch {
			case err != nil:
				return err
			case !exists:
				continue
			case st.EphemeralOwner == s.ID():
				return nil
			}
			if !warned {
				warned = true
				m.o.Logger.Error("another session holds this server's address in ZooKeeper: if it is not this server's own of before a restart, which goes when it expires, then two servers are configured with the same address; until it is gone this one runs nothing",
					"address", m.o.Address, "session", fmt.Sprintf("0x%x", uint64(st.EphemeralOwner)), "remedy", "canal.register.ip and canal.port must differ between servers")
			}
			select {
			case <-gone:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}, m.o.Logger, "register with ZooKeeper")
}

// heartbeats confirms the session until it ends.
func (m *Member) heartbeats(ctx context.Context, s *zk.Session) {
	interval := min(max(s.Timeout()/12, 100*time.Millisecond), time.Second)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var said time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-m.nudge:
		}
		err := m.beat(ctx, s)
		if err != nil && ctx.Err() == nil && !usual(err) && time.Since(said) >= time.Minute {
			said = time.Now()
			m.o.Logger.Error("cannot confirm the session with ZooKeeper; until it is confirmed this server hands out nothing", "error", err)
		}
	}
}

// beat writes this server's node, waiting for the answer for as long as the
// session can last. Without an error the session is known to live.
func (m *Member) beat(ctx context.Context, s *zk.Session) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	start := clock.SinceBoot()
	_, err := s.Set(ctx, zktree.TowpathServer(m.o.Address), m.info(), zk.AnyVersion)
	if errors.Is(err, zk.ErrNoNode) { // somebody has removed it
		err = create(ctx, s, zktree.TowpathServer(m.o.Address), m.info())
	}
	if err != nil {
		return err
	}
	m.fence.confirm(s.ID(), start)
	return nil
}

// touch asks for a heartbeat now, to show what has changed.
func (m *Member) touch() {
	select {
	case m.nudge <- struct{}{}:
	default:
	}
}

// publish makes s the session in which contenders compete.
func (m *Member) publish(s *zk.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = s
	close(m.changed)
	m.changed = make(chan struct{})
}

// current returns the session in which to compete, nil when there is none, and
// a channel that is closed when that changes.
func (m *Member) current() (*zk.Session, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil && m.session.Err() != nil {
		return nil, m.changed // attend is about to notice
	}
	return m.session, m.changed
}

// Compete begins to compete for a destination, for which r is what there is to
// run. preferred are the servers that shall run it when they can, the first one
// above all. A destination that is already competed for is an error.
func (m *Member) Compete(destination string, preferred []string, r Runner) (*Contender, error) {
	if err := zktree.CheckDestination(destination); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.contenders[destination] != nil {
		return nil, fmt.Errorf("destination %s is competed for already", destination)
	}
	c := newContender(m, destination, preferred, r)
	m.contenders[destination] = c
	go c.run()
	return c, nil
}

// Contenders are those that compete at the moment, by destination.
func (m *Member) Contenders() []*Contender {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*Contender
	for _, d := range slices.Sorted(maps.Keys(m.contenders)) {
		all = append(all, m.contenders[d])
	}
	return all
}

// Contender returns who competes for a destination, or nil.
func (m *Member) Contender(destination string) *Contender {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.contenders[destination]
}

func (m *Member) forget(c *Contender) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.contenders[c.destination] == c {
		delete(m.contenders, c.destination)
	}
}

// keep keeps an ephemeral node of this session without data, until ctx ends, and
// removes it then. A node of that name that belongs to another session is left
// alone until it goes. It reports whether nothing of this session has stayed.
func (m *Member) keep(ctx context.Context, s *zk.Session, path string) (removed bool) {
	for ctx.Err() == nil {
		var (
			there bool
			gone  <-chan zk.Event
		)
		err := retry(ctx, func() error {
			err := create(ctx, s, path, nil)
			if err != nil && !errors.Is(err, zk.ErrNodeExists) {
				return err
			}
			_, there, gone, err = s.ExistsW(ctx, path)
			return err
		}, m.o.Logger, "register with ZooKeeper")
		if err != nil {
			break
		}
		if !there {
			continue // another session's has gone meanwhile
		}
		select {
		case <-gone:
		case <-ctx.Done():
		}
	}
	return s.Err() != nil || m.remove(s, path)
}

// farewell bounds what is written to ZooKeeper when something ends.
const farewell = 2 * time.Second

// remove deletes a node if it is of this session, and reports whether none such is
// left.
func (m *Member) remove(s *zk.Session, path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	st, ok, err := s.Exists(ctx, path)
	if err == nil && ok && st.EphemeralOwner == s.ID() {
		err = s.Delete(ctx, path, st.Version)
	}
	if err == nil || errors.Is(err, zk.ErrNoNode) {
		return true
	}
	m.o.Logger.Warn("a node could not be removed yet", "path", path, "error", err)
	return false
}

// create makes an ephemeral node, and its parents when they are missing.
func create(ctx context.Context, s *zk.Session, path string, data []byte) error {
	_, err := s.Create(ctx, path, data, zk.Ephemeral)
	if errors.Is(err, zk.ErrNoNode) {
		if err = s.CreateParents(ctx, path); err == nil {
			_, err = s.Create(ctx, path, data, zk.Ephemeral)
		}
	}
	return err
}

// retry repeats what fails until it works, with back-off, or ctx ends. It logs
// the first failure, and then one a minute.
func retry(ctx context.Context, do func() error, log *slog.Logger, what string) error {
	pause := 50 * time.Millisecond
	var said time.Time
	for {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !usual(err) && time.Since(said) >= time.Minute {
			said = time.Now()
			log.Error("cannot "+what+", trying again", "error", err)
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// usual tells whether an error is only the end of a connection or a session.
func usual(err error) bool {
	return errors.Is(err, zk.ErrConnectionLost) || errors.Is(err, zk.ErrSessionExpired) || errors.Is(err, zk.ErrClosed)
}

// within returns a context that ends with ctx and with the session.
func within(ctx context.Context, s *zk.Session) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.Done():
			cancel(s.Err())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// sleep waits, and reports whether ctx lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
