package control

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// The example of Canal's password scheme, computed with its SecurityUtil.
func TestScrambleVector(t *testing.T) {
	seed := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	s := NewServer(options(&backend{}))
	for _, c := range []struct {
		name, user, token string
		ok, fails         bool
	}{
		{"admin", user, "7442e41a86c87ea818a7b90f671b334eeea8be84", true, false},
		{"upper case", user, "7442E41A86C87EA818A7B90F671B334EEEA8BE84", true, false},
		{"canal", user, "7de44690d8e53782cb61804a2455c284a3bbfb06", false, false},
		{"other user", "root", "7442e41a86c87ea818a7b90f671b334eeea8be84", false, false},
		{"none", user, "", false, false},
		{"no hex", user, "zz", false, true},
		{"too short", user, "00ff", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, err := s.accepts(&clientAuth{username: c.user, password: []byte(c.token)}, seed)
			if ok != c.ok || (err != nil) != c.fails {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
}

// C20, K3: who says a wrong password gets one answer, and nothing done.
func TestWrongPasswordEndsTheConnection(t *testing.T) {
	b := &backend{}
	w := dialWire(t, serve(t, NewServer(options(b))))
	frames := appendRequest(nil, authFor("wrong", w.seeds()))
	w.send(appendRequest(frames, &serverAdmin{action: "stop"})) // in one go
	if got := w.ack(); got != (ack{code: codeRefused, message: "auth failed for user:admin"}) {
		t.Errorf("got %+v", got)
	}
	w.closed()
	if calls := b.asked(); len(calls) > 0 {
		t.Errorf("done without a password: %q", calls)
	}
}

// C21: without a configured password any is good, which is warned of.
func TestBlankPasswordLetsAnybodyIn(t *testing.T) {
	var log records
	b := &backend{}
	o := options(b)
	o.PasswdHash, o.Logger = "", slog.New(slog.NewTextHandler(&log, nil))
	address := serve(t, NewServer(o))
	for _, password := range []string{"", "whatever"} {
		c := client(t, address, func(o *ClientOptions) { o.Password = password })
		if got, err := c.Server(t.Context(), "check"); got != "1" || err != nil {
			t.Errorf("password %q: got %q, %v", password, got, err)
		}
	}
	if n := strings.Count(log.text(), "level=WARN"); n != 1 || !strings.Contains(log.text(), "any password") {
		t.Errorf("logged:\n%s", log.text())
	}
	stranger := client(t, address, func(o *ClientOptions) { o.User = "root" })
	if _, err := stranger.Server(t.Context(), "check"); err == nil {
		t.Error("another user was let in")
	}
}

func TestBrokenHashLetsNobodyIn(t *testing.T) {
	o := options(&backend{})
	o.PasswdHash = "not a hash"
	_, err := client(t, serve(t, NewServer(o))).Server(t.Context(), "check")
	if refusal, ok := errors.AsType[*AckError](err); !ok || refusal.Code != codeRefused {
		t.Errorf("got %v", err)
	}
}

func TestThrottle(t *testing.T) {
	var th throttle
	now := time.Unix(1000, 0)
	for i := range failureBurst {
		if !th.try("a", now) {
			t.Fatalf("try %d was refused", i)
		}
	}
	if th.try("a", now) {
		t.Error("one more was let through")
	}
	if !th.try("b", now) {
		t.Error("another address was refused")
	}
	if now = now.Add(failureEvery); !th.try("a", now) || th.try("a", now) {
		t.Error("after a while not exactly one was let through")
	}
	th.succeed("a")
	if !th.try("a", now) {
		t.Error("a success did not count")
	}
	for i := range 3 * maxThrottled {
		th.try(string(rune('A'+i)), now)
	}
	if len(th.paid) > maxThrottled {
		t.Errorf("%d addresses are remembered", len(th.paid))
	}
}

func TestThrottleKey(t *testing.T) {
	for remote, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1", "[::ffff:10.0.0.1]:5": "10.0.0.1", "[fe80::1%eth0]:5": "fe80::/64",
		"[2001:db8::1:2:3:4]:5": "2001:db8::/64", "pipe": "pipe",
	} {
		if got := throttleKey(remote); got != want {
			t.Errorf("%s: got %s, want %s", remote, got, want)
		}
	}
}

// Many wrong passwords from one address make even the right one wait.
func TestGuessingIsSlowedDown(t *testing.T) {
	address := serve(t, NewServer(options(&backend{})))
	guess := client(t, address, func(o *ClientOptions) { o.Password = "wrong" })
	for range failureBurst {
		if _, err := guess.Server(t.Context(), "check"); err == nil {
			t.Fatal("a wrong password was accepted")
		}
	}
	_, err := client(t, address).Server(t.Context(), "check")
	if refusal, ok := errors.AsType[*AckError](err); !ok || !strings.Contains(refusal.Message, "try again later") {
		t.Errorf("got %v", err)
	}
}

func TestStrangersAreBounded(t *testing.T) {
	address := serve(t, NewServer(options(&backend{})))
	for range maxStrangers {
		dialWire(t, address).seeds()
	}
	dialWire(t, address).closed()
}

// A stranger may not make the server keep much, nor anybody more than a request.
func TestLongFramesEndTheConnection(t *testing.T) {
	address := serve(t, NewServer(options(&backend{})))
	w := dialWire(t, address)
	w.seeds()
	w.send([]byte{0, 0, 0x10, 1})
	w.closed()
	w = dialWire(t, address)
	w.login()
	w.send([]byte{0, 0x40, 0, 1})
	w.closed()
	w = dialWire(t, address)
	w.login()
	w.send([]byte{0xff, 0xff, 0xff, 0xff})
	w.closed()
}

// pipes is a listener of connections in memory, whose deadlines follow the clock
// of a bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// inBubble runs f with a client of a server, on the clock of a bubble.
func inBubble(t *testing.T, f func(t *testing.T, w *wire)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		done := make(chan error)
		go func() { done <- NewServer(options(&backend{})).Serve(ctx, p) }()
		here, there := net.Pipe()
		p.conns <- there
		f(t, &wire{t, here})
		here.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestIdleConnectionsEnd(t *testing.T) {
	for _, c := range []struct {
		name        string
		read, write opt[int32]
		want        time.Duration
	}{
		{"none named", opt[int32]{}, opt[int32]{}, time.Hour},
		{"zero", some[int32](0), some[int32](-5), time.Hour},
		{"read", some[int32](90_000), opt[int32]{}, 90 * time.Second},
		{"write", some[int32](90_000), some[int32](30_000), 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *wire) {
				auth := authFor("admin", w.seeds())
				auth.netReadTimeout, auth.netWriteTimeout = c.read, c.write
				w.send(appendRequest(nil, auth))
				w.ack()
				time.Sleep(c.want / 2)
				w.send(appendRequest(nil, &serverAdmin{action: "check"}))
				w.ack()
				begin := time.Now()
				w.closed()
				if got := time.Since(begin); got != c.want {
					t.Errorf("ended after %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestStrangersMustHurry(t *testing.T) {
	inBubble(t, func(t *testing.T, w *wire) {
		w.seeds()
		begin := time.Now()
		w.closed()
		if got := time.Since(begin); got != authTimeout {
			t.Errorf("ended after %v", got)
		}
	})
}

func TestServeFinishesRequestsInHand(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	b := &backend{call: func(context.Context, string, json.RawMessage) (any, error) {
		close(begun)
		<-finish
		return "done", nil
	}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- NewServer(options(b)).Serve(ctx, ln) }()
	idle := dialWire(t, ln.Addr().String())
	idle.login()
	var result string
	called := make(chan error, 1)
	c := client(t, ln.Addr().String())
	go func() { called <- c.Call(t.Context(), "wait", nil, &result) }()
	<-begun
	cancel()
	idle.closed()
	close(finish)
	if err := <-called; err != nil || result != "done" {
		t.Errorf("got %q, %v", result, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestRequests(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "canal/canal.log", "2026-11-23 10:00:00.000 [main] INFO  x - y\n")
	b := &backend{call: func(_ context.Context, method string, params json.RawMessage) (any, error) {
		switch method {
		case "echo":
			return params, nil
		case "long":
			return strings.Repeat("x", maxAnswer), nil
		case "unable":
			return func() {}, nil
		case "expected":
			return nil, &Error{Code: CodeNotOwner, Message: "elsewhere", Remedy: "ask there"}
		}
		return nil, errors.New("disk on fire")
	}}
	o := options(b)
	o.LogsDir = dir
	c := client(t, serve(t, NewServer(o)))
	var echoed []string
	if err := c.Call(t.Context(), "echo", []string{"a", "é"}, &echoed); err != nil || len(echoed) != 2 || echoed[1] != "é" {
		t.Errorf("got %q, %v", echoed, err)
	}
	if known, yes := c.Towpath(); !known || !yes {
		t.Error("the server is not known as Towpath's")
	}
	for method, want := range map[string]Error{
		"long":        {Code: CodeFailed, Message: "the answer is too long"},
		"unable":      {Code: CodeFailed, Message: "json: unsupported type: func()"},
		"expected":    {Code: CodeNotOwner, Message: "elsewhere", Remedy: "ask there"},
		"other":       {Code: CodeFailed, Message: "disk on fire"},
		MethodLogRead: {Code: CodeBadParams, Message: "parameters cannot be read: json: cannot unmarshal number into Go value of type control.LogReadParams"},
	} {
		got, ok := errors.AsType[*Error](c.Call(t.Context(), method, 5, nil))
		if !ok || *got != want {
			t.Errorf("%s: got %+v, want %+v", method, got, want)
		}
	}
	var files []LogFile
	if err := c.Call(t.Context(), MethodLogFiles, LogFilesParams{}, &files); err != nil || len(files) != 1 || files[0].Name != "canal.log" {
		t.Errorf("got %+v, %v", files, err)
	}
	var page LogPage
	if err := c.Call(t.Context(), MethodLogRead, LogReadParams{}, &page); err != nil || len(page.Lines) != 1 || page.Lines[0].Level != "INFO" {
		t.Errorf("got %+v, %v", page, err)
	}
}

// A request that is no JSON is answered, not served.
func TestBrokenRequest(t *testing.T) {
	w := dialWire(t, serve(t, NewServer(options(&backend{}))))
	w.login()
	w.send(appendRequest(nil, &raw{typ: typeRequest, body: []byte("{")}))
	a := w.ack()
	var got Response
	if err := json.Unmarshal([]byte(a.message), &got); err != nil || a.code != codeOK || got.Error == nil || got.Error.Code != CodeBadParams {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestTLS(t *testing.T) {
	secure, trust := certificate(t)
	_, other := certificate(t)
	trusting := &tls.Config{RootCAs: trust}
	for _, c := range []struct {
		name            string
		server          *tls.Config
		require         bool
		mode            TLSMode
		config          *tls.Config
		encrypted, fail bool
	}{
		{"offered and verified", secure, false, TLSWhenOffered, trusting, true, false},
		{"offered, nobody known", secure, false, TLSWhenOffered, nil, true, false},
		{"offered by somebody else", secure, false, TLSWhenOffered, &tls.Config{RootCAs: other}, false, true},
		{"not wanted", secure, false, TLSNever, trusting, false, false},
		{"not wanted, but required", secure, true, TLSNever, trusting, false, true},
		{"required by both", secure, true, TLSRequired, trusting, true, false},
		{"required, nobody known", secure, true, TLSRequired, nil, false, true},
		{"not offered", nil, false, TLSWhenOffered, trusting, false, false},
		{"not offered, but required", nil, false, TLSRequired, trusting, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &backend{}
			o := options(b)
			o.TLS, o.RequireTLS = c.server, c.require
			cl := client(t, serve(t, NewServer(o)), func(o *ClientOptions) { o.TLS, o.TLSConfig = c.mode, c.config })
			got, err := cl.Server(t.Context(), "check")
			if (err != nil) != c.fail || err == nil && got != "1" || cl.Secure() != c.encrypted {
				t.Errorf("got %q, %v, encrypted %v", got, err, cl.Secure())
			}
			if c.fail && len(b.asked()) > 0 {
				t.Errorf("done all the same: %q", b.asked())
			}
			if _, yes := cl.Towpath(); !c.fail && yes != (c.server != nil) {
				t.Errorf("known as Towpath's: %v", yes)
			}
		})
	}
}

// What arrives before TLS begins must not be taken for what is protected by it.
func TestTLSRefusesEarlyBytes(t *testing.T) {
	secure, _ := certificate(t)
	o := options(&backend{})
	o.TLS = secure
	w := dialWire(t, serve(t, NewServer(o)))
	w.seeds()
	w.send(append(appendRequest(nil, &raw{typ: typeStartTLS}), "injected"...))
	w.closed()
}

// The bytes of a greeting: Canal's exactly without TLS, one field more with it.
func TestHandshakeBytes(t *testing.T) {
	seed := func(b []byte) { copy(b, []byte{1, 2, 3, 4, 5, 6, 7, 8}) }
	s := NewServer(options(&backend{}))
	s.fillSeed = seed
	if got := hexOf(dialWire(t, serve(t, s)).frame()); got != "0000001010011801220a12080102030405060708" {
		t.Errorf("got %s", got)
	}
	o := options(&backend{})
	o.TLS, _ = certificate(t)
	s = NewServer(o)
	s.fillSeed = seed
	if got := hexOf(dialWire(t, serve(t, s)).frame()); got != "0000001310011801220d12080102030405060708a00601" {
		t.Errorf("got %s with TLS", got)
	}
}

func TestWireRoundTrip(t *testing.T) {
	for name, frame := range map[string][]byte{
		"handshake": appendReply(nil, &handshake{seeds: []byte("12345678"), tls: true}),
		"auth":      appendRequest(nil, &clientAuth{username: "u", password: []byte("p"), netReadTimeout: some[int32](0), netWriteTimeout: some[int32](-1)}),
		"ack":       appendReply(nil, &ack{code: 400, message: "é"}),
		"server":    appendRequest(nil, &serverAdmin{action: "check"}),
		"instance":  appendRequest(nil, &instanceAdmin{destination: "d", action: "a"}),
		"log":       appendRequest(nil, &logAdmin{kind: "k", action: "a", destination: some(""), file: some("f"), count: some[int32](-7)}),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parsePacket(frame[protocol.HeaderLength:])
			if err != nil {
				t.Fatal(err)
			}
			again := reencode(t, p)
			if hexOf(again) != hexOf(frame) {
				t.Errorf("got %x, want %x", again, frame)
			}
		})
	}
}

// reencode parses the body of a packet, and makes a frame of it again.
func reencode(t *testing.T, p packet) []byte {
	t.Helper()
	var (
		m   message
		err error
	)
	switch p.typ {
	case typeHandshake:
		var h handshake
		h, err = parseHandshake(p.body)
		m = &h
	case typeClientAuth:
		var a clientAuth
		a, err = parseClientAuth(p.body)
		m = &a
	case typeAck:
		var a ack
		a, err = parseAck(p.body)
		m = &a
	case typeServer:
		var a serverAdmin
		a, err = parseServerAdmin(p.body)
		m = &a
	case typeInstance:
		var a instanceAdmin
		a, err = parseInstanceAdmin(p.body)
		m = &a
	case typeLog:
		var a logAdmin
		a, err = parseLogAdmin(p.body)
		m = &a
	}
	if err != nil {
		t.Fatal(err)
	}
	return appendFrame(nil, packet{version: p.version, typ: p.typ, body: m.append(nil)})
}
