package value

import "math/bits"

// bigWords is the room for the numbers that digit generation needs: about 1140
// bits, for the smallest subnormal double, and some to spare.
const bigWords = 20

// A natural is a natural number of at most 64*bigWords bits, least significant word
// first. It lives on the stack.
type natural struct {
	w [bigWords]uint64
	n int // words in use; the highest is not zero
}

// setScaled sets x to v × 5^five × 2^two.
func (x *natural) setScaled(v uint64, five, two int) {
	x.n = two / 64
	x.w[x.n] = v
	x.n++
	for five > 0 {
		step := min(five, maxFivePower)
		x.mul(uint64(fivePower[step]))
		five -= step
	}
	x.shift(uint(two % 64))
}

// mul multiplies x by v.
func (x *natural) mul(v uint64) {
	var carry uint64
	for i := range x.w[:x.n] {
		hi, lo := bits.Mul64(x.w[i], v)
		var c uint64
		x.w[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c
	}
	if carry != 0 {
		x.w[x.n] = carry
		x.n++
	}
}

// shift multiplies x by 2^s for s below 64.
func (x *natural) shift(s uint) {
	var carry uint64
	for i := range x.w[:x.n] {
		v := x.w[i]
		x.w[i] = v<<s | carry
		carry = v >> (64 - s)
	}
	if carry != 0 {
		x.w[x.n] = carry
		x.n++
	}
}

// cmp returns the sign of x - y.
func (x *natural) cmp(y *natural) int {
	if x.n != y.n {
		if x.n < y.n {
			return -1
		}
		return 1
	}
	for i := x.n - 1; i >= 0; i-- {
		if x.w[i] != y.w[i] {
			if x.w[i] < y.w[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// add sets x to x + y.
func (x *natural) add(y *natural) {
	n := max(x.n, y.n)
	var c uint64
	for i := range n {
		x.w[i], c = bits.Add64(x.w[i], y.w[i], c)
	}
	x.n = n
	if c != 0 {
		x.w[n] = c
		x.n++
	}
}

// quotient returns floor(x/y), which must be at most 10, and leaves the
// remainder in x. The top word of y must be at least 2^59, so that the first
// estimate is at most one too small.
func (x *natural) quotient(y *natural) byte {
	if x.n < y.n {
		return 0
	}
	top := y.n - 1
	var q uint64
	if x.n > y.n {
		q, _ = bits.Div64(x.w[top+1], x.w[top], y.w[top]+1)
	} else {
		q = x.w[top] / (y.w[top] + 1)
	}
	x.subMul(y, q)
	for x.cmp(y) >= 0 {
		x.subMul(y, 1)
		q++
	}
	return byte(q)
}

// subMul sets x to x - q×y, which must not be negative.
func (x *natural) subMul(y *natural, q uint64) {
	if q == 0 {
		return
	}
	var carry, borrow uint64
	for i := range x.n {
		var v uint64
		if i < y.n {
			v = y.w[i]
		}
		hi, lo := bits.Mul64(v, q)
		var c uint64
		lo, c = bits.Add64(lo, carry, 0)
		carry = hi + c
		x.w[i], borrow = bits.Sub64(x.w[i], lo, borrow)
	}
	for x.n > 0 && x.w[x.n-1] == 0 {
		x.n--
	}
}

// generateLarge does the digits of mantissa × 5^b5 × 2^b2 over 5^s5 × 2^s2 in
// long arithmetic, for a gap of 5^b5 × 2^m2.
func (f *floatDigits) generateLarge(exp int, mantissa uint64, b5, b2, s5, s2, m2 int) {
	var s, b, m, tens natural
	s.setScaled(1, s5, s2)
	// Normalize s to a top word of 59 or 60 bits: ten times it fits the word.
	norm := (60 - bits.Len64(s.w[s.n-1])) & 63
	s.shift(uint(norm))
	b.setScaled(mantissa, b5, b2+norm)
	m.setScaled(1, b5, m2+norm)
	m.mul(10)
	tens = s
	tens.mul(10)

	// low: b < m; high: b + m >= tens. Unlike in machine integers equality
	// counts as high here.
	decide := func() (low, high bool) {
		sum := b
		sum.add(&m)
		return b.cmp(&m) < 0, sum.cmp(&tens) >= 0
	}
	q := b.quotient(&s)
	b.mul(10)
	low, high := decide()
	if q == 0 && !high {
		exp--
	} else {
		f.add(q)
	}
	if needsTwoDigits(exp) {
		low, high = false, false
	}
	for !low && !high {
		q = b.quotient(&s)
		b.mul(10)
		m.mul(10)
		low, high = decide()
		f.add(q)
	}
	f.exp = exp + 1
	f.roundLast(low, high, func() int {
		b.shift(1)
		return b.cmp(&tens)
	})
}
