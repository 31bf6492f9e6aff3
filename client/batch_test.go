package client

import (
	"testing"

	"github.com/towpath-cdc/towpath/internal/testkit/canaltest"
	"github.com/towpath-cdc/towpath/protocol"
)

// TestKeptEntries keeps the entries of a batch, with one among them that is not well-formed.
func TestKeptEntries(t *testing.T) {
	const n, bad = 100, 40
	var b Batch
	for i := range byte(n) {
		raw := []byte{1<<3 | 2, 2, 3 << 3, i} // a header whose offset is i
		if i == bad {
			raw = raw[:3]
		}
		b.raw = append(b.raw, raw)
	}
	kept := make([]*protocol.Entry, 0, n)
	for e, err := range b.Entries() {
		if (err != nil) != (len(kept) == bad) {
			t.Fatalf("entry %d: %v", len(kept), err)
		}
		kept = append(kept, e)
	}
	if len(kept) != n {
		t.Fatalf("%d entries, want %d", len(kept), n)
	}
	for i, e := range kept {
		if i != bad && e.Header().LogfileOffset() != int64(i) {
			t.Errorf("entry %d has become that at %d", i, e.Header().LogfileOffset())
		}
	}
}

// TestAllocationsOfEntries: reading the headers of a batch costs no memory for each entry.
func TestAllocationsOfEntries(t *testing.T) {
	var b Batch
	for range 10 * entriesAtOnce {
		b.raw = append(b.raw, []byte{1<<3 | 2, 5, 8<<3 | 2, 3, 'd', 'b', '1'})
	}
	read := func() {
		for e, err := range b.Entries() {
			if err != nil || e.Header().SchemaName() != "db1" {
				t.Fatal(err)
			}
		}
	}
	if got := testing.AllocsPerRun(20, read); got > 10+3 {
		t.Errorf("%v allocations for %d entries", got, len(b.raw))
	}
}

// TestRelease: the memory of a batch that was released is used for the next one, also
// when an empty one comes between; other batches stay as they are.
func TestRelease(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	c := subscribed(t, options(s))
	s.Put(entries(30)...)
	memory := func(b *Batch) *byte { return &b.frame[:1][0] }

	kept, first := get(t, c, 10), get(t, c, 10)
	used := memory(first)
	first.Release()
	first.Release() // harmless
	if first.Len() != 0 || len(first.Raw()) != 0 {
		t.Errorf("a released batch has %d entries", first.Len())
	}
	second := get(t, c, 10)
	if memory(second) != used {
		t.Error("the next batch has memory of its own")
	}
	if got := tables(t, second); got[0] != "t20" || got[9] != "t29" {
		t.Errorf("the next batch has %v", got)
	}
	second.Release()
	empty, err := c.GetWithoutAck(t.Context(), 10, -1)
	if err != nil || !empty.Empty() {
		t.Fatalf("empty get: %v, %v", empty, err)
	}
	empty.Release()
	s.Put(entries(10)...)
	if third := get(t, c, 10); memory(third) != used {
		t.Error("the batch behind an empty one has memory of its own")
	}
	if got := tables(t, kept); got[0] != "t0" || got[9] != "t9" {
		t.Errorf("a batch that was not released has become %v", got)
	}
}
