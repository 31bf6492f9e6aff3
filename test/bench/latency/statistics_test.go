package main

import (
	"slices"
	"testing"
	"time"
)

// sequence is 1 to n.
func sequence(n int) []time.Duration {
	var s []time.Duration
	for i := range n {
		s = append(s, time.Duration(i+1))
	}
	return s
}

func TestLatencies(t *testing.T) {
	const unit = time.Millisecond
	l := newLoad(1000, 7, 4)
	// The third commit was held up and the fourth row came before its commit returned.
	l.returned = []time.Duration{90 * unit, 2 * unit, 12 * unit, 8 * unit}
	arrived := []time.Duration{99 * unit, 5 * unit, 13 * unit, 7 * unit}
	planned, returned, late := l.latencies(arrived, 1)
	for _, tt := range []struct {
		name      string
		got, want []time.Duration
	}{
		{"planned", planned, []time.Duration{4 * unit, 4 * unit, 11 * unit}},
		{"returned", returned, []time.Duration{-unit, unit, 3 * unit}},
		{"late", late, []time.Duration{unit, 5 * unit, 10 * unit}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if n := below(returned); n != 1 {
		t.Errorf("%d below zero", n)
	}
}

func TestCurve(t *testing.T) {
	var sorted []time.Duration
	for _, d := range sequence(1000) {
		sorted = append(sorted, d*time.Millisecond)
	}
	points := curve(sorted)
	if first := points[0]; first.X != 2 || first.Y != 500 {
		t.Errorf("begins at %v", first)
	}
	if last := points[len(points)-1]; last.X != 1000 || last.Y != 1000 {
		t.Errorf("ends at %v", last)
	}
	for i, p := range points[1:] {
		if q := points[i]; p.X <= q.X || p.Y < q.Y {
			t.Errorf("%v after %v", p, q)
		}
	}
}
