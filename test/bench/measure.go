package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/bench/process"
	"github.com/towpath-cdc/towpath/test/bench/workload"
)

// figures are what one run of a server over a workload took.
type figures struct {
	wall       time.Duration // from the client's first get to its last entry
	cpu        time.Duration // of the server, in that time
	peakMemory int64         // of the server since its start, bytes
	rows       int64
}

// consume takes everything up to the marker, acking each batch, and measures
// the server meanwhile.
func consume(ctx context.Context, addr string, p process.ID, w workload.Stretch, batch int, timeout time.Duration) (figures, error) {
	var f figures
	c, err := client.Dial(ctx, client.Options{Addr: addr, Destination: "example"})
	if err != nil {
		return f, err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, ""); err != nil {
		return f, err
	}
	begin, err := p.CPU()
	if err != nil {
		return f, err
	}
	start := time.Now()
	for done := false; !done; {
		b, err := c.GetWithoutAck(ctx, batch, timeout)
		if err != nil {
			return f, err
		}
		if b.Empty() {
			continue
		}
		if done, err = f.take(b, w.Marker); err != nil {
			return f, err
		}
		if err := c.Ack(b.ID()); err != nil {
			return f, err
		}
	}
	f.wall = time.Since(start)
	end, err := p.CPU()
	if err != nil {
		return f, err
	}
	f.cpu = end - begin
	f.peakMemory, err = p.Peak()
	return f, err
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
