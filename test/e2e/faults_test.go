package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/test/servers"
)

// reader reads a destination in the background, acking everything.
type reader struct {
	t    testing.TB
	last atomic.Int64 // number of the last change that came
	stop func() *account
}

// read starts a reader. stop ends it and returns what it has got; it also ends
// with the test.
func read(t testing.TB, o client.Options, schema string) *reader {
	ctx, cancel := context.WithCancel(t.Context())
	r := &reader{t: t}
	a := newAccount(t)
	c := client.NewConsumer(client.ConsumerOptions{Options: o, Retry: soon})
	var wg sync.WaitGroup
	wg.Go(func() {
		for b, err := range c.Batches(ctx) {
			if err == nil {
				err = r.batch(a, b, schema)
			}
			if err != nil {
				t.Errorf("reader of %s: %v", o.Destination, err)
				return
			}
			_ = b.Ack() // if it is stale it comes again
		}
	})
	r.stop = func() *account {
		cancel()
		wg.Wait()
		return a
	}
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *reader) batch(a *account, b *client.Batch, schema string) error {
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		for _, c := range changesOf(r.t, e, schema) {
			if err := a.enter(c); err != nil {
				return err
			}
		}
	}
	r.last.Store(a.last)
	return nil
}

// await waits until the reader has got everything that a writer has written.
func (r *reader) await(w *writer) {
	r.t.Helper()
	eventually(r.t, startLimit, "the reader has got every change", func() bool { return r.last.Load() >= w.last.Load() || r.t.Failed() })
}

