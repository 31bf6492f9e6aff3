// Package workload writes the stretches of binlog that benchmarks read. Its central
// type is Stretch.
package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/towpath-cdc/towpath/test/servers"
)

// Stretch is a stretch of binlog that servers read.
type Stretch struct {
	Name   string
	File   string // binlog file it begins in, at offset 4
	Rows   int    // row changes
	Bytes  int64  // of binlog
	Marker string // schema.table whose insert ends it
}

// schemaSQL makes the tables: ten columns of the usual kinds.
var schemaSQL = []string{
	"CREATE DATABASE bench",
	`CREATE TABLE bench.orders (
		id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
		user_id INT UNSIGNED NOT NULL,
		sku VARCHAR(64) NOT NULL,
		email VARCHAR(128) NOT NULL,
		status TINYINT NOT NULL,
		amount DECIMAL(12,2) NOT NULL,
		score DOUBLE NOT NULL,
		note TEXT,
		created DATETIME NOT NULL,
		updated TIMESTAMP(3) NOT NULL DEFAULT '2020-01-01 00:00:00')`,
	"CREATE TABLE bench.orders2 LIKE bench.orders",
	"CREATE TABLE bench.done_bulk (id INT PRIMARY KEY)",
	"CREATE TABLE bench.done_oltp (id INT PRIMARY KEY)",
	"CREATE TABLE bench.digits (n INT PRIMARY KEY)",
	"INSERT INTO bench.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
}

// Load writes two stretches into the binlog of a fresh server, each beginning with a
// new file: "bulk", rows in large statements, and "oltp", small transactions.
func Load(ctx context.Context, s *servers.Server, rows, transactions int) ([]Stretch, error) {
	if err := s.Exec(ctx, schemaSQL...); err != nil {
		return nil, err
	}
	bulk, err := stretch(ctx, s, "bulk", func() (int, error) { return rows, loadBulk(ctx, s, rows) })
	if err != nil {
		return nil, err
	}
	oltp, err := stretch(ctx, s, "oltp", func() (int, error) { return loadOLTP(ctx, s, transactions) })
	return []Stretch{bulk, oltp}, err
}

// Write runs fill in a binlog file of its own and ends it with a marker, whose table,
// bench.done_NAME, it makes before. A name may be used again. The database bench has
// to be there: even where it is, CREATE DATABASE IF NOT EXISTS waits for all
// transactions that are open in it.
func Write(ctx context.Context, s *servers.Server, name string, fill func() (rows int, err error)) (Stretch, error) {
	if err := s.Exec(ctx, "CREATE TABLE IF NOT EXISTS bench.done_"+name+" (id INT)"); err != nil {
		return Stretch{}, err
	}
	return stretch(ctx, s, name, fill)
}

// stretch runs fill in a binlog file of its own and ends it with the marker.
func stretch(ctx context.Context, s *servers.Server, name string, fill func() (rows int, err error)) (Stretch, error) {
	w := Stretch{Name: name, Marker: "bench.done_" + name}
	if err := s.Exec(ctx, "FLUSH BINARY LOGS"); err != nil {
		return w, err
	}
	before, err := binlogs(ctx, s)
	if err != nil {
		return w, err
	}
	w.File = before[len(before)-1].name
	if w.Rows, err = fill(); err != nil {
		return w, err
	}
	if err := s.Exec(ctx, "INSERT INTO "+w.Marker+" VALUES (1)"); err != nil {
		return w, err
	}
	after, err := binlogs(ctx, s)
	if err != nil {
		return w, err
	}
	for _, f := range after[len(before)-1:] {
		w.Bytes += f.size
	}
	return w, nil
}

type binlogFile struct {
	name string
	size int64
}

func binlogs(ctx context.Context, s *servers.Server) ([]binlogFile, error) {
	rows, err := s.Query(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return nil, err
	}
	var files []binlogFile
	for _, r := range rows {
		size, err := strconv.ParseInt(r[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("size of %s: %w", r[0], err)
		}
		files = append(files, binlogFile{r[0], size})
	}
	return files, nil
}

// rowSQL computes the columns of the row numbered n.
const rowSQL = `n, n % 100000, CONCAT('SKU-', LPAD(n % 9973, 12, '0')), CONCAT('user', n % 100000, '@mail.example.com'),
	n % 7, (n % 1000000) / 100, n / 7, CONCAT('order ', n, ' ', REPEAT('lorem ipsum ', 19)),
	'2024-01-01 00:00:00' + INTERVAL n SECOND, '2024-01-01 00:00:00.125' + INTERVAL (n % 1000000) SECOND`

// loadBulk inserts rows in multi-row events, 100,000 to a statement.
func loadBulk(ctx context.Context, s *servers.Server, rows int) error {
	for from := 0; from < rows; from += 100000 {
		q := fmt.Sprintf(`INSERT INTO bench.orders SELECT %s FROM (
			SELECT %d + a.n + 10*b.n + 100*c.n + 1000*d.n + 10000*e.n AS n
			FROM bench.digits a, bench.digits b, bench.digits c, bench.digits d, bench.digits e) s WHERE n < %d ORDER BY n`, rowSQL, from, rows)
		if err := s.Exec(ctx, "SET time_zone = '+00:00'", q); err != nil {
			return err
		}
	}
	return nil
}

// loadOLTP commits transactions of one to five changes, most of them of one.
func loadOLTP(ctx context.Context, s *servers.Server, transactions int) (rows int, err error) {
	const sessions = 4
	var changed atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, sessions)
	for w := range sessions {
		wg.Go(func() {
			if err := session(ctx, s, w, transactions/sessions, &changed); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	return int(changed.Load()), <-errs
}

// session runs transactions one after the other.
func session(ctx context.Context, s *servers.Server, w, transactions int, changed *atomic.Int64) error {
	c, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Execute("SET time_zone = '+00:00'"); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, uint64(w)))
	next := (w + 1) * 100_000_000
	first := next
	for range transactions {
		n := 1
		if r.IntN(5) == 0 {
			n = 1 + r.IntN(5)
		}
		statements := make([]string, 0, n+2)
		if n > 1 {
			statements = append(statements, "BEGIN")
		}
		for range n {
			switch k := r.IntN(10); {
			case k < 6 || next == first:
				statements = append(statements, fmt.Sprintf("INSERT INTO bench.orders2 SELECT %s FROM (SELECT %d AS n) s", rowSQL, next))
				next++
			case k < 9:
				statements = append(statements, fmt.Sprintf("UPDATE bench.orders2 SET status = (status + 1) %% 100, amount = amount + 0.01 WHERE id = %d", first+r.IntN(next-first)))
			default:
				statements = append(statements, fmt.Sprintf("UPDATE bench.orders2 SET note = 'changed %d' WHERE id = %d", r.IntN(1<<30), first+r.IntN(next-first)))
			}
		}
		if n > 1 {
			statements = append(statements, "COMMIT")
		}
		for _, q := range statements {
			result, err := c.Execute(q)
			if err != nil {
				return fmt.Errorf("%.100q: %w", q, err)
			}
			changed.Add(int64(result.AffectedRows))
			result.Close()
		}
	}
	return nil
}
