package main

import (
	"strings"
	"testing"
	"time"
)

// Times in these tests are in milliseconds, of both clocks.
const ms = int64(time.Millisecond)

func at(t int64, e event) event {
	e.At, e.Destination = t*ms, "d"
	return e
}

func run1(t int64, server string) event { return at(t, event{Kind: kindRun, Server: server}) }

func batch(t, id int64, rows ...span) event {
	return at(t, event{Kind: kindBatch, Batch: id, Rows: rows})
}

func ack(t, id int64) event { return at(t, event{Kind: kindAck, Batch: id}) }

func unsent(t, id int64) event { return at(t, event{Kind: kindUnsent, Batch: id}) }

func handed(server string, asked, left, id int64) event {
	return at(left, event{Kind: kindHanded, Server: server, Batch: id, Asked: asked * ms})
}

// id is that of batch n of an epoch.
func id(epoch, n int64) int64 { return epoch<<32 + n }

// good is a campaign in which all is well: a owns the destination from 10 to 100,
// and hands out six rows of two writers, the last two of which b hands out again
// after it has taken over.
func good() *evidence {
	rows := []truth{}
	for i, r := range []row{{0, 1}, {1, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}} {
		rows = append(rows, truth{r, place{"b.1", int64(100 * (i + 1))}})
	}
	return &evidence{
		destinations: []string{"d"},
		rows:         rows,
		consumers: map[string][]event{
			"first": {
				run1(20, "a"),
				batch(30, id(1, 1), span{0, 1, 1}, span{1, 1, 1}), ack(31, id(1, 1)),
				batch(40, id(1, 2), span{0, 2, 3}), ack(41, id(1, 2)),
				batch(50, id(1, 3), span{1, 2, 3}), ack(51, id(1, 3)), unsent(51, id(1, 3)),
			},
			"second": {
				run1(120, "b"),
				batch(130, id(2, 1), span{1, 2, 3}), ack(131, id(2, 1)),
			},
		},
		handouts: []event{
			handed("a", 25, 29, id(1, 1)), handed("a", 30, 39, id(1, 2)), handed("a", 42, 49, id(1, 3)),
			handed("b", 121, 129, id(2, 1)),
		},
		pauses: map[string][]pause{"a": {{60 * ms, 150 * ms}}},
		tree: &tree{
			ownerships: []ownership{
				{destination: "d", server: "a", session: 1, began: 10, ended: 100},
				{destination: "d", server: "b", session: 2, began: 110},
			},
			cursors: []cursorWrite{
				{destination: "d", client: "1001", place: place{"b.1", 50}, session: 1, owner: 1, wall: 20},
				{destination: "d", client: "1001", place: place{"b.1", 401}, session: 1, owner: 1, wall: 60},
				{destination: "d", client: "1001", place: place{"b.1", 601}, session: 2, owner: 2, wall: 140},
			},
		},
		clock: clock{{mono: 0, wall: 0}},
	}
}

