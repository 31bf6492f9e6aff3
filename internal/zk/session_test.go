package zk

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// started is a client in a bubble whose peer is asked for connections.
func started(t *testing.T, p *peer, c Config) *Client {
	t.Helper()
	if c.Servers == nil {
		c.Servers = []string{"a:1"}
	}
	c.Dial = p.dial
	if c.Logger == nil {
		c.Logger = testLogger(t)
	}
	client, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		client.Close(ctx)
	})
	return client
}

// running is what a call in a goroutine returned.
type running[T any] struct{ c chan result[T] }

type result[T any] struct {
	value T
	err   error
}

func start[T any](f func() (T, error)) running[T] {
	r := running[T]{make(chan result[T], 1)}
	go func() {
		v, err := f()
		r.c <- result[T]{v, err}
	}()
	return r
}

func (r running[T]) wait() (T, error) {
	got := <-r.c
	return got.value, got.err
}

// get is a Get in a goroutine.
func get(ctx context.Context, s *Session, path string) running[string] {
	return start(func() (string, error) {
		data, _, err := s.Get(ctx, path)
		return string(data), err
	})
}

func set(ctx context.Context, s *Session, path string) running[Stat] {
	return start(func() (Stat, error) { return s.Set(ctx, path, nil, AnyVersion) })
}

// The first frames of a connection, byte for byte as Java's client sends them.
func TestHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{SessionTimeout: 9 * time.Second, Chroot: "/app"})
		c := p.accept()
		if got, want := hex.EncodeToString(c.frame()), "00000000"+"0000000000000000"+"00002328"+"0000000000000000"+"00000010"+strings.Repeat("00", 16)+"00"; got != want {
			t.Errorf("connect request %s, want %s", got, want)
		}
		body := connectBody(7, 6*time.Second)
		c.send(body[:len(body)-1]) // older servers do not say whether they are read-only
		s := session(t, client)
		if s.ID() != 7 || s.Timeout() != 6*time.Second || string(s.Password()) != "0123456789abcdef" || s.Server() != "a:1" {
			t.Errorf("session %d, %v, %q, %q", s.ID(), s.Timeout(), s.Password(), s.Server())
		}
		r := get(t.Context(), s, "/x")
		if got, want := hex.EncodeToString(c.frame()), "00000001"+"00000004"+"00000006"+hex.EncodeToString([]byte("/app/x"))+"00"; got != want {
			t.Errorf("get request %s, want %s", got, want)
		}
		c.reply(1, 0x55, 0, someData("d"))
		if data, err := r.wait(); data != "d" || err != nil {
			t.Errorf("get: %q, %v", data, err)
		}
		c.nc.Close()

		c = p.accept()
		if got, want := hex.EncodeToString(c.frame()), "00000000"+"0000000000000055"+"00002328"+"0000000000000007"+"00000010"+hex.EncodeToString([]byte("0123456789abcdef"))+"00"; got != want {
			t.Errorf("second connect request %s, want %s", got, want)
		}
		c.grant(7, 5*time.Second)
		c.finish(client)
		if s.Timeout() != 5*time.Second {
			t.Errorf("timeout %v after the second handshake", s.Timeout())
		}
		if n := client.Stats(); n.Sessions != 1 || n.Reconnects != 1 {
			t.Errorf("statistics %+v", n)
		}
	})
}

func TestPingsAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{Servers: []string{"a:1", "b:1"}})
		begun := time.Now()
		c := p.serve(12 * time.Second)
		s := session(t, client)
		if got := s.Confirmed(); !got.Equal(begun) {
			t.Errorf("confirmed %v after the handshake", got.Sub(begun))
		}
		if got := s.Began(); !got.Equal(begun) {
			t.Errorf("began %v after the handshake", got.Sub(begun))
		}
		for i := range 3 {
			if got := hex.EncodeToString(c.frame()); got != "fffffffe0000000b" {
				t.Errorf("frame %s is not a ping", got)
			}
			sent := time.Now()
			if got, want := sent.Sub(begun), time.Duration(i+1)*3*time.Second; got != want {
				t.Errorf("ping after %v, want %v", got, want)
			}
			time.Sleep(time.Second)
			c.reply(xidPing, 0, 0, nil)
			synctest.Wait()
			if got := s.Confirmed(); !got.Equal(sent) {
				t.Errorf("confirmed %v ago by the ping", time.Since(got))
			}
		}
		c.frame()
		asked := time.Now()
		c.ended()
		if got := time.Since(asked); got != 4*time.Second {
			t.Errorf("silent server given up after %v", got)
		}
		next := p.serve(12 * time.Second)
		if next.address == c.address || time.Since(asked) != 4*time.Second {
			t.Errorf("then %s was tried after %s, after %v", next.address, c.address, time.Since(asked))
		}
		next.finish(client)
	})
}

// A server that answers byte by byte is not silent.
func TestSlowReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{})
		c := p.serve(3 * time.Second)
		s := session(t, client)
		r := get(t.Context(), s, "/x")
		c.want(kindGet)
		answer := replyBody(1, 1, 0, someData("slow"))
		answer = append(appendInt(nil, int32(len(answer))), answer...)
		go func() { // takes the pings meanwhile
			for {
				if _, err := readFrame(c.nc, nil); err != nil {
					return
				}
			}
		}()
		for i := range answer {
			time.Sleep(500 * time.Millisecond)
			if _, err := c.nc.Write(answer[i : i+1]); err != nil {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		if data, err := r.wait(); data != "slow" || err != nil {
			t.Errorf("get: %q, %v", data, err)
		}
	})
}

func TestLostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{})
		c := p.serve(9 * time.Second)
		s := session(t, client)
		read := get(t.Context(), s, "/read")
		c.want(kindGet)
		write := set(t.Context(), s, "/write")
		c.want(kindSet)
		multi := start(func() ([]Result, error) { return s.Multi(t.Context(), CheckOp("/", 0)) })
		c.want(kindMulti)
		again := get(t.Context(), s, "/again")
		c.want(kindGet)
		c.nc.Close()

		_, err := write.wait()
		wantError(t, err, ErrConnectionLost)
		if want := "set /write: connection lost before the answer, outcome unknown: server closed the connection"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		_, err = multi.wait()
		wantError(t, err, ErrConnectionLost)
		if s.Connected() || s.Err() != nil {
			t.Errorf("connected %v, error %v", s.Connected(), s.Err())
		}
		waiting := set(t.Context(), s, "/waiting")
		synctest.Wait()

		c = p.serve(9 * time.Second)
		for _, path := range []string{"/read", "/again"} {
			xid, body := c.want(kindGet)
			if got := pathOf(body); got != path {
				t.Errorf("get of %s is repeated, want %s", got, path)
			}
			c.reply(xid, 5, 0, someData(path))
		}
		xid, _ := c.want(kindSet)
		c.reply(xid, 6, 0, appendStat(nil, someStat))
		if data, err := read.wait(); data != "/read" || err != nil {
			t.Errorf("read: %q, %v", data, err)
		}
		if data, err := again.wait(); data != "/again" || err != nil {
			t.Errorf("again: %q, %v", data, err)
		}
		if stat, err := waiting.wait(); stat != someStat || err != nil {
			t.Errorf("waiting: %+v, %v", stat, err)
		}
		c.finish(client)
	})
}

func TestCallersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{})
		c := p.serve(time.Minute)
		s := session(t, client)
		shutdown := errors.New("shutting down")
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		canceled, cancelCause := context.WithCancelCause(t.Context())
		left := set(brief, s, "/left")
		first, _ := c.want(kindSet)
		gone := get(canceled, s, "/gone")
		second, _ := c.want(kindGet)
		stays := get(t.Context(), s, "/stays")
		third, _ := c.want(kindGet)

		_, err := left.wait()
		wantError(t, err, context.DeadlineExceeded)
		if !strings.Contains(err.Error(), "set /left: no answer, outcome unknown") {
			t.Errorf("error %v", err)
		}
		cancelCause(shutdown)
		_, err = gone.wait()
		wantError(t, err, context.Canceled)
		wantError(t, err, shutdown)
		c.reply(first, 1, 0, appendStat(nil, someStat))
		c.reply(second, 1, codeNoNode, nil)
		c.reply(third, 1, 0, someData("x"))
		if data, err := stays.wait(); data != "x" || err != nil {
			t.Errorf("stays: %q, %v", data, err)
		}
		c.nc.Close()
		synctest.Wait()

		unsent, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err = set(unsent, s, "/unsent").wait()
		wantError(t, err, context.DeadlineExceeded)
		if !strings.Contains(err.Error(), "not sent, there is no connection (a:1: server closed") {
			t.Errorf("error %v", err)
		}
		_, err = set(unsent, s, "/late").wait()
		wantError(t, err, context.DeadlineExceeded)
		c = p.serve(time.Minute)
		c.finish(client) // and nothing else is sent
	})
}

// watch sets a watch through the peer, whose answer has a code.
func watch(t *testing.T, c *peerConn, kind, code int32, f func() (<-chan Event, error)) <-chan Event {
	t.Helper()
	r := start(f)
	xid, _ := c.want(kind)
	var body []byte
	switch {
	case code != codeOK:
	case kind == kindGet:
		body = someData("")
	case kind == kindExists:
		body = appendStat(nil, someStat)
	case kind == kindChildren:
		body = appendStat(appendTexts(nil, []string{"x"}), someStat)
	}
	c.reply(xid, 0x77, code, body)
	w, err := r.wait()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWatchesAreSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{Chroot: "/app"})
		c := p.serve(time.Minute)
		s, ctx := session(t, client), t.Context()
		data := watch(t, c, kindGet, 0, func() (<-chan Event, error) { _, _, w, err := s.GetW(ctx, "/d"); return w, err })
		there := watch(t, c, kindExists, 0, func() (<-chan Event, error) { _, _, w, err := s.ExistsW(ctx, "/d"); return w, err })
		missing := watch(t, c, kindExists, codeNoNode, func() (<-chan Event, error) { _, _, w, err := s.ExistsW(ctx, "/m"); return w, err })
		child := watch(t, c, kindChildren, 0, func() (<-chan Event, error) { _, _, w, err := s.ChildrenW(ctx, "/"); return w, err })
		fired := watch(t, c, kindGet, 0, func() (<-chan Event, error) { _, _, w, err := s.GetW(ctx, "/f"); return w, err })
		c.event(EventDataChanged, "/app/f")
		wantEvent(t, fired, Event{EventDataChanged, "/f"})
		c.event(EventCreated, "/app/unwatched")
		c.nc.Close()
		read := get(ctx, s, "/read")

		c = p.serve(time.Minute)
		xid, body := c.want(kindSetWatches)
		d := decoder{b: body}
		zxid, dataPaths, existPaths, childPaths := d.long(), d.texts(), d.texts(), d.texts()
		if xid != xidSetWatches || zxid != 0x77 || d.err != nil || len(d.b) != 0 ||
			!slices.Equal(dataPaths, []string{"/app/d"}) || !slices.Equal(existPaths, []string{"/app/m"}) || !slices.Equal(childPaths, []string{"/app"}) {
			t.Errorf("watches set again: %d, %#x, %v, %v, %v", xid, zxid, dataPaths, existPaths, childPaths)
		}
		c.event(EventCreated, "/app/m") // it happened meanwhile
		c.reply(xidSetWatches, 0x78, 0, nil)
		wantEvent(t, missing, Event{EventCreated, "/m"})
		xid, _ = c.want(kindGet)
		c.event(EventDeleted, "/app/d")
		c.reply(xid, 0x79, 0, someData("x"))
		if _, err := read.wait(); err != nil {
			t.Error(err)
		}
		// An event that came before an answer is there when the answer is.
		for _, w := range []<-chan Event{data, there} {
			select {
			case e := <-w:
				if e != (Event{EventDeleted, "/d"}) {
					t.Errorf("event %v", e)
				}
			default:
				t.Error("the event comes after the answer that was behind it")
			}
		}
		c.finish(client)
		if _, ok := <-child; ok {
			t.Error("an event at the end of the session")
		}
	})
}

