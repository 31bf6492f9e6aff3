package meta

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

func cursorText(c Cursor) string { return string(AppendCursor(nil, c)) }

func TestZooKeeperTree(t *testing.T) {
	f := newForest()
	z := openZK(t, f.options())
	a := client(1001, `a\..*`)
	must(t, z.Subscribe(t.Context(), a))
	must(t, z.UpdateCursor(t.Context(), a, at("mysql-bin.000003", 4)))
	must(t, z.Flush(t.Context()))
	for p, want := range map[string]string{
		zktree.Client(dest, 1001): "",
		zktree.Filter(dest, 1001): `a\..*`,
		zktree.Cursor(dest, 1001): cursorText(at("mysql-bin.000003", 4)),
	} {
		if got := f.text(p); got != want {
			t.Errorf("%s has %s, want %s", p, got, want)
		}
	}
	if got := f.under(zktree.Destination(dest)); !reflect.DeepEqual(got, []string{"1001"}) {
		t.Errorf("children %q", got)
	}
	a.Filter = " "
	must(t, z.Subscribe(t.Context(), a))
	must(t, z.Subscribe(t.Context(), client(-5, "x")))
	must(t, z.UpdateCursor(t.Context(), client(-5, ""), at("b.1", 4)))
	must(t, z.Flush(t.Context()))
	if got := f.text(zktree.Filter(dest, 1001)); got != `a\..*` {
		t.Errorf("filter after subscribing without one: %s", got)
	}
	if got := f.under(zktree.Destination(dest)); !reflect.DeepEqual(got, []string{"1001"}) {
		t.Errorf("a negative id made nodes: %q", got)
	}
	next := openZK(t, f.options())
	want := []Record{{Client: client(1001, `a\..*`), Cursor: at("mysql-bin.000003", 4), HasCursor: true}}
	if got := next.Snapshot(); !reflect.DeepEqual(got, want) {
		t.Errorf("the next owner reads %v, want %v", got, want)
	}
}

