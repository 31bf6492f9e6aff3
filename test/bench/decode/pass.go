package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// passCommand as the first argument has the program decode once and print figures.
const passCommand = "pass"

// pass is one run of ours: a kind of decoder, a file, and what else it needs.
func pass(ctx context.Context, args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: %s KIND FILE ARGUMENTS", passCommand)
	}
	var f figures
	var err error
	if args[0] == "pipeline" {
		f, err = passPipeline(ctx, args[1], args[2])
	} else {
		f, err = passClient(args[0], args[1], args[2:])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// clocked measures what decode takes.
func clocked(f *figures, decode func() error) error {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, err := processTime()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := decode(); err != nil {
		return err
	}
	f.Wall = time.Since(start)
	end, err := processTime()
	if err != nil {
		return err
	}
	f.CPU = end - cpu
	runtime.ReadMemStats(&after)
	f.Allocations = int64(after.Mallocs - before.Mallocs)
	return nil
}

// processTime is the CPU time of this process so far.
func processTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
