package value

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// pairs holds "00" to "99", so that two digits cost one lookup.
const pairs = "00010203040506070809" +
	"10111213141516171819" +
	"20212223242526272829" +
	"30313233343536373839" +
	"40414243444546474849" +
	"50515253545556575859" +
	"60616263646566676869" +
	"70717273747576777879" +
	"80818283848586878889" +
	"90919293949596979899"

// pow10 holds the powers of ten that fit 64 bits.
var pow10 = [20]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// digitCount returns the number of decimal digits of v, 1 for zero.
func digitCount(v uint64) int {
	// 1233/4096 is just above log10(2): the estimate is exact or one too small.
	n := bits.Len64(v|1) * 1233 >> 12
	if v >= pow10[n] {
		n++
	}
	return max(n, 1)
}

// PutRoom is the room in bytes that PutUint needs, which may be more than it writes.
const PutRoom = 32

// PutUint writes v in decimal to the start of b, which has PutRoom bytes, and returns
// the number of digits. What is behind them is overwritten.
func PutUint(b []byte, v uint64) int {
	_ = b[PutRoom-1]
	if v < 10 {
		b[0] = byte('0' + v)
		return 1
	}
	if v < 1e8 {
		d := decimals(uint32(v))
		zeros := bits.TrailingZeros64(d) &^ 7
		binary.LittleEndian.PutUint64(b, (d|eightZeros)>>(zeros&63))
		return 8 - zeros/8
	}
	return putLarge(b, v)
}

// putLarge is PutUint for numbers of nine digits or more.
func putLarge(b []byte, v uint64) int {
	if v < 1e16 {
		n := putFirst(b, uint32(v/1e8))
		put8(b[n:], uint32(v%1e8))
		return n + 8
	}
	n := putFirst(b, uint32(v/1e16))
	v %= 1e16
	put8(b[n:], uint32(v/1e8))
	put8(b[n+8:], uint32(v%1e8))
	return n + 16
}

// eightZeros are the digits 00000000.
const eightZeros = 0x3030303030303030

// decimals gives the eight decimal digits of v, which is below 1e8, as numbers: the
// first one in the lowest byte. It divides by 10,000, by 100 and by 10, each time all
// that is left at once, with multiplications that are exact for numbers so small.
func decimals(v uint32) uint64 {
	const (
		by100 = 10486 // / 2^20, for numbers below 10,000
		by10  = 103   // / 2^10, for numbers below 100
	)
	four := uint64(v/10000) | uint64(v%10000)<<32
	hundreds := four * by100 >> 20 & 0x0000007f_0000007f
	two := hundreds | (four-100*hundreds)<<16
	tens := two * by10 >> 10 & 0x000f_000f_000f_000f
	return tens | (two-10*tens)<<8
}

// put8 writes the eight digits of v, which is below 1e8, to the start of b.
func put8(b []byte, v uint32) { binary.LittleEndian.PutUint64(b, decimals(v)|eightZeros) }

// putFirst writes v, which is below 1e8, without leading zeros to the first eight
// bytes of b and returns the number of digits.
func putFirst(b []byte, v uint32) int {
	d := decimals(v)
	zeros := bits.TrailingZeros64(d|1<<56) / 8 // the last digit stays
	binary.LittleEndian.PutUint64(b, (d|eightZeros)>>(8*zeros))
	return 8 - zeros
}

// AppendUint appends v in decimal.
func AppendUint(dst []byte, v uint64) []byte {
	if v < 10 {
		return append(dst, byte('0'+v))
	}
	dst = room(dst, PutRoom)
	at := len(dst)
	return dst[:at+PutUint(dst[at:at+PutRoom], v)]
}

// AppendInt appends v in decimal.
func AppendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return AppendUint(append(dst, '-'), -uint64(v))
	}
	return AppendUint(dst, uint64(v))
}

// appendDigits appends the last n decimal digits of v, with leading zeros.
func appendDigits(dst []byte, v uint64, n int) []byte {
	at := len(dst)
	dst = extend(dst, n)
	putDigits(dst[at:], v)
	return dst
}

// room returns dst with at least n bytes of capacity behind it, which it has as a rule.
func room(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return slices.Grow(dst, n)
}

// extend returns dst with n more bytes of any content.
func extend(dst []byte, n int) []byte { return room(dst, n)[:len(dst)+n] }

// putDigits fills out with the last len(out) decimal digits of v.
func putDigits(out []byte, v uint64) {
	i := len(out)
	for i >= 2 {
		q := v / 100
		p := (v - q*100) * 2
		i -= 2
		out[i+1] = pairs[p+1]
		out[i] = pairs[p]
		v = q
	}
	if i == 1 {
		out[0] = byte('0' + v%10)
	}
}

// append2 appends v, which must be below 100, with two digits.
func append2(dst []byte, v uint32) []byte {
	p := 2 * (v % 100)
	return append(dst, pairs[p], pairs[p+1])
}

// AppendBit appends a BIT value of up to 8 bytes, which is big-endian and
// unsigned. Of a longer value only the last 8 bytes count.
func AppendBit(dst, data []byte) []byte {
	var v uint64
	for _, b := range data {
		v = v<<8 | uint64(b)
	}
	return AppendUint(dst, v)
}

// AppendSet appends a SET value of up to 8 bytes, the little-endian bitmap of
// its members, as an unsigned number. It also serves for ENUM, whose value is
// the index of the member in 1 or 2 bytes.
func AppendSet(dst, data []byte) []byte {
	if len(data) == 8 {
		return AppendUint(dst, binary.LittleEndian.Uint64(data))
	}
	var v uint64
	for i := len(data) - 1; i >= 0; i-- {
		v = v<<8 | uint64(data[i])
	}
	return AppendUint(dst, v)
}