func TestZooKeeperReads(t *testing.T) {
	java := `{"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,"sourceAddress":{"address":"localhost","port":33080}},"postion":{"included":false,"journalName":"b.1","position":5,"timestamp":6}}`
	read := at("b.1", 5)
	read.Host, read.Port, read.Position.ServerID, read.Position.Timestamp = "localhost", 33080, 0, 6
	f := newForest()
	f.put(zktree.Cursor(dest, 1001), java)
	f.put(zktree.Cursor(dest, 7), "")
	f.put(zktree.Filter(dest, 7), "é,x")
	f.put(zktree.Mark(dest, 7, 12), "anything")
	f.put(zktree.Cursor(dest, 32767), strings.Replace(java, `"@type":"com.alibaba.otter.canal.protocol.position.LogPosition",`, `"new":[1],`, 1))
	f.put(zktree.Client(dest, 12), "")
	for _, other := range []string{"running", "cluster", "parse", "40000", "0012", "lock"} {
		f.put(zktree.Destination(dest)+"/"+other, "x")
	}
	var h heard
	o := f.options()
	h.listen(&o)
	z := openZK(t, o)
	want := []Record{
		{Client: client(7, "é,x")}, {Client: client(12, "")},
		{Client: client(1001, ""), Cursor: read, HasCursor: true}, {Client: client(32767, ""), Cursor: read, HasCursor: true},
	}
	if got := z.Snapshot(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := h.notices.all(); len(got) != 1 || !strings.Contains(got[0], `["0012" "40000"]`) {
		t.Errorf("notices %q", got)
	}
	must(t, z.UpdateCursor(t.Context(), client(7, ""), at("b.1", 9)))
	must(t, z.Flush(t.Context()))
	if got := f.text(zktree.Cursor(dest, 7)); got != cursorText(at("b.1", 9)) {
		t.Errorf("in place of an empty cursor: %s", got)
	}
	if got := f.text(zktree.Mark(dest, 7, 12)); got != "anything" {
		t.Errorf("mark: %s", got)
	}
	must(t, z.Unsubscribe(t.Context(), client(7, "")))
	must(t, z.Flush(t.Context()))
	if got := f.text(zktree.Client(dest, 7)); got != "-" {
		t.Errorf("client with a mark after unsubscribing: %s", got)
	}

	f.put(zktree.Cursor(dest, 12), "{torn")
	_, err := OpenZooKeeper(t.Context(), f.options())
	var bad *CursorError
	if !errors.As(err, &bad) || bad.Path != zktree.Cursor(dest, 12) || !strings.Contains(err.Error(), "or delete it") {
		t.Errorf("cursor that cannot be read: %v", err)
	}
}

func TestZooKeeperPeriods(t *testing.T) {
	for _, mode := range []ZooKeeperMode{PeriodMixed, Mixed, Pure} {
		synctest.Test(t, func(t *testing.T) {
			f := newForest()
			o := f.options()
			o.Mode = mode
			o.Extra = func() []zk.Op { return []zk.Op{zk.CheckOp("/report", zk.AnyVersion)} }
			var h heard
			h.listen(&o)
			z := openZK(t, o)
			defer z.Close()
			a := client(1001, "")
			must(t, z.Subscribe(t.Context(), a))
			must(t, z.UpdateCursor(t.Context(), a, at("b.1", 4)))
			synctest.Wait() // no time passes
			if got := f.text(zktree.Cursor(dest, 1001)); got != cursorText(at("b.1", 4)) {
				t.Errorf("mode %d: first cursor is not written at once: %s", mode, got)
			}
			time.Sleep(10 * time.Second)
			before, _ := f.count()
			for i := range int64(100) {
				must(t, z.UpdateCursor(t.Context(), a, at("b.1", 5+i)))
				synctest.Wait()
			}
			if done := commits(f) - before; done != 0 && mode == PeriodMixed || done != 100 && mode != PeriodMixed {
				t.Errorf("mode %d: %d writes at once", mode, done)
			}
			time.Sleep(DefaultPeriod)
			synctest.Wait()
			if done := commits(f) - before; done != 1 && mode == PeriodMixed {
				t.Errorf("mode %d: %d writes after the period", mode, done)
			}
			if got := h.flushed.all(); got[len(got)-1].Cursor != at("b.1", 104) {
				t.Errorf("mode %d: flushed %v", mode, got)
			}
			if commits, extras := f.count(); extras != commits {
				t.Errorf("mode %d: %d of %d writes had more with them", mode, extras, commits)
			}
			if len(h.failed.all())+len(h.notices.all())+len(h.alarms.all()) > 0 {
				t.Errorf("heard %v %q %q", h.failed.all(), h.notices.all(), h.alarms.all())
			}
		})
	}
}

func TestZooKeeperOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForest()
		o := f.options()
		var h heard
		h.listen(&o)
		z := openZK(t, o)
		defer z.Close()
		f.set(func() { f.down = true })
		must(t, z.Subscribe(t.Context(), client(1001, "")))
		for i := range int64(60) {
			must(t, z.UpdateCursor(t.Context(), client(1001, ""), at("b.1", 4+i)))
			time.Sleep(time.Second)
		}
		if err := z.Flush(t.Context()); !errors.Is(err, errSuspended) {
			t.Errorf("flush: %v", err)
		}
		if got := h.failed.all(); len(got) != 1 || !errors.Is(got[0], errSuspended) {
			t.Errorf("failures %v", got)
		}
		f.set(func() { f.down = false })
		time.Sleep(maxRetry)
		synctest.Wait()
		if got := f.text(zktree.Cursor(dest, 1001)); got != cursorText(at("b.1", 63)) {
			t.Errorf("after the outage: %s", got)
		}
		if got := h.notices.all(); len(got) != 1 || !strings.Contains(got[0], "1 clients' were behind for 1m") {
			t.Errorf("notices %q", got)
		}
	})
}

// count returns the transactions that were done, and those of them that had
// operations of Extra.
func (f *forest) count() (commits, extras int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commits, f.extras
}

func commits(f *forest) int {
	n, _ := f.count()
	return n
}

