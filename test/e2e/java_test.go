package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// javaServer starts a Java Canal server with a destination for each name.
func javaServer(t *testing.T, db *servers.Server, from place, schema string, destinations ...string) (addr string) {
	t.Helper()
	args := []string{"--journal", from.file, "--position", strconv.FormatInt(from.offset, 10), "--filter", schema + `\..*`}
	for _, d := range destinations {
		args = append(args, "--dest", d+"="+db.Addr())
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(peers.StartJavaCanal(t, args...)))
}

// TestJavaServer runs our clients against a real Java Canal server.
func TestJavaServer(t *testing.T) {
	peers.ForTest(t, peers.JavaCanal)
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "java")
	from := end(t, db)
	w.mustWrite(t, 600)
	w.finish(t)
	addr := javaServer(t, db, from, "java", "conn", "consumer", "tail")

	t.Run("refusals", func(t *testing.T) { testRefusals(t, addr) })
	t.Run("reconnect", func(t *testing.T) {
		p := newProxy(t, addr)
		batches := 0
		a := newAccount(t)
		c := client.NewConsumer(client.ConsumerOptions{Options: client.Options{Addr: p.addr(), Destination: "consumer"}, BatchSize: 16, Retry: soon})
		for b, err := range c.Batches(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if batches++; batches%5 == 0 {
				p.cut() // before the ack: the batch comes again
			}
			a.batch(b, "java")
			_ = b.Ack()
			if a.done {
				break
			}
		}
		a.compare(w)
		if a.again == 0 {
			t.Error("nothing came again, though connections were cut before acks")
		}
	})
	t.Run("tail", func(t *testing.T) {
		bin, err := build()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), startLimit)
		defer cancel()
		out, err := exec.CommandContext(ctx, bin, "tail", "--server", addr, "--destination", "tail", "--format", "json", "--idle", "2s").Output()
		if err != nil {
			t.Fatal(err)
		}
		a := newAccount(t)
		a.replay(strings.Split(strings.TrimSpace(string(out)), "\n"), "java")
		a.compare(w)
	})
}

// wire gives a test the connection under a client's, to write what the client would not.
type wire struct {
	mu   sync.Mutex
	last net.Conn
}

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	w.mu.Lock()
	w.last = c
	w.mu.Unlock()
	return c, err
}

// ack sends an ack past the checks of the client.
func (w *wire) ack(t *testing.T, destination string, id int64) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	m := protocol.ClientAck{Destination: destination, ClientID: strconv.Itoa(client.DefaultClientID), BatchID: id}
	if _, err := w.last.Write(protocol.AppendRequest(nil, &m)); err != nil {
		t.Fatal(err)
	}
}

// testRefusals checks that the client never reads the report of a refused ack as
// the answer to something else, and that nothing is lost by it.
func testRefusals(t *testing.T, addr string) {
	var under wire
	o := client.Options{Addr: addr, Destination: "conn", Dial: under.dial}
	c, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	first := get(t, c)
	if err := first.Ack(); err != nil {
		t.Fatal(err)
	}
	second, third := get(t, c), get(t, c)
	for _, refused := range []int64{third.ID(), 1 << 40} {
		under.ack(t, "conn", refused)
		var report *client.ServerError
		if _, err := c.GetWithoutAck(t.Context(), 1, time.Second); !errors.As(err, &report) || report.Code != 400 {
			t.Fatalf("request after a refused ack: %v", err)
		}
		t.Logf("server reports: %v", report)
		if err := second.Ack(); !errors.Is(err, client.ErrStale) {
			t.Errorf("ack after the error: %v", err)
		}
		again := get(t, c)
		if got, want := begin(t, again), begin(t, second); got != want {
			t.Errorf("after a refused ack came %v, want %v", got, want)
		}
	}
	if err := c.Rollback(); err != nil {
		t.Fatal(err)
	}
	again := get(t, c)
	get(t, c)
	if err := again.Nack(); err != nil {
		t.Fatal(err)
	}
	if got, want := begin(t, get(t, c)), begin(t, second); got != want {
		t.Errorf("after a rollback came %v, want %v", got, want)
	}
	if err := c.Unsubscribe(t.Context()); err != nil {
		t.Fatal(err)
	}
	var refused *client.ServerError
	if _, err := c.GetWithoutAck(t.Context(), 1, -1); !errors.As(err, &refused) {
		t.Errorf("get without a subscription: %v", err)
	}
	o.Destination = "nosuch"
	nosuch, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer nosuch.Close()
	if err := nosuch.Subscribe(t.Context(), ""); !errors.As(err, &refused) {
		t.Errorf("subscription to an unknown destination: %v", err)
	}
}

// get gets a small batch that is not empty.
func get(t *testing.T, c *client.Conn) (b *client.Batch) {
	t.Helper()
	eventually(t, startLimit, "a batch", func() bool {
		var err error
		if b, err = c.GetWithoutAck(t.Context(), 2, time.Second); err != nil {
			t.Fatal(err)
		}
		return !b.Empty()
	})
	return b
}

// begin is the place of a batch's first entry.
func begin(t *testing.T, b *client.Batch) place {
	t.Helper()
	e, err := protocol.ParseEntry(b.Raw()[0])
	if err != nil {
		t.Fatal(err)
	}
	return place{e.Header().LogfileName(), e.Header().LogfileOffset()}
}

// TestJavaCursor starts our server on the cursor that a Java server has saved,
// which must go on behind it.
func TestJavaCursor(t *testing.T) {
	peers.ForTest(t, peers.JavaCanal)
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "javacursor")
	from := end(t, db)
	w.mustWrite(t, 300)
	data := t.TempDir()
	port := peers.StartJavaCanal(t, "--journal", from.file, "--position", strconv.FormatInt(from.offset, 10), "--filter", `javacursor\..*`,
		"--dest", "example="+db.Addr(), "--data", data)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	a := newAccount(t)
	c := client.NewConsumer(client.ConsumerOptions{Options: client.Options{Addr: addr, Destination: "example"}, BatchSize: 16, Retry: soon})
	var ackable place // the last begin or end of a transaction that was acked
	for b, err := range c.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		a.batch(b, "javacursor")
		for e, err := range b.Entries() {
			if err == nil && e.EntryType() != protocol.EntryRowData {
				ackable = place{e.Header().LogfileName(), e.Header().LogfileOffset()}
			}
		}
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
		if a.last > 150 {
			break
		}
	}
	stopped := a.last
	file := filepath.Join(data, "example", "meta.dat")
	var saved []byte
	eventually(t, startLimit, "the java server has saved the cursor", func() bool {
		saved, _ = os.ReadFile(file) // it may not be there yet
		return strings.Contains(string(saved), fmt.Sprintf(`"position":%d,`, ackable.offset))
	})

	h := newHome(t, nil)
	h.instance("example", db.Addr(), only("javacursor"))
	h.write("conf/example/meta.dat", string(saved))
	h.start()
	w.mustWrite(t, 100)
	w.finish(t)
	rest := newAccount(t)
	rest.prev, rest.last, rest.taken, rest.rows = a.prev, stopped, a.taken, a.rows
	c = client.NewConsumer(client.ConsumerOptions{Options: h.options("example"), Retry: soon})
	for b, err := range c.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rest.batch(b, "javacursor")
		_ = b.Ack() // if it is stale it comes again
		if rest.done {
			break
		}
	}
	rest.compare(w)
	if rest.again > 10 { // of the transaction that was acked in part
		t.Errorf("%d changes came again: the cursor was not used", rest.again)
	}
}
