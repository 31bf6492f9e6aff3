package charset

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// The codes of four bytes in GB18030 are counted through: the second and fourth
// byte are digits, the first and third 0x81 to 0xFE.
const (
	gbPlaneCodes  = 39420  // codes before the end of the basic plane
	gbFirstAstral = 189000 // 90 30 81 30, which is U+10000; the rest follows in order
)

// A gb18030 decoder is for GB18030: pairs as in GBK, and codes of four bytes.
type gb18030 struct {
	name  string
	pairs *pairTable
	plane *[gbPlaneCodes]uint16 // code points of the basic plane by number of the code
}

// gbPlane reads out the codes of four bytes of the basic plane.
var gbPlane = sync.OnceValue(func() *[gbPlaneCodes]uint16 {
	t := new([gbPlaneCodes]uint16)
	decoder := simplifiedchinese.GB18030.NewDecoder()
	for i := range t {
		code := []byte{byte(0x81 + i/12600), byte(0x30 + i/1260%10), byte(0x81 + i/10%126), byte(0x30 + i%10)}
		t[i] = uint16(decodeOne(decoder, code))
	}
	return t
})

// fourByte is the loader of GB18030 with runs applied to its pairs in order.
func fourByte(name string, runs ...[]run) func() Decoder {
	return sync.OnceValue(func() Decoder {
		return &gb18030{name, newPairTable(simplifiedchinese.GB18030, "", runs...), gbPlane()}
	})
}

func (d *gb18030) Name() string { return d.name }

func (d *gb18030) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		if src[0] < utf8.RuneSelf {
			n := asciiPrefix(src)
			dst = append(dst, src[:n]...)
			src = src[n:]
			continue
		}
		r, size := d.next(src)
		dst = utf8.AppendRune(dst, r)
		src = src[size:]
	}
	return dst
}

// next returns the character at the front of b, which is not ASCII, or U+FFFD
// and what that stands for (GB18030.Decoder in Java).
func (d *gb18030) next(b []byte) (r rune, size int) {
	switch {
	case b[0] == 0x80 || b[0] == 0xFF:
		return utf8.RuneError, 1
	case len(b) == 1:
		return utf8.RuneError, 1
	case b[1] < 0x30:
		return utf8.RuneError, 1
	case b[1] <= 0x39:
		return d.four(b)
	}
	if r := d.pairs.at(b[0], b[1]); r != 0 {
		return rune(r), 2
	}
	return utf8.RuneError, 2
}

// four is next for what begins like a code of four bytes.
func (d *gb18030) four(b []byte) (r rune, size int) {
	switch {
	case len(b) < 4:
		return utf8.RuneError, len(b)
	case b[2] < 0x81 || b[2] == 0xFF:
		return utf8.RuneError, 3
	case b[3] < 0x30 || b[3] > 0x39:
		return utf8.RuneError, 4
	}
	n := ((int(b[0]-0x81)*10+int(b[1]-0x30))*126+int(b[2]-0x81))*10 + int(b[3]-0x30)
	switch {
	case n < gbPlaneCodes:
		return rune(d.plane[n]), 4
	case n >= gbFirstAstral && n-gbFirstAstral+0x10000 <= utf8.MaxRune:
		return rune(n - gbFirstAstral + 0x10000), 4
	}
	return utf8.RuneError, 4
}