func (f *forest) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func TestZooKeeperLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForest()
		o := f.options()
		lost := make(chan struct{})
		o.Lost = lost
		var h heard
		h.listen(&o)
		z := openZK(t, o)
		defer z.Close()
		a := client(1001, "")
		must(t, z.Subscribe(t.Context(), a))
		must(t, z.UpdateCursor(t.Context(), a, at("b.1", 4)))
		must(t, z.Flush(t.Context()))

		next := openZK(t, f.options()) // takes the destination
		must(t, next.UpdateCursor(t.Context(), a, at("b.1", 9)))
		must(t, next.Flush(t.Context()))
		must(t, z.UpdateCursor(t.Context(), a, at("b.1", 5)))
		must(t, z.Unsubscribe(t.Context(), a))
		time.Sleep(time.Minute)
		if err := z.Flush(t.Context()); !errors.Is(err, ErrNotOwner) {
			t.Errorf("flush of one who is not the owner: %v", err)
		}
		if got := h.failed.all(); len(got) != 1 || !errors.Is(got[0], ErrNotOwner) {
			t.Errorf("failures %v", got)
		}
		close(lost)
		synctest.Wait()
		for _, err := range []error{z.Subscribe(t.Context(), a), z.Unsubscribe(t.Context(), a), z.UpdateCursor(t.Context(), a, at("b.1", 6)), z.Flush(t.Context()), z.Close()} {
			if !errors.Is(err, ErrNotOwner) {
				t.Errorf("after the loss: %v", err)
			}
		}
		must(t, z.Close())
		if got := f.text(zktree.Cursor(dest, 1001)); got != cursorText(at("b.1", 9)) {
			t.Errorf("the old owner has changed the cursor: %s", got)
		}
		must(t, next.Close())
	})
}

func TestZooKeeperOwnerAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForest()
		o := f.options()
		var h heard
		h.listen(&o)
		z := openZK(t, o)
		defer z.Close()
		f.set(func() { f.owner-- }) // the running node was deleted by hand
		must(t, z.Subscribe(t.Context(), client(1001, "")))
		time.Sleep(time.Second)
		f.set(func() { f.owner++ }) // and made again
		time.Sleep(maxRetry)
		if got := f.text(zktree.Client(dest, 1001)); got != "" {
			t.Errorf("client %s", got)
		}
		if len(h.failed.all()) != 1 || len(h.notices.all()) != 1 {
			t.Errorf("heard %v %q", h.failed.all(), h.notices.all())
		}
	})
}

func TestZooKeeperForeignHand(t *testing.T) {
	tests := []struct {
		name  string
		do    func(f *forest)
		alarm string
	}{
		{"behind", func(f *forest) { f.put(zktree.Cursor(dest, 1001), cursorText(at("b.1", 3))) }, "it set it to"},
		{"ahead", func(f *forest) { f.put(zktree.Cursor(dest, 1001), cursorText(at("b.1", 99))) }, "it moved it ahead to"},
		{"deleted", func(f *forest) { f.drop(zktree.Cursor(dest, 1001)) }, "it deleted it"},
		{"garbage", func(f *forest) { f.put(zktree.Cursor(dest, 1001), "x") }, "it overwrote it"},
		{"all deleted", func(f *forest) { f.drop(zktree.Client(dest, 1001)) }, "it deleted it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newForest()
				o := f.options()
				var h heard
				h.listen(&o)
				z := openZK(t, o)
				defer z.Close()
				a := client(1001, "f")
				must(t, z.Subscribe(t.Context(), a))
				must(t, z.UpdateCursor(t.Context(), a, at("b.1", 4)))
				must(t, z.Flush(t.Context()))
				tt.do(f)
				time.Sleep(2 * inspectPeriod)
				if got := h.alarms.all(); len(got) != 1 || !strings.Contains(got[0], tt.alarm) {
					t.Errorf("alarms while nothing is written: %q", got)
				}
				tt.do(f)
				must(t, z.UpdateCursor(t.Context(), a, at("b.1", 5)))
				time.Sleep(2 * DefaultPeriod)
				if got := f.text(zktree.Cursor(dest, 1001)); got != cursorText(at("b.1", 5)) {
					t.Errorf("cursor %s", got)
				}
				if got := f.text(zktree.Filter(dest, 1001)); got != "f" {
					t.Errorf("filter %s", got)
				}
				if got := h.alarms.all(); len(got) != 1 {
					t.Errorf("alarms within a minute: %q", got)
				}
				time.Sleep(2 * alarmPeriod)
				if got := h.alarms.all(); len(got) != 1 {
					t.Errorf("alarms about what has been mended: %q", got)
				}
				tt.do(f)
				must(t, z.UpdateCursor(t.Context(), a, at("b.1", 6)))
				must(t, z.Flush(t.Context()))
				if got := h.alarms.all(); len(got) != 2 {
					t.Errorf("alarms after a minute: %q", got)
				}
				if len(h.failed.all()) > 0 {
					t.Errorf("failures %v", h.failed.all())
				}
			})
		})
	}
}

func TestZooKeeperExpiredOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForest()
		f.put(zktree.Cursor(dest, 1), cursorText(at("b.1", 1)))
		f.put(zktree.Cursor(dest, 2), cursorText(at("b.1", 2)))
		o := f.options()
		var h heard
		h.listen(&o)
		z := openZK(t, o)
		defer z.Close()
		must(t, z.UpdateCursor(t.Context(), client(2, ""), at("b.1", 9)))
		must(t, z.Flush(t.Context()))
		f.drop(zktree.Client(dest, 1))
		f.drop(zktree.Client(dest, 2))
		time.Sleep(2 * inspectPeriod)
		if got := z.Subscriptions(); !reflect.DeepEqual(got, []Client{client(2, "")}) {
			t.Errorf("subscriptions %v", got)
		}
		if f.text(zktree.Client(dest, 1)) != "-" || f.text(zktree.Cursor(dest, 2)) != cursorText(at("b.1", 9)) {
			t.Error("a dead client is back, or a live one is not")
		}
		if got := h.notices.all(); len(got) != 1 || !strings.Contains(got[0], "given up") {
			t.Errorf("notices %q", got)
		}
	})
}

func TestZooKeeperUnsubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForest()
		z := openZK(t, f.options())
		defer z.Close()
		a := client(1001, "f")
		must(t, z.Subscribe(t.Context(), a))
		must(t, z.UpdateCursor(t.Context(), a, at("b.1", 4)))
		must(t, z.Flush(t.Context()))
		for i := range 300 {
			f.put(zktree.Mark(dest, 1001, int64(i)), "x")
		}
		f.put(zktree.RunningClient(dest, 1001), `{"active":true,"clientId":1001}`)
		must(t, z.UpdateCursor(t.Context(), a, at("b.1", 5))) // pending
		must(t, z.Unsubscribe(t.Context(), a))
		time.Sleep(time.Minute)
		if got := f.under(zktree.Client(dest, 1001)); !reflect.DeepEqual(got, []string{"running"}) {
			t.Errorf("left of a client that runs: %q", got)
		}
		if n := commits(f); n > 20 {
			t.Errorf("%d transactions", n)
		}
		f.drop(zktree.RunningClient(dest, 1001)) // it disconnects
		time.Sleep(2 * DefaultPeriod)
		if got := f.text(zktree.Client(dest, 1001)); got != "-" {
			t.Errorf("client %s", got)
		}
		a.Filter = ""
		must(t, z.Subscribe(t.Context(), a))
		synctest.Wait()
		if got := f.text(zktree.Cursor(dest, 1001)); got != cursorText(at("b.1", 5)) {
			t.Errorf("cursor after subscribing again: %s", got)
		}
		if got := f.text(zktree.Filter(dest, 1001)); got != "-" {
			t.Errorf("filter after subscribing again: %s", got)
		}
	})
}

func TestZooKeeperImport(t *testing.T) {
	records := []Record{{Client: client(1001, "f"), Cursor: at("b.1", 4), HasCursor: true}, {Client: client(7, "")}}
	tests := []struct {
		name string
		put  []string
		want int // clients
		took bool
	}{
		{"first time", nil, 2, true},
		{"consuming client is there first", []string{zktree.RunningClient(dest, 1001)}, 2, true},
		{"has a cursor", []string{zktree.Cursor(dest, 5)}, 1, false},
		{"has a filter", []string{zktree.Filter(dest, 5)}, 1, false},
		{"has marks", []string{zktree.Mark(dest, 5, 1)}, 1, false},
		{"has had clients", []string{marker(dest)}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newForest()
				for _, p := range tt.put {
					f.put(p, "")
				}
				o := f.options()
				o.Import = func() ([]Record, error) { return records, nil }
				var h heard
				h.listen(&o)
				z := openZK(t, o)
				defer z.Close()
				synctest.Wait()
				if got := len(z.Snapshot()); got != tt.want {
					t.Errorf("%d clients: %v", got, z.Snapshot())
				}
				if took := len(h.notices.all()) == 1; took != tt.took {
					t.Errorf("notices %q", h.notices.all())
				}
				if tt.took && (f.text(zktree.Cursor(dest, 1001)) != cursorText(at("b.1", 4)) || f.text(zktree.Filter(dest, 1001)) != "f" || f.text(marker(dest)) == "-") {
					t.Error("not written at once")
				}
			})
		})
	}
	f := newForest()
	o := f.options()
	o.Import = func() ([]Record, error) { return nil, errSuspended }
	if _, err := OpenZooKeeper(t.Context(), o); !errors.Is(err, errSuspended) {
		t.Errorf("import that fails: %v", err)
	}
}

