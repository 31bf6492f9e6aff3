package client

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"
)

// ConsumerOptions say what a Consumer reads and how.
type ConsumerOptions struct {
	Options
	// Filter is subscribed to on each connection: see Conn.Subscribe.
	Filter string
	// BatchSize is the size asked for: see Conn.GetWithoutAck. 0 is
	// DefaultBatchSize.
	BatchSize int
	// Wait is how long the server waits for a full batch. What arrives on a quiet
	// stream is delivered that much later. 0 and less is
	// DefaultWait.
	Wait time.Duration
	// Retry decides, after an error, how long to wait before connecting again, or
	// that the error ends the stream. failures counts the errors since the last
	// reply, from 1. nil is Backoff(DefaultRetryMin, DefaultRetryMax), in a cluster
	// Backoff(ClusterRetryMin, ClusterRetryMax). In a cluster it is not asked about
	// ErrMoved and ErrDisplaced, and a wait ends when another server runs the
	// destination.
	Retry func(failures int, err error) (wait time.Duration, again bool)
	// Idle, if not nil, is called whenever the server had nothing within Wait; the
	// stream ends when it returns false. It is not called while there is no server
	// or another process consumes.
	Idle func() bool
}

// What ConsumerOptions fields are when zero.
const (
	DefaultWait     = 100 * time.Millisecond
	DefaultRetryMin = 100 * time.Millisecond
	DefaultRetryMax = 10 * time.Second
	ClusterRetryMin = 50 * time.Millisecond
	ClusterRetryMax = time.Second
)

// Consumer reads a destination for as long as it is wanted.
type Consumer struct {
	o ConsumerOptions
}

// NewConsumer returns a consumer. It connects when Batches is ranged over.
func NewConsumer(o ConsumerOptions) *Consumer {
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	if o.Retry == nil {
		o.Retry = Backoff(DefaultRetryMin, DefaultRetryMax)
		if _, follows := o.Discoverer.(follower); follows || o.ZooKeeper != nil {
			o.Retry = Backoff(ClusterRetryMin, ClusterRetryMax)
		}
	}
	return &Consumer{o: o}
}

// Backoff is a Retry that goes on for ever unless the password is refused. The
// wait doubles from least to most, with up to half of it taken off at random so
// that many clients of one server do not return as one.
func Backoff(least, most time.Duration) func(int, error) (time.Duration, bool) {
	return func(failures int, err error) (time.Duration, bool) {
		if errors.Is(err, ErrAuth) {
			return 0, false
		}
		wait := least
		for range failures - 1 {
			if wait >= most/2 {
				wait = most
				break
			}
			wait *= 2
		}
		return wait - rand.N(wait/2+1), true
	}
}

// Batches connects, subscribes, and yields batches that are not empty, in order.
// Ack each when its entries are safe; a batch that is neither acked nor given back
// stays with the server and is delivered again after the next reconnect. Batches
// may be acked later, in order, while the loop goes on.
//
// The stream ends quietly when ctx does or the loop is left, which closes the
// connection. It ends with a nil batch and an error when the options are wrong or
// Retry gives up. Each call is a stream of its own.
func (c *Consumer) Batches(ctx context.Context) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		conn, err := newConn(c.o.Options)
		if err != nil {
			yield(nil, err)
			return
		}
		defer conn.Close()
		// Connecting with a subscription in mind subscribes and rolls back.
		conn.filter, conn.subscribed = c.o.Filter, true
		if err := c.deliver(ctx, conn, yield); err != nil && ctx.Err() == nil {
			yield(nil, err)
		}
	}
}

// deliver gets batches until the stream is to end; its error is the reason.
func (c *Consumer) deliver(ctx context.Context, conn *Conn, yield func(*Batch, error) bool) error {
	failures := 0
	for {
		b, err := conn.GetWithoutAck(ctx, c.o.BatchSize, c.o.Wait)
		if errors.Is(err, ErrMoved) || errors.Is(err, ErrDisplaced) {
			continue // to connect again waits for what is needed
		}
		if err != nil {
			failures++
			news, err := c.pause(ctx, conn, failures, err)
			if err != nil {
				return err
			}
			if news {
				failures = 0 // they were another server's
			}
			continue
		}
		failures = 0
		if b.Empty() {
			if c.o.Idle != nil && !c.o.Idle() {
				return nil
			}
			continue
		}
		if !yield(b, nil) {
			return nil
		}
	}
}

// pause waits as Retry says, or until there is news of another server. It returns err when
// that is the end.
func (c *Consumer) pause(ctx context.Context, conn *Conn, failures int, err error) (news bool, _ error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	wait, again := c.o.Retry(failures, err)
	if !again {
		return false, err
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return false, nil
	case <-conn.news:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
