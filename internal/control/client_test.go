package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// counting counts the connections that a client makes.
func counting(n *atomic.Int32) func(*ClientOptions) {
	return func(o *ClientOptions) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			n.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
}

// fake is a server that answers as a test says, one goroutine per connection.
func fake(t *testing.T, talk func(w *wire)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			talk(&wire{t, conn})
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// next reads a packet; false at the end of the connection.
func (w *wire) next() (packet, bool) {
	body, err := protocol.ReadFrame(w.conn, nil, maxAnswer)
	if err != nil {
		return packet{}, false
	}
	p, err := parsePacket(body)
	return p, err == nil
}

// welcome lets a client in, whatever its password.
func (w *wire) welcome() {
	_, _ = w.conn.Write(appendReply(nil, &handshake{seeds: []byte("12345678")}))
	if _, ok := w.next(); ok {
		_, _ = w.conn.Write(appendReply(nil, &ack{}))
	}
}

func TestClientKeepsConnections(t *testing.T) {
	var dialled atomic.Int32
	c := client(t, serve(t, NewServer(options(&backend{}))), counting(&dialled))
	for range 5 {
		if got, err := c.Server(t.Context(), "check"); got != "1" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d connections for five questions", n)
	}
	// What changes something has one of its own.
	if got, err := c.Instance(t.Context(), "itkaven", "stop"); got != "1" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if n := dialled.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	c.Close()
	if _, err := c.Server(t.Context(), "check"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A kept connection may have been closed by the server, which shows with the next
// question. That is asked again; what changes something never is.
func TestClientAsksAgainOnlyWhatIsHarmless(t *testing.T) {
	var asked atomic.Int32
	address := fake(t, func(w *wire) {
		w.welcome()
		if _, ok := w.next(); ok {
			asked.Add(1)
			_, _ = w.conn.Write(appendReply(nil, &ack{message: "1"}))
		}
	})
	c := client(t, address)
	for range 3 {
		if got, err := c.Server(t.Context(), "check"); got != "1" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times", n)
	}
	dead := fake(t, func(w *wire) {
		w.welcome()
		w.next()
		asked.Add(1)
	})
	asked.Store(0)
	if _, err := client(t, dead).Server(t.Context(), "stop"); err == nil {
		t.Error("no error for a lost answer")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times for a stop", n)
	}
}

func TestClientAndCanalsServer(t *testing.T) {
	var asked atomic.Int32
	address := fake(t, func(w *wire) {
		w.welcome()
		for p, ok := w.next(); ok; p, ok = w.next() {
			asked.Add(1)
			_, _ = w.conn.Write(appendReply(nil, &ack{code: codeRefused, message: "packet type: " + p.typ.String() + " is NOT supported!"}))
		}
	})
	c := client(t, address)
	if known, _ := c.Towpath(); known {
		t.Error("known before asking")
	}
	for range 2 {
		if err := c.Call(t.Context(), MethodReport, ReportParams{}, nil); !errors.Is(err, ErrNotTowpath) {
			t.Errorf("got %v", err)
		}
	}
	if known, yes := c.Towpath(); !known || yes {
		t.Errorf("known %v, Towpath's %v", known, yes)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	c.Close() // the server talks to one at a time
}

func TestClientRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		talk func(w *wire)
		want string
	}{
		{"version", func(w *wire) {
			_, _ = w.conn.Write(appendFrame(nil, packet{version: some[int32](2), typ: typeHandshake}))
		}, "unsupported version at this client."},
		{"no version", func(w *wire) { _, _ = w.conn.Write(appendRequest(nil, &handshake{})) }, "unsupported version at this client."},
		{"no handshake", func(w *wire) { _, _ = w.conn.Write(appendReply(nil, &ack{})) }, "packet of type ACK"},
		{"long greeting", func(w *wire) { _, _ = w.conn.Write([]byte{1, 0, 0, 0}) }, "over the limit"},
		{"garbage", func(w *wire) { _, _ = w.conn.Write([]byte{0, 0, 0, 1, 0xff}) }, "malformed message"},
		{"nothing", func(*wire) {}, "EOF"},
		{"refused twice", func(w *wire) { // as Java's: the first ack is final
			_, _ = w.conn.Write(appendReply(nil, &handshake{seeds: []byte("12345678")}))
			w.next()
			_, _ = w.conn.Write(appendReply(appendReply(nil, &ack{code: 300, message: "auth failed for user:admin"}), &ack{}))
			if p, ok := w.next(); ok {
				w.t.Errorf("the client goes on with %s", p.typ)
			}
		}, "300: auth failed for user:admin"},
		{"exception", func(w *wire) {
			w.welcome()
			w.next()
			_, _ = w.conn.Write(appendReply(nil, &ack{code: 400, message: "oh"}))
		}, "400: oh"},
		{"no ack", func(w *wire) {
			w.welcome()
			w.next()
			_, _ = w.conn.Write(appendReply(nil, &serverAdmin{}))
		}, "packet of type SERVER"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := client(t, fake(t, c.talk)).Server(t.Context(), "stop")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestClientGivesUpInTime(t *testing.T) {
	address := fake(t, func(w *wire) { w.next() }) // never greets
	c := client(t, address, func(o *ClientOptions) { o.Timeout = 30 * time.Millisecond })
	if _, err := c.Server(t.Context(), "check"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	time.AfterFunc(10*time.Millisecond, func() { cancel(reason) })
	if _, err := client(t, address).Server(ctx, "check"); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}

// Calls beyond the bound wait for their turn.
func TestClientBoundsConnections(t *testing.T) {
	working, finish := make(chan struct{}, 2*maxConns), make(chan struct{})
	b := &backend{call: func(context.Context, string, json.RawMessage) (any, error) {
		working <- struct{}{}
		<-finish
		return 1, nil
	}}
	var dialled atomic.Int32
	c := client(t, serve(t, NewServer(options(b))), counting(&dialled))
	results := make(chan error, 2*maxConns)
	for range 2 * maxConns {
		go func() { results <- c.Call(t.Context(), "wait", nil, nil) }()
	}
	for range maxConns {
		<-working
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Server(ctx, "check"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call beyond the bound: %v", err)
	}
	close(finish)
	for range 2 * maxConns {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := dialled.Load(); n > maxConns {
		t.Errorf("%d connections", n)
	}
}
