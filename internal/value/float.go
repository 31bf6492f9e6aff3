package value

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Java prints a float or double with just enough digits to tell it from its
// neighbours, in the shape of Double.toString. Up to JDK 18 the digits come
// from an implementation of Steele and White's algorithm (FloatingDecimal) that
// takes liberties: it treats the gap below a power of two as if it were as wide
// as the one above, demands two digits of every number in E notation, and rounds
// integers of up to 63 bits differently from the rest. So 2e23 comes out as
// 1.9999999999999998E23, and no shortest-digits routine gives the same text.
// What follows makes the same decisions in the same order.

// maxFloatDigits bounds the digits that can be generated: an integer of 63 bits
// is printed with all its digits when they are significant.
const maxFloatDigits = 20

// floatDigits is a positive decimal number 0.d1d2d3… × 10^exp.
type floatDigits struct {
	d   [maxFloatDigits + 8]byte // '0' to '9', and room for a word more
	n   int
	exp int
}

func (f *floatDigits) add(digit byte) {
	f.d[f.n] = '0' + digit
	f.n++
}

// roundUp adds one to the last digit, with carry. All nines become a one and
// zeros, which keeps the number of digits, as in Java.
func (f *floatDigits) roundUp() {
	for i := f.n - 1; i >= 0; i-- {
		if f.d[i] != '9' {
			f.d[i]++
			return
		}
		f.d[i] = '0'
	}
	f.d[0] = '1'
	f.exp++
}

// AppendFloat64 appends f as Java's Double.toString prints it on JDK 8 to 18:
// plain with at least one digit after the point from 10^-3 up to below 10^7, and
// otherwise as d.dddE±n without plus or padding.
func AppendFloat64(dst []byte, f float64) []byte {
	if f >= 1e-3 && f < 1e7 {
		if millionths := uint64(f*1e6 + 0.5); float64(millionths)/1e6 == f {
			return appendMillionths(dst, millionths)
		}
	}
	const fractionBits, bias = 52, 1023
	b := math.Float64bits(f)
	return appendJavaFloat(dst, b>>63 != 0, int(b>>fractionBits&0x7FF), 0x7FF, b&(1<<fractionBits-1), fractionBits, bias)
}

// appendMillionths appends the double that is closest to v millionths, from a thousandth to
// below ten millions, which is v in decimal without zeros at its end: Java's digits end where they are
// close enough to the number, and a decimal as near as that to this one would have to have more
// digits than six after the point.
func appendMillionths(dst []byte, v uint64) []byte {
	dst = room(dst, PutRoom+8)
	at := len(dst)
	out := dst[at : at+PutRoom+8]
	n := PutUint(out, v/1e6)
	out[n] = '.'
	d := decimals(uint32(v%1e6)) >> 16 // six digits
	binary.LittleEndian.PutUint64(out[n+1:], d|eightZeros)
	digits := max(1, (bits.Len64(d)+7)/8)
	return dst[:at+n+1+digits]
}

// AppendFloat32 appends f as Java's Float.toString prints it on JDK 8 to 18; see
// AppendFloat64.
func AppendFloat32(dst []byte, f float32) []byte {
	const fractionBits, bias = 23, 127
	b := math.Float32bits(f)
	return appendJavaFloat(dst, b>>31 != 0, int(b>>fractionBits&0xFF), 0xFF, uint64(b&(1<<fractionBits-1)), fractionBits, bias)
}

// appendJavaFloat prints a number given by the fields of its IEEE 754 form.
func appendJavaFloat(dst []byte, negative bool, exponent, maxExponent int, fraction uint64, fractionBits, bias int) []byte {
	if exponent == maxExponent && fraction != 0 {
		return append(dst, "NaN"...)
	}
	if negative {
		dst = append(dst, '-')
	}
	if exponent == maxExponent {
		return append(dst, "Infinity"...)
	}
	if exponent == 0 && fraction == 0 {
		return append(dst, "0.0"...)
	}
	significant := fractionBits + 1
	if exponent == 0 { // subnormal: shift the leading one into place
		significant = bits.Len64(fraction)
		shift := fractionBits + 1 - significant
		fraction <<= shift
		exponent = 1 - shift
	} else {
		fraction |= 1 << fractionBits
	}
	var digits floatDigits
	digits.generate(exponent-bias, fraction<<(mantissaBits-1-fractionBits), significant)
	return digits.appendTo(dst)
}

