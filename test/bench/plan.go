package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/servers"
)

// way is how a server is measured.
type way struct {
	java   bool // the client is Java's, otherwise it is ours
	whole  bool // from the start of the server, otherwise from the first get with the server at rest
	batch  int  // size of a get
	rounds int  // batches to take; 0 for all up to the marker
}

// name is short, for logs and folders.
func (w way) name() string {
	name := "ours"
	if w.java {
		name = "java"
	}
	if w.whole {
		name += "-whole"
	}
	return fmt.Sprintf("%s-%d", name, w.batch)
}

// ways are what is measured with each server on a stretch.
func (o *options) ways(rounds bool) []way {
	all := []way{{batch: o.batch}, {batch: o.batch, whole: true}}
	if o.largeBatch > 0 {
		all = append(all, way{batch: o.largeBatch})
	}
	if rounds && o.rounds > 0 {
		all = append(all, way{batch: 1, rounds: o.rounds})
	}
	if !o.javaClient {
		return all
	}
	for _, w := range all {
		if !w.whole {
			w.java = true
			all = append(all, w)
		}
	}
	return all
}

// bench is everything that the runs share.
type bench struct {
	options
	dir      string
	db       *servers.Server
	subjects []subject.Subject // ours first
	floor    string            // program
}

// result is what was measured on a stretch.
type result struct {
	stretch workload.Stretch
	ways    []way
	runs    map[way][][]figures // by subject, then by run
	floor   []time.Duration     // CPU time of merely receiving the stretch, by run
}

// measure does all runs. Whatever disturbs the machine for a while should meet
// everything that is compared: servers take turns, and a run of everything comes
// before the next run of anything.
func (b *bench) measure(ctx context.Context, stretches []workload.Stretch) ([]result, error) {
	var results []result
	for i, s := range stretches {
		// What a round costs depends little on what is in it: one stretch tells.
		w := b.ways(i == 0)
		r := result{stretch: s, ways: w, runs: make(map[way][][]figures)}
		for _, w := range w {
			r.runs[w] = make([][]figures, len(b.subjects))
		}
		results = append(results, r)
	}
	for run := range b.runs {
		for i := range results {
			if err := b.round(ctx, &results[i], run); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// round is one run of everything on a stretch.
func (b *bench) round(ctx context.Context, r *result, run int) error {
	for _, w := range r.ways {
		for i, s := range b.subjects {
			f, err := b.once(ctx, s, r.stretch, w, run)
			if err != nil {
				return fmt.Errorf("%s, %s, %s: %w", s.Name(), r.stretch.Name, w.name(), err)
			}
			fmt.Fprintf(os.Stderr, "%d %-10s %-5s %-16s %d rows, %d gets, %.2f s, %.2f CPU s, peak %d MB\n",
				run, s.Name(), r.stretch.Name, w.name(), f.rows, f.gets, f.wall.Seconds(), f.cpu.Seconds(), f.peakMemory>>20)
			r.runs[w][i] = append(r.runs[w][i], f)
		}
	}
	cpu, err := b.receive(ctx, r.stretch)
	if err != nil {
		return fmt.Errorf("floor, %s: %w", r.stretch.Name, err)
	}
	fmt.Fprintf(os.Stderr, "%d %-10s %-5s %.3f CPU s\n", run, "floor", r.stretch.Name, cpu.Seconds())
	r.floor = append(r.floor, cpu)
	return nil
}

// once starts a server, lets a client take a stretch from it and stops it.
func (b *bench) once(ctx context.Context, s subject.Subject, stretch workload.Stretch, w way, run int) (figures, error) {
	name := fmt.Sprintf("%s-%s-%s-%d", strings.Fields(s.Name())[0], stretch.Name, w.name(), run)
	if t, ok := s.(*subject.Towpath); ok && b.profile != "" {
		t.CPUProfile = filepath.Join(b.profile, name+".pprof")
	}
	begin := time.Now()
	r, err := s.Start(ctx, filepath.Join(b.dir, name), subject.Destination{Name: destination, Source: b.db.Addr(), File: stretch.File})
	if err != nil {
		return figures{}, err
	}
	defer r.Stop()
	if !w.whole {
		if err := r.Settle(ctx); err != nil {
			return figures{}, err
		}
	}
	before, err := r.Process.CPU()
	if err != nil {
		return figures{}, err
	}
	consume := ours
	if w.java {
		consume = javas
	}
	f, err := consume(ctx, r.Addr, stretch.Marker, w, b.timeout)
	if err != nil {
		return f, err
	}
	if w.whole {
		f.wall, before = time.Since(begin), 0
	}
	after, err := r.Process.CPU()
	if err != nil {
		return f, err
	}
	f.cpu = after - before
	f.peakMemory, err = r.Process.Peak()
	return f, err
}
