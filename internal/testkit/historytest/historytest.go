// Package historytest says what a history.Log has to do, as one suite that every
// Log runs.
//
// Two changes are at the same place when server id, file and offset are equal and
// nothing tells them apart besides: not their origins, if both are known, nor that
// one was read from the source and the other stands in its log, nor, of two that
// were read, their tables.
package historytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/history"
)

// Run runs the suite. open makes a Log that nothing has been written to; the suite
// closes it, and does not look at how many there are.
func Run(t *testing.T, open func(t *testing.T) history.Log) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, l log)
	}{
		{"empty", testEmpty},
		{"changes in order", testOrder},
		{"every field", testFields},
		{"same change twice", testTwice},
		{"another change at the place", testAnother},
		{"places that are not the same", testDistinct},
		{"snapshots", testSnapshots},
		{"snapshot at the same place", testSnapshotAgain},
		{"names and texts", testTexts},
		{"large", testLarge},
		{"remove", testRemove},
		{"expire", testExpire},
		{"state", testState},
		{"arguments stay the caller's", testAliasing},
		{"many at once", testMany},
		{"a context that has ended", testCancelled},
		{"closed", testClosed},
		{"random", testRandom},
	} {
		t.Run(c.name, func(t *testing.T) {
			opened := open(t)
			t.Cleanup(func() { opened.Close() })
			c.test(t, log{Log: opened, t: t})
		})
	}
}

// RunDurable opens a place for Logs again and again: what has been written is
// there. fresh makes such a place and returns what opens the Log that is in it.
func RunDurable(t *testing.T, fresh func(t *testing.T) (open func(t *testing.T) history.Log)) {
	open := fresh(t)
	var want contents
	for round := range 3 {
		l := log{Log: open(t), t: t}
		l.check(want)
		l.append(Statement(round))
		l.add(Tables(round))
		l.setState(fmt.Sprintf("round %d", round))
		want = l.contents()
		if len(want.changes) != round+1 || len(want.snapshots) != round+1 {
			t.Fatalf("round %d: %d changes and %d snapshots", round, len(want.changes), len(want.snapshots))
		}
		l.close()
	}
}

// Statement is a change of the n-th second, each at a place of its own.
func Statement(n int) history.Change {
	return history.Change{
		At: history.Place{
			Position: binlog.Position{File: "mysql-bin.000003", Offset: 1000 + 100*int64(n), Timestamp: second(n), ServerID: 7},
			Origin:   "01234567-89ab-cdef-0123-456789abcdef",
		},
		GTID:    fmt.Sprintf("01234567-89ab-cdef-0123-456789abcdef:%d", n+1),
		Schema:  "shop",
		SQL:     fmt.Sprintf("ALTER TABLE goods ADD c%d int", n),
		SQLMode: 1436549152,
		Charset: "utf8mb4",
		Table:   ddl.Name{Schema: "shop", Table: "goods"},
		Type:    "ALTER",
	}
}

// Tables is a snapshot of the n-th second, each at a place of its own.
func Tables(n int) history.Snapshot {
	return history.Snapshot{
		At: history.Place{
			Position: binlog.Position{File: "mysql-bin.000003", Offset: 1000 + 100*int64(n), Timestamp: second(n), ServerID: 7,
				GTIDSet: fmt.Sprintf("01234567-89ab-cdef-0123-456789abcdef:1-%d", n+1)},
			Origin: "01234567-89ab-cdef-0123-456789abcdef",
		},
		Schemas: map[string]string{"shop": fmt.Sprintf("CREATE TABLE `goods` (\n  `c%d` int\n); \n", n)},
		Extra:   []byte{0, 0xff, byte(n)},
	}
}

// second is the timestamp of the n-th second, in milliseconds.
func second(n int) int64 { return 1_700_000_000_000 + 1000*int64(n) }

func testEmpty(t *testing.T, l log) {
	l.check(contents{})
	if s, err := l.Schemas(t.Context(), 1); err == nil {
		t.Errorf("the schemas of a snapshot that is not there are %v", s)
	}
	l.remove([]int64{1, 2}, []int64{3})
	l.expire(second(5))
	l.check(contents{})
}

