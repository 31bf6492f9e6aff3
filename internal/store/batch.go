package store

import (
	"context"
	"math"
	"net"
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
)

// maxBatchBytes bounds a batch whatever its size says: the length of a frame
// of Canal's protocol is a signed 32-bit number. A batch exceeds it by its
// last item at most.
const maxBatchBytes = 1 << 30

// Wait says how long a Get waits for a full batch.
type Wait time.Duration

// The special values of Wait. They are those of the timeout in Canal's Get packet.
const (
	NoWait  Wait = -1 // return what there is, at once
	Forever Wait = 0  // until the batch is full, as does every value below NoWait
)

// Batch is a run of items that has been handed out.
type Batch struct {
	Start  Place // of the first item
	End    Place // of the last item
	Ack    Place // where a source may resume when the batch has been acked, if HasAck
	HasAck bool
	Acks   []Place // with several sources: Ack of each that has one, in no order; nil with one source

	StartSeq, EndSeq int64 // sequences of the first and the last item; EndSeq is what Ack takes
	Count            int   // items
	Rows             int   // row changes in them
	Bytes            int   // total length of Buffers

	// Buffers are the framed entries in order, neighbours in a block merged into
	// one slice. They are valid until Release. Writing them (Buffers.WriteTo)
	// consumes the slice, not the bytes.
	Buffers net.Buffers

	blocks []*Block // one reference held to each
}

// Release gives back the memory that the batch keeps alive. Buffers must not be
// used afterwards. A second Release is harmless.
func (b *Batch) Release() {
	for _, k := range b.blocks {
		k.Release(1)
	}
	b.blocks, b.Buffers = nil, nil
}

// Empty reports whether there is nothing in the batch.
func (b *Batch) Empty() bool { return b.Count == 0 }

// Get waits for a full batch of the given size as wait says and takes it. When
// the wait ends before the batch is full it takes what there is, which may be
// nothing: an empty batch and no error.
//
// size counts units of MemUnit bytes (MemSize) or items (ItemSize); 0 and less
// mean DefaultSize. Get returns the cause of ctx when that ends first.
func (s *Store) Get(ctx context.Context, size int, wait Wait) (Batch, error) {
	if wait == NoWait {
		return s.Take(size, true)
	}
	var expired <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(time.Duration(wait))
		defer t.Stop()
		expired = t.C
	}
	for {
		late, err := s.Wait(ctx, size, expired)
		if err != nil {
			return Batch{}, err
		}
		// Another Get may have been quicker, then the wait goes on.
		if b, err := s.Take(size, late); err != nil || late || !b.Empty() {
			return b, err
		}
	}
}

// Wait blocks until a batch of the given size is full, and reports late as true
// when expired fired before that. A nil channel never fires. Nothing is taken.
// It returns the cause of ctx when that ends first, ErrClosed after Close.
//
// A batch is full when size is reached, and also when there is anything to take
// while a Put waits for room: no more could come then, and Canal's rule would
// have both sides wait for each other.
func (s *Store) Wait(ctx context.Context, size int, expired <-chan time.Time) (late bool, err error) {
	return s.wait(ctx, s.limit(size), expired)
}

// WaitAny is Wait for anything to take.
func (s *Store) WaitAny(ctx context.Context, expired <-chan time.Time) (late bool, err error) {
	return s.wait(ctx, 1, expired)
}

// wait waits for so much, in the unit of limit.
func (s *Store) wait(ctx context.Context, least int64, expired <-chan time.Time) (late bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	s.mu.Lock()
	if s.closed || s.has(least) {
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return false, ErrClosed
		}
		return false, nil
	}
	w := &getWaiter{least: least, ready: make(chan struct{})}
	s.getWaiters = append(s.getWaiters, w)
	s.mu.Unlock()

	select {
	case <-w.ready:
	case <-expired:
		late = true
	case <-ctx.Done():
		err = context.Cause(ctx)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.getWaiters, w); i >= 0 {
		s.getWaiters = slices.Delete(s.getWaiters, i, i+1)
	}
	if s.closed {
		return false, ErrClosed
	}
	return late, err
}

// wakeGetters ends the waits that are over. The caller holds the lock.
func (s *Store) wakeGetters() {
	if len(s.getWaiters) == 0 {
		return
	}
	s.getWaiters = slices.DeleteFunc(s.getWaiters, func(w *getWaiter) bool {
		if !s.closed && !s.has(w.least) {
			return false
		}
		close(w.ready)
		return true
	})
}

// has reports whether a batch that shall have so much, in the unit of limit, need
// not wait any longer.
func (s *Store) has(least int64) bool {
	if s.put.seq == s.get.seq {
		return false
	}
	return len(s.putWaiters) > 0 || s.available() >= least
}

