package main

import (
	"slices"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := percentile(took, p); got != want {
			t.Errorf("%g: %d, want %d", p, got, want)
		}
	}
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}

// Each instance runs on one server that lives.
func TestShare(t *testing.T) {
	nodes := []*node{{runs: map[string]bool{}}, {alive: true, runs: map[string]bool{}}, {alive: true, runs: map[string]bool{}}}
	share(nodes, []string{"a", "b", "c"})
	if len(nodes[0].runs) != 0 {
		t.Errorf("a dead server runs %v", nodes[0].runs)
	}
	got := slices.Sorted(slices.Values(append(nodes[1].List(), nodes[2].List()...)))
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("they run %q", got)
	}
}
