package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// errSilent says that the source sent nothing, not even a heartbeat.
var errSilent = errors.New("the source sent nothing, not even a heartbeat; the connection is taken for dead")

// stream reads a dump under a read deadline, which finds half-open connections.
type stream struct {
	conn    net.Conn
	timeout time.Duration
	armed   time.Time // when the deadline was last set
	read    func(n int, now time.Time)
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	now := time.Now()
	// Setting a deadline costs more than asking the time: once a second is enough.
	if now.Sub(s.armed) > time.Second {
		if err := s.conn.SetReadDeadline(now.Add(s.timeout)); err != nil {
			return 0, err
		}
		s.armed = now
	}
	n, err := s.conn.Read(p)
	if n > 0 {
		if s.read != nil {
			s.read(n, now)
		}
		return n, nil
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return 0, fmt.Errorf("%w (%v): %w", errSilent, s.timeout, err)
	}
	return 0, err
}

// killTimeout bounds the farewell to a dump.
const killTimeout = 3 * time.Second

// endDump closes a dumping connection that ended with err and kills its thread
// on the server, which otherwise stays until it has something to send and finds
// nobody listening. It does so also when ctx is over, within killTimeout;
// failure does not matter. A dump that the server ended is not killed: after a
// restart its number may be another connection's.
func (a *attempt) endDump(ctx context.Context, c *mysql.Conn, err error) {
	id := c.ID()
	_ = c.Close()
	if ctx.Err() == nil && endedByServer(err) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTimeout)
	defer cancel()
	k, err := mysql.Connect(ctx, a.config)
	if err != nil {
		return
	}
	defer k.Close()
	if err := k.Kill(ctx, id); err != nil {
		a.s.log.DebugContext(ctx, "old dump was gone already", "thread", id, "cause", err.Error())
	}
}

func endedByServer(err error) bool {
	return errors.Is(err, errEndOfStream) || mysql.Code(err) != 0 || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// scan implements prober: it dumps the file from its beginning on a connection
// of its own.
func (a *attempt) scan(ctx context.Context, file string, l limit) (p binlog.Position, found bool, err error) {
	f := &borderFinder{file: file, limit: l, flavor: a.facts.Flavor}
	if err := a.seek(ctx, file, 4, f.event, func(checksum bool) { f.checksum = checksum }); err != nil {
		return p, false, fmt.Errorf("search %s: %w", file, err)
	}
	p, found = f.result()
	return p, found, nil
}

// fileTime implements prober: it reads the file's first event.
func (a *attempt) fileTime(ctx context.Context, file string) (int64, error) {
	f := &borderFinder{file: file, flavor: a.facts.Flavor}
	event := func(ev []byte) (bool, error) {
		done, err := f.event(ev)
		return done || f.found, err
	}
	if err := a.seek(ctx, file, 4, event, func(checksum bool) { f.checksum = checksum }); err != nil {
		return 0, fmt.Errorf("read the begin of %s: %w", file, err)
	}
	return f.border.Timestamp, nil
}

// seek gives the events from a place in a file on to each until it is done or the
// server has no more.
func (a *attempt) seek(ctx context.Context, file string, offset int64, each func([]byte) (bool, error), checksum func(bool)) error {
	return a.seekFrom(ctx, start{position: binlog.Position{File: file, Offset: offset}}, each, checksum)
}

// seekFrom is seek from a start, which may be a GTID set.
func (a *attempt) seekFrom(ctx context.Context, st start, each func([]byte) (bool, error), checksum func(bool)) (err error) {
	c, err := mysql.Connect(ctx, a.config)
	if err != nil {
		return err
	}
	defer func() { a.endDump(ctx, c, err) }()
	sum, err := c.PrepareDump(ctx, a.s.o.HeartbeatPeriod)
	if err != nil {
		return err
	}
	checksum(sum)
	if err := a.command(ctx, c, st); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	fr := newFramer(&stream{conn: c.Stream(), timeout: a.s.o.ReadTimeout}, a.s.pool, a.s.o.MaxEventSize)
	defer fr.close()
	for {
		chunk, err := fr.next()
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, errEndOfStream) {
				return nil
			}
			return err
		}
		done, err := eachEvent(chunk, each)
		if done || err != nil {
			return err
		}
	}
}

// eachEvent gives the events of a chunk to each until it is done, and releases the chunk.
func eachEvent(c *Chunk, each func([]byte) (bool, error)) (bool, error) {
	defer c.Release()
	for i := range c.Len() {
		if done, err := each(c.Event(i)); done || err != nil {
			return done, err
		}
	}
	return false, nil
}
