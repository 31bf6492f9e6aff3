package pipeline

import (
	"sync"

	"github.com/towpath-cdc/towpath/internal/store"
)

// slabSize is how much memory entries are gathered in, in bytes. A slab lives
// until the last of its entries has been acked.
const slabSize = 256 << 10

var slabs = sync.Pool{New: func() any {
	b := make([]byte, 0, slabSize)
	return &b
}}

// slab is memory of one worker into which entries are appended.
type slab struct {
	block *store.Block // holds one reference of ours; nil before the first use
	buf   []byte
}

// room makes sure that about n bytes fit.
func (s *slab) room(n int) {
	if s.block != nil && cap(s.buf)-len(s.buf) >= n {
		return
	}
	s.close()
	if n > slabSize {
		s.open(make([]byte, 0, n), nil)
		return
	}
	b := slabs.Get().(*[]byte)
	s.open((*b)[:0], b)
}

func (s *slab) open(buf []byte, pooled *[]byte) {
	s.buf = buf
	var recycle func(*store.Block)
	if pooled != nil {
		recycle = func(*store.Block) { slabs.Put(pooled) }
	}
	s.block = store.NewBlock(buf[:cap(buf)], recycle)
}

// grown takes over the buffer after entries were appended to it from start on.
// If they did not fit it is new memory, and becomes a slab of its own.
func (s *slab) grown(buf []byte, start int) {
	if cap(buf) == cap(s.buf) {
		s.buf = buf
		return
	}
	s.block.Release(1)
	s.open(buf, nil)
}

// close gives up the slab; its items keep it alive.
func (s *slab) close() {
	if s.block != nil {
		s.block.Release(1)
	}
	s.block, s.buf = nil, nil
}
