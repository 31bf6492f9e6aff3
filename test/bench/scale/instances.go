package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	mysql "github.com/go-mysql-org/go-mysql/client"

	"github.com/towpath-cdc/towpath/test/bench/plot"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/servers"
)

// gathering is a server with many destinations of one source, and a client of each.
type gathering struct {
	of      []subject.Destination
	server  *subject.Running
	readers []*reader
	ready   time.Duration // until the last client had a row, from the start of the server
	start   usage         // until then
}

// gather starts a server at a place of the log where there is one row, larger than
// the smallest batch, and waits until the clients of all destinations have it. A
// destination that has delivered a row has read the definitions of the tables,
// dumps and serves.
func (b *bench) gather(ctx context.Context, db *servers.Server, dir string, n int) (*gathering, error) {
	w, err := workload.Write(ctx, db, "ready", func() (int, error) {
		return 1, db.Exec(ctx, "INSERT INTO bench.ready (text) VALUES (REPEAT('x', 4096))")
	})
	if err != nil {
		return nil, err
	}
	var all []subject.Destination
	for i := range n {
		all = append(all, subject.Destination{Name: fmt.Sprintf("d%d", i), Source: db.Addr(), File: w.File})
	}
	return b.assemble(ctx, db, dir, all)
}

// assemble starts a server in a folder, where it may have been before, and waits until
// the clients of all destinations have a row.
func (b *bench) assemble(ctx context.Context, db *servers.Server, dir string, all []subject.Destination) (g *gathering, err error) {
	g = &gathering{of: all, readers: make([]*reader, len(all))}
	if g.server, err = (&subject.Towpath{Program: b.program}).Start(ctx, dir, all...); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err = each(limited, len(all), func(ctx context.Context, i int) error {
		r, err := attend(ctx, g.server.Addr, all[i].Name, "bench.done_race")
		if err != nil {
			return fmt.Errorf("%s: %w", all[i].Name, err)
		}
		g.readers[i] = r
		// The smallest size, so that a get is answered as soon as there is a row.
		if _, err := r.first(ctx, 1, 10*time.Second); err != nil {
			return fmt.Errorf("%s: first row: %w", all[i].Name, err)
		}
		return nil
	})
	g.ready = time.Since(g.server.Started)
	if err == nil {
		g.start, err = used(g.server, db)
	}
	if err != nil {
		g.end()
		return nil, err
	}
	return g, nil
}

// leave has the clients go.
func (g *gathering) leave() {
	for _, r := range g.readers {
		if r != nil {
			_ = r.conn.Close() // it has done its work
		}
	}
}

