package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	o := options{out: os.Stdout}
	f := flag.NewFlagSet("replay", flag.ExitOnError)
	seed := f.Uint64("seed", 0, "of the first schedule; the others have those behind it; 0 picks one")
	n := f.Int("schedules", len(settings), "how many are run")
	only := f.String("only", "", "run only schedules whose line has this `text`, such as mysql57 or cluster")
	f.IntVar(&o.steps, "steps", 150, "of each of the sessions that make statements")
	f.StringVar(&o.program, "program", "", "the towpath `file` that is tried, in place of one that is built")
	f.BoolVar(&o.calm, "calm", false, "without faults")
	f.StringVar(&o.dir, "dir", "", "`folder` for all files; by default one is made")
	f.BoolVar(&o.keep, "keep", false, "keep the files even when all is well")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *seed == 0 {
		*seed = rand.Uint64N(1 << 32)
	}
	if o, err = o.prepare(ctx); err != nil {
		return err
	}
	failed := runAll(ctx, o, *seed, *n, *only)
	if len(failed) == 0 {
		return os.RemoveAll(o.dir)
	}
	return fmt.Errorf("%d of %d schedules failed:\n%w", len(failed), *n, errors.Join(failed...))
}

// runAll runs schedules one after the other, also after one that failed.
func runAll(ctx context.Context, o options, seed uint64, n int, only string) (failed []error) {
	for ; n > 0 && ctx.Err() == nil; seed++ {
		s := scheduleOf(seed)
		if !strings.Contains(s.String(), only) {
			continue
		}
		n--
		if err := runSchedule(ctx, o, s); err != nil {
			fmt.Fprintf(o.out, "  FAILED: %v\n", err)
			failed = append(failed, errors.New(s.String()))
		}
	}
	return failed
}

// prepare makes the folder and builds the program.
func (o options) prepare(ctx context.Context) (options, error) {
	var err error
	if o.root == "" {
		o.root = "."
	}
	if o.root, err = filepath.Abs(o.root); err != nil {
		return o, err
	}
	if o.dir == "" {
		o.dir, err = os.MkdirTemp("", "towpath-replay-")
	} else if o.dir, err = filepath.Abs(o.dir); err == nil {
		err = os.MkdirAll(o.dir, 0o755)
	}
	if err != nil {
		return o, err
	}
	if o.program != "" {
		o.program, err = filepath.Abs(o.program)
		return o, err
	}
	o.program = filepath.Join(o.dir, "towpath")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", o.program, "./cmd/towpath")
	cmd.Dir, cmd.Env = o.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return o, fmt.Errorf("build towpath: %w\n%s", err, out)
	}
	return o, nil
}
