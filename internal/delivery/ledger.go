package delivery

import (
	"errors"
	"time"

	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/store"
)

// Range is what one outstanding batch covers. Canal calls it PositionRange.
type Range struct {
	ID               int64
	StartSeq, EndSeq int64         // sequences in the store, both included
	Start, End       meta.Cursor   // of the first and the last item
	Ack              meta.Cursor   // where the client's cursor goes when it acks, if HasAck
	HasAck           bool          // false when no transaction begins or ends in the batch
	acks             []store.Place // Ack of each source, in a destination with several
	Since            time.Time     // when it was handed out
}

// errNoBatch is returned by ledger.first for an id that is not outstanding.
var errNoBatch = errors.New("no such batch")

// ledger holds the outstanding batches of one client, in the order of their
// ids, which count up from the first and are never used again.
type ledger struct {
	next int64
	open []Range
}

// add enters a batch and returns its id.
func (l *ledger) add(r Range) int64 {
	r.ID = l.next
	l.next++
	l.open = append(l.open, r)
	return r.ID
}

// first returns the oldest batch, which must be the one with that id:
// errNoBatch if there is none with it, an Error if there is an older one.
func (l *ledger) first(id int64) (Range, error) {
	for i, r := range l.open {
		switch {
		case r.ID != id:
		case i > 0:
			return Range{}, notFirst(id, l.open[0].ID)
		default:
			return r, nil
		}
	}
	return Range{}, errNoBatch
}

// removeFirst drops the oldest batch.
func (l *ledger) removeFirst() {
	l.open[0] = Range{} // lets go of its strings
	l.open = l.open[1:]
}

// clear drops all batches; their ids are gone.
func (l *ledger) clear() { l.open = nil }
