package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/test/servers"
)

// refused says whether a subscription to a destination is refused.
func (h *home) refused(destination string) bool {
	c, err := client.Dial(h.t.Context(), h.options(destination))
	if err != nil {
		return false
	}
	defer c.Close()
	var e *client.ServerError
	return errors.As(c.Subscribe(h.t.Context(), ""), &e)
}

// TestInstanceFiles adds, changes and removes instances under a running server.
func TestInstanceFiles(t *testing.T) {
	t.Parallel()
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "files")
	from := at(end(t, db))
	w.mustWrite(t, 50)
	h := newHome(t, nil)
	h.instance("kept", db.Addr(), from.with(only("files")))
	h.start()
	kept := read(t, h.options("kept"), "files")
	kept.await(w)
	if !h.refused("added") {
		t.Error("a destination without a file is not refused")
	}

	h.instance("added", db.Addr(), from.with(only("files")))
	added := read(t, h.options("added"), "files")
	added.await(w)
	added.stop().compare(w)

	// A change of the file takes effect: the table is left out from now on.
	h.instance("added", db.Addr(), from.with(settings{"canal.instance.filter.regex": `files\\.done`}))
	eventually(t, startLimit, "the instance is reloaded", func() bool { return strings.Contains(h.output(), "auto notify reload added successful") })
	w.mustWrite(t, 50)
	w.finish(t)
	consumeUntilDone(t, h, "added")

	// A wrong value stops that instance only, and names itself.
	h.instance("added", db.Addr(), from.with(settings{"canal.instance.memory.buffer.size": "1000"}))
	eventually(t, startLimit, "the wrong value is refused", func() bool { return h.refused("added") })
	eventually(t, startLimit, "the wrong value is named", func() bool {
		out := h.output()
		return strings.Contains(out, "canal.instance.memory.buffer.size") && strings.Contains(out, "1000")
	})
	w.mustWrite(t, 50)
	kept.await(w)
	h.instance("added", db.Addr(), from.with(only("files")))
	h.dial("added").Close()

	if err := os.Remove(filepath.Join(h.dir, "conf", "added", "instance.properties")); err != nil {
		t.Fatal(err)
	}
	eventually(t, startLimit, "the removed instance is stopped", func() bool { return h.refused("added") })
	w.mustWrite(t, 50)
	kept.await(w)
	kept.stop().compare(w)
	h.stop()
}

// consumeUntilDone reads a destination up to the row in files.done, before which
// no change of files.t may come.
func consumeUntilDone(t *testing.T, h *home, destination string) {
	t.Helper()
	c := client.NewConsumer(client.ConsumerOptions{Options: h.options(destination), Retry: soon})
	for b, err := range c.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range b.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			if len(changesOf(t, e, "files")) > 0 {
				t.Errorf("a change of a table that the filter leaves out: %v", e.Header().TableName())
			}
			if e.Header().TableName() == "done" {
				return
			}
		}
		_ = b.Ack() // if it is stale it comes again
	}
}

// TestLinger has a server answer gets before their batches are full.
func TestLinger(t *testing.T) {
	t.Parallel()
	const timeout = time.Minute
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "linger")
	h := newHome(t, nil)
	h.instance("example", db.Addr(), at(end(t, db)).with(only("linger")).with(settings{"towpath.instance.get.linger": "0"}))
	h.start()
	c := h.dial("example")
	r, got := &reader{t: t}, newAccount(t)
	for range 10 {
		w.mustWrite(t, 1)
		for got.last < w.last.Load() {
			began := time.Now()
			b, err := c.GetWithoutAck(t.Context(), 1000, timeout)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); b.Empty() || took > timeout/2 {
				t.Fatalf("%d entries after %v, with %v to wait for a full batch", b.Len(), took, timeout)
			}
			if err := r.batch(got, b, "linger"); err != nil {
				t.Fatal(err)
			}
			if err := c.Ack(b.ID()); err != nil {
				t.Fatal(err)
			}
		}
	}
	got.compare(w)
}

// TestLazy starts an instance with its first client.
func TestLazy(t *testing.T) {
	t.Parallel()
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "lazy")
	h := newHome(t, settings{"canal.instance.global.lazy": "true"})
	h.instance("example", db.Addr(), at(end(t, db)).with(only("lazy")))
	w.mustWrite(t, 20)
	h.start()
	eventually(t, startLimit, "the log says that the instance is lazy", func() bool { return strings.Contains(h.output(), "the instance is lazy") })
	if strings.Contains(h.log("example"), "start position") {
		t.Error("a lazy instance reads before a client has come")
	}
	r := read(t, h.options("example"), "lazy")
	r.await(w)
	r.stop().compare(w)
}

// TestStop stops the server as an operator would: every ack that it has read is
// saved, and nothing of what was acked comes again.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, gtid := range []bool{false, true} {
		name, schema := "position", "stop_position"
		if gtid {
			name, schema = "gtid", "stop_gtid"
		}
		t.Run(name, func(t *testing.T) { testStop(t, schema, gtid) })
	}
}

func testStop(t *testing.T, schema string, gtid bool) {
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, schema)
	h := newHome(t, settings{"canal.file.flush.period": "3600000"})
	from := at(end(t, db)).with(only(schema))
	if gtid {
		from = only(schema).with(settings{"canal.instance.gtidon": "true", "canal.instance.master.gtid": executed(t, db)})
	}
	h.instance("example", db.Addr(), from)
	h.start()
	a := newAccount(t)
	for range 3 {
		w.mustWrite(t, 30)
		r := read(t, h.options("example"), schema)
		r.await(w)
		got := r.stop()
		// The last ack may be on its way: a get is answered behind it.
		h.dial("example").Close()
		if got.again > 0 || got.last-a.last != int64(got.taken) {
			t.Errorf("changes %d to %d came in %d, %d of them again", a.last+1, got.last, got.taken, got.again)
		}
		a.last = got.last
		h.stop()
		c, ok := h.cursor("example")
		if !ok || c.file == "" || gtid != (c.gtid != "") {
			t.Errorf("meta.dat has the cursor %+v (%v)", c, ok)
		}
		h.start()
	}
}
