package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// Sizes of the framing in bytes.
const (
	defaultChunkSize    = 256 << 10
	defaultMaxEventSize = 1 << 30 // largest max_allowed_packet a server can have

	packetHeader  = 4         // length in three bytes, sequence number
	maxPayload    = 1<<24 - 1 // a payload of this size goes on in the next packet
	minFreeToRead = 4 << 10   // a block with less room is left for a fresh one
)

// First bytes of the packets of a dump.
const (
	statusOK  = 0x00
	statusEOF = 0xfe
	statusERR = 0xff
)

// errEndOfStream is an EOF packet: the server ended the dump in an orderly way.
var errEndOfStream = errors.New("the server ended the dump")

// framer cuts the packets of a dump into chunks of events. Bytes are read into
// blocks of the pool's size and stay where they were read; only the part of an
// event that ran out of its block is moved to the next one. A packet that
// cannot fit a block gets memory of its own size.
//
// It returns a chunk after each read that completed an event, so nothing waits
// for a block to fill. Chunks of small reads share their block.
//
// It is for one goroutine.
type framer struct {
	r        io.Reader
	pool     *chunkPool
	maxEvent int
	sequence byte // expected of the next packet

	block *block
	start int   // in block: first byte of the packet under way
	end   int   // in block: end of what was read
	err   error // of the stream, once the events before it were handed out
}

// newFramer reads from r, whose first packet has sequence number 1: the command
// had number 0.
func newFramer(r io.Reader, pool *chunkPool, maxEvent int) *framer {
	return &framer{r: r, pool: pool, maxEvent: maxEvent, sequence: 1}
}

// close gives the framer's memory back; handed-out chunks stay valid.
func (f *framer) close() {
	if f.block != nil {
		f.block.release()
		f.block = nil
	}
}

// next returns the next events, at least one. The caller owns the chunk's
// reference. Errors are those of the reader, errEndOfStream, *mysql.ServerError
// or a protocol error; after an error there is nothing more.
func (f *framer) next() (*Chunk, error) {
	for f.err == nil {
		c := f.pool.chunk()
		f.cut(c)
		if len(c.Events) > 0 {
			return c, nil
		}
		c.Release()
		if f.err != nil {
			break
		}
		if c := f.large(); c != nil {
			return c, nil
		}
		if f.err == nil {
			f.err = f.fill()
		}
	}
	return nil, f.err
}

// fill reads once, into the present block if it has room, else into a new one.
func (f *framer) fill() error {
	if f.block == nil || len(f.block.data)-f.end < minFreeToRead {
		b := f.pool.block()
		rest := 0
		if f.block != nil {
			rest = copy(b.data, f.block.data[f.start:f.end])
			f.block.release()
		}
		f.block, f.start, f.end = b, 0, rest
	}
	n, err := f.r.Read(f.block.data[f.end:])
	f.end += n
	if n > 0 {
		return nil // an error comes again with the next read
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// cut puts the complete events of the block into c. It stops before a packet
// that is not complete.
func (f *framer) cut(c *Chunk) {
	if f.block == nil {
		return
	}
	data := f.block.data[:f.end]
	for len(data)-f.start >= packetHeader {
		size := payloadSize(data[f.start:])
		if size == maxPayload || len(data)-f.start-packetHeader < size {
			break
		}
		body := f.start + packetHeader
		if f.err = f.check(data[f.start+3], data[body:body+size]); f.err != nil {
			break
		}
		c.Events = append(c.Events, Span{Start: uint32(body + 1), End: uint32(body + size)})
		f.start = body + size
	}
	if len(c.Events) > 0 {
		c.attach(f.block)
	}
}

// check looks at a packet's sequence number and status byte.
func (f *framer) check(sequence byte, payload []byte) error {
	if sequence != f.sequence {
		return fmt.Errorf("packet has sequence number %d, want %d", sequence, f.sequence)
	}
	f.sequence++
	if len(payload) == 0 {
		return errors.New("packet is empty")
	}
	switch payload[0] {
	case statusOK:
		if len(payload) < 1+binlog.HeaderSize {
			return fmt.Errorf("packet of %d bytes is too short for an event", len(payload))
		}
		return nil
	case statusEOF:
		return errEndOfStream
	case statusERR:
		return mysql.ParseErrorPacket(payload)
	default:
		return fmt.Errorf("packet has unknown status 0x%02x", payload[0])
	}
}

// large reads the packet under way into memory of its own if it cannot fit a
// block. It returns nil if it can, or if reading failed.
func (f *framer) large() *Chunk {
	if f.block == nil || f.end-f.start < packetHeader {
		return nil
	}
	header := f.block.data[f.start : f.start+packetHeader]
	size := payloadSize(header)
	if size != maxPayload && size+packetHeader <= f.pool.size-minFreeToRead {
		return nil
	}
	sequence := header[3]
	f.start += packetHeader
	l := &largeEvent{f: f, b: f.pool.memory(size)}
	err := l.add(size)
	if err == nil {
		err = f.check(sequence, l.payload())
	}
	for err == nil && l.last == maxPayload {
		err = l.next()
	}
	if err != nil {
		l.b.release()
		f.err = err
		return nil
	}
	c := f.pool.chunk()
	c.attach(l.b)
	l.b.release()
	c.Events = append(c.Events, Span{Start: 1, End: uint32(l.n)})
	return c
}

// largeEvent is an event under way that has memory of its own.
type largeEvent struct {
	f    *framer
	b    *block
	n    int // bytes in b
	last int // payload size of the last packet
}

func (l *largeEvent) payload() []byte { return l.b.data[:l.n] }

// next appends the payload of the next packet of the same event.
func (l *largeEvent) next() error {
	var header [packetHeader]byte
	if err := l.f.take(header[:]); err != nil {
		return err
	}
	if header[3] != l.f.sequence {
		return fmt.Errorf("packet has sequence number %d, want %d", header[3], l.f.sequence)
	}
	l.f.sequence++
	return l.add(payloadSize(header[:]))
}

// maxGrowth is how many times what has arrived an event may get at once. Most
// events so get what they need with the second packet, without being copied again.
const maxGrowth = 8

// promised is how many bytes there will be as the event's header has it. The
// status byte comes before it.
func (l *largeEvent) promised() int {
	if l.n < 1+binlog.HeaderSize {
		return 0
	}
	return 1 + int(binary.LittleEndian.Uint32(l.b.data[1+9:]))
}

// add appends size bytes of the stream. Memory grows with what has arrived and
// no further than what the event's header promises.
func (l *largeEvent) add(size int) error {
	l.last = size
	if l.n+size > l.f.maxEvent+1 {
		return fmt.Errorf("event is larger than %d bytes", l.f.maxEvent)
	}
	if len(l.b.data) < l.n+size {
		grown := l.f.pool.memory(max(l.n+size, min(maxGrowth*l.n, l.promised())))
		copy(grown.data, l.payload())
		l.b.release()
		l.b = grown
	}
	l.n += size
	return l.f.take(l.b.data[l.n-size : l.n])
}

// take fills p with the next bytes of the stream.
func (f *framer) take(p []byte) error {
	n := copy(p, f.block.data[f.start:f.end])
	f.start += n
	_, err := io.ReadFull(f.r, p[n:])
	if errors.Is(err, io.EOF) && n > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

func payloadSize(header []byte) int {
	return int(binary.LittleEndian.Uint32(header) & maxPayload)
}
