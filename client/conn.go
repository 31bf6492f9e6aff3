package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// unitMilliseconds is the ordinal of java.util.concurrent.TimeUnit.MILLISECONDS.
const unitMilliseconds = 2

// Conn is a connection to the server of one destination. Calls may come from
// several goroutines; of Subscribe, Unsubscribe and Get one runs at a time, while
// acks and rollbacks do not wait for them.
//
// After any error from the server or the network, and after a call whose context
// ended, the connection is closed. The next call connects again, to the same or
// another server, repeats the subscription if there was one, and rolls back, so
// that whatever was not acked is delivered again. Acks of earlier batches then
// give ErrStale.
//
// With Options.ZooKeeper a call that has to connect waits, until its context ends,
// for a server that runs the destination and until no other process consumes as
// this client. When the destination moves, or the right to consume is lost, the
// connection is closed at once, whatever is under way on it.
type Conn struct {
	o       Options
	turn    chan struct{} // holds a token while a request awaits its reply
	closing context.Context
	close   context.CancelFunc
	news    chan struct{} // capacity 1: what servers are known may have changed

	servers  follower // nil when nobody tells where the destination moves
	unfollow func()
	elector  *elector // nil when the right to consume is not asked for

	eventMu sync.Mutex // held while Options.Event is called
	event   Event      // the last

	mu         sync.Mutex              // guards what follows; not held while waiting
	s          *session                // nil when not connected
	target     string                  // the server of s, or the one being connected to
	abort      context.CancelCauseFunc // ends the attempt to connect, nil without
	addr       string                  // of the server connected to last
	filter     string
	subscribed bool
	last       sequence // as of the last session
}

// Dial connects to a server and authenticates. Options are checked first. With
// Options.ZooKeeper it waits, until ctx ends, for the right to consume and a server.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	c, err := newConn(o)
	if err != nil {
		return nil, err
	}
	if _, err := c.session(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func newConn(o Options) (*Conn, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &Conn{o: o.withDefaults(), turn: make(chan struct{}, 1), news: make(chan struct{}, 1)}
	c.closing, c.close = context.WithCancel(context.Background())
	if f, ok := c.o.Discoverer.(follower); ok {
		c.servers, c.unfollow = f, f.follow(c.moved)
	}
	if z := c.o.ZooKeeper; z != nil {
		c.elector = newElector(z.zk, z.log, c.o.Destination, c.o.ClientID, z.background)
		c.elector.lost, c.elector.waits = c.displaced, c.waits
	}
	return c, nil
}

// Close closes the connection and ends calls that wait. The server keeps the
// subscription and whatever was not acked. With Options.ZooKeeper the right to
// consume is given up after that, for which Close waits up to leaveLimit; should it
// not be possible, the right ends with the ZooKeeper session. A second Close is
// harmless.
func (c *Conn) Close() error {
	c.close()
	c.mu.Lock()
	err := c.leave(ErrClosed)
	c.mu.Unlock()
	if c.unfollow != nil {
		c.unfollow()
	}
	if c.elector != nil {
		c.elector.close()
	}
	return err
}

// Addr is the server that the connection is, or was last, made to.
func (c *Conn) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addr
}

// Subscribe makes the server keep a position for the client, and sets the filter:
// comma-separated regular expressions over schema.table, such as `shop\..*`. It
// must come before the first Get and may be repeated to change the filter. An
// empty filter leaves the filter of the server's instance as it is. A filter is
// the instance's, not the client's: it holds for all readers of the destination.
func (c *Conn) Subscribe(ctx context.Context, filter string) error {
	return c.exchange(ctx, c.o.SOTimeout, func(s *session) error {
		if err := s.subscribe(filter); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.filter, c.subscribed = filter, true
		return nil
	})
}

// Unsubscribe ends the subscription. The server keeps the position: subscribing
// again goes on from there. With Options.ZooKeeper it also gives up the right to
// consume, and the connection with it.
func (c *Conn) Unsubscribe(ctx context.Context) error {
	if c.elector != nil {
		return c.unsubscribeLast(ctx)
	}
	return c.unsubscribe(ctx)
}

// unsubscribeLast unsubscribes and leaves the election. The server deletes the node
// of the client with all that is under it, which must neither look like a
// displacement nor be undone by creating it again.
func (c *Conn) unsubscribeLast(ctx context.Context) error {
	if err := c.exchange(ctx, 0, func(*session) error { return nil }); err != nil {
		return err // it has to be elected first
	}
	c.elector.freeze()
	err := c.unsubscribe(ctx)
	c.mu.Lock()
	closed := c.leave(ErrStale)
	c.mu.Unlock()
	c.elector.release()
	return cmp.Or(err, closed)
}

func (c *Conn) unsubscribe(ctx context.Context) error {
	return c.exchange(ctx, c.o.SOTimeout, func(s *session) error {
		err := s.request("unsubscribe", &protocol.Unsub{Destination: c.o.Destination, ClientID: s.clientID})
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.filter, c.subscribed = "", false
		return nil
	})
}

