package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// errStale says that a dump brings nothing although the log goes on elsewhere.
var errStale = errors.New("the server's log was begun anew under the dump (RESET MASTER?)")

// idleQueryTimeout bounds what is asked while a dump idles. It is below the time
// after which a silent dump counts as dead.
const idleQueryTimeout = 5 * time.Second

// idleWatch finds a dump that would idle for ever. A server whose log is reset to
// files of the same names goes on sending heartbeats from the old, deleted file.
// At each heartbeat the end of the log is asked for on a second connection. Where
// it has been the dump's place before, and then is another one at two heartbeats
// in a row while the dump has not moved, the dump is stale. Behind an address
// that leads to several servers the two never agree, and nothing is found.
//
// It is for the goroutine that reads the dump.
type idleWatch struct {
	connect func(context.Context) (*mysql.Conn, error)
	conn    *mysql.Conn

	agreed bool  // the dump idled at the end of the log once
	apart  bool  // at the last event, a heartbeat, it did not
	place  place // of that heartbeat
}

// place is where a heartbeat says that the dump is.
type place struct {
	file   string // may have a checksum behind it
	offset uint64 // without the high 32 bits if short
	short  bool
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.offset) }

// is reports whether the place is the end of the log.
func (p place) is(end binlog.Position) bool {
	rest, ok := bytes.CutPrefix([]byte(p.file), []byte(end.File))
	if !ok || len(rest) != 0 && len(rest) != binlog.ChecksumSize {
		return false
	}
	if p.short {
		return uint32(p.offset) == uint32(end.Offset)
	}
	return p.offset == uint64(end.Offset)
}

// chunk looks at the last event of a chunk. Its error is errStale, wrapped.
func (w *idleWatch) chunk(ctx context.Context, c *Chunk) error {
	p, ok := heartbeatPlace(c)
	if !ok {
		w.apart = false
		return nil
	}
	end, err := w.end(ctx)
	if err != nil {
		w.apart = false // it cannot be known; the next heartbeat comes
		return nil
	}
	if p.is(end) {
		w.agreed, w.apart = true, false
		return nil
	}
	if w.agreed && w.apart && w.place == p {
		return fmt.Errorf("%w: the dump idles at %s and the log ends at %s", errStale, p, binlog.Position{File: end.File, Offset: end.Offset})
	}
	w.apart, w.place = true, p
	return nil
}

// heartbeatPlace is the place that a chunk's last event names if that is a heartbeat.
func heartbeatPlace(c *Chunk) (p place, ok bool) {
	if c.Len() == 0 {
		return p, false
	}
	ev := c.Event(c.Len() - 1)
	h, err := binlog.ParseHeader(ev)
	if err != nil {
		return p, false
	}
	body := ev[binlog.HeaderSize:]
	switch h.Type {
	case binlog.EventHeartbeat:
		return place{string(body), uint64(h.LogPos), true}, true
	case binlog.EventHeartbeatV2:
		file, offset, err := binlog.ParseHeartbeatV2(body)
		return place{file, offset, false}, err == nil
	}
	return p, false
}

// end asks for the present end of the log.
func (w *idleWatch) end(ctx context.Context) (p binlog.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, idleQueryTimeout)
	defer cancel()
	if w.conn == nil {
		if w.conn, err = w.connect(ctx); err != nil {
			w.conn = nil
			return p, err
		}
	}
	if p, err = w.conn.End(ctx, false); err != nil {
		w.close()
	}
	return p, err
}

func (w *idleWatch) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}
