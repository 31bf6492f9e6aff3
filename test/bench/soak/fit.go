package main

import (
	"math"
	"time"
)

// point is a figure at a moment of the run.
type point struct {
	at    time.Duration
	value float64
}

// trend is by how much a straight line fitted to a figure rises within a time.
type trend struct {
	by   float64 // negative if it falls
	give float64 // the standard error of that
}

// rise fits a line to points (least squares) and says by how much it rises within d:
// by nothing if they are fewer than three moments.
func rise(points []point, d time.Duration) trend {
	n := float64(len(points))
	var x, y float64
	for _, p := range points {
		x += p.at.Seconds() / n
		y += p.value / n
	}
	var xx, xy, yy float64
	for _, p := range points {
		dx, dy := p.at.Seconds()-x, p.value-y
		xx += dx * dx
		xy += dx * dy
		yy += dy * dy
	}
	if xx == 0 || n < 3 {
		return trend{}
	}
	rest := max(yy-xy*xy/xx, 0) // squares of the distances from the line
	return trend{by: xy / xx * d.Seconds(), give: math.Sqrt(rest/(n-2)/xx) * d.Seconds()}
}

// over says whether the rise is over bound for certain: by twice its standard error.
func (t trend) over(bound float64) bool { return t.by-2*t.give > bound }
