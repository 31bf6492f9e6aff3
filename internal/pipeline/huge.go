package pipeline

import (
	"context"
	"runtime/debug"

	"github.com/towpath-cdc/towpath/internal/source"
)

// hugeChunk is the size in bytes from which a chunk, which then is one event,
// has the pipeline to itself. With several of them in work at a time memory
// would be a multiple of the largest row.
const hugeChunk = 4 << 20

// hugeGarbage is how many bytes of huge chunks may pass before their memory is
// given back. It is not pooled, and left to itself the garbage collector would
// let it pile up to as much again as is in use.
const hugeGarbage = 64 << 20

// settle waits, after a huge chunk, until what it made is in the store. The
// caller has released the chunk.
func (d *dump) settle(ctx context.Context, size int) error {
	if size < hugeChunk {
		return nil
	}
	select {
	case <-d.last:
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
	if d.huge += size; d.huge >= hugeGarbage {
		d.huge = 0
		debug.FreeOSMemory()
	}
	return nil
}

// memory is the size of what a chunk keeps from being used again.
func memory(c *source.Chunk) int { return len(c.Buf) }
