package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/towpath-cdc/towpath/internal/testkit/canaltest"
	"github.com/towpath-cdc/towpath/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// entry is a ROWDATA entry of a table.
func entry(table string) []byte {
	header := protowire.AppendString(protowire.AppendTag(nil, 9, protowire.BytesType), table)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), header)
}

// entries are n entries of tables t0, t1, …
func entries(n int) (all [][]byte) {
	for i := range n {
		all = append(all, entry(fmt.Sprintf("t%d", i)))
	}
	return all
}

// tables are the table names of a batch.
func tables(t *testing.T, b *Batch) (names []string) {
	t.Helper()
	for e, err := range b.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Header().TableName())
	}
	return names
}

func options(s *canaltest.Server) Options {
	return Options{Addr: s.Addr(), Destination: "example", SOTimeout: 10 * time.Second}
}

func dial(t *testing.T, o Options) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func subscribed(t *testing.T, o Options) *Conn {
	t.Helper()
	c := dial(t, o)
	if err := c.Subscribe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return c
}

// get is a get that must succeed.
func get(t *testing.T, c *Conn, size int) *Batch {
	t.Helper()
	b, err := c.GetWithoutAck(t.Context(), size, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	eventuallyWithin(t, 10*time.Second, what, ok)
}

func eventuallyWithin(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// The requests of Canal's Java client, byte for byte.
func TestRequestsAreJavas(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	c := subscribed(t, options(s))
	s.Put(entries(1)...)
	b, err := c.GetWithoutAck(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ack(); err != nil {
		t.Fatal(err)
	}
	if err := c.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := c.Unsubscribe(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"18022a0a1880dddb012080dddb01",
		"18042a0f0a076578616d706c65120431303031",
		"18062a210a076578616d706c6512043130303118e80720ffffffffffffffffff0128023000",
		"18082a110a076578616d706c651204313030311801",
		"180c2a0f0a076578616d706c65120431303031",
		"18052a0f0a076578616d706c65120431303031",
	}
	var got []string
	for _, r := range s.Requests() {
		got = append(got, hex.EncodeToString(r))
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestGetAckRollback(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	c := subscribed(t, options(s))
	s.Put(entries(5)...)

	first, second := get(t, c, 2), get(t, c, 2)
	if got := tables(t, first); !slices.Equal(got, []string{"t0", "t1"}) || first.Len() != 2 || first.Empty() {
		t.Errorf("first batch has %v, length %d", got, first.Len())
	}
	if err := second.Ack(); !errors.Is(err, ErrOrder) {
		t.Errorf("ack of the second first: %v", err)
	}
	if err := second.Nack(); !errors.Is(err, ErrOrder) {
		t.Errorf("rollback of the second only: %v", err)
	}
	if err := first.Ack(); err != nil {
		t.Errorf("ack: %v", err)
	}
	if err := first.Ack(); !errors.Is(err, ErrStale) {
		t.Errorf("second ack of the same: %v", err)
	}
	if err := second.Nack(); err != nil {
		t.Errorf("rollback: %v", err)
	}
	if err := second.Ack(); !errors.Is(err, ErrStale) {
		t.Errorf("ack after the rollback: %v", err)
	}

	again := get(t, c, 1)
	if got := tables(t, again); !slices.Equal(got, []string{"t2"}) {
		t.Errorf("after the rollback came %v", got)
	}
	get(t, c, 1)
	if err := c.RollbackBatch(again.ID()); err != nil {
		t.Errorf("rollback of two: %v", err)
	}
	if got := tables(t, get(t, c, 9)); !slices.Equal(got, []string{"t2", "t3", "t4"}) {
		t.Errorf("after the rollback of two came %v", got)
	}

	empty, err := c.GetWithoutAck(t.Context(), 9, -1)
	if err != nil || !empty.Empty() || empty.Len() != 0 {
		t.Fatalf("empty get: %v, %v", empty, err)
	}
	if err := errors.Join(empty.Ack(), empty.Nack(), c.Ack(empty.ID())); err != nil {
		t.Errorf("ack of nothing: %v", err)
	}
	if n := s.Acked(); n != 2 {
		t.Errorf("%d entries acked", n)
	}
}

func TestGetAcksItself(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	c := subscribed(t, options(s))
	s.Put(entries(1)...)
	if _, err := c.Get(t.Context(), 1, time.Second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ack", func() bool { return s.Acked() == 1 })
}

func TestPassword(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{User: "bob", Password: "secret"})
	o := options(s)
	for _, password := range []string{"", "wrong"} {
		o.User, o.Password = "bob", password
		_, err := Dial(t.Context(), o)
		var refused *ServerError
		if !errors.Is(err, ErrAuth) || !errors.As(err, &refused) || refused.Code != 400 {
			t.Errorf("password %q: %v", password, err)
		}
	}
	o.Password = "secret"
	subscribed(t, o)
}

// An error report that nobody asked for takes the place of the next answer. The
// connection must not be used after it, or every answer is one behind.
func TestNeverOffByOne(t *testing.T) {
	refuse := true
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		if _, ok := m.(*protocol.ClientAck); ok && refuse {
			refuse = false
			return canaltest.Action{Reply: []protocol.Message{canaltest.Failure("batchId:1 is not the firstly:0")}}, true
		}
		return canaltest.Action{}, false
	}})
	c := subscribed(t, options(s))
	s.Put(entries(3)...)
	first := get(t, c, 1)
	if err := first.Ack(); err != nil {
		t.Fatal(err)
	}
	var refused *ServerError
	if _, err := c.GetWithoutAck(t.Context(), 1, time.Second); !errors.As(err, &refused) || refused.Op != "get" {
		t.Fatalf("get after a refused ack: %v", err)
	}
	if err := c.Ack(first.ID()); !errors.Is(err, ErrStale) {
		t.Errorf("ack without a connection: %v", err)
	}
	for i := range 3 {
		b := get(t, c, 1)
		if got := tables(t, b); !slices.Equal(got, []string{fmt.Sprintf("t%d", i)}) {
			t.Fatalf("get %d brought %v", i, got)
		}
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Ack(); !errors.Is(err, ErrStale) {
		t.Errorf("ack over another connection: %v", err)
	}
	eventually(t, "acks", func() bool { return s.Acked() == 3 })
}

func TestReconnectKeepsFilter(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	c := dial(t, options(s))
	if err := c.Subscribe(t.Context(), `a\..*`); err != nil {
		t.Fatal(err)
	}
	s.HangUp()
	if _, err := c.GetWithoutAck(t.Context(), 1, -1); err == nil {
		t.Fatal("get over a dead connection succeeded")
	}
	if _, err := c.GetWithoutAck(t.Context(), 1, -1); err != nil {
		t.Fatal(err)
	}
	var kinds []protocol.PacketType
	for _, r := range s.Requests() {
		p, err := protocol.ParsePacket(r)
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, p.Type)
	}
	want := []protocol.PacketType{protocol.TypeClientAuth, protocol.TypeSubscription, protocol.TypeClientRollback, protocol.TypeGet}
	if len(kinds) < 4 || !slices.Equal(kinds[len(kinds)-4:], want) || s.Filter() != `a\..*` {
		t.Errorf("requests %v, filter %s", kinds, s.Filter())
	}
}

func TestContextEndsBlockedGet(t *testing.T) {
	waiting := make(chan struct{})
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		if g, ok := m.(*protocol.Get); ok && g.Timeout.Value == 0 {
			close(waiting)
			return canaltest.Action{}, true // no answer
		}
		return canaltest.Action{}, false
	}})
	c := subscribed(t, options(s))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	if _, err := c.GetWithoutAck(ctx, 1, 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled get: %v", err)
	}
	s.Put(entries(1)...)
	if got := tables(t, get(t, c, 1)); !slices.Equal(got, []string{"t0"}) {
		t.Errorf("next get brought %v", got)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	waiting := make(chan struct{})
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		if _, ok := m.(*protocol.Get); ok {
			close(waiting)
			return canaltest.Action{}, true
		}
		return canaltest.Action{}, false
	}})
	c := subscribed(t, options(s))
	go func() {
		<-waiting
		c.Close()
	}()
	if _, err := c.GetWithoutAck(t.Context(), 1, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("get: %v", err)
	}
	if err := c.Subscribe(t.Context(), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("subscribe: %v", err)
	}
	if err := c.Rollback(); !errors.Is(err, ErrClosed) {
		t.Errorf("rollback: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestSilentServerTimesOut(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		_, silent := m.(*protocol.Sub)
		return canaltest.Action{}, silent
	}})
	o := options(s)
	o.SOTimeout = 50 * time.Millisecond
	c := dial(t, o)
	var timeout net.Error
	if err := c.Subscribe(t.Context(), ""); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("subscribe: %v", err)
	}
}

