package main

import (
	"context"
	"fmt"
	"os"

	"github.com/towpath-cdc/towpath/test/bench/plot"
	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/servers"
)

// sweep writes a stretch for each place of a sweep and measures it, one after the
// other, so that a stretch is at the end of the log when it is read.
func (b *bench) sweep(ctx context.Context, db *servers.Server, name string, xs []int, fill func(x int) (rows int, err error)) (points []point, err error) {
	for _, x := range xs {
		fmt.Fprintf(os.Stderr, "%s %d: writing the binlog\n", name, x)
		w, err := workload.Write(ctx, db, name, func() (int, error) { return fill(x) })
		if err != nil {
			return nil, err
		}
		p, err := b.repeat(ctx, name, point{x: x, bytes: w.Bytes}, func(ctx context.Context, dir string) (sample, error) {
			return b.stream(ctx, db, w, b.batch, dir)
		})
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	return points, nil
}

// width sweeps the columns of a row.
func (b *bench) width(ctx context.Context) (string, map[string]*plot.Chart, error) {
	db, err := b.database(ctx, "width")
	if err != nil {
		return "", nil, err
	}
	defer discard(db)
	for _, columns := range b.widths {
		if err := db.Exec(ctx, tableSQL(fmt.Sprintf("bench.width%d", columns), columns)); err != nil {
			return "", nil, err
		}
	}
	points, err := b.sweep(ctx, db, "width", b.widths, func(columns int) (int, error) {
		c, end, err := connect(ctx, db)
		if err != nil {
			return 0, err
		}
		defer end()
		const statement = 4 << 20 // bytes
		rows := b.megabytes << 20 / rowBytes(columns)
		return rows, insert(ctx, c, fmt.Sprintf("bench.width%d", columns), columns, 0, rows, min(numbers, statement/rowBytes(columns)))
	})
	if err != nil {
		return "", nil, err
	}
	perColumn := column{"server CPU ns per column", "%.1f", func(p point) float64 { return 1000 * serverCost(p) / float64(p.x) }}
	const title = "CPU time per row against columns of a row"
	return table("columns", points, append(streamColumns(), perColumn)) + image("width", title),
		map[string]*plot.Chart{"scale-width.svg": chart(title, "columns", "µs per row", true, true, both(points)...)}, nil
}

// event sweeps the rows of a transaction, once with all its rows in one event and
// once in events of 8 KiB, as a server makes them by default.
func (b *bench) event(ctx context.Context) (string, map[string]*plot.Chart, error) {
	var text string
	var lines []line
	for _, k := range []struct{ name, what, extra string }{
		{"event", "one event per transaction", "binlog_row_event_max_size=1073741824"},
		{"transaction", "events of 8 KiB", "binlog_row_event_max_size=8192"},
	} {
		points, err := b.eventSizes(ctx, k.name, k.extra)
		if err != nil {
			return "", nil, err
		}
		text += table("rows per transaction, "+k.what, points, streamColumns()) + "\n"
		lines = append(lines, line{"server, " + k.what, points, serverCost}, line{"client, " + k.what, points, clientCost})
	}
	const title = "CPU time per row against rows of a transaction"
	return text + image("event", title), map[string]*plot.Chart{"scale-event.svg": costChart(title, "rows per transaction", lines...)}, nil
}

func (b *bench) eventSizes(ctx context.Context, name, extra string) ([]point, error) {
	db, err := b.database(ctx, name, extra)
	if err != nil {
		return nil, err
	}
	defer discard(db)
	if err := db.Exec(ctx, tableSQL("bench.usual", usual), procedureSQL()); err != nil {
		return nil, err
	}
	return b.sweep(ctx, db, name, b.events, func(size int) (int, error) { return b.fillUsual(ctx, db, b.rows, size) })
}

// batchSize sweeps the size that clients ask for.
func (b *bench) batchSize(ctx context.Context) (string, map[string]*plot.Chart, error) {
	db, err := b.database(ctx, "batch")
	if err != nil {
		return "", nil, err
	}
	defer discard(db)
	if err := db.Exec(ctx, tableSQL("bench.usual", usual), procedureSQL()); err != nil {
		return "", nil, err
	}
	w, err := workload.Write(ctx, db, "batch", func() (int, error) { return b.fillUsual(ctx, db, b.rows, 1000) })
	if err != nil {
		return "", nil, err
	}
	var points []point
	for _, size := range b.batches {
		p, err := b.repeat(ctx, "batch", point{x: size, bytes: w.Bytes}, func(ctx context.Context, dir string) (sample, error) {
			return b.stream(ctx, db, w, size, dir)
		})
		if err != nil {
			return "", nil, err
		}
		points = append(points, p)
	}
	const title = "CPU time per row against the size of a get"
	return table("size of a get", points, streamColumns()) + image("batch", title),
		map[string]*plot.Chart{"scale-batch.svg": costChart(title, "size of a get, KiB", both(points)...)}, nil
}

// manyTables sweeps the tables that rows are of. Each has a few rows, inserted in
// rounds over all of them, so that no two events behind one another are of the same.
func (b *bench) manyTables(ctx context.Context) (string, map[string]*plot.Chart, error) {
	// Few connections leave more of the files that a process may open for tables.
	db, err := b.database(ctx, "tables", "max_connections=100", "table_open_cache=100000", "table_definition_cache=100000", "innodb_buffer_pool_size=1G")
	if err != nil {
		return "", nil, err
	}
	defer discard(db)
	s := &tableSet{db: db}
	var points []point
	for _, n := range b.tables {
		if err := s.create(ctx, n); err != nil {
			return "", nil, err
		}
		more, err := b.sweep(ctx, db, "tables", []int{n}, func(int) (int, error) { return s.fill(ctx, b.rows) })
		if err != nil {
			return "", nil, err
		}
		points = append(points, more...)
	}
	const title = "CPU time per row against tables in the stream"
	const start = "Seconds to the first row against tables of the source"
	return table("tables", points, streamColumns()) + image("tables", title) + image("tables-start", start),
		map[string]*plot.Chart{
			"scale-tables.svg": costChart(title, "tables", both(points)...),
			"scale-tables-start.svg": chart(start, "tables", "s", true, false, line{"from the start of the server to the first row", points, readySeconds},
				line{"CPU time of the server until then", points, startSeconds}),
		}, nil
}

// tableSet are tiny tables, bench.t0, bench.t1, and so on.
type tableSet struct {
	db    *servers.Server
	n     int // that are there
	round int // rows that each has, at most
}

// sessions is how many write to the tables at the same time, each to its own.
const sessions = 2

// inSessions runs f in several sessions.
func (s *tableSet) inSessions(ctx context.Context, f func(ctx context.Context, i int, run func(format string, args ...any) error) error) error {
	return each(ctx, sessions, func(ctx context.Context, i int) error {
		c, end, err := connect(ctx, s.db)
		if err != nil {
			return err
		}
		defer end()
		return f(ctx, i, func(format string, args ...any) error { return exec(c, format, args...) })
	})
}

// create makes tables until there are n. They keep no rows, which only the binlog has to have:
// 50,000 of them would else take gigabytes, and their rows minutes.
func (s *tableSet) create(ctx context.Context, n int) error {
	first := s.n
	s.n = n
	return s.inSessions(ctx, func(_ context.Context, i int, run func(string, ...any) error) error {
		for t := first + i; t < n; t += sessions {
			if err := run("CREATE TABLE bench.t%d (id INT UNSIGNED NOT NULL PRIMARY KEY, v VARCHAR(32) NOT NULL) ENGINE=BLACKHOLE", t); err != nil {
				return err
			}
		}
		return nil
	})
}

// fill inserts at least so many rows, one into each table in rounds, 100 to a
// transaction, and returns how many these are.
func (s *tableSet) fill(ctx context.Context, rows int) (int, error) {
	const transaction = 100
	rounds := (rows + s.n - 1) / s.n
	first := s.round
	s.round += rounds
	err := s.inSessions(ctx, func(_ context.Context, i int, run func(string, ...any) error) error {
		open := 0
		for row := i; row < rounds*s.n; row += sessions {
			if open == 0 {
				if err := run("BEGIN"); err != nil {
					return err
				}
			}
			if err := run("INSERT INTO bench.t%d VALUES (%d, 'row %d of the table')", row%s.n, first+row/s.n, row/s.n); err != nil {
				return err
			}
			if open++; open == transaction {
				if err := run("COMMIT"); err != nil {
					return err
				}
				open = 0
			}
		}
		return run("COMMIT")
	})
	return rounds * s.n, err
}
