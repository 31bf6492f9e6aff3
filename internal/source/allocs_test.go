//go:build !race

package source

import (
	"bytes"
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"testing"
)

// maxAllocationsPerStream bounds what it costs to read a stream, however long.
const maxAllocationsPerStream = 8

// TestAllocationsPerEvent: cutting a stream into events allocates for none of them,
// be they small, larger than a block or of several packets.
func TestAllocationsPerEvent(t *testing.T) {
	for name, sizes := range map[string][]int{
		"few":     {100},
		"small":   slices.Repeat([]int{100}, 20_000),
		"usual":   slices.Repeat([]int{8 << 10}, 1000),
		"large":   slices.Repeat([]int{300 << 10}, 20),
		"packets": {maxPayload + 100, maxPayload + 100},
	} {
		t.Run(name, func(t *testing.T) {
			var payloads [][]byte
			for _, n := range sizes {
				payloads = append(payloads, testEvent(n))
			}
			stream := packets(payloads...)
			pool := newChunkPool(defaultChunkSize)
			read := func() {
				f := newFramer(bytes.NewReader(stream), pool, defaultMaxEventSize)
				defer f.close()
				for n := 0; ; {
					c, err := f.next()
					if errors.Is(err, io.EOF) && n == len(sizes) {
						return
					}
					if err != nil {
						t.Fatalf("after %d events: %v", n, err)
					}
					n += c.Len()
					c.Release()
				}
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it empties pools
			read()
			if got, most := testing.AllocsPerRun(3, read), maxAllocationsPerStream+maxAllocationsPerLarge(sizes); got > float64(most) {
				t.Errorf("%v allocations for %d events, want at most %d", got, len(sizes), most)
			}
		})
	}
}

// maxAllocationsPerLarge is what events may cost that do not fit a block: their memory
// is pooled up to the size of a packet, what holds it is not.
func maxAllocationsPerLarge(sizes []int) (n int) {
	for _, size := range sizes {
		if size >= defaultChunkSize {
			n += 4
		}
	}
	return n
}
