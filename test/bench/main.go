// Command bench measures Towpath beside Java Canal: both read the same binlogs
// of a real MySQL on this machine, run by run in turn, each with its default
// configuration and one client that takes everything and acks: our own, and the
// unmodified Java client. It also measures what merely receiving the binlog costs,
// with the program in the folder floor.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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

// options are what the command line says.
type options struct {
	towpath      string
	rows         int
	transactions int
	runs         int
	batch        int
	largeBatch   int
	rounds       int
	timeout      time.Duration
	server       string
	java         bool
	javaClient   bool
	profile      string
	out          string
}

func parse() (o options) {
	flag.StringVar(&o.towpath, "towpath", "bin/towpath", "the `program` to measure")
	flag.IntVar(&o.rows, "rows", 1_000_000, "row changes of the bulk binlog")
	flag.IntVar(&o.transactions, "transactions", 100_000, "transactions of the OLTP binlog")
	flag.IntVar(&o.runs, "runs", 5, "runs of each server in each way on each binlog; medians are shown")
	flag.IntVar(&o.batch, "batch", 1000, "size of a get")
	flag.IntVar(&o.largeBatch, "large-batch", 10_000, "size of a get where a larger one is compared; 0 leaves that out")
	flag.IntVar(&o.rounds, "rounds", 300, "batches of the smallest size that clients take to tell what a round costs; 0 leaves that out")
	flag.DurationVar(&o.timeout, "timeout", 100*time.Millisecond, "timeout of a get")
	flag.StringVar(&o.server, "server", string(servers.MySQL80), "database `server` to read from")
	flag.BoolVar(&o.java, "java", true, "measure Java Canal too")
	flag.BoolVar(&o.javaClient, "java-client", true, "measure with the Java client too")
	flag.StringVar(&o.profile, "profile", "", "`folder` for a CPU profile of each run of Towpath")
	flag.StringVar(&o.out, "out", "", "`file` whose parts between the bench and the rounds markers are replaced by the result")
	flag.Parse()
	return o
}

func run(ctx context.Context) error {
	o := parse()
	dir, err := os.MkdirTemp("", "towpath-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{options: o, dir: dir}
	if b.floor, err = buildFloor(ctx, dir); err != nil {
		return err
	}
	db, err := servers.Start(ctx, servers.Options{Kind: servers.Kind(o.server), Dir: filepath.Join(dir, "db")})
	if err != nil {
		return err
	}
	defer db.Kill()
	b.db = db
	fmt.Fprintf(os.Stderr, "writing the binlogs: %d rows in bulk, %d transactions\n", o.rows, o.transactions)
	stretches, err := workload.Load(ctx, db, o.rows, o.transactions)
	if err != nil {
		return err
	}
	program, err := filepath.Abs(o.towpath)
	if err != nil {
		return err
	}
	b.subjects = []subject.Subject{&subject.Towpath{Program: program}}
	if o.java {
		b.subjects = append(b.subjects, &subject.Java{})
	}
	results, err := b.measure(ctx, stretches)
	if err != nil {
		return err
	}
	text, rounds := report(results, &o), reportRounds(results, &o)
	fmt.Println(text + "\n" + rounds)
	if o.out == "" {
		return nil
	}
	if err := document.Replace(o.out, "bench", text); err != nil || rounds == "" {
		return err
	}
	return document.Replace(o.out, "rounds", rounds)
}

// buildFloor builds the program that reads a binlog and does nothing with it.
func buildFloor(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "floor")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/towpath-cdc/towpath/test/bench/floor").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the floor: %w\n%s", err, out)
	}
	return program, nil
}