// end stops the server, too.
func (g *gathering) end() {
	g.leave()
	g.server.Stop()
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// manyDatabase starts a MySQL for cases with many destinations.
func (b *bench) manyDatabase(ctx context.Context, name string) (*servers.Server, error) {
	db, err := b.database(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := db.Exec(ctx, tableSQL("bench.usual", usual), "CREATE TABLE bench.ready (id INT AUTO_INCREMENT PRIMARY KEY, text TEXT)",
		"CREATE TABLE bench.done_race (id INT)"); err != nil {
		db.Kill()
		return nil, err
	}
	return db, nil
}

// manyInstances sweeps the destinations that are read at the same time.
func (b *bench) manyInstances(ctx context.Context) (string, map[string]*plot.Chart, error) {
	db, err := b.manyDatabase(ctx, "instances")
	if err != nil {
		return "", nil, err
	}
	defer discard(db)
	var points []point
	for _, n := range b.instances {
		p, err := b.repeat(ctx, "instances", point{x: n}, func(ctx context.Context, dir string) (sample, error) { return b.together(ctx, db, dir, n) })
		if err != nil {
			return "", nil, err
		}
		points = append(points, p)
	}
	const throughput, cost = "Rows per second of all destinations together", "CPU time per row delivered against destinations"
	return table("destinations", points, instanceColumns(points[0])) + image("instances", throughput) + image("instances-cost", cost),
		map[string]*plot.Chart{
			"scale-instances.svg":      chart(throughput, "destinations", "rows/s", true, false, line{"", points, rowsPerSecond}),
			"scale-instances-cost.svg": costChart(cost, "destinations", line{"server", points, serverCost}, line{"clients", points, clientCost}, line{"MySQL", points, sourceCost}),
		}, nil
}

// together has all destinations deliver the same rows at the same time. These are
// committed when all clients wait for them, so that no ring holds any before.
func (b *bench) together(ctx context.Context, db *servers.Server, dir string, n int) (s sample, err error) {
	rows := max(b.least, b.total/n)
	held, err := b.hold(ctx, db, rows)
	if err != nil {
		return s, err
	}
	defer held.end()
	g, err := b.gather(ctx, db, dir, n)
	if err != nil {
		return s, err
	}
	defer g.end()
	s.ready, s.start = g.ready, g.start.server
	if err := pause(ctx, 2*time.Second); err != nil {
		return s, err
	}
	t := newTally(n, int64(n)*int64(rows))
	begin := time.Now()
	before, err := used(g.server, db)
	if err != nil {
		return s, err
	}
	err = each(ctx, n+1, func(ctx context.Context, i int) error {
		if i == n {
			return errors.Join(held.commit(), db.Exec(ctx, "INSERT INTO bench.done_race VALUES (1)"))
		}
		for done := false; !done; {
			var rows int64
			if rows, done, err = g.readers[i].next(ctx, b.batch, b.timeout); err != nil {
				return err
			}
			t.add(i, rows)
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	if err := s.spend(g.server, db, before, begin); err != nil {
		return s, err
	}
	// Beside them there are the marker, the row of gather and its marker.
	for i, r := range g.readers {
		if r.rows != int64(rows)+3 {
			return s, fmt.Errorf("d%d delivered %d rows of %d and 3", i, r.rows, rows)
		}
	}
	s.rows, s.shares = t.total.Load(), t.half()
	s.memory, err = g.server.Process.Peak()
	return s, err
}

// held are transactions that have not been committed.
type held struct {
	conns []*mysql.Conn
	ends  []func()
}

// hold inserts rows in transactions of 100,000 without committing them.
func (b *bench) hold(ctx context.Context, db *servers.Server, rows int) (_ *held, err error) {
	const transaction = 100_000
	h := &held{}
	defer func() {
		if err != nil {
			h.end()
		}
	}()
	for rows > 0 {
		c, end, err := connect(ctx, db)
		if err != nil {
			return nil, err
		}
		h.conns, h.ends = append(h.conns, c), append(h.ends, end)
		if err := exec(c, "BEGIN"); err != nil {
			return nil, err
		}
		n := min(rows, transaction)
		if err := insert(ctx, c, "bench.usual", usual, b.next, n, numbers); err != nil {
			return nil, err
		}
		b.next += n
		rows -= n
	}
	return h, nil
}

// commit commits them, one after the other.
func (h *held) commit() error {
	for _, c := range h.conns {
		if err := exec(c, "COMMIT"); err != nil {
			return err
		}
	}
	return nil
}

func (h *held) end() {
	for _, end := range h.ends {
		end()
	}
}

// tally counts the rows of each destination.
type tally struct {
	total atomic.Int64
	want  int64 // of all
	of    []atomic.Int64
	then  atomic.Pointer[[]int64] // of each when half of all had come; nil before
}

func newTally(n int, want int64) *tally { return &tally{want: want, of: make([]atomic.Int64, n)} }

func (t *tally) add(i int, rows int64) {
	t.of[i].Add(rows)
	after := t.total.Add(rows)
	if half := t.want / 2; after < half || after-rows >= half {
		return
	}
	then := make([]int64, len(t.of))
	for j := range t.of {
		then[j] = t.of[j].Load()
	}
	t.then.Store(&then)
}

// half is how even the destinations were when half of all rows had come. It is zero
// before that.
func (t *tally) half() shares {
	if then := t.then.Load(); then != nil {
		return newShares(*then)
	}
	return shares{}
}

// idleInstances sweeps destinations that have nothing to do.
func (b *bench) idleInstances(ctx context.Context) (string, map[string]*plot.Chart, error) {
	db, err := b.manyDatabase(ctx, "memory")
	if err != nil {
		return "", nil, err
	}
	defer discard(db)
	var points []point
	for _, n := range b.idle {
		p, err := b.repeat(ctx, "memory", point{x: n}, func(ctx context.Context, dir string) (sample, error) { return b.atRest(ctx, db, dir, n) })
		if err != nil {
			return "", nil, err
		}
		points = append(points, p)
	}
	const memory, start = "Memory of a server against idle destinations", "Seconds until all destinations read"
	text := table("destinations", points, idleColumns()) + fmt.Sprintf("\nEach more idle destination takes %.2f MB, the slope of a line through these points.\n", slope(points, memoryMB))
	return text + image("memory", memory) + image("start", start),
		map[string]*plot.Chart{
			"scale-memory.svg": chart(memory, "destinations", "RSS, MB", false, false, line{"", points, memoryMB}),
			"scale-start.svg": chart(start, "destinations", "s", false, false, line{"from the start of the server until all clients have a row", points, readySeconds},
				line{"CPU time of the server until then", points, startSeconds}, line{"started again", points, readyAgain}, line{"CPU time when started again", points, startAgain}),
		}, nil
}

// atRest starts a server, has its clients leave and lets it rest; then it starts it
// again.
func (b *bench) atRest(ctx context.Context, db *servers.Server, dir string, n int) (s sample, err error) {
	g, err := b.gather(ctx, db, dir, n)
	if err != nil {
		return s, err
	}
	defer g.end()
	s.ready, s.start = g.ready, g.start.server
	g.leave()
	if err := pause(ctx, 2*time.Second); err != nil { // what the start has left to do
		return s, err
	}
	before, err := used(g.server, db)
	if err != nil {
		return s, err
	}
	if err := pause(ctx, b.rest); err != nil {
		return s, err
	}
	after, err := used(g.server, db)
	if err != nil {
		return s, err
	}
	s.idle = time.Duration(float64(after.server-before.server) / b.rest.Seconds())
	if s.memory, err = g.server.Process.Resident(); err != nil {
		return s, err
	}
	g.end()
	again, err := b.assemble(ctx, db, dir, g.of)
	if err != nil {
		return s, fmt.Errorf("started again: %w", err)
	}
	defer again.end()
	s.readyAgain, s.startAgain = again.ready, again.start.server
	return s, nil
}