func TestManyWatchesAreSetInPieces(t *testing.T) {
	watches := map[watchKey][]chan Event{}
	for i := range 5000 {
		watches[watchKey{watchKind(i % 3), fmt.Sprintf("/%0100d", i)}] = nil
	}
	found := 0
	frames := setWatchesFrames(9, watches)
	for _, f := range frames {
		if len(f) > setWatchesLimit {
			t.Errorf("frame of %d bytes", len(f))
		}
		d := decoder{b: f[frameHead:]}
		if zxid := d.long(); zxid != 9 {
			t.Errorf("zxid %d", zxid)
		}
		for kind := range watchKind(3) {
			for _, path := range d.texts() {
				if _, ok := watches[watchKey{kind, path}]; !ok {
					t.Errorf("watch %d of %s", kind, path)
				}
				found++
			}
		}
		if d.err != nil || len(d.b) != 0 {
			t.Errorf("frame: %v, %d bytes left", d.err, len(d.b))
		}
	}
	if found != len(watches) || len(frames) != 5 {
		t.Errorf("%d watches in %d frames", found, len(frames))
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{})
		c := p.serve(9 * time.Second)
		s := session(t, client)
		w := watch(t, c, kindGet, 0, func() (<-chan Event, error) { _, _, w, err := s.GetW(t.Context(), "/d"); return w, err })
		read := get(t.Context(), s, "/read")
		c.want(kindGet)
		c.nc.Close()
		synctest.Wait()
		waiting := set(t.Context(), s, "/write")
		c = p.accept()
		c.frame()
		c.grant(0, 0)
		<-s.Done()
		wantError(t, s.Err(), ErrSessionExpired)
		if _, ok := <-w; ok {
			t.Error("event at the expiry")
		}
		_, err := read.wait()
		wantError(t, err, ErrSessionExpired)
		_, err = waiting.wait()
		wantError(t, err, ErrSessionExpired)

		c = p.accept()
		d := decoder{b: c.frame()}
		d.int()
		if zxid, _, id := d.long(), d.int(), d.long(); zxid != 0x77 || id != 0 {
			t.Errorf("new session asked for with zxid %#x, id %d", zxid, id)
		}
		c.grant(8, 9*time.Second)
		next := session(t, client)
		if next == s || next.ID() != 8 {
			t.Errorf("session %d after the expiry", next.ID())
		}
		wantError(t, s.Sync(t.Context(), "/"), ErrSessionExpired)

		// A server may also say so in an answer.
		r := set(t.Context(), next, "/write")
		xid, _ := c.want(kindSet)
		c.reply(xid, 0, codeSessionExpired, nil)
		_, err = r.wait()
		wantError(t, err, ErrSessionExpired)
		<-next.Done()
		c = p.accept()
		c.frame()
		c.grant(9, 9*time.Second)
		session(t, client)
		c.finish(client)
		if n := client.Stats(); n.Sessions != 3 {
			t.Errorf("statistics %+v", n)
		}
	})
}

