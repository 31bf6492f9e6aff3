package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/plot"
)

// figure is something of the server that must not grow.
type figure struct {
	name  string
	of    func(s sample) float64
	bound func(b bounds) float64 // of its rise over the run; nil for none
}

var figures = []figure{
	{"RSS, MB", func(s sample) float64 { return float64(s.resident) / (1 << 20) }, func(b bounds) float64 { return b.rss }},
	{"Go heap, MB", func(s sample) float64 { return float64(s.heap) / (1 << 20) }, nil},
	{"goroutines", func(s sample) float64 { return float64(s.goroutines) }, func(b bounds) float64 { return b.goroutines }},
	{"file descriptors", func(s sample) float64 { return float64(s.descriptors) }, func(b bounds) float64 { return b.goroutines }},
}

// bounds are by how much figures may rise over the run, by a line fitted to its second
// half.
type bounds struct {
	rss        float64 // MB
	goroutines float64 // and file descriptors
}

// points are a figure over time.
func (f *figure) points(samples []sample) []point {
	all := make([]point, 0, len(samples))
	for _, s := range samples {
		all = append(all, point{s.at, f.of(s)})
	}
	return all
}

// half is the second half of the samples: what a server needs to warm up is in the
// first.
func half(samples []sample) []sample { return samples[len(samples)/2:] }

// judge says which figures rise by more than they may within d, for certain.
func judge(samples []sample, b bounds, d time.Duration) (faults []string) {
	for _, f := range figures {
		if f.bound == nil {
			continue
		}
		if t := rise(f.points(half(samples)), d); t.over(f.bound(b)) {
			faults = append(faults, fmt.Sprintf("%s: rises by %.1f ± %.1f over %s, which may be %.0f", f.name, t.by, t.give, d.Round(time.Second), f.bound(b)))
		}
	}
	return faults
}

// result is what a soak came to.
type result struct {
	seed     uint64
	took     time.Duration // of the load
	drained  time.Duration // that clients needed then for what was left
	sessions int
	clients  int
	changes  int64 // of all sessions
	bytes    int64 // of binlog, about
	taken    int64 // by all clients, each change once by each
	again    int64
	done     map[string]int // by clients
	defined  int64          // changes of definitions
	waited   time.Duration  // of all sessions for clients
	peak     int64          // bytes, since the start of the server
	samples  []sample
}

// report is the result as text and a table.
func report(r result, b bounds) string {
	var t strings.Builder
	seconds := r.took.Seconds()
	fmt.Fprintf(&t, "%s, %s/%s, %d CPUs; %s of load, seed %d; %d sessions, %d destinations\n\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		r.took.Round(time.Second), r.seed, r.sessions, r.clients)
	fmt.Fprintf(&t, "The sessions made %d changes, %d of them of definitions: %.0f a second, and about %.1f MB of binlog a second.", r.changes, r.defined, float64(r.changes)/seconds, float64(r.bytes)/1e6/seconds)
	fmt.Fprintf(&t, " The clients took each of them, %.0f a second together, and %d came again; the last one %s after the load. None was missing or out of order.", float64(r.taken)/seconds, r.again, r.drained.Round(100*time.Millisecond))
	fmt.Fprintf(&t, " Sessions waited for clients that lagged too far behind for %.0f %% of the time.\n\n", 100*r.waited.Seconds()/seconds/float64(r.sessions))
	t.WriteString("What clients did:")
	for i, name := range slices.Sorted(maps.Keys(r.done)) {
		if i > 0 {
			t.WriteString(",")
		}
		fmt.Fprintf(&t, " %s %d", name, r.done[name])
	}
	fmt.Fprintf(&t, ".\n\nRSS was %d MB at its most.\n\n", r.peak>>20)
	t.WriteString("| | first half: mean | second half: mean | most | rise over the run, by the second half | may be |\n|---|--:|--:|--:|--:|--:|\n")
	for _, f := range figures {
		first, second := f.points(r.samples[:len(r.samples)/2]), f.points(half(r.samples))
		may := ""
		if f.bound != nil {
			may = fmt.Sprintf("%.0f", f.bound(b))
		}
		up := rise(second, r.took)
		fmt.Fprintf(&t, "| %s | %.1f | %.1f | %.0f | %+.1f ± %.1f | %s |\n", f.name, mean(first), mean(second), most(slices.Concat(first, second)), up.by, up.give, may)
	}
	return t.String()
}

func mean(points []point) float64 {
	sum := 0.0
	for _, p := range points {
		sum += p.value
	}
	return sum / max(float64(len(points)), 1)
}

func most(points []point) (v float64) {
	for _, p := range points {
		v = max(v, p.value)
	}
	return v
}

// chart shows the figures over the run.
func chart(r result) *plot.Chart {
	c := &plot.Chart{Title: fmt.Sprintf("The server over %.0f minutes at full speed", r.took.Minutes()), XLabel: "minutes", YLabel: "MB, or number"}
	for _, f := range figures {
		s := plot.Series{Name: f.name}
		for _, p := range f.points(r.samples) {
			s.Points = append(s.Points, plot.Point{X: p.at.Minutes(), Y: p.value})
		}
		c.Series = append(c.Series, s)
	}
	return c
}
