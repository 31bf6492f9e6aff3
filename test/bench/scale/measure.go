package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/bench/process"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/servers"
)

// sample is what one run took. Not all of it has a meaning in all cases.
type sample struct {
	rows   int64         // delivered in the time that is measured
	wall   time.Duration // that time
	server time.Duration // CPU of the server in it
	client time.Duration // CPU of this process, where the clients are, in it
	source time.Duration // CPU of MySQL in it
	ready  time.Duration // from the start of the server to the first row at the client of every destination
	start  time.Duration // CPU of the server until then
	memory int64         // of the server, bytes: the most there was, or at rest
	shares shares        // between destinations
	idle   time.Duration // CPU of the server while at rest, per second

	readyAgain, startAgain time.Duration // as ready and start, of a server that has run before
}

// point is a place of a sweep.
type point struct {
	x       int   // what is swept
	bytes   int64 // of binlog
	samples []sample
}

// repeat takes the samples of a point, each in a folder of its own.
func (b *bench) repeat(ctx context.Context, name string, p point, take func(ctx context.Context, dir string) (sample, error)) (point, error) {
	for i := range b.runs {
		dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d-%d", name, p.x, i))
		s, err := take(ctx, dir)
		if err != nil {
			return p, fmt.Errorf("%d: %w", p.x, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return p, err
		}
		fmt.Fprintf(os.Stderr, "%s %d: %d rows in %.2f s, CPU %.2f s, of the client %.2f s, of MySQL %.2f s, ready after %.2f s, %d MB\n",
			name, p.x, s.rows, s.wall.Seconds(), s.server.Seconds(), s.client.Seconds(), s.source.Seconds(), s.ready.Seconds(), s.memory>>20)
		p.samples = append(p.samples, s)
	}
	return p, nil
}

// reader is the client of a destination.
type reader struct {
	conn   *client.Conn
	marker string // schema.table whose row is the last
	rows   int64  // that came
}

// attend connects to a destination, and waits until the server runs it.
func attend(ctx context.Context, addr, destination, marker string) (*reader, error) {
	c, err := client.Dial(ctx, client.Options{Addr: addr, Destination: destination, SOTimeout: readyTimeout})
	if err != nil {
		return nil, err
	}
	if err := c.Subscribe(ctx, ""); err != nil {
		_ = c.Close() // the other error says more
		return nil, err
	}
	return &reader{conn: c, marker: marker}, nil
}

// next takes a batch, acks it and tells how many rows it has, and whether the marker
// is among them.
func (r *reader) next(ctx context.Context, batch int, timeout time.Duration) (rows int64, done bool, err error) {
	b, err := r.conn.GetWithoutAck(ctx, batch, timeout)
	if err != nil || b.Empty() {
		return 0, false, err
	}
	schema, table, _ := strings.Cut(r.marker, ".")
	for _, raw := range b.Raw() {
		e, err := protocol.ParseEntry(raw)
		if err != nil {
			return 0, false, err
		}
		if e.EntryType() != protocol.EntryRowData {
			continue
		}
		h := e.Header()
		if text, ok := h.Prop("rowsCount"); ok {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0, false, fmt.Errorf("rowsCount of an entry: %w", err)
			}
			rows += n
		}
		done = done || h.SchemaName() == schema && h.TableName() == table
	}
	r.rows += rows
	return rows, done, b.Ack()
}

// first takes batches until one has rows.
func (r *reader) first(ctx context.Context, batch int, timeout time.Duration) (done bool, err error) {
	for r.rows == 0 && !done {
		if _, done, err = r.next(ctx, batch, timeout); err != nil {
			return false, err
		}
	}
	return done, nil
}

// readyTimeout bounds how long a server may take to deliver something. Reading the
// definitions of 50,000 tables on a busy machine takes minutes.
const readyTimeout = 15 * time.Minute

// usage is the CPU time of the server, of this process and of MySQL.
type usage struct{ server, client, source time.Duration }

// used is what they have used so far.
func used(server *subject.Running, db *servers.Server) (u usage, err error) {
	for _, p := range []struct {
		id   process.ID
		time *time.Duration
	}{{server.Process, &u.server}, {process.ID(os.Getpid()), &u.client}, {process.ID(db.PID()), &u.source}} {
		if *p.time, err = p.id.CPU(); err != nil {
			return u, err
		}
	}
	return u, nil
}

// spend notes what was used since before, and the time since begin.
func (s *sample) spend(server *subject.Running, db *servers.Server, before usage, begin time.Time) error {
	s.wall = time.Since(begin)
	now, err := used(server, db)
	s.server, s.client, s.source = now.server-before.server, now.client-before.client, now.source-before.source
	return err
}

// stream starts a server and lets a client take a stretch from it. Measured is what
// comes behind the first batch, which is small against the whole: until then the
// server starts, learns the tables and reads ahead in the log.
func (b *bench) stream(ctx context.Context, db *servers.Server, w workload.Stretch, batch int, dir string) (s sample, err error) {
	server, err := (&subject.Towpath{Program: b.program}).Start(ctx, dir, subject.Destination{Name: "example", Source: db.Addr(), File: w.File})
	if err != nil {
		return s, err
	}
	defer server.Stop()
	r, err := attend(ctx, server.Addr, "example", w.Marker)
	if err != nil {
		return s, err
	}
	defer r.conn.Close()
	limited, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	done, err := r.first(limited, batch, b.timeout)
	if err != nil {
		return s, fmt.Errorf("first row: %w", err)
	}
	if done {
		return s, fmt.Errorf("all %d rows came with the first batch: too few to measure", r.rows)
	}
	s.ready = time.Since(server.Started)
	begin := time.Now()
	before, err := used(server, db)
	if err != nil {
		return s, err
	}
	for s.start = before.server; !done; {
		var n int64
		if n, done, err = r.next(ctx, batch, b.timeout); err != nil {
			return s, err
		}
		s.rows += n
	}
	if err := s.spend(server, db, before, begin); err != nil {
		return s, err
	}
	if r.rows != int64(w.Rows)+1 {
		return s, fmt.Errorf("%d rows were delivered of %d and the marker", r.rows, w.Rows)
	}
	s.memory, err = server.Process.Peak()
	return s, err
}

// each runs f with the numbers from 0 to n-1 at the same time and waits for all. The
// first error ends the context of the others.
func each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := f(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
