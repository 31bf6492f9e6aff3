package instance

import (
	"context"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/store"
)

// heir is the instance that takes the place of one whose cursors are being moved.
// Requests of clients wait for it, and go on with it, so that nobody has to connect
// again: what they have in hand is not acked any more, as after a rollback.
type heir struct {
	known chan struct{} // closed when it is
	next  *Instance     // nil when there is none after all
}

// bequeath makes requests wait from now on. The result must be called with the
// instance that takes them, or nil.
func (i *Instance) bequeath() (settle func(*Instance)) {
	h := &heir{known: make(chan struct{})}
	i.heir.Store(h)
	return func(next *Instance) {
		h.next = next
		close(h.known)
	}
}

// await returns the instance that takes the requests, nil when none does.
func (h *heir) await(ctx context.Context) *Instance {
	timer := time.NewTimer(settleTimeout)
	defer timer.Stop()
	select {
	case <-h.known:
		return h.next
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// forward does what is asked for with the instance or, once it has an heir, with
// that. A request that was turned away because the instance ended is done again.
func forward[T any](ctx context.Context, i *Instance, do func(*delivery.Desk) (T, error)) (T, error) {
	for {
		h := i.heir.Load()
		if h == nil {
			v, err := do(i.Desk)
			if h = i.heir.Load(); h == nil || !delivery.IsNotStarted(err) {
				return v, err
			}
		}
		next := h.await(ctx)
		if next == nil {
			var none T
			if ctx.Err() != nil {
				return none, context.Cause(ctx)
			}
			return none, delivery.NotStarted(i.o.Config.Destination)
		}
		i = next
	}
}

// act is forward for what has no result.
func (i *Instance) act(ctx context.Context, do func(*delivery.Desk) error) error {
	_, err := forward(ctx, i, func(d *delivery.Desk) (struct{}, error) { return struct{}{}, do(d) })
	return err
}

// Unsubscribe is that of the desk, or of the heir's.
func (i *Instance) Unsubscribe(ctx context.Context, c meta.Client) error {
	return i.act(ctx, func(d *delivery.Desk) error { return d.Unsubscribe(ctx, c) })
}

// Get is that of the desk, or of the heir's.
func (i *Instance) Get(ctx context.Context, c meta.Client, fetchSize int32, timeout time.Duration) (delivery.Delivery, error) {
	begun := time.Now()
	return forward(ctx, i, func(d *delivery.Desk) (delivery.Delivery, error) {
		return d.Get(ctx, c, fetchSize, remaining(timeout, time.Since(begun)))
	})
}

// remaining is what is left of the timeout of a get.
func remaining(timeout, passed time.Duration) time.Duration {
	switch {
	case timeout <= 0: // for ever, or not at all
		return timeout
	case passed >= timeout:
		return time.Duration(store.NoWait)
	}
	return timeout - passed
}

// Ack is that of the desk, or of the heir's, to which batches of before mean nothing.
func (i *Instance) Ack(ctx context.Context, c meta.Client, batchID int64) error {
	return i.act(ctx, func(d *delivery.Desk) error { return d.Ack(ctx, c, batchID) })
}

// Rollback is that of the desk, or of the heir's.
func (i *Instance) Rollback(ctx context.Context, c meta.Client, batchID int64) error {
	return i.act(ctx, func(d *delivery.Desk) error { return d.Rollback(ctx, c, batchID) })
}
