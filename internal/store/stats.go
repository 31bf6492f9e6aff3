package store

import (
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
)

// FullReason says which bound a waiting Put has met.
type FullReason int

// The bounds of a store.
const (
	NotFull    FullReason = iota // no Put waits
	FullSlots                    // Options.Slots items wait for their ack
	FullBytes                    // Slots*MemUnit bytes wait for their ack
	FullBudget                   // the budget of the process has no room for this store
)

// String names the bound for the log, with the setting that moves it.
func (r FullReason) String() string {
	switch r {
	case NotFull:
		return "not full"
	case FullSlots:
		return "all slots are taken (canal.instance.memory.buffer.size)"
	case FullBytes:
		return "all memory is taken (canal.instance.memory.buffer.size * canal.instance.memory.buffer.memunit)"
	case FullBudget:
		return "the memory budget of the process is taken"
	}
	return "unknown"
}

// Stats is the state of a store at one moment. Sequences start at -1, as
// Canal's metrics do; sizes are lengths of entries without their framing; times
// are the first known executeTime of what the cursor passed last, and the time
// of the store's creation before that.
type Stats struct {
	Slots int
	Mode  config.BatchMode

	PutSeq, GetSeq, AckSeq       int64
	PutBytes, GetBytes, AckBytes int64
	PutRows, GetRows, AckRows    int64 // GetRows counts rows again that are handed out again
	PutTime, GetTime, AckTime    int64 // milliseconds since the epoch

	OldestTime int64 // executeTime of the oldest item that is not acked, milliseconds; 0 when there is none or it has none

	FullSince  time.Time // since when a Put has been waiting; zero when none is
	FullReason FullReason
}

// Stats returns the state of the store.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Stats{
		Slots: int(s.slots), Mode: s.mode,
		PutSeq: s.put.seq, GetSeq: s.get.seq, AckSeq: s.ack.seq,
		PutBytes: s.put.bytes, GetBytes: s.get.bytes, AckBytes: s.ack.bytes,
		PutRows: s.put.rows, GetRows: s.get.rows, AckRows: s.ack.rows,
		PutTime: s.put.time, GetTime: s.get.time, AckTime: s.ack.time,
	}
	if s.first != nil {
		t.OldestTime = s.first.item(s.ack.seq + 1).Position.Timestamp
	}
	if len(s.putWaiters) > 0 {
		t.FullSince, t.FullReason = s.fullSince, s.fullReason
	}
	return t
}
