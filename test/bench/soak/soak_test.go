package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// play follows the statements of a script as a database would and says what is wrong
// with one.
type play struct {
	rows map[int64]int64 // seq by id
	n    int64
}

func (p *play) apply(t *step) error {
	var changes []change
	changes = t.changes(changes)
	if len(changes) != t.rows || t.first != p.n+1 {
		return fmt.Errorf("%d changes from %d on, of %d rows, behind %d", len(changes), t.first, t.rows, p.n)
	}
	for _, c := range changes {
		if p.n++; c.number != p.n {
			return fmt.Errorf("change %d has number %d", p.n, c.number)
		}
		if !t.isRows() {
			continue
		}
		seq, ok := p.rows[c.id]
		switch {
		case t.event == protocol.EventInsert && ok, t.event != protocol.EventInsert && !ok:
			return fmt.Errorf("%s of row %d, which is there: %t", t.event, c.id, ok)
		case t.event == protocol.EventDelete && c.seq != seq:
			return fmt.Errorf("row %d has seq %d, is deleted with %d", c.id, seq, c.seq)
		case t.event == protocol.EventDelete:
			delete(p.rows, c.id)
		default:
			p.rows[c.id] = c.seq
		}
	}
	return nil
}

func TestScript(t *testing.T) {
	const steps = 30000
	s, again, other := newScript(7, 2), newScript(7, 2), newScript(8, 2)
	p := play{rows: make(map[int64]int64)}
	events := make(map[protocol.EventType]int)
	differs := false
	for range steps {
		a, b, c := s.next(), again.next(), other.next()
		if a.statement() != b.statement() {
			t.Fatalf("one seed, two statements:\n%.200s\n%.200s", a.statement(), b.statement())
		}
		differs = differs || a.statement() != c.statement()
		events[a.event]++
		if err := p.apply(&a); err != nil {
			t.Fatal(err)
		}
		if len(p.rows) > mostRows+rowsAtOnce {
			t.Fatalf("the table has %d rows", len(p.rows))
		}
	}
	if !differs {
		t.Error("two seeds, one script")
	}
	for _, e := range []protocol.EventType{protocol.EventInsert, protocol.EventUpdate, protocol.EventDelete,
		protocol.EventCreate, protocol.EventErase, protocol.EventAlter, protocol.EventRename} {
		if events[e] == 0 {
			t.Errorf("no %s in %d steps", e, steps)
		}
	}
	if events[protocol.EventInsert] < steps/3 || events[protocol.EventUpdate] < steps/5 || events[protocol.EventDelete] < steps/10 {
		t.Errorf("of %d steps: %v", steps, events)
	}
}

