package instance

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/source"
)

// begin is the cursor of a client that has seen nothing of a fake server's log.
func begin(i *Instance) meta.Cursor {
	host, port := i.address()
	return meta.Cursor{Host: host, Port: port, Position: binlog.Position{File: "mysql-bin.000001", Offset: 4, Timestamp: 1_700_000_000_000, ServerID: 1}}
}

// receive gets n entries without an ack and returns the batches.
func receive(t *testing.T, i *Instance, c meta.Client, n int) (ids []int64) {
	t.Helper()
	for n > 0 {
		d, err := i.Get(t.Context(), c, 1, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if d.Count == 0 {
			t.Fatalf("%d entries are missing", n)
		}
		n -= d.Count
		d.Release()
		ids = append(ids, d.BatchID)
	}
	return ids
}

// TestSeek moves a client back that has something in hand and another one that has
// not, with cursors in a file and in memory.
func TestSeek(t *testing.T) {
	for _, profile := range []string{"file", "memory"} {
		t.Run(profile, func(t *testing.T) {
			in := install(t, "canal.instance.global.spring.xml = classpath:spring/"+profile+"-instance.xml")
			s := database(t, 5)
			in.destination("example", s)
			i := in.start("example")
			if err := i.Subscribe(t.Context(), reader); err != nil {
				t.Fatal(err)
			}
			take(t, i, reader, 15) // begin, row, end of each transaction
			s.Log.Transaction(1_700_000_100, []byte{0, 9, 0, 0, 0})
			old := receive(t, i, reader, 3)

			// A get that waits while the cursors are moved goes on at the new place.
			waited := make(chan int64, 1)
			go func() {
				d, err := i.Get(t.Context(), reader, 1, 10*time.Second)
				if err != nil {
					t.Error(err)
				}
				d.Release()
				waited <- d.BatchID
			}()
			if err := in.Seek(t.Context(), "example", Move{To: begin(i)}); err != nil {
				t.Fatal(err)
			}
			// Clients take a gap in the ids for batches that somebody else has got.
			if id, last := <-waited, old[len(old)-1]; id != last+1 {
				t.Errorf("the get that waited has batch %d, want the one after %d", id, last)
			}
			next := in.Instance("example")
			if next == i {
				t.Fatal("the instance has not been started anew")
			}
			// Those of before mean nothing, whichever instance is asked.
			for n, who := range []*Instance{i, next} {
				if err := who.Ack(t.Context(), reader, old[n]); err != nil {
					t.Errorf("ack of before: %v", err)
				}
			}
			if err := i.Rollback(t.Context(), reader, 0); err != nil {
				t.Fatal(err)
			}
			if c := next.Status().Clients; len(c) != 1 || c[0].Open != 0 || c[0].Cursor != begin(i) {
				t.Errorf("clients after a rollback: %+v", c)
			}
			take(t, i, reader, 18) // through the old one, as a connection does that found it before
			if err := in.Stop("example"); err != nil {
				t.Fatal(err)
			}
			if _, err := i.Get(t.Context(), reader, 1, -1); err == nil {
				t.Error("a stopped instance hands out batches")
			}
		})
	}
}

// TestSeekOneClient leaves the others where they are.
func TestSeekOneClient(t *testing.T) {
	in := install(t)
	s := database(t, 3)
	in.destination("example", s)
	i := in.start("example")
	other := meta.Client{ID: 7}
	for _, c := range []meta.Client{reader, other} {
		if err := i.Subscribe(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	take(t, i, other, 9)
	if err := in.Seek(t.Context(), "example", Move{Client: 8, To: begin(i)}); !errors.Is(err, ErrNoClient) {
		t.Errorf("a client that is not there: %v", err)
	}
	if in.Instance("example") != i {
		t.Error("started anew for nothing")
	}
	before := i.Status().Clients
	to := begin(i)
	to.Position.Offset = s.Log.End().Offset
	if err := in.Seek(t.Context(), "example", Move{Client: reader.ID, To: to}); err != nil {
		t.Fatal(err)
	}
	for n, c := range in.Instance("example").Status().Clients {
		switch {
		case c.Client.ID == reader.ID && c.Cursor != to:
			t.Errorf("the client that moves is at %v", c.Cursor)
		case c.Client.ID == other.ID && c.Cursor != before[n].Cursor:
			t.Errorf("the other one is at %v, was at %v", c.Cursor, before[n].Cursor)
		}
	}
}

func TestSeekRefused(t *testing.T) {
	in := install(t)
	in.destination("example", database(t, 1))
	if err := in.Seek(t.Context(), "nosuch", Move{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("unknown: %v", err)
	}
	i := in.start("example")
	if err := in.Seek(t.Context(), "example", Move{To: begin(i)}); !errors.Is(err, ErrNoClient) {
		t.Errorf("without clients: %v", err)
	}
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	// What would not start again is not stopped.
	in.write("example/instance.properties", "canal.instance.master.address = nonsense")
	if err := in.Seek(t.Context(), "example", Move{To: begin(i)}); err == nil || in.Instance("example") != i {
		t.Errorf("with a wrong configuration: %v, still running: %v", err, in.Instance("example") == i)
	}
	if err := in.Stop("example"); err != nil {
		t.Fatal(err)
	}
	if err := in.Seek(t.Context(), "example", Move{To: begin(i)}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stopped: %v", err)
	}
}

// TestLocate finds places in a fake server's log.
func TestLocate(t *testing.T) {
	in := install(t)
	s := database(t, 0)
	var begins []binlog.Position
	for n := range 6 {
		if n == 3 {
			s.Log.Rotate(1_700_000_003)
		}
		begin, _ := s.Log.Transaction(1_700_000_000+uint32(n), []byte{0, byte(n), 0, 0, 0})
		begins = append(begins, begin)
	}
	in.destination("example", s)
	i := in.start("example")
	until(t, "the dump", func() bool { return i.Status().Source.Phase == source.PhaseStreaming })
	end := s.Log.End()
	first, second := "mysql-bin.000001", "mysql-bin.000002"
	for name, c := range map[string]struct {
		target source.Target
		want   func(binlog.Position) bool
		moved  bool
	}{
		"end":             {source.Target{End: true}, func(p binlog.Position) bool { return p.File == end.File && p.Offset == end.Offset }, false},
		"begin of a file": {source.Target{File: second}, func(p binlog.Position) bool { return p.File == second && p.Offset == 4 }, false},
		"offset 4":        {source.Target{File: first, Offset: 4}, func(p binlog.Position) bool { return p.File == first && p.Offset == 4 }, false},
		"inside": {source.Target{File: first, Offset: begins[2].Offset + 1}, func(p binlog.Position) bool {
			return p.File == first && p.Offset <= begins[2].Offset && p.Offset > begins[1].Offset
		}, true},
		"in the first event": {source.Target{File: first, Offset: 5}, func(p binlog.Position) bool { return p.File == first && p.Offset == 4 }, true},
		"a time": {source.Target{Timestamp: 1_700_000_002_000}, func(p binlog.Position) bool {
			return p.File == first && p.Offset > begins[1].Offset && p.Offset <= begins[2].Offset
		}, false},
		"a time in the future": {source.Target{Timestamp: 1_800_000_000_000}, func(p binlog.Position) bool { return p.File == second && p.Offset == end.Offset }, false},
	} {
		got, err := i.Locate(t.Context(), c.target)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !c.want(got.Cursor.Position) || got.Moved != c.moved {
			t.Errorf("%s: %+v, moved %v; transactions begin at %v", name, got.Cursor, got.Moved, begins)
		}
		if h, p := i.address(); got.Cursor.Host != h || got.Cursor.Port != p || got.Cursor.Whole {
			t.Errorf("%s: %+v", name, got.Cursor)
		}
	}
	for name, target := range map[string]source.Target{
		"no such file":    {File: "mysql-bin.000009"},
		"beyond the end":  {File: second, Offset: end.Offset + 1},
		"before all time": {Timestamp: 1},
	} {
		_, err := i.Locate(t.Context(), target)
		stop, ok := errors.AsType[*source.StopError](err)
		if !ok || stop.Oldest != first || slices.Contains(stop.Choices, "") || len(stop.Choices) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := i.Locate(t.Context(), source.Target{GTIDSet: "x"}); !errors.Is(err, source.ErrTarget) {
		t.Errorf("no GTID set: %v", err)
	}
	if dumps := i.Status().Read.Dumps; dumps != 1 {
		t.Errorf("%d dumps: looking for places has disturbed the instance", dumps)
	}
}
