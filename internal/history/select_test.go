package history

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// given is a Log with what a test says.
type given struct {
	Log
	snapshots []Snapshot
	changes   []Change
}

func (g given) Snapshots(context.Context) ([]Snapshot, error) { return slices.Clone(g.snapshots), nil }

func (g given) Schemas(_ context.Context, id int64) (map[string]string, error) {
	return map[string]string{"d": fmt.Sprint(id)}, nil
}

func (g given) Changes(_ context.Context, since int64) ([]Change, error) {
	return slices.DeleteFunc(slices.Clone(g.changes), func(c Change) bool { return c.At.Timestamp < since }), nil
}

// place is a place of server 1: a file, an offset, a second.
func place(origin string, file int, offset, second int64) Place {
	return Place{Origin: origin, Position: binlog.Position{File: fmt.Sprintf("bin.%06d", file), Offset: offset, Timestamp: second * 1000, ServerID: 1}}
}

func withSet(p Place, set string) Place {
	p.GTIDSet = set
	return p
}

func change(id int64, at Place, gtid string) Change {
	return Change{ID: id, At: at, GTID: gtid, SQL: fmt.Sprint(id)}
}

const u = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

func TestSelect(t *testing.T) {
	first := Snapshot{ID: 1, Initial: true, At: place("a", 1, 100, 10)}
	javas := Snapshot{ID: 1, Initial: true, At: Place{Position: binlog.Position{File: "0", Timestamp: -2, ServerID: -1}}}
	tests := []struct {
		name      string
		at        Place
		snapshots []Snapshot
		changes   []Change
		base      int64 // 0: none
		apply     []int64
		snapsGo   []int64
		changesGo []int64
	}{
		{name: "nothing", at: place("a", 1, 100, 10)},
		{name: "at the begin", at: place("a", 1, 100, 10), snapshots: []Snapshot{first}, base: 1},
		{name: "before the begin", at: place("a", 1, 99, 10), snapshots: []Snapshot{first},
			changes: []Change{change(1, place("a", 1, 100, 10), "")}, snapsGo: []int64{1}, changesGo: []int64{1}},
		{name: "between changes of one second", at: place("a", 1, 200, 10), snapshots: []Snapshot{first}, base: 1,
			changes: []Change{change(1, place("a", 1, 150, 10), ""), change(2, place("a", 1, 200, 10), ""), change(3, place("a", 1, 250, 10), "")},
			apply:   []int64{1}, changesGo: []int64{2, 3}},
		{name: "file numbers that grow by a digit", at: place("a", 1_000_000, 4, 10), snapshots: []Snapshot{first}, base: 1,
			changes: []Change{change(1, place("a", 999_999, 500, 10), "")}, apply: []int64{1}},
		{name: "clock that went back", at: place("a", 2, 4, 5), snapshots: []Snapshot{first}, base: 1,
			changes: []Change{change(1, place("a", 1, 500, 30), "")}, apply: []int64{1}},
		{name: "newest snapshot", at: place("a", 3, 4, 40),
			snapshots: []Snapshot{first, {ID: 2, At: place("a", 2, 100, 20)}, {ID: 3, At: place("a", 3, 5, 40)}},
			changes: []Change{change(1, place("a", 1, 500, 15), ""), change(2, place("a", 2, 99, 20), ""), change(3, place("a", 2, 100, 20), ""),
				change(4, place("a", 3, 3, 40), ""), change(5, place("a", 3, 4, 40), "")},
			base: 2, apply: []int64{3, 4}, snapsGo: []int64{3}, changesGo: []int64{5}},
		{name: "another server, by time", at: place("b", 1, 4, 30), snapshots: []Snapshot{first}, base: 1,
			changes: []Change{change(1, place("a", 7, 1, 29), ""), change(2, place("a", 7, 2, 31), "")}, apply: []int64{1}, changesGo: []int64{2}},
		{name: "another server, by transactions", at: withSet(place("b", 1, 4, 30), u+":1-7"),
			snapshots: []Snapshot{{ID: 1, Initial: true, At: withSet(place("a", 1, 100, 10), u+":1-5")}}, base: 1,
			changes: []Change{change(1, place("a", 7, 1, 29), u+":5"), change(2, place("a", 7, 1, 31), u+":7"), change(3, place("a", 7, 2, 29), u+":8")},
			apply:   []int64{2}, changesGo: []int64{3}},
		{name: "read with the empty set", at: withSet(place("a", 1, 4, 10), u+":1-7"),
			snapshots: []Snapshot{{ID: 1, Initial: true, At: Place{Origin: "a", Position: binlog.Position{Timestamp: 10000}}}}, base: 1,
			changes: []Change{change(1, place("a", 1, 150, 10), u+":5")}, apply: []int64{1}},
		{name: "mariadb's transactions", at: withSet(place("b", 1, 4, 30), "0-1-7,1-1-3"), snapshots: []Snapshot{first}, base: 1,
			changes: []Change{change(1, place("a", 7, 1, 31), "0-2-7"), change(2, place("a", 7, 2, 29), "1-1-4")}, apply: []int64{1}, changesGo: []int64{2}},
		{name: "position without a time", at: place("b", 1, 4, 0), snapshots: []Snapshot{first}, base: 1,
			changes: []Change{change(1, place("a", 7, 1, 31), "")}, apply: []int64{1}},
		{name: "statement that took long", at: place("a", 3, 4, 90),
			snapshots: []Snapshot{first, {ID: 2, At: place("a", 2, 100, 60)}}, base: 2,
			changes: []Change{change(1, place("a", 2, 200, 61), ""), change(2, place("a", 2, 300, 30), "")}, apply: []int64{1, 2}},
		{name: "the begin of all", at: Place{Origin: "a", Position: binlog.Position{Timestamp: 99000}},
			snapshots: []Snapshot{first, {ID: 2, At: withSet(place("a", 2, 100, 60), u+":1-3")}},
			changes:   []Change{change(1, place("a", 2, 200, 61), u+":2")}, snapsGo: []int64{1, 2}, changesGo: []int64{1}},
		{name: "canal's", at: place("a", 1, 200, 10), snapshots: []Snapshot{javas}, base: 1,
			changes: []Change{change(1, place("", 1, 199, 10), ""), change(2, place("", 1, 200, 10), ""), change(3, place("", 1, 1, 11), ""),
				{ID: 4, SQL: "4", At: Place{Position: binlog.Position{File: "bin.000009", Offset: 900, Timestamp: 10000, ServerID: 2}}}},
			apply: []int64{1, 4}, changesGo: []int64{2, 3}},
		{name: "canal's snapshot stands at its last change", at: place("a", 2, 4, 30),
			snapshots: []Snapshot{javas, {ID: 2, At: place("", 1, 100, 20)}},
			changes:   []Change{change(1, place("", 1, 100, 20), ""), change(2, place("", 1, 150, 20), "")}, base: 2, apply: []int64{2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Select(t.Context(), given{snapshots: tt.snapshots, changes: tt.changes}, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			base := int64(0)
			if got.Base != nil {
				base = got.Base.ID
				if got.Base.Schemas["d"] != fmt.Sprint(base) {
					t.Errorf("the schemas are %v", got.Base.Schemas)
				}
			}
			var apply []int64
			for _, c := range got.Changes {
				apply = append(apply, c.ID)
			}
			if base != tt.base || !slices.Equal(apply, tt.apply) || !slices.Equal(got.LaterSnapshots, tt.snapsGo) || !slices.Equal(got.LaterChanges, tt.changesGo) {
				t.Errorf("base %d, apply %v, later %v and %v; want %d, %v, %v, %v", base, apply, got.LaterSnapshots, got.LaterChanges, tt.base, tt.apply, tt.snapsGo, tt.changesGo)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	tests := []struct {
		name       string
		tip, place Place
		want       bool
	}{
		{"same place", place("a", 1, 4, 10), place("a", 1, 4, 10), true},
		{"behind", place("a", 1, 4, 10), place("a", 1, 5, 10), false},
		{"before, though the clock says otherwise", place("a", 2, 4, 10), place("a", 1, 5, 99), true},
		{"another server, earlier", place("a", 2, 4, 10), place("b", 9, 5, 9), true},
		{"another server, later", place("a", 2, 4, 10), place("b", 1, 4, 11), false},
		{"another server, the same second", place("a", 2, 4, 10), place("b", 1, 4, 10), false},
		{"another server, no time", place("a", 2, 4, 10), place("b", 1, 4, 0), false},
		{"the begin of all", place("a", 2, 4, 10), Place{Origin: "a"}, true},
		{"behind the begin of all", Place{Origin: "a", Position: binlog.Position{Timestamp: 99000}}, withSet(place("a", 2, 4, 10), u+":1"), false},
		{"by transactions", withSet(place("a", 1, 4, 10), u+":1-9"), withSet(place("b", 1, 4, 11), u+":1-8"), true},
		{"more transactions", withSet(place("a", 1, 4, 10), u+":1-9"), withSet(place("b", 1, 4, 9), u+":1-10"), false},
	}
	for _, tt := range tests {
		if got := Covers(tt.tip, tt.place); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
