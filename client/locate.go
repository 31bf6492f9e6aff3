package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// How long a server that runs the destination is waited for before others are tried.
const (
	// lazyPatience is for a destination that nobody runs, perhaps since nobody has
	// subscribed yet.
	lazyPatience = time.Second
	// electionPatience is for one that a server has just given up: Canal's
	// ServerRunningMonitor elects the next after 5 s, and until then refuses clients.
	electionPatience = 6 * time.Second
)

// treePause is how long to wait after an error of ZooKeeper that will hardly pass by
// itself, such as a missing permission.
const treePause = time.Second

// whereabouts are what ZooKeeper says of a destination's servers.
type whereabouts struct {
	known    bool      // whether ZooKeeper has answered
	addr     string    // of the server that runs it, "" for none
	vanished time.Time // when one was last seen to have stopped, zero for never
	members  []string  // the servers that could run it
}

// pick returns the servers to try, or how long to wait for something better; 0 is
// until ZooKeeper has news. asked is when the caller began to wait.
func (w whereabouts) pick(asked, now time.Time) (addrs []string, wait time.Duration) {
	if w.addr != "" {
		return []string{w.addr}, 0
	}
	if len(w.members) == 0 {
		return nil, 0
	}
	ready := asked.Add(lazyPatience)
	if t := w.vanished.Add(electionPatience); !w.vanished.IsZero() && t.After(ready) {
		ready = t
	}
	if wait := ready.Sub(now); wait > 0 {
		return nil, wait
	}
	addrs = slices.Clone(w.members)
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return addrs, 0
}

// update takes over what was read of the running server.
func (w *whereabouts) update(addr string, now time.Time) (changed bool) {
	changed = !w.known || addr != w.addr
	if addr == "" && w.addr != "" {
		w.vanished = now
	}
	w.known, w.addr = true, addr
	return changed
}

// locator knows from ZooKeeper which server runs a destination. It begins to watch
// when it is first asked, and ends with its ZooKeeper.
type locator struct {
	zk          *zk.Client
	log         *slog.Logger
	destination string

	ctx    context.Context // its lifetime
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex // guards what follows
	begun     bool
	at        whereabouts
	err       error         // why ZooKeeper cannot be read
	changed   chan struct{} // closed when at or err change
	followers map[int]func(addr string)
	next      int // key of the next follower
}

func newLocator(c *zk.Client, log *slog.Logger, destination string) *locator {
	l := &locator{zk: c, log: log.With("destination", destination), destination: destination,
		changed: make(chan struct{}), followers: map[int]func(string){}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// close ends the watching and waits for it.
func (l *locator) close() {
	l.cancel()
	l.mu.Lock()
	l.begun = true
	l.mu.Unlock()
	l.wg.Wait()
}

// begin starts to watch, once.
func (l *locator) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		l.begun = true
		l.wg.Go(l.run)
	}
}

// Addrs implements Discoverer.
func (l *locator) Addrs(ctx context.Context) ([]string, error) {
	l.begin()
	asked := time.Now()
	for {
		l.mu.Lock()
		at, failure, changed := l.at, l.err, l.changed
		l.mu.Unlock()
		addrs, wait := at.pick(asked, time.Now())
		if addrs != nil {
			return addrs, nil
		}
		if wait == 0 {
			wait = time.Hour // until there is news
		}
		patience := time.NewTimer(wait)
		select {
		case <-changed:
		case <-patience.C:
		case <-ctx.Done():
			patience.Stop()
			return nil, at.missing(l.destination, failure, context.Cause(ctx))
		case <-l.ctx.Done():
			patience.Stop()
			return nil, ErrClosed
		}
		patience.Stop()
	}
}

// missing is the error of a wait that was in vain and ended for cause.
func (w whereabouts) missing(destination string, failure, cause error) error {
	switch {
	case failure != nil:
		return fmt.Errorf("ask zookeeper for %s: %w: %w", destination, failure, cause)
	case !w.known:
		return fmt.Errorf("ask zookeeper for %s: no answer: %w", destination, cause)
	case len(w.members) == 0:
		return fmt.Errorf("zookeeper has no server of %s: %w", destination, cause)
	}
	return fmt.Errorf("no server runs %s: %w", destination, cause)
}

