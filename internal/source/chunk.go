package source

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Span is where an event stands in Chunk.Buf.
type Span struct{ Start, End uint32 }

// Chunk is a piece of the stream: whole events, in order, each with its header
// and, where the source writes one, its checksum. The status byte that
// precedes each event on the wire is not part of a Span.
//
// Events alias Buf, which chunks may share: bytes outside the spans must not be
// touched. A chunk is handed over with one reference; its memory goes back to a
// pool with the last Release, and must not be used afterwards.
type Chunk struct {
	Buf    []byte
	Events []Span

	refs  atomic.Int32
	block *block // what Buf is part of; nil for memory of its own
	pool  *chunkPool
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
	left := c.refs.Add(-1)
	if left < 0 {
		panic("source: chunk released more often than retained")
	}
	if left > 0 {
		return
	}
	if c.block != nil {
		c.block.release()
	}
	if c.pool != nil {
		c.Buf, c.Events, c.block = nil, c.Events[:0], nil
		c.pool.chunks.Put(c)
	}
}

// attach makes b the memory of c.
func (c *Chunk) attach(b *block) {
	b.refs.Add(1)
	c.block, c.Buf = b, b.data
}

// NewChunk returns a chunk over buf that belongs to no pool, with one
// reference. It is meant for events that come from elsewhere than a dump.
func NewChunk(buf []byte, events []Span) *Chunk {
	c := &Chunk{Buf: buf, Events: events}
	c.refs.Store(1)
	return c
}

// block is a piece of memory that chunks and the framer share.
type block struct {
	data []byte
	refs atomic.Int32
	home *sync.Pool // where it came from; nil leaves it to the garbage collector
}

func (b *block) release() {
	if b.refs.Add(-1) == 0 && b.home != nil {
		b.home.Put(b)
	}
}

// chunkPool keeps the memory of released chunks: blocks of one size for the
// usual stream, and memory for larger events by powers of two up to the size of
// one packet. What is larger still is not kept, and the garbage collector takes
// from the rest what is not used, so that huge events do not stay in memory.
type chunkPool struct {
	size   int // of a block, in bytes
	blocks sync.Pool
	large  [maxLargeBits + 1]sync.Pool // by the number of bits of the size less one
	chunks sync.Pool
}

// maxLargeBits is for packets of up to 16 MiB.
const maxLargeBits = 24

func newChunkPool(size int) *chunkPool { return &chunkPool{size: size} }

// block returns a block with one reference, the caller's.
func (p *chunkPool) block() *block { return fromPool(&p.blocks, p.size) }

// memory returns a block of at least size bytes with one reference.
func (p *chunkPool) memory(size int) *block {
	if class := bits.Len(uint(size - 1)); class <= maxLargeBits {
		return fromPool(&p.large[class], 1<<class)
	}
	return fromPool(nil, size)
}

func fromPool(pool *sync.Pool, size int) *block {
	var b *block
	if pool != nil {
		b, _ = pool.Get().(*block)
	}
	if b == nil {
		b = &block{data: make([]byte, size), home: pool}
	}
	b.refs.Store(1)
	return b
}

// chunk returns a chunk without memory, with one reference.
func (p *chunkPool) chunk() *Chunk {
	c, ok := p.chunks.Get().(*Chunk)
	if !ok {
		c = &Chunk{pool: p}
	}
	c.refs.Store(1)
	return c
}
