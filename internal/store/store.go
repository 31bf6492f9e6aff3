package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
)

// The defaults of Options, which are Canal's.
const (
	DefaultSlots   = 16384 // canal.instance.memory.buffer.size
	DefaultMemUnit = 1024  // canal.instance.memory.buffer.memunit, bytes
	DefaultSize    = 1000  // of a batch, when a client asks for none; Canal's client library sends it
)

// itemOverhead is what an item costs besides its encoded bytes: its slot. It
// is charged to the Budget, not to the ring's own limit, which counts as Canal.
const itemOverhead = 112

// ErrClosed is returned by every operation on a store after Close.
var ErrClosed = errors.New("store closed")

// ErrNoMatch is returned by Ack for a sequence that is not handed out, or that
// has been acked already.
var ErrNoMatch = errors.New("sequence is not between the ack and the get cursor")

// Options are the settings of a Store. Zero values mean the defaults.
type Options struct {
	Slots        int              // items the ring holds; DefaultSlots
	MemUnit      int              // bytes in one unit of a batch size; DefaultMemUnit
	Mode         config.BatchMode // what a batch size counts; MemSize also bounds the ring to Slots*MemUnit bytes
	DDLIsolation bool             // hand out each DDL entry as a batch of its own
	Budget       *Budget          // of the process; nil means no bound but the ring's own
}

// Store is the ring of one instance.
//
// Put must be called by one goroutine at a time, since only then is "in order"
// defined. All other methods may be called by any number of goroutines, also
// during a Put. No method calls back into the caller, except that dropping the
// last reference of a Block calls its recycle function, with the store's lock
// held: it must not call the store.
type Store struct {
	slots     int64
	unit      int64
	maxBytes  int64 // 0 means not bounded
	mode      config.BatchMode
	isolation bool
	budget    *Budget
	account   account // of budget

	mu         sync.Mutex
	closed     bool
	put        cursor
	get        cursor
	ack        cursor
	first      *segment // holds item ack+1; nil when the ring is empty
	last       *segment // holds item put; nil when the ring is empty
	unread     *segment // holds item get+1, or any before it; nil means start at first
	latest     Place    // of item put
	acked      Place    // of item ack
	putWaiters []*putWaiter
	getWaiters []*getWaiter
	fullSince  time.Time // when Put last had to wait without getting anything in since
	fullReason FullReason
}

// cursor is one of the three places in the ring.
type cursor struct {
	seq   int64 // of the last item it has passed, -1 when none
	bytes int64 // sizes of all items it has passed
	rows  int64 // row changes of all items it has passed; those of get count again after a rollback
	time  int64 // first known executeTime of what it passed last, ms
}

// Place is where an item came from: a position and the server it is valid on.
type Place struct {
	Position binlog.Position
	Origin   *Origin // nil when the items do not name it
	// Whole says that the item is the last one of its event and that nothing at
	// Position is left when it has been acked: it ends a transaction or is a DDL.
	Whole bool
}

func (it *Item) place() Place {
	return Place{Position: it.Position, Origin: it.Origin, Whole: it.Kind == KindEnd || it.Kind == KindDDL}
}

// New returns an empty store. There is nothing to release if it is dropped
// while empty; otherwise Close it.
func New(o Options) *Store {
	s := &Store{
		slots:     int64(o.Slots),
		unit:      int64(o.MemUnit),
		mode:      o.Mode,
		isolation: o.DDLIsolation,
		budget:    o.Budget,
	}
	if s.slots <= 0 {
		s.slots = DefaultSlots
	}
	if s.unit <= 0 {
		s.unit = DefaultMemUnit
	}
	if s.mode == config.MemSize {
		s.maxBytes = s.slots * s.unit
	}
	now := time.Now().UnixMilli()
	for _, c := range []*cursor{&s.put, &s.get, &s.ack} {
		*c = cursor{seq: -1, time: now}
	}
	return s
}

