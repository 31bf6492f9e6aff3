// Command bench measures Towpath beside Java Canal: both read the same binlogs
// of a real MySQL on this machine, one after the other, each with its default
// configuration and one client that takes everything and acks.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
	"github.com/towpath-cdc/towpath/test/bench/process"
	"github.com/towpath-cdc/towpath/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	binary := flag.String("towpath", "bin/towpath", "the `program` to measure")
	rows := flag.Int("rows", 1_000_000, "row changes of the bulk binlog")
	transactions := flag.Int("transactions", 100_000, "transactions of the OLTP binlog")
	runs := flag.Int("runs", 3, "runs of each server on each binlog; medians are shown")
	batch := flag.Int("batch", 1000, "size of a get")
	timeout := flag.Duration("timeout", 100*time.Millisecond, "timeout of a get")
	kind := flag.String("server", string(servers.MySQL80), "database server to read from")
	java := flag.Bool("java", true, "measure Java Canal too")
	profile := flag.String("profile", "", "`folder` for a CPU profile of each run of Towpath")
	out := flag.String("out", "", "`file` whose part between the bench markers is replaced by the result")
	flag.Parse()

	dir, err := os.MkdirTemp("", "towpath-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := servers.Start(ctx, servers.Options{Kind: servers.Kind(*kind), Dir: filepath.Join(dir, "db")})
	if err != nil {
		return err
	}
	defer db.Kill()
	fmt.Fprintf(os.Stderr, "writing the binlogs: %d rows in bulk, %d transactions\n", *rows, *transactions)
	workloads, err := load(ctx, db, *rows, *transactions)
	if err != nil {
		return err
	}
	program, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	subjects := []subject{&towpath{program: program, profiles: *profile}}
	if *java {
		subjects = append(subjects, &javaCanal{})
	}
	var results []result
	for _, w := range workloads {
		r := result{workload: w}
		for _, s := range subjects {
			var all []figures
			for i := range *runs {
				f, err := once(ctx, s, db, w, filepath.Join(dir, fmt.Sprintf("%s-%s-%d", s.name(), w.name, i)), *batch, *timeout)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.name(), w.name, err)
				}
				fmt.Fprintf(os.Stderr, "%-8s %-5s %d rows, %.1f s, %.2f CPU s, peak %d MB\n", s.name(), w.name, f.rows, f.wall.Seconds(), f.cpu.Seconds(), f.peakMemory>>20)
				all = append(all, f)
			}
			r.figures = append(r.figures, median(all))
		}
		results = append(results, r)
	}
	text := report(results, *batch, *timeout, *runs)
	fmt.Println(text)
	if *out != "" {
		return document.Replace(*out, "bench", text)
	}
	return nil
}

// once starts a server, lets a client take a workload from it and stops it.
func once(ctx context.Context, s subject, db *servers.Server, w workload, dir string, batch int, timeout time.Duration) (figures, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return figures{}, err
	}
	addr, p, stop, err := s.start(ctx, dir, db, w)
	if err != nil {
		return figures{}, err
	}
	defer stop()
	if err := settle(ctx, p); err != nil {
		return figures{}, err
	}
	return consume(ctx, addr, p, w, batch, timeout)
}

// settle waits until a server uses no CPU to speak of: it has started, and its
// ring is full.
func settle(ctx context.Context, p process.ID) error {
	const window, idle = time.Second, 30 * time.Millisecond
	last, err := p.CPU()
	if err != nil {
		return err
	}
	for range 60 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(window):
		}
		now, err := p.CPU()
		if err != nil {
			return err
		}
		if now-last <= idle {
			return nil
		}
		last = now
	}
	return nil
}
