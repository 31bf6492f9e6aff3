package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/clock"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Runner is what there is to run for a destination.
type Runner interface {
	// Start runs it. An error means that it cannot run here as things are; then
	// the destination is left to others and tried again later.
	Start(l *Lease) error

	// Stop ends it and returns when nothing of it runs. With handOver the lease
	// still lasts, and what clients have confirmed shall be saved; else another
	// server may run it already.
	Stop(handOver bool) error
}

// Times of the election.
const (
	// JavaDelay is how long a vacant running node is left alone when the last
	// owner may have been a Java server: ServerRunningMonitor's delayTime.
	JavaDelay = 5 * time.Second

	// returnDelay is how long it is left to a Towpath owner whose session lives:
	// its node was deleted by hand, and it makes it again.
	returnDelay = time.Second

	// crashDelay is how long it is left to a Towpath owner whose session has ended:
	// one that lives is told at once and comes back to what it still runs.
	crashDelay = 300 * time.Millisecond

	// Abstention is for how long a server that has given a destination up on
	// purpose does not take it again.
	Abstention = 15 * time.Second

	// patientLooks is after how many looks in a row that all led to something pauses
	// begin, for a tree in which nothing has the effect it should; longestLook is the
	// longest pause.
	patientLooks = 8
	longestLook  = 5 * time.Second

	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Role is what a server is for a destination.
type Role string

// The roles.
const (
	RoleWaiting  Role = "waiting" // for ZooKeeper
	RoleStandby  Role = "standby" // another server runs it, or may take it first
	RoleOwner    Role = "owner"
	RoleStarting Role = "starting" // it owns the destination, and the instance is starting
	RoleFailed   Role = "failed"   // it did not start here and is tried again later
)

// Status is how a contender stands.
type Status struct {
	Destination string
	Role        Role
	Owner       string    // address of the server that runs it, as far as is known
	Since       time.Time // of the role
	Why         string    // in words, for a person
}

// Contender competes for one destination.
type Contender struct {
	m           *Member
	destination string
	preferred   []string
	runner      Runner
	log         *slog.Logger

	ctx      context.Context // ends with Withdraw
	cancel   context.CancelFunc
	done     chan struct{}
	commands chan command

	// What follows belongs to the goroutine of run.
	lease    *Lease   // nil when the instance does not run
	children shape    // of the destination's node when it was taken
	pending  *attempt // to take the destination that was not answered; nil if there is none
	last     holder
	vacant   time.Duration // since when the running node is known to be missing
	abstain  time.Duration // not to be taken before
	refused  int64         // version of the order that was last refused
	spared   bool          // it was said that the destination stays on a drained server
	failures int
	hindered int           // attempts in a row that ZooKeeper refused
	blocked  time.Duration // the next attempt is not before
	said     time.Time     // when the log was told last of what ZooKeeper refuses

	mu     sync.Mutex
	status Status
}

// holder is the last server seen to own a destination.
type holder struct {
	address string
	session int64
	towpath bool // it is a Towpath server
	yielded bool // it was asked to give the destination up, or has done so
	alive   bool // its session outlived the node, as far as is known
}

// attempt is one to become the owner.
type attempt struct {
	id        string // of the lease
	children  shape  // of the destination's node, before
	unchanged bool   // nobody else has owned the destination since this server did
}

// command is something to do in the contender's goroutine.
type command struct {
	do   func(ctx context.Context, s *zk.Session) error // s is nil while there is no session
	done chan error
}

func newContender(m *Member, destination string, preferred []string, r Runner) *Contender {
	c := &Contender{
		m: m, destination: destination, preferred: preferred, runner: r, log: m.o.Logger.With("destination", destination),
		done: make(chan struct{}), commands: make(chan command),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.set(RoleWaiting, "", "ZooKeeper has not answered yet")
	return c
}

// Destination is what is competed for.
func (c *Contender) Destination() string { return c.destination }

// Status tells how it stands.
func (c *Contender) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *Contender) set(r Role, owner, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.Role != r || c.status.Owner != owner {
		c.status.Since = time.Now()
	}
	c.status = Status{Destination: c.destination, Role: r, Owner: owner, Since: c.status.Since, Why: why}
}

// Withdraw ends the competition: the instance is handed over if it runs here,
// and this server's node among the competitors is removed. It returns when that
// is done, which without ZooKeeper takes a few seconds.
func (c *Contender) Withdraw() {
	c.cancel()
	<-c.done
}

// Release hands the destination over to whoever takes it. This server takes it
// again only when nobody does for a while. It is an error when it is not the owner.
func (c *Contender) Release(ctx context.Context, why string) error {
	return c.call(ctx, func(ctx context.Context, s *zk.Session) error {
		if c.lease == nil {
			return fmt.Errorf("destination %s does not run on this server", c.destination)
		}
		if s == nil {
			return fmt.Errorf("destination %s: %w", c.destination, ErrSuspended)
		}
		c.handOver(s, why, Abstention)
		return nil
	})
}

// ErrNotNow is returned for what cannot be done before ZooKeeper answers again.
var ErrNotNow = errors.New("not possible before ZooKeeper answers")

// Restart stops the instance and starts it anew, with this server as the owner
// throughout. When it does not start, the destination is left to other servers.
// On a server that does not own it nothing happens. After ErrNotNow the instance
// runs on as it was, or has been lost.
func (c *Contender) Restart(ctx context.Context) error { return c.RestartWith(ctx, func() {}) }

// RestartWith is Restart, and calls prepare right before the instance is stopped; not
// at all when nothing happens.
func (c *Contender) RestartWith(ctx context.Context, prepare func()) error {
	return c.call(ctx, func(ctx context.Context, s *zk.Session) error {
		if c.lease == nil {
			c.abstain = 0 // what kept it from starting may have been mended
			return nil
		}
		id := c.lease.ID()
		epoch, err := c.count(ctx, id)
		if err != nil {
			return fmt.Errorf("destination %s: %w: %w", c.destination, ErrNotNow, err)
		}
		prepare()
		c.drop(true)
		return c.start(ctx, s, id, epoch)
	})
}

// count counts this server as the owner once more, because what is numbered by
// the count begins anew.
func (c *Contender) count(ctx context.Context, lease string) (epoch int32, err error) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	s, checks, err := c.lease.Guard()
	if err != nil {
		return 0, err
	}
	results, err := s.Multi(ctx, append(checks, zk.SetOp(zktree.TowpathDestination(c.destination), []byte(ownership(c.m.o.Address, lease)), zk.AnyVersion))...)
	if err != nil {
		return 0, err
	}
	return results[len(checks)].Stat.Version, nil
}

