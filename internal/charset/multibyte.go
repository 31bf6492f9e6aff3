package charset

import (
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// A pairTable gives the code point of each code of two bytes, the first of which
// is 0x80 or above; zero where there is none. All lie in the basic plane.
type pairTable [1 << 15]uint16

func (t *pairTable) at(b1, b2 byte) uint16 { return t[int(b1&0x7F)<<8|int(b2)] }

// newPairTable reads out what enc has for all codes of two bytes, behind a
// common prefix if there is one, and applies runs in order.
func newPairTable(enc encoding.Encoding, prefix string, runs ...[]run) *pairTable {
	t := new(pairTable)
	decoder := enc.NewDecoder()
	code := append([]byte(prefix), 0, 0)
	pair := code[len(prefix):]
	for i := range t {
		pair[0], pair[1] = byte(i>>8|0x80), byte(i)
		if r := decodeOne(decoder, code); r < 1<<16 {
			t[i] = uint16(r)
		}
	}
	for _, u := range slices.Concat(runs...) {
		for i := range u.n {
			v := u.r
			if v != 0 {
				v += i
			}
			t[u.first&0x7FFF+i] = v
		}
	}
	return t
}

// decodeOne returns the one character that code stands for, or zero.
func decodeOne(d *encoding.Decoder, code []byte) rune {
	d.Reset()
	b, err := d.Bytes(code)
	if err != nil {
		return 0
	}
	r, size := utf8.DecodeRune(b)
	if r == utf8.RuneError || size != len(b) {
		return 0
	}
	return r
}

// A doubleByte decoder is for sets of one and two bytes: Big5, GBK, EUC-KR,
// Shift_JIS and their like.
type doubleByte struct {
	name  string
	one   [256]uint16 // code point of a byte that stands alone, if not zero
	lead  [256]bool   // some pair begins with the byte
	pairs *pairTable
}

// double is the loader of a set of one and two bytes: the pairs that enc has,
// with runs applied in order, and besides ASCII the bytes in ones.
func double(name string, enc encoding.Encoding, ones []onesRun, runs ...[]run) func() Decoder {
	return sync.OnceValue(func() Decoder {
		d := &doubleByte{name: name, pairs: newPairTable(enc, "", runs...)}
		for i, r := range d.pairs {
			if r != 0 {
				d.lead[i>>8|0x80] = true
			}
		}
		for _, u := range ones {
			for b := int(u.first); b <= int(u.last); b++ {
				d.one[b] = u.r + uint16(b-int(u.first))
			}
		}
		return d
	})
}

// A onesRun says that the bytes from first to last stand alone for the code
// points from r on.
type onesRun struct {
	first, last byte
	r           uint16
}

// katakana are the half-width characters of Shift_JIS.
var katakana = []onesRun{{0xA1, 0xDF, 0xFF61}}

func (d *doubleByte) Name() string { return d.name }

func (d *doubleByte) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		b1 := src[0]
		if b1 < utf8.RuneSelf {
			n := asciiPrefix(src)
			dst = append(dst, src[:n]...)
			src = src[n:]
			continue
		}
		if r := d.one[b1]; r != 0 {
			dst = utf8.AppendRune(dst, rune(r))
			src = src[1:]
			continue
		}
		if len(src) == 1 {
			return append(dst, replacement...)
		}
		b2 := src[1]
		if r := d.pairs.at(b1, b2); r != 0 {
			dst = utf8.AppendRune(dst, rune(r))
			src = src[2:]
			continue
		}
		dst = append(dst, replacement...)
		src = src[d.malformed(b1, b2):]
	}
	return dst
}

// malformed returns how many bytes one U+FFFD stands for. The second is left for
// the next character if it could begin one (DoubleByte.Decoder in Java).
func (d *doubleByte) malformed(b1, b2 byte) int {
	if !d.lead[b1] || d.lead[b2] || b2 < utf8.RuneSelf || d.one[b2] != 0 {
		return 1
	}
	return 2
}
