package meta

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath-cdc/towpath/internal/zktree"
)

// dyingDisk is that of a program that is killed at the nth thing it does.
type dyingDisk struct {
	osDisk
	left int
}

func (d *dyingDisk) dead() bool { d.left--; return d.left < 0 }

func (d *dyingDisk) write(path string, content []byte, sync bool) (time.Time, error) {
	switch {
	case d.left == 0 && len(content) > 10: // in the middle of it
		_, _ = d.osDisk.write(path, content[:10], sync)
		fallthrough
	case d.dead():
		d.left = -1
		return time.Time{}, errKilled
	}
	return d.osDisk.write(path, content, sync)
}

func (d *dyingDisk) rename(from, to string) error {
	if d.dead() {
		return errKilled
	}
	return d.osDisk.rename(from, to)
}

func (d *dyingDisk) append(path string) (io.WriteCloser, error) {
	if d.dead() {
		return nil, errKilled
	}
	return d.osDisk.append(path)
}

// TestMoveCursorsIsAllOrNothing kills the program at each thing it does to the disk
// while it moves two cursors, one of which has moved since meta.dat was written.
func TestMoveCursorsIsAllOrNothing(t *testing.T) {
	a, b := Client{Destination: dest, ID: 1001}, Client{Destination: dest, ID: 7}
	for _, fresh := range []bool{false, true} {
		outcomes := map[bool]int{}
		for n := 0; ; n++ {
			d := &dyingDisk{left: 1 << 30}
			o := FileOptions{Destination: dest, Dir: t.TempDir(), Period: 1 << 40, disk: d}
			f, err := OpenFile(o)
			must(t, err)
			for _, c := range []Client{a, b} {
				must(t, f.Subscribe(t.Context(), c))
				must(t, f.UpdateCursor(t.Context(), c, cursorAt(100, true)))
			}
			must(t, f.Flush(t.Context()))
			must(t, f.UpdateCursor(t.Context(), a, cursorAt(200, true)))
			if fresh { // as an instance does it that has just been started
				must(t, f.Close())
				f, err = OpenFile(o)
				must(t, err)
			}
			d.left = n
			err = f.MoveCursors(t.Context(), []Record{{Client: a, Cursor: cursorAt(4, false)}, {Client: b, Cursor: cursorAt(4, false)}})
			done := err == nil
			d.left = -1
			again, err := OpenFile(FileOptions{Destination: dest, Dir: o.Dir, Period: 1 << 40})
			must(t, err)
			atA, _ := again.Cursor(a)
			atB, _ := again.Cursor(b)
			moved := atA == cursorAt(4, false) && atB == cursorAt(4, false)
			if !moved && (atA != cursorAt(200, true) || atB != cursorAt(100, true)) {
				t.Errorf("killed at %d: cursors at %v and %v", n, atA, atB)
			}
			if done && !moved {
				t.Errorf("killed at %d: moved, and not there after a kill", n)
			}
			outcomes[moved]++
			must(t, again.Close())
			f.mu.Lock()
			f.closed = true // nothing is left to write for it
			f.mu.Unlock()
			if done {
				break
			}
		}
		if outcomes[true] < 2 || outcomes[false] < 2 {
			t.Errorf("fresh %v: outcomes %v, want some of each", fresh, outcomes)
		}
	}
}

// TestMoveCursorsGoesBack: acks that were journaled before must not be replayed
// over it, and acks that come afterwards must be.
func TestMoveCursorsGoesBack(t *testing.T) {
	o := FileOptions{Destination: dest, Dir: t.TempDir(), Period: 1 << 40}
	f, err := OpenFile(o)
	must(t, err)
	defer f.Close()
	c := Client{Destination: dest, ID: 1001}
	must(t, f.Subscribe(t.Context(), c))
	must(t, f.UpdateCursor(t.Context(), c, cursorAt(100, true)))
	must(t, f.Flush(t.Context()))
	must(t, f.UpdateCursor(t.Context(), c, cursorAt(200, true)))
	for _, back := range []Cursor{cursorAt(100, true), cursorAt(4, false)} {
		must(t, f.MoveCursors(t.Context(), []Record{{Client: c, Cursor: back}}))
		again, err := OpenFile(o)
		must(t, err)
		if cur, _ := again.Cursor(c); cur != back {
			t.Errorf("after a kill: %+v, want %+v", cur, back)
		}
		must(t, again.Close())
	}
	must(t, f.UpdateCursor(t.Context(), c, cursorAt(50, true)))
	again, err := OpenFile(o)
	must(t, err)
	if cur, _ := again.Cursor(c); cur != cursorAt(50, true) {
		t.Errorf("after an ack and a kill: %+v", cur)
	}
	must(t, again.Close())
}

// TestZooKeeperMoveCursors moves cursors in one transaction, and not at all when
// another server owns the destination.
func TestZooKeeperMoveCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForest()
		z := openZK(t, f.options())
		defer z.Close()
		a, b := client(1001, ""), client(7, "")
		for _, c := range []Client{a, b} {
			must(t, z.Subscribe(t.Context(), c))
			must(t, z.UpdateCursor(t.Context(), c, at("b.1", 400)))
		}
		must(t, z.Flush(t.Context()))
		synctest.Wait()
		before := commits(f)
		must(t, z.MoveCursors(t.Context(), []Record{{Client: a, Cursor: at("b.1", 4)}, {Client: b, Cursor: at("b.1", 4)}}))
		for _, c := range []Client{a, b} {
			if got := f.text(zktree.Cursor(dest, c.ID)); got != cursorText(at("b.1", 4)) {
				t.Errorf("client %d: %s", c.ID, got)
			}
		}
		if n := commits(f) - before; n != 1 {
			t.Errorf("%d transactions", n)
		}
		next := openZK(t, f.options()) // takes the destination
		defer next.Close()
		if err := z.MoveCursors(t.Context(), []Record{{Client: a, Cursor: at("b.1", 9)}}); !errors.Is(err, ErrNotOwner) {
			t.Errorf("of one who is not the owner: %v", err)
		}
		if got := f.text(zktree.Cursor(dest, a.ID)); got != cursorText(at("b.1", 4)) {
			t.Errorf("the old owner has moved it: %s", got)
		}
	})
}
