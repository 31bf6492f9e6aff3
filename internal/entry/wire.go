package entry

import "math/bits"

// sizeVarint is the number of bytes a varint takes.
func sizeVarint(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// appendVarint appends v as a base 128 varint.
func appendVarint(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// putVarint writes v at the start of b, which has room for it, and returns how many
// bytes that takes.
func putVarint(b []byte, v uint64) int {
	i := 0
	for v >= 0x80 {
		b[i] = byte(v) | 0x80
		v >>= 7
		i++
	}
	b[i] = byte(v)
	return i + 1
}

// appendString appends a length-delimited field with a one-byte tag.
func appendString[T string | []byte](dst []byte, tag byte, s T) []byte {
	dst = append(dst, tag)
	dst = appendVarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// appendInt appends a varint field with a one-byte tag. Negative numbers take
// ten bytes, as protobuf has it.
func appendInt(dst []byte, tag byte, v int64) []byte {
	return appendVarint(append(dst, tag), uint64(v))
}

var padding [10]byte

// openLength leaves width bytes for a length that closeLength fills in. It
// returns the place of the first byte after them.
func openLength(dst []byte, width int) ([]byte, int) {
	dst = append(dst, padding[:width]...)
	return dst, len(dst)
}

// closeLength writes the length of what follows at, before which width bytes
// were left. When the length needs another width the content is moved. It
// returns the new buffer and the width used, the best guess for next time.
func closeLength(dst []byte, at, width int) ([]byte, int) {
	n := len(dst) - at
	need := sizeVarint(uint64(n))
	if need != width {
		dst = shift(dst, at, need-width)
	}
	putVarint(dst[at-width:], uint64(n))
	return dst, need
}

// shift moves dst[at:] by delta bytes, growing or shrinking dst.
func shift(dst []byte, at, delta int) []byte {
	if delta > 0 {
		dst = append(dst, padding[:delta]...)
		copy(dst[at+delta:], dst[at:len(dst)-delta])
		return dst
	}
	copy(dst[at+delta:], dst[at:])
	return dst[:len(dst)+delta]
}
