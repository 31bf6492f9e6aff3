package historytest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/towpath-cdc/towpath/internal/history"
)

// noise is a text of n bytes that cannot be compressed below 3/4 of them, the same
// one every time.
func noise(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	r := rand.New(rand.NewPCG(uint64(n), 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// model is a Log as simple as can be, for statements of known origin only.
type model struct {
	changes   []history.Change // in the order of appending
	snapshots []history.Snapshot
}

func (m *model) append(c history.Change) {
	for i, old := range m.changes {
		if old.At == c.At && old.SQL == c.SQL {
			return
		}
		if samePlace(old.At, c.At) {
			m.changes = slices.Delete(m.changes, i, i+1)
			break
		}
	}
	m.changes = append(m.changes, c)
}

func (m *model) add(s history.Snapshot) {
	m.snapshots = slices.DeleteFunc(m.snapshots, func(old history.Snapshot) bool { return samePlace(old.At, s.At) })
	m.snapshots = append(m.snapshots, s)
}

func (m *model) expire(before int64) {
	all := m.sortedSnapshots()
	m.snapshots = slices.DeleteFunc(m.snapshots, func(s history.Snapshot) bool {
		return s.At.Timestamp < before && s.At != all[len(all)-1].At
	})
}

func samePlace(a, b history.Place) bool {
	return a.File == b.File && a.Offset == b.Offset && a.ServerID == b.ServerID && a.Origin == b.Origin
}

func (m *model) sortedChanges() []history.Change {
	all := slices.Clone(m.changes)
	slices.SortStableFunc(all, func(a, b history.Change) int { return int(a.At.Timestamp - b.At.Timestamp) })
	return all
}

func (m *model) sortedSnapshots() []history.Snapshot {
	all := slices.Clone(m.snapshots)
	slices.SortStableFunc(all, func(a, b history.Snapshot) int { return int(a.At.Timestamp - b.At.Timestamp) })
	return all
}

// testRandom compares with the model after each of a number of random calls.
func testRandom(t *testing.T, l log) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r, m := rand.New(rand.NewPCG(seed, 0)), &model{}
	for range 60 {
		n := r.IntN(8)
		switch r.IntN(6) {
		case 0, 1, 2:
			c := Statement(n)
			if r.IntN(4) == 0 {
				c.At.Timestamp, c.SQL = second(r.IntN(8)), "DROP TABLE goods"
			}
			l.append(c)
			m.append(c)
		case 3:
			l.add(Tables(n))
			m.add(Tables(n))
		case 4:
			if before := second(n); len(m.snapshots) > 0 {
				l.expire(before)
				m.expire(before)
			}
		case 5:
			l.removeRandom(r, m)
		}
		l.wantChanges(m.sortedChanges())
		l.wantSnapshots(m.sortedSnapshots())
	}
}

// removeRandom takes one change and one snapshot out of both.
func (l log) removeRandom(r *rand.Rand, m *model) {
	l.t.Helper()
	var snapshots, changes []int64
	if all := l.changes(0); len(all) > 0 {
		c := all[r.IntN(len(all))]
		changes = []int64{c.ID}
		m.changes = slices.DeleteFunc(m.changes, func(old history.Change) bool { return samePlace(old.At, c.At) })
	}
	if all := l.snapshots(); len(all) > 0 {
		s := all[r.IntN(len(all))]
		snapshots = []int64{s.ID}
		m.snapshots = slices.DeleteFunc(m.snapshots, func(old history.Snapshot) bool { return samePlace(old.At, s.At) })
	}
	l.remove(snapshots, changes)
}
