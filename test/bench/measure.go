package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
)

// figures are what one run of a server over a workload took.
type figures struct {
	wall       time.Duration // from the client's first get to its last entry
	cpu        time.Duration // of the server, in that time
	peakMemory int64         // of the server since its start, bytes
	rows       int64
}

// process reads what the kernel knows of a process.
type process int

// clockTick is the unit of CPU times in /proc, USER_HZ, which is 100 on every
// Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpu is the user and system time so far.
func (p process) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p, len(f))
	}
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/%d/stat: times %q %q", p, f[11], f[12])
	}
	return time.Duration(user+system) * clockTick, nil
}

// peak is the most memory it has had, in bytes.
func (p process) peak() (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmHWM", p)
}

// consume takes everything up to the marker, acking each batch, and measures
// the server meanwhile.
func consume(ctx context.Context, addr string, p process, w workload, batch int, timeout time.Duration) (figures, error) {
	var f figures
	c, err := client.Dial(ctx, client.Options{Addr: addr, Destination: "example"})
	if err != nil {
		return f, err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, ""); err != nil {
		return f, err
	}
	begin, err := p.cpu()
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
		if done, err = f.take(b, w.marker); err != nil {
			return f, err
		}
		if err := c.Ack(b.ID()); err != nil {
			return f, err
		}
	}
	f.wall = time.Since(start)
	end, err := p.cpu()
	if err != nil {
		return f, err
	}
	f.cpu = end - begin
	f.peakMemory, err = p.peak()
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
