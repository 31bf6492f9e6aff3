package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// evidence is everything that a campaign has recorded.
type evidence struct {
	destinations []string
	rows         []truth            // all rows, in the order of their commits
	consumers    map[string][]event // by process; runs, batches and acks in their order
	handouts     []event            // kindHanded, of all servers
	pauses       map[string][]pause // by server
	tree         *tree
	clock        clock
}

// truth is a row and where the binlog has it.
type truth struct {
	row
	place place
}

// pause is a time in which a process did nothing.
type pause struct{ from, to int64 } // monotonic

// violation is something that may not happen.
type violation struct {
	rule string // one of those below
	text string
}

func (v violation) String() string { return v.rule + ": " + v.text }

// The rules.
const (
	ruleLost    = "lost"    // a row was never acked by a client that got it
	ruleOrder   = "order"   // rows of a delivery run are not in the order of their commits, or have a gap
	ruleSkipped = "skipped" // a delivery run or a cursor leaves rows behind that nobody had acked
	ruleOverlap = "overlap" // two servers delivered batches of a destination with overlapping validity
	ruleFence   = "fence"   // a server handed out a batch while it did not own the destination
	ruleCursor  = "cursor"  // a cursor went back, or another than the owner wrote it
)

// verify returns all violations, with the destinations in their order.
func verify(e *evidence) []violation {
	var found []violation
	for _, d := range e.destinations {
		v := verifier{evidence: e, destination: d, index: make(map[row]int, len(e.rows))}
		for i, r := range e.rows {
			v.index[r.row] = i
		}
		v.readAcks()
		v.checkRuns()
		v.checkComplete()
		v.checkOverlap()
		v.checkFence()
		v.checkCursors()
		found = append(found, v.found...)
	}
	return found
}

// verifier looks at one destination.
type verifier struct {
	*evidence
	destination string
	index       map[row]int // of a row among rows
	acked       []int64     // by row, when a client first set out to ack it; never for none
	settled     []int64     // by row, when it and all before it had been acked
	found       []violation
}

const never = math.MaxInt64

func (v *verifier) violation(rule, format string, args ...any) {
	v.found = append(v.found, violation{rule, v.destination + ": " + fmt.Sprintf(format, args...)})
}

// processes yields the histories of the destination's consumers, in the order of
// their names.
func (v *verifier) processes(do func(name string, events []event)) {
	for _, name := range slices.Sorted(maps.Keys(v.consumers)) {
		var events []event
		for _, e := range v.consumers[name] {
			if e.Destination == v.destination {
				events = append(events, e)
			}
		}
		do(name, events)
	}
}

// each calls do for the rows of a batch, by their index. It reports rows that
// nobody wrote.
func (v *verifier) each(name string, e event, do func(i int)) {
	for _, s := range e.Rows {
		for n := s[1]; n <= s[2]; n++ {
			r := row{int(s[0]), n}
			if i, ok := v.index[r]; ok {
				do(i)
			} else {
				v.violation(ruleOrder, "%s got row %v, which was never written", name, r)
			}
		}
	}
}

// readAcks finds out when each row was acked by a process that had got it on the
// connection that it acked on. An ack counts from before it was sent.
func (v *verifier) readAcks() {
	v.acked = slices.Repeat([]int64{never}, len(v.rows))
	v.processes(func(name string, events []event) {
		held := make(map[int64]event)
		unsent := make(map[int64]bool) // looked at from behind
		sent := make([]bool, len(events))
		for i, e := range slices.Backward(events) {
			switch e.Kind {
			case kindUnsent:
				unsent[e.Batch] = true
			case kindAck:
				sent[i] = !unsent[e.Batch]
				delete(unsent, e.Batch)
			}
		}
		for i, e := range events {
			switch {
			case e.Kind == kindRun:
				clear(held)
			case e.Kind == kindBatch:
				held[e.Batch] = e
			case sent[i]:
				v.each(name, held[e.Batch], func(n int) { v.acked[n] = min(v.acked[n], e.At) })
			}
		}
	})
	v.settled = make([]int64, len(v.rows))
	var latest int64
	for i, at := range v.acked {
		latest = max(latest, at)
		v.settled[i] = latest
	}
}

// settledAt is when all rows before the one of index i had been acked.
func (v *verifier) settledAt(i int) int64 {
	if i == 0 {
		return 0
	}
	return v.settled[i-1]
}