// testOrder: by timestamp and, within one, by appending, from since on.
func testOrder(t *testing.T, l log) {
	for _, n := range []int{4, 1, 3, 2} {
		l.append(Statement(n))
	}
	same := Statement(0)
	same.At.Timestamp = second(3)
	l.append(same)
	for _, c := range []struct {
		since int64
		want  []int
	}{
		{0, []int{1, 2, 3, 0, 4}}, {second(3), []int{3, 0, 4}}, {second(3) + 1, []int{4}}, {second(5), nil},
	} {
		var got []int
		for _, change := range l.changes(c.since) {
			got = append(got, int(change.At.Offset-1000)/100)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("since %d: %v, want %v", c.since, got, c.want)
		}
	}
}

func testFields(t *testing.T, l log) {
	full, bare := Statement(1), history.Change{At: Statement(2).At, SQL: "DROP DATABASE d"}
	bare.At.Origin, bare.At.ServerID = "", 0
	loaded, loadedBare := Statement(3), Statement(4)
	loaded.Loaded = true
	loadedBare = history.Change{At: loadedBare.At, Schema: "shop", SQL: "CREATE TABLE x (a int)", Loaded: true}
	loadedBare.At.Origin = ""
	want := []history.Change{full, bare, loaded, loadedBare}
	for _, c := range want {
		l.append(c)
	}
	l.wantChanges(want)

	initial, tables, least := Tables(5), Tables(6), Tables(7)
	initial.Initial = true
	least.Extra, least.At.GTIDSet, least.At.Origin = nil, "", ""
	for _, s := range []history.Snapshot{initial, tables, least} {
		l.add(s)
	}
	l.wantSnapshots([]history.Snapshot{initial, tables, least})
}

func testTwice(t *testing.T, l log) {
	for range 3 {
		for n := range 3 {
			l.append(Statement(n))
		}
	}
	l.wantChanges([]history.Change{Statement(0), Statement(1), Statement(2)})
}

func testAnother(t *testing.T, l log) {
	for n := range 3 {
		l.append(Statement(n))
	}
	later := Statement(1)
	later.SQL, later.At.Timestamp = "DROP TABLE goods", second(9)
	l.append(later)
	l.wantChanges([]history.Change{Statement(0), Statement(2), later})
}

// testDistinct: what has the same file and offset, and is no duplicate.
func testDistinct(t *testing.T, l log) {
	base := Statement(1)
	otherServer, otherFile, otherOffset, otherOrigin := base, base, base, base
	otherServer.At.ServerID = 8
	otherFile.At.File = "mysql-bin.000004"
	otherOffset.At.Offset++
	otherOrigin.At.Origin = "127.0.0.1:3306" // the same server's statement in a replica's files
	read, readToo, readThen := base, base, base
	read.Loaded, readToo.Loaded, readThen.Loaded = true, true, true
	read.SQL, readToo.SQL, readThen.SQL = "CREATE TABLE goods (a int)", "CREATE TABLE bills (a int)", "CREATE TABLE notes (a int)"
	readToo.Table.Table, readThen.Table.Table = "bills", "notes"
	want := []history.Change{base, otherServer, otherFile, otherOffset, otherOrigin, read, readToo, readThen}
	for range 2 {
		for _, c := range want {
			l.append(c)
		}
	}
	l.wantChanges(want)

	read.SQL = "CREATE TABLE goods (b int)" // read again at the same place
	l.append(read)
	l.wantChanges(append(slices.Delete(slices.Clone(want), 5, 6), read))
}

func testSnapshots(t *testing.T, l log) {
	initial := Tables(1)
	initial.Initial = true
	for _, s := range []history.Snapshot{initial, Tables(3), Tables(2)} {
		l.add(s)
	}
	all := l.wantSnapshots([]history.Snapshot{initial, Tables(2), Tables(3)})
	if all[1].ID <= all[2].ID {
		t.Errorf("the snapshots have the IDs %d and %d: the second was added later", all[1].ID, all[2].ID)
	}
	for _, s := range all {
		if s.Schemas != nil {
			t.Errorf("Snapshots returns schemas: %v", s.Schemas)
		}
	}
}