func TestStatements(t *testing.T) {
	insert := step{event: protocol.EventInsert, table: "s0_main1", first: 5, low: 9, rows: 2, size: 3, fill: 'C'}
	update, del := insert, insert
	update.event, del.event = protocol.EventUpdate, protocol.EventDelete
	for want, s := range map[string]step{
		"INSERT INTO soak.s0_main1 (id, seq, body) VALUES (9,5,REPEAT('C',3)),(10,6,REPEAT('C',3))":             insert,
		"UPDATE soak.s0_main1 SET seq = 5 + id - 9, body = REPEAT('C',3) WHERE id BETWEEN 9 AND 10 ORDER BY id": update,
		"DELETE FROM soak.s0_main1 WHERE id BETWEEN 9 AND 10 ORDER BY id":                                       del,
		"RENAME TABLE soak.a TO soak.b": {event: protocol.EventRename, sql: "RENAME TABLE soak.a TO soak.b", shows: "b"},
	} {
		if got := s.statement(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// stream is what a client should get of one session.
func stream(n int) (all []change) {
	for s := newScript(1, 0); len(all) < n; {
		t := s.next()
		all = t.changes(all)
	}
	return all[:n]
}

func TestCheckerFindsFaults(t *testing.T) {
	const n = 200
	good := stream(n)
	feed := func(all []change) (*checker, error) {
		c := newChecker(1, 1)
		for i := range all {
			if err := c.change(c.sessions[0], &all[i]); err != nil {
				return c, err
			}
		}
		return c, nil
	}
	c, err := feed(good)
	if err != nil || c.taken != n || c.again != 0 || c.counts()[0] != n || c.defined == 0 {
		t.Errorf("a good stream: %v; %d taken, %d again, %v, %d definitions", err, c.taken, c.again, c.counts(), c.defined)
	}
	row := slices.IndexFunc(good, func(c change) bool { return c.event == protocol.EventUpdate && c.size > 0 })
	for name, spoil := range map[string]func(all []change) []change{
		"lost":      func(all []change) []change { return slices.Delete(all, 100, 101) },
		"twice":     func(all []change) []change { return slices.Insert(all, 100, all[99]) },
		"exchanged": func(all []change) []change { all[100], all[101] = all[101], all[100]; return all },
		"seq":       func(all []change) []change { all[row].seq++; return all },
		"id":        func(all []change) []change { all[row].id++; return all },
		"size":      func(all []change) []change { all[row].size--; return all },
		"text":      func(all []change) []change { all[row].fill++; return all },
		"table":     func(all []change) []change { all[row].table += "x"; return all },
		"event":     func(all []change) []change { all[row].event = protocol.EventInsert; return all },
		"SQL":       func(all []change) []change { all[0].shows = "nothing"; return all },
	} {
		if _, err := feed(spoil(slices.Clone(good))); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestCheckerRewinds(t *testing.T) {
	const n, back, ahead = 300, 120, 200
	good := stream(n)
	c := newChecker(1, 1)
	feed := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if err := c.change(c.sessions[0], &good[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	feed(0, back)
	m := c.mark()
	c.forget(m)
	feed(back, ahead)
	c.rewind(m)
	if err := c.change(c.sessions[0], &good[back+1]); err == nil {
		t.Error("what came again did not begin at the first change that was not acked, and nobody saw")
	}
	feed(back, n)
	if c.taken != n || c.again != ahead-back || c.counts()[0] != n {
		t.Errorf("%d taken, %d again, %v", c.taken, c.again, c.counts())
	}
	if p := c.sessions[0]; p.base != back || int64(len(p.window)) < n-back {
		t.Errorf("keeps %d changes from %d on", len(p.window), p.base)
	}
}

func TestCheckerSeesOrderOfEntries(t *testing.T) {
	c := newChecker(1, 1)
	for _, p := range []struct {
		file   string
		offset int64
		ok     bool
	}{{"b.000001", 100, true}, {"b.000001", 100, true}, {"b.000002", 4, true}, {"b.000001", 200, false}, {"b.000002", 3, false}, {"b.000002", 5, true}} {
		if err := c.place(p.file, p.offset); (err == nil) != p.ok {
			t.Errorf("%s:%d: %v", p.file, p.offset, err)
		}
	}
	m := c.mark()
	if err := c.place("b.000003", 4); err != nil {
		t.Error(err)
	}
	c.rewind(m)
	if err := c.place("b.000002", 6); err != nil {
		t.Error(err)
	}
	for table, ok := range map[string]bool{"s0_main3": true, "s0_side1": true, "s1_main1": false, "other": false, "s-1_x": false} {
		if _, err := c.sessionOf(table); (err == nil) != ok {
			t.Errorf("%s: %v", table, err)
		}
	}
}

func TestRise(t *testing.T) {
	var line, flat, noisy []point
	for i := range 101 {
		at := time.Duration(i) * time.Second
		line = append(line, point{at, 5 + 0.25*float64(i)})
		flat = append(flat, point{at, 7})
		noisy = append(noisy, point{at, 7 + 0.25*float64(i) + 3*float64(1-i%2*2)})
	}
	// Noise of ±3 on 101 moments: 3*√(101/99)/√(Σ(i-50)²) is 0.010 a second.
	for _, tt := range []struct {
		name           string
		points         []point
		by, give, near float64
	}{
		{"line", line, 50, 0, 1e-5}, {"flat", flat, 0, 0, 1e-9}, {"noisy", noisy, 50, 2.07, 0.1}, {"two points", line[:2], 0, 0, 0}, {"none", nil, 0, 0, 0},
	} {
		got := rise(tt.points, 200*time.Second)
		if math.Abs(got.by-tt.by) > tt.near || math.Abs(got.give-tt.give) > tt.near {
			t.Errorf("%s: rises by %v ± %v, want %v ± %v", tt.name, got.by, got.give, tt.by, tt.give)
		}
	}
	for by, over := range map[float64]bool{15: false, 17: false, 19: false, 21: true} {
		if got := (trend{by: by, give: 2}).over(16); got != over {
			t.Errorf("%v ± 2 is over 16: %t", by, got)
		}
	}
}

// grown is a run of an hour in which a figure of the second half rises.
func grown(mb, goroutines, descriptors float64) (all []sample) {
	for i := range 720 {
		s := sample{at: time.Duration(i) * 5 * time.Second}
		later := max(0, float64(i-360)) / 360 / 2 // half of the run has half of the rise
		s.resident = int64((50 + mb*later) * (1 << 20))
		s.goroutines = int(100 + goroutines*later)
		s.descriptors = int(30 + descriptors*later)
		all = append(all, s)
	}
	return all
}

func TestJudge(t *testing.T) {
	b := bounds{rss: 16, goroutines: 5}
	for _, tt := range []struct {
		name    string
		samples []sample
		want    []string
	}{
		{"steady", grown(0, 0, 0), nil},
		{"a little", grown(10, 3, 3), nil},
		{"less and less", grown(-40, -20, -9), nil},
		{"memory", grown(20, 0, 0), []string{"RSS"}},
		{"all", grown(20, 9, 9), []string{"RSS", "goroutines", "file descriptors"}},
	} {
		got := judge(tt.samples, b, time.Hour)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q", tt.name, got)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], tt.want[i]) {
				t.Errorf("%s: %q, want %s", tt.name, got[i], tt.want[i])
			}
		}
	}
}

func TestReport(t *testing.T) {
	r := result{seed: 9, took: time.Hour, drained: 1500 * time.Millisecond, sessions: 4, clients: 3, changes: 7200, taken: 21600, again: 11, bytes: 36e8,
		done: map[string]int{"rollback": 2, "pause": 3}, waited: 24 * time.Minute, peak: 77 << 20, samples: grown(8, 0, 0)}
	text := report(r, bounds{rss: 16, goroutines: 5})
	for _, want := range []string{
		"seed 9; 4 sessions, 3 destinations", "7200 changes", ": 2 a second, and about 1.0 MB", "6 a second together, and 11 came again; the last one 1.5s after",
		"for 10 % of the time", "What clients did: pause 3, rollback 2.", "RSS was 77 MB at its most.", "| RSS, MB | 50.0 | 52.0 | 54 | +8.0 ± 0.0 | 16 |", "| goroutines | 100.0 | 100.0 | 100 | +0.0 ± 0.0 | 5 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestParseMetrics(t *testing.T) {
	page := "# HELP go_goroutines x\n# TYPE go_goroutines gauge\ngo_goroutines 42.0\ngo_memstats_heap_alloc_bytes 1.5E7\n"
	got, err := parseMetrics(strings.NewReader(page))
	if want := map[string]float64{goroutinesMetric: 42, heapMetric: 15e6}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "go_goroutines 42.0\n", "go_goroutines many\n" + heapMetric + " 1\n"} {
		if _, err := parseMetrics(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestRoom(t *testing.T) {
	l := load{ahead: 100, clients: make([]clientState, 2)}
	l.clients[0].bytes.Store(50)
	l.written.Store(99)
	if !l.room() {
		t.Error("no room for 1 more")
	}
	l.written.Store(100)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if l.room() || l.wait(ctx) {
		t.Error("room beyond the slowest client's")
	}
	l.clients[1].bytes.Store(1)
	if !l.wait(t.Context()) {
		t.Error("no room when the slowest client has come nearer")
	}
}