func (l *locator) running() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at.addr
}

func (l *locator) follow(f func(addr string)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := l.next
	l.next++
	l.followers[key] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.followers, key)
	}
}

// run watches until the locator is closed.
func (l *locator) run() {
	for l.ctx.Err() == nil {
		s, err := l.zk.Session(l.ctx)
		if err == nil {
			err = l.watch(s)
		}
		if err != nil && l.ctx.Err() == nil {
			l.fail(err)
			sleep(l.ctx, treePause)
		}
	}
}

// watch watches in one session, until that ends. What was known is kept then.
func (l *locator) watch(s *zk.Session) (err error) {
	var running, competitors <-chan zk.Event // nil when to be read again
	var addr string
	var members []string
	for !over(s) && l.ctx.Err() == nil {
		if running == nil {
			if running, addr, err = l.readRunning(s); err != nil {
				return unlessOver(s, err)
			}
		}
		if competitors == nil {
			if competitors, members, err = l.readMembers(s); err != nil {
				return unlessOver(s, err)
			}
		}
		l.set(addr, members)
		select {
		case <-running:
			running = nil
		case <-competitors:
			competitors = nil
		case <-s.Done():
		case <-l.ctx.Done():
		}
	}
	return nil
}

// unlessOver is err, nil if it is but the end of the session.
func unlessOver(s *zk.Session, err error) error {
	if over(s) || errors.Is(err, zk.ErrSessionExpired) {
		return nil
	}
	return err
}

// readRunning reads which server runs the destination, and watches that.
func (l *locator) readRunning(s *zk.Session) (event <-chan zk.Event, addr string, err error) {
	data, _, exists, event, err := look(l.ctx, s, zktree.Running(l.destination))
	if err != nil || !exists {
		return event, "", err
	}
	addr, err = runningAddr(data)
	if err != nil {
		l.log.Warn("the running server cannot be told", "error", err)
	}
	return event, addr, nil
}

// runningAddr is the address in the node of a running server.
func runningAddr(data []byte) (string, error) {
	r, err := zktree.ParseServerRunning(data)
	if err != nil {
		return "", err
	}
	if _, _, err := net.SplitHostPort(r.Address); err != nil {
		return "", fmt.Errorf("address of running server: %w", err)
	}
	return r.Address, nil
}

// readMembers reads which servers could run the destination, and watches that.
func (l *locator) readMembers(s *zk.Session) (event <-chan zk.Event, members []string, err error) {
	path := zktree.Competitors(l.destination)
	for {
		names, _, event, err := s.ChildrenW(l.ctx, path)
		if err == nil {
			for _, name := range names {
				if _, _, err := net.SplitHostPort(name); err == nil {
					members = append(members, name)
				}
			}
			return event, members, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return nil, nil, err
		}
		_, exists, event, err := s.ExistsW(l.ctx, path)
		if err != nil || !exists {
			return event, nil, err
		}
	}
}

// look reads and watches a node that may not exist.
func look(ctx context.Context, s *zk.Session, path string) (data []byte, stat zk.Stat, exists bool, event <-chan zk.Event, err error) {
	for {
		data, stat, event, err = s.GetW(ctx, path)
		if err == nil {
			return data, stat, true, event, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return nil, zk.Stat{}, false, nil, err
		}
		_, exists, event, err = s.ExistsW(ctx, path)
		if err != nil || !exists {
			return nil, zk.Stat{}, false, event, err
		}
	}
}

// set takes over what was read and tells the followers.
func (l *locator) set(addr string, members []string) {
	l.mu.Lock()
	moved := l.at.update(addr, time.Now())
	l.at.members, l.err = members, nil
	close(l.changed)
	l.changed = make(chan struct{})
	var followers []func(string)
	for _, f := range l.followers {
		followers = append(followers, f)
	}
	l.mu.Unlock()
	switch {
	case moved && addr != "":
		l.log.Info("a server runs the destination", "addr", addr)
	case moved:
		l.log.Info("no server runs the destination", "servers", members)
	}
	for _, f := range followers {
		f(addr)
	}
}

// fail notes why ZooKeeper cannot be read.
func (l *locator) fail(err error) {
	l.log.Warn("cannot watch the destination", "error", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	close(l.changed)
	l.changed = make(chan struct{})
}
