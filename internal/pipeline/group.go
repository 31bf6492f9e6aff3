package pipeline

import "github.com/towpath-cdc/towpath/internal/store"

// The rule by which empty transactions are let through now and then, so that
// positions move on (Canal's EntryEventSink).
const (
	emptyInterval  = 5000 // milliseconds of event time
	emptyThreshold = 8192 // transaction marks, or groups of them
)

// grouper decides which transaction marks reach the store. It sees the items
// of an instance in order and gathers them in groups as Canal's
// EventTransactionBuffer does: a group ends before a BEGIN, after an END, after
// a statement, and when it holds size items. A group without row data is an
// empty transaction and is dropped most of the time. Items of a group with row
// data are passed on at once, so that a group takes no memory.
type grouper struct {
	size        int  // items in a group, canal.instance.transaction.size
	filterMarks bool // canal.instance.filter.transaction.entry

	count   int          // items in the open group
	rows    bool         // the open group has row data
	waiting []store.Item // marks of the open group that wait for row data

	emptyTime, emptyCount int64
	marksTime, marksCount int64
}

// reset forgets the open group and drops its items.
func (g *grouper) reset(drop func(store.Item)) {
	for _, it := range g.waiting {
		drop(it)
	}
	g.open()
}

// open begins a group.
func (g *grouper) open() { g.waiting, g.count, g.rows = g.waiting[:0], 0, false }

// add takes the next item. It appends to out what may go on now and returns that;
// drop is called for what may not. flush says that a statement ends its group.
func (g *grouper) add(out []store.Item, it *store.Item, flush bool, drop func(store.Item)) []store.Item {
	if it.Kind == store.KindBegin || g.count == g.size {
		out = g.end(out, drop)
	}
	g.count++
	switch {
	case it.Kind != store.KindBegin && it.Kind != store.KindEnd:
		g.rows = true
		if len(g.waiting) > 0 {
			out = append(out, g.waiting...)
			g.waiting = g.waiting[:0]
		}
		out = append(out, *it)
	case !g.wanted(it):
		drop(*it)
	case g.rows:
		out = append(out, *it)
	default:
		g.waiting = append(g.waiting, *it)
	}
	if flush || it.Kind == store.KindEnd {
		out = g.end(out, drop)
	}
	return out
}

// wanted applies the setting that leaves out most transaction marks.
func (g *grouper) wanted(it *store.Item) bool {
	if !g.filterMarks {
		return true
	}
	g.marksCount++
	if g.marksCount <= emptyThreshold && distance(it.Position.Timestamp, g.marksTime) <= emptyInterval {
		return false
	}
	if it.Kind == store.KindEnd {
		g.marksCount, g.marksTime = 0, it.Position.Timestamp
	}
	return true
}

// end closes the open group.
func (g *grouper) end(out []store.Item, drop func(store.Item)) []store.Item {
	if len(g.waiting) > 0 {
		if g.letEmptyThrough(g.waiting[0].Position.Timestamp) {
			out = append(out, g.waiting...)
		} else {
			for _, it := range g.waiting {
				drop(it)
			}
		}
	}
	g.open()
	return out
}

func (g *grouper) letEmptyThrough(now int64) bool {
	if distance(now, g.emptyTime) <= emptyInterval {
		if g.emptyCount++; g.emptyCount <= emptyThreshold {
			return false
		}
	}
	g.emptyCount, g.emptyTime = 0, now
	return true
}

func distance(a, b int64) int64 {
	if a < b {
		return b - a
	}
	return a - b
}