// Only servers say that a session has expired, and one who waits finds out why.
func TestLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var log bytes.Buffer
		var mu sync.Mutex
		down, attempts := false, map[string]int{}
		client, err := Open(Config{
			Servers: []string{"a:1", "b:1", "c:1"},
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				fails := down
				if fails {
					attempts[address]++
				}
				mu.Unlock()
				if fails {
					return nil, errors.New("connection refused")
				}
				return p.dial(ctx, network, address)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := p.serve(9 * time.Second)
		s := session(t, client)
		time.Sleep(2 * time.Second)
		mu.Lock()
		down = true
		mu.Unlock()
		c.nc.Close()
		waiting := get(t.Context(), s, "/x")
		time.Sleep(time.Second)
		mu.Lock()
		for address, n := range attempts {
			if n < 4 || n > 6 { // pauses of 50, 100, 200, 400 ms, less up to a half
				t.Errorf("%d attempts at %s in the first second", n, address)
			}
		}
		mu.Unlock()
		time.Sleep(5*time.Minute - 30*time.Second)
		mu.Lock()
		if s.Err() != nil || len(attempts) != 3 || attempts["a:1"] > 700 {
			t.Errorf("error %v, attempts %v", s.Err(), attempts)
		}
		down = false
		mu.Unlock()
		c = p.serve(9 * time.Second)
		xid, _ := c.want(kindGet)
		c.reply(xid, 1, 0, someData("x"))
		if _, err := waiting.wait(); err != nil {
			t.Error(err)
		}
		c.finish(client)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 7 || !strings.Contains(lines[1], `level=WARN msg="connection to zookeeper lost"`) ||
			!strings.Contains(lines[5], "level=WARN") || !strings.Contains(lines[5], "down=4m") || !strings.Contains(lines[6], `level=INFO msg="reconnected`) {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

func TestAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{Auth: []Auth{{"digest", "u:p"}, {"x", "y"}}})
		admit := func(codes ...int32) *peerConn {
			t.Helper()
			c := p.serve(9 * time.Second)
			for i, want := range []string{"fffffffc0000006400000000000000066469676573740000" + "0003753a70", "fffffffc000000640000000000000001780000000179"} {
				if got := hex.EncodeToString(c.frame()); got != want {
					t.Errorf("auth packet %s, want %s", got, want)
				}
				c.reply(xidAuth, 0, codes[i], nil)
				if codes[i] != codeOK {
					c.ended()
					break
				}
			}
			return c
		}
		admit(codeAuthFailed)
		_, err := client.Session(t.Context())
		wantError(t, err, ErrAuthFailed)
		c := admit(codeOK, codeOK)
		synctest.Wait()
		s := session(t, client)
		c.nc.Close()
		waiting := get(t.Context(), s, "/x")
		admit(codeOK, codeAuthFailed)
		_, err = waiting.wait()
		wantError(t, err, ErrAuthFailed)
		if want := "get /x: authenticate by x: credentials refused by the server"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		wantError(t, s.Sync(t.Context(), "/"), ErrAuthFailed)
		c = admit(codeOK, codeOK)
		synctest.Wait()
		again := get(t.Context(), s, "/x")
		xid, _ := c.want(kindGet)
		c.reply(xid, 1, 0, someData(""))
		if _, err := again.wait(); err != nil {
			t.Error(err)
		}
		c.finish(client)
	})
}

// What is not the protocol ends the connection, and neither the client nor the
// other requests.
func TestMalformedReplies(t *testing.T) {
	stat := appendStat(nil, someStat)
	for name, frame := range map[string][]byte{
		"negative length":     {0xff, 0xff, 0xff, 0xff},
		"endless":             {0x7f, 0xff, 0xff, 0xff},
		"no header":           {0, 0, 0, 3, 1, 2, 3},
		"number out of turn":  framed(replyBody(9, 1, 0, stat)),
		"unknown number":      framed(replyBody(-3, 1, 0, stat)),
		"body ends early":     framed(replyBody(1, 1, 0, stat[:30])),
		"no body":             framed(replyBody(1, 1, 0, nil)),
		"event without path":  framed(replyBody(xidEvent, -1, 0, []byte{0, 0})),
		"session moved":       framed(replyBody(1, 1, codeSessionMoved, nil)),
		"unasked set watches": framed(replyBody(xidSetWatches, 1, 0, nil)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				client := started(t, p, Config{})
				c := p.serve(time.Hour)
				s := session(t, client)
				write := set(t.Context(), s, "/write")
				c.want(kindSet)
				read := get(t.Context(), s, "/read")
				c.want(kindGet)
				c.nc.Write(frame) // may be cut short
				_, err := write.wait()
				wantError(t, err, ErrConnectionLost)
				c = p.serve(time.Hour)
				xid, _ := c.want(kindGet)
				c.reply(xid, 1, 0, someData("x"))
				if data, err := read.wait(); data != "x" || err != nil {
					t.Errorf("read: %q, %v", data, err)
				}
				c.finish(client)
			})
		})
	}
}

