package entry

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/value"
)

// cell appends the Column message of one value. It returns the length of the
// value's text and the number of bytes the cell took from data.
func (e *Encoder) cell(dst []byte, p *Plan, c *column, i int, tag, updated byte, data []byte, diff bool) (out []byte, textLen, used int, err error) {
	if c.cell >= cellText {
		return e.variable(dst, c, tag, updated, data, diff)
	}
	w := c.width
	if len(data) < w {
		return dst, 0, 0, errShortRow
	}
	data = data[:w]
	head := c.head
	var u uint64
	if c.cell <= cellLongLong {
		u = unsignedLE(data)
		if c.unsigned && data[w-1]&0x80 != 0 {
			head = c.headHigh
		}
	}
	dst, at := c.open(dst, head, tag, updated)
	switch c.cell {
	case cellTiny, cellShort, cellMedium, cellLong, cellLongLong:
		if c.unsigned {
			dst = strconv.AppendUint(dst, u, 10)
		} else {
			unused := 64 - 8*w
			dst = strconv.AppendInt(dst, int64(u<<unused)>>unused, 10)
		}
	case cellFloat:
		dst = value.AppendFloat32(dst, math.Float32frombits(binary.LittleEndian.Uint32(data)))
	case cellDouble:
		dst = value.AppendFloat64(dst, math.Float64frombits(binary.LittleEndian.Uint64(data)))
	case cellDecimal:
		dst, err = value.AppendDecimal(dst, data, int(c.meta>>8), int(c.meta&0xff))
	case cellBit:
		dst = value.AppendBit(dst, data)
	case cellYear:
		dst = value.AppendYear(dst, data[0])
	case cellDate:
		dst = value.AppendDate(dst, uint32(unsignedLE(data)))
	case cellTimeOld:
		dst = value.AppendTimeOld(dst, int32(unsignedLE(data)<<40>>40)<<8>>8)
	case cellTime:
		dst, err = value.AppendTime2(dst, data, int(c.meta))
	case cellDatetimeOld:
		dst = value.AppendDatetimeOld(dst, binary.LittleEndian.Uint64(data))
	case cellDatetime:
		dst, err = value.AppendDatetime2(dst, data, int(c.meta))
	case cellTimestampOld:
		dst = p.zone.AppendTimestampOld(dst, binary.LittleEndian.Uint32(data))
	case cellTimestamp:
		dst, err = p.zone.AppendTimestamp2(dst, data, int(c.meta))
	case cellEnum, cellSet:
		dst = strconv.AppendUint(dst, unsignedLE(data), 10)
	}
	if err != nil {
		return dst, 0, 0, err
	}
	dst, textLen = c.close(dst, head, at)
	return dst, textLen, w, nil
}

