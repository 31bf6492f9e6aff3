package charset

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// A markRule says what becomes of a byte order mark at the beginning.
type markRule int

const (
	noMark  markRule = iota // it is a character like others
	ownMark                 // one of the decoder's own byte order is dropped
	anyMark                 // one of either order is obeyed and dropped
)

// byteOrderMark is U+FEFF; in the other byte order it reads as swapped.
const byteOrderMark = 0xFEFF

func byteOrder(little bool) binary.ByteOrder {
	if little {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// A utf16Decoder is for UTF-16 of either byte order; little is the one taken
// without a mark.
type utf16Decoder struct {
	name   string
	little bool
	mark   markRule
}

func (d utf16Decoder) Name() string { return d.name }

// Append puts one U+FFFD for a low surrogate alone, for a high surrogate
// together with the unit behind it, and for an incomplete end.
func (d utf16Decoder) Append(dst, src []byte) []byte {
	order := byteOrder(d.little)
	if d.mark == anyMark && len(src) >= 2 {
		switch binary.BigEndian.Uint16(src) {
		case byteOrderMark:
			order, src = byteOrder(false), src[2:]
		case byteOrderMark>>8 | byteOrderMark&0xFF<<8:
			order, src = byteOrder(true), src[2:]
		}
	}
	for len(src) >= 2 {
		r := rune(order.Uint16(src))
		if !utf16.IsSurrogate(r) {
			dst = utf8.AppendRune(dst, r)
			src = src[2:]
			continue
		}
		if r >= 0xDC00 {
			dst = append(dst, replacement...)
			src = src[2:]
			continue
		}
		if len(src) < 4 {
			break
		}
		dst = utf8.AppendRune(dst, utf16.DecodeRune(r, rune(order.Uint16(src[2:]))))
		src = src[4:]
	}
	if len(src) > 0 {
		dst = append(dst, replacement...)
	}
	return dst
}

// A utf32Decoder is for UTF-32 of either byte order; little is the one taken
// without a mark.
type utf32Decoder struct {
	name   string
	little bool
	mark   markRule
}

func (d utf32Decoder) Name() string { return d.name }

// Append puts one U+FFFD for a number that is too large and for an incomplete
// end. Surrogates, which Java lets through but cannot write as UTF-8, become
// question marks, as in Canal's messages.
func (d utf32Decoder) Append(dst, src []byte) []byte {
	order := byteOrder(d.little)
	if d.mark != noMark && len(src) >= 4 {
		switch {
		case order.Uint32(src) == byteOrderMark:
			src = src[4:]
		case d.mark == anyMark && byteOrder(!d.little).Uint32(src) == byteOrderMark:
			order, src = byteOrder(!d.little), src[4:]
		}
	}
	for ; len(src) >= 4; src = src[4:] {
		switch v := order.Uint32(src); {
		case v > utf8.MaxRune:
			dst = append(dst, replacement...)
		case utf16.IsSurrogate(rune(v)):
			dst = append(dst, '?')
		default:
			dst = utf8.AppendRune(dst, rune(v))
		}
	}
	if len(src) > 0 {
		dst = append(dst, replacement...)
	}
	return dst
}
