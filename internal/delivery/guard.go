package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/meta"
)

// Guard says whether this desk may serve at all. Where several servers can run a
// destination it is the lease of the one that does; alone, there is none.
type Guard interface {
	// Valid tells whether batches may be handed out and acks taken now.
	Valid() bool

	// Remaining is for how long that is so at least; 0 when it is not.
	Remaining() time.Duration

	// Await waits until it is so. Its error says that it cannot be expected
	// soon, or is that of ctx.
	Await(ctx context.Context) error

	// Bind returns a context that ends with ctx, and when waiting any longer for
	// it to be so has become pointless.
	Bind(ctx context.Context) (context.Context, context.CancelFunc)
}

// admit waits for the right to serve, takes the desk's lock, and holds it when
// it returns nil. Between the waiting and the lock the right may go again.
func (d *Desk) admit(ctx context.Context) error {
	for {
		if g := d.o.Guard; g != nil {
			if err := g.Await(ctx); err != nil {
				return d.refused(ctx, err)
			}
		}
		d.mu.Lock()
		if g := d.o.Guard; g == nil || g.Valid() {
			return nil
		}
		d.mu.Unlock()
	}
}

// refused is the error for a request that is turned away: to the client the
// destination does not run here, so that it looks for the server that runs it.
func (d *Desk) refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return NotStarted(d.destination)
}

// unserved is the error for a get whose wait has ended, because the client's own
// context, asked, did, or the guard's, or the store was closed.
func (d *Desk) unserved(asked context.Context) error {
	if asked.Err() != nil {
		return context.Cause(asked)
	}
	return NotStarted(d.destination)
}

// drain is how a desk is brought to rest.
type drain struct {
	begin, end func() // each works once
	begun      chan struct{}
	over       chan struct{}
	wake       chan struct{} // capacity 1: a batch was acked or taken back
}

func newDrain() drain {
	d := drain{begun: make(chan struct{}), over: make(chan struct{}), wake: make(chan struct{}, 1)}
	d.begin = sync.OnceFunc(func() { close(d.begun) })
	d.end = sync.OnceFunc(func() { close(d.over) })
	return d
}

func (r *drain) isBegun() bool {
	select {
	case <-r.begun:
		return true
	default:
		return false
	}
}

// acked says that a batch was acked.
func (r *drain) acked() {
	select {
	case r.wake <- struct{}{}:
	default: // it has been said
	}
}

// outlast keeps a get waiting until draining is over, and then turns it away.
// Turned away earlier, a client would not ack what it has in hand.
func (d *Desk) outlast(ctx context.Context) error {
	select {
	case <-d.drain.over:
	case <-ctx.Done():
	}
	return d.unserved(ctx)
}

// Drain prepares the hand-over to another server: nothing more is handed out,
// and Drain returns when the batches that clients have in hand are acked, or
// when ctx ends. Gets wait meanwhile and are turned away afterwards; acks are
// taken until the store is closed.
func (d *Desk) Drain(ctx context.Context) {
	d.drain.begin()
	defer d.drain.end()
	for d.outstanding() {
		select {
		case <-d.drain.wake:
		case <-ctx.Done():
			return
		}
	}
}

// outstanding tells whether a subscribed client has a batch that is not acked.
func (d *Desk) outstanding() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, l := range d.batches {
		if len(l.open) > 0 && d.meta.HasSubscription(meta.Client{Destination: d.destination, ID: id}) {
			return true
		}
	}
	return false
}
