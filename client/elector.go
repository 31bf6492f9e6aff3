package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/clock"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Why a term ends.
var (
	errSessionEnded = errors.New("the zookeeper session ended")
	errUnconfirmed  = errors.New("zookeeper cannot be reached")
	errTaken        = errors.New("another process consumes")
	errDeleted      = errors.New("the node was deleted")
	errAsked        = errors.New("asked to give way")
)

// term is one time of being the active client. Guarded by the elector's mutex.
type term struct {
	e     *elector
	until time.Duration // by package clock: ends unless ZooKeeper confirms it before
	over  error         // not nil when it is
}

// err is nil while the term lasts, by ZooKeeper's word and our clock; a nil term
// lasts for ever.
func (t *term) err() error {
	if t == nil {
		return nil
	}
	t.e.mu.Lock()
	defer t.e.mu.Unlock()
	if t.over == nil && clock.SinceBoot() >= t.until {
		return fmt.Errorf("%w: %w", ErrDisplaced, errUnconfirmed)
	}
	return t.over
}

// elector competes to be the active client of a destination, from the first await to
// release, and does what candidacy decides. One goroutine does so, which await starts
// and release ends and waits for.
type elector struct {
	zk   *zk.Client
	log  *slog.Logger
	path string
	mine claim
	// lost is called when a term ends, first of all; waits when another process is
	// seen to consume, with its address. Neither may call the elector.
	lost  func(error)
	waits func(addr string)
	// background runs the deletion of the node, which may take longer than release
	// waits. Its context ends with the ZooKeeper.
	background func(func(context.Context))

	poke chan struct{} // capacity 1: address has changed

	mu      sync.Mutex // guards what follows
	closed  bool
	cancel  context.CancelFunc // nil while not competing
	done    chan struct{}      // closed when the goroutine has ended
	term    *term              // nil while not the active client
	lapse   *time.Timer        // ends the term
	failure error              // why it cannot compete, until told
	changed chan struct{}      // closed when term or failure change
	address string             // of the connection, "" before

	c candidacy // the goroutine's, and of the deletion once that has ended
}

func newElector(c *zk.Client, log *slog.Logger, destination string, clientID int16, background func(func(context.Context))) *elector {
	id := rand.Text()
	return &elector{
		zk:   c,
		log:  log.With("destination", destination, "client_id", clientID),
		path: zktree.RunningClient(destination, clientID),
		mine: claim{
			ClientRunning: zktree.ClientRunning{Active: true, Address: hostIP(), ClientID: clientID},
			Holder:        id,
		},
		background: background,
		poke:       make(chan struct{}, 1),
		changed:    make(chan struct{}),
		c:          candidacy{id: id},
	}
}

// await competes until this is the active client or ctx ends. An error of ZooKeeper
// that keeps it from competing is returned once; the elector goes on trying.
func (e *elector) await(ctx context.Context) (*term, error) {
	for {
		t, changed, err := e.look(ctx)
		if t != nil || err != nil {
			return t, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait to become the active client: %w", context.Cause(ctx))
		}
	}
}

func (e *elector) look(ctx context.Context) (t *term, changed <-chan struct{}, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, ErrClosed
	}
	if e.cancel == nil {
		e.start()
	}
	if err := e.failure; err != nil {
		e.failure = nil
		return nil, nil, err
	}
	return e.term, e.changed, nil
}

// start starts to compete. The caller holds e.mu.
func (e *elector) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	e.cancel, e.done = cancel, done
	go func() {
		defer close(done)
		e.run(ctx)
	}()
}

