package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/plot"
)

// report is the results as a table, and what they come to.
func report(results []result, s sizes) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs; batch %d, timeout %s; a fresh server for each line\n\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), batchSize, getTimeout)
	fmt.Fprintf(&b, "| case | | rows | s | peak RSS MB | RSS MB %s later |\n|---|---|--:|--:|--:|--:|\n", rest)
	for _, r := range results {
		for i, o := range r.outcomes {
			fmt.Fprintf(&b, "| %s | %s | %d | %.1f | %d | %d |\n", r.what, r.subjects[i], o.rows, o.wall.Seconds(), o.peak>>20, o.after>>20)
		}
		if len(r.outcomes) == 2 && r.outcomes[0].failure == "" {
			fmt.Fprintf(&b, "| | **ratio** | | | **1/%.1f** | |\n", float64(r.outcomes[1].peak)/float64(r.outcomes[0].peak))
		}
	}
	var notes []string
	for _, r := range results {
		for i, o := range r.outcomes {
			if o.failure != "" {
				notes = append(notes, fmt.Sprintf("%s, %s: **did not get through**, after %d rows: %s.", r.what, r.subjects[i], o.rows, strings.TrimSuffix(oneLine(o.failure), ".")))
			}
			if r.stalls && o.stallEnd > 0 {
				notes = append(notes, fmt.Sprintf("%s: %d MB once its store was full, %d MB when the client went on.", r.subjects[i], o.stallBegin>>20, o.stallEnd>>20))
			}
		}
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
	for _, n := range notes {
		b.WriteString("- " + n + "\n")
	}
	return b.String()
}

// oneLine is the beginning of a text that may have many lines.
func oneLine(s string) string {
	const most = 200
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// chart shows memory over the part of a run that is over: runs of different length
// beside each other.
func chart(results []result) *plot.Chart {
	c := &plot.Chart{Title: "Memory of the server, default configuration", XLabel: "part of the run, %", YLabel: "resident MB", LogY: true}
	for _, r := range results {
		for i, o := range r.outcomes {
			c.Series = append(c.Series, plot.Series{Name: r.subjects[i] + ": " + r.what, Points: points(o.curve)})
		}
	}
	return c
}

// plotPoints is how many points a curve is drawn with.
const plotPoints = 200

// points are a curve over its length in percent; each is the most memory of its
// stretch, so that no peak is lost.
func points(curve []sample) []plot.Point {
	if len(curve) == 0 {
		return nil
	}
	total := max(curve[len(curve)-1].at, 1)
	var all []plot.Point
	last := -1
	for _, s := range curve {
		n := int(plotPoints * s.at / (total + 1))
		mb := float64(s.bytes) / (1 << 20)
		if n != last {
			last = n
			all = append(all, plot.Point{X: 100 * float64(s.at) / float64(total), Y: mb})
			continue
		}
		all[len(all)-1].Y = max(all[len(all)-1].Y, mb)
	}
	return all
}
