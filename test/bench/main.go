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
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/bench/workload"
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
	stretches, err := workload.Load(ctx, db, *rows, *transactions)
	if err != nil {
		return err
	}
	program, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	subjects := []subject.Subject{&subject.Towpath{Program: program}}
	if *java {
		subjects = append(subjects, &subject.Java{})
	}
	var results []result
	for _, w := range stretches {
		r := result{stretch: w}
		for _, s := range subjects {
			var all []figures
			for i := range *runs {
				run := fmt.Sprintf("%s-%s-%d", strings.Fields(s.Name())[0], w.Name, i)
				if t, ok := s.(*subject.Towpath); ok && *profile != "" {
					t.CPUProfile = filepath.Join(*profile, run+".pprof")
				}
				f, err := once(ctx, s, db, w, filepath.Join(dir, run), *batch, *timeout)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.Name(), w.Name, err)
				}
				fmt.Fprintf(os.Stderr, "%-10s %-5s %d rows, %.1f s, %.2f CPU s, peak %d MB\n", s.Name(), w.Name, f.rows, f.wall.Seconds(), f.cpu.Seconds(), f.peakMemory>>20)
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

// once starts a server, lets a client take a stretch from it and stops it.
func once(ctx context.Context, s subject.Subject, db *servers.Server, w workload.Stretch, dir string, batch int, timeout time.Duration) (figures, error) {
	r, err := s.Start(ctx, dir, subject.Destination{Name: "example", Source: db.Addr(), File: w.File})
	if err != nil {
		return figures{}, err
	}
	defer r.Stop()
	if err := r.Settle(ctx); err != nil {
		return figures{}, err
	}
	return consume(ctx, r.Addr, r.Process, w, batch, timeout)
}
