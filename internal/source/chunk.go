package source

import (
	"sync"
	"sync/atomic"
)

// Span is where an event stands in Chunk.Buf.
type Span struct{ Start, End uint32 }

// Chunk is a piece of the stream: whole events, in order, each with its header
// and, where the source writes one, its checksum. The status byte that
// precedes each event on the wire is not part of a Span.
//
// Events alias Buf. A chunk is handed over with one reference; its memory goes
// back to a pool with the last Release, and must not be touched afterwards.
type Chunk struct {
	Buf    []byte
	Events []Span

	refs atomic.Int32
	pool *chunkPool
}

// Len is the number of events.
func (c *Chunk) Len() int { return len(c.Events) }

// Event returns the i-th event. It aliases the chunk's memory; its capacity
// ends where the event ends, so appending to it cannot reach the next one.
func (c *Chunk) Event(i int) []byte {
	s := c.Events[i]
	return c.Buf[s.Start:s.End:s.End]
}

// Retain adds n references.
func (c *Chunk) Retain(n int) { c.refs.Add(int32(n)) }

// Release gives one reference back.
func (c *Chunk) Release() {
	switch left := c.refs.Add(-1); {
	case left == 0:
		if c.pool != nil {
			c.pool.put(c)
		}
	case left < 0:
		panic("source: chunk released more often than retained")
	}
}

// NewChunk returns a chunk over buf that belongs to no pool, with one
// reference. It is meant for events that come from elsewhere than a dump.
func NewChunk(buf []byte, events []Span) *Chunk {
	c := &Chunk{Buf: buf, Events: events}
	c.refs.Store(1)
	return c
}

// chunkPool keeps the memory of released chunks of the usual size. Larger ones,
// grown for an event that did not fit, are left to the garbage collector, so
// that one huge event does not stay in memory.
type chunkPool struct {
	size int // capacity of Buf in bytes
	free sync.Pool
}

func newChunkPool(size int) *chunkPool { return &chunkPool{size: size} }

// get returns an empty chunk with one reference and at least the pool's
// capacity.
func (p *chunkPool) get() *Chunk {
	c, ok := p.free.Get().(*Chunk)
	if !ok {
		c = &Chunk{Buf: make([]byte, 0, p.size), pool: p}
	}
	c.Buf, c.Events = c.Buf[:0], c.Events[:0]
	c.refs.Store(1)
	return c
}

func (p *chunkPool) put(c *Chunk) {
	if cap(c.Buf) == p.size {
		p.free.Put(c)
	}
}
