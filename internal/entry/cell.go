package entry

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/value"
)

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

// Lengthens says whether a text of this table can be longer than its bytes in
// the binlog by more than a little: binary columns come as ISO-8859-1, in which
// half of the byte values take two bytes of UTF-8.
func (p *Plan) Lengthens() bool {
	return slices.ContainsFunc(p.columns, func(c column) bool { return c.cell == cellBinary })
}

// size is how many bytes the cell at the start of data takes, with its length.
func (c *column) size(data []byte) (int, error) {
	n := c.width
	if len(data) < n {
		return 0, errShortRow
	}
	if c.cell < cellText {
		return n, nil
	}
	if c.cell == cellNull {
		return 0, errors.New("a value in a column that can only hold NULL")
	}
	content := unsignedLE(data[:n])
	if content > uint64(len(data)-n) {
		return 0, errShortRow
	}
	return n + int(content), nil
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
