package meta

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

func cursorAt(offset int64, whole bool) Cursor {
	return Cursor{Host: "127.0.0.1", Port: 3306, Position: binlog.Position{File: "mysql-bin.000001", Offset: offset, Timestamp: 1, ServerID: 1}, Whole: whole}
}

// TestAcksSurviveAKill opens the files a second time without closing the first
// manager, as after kill -9: what was subscribed and acked is there, although no
// flush was due.
func TestAcksSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	o := FileOptions{Destination: dest, Dir: dir, Period: 1 << 40}
	f, err := OpenFile(o)
	must(t, err)
	defer f.Close()
	a, b := Client{Destination: dest, ID: 1001}, Client{Destination: dest, ID: 7, Filter: `d\..*`}
	must(t, f.Subscribe(t.Context(), a))
	must(t, f.UpdateCursor(t.Context(), a, cursorAt(4, false)))
	must(t, f.Subscribe(t.Context(), b))
	must(t, f.UpdateCursor(t.Context(), a, cursorAt(100, true)))
	must(t, f.UpdateCursor(t.Context(), b, cursorAt(50, false)))
	must(t, f.UpdateCursor(t.Context(), a, cursorAt(200, true)))

	again, err := OpenFile(o)
	must(t, err)
	defer again.Close()
	for _, want := range []struct {
		c   Client
		cur Cursor
	}{{a, cursorAt(200, true)}, {b, cursorAt(50, false)}} {
		if cur, ok := again.Cursor(want.c); !ok || cur != want.cur {
			t.Errorf("client %d: %+v, %v, want %+v", want.c.ID, cur, ok, want.cur)
		}
	}
}

// TestAcksSurviveTheSecondKill: a process that finds meta.dat as it would write
// it journals as well. It once did not before the file changed, so that a server
// that was killed within every flush period never got on.
func TestAcksSurviveTheSecondKill(t *testing.T) {
	o := FileOptions{Destination: dest, Dir: t.TempDir(), Period: 1 << 40}
	c := Client{Destination: dest, ID: 1001}
	for offset := int64(100); offset < 500; offset += 100 {
		f, err := OpenFile(o)
		must(t, err)
		defer f.Close()
		must(t, f.Subscribe(t.Context(), c))
		if offset > 100 {
			if cur, _ := f.Cursor(c); cur != cursorAt(offset-100, true) {
				t.Fatalf("after a kill: %+v, want %+v", cur, cursorAt(offset-100, true))
			}
		}
		must(t, f.Flush(t.Context())) // nothing has changed
		must(t, f.UpdateCursor(t.Context(), c, cursorAt(offset, true)))
	}
}

// killedDisk ends the program between the replacement of meta.dat and that of
// the file beside it, and lets an ack come while meta.dat is being written.
type killedDisk struct {
	osDisk
	during func() // nil before the write at which it happens
}

var errKilled = errors.New("killed")

func (d *killedDisk) write(path string, content []byte, sync bool) (time.Time, error) {
	if d.during != nil && sync {
		d.during()
	}
	return d.osDisk.write(path, content, sync)
}

func (d *killedDisk) rename(from, to string) error {
	if d.during != nil && filepath.Base(to) == SumFileName {
		return errKilled
	}
	return d.osDisk.rename(from, to)
}

// TestAcksSurviveAKillDuringAFlush: meta.dat is new and the file beside it is
// old, and nothing of what was acked meanwhile is lost.
func TestAcksSurviveAKillDuringAFlush(t *testing.T) {
	d := &killedDisk{}
	o := FileOptions{Destination: dest, Dir: t.TempDir(), Period: 1 << 40, disk: d}
	f, err := OpenFile(o)
	must(t, err)
	c := Client{Destination: dest, ID: 1001}
	must(t, f.Subscribe(t.Context(), c))
	must(t, f.UpdateCursor(t.Context(), c, cursorAt(100, true)))
	d.during = func() { must(t, f.UpdateCursor(t.Context(), c, cursorAt(200, true))) }
	if err := f.Flush(t.Context()); !errors.Is(err, errKilled) {
		t.Fatalf("flush: %v", err)
	}
	o.disk, o.Notice = nil, func(text string) { t.Error(text) }
	again, err := OpenFile(o)
	must(t, err)
	defer again.Close()
	if cur, _ := again.Cursor(c); cur != cursorAt(200, true) {
		t.Errorf("after the kill: %+v, want %+v", cur, cursorAt(200, true))
	}
}