// appendTo appends the number in Java's notation.
func (f *floatDigits) appendTo(dst []byte) []byte {
	d := f.d[:f.n]
	switch {
	case f.exp > 0 && f.exp < 8: // 10^0 <= x < 10^7
		if f.n <= f.exp {
			dst = append(dst, d...)
			dst = append(dst, "0000000"[:f.exp-f.n]...)
			return append(dst, '.', '0')
		}
		// In words, which may be more than there are digits.
		le := binary.LittleEndian
		dst = room(dst, len(f.d)+8)
		at := len(dst)
		out := dst[at : at+len(f.d)+8]
		le.PutUint64(out, le.Uint64(f.d[:]))
		out[f.exp] = '.'
		for i := f.exp; i < f.n; i += 8 {
			le.PutUint64(out[i+1:], le.Uint64(f.d[i:]))
		}
		return dst[:at+f.n+1]
	case f.exp <= 0 && f.exp > -3: // 10^-3 <= x < 10^0
		dst = append(dst, "0.00"[:2-f.exp]...)
		return append(dst, d...)
	}
	dst = append(dst, d[0], '.')
	if f.n > 1 {
		dst = append(dst, d[1:]...)
	} else {
		dst = append(dst, '0')
	}
	return AppendInt(append(dst, 'E'), int64(f.exp-1))
}

// mantissaBits is the width to which every significand is aligned, the leading
// one at its top.
const mantissaBits = 53

// maxFivePower is the highest power of five whose product with a significand
// may still be formed in 64 bits.
const maxFivePower = 27

// fivePower holds 5^0 to 5^27, all that fit 64 bits.
var fivePower = func() (t [maxFivePower + 1]int64) {
	t[0] = 1
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1] * 5
	}
	return t
}()

// fiveBits returns the bit length of 5^n, and an upper estimate of it beyond
// the table; which it is decides the precision of the arithmetic.
func fiveBits(n int) int {
	if n < len(fivePower) {
		return bits.Len64(uint64(fivePower[n]))
	}
	return 3 * n
}

// generate finds the digits of mantissa × 2^(exponent-52). significant is how
// many bits of the mantissa the original type had room for.
func (f *floatDigits) generate(exponent int, mantissa uint64, significant int) {
	trailing := bits.TrailingZeros64(mantissa)
	width := mantissaBits - trailing
	fractional := max(0, width-exponent-1) // bits after the binary point
	if fractional == 0 && exponent <= 62 {
		f.integer(exponent, mantissa, significant)
		return
	}

	// The number is B/S and half the gap to its neighbours M/S, in units of
	// 10^exp; each is a power of five times a power of two (times the mantissa).
	exp := estimateExponent(exponent, mantissa)
	b5, s5 := max(0, -exp), max(0, exp)
	b2 := b5 + fractional + exponent
	s2 := s5 + fractional
	m2 := b2 - significant
	b2 -= width - 1
	common := min(b2, s2)
	b2, s2, m2 = b2-common, s2-common, m2-common
	if width == 1 { // a power of two: the neighbour below is half as far away
		m2--
	}
	if m2 < 0 {
		b2, s2, m2 = b2-m2, s2-m2, 0
	}
	mantissa >>= trailing

	bBits := width + b2 + fiveBits(b5)
	tenBits := s2 + 1 + fiveBits(s5+1)
	switch {
	case bBits < 32 && tenBits < 32:
		generateSmall(f, exp,
			int32(mantissa)*int32(fivePower[b5])<<b2,
			int32(fivePower[s5])<<s2,
			int32(fivePower[b5])<<m2)
	case bBits < 64 && tenBits < 64:
		generateSmall(f, exp,
			int64(mantissa)*fivePower[b5]<<b2,
			fivePower[s5]<<s2,
			fivePower[b5]<<m2)
	default:
		f.generateLarge(exp, mantissa, b5, b2, s5, s2, m2)
	}
}

