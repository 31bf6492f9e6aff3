package server

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

// BenchmarkGet is a GET and its reply over a real connection; the client's side
// allocates nothing. The bytes of the batch must not be copied nor allocated for.
func BenchmarkGet(b *testing.B) {
	for name, size := range map[string]int{"empty": 0, "4KiB": 4 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			entry := framedEntry(size)
			buffers := batchOf(7, entry).Buffers
			f := &fakeInstance{get: func(context.Context, meta.Client, int32, time.Duration) (delivery.Delivery, error) {
				if size == 0 {
					return nothing, nil
				}
				d := delivery.Delivery{BatchID: 7}
				buffers[0] = entry
				d.Buffers, d.Bytes = buffers, len(entry)
				return d, nil
			}}
			_, addr := startServer(b, Options{}, fakeRegistry{instance: f})
			c := login(b, addr)
			request := protocol.AppendRequest(nil, &protocol.Get{Destination: "example", ClientID: "1001", FetchSize: 1000, Timeout: protocol.Some[int64](-1)})
			reply := len(protocol.AppendMessagesHead(nil, 7, len(entry))) + len(entry)
			if size == 0 {
				reply = 21
			}
			buf := make([]byte, reply)
			c.conn.SetDeadline(time.Time{})
			b.SetBytes(int64(reply))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.conn.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c.conn, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