// TestWholeSurvivesAFlush: Canal's form cannot say that an event is confirmed
// as a whole, the line beside it does.
func TestWholeSurvivesAFlush(t *testing.T) {
	dir := t.TempDir()
	o := FileOptions{Destination: dest, Dir: dir}
	f, err := OpenFile(o)
	must(t, err)
	c := Client{Destination: dest, ID: 1001}
	must(t, f.Subscribe(t.Context(), c))
	must(t, f.UpdateCursor(t.Context(), c, cursorAt(100, true)))
	must(t, f.Close())
	f, err = OpenFile(o)
	must(t, err)
	if cur, _ := f.Cursor(c); cur != cursorAt(100, true) {
		t.Errorf("after a flush: %+v, want it whole", cur)
	}
	must(t, f.Close())

	// A Java server moved the cursor: nothing is known of the event it names.
	path := filepath.Join(dir, FileName)
	must(t, os.WriteFile(path, appendRecords(nil, dest, []Record{{Client: c, Cursor: cursorAt(300, false), HasCursor: true}}), 0o644))
	f, err = OpenFile(o)
	must(t, err)
	if cur, _ := f.Cursor(c); cur != cursorAt(300, false) {
		t.Errorf("after another program's change: %+v, want its cursor, not whole", cur)
	}
	must(t, f.Close())
}

// TestTornJournal cuts the journal at every byte: what is left is used as far
// as it goes, and never misread.
func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	o := FileOptions{Destination: dest, Dir: dir, Period: 1 << 40}
	f, err := OpenFile(o)
	must(t, err)
	c := Client{Destination: dest, ID: 1001}
	must(t, f.Subscribe(t.Context(), c))
	for _, at := range []int64{10, 20, 30} {
		must(t, f.UpdateCursor(t.Context(), c, cursorAt(at, true)))
	}
	sum := filepath.Join(dir, SumFileName)
	whole, err := os.ReadFile(sum)
	must(t, err)
	must(t, f.Close())
	line := len(whole) - 1
	for n := range whole {
		if whole[n] == '\n' {
			line = n
			break
		}
	}
	records := []Record{{Client: c}}
	for cut := line + 1; cut <= len(whole); cut++ {
		records[0] = Record{Client: c}
		replay(whole[line+1:cut], records)
		if r := records[0]; r.HasCursor && r.Cursor != cursorAt(10, true) && r.Cursor != cursorAt(20, true) && r.Cursor != cursorAt(30, true) {
			t.Fatalf("cut at %d: %+v", cut, r.Cursor)
		}
	}
	if records[0].Cursor != cursorAt(30, true) {
		t.Errorf("the whole journal gives %+v", records[0].Cursor)
	}
}

func FuzzReplay(f *testing.F) {
	f.Add(appendMove(appendMove(nil, 1001, cursorAt(1, true)), -5, cursorAt(1<<40, false)))
	f.Add([]byte("1001 true {}\n"))
	f.Fuzz(func(t *testing.T, journal []byte) {
		replay(journal, []Record{{Client: Client{ID: 1001}}, {Client: Client{ID: -5}}})
	})
}

// TestSourcesAreKept: the cursors of several sources outlive a kill, and a program
// that knows nothing of them sees Canal's cursor.
func TestSourcesAreKept(t *testing.T) {
	o := FileOptions{Destination: dest, Dir: t.TempDir(), Period: 1 << 40}
	f, err := OpenFile(o)
	must(t, err)
	defer f.Close()
	c := Client{Destination: dest, ID: 1001}
	must(t, f.Subscribe(t.Context(), c))
	must(t, f.UpdateCursor(t.Context(), c, cursorAt(4, false)))
	must(t, f.Flush(t.Context()))
	cur := cursorAt(200, true)
	var none *Sources
	cur.Sources = none.With(2, cursorAt(200, true)).With(1, cursorAt(70, false)).With(3, cursorAt(90, true)).With(3, cursorAt(95, true))
	must(t, f.UpdateCursor(t.Context(), c, cur))
	for _, when := range []string{"journal", "file"} {
		again, err := OpenFile(o)
		must(t, err)
		got, _ := again.Cursor(c)
		must(t, again.Close())
		if got.Position != cur.Position || got.Sources == nil || !slices.Equal(got.Sources.List, cur.Sources.List) {
			t.Errorf("%s: %+v", when, got)
		}
		must(t, f.Flush(t.Context()))
	}
	if n := len(cur.Sources.List); n != 3 || cur.Sources.List[0].Number != 1 || cur.Sources.List[2].Cursor != cursorAt(95, true) {
		t.Errorf("%+v", cur.Sources.List)
	}
}
