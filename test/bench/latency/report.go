package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/plot"
	"github.com/towpath-cdc/towpath/test/bench/statistics"
)

// shown are the percentiles of the table.
var shown = []struct {
	name string
	part float64
}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}}

// report is the result as tables. settings are the database server's.
func report(results []result, o *options, settings string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs; %d transactions a second of one row each over %d sessions, for %s after %s; gets with a timeout of %s; MySQL 8.0 with %s\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rate, o.sessions, o.duration, o.warmUp, o.timeout, settings)
	b.WriteString("| client asks for | time from | server |")
	for _, p := range shown {
		fmt.Fprintf(&b, " %s, ms |", p.name)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("--:|", len(shown)) + "\n")
	for _, r := range results {
		writeTimes(&b, fmt.Sprintf("| %s | return of COMMIT | %s |", r.manner.what, r.subject), r.returned)
	}
	for _, r := range results {
		writeTimes(&b, fmt.Sprintf("| %s | planned COMMIT | %s |", r.manner.what, r.subject), r.planned)
	}
	b.WriteString("\n| client asks for | server | CPU of the server, % of a core | gets a second | rows faster than the return of COMMIT, % | COMMIT itself, from its planned time: p50, ms | p99, ms | max, ms |\n" +
		"|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.0f | %.1f | %.2f | %.2f | %.2f |\n", r.manner.what, r.subject, 100*r.cpu, r.gets,
			100*float64(below(r.returned))/float64(len(r.returned)), ms(statistics.Percentile(r.late, 0.5)), ms(statistics.Percentile(r.late, 0.99)), ms(statistics.Percentile(r.late, 1)))
	}
	return b.String()
}

// writeTimes is a line of the table. A row that was faster than what its time is
// counted from took no time.
func writeTimes(b *strings.Builder, head string, sorted []time.Duration) {
	b.WriteString(head)
	for _, p := range shown {
		fmt.Fprintf(b, " %.2f |", ms(max(0, statistics.Percentile(sorted, p.part))))
	}
	b.WriteString("\n")
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// chart draws the times from the planned commits, the median at the left and the
// longest at the right.
func chart(results []result) *plot.Chart {
	c := &plot.Chart{Title: "From the planned COMMIT to the row at the client", XLabel: "one row in … takes this long or longer", YLabel: "ms", LogX: true, LogY: true}
	for _, r := range results {
		c.Series = append(c.Series, plot.Series{Name: r.subject + ", " + r.manner.what, Points: curve(r.planned)})
	}
	return c
}

// curve has, for growing n, the time that one row in n takes or exceeds.
func curve(sorted []time.Duration) (points []plot.Point) {
	const least, factor = 2, 1.5
	most := float64(len(sorted))
	for n := float64(least); n < most; n *= factor {
		points = append(points, plot.Point{X: n, Y: ms(statistics.Percentile(sorted, 1-1/n))})
	}
	return append(points, plot.Point{X: most, Y: ms(statistics.Percentile(sorted, 1))})
}
