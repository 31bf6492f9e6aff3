// Command latency measures how long a committed row takes to a client of Towpath
// and of Java Canal, one after the other, while rows are committed at a steady
// rate to a real MySQL on this machine.
//
// The load is an open loop: each commit has its planned time and is not put off
// because an earlier one was slow, and the time that one has to wait for its turn
// counts. So a pause of anything shows in all rows that it held up.
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
	"github.com/towpath-cdc/towpath/test/bench/statistics"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	towpath  string
	rate     int
	sessions int
	duration time.Duration
	warmUp   time.Duration
	batch    int
	timeout  time.Duration
	java     bool
	out      string
	plots    string
}

func parse() (*options, error) {
	o := new(options)
	flag.StringVar(&o.towpath, "towpath", "bin/towpath", "the `program` to measure")
	flag.IntVar(&o.rate, "rate", 2000, "transactions a second, of one row each")
	flag.IntVar(&o.sessions, "sessions", 8, "sessions that share them")
	flag.DurationVar(&o.duration, "duration", 30*time.Second, "for how long latencies count")
	flag.DurationVar(&o.warmUp, "warm-up", 5*time.Second, "for how long there is load before")
	flag.IntVar(&o.batch, "batch", 1000, "size of a get of a client that waits for full batches")
	flag.DurationVar(&o.timeout, "timeout", 100*time.Millisecond, "timeout of a get")
	flag.BoolVar(&o.java, "java", true, "measure Java Canal too")
	flag.StringVar(&o.out, "out", "", "`file` whose part between the latency markers is replaced by the result")
	flag.StringVar(&o.plots, "plots", "", "`folder` for the plot of latencies, latency.svg, which the result shows")
	flag.Parse()
	if o.rate <= 0 || o.sessions <= 0 || o.duration <= 0 || o.warmUp < 0 {
		return nil, fmt.Errorf("a load of %d a second over %d sessions for %s after %s is none", o.rate, o.sessions, o.duration, o.warmUp)
	}
	return o, nil
}

func run(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "towpath-latency-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := servers.Start(ctx, servers.Options{Kind: servers.MySQL80, Dir: filepath.Join(dir, "db")})
	if err != nil {
		return err
	}
	defer db.Kill()
	if err := makeTable(ctx, db); err != nil {
		return err
	}
	settings, err := durability(ctx, db)
	if err != nil {
		return err
	}
	results, err := o.measureAll(ctx, db, dir)
	if err != nil {
		return err
	}
	return o.publish(results, settings)
}

// measureAll measures each server in turn with each manner of asking.
func (o *options) measureAll(ctx context.Context, db *servers.Server, dir string) ([]result, error) {
	program, err := filepath.Abs(o.towpath)
	if err != nil {
		return nil, err
	}
	var results []result
	for i, m := range o.manners() {
		for _, s := range o.subjects(program, m) {
			r, err := o.measure(ctx, s, db, m, filepath.Join(dir, fmt.Sprintf("%s-%d", strings.Fields(s.Name())[0], i)))
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", s.Name(), m.what, err)
			}
			fmt.Fprintf(os.Stderr, "%-10s %s: p50 %s, p99 %s from the return of COMMIT\n", r.subject, m.what, statistics.Percentile(r.returned, 0.5), statistics.Percentile(r.returned, 0.99))
			results = append(results, r)
		}
	}
	return results, nil
}

// subjects are the servers to measure with a manner of asking.
func (o *options) subjects(program string, m manner) []subject.Subject {
	switch {
	case m.linger != "":
		return []subject.Subject{&subject.Towpath{Program: program, Instance: []string{"towpath.instance.get.linger = " + m.linger}}}
	case o.java:
		return []subject.Subject{&subject.Towpath{Program: program}, &subject.Java{}}
	}
	return []subject.Subject{&subject.Towpath{Program: program}}
}

// publish prints the result, and writes it where the options say.
func (o *options) publish(results []result, settings string) error {
	text := report(results, o, settings)
	if o.plots != "" {
		if err := os.MkdirAll(o.plots, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(o.plots, "latency.svg"), chart(results).SVG(), 0o644); err != nil {
			return err
		}
		text += "\n![Latency by how many rows exceed it](plots/latency.svg)\n"
	}
	fmt.Println(text)
	if o.out == "" {
		return nil
	}
	return document.Replace(o.out, "latency", text)
}

// durability is what MySQL does before a COMMIT returns, as its settings say.
func durability(ctx context.Context, db *servers.Server) (string, error) {
	rows, err := db.Query(ctx, "SELECT CONCAT('sync_binlog=', @@sync_binlog, ', innodb_flush_log_at_trx_commit=', @@innodb_flush_log_at_trx_commit)")
	if err != nil {
		return "", err
	}
	return rows[0][0], nil
}
