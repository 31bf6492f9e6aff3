// Command memory measures how much memory Towpath takes beside Java Canal, each with
// its default configuration: at its most, and over time, while a client takes
// everything and acks, while a client stops in the middle and the source goes on,
// while one transaction is far larger than the memory may be, and while rows of 64 MiB
// pass. A server that does not get through is reported, not left out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

// sizes are those of the cases.
type sizes struct {
	rows        int           // of the bulk binlog
	batches     int           // that a client takes before it stops
	stall       time.Duration // for how long it stops
	transaction int64         // bytes of values in the large transaction
	row         int64         // bytes of the value of a large row
	bigRows     int           // large rows
	patience    time.Duration // after how long without a row a server is given up
}

func run(ctx context.Context) error {
	var s sizes
	const mib = 1 << 20
	binary := flag.String("towpath", "bin/towpath", "the `program` to measure")
	flag.IntVar(&s.rows, "rows", 1_000_000, "rows that the client that acks takes")
	flag.IntVar(&s.batches, "batches", 20, "batches that a client takes before it stops")
	flag.DurationVar(&s.stall, "stall", time.Minute, "for how long it stops")
	transaction := flag.Int64("transaction", 2048, "`MiB` of the large transaction, at most 4000: a binlog file has 4 GiB")
	row := flag.Int64("row", 64, "`MiB` of a large row")
	flag.IntVar(&s.bigRows, "big-rows", 10, "how many large rows there are")
	flag.DurationVar(&s.patience, "patience", 2*time.Minute, "after how long without a row a server is given up")
	only := flag.String("case", "", "the one `case` to measure: ack, stall, transaction or row")
	java := flag.Bool("java", true, "measure Java Canal too")
	out := flag.String("out", "", "`file` whose part between the memory markers is replaced by the result")
	plots := flag.String("plots", "", "`folder` for the plot of memory over time, memory.svg, which the result shows")
	flag.Parse()
	if *transaction > 4000 || *row < 1 || *transaction < 1 {
		return errors.New("the transaction must have 1 to 4000 MiB, and a row at least 1")
	}
	s.transaction, s.row = *transaction*mib, *row*mib

	dir, err := os.MkdirTemp("", "towpath-memory-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := servers.Start(ctx, servers.Options{Kind: servers.MySQL80, Dir: filepath.Join(dir, "db"), Extra: []string{"binlog_expire_logs_seconds=0"}})
	if err != nil {
		return err
	}
	defer db.Kill()
	program, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	subjects := []subject.Subject{&subject.Towpath{Program: program}}
	if *java {
		subjects = append(subjects, &subject.Java{})
	}
	results, err := measure(ctx, db, subjects, s, *only, dir)
	if err != nil {
		return err
	}
	text := report(results, s)
	if *plots != "" {
		if err := os.MkdirAll(*plots, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*plots, "memory.svg"), chart(results).SVG(), 0o644); err != nil {
			return err
		}
		text += "\n![Memory of the server over each run](plots/memory.svg)\n"
	}
	fmt.Println(text)
	if *out != "" {
		return document.Replace(*out, "memory", text)
	}
	return nil
}

// result is what the subjects took in a case, ours first.
type result struct {
	what     string
	stalls   bool
	subjects []string
	outcomes []outcome
}

// measure runs the cases, each with a server of its own for each subject.
func measure(ctx context.Context, db *servers.Server, subjects []subject.Subject, s sizes, only, dir string) ([]result, error) {
	if err := prepare(ctx, db); err != nil {
		return nil, err
	}
	var results []result
	for _, c := range cases {
		if only != "" && only != c.name {
			continue
		}
		stretch, err := c.write(ctx, db, s)
		if err != nil {
			return nil, fmt.Errorf("%s: write the binlog: %w", c.name, err)
		}
		r := result{what: c.what(s), stalls: c.stalls}
		for i, sub := range subjects {
			if c.stalls && i > 0 { // each subject has a source that goes on
				if stretch, err = c.write(ctx, db, s); err != nil {
					return nil, fmt.Errorf("%s: write the binlog: %w", c.name, err)
				}
			}
			t := trial{subject: sub, db: db, stretch: stretch, sizes: s, stalls: c.stalls, dir: filepath.Join(dir, fmt.Sprintf("%s-%d", c.name, i))}
			o, err := t.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.name, sub.Name(), err)
			}
			fmt.Fprintf(os.Stderr, "%-11s %-10s %d rows in %.1f s, peak %d MB, then %d MB %s\n", c.name, sub.Name(), o.rows, o.wall.Seconds(), o.peak>>20, o.after>>20, o.failure)
			r.subjects = append(r.subjects, sub.Name())
			r.outcomes = append(r.outcomes, o)
		}
		results = append(results, r)
		if err := db.Exec(ctx, "FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"); err != nil {
			return nil, err
		}
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("there is no case %q", only)
	}
	return results, nil
}