// freeze stops competing but leaves the node and the term as they are: the term ends
// by itself when it is not released.
func (e *elector) freeze() {
	e.mu.Lock()
	cancel, done := e.cancel, e.done
	e.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// release stops competing, ends the term and deletes the node. It waits for that up
// to leaveLimit.
func (e *elector) release() {
	e.freeze()
	e.mu.Lock()
	competed := e.cancel != nil
	e.cancel = nil
	e.endLocked(errAsked)
	e.mu.Unlock()
	if !competed {
		return
	}
	deleted := make(chan struct{})
	e.background(func(ctx context.Context) {
		defer close(deleted)
		if err := e.delete(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("cannot delete the node of the active client; it goes with the session", "error", err)
		}
	})
	limit := time.NewTimer(leaveLimit)
	defer limit.Stop()
	select {
	case <-deleted:
	case <-limit.C:
	}
}

// close is release for good.
func (e *elector) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.release()
}

// delete deletes the node if it is ours; a creation may have succeeded unnoticed.
func (e *elector) delete(ctx context.Context) error {
	for {
		s, err := e.zk.Session(ctx)
		if err != nil {
			return err
		}
		err = e.deleteIn(ctx, s)
		switch {
		case err == nil, errors.Is(err, zk.ErrNoNode):
			return nil
		case over(s) && ctx.Err() == nil:
			continue // it is gone with the session, or will be seen to be
		case errors.Is(err, zk.ErrConnectionLost), errors.Is(err, zk.ErrBadVersion):
			continue
		}
		return err
	}
}

func (e *elector) deleteIn(ctx context.Context, s *zk.Session) error {
	if err := s.Sync(ctx, e.path); err != nil {
		return err
	}
	data, stat, err := s.Get(ctx, e.path)
	if err != nil || !e.c.ours(sight{exists: true, stat: stat, claim: parseClaim(data)}, s.ID()) {
		return err
	}
	return s.Delete(ctx, e.path, stat.Version)
}

// publish tells the others the address of the connection.
func (e *elector) publish(address string) {
	e.mu.Lock()
	e.address = address
	e.mu.Unlock()
	select {
	case e.poke <- struct{}{}:
	default:
	}
}

func (e *elector) wanted() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.address
}

// run competes in one session after the other until ctx ends.
func (e *elector) run(ctx context.Context) {
	for ctx.Err() == nil {
		s, err := e.zk.Session(ctx)
		if err == nil {
			err = e.compete(ctx, s)
		}
		if err != nil && ctx.Err() == nil {
			e.fail(err)
			sleep(ctx, treePause)
		}
	}
}

// compete competes in one session, until that ends.
func (e *elector) compete(ctx context.Context, s *zk.Session) error {
	for ctx.Err() == nil {
		if over(s) {
			e.end(errSessionEnded)
			return nil
		}
		err := e.advance(ctx, s)
		switch {
		case err == nil, over(s), errors.Is(err, zk.ErrConnectionLost), errors.Is(err, zk.ErrSessionExpired):
		case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrNodeExists), errors.Is(err, zk.ErrBadVersion):
			// The node is no longer as it was seen.
		default:
			return err
		}
	}
	return nil
}

// advance looks at the node, does what is to be done about it, and waits until there
// is more to do.
func (e *elector) advance(ctx context.Context, s *zk.Session) error {
	data, stat, exists, event, err := look(ctx, s, e.path)
	if err != nil {
		return err
	}
	n := sight{exists: exists, stat: stat, claim: parseClaim(data)}
	step, left := e.c.judge(n, s.ID(), time.Now())
	switch {
	case step == keep:
		return e.hold(ctx, s, n, event)
	case step == cede:
		e.end(errAsked)
		return s.Delete(ctx, e.path, stat.Version)
	case exists:
		e.end(errTaken)
		e.waits(n.claim.Address)
	default:
		e.end(errDeleted)
	}
	if step == take {
		return e.create(ctx, s)
	}
	linger(ctx, s, event, left)
	return nil
}

// linger waits for an event, the end of the session, or for d if that is not 0.
func linger(ctx context.Context, s *zk.Session, event <-chan zk.Event, d time.Duration) {
	var elapsed <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		elapsed = t.C
	}
	select {
	case <-event:
	case <-elapsed:
	case <-s.Done():
	case <-ctx.Done():
	}
}

