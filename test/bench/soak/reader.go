package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/client"
)

// reader is the client of one destination. It takes everything and checks it, and
// every few seconds does what clients do in a bad hour.
type reader struct {
	destination string
	addr        string
	r           *rand.Rand
	check       *checker
	state       *clientState
	done        map[string]int // what it has done, by name

	c    *client.Conn
	link link
	held []held
}

// held is a batch that is not acked.
type held struct {
	batch *client.Batch
	from  mark // before it
}

// link is the connection under a client.Conn, to be cut. The lock guards it.
type link struct {
	mu sync.Mutex
	nc net.Conn
}

func (l *link) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nc = nc
	return nc, err
}

// cut ends the connection without a word.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nc != nil {
		_ = l.nc.Close() // it may have been closed
	}
}

// What a client asks for.
const (
	batchSize  = 1000
	getTimeout = 100 * time.Millisecond
)

// Between two incidents, and for how long a client does nothing in one.
const (
	incidentLeast = 2 * time.Second
	incidentMost  = 20 * time.Second
	pauseMost     = 5 * time.Second
	lagMost       = 60 * time.Second // in one pause of lagOdds
	lagOdds       = 8
)

// run reads, as bad clients do until load ends, and then quietly what is left, up to
// the changes of each session that end says. end waits for the last of them.
func (r *reader) run(ctx, load context.Context, end func() []int64) (err error) {
	if err := r.connect(ctx); err != nil {
		return err
	}
	defer func() { r.c.Close() }()
	due := time.Now().Add(between(r.r, incidentLeast, incidentMost))
	for load.Err() == nil {
		if err := r.take(ctx); err != nil {
			return err
		}
		if time.Now().Before(due) {
			if err := r.ackAll(); err != nil {
				return err
			}
			continue
		}
		if err := r.incident(ctx, load); err != nil {
			return err
		}
		due = time.Now().Add(between(r.r, incidentLeast, incidentMost))
	}
	for want := end(); !slices.Equal(r.check.counts(), want); {
		if err := r.take(ctx); err != nil {
			return fmt.Errorf("%w: %s", err, missing(r.check.counts(), want))
		}
		if err := r.ackAll(); err != nil {
			return err
		}
	}
	return nil
}

// missing says what of each session has come, and what had to.
func missing(got, want []int64) string {
	text := ""
	for i := range want {
		text += fmt.Sprintf(" session %d: %d of %d changes;", i, got[i], want[i])
	}
	return text
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// connect opens a connection of its own, which begins at what was not acked.
func (r *reader) connect(ctx context.Context) error {
	c, err := client.Dial(ctx, client.Options{Addr: r.addr, Destination: r.destination, Dial: r.link.dial})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	r.c = c
	if err := r.c.Subscribe(ctx, ""); err != nil {
		return err
	}
	return r.c.Rollback()
}

// take gets a batch, holds it and checks what is in it.
func (r *reader) take(ctx context.Context) error {
	b, err := r.c.GetWithoutAck(ctx, batchSize, getTimeout)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	return r.hold(b)
}

func (r *reader) hold(b *client.Batch) error {
	if b.Empty() {
		return nil
	}
	h := held{b, r.check.mark()}
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		if err := r.check.entry(e); err != nil {
			return err
		}
	}
	r.held = append(r.held, h)
	r.state.bytes.Store(r.check.bytes)
	return nil
}

// ackAll acks what is held.
func (r *reader) ackAll() error {
	for _, h := range r.held {
		if err := h.batch.Ack(); err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
	if len(r.held) == 0 {
		return nil
	}
	r.held = r.held[:0]
	m := r.check.mark()
	r.check.forget(m)
	if m.file != "" {
		r.state.file.Store(&m.file)
	}
	return nil
}

// back says that what is held comes again.
func (r *reader) back() {
	if len(r.held) > 0 {
		r.check.rewind(r.held[0].from)
		r.held = r.held[:0]
	}
}

// mostHeld is how many batches a client holds when something happens.
const mostHeld = 5

// incidents are what happens to a client that holds some batches. The answers to the
// gets that brought them show that the server has seen all acks, so that what comes
// behind a rewind is certain. Pauses end when load does.
var incidents = []struct {
	name string
	do   func(ctx context.Context, r *reader, load context.Context) error
}{
	{"pause", func(_ context.Context, r *reader, load context.Context) error {
		most := pauseMost
		if r.r.IntN(lagOdds) == 0 {
			most = lagMost
		}
		sleep(load, between(r.r, 0, most))
		return r.ackAll()
	}},
	{"rollback", func(_ context.Context, r *reader, _ context.Context) error {
		r.back()
		return r.c.Rollback()
	}},
	{"rollback of a batch", func(_ context.Context, r *reader, _ context.Context) error {
		if len(r.held) == 0 {
			return nil
		}
		oldest := r.held[0].batch
		r.back()
		return oldest.Nack()
	}},
	{"late acks", func(_ context.Context, r *reader, _ context.Context) error { return r.ackAll() }},
	{"disconnect", func(ctx context.Context, r *reader, load context.Context) error {
		r.back()
		if err := r.c.Close(); err != nil {
			return err
		}
		sleep(load, between(r.r, 0, pauseMost))
		return r.connect(ctx)
	}},
	{"cut connection", func(ctx context.Context, r *reader, _ context.Context) error {
		r.back()
		r.link.cut()
		return r.afterCut(ctx)
	}},
	{"connection cut in a get", func(ctx context.Context, r *reader, _ context.Context) error {
		timer := time.AfterFunc(between(r.r, 0, cutWithin), r.link.cut)
		for {
			b, err := r.c.GetWithoutAck(ctx, batchSize, getTimeout)
			if err != nil {
				if timer.Stop() || ctx.Err() != nil { // it was not the cut
					return err
				}
				r.back()
				return nil
			}
			if err := r.hold(b); err != nil {
				return err
			}
		}
	}},
}

// cutWithin is in what time a get is cut: about as long as it takes.
const cutWithin = 20 * time.Millisecond

// afterCut has the client see that its connection is gone. The get after that, as any
// other, connects again.
func (r *reader) afterCut(ctx context.Context) error {
	if _, err := r.c.GetWithoutAck(ctx, batchSize, getTimeout); err == nil {
		return fmt.Errorf("a batch came over a connection that was cut")
	}
	return ctx.Err()
}

// incident holds some batches back and then does one of the incidents.
func (r *reader) incident(ctx, load context.Context) error {
	for range 1 + r.r.IntN(mostHeld) {
		if err := r.take(ctx); err != nil {
			return err
		}
	}
	i := incidents[r.r.IntN(len(incidents))]
	r.done[i.name]++
	if err := i.do(ctx, r, load); err != nil {
		return fmt.Errorf("%s: %w", i.name, err)
	}
	return nil
}
