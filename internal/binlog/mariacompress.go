package binlog

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"slices"
)

// maxDeflateRatio bounds what a byte of deflate data can unpack to; a length
// beyond it is a lie, and nothing is allocated for it.
const maxDeflateRatio = 1032

// DecompressMariaRows turns a compressed rows event of MariaDB (log_bin_compress)
// into the plain one: its type and a new body. max bounds the bytes of the new
// body's rows. Any other event is an error.
func DecompressMariaRows(t EventType, body []byte, max int) (EventType, []byte, error) {
	var plain EventType
	switch {
	case t >= EventMariaWriteRowsV1C && t <= EventMariaDeleteRowsV1C:
		plain = EventWriteRowsV1 + t - EventMariaWriteRowsV1C
	case t >= EventMariaWriteRowsV2C && t <= EventMariaDeleteRowsV2C:
		plain = EventWriteRowsV2 + t - EventMariaWriteRowsV2C
	default:
		return 0, nil, fmt.Errorf("decompress rows: type %d is not a compressed rows event", t)
	}
	rows, err := ParseRows(plain, body, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("decompress rows: %w", err)
	}
	fixed := body[:len(body)-len(rows.Data)]
	out, err := appendInflated(fixed, rows.Data, max)
	if err != nil {
		return 0, nil, fmt.Errorf("decompress rows: %w", err)
	}
	return plain, out, nil
}

// DecompressMariaQuery turns the body of a compressed query event of MariaDB
// into one for ParseQuery. max bounds the bytes of the statement.
func DecompressMariaQuery(body []byte, max int) ([]byte, error) {
	q, err := ParseQuery(body, FlavorMariaDB)
	if err != nil {
		return nil, fmt.Errorf("decompress query: %w", err)
	}
	fixed := body[:len(body)-len(q.SQL)]
	out, err := appendInflated(fixed, q.SQL, max)
	if err != nil {
		return nil, fmt.Errorf("decompress query: %w", err)
	}
	return out, nil
}

// appendInflated returns a new slice of fixed followed by what data unpacks to
// (MariaDB's binlog_buf_compress): a byte with the algorithm in bits 4 to 6 and
// the width of the length in bits 0 to 2, the length big endian, a zlib stream.
func appendInflated(fixed, data []byte, max int) ([]byte, error) {
	c := newCursor(data)
	head := c.u8()
	width := int(head & 0x07)
	var size uint64
	for _, b := range c.bytes(uint64(width)) {
		size = size<<8 | uint64(b)
	}
	if err := c.err("compressed part"); err != nil {
		return nil, err
	}
	if algorithm := head >> 4 & 0x07; algorithm != 0 || head&0x80 == 0 || width == 0 || width > 4 {
		return nil, fmt.Errorf("compressed part begins with unknown byte %#02x", head)
	}
	if size > uint64(max) {
		return nil, fmt.Errorf("unpacks to %d bytes, more than the %d allowed", size, max)
	}
	if size > uint64(c.len())*maxDeflateRatio {
		return nil, fmt.Errorf("%d bytes cannot unpack to %d", c.len(), size)
	}
	return appendZlib(slices.Grow(slices.Clip(fixed), int(size)), c.rest(), int(size))
}

// appendZlib appends the exactly size bytes of a zlib stream to dst.
func appendZlib(dst, stream []byte, size int) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, err
	}
	start := len(dst)
	dst = dst[:start+size]
	if _, err := io.ReadFull(z, dst[start:]); err != nil {
		return nil, fmt.Errorf("unpack %d bytes: %w", size, err)
	}
	var more [1]byte
	if n, err := z.Read(more[:]); n > 0 || err != io.EOF { // reading to the end checks the Adler-32
		if err == nil || err == io.EOF {
			return nil, fmt.Errorf("unpacks to more than the %d bytes it claims", size)
		}
		return nil, err
	}
	return dst, nil
}
