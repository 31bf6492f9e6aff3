package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
)

// consumer reads the destination, notes and applies what it gets, and confirms it,
// but for when it is told not to. Its methods may be called while it runs.
type consumer struct {
	o       client.Options
	journal *journal
	applier *applier
	size    int // of a batch, in KiB

	held []heldBatch

	mu       sync.Mutex
	holding  bool // confirm nothing
	paused   bool // read nothing
	giveBack bool // give back what is held, once
	drop     context.CancelFunc
	changed  chan struct{} // closed and replaced when one of these changes
	seen     map[string]bool
	last     time.Time // when something new came last
	count    int       // entries so far
}

type heldBatch struct {
	*client.Batch
	end int // the number of the first entry behind it
}

func newConsumer(o client.Options, a *applier, size int) *consumer {
	c := &consumer{o: o, journal: newJournal(), applier: a, size: size, changed: make(chan struct{}), seen: make(map[string]bool), last: time.Now()}
	c.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c.journal.again() // a batch is never under way meanwhile
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return c
}

// set changes what the consumer is told.
func (c *consumer) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *consumer) hold(on bool)  { c.set(func() { c.holding = on }) }
func (c *consumer) pause(on bool) { c.set(func() { c.paused = on }) }
func (c *consumer) rollback()     { c.set(func() { c.giveBack = true }) }

// reconnect ends the connection; the next begins at once.
func (c *consumer) reconnect() {
	c.set(func() {
		if c.drop != nil {
			c.drop()
		}
	})
}

// await waits until the consumer has seen a row of the marker table, and fails when
// nothing new has come for long.
func (c *consumer) await(ctx context.Context, marker string, silence time.Duration) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		c.mu.Lock()
		seen, last, changed, count := c.seen[marker], c.last, c.changed, c.count
		c.mu.Unlock()
		if seen {
			return nil
		}
		if quiet := time.Since(last); quiet > silence {
			return fmt.Errorf("nothing new has come for %v, behind %d entries", quiet.Round(time.Second), count)
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// run reads until ctx ends or something is wrong.
func (c *consumer) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := c.connection(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// connection reads until the connection is given up.
func (c *consumer) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.set(func() { c.drop = cancel })
	c.held = nil
	consumer := client.NewConsumer(client.ConsumerOptions{
		Options: c.o, BatchSize: c.size, Wait: 20 * time.Millisecond,
		Retry: client.Backoff(20*time.Millisecond, 200*time.Millisecond),
		Idle:  func() bool { c.idle(ctx); return true },
	})
	for b, err := range consumer.Batches(ctx) {
		if err == nil {
			err = c.batch(b)
		}
		if err != nil {
			return err
		}
		c.idle(ctx)
	}
	return nil
}

// idle does what the consumer is told between two batches.
func (c *consumer) idle(ctx context.Context) {
	for {
		c.mu.Lock()
		holding, paused, giveBack, changed := c.holding, c.paused, c.giveBack, c.changed
		c.giveBack = false
		c.mu.Unlock()
		if giveBack && len(c.held) > 0 {
			_ = c.held[0].Nack() // a batch of a lost connection comes again anyway
			c.held = nil
			c.journal.again()
		}
		if !holding {
			c.ack()
		}
		if !paused {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// ack confirms what is held. What a lost connection brought comes again.
func (c *consumer) ack() {
	for _, b := range c.held {
		c.journal.confirm(b.end)
		_ = b.Ack()
	}
	c.held = nil
}

// batch notes and applies what a batch brings.
func (c *consumer) batch(b *client.Batch) error {
	for e, err := range b.Entries() {
		if err == nil && e.EntryType() == protocol.EntryRowData {
			err = c.entry(e)
		}
		if err != nil {
			return err
		}
	}
	c.held = append(c.held, heldBatch{b, c.journal.next})
	return c.applier.commit()
}

func (c *consumer) entry(e *protocol.Entry) error {
	fresh, err := c.journal.add(e)
	h := e.Header()
	if err == nil && fresh {
		var rc protocol.RowChange
		if rc, err = e.RowChange(); err == nil {
			err = c.applier.apply(h, &rc)
		}
		c.set(func() {
			c.last = time.Now()
			c.count++
			c.seen[h.SchemaName()+"."+h.TableName()+" "+h.EventType().String()] = true
		})
	}
	if err != nil {
		return fmt.Errorf("entry %s: %w", brief(e.Raw()), err)
	}
	return nil
}