// errWithdrawn is returned for a command to a contender that has ended.
var errWithdrawn = errors.New("this server does not compete for the destination any more")

// call runs a command in the contender's goroutine.
func (c *Contender) call(ctx context.Context, do func(context.Context, *zk.Session) error) error {
	cmd := command{do: do, done: make(chan error, 1)}
	select {
	case c.commands <- cmd:
	case <-ctx.Done():
		return fmt.Errorf("destination %s: %w: %w", c.destination, ErrNotNow, context.Cause(ctx))
	case <-c.done:
		return errWithdrawn
	}
	select {
	case err := <-cmd.done:
		return err
	case <-c.done:
		return errWithdrawn
	}
}

// run competes, session after session.
func (c *Contender) run() {
	defer close(c.done)
	defer c.m.forget(c)
	for c.ctx.Err() == nil {
		s, changed := c.m.current()
		if s != nil {
			c.campaign(s)
			continue
		}
		select {
		case <-changed:
		case cmd := <-c.commands:
			cmd.done <- cmd.do(c.ctx, nil)
		case <-c.ctx.Done():
		}
	}
	if c.lease != nil {
		s, _, err := c.lease.Guard()
		if err != nil {
			s = nil
		}
		c.handOver(s, "this server stops it", 0)
	}
}

