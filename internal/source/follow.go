package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// How a file that has no more is looked at again: soon at first, then less often.
const (
	minPoll = 2 * time.Millisecond
	maxPoll = 250 * time.Millisecond

	// settle is for how long a file must not have grown that was not closed in an
	// orderly way and has a successor. Its server has crashed, or it is being copied
	// beside that one, and then the rest is still to come.
	settle = 10 * time.Second

	// relist is how often the folder is listed for files that are missing.
	relist = time.Second
)

// errFinished says that all files have been read and no more is to be waited for.
var errFinished = errors.New("all binlog files have been read")

// follower reads binlog files one after the other, as a server would send them: each
// begins with a made-up rotate event that names it, and while there is nothing to
// read a heartbeat comes now and then. It is for one goroutine.
type follower struct {
	folder    *folder
	pool      *chunkPool
	log       *slog.Logger
	wait      bool
	heartbeat time.Duration
	settle    time.Duration
	read      func(n int, now time.Time)

	file     *os.File
	name     string
	opened   opened
	offset   int64 // of the next event
	version  string
	checksum bool // of the events at hand; for made-up ones

	announced bool // the rotate event that names the file has been given
	closed    bool // the last event was the one with which a server closes a file
	torn      bool // there is something behind the last whole event
	size      int64
	grown     time.Time // when the file was last seen to have more, or written
	listed    time.Time
}

// start opens the first file. The place must be the begin of an event: see
// folder.place. The follower takes over the file.
func (r *follower) start(f *os.File, o opened, name string, at int64) {
	r.file, r.opened, r.name, r.offset = f, o, name, at
	r.checksum, r.version = o.format.Checksum, o.format.ServerVersion
	r.announced, r.closed, r.torn, r.size, r.grown = false, false, false, 0, time.Time{}
}

// close gives the file back; handed-out chunks stay valid.
func (r *follower) close() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}

// next returns the next events, at least one, and waits for them. The caller owns the
// chunk's reference.
func (r *follower) next(ctx context.Context) (*Chunk, error) {
	if !r.announced {
		r.announced = true
		return r.announce(), nil
	}
	idle, pause := time.Now(), minPoll
	for {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if c, err := r.more(); c != nil || err != nil {
			return c, err
		}
		moved, err := r.advance()
		switch {
		case err != nil:
			return nil, err
		case moved:
			return r.next(ctx)
		case time.Since(idle) >= r.heartbeat:
			return NewChunk(r.heartbeatEvent()), nil
		}
		if !sleep(ctx, pause) {
			return nil, context.Cause(ctx)
		}
		pause = min(2*pause, maxPoll)
	}
}

// more returns the whole events that the file has behind the place that was reached,
// or nil. What is not whole stays where it is and is read again.
func (r *follower) more() (*Chunk, error) {
	info, err := r.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.name, err)
	}
	if r.size > 0 && info.Size() != r.size {
		r.grown = time.Now()
	} else if m := info.ModTime(); m.After(r.grown) {
		r.grown = m
	}
	r.size = info.Size()
	left := info.Size() - r.offset
	if left < 0 {
		return nil, fileError(remedyDamaged, "%s has become shorter: %d bytes, and %d have been read", r.name, info.Size(), r.offset)
	}
	r.torn = left > 0
	if left < binlog.HeaderSize {
		return nil, nil
	}
	b := r.pool.block()
	defer b.release()
	n, err := r.readAt(b.data[:min(int64(len(b.data)), left)])
	if err != nil {
		return nil, err
	}
	c := r.pool.chunk()
	next, err := r.cut(c, b.data[:n])
	if err == nil && len(c.Events) > 0 {
		c.attach(b)
		r.torn = next < left
		r.offset += next
		return c, nil
	}
	c.Release()
	if err != nil || next > left {
		return nil, err
	}
	return r.large(int(next))
}

// cut puts the whole events of data into c and returns how long they are. Without any
// it is the length of the first one, which is not whole.
func (r *follower) cut(c *Chunk, data []byte) (int64, error) {
	at := 0
	for len(data)-at >= binlog.HeaderSize {
		h, err := binlog.ParseHeader(data[at:])
		if err == nil && (h.EventSize < binlog.HeaderSize || int64(h.EventSize) > int64(r.folder.maxEvent)) {
			err = fmt.Errorf("an event of type %d claims %d bytes", h.Type, h.EventSize)
		}
		if err != nil {
			if at > 0 {
				break // first what is before it
			}
			return 0, fileError(remedyDamaged, "%s at %d: %v", r.name, r.offset, err)
		}
		if len(data)-at < int(h.EventSize) {
			if at == 0 {
				return int64(h.EventSize), nil
			}
			break
		}
		end := at + int(h.EventSize)
		if err := r.look(h, data[at:end]); err != nil {
			return 0, err
		}
		c.Events = append(c.Events, Span{Start: uint32(at), End: uint32(end)})
		at = end
	}
	return int64(at), nil
}

// large reads an event that does not fit a block.
func (r *follower) large(size int) (*Chunk, error) {
	b := r.pool.memory(size)
	defer b.release()
	if _, err := r.readAt(b.data[:size]); err != nil {
		return nil, err
	}
	c := r.pool.chunk()
	if _, err := r.cut(c, b.data[:size]); err != nil || len(c.Events) == 0 {
		c.Release()
		return nil, err // without one it has changed meanwhile
	}
	c.attach(b)
	r.offset += int64(size)
	return c, nil
}

