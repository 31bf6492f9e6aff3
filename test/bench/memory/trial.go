package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/servers"
)

// trial is one server in one case.
type trial struct {
	subject subject.Subject
	db      *servers.Server
	stretch workload.Stretch
	sizes   sizes
	stalls  bool
	dir     string
}

// outcome is what it took.
type outcome struct {
	rows       int64         // that came
	wall       time.Duration // from the first get to the end, or to what failed
	peak       int64         // bytes, since the start of the server
	after      int64         // bytes, when the server has rested a while
	curve      []sample
	stallBegin int64  // bytes, when a client has stopped and the store is full
	stallEnd   int64  // bytes, when it goes on
	failure    string // why not everything came, "" if it did
}

// rest is how long a server that has done its work is left alone before it is
// looked at once more.
const rest = 5 * time.Second

// run starts a server, lets a client take the stretch, and stops the server. An error
// is the benchmark's own; what the server cannot do is in the outcome.
func (t *trial) run(ctx context.Context) (o outcome, err error) {
	r, err := t.subject.Start(ctx, t.dir, subject.Destination{Name: "example", Source: t.db.Addr(), File: t.stretch.File})
	if err != nil {
		return o, err
	}
	defer r.Stop()
	w := watch(ctx, r.Process)
	failed := t.consume(ctx, r, &o)
	o.wall = time.Since(w.begin)
	if ctx.Err() != nil {
		w.stop()
		return o, context.Cause(ctx)
	}
	if failed != nil {
		o.failure = reason(failed, filepath.Join(r.Dir, "output.log"))
	}
	if !sleep(ctx, rest) {
		w.stop()
		return o, context.Cause(ctx)
	}
	o.curve, o.peak = w.stop()
	if len(o.curve) == 0 {
		return o, fmt.Errorf("the server ended before it was looked at: %w", failed)
	}
	o.after = o.curve[len(o.curve)-1].bytes
	return o, nil
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

// What a client asks for.
const (
	batchSize  = 1000
	getTimeout = 100 * time.Millisecond
)

// consume takes the stretch from a server as the case wants it.
func (t *trial) consume(ctx context.Context, r *subject.Running, o *outcome) error {
	c, err := client.Dial(ctx, client.Options{Addr: r.Addr, Destination: "example", SOTimeout: t.sizes.patience})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, ""); err != nil {
		return err
	}
	if !t.stalls {
		_, err := t.take(ctx, c, o, 0)
		return err
	}
	source, endSource := context.WithCancel(ctx)
	defer endSource()
	written := make(chan error, 1)
	go func() { written <- goOn(source, t.db) }()
	err = t.stall(ctx, c, r, o)
	endSource()
	if err := errors.Join(err, <-written); err != nil {
		return err
	}
	_, err = t.take(ctx, c, o, 0)
	return err
}

// filling is the part of a stall after which the store of a server is taken to be full:
// what it takes from then on is growth.
const filling = 0.5

// stall takes some batches, and another one that is not acked, and then nothing for a
// while.
func (t *trial) stall(ctx context.Context, c *client.Conn, r *subject.Running, o *outcome) (err error) {
	held, err := t.take(ctx, c, o, t.sizes.batches)
	if err != nil {
		return err
	}
	first := time.Duration(filling * float64(t.sizes.stall))
	if !sleep(ctx, first) {
		return context.Cause(ctx)
	}
	if o.stallBegin, err = r.Process.Resident(); err != nil {
		return err
	}
	if !sleep(ctx, t.sizes.stall-first) {
		return context.Cause(ctx)
	}
	if o.stallEnd, err = r.Process.Resident(); err != nil {
		return err
	}
	return c.Ack(held)
}

// take takes batches and acks them, up to the marker or, if batches is not 0, so many
// of them; of these the last is not acked, and its number returned.
func (t *trial) take(ctx context.Context, c *client.Conn, o *outcome, batches int) (held int64, err error) {
	heard := time.Now()
	for n := 0; ; {
		b, err := c.GetWithoutAck(ctx, batchSize, getTimeout)
		if err != nil {
			return 0, err
		}
		if b.Empty() {
			if time.Since(heard) > t.sizes.patience {
				return 0, fmt.Errorf("nothing came for %s", t.sizes.patience)
			}
			continue
		}
		heard = time.Now()
		done, err := count(b, t.stretch.Marker, &o.rows)
		if err != nil {
			return 0, err
		}
		if n++; n == batches {
			return b.ID(), nil
		}
		if err := c.Ack(b.ID()); err != nil || done {
			return 0, err
		}
	}
}

// count adds the rows of a batch up to the marker and says whether that is in it.
func count(b *client.Batch, marker string, rows *int64) (done bool, err error) {
	schema, table, _ := strings.Cut(marker, ".")
	for e, err := range b.Entries() {
		if err != nil {
			return false, err
		}
		if e.EntryType() != protocol.EntryRowData {
			continue
		}
		h := e.Header()
		if h.SchemaName() == schema && h.TableName() == table {
			return true, nil
		}
		if v, ok := h.Prop("rowsCount"); ok {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return false, fmt.Errorf("rows of an entry: %w", err)
			}
			*rows += n
		}
	}
	return false, nil
}

// reason says why a server did not get through: that it had no memory left, if its log
// says so, or else what its client saw.
func reason(failed error, log string) string {
	f, err := os.Open(log)
	if err != nil {
		return failed.Error()
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if _, text, ok := strings.Cut(s.Text(), "OutOfMemoryError"); ok {
			return "OutOfMemoryError" + text
		}
	}
	return failed.Error()
}
