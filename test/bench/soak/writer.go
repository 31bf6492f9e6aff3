package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// load is what the sessions and the clients know of each other: how far each is.
type load struct {
	ahead   int64         // bytes that sessions may be ahead of the slowest client
	written atomic.Int64  // bytes of steps that were written, about
	clients []clientState // in the order of the destinations
	waited  atomic.Int64  // nanoseconds that sessions have waited for clients
}

// clientState is what others see of a client.
type clientState struct {
	bytes atomic.Int64           // of the steps it has got, about
	file  atomic.Pointer[string] // binlog file of what it has acked last
}

// room says whether the slowest client has come near enough for more to be written.
// What it has not got is kept by the source as binlog, whose size is bounded so.
func (l *load) room() bool {
	slowest := l.clients[0].bytes.Load()
	for i := range l.clients {
		slowest = min(slowest, l.clients[i].bytes.Load())
	}
	return l.written.Load()-slowest < l.ahead
}

// roomPoll is how often a session that waits for clients looks again.
const roomPoll = 10 * time.Millisecond

// wait waits for room. It says whether there is, and not only the end of ctx.
func (l *load) wait(ctx context.Context) bool {
	begin := time.Now()
	for !l.room() {
		if !sleep(ctx, roomPoll) {
			break
		}
	}
	l.waited.Add(int64(time.Since(begin)))
	return ctx.Err() == nil
}

// write has a session do what its script says until ctx ends, and says how many
// changes it has made.
func write(ctx context.Context, db *servers.Server, l *load, seed uint64, session int) (changes int64, err error) {
	c, err := db.Connect(context.WithoutCancel(ctx))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	s := newScript(seed, session)
	// The script says what is done; how it falls into transactions nobody has to know.
	grouping := rand.New(rand.NewPCG(seed, 1<<32+uint64(session)))
	execute := func(q string) error {
		result, err := c.Execute(q)
		if err != nil {
			return fmt.Errorf("%.200q: %w", q, err)
		}
		result.Close()
		return nil
	}
	left := 0 // statements until the open transaction is committed
	for ctx.Err() == nil && l.wait(ctx) {
		t := s.next()
		if left == 0 && t.isRows() && grouping.IntN(5) == 0 {
			left = 2 + grouping.IntN(8)
			if err := execute("BEGIN"); err != nil {
				return s.n, err
			}
		}
		if err := execute(t.statement()); err != nil {
			return s.n, err
		}
		l.written.Add(t.bytes())
		if left == 0 {
			continue
		}
		if left--; !t.isRows() { // it has committed what was open
			left = 0
		} else if left == 0 {
			if err := execute("COMMIT"); err != nil {
				return s.n, err
			}
		}
	}
	return s.n, execute("COMMIT")
}

// isRows tells a change of rows from one of a definition.
func (t *step) isRows() bool {
	return t.event == protocol.EventInsert || t.event == protocol.EventUpdate || t.event == protocol.EventDelete
}

// purgeInterval is how often the source is rid of binlog that all clients have acked.
const purgeInterval = 10 * time.Second

// purge deletes binlog files that no client needs until ctx ends.
func purge(ctx context.Context, db *servers.Server, l *load) error {
	for sleep(ctx, purgeInterval) {
		oldest := ""
		for i := range l.clients {
			f := l.clients[i].file.Load()
			if f == nil {
				oldest = ""
				break
			}
			if oldest == "" || *f < oldest {
				oldest = *f
			}
		}
		if oldest == "" {
			continue
		}
		if err := db.Exec(context.WithoutCancel(ctx), "PURGE BINARY LOGS TO '"+oldest+"'"); err != nil {
			return err
		}
	}
	return nil
}

// sleep waits, and says whether it came to the end of it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
