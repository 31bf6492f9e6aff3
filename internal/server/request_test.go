package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

func TestUnsupportedPackets(t *testing.T) {
	_, addr := startServer(t, Options{}, fakeRegistry{instance: &fakeInstance{}})
	c := login(t, addr)
	for packet, name := range map[string]string{
		"":         "PACKAGETYPECOMPATIBLEPROTO2",
		"\x18\x07": "MESSAGES",
		"\x18\x09": "SHUTDOWN",
		"\x18\x0a": "DUMP",
		"\x18\x0b": "HEARTBEAT",
		"\x18\x63": "UNRECOGNIZED",
	} {
		c.write(frameOf([]byte(packet)...))
		if got, want := c.wantError(400), "packet type: "+name+" is NOT supported!"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	c.send(&protocol.Sub{Destination: "example", ClientID: "1"})
	c.wantSuccess()
}

func TestBrokenFrames(t *testing.T) {
	_, addr := startServer(t, Options{MaxFrame: 100}, fakeRegistry{instance: &fakeInstance{}})
	for name, b := range map[string][]byte{
		"negative length": headerOf(-1),
		"over the limit":  headerOf(101),
		"no packet":       frameOf(0xff, 0xff),
	} {
		t.Run(name, func(t *testing.T) {
			c := login(t, addr)
			c.write(b)
			c.wantClosed()
		})
	}
}

func TestRequestErrors(t *testing.T) {
	refusal := &delivery.Error{Class: "com.alibaba.otter.canal.meta.exception.CanalMetaManagerException", Message: "batchId:2 is not the firstly:1"}
	f := &fakeInstance{
		ack: func(meta.Client, int64) error { return fmt.Errorf("ack: %w", refusal) },
		get: func(context.Context, meta.Client, int32, time.Duration) (delivery.Delivery, error) {
			return delivery.Delivery{}, errors.New("out of luck")
		},
	}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := login(t, addr)

	for _, r := range []struct {
		message protocol.Message
		code    int32
		want    string
	}{
		{&protocol.Sub{Destination: "example"}, 401, "destination or clientId is null. Sub: destination: \"example\"\n"},
		{&protocol.Unsub{ClientID: "1"}, 401, "destination or clientId is null. Unsub: client_id: \"1\"\n"},
		{&protocol.Get{FetchSize: 5, Timeout: protocol.Some[int64](-1)}, 401, "destination or clientId is null. Get: fetch_size: 5\ntimeout: -1\n"},
		{&protocol.ClientAck{Destination: "example", BatchID: 3}, 401, "destination or clientId is null. Ack: destination: \"example\"\nbatch_id: 3\n"},
		{&protocol.ClientRollback{}, 401, "destination or clientId is null. Rollback: "},
		{&protocol.ClientAck{Destination: "example", ClientID: "1"}, 402, "batchId should assign value. Ack: destination: \"example\"\nclient_id: \"1\"\n"},
	} {
		c.send(r.message)
		if got := c.wantError(r.code); got != r.want {
			t.Errorf("got %q, want %q", got, r.want)
		}
	}

	const server = "com.alibaba.otter.canal.server.exception.CanalServerException: "
	for _, r := range []struct {
		message protocol.Message
		want    string
	}{
		{&protocol.Sub{Destination: "example", ClientID: "x1"}, "java.lang.NumberFormatException: For input string: \"x1\"\n"},
		{&protocol.Get{Destination: "example", ClientID: "70000"}, "java.lang.NumberFormatException: Value out of range. Value:\"70000\" Radix:10\n"},
		{&protocol.Get{Destination: "example", ClientID: "99999999999"}, "java.lang.NumberFormatException: For input string: \"99999999999\"\n"},
		{&protocol.Sub{Destination: "nosuch", ClientID: "+1"}, server + "destination:nosuch should start first\n"},
		{&protocol.ClientRollback{Destination: "nosuch", ClientID: "1"}, server + "destination:nosuch should start first\n"},
		{&protocol.ClientAck{Destination: "example", ClientID: "-1", BatchID: 2}, refusal.Class + ": " + refusal.Message + "\n"},
		{&protocol.Get{Destination: "example", ClientID: "1"}, server + "out of luck\n"},
	} {
		c.send(r.message)
		if got := c.wantException(); got != r.want {
			t.Errorf("got %q, want %q", got, r.want)
		}
	}

	c.write(frameOf(0x18, 4, 0x2a, 1, 0x0a)) // a subscription that ends within a field
	if got := c.wantException(); !strings.HasPrefix(got, "com.google.protobuf.InvalidProtocolBufferException: ") {
		t.Errorf("got %q", got)
	}
}

// Acks and rollbacks have no reply, and an ack of nothing reaches nobody.
func TestSilentRequests(t *testing.T) {
	var acked, rolledBack []int64
	f := &fakeInstance{
		ack:      func(_ meta.Client, id int64) error { acked = append(acked, id); return nil },
		rollback: func(_ meta.Client, id int64) error { rolledBack = append(rolledBack, id); return nil },
	}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := login(t, addr)
	for _, id := range []int64{-1, 7} {
		c.send(&protocol.ClientAck{Destination: "example", ClientID: "1", BatchID: id})
		c.send(&protocol.ClientRollback{Destination: "example", ClientID: "1", BatchID: id})
	}
	c.send(&protocol.ClientRollback{Destination: "example", ClientID: "1"})
	c.send(&protocol.Unsub{Destination: "example", ClientID: "1"})
	c.wantSuccess()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got, want := fmt.Sprint(acked, rolledBack), "[7] [-1 7 0]"; got != want {
		t.Errorf("acked and rolled back %s, want %s", got, want)
	}
}

// An ack that fails is answered, and the answer to the next request follows.
func TestUnsolicitedError(t *testing.T) {
	f := &fakeInstance{ack: func(meta.Client, int64) error { return errors.New("no") }}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := login(t, addr)
	c.send(&protocol.ClientAck{Destination: "example", ClientID: "1", BatchID: 9})
	c.send(&protocol.Get{Destination: "example", ClientID: "1", Timeout: protocol.Some[int64](-1)})
	c.wantException()
	c.wantMessages()
}

func TestRequestsInPiecesAndInOne(t *testing.T) {
	f := &fakeInstance{subscribe: func(c meta.Client) error {
		if c.ID == 2 {
			return errors.New("second")
		}
		return nil
	}}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := login(t, addr)
	var requests []byte
	for id := range 3 {
		requests = protocol.AppendRequest(requests, &protocol.Sub{Destination: "example", ClientID: fmt.Sprint(id + 1), Filter: strings.Repeat("x", 3000)})
	}
	check := func() {
		t.Helper()
		c.wantSuccess()
		c.wantException()
		c.wantSuccess()
	}
	c.write(requests)
	check()
	for _, b := range requests[:100] {
		c.write([]byte{b})
	}
	c.write(requests[100:])
	check()
}

func TestGetParameters(t *testing.T) {
	some := protocol.Some[int64]
	unit := protocol.Some[int32]
	for _, c := range []struct {
		get  protocol.Get
		want time.Duration
	}{
		{protocol.Get{Timeout: some(-1)}, -1},
		{protocol.Get{Timeout: some(-1), Unit: unit(3)}, -1},
		{protocol.Get{}, 0},
		{protocol.Get{Timeout: some(0), Unit: unit(2)}, 0},
		{protocol.Get{Timeout: some(-2), Unit: unit(2)}, 0},
		{protocol.Get{Timeout: some(5)}, 5},
		{protocol.Get{Timeout: some(5), Unit: unit(1)}, 5 * time.Microsecond},
		{protocol.Get{Timeout: some(5), Unit: unit(2)}, 5 * time.Millisecond},
		{protocol.Get{Timeout: some(5), Unit: unit(6)}, 5 * 24 * time.Hour},
		{protocol.Get{Timeout: some(5), Unit: unit(99)}, 5 * time.Millisecond},
		{protocol.Get{Timeout: some(5), Unit: unit(-1)}, 5 * time.Millisecond},
		{protocol.Get{Timeout: some(1 << 62), Unit: unit(6)}, 1<<63 - 1},
	} {
		if got := getTimeout(&c.get); got != c.want {
			t.Errorf("%+v: timeout %d, want %d", c.get, got, c.want)
		}
	}
}

func TestGetNothing(t *testing.T) {
	_, addr := startServer(t, Options{}, fakeRegistry{instance: &fakeInstance{}})
	c := login(t, addr)
	c.send(&protocol.Get{Destination: "example", ClientID: "1", Timeout: protocol.Some[int64](-1)})
	want := []byte{0x10, 1, 0x18, 7, 0x2a, 0x0b, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}
	if got := c.readRaw(); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestGetBatch(t *testing.T) {
	entries := [][]byte{framedEntry(10), framedEntry(writeStep), framedEntry(0), framedEntry(3*writeStep + 1)}
	f := &fakeInstance{get: func(context.Context, meta.Client, int32, time.Duration) (delivery.Delivery, error) {
		return batchOf(300, entries...), nil
	}}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := login(t, addr)
	for range 2 {
		c.send(&protocol.Get{Destination: "example", ClientID: "1", Timeout: protocol.Some[int64](-1)})
		body := append([]byte{8, 0xac, 2}, bytes.Join(entries, nil)...)
		want := protocol.Packet{Type: protocol.TypeMessages, Body: body}
		if got := c.readRaw(); !bytes.Equal(got, want.Append(nil)) {
			t.Errorf("got %d bytes beginning %x", len(got), got[:20])
		}
	}
}

func TestStatistics(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	f := &fakeInstance{get: func(context.Context, meta.Client, int32, time.Duration) (delivery.Delivery, error) {
		if full.Load() {
			return batchOf(1, framedEntry(100)), nil
		}
		return nothing, nil
	}}
	s, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := login(t, addr)
	get := &protocol.Get{Destination: "example", ClientID: "1", Timeout: protocol.Some[int64](-1)}
	c.send(get)
	batch := len(c.readRaw())
	full.Store(false)
	c.send(get)
	c.readRaw()
	c.send(&protocol.ClientAck{Destination: "example", ClientID: "1", BatchID: 1})
	c.send(&protocol.ClientAck{Destination: "example", ClientID: "1", BatchID: -1})
	c.send(&protocol.ClientAck{Destination: "example", ClientID: "1"})
	code402 := len(c.wantError(402))
	c.send(&protocol.Sub{Destination: "nosuch", ClientID: "1"})
	c.wantError(400)
	c.send(&protocol.Sub{Destination: "also-not"})
	c.wantError(401)
	c.write(frameOf())
	c.wantError(400)

	var example, unknown ClientStats
	eventually(t, "statistics", func() bool {
		all := s.ClientStats()
		if len(all) != 2 {
			return false
		}
		example, unknown = all[0], all[1]
		return unknown.Packets["PACKAGETYPECOMPATIBLEPROTO2"] == 1
	})
	if example.Destination != "example" || unknown.Destination != UnknownDestination {
		t.Fatalf("destinations %q and %q", example.Destination, unknown.Destination)
	}
	if got, want := fmt.Sprint(example.Packets, example.EmptyBatches, example.Errors), "map[CLIENTACK:2 GET:1] 1 map[402:1]"; got != want {
		t.Errorf("example: %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(unknown.Packets, unknown.EmptyBatches, unknown.Errors), "map[PACKAGETYPECOMPATIBLEPROTO2:1 SUBSCRIPTION:2] 0 map[400:2 401:1]"; got != want {
		t.Errorf("unknown: %s, want %s", got, want)
	}
	// The batch, an empty batch, a silent ack, and an error with 11 bytes around its text.
	if want := uint64(batch + 4 + 17 + 4 + 4 + code402 + 11 + 4); example.Bytes != want {
		t.Errorf("%d bytes, want %d", example.Bytes, want)
	}
	if n := example.Latency[0] + example.Latency[1] + example.Latency[2] + example.Latency[3] + example.Latency[4]; n != 4 {
		t.Errorf("%d latencies, want 4", n)
	}
}
