package delivery

import (
	"fmt"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/store"
)

// ClientStatus is how one subscribed client stands.
type ClientStatus struct {
	Client    meta.Client
	Cursor    meta.Cursor
	HasCursor bool
	Open      int   // outstanding batches
	Oldest    Range // the oldest of them, if Open > 0
	Unacked   int64 // items in them
}

// Clients returns the subscribed clients in the order in which they came.
func (d *Desk) Clients() []ClientStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	records := d.meta.Snapshot()
	out := make([]ClientStatus, len(records))
	for i, r := range records {
		out[i] = ClientStatus{Client: r.Client, Cursor: r.Cursor, HasCursor: r.HasCursor}
		if l := d.batches[r.Client.ID]; l != nil && len(l.open) > 0 {
			out[i].Open, out[i].Oldest = len(l.open), l.open[0]
			for _, b := range l.open {
				out[i].Unacked += b.EndSeq - b.StartSeq + 1
			}
		}
	}
	return out
}

// Stall says why nothing more is read from the source: the ring is full.
type Stall struct {
	Since  time.Time // since when not a single entry got in
	Reason store.FullReason
	Cause  string // who it is that does not get or ack, in words
}

// String is the line for the log.
func (s Stall) String() string {
	return fmt.Sprintf("ring full since %s: %s; %s", s.Since.Format(time.TimeOnly), s.Reason, s.Cause)
}

// Stall explains a full ring; ok is false when it is not full. A moment of it is
// back-pressure at work, so a caller asks from time to time and speaks up when
// Since is long ago.
func (d *Desk) Stall(now time.Time) (s Stall, ok bool) {
	st := d.store.Stats()
	if st.FullReason == store.NotFull {
		return Stall{}, false
	}
	s = Stall{Since: st.FullSince, Reason: st.FullReason}
	clients := d.Clients()
	switch c, held := holder(clients); {
	case held:
		s.Cause = fmt.Sprintf("client %d has not acked batch %d, handed out %s ago (%d batches outstanding)",
			c.Client.ID, c.Oldest.ID, now.Sub(c.Oldest.Since).Round(time.Second), c.Open)
	case st.PutSeq == st.AckSeq:
		s.Cause = "nothing waits here: other instances hold the memory"
	case len(clients) == 0:
		s.Cause = fmt.Sprintf("no client is subscribed to %s", d.destination)
	default:
		s.Cause = fmt.Sprintf("%s subscribed but does not get what is waiting (%d entries)", names(clients), st.PutSeq-st.GetSeq)
	}
	return s, true
}

// holder is the client with the oldest outstanding batch.
func holder(clients []ClientStatus) (oldest ClientStatus, ok bool) {
	for _, c := range clients {
		if c.Open > 0 && (!ok || c.Oldest.StartSeq < oldest.Oldest.StartSeq) {
			oldest, ok = c, true
		}
	}
	return oldest, ok
}

func names(clients []ClientStatus) string {
	var b strings.Builder
	for i, c := range clients {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "client %d", c.Client.ID)
	}
	return b.String()
}
