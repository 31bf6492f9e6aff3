package control

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The credentials of all conversations in testdata.
const (
	user = "admin"
	hash = "4ACFE3202A5FF5CF467898FC58AAB1D615029441"
)

// backend is a server with one instance, as far as an admin sees it.
type backend struct {
	mu       sync.Mutex
	calls    []string // what was asked, in order
	stopped  bool
	off      bool // the instance is stopped
	released bool // the instance is off until it is looked at once
	call     func(ctx context.Context, method string, params json.RawMessage) (any, error)
}

func (b *backend) do(name string, f func() bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, name)
	return f()
}

func (b *backend) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

func (b *backend) set(stopped bool) bool {
	changed := b.stopped != stopped
	b.stopped = stopped
	return changed
}

func (b *backend) Check() bool   { return b.do("check", func() bool { return !b.stopped }) }
func (b *backend) Start() bool   { return b.do("start", func() bool { return b.set(false) }) }
func (b *backend) Stop() bool    { return b.do("stop", func() bool { return b.set(true) }) }
func (b *backend) Restart() bool { return b.do("restart", func() bool { b.set(false); return true }) }

func (b *backend) List() (names []string) {
	b.do("list", func() bool {
		if !b.stopped && !b.off {
			names = []string{"itkaven"}
		}
		return true
	})
	return names
}

func (b *backend) instance(name, destination string, f func() bool) bool {
	return b.do(name+" "+destination, func() bool { return destination == "itkaven" && !b.stopped && f() })
}

func (b *backend) CheckInstance(d string) bool {
	return b.instance("check", d, func() bool {
		back := b.released
		b.released = false
		return !b.off && !back
	})
}

func (b *backend) StartInstance(d string) bool {
	return b.instance("start", d, func() bool { b.off = false; return true })
}

func (b *backend) StopInstance(d string) bool {
	return b.instance("stop", d, func() bool { b.off = true; return true })
}

func (b *backend) ReleaseInstance(d string) bool {
	return b.instance("release", d, func() bool { b.released = true; return true })
}

func (b *backend) RestartInstance(d string) bool {
	return b.instance("restart", d, func() bool { b.off = false; return true })
}

func (b *backend) Call(ctx context.Context, method string, params json.RawMessage) (any, error) {
	b.do(method, func() bool { return true })
	if b.call == nil {
		return nil, &Error{Code: CodeUnknownMethod, Message: "no such method: " + method}
	}
	return b.call(ctx, method, params)
}

// options are those of a server that does nothing but answer.
func options(b Backend) ServerOptions {
	return ServerOptions{User: user, PasswdHash: hash, Backend: b, Logger: slog.New(slog.DiscardHandler)}
}

// serve runs s until the test ends, and returns its address.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// client is a Client of a server at address until the test ends.
func client(t testing.TB, address string, change ...func(*ClientOptions)) *Client {
	o := ClientOptions{Address: address, User: user, Password: "admin", Timeout: 10 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c := NewClient(o)
	t.Cleanup(c.Close)
	return c
}

// wire is a client that says what it is told.
type wire struct {
	t    testing.TB
	conn net.Conn
}

func dialWire(t testing.TB, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &wire{t, conn}
}

func (w *wire) send(b []byte) {
	w.t.Helper()
	if _, err := w.conn.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

// frame reads a frame with its length.
func (w *wire) frame() []byte {
	w.t.Helper()
	body, err := protocol.ReadFrame(w.conn, nil, maxAnswer)
	if err != nil {
		w.t.Fatalf("read a frame: %v", err)
	}
	return protocol.AppendFrame(nil, body)
}

func (w *wire) packet() packet {
	w.t.Helper()
	p, err := parsePacket(w.frame()[protocol.HeaderLength:])
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *wire) ack() ack {
	w.t.Helper()
	p := w.packet()
	if p.typ != typeAck || p.version != some[int32](version) {
		w.t.Fatalf("got a packet %+v, want an ack", p)
	}
	a, err := parseAck(p.body)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *wire) seeds() []byte {
	w.t.Helper()
	p := w.packet()
	h, err := parseHandshake(p.body)
	if p.typ != typeHandshake || err != nil {
		w.t.Fatalf("got a packet %+v, %v, want a handshake", p, err)
	}
	return h.seeds
}

// login logs in.
func (w *wire) login() {
	w.t.Helper()
	w.send(appendRequest(nil, authFor("admin", w.seeds())))
	if a := w.ack(); a != (ack{}) {
		w.t.Fatalf("got %+v on logging in", a)
	}
}

// closed reads the end of the connection.
func (w *wire) closed() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.conn); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("got %x, %v, want the end of the connection", rest, err)
	}
}

func authFor(password string, seeds []byte) *clientAuth {
	token := protocol.Scramble([]byte(password), seeds)
	return &clientAuth{username: user, password: []byte(hexOf(token[:])), netReadTimeout: some[int32](netTimeout), netWriteTimeout: some[int32](netTimeout)}
}

// records keeps what is logged.
type records struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *records) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(b)
}

func (r *records) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// put writes a file below dir.
func put(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes a certificate for 127.0.0.1, and who trusts it.
func certificate(t testing.TB) (server *tls.Config, trust *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trust = x509.NewCertPool()
	trust.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, trust
}
