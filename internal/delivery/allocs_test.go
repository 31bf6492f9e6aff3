//go:build !race

package delivery

import (
	"context"
	"runtime/debug"
	"testing"
)

// maxAllocationsPerBatch bounds what a client's get and its ack cost, whatever the
// batch brings.
const maxAllocationsPerBatch = 6

// TestAllocationsPerBatch has a client take and ack batches of one entry and of many.
func TestAllocationsPerBatch(t *testing.T) {
	for _, n := range []int{1, 32} {
		k := newBench(Options{})
		ctx := context.Background()
		c := client(1001)
		if err := k.Subscribe(ctx, c); err != nil {
			t.Fatal(err)
		}
		items := k.items(n)
		round := func() {
			for i := range items {
				items[i].Block.Retain(1)
			}
			if err := k.st.Put(ctx, items); err != nil {
				t.Fatal(err)
			}
			d, err := k.Get(ctx, c, 1000, immediate)
			if err != nil || d.Count != n {
				t.Fatalf("batch of %d, %v", d.Count, err)
			}
			d.Release()
			if err := k.Ack(ctx, c, d.BatchID); err != nil {
				t.Fatal(err)
			}
		}
		func() {
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it empties pools
			for range 10 {
				round()
			}
			if got := testing.AllocsPerRun(100, round); got > maxAllocationsPerBatch {
				t.Errorf("a batch of %d entries: %v allocations, want at most %d", n, got, maxAllocationsPerBatch)
			}
		}()
		k.st.Close()
	}
}