func testSnapshotAgain(t *testing.T, l log) {
	l.add(Tables(1))
	l.add(Tables(1))
	l.add(Tables(2))
	other := Tables(1)
	other.Schemas = map[string]string{"x": "CREATE TABLE `y` (\n  `z` int\n); \n"}
	l.add(other)
	l.wantSnapshots([]history.Snapshot{other, Tables(2)})
}

// odd are names and texts that something on the way could spoil.
var odd = []string{
	"", "`", "``", "\"", "'", "\\", "a.b", "%", "{", "$ref", "@type", "</script>&", "\t\r\n\x01\x7f", "库", "é", "\u2028\u2029", "\uffff",
	"😀", "q\u0000z",
}

func testTexts(t *testing.T, l log) {
	tables := Tables(1)
	tables.Schemas = map[string]string{}
	for i, s := range odd {
		c := Statement(i)
		c.SQL = "ALTER TABLE t COMMENT '" + s + "'"
		l.append(c)
		tables.Schemas["n"+s] = "CREATE TABLE `" + s + "` (\n  `a` int COMMENT '" + s + "'\n); \n"
	}
	raw := Statement(len(odd))
	raw.SQL = "ALTER TABLE t COMMENT '\xe4\xff'" // of a session in latin1
	l.append(raw)
	for i, c := range l.changes(0)[:len(odd)] {
		if want := "ALTER TABLE t COMMENT '" + odd[i] + "'"; c.SQL != want {
			t.Errorf("%q has become %q", want, c.SQL)
		}
	}
	if got := l.changes(0)[len(odd)].SQL; got != raw.SQL {
		t.Errorf("%q has become %q", raw.SQL, got)
	}
	empty := Tables(2)
	empty.Schemas = map[string]string{}
	l.add(tables)
	l.add(empty)
	l.wantSnapshots([]history.Snapshot{tables, empty})
}

// testLarge: a statement of 1 MiB, tables of 3 MiB, and whatever is long beside
// them.
func testLarge(t *testing.T, l log) {
	c, s := Statement(1), Tables(1)
	c.SQL += " COMMENT '" + noise(1<<20) + "'"
	for i := range 30 {
		s.Schemas[fmt.Sprintf("s%d", i)] = "CREATE TABLE `t` (\n  `a` int COMMENT '" + noise(100_000) + "'\n); \n"
	}
	s.Extra = []byte(noise(200_000))
	s.At.GTIDSet = noise(100_000)
	l.append(c)
	l.add(s)
	l.wantChanges([]history.Change{c})
	l.wantSnapshots([]history.Snapshot{s})

	long := Statement(2)
	long.Type, long.Table = strings.Repeat("x", 300), ddl.Name{Schema: strings.Repeat("库", 1100), Table: strings.Repeat("t", 2000)}
	l.append(long) // what is said about a statement may be cut, it itself not
	if got := l.changes(second(2)); len(got) != 1 || got[0].SQL != long.SQL {
		t.Errorf("a change with long names: %d, want it", len(got))
	}
}

func testRemove(t *testing.T, l log) {
	for n := range 6 {
		l.append(Statement(n))
		l.add(Tables(n))
	}
	all := l.contents()
	l.remove([]int64{all.snapshots[1].ID, all.snapshots[4].ID, all.snapshots[5].ID + 100}, nil)
	l.remove(nil, []int64{all.changes[0].ID, all.changes[3].ID, all.changes[5].ID + 100})
	l.remove(nil, nil)
	l.wantSnapshots([]history.Snapshot{Tables(0), Tables(2), Tables(3), Tables(5)})
	l.wantChanges([]history.Change{Statement(1), Statement(2), Statement(4), Statement(5)})
	left := l.contents()
	l.append(Statement(0)) // told anew
	l.remove([]int64{left.snapshots[0].ID}, []int64{left.changes[0].ID})
	l.wantChanges([]history.Change{Statement(0), Statement(2), Statement(4), Statement(5)})

	many := make([]int64, 5000)
	for i := range many {
		many[i] = int64(i) + 1
	}
	l.remove(many, many)
	l.check(contents{})
}

