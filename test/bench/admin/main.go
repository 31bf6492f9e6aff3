// Command admin measures what it costs the admin to have 50 servers and 1000
// instances: the time that the lists of instances take, the CPU time of the process
// at rest, while servers poll it as Towpath's and as Canal's do, and while a page is
// open, its memory, and how long a changed text takes to the servers. The admin is a
// real one on SQLite; the servers are simulated, some of them dead.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/polling"
	"github.com/towpath-cdc/towpath/test/bench/document"
)

// interval is Canal's default of canal.auto.scan.interval.
const interval = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench admin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	program := flag.String("towpath", "bin/towpath", "the `program` to measure")
	count := flag.Int("servers", 50, "servers")
	instances := flag.Int("instances", 1000, "instances")
	dead := flag.Int("dead", 5, "servers that do not answer")
	period := flag.Duration("for", 30*time.Second, "how long each figure is measured")
	soak := flag.Duration("soak", 3*time.Minute, "how long the memory is watched with a page open")
	out := flag.String("out", "", "`file` whose part between the admin markers is replaced by the result")
	flag.Parse()

	path, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	var results []result
	for _, clusters := range []int{10, 1} {
		l := layout{clusters: clusters, servers: *count, instances: *instances, dead: *dead}
		r, err := measure(ctx, path, l, *period, *soak)
		if err != nil {
			return fmt.Errorf("%v: %w", l, err)
		}
		results = append(results, r)
		*soak = 0 // once is enough
	}
	text := report(results, *period)
	fmt.Println(text)
	if *out != "" {
		return document.Replace(*out, "admin", text)
	}
	return nil
}

// measure does everything with one layout.
func measure(ctx context.Context, program string, l layout, period, soak time.Duration) (r result, err error) {
	dir, err := os.MkdirTemp("", "towpath-bench-admin-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	w, err := begin(ctx, program, dir, l)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	ports, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	failures := make([]error, len(w.nodes))
	for i, n := range w.nodes {
		wg.Go(func() { failures[i] = n.serve(ports) })
	}
	defer func() {
		end()
		wg.Wait()
		err = errors.Join(err, errors.Join(failures...))
	}()
	r.layout = l
	sleep(ctx, interval)
	return r, w.measure(ctx, &r, period, soak)
}

// measure fills a result, one figure after the other.
func (w *world) measure(ctx context.Context, r *result, period, soak time.Duration) error {
	var err error
	note := func(what string) { fmt.Fprintf(os.Stderr, "%v: %s\n", r.layout, what) }
	note("at rest")
	if r.rest, err = w.phase(ctx, period); err != nil {
		return err
	}
	for _, kind := range []struct {
		name string
		into *phases
		ask  func(context.Context, *node, *polling.Client)
	}{{"Towpath", &r.towpath, asTowpath}, {"Canal", &r.canal, asCanal}} {
		note("polled as by " + kind.name)
		if err := w.polled(ctx, kind.into, period, kind.ask); err != nil {
			return fmt.Errorf("polled as by %s: %w", kind.name, err)
		}
	}
	if soak > 0 {
		note("memory")
		return w.soak(ctx, r, soak)
	}
	return nil
}

// polled measures while all servers ask, without and with a page open.
func (w *world) polled(ctx context.Context, p *phases, period time.Duration, ask func(context.Context, *node, *polling.Client)) error {
	asking, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pollers(asking, w.nodes, w.url, ask)
	}()
	defer func() {
		end()
		<-ended
	}()
	err := w.settle(ctx)
	if err != nil {
		return err
	}
	if p.polls, err = w.phase(ctx, period); err != nil {
		return err
	}
	if p.change, err = w.change(ctx); err != nil {
		return err
	}
	return w.watched(ctx, func() error {
		if p.watched, err = w.phase(ctx, period); err != nil {
			return err
		}
		p.lists, err = w.lists(ctx, period)
		return err
	})
}

// settle waits until each server has asked for all texts and once more.
func (w *world) settle(ctx context.Context) error {
	begun := make(map[*node]int64)
	for _, n := range w.nodes {
		begun[n] = n.rounds.Load()
	}
	for deadline := time.Now().Add(maxChange); ; {
		late := 0
		for n, rounds := range begun {
			if n.rounds.Load() < rounds+2 {
				late++
			}
		}
		switch {
		case late == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("after %v %d servers have not asked twice", maxChange, late)
		case !sleep(ctx, 100*time.Millisecond):
			return context.Cause(ctx)
		}
	}
}

// watched does something while a page is open.
func (w *world) watched(ctx context.Context, do func() error) error {
	open, end := context.WithCancel(ctx)
	events, ended := 0, make(chan error, 1)
	go func() { ended <- w.watch(open, &events) }()
	err := do()
	end()
	err = errors.Join(err, <-ended)
	if err == nil && events == 0 {
		err = errors.New("the stream sent nothing")
	}
	return err
}
