package server

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

// waiting is an instance whose GETs wait until release is closed, a batch is
// sent, or their context ends.
type waiting struct {
	fakeInstance
	began   chan struct{} // one for each GET
	ended   chan error    // its context's cause, nil if a batch came first
	batches chan delivery.Delivery
}

func newWaiting() *waiting {
	w := &waiting{began: make(chan struct{}, 10), ended: make(chan error, 10), batches: make(chan delivery.Delivery)}
	w.get = func(ctx context.Context, _ meta.Client, _ int32, timeout time.Duration) (delivery.Delivery, error) {
		w.began <- struct{}{}
		select {
		case <-ctx.Done():
			w.ended <- context.Cause(ctx)
			return delivery.Delivery{}, context.Cause(ctx)
		case d := <-w.batches:
			w.ended <- nil
			return d, nil
		}
	}
	return w
}

func getForever() protocol.Message {
	return &protocol.Get{Destination: "example", ClientID: "1", Timeout: protocol.Some[int64](0)}
}

func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: not in time", what)
		panic("unreachable")
	}
}

func TestWaitingGetEndsWithItsClient(t *testing.T) {
	w := newWaiting()
	s, addr := startServer(t, Options{}, fakeRegistry{instance: w})
	c := login(t, addr)
	c.send(getForever())
	within(t, "get", w.began)
	c.conn.Close()
	if err := within(t, "end of get", w.ended); err == nil {
		t.Error("the GET brought a batch")
	}
	eventually(t, "end of session", func() bool { return s.Sessions() == 0 })
}

// What a client pipelines behind a waiting GET is answered after it, even when
// it fills the session's buffer.
func TestWaitingGetKeepsPipelinedRequests(t *testing.T) {
	for _, n := range []int{1, 5, 100} {
		w := newWaiting()
		_, addr := startServer(t, Options{}, fakeRegistry{instance: w})
		c := login(t, addr)
		c.send(getForever())
		within(t, "get", w.began)
		for range n {
			c.send(&protocol.Sub{Destination: "example", ClientID: "1"})
		}
		w.batches <- batchOf(1, framedEntry(5))
		if m := c.wantMessages(); m.BatchID != 1 {
			t.Errorf("batch %d, want 1", m.BatchID)
		}
		for range n {
			c.wantSuccess()
		}
	}
}

// The watch must not swallow bytes or leave a deadline behind, whenever the
// batch comes.
func TestGetsThatWaitALittle(t *testing.T) {
	w := newWaiting()
	_, addr := startServer(t, Options{}, fakeRegistry{instance: w})
	c := login(t, addr)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range 30 {
		c.send(getForever())
		within(t, "get", w.began)
		timer.Reset(time.Duration(i) * watchDelay / 15)
		<-timer.C
		w.batches <- batchOf(int64(i+1), framedEntry(5))
		if m := c.wantMessages(); m.BatchID != int64(i+1) {
			t.Fatalf("batch %d, want %d", m.BatchID, i+1)
		}
		within(t, "end of get", w.ended)
	}
}

func TestWaitingGetEndsWhenIdle(t *testing.T) {
	w := newWaiting()
	_, addr := startServer(t, Options{}, fakeRegistry{instance: w})
	c := dial(t, addr)
	c.send(&protocol.ClientAuth{NetReadTimeout: protocol.Some[int32](100)})
	c.wantSuccess()
	c.send(getForever())
	if err := within(t, "end of get", w.ended); !errors.Is(err, errIdle) {
		t.Errorf("ended with %v, want %v", err, errIdle)
	}
	c.wantClosed()
}

func TestIdleLimits(t *testing.T) {
	_, addr := startServer(t, Options{}, fakeRegistry{instance: &fakeInstance{}})
	ms := protocol.Some[int32]
	for name, auth := range map[string]protocol.ClientAuth{
		"no requests": {NetReadTimeout: ms(60)},
		"no replies":  {NetWriteTimeout: ms(60)},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			c.send(&auth)
			c.wantSuccess()
			start := time.Now()
			c.wantClosed()
			if d := time.Since(start); d < 50*time.Millisecond || d > 5*time.Second {
				t.Errorf("closed after %v", d)
			}
		})
	}
	if got := idleLimit(ms(-5)); got != time.Hour {
		t.Errorf("limit for -5 is %v", got)
	}
}

