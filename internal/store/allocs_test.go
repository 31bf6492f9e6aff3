//go:build !race

package store

import (
	"context"
	"runtime/debug"
	"testing"
)

// maxAllocationsPerBatch bounds what a batch costs on its way through the ring,
// whatever is in it.
const maxAllocationsPerBatch = 3

// roundAllocations are those for n items of one block that are put, taken and acked.
func roundAllocations(t *testing.T, n int, budget *Budget) float64 {
	t.Helper()
	var m maker
	items := m.rows(n, 250)
	block := items[0].Block
	s := New(Options{Budget: budget})
	defer s.Close()
	ctx := context.Background()
	round := func() {
		block.Retain(n)
		if err := s.Put(ctx, items); err != nil {
			t.Fatal(err)
		}
		b, err := s.Get(ctx, 1<<20, NoWait)
		if err != nil || b.Count != n {
			t.Fatalf("batch of %d, %v", b.Count, err)
		}
		b.Release()
		if err := s.Ack(b.EndSeq); err != nil {
			t.Fatal(err)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it empties pools
	for range 10 {
		round()
	}
	return testing.AllocsPerRun(100, round)
}

// TestAllocationsPerItem: the ring takes items, hands them out and lets go of them
// without allocating for each; a batch costs the same whatever is in it.
func TestAllocationsPerItem(t *testing.T) {
	for _, budget := range []*Budget{nil, NewBudget(1 << 30)} {
		for _, n := range []int{1, 16, 1000} {
			if got := roundAllocations(t, n, budget); got > maxAllocationsPerBatch {
				t.Errorf("%d items, budget %t: %v allocations, want at most %d", n, budget != nil, got, maxAllocationsPerBatch)
			}
		}
	}
}
