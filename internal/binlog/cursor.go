package binlog

import (
	"encoding/binary"
	"fmt"
)

// cursor reads forward through bytes that came from outside. A read past the
// end yields zero values and marks the cursor as short; the caller asks err
// once, after its last read, instead of after each.
type cursor struct {
	data  []byte // what is left
	total int    // len(data) at the start, for messages
	short bool   // something was asked for that is not there
}

func newCursor(data []byte) cursor { return cursor{data: data, total: len(data)} }

// fail marks the cursor as short and leaves nothing to read.
func (c *cursor) fail() {
	c.short = true
	c.data = nil
}

// err reports whether any read went past the end; what names the thing read.
func (c *cursor) err(what string) error {
	if !c.short {
		return nil
	}
	return fmt.Errorf("%s: truncated or malformed in %d bytes", what, c.total)
}

// len is the number of bytes left.
func (c *cursor) len() int { return len(c.data) }

// rest returns everything left and consumes it.
func (c *cursor) rest() []byte {
	b := c.data
	c.data = c.data[len(c.data):]
	return b
}

// bytes returns the next n bytes without copying. Any n is allowed, also one
// that was read from the input and is absurd.
func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.data)) {
		c.fail()
		return nil
	}
	b := c.data[:n:n]
	c.data = c.data[n:]
	return b
}

func (c *cursor) skip(n uint64) { c.bytes(n) }

func (c *cursor) u8() uint8 {
	if len(c.data) < 1 {
		c.fail()
		return 0
	}
	v := c.data[0]
	c.data = c.data[1:]
	return v
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// uint reads an n-byte little-endian number, n <= 8.
func (c *cursor) uint(n uint64) uint64 {
	var v uint64
	for i, b := range c.bytes(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// packed reads MySQL's length-encoded integer (net_field_length_ll). The NULL
// marker 251 and the unused 255 are malformed here: no event field uses them.
func (c *cursor) packed() uint64 {
	switch first := c.u8(); first {
	case 251, 255:
		c.fail()
		return 0
	case 252:
		return c.uint(2)
	case 253:
		return c.uint(3)
	case 254:
		return c.uint(8)
	default:
		return uint64(first)
	}
}

// packedBytes reads a length-encoded string.
func (c *cursor) packedBytes() []byte { return c.bytes(c.packed()) }

// bitmap reads a bitmap of n bits, least significant bit of the first byte first.
func (c *cursor) bitmap(n uint64) []byte { return c.bytes(n/8 + (n%8+7)/8) }

// Bit reports whether bit i is set in a bitmap as MySQL writes them for
// columns: bit 0 is the least significant of the first byte. A bit beyond the
// end counts as not set.
func Bit(bitmap []byte, i int) bool {
	return i>>3 < len(bitmap) && bitmap[i>>3]>>(i&7)&1 != 0
}
