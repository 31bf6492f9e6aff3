package main

import "time"

// point is a figure at a moment of the run.
type point struct {
	at    time.Duration
	value float64
}

// rise is by how much a line fitted to points (least squares) rises within d, negative
// if it falls. It is 0 for fewer than two moments.
func rise(points []point, d time.Duration) float64 {
	n := float64(len(points))
	var x, y float64
	for _, p := range points {
		x += p.at.Seconds() / n
		y += p.value / n
	}
	var xx, xy float64
	for _, p := range points {
		dx := p.at.Seconds() - x
		xx += dx * dx
		xy += dx * (p.value - y)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx * d.Seconds()
}
