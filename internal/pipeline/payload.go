package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/source"
)

// payloadChunk is how much of a compressed transaction is unpacked at a time,
// in bytes; a larger event gets memory of its own.
const payloadChunk = 256 << 10

// maxWindow bounds the memory that a compressed transaction may ask for. The
// highest level MySQL offers needs 128 MiB.
const maxWindow = 128 << 20

// payloadReader unpacks compressed transactions. The decoder is made once per
// dump, with the first of them.
type payloadReader struct {
	zstd *zstd.Decoder
}

// open returns the plain events of a payload, one after the other.
func (r *payloadReader) open(p binlog.Payload) (io.Reader, error) {
	switch p.Compression {
	case binlog.CompressionNone:
		return bytes.NewReader(p.Data), nil
	case binlog.CompressionZstd:
	default:
		return nil, fmt.Errorf("transaction compressed with unknown algorithm %d", p.Compression)
	}
	if r.zstd == nil {
		var err error
		if r.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err != nil {
			return nil, fmt.Errorf("zstd decoder: %w", err)
		}
	}
	if err := r.zstd.Reset(bytes.NewReader(p.Data)); err != nil {
		return nil, fmt.Errorf("compressed transaction: %w", err)
	}
	return r.zstd, nil
}

func (r *payloadReader) close() {
	if r.zstd != nil {
		r.zstd.Close()
	}
}

// transactionPayload scans the events of a compressed transaction in chunks,
// so that memory does not grow with the transaction.
func (s *scanner) transactionPayload(ctx context.Context, h binlog.Header, body []byte) error {
	p, err := binlog.ParseTransactionPayload(body)
	if err != nil {
		return err
	}
	r, err := s.payload.open(p)
	if err != nil {
		return err
	}
	// What was scanned so far goes first, and what follows gets a new job.
	outerChunk := s.job.chunk
	if err := s.publishAndReopen(ctx, outerChunk); err != nil {
		return err
	}
	s.outer, s.inner = &h, 0
	err = s.payloadEvents(ctx, r)
	s.outer = nil
	if err != nil {
		return err
	}
	if err := s.publishAndReopen(ctx, outerChunk); err != nil {
		return err
	}
	s.boundary(h)
	return nil
}

// publishAndReopen publishes the open job and opens one over c.
func (s *scanner) publishAndReopen(ctx context.Context, c *source.Chunk) error {
	err := s.publish(ctx)
	s.begin(c)
	return err
}

// payloadEvents scans the events that r gives.
func (s *scanner) payloadEvents(ctx context.Context, r io.Reader) error {
	var head [binlog.HeaderSize]byte
	for {
		buf := make([]byte, 0, payloadChunk)
		var spans []source.Span
		for len(buf) < payloadChunk {
			if _, err := io.ReadFull(r, head[:]); err == io.EOF {
				break
			} else if err != nil {
				return fmt.Errorf("compressed transaction: %w", err)
			}
			size := binary.LittleEndian.Uint32(head[9:])
			if size < binlog.HeaderSize || size > maxEvent {
				return fmt.Errorf("compressed transaction: event of %d bytes", size)
			}
			if len(buf) > 0 && len(buf)+int(size) > cap(buf) {
				if err := s.payloadPart(ctx, buf, spans); err != nil {
					return err
				}
				buf, spans = make([]byte, 0, payloadChunk), nil
			}
			start := len(buf)
			buf = append(buf, head[:]...)
			var err error
			if buf, err = readN(r, buf, int(size)-binlog.HeaderSize); err != nil {
				return fmt.Errorf("compressed transaction: %w", err)
			}
			spans = append(spans, source.Span{Start: uint32(start), End: uint32(len(buf))})
		}
		if len(spans) == 0 {
			return nil
		}
		if err := s.payloadPart(ctx, buf, spans); err != nil {
			return err
		}
	}
}

// readN appends n bytes from r. It grows buf as the bytes come, so that an
// announced size alone costs nothing.
func readN(r io.Reader, buf []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, payloadChunk)
		at := len(buf)
		buf = append(buf, make([]byte, step)...)
		if _, err := io.ReadFull(r, buf[at:]); err == io.EOF {
			return buf, io.ErrUnexpectedEOF
		} else if err != nil {
			return buf, err
		}
		n -= step
	}
	return buf, nil
}

// payloadPart scans and publishes some unpacked events.
func (s *scanner) payloadPart(ctx context.Context, buf []byte, spans []source.Span) error {
	c := source.NewChunk(buf, spans)
	defer c.Release()
	s.job.abandon() // it is empty
	s.begin(c)
	for i := range c.Len() {
		if err := s.event(ctx, c.Event(i)); err != nil {
			return err
		}
	}
	if err := s.publishAndReopen(ctx, c); err != nil {
		return err
	}
	return s.d.settle(ctx, len(buf))
}
