package charset

import (
	"slices"
	"sync"
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

// A patch says what the bytes from first on stand for, one after the other, where
// the base table is silent or differs.
type patch struct {
	first byte
	runes string
}

// c1 lets 0x80 to 0x9F stand for the control characters of the same numbers, as
// Java has it in all ISO-8859 sets and x/text does not.
var c1 = func() patch {
	var b []byte
	for r := rune(0x80); r < 0xA0; r++ {
		b = utf8.AppendRune(b, r)
	}
	return patch{0x80, string(b)}
}()

// single is the loader of a single-byte set that x/text knows, but for patches.
func single(name string, m *charmap.Charmap, patches ...patch) func() Decoder {
	return sync.OnceValue(func() Decoder {
		var runes [256]rune
		for i := range runes {
			runes[i] = m.DecodeByte(byte(i))
		}
		return newSingleByte(name, &runes, patches)
	})
}

// asciiAnd is the loader of a single-byte set that is ASCII and an upper half,
// but for patches.
func asciiAnd(name, upper string, patches ...patch) func() Decoder {
	return sync.OnceValue(func() Decoder {
		var runes [256]rune
		for i := range runes {
			runes[i] = rune(i)
		}
		return newSingleByte(name, &runes, append([]patch{{0x80, upper}}, patches...))
	})
}

// newSingleByte makes a decoder from a table of code points, which must lie in
// the basic plane.
func newSingleByte(name string, runes *[256]rune, patches []patch) *singleByte {
	for _, p := range patches {
		i := int(p.first)
		for _, r := range p.runes {
			runes[i] = r
			i++
		}
	}
	d := &singleByte{name: name, ascii: true}
	for i, r := range runes {
		e := &d.table[i]
		e.n = uint8(copy(e.b[:], utf8.AppendRune(nil, r)))
		if i < utf8.RuneSelf && r != rune(i) {
			d.ascii = false
		}
	}
	return d
}

func (d *singleByte) Name() string { return d.name }

func (d *singleByte) Append(dst, src []byte) []byte {
	if d.ascii {
		n := asciiPrefix(src)
		dst = append(dst, src[:n]...)
		src = src[n:]
	}
	dst = slices.Grow(dst, 2*len(src))
	for _, c := range src {
		if d.ascii && c < utf8.RuneSelf {
			dst = append(dst, c)
			continue
		}
		e := &d.table[c]
		switch e.n {
		case 1:
			dst = append(dst, e.b[0])
		case 2:
			dst = append(dst, e.b[0], e.b[1])
		default:
			dst = append(dst, e.b[0], e.b[1], e.b[2])
		}
	}
	return dst
}