// campaign competes in one session, until that or the contender ends. A lease
// that is held then is suspended.
func (c *Contender) campaign(s *zk.Session) {
	ctx, cancel := within(c.ctx, s)
	defer cancel()
	var registration sync.WaitGroup
	removed, given := false, true
	registration.Go(func() { removed = c.m.keep(ctx, s, zktree.Competitor(c.destination, c.m.o.Address)) })
	c.compete(ctx, s)
	switch {
	case s.Err() != nil && c.lease == nil:
	case s.Err() != nil:
		c.lease.suspend()
		c.set(RoleWaiting, "", "the session with ZooKeeper has ended; the instance is kept but hands out nothing")
	case c.lease == nil:
		given = c.deleteRunning(s, zk.AnyVersion, "") // of an attempt that was under way
	default:
		given = c.handOver(s, "this server stops it", 0)
	}
	cancel()
	registration.Wait()
	if s.Err() == nil && !(removed && given) {
		go c.clear(s)
	}
}

// clear removes what could not be removed when the competition ended: else it
// would stay as long as the session, and nobody could run the destination. A
// contender that has come since sees to it itself.
func (c *Contender) clear(s *zk.Session) {
	ctx, cancel := within(context.Background(), s)
	defer cancel()
	for pause := firstRetry; sleep(ctx, pause); pause = min(2*pause, lastRetry) {
		if k := c.m.Contender(c.destination); k != nil && k != c {
			return
		}
		given := c.deleteRunning(s, zk.AnyVersion, "")
		if c.m.remove(s, zktree.Competitor(c.destination, c.m.o.Address)) && given {
			return
		}
	}
}