// checkRuns looks at each delivery run: it begins where everything before has
// been acked, or earlier, and goes on row by row.
func (v *verifier) checkRuns() {
	v.processes(func(name string, events []event) {
		last, begun := 0, false
		for _, e := range events {
			switch e.Kind {
			case kindRun:
				begun = false
			case kindBatch:
				v.each(name, e, func(i int) {
					switch {
					case !begun && v.settledAt(i) > e.At:
						v.violation(ruleSkipped, "a run of %s begins in batch %s with row %v, but earlier rows had not been acked", name, batchName(e.Batch), v.rows[i].row)
					case begun && i != last+1:
						v.violation(ruleOrder, "in batch %s %s got row %v after %v", batchName(e.Batch), name, v.rows[i].row, v.rows[last].row)
					}
					begun, last = true, i
				})
			}
		}
	})
}

func (v *verifier) checkComplete() {
	lost := 0
	first := row{}
	for i, at := range v.acked {
		if at == never {
			if lost == 0 {
				first = v.rows[i].row
			}
			lost++
		}
	}
	if lost > 0 {
		v.violation(ruleLost, "%d of %d rows were never acked by a client that got them, the first is %v", lost, len(v.rows), first)
	}
}

// epoch is the number of the ownership in which a batch was handed out: see
// delivery.BatchIDOf.
func epoch(batch int64) int64 { return batch >> 32 }

func batchName(id int64) string { return fmt.Sprintf("%d/%d", epoch(id), uint32(id)) }

// earliest is the first moment at which a batch can have been handed out: not
// before it was asked for, and not while the server was stopped. What a server
// has sent before it was stopped has left it at once.
func (v *verifier) earliest(e event) int64 {
	from := e.Asked
	for _, p := range v.pauses[e.Server] {
		if from <= p.to && p.to <= e.At {
			from = p.to
		}
	}
	return from
}

// checkOverlap looks for a batch that was certainly handed out after one of a
// later epoch. Without one there is for any two epochs a moment at which the
// earlier had ended and the later not begun.
func (v *verifier) checkOverlap() {
	type deliveries struct{ last, first event } // the one handed out latest, and the one first seen
	epochs := make(map[int64]deliveries)
	for _, e := range v.handouts {
		if e.Destination != v.destination {
			continue
		}
		n := epoch(e.Batch)
		d, ok := epochs[n]
		if ok && d.first.Server != e.Server {
			v.violation(ruleOverlap, "%s and %s both handed out batches of epoch %d", d.first.Server, e.Server, n)
			continue
		}
		if !ok || v.earliest(e) > v.earliest(d.last) {
			d.last = e
		}
		if !ok || e.At < d.first.At {
			d.first = e
		}
		epochs[n] = d
	}
	var later *event
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(epochs))) {
		d := epochs[n]
		if later != nil && v.earliest(d.last) > later.At {
			v.violation(ruleOverlap, "%s handed out batch %s %v after %s had handed out batch %s",
				d.last.Server, batchName(d.last.Batch), time.Duration(v.earliest(d.last)-later.At), later.Server, batchName(later.Batch))
		}
		if later == nil || d.first.At < later.At {
			later = &d.first
		}
	}
}

// checkFence compares what was handed out with who owned the destination, as
// ZooKeeper's transactions have it.
func (v *verifier) checkFence() {
	for _, e := range v.handouts {
		if e.Destination != v.destination {
			continue
		}
		from := v.earliest(e)
		owned := slices.ContainsFunc(v.tree.ownerships, func(o ownership) bool {
			return o.destination == e.Destination && o.server == e.Server &&
				e.At+clockError >= v.clock.mono(o.began) && (o.ended == 0 || from-clockError <= v.clock.mono(o.ended))
		})
		if !owned {
			v.violation(ruleFence, "%s handed out batch %s between %d and %d, while it did not own the destination", e.Server, batchName(e.Batch), from, e.At)
		}
	}
}

// checkCursors looks at every cursor that was written: by the owner of that
// moment, not before the last one, and not beyond what clients had acked.
func (v *verifier) checkCursors() {
	last := make(map[string]cursorWrite)
	for _, c := range v.tree.cursors {
		if c.destination != v.destination {
			continue
		}
		if c.session != c.owner {
			v.violation(ruleCursor, "transaction %#x: session %#x wrote %v while session %#x owned the destination", uint64(c.zxid), uint64(c.session), c.place, uint64(c.owner))
		}
		if l, ok := last[c.client]; ok && c.place.before(l.place) {
			v.violation(ruleCursor, "transaction %#x: it goes back from %v to %v", uint64(c.zxid), l.place, c.place)
		}
		last[c.client] = c
		n, _ := slices.BinarySearchFunc(v.rows, c.place, func(t truth, p place) int {
			if t.place.before(p) {
				return -1
			}
			return 1
		})
		if v.settledAt(n) > v.clock.mono(c.wall)+clockError {
			v.violation(ruleSkipped, "transaction %#x: the cursor %v is behind rows that had not been acked, the last of them %v", uint64(c.zxid), c.place, v.rows[n-1].row)
		}
	}
}
