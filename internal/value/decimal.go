package value

import (
	"encoding/binary"
	"fmt"
)

// groupDigits is how many decimal digits one full group of 4 bytes holds
// (DIG_PER_DEC1 in MySQL's decimal.cc).
const groupDigits = 9

// groupBytes gives the bytes that n digits of an incomplete group take
// (dig2bytes in MySQL's decimal.cc).
var groupBytes = [groupDigits + 1]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

// DecimalSize returns the length in bytes of a DECIMAL(precision, scale) value.
// Both must be in the range that AppendDecimal accepts.
func DecimalSize(precision, scale int) int {
	whole := precision - scale
	return whole/groupDigits*4 + groupBytes[whole%groupDigits] +
		scale/groupDigits*4 + groupBytes[scale%groupDigits]
}

// validDecimal reports whether a column can be DECIMAL(precision, scale). The
// limit is what the metadata's one byte can say, not MySQL's 65.
func validDecimal(precision, scale int) bool {
	return precision >= 1 && precision <= 255 && scale >= 0 && scale <= precision
}

// AppendDecimal appends a DECIMAL value as Canal prints it: no leading zeros
// but one before the point, and of the digits after the point first the full
// groups of nine, then the remaining ones only if they are not all zero; a
// point with nothing after it gets a single zero. DECIMAL(10,2) gives 5.10 for
// 5.10 but 5.0 for 5.00. Zero has no sign.
//
// data must be exactly DecimalSize(precision, scale) bytes, in the layout of
// decimal2bin in MySQL's decimal.cc: groups of nine digits in four big-endian
// bytes, aligned at the point; the first bit inverted, and all bits inverted
// for a negative number.
func AppendDecimal(dst, data []byte, precision, scale int) ([]byte, error) {
	if !validDecimal(precision, scale) {
		return dst, fmt.Errorf("decimal(%d,%d) is not a type", precision, scale)
	}
	if size := DecimalSize(precision, scale); len(data) != size {
		return dst, fmt.Errorf("decimal(%d,%d) in %d bytes instead of %d", precision, scale, len(data), size)
	}
	if len(data) <= 8 && scale < groupDigits {
		return appendSmallDecimal(dst, data, precision, scale)
	}
	start := len(dst)
	r := decimalReader{data: data, first: 0x80}
	if data[0]&0x80 == 0 {
		r.mask = 0xFFFFFFFF
		dst = append(dst, '-')
	}

	point := len(dst)
	whole := precision - scale
	if n := whole % groupDigits; n > 0 {
		dst = appendGroup(dst, r.next(n), n, point)
	}
	for range whole / groupDigits {
		dst = appendGroup(dst, r.next(groupDigits), groupDigits, point)
	}
	if len(dst) == point {
		dst = append(dst, '0')
	}
	if scale > 0 {
		dst = append(dst, '.')
		after := len(dst)
		for range scale / groupDigits {
			dst = appendDigits(dst, uint64(r.next(groupDigits)), groupDigits)
		}
		if n := scale % groupDigits; n > 0 {
			if v := r.next(n); v != 0 {
				dst = appendDigits(dst, uint64(v), n)
			}
		}
		if len(dst) == after {
			dst = append(dst, '0')
		}
	}
	if r.bad {
		return dst[:start], fmt.Errorf("decimal(%d,%d) with a group of digits out of range: % x", precision, scale, data)
	}
	if r.mask != 0 && r.seen == 0 {
		return append(dst[:start], dst[start+1:]...), nil
	}
	return dst, nil
}

// appendSmallDecimal is AppendDecimal for up to eight bytes, of which no full group is behind
// the point: all groups are in one word.
func appendSmallDecimal(dst, data []byte, precision, scale int) ([]byte, error) {
	word, sign := bigEndian(data), uint64(1)<<(8*len(data)-1)
	word ^= sign
	negative := word&sign != 0
	if negative {
		word = ^word & (sign<<1 - 1)
	}
	tail := 8 * groupBytes[scale]
	after, before := uint32(word&(1<<tail-1)), word>>tail
	bad := uint64(after) >= pow10[scale]
	if whole := precision - scale; whole > groupDigits {
		high, low := before>>32, before&(1<<32-1)
		bad = bad || high >= pow10[whole-groupDigits] || low >= pow10[groupDigits]
		before = high*pow10[groupDigits] + low
	} else {
		bad = bad || before >= pow10[whole]
	}
	if bad {
		return dst, fmt.Errorf("decimal(%d,%d) with a group of digits out of range: % x", precision, scale, data)
	}
	dst = room(dst, 1+PutRoom+1+8)
	at := len(dst)
	out := dst[at:cap(dst)]
	n := 0
	if negative && word != 0 {
		out[0] = '-'
		n = 1
	}
	n += PutUint(out[n:], before)
	if scale > 0 {
		out[n] = '.'
		if after == 0 {
			scale = 1
		}
		binary.LittleEndian.PutUint64(out[n+1:], (decimals(after)|eightZeros)>>(8*(8-scale)))
		n += 1 + scale
	}
	return dst[:at+n], nil
}

// bigEndian is the number in 1 to 8 bytes.
func bigEndian(b []byte) uint64 {
	if n := len(b); n >= 4 {
		return uint64(binary.BigEndian.Uint32(b))<<(8*n-32) | uint64(binary.BigEndian.Uint32(b[n-4:]))
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// appendGroup appends the n digits of v, without leading zeros while nothing
// else of the integer part, which begins at point, has been written.
func appendGroup(dst []byte, v uint32, n, point int) []byte {
	if len(dst) > point {
		return appendDigits(dst, uint64(v), n)
	}
	if v == 0 {
		return dst
	}
	return AppendUint(dst, uint64(v))
}

// A decimalReader takes a decimal apart into its groups of digits.
type decimalReader struct {
	data  []byte
	first byte   // to be flipped in the next byte: 0x80 before the first group
	mask  uint32 // all ones for a negative number
	seen  uint32 // all groups or-ed: zero for a zero
	bad   bool   // a group had more digits than its place
}

// next returns the group of n digits, 1 to 9, at the front.
func (r *decimalReader) next(n int) uint32 {
	size := groupBytes[n]
	var v uint32
	switch data := r.data; size {
	case 1:
		v = uint32(data[0])
	case 2:
		v = uint32(binary.BigEndian.Uint16(data))
	case 3:
		v = uint32(data[0])<<16 | uint32(data[1])<<8 | uint32(data[2])
	default:
		v = binary.BigEndian.Uint32(data)
	}
	v ^= uint32(r.first) << (8*size - 8)
	r.first = 0
	r.data = r.data[size:]
	v = (v ^ r.mask) & (0xFFFFFFFF >> (32 - 8*size))
	r.seen |= v
	r.bad = r.bad || uint64(v) >= pow10[n]
	return v
}