// Put appends items in order and returns when all of them are in the ring. It
// blocks while the ring or the budget is full; the items that fit are available
// to Get meanwhile, so that a call may bring more than the ring holds.
//
// Put takes over one reference of the Block of every item, whatever it returns.
// It does not keep the slice. When ctx ends it returns its cause, after Close
// ErrClosed; the items that did not get in are dropped then.
func (s *Store) Put(ctx context.Context, items []Item) error {
	for {
		s.mu.Lock()
		n, reason := s.fill(items)
		items = items[n:]
		var w *putWaiter
		if len(items) > 0 && !s.closed {
			w = s.block(reason)
		}
		closed := s.closed
		s.mu.Unlock()
		s.passOn()

		switch {
		case closed:
			release(items)
			return ErrClosed
		case w == nil:
			return nil
		}
		var err error
		select {
		case <-w.ready:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		s.unblock(w)
		if err != nil {
			s.passOn()
			release(items)
			return err
		}
	}
}

// fill appends as many of the items as there is room for and returns how many,
// and why no more. The caller holds the lock.
func (s *Store) fill(items []Item) (int, FullReason) {
	if s.closed {
		return 0, NotFull
	}
	var n int
	var timed bool
	reason := NotFull
	for ; n < len(items); n++ {
		if reason = s.room(&items[n]); reason != NotFull {
			break
		}
		s.append(&items[n])
		s.put.stamp(&items[n], &timed)
	}
	if n > 0 {
		s.latest = items[n-1].place()
		s.fullSince = time.Time{}
		s.wakeGetters()
	}
	return n, reason
}

// room reserves the budget for it, or says what is full.
func (s *Store) room(it *Item) FullReason {
	switch {
	case s.put.seq-s.ack.seq >= s.slots:
		return FullSlots
	case s.maxBytes > 0 && s.put.bytes-s.ack.bytes >= s.maxBytes:
		return FullBytes
	case s.budget != nil && !s.budget.take(&s.account, cost(it)):
		return FullBudget
	}
	return NotFull
}

// cost is what an item takes of the budget, in bytes.
func cost(it *Item) int64 { return int64(it.End-it.Start) + itemOverhead }

func (s *Store) append(it *Item) {
	n := s.put.seq + 1
	if s.last == nil || !s.last.holds(n) {
		g := newSegment(n)
		if s.last == nil {
			s.first = g
		} else {
			s.last.next = g
		}
		s.last = g
	}
	*s.last.item(n) = *it
	s.put.pass(it)
}

// pass moves the cursor over it.
func (c *cursor) pass(it *Item) {
	c.seq++
	c.bytes += int64(it.Size)
	c.rows += int64(it.Rows)
}

// stamp sets the cursor's clock to it's time, if that is the first known one of
// the items moved together. timed, false at first, says that there was one.
func (c *cursor) stamp(it *Item, timed *bool) {
	if t := it.Position.Timestamp; t > 0 && !*timed {
		c.time, *timed = t, true
	}
}

// block registers a Put that has to wait. The caller holds the lock.
func (s *Store) block(reason FullReason) *putWaiter {
	w := newPutWaiter(&s.account)
	s.putWaiters = append(s.putWaiters, w)
	if s.fullSince.IsZero() {
		s.fullSince = time.Now()
	}
	s.fullReason = reason
	// With a Put waiting nothing more can come before somebody reads what is
	// there, so a batch counts as full now.
	s.wakeGetters()
	if reason == FullBudget {
		s.budget.wait(w)
	}
	return w
}

// unblock ends the wait of w.
func (s *Store) unblock(w *putWaiter) {
	s.mu.Lock()
	if i := slices.Index(s.putWaiters, w); i >= 0 {
		s.putWaiters = slices.Delete(s.putWaiters, i, i+1)
	}
	s.mu.Unlock()
	if s.budget != nil {
		s.budget.leave(w)
	}
}

// passOn lets another store have what room this one has left in the budget.
func (s *Store) passOn() {
	if s.budget != nil {
		s.budget.wakeNext()
	}
}

// Ack confirms every item up to and including endSeq, which must have been
// handed out, and frees them. ErrNoMatch means it was not, or has been acked
// already; nothing has changed then.
func (s *Store) Ack(endSeq int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case endSeq <= s.ack.seq || endSeq > s.get.seq:
		return ErrNoMatch
	}
	s.drop(endSeq)
	s.wakePutters()
	return nil
}

// drop frees the items up to endSeq. The caller holds the lock.
func (s *Store) drop(endSeq int64) {
	var run blockRun
	var freed int64
	var timed bool
	for s.ack.seq < endSeq {
		g := s.first
		it := g.item(s.ack.seq + 1)
		s.ack.pass(it)
		s.ack.stamp(it, &timed)
		freed += cost(it)
		run.drop(it.Block)
		s.acked = it.place()
		*it = Item{}
		if n := s.ack.seq + 1; !g.holds(n) || n > s.put.seq {
			s.first = g.next
			if s.unread == g {
				s.unread = nil
			}
			if s.last == g {
				s.last = nil
			}
			g.free()
		}
	}
	run.flush()
	if s.budget != nil {
		s.budget.give(&s.account, freed)
	}
}

// wakePutters lets a waiting Put try again. The caller holds the lock.
func (s *Store) wakePutters() {
	for _, w := range s.putWaiters {
		w.wake()
	}
}

// Rollback makes everything that has been handed out and not acked available again.
func (s *Store) Rollback() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.get.seq, s.get.bytes = s.ack.seq, s.ack.bytes
	s.unread = nil
	s.wakeGetters()
}

// FirstPosition is where a client that has no cursor begins: the place of the
// last acked item, or of the first item when none has been acked. ok is false
// when nothing has ever been put.
func (s *Store) FirstPosition() (p Place, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ack.seq >= 0:
		return s.acked, true
	case s.first != nil:
		p = s.first.item(0).place()
		p.Whole = false // it has not been acked
		return p, true
	}
	return Place{}, false
}

// LatestPosition is the place of the item that was put last. ok is false when
// nothing has ever been put.
func (s *Store) LatestPosition() (p Place, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest, s.put.seq >= 0
}

// Close frees everything and ends every wait with ErrClosed. Batches that have
// been taken stay readable until they are released. A second Close is harmless.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	ack, acked := s.ack, s.acked
	s.drop(s.put.seq)
	s.ack, s.acked = ack, acked // what was dropped has not been acked
	s.wakePutters()
	s.wakeGetters()
}

// blockRun collects the references of one block that follow each other, so
// that a block with many items is released with one atomic operation.
type blockRun struct {
	block *Block
	n     int
}

func (r *blockRun) drop(b *Block) {
	if r.block != b {
		r.flush()
		r.block = b
	}
	r.n++
}

func (r *blockRun) flush() {
	if r.block != nil {
		r.block.Release(r.n)
	}
	*r = blockRun{}
}

// release drops the references of items that did not get in.
func release(items []Item) {
	var run blockRun
	for i := range items {
		run.drop(items[i].Block)
	}
	run.flush()
}