// Get is GetWithoutAck followed by Ack. If the program ends before it has dealt
// with the batch, the batch is lost.
func (c *Conn) Get(ctx context.Context, size int, timeout time.Duration) (*Batch, error) {
	b, err := c.GetWithoutAck(ctx, size, timeout)
	if err != nil {
		return nil, err
	}
	if err := b.Ack(); err != nil {
		return nil, err
	}
	return b, nil
}

// GetWithoutAck asks for the next batch; the caller must ack it later. Several
// batches may be taken before the first is acked.
//
// size is in entries or, as is usual, in units of the server's
// canal.instance.memory.buffer.memunit (1 KiB); 0 and less is DefaultBatchSize.
// The server waits up to timeout until it has that much and then answers with what
// there is, possibly nothing. With timeout 0 it waits without limit, with a
// negative one not at all.
func (c *Conn) GetWithoutAck(ctx context.Context, size int, timeout time.Duration) (*Batch, error) {
	if size <= 0 {
		size = DefaultBatchSize
	}
	get := protocol.Get{
		Destination: c.o.Destination,
		FetchSize:   int32(min(size, math.MaxInt32)),
		Timeout:     protocol.Some(milliseconds(timeout)),
		Unit:        protocol.Some[int32](unitMilliseconds),
		AutoAck:     protocol.Some(false),
	}
	limit := c.o.SOTimeout + max(timeout, 0)
	if timeout == 0 {
		limit = 0
	}
	var b *Batch
	err := c.exchange(ctx, limit, func(s *session) error {
		get.ClientID = s.clientID
		reply, frame, err := s.get(&get)
		c.mu.Lock()
		c.last = s.sequence
		c.mu.Unlock()
		b = &Batch{id: reply.BatchID, raw: reply.Messages, frame: frame, c: c, s: s}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// milliseconds is a get's timeout as the protocol wants it, rounded up so that no
// wait becomes one without limit.
func milliseconds(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// Ack confirms batch id: the server forgets it. Batches must be acked in the order
// they came (ErrOrder), and on the connection they came over (ErrStale). The server
// does not answer; should it refuse, the next request fails and what was not acked
// is delivered again. Acking an empty batch's id, -1, does nothing.
func (c *Conn) Ack(id int64) error {
	if id == protocol.NoBatch {
		return nil
	}
	return c.notify(func(s *session) error { return s.ack(id) })
}

// Rollback gives back all batches that were not acked: they are delivered again.
// The server does not answer.
func (c *Conn) Rollback() error {
	return c.notify((*session).rollback)
}

// RollbackBatch gives back batch id, which must be the oldest that was not acked
// (ErrOrder), and all after it.
func (c *Conn) RollbackBatch(id int64) error {
	return c.notify(func(s *session) error { return s.rollbackFrom(id) })
}

// notify writes something that has no reply. Without a connection there is nothing
// to ack, and a new one begins with a rollback anyway.
func (c *Conn) notify(f func(*session) error) error {
	c.mu.Lock()
	s := c.s
	c.mu.Unlock()
	if s == nil {
		if c.closing.Err() != nil {
			return ErrClosed
		}
		return ErrStale
	}
	return c.notifyOn(s, f)
}

func (c *Conn) notifyOn(s *session, f func(*session) error) error {
	err := f(s)
	if err != nil && !errors.Is(err, ErrStale) && !errors.Is(err, ErrOrder) {
		c.drop(s)
		return fmt.Errorf("%w: %w", ErrStale, err)
	}
	return err
}

// exchange runs a request with a reply, connecting first if need be. After an
// error the connection is dropped.
func (c *Conn) exchange(ctx context.Context, limit time.Duration, f func(*session) error) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.closing.Done():
		return ErrClosed
	}
	s, err := c.session(ctx)
	if err != nil {
		return err
	}
	if err := s.interruptible(ctx, limit, func() error { return f(s) }); err != nil {
		c.drop(s)
		return c.orClosed(err)
	}
	return nil
}

// orClosed is err, or ErrClosed if Close is what caused it.
func (c *Conn) orClosed(err error) error {
	if c.closing.Err() != nil {
		return ErrClosed
	}
	return err
}

// session is the current session or a new one. No request may be under way.
func (c *Conn) session(ctx context.Context) (*session, error) {
	c.mu.Lock()
	s := c.s
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	if c.closing.Err() != nil {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.closing, func() { cancel(ErrClosed) })()
	t, err := c.elected(ctx)
	if err != nil {
		return nil, c.orClosed(err)
	}
	addrs, err := c.candidates(ctx)
	if err != nil {
		return nil, c.orClosed(err)
	}
	var errs []error
	for _, addr := range addrs {
		s, err := c.attempt(ctx, cancel, addr, t)
		if err == nil {
			return s, nil
		}
		errs = append(errs, fmt.Errorf("connect to %s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	if err := context.Cause(ctx); errors.Is(err, ErrMoved) || errors.Is(err, ErrDisplaced) {
		return nil, err
	}
	return nil, c.orClosed(errors.Join(errs...))
}

// elected waits for the right to consume; it is nil where that is not asked for.
func (c *Conn) elected(ctx context.Context) (*term, error) {
	if c.elector == nil {
		return nil, nil
	}
	return c.elector.await(ctx)
}

// attempt makes a session with the server at addr the current one, unless the
// destination moves or term t ends first: cancel, which cancels ctx, is called then.
func (c *Conn) attempt(ctx context.Context, cancel context.CancelCauseFunc, addr string, t *term) (*session, error) {
	c.mu.Lock()
	c.target, c.abort = addr, cancel
	c.mu.Unlock()
	// What happened before the target was known went unnoticed.
	if c.servers != nil {
		c.redirect(c.servers.running())
	}
	if err := t.err(); err != nil {
		cancel(err)
	}
	s, err := c.connect(ctx, addr)
	if err == nil {
		s.valid = t.err
		err = c.adopt(ctx, s, addr)
	}
	c.mu.Lock()
	c.abort = nil
	if err != nil && c.s == nil {
		c.target = ""
	}
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if c.elector != nil {
		c.elector.publish(s.nc.LocalAddr().String())
	}
	c.tell(Event{Kind: Connected, Addr: addr})
	return s, nil
}

// candidates are the addresses to try, in the discoverer's order but beginning at
// the server of the last connection: it is the likeliest to have the instance.
func (c *Conn) candidates(ctx context.Context) ([]string, error) {
	if c.servers != nil && c.servers.running() == "" {
		c.tell(Event{Kind: Searching})
	}
	addrs, err := c.o.Discoverer.Addrs(ctx)
	if err != nil {
		return nil, fmt.Errorf("find canal server: %w", err)
	}
	if len(addrs) == 0 {
		return nil, ErrNoServer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	first := slices.Index(addrs, c.addr)
	if first < 0 {
		return addrs, nil
	}
	return slices.Concat(addrs[first:], addrs[:first]), nil
}

// connect opens a session and brings it to where the last one was. Servers number
// batches each for itself.
func (c *Conn) connect(ctx context.Context, addr string) (*session, error) {
	s, err := open(ctx, &c.o, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	filter, subscribed := c.filter, c.subscribed
	if addr == c.addr {
		s.last, s.known = c.last.last, c.last.known
	}
	c.mu.Unlock()
	if !subscribed {
		return s, nil
	}
	err = s.interruptible(ctx, c.o.SOTimeout, func() error {
		if err := s.subscribe(filter); err != nil {
			return err
		}
		return s.rollback()
	})
	if err != nil {
		s.nc.Close()
		return nil, err
	}
	return s, nil
}

// adopt makes s the current session, unless something ended the attempt in between.
func (c *Conn) adopt(ctx context.Context, s *session, addr string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		s.nc.Close()
		return err
	}
	c.s, c.addr = s, addr
	return nil
}

// drop closes s, and forgets it if it is the current session.
func (c *Conn) drop(s *session) {
	s.nc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s == s {
		c.s, c.target = nil, ""
	}
}

// leave gives up the session and the attempt to open one. The caller holds c.mu.
func (c *Conn) leave(cause error) error {
	if c.abort != nil {
		c.abort(cause)
	}
	s := c.s
	c.s, c.target = nil, ""
	if s == nil {
		return nil
	}
	return s.retire(cause)
}

// moved is told which server runs the destination, "" for none.
func (c *Conn) moved(addr string) {
	c.redirect(addr)
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// redirect gives up a connection to another server than the one that runs the
// destination. When none is known to, it is kept, for there is no better.
func (c *Conn) redirect(addr string) {
	c.mu.Lock()
	gone := addr != "" && c.target != "" && addr != c.target
	if gone {
		_ = c.leave(ErrMoved) // what a close reports is of no use to anybody
	}
	c.mu.Unlock()
	if gone {
		c.tell(Event{Kind: Moved, Addr: addr})
	}
}

// displaced is told that the right to consume is lost.
func (c *Conn) displaced(err error) {
	c.mu.Lock()
	_ = c.leave(err)
	c.mu.Unlock()
	c.tell(Event{Kind: Displaced, Err: err})
}

// waits is told that another process consumes.
func (c *Conn) waits(addr string) { c.tell(Event{Kind: Waiting, Addr: addr}) }

// tell reports an event, unless it is the last one again.
func (c *Conn) tell(e Event) {
	if c.o.Event == nil {
		return
	}
	c.eventMu.Lock()
	defer c.eventMu.Unlock()
	if e != c.event {
		c.event = e
		c.o.Event(e)
	}
}