func TestVerify(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*evidence)
		rule  string // "" when all is well
		text  string
	}{
		{"all is well", func(*evidence) {}, "", ""},
		{"a row that never came", func(e *evidence) {
			e.consumers["second"][1] = batch(130, id(2, 1), span{1, 2, 2})
			e.tree.cursors = e.tree.cursors[:2]
		}, ruleLost, "1 of 6 rows were never acked by a client that got them, the first is {1 3}"},
		{"a row that came and was not acked", func(e *evidence) {
			e.consumers["second"] = e.consumers["second"][:2]
			e.tree.cursors = e.tree.cursors[:2]
		}, ruleLost, "2 of 6 rows"},
		{"an ack on another connection", func(e *evidence) {
			s := e.consumers["second"]
			e.consumers["second"] = []event{s[0], s[1], run1(130, "b"), s[2]}
			e.tree.cursors = e.tree.cursors[:2]
		}, ruleLost, "2 of 6 rows"},
		{"two rows the wrong way round", func(e *evidence) {
			e.consumers["first"][1] = batch(30, id(1, 1), span{1, 1, 1}, span{0, 1, 1})
		}, ruleOrder, "first got row {0 1} after {1 1}"},
		{"a row left out within a run", func(e *evidence) {
			e.consumers["first"][3] = batch(40, id(1, 2), span{0, 3, 3})
		}, ruleOrder, "first got row {0 3} after {1 1}"},
		{"a row twice within a run", func(e *evidence) {
			e.consumers["first"][3] = batch(40, id(1, 2), span{1, 1, 1}, span{0, 2, 3})
		}, ruleOrder, "first got row {1 1} after {1 1}"},
		{"a row that was never written", func(e *evidence) {
			e.consumers["second"][1] = batch(130, id(2, 1), span{1, 2, 4})
		}, ruleOrder, "row {1 4}, which was never written"},
		{"a run that begins behind rows nobody acked", func(e *evidence) {
			e.consumers["second"][1] = batch(130, id(2, 1), span{1, 3, 3})
		}, ruleSkipped, "a run of second begins in batch 2/1 with row {1 3}"},
		{"a cursor behind rows nobody acked", func(e *evidence) {
			e.tree.cursors[1].place.offset = 501
		}, ruleSkipped, "the cursor b.1:501 is behind rows that had not been acked, the last of them {1 2}"},
		{"a cursor before the ack", func(e *evidence) { e.tree.cursors[1].wall = 30 }, ruleSkipped, "the cursor b.1:401"},
		{"two servers of one epoch", func(e *evidence) {
			e.handouts = append(e.handouts, handed("b", 121, 122, id(1, 9)))
		}, ruleOverlap, "a and b both handed out batches of epoch 1"},
		{"a batch after one of a later epoch", func(e *evidence) {
			e.handouts = append(e.handouts, handed("a", 131, 132, id(1, 4)))
		}, ruleOverlap, "a handed out batch 1/4 2ms after b had handed out batch 2/1"},
		{"a server that wakes up and hands out what was asked for before", func(e *evidence) {
			e.handouts = append(e.handouts, handed("a", 55, 151, id(1, 4)))
		}, ruleOverlap, "a handed out batch 1/4 21ms after b had handed out batch 2/1"},
		{"the same with nobody else there", func(e *evidence) {
			e.handouts = append(e.handouts[:3], handed("a", 55, 151, id(1, 4)))
			e.tree.ownerships = e.tree.ownerships[:1]
			e.tree.cursors = e.tree.cursors[:2]
		}, ruleFence, "a handed out batch 1/4"},
		{"a batch that had been sent before the server was stopped", func(e *evidence) {
			e.handouts = append(e.handouts, handed("a", 55, 58, id(1, 4)))
		}, "", ""},
		{"a batch before the ownership began", func(e *evidence) { e.handouts[0] = handed("a", 1, 2, id(1, 1)) }, ruleFence, "a handed out batch 1/1"},
		{"a batch after it ended", func(e *evidence) { e.tree.ownerships[0].ended = 20 }, ruleFence, "a handed out batch 1/2"},
		{"a cursor that goes back", func(e *evidence) { e.tree.cursors[2].place.offset = 350 }, ruleCursor, "it goes back from b.1:401 to b.1:350"},
		{"a cursor of another file", func(e *evidence) {
			e.tree.cursors[0].place = place{"b.0", 9000}
		}, "", ""},
		{"a cursor of a server that has lost the destination", func(e *evidence) { e.tree.cursors[2].session = 1 }, ruleCursor, "session 0x1 wrote b.1:601 while session 0x2 owned the destination"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := good()
			c.spoil(e)
			found := verify(e)
			if c.rule == "" {
				if len(found) > 0 {
					t.Errorf("found %v", found)
				}
				return
			}
			for _, v := range found {
				if v.rule == c.rule && strings.Contains(v.text, c.text) {
					return
				}
			}
			t.Errorf("found %v, want %s: %s", found, c.rule, c.text)
		})
	}
}

// Another destination's events are no business of this one.
func TestVerifyDestinations(t *testing.T) {
	e := good()
	e.destinations = append(e.destinations, "other")
	for _, v := range verify(e) {
		if !strings.HasPrefix(v.text, "other: 6 of 6 rows were never acked") {
			t.Error(v)
		}
	}
	if n := len(verify(e)); n != 1 {
		t.Errorf("%d violations", n)
	}
}

func TestClock(t *testing.T) {
	c := clock{{mono: 100 * ms, wall: 5000 * ms}, {mono: 200 * ms, wall: 5101 * ms}}
	for wall, want := range map[int64]int64{4990: 90, 5000: 100, 5050: 150, 5101: 200, 5200: 299} {
		if got := c.mono(wall); got != want*ms {
			t.Errorf("%d ms is at %d, want %d", wall, got, want*ms)
		}
	}
}

func TestHistory(t *testing.T) {
	r, err := newRecorder(t.TempDir() + "/h")
	if err != nil {
		t.Fatal(err)
	}
	r.record(batch(1, id(3, 4), span{0, 1, 2}))
	r.record(event{Kind: kindFault, Text: "x"})
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	events, err := readHistory(r.file.Name())
	if err != nil || len(events) != 2 || events[0].Batch != id(3, 4) || events[0].Rows[0] != (span{0, 1, 2}) || events[1].At == 0 {
		t.Errorf("read %+v, %v", events, err)
	}
	for text, want := range map[string]int{"": 0, `{"at":1}` + "\n" + `{"at":`: 1} {
		if events, err := parseHistory([]byte(text)); err != nil || len(events) != want {
			t.Errorf("%q: %v, %v", text, events, err)
		}
	}
	if _, err := parseHistory([]byte("{\n")); err == nil {
		t.Error("no error")
	}
}

func TestAppendRow(t *testing.T) {
	var rows []span
	for _, r := range []row{{0, 1}, {0, 2}, {1, 3}, {0, 3}, {0, 5}} {
		rows = appendRow(rows, r)
	}
	want := []span{{0, 1, 2}, {1, 3, 3}, {0, 3, 3}, {0, 5, 5}}
	if len(rows) != len(want) {
		t.Fatalf("got %v", rows)
	}
	for i := range want {
		if rows[i] != want[i] {
			t.Errorf("got %v", rows)
		}
	}
}
