package server

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/store"
	"github.com/towpath-cdc/towpath/protocol"
)

// desk is destination "example" as it really is, with a store that a test fills.
type desk struct {
	*delivery.Desk
	store *store.Store
	put   int // entries so far
}

func newDesk(t *testing.T, o store.Options) *desk {
	t.Helper()
	st := store.New(o)
	t.Cleanup(st.Close)
	source := func() (string, int) { return "127.0.0.1", 3306 }
	return &desk{Desk: delivery.New("example", st, meta.NewMemory(), source, delivery.Options{}), store: st}
}

// add puts n entries of size bytes each; entry i begins with the text "i".
func (d *desk) add(t *testing.T, n, size int) {
	t.Helper()
	for range n {
		d.put++
		m := protocol.Messages{Messages: [][]byte{fmt.Appendf(nil, "%-*d", size, d.put)}}
		block := m.Append(nil)
		item := store.Item{
			Block: store.NewBlock(block, nil), End: uint32(len(block)), Size: uint32(size), Kind: store.KindEnd,
			Position: binlog.Position{File: "mysql-bin.000001", Offset: int64(d.put), Timestamp: 1},
		}
		if err := d.store.Put(t.Context(), []store.Item{item}); err != nil {
			t.Fatal(err)
		}
	}
}

// script plays requests and compares the replies. Each line is a request, " => ",
// and what comes back: entries as "batch 1: 1 2 3", "nothing", "ok", an error's
// text, or "-" for no reply.
func script(t *testing.T, c *testClient, lines string) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		request, want, _ := strings.Cut(strings.TrimSpace(line), " => ")
		c.send(parseRequest(t, request))
		if want == "-" {
			continue
		}
		if got := c.describe(); got != want {
			t.Fatalf("%s: got %q, want %q", request, got, want)
		}
	}
}

// parseRequest reads "sub", "unsub", "get SIZE", "ack ID" and "rollback ID".
func parseRequest(t *testing.T, line string) protocol.Message {
	t.Helper()
	var verb string
	var n int64
	fmt.Sscan(line, &verb, &n)
	switch verb {
	case "sub":
		return &protocol.Sub{Destination: "example", ClientID: "1001"}
	case "unsub":
		return &protocol.Unsub{Destination: "example", ClientID: "1001"}
	case "get":
		return &protocol.Get{Destination: "example", ClientID: "1001", FetchSize: int32(n), Timeout: protocol.Some[int64](-1), AutoAck: protocol.Some(true)}
	case "ack":
		return &protocol.ClientAck{Destination: "example", ClientID: "1001", BatchID: n}
	case "rollback":
		return &protocol.ClientRollback{Destination: "example", ClientID: "1001", BatchID: n}
	}
	t.Fatalf("unknown request %q", line)
	return nil
}

// describe reads a reply and says what it is, in the words of script.
func (c *testClient) describe() string {
	c.tb.Helper()
	p := c.read()
	if p.Type == protocol.TypeMessages {
		m, err := protocol.ParseMessages(p.Body)
		if err != nil {
			c.tb.Fatal(err)
		}
		if m.BatchID == protocol.NoBatch {
			return "nothing"
		}
		if p.Version.Set {
			c.tb.Error("MESSAGES with data has a version")
		}
		text := fmt.Sprintf("batch %d:", m.BatchID)
		for _, entry := range m.Messages {
			text += " " + strings.TrimSpace(string(entry))
		}
		return text
	}
	ack, err := protocol.ParseAck(p.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	if !ack.ErrorCode.Set {
		return "ok"
	}
	_, trace, _ := strings.Cut(ack.ErrorMessage, ", exception: ")
	trace = strings.TrimPrefix(trace, "com.alibaba.otter.canal.")
	return strings.TrimSuffix(trace, "\n")
}

func TestConformanceItems(t *testing.T) {
	for name, lines := range map[string]string{
		"batches": `
			sub => ok
			get 4 => batch 1: 1 2 3 4
			get 4 => batch 2: 5 6 7 8
			get 4 => batch 3: 9 10
			get 4 => nothing
			ack -1 => -
			ack 1 => -
			ack 2 => -
			ack 3 => -
			get 4 => nothing`,
		"before subscribing": `
			get 1 => server.exception.CanalServerException: ClientIdentity:ClientIdentity[destination=example,clientId=1001,filter=<null>] should subscribe first
			ack 1 => server.exception.CanalServerException: ClientIdentity:ClientIdentity[destination=example,clientId=1001,filter=<null>] should subscribe first
			rollback 0 => -
			rollback 7 => -
			sub => ok`,
		"acks": `
			sub => ok
			get 2 => batch 1: 1 2
			get 2 => batch 2: 3 4
			ack 2 => meta.exception.CanalMetaManagerException: batchId:2 is not the firstly:1
			ack 1 => -
			ack 1 => server.exception.CanalServerException: ack error , clientId:1001 batchId:1 is not exist , please check
			ack 2 => -
			get 2 => batch 3: 5 6`,
		"rollback of all": `
			sub => ok
			get 2 => batch 1: 1 2
			get 2 => batch 2: 3 4
			ack 1 => -
			rollback 0 => -
			get 2 => batch 3: 3 4`,
		"rollback of one": `
			sub => ok
			get 2 => batch 1: 1 2
			get 2 => batch 2: 3 4
			get 2 => batch 3: 5 6
			rollback 2 => meta.exception.CanalMetaManagerException: batchId:2 is not the firstly:1
			rollback 9 => server.exception.CanalServerException: rollback error, clientId:1001 batchId:9 is not exist , please check
			ack 1 => -
			rollback 2 => -
			ack 3 => server.exception.CanalServerException: ack error , clientId:1001 batchId:3 is not exist , please check
			get 4 => batch 4: 3 4 5 6`,
		"unsubscribe": `
			sub => ok
			get 2 => batch 1: 1 2
			unsub => ok
			get 2 => server.exception.CanalServerException: ClientIdentity:ClientIdentity[destination=example,clientId=1001,filter=<null>] should subscribe first
			sub => ok
			ack 1 => -
			get 2 => batch 2: 3 4`,
		"sizes out of bounds": `
			sub => ok
			get -1 => batch 1: 1 2 3 4 5 6 7 8 9 10
			rollback 0 => -
			get 0 => batch 2: 1 2 3 4 5 6 7 8 9 10
			rollback 0 => -
			get 2147483647 => batch 3: 1 2 3 4 5 6 7 8 9 10`,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, store.Options{Mode: config.ItemSize, Slots: 16})
			_, addr := startServer(t, Options{}, fakeRegistry{instance: d})
			d.add(t, 10, 20)
			script(t, login(t, addr), lines)
		})
	}
}