// create creates the node, which the next look finds.
func (e *elector) create(ctx context.Context, s *zk.Session) error {
	_, err := s.Create(ctx, e.path, e.mine.encode(), zk.Ephemeral)
	if errors.Is(err, zk.ErrNoNode) {
		return s.CreateParents(ctx, e.path)
	}
	return err
}

// hold keeps the term confirmed, and the address in the node up to date, until the
// node changes or the session ends.
func (e *elector) hold(ctx context.Context, s *zk.Session, n sight, event <-chan zk.Event) error {
	_, renewal := leaseOf(s.Timeout())
	renew := time.NewTicker(max(renewal, time.Millisecond))
	defer renew.Stop()
	if err := e.renew(ctx, s, n); err != nil {
		return err
	}
	for {
		if addr := e.wanted(); addr != "" && addr != n.claim.Address {
			written := e.mine
			written.Address = addr
			_, err := s.Set(ctx, e.path, written.encode(), n.stat.Version)
			return err
		}
		select {
		case <-event:
			return nil
		case <-e.poke:
		case <-renew.C:
			if err := e.renew(ctx, s, n); err != nil {
				return err
			}
		case <-s.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// renew has ZooKeeper confirm that we hold the node as it was seen. The check counts
// as a write, though it writes nothing: a majority of the servers knew our session
// when they agreed to it. A read proves less, for a server that was cut off from the
// others still answers it.
func (e *elector) renew(ctx context.Context, s *zk.Session, n sight) error {
	asked := clock.SinceBoot()
	if _, err := s.Multi(ctx, zk.CheckOp(e.path, n.stat.Version)); err != nil {
		return err
	}
	e.confirm(s, asked)
	return nil
}

// confirm begins a term, or prolongs it, by an answer that ZooKeeper was asked for at
// a time.
func (e *elector) confirm(s *zk.Session, asked time.Duration) {
	lease, _ := leaseOf(s.Timeout())
	until := asked + lease
	e.mu.Lock()
	defer e.mu.Unlock()
	left := until - clock.SinceBoot()
	if left <= 0 {
		return // the answer took too long to be of use
	}
	if e.term == nil {
		e.term = &term{e: e}
		e.signal()
		e.log.Info("this is the active client")
	}
	e.term.until, e.failure = until, nil
	if e.lapse == nil {
		e.lapse = time.AfterFunc(left, e.lapsed)
	} else {
		e.lapse.Reset(left)
	}
}

// lapsed ends a term that was not confirmed in time.
func (e *elector) lapsed() {
	e.mu.Lock()
	if e.term == nil || clock.SinceBoot() < e.term.until {
		e.mu.Unlock()
		return
	}
	err := e.endLocked(errUnconfirmed)
	e.mu.Unlock()
	e.lost(err)
}

// end ends the term, if there is one.
func (e *elector) end(cause error) {
	e.mu.Lock()
	err := e.endLocked(cause)
	e.mu.Unlock()
	if err != nil {
		e.lost(err)
	}
}

// endLocked is nil if there was no term to end.
func (e *elector) endLocked(cause error) error {
	t := e.term
	if t == nil {
		return nil
	}
	t.over = fmt.Errorf("%w: %w", ErrDisplaced, cause)
	e.term, e.address = nil, ""
	e.lapse.Stop()
	e.signal()
	e.log.Info("no longer the active client", "reason", cause)
	return t.over
}

// fail notes why this cannot compete.
func (e *elector) fail(err error) {
	err = fmt.Errorf("compete to be the active client: %w", err)
	e.log.Warn("cannot compete to be the active client", "error", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failure = err
	e.signal()
}

// signal wakes await. The caller holds e.mu.
func (e *elector) signal() {
	close(e.changed)
	e.changed = make(chan struct{})
}