// TestSourceFaults makes the source and the network fail under a reader, again
// and again. Nothing may be lost, and the log may not be flooded.
func TestSourceFaults(t *testing.T) {
	t.Parallel()
	db := servers.ForTest(t, servers.MySQL80)
	p := newProxy(t, db.Addr())
	w := newWriter(t, db, "faults")
	h := newHome(t, nil)
	h.instance("example", p.addr(), at(end(t, db)).with(only("faults")))
	p.refuse(true) // nobody there when the server starts
	h.start()
	h.awaitLog("example", "ERROR", 1)
	p.refuse(false)
	w.mustWrite(t, 50)
	r := read(t, h.options("example"), "faults")
	r.await(w)

	streaming := func() int { return strings.Count(h.log("example"), "the next step is binlog dump") }
	steps := []struct {
		name string
		do   func()
		log  string // what the log has to say
	}{
		{"dump connection killed", func() { killDumps(t, db) }, "binlog dump"},
		{"connections cut", p.cut, "binlog dump"},
		{"network away", func() {
			p.refuse(true)
			p.cut()
			n := strings.Count(h.log("example"), "ERROR")
			w.mustWrite(t, 50)
			h.awaitLog("example", "ERROR", n+1)
			p.refuse(false)
		}, "ERROR"},
		{"network stalled, then cut", func() {
			p.stall(true)
			w.mustWrite(t, 50)
			p.cut()
			p.stall(false)
		}, "binlog dump"},
		{"server restarted", func() {
			if err := db.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := db.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, "ERROR"},
		{"server killed", func() {
			db.Kill()
			if err := db.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, "ERROR"},
	}
	for _, s := range steps {
		before, said := streaming(), strings.Count(h.log("example"), s.log)
		s.do()
		w.mustWrite(t, 50)
		r.await(w)
		if strings.Count(h.log("example"), s.log) == said {
			t.Errorf("%s: the log does not say %q", s.name, s.log)
		}
		if n := streaming() - before; n < 1 || n > 10 {
			t.Errorf("%s: %d dumps were begun", s.name, n)
		}
	}
	if n := strings.Count(h.log("example"), "ERROR"); n > 40 {
		t.Errorf("%d errors in the log", n)
	}
	a := r.stop()
	a.compare(w)
	if a.again > 0 {
		t.Errorf("%d changes came again, though neither server nor client failed", a.again)
	}
}

// killDumps kills the connections that read the binlog.
func killDumps(t *testing.T, db *servers.Server) {
	t.Helper()
	rows, err := db.Query(t.Context(), "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Error("nobody reads the binlog")
	}
	for _, r := range rows {
		db.MustExec(t, "KILL "+r[0])
	}
}

// TestLostPosition takes the binlog away that an instance needs. It must say so
// once and stop, while others go on.
func TestLostPosition(t *testing.T) {
	t.Parallel()
	db := servers.ForTest(t, servers.MySQL80)
	w := newWriter(t, db, "lost")
	h := newHome(t, nil)
	from := at(end(t, db)).with(only("lost"))
	h.instance("purged", db.Addr(), from)
	h.start()
	r := read(t, h.options("purged"), "lost")
	w.mustWrite(t, 50)
	r.await(w)
	r.stop()
	h.stop()
	w.mustWrite(t, 50)
	db.MustExec(t, "FLUSH BINARY LOGS")
	now := end(t, db)
	db.MustExec(t, "PURGE BINARY LOGS TO '"+now.file+"'")
	h.instance("other", db.Addr(), at(now).with(only("lost")))
	h.start()
	const stopped = "the instance has stopped reading and waits for a person"
	h.awaitLog("purged", stopped, 1)
	tries := strings.Count(h.log("purged"), "begin to find start position")
	for _, want := range []string{"binlog file", "canal.auto.reset.latest.pos.mode", now.file} {
		if !strings.Contains(h.log("purged"), want) {
			t.Errorf("the log does not say %q", want)
		}
	}

	// The other instance works. RESET MASTER then takes its binlog from under it.
	other := h.dial("other")
	w.mustWrite(t, 10)
	if b := get(t, other); b.Len() == 0 {
		t.Error("the other instance brings nothing")
	}
	db.MustExec(t, "RESET MASTER", "INSERT INTO lost.done VALUES (7)")
	h.awaitLog("other", stopped, 1)
	if n := strings.Count(h.log("purged"), "begin to find start position"); n != tries {
		t.Errorf("the instance that has stopped tried again: %d, then %d times", tries, n)
	}
	if n := strings.Count(h.log("purged"), stopped); n != 1 {
		t.Errorf("the stop is reported %d times", n)
	}
}

// TestWrongPassword starts an instance that may not log in, and mends it.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "password")
	h := newHome(t, nil)
	from := at(end(t, db)).with(only("password"))
	h.instance("example", db.Addr(), from.with(settings{"canal.instance.dbPassword": "wr0ngsecret"}))
	h.start()
	h.awaitLog("example", "Access denied", 1)
	w.mustWrite(t, 20)
	h.instance("example", db.Addr(), from)
	r := read(t, h.options("example"), "password")
	r.await(w)
	r.stop().compare(w)
	if strings.Contains(h.output()+h.log("example"), "wr0ngsecret") {
		t.Error("the log shows the password")
	}
	if n := strings.Count(h.log("example"), "ERROR"); n > 5 {
		t.Errorf("%d errors in the log", n)
	}
}

// TestDuplicateReplicaID runs two instances with one replica id on a server that
// cuts the older of two such readers: MariaDB.
func TestDuplicateReplicaID(t *testing.T) {
	t.Parallel()
	db := sharedServer(t, servers.MariaDB1011)
	w := newWriter(t, db, "twins")
	h := newHome(t, nil)
	from := at(end(t, db)).with(only("twins")).with(settings{"canal.instance.mysql.slaveId": "77001"})
	h.instance("one", db.Addr(), from)
	h.instance("two", db.Addr(), from)
	h.start()
	eventually(t, startLimit, "the log names the replica id", func() bool {
		return strings.Contains(h.log("one")+h.log("two"), "canal.instance.mysql.slaveId")
	})
	w.mustWrite(t, 100)
	one, two := read(t, h.options("one"), "twins"), read(t, h.options("two"), "twins")
	one.await(w)
	two.await(w)
	one.stop().compare(w)
	two.stop().compare(w)
	if n := strings.Count(h.log("one")+h.log("two"), "binlog dump"); n > 200 {
		t.Errorf("%d dumps: they cut each other off without a pause", n)
	}
}

// TestBackPressure has a client that never acks, one that reads slowly, and one
// that reads as it should, of three instances of one server.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	db := servers.ForTest(t, servers.MySQL80)
	w := newWriter(t, db, "pressure")
	db.MustExec(t, "CREATE TABLE pressure.big (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)")
	h := newHome(t, nil)
	from := at(end(t, db)).with(only("pressure"))
	for _, d := range []string{"never", "slow", "good"} {
		h.instance(d, db.Addr(), from)
	}
	h.start()
	w.mustWrite(t, 50)
	never := h.dial("never")
	if b := get(t, never); b.Len() == 0 {
		t.Error("an empty batch")
	}
	slow := newProxy(t, h.addr())
	good := read(t, h.options("good"), "pressure")
	slowReader := read(t, client.Options{Addr: slow.addr(), Destination: "slow"}, "pressure")
	w.mustWrite(t, 100)
	slowReader.await(w)
	slow.stall(true)
	// Three times what a ring holds.
	for range 12 {
		db.MustExec(t, "INSERT INTO pressure.big (v) VALUES (REPEAT('x', 4194304))")
	}
	w.mustWrite(t, 100)
	good.await(w)
	const still = "reading from the source stands still"
	h.awaitLog("never", still, 1)
	if log := h.log("never"); !strings.Contains(log, "client 1001 has not acked batch") {
		t.Error("the log does not say who does not ack")
	}
	if strings.Contains(h.log("good"), still) {
		t.Error("the instance whose client acks is said to stand still")
	}
	slow.stall(false)
	slowReader.await(w)
	slowReader.stop().compare(w)
	good.stop().compare(w)

	// What the client did not ack is all there.
	never.Close()
	r := read(t, h.options("never"), "pressure")
	r.await(w)
	r.stop().compare(w)
	h.awaitLog("never", "the ring has room again", 1)
}

