package protocol

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed is wrapped by every error of the Parse functions: the bytes are
// not a protocol buffer message, or a text field in them is not UTF-8.
var ErrMalformed = errors.New("malformed message")

// Opt is a field that distinguishes "not written" from "written as zero". Such
// fields go on the wire even when they are zero.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some returns a field that is set.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// fields walks the fields of a message. Fixed-width fields and groups, which
// the protocol does not use, are passed over, so that the fields of later
// versions do no harm.
type fields struct {
	rest   []byte
	num    protowire.Number
	typ    protowire.Type
	varint uint64
	bytes  []byte // aliases the message
	err    error
}

// next moves to the next field. Nearly all fields have a tag of one byte and a
// number or length of one or two, which is looked for first.
func (f *fields) next() bool {
	b := f.rest
	if f.err != nil || len(b) < 2 || b[0] < 1<<3 || b[0] >= 0x80 {
		return f.nextLong()
	}
	v, n := uint64(b[1]), 2
	if v >= 0x80 {
		if len(b) < 3 || b[2] >= 0x80 {
			return f.nextLong()
		}
		v, n = v&0x7f|uint64(b[2])<<7, 3
	}
	switch typ := protowire.Type(b[0] & 7); {
	case typ == protowire.VarintType:
		f.varint, f.rest = v, b[n:]
	case typ == protowire.BytesType && v <= uint64(len(b)-n):
		end := n + int(v)
		f.bytes, f.rest = b[n:end], b[end:]
	default:
		return f.nextLong()
	}
	f.num, f.typ = protowire.Number(b[0]>>3), protowire.Type(b[0]&7)
	return true
}

// nextLong is next for fields of any form.
func (f *fields) nextLong() bool {
	for f.err == nil && len(f.rest) > 0 {
		num, typ, n := protowire.ConsumeTag(f.rest)
		if n < 0 {
			return f.fail(n)
		}
		f.rest = f.rest[n:]
		f.num, f.typ = num, typ
		switch typ {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(f.rest)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(f.rest)
		default:
			n = protowire.ConsumeFieldValue(num, typ, f.rest)
		}
		if n < 0 {
			return f.fail(n)
		}
		f.rest = f.rest[n:]
		if typ == protowire.VarintType || typ == protowire.BytesType {
			return true
		}
	}
	return false
}

func (f *fields) fail(code int) bool {
	f.err = fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(code))
	return false
}

// isVarint reports whether this is field num with the wire type of a number.
// A field with another wire type than expected counts as unknown.
func (f *fields) isVarint(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.VarintType
}

func (f *fields) isBytes(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.BytesType
}

// text returns the value of a string field. Java refuses a message whose
// strings are not UTF-8, and so does this.
func (f *fields) text() string {
	if !utf8.Valid(f.bytes) {
		f.err = fmt.Errorf("%w: field %d is not UTF-8", ErrMalformed, f.num)
		return ""
	}
	return string(f.bytes)
}

func (f *fields) int32() int32 { return int32(f.varint) }
func (f *fields) int64() int64 { return int64(f.varint) }

func appendVarint(dst []byte, num protowire.Number, v int64) []byte {
	dst = protowire.AppendTag(dst, num, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(v))
}

// appendPlainVarint appends a field without presence: nothing when it is zero.
func appendPlainVarint(dst []byte, num protowire.Number, v int64) []byte {
	if v == 0 {
		return dst
	}
	return appendVarint(dst, num, v)
}

func appendOpt[T ~int32 | ~int64](dst []byte, num protowire.Number, v Opt[T]) []byte {
	if !v.Set {
		return dst
	}
	return appendVarint(dst, num, int64(v.Value))
}

func appendPlainBytes[T string | []byte](dst []byte, num protowire.Number, v T) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(v)))
	return append(dst, v...)
}
