package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
)

// destination is what clients ask for.
const destination = "example"

// figures are what one run of a server over a stretch took.
type figures struct {
	wall       time.Duration // to the client's last entry, from its first get or from the start of the server
	cpu        time.Duration // of the server, in that time
	peakMemory int64         // of the server since its start, bytes
	rows       int64
	gets       int64 // requests for a batch
}

// ours is our client. It takes everything up to the marker, or as many batches as
// the way says, and acks each. It tells rows, gets and the time since the first get.
func ours(ctx context.Context, addr, marker string, w way, timeout time.Duration) (figures, error) {
	var f figures
	c, err := client.Dial(ctx, client.Options{Addr: addr, Destination: destination})
	if err != nil {
		return f, err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, ""); err != nil {
		return f, err
	}
	start := time.Now()
	for batches, done := 0, false; !done; {
		b, err := c.GetWithoutAck(ctx, w.batch, timeout)
		if err != nil {
			return f, err
		}
		f.gets++
		if b.Empty() {
			continue
		}
		if done, err = f.take(b, marker); err != nil {
			return f, err
		}
		if err := c.Ack(b.ID()); err != nil {
			return f, err
		}
		b.Release()
		batches++
		done = done || batches == w.rounds
	}
	f.wall = time.Since(start)
	return f, nil
}

// take counts a batch up to the marker and says whether that is in it.
func (f *figures) take(b *client.Batch, marker string) (done bool, err error) {
	schema, table, _ := strings.Cut(marker, ".")
	for _, raw := range b.Raw() {
		e, err := protocol.ParseEntry(raw)
		if err != nil {
			return false, err
		}
		if e.EntryType() != protocol.EntryRowData {
			continue
		}
		h := e.Header()
		if n, ok := h.Prop("rowsCount"); ok {
			v, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				return false, err
			}
			f.rows += v
		}
		if h.SchemaName() == schema && h.TableName() == table {
			return true, nil
		}
	}
	return false, nil
}
