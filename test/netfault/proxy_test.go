package netfault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what has to happen, silence is how long is looked whether
// something happens that must not.
const (
	patience = 20 * time.Second
	silence  = 50 * time.Millisecond
)

// echo answers what it gets, and hands over each connection's bytes at its end.
func echo(t *testing.T) (addr string, received <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan []byte, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				var got bytes.Buffer
				_, _ = io.Copy(io.MultiWriter(&got, c), c) // until the end, of whatever kind
				all <- got.Bytes()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String(), all
}

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c net.Conn, s string) {
	t.Helper()
	b := make([]byte, len(s))
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != s {
		t.Fatalf("read %q, %v, want %q", b, err, s)
	}
}

func expectSilence(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(silence))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v, want nothing", n, err)
	}
}

func expectReset(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %d bytes, %v, want a reset", n, err)
	}
}

func heal(t *testing.T, p *Proxy) {
	t.Helper()
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
}

// eventually polls.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func TestPassesEverything(t *testing.T) {
	target, received := echo(t)
	p := New(t, target)
	c := dial(t, p)
	sent := bytes.Repeat([]byte("0123456789"), 200_000)
	go func() {
		_, _ = c.Write(sent)
		_ = c.CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back, %v, want %d", len(got), err, len(sent))
	}
	if got := <-received; !bytes.Equal(got, sent) {
		t.Errorf("the server got %d bytes", len(got))
	}
	eventually(t, "the connection is closed", func() bool { return p.Stats().Open == 0 })
	if got, want := p.Stats(), (Stats{Accepted: 1, ToServer: 2_000_000, ToClient: 2_000_000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCut(t *testing.T) {
	target, _ := echo(t)
	p := New(t, target)
	c := dial(t, p)
	send(t, c, "a")
	expect(t, c, "a")
	p.Cut()
	expectReset(t, c)
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect: %v", err)
	}
	p.Cut() // again has no effect
	heal(t, p)
	c = dial(t, p)
	send(t, c, "b")
	expect(t, c, "b")
	p.Break()
	expectReset(t, c)
	c = dial(t, p)
	send(t, c, "c")
	expect(t, c, "c")
}

func TestBlackhole(t *testing.T) {
	target, received := echo(t)
	p := New(t, target)
	before := dial(t, p)
	send(t, before, "a")
	expect(t, before, "a")
	p.Blackhole()
	during, gone := dial(t, p), dial(t, p)
	send(t, before, "b")
	send(t, during, "c")
	send(t, gone, "d")
	gone.Close()
	expectSilence(t, before)
	expectSilence(t, during)
	if n := len(received); n != 0 {
		t.Error("the server saw the end of a connection")
	}
	heal(t, p)
	expect(t, before, "b")
	expect(t, during, "c")
	if got := <-received; string(got) != "d" {
		t.Errorf("of the closed connection the server got %q", got)
	}
}

func TestPause(t *testing.T) {
	for _, d := range []Direction{ToServer, ToClient} {
		target, _ := echo(t)
		p := New(t, target)
		c := dial(t, p)
		p.Pause(d)
		send(t, c, "a")
		if d == ToClient {
			eventually(t, "the request is passed on", func() bool { return p.Stats().ToServer == 1 })
		}
		expectSilence(t, c)
		if s := p.Stats(); d == ToServer && s.ToServer != 0 {
			t.Error("the request was passed on")
		}
		heal(t, p)
		expect(t, c, "a")
	}
}

func TestDelayAndLimit(t *testing.T) {
	target, _ := echo(t)
	p := New(t, target)
	c := dial(t, p)
	start := time.Now()
	p.Delay(40 * time.Millisecond)
	send(t, c, "a")
	expect(t, c, "a")
	if took := time.Since(start); took < 80*time.Millisecond {
		t.Errorf("there and back in %v with a delay of 40ms", took)
	}
	p.Delay(0)
	p.Limit(10_000)
	start = time.Now()
	s := string(make([]byte, 1000))
	send(t, c, s)
	expect(t, c, s)
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("1000 bytes in %v at 10000 a second", took)
	}
	p.Limit(1)
	send(t, c, "much too slow")
	heal(t, p)
	expect(t, c, "much too slow")
}

// TestCutAfter has a server that answers at once: the client never sees the
// answer, and the server sees the whole request.
func TestCutAfter(t *testing.T) {
	target, received := echo(t)
	p := New(t, target)
	other := dial(t, p)
	for range 50 {
		c := dial(t, p)
		send(t, c, "first")
		expect(t, c, "first")
		done := p.CutAfter(func(b []byte) bool { return bytes.Contains(b, []byte("request")) })
		send(t, c, "ping")
		expect(t, c, "ping")
		send(t, c, "request")
		expectReset(t, c)
		<-done
		if got := <-received; string(got) != "firstpingrequest" {
			t.Fatalf("the server got %q", got)
		}
	}
	send(t, other, "request") // it is over
	expect(t, other, "request")
}

func TestNoTarget(t *testing.T) {
	p := New(t, "127.0.0.1:1")
	c, err := net.Dial("tcp", p.Addr())
	if errors.Is(err, syscall.ECONNRESET) {
		return // already
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	expectReset(t, c)
}

func TestClose(t *testing.T) {
	target, _ := echo(t)
	p := New(t, target)
	held, passing := dial(t, p), dial(t, p)
	send(t, passing, "a")
	expect(t, passing, "a")
	p.Blackhole()
	send(t, held, "b")
	p.Delay(time.Hour)
	p.Close()
	expectReset(t, held)
	expectReset(t, passing)
	p.Close()
	p.Cut()
	if err := p.Heal(); err == nil {
		t.Error("healed a closed proxy")
	}
}

// TestConcurrentFaults has clients that work through faults of all kinds.
func TestConcurrentFaults(t *testing.T) {
	target, _ := echo(t)
	p := New(t, target)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", p.Addr())
				if err != nil {
					continue
				}
				c.SetDeadline(time.Now().Add(5 * time.Millisecond))
				_, _ = c.Write([]byte("hello"))
				_, _ = c.Read(make([]byte, 5))
				c.Close()
			}
		})
	}
	for ctx.Err() == nil {
		for _, fault := range []func(){
			p.Cut, p.Blackhole, p.Break, func() { p.Pause(ToServer) }, func() { p.Delay(time.Millisecond) },
			func() { p.Limit(1000) }, func() { p.CutAfter(func([]byte) bool { return true }) },
		} {
			fault()
			heal(t, p)
		}
	}
	wg.Wait()
	c := dial(t, p)
	send(t, c, "a")
	expect(t, c, "a")
}
