package store

import "sync"

// putWaiter is a Put that waits for room. It is in the list of its store, and
// in the queue of the budget when that is what it waits for.
type putWaiter struct {
	account *account
	once    sync.Once
	ready   chan struct{} // closed when there may be room
}

func newPutWaiter(a *account) *putWaiter {
	return &putWaiter{account: a, ready: make(chan struct{})}
}

// wake ends the wait. It may be called more than once and from both lists.
func (w *putWaiter) wake() { w.once.Do(func() { close(w.ready) }) }

// getWaiter is a wait for something to take.
type getWaiter struct {
	least int64         // how much, in the unit of limit
	ready chan struct{} // closed, under the store's lock, when there is that much
}
