package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == consumeCommand {
		return consume(ctx, args[1], args[2])
	}
	o := options{out: os.Stdout}
	f := flag.NewFlagSet("chaos", flag.ExitOnError)
	f.Uint64Var(&o.seed, "seed", 0, "of the choice of faults; 0 picks one, which is printed")
	f.IntVar(&o.faults, "faults", 220, "how many faults are made")
	f.DurationVar(&o.duration, "duration", 30*time.Minute, "the time over which they are spread")
	f.StringVar(&o.dir, "dir", "", "`folder`, which must not exist, for all files; by default one is made")
	f.BoolVar(&o.keep, "keep", false, "keep the files even when all is well")
	again := f.String("verify", "", "only verify the files in this `folder` once more")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *again != "" {
		e, err := loadEvidence(*again)
		if err != nil {
			return err
		}
		fmt.Println(summary(e))
		return violations(verify(e))
	}
	var err error
	if o.root, err = filepath.Abs("."); err != nil {
		return err
	}
	if o, err = o.prepare(); err != nil {
		return err
	}
	return runCampaign(ctx, o)
}

// prepare picks what was not chosen.
func (o options) prepare() (options, error) {
	for o.seed == 0 {
		o.seed = rand.Uint64()
	}
	var err error
	if o.dir == "" {
		o.dir, err = os.MkdirTemp("", "towpath-chaos-")
	} else if o.dir, err = filepath.Abs(o.dir); err == nil {
		err = os.Mkdir(o.dir, 0o755)
	}
	return o, err
}