// TestManyInstances runs fifty instances, each with its client.
func TestManyInstances(t *testing.T) {
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "many")
	h := newHome(t, nil)
	from := at(end(t, db)).with(only("many"))
	const instances = 50
	for i := range instances {
		h.instance(fmt.Sprintf("d%02d", i), db.Addr(), from)
	}
	h.start()
	readers := make([]*reader, instances)
	for i := range readers {
		d := fmt.Sprintf("d%02d", i)
		h.awaitLog(d, "the next step is binlog dump", 1)
		readers[i] = read(t, h.options(d), "many")
	}
	w.mustWrite(t, 300)
	for _, r := range readers {
		r.await(w)
		r.stop().compare(w)
	}
}

// TestLongStall holds the network back for longer than the server waits for a
// sign of life, so that it must notice by itself.
func TestLongStall(t *testing.T) {
	t.Parallel()
	db := sharedServer(t, servers.MySQL80)
	p := newProxy(t, db.Addr())
	w := newWriter(t, db, "stall")
	h := newHome(t, nil)
	h.instance("example", p.addr(), at(end(t, db)).with(only("stall")))
	h.start()
	r := read(t, h.options("example"), "stall")
	w.mustWrite(t, 20)
	r.await(w)
	errs := strings.Count(h.log("example"), "ERROR")
	p.stall(true)
	w.mustWrite(t, 20)
	begin := time.Now()
	h.awaitLog("example", "ERROR", errs+1)
	t.Logf("a stalled network was noticed after %v", time.Since(begin).Round(time.Second))
	p.cut()
	p.stall(false)
	r.await(w)
	r.stop().compare(w)
}
