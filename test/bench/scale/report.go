package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/test/bench/plot"
	"github.com/towpath-cdc/towpath/test/bench/statistics"
)

// median is that of a figure of the samples of a point.
func (p point) median(of func(sample) float64) float64 { return statistics.Median(p.samples, of) }

// The figures of a point that tables and charts show.
func rowsPerSecond(p point) float64 {
	return p.median(func(s sample) float64 { return float64(s.rows) / s.wall.Seconds() })
}

func serverCost(p point) float64 {
	return p.median(func(s sample) float64 { return s.server.Seconds() * 1e6 / float64(s.rows) })
}

func clientCost(p point) float64 {
	return p.median(func(s sample) float64 { return s.client.Seconds() * 1e6 / float64(s.rows) })
}

func sourceCost(p point) float64 {
	return p.median(func(s sample) float64 { return s.source.Seconds() * 1e6 / float64(s.rows) })
}

func readySeconds(p point) float64 {
	return p.median(func(s sample) float64 { return s.ready.Seconds() })
}

func startSeconds(p point) float64 {
	return p.median(func(s sample) float64 { return s.start.Seconds() })
}

func readyAgain(p point) float64 {
	return p.median(func(s sample) float64 { return s.readyAgain.Seconds() })
}

func startAgain(p point) float64 {
	return p.median(func(s sample) float64 { return s.startAgain.Seconds() })
}

func memoryMB(p point) float64 {
	return p.median(func(s sample) float64 { return float64(s.memory) / (1 << 20) })
}

func rowsDelivered(p point) float64 {
	return p.median(func(s sample) float64 { return float64(s.rows) })
}

// column is a column of a table.
type column struct {
	head, format string
	of           func(point) float64
}

func streamColumns() []column {
	return []column{
		{"rows", "%.0f", rowsDelivered},
		{"binlog MB", "%.0f", func(p point) float64 { return float64(p.bytes) / 1e6 }},
		{"rows/s", "%.0f", rowsPerSecond},
		{"server CPU µs per row", "%.2f", serverCost},
		{"client CPU µs per row", "%.2f", clientCost},
		{"MySQL CPU µs per row", "%.2f", sourceCost},
		{"s to the first row", "%.2f", readySeconds},
		{"peak RSS MB", "%.0f", memoryMB},
	}
}

// instanceColumns compare with one point, that of the fewest destinations.
func instanceColumns(one point) []column {
	return []column{
		{"rows", "%.0f", rowsDelivered},
		{"rows/s of all", "%.0f", rowsPerSecond},
		{fmt.Sprintf("times that of %d", one.x), "%.2f", func(p point) float64 { return rowsPerSecond(p) / rowsPerSecond(one) }},
		{"server CPU µs per row", "%.2f", serverCost},
		{"clients' CPU µs per row", "%.2f", clientCost},
		{"MySQL CPU µs per row", "%.2f", sourceCost},
		{"Jain's index", "%.3f", func(p point) float64 { return p.median(func(s sample) float64 { return s.shares.jain }) }},
		{"least share", "%.2f", func(p point) float64 { return p.median(func(s sample) float64 { return s.shares.least }) }},
		{"greatest share", "%.2f", func(p point) float64 { return p.median(func(s sample) float64 { return s.shares.greatest }) }},
		{"peak RSS MB", "%.0f", memoryMB},
	}
}

func idleColumns() []column {
	return []column{
		{"RSS MB", "%.0f", memoryMB},
		{"s until all read", "%.2f", readySeconds},
		{"CPU s until then", "%.2f", startSeconds},
		{"s, started again", "%.2f", readyAgain},
		{"CPU s until then", "%.2f", startAgain},
		{"CPU at rest, % of a core", "%.2f", func(p point) float64 {
			return 100 * p.median(func(s sample) float64 { return s.idle.Seconds() })
		}},
	}
}

// table shows the points of a sweep.
func table(swept string, points []point, columns []column) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |", swept)
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.head)
	}
	b.WriteString("\n|--:|" + strings.Repeat("--:|", len(columns)) + "\n")
	for _, p := range points {
		fmt.Fprintf(&b, "| %d |", p.x)
		for _, c := range columns {
			fmt.Fprintf(&b, " "+c.format+" |", c.of(p))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// image shows a chart of ours in the document.
func image(name, title string) string {
	return fmt.Sprintf("\n![%s](plots/scale-%s.svg)\n", title, name)
}

// line is a line of a chart.
type line struct {
	name   string
	points []point
	of     func(point) float64
}

// both are what a row costs the server and the client.
func both(points []point) []line {
	return []line{{"server", points, serverCost}, {"client", points, clientCost}}
}

// costChart is of microseconds per row, over a logarithmic axis.
func costChart(title, x string, lines ...line) *plot.Chart {
	return chart(title, x, "µs per row", true, false, lines...)
}

func chart(title, x, y string, logX, logY bool, lines ...line) *plot.Chart {
	c := &plot.Chart{Title: title, XLabel: x, YLabel: y, LogX: logX, LogY: logY}
	for _, l := range lines {
		s := plot.Series{Name: l.name}
		for _, p := range l.points {
			s.Points = append(s.Points, plot.Point{X: float64(p.x), Y: l.of(p)})
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// shares say how even destinations are.
type shares struct {
	jain            float64 // Jain's index: 1 when all are equal, 1/n when one has everything
	least, greatest float64 // of one destination, 1 being an equal share
}

// newShares compares what destinations have. It is zero when nobody has anything.
func newShares(rows []int64) shares {
	var sum, squares float64
	for _, r := range rows {
		sum += float64(r)
		squares += float64(r) * float64(r)
	}
	if sum == 0 {
		return shares{}
	}
	n := float64(len(rows))
	return shares{jain: sum * sum / (n * squares), least: float64(slices.Min(rows)) * n / sum, greatest: float64(slices.Max(rows)) * n / sum}
}

// slope is that of the line through the points with the least squares. It is zero
// when all have the same place.
func slope(points []point, of func(point) float64) float64 {
	var sx, sy, sxx, sxy float64
	for _, p := range points {
		x, y := float64(p.x), of(p)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	n := float64(len(points))
	d := n*sxx - sx*sx
	if d == 0 {
		return 0
	}
	return (n*sxy - sx*sy) / d
}
