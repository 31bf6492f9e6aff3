package main

import (
	"slices"
	"testing"
)

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
