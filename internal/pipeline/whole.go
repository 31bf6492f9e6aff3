package pipeline

import (
	"slices"

	"github.com/towpath-cdc/towpath/internal/store"
)

// holder keeps transactions of several sources that share a store apart: the begin
// of one is held back until its end is there, and so they are put together. A
// transaction of more items than limit goes on in parts, as with Canal's
// EventTransactionBuffer, of which each source has one there.
//
// A nil holder holds nothing back. What is held goes with the dump: it stands behind
// the place from which the next one begins.
type holder struct {
	limit int // items; canal.instance.transaction.size
	held  []store.Item
}

// add takes items and returns what may be put now, which may alias items. Those
// before border, and all that came earlier, belong to transactions that are
// complete; border is negative when none has ended.
func (h *holder) add(items []store.Item, border int) []store.Item {
	if h == nil {
		return items
	}
	open := len(items) - border
	if border < 0 {
		open = len(h.held) + len(items)
	}
	switch {
	case open >= h.limit:
		border = len(items)
	case border < 0:
		h.held = append(h.held, items...)
		return nil
	}
	ready := items[:border]
	if len(h.held) > 0 {
		ready = slices.Concat(h.held, ready)
	}
	clear(h.held) // it must not keep what the store has let go
	h.held = append(h.held[:0], items[border:]...)
	return ready
}

// reset drops what is held.
func (h *holder) reset() {
	if h == nil {
		return
	}
	for _, it := range h.held {
		dropItem(it)
	}
	h.held = nil
}
