package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

// FuzzSession feeds a session whatever a client may send. It must end when the
// input does, and all it writes must be frames with packets in them.
func FuzzSession(f *testing.F) {
	login := protocol.AppendRequest(nil, &protocol.ClientAuth{})
	for _, m := range []protocol.Message{
		&protocol.Sub{Destination: "example", ClientID: "1", Filter: "a"},
		&protocol.Unsub{Destination: "example", ClientID: "1"},
		&protocol.Get{Destination: "example", ClientID: "1", FetchSize: -5, Timeout: protocol.Some[int64](-1)},
		&protocol.Get{Destination: "example", ClientID: "1"},
		&protocol.ClientAck{Destination: "example", ClientID: "1", BatchID: 3},
		&protocol.ClientRollback{Destination: "nosuch", ClientID: "1"},
		&protocol.Ack{},
	} {
		f.Add(protocol.AppendRequest(login[:len(login):len(login)], m))
	}
	f.Add(append(login[:len(login):len(login)], headerOf(-1)...))
	f.Add(protocol.AppendRequest(nil, &protocol.ClientAuth{Destination: "example", ClientID: "1", NetReadTimeout: protocol.Some[int32](1)}))

	entry := framedEntry(10)
	instance := &fakeInstance{get: func(ctx context.Context, _ meta.Client, n int32, timeout time.Duration) (delivery.Delivery, error) {
		if timeout == forever {
			<-ctx.Done()
			return delivery.Delivery{}, context.Cause(ctx)
		}
		return batchOf(int64(n), entry, entry), nil
	}}
	s := New(Options{Logger: slog.New(slog.DiscardHandler), MaxFrame: 4096}, fakeRegistry{instance: instance})
	f.Fuzz(func(t *testing.T, input []byte) {
		conn := &recorded{input: bytes.NewReader(input)}
		s.serve(t.Context(), t.Context(), conn)
		for replies := bytes.NewReader(conn.output.Bytes()); ; {
			packet, err := protocol.ReadFrame(replies, nil, 1<<20)
			if err == io.EOF {
				return
			}
			if err == nil {
				_, err = protocol.ParsePacket(packet)
			}
			if err != nil {
				t.Fatalf("the server sent %x: %v", conn.output.Bytes(), err)
			}
		}
	})
}

// recorded is a connection whose input is known and never late.
type recorded struct {
	input  *bytes.Reader
	output bytes.Buffer
}

func (r *recorded) Read(b []byte) (int, error)  { return r.input.Read(b) }
func (r *recorded) Write(b []byte) (int, error) { return r.output.Write(b) }

func (*recorded) Close() error                     { return nil }
func (*recorded) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*recorded) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*recorded) SetDeadline(time.Time) error      { return nil }
func (*recorded) SetReadDeadline(time.Time) error  { return nil }
func (*recorded) SetWriteDeadline(time.Time) error { return nil }