func TestUnexpectedReplies(t *testing.T) {
	tests := []struct {
		name  string
		reply protocol.Message
		want  string
	}{
		{"ack to a get", &protocol.Ack{}, "unexpected packet ACK"},
		{"handshake to a get", &protocol.Handshake{}, "unexpected packet HANDSHAKE"},
		{"error", canaltest.Failure("it \xff broke\n"), "get: server says 400: it \ufffd broke"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
				_, ok := m.(*protocol.Get)
				return canaltest.Action{Reply: []protocol.Message{tt.reply}}, ok
			}})
			c := subscribed(t, options(s))
			if _, err := c.GetWithoutAck(t.Context(), 1, -1); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// A server can send anything in place of its handshake.
func TestBadHandshakes(t *testing.T) {
	version := protocol.Packet{Type: protocol.TypeHandshake, Version: protocol.Some[int32](2)}
	tests := []struct {
		name, want string
		sent       []byte
	}{
		{"nothing", "server closed the connection", nil},
		{"ack", "unexpected packet ACK", protocol.AppendReply(nil, &protocol.Ack{})},
		{"version", "unsupported protocol version 2", protocol.AppendFrame(nil, version.Append(nil))},
		{"no version", "unsupported protocol version 0", protocol.AppendRequest(nil, &protocol.Handshake{})},
		{"garbage", "malformed", protocol.AppendFrame(nil, []byte{0xff})},
		{"cut", "unexpected EOF", []byte{0, 0, 0, 9, 1}},
		{"long", "over the limit", []byte{0x7f, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if nc, err := l.Accept(); err == nil {
					nc.Write(tt.sent)
					nc.Close()
				}
			}()
			_, err = Dial(t.Context(), Options{Addr: l.Addr().String(), Destination: "example", MaxReply: 1 << 20})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"no destination": {Addr: "127.0.0.1:1"},
		"no address":     {Destination: "d"},
		"negative":       {Addr: "127.0.0.1:1", Destination: "d", SOTimeout: -1},
		"idle too long":  {Addr: "127.0.0.1:1", Destination: "d", IdleTimeout: 1 << 62},
	} {
		if _, err := Dial(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "client options: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := Dial(t.Context(), Options{Discoverer: Static(), Destination: "d"}); !errors.Is(err, ErrNoServer) {
		t.Errorf("empty list of servers: %v", err)
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		-1: -1, -time.Hour: -1, 0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Minute: 60000,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v: got %d, want %d", d, got, want)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte{0x10, 1, 0x18, 7, 0x2a, 0x0b, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0x10, 1, 0x18, 3, 0x2a, 6, 8, 0x90, 3, 0x12, 1, 0x78})
	f.Add([]byte{0x18, 7, 0x20, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := protocol.ParsePacket(b)
		if err != nil {
			return
		}
		m, err := parseBatch(p)
		if err != nil {
			return
		}
		batch := Batch{id: m.BatchID, raw: m.Messages}
		n := 0
		for range batch.Entries() {
			n++
		}
		if n != batch.Len() {
			t.Fatalf("%d entries of %d", n, batch.Len())
		}
	})
}

// An ack need not wait for a get that does.
func TestAckWhileGetWaits(t *testing.T) {
	waiting := make(chan struct{})
	gets := 0
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		if _, ok := m.(*protocol.Get); ok {
			if gets++; gets == 2 {
				close(waiting)
			}
		}
		return canaltest.Action{}, false
	}})
	s.Put(entries(1)...)
	c := subscribed(t, options(s))
	first := get(t, c, 1)
	second := make(chan *Batch)
	go func() {
		defer close(second)
		b, err := c.GetWithoutAck(t.Context(), 1, 0)
		if err != nil {
			t.Error(err)
			return
		}
		second <- b
	}()
	<-waiting
	if err := first.Ack(); err != nil {
		t.Fatal(err)
	}
	s.Put(entry("last"))
	b, ok := <-second
	if !ok {
		t.FailNow()
	}
	if err := b.Ack(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "acks", func() bool { return s.Acked() == 2 })
}

