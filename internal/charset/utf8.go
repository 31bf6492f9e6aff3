package charset

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// highBits selects the top bit of each of eight bytes: zero means all ASCII.
const highBits = 0x8080808080808080

// asciiPrefix returns how many leading bytes of b are ASCII. It looks at 64 bytes at
// a time, then at eight, and at the last eight once more rather than at single ones.
func asciiPrefix(b []byte) int {
	le := binary.LittleEndian
	n := 0
	for ; n+64 <= len(b); n += 64 {
		w := (*[64]byte)(b[n : n+64])
		if (le.Uint64(w[0:])|le.Uint64(w[8:])|le.Uint64(w[16:])|le.Uint64(w[24:])|
			le.Uint64(w[32:])|le.Uint64(w[40:])|le.Uint64(w[48:])|le.Uint64(w[56:]))&highBits != 0 {
			break
		}
	}
	for ; n+8 <= len(b); n += 8 {
		if le.Uint64(b[n:n+8])&highBits != 0 {
			break
		}
	}
	if n+8 > len(b) && len(b) >= 8 && le.Uint64(b[len(b)-8:])&highBits == 0 {
		return len(b)
	}
	for n < len(b) && b[n] < utf8.RuneSelf {
		n++
	}
	return n
}

// ValidUTF8 reports whether b is well-formed UTF-8, with a fast way through ASCII.
func ValidUTF8(b []byte) bool {
	n := asciiPrefix(b)
	return n == len(b) || utf8.Valid(b[n:])
}

type utf8Decoder struct{}

func (utf8Decoder) Name() string { return "UTF-8" }

func (utf8Decoder) Append(dst, src []byte) []byte {
	if ValidUTF8(src) {
		return append(dst, src...)
	}
	return appendRepairedUTF8(dst, src)
}

// appendRepairedUTF8 copies well-formed runs and puts U+FFFD where a Java
// String made from the same bytes has it.
func appendRepairedUTF8(dst, src []byte) []byte {
	for len(src) > 0 {
		n := validPrefix(src)
		dst = append(dst, src[:n]...)
		src = src[n:]
		if len(src) == 0 {
			break
		}
		dst = append(dst, replacement...)
		src = src[malformedUTF8(src):]
	}
	return dst
}

// validPrefix returns the length of the longest well-formed prefix of b.
func validPrefix(b []byte) int {
	n := 0
	for n < len(b) {
		if b[n] < utf8.RuneSelf {
			n += asciiPrefix(b[n:])
			continue
		}
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// malformedUTF8 returns how many bytes at the start of b, which is not empty
// and does not begin with a well-formed sequence, one U+FFFD stands for in
// Java: the longest prefix of something that could have been a character, and
// at least one byte. A surrogate in three bytes counts as one character, unlike
// in the Unicode standard's own recommendation.
func malformedUTF8(b []byte) int {
	want := 0 // length the first byte announces
	low, high := byte(0x80), byte(0xBF)
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		want = 2
	case c >= 0xE0 && c <= 0xEF:
		want = 3
		if c == 0xE0 {
			low = 0xA0
		}
	case c >= 0xF0 && c <= 0xF4:
		want = 4
		if c == 0xF0 {
			low = 0x90
		}
		if c == 0xF4 {
			high = 0x8F
		}
	}
	n := 1
	for n < want && n < len(b) && b[n] >= low && b[n] <= high {
		n++
		low, high = 0x80, 0xBF
	}
	return n
}

type latin1Decoder struct{}

func (latin1Decoder) Name() string { return "ISO-8859-1" }

func (latin1Decoder) Append(dst, src []byte) []byte { return AppendLatin1(dst, src) }

// AppendLatin1 appends each byte of src as the code point of the same number,
// U+0000 to U+00FF, in UTF-8.
func AppendLatin1(dst, src []byte) []byte {
	n := asciiPrefix(src)
	dst = append(dst, src[:n]...)
	src = src[n:]
	if len(src) == 0 {
		return dst
	}
	at := len(dst)
	size := Latin1Len(src)
	// Without branches, which binary data would make unpredictable: two bytes
	// are always written, and the second is overwritten if one was enough. That
	// takes a byte to spare at the end.
	dst = slices.Grow(dst, size+1)[:at+size+1]
	out := dst[at:]
	j := 0
	for _, c := range src {
		high := c >> 7
		out[j+1] = c&0x3F | 0x80
		out[j] = c&(high-1) | (0xC0|c>>6)&-high
		j += 1 + int(high)
	}
	return dst[:at+size]
}

// Latin1Len returns how many bytes AppendLatin1 appends for src.
func Latin1Len(src []byte) int {
	n := len(src)
	for len(src) >= 8 {
		// The top bits, moved down and summed by the multiplication into the top byte.
		w := binary.LittleEndian.Uint64(src) & highBits >> 7
		n += int(w * 0x0101010101010101 >> 56)
		src = src[8:]
	}
	for _, c := range src {
		n += int(c >> 7)
	}
	return n
}

type asciiDecoder struct{}

func (asciiDecoder) Name() string { return "US-ASCII" }

// Append replaces each byte above 0x7F by U+FFFD.
func (asciiDecoder) Append(dst, src []byte) []byte {
	for {
		n := asciiPrefix(src)
		dst = append(dst, src[:n]...)
		src = src[n:]
		if len(src) == 0 {
			return dst
		}
		dst = append(dst, replacement...)
		src = src[1:]
	}
}
