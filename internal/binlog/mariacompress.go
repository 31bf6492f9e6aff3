package binlog

import (
	"bytes"
	"compress/flate"
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
	if c.short || head&0x80 == 0 || head>>4&0x07 != 0 {
		return nil, fmt.Errorf("compressed part of %d bytes begins with %#02x", len(data), head)
	}
	size, err := c.unpackedSize(int(head&0x07), max)
	if err != nil {
		return nil, err
	}
	return appendZlib(slices.Grow(slices.Clip(fixed), size), c.rest(), size)
}

// AppendMariaColumn appends the value of a cell of a compressed column of MariaDB
// (TypeBlobCompressed, TypeVarcharCompressed), given without its length prefix.
// max bounds the bytes of the value.
//
// The first byte of a cell that is not empty has the method in its upper half, 0
// for stored and 8 for deflate, then a bit that says the deflate stream has no
// zlib wrapper, then the width of the length, which follows big endian
// (Field_longstr::compress).
func AppendMariaColumn(dst, cell []byte, max int) ([]byte, error) {
	if len(cell) == 0 {
		return dst, nil
	}
	c := newCursor(cell)
	head := c.u8()
	switch method := head >> 4; method {
	case 0:
		if c.len() > max {
			return nil, fmt.Errorf("compressed column: stored %d bytes, more than the %d allowed", c.len(), max)
		}
		return append(dst, c.rest()...), nil
	case 8:
	default:
		return nil, fmt.Errorf("compressed column: method %d is not known", method)
	}
	size, err := c.unpackedSize(int(head&0x07), max)
	if err != nil {
		return nil, fmt.Errorf("compressed column: %w", err)
	}
	dst = slices.Grow(dst, size)
	if head&0x08 == 0 {
		dst, err = appendZlib(dst, c.rest(), size)
	} else {
		dst, err = appendStream(dst, flate.NewReader(bytes.NewReader(c.rest())), size)
	}
	if err != nil {
		return nil, fmt.Errorf("compressed column: %w", err)
	}
	return dst, nil
}

// unpackedSize reads the length of what the rest of c unpacks to and checks that
// it is possible.
func (c *cursor) unpackedSize(width, max int) (int, error) {
	var size uint64
	for _, b := range c.bytes(uint64(width)) {
		size = size<<8 | uint64(b)
	}
	switch {
	case c.short || width == 0 || width > 4:
		return 0, fmt.Errorf("length of %d bytes in %d", width, c.total)
	case size > uint64(max):
		return 0, fmt.Errorf("unpacks to %d bytes, more than the %d allowed", size, max)
	case size > uint64(c.len())*maxDeflateRatio:
		return 0, fmt.Errorf("%d bytes cannot unpack to %d", c.len(), size)
	}
	return int(size), nil
}

// appendZlib appends the exactly size bytes of a zlib stream to dst, which
// has room for them.
func appendZlib(dst, stream []byte, size int) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, err
	}
	return appendStream(dst, z, size)
}

// appendStream appends the exactly size bytes that z gives.
func appendStream(dst []byte, z io.Reader, size int) ([]byte, error) {
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