// TestZooKeeperManyClients has one client that cannot be written, operations beside
// that cannot be written, and more clients than fit in a transaction.
func TestZooKeeperManyClients(t *testing.T) {
	f := newForest()
	o := f.options()
	o.Extra = func() []zk.Op { return []zk.Op{zk.CheckOp("/report", zk.AnyVersion)} }
	var h heard
	h.listen(&o)
	f.badExtra = true
	z := openZK(t, o)
	gtid := strings.Repeat("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77,", 100)
	for id := range int16(700) {
		cur := at("b.1", 4)
		cur.Position.GTIDSet = gtid
		must(t, z.Subscribe(t.Context(), client(id, "f")))
		must(t, z.UpdateCursor(t.Context(), client(id, ""), cur))
	}
	must(t, z.Flush(t.Context()))
	if got := len(f.under(zktree.Destination(dest))); got != 700 {
		t.Errorf("%d clients", got)
	}
	if got := h.notices.all(); len(got) != 1 || !strings.Contains(got[0], "what goes with the cursors") {
		t.Errorf("notices %q", got)
	}
	must(t, z.UpdateCursor(t.Context(), client(1, ""), at("b.1", 5)))
	must(t, z.UpdateCursor(t.Context(), client(2, ""), at("b.1", 5)))
	first := true
	f.set(func() {
		f.fault = func() fault {
			if first {
				first = false
				return noAuth
			}
			return noFault
		}
	})
	if err := z.Flush(t.Context()); !errors.Is(err, zk.ErrNoAuth) && err != nil {
		t.Errorf("flush: %v", err)
	}
	if got := f.text(zktree.Cursor(dest, 2)); got != cursorText(at("b.1", 5)) {
		t.Errorf("the other client's cursor: %s", got)
	}
}