func framed(body []byte) []byte { return append(appendInt(nil, int32(len(body))), body...) }

// A server that hangs in the handshake is left in time for the others.
func TestSilentHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{Servers: []string{"a:1", "b:1", "c:1"}, SessionTimeout: 6 * time.Second})
		begun := time.Now()
		tried := map[string]bool{}
		for range 2 {
			c := p.accept()
			tried[c.address] = true
			c.frame()
			c.ended()
		}
		c := p.serve(6 * time.Second)
		tried[c.address] = true
		if got := time.Since(begun); got != 2*time.Second || len(tried) != 3 {
			t.Errorf("servers %v tried after %v", tried, got)
		}
		session(t, client)
		c.finish(client)
	})
}

// A client that is closed while there is no answer ends with the context.
func TestCloseEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		client := started(t, p, Config{})
		c := p.serve(time.Hour)
		s := session(t, client)
		read := get(t.Context(), s, "/read")
		c.want(kindGet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		closed := start(func() (bool, error) { return true, client.Close(ctx) })
		c.want(kindClose)
		wantError(t, s.Sync(t.Context(), "/"), ErrClosed)
		_, err := closed.wait()
		wantError(t, err, context.DeadlineExceeded)
		if !strings.HasPrefix(err.Error(), "session 0x7: close: no answer") {
			t.Errorf("error %v", err)
		}
		_, err = read.wait()
		wantError(t, err, ErrClosed)
		c.ended()

		never := started(t, newPeer(t), Config{})
		if err := never.Close(t.Context()); err != nil {
			t.Errorf("close of a client that never connected: %v", err)
		}
	})
}

func TestCloseSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		closing := func() running[bool] {
			c := Config{Servers: []string{"a:1"}, Dial: p.dial}
			return start(func() (bool, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				return true, CloseSession(ctx, c, 7, []byte("0123456789abcdef"))
			})
		}
		r := closing()
		p.accept().nc.Close() // not serving: the next attempt is made
		c := p.accept()
		if got, want := hex.EncodeToString(c.frame()[16:]), "0000000000000007"+"00000010"+hex.EncodeToString([]byte("0123456789abcdef"))+"00"; got != want {
			t.Errorf("connect request %s, want %s", got, want)
		}
		c.grant(7, time.Second)
		xid, _ := c.want(kindClose)
		c.reply(xid, 1, 0, nil)
		if _, err := r.wait(); err != nil {
			t.Error(err)
		}
		r = closing()
		c = p.accept()
		c.frame()
		c.grant(0, 0)
		if _, err := r.wait(); err != nil {
			t.Errorf("session that is gone: %v", err)
		}
		_, err := closing().wait()
		wantError(t, err, context.DeadlineExceeded)
	})
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"no server":                   {},
		"relative chroot":             {Servers: []string{"a:1"}, Chroot: "app"},
		"negative timeout":            {Servers: []string{"a:1"}, SessionTimeout: -1},
		"creator without an identity": {Servers: []string{"a:1"}, ACL: CreatorACL},
	} {
		if client, err := Open(c); err == nil {
			client.Close(t.Context())
			t.Errorf("%s: accepted", name)
		}
	}
}
