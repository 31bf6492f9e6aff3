package charset

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// A singleByte decoder looks each byte up in a table.
type singleByte struct {
	name  string
	ascii bool // bytes below 0x80 stand for themselves
	table [256]encoded
}

// encoded is a code point of up to three bytes in UTF-8, and their number.
type encoded struct {
	b [3]byte
	n uint8
}

// A patch says what a byte stands for, where the base table is silent or differs.
type patch struct {
	b byte
	r rune
}

// charmapRunes returns what the 256 bytes stand for.
func charmapRunes(m *charmap.Charmap) (runes [256]rune) {
	for i := range runes {
		runes[i] = m.DecodeByte(byte(i))
	}
	return runes
}

func applyPatches(runes *[256]rune, patches []patch) {
	for _, p := range patches {
		runes[p.b] = p.r
	}
}

// newSingleByte makes a decoder from a table of code points, which must lie in
// the basic plane.
func newSingleByte(name string, runes *[256]rune) *singleByte {
	d := &singleByte{name: name, ascii: true}
	for i, r := range runes {
		var e encoded
		e.n = uint8(copy(e.b[:], utf8.AppendRune(nil, r)))
		d.table[i] = e
		if i < utf8.RuneSelf && r != rune(i) {
			d.ascii = false
		}
	}
	return d
}

func (d *singleByte) Name() string { return d.name }

func (d *singleByte) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		if d.ascii {
			n := asciiPrefix(src)
			dst = append(dst, src[:n]...)
			src = src[n:]
		}
		for len(src) > 0 && (!d.ascii || src[0] >= utf8.RuneSelf) {
			e := &d.table[src[0]]
			dst = append(dst, e.b[:e.n]...)
			src = src[1:]
		}
	}
	return dst
}
