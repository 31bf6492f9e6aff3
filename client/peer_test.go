package client

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// TestPeer runs against a server that is not ours, such as Java Canal:
// TOWPATH_PEER is its address. Its destination "example" (or TOWPATH_PEER_DESTINATION)
// must have some hundred KiB of entries that nobody has acked, and nobody else may
// read it. Nothing stays acked but the first batch.
func TestPeer(t *testing.T) {
	addr := os.Getenv("TOWPATH_PEER")
	if addr == "" {
		t.Skip("TOWPATH_PEER names no server to test against")
	}
	destination := os.Getenv("TOWPATH_PEER_DESTINATION")
	if destination == "" {
		destination = "example"
	}
	o := Options{Addr: addr, Destination: destination}
	c := subscribed(t, o)
	if err := c.Rollback(); err != nil {
		t.Fatal(err)
	}
	first := peerGet(t, c)
	if err := first.Ack(); err != nil {
		t.Fatal(err)
	}
	second, third := peerGet(t, c), peerGet(t, c)

	forceAckError(t, c, third.ID())
	expectReport(t, c)
	if err := second.Ack(); !errors.Is(err, ErrStale) {
		t.Errorf("ack after the error: %v", err)
	}
	again := peerGet(t, c)
	if where(t, again) != where(t, second) {
		t.Errorf("after a refused ack came %s, want %s", where(t, again), where(t, second))
	}

	forceAckError(t, c, 1<<40)
	expectReport(t, c)
	again = peerGet(t, c)
	if where(t, again) != where(t, second) {
		t.Errorf("after the ack of no batch came %s, want %s", where(t, again), where(t, second))
	}

	peerGet(t, c)
	if err := again.Nack(); err != nil {
		t.Fatal(err)
	}
	again = peerGet(t, c)
	if where(t, again) != where(t, second) {
		t.Errorf("after a rollback came %s, want %s", where(t, again), where(t, second))
	}
	if err := c.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := c.Unsubscribe(t.Context()); err != nil {
		t.Fatal(err)
	}
	var refused *ServerError
	if _, err := c.GetWithoutAck(t.Context(), 1, -1); !errors.As(err, &refused) {
		t.Errorf("get without a subscription: %v", err)
	}
	consumePeer(t, ConsumerOptions{Options: o, BatchSize: 16, Retry: atOnce(0)}, where(t, second))
	o.Destination = "nosuch"
	if err := dial(t, o).Subscribe(t.Context(), ""); !errors.As(err, &refused) {
		t.Errorf("subscription to an unknown destination: %v", err)
	}
}

// consumePeer checks where a consumer begins.
func consumePeer(t *testing.T, o ConsumerOptions, want string) {
	t.Helper()
	for b, err := range NewConsumer(o).Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got := where(t, b); got != want {
			t.Errorf("a consumer begins at %s, want %s", got, want)
		}
		break
	}
}

// forceAckError sends an ack that the server must refuse, past the checks of Conn.
func forceAckError(t *testing.T, c *Conn, id int64) {
	t.Helper()
	c.mu.Lock()
	s := c.s
	c.mu.Unlock()
	if err := s.write(&protocol.ClientAck{Destination: c.o.Destination, ClientID: s.clientID, BatchID: id}); err != nil {
		t.Fatal(err)
	}
}

func expectReport(t *testing.T, c *Conn) {
	t.Helper()
	var refused *ServerError
	if _, err := c.GetWithoutAck(t.Context(), 1, time.Second); !errors.As(err, &refused) || refused.Code != 400 {
		t.Fatalf("request after a refused ack: %v", err)
	}
	t.Logf("server reports: %v", refused)
}

// peerGet gets a small batch that is not empty.
func peerGet(t *testing.T, c *Conn) *Batch {
	t.Helper()
	for range 20 {
		b, err := c.GetWithoutAck(t.Context(), 2, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if !b.Empty() {
			return b
		}
	}
	t.Fatal("the server has no entries")
	return nil
}

// where is the position of a batch's first entry.
func where(t *testing.T, b *Batch) string {
	t.Helper()
	for e, err := range b.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		line, err := protocol.AppendJSON(nil, e.Raw(), false)
		if err != nil {
			t.Fatal(err)
		}
		return string(line)
	}
	t.Fatal("empty batch")
	return ""
}
