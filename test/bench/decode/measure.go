package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// figures are what one run took. Every program prints them as one line of JSON.
type figures struct {
	Version     string        // of the library, "" for ours
	Rows        int64         // row changes
	Columns     int64         // clients that read them: before and after the changes
	Text        int64         // characters of their names and values
	Wall, CPU   time.Duration // nanoseconds
	Allocations int64         // -1 where they are not counted
}

// contender is a program that decodes.
type contender struct {
	name string
	// command is what runs it on an input. Its environment is that of one core.
	command func(ctx context.Context, in input, o options) ([]string, error)
}

// decoders turn binlog events into what their users get, ours first.
var decoders = []contender{
	{"Towpath", func(_ context.Context, in input, _ options) ([]string, error) {
		return self("pipeline", in.binlog, in.tables)
	}},
	{"go-mysql", func(ctx context.Context, in input, _ options) ([]string, error) {
		dir, err := peers.Build(ctx, peers.GoMySQL)
		return peers.GoMySQL.Command(dir, nil, "--file", in.binlog), err
	}},
}

// clients take batches apart, ours first. The last one does not read the rows.
var clients = []contender{
	{"Towpath's client, strings", ourClient(asStrings)},
	{"Towpath's client, in place", ourClient(inPlace)},
	{"canal-go", func(ctx context.Context, in input, o options) ([]string, error) {
		dir, err := peers.Build(ctx, peers.GoClient)
		return peers.GoClient.Command(dir, nil, "--decode", in.batches, "--warm", o.warm.String(), "--span", o.span.String()), err
	}},
	{"Canal's Java client", func(ctx context.Context, in input, o options) ([]string, error) {
		dir, err := peers.Build(ctx, peers.JavaClient)
		return peers.JavaClass(dir, []string{"-Xmx3g", "-XX:ActiveProcessorCount=1"}, "peers.Decode",
			in.batches, fmt.Sprint(o.warm.Milliseconds()), fmt.Sprint(o.span.Milliseconds())), err
	}},
	{headersOnly, ourClient(headerOnly)},
}

const headersOnly = "Towpath's client, headers only"

func ourClient(how string) func(context.Context, input, options) ([]string, error) {
	return func(_ context.Context, in input, o options) ([]string, error) {
		return self(how, in.batches, o.warm.String(), o.span.String())
	}
}

// self is the command that runs a pass of this program.
func self(args ...string) ([]string, error) {
	program, err := os.Executable()
	return append([]string{program, passCommand}, args...), err
}

// result are the runs of contenders on an input.
type result struct {
	workload.Stretch
	contenders []contender
	runs       [][]figures // by contender
}

// measure runs the contenders in turns on each input.
func measure(ctx context.Context, inputs []input, all []contender, o options) ([]result, error) {
	var results []result
	for _, in := range inputs {
		r := result{Stretch: in.Stretch, contenders: all, runs: make([][]figures, len(all))}
		for range o.runs {
			for i, c := range all {
				f, err := once(ctx, c, in, o)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", c.name, in.Name, err)
				}
				fmt.Fprintf(os.Stderr, "%-30s %-5s %8d rows, %.2f s, %.2f CPU s\n", c.name, in.Name, f.Rows, f.Wall.Seconds(), f.CPU.Seconds())
				r.runs[i] = append(r.runs[i], f)
			}
		}
		if err := r.check(); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// once is one run.
func once(ctx context.Context, c contender, in input, o options) (f figures, err error) {
	line, err := c.command(ctx, in, o)
	if err != nil {
		return f, err
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := servers.StartProcess(cmd); err != nil {
		return f, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer stop()
	if err := cmd.Wait(); err != nil {
		return f, fmt.Errorf("%w\n%s", err, errs.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		return f, fmt.Errorf("figures: %w", err)
	}
	if f.Rows <= 0 || f.Wall <= 0 {
		return f, fmt.Errorf("figures without rows: %s", out.Bytes())
	}
	return f, nil
}