// TestZooKeeperRandom does random things to managers that follow one another
// while writes get lost or late, and compares ZooKeeper with a slow model.
func TestZooKeeperRandom(t *testing.T) {
	for range 60 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomRun(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

// model is what a client should see.
type model struct {
	subscribed bool
	filter     string // of the node
	acked      int64  // the last ack, 0 for none
	flushed    int64  // the last that a Flush has confirmed
	foreign    bool   // another program has written the cursor
	ackedSince bool   // and the client has acked after that
}

func randomRun(t *testing.T, r *rand.Rand) {
	f := newForest()
	rate, luck := 0.0, rand.New(rand.NewPCG(r.Uint64(), 2)) // guarded by f.mu
	f.fault = func() fault {
		if len(f.late) > 0 && luck.IntN(2) == 0 {
			f.land()
		}
		if luck.Float64() < rate {
			return fault(1 + luck.IntN(int(lateExpired)))
		}
		return noFault
	}
	f.luck = func() bool { return luck.IntN(2) == 0 }
	models := map[int16]*model{}
	for id := range int16(4) {
		models[id] = &model{}
	}
	highest := map[string]int64{}
	f.written = func(o op) {
		if !strings.HasSuffix(o.path, "/cursor") {
			return
		}
		if o.kind == opDelete {
			delete(highest, o.path)
			return
		}
		cur, err := ParseCursor(o.data)
		if err != nil || cur.Position.Offset < highest[o.path] {
			t.Errorf("%s moves back to %v, %v", o.path, cur, err)
		}
		highest[o.path] = cur.Position.Offset
	}
	var h heard
	begin := func() *ZooKeeper {
		o := f.options()
		h.listen(&o)
		f.set(func() { clear(highest) }) // it begins with what it reads, whoever wrote that
		return openZK(t, o)
	}
	z := begin()
	position := int64(4)
	for range 300 {
		id := int16(r.IntN(4))
		c, m := client(id, ""), models[id]
		switch r.IntN(20) {
		case 0, 1:
			if r.IntN(2) == 0 {
				c.Filter = fmt.Sprint("f", r.IntN(3))
				m.filter = c.Filter
			}
			must(t, z.Subscribe(t.Context(), c))
			m.subscribed = true
		case 2:
			must(t, z.Unsubscribe(t.Context(), c))
			m.subscribed, m.filter, m.flushed = false, "", 0
		case 3:
			f.set(func() { rate = []float64{0, 0.3, 0.9}[r.IntN(3)] })
		case 4:
			f.set(func() { f.down = r.IntN(3) == 0 })
		case 5:
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		case 6:
			f.set(f.land)
		case 7:
			if r.IntN(4) == 0 && f.text(zktree.Cursor(dest, id)) != "-" {
				f.put(zktree.Cursor(dest, id), cursorText(at("b.1", 1+r.Int64N(2*position))))
				m.foreign, m.ackedSince = true, false
			}
		case 8:
			if r.IntN(4) > 0 {
				break
			}
			z = takeOver(t, f, z, begin, models, r.IntN(2) == 0)
			for _, m := range models {
				position = max(position, m.acked) // another program may have set it ahead
			}
		case 9:
			if z.Flush(t.Context()) == nil {
				confirmed(models)
			}
		default:
			if m.subscribed {
				position++
				must(t, z.UpdateCursor(t.Context(), c, at("b.1", position)))
				m.acked, m.ackedSince = position, true
			}
		}
	}
	f.set(func() { f.down, rate = false, 0; f.land() })
	must(t, z.Flush(t.Context()))
	confirmed(models)
	compare(t, f, models)
	must(t, z.Close())
}

// confirmed notes that everything has been written.
func confirmed(models map[int16]*model) {
	for _, m := range models {
		if m.subscribed {
			m.flushed, m.foreign = m.acked, m.foreign && !m.ackedSince
		}
	}
}

// takeOver has another manager follow: what it reads must be between what was
// flushed and what was acked.
func takeOver(t *testing.T, f *forest, z *ZooKeeper, begin func() *ZooKeeper, models map[int16]*model, graceful bool) *ZooKeeper {
	if graceful && z.Close() == nil {
		confirmed(models)
	}
	f.set(func() { f.down = false })
	next := begin()
	f.set(f.land) // too late
	_ = z.Close() // of a manager that is not the owner any more
	for _, r := range next.Snapshot() {
		m := models[r.Client.ID]
		if got := r.Cursor.Position.Offset; !m.foreign && m.subscribed && m.flushed > 0 && (got < m.flushed || got > m.acked) {
			t.Errorf("client %d: takes over at %d, flushed %d, acked %d", r.Client.ID, got, m.flushed, m.acked)
		}
	}
	// The client goes on with what the new one knows, and subscribes again.
	for id, m := range models {
		c := client(id, m.filter)
		if m.subscribed {
			must(t, next.Subscribe(t.Context(), c))
		} else {
			must(t, next.Unsubscribe(t.Context(), c))
		}
		cur, ok := next.Cursor(c)
		m.acked, m.foreign, m.flushed = 0, false, 0
		if ok {
			m.acked = cur.Position.Offset
		}
		if m.subscribed && m.filter == "" {
			// A filter whose deletion was not written comes back.
			m.filter = next.filters[id]
		}
	}
	return next
}

func compare(t *testing.T, f *forest, models map[int16]*model) {
	t.Helper()
	for id, m := range models {
		node, filter, cursor := "-", "-", "-"
		if m.subscribed {
			node = ""
			if m.filter != "" {
				filter = m.filter
			}
			if m.foreign {
				cursor = f.text(zktree.Cursor(dest, id))
			} else if m.acked > 0 {
				cursor = cursorText(at("b.1", m.acked))
			}
		}
		for p, want := range map[string]string{zktree.Client(dest, id): node, zktree.Filter(dest, id): filter, zktree.Cursor(dest, id): cursor} {
			if got := f.text(p); got != want {
				t.Errorf("%s has %s, want %s", p, got, want)
			}
		}
	}
}

func TestZooKeeperSessionExpiresWhileReading(t *testing.T) {
	f := newForest()
	o := f.options()
	asked := 0
	ask := o.tree
	o.tree = func(ctx context.Context) (tree, error) {
		t, err := ask(ctx)
		if asked++; asked == 1 {
			return expiring{t}, err
		}
		return t, err
	}
	openZK(t, o)
	o.tree = func(ctx context.Context) (tree, error) { return expiring{fakeTree{f, 1}}, nil }
	if _, err := OpenZooKeeper(t.Context(), o); !errors.Is(err, zk.ErrSessionExpired) {
		t.Errorf("sessions that always expire: %v", err)
	}
}

type expiring struct{ tree }

func (expiring) Sync(context.Context, string) error { return zk.ErrSessionExpired }
