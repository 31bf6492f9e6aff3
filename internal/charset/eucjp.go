package charset

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
)

// single3 announces a code of three bytes in EUC-JP (JIS X 0212).
const single3 = 0x8F

// An eucJPDecoder is for EUC-JP: pairs, and triples that begin with single3.
type eucJPDecoder struct {
	name    string
	pairs   *pairTable
	triples *pairTable // their last two bytes
}

// eucJP is the loader of EUC-JP with runs applied to its pairs and triples.
func eucJP(name string, pairs, triples []run) func() Decoder {
	return sync.OnceValue(func() Decoder {
		return &eucJPDecoder{
			name,
			newPairTable(japanese.EUCJP, "", pairs),
			newPairTable(japanese.EUCJP, string([]byte{single3}), triples),
		}
	})
}

func (d *eucJPDecoder) Name() string { return d.name }

// Append takes two or three bytes for each code, mapped or not, as Java does.
func (d *eucJPDecoder) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		b1 := src[0]
		if b1 < utf8.RuneSelf {
			n := asciiPrefix(src)
			dst = append(dst, src[:n]...)
			src = src[n:]
			continue
		}
		size := 2
		if b1 == single3 {
			size = 3
		}
		if len(src) < size {
			return append(dst, replacement...)
		}
		var r uint16
		switch {
		case size == 2:
			r = d.pairs.at(b1, src[1])
		case src[1] >= utf8.RuneSelf:
			r = d.triples.at(src[1], src[2])
		}
		if r == 0 {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, rune(r))
		src = src[size:]
	}
	return dst
}
