package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/servers"
)

// soak starts a source and a server and lets sessions, clients and the sampler work.
func soak(ctx context.Context, o options) (r result, err error) {
	dir, err := os.MkdirTemp("", "towpath-soak-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	db, err := servers.Start(ctx, servers.Options{Kind: o.kind, Dir: filepath.Join(dir, "db"), Extra: []string{"max_binlog_size=64M"}})
	if err != nil {
		return r, err
	}
	defer db.Kill()
	if err := db.Exec(ctx, "CREATE DATABASE "+schema, "FLUSH BINARY LOGS"); err != nil {
		return r, err
	}
	status, err := db.Query(ctx, "SHOW MASTER STATUS")
	if err != nil {
		return r, err
	}
	port, err := servers.FreePort()
	if err != nil {
		return r, err
	}
	var destinations []subject.Destination
	for i := range o.destinations {
		destinations = append(destinations, subject.Destination{Name: "soak" + strconv.Itoa(i), Source: db.Addr(), File: status[0][0]})
	}
	server := subject.Towpath{Program: o.program, Properties: []string{"canal.metrics.pull.port = " + strconv.Itoa(port)}}
	running, err := server.Start(ctx, filepath.Join(dir, "towpath"), destinations...)
	if err != nil {
		return r, err
	}
	defer running.Stop()
	t := &tank{options: o, db: db, running: running, load: &load{ahead: o.ahead, clients: make([]clientState, o.destinations)}}
	t.sampler = sampler{process: running.Process, metrics: "http://127.0.0.1:" + strconv.Itoa(port) + "/"}
	if err := t.sampler.await(ctx); err != nil {
		return r, err
	}
	return t.run(ctx)
}

// tank is a soak that is set up.
type tank struct {
	options
	db      *servers.Server
	running *subject.Running
	load    *load
	sampler sampler
}

// run has sessions work for as long as they shall, and waits until clients have
// everything. The first error ends all of it.
func (t *tank) run(ctx context.Context) (r result, err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	load, endLoad := context.WithTimeout(ctx, t.duration)
	defer endLoad()
	begin := time.Now()
	t.sampler.begin = begin
	var all sync.WaitGroup

	counts := make([]int64, t.sessions)
	written := make(chan struct{}) // closed when counts are final
	var sessions sync.WaitGroup
	for s := range t.sessions {
		sessions.Go(func() {
			n, err := write(load, t.db, t.load, t.seed, s)
			counts[s] = n
			if err != nil {
				fail(fmt.Errorf("session %d: %w", s, err))
			}
		})
	}
	all.Go(func() {
		sessions.Wait()
		close(written)
		if sleep(ctx, t.drain) {
			fail(fmt.Errorf("changes are missing %s after the load", t.drain))
		}
	})
	readers := t.readers()
	var clients sync.WaitGroup
	for _, c := range readers {
		clients.Go(func() {
			if err := c.run(ctx, load, func() []int64 { <-written; return counts }); err != nil {
				fail(fmt.Errorf("client of %s: %w", c.destination, err))
			}
		})
	}
	all.Go(func() {
		if err := purge(load, t.db, t.load); err != nil {
			fail(fmt.Errorf("purge binlog: %w", err))
		}
	})
	samples, err := t.sampler.run(load, t.interval)
	if err != nil {
		fail(err)
	}
	r.took = time.Since(begin)
	clients.Wait()
	r.drained = time.Since(begin) - r.took
	err = context.Cause(ctx)
	fail(nil)
	all.Wait()
	if err != nil {
		return r, err
	}
	r.seed, r.sessions, r.clients, r.samples = t.seed, t.sessions, t.destinations, samples
	r.bytes, r.waited = t.load.written.Load(), time.Duration(t.load.waited.Load())
	return r, t.total(&r, counts, readers)
}

// readers are the clients, one for each destination.
func (t *tank) readers() (all []*reader) {
	for i := range t.destinations {
		all = append(all, &reader{
			destination: "soak" + strconv.Itoa(i), addr: t.running.Addr, r: rand.New(rand.NewPCG(t.seed, 2<<32+uint64(i))),
			check: newChecker(t.seed, t.sessions), state: &t.load.clients[i], done: make(map[string]int),
		})
	}
	return all
}

// total adds up what sessions and clients have done.
func (t *tank) total(r *result, counts []int64, readers []*reader) (err error) {
	for _, n := range counts {
		r.changes += n
	}
	r.done = make(map[string]int)
	for _, c := range readers {
		r.taken += c.check.taken
		r.again += c.check.again
		for name, n := range c.done {
			r.done[name] += n
		}
	}
	r.defined = readers[0].check.defined
	r.peak, err = t.running.Process.Peak()
	return err
}
