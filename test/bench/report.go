package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/workload"
)

// result are the medians of each subject on a stretch, ours first.
type result struct {
	stretch workload.Stretch
	figures []figures
}

// median takes each figure's own median.
func median(all []figures) figures {
	f := all[0]
	f.wall = middle(all, func(f figures) time.Duration { return f.wall })
	f.cpu = middle(all, func(f figures) time.Duration { return f.cpu })
	f.peakMemory = middle(all, func(f figures) int64 { return f.peakMemory })
	return f
}

func middle[T ~int64](all []figures, of func(figures) T) T {
	v := make([]T, len(all))
	for i, f := range all {
		v[i] = of(f)
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// report is the result as a table.
func report(results []result, batch int, timeout time.Duration, runs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs; batch %d, timeout %s; medians of %d runs\n\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), batch, timeout, runs)
	b.WriteString("| binlog | | rows/s | binlog MB/s | CPU s | rows per CPU s | peak RSS MB |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		for i, f := range r.figures {
			name := "Towpath"
			if i > 0 {
				name = "Java Canal"
			}
			fmt.Fprintf(&b, "| %s: %d rows, %d MB | %s | %.0f | %.1f | %.2f | %.0f | %d |\n", r.stretch.Name, f.rows, r.stretch.Bytes>>20, name,
				float64(f.rows)/f.wall.Seconds(), float64(r.stretch.Bytes)/1e6/f.wall.Seconds(), f.cpu.Seconds(), float64(f.rows)/f.cpu.Seconds(), f.peakMemory>>20)
		}
		if len(r.figures) == 2 {
			ours, theirs := r.figures[0], r.figures[1]
			fmt.Fprintf(&b, "| | **ratio** | **%.1f** | | | **%.1f** | **1/%.1f** |\n", theirs.wall.Seconds()/ours.wall.Seconds(),
				theirs.cpu.Seconds()/ours.cpu.Seconds(), float64(theirs.peakMemory)/float64(ours.peakMemory))
		}
	}
	return b.String()
}
