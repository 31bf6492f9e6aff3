package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// ErrLost is returned once a destination is not this server's any more.
var ErrLost = errors.New("another server may run the destination")

// ErrSuspended is returned while it is not known whether the destination is
// still this server's, because ZooKeeper cannot be reached.
var ErrSuspended = errors.New("ZooKeeper has not confirmed for too long that this server runs the destination")

// Grace is how long requests wait for a lease that is not valid at the moment.
// A client that is turned away looks for another server.
const Grace = 3 * time.Second

// Lease is the ownership of one destination, from the moment the running node
// was made to the moment it is gone for good. A session that expires does not
// end it if nobody else has owned the destination before the node was made
// again. Its methods may be called by any number of goroutines.
type Lease struct {
	destination string
	fence       *fence
	lost        chan struct{} // closed when it is over
	doubt       chan struct{} // capacity 1: a write was refused

	mu      sync.Mutex
	session *zk.Session // that the running node belongs to; nil while there is none
	id      string      // of the lease node
	epoch   int32
	change  chan struct{} // closed, and replaced, when session changes
}

func newLease(destination string, f *fence, s *zk.Session, id string, epoch int32) *Lease {
	return &Lease{destination: destination, fence: f, session: s, id: id, epoch: epoch, lost: make(chan struct{}), doubt: make(chan struct{}, 1), change: make(chan struct{})}
}

// Destination is what is owned.
func (l *Lease) Destination() string { return l.destination }

// ID tells this ownership from all others there have been. It changes when the
// running node is made again in another session.
func (l *Lease) ID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// Epoch is greater with every Towpath server that takes the destination: whatever
// is numbered by it is not numbered the same by another owner.
func (l *Lease) Epoch() int32 { return l.epoch }

// Valid tells whether batches may be handed out and acks taken at this moment.
func (l *Lease) Valid() bool { return l.Remaining() > 0 }

// Remaining is for how long that is so without further word from ZooKeeper.
func (l *Lease) Remaining() time.Duration {
	l.mu.Lock()
	s := l.session
	l.mu.Unlock()
	if s == nil {
		return 0
	}
	return l.fence.remaining(s.ID())
}

// Lost is closed when the destination is not this server's any more.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

func (l *Lease) isLost() bool {
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

// Await returns nil as soon as the lease is valid, ErrLost when it is over,
// ErrSuspended when it has not become valid within Grace, and the cause of ctx
// when that ends.
func (l *Lease) Await(ctx context.Context) error {
	if l.Valid() {
		return nil
	}
	timer := time.NewTimer(Grace)
	defer timer.Stop()
	for {
		moved := l.fence.moved() // before looking, so that nothing is missed
		l.mu.Lock()
		change := l.change
		l.mu.Unlock()
		switch {
		case l.isLost():
			return ErrLost
		case l.Valid():
			return nil
		}
		select {
		case <-moved:
		case <-change:
		case <-l.lost:
		case <-timer.C:
			return ErrSuspended
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Bind returns a context that ends with ctx, with ErrLost when the lease is
// over, and with ErrSuspended when it has not been valid for Grace.
func (l *Lease) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	bound, cancel := context.WithCancelCause(ctx)
	go func() {
		timer := time.NewTimer(l.Remaining() + Grace)
		defer timer.Stop()
		for {
			select {
			case <-bound.Done():
				return
			case <-l.lost:
				cancel(ErrLost)
				return
			case <-timer.C:
			}
			left := l.Remaining()
			if left == 0 {
				cancel(ErrSuspended)
				return
			}
			timer.Reset(left + Grace)
		}
	}()
	return bound, func() { cancel(context.Canceled) }
}

// Guard returns what a write to ZooKeeper on behalf of the owner needs: the
// session in which to write, and the checks that must head its transaction,
// which fail unless this ownership lasts. Its error is ErrLost or ErrSuspended.
//
// The first check is for the lease node. Its name is used once, it is of the
// owner's session, and a Towpath server that takes the destination deletes the
// ones it finds, so that it exists only as long as this ownership. The second is
// for the running node as it was made: version 0. ZooKeeper can check a version
// in a transaction but not who made a node, so the second alone would not do.
func (l *Lease) Guard() (*zk.Session, []zk.Op, error) {
	if l.isLost() {
		return nil, nil, ErrLost
	}
	l.mu.Lock()
	s, id := l.session, l.id
	l.mu.Unlock()
	if s == nil || l.fence.remaining(s.ID()) == 0 {
		return nil, nil, ErrSuspended
	}
	return s, []zk.Op{
		zk.CheckOp(zktree.Lease(l.destination, id), zk.AnyVersion),
		zk.CheckOp(zktree.Running(l.destination), 0),
	}, nil
}

// Doubt says that ZooKeeper has refused a write although the lease seems to last:
// somebody may have removed its node. It is looked into, and mended.
func (l *Lease) Doubt() {
	select {
	case l.doubt <- struct{}{}:
	default: // it has been said
	}
}

// suspend says that there is no running node of ours at the moment.
func (l *Lease) suspend() { l.attach(nil, "") }

// resume says that the running node has been made again.
func (l *Lease) resume(s *zk.Session, id string) { l.attach(s, id) }

func (l *Lease) attach(s *zk.Session, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = s
	if s != nil {
		l.id = id
	}
	close(l.change)
	l.change = make(chan struct{})
}

// end says that it is over.
func (l *Lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = nil
	if !l.isLost() {
		close(l.lost)
	}
}
