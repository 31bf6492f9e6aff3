package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
)

// HeaderLength is the length of what precedes each packet on the connection:
// the packet's length as a big-endian signed 32-bit number.
const HeaderLength = 4

// frameStep is how much memory ReadFrame asks for at a time, so that a header
// that lies costs no more than what really arrives.
const frameStep = 1 << 20

// minBuffer is the least ReadFrame allocates: enough for any request without a
// long filter, so that a reader that passes the result back allocates once.
const minBuffer = 512

// FrameSizeError says that a frame header names a length that is negative or
// above the reader's limit. What follows on the connection cannot be read.
type FrameSizeError struct {
	Length int // as the header says
	Max    int // the reader's limit
}

func (e *FrameSizeError) Error() string {
	if e.Length < 0 {
		return fmt.Sprintf("negative frame length %d", e.Length)
	}
	return fmt.Sprintf("frame of %d bytes is over the limit of %d", e.Length, e.Max)
}

// FrameLength reads the length in a frame header, which must be HeaderLength
// bytes, and checks it against max. The error is a *FrameSizeError.
func FrameLength(header []byte, max int) (int, error) {
	n := int(int32(binary.BigEndian.Uint32(header)))
	if n < 0 || n > max {
		return 0, &FrameSizeError{Length: n, Max: max}
	}
	return n, nil
}

// ReadFrame reads one frame of at most max bytes and returns the packet in it.
// The result uses buf's memory when that is large enough, so it is valid until
// buf's next use. An empty packet is legal.
//
// The error is io.EOF when the connection ends between frames,
// io.ErrUnexpectedEOF when it ends within one, and a *FrameSizeError when the
// length is out of bounds.
func ReadFrame(r io.Reader, buf []byte, max int) ([]byte, error) {
	if cap(buf) < minBuffer {
		buf = make([]byte, 0, minBuffer)
	}
	buf = buf[:HeaderLength]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, err
	}
	n, err := FrameLength(buf, max)
	if err != nil {
		return nil, err
	}
	buf = buf[:0]
	for len(buf) < n {
		have := len(buf)
		if have == cap(buf) {
			grown := make([]byte, have, min(n, 2*have+frameStep))
			copy(grown, buf)
			buf = grown
		}
		buf = buf[:min(n, cap(buf))]
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}

// AppendFrame appends packet with its header.
func AppendFrame(dst, packet []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(packet)))
	return append(dst, packet...)
}

// appendFramed appends a frame around what body appends.
func appendFramed(dst []byte, body func([]byte) []byte) []byte {
	start := len(dst)
	dst = body(append(dst, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-HeaderLength))
	return dst
}