func TestConformanceMemory(t *testing.T) {
	d := newDesk(t, store.Options{Slots: 16, MemUnit: 1024})
	_, addr := startServer(t, Options{}, fakeRegistry{instance: d})
	d.add(t, 5, 717)
	c := login(t, addr)
	script(t, c, `
		sub => ok
		get 1 => batch 1: 1 2
		get 3000000 => batch 2: 3 4 5`)
}

// Batches that a dead client left behind stay where they are until the next one
// rolls back.
func TestConformanceReconnect(t *testing.T) {
	d := newDesk(t, store.Options{Mode: config.ItemSize, Slots: 16})
	_, addr := startServer(t, Options{}, fakeRegistry{instance: d})
	d.add(t, 10, 20)
	c := login(t, addr)
	script(t, c, `
		sub => ok
		get 2 => batch 1: 1 2
		get 2 => batch 2: 3 4`)
	c.conn.Close()
	script(t, login(t, addr), `
		get 2 => batch 3: 5 6
		rollback 0 => -
		get 3 => batch 4: 1 2 3`)
}

// A GET waits for a full batch, and a client that leaves meanwhile takes nothing
// with it.
func TestConformanceWaiting(t *testing.T) {
	d := newDesk(t, store.Options{Mode: config.ItemSize, Slots: 16})
	s, addr := startServer(t, Options{}, fakeRegistry{instance: d})
	some := protocol.Some[int64]
	get := &protocol.Get{Destination: "example", ClientID: "1001", FetchSize: 2}

	c := login(t, addr)
	script(t, c, "sub => ok")
	get.Timeout, get.Unit = some(200), protocol.Some[int32](2)
	start := time.Now()
	c.send(get)
	if got := c.describe(); got != "nothing" || time.Since(start) < 200*time.Millisecond {
		t.Errorf("%s after %v", got, time.Since(start))
	}
	get.Unit = protocol.Opt[int32]{} // nanoseconds
	c.send(get)
	if got := c.describe(); got != "nothing" {
		t.Error(got)
	}

	get.Timeout = protocol.Opt[int64]{}
	c.send(get)
	d.add(t, 1, 20)
	d.add(t, 1, 20)
	if got := c.describe(); got != "batch 1: 1 2" {
		t.Error(got)
	}
	c.send(get)
	c.conn.Close()
	eventually(t, "end of session", func() bool { return s.Sessions() == 0 })
	d.add(t, 2, 20)
	c = login(t, addr)
	c.send(get)
	if got := c.describe(); got != "batch 2: 3 4" {
		t.Error(got)
	}
}

func TestConformanceStoppedInstance(t *testing.T) {
	d := newDesk(t, store.Options{Mode: config.ItemSize, Slots: 16})
	_, addr := startServer(t, Options{}, fakeRegistry{instance: d})
	c := login(t, addr)
	script(t, c, "sub => ok")
	c.send(&protocol.Get{Destination: "example", ClientID: "1001", FetchSize: 2})
	d.store.Close()
	if got, want := c.describe(), "server.exception.CanalServerException: destination:example should start first"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The whole reply to a GET, as Canal's server writes it.
func TestConformanceReplyBytes(t *testing.T) {
	d := newDesk(t, store.Options{Mode: config.ItemSize, Slots: 16})
	_, addr := startServer(t, Options{}, fakeRegistry{instance: d})
	d.add(t, 2, 3)
	c := login(t, addr)
	c.send(parseRequest(t, "sub"))
	c.wantSuccess()
	c.send(parseRequest(t, "get 10"))
	if got, want := hex.EncodeToString(c.readRaw()), "18072a0c0801"+"1203312020"+"1203322020"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