// available is how much can be taken, in the unit of limit.
func (s *Store) available() int64 {
	if s.mode == config.ItemSize {
		return s.put.seq - s.get.seq
	}
	return s.put.bytes - s.get.bytes
}

// limit is what a batch size stands for: items, or bytes.
func (s *Store) limit(size int) int64 {
	if size <= 0 {
		size = DefaultSize
	}
	n := int64(min(size, math.MaxInt32))
	if s.mode == config.MemSize {
		n *= s.unit
	}
	return n
}

// Take takes the next batch without waiting. partial lets it take less than a
// full one; without it the result is either full (see Wait) or empty.
//
// In MemSize mode items are taken while their sizes do not exceed the batch's,
// and the one that crosses it too; in ItemSize mode size items. With DDL
// isolation a DDL item ends the batch before it, or is taken alone.
func (s *Store) Take(size int, partial bool) (Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return Batch{}, ErrClosed
	case s.put.seq == s.get.seq, !partial && !s.has(s.limit(size)):
		return Batch{}, nil
	}
	from := s.seekUnread()
	end, runs := s.selectItems(from, s.limit(size))
	b := Batch{
		StartSeq: s.get.seq + 1,
		EndSeq:   end,
		Count:    int(end - s.get.seq),
		Buffers:  make(net.Buffers, 0, runs),
		blocks:   make([]*Block, 0, runs),
	}
	s.collect(&b, from)
	return b, nil
}

// seekUnread returns the segment of the next item to hand out, of which there
// must be one.
func (s *Store) seekUnread() *segment {
	g := s.unread
	if g == nil {
		g = s.first
	}
	for !g.holds(s.get.seq + 1) {
		g = g.next
	}
	s.unread = g
	return g
}

// selectItems decides which items the next batch has: those up to end. runs is
// the number of slices their bytes lie in.
func (s *Store) selectItems(g *segment, limit int64) (end int64, runs int) {
	var taken, bytes int64
	var prev *Item
	end = s.get.seq
	for n := end + 1; n <= s.put.seq; n++ {
		if !g.holds(n) {
			g = g.next
		}
		it := g.item(n)
		isolated := s.isolation && it.Kind == KindDDL
		if isolated && prev != nil {
			break
		}
		if prev == nil || !prev.adjoins(it) {
			runs++
		}
		end, prev = n, it
		bytes += int64(it.End - it.Start)
		if s.mode == config.ItemSize {
			taken++
			if taken >= limit {
				break
			}
		} else if taken += int64(it.Size); taken > limit {
			break
		}
		if isolated || bytes >= maxBatchBytes {
			break
		}
	}
	return end, runs
}

// adjoins reports whether next's bytes follow it's in the same block.
func (it *Item) adjoins(next *Item) bool { return it.Block == next.Block && it.End == next.Start }

// collect fills b with the items after the get cursor up to b.EndSeq and moves
// the cursor.
func (s *Store) collect(b *Batch, g *segment) {
	var timed bool
	var prev *Item
	var from uint32 // start in its block of the slice that prev ends
	for s.get.seq < b.EndSeq {
		if !g.holds(s.get.seq + 1) {
			g = g.next
		}
		it := g.item(s.get.seq + 1)
		s.get.pass(it)
		s.get.stamp(it, &timed)
		if it.boundary() {
			b.Ack, b.HasAck = it.place(), true
			b.noteAck()
		}
		b.Rows += int(it.Rows)
		b.Bytes += int(it.End - it.Start)
		switch {
		case prev == nil:
			b.Start, from = it.place(), it.Start
			b.hold(it.Block)
		case !prev.adjoins(it):
			b.Buffers = append(b.Buffers, prev.Block.Bytes[from:prev.End:prev.End])
			from = it.Start
			if prev.Block != it.Block {
				b.hold(it.Block)
			}
		}
		prev = it
	}
	b.Buffers = append(b.Buffers, prev.Block.Bytes[from:prev.End:prev.End])
	b.End = prev.place()
	s.unread = g
}

// noteAck enters Ack among Acks.
func (b *Batch) noteAck() {
	if b.Ack.Origin == nil || b.Ack.Origin.Source == 0 {
		return
	}
	for i := range b.Acks {
		if b.Acks[i].Origin.Source == b.Ack.Origin.Source {
			b.Acks[i] = b.Ack
			return
		}
	}
	b.Acks = append(b.Acks, b.Ack)
}

func (b *Batch) hold(k *Block) {
	k.Retain(1)
	b.blocks = append(b.blocks, k)
}

// boundary reports whether a source may resume at the item: a transaction's
// end, a DDL, or a transaction's beginning. The latter not in GTID mode, where
// its set already contains the transaction, which resuming there would skip.
func (it *Item) boundary() bool {
	switch it.Kind {
	case KindEnd, KindDDL:
		return true
	case KindBegin:
		return it.Position.GTIDSet == ""
	}
	return false
}