func testExpire(t *testing.T, l log) {
	initial := Tables(0)
	initial.Initial = true
	l.add(initial)
	for n := 1; n < 6; n++ {
		l.add(Tables(n))
	}
	for _, c := range []struct {
		before int64
		want   []history.Snapshot
	}{
		{second(0), []history.Snapshot{initial, Tables(1), Tables(2), Tables(3), Tables(4), Tables(5)}},
		{second(3), []history.Snapshot{initial, Tables(3), Tables(4), Tables(5)}},
		{second(100), []history.Snapshot{initial, Tables(5)}},
		{second(100), []history.Snapshot{initial, Tables(5)}},
	} {
		l.expire(c.before)
		l.wantSnapshots(c.want)
	}
}

func testState(t *testing.T, l log) {
	for _, s := range []string{"{}", "", "\x00\xff'`", noise(100_000), "last"} {
		l.setState(s)
		if got, err := l.State(t.Context()); err != nil || string(got) != s {
			t.Fatalf("the state is %.50q, %v; want %.50q", got, err, s)
		}
	}
}

func testAliasing(t *testing.T, l log) {
	s, state := Tables(1), []byte("state")
	l.add(s)
	if err := l.SetState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	s.Extra[0], state[0] = 'X', 'X'
	clear(s.Schemas)
	got, err := l.State(t.Context())
	if err != nil || string(got) != "state" {
		t.Errorf("the state is %q, %v", got, err)
	}
	got[0] = 'Y'
	l.snapshots()[0].Extra[0] = 'Y'
	l.wantSnapshots([]history.Snapshot{Tables(1)})
	if got, err := l.State(t.Context()); err != nil || string(got) != "state" {
		t.Errorf("the state is %q, %v", got, err)
	}
}