// unsignedLE is a little-endian number of up to eight bytes.
func unsignedLE(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// open appends a Column message up to the start of a value whose text is
// shorter than 128 bytes, and returns where the text begins.
func (c *column) open(dst, head []byte, tag, updated byte) ([]byte, int) {
	dst = append(dst, tag)
	dst = append(dst, padding[:c.guess]...)
	dst = append(dst, head...)
	dst = append(dst, updated, 0x30, 0, 0x42, 0)
	return dst, len(dst)
}

// close ends a Column message begun by open: it fills in the lengths and
// appends what follows the value. It returns the length of the text.
func (c *column) close(dst, head []byte, at int) ([]byte, int) {
	text := len(dst) - at
	dst[at-1] = byte(text)
	dst = append(dst, c.tail...)
	n := len(head) + 5 + text + len(c.tail)
	start := at - 5 - len(head)
	if w := sizeVarint(uint64(n)); w != c.guess {
		dst = shift(dst, start, w-c.guess)
	}
	putVarint(dst[start-c.guess:], uint64(n))
	return dst, text
}

// known appends a Column message up to the text of a value that is n bytes long.
func (c *column) known(dst []byte, tag, updated byte, n int) []byte {
	size := len(c.head) + 4 + sizeVarint(uint64(n)) + n + len(c.tail)
	dst = appendVarint(append(dst, tag), uint64(size))
	dst = append(dst, c.head...)
	dst = append(dst, updated, 0x30, 0, 0x42)
	return appendVarint(dst, uint64(n))
}

// variable appends the Column message of a value that carries its own length.
func (e *Encoder) variable(dst []byte, c *column, tag, updated byte, data []byte, diff bool) (out []byte, textLen, used int, err error) {
	data, used, err = c.content(data)
	if err != nil {
		return dst, 0, 0, err
	}
	switch c.cell {
	case cellText:
		if c.utf8 && charset.ValidUTF8(data) {
			dst = c.known(room(dst, len(data)), tag, updated, len(data))
			dst = append(dst, data...)
			return append(dst, c.tail...), len(data), used, nil
		}
		e.text = c.charset.Append(e.text[:0], data)
	case cellBinary:
		n := value.Latin1Len(data)
		dst = value.AppendLatin1(c.known(room(dst, n), tag, updated, n), data)
		return append(dst, c.tail...), n, used, nil
	default:
		if e.text, err = c.special(e.text[:0], data, diff); err != nil {
			return dst, 0, 0, err
		}
	}
	n := len(e.text)
	dst = append(c.known(room(dst, n), tag, updated, n), e.text...)
	e.text = reuse(e.text)
	return append(dst, c.tail...), n, used, nil
}

// bigText is the length in bytes from which the memory for a text is taken at once.
const bigText = 1 << 20

// room makes room for a text of n bytes. For a big one there is more than it
// needs: the few bytes that follow it in the entry would else make the buffer
// grow once more, by a quarter of its size.
func room(dst []byte, n int) []byte {
	if n < bigText {
		return dst
	}
	return slices.Grow(dst, n+n/64)
}

// Lengthens says whether a text of this table can be longer than its bytes in
// the binlog by more than a little: binary columns come as ISO-8859-1, in which
// half of the byte values take two bytes of UTF-8.
func (p *Plan) Lengthens() bool {
	return slices.ContainsFunc(p.columns, func(c column) bool { return c.cell == cellBinary })
}

// content is the bytes of a cell after its length prefix.
func (c *column) content(data []byte) (content []byte, used int, err error) {
	if c.cell == cellNull {
		return nil, 0, errors.New("a value in a column that can only hold NULL")
	}
	if len(data) < c.width {
		return nil, 0, errShortRow
	}
	n := unsignedLE(data[:c.width])
	if n > uint64(len(data)-c.width) {
		return nil, 0, errShortRow
	}
	used = c.width + int(n)
	return data[c.width:used], used, nil
}

// skip is how many bytes a cell takes.
func (c *column) skip(data []byte) (int, error) {
	if c.cell >= cellText {
		_, used, err := c.content(data)
		return used, err
	}
	if len(data) < c.width {
		return 0, errShortRow
	}
	return c.width, nil
}

// special appends the text of the rarer kinds.
func (c *column) special(dst, data []byte, diff bool) ([]byte, error) {
	switch c.cell {
	case cellJSON:
		if diff {
			return value.AppendJSONDiff(dst, data, c.name, c.charset)
		}
		return value.AppendJSON(dst, data, c.charset)
	case cellUUID:
		return appendUUID(dst, data), nil
	case cellInet4, cellInet6:
		return appendAddress(dst, data, c.cell), nil
	case cellCompressedText, cellCompressedBinary:
		plain, err := binlog.AppendMariaColumn(nil, data, maxColumn)
		if err != nil {
			return dst, err
		}
		if c.cell == cellCompressedText {
			return c.charset.Append(dst, plain), nil
		}
		return value.AppendLatin1(dst, plain), nil
	}
	return dst, fmt.Errorf("cell kind %d has no text", c.cell)
}

// appendUUID prints MariaDB's UUID type. Row images hold it as a BINARY(16)
// whose trailing zero bytes are cut off, in the order of the text.
func appendUUID(dst, data []byte) []byte {
	var b [16]byte
	copy(b[:], data)
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		at := [...]int{0, 4, 6, 8, 10}[i]
		dst = hex.AppendEncode(dst, b[at:at+n])
	}
	return dst
}

// appendAddress prints MariaDB's INET4 and INET6 types, which row images hold
// as a BINARY whose trailing zero bytes are cut off.
func appendAddress(dst, data []byte, k cellKind) []byte {
	if k == cellInet4 {
		var b [4]byte
		copy(b[:], data)
		return netip.AddrFrom4(b).AppendTo(dst)
	}
	var b [16]byte
	copy(b[:], data)
	return netip.AddrFrom16(b).AppendTo(dst)
}

// maxColumn bounds what one compressed value may unpack to, in bytes: MySQL's
// own limit for a row.
const maxColumn = 1 << 30
