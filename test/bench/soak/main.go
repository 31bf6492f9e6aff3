// Command soak has Towpath work at full speed for an hour, and looks whether it needs
// more and more of anything. Sessions change rows of all sizes, and tables, as fast as
// the source lets them; each of several destinations has a client that pauses, gives
// batches back, disconnects in all manners, lags behind and catches up. Every row
// carries the number of its change: a client that misses one, or gets it out of order,
// ends the soak. Memory, goroutines and file descriptors of the server are sampled, and
// a line fitted to the second half of the run must not rise by more than it may.
//
// A seed decides what sessions and clients do, and not the moments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
	"github.com/towpath-cdc/towpath/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	program      string
	duration     time.Duration
	drain        time.Duration
	interval     time.Duration
	sessions     int
	destinations int
	ahead        int64 // bytes
	seed         uint64
	kind         servers.Kind
}

func run(ctx context.Context) error {
	var o options
	var b bounds
	program := flag.String("towpath", "bin/towpath", "the `program` to soak")
	flag.DurationVar(&o.duration, "duration", time.Hour, "for how long there is load")
	flag.DurationVar(&o.drain, "drain", 10*time.Minute, "how long clients may need then for what is left")
	flag.DurationVar(&o.interval, "interval", 5*time.Second, "between two samples")
	flag.IntVar(&o.sessions, "sessions", 4, "sessions that change rows")
	flag.IntVar(&o.destinations, "destinations", 3, "destinations, each with a client")
	ahead := flag.Int64("ahead", 1024, "`MiB` that sessions may be ahead of the slowest client")
	flag.Uint64Var(&o.seed, "seed", 1, "`number` that decides what sessions and clients do")
	kind := flag.String("server", string(servers.MySQL80), "database server to read from")
	flag.Float64Var(&b.rss, "max-rss-rise", 16, "`MB` by which RSS may rise over the run, by its second half")
	flag.Float64Var(&b.goroutines, "max-goroutine-rise", 5, "by how many goroutines, or file descriptors, it may")
	out := flag.String("out", "", "`file` whose part between the soak markers is replaced by the result")
	plots := flag.String("plots", "", "`folder` for the plot of the run, soak.svg, which the result shows")
	flag.Parse()
	if o.sessions < 1 || o.destinations < 1 || o.interval <= 0 || o.duration < 4*o.interval {
		return errors.New("there must be a session, a destination, and four samples")
	}
	o.ahead, o.kind = *ahead<<20, servers.Kind(*kind)
	var err error
	if o.program, err = filepath.Abs(*program); err != nil {
		return err
	}
	r, err := soak(ctx, o)
	if err != nil {
		return fmt.Errorf("seed %d: %w", o.seed, err)
	}
	text := report(r, b)
	if *plots != "" {
		if err := os.MkdirAll(*plots, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*plots, "soak.svg"), chart(r).SVG(), 0o644); err != nil {
			return err
		}
		text += "\n![RSS, heap, goroutines and file descriptors over the run](plots/soak.svg)\n"
	}
	fmt.Println(text)
	if faults := judge(r.samples, b, r.took); len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	if *out != "" {
		return document.Replace(*out, "soak", text)
	}
	return nil
}