// testMany: calls from several goroutines, some of them for the same place.
func testMany(t *testing.T, l log) {
	const each, callers = 5, 4
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for caller := range callers {
		wg.Go(func() {
			for i := range each {
				errs <- l.Append(t.Context(), Statement(caller*each+i))
				errs <- l.Append(t.Context(), Statement(1000+i))
				errs <- l.AddSnapshot(t.Context(), Tables(i))
				_, err := l.Changes(t.Context(), 0)
				errs <- err
				errs <- l.SetState(t.Context(), []byte{byte(i)})
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := l.contents(); len(got.changes) != each*callers+each || len(got.snapshots) != each || len(got.state) != 1 {
		t.Errorf("%d changes, %d snapshots", len(got.changes), len(got.snapshots))
	}
}

func testCancelled(t *testing.T, l log) {
	l.append(Statement(1))
	l.add(Tables(1))
	before := l.contents()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(ctx, l.Log, before) {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s returns %v", name, err)
		}
	}
	l.check(before)
}

func testClosed(t *testing.T, l log) {
	l.append(Statement(1))
	l.add(Tables(1))
	before := l.contents()
	l.close()
	for name, call := range calls(t.Context(), l.Log, before) {
		if err := call(); err == nil {
			t.Errorf("%s succeeds", name)
		}
	}
	l.close()
}

// calls are all that takes a context, by name.
func calls(ctx context.Context, l history.Log, c contents) map[string]func() error {
	return map[string]func() error{
		"Snapshots":   func() error { _, err := l.Snapshots(ctx); return err },
		"Schemas":     func() error { _, err := l.Schemas(ctx, c.snapshots[0].ID); return err },
		"Changes":     func() error { _, err := l.Changes(ctx, 0); return err },
		"Append":      func() error { return l.Append(ctx, Statement(2)) },
		"AddSnapshot": func() error { return l.AddSnapshot(ctx, Tables(2)) },
		"Remove":      func() error { return l.Remove(ctx, []int64{c.snapshots[0].ID}, []int64{c.changes[0].ID}) },
		"Expire":      func() error { return l.Expire(ctx, second(100)) },
		"State":       func() error { _, err := l.State(ctx); return err },
		"SetState":    func() error { return l.SetState(ctx, []byte("x")) },
	}
}

// contents are all that is in a Log.
type contents struct {
	changes   []history.Change
	snapshots []history.Snapshot // with their schemas
	state     []byte
}

// log is a Log whose errors end the test.
type log struct {
	history.Log
	t *testing.T
}

func (l log) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l log) append(c history.Change) { l.t.Helper(); l.must(l.Append(l.t.Context(), c)) }

func (l log) add(s history.Snapshot) { l.t.Helper(); l.must(l.AddSnapshot(l.t.Context(), s)) }

func (l log) remove(snapshots, changes []int64) {
	l.t.Helper()
	l.must(l.Remove(l.t.Context(), snapshots, changes))
}

func (l log) expire(before int64) { l.t.Helper(); l.must(l.Expire(l.t.Context(), before)) }

func (l log) setState(s string) { l.t.Helper(); l.must(l.SetState(l.t.Context(), []byte(s))) }

func (l log) close() { l.t.Helper(); l.must(l.Close()) }

func (l log) changes(since int64) []history.Change {
	l.t.Helper()
	all, err := l.Changes(l.t.Context(), since)
	l.must(err)
	return all
}

// snapshots is what Snapshots returns.
func (l log) snapshots() []history.Snapshot {
	l.t.Helper()
	all, err := l.Snapshots(l.t.Context())
	l.must(err)
	return all
}

func (l log) contents() contents {
	l.t.Helper()
	c := contents{changes: l.changes(0), snapshots: l.snapshots()}
	for i, s := range c.snapshots {
		schemas, err := l.Schemas(l.t.Context(), s.ID)
		l.must(err)
		c.snapshots[i].Schemas = schemas
	}
	state, err := l.State(l.t.Context())
	l.must(err)
	c.state = state
	return c
}

// check compares all that is there.
func (l log) check(want contents) {
	l.t.Helper()
	got := l.contents()
	if len(got.changes)+len(want.changes) > 0 && !reflect.DeepEqual(got.changes, want.changes) {
		l.t.Fatalf("the changes are\n%+v\nwant\n%+v", got.changes, want.changes)
	}
	if len(got.snapshots)+len(want.snapshots) > 0 && !reflect.DeepEqual(got.snapshots, want.snapshots) {
		l.t.Fatalf("the snapshots are\n%+v\nwant\n%+v", got.snapshots, want.snapshots)
	}
	if !bytes.Equal(got.state, want.state) || (got.state == nil) != (want.state == nil) {
		l.t.Fatalf("the state is %q, want %q", got.state, want.state)
	}
}

// wantChanges compares the changes but for their IDs, which have to differ and, in
// one second, to grow.
func (l log) wantChanges(want []history.Change) {
	l.t.Helper()
	got, ids := l.changes(0), map[int64]bool{}
	for i, c := range got {
		if ids[c.ID] || i > 0 && c.At.Timestamp == got[i-1].At.Timestamp && c.ID < got[i-1].ID {
			l.t.Errorf("the %d. change has the ID %d", i+1, c.ID)
		}
		ids[c.ID] = true
	}
	if len(got) != len(want) {
		l.t.Fatalf("there are %d changes, want %d: %.2000s", len(got), len(want), fmt.Sprintf("%+v", got))
	}
	for i := range got {
		got[i].ID = 0
		if !reflect.DeepEqual(got[i], want[i]) {
			l.t.Fatalf("the %d. change is\n%.2000s\nwant\n%.2000s", i+1, fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]))
		}
	}
}

// wantSnapshots compares the snapshots and their schemas, and returns what
// Snapshots does.
func (l log) wantSnapshots(want []history.Snapshot) []history.Snapshot {
	l.t.Helper()
	all := l.snapshots()
	if len(all) != len(want) {
		l.t.Fatalf("there are %d snapshots, want %d: %.2000s", len(all), len(want), fmt.Sprintf("%+v", all))
	}
	for i, s := range all {
		schemas, err := l.Schemas(l.t.Context(), s.ID)
		l.must(err)
		s.ID, s.Schemas = 0, schemas
		if !reflect.DeepEqual(s, want[i]) {
			l.t.Fatalf("the %d. snapshot is\n%.2000s\nwant\n%.2000s", i+1, fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", want[i]))
		}
	}
	return all
}
