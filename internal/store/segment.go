package store

import "sync"

// segmentItems is the number of items in a segment: large enough that taking
// one from the pool is rare, small enough that a ring with one item in it
// costs some 12 KiB.
const segmentItems = 128

// segment is a piece of the ring. Segments form a list from the ack cursor to
// the put cursor; item n of the ring is in the segment with
// base <= n < base+segmentItems.
type segment struct {
	base  int64 // sequence of items[0]
	next  *segment
	items [segmentItems]Item
}

// item returns the item with sequence n, which must be in the segment.
func (g *segment) item(n int64) *Item { return &g.items[n-g.base] }

// holds reports whether item n belongs into the segment.
func (g *segment) holds(n int64) bool { return n-g.base < segmentItems }

// segments is where empty segments of all rings of the process wait for their
// next use. Their items are zero.
var segments = sync.Pool{New: func() any { return new(segment) }}

func newSegment(base int64) *segment {
	g := segments.Get().(*segment)
	g.base = base
	return g
}

// free gives a segment back whose items have been cleared.
func (g *segment) free() {
	g.next = nil
	segments.Put(g)
}