// A client that sends acks only is not idle as a reader, but gets no replies.
func TestAcksAloneDoNotKeepSession(t *testing.T) {
	s, addr := startServer(t, Options{}, fakeRegistry{instance: &fakeInstance{}})
	c := dial(t, addr)
	c.send(&protocol.ClientAuth{NetWriteTimeout: protocol.Some[int32](100)})
	c.wantSuccess()
	ack := protocol.AppendRequest(nil, &protocol.ClientAck{Destination: "example", ClientID: "1", BatchID: 1})
	eventually(t, "end of session", func() bool {
		c.conn.Write(ack)
		return s.Sessions() == 0
	})
}

// A client that does not read is cut off, harms nobody meanwhile, and its batch
// is taken back.
func TestClientThatDoesNotRead(t *testing.T) {
	entry := framedEntry(32 << 20)
	var rolledBack atomic.Int64
	f := &fakeInstance{
		get: func(_ context.Context, c meta.Client, _ int32, _ time.Duration) (delivery.Delivery, error) {
			if c.ID == 1 {
				return batchOf(77, entry), nil
			}
			return nothing, nil
		},
		rollback: func(_ meta.Client, id int64) error { rolledBack.Store(id); return nil },
	}
	_, addr := startServer(t, Options{WriteStall: 200 * time.Millisecond}, fakeRegistry{instance: f})
	slow, other := login(t, addr), login(t, addr)
	slow.send(&protocol.Get{Destination: "example", ClientID: "1", Timeout: protocol.Some[int64](-1)})
	other.send(&protocol.Get{Destination: "example", ClientID: "2", Timeout: protocol.Some[int64](-1)})
	other.wantMessages()
	eventually(t, "roll back", func() bool { return rolledBack.Load() == 77 })
}

// A batch that is found at the moment the client leaves is taken back.
func TestBatchForClientThatLeft(t *testing.T) {
	rolledBack := make(chan int64, 1)
	began := make(chan struct{})
	f := &fakeInstance{
		get: func(ctx context.Context, _ meta.Client, _ int32, _ time.Duration) (delivery.Delivery, error) {
			close(began)
			<-ctx.Done()
			return batchOf(5, framedEntry(1)), nil
		},
		rollback: func(_ meta.Client, id int64) error { rolledBack <- id; return nil },
	}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := login(t, addr)
	c.send(getForever())
	within(t, "get", began)
	c.conn.Close()
	if id := within(t, "roll back", rolledBack); id != 5 {
		t.Errorf("rolled back %d, want 5", id)
	}
}

func TestTooManySessions(t *testing.T) {
	s, addr := startServer(t, Options{MaxSessions: 2}, fakeRegistry{instance: &fakeInstance{}})
	a, _ := login(t, addr), login(t, addr)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	(&testClient{tb: t, conn: conn}).wantClosed()
	if n := s.RefusedClients(); n != 1 {
		t.Errorf("%d refused, want 1", n)
	}
	a.conn.Close()
	eventually(t, "free place", func() bool { return s.Sessions() == 1 })
	login(t, addr)
}

func TestStop(t *testing.T) {
	w := newWaiting()
	subscribing, subscribe := make(chan struct{}), make(chan struct{})
	w.subscribe = func(meta.Client) error {
		close(subscribing)
		<-subscribe
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Logger: testLogger(t)}, fakeRegistry{instance: w})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()

	addr := ln.Addr().String()
	unauthenticated, idle, getting, busy := dial(t, addr), login(t, addr), login(t, addr), login(t, addr)
	getting.send(getForever())
	within(t, "get", w.began)
	busy.send(&protocol.Sub{Destination: "example", ClientID: "1"})
	within(t, "subscribe", subscribing)

	cancel()
	unauthenticated.wantClosed()
	idle.wantClosed()
	getting.wantClosed()
	close(subscribe)
	busy.wantSuccess() // the request in hand is finished
	busy.wantClosed()
	if err := within(t, "end of server", done); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("a stopped server accepts clients")
	}
}

// What does not end by itself is cut off.
func TestStopCuts(t *testing.T) {
	f := &fakeInstance{get: func(context.Context, meta.Client, int32, time.Duration) (delivery.Delivery, error) {
		return batchOf(1, framedEntry(32<<20)), nil
	}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Logger: testLogger(t), DrainTimeout: 50 * time.Millisecond}, fakeRegistry{instance: f})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	c := login(t, ln.Addr().String())
	c.send(getForever()) // and does not read the reply
	cancel()
	if err := within(t, "end of server", done); err != nil {
		t.Error(err)
	}
}
