package store

import (
	"slices"
	"sync"
	"sync/atomic"
)

// budgetShare is how many times the free part of the budget a single store may
// hold. With 4, one store that is never acked ends at 4/5 of the budget, two at
// 4/9 each, and something is always left for the others.
const budgetShare = 4

// Budget bounds the bytes that all stores of a process hold together.
//
// It is a dynamic threshold, as in the shared buffer of a network switch: a
// store may put while it holds less than budgetShare times what is still free,
// or when it holds nothing. The first rule leaves room for others however many
// stores are never acked; the second lets every instance go on, one item at a
// time, when nothing is free, so that instances cannot dead-lock each other.
// The total therefore stays below the maximum plus one item per store.
//
// A Budget is safe for concurrent use.
type Budget struct {
	max  int64
	used atomic.Int64

	waiters atomic.Int32 // len(waiting), to be read without the lock

	mu      sync.Mutex
	waiting []*putWaiter // in order of arrival
}

// account is what one store holds of a Budget.
type account struct{ held atomic.Int64 }

// NewBudget returns a budget of maxBytes, which must be positive.
func NewBudget(maxBytes int64) *Budget { return &Budget{max: max(maxBytes, 1)} }

// Used returns the bytes that are held now, the overhead of the ring included.
func (b *Budget) Used() int64 { return b.used.Load() }

// Max returns the bytes that may be held.
func (b *Budget) Max() int64 { return b.max }

// room reports whether the store of a may put one more item while used bytes
// are taken.
func (b *Budget) room(a *account, used int64) bool {
	held := a.held.Load()
	return held == 0 || held < budgetShare*(b.max-used)
}

// take reserves n bytes for a, or reports that there is no room.
func (b *Budget) take(a *account, n int64) bool {
	for {
		used := b.used.Load()
		if !b.room(a, used) {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			a.held.Add(n)
			return true
		}
	}
}

// give returns n bytes of a and wakes a store that waits for them.
func (b *Budget) give(a *account, n int64) {
	a.held.Add(-n)
	b.used.Add(-n)
	b.wakeNext()
}

// wait enters w into the queue of those who wait for room.
func (b *Budget) wait(w *putWaiter) {
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.waiters.Store(int32(len(b.waiting)))
	b.mu.Unlock()
	// Room that was given back between the caller's failed take and the line
	// above has woken nobody.
	b.wakeNext()
}

// leave takes w out of the queue if it is still there. Whoever leaves calls
// wakeNext when it has used what room it needs.
func (b *Budget) leave(w *putWaiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.waiters.Store(int32(len(b.waiting)))
	}
}

// wakeNext wakes the store that has waited longest among those that have room.
// It wakes one at a time; Put calls it again when that one has had its turn.
func (b *Budget) wakeNext() {
	if b.waiters.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	used := b.used.Load()
	for i, w := range b.waiting {
		if b.room(w.account, used) {
			b.waiting = slices.Delete(b.waiting, i, i+1)
			b.waiters.Store(int32(len(b.waiting)))
			w.wake()
			return
		}
	}
}