// compete looks at the running node and does what it asks for, again and again.
func (c *Contender) compete(ctx context.Context, s *zk.Session) {
	var n *node
	for again := 0; ctx.Err() == nil; {
		if n == nil {
			var err error
			if n, err = c.look(ctx, s); err != nil {
				c.complain(ctx, "see who runs the destination", err)
				sleep(ctx, 100*time.Millisecond)
				n = nil
				continue
			}
		}
		orders := c.m.view.changed()
		if !c.act(ctx, s, n) {
			n = nil // what was done has changed it
			if again++; again > patientLooks {
				sleep(ctx, min(time.Duration(again-patientLooks)*100*time.Millisecond, longestLook))
			}
			continue
		}
		again = 0
		timer := time.NewTimer(c.pause(n))
		var doubt <-chan struct{}
		if c.lease != nil {
			doubt = c.lease.doubt
		}
		select {
		case <-n.watch:
			n = nil
		case <-doubt:
			c.verify(ctx, s)
		case cmd := <-c.commands:
			cmd.done <- cmd.do(ctx, s) // what it changes the watch tells, when ZooKeeper answers
		case <-orders:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// complain tells the log what ZooKeeper refuses, at most once a minute. That a
// connection or a session ends is told elsewhere.
func (c *Contender) complain(ctx context.Context, what string, err error) {
	if ctx.Err() != nil || usual(err) || time.Since(c.said) < time.Minute {
		return
	}
	c.said = time.Now()
	c.log.Error("cannot "+what+", trying again", "error", err)
}

// node is the running node as it was found.
type node struct {
	exists  bool
	running zktree.ServerRunning
	bad     error // its data cannot be read
	stat    zk.Stat
	watch   <-chan zk.Event
}

// look reads the running node and watches it.
func (c *Contender) look(ctx context.Context, s *zk.Session) (*node, error) {
	path := zktree.Running(c.destination)
	for {
		data, st, watch, err := s.GetW(ctx, path)
		if err == nil {
			n := &node{exists: true, stat: st, watch: watch}
			n.running, n.bad = zktree.ParseServerRunning(data)
			return n, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return nil, err
		}
		_, exists, watch, err := s.ExistsW(ctx, path)
		if err != nil {
			return nil, err
		}
		if !exists {
			return &node{watch: watch}, nil
		}
	}
}

// act does what the running node as it is asks for. It reports whether the
// picture still holds afterwards.
func (c *Contender) act(ctx context.Context, s *zk.Session, n *node) bool {
	switch {
	case n.exists && n.stat.EphemeralOwner == s.ID():
		return c.own(ctx, s, n)
	case n.exists:
		c.standBy(ctx, s, n)
		return true
	default:
		return c.claim(ctx, s)
	}
}

// own is for a running node of this very session.
func (c *Contender) own(ctx context.Context, s *zk.Session, n *node) bool {
	c.vacant = 0
	switch {
	case c.lease == nil || c.pending != nil:
		return c.adopt(ctx, s, n)
	case n.bad != nil || n.running.Address != c.m.o.Address:
		c.log.Error("the running node was overwritten, so this server gives the destination up", "by", n.running.Address, "error", n.bad)
		c.drop(false)
		c.deleteRunning(s, n.stat.Version, "")
		c.abstain = clock.SinceBoot() + Abstention
		return false
	case !n.running.Active:
		c.handOver(s, "somebody has set active=false in the running node", Abstention)
		return false
	case n.stat.Version != 0:
		// Written again with the same content; the checks of Guard want version 0, so
		// it is made anew.
		c.lease.suspend()
		c.deleteRunning(s, n.stat.Version, "")
		return false
	}
	if why, abstention, yes := c.dismissed(ctx, s); yes {
		c.handOver(s, why, abstention)
		return false
	}
	return true
}

// adopt is for a running node that is this session's although nothing is known of
// it: one whose creation was never answered, or one that could not be deleted.
func (c *Contender) adopt(ctx context.Context, s *zk.Session, n *node) bool {
	if p := c.pending; p != nil {
		owner, st, err := s.Get(ctx, zktree.TowpathDestination(c.destination))
		switch {
		case err == nil && string(owner) == ownership(c.m.o.Address, p.id):
			c.taken(ctx, s, p, st.Version)
			return false
		case err != nil && !errors.Is(err, zk.ErrNoNode):
			return false
		}
	}
	c.deleteRunning(s, n.stat.Version, "")
	return false
}

// verify looks whether the node of the lease is there, without which nothing is
// written any more. If somebody has removed it, the destination is taken anew.
func (c *Contender) verify(ctx context.Context, s *zk.Session) {
	_, ok, err := s.Exists(ctx, zktree.Lease(c.destination, c.lease.ID()))
	if ok || err != nil {
		return // in doubt it is asked again
	}
	c.log.Warn("somebody has removed the node of this server's lease; the destination is taken anew", "path", zktree.Lease(c.destination, c.lease.ID()))
	c.lease.suspend()
	c.deleteRunning(s, zk.AnyVersion, "") // which the watch tells
}

// standBy is for a running node of another session.
func (c *Contender) standBy(ctx context.Context, s *zk.Session, n *node) {
	c.vacant, c.pending = 0, nil
	if c.failures == 0 && n.running.Address != c.m.o.Address {
		c.abstain = 0 // what it was for has happened
	}
	if c.lease != nil {
		c.log.Error("another server has taken the destination, so the instance stops here", "owner", n.running.Address)
		c.drop(false)
	}
	seen := holder{address: n.running.Address, session: n.stat.EphemeralOwner, yielded: n.bad == nil && !n.running.Active}
	if seen.session == c.last.session && c.last.towpath {
		seen.towpath = true
	} else {
		seen.towpath = c.m.lives(ctx, s, seen)
	}
	if seen.address == c.m.o.Address && seen.address != c.last.address {
		c.log.Warn("the running node has this server's address but belongs to another session: it is of this server's last run, or two servers have the same address")
	} else if seen.address != c.last.address {
		c.log.Info("standing by", "owner", seen.address, "towpath", seen.towpath)
	}
	if seen.session == 0 && (c.last.session != 0 || c.last.address != seen.address) {
		c.log.Error("the running node was made by hand: it is not ephemeral, so it stays whoever runs, and nobody can run the destination",
			"path", zktree.Running(c.destination), "remedy", "delete it")
	}
	c.last = seen
	c.set(RoleStandby, seen.address, "it runs on "+seen.address)
}

// lives tells whether the session of a holder is that of a Towpath server which
// is there.
func (m *Member) lives(ctx context.Context, s *zk.Session, h holder) bool {
	st, ok, err := s.Exists(ctx, zktree.TowpathServer(h.address))
	return err == nil && ok && st.EphemeralOwner == h.session
}

// claim is for a missing running node: it is taken when its time has come.
func (c *Contender) claim(ctx context.Context, s *zk.Session) bool {
	now := clock.SinceBoot()
	if c.vacant == 0 {
		c.vacant = now
		if c.last.towpath {
			c.last.yielded = c.last.yielded || c.yielded(ctx, s)
			c.last.alive = c.m.lives(ctx, s, c.last)
		}
	}
	if now < c.blocked {
		return true
	}
	if c.lease == nil && c.due() > now {
		if c.failures == 0 { // else it is known why nobody does
			c.set(RoleStandby, "", "nobody runs it; another server may take it first")
		}
		return true
	}
	return c.take(ctx, s)
}

// due is when this server may take a vacant running node.
func (c *Contender) due() time.Duration {
	if named, yielded := c.named(); yielded && named {
		return c.vacant
	} else if named {
		return c.vacant + c.courtesy()
	}
	return max(c.vacant+c.m.view.patience(c), c.vacant+c.courtesy(), c.abstain)
}

// courtesy is how long a vacant node is left to its last owner.
func (c *Contender) courtesy() time.Duration {
	switch l := c.last; {
	case l.address == "" || l.yielded || l.address == c.m.o.Address:
		return 0
	case !l.towpath:
		return JavaDelay
	case l.alive:
		return returnDelay
	}
	return crashDelay
}

// yielded tells whether the last Towpath owner has given the destination up on
// purpose. If not, its node was deleted or its session has ended, and it may be
// about to come back.
func (c *Contender) yielded(ctx context.Context, s *zk.Session) bool {
	owner, _, err := s.Get(ctx, zktree.TowpathDestination(c.destination))
	return err == nil && strings.HasSuffix(string(owner), " "+nobody)
}

// pause is for how long nothing is to be done unless something changes.
func (c *Contender) pause(n *node) time.Duration {
	const longest = time.Hour
	switch {
	case n.exists && c.lease != nil && c.m.draining.Load():
		return drainPause
	case n.exists:
		return longest
	}
	when := c.blocked
	if c.lease == nil {
		when = max(when, c.due())
	}
	return min(max(0, when-clock.SinceBoot()), longest)
}

// take makes the running node.
func (c *Contender) take(ctx context.Context, s *zk.Session) bool {
	a := &attempt{id: fmt.Sprintf("%016x-%d", uint64(s.ID()), c.m.leases.Add(1))}
	before, unchanged, err := c.inspect(ctx, s)
	if err != nil {
		return c.hinder(ctx, err)
	}
	a.children, a.unchanged = before.shape, unchanged
	epoch, err := c.acquire(ctx, s, a.id, before.leases)
	switch {
	case err == nil:
		c.taken(ctx, s, a, epoch)
		return false
	case errors.Is(err, zk.ErrConnectionLost) || errors.Is(err, context.DeadlineExceeded):
		c.pending = a // looking again tells
		return false
	case errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNoNode):
		return false // somebody was quicker, or a lease has just gone
	}
	return c.hinder(ctx, err)
}

// hinder puts off the next attempt to take the destination, which ZooKeeper has
// refused. It reports whether the picture still holds.
func (c *Contender) hinder(ctx context.Context, err error) bool {
	if ctx.Err() != nil || usual(err) {
		return false
	}
	c.blocked = clock.SinceBoot() + min(firstRetry<<min(c.hindered, 10), lastRetry)
	c.hindered++
	c.complain(ctx, "take the destination", err)
	if c.lease == nil {
		c.set(RoleStandby, "", "ZooKeeper refuses that this server takes it: "+err.Error())
	}
	return true
}

// taken is what follows when this server has become the owner.
func (c *Contender) taken(ctx context.Context, s *zk.Session, a *attempt, epoch int32) {
	c.pending, c.hindered, c.blocked = nil, 0, 0
	c.children = a.children
	c.children.version++ // the running node
	if c.lease != nil && a.unchanged {
		c.lease.resume(s, a.id)
		c.log.Info("the running node is made again; the instance has gone on running", "lease", a.id)
		c.set(RoleOwner, c.m.o.Address, "")
		return
	}
	if c.lease != nil {
		c.log.Warn("another server may have run the destination meanwhile, so the instance starts anew from the stored cursors")
		c.drop(false)
	}
	_ = c.start(ctx, s, a.id, epoch) // its status tells
}

// ownership is what is in the node of a destination under /towpath.
func ownership(address, lease string) string { return address + " " + lease }

// nobody stands in place of the lease once its owner has given it up.
const nobody = "-"

// acquire is the transaction that makes this server the owner. It returns how
// many there have been.
func (c *Contender) acquire(ctx context.Context, s *zk.Session, id string, leases []string) (epoch int32, err error) {
	ops := []zk.Op{
		zk.CreateOp(zktree.Running(c.destination), zktree.ServerRunning{Active: true, Address: c.m.o.Address}.Append(nil), zk.Ephemeral),
		zk.CreateOp(zktree.Lease(c.destination, id), []byte(c.m.o.Address), zk.Ephemeral),
		zk.SetOp(zktree.TowpathDestination(c.destination), []byte(ownership(c.m.o.Address, id)), zk.AnyVersion),
	}
	for _, l := range leases { // of owners that have lost the running node and may not know it
		ops = append(ops, zk.DeleteOp(zktree.TowpathDestination(c.destination)+"/"+l, zk.AnyVersion))
	}
	results, err := s.Multi(ctx, ops...)
	if err != nil {
		return 0, err
	}
	return results[2].Stat.Version, nil
}

// start runs the instance under a new lease. When it does not start the node is
// given back, and tried again later.
func (c *Contender) start(ctx context.Context, s *zk.Session, id string, epoch int32) error {
	l := newLease(c.destination, c.m.fence, s, id, epoch)
	c.set(RoleStarting, c.m.o.Address, "")
	if err := c.runner.Start(l); err != nil {
		l.end()
		c.deleteRunning(s, 0, id)
		wait := min(firstRetry<<min(c.failures, 10), lastRetry)
		if named, _ := c.named(); named {
			wait = max(wait, 2*orderPatience) // the owner before shall be first
		}
		c.failures++
		c.abstain = clock.SinceBoot() + wait
		c.m.view.settle(ctx, s, c.destination, c.m.o.Address)
		c.last = holder{address: c.m.o.Address}
		c.set(RoleFailed, "", err.Error())
		c.log.Error("the instance did not start, so the destination is left to other servers and tried again later", "error", err, "retry_in", wait)
		return err
	}
	c.lease, c.failures, c.abstain = l, 0, 0
	c.last = holder{address: c.m.o.Address, session: s.ID(), towpath: true}
	c.m.owned.Add(1)
	c.m.touch()
	c.m.view.settle(ctx, s, c.destination, c.m.o.Address)
	c.set(RoleOwner, c.m.o.Address, "")
	c.log.Info("this server runs the destination", "lease", id, "epoch", epoch)
	return nil
}

// drop ends the lease and stops the instance, without a word to ZooKeeper.
func (c *Contender) drop(handOver bool) {
	l := c.lease
	c.lease, c.pending = nil, nil
	if !handOver {
		l.end()
	}
	if err := c.runner.Stop(handOver); err != nil {
		c.log.Error("the instance did not stop cleanly", "error", err)
	}
	l.end()
	c.m.owned.Add(-1)
	c.m.touch()
}

// handOver stops the instance and gives the running node up, last of all. s is
// nil when the lease is not valid: then there is nothing to give up. It reports
// whether the node is known to be gone.
func (c *Contender) handOver(s *zk.Session, why string, abstention time.Duration) (given bool) {
	begun := time.Now()
	id := c.lease.ID()
	c.drop(s != nil)
	given = s == nil || c.deleteRunning(s, zk.AnyVersion, id)
	c.last = holder{address: c.m.o.Address, session: c.last.session, towpath: true, yielded: true}
	c.abstain = clock.SinceBoot() + abstention
	c.set(RoleStandby, "", why)
	c.log.Info("the destination is handed over", "why", why, "took", time.Since(begun).Round(time.Millisecond))
	return given
}

// deleteRunning deletes the running node of this session, together with the
// lease if there is an id, and reports whether it is known to be gone. What fails
// is found, and tried again, by the next look.
func (c *Contender) deleteRunning(s *zk.Session, version int32, id string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	st, ok, err := s.Exists(ctx, zktree.Running(c.destination))
	if err != nil {
		return false
	}
	if ok && st.EphemeralOwner != s.ID() {
		return true
	}
	if version == zk.AnyVersion {
		version = st.Version
	}
	var ops []zk.Op
	if id != "" {
		ops = append(ops, zk.DeleteOp(zktree.Lease(c.destination, id), zk.AnyVersion),
			zk.SetOp(zktree.TowpathDestination(c.destination), []byte(ownership(c.m.o.Address, nobody)), zk.AnyVersion))
	}
	if ok {
		ops = append(ops, zk.DeleteOp(zktree.Running(c.destination), version))
	}
	if len(ops) == 0 {
		return true
	}
	if _, err = s.Multi(ctx, ops...); err != nil && s.Err() == nil {
		c.log.Warn("the running node could not be deleted yet", "error", err)
	}
	return err == nil || !ok
}

// shape is what the children of a destination's node were at a moment, to tell
// later whether anybody else has owned the destination.
type shape struct {
	version int32 // counts children made and deleted
	names   map[string]bool
}

type inspection struct {
	shape
	leases []string // of Towpath owners
}

// inspect reads who was here. unchanged says that nobody has owned the
// destination since this server did: since then children have come and gone as
// can be seen, and the running node has gone once.
func (c *Contender) inspect(ctx context.Context, s *zk.Session) (found inspection, unchanged bool, err error) {
	names, st, err := s.Children(ctx, zktree.Destination(c.destination))
	if errors.Is(err, zk.ErrNoNode) {
		err = s.CreateParents(ctx, zktree.Running(c.destination))
	}
	if err != nil {
		return found, false, err
	}
	found.version, found.names = st.Cversion, make(map[string]bool)
	for _, n := range names {
		found.names[n] = true
	}
	leases, _, err := s.Children(ctx, zktree.TowpathDestination(c.destination))
	if errors.Is(err, zk.ErrNoNode) {
		err = s.CreateParents(ctx, zktree.Lease(c.destination, "0"))
	}
	if err != nil {
		return found, false, err
	}
	for _, l := range leases {
		if zktree.IsLease(l) {
			found.leases = append(found.leases, l)
		}
	}
	return found, c.lease != nil && found.follows(c.children), nil
}

// follows tells whether the running node has been deleted once and nothing but
// visible children was made or deleted since.
func (now shape) follows(then shape) bool {
	changes := int32(1)
	for n := range now.names {
		if !then.names[n] {
			changes++
		}
	}
	for n := range then.names {
		if !now.names[n] {
			changes++
		}
	}
	return now.version == then.version+changes
}