func (r *follower) readAt(p []byte) (int, error) {
	n, err := r.file.ReadAt(p, r.offset)
	if n < len(p) {
		return 0, fileError(remedyDamaged, "read %s at %d: %v", r.name, r.offset, err)
	}
	r.read(n, time.Now())
	return n, nil
}

// look takes up what an event says of the file.
func (r *follower) look(h binlog.Header, ev []byte) error {
	r.closed = false
	switch h.Type {
	case binlog.EventFormatDescription:
		f, err := binlog.ParseFormatDescription(ev)
		if err != nil {
			return fileError(remedyDamaged, "%s at %d: %v", r.name, r.offset, err)
		}
		r.checksum = f.Checksum
	case binlog.EventMariaStartEncryption:
		return encrypted(r.name)
	case binlog.EventRotate, binlog.EventStop:
		r.closed = true
	}
	return nil
}

// advance goes on to the next file if this one is complete and that one is there. It
// returns errFinished when there is none and nothing is to be waited for.
func (r *follower) advance() (moved bool, err error) {
	if err := r.replaced(); err != nil {
		return false, err
	}
	if r.wait && time.Since(r.listed) < relist && !r.closed {
		return false, nil
	}
	r.listed = time.Now()
	next, err := r.folder.after(r.name)
	switch {
	case err != nil:
		return false, err
	case next == nil && !r.wait:
		if r.torn {
			r.log.Warn("the newest binlog file ends inside an event, which is left out", "file", r.name, "offset", r.offset)
		}
		return false, errFinished
	case next == nil:
		return false, nil
	case !r.closed && time.Since(r.grown) < r.settle:
		return false, nil
	case r.torn:
		return false, fileError(remedyDamaged, "%s ends inside an event at %d, and %s is there", r.name, r.offset, next.name)
	case !r.closed:
		r.log.Warn("a binlog file has no end: its server crashed, or it was not copied as a whole. It has not grown for a while, and reading goes on with the next one",
			"file", r.name, "offset", r.offset, "next", next.name)
	}
	f, o, err := r.folder.open(next.name)
	if err != nil {
		return false, err
	}
	r.close()
	if o.format.ServerVersion != r.version {
		r.log.Warn("the binlog files go on with another version of the server; statements are read as before until the instance starts anew",
			"file", next.name, "version", o.format.ServerVersion, "before", r.version)
	}
	checksum := r.checksum // of the rotate event that comes first
	r.start(f, o, next.name, int64(len(binlog.Magic)))
	r.checksum = checksum
	return true, nil
}

// replaced looks whether another file has the name of the one at hand. One that
// begins alike is a newer copy of it and is read on.
func (r *follower) replaced() error {
	now, err := os.Stat(filepath.Join(r.folder.dir, r.name))
	if err != nil {
		return nil // removed: what follows it counts
	}
	have, err := r.file.Stat()
	if err != nil || os.SameFile(now, have) {
		return err
	}
	f, o, err := r.folder.open(r.name)
	if err != nil {
		return err
	}
	if !o.begun(&r.opened) {
		_ = f.Close()
		return fileError("remove the stored cursor of the instance, or put back the files that were there", "%s has been replaced by another binlog file", r.name)
	}
	_ = r.file.Close()
	r.file = f
	return nil
}

// announce is the rotate event with which a server begins each file.
func (r *follower) announce() *Chunk {
	body := binary.LittleEndian.AppendUint64(nil, uint64(r.offset))
	events := [][]byte{r.event(binlog.EventRotate, 0, append(body, r.name...))}
	if r.offset > int64(len(binlog.Magic)) {
		events = append(events, r.opened.again())
	}
	buf, spans := []byte(nil), []Span(nil)
	for _, ev := range events {
		spans = append(spans, Span{Start: uint32(len(buf)), End: uint32(len(buf) + len(ev))})
		buf = append(buf, ev...)
	}
	return NewChunk(buf, spans)
}

// again is the format description as a server sends it where a dump begins behind it:
// with a LogPos of 0, because it does not stand there.
func (o *opened) again() []byte {
	ev := bytes.Clone(o.event)
	clear(ev[13:17])
	if o.format.Checksum {
		body := ev[:len(ev)-binlog.ChecksumSize]
		ev[17] &^= 1 // the file is in use, which the checksum does not cover
		binary.LittleEndian.PutUint32(ev[len(body):], crc32.ChecksumIEEE(body))
	}
	return ev
}

// heartbeatEvent says that nothing is to be read.
func (r *follower) heartbeatEvent() ([]byte, []Span) {
	ev := r.event(binlog.EventHeartbeat, uint32(r.offset), []byte(r.name))
	return ev, []Span{{End: uint32(len(ev))}}
}

// event makes an event up.
func (r *follower) event(t binlog.EventType, logPos uint32, body []byte) []byte {
	size := binlog.HeaderSize + len(body)
	if r.checksum {
		size += binlog.ChecksumSize
	}
	ev := binary.LittleEndian.AppendUint32(nil, 0)
	ev = append(ev, byte(t))
	ev = binary.LittleEndian.AppendUint32(ev, r.opened.header.ServerID)
	ev = binary.LittleEndian.AppendUint32(ev, uint32(size))
	ev = binary.LittleEndian.AppendUint32(ev, logPos)
	ev = binary.LittleEndian.AppendUint16(ev, binlog.FlagArtificial)
	ev = append(ev, body...)
	if r.checksum {
		ev = binary.LittleEndian.AppendUint32(ev, crc32.ChecksumIEEE(ev))
	}
	return ev
}