// estimateExponent returns floor(log10(x)) or one more, by a line through 1.5
// that approximates the logarithm (David Gay's estimate, which Java uses).
func estimateExponent(exponent int, mantissa uint64) int {
	x := math.Float64frombits(1023<<52 | mantissa&(1<<52-1)) // in [1, 2)
	// The conversions keep the compiler from fusing the operations, which
	// would round differently.
	d := float64((x-1.5)*0.289529654) + 0.176091259
	return int(math.Floor(d + float64(float64(exponent)*0.301029995663981)))
}

// integer prints a whole number below 2^63. Digits beyond the precision of the
// type are dropped, rounding half up.
func (f *floatDigits) integer(exponent int, mantissa uint64, significant int) {
	v := mantissa
	if exponent >= mantissaBits-1 {
		v <<= exponent - (mantissaBits - 1)
	} else {
		v >>= mantissaBits - 1 - exponent
	}
	if drop := insignificantDigits(exponent - significant - 1); exponent > significant && drop > 0 {
		p := pow10[drop]
		residue := v % p
		v /= p
		if residue >= p/2 {
			v++
		}
		f.exp = drop
	}
	f.exp += digitCount(v)
	for v%10 == 0 {
		v /= 10
	}
	f.n = digitCount(v)
	putDigits(f.d[:f.n], v)
}

// insignificantDigits returns how many decimal digits lie wholly within the
// lowest p bits of a number: one less than the digits of 2^p, and none for the
// first few.
func insignificantDigits(p int) int {
	if p <= 1 {
		return 0
	}
	return digitCount(1<<p) - 1
}

// needsTwoDigits reports whether a number of this exponent is printed in E
// notation, for which Java goes on to a second digit whatever the first says.
func needsTwoDigits(exp int) bool { return exp < -3 || exp >= 8 }

// generateSmall does the digits in machine integers. They wrap as Java's int
// and long do; which of the two is used can show in the result.
func generateSmall[T int32 | int64](f *floatDigits, exp int, b, s, m T) {
	tens := s * 10
	q := b / s
	b = 10 * (b % s)
	m *= 10
	low := b < m
	high := b+m > tens
	if q == 0 && !high {
		exp-- // the estimate was one too high
	} else {
		f.add(byte(q))
	}
	if needsTwoDigits(exp) {
		low, high = false, false
	}
	for few := tens / 1e8; !low && !high; {
		if m < few {
			if next, ok := f.eight(int64(b), int64(s)); ok {
				b = T(next)
				m *= 1e8
				low, high = b < m, b+m > tens
				continue
			}
		}
		q = b / s
		b = 10 * (b % s)
		m *= 10
		if m > 0 {
			low = b < m
			high = b+m > tens
		} else { // overflown, so larger than b in any case
			low, high = true, true
		}
		f.add(byte(q))
	}
	f.exp = exp + 1
	f.roundLast(low, high, func() int { return compareSmall(b<<1, tens) })
}

// eight adds the next eight digits of b/s at once, where b is below 10*s, and returns
// ten times the remainder. It does so only if none but the last of them can be
// the end of the number while the gap is less than one unit of the last: what is
// behind a digit is as small as that if all others are 0, as large if they are 9.
func (f *floatDigits) eight(b, s int64) (rest int64, ok bool) {
	if f.n > maxFloatDigits-8 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(b), 1e7)
	digits, left := bits.Div64(hi, lo, uint64(s))
	if last := digits % 10; last == 0 || last == 9 {
		return 0, false
	}
	put8(f.d[f.n:], uint32(digits))
	f.n += 8
	return int64(10 * left), true
}

func compareSmall[T int32 | int64](b, tens T) int {
	switch d := b - tens; {
	case d < 0:
		return -1
	case d > 0:
		return 1
	}
	return 0
}

// roundLast settles the last digit: low says that stopping here is within the
// gap, high that the next digit up is; if both are, half compares the remainder
// with a half, and a tie goes to the even digit.
func (f *floatDigits) roundLast(low, high bool, half func() int) {
	if !high {
		return
	}
	if low {
		c := half()
		if c < 0 || c == 0 && f.d[f.n-1]&1 == 0 {
			return
		}
	}
	f.roundUp()
}
