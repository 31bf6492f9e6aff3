// Command compare runs the benchmarks of the paths that every row takes and compares
// them with a baseline in the repository, so that a change that makes one slower is
// noticed. It ends with status 1 when one is.
//
// Times of another machine mean nothing as they are. So each is divided by the time
// of a calibration that runs right before and after it: see calibration.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
)

// errSlower is returned when something is slower than the baseline allows.
var errSlower = errors.New("slower than the baseline, or allocating more, also when measured again")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	rounds := flag.Int("rounds", 5, "rounds over all benchmarks; medians count")
	benchtime := flag.Duration("benchtime", 100*time.Millisecond, "for how long a benchmark runs each time, which is three times in a round")
	tolerance := flag.Float64("tolerance", 0.25, "by how much slower than the baseline is too slow")
	file := flag.String("baseline", "test/bench/compare/baseline.json", "`file` with the baseline")
	update := flag.Bool("update", false, "write the baseline instead of comparing with it")
	out := flag.String("out", "", "`file` whose part between the compare markers is replaced by the result")
	flag.Parse()

	var base baseline
	var err error
	if !*update {
		if base, err = readBaseline(*file); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "towpath-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "building the benchmarks")
	suites, err := build(ctx, dir, hot)
	if err != nil {
		return err
	}
	m := measurer{cal: newCalibration(), benchtime: *benchtime}
	now, err := m.measure(ctx, suites, *rounds)
	if err != nil {
		return err
	}
	if *update {
		return writeBaseline(*file, baseline{
			Date: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Benchmarks: now,
		})
	}
	if names := slower(base.Benchmarks, now, *tolerance); len(names) > 0 {
		fmt.Fprintf(os.Stderr, "measuring again what seems slower: %v\n", names)
		again, err := m.measure(ctx, only(suites, names), *rounds)
		if err != nil {
			return err
		}
		now.improve(again)
	}
	text := report(base, now, *tolerance, *rounds)
	fmt.Print(text)
	if *out != "" {
		if err := document.Replace(*out, "compare", text); err != nil {
			return err
		}
	}
	if names := slower(base.Benchmarks, now, *tolerance); len(names) > 0 {
		return fmt.Errorf("%v: %w", names, errSlower)
	}
	return nil
}
