package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// Selection says how the tables at a place are rebuilt from a history.
type Selection struct {
	// Base is the newest snapshot that holds nothing from behind the place; nil when
	// the history does not reach back so far. Its Schemas are read.
	Base *Snapshot

	// Changes are the changes between Base and the place, in order. Without a Base
	// there are none.
	Changes []Change

	// What is about places behind, by ID. It is told anew when the source is read
	// from the place on, and is to be removed before that.
	LaterSnapshots, LaterChanges []int64
}

// longestStatement is how far the time of a statement may lie before that of what
// stands before it in the log: an ALTER TABLE may take days, and clocks are set back.
const longestStatement = 7 * 24 * time.Hour

// Select reads from a history what makes up the tables at a place: before the
// event that stands there.
func Select(ctx context.Context, l Log, at Place) (Selection, error) {
	snapshots, err := l.Snapshots(ctx)
	if err != nil {
		return Selection{}, fmt.Errorf("read the snapshots of the history: %w", err)
	}
	o := newOrder(at)
	var s Selection
	for i := range snapshots {
		switch sn := &snapshots[i]; {
		case !o.holds(sn):
			s.LaterSnapshots = append(s.LaterSnapshots, sn.ID)
		default:
			s.Base = sn // they come oldest first
		}
	}
	since := int64(0)
	if s.Base != nil && !s.Base.Initial {
		since = max(s.Base.At.Timestamp-longestStatement.Milliseconds(), 0)
	}
	changes, err := l.Changes(ctx, since)
	if err != nil {
		return Selection{}, fmt.Errorf("read the changes of the history: %w", err)
	}
	// They were appended in the order of the source's log. Their times are not: that of
	// a statement is when it began.
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(a.ID, b.ID) })
	var base *order
	if s.Base != nil {
		base = newOrder(s.Base.At)
		if s.Base.Schemas, err = l.Schemas(ctx, s.Base.ID); err != nil {
			return Selection{}, fmt.Errorf("read a snapshot of the history: %w", err)
		}
	}
	for i := range changes {
		switch c := &changes[i]; {
		case !o.after(c):
			s.LaterChanges = append(s.LaterChanges, c.ID)
		case base != nil && !base.has(s.Base, c):
			s.Changes = append(s.Changes, *c)
		}
	}
	return s, nil
}

// order compares what is in a history with a place.
type order struct {
	at   Place
	set  *binlog.GTIDSet // of at, when it has one; or else:
	mset *binlog.MariaGTIDSet
}

func newOrder(at Place) *order {
	o := &order{at: at}
	o.set, o.mset = parseSet(at.GTIDSet)
	return o
}

// parseSet reads the text of a set of either kind of server. Both are nil when it
// is empty or cannot be read.
func parseSet(text string) (*binlog.GTIDSet, *binlog.MariaGTIDSet) {
	switch {
	case text == "":
	case strings.Contains(text, ":"):
		if set, err := binlog.ParseGTIDSet(text); err == nil {
			return set, nil
		}
	default:
		if set, err := binlog.ParseMariaGTIDSet(text); err == nil {
			return nil, set
		}
	}
	return nil, nil
}

// contains reports whether all of a set is executed before the place. known is
// false when one of them has no set.
func (o *order) contains(text string) (yes, known bool) {
	set, mset := parseSet(text)
	switch {
	case o.set != nil && set != nil:
		return o.set.ContainsSet(set), true
	case o.mset != nil && mset != nil:
		return o.mset.ContainsSet(mset), true
	}
	return false, false
}

// after reports whether the place is behind a change, so that the source does not
// tell it again when it is read from the place on.
//
// What the transactions say counts most, then the place in the log of one server.
// For servers that are not the same, and for what Canal has written, only the time
// is left, and within a second the place for events of the same server id; Canal
// goes by these alone (DatabaseTableMeta.applyHistoryOnDB).
func (o *order) after(c *Change) bool {
	if o.at.isBegin() {
		return false
	}
	if yes, known := o.contains(c.GTID); known {
		return yes
	}
	switch {
	case sameLog(o.at, c.At):
		return c.At.Compare(o.at.Position) < 0
	case o.at.Timestamp == 0 || c.At.Timestamp != o.at.Timestamp:
		return o.at.Timestamp == 0 || c.At.Timestamp < o.at.Timestamp
	case c.At.ServerID == o.at.ServerID && c.At.File != "" && o.at.File != "":
		return c.At.Compare(o.at.Position) < 0
	}
	return true
}

// isBegin reports whether nothing is before a place: it has the empty set of
// transactions and no file.
func (p *Place) isBegin() bool { return p.File == "" && p.GTIDSet == "" }

// fromTheBegin reports whether a snapshot is older than all changes: Canal's initial
// one, which does not say where it was read, or one that was read with the empty set
// of transactions. Canal's name for no file is "0".
func (s *Snapshot) fromTheBegin() bool {
	return s.Initial && (s.At.Origin == "" || s.At.isBegin() || s.At.File == "0" && s.At.GTIDSet == "")
}

// Before reports whether a change stands before a place, as Select sees it.
func Before(c *Change, at Place) bool { return newOrder(at).after(c) }

// sameLog reports whether files and offsets of two places can be compared.
func sameLog(a, b Place) bool {
	return a.Origin != "" && a.Origin == b.Origin && a.File != "" && b.File != ""
}

// holds reports whether a snapshot has nothing in it from behind the place.
func (o *order) holds(s *Snapshot) bool {
	if s.fromTheBegin() {
		return true
	}
	if o.at.isBegin() {
		return false
	}
	if yes, known := o.contains(s.At.GTIDSet); known {
		return yes
	}
	if sameLog(o.at, s.At) {
		return s.At.Compare(o.at.Position) <= 0
	}
	return o.at.Timestamp == 0 || s.At.Timestamp < o.at.Timestamp
}

// has reports whether a change is in the snapshot at which o is. Canal's snapshots
// stand at the last change that is in them.
func (o *order) has(s *Snapshot, c *Change) bool {
	switch {
	case s.fromTheBegin():
		return false
	case s.At.Origin == "":
		return c.At.Timestamp < s.At.Timestamp || c.At.ServerID == s.At.ServerID && c.At.Compare(s.At.Position) <= 0
	}
	return o.after(c)
}

// Covers reports whether a history that was followed up to tip has all that stands
// before a place.
//
// Where only the time is left it has to be known, and to lie before that of the tip:
// within a second the one may have statements that the other has not.
func Covers(tip, place Place) bool {
	if tip.isBegin() || place.isBegin() {
		return place.isBegin()
	}
	o := newOrder(tip)
	if yes, known := o.contains(place.GTIDSet); known {
		return yes
	}
	if sameLog(tip, place) {
		return place.Compare(tip.Position) <= 0
	}
	return place.Timestamp > 0 && place.Timestamp < tip.Timestamp
}
