package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeInstance answers with its functions; those that are nil succeed with
// nothing.
type fakeInstance struct {
	subscribe func(meta.Client) error
	get       func(ctx context.Context, c meta.Client, fetchSize int32, timeout time.Duration) (delivery.Delivery, error)
	ack       func(c meta.Client, id int64) error
	rollback  func(c meta.Client, id int64) error

	mu    sync.Mutex // held during ack and rollback
	calls []string
}

// callList returns the subscriptions and their ends so far.
func (f *fakeInstance) callList() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fakeInstance) called(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, s)
}

func (f *fakeInstance) Subscribe(_ context.Context, c meta.Client) error {
	f.called("subscribe " + c.Destination + " " + c.Filter)
	if f.subscribe != nil {
		return f.subscribe(c)
	}
	return nil
}

func (f *fakeInstance) Unsubscribe(_ context.Context, c meta.Client) error {
	f.called("unsubscribe " + c.Destination)
	return nil
}

func (f *fakeInstance) Get(ctx context.Context, c meta.Client, fetchSize int32, timeout time.Duration) (delivery.Delivery, error) {
	if f.get != nil {
		return f.get(ctx, c, fetchSize, timeout)
	}
	return nothing, nil
}

func (f *fakeInstance) Ack(_ context.Context, c meta.Client, id int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ack != nil {
		return f.ack(c, id)
	}
	return nil
}

func (f *fakeInstance) Rollback(_ context.Context, c meta.Client, id int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rollback != nil {
		return f.rollback(c, id)
	}
	return nil
}

var nothing = delivery.Delivery{BatchID: protocol.NoBatch}

// framedEntry returns an entry of n bytes as the store keeps it.
func framedEntry(n int) []byte {
	m := protocol.Messages{Messages: [][]byte{bytes.Repeat([]byte{'e'}, n)}}
	return m.Append(nil)
}

// batchOf returns a delivery of the given framed entries.
func batchOf(id int64, entries ...[]byte) delivery.Delivery {
	d := delivery.Delivery{BatchID: id}
	for _, e := range entries {
		d.Buffers = append(d.Buffers, e)
		d.Bytes += len(e)
		d.Count++
	}
	return d
}

// fakeRegistry has one instance, of destination "example".
type fakeRegistry struct {
	instance Instance
	started  func() bool // nil: always
}

func (r fakeRegistry) Lookup(_ context.Context, destination string, start bool) (Instance, error) {
	if destination != "example" || r.started != nil && !r.started() && !start {
		return nil, ErrNotStarted
	}
	return r.instance, nil
}

// startServer runs a server until the test ends and returns it with its address.
func startServer(tb testing.TB, o Options, r Registry) (*Server, string) {
	tb.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := New(o, r)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("server ended with %v", err)
		}
	})
	return s, ln.Addr().String()
}

// testClient is a connection that a test speaks raw protocol on.
type testClient struct {
	tb   testing.TB
	conn net.Conn
	seed []byte
}

// dial connects and reads the handshake.
func dial(tb testing.TB, addr string) *testClient {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	c := &testClient{tb: tb, conn: conn}
	p := c.read()
	h, err := protocol.ParseHandshake(p.Body)
	if err != nil || p.Type != protocol.TypeHandshake || p.Version != protocol.Some[int32](1) || len(h.Seeds) != protocol.SeedSize {
		tb.Fatalf("handshake %+v %+v, %v", p, h, err)
	}
	c.seed = bytes.Clone(h.Seeds)
	return c
}

// login connects and authenticates without credentials.
func login(tb testing.TB, addr string) *testClient {
	tb.Helper()
	c := dial(tb, addr)
	c.send(&protocol.ClientAuth{})
	c.wantSuccess()
	return c
}

func (c *testClient) write(b []byte) {
	c.tb.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.tb.Fatal(err)
	}
}

func (c *testClient) send(m protocol.Message) {
	c.tb.Helper()
	c.write(protocol.AppendRequest(nil, m))
}

// readRaw reads one frame and returns the packet's bytes.
func (c *testClient) readRaw() []byte {
	c.tb.Helper()
	c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := protocol.ReadFrame(c.conn, nil, 1<<30)
	if err != nil {
		c.tb.Fatalf("read reply: %v", err)
	}
	return b
}

func (c *testClient) read() protocol.Packet {
	c.tb.Helper()
	p, err := protocol.ParsePacket(c.readRaw())
	if err != nil {
		c.tb.Fatal(err)
	}
	return p
}

func (c *testClient) wantSuccess() {
	c.tb.Helper()
	if got := c.readRaw(); !bytes.Equal(got, []byte{0x10, 1, 0x18, 3}) {
		p, _ := protocol.ParsePacket(got)
		ack, _ := protocol.ParseAck(p.Body)
		c.tb.Fatalf("got %x (%s), want success", got, ack.ErrorMessage)
	}
}

// wantError reads an error reply with a code and returns its text.
func (c *testClient) wantError(code int32) string {
	c.tb.Helper()
	p := c.read()
	ack, err := protocol.ParseAck(p.Body)
	if err != nil || p.Type != protocol.TypeAck || p.Version != protocol.Some[int32](1) || ack.ErrorCode != protocol.Some(code) {
		c.tb.Fatalf("got %v %+v, %v, want error %d", p.Type, ack, err, code)
	}
	return ack.ErrorMessage
}

// wantException reads an error 400 and returns its trace, without the part that
// names the connection, which is checked.
func (c *testClient) wantException() string {
	c.tb.Helper()
	text := c.wantError(400)
	before, trace, ok := bytes.Cut([]byte(text), []byte(", exception: "))
	tail := ", /" + c.conn.LocalAddr().String() + " => /" + c.conn.RemoteAddr().String() + "]"
	if !ok || !bytes.HasPrefix(before, []byte("something goes wrong with channel: [id: 0x")) || !bytes.HasSuffix(before, []byte(tail)) {
		c.tb.Fatalf("error text %q", text)
	}
	return string(trace)
}

func (c *testClient) wantMessages() protocol.Messages {
	c.tb.Helper()
	p := c.read()
	if p.Type != protocol.TypeMessages {
		ack, _ := protocol.ParseAck(p.Body)
		c.tb.Fatalf("got %v %q, want MESSAGES", p.Type, ack.ErrorMessage)
	}
	m, err := protocol.ParseMessages(p.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	return m
}

// wantClosed checks that the connection ends without another byte.
func (c *testClient) wantClosed() {
	c.tb.Helper()
	c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(c.conn)
	if len(b) > 0 || os.IsTimeout(err) {
		c.tb.Fatalf("got %x, %v, want the end", b, err)
	}
}

func frameOf(packet ...byte) []byte { return protocol.AppendFrame(nil, packet) }

func headerOf(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// eventually polls until ok, for what happens on the server's side.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not in time", what)
		}
	}
}

// testLogger writes the log of a test to its output.
func testLogger(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