func TestDiscovererFails(t *testing.T) {
	lost := errors.New("no session")
	_, err := Dial(t.Context(), Options{Discoverer: failing{lost}, Destination: "d"})
	if !errors.Is(err, lost) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Addrs(context.Context) ([]string, error) { return nil, f.err }

func TestSequence(t *testing.T) {
	tests := []struct {
		name string
		ids  []int64
		want []bool
	}{
		{"in order", []int64{5, 6, 7}, []bool{true, true, true}},
		{"gap", []int64{1, 3, 4, 6}, []bool{true, false, true, false}},
		{"another server", []int64{900, 1, 2}, []bool{true, false, true}},
		{"counts otherwise", []int64{2, 4, 6, 8, 10, 12}, []bool{true, false, false, false, true, true}},
	}
	for _, tt := range tests {
		var q sequence
		var got []bool
		for _, id := range tt.ids {
			got = append(got, q.next(id))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestGapReconnects(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(entries(4)...)
	c, other := subscribed(t, options(s)), subscribed(t, options(s))
	get(t, c, 1)
	get(t, other, 1)
	if _, err := c.GetWithoutAck(t.Context(), 1, time.Second); !errors.Is(err, ErrGap) {
		t.Fatalf("get after another's: %v", err)
	}
	if got := tables(t, get(t, c, 4)); len(got) != 4 {
		t.Errorf("after the reconnect came %v", got)
	}
}

// A get of the connection before, served after the new connection's rollback, must
// not put a later batch before an earlier one.
func TestStolenBatchComesInOrder(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(entries(3)...)
	c, thief := subscribed(t, options(s)), subscribed(t, options(s))
	if err := get(t, c, 1).Ack(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ack", func() bool { return s.Acked() == 1 })
	s.HangUp()
	if _, err := c.GetWithoutAck(t.Context(), 1, -1); err == nil {
		t.Fatal("get over a dead connection succeeded")
	}
	if err := c.Subscribe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := thief.Subscribe(t.Context(), ""); err == nil {
		t.Fatal("subscription over a dead connection succeeded")
	}
	get(t, thief, 1)
	if got := tables(t, get(t, c, 2)); !slices.Equal(got, []string{"t1", "t2"}) {
		t.Errorf("after a stolen batch came %v", got)
	}
}
