package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/towpath-cdc/towpath/internal/charset"
)

// Types of values in MySQL's binary JSON (json_binary.cc).
const (
	jsonSmallObject = 0x0
	jsonLargeObject = 0x1
	jsonSmallArray  = 0x2
	jsonLargeArray  = 0x3
	jsonLiteral     = 0x4
	jsonInt16       = 0x5
	jsonUint16      = 0x6
	jsonInt32       = 0x7
	jsonUint32      = 0x8
	jsonInt64       = 0x9
	jsonUint64      = 0xA
	jsonDouble      = 0xB
	jsonString      = 0xC
	jsonOpaque      = 0xF
)

// Column types that an opaque JSON value can have and that have a form of their
// own (enum_field_types in MySQL's field_types.h).
const (
	fieldTimestamp  = 7
	fieldDate       = 10
	fieldTime       = 11
	fieldDatetime   = 12
	fieldNewDecimal = 246
)

const (
	// maxJSONDepth bounds the nesting of arrays and objects. MySQL itself stops
	// at 100 (JSON_DOCUMENT_MAX_DEPTH).
	maxJSONDepth = 128

	// jsonSlack is how many times over the bytes of a document may be read.
	// In what MySQL writes no two values share bytes; without a limit a few
	// kilobytes of foreign bytes, values within values pointing back at each
	// other, could unfold into gigabytes of text.
	jsonSlack = 8
)

var (
	errJSONShape   = errors.New("malformed binary json")
	errJSONDepth   = fmt.Errorf("binary json nested deeper than %d", maxJSONDepth)
	errJSONOverlap = errors.New("malformed binary json: values overlap")
)

// AppendJSON appends the text of a whole JSON column value: ", " and ": " as
// separators, members in stored order, doubles in Java's notation, decimals
// bare, dates and times in quotes with six digits of fraction, and any other
// opaque value as a string of its bytes. Strings and keys are decoded by cs. No
// bytes at all give no text, as Canal does for an empty column.
func AppendJSON(dst, data []byte, cs charset.Decoder) ([]byte, error) {
	if len(data) == 0 {
		return dst, nil
	}
	p := newJSONPrinter(dst, len(data), cs)
	if err := p.value(data[0], data[1:], 0); err != nil {
		return dst, err
	}
	return p.dst, nil
}

// A jsonPrinter appends the text of binary JSON values to dst.
type jsonPrinter struct {
	dst    []byte
	cs     charset.Decoder
	budget int // bytes of the document that may still be read
}

func newJSONPrinter(dst []byte, size int, cs charset.Decoder) jsonPrinter {
	return jsonPrinter{dst: dst, cs: cs, budget: jsonSlack*size + 64}
}

// spend takes n bytes off the budget.
func (p *jsonPrinter) spend(n int) error {
	p.budget -= n
	if p.budget < 0 {
		return errJSONOverlap
	}
	return nil
}

// value appends the value of the given type at the front of b. What follows it
// in b belongs to others.
func (p *jsonPrinter) value(typ byte, b []byte, depth int) error {
	switch typ {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		return p.container(typ, b, depth)
	default:
		return p.scalar(typ, b)
	}
}

// A jsonLayout describes the tables at the front of an object or array.
type jsonLayout struct {
	object, large bool
}

// offset reads an offset or size at i, which must be within b.
func (l jsonLayout) offset(b []byte, i int) int {
	if l.large {
		return int(binary.LittleEndian.Uint32(b[i:]))
	}
	return int(binary.LittleEndian.Uint16(b[i:]))
}

func (l jsonLayout) offsetSize() int {
	if l.large {
		return 4
	}
	return 2
}

// inline reports whether a value of this type stands in the value entry itself.
func (l jsonLayout) inline(typ byte) bool {
	switch typ {
	case jsonLiteral, jsonInt16, jsonUint16:
		return true
	case jsonInt32, jsonUint32:
		return l.large
	}
	return false
}

// container appends an object or array: element count, size in bytes, for
// objects the key entries (offset, 2 bytes of length), then the value entries
// (type, offset or the value itself), then keys and values.
func (p *jsonPrinter) container(typ byte, b []byte, depth int) error {
	if depth >= maxJSONDepth {
		return errJSONDepth
	}
	l := jsonLayout{
		object: typ == jsonSmallObject || typ == jsonLargeObject,
		large:  typ == jsonLargeObject || typ == jsonLargeArray,
	}
	head := 2 * l.offsetSize()
	if len(b) < head {
		return errJSONShape
	}
	count, size := l.offset(b, 0), l.offset(b, l.offsetSize())
	keyEntry, valueEntry := 0, 1+l.offsetSize()
	if l.object {
		keyEntry = l.offsetSize() + 2
	}
	// Divided, not multiplied: 2^32 elements would overflow nothing here, but
	// they do on 32-bit machines.
	if size > len(b) || size < head || count > (size-head)/(keyEntry+valueEntry) {
		return errJSONShape
	}
	b = b[:size]
	if err := p.spend(head + count*(keyEntry+valueEntry)); err != nil {
		return err
	}
	left, right := byte('['), byte(']')
	if l.object {
		left, right = '{', '}'
	}
	p.dst = append(p.dst, left)
	for i := range count {
		if i > 0 {
			p.dst = append(p.dst, ", "...)
		}
		if l.object {
			if err := p.key(b, l, head+i*keyEntry); err != nil {
				return err
			}
		}
		if err := p.element(b, l, head+count*keyEntry+i*valueEntry, depth); err != nil {
			return err
		}
	}
	p.dst = append(p.dst, right)
	return nil
}

// key appends the key whose entry is at offset at of the object b, and a colon.
func (p *jsonPrinter) key(b []byte, l jsonLayout, at int) error {
	start := l.offset(b, at)
	size := int(binary.LittleEndian.Uint16(b[at+l.offsetSize():]))
	if start > len(b) || size > len(b)-start {
		return errJSONShape
	}
	if err := p.text(b[start : start+size]); err != nil {
		return err
	}
	p.dst = append(p.dst, ": "...)
	return nil
}

// element appends the value whose entry is at offset at of the container b.
func (p *jsonPrinter) element(b []byte, l jsonLayout, at, depth int) error {
	typ := b[at]
	if l.inline(typ) {
		return p.scalar(typ, b[at+1:at+1+l.offsetSize()])
	}
	start := l.offset(b, at+1)
	if start > len(b) {
		return errJSONShape
	}
	return p.value(typ, b[start:], depth+1)
}

// scalarSize gives the bytes that the types of fixed size take.
var scalarSize = [16]int{
	jsonLiteral: 1, jsonInt16: 2, jsonUint16: 2, jsonInt32: 4, jsonUint32: 4,
	jsonInt64: 8, jsonUint64: 8, jsonDouble: 8,
}

// scalar appends a value that is neither object nor array.
func (p *jsonPrinter) scalar(typ byte, b []byte) error {
	if int(typ) >= len(scalarSize) || len(b) < scalarSize[typ] {
		return errJSONShape
	}
	if err := p.spend(scalarSize[typ]); err != nil {
		return err
	}
	switch typ {
	case jsonLiteral:
		return p.literal(b[0])
	case jsonInt16:
		p.dst = AppendInt(p.dst, int64(int16(binary.LittleEndian.Uint16(b))))
	case jsonUint16:
		p.dst = AppendUint(p.dst, uint64(binary.LittleEndian.Uint16(b)))
	case jsonInt32:
		p.dst = AppendInt(p.dst, int64(int32(binary.LittleEndian.Uint32(b))))
	case jsonUint32:
		p.dst = AppendUint(p.dst, uint64(binary.LittleEndian.Uint32(b)))
	case jsonInt64:
		p.dst = AppendInt(p.dst, int64(binary.LittleEndian.Uint64(b)))
	case jsonUint64:
		p.dst = AppendUint(p.dst, binary.LittleEndian.Uint64(b))
	case jsonDouble:
		p.dst = AppendFloat64(p.dst, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case jsonString:
		text, err := variableBytes(b)
		if err != nil {
			return err
		}
		return p.text(text)
	case jsonOpaque:
		return p.opaque(b)
	default:
		return errJSONShape
	}
	return nil
}

func (p *jsonPrinter) literal(v byte) error {
	switch v {
	case 0:
		p.dst = append(p.dst, "null"...)
	case 1:
		p.dst = append(p.dst, "true"...)
	case 2:
		p.dst = append(p.dst, "false"...)
	default:
		return errJSONShape
	}
	return nil
}

// variableBytes returns the bytes that a variable length (seven bits a byte,
// lowest first, at most five bytes) at the front of b announces.
func variableBytes(b []byte) ([]byte, error) {
	var size uint64
	for i := 0; i < len(b) && i < 5; i++ {
		size |= uint64(b[i]&0x7F) << (7 * i)
		if b[i]&0x80 == 0 {
			b = b[i+1:]
			if size > uint64(len(b)) {
				return nil, errJSONShape
			}
			return b[:size], nil
		}
	}
	return nil, errJSONShape
}

// text appends raw as a JSON string.
func (p *jsonPrinter) text(raw []byte) error {
	if err := p.spend(len(raw)); err != nil {
		return err
	}
	p.dst = append(p.dst, '"')
	start := len(p.dst)
	p.dst = p.cs.Append(p.dst, raw)
	p.dst = append(escapeJSON(p.dst, start), '"')
	return nil
}

// opaque appends a value of a type that JSON does not know: type, length, bytes.
func (p *jsonPrinter) opaque(b []byte) error {
	if len(b) == 0 {
		return errJSONShape
	}
	typ := b[0]
	b, err := variableBytes(b[1:])
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return errJSONShape
	}
	switch typ {
	case fieldNewDecimal:
		return p.opaqueDecimal(b)
	case fieldTime, fieldDate, fieldDatetime, fieldTimestamp:
		if len(b) < 8 {
			return errJSONShape
		}
		return p.opaqueTemporal(typ, int64(binary.LittleEndian.Uint64(b)))
	default:
		return p.text(b)
	}
}

// opaqueDecimal appends a decimal, which carries its own precision and scale.
func (p *jsonPrinter) opaqueDecimal(b []byte) error {
	if len(b) < 2 {
		return errJSONShape
	}
	precision, scale := int(b[0]), int(b[1])
	b = b[2:]
	if !validDecimal(precision, scale) || len(b) < DecimalSize(precision, scale) {
		return errJSONShape
	}
	dst, err := AppendDecimal(p.dst, b[:DecimalSize(precision, scale)], precision, scale)
	if err != nil {
		return err
	}
	p.dst = dst
	return nil
}

// opaqueTemporal appends a date or time from MySQL's packed form in memory, the
// lower 24 bits of which are microseconds. As in Canal a date too has a time of
// day, only zero has no fraction, and an hour of exactly 100 becomes 00.
func (p *jsonPrinter) opaqueTemporal(typ byte, packed int64) error {
	dst := append(p.dst, '"')
	magnitude := uint64(packed)
	if packed < 0 {
		magnitude = -magnitude
	}
	micros, whole := uint32(magnitude&(1<<24-1)), magnitude>>24
	if micros >= 1e6 {
		return errFraction
	}
	switch {
	case typ == fieldTime && packed == 0:
		dst = append(dst, zeroTime...)
	case typ == fieldTime:
		if packed < 0 {
			dst = append(dst, '-')
		}
		hms := uint32(whole)
		dst = appendLongClock(dst, hms>>12&0x3FF, hms>>6&63, hms&63, true)
		dst = appendFraction(dst, micros, 6)
	case packed == 0:
		dst = append(dst, zeroDatetime...)
	case whole>>22/13 > maxYear:
		return errYear
	default:
		dst = appendPackedDatetime(dst, whole)
		dst = appendFraction(dst, micros, 6)
	}
	p.dst = append(dst, '"')
	return nil
}

// escapeExtra returns how many bytes longer the character at the front of b
// becomes by escaping, and how many bytes it has, for a b of valid UTF-8. Escaped
// are, as in Canal, the quote, the backslash and U+0000 to U+001F and U+007F to
// U+00A0.
func escapeExtra(b []byte) (extra, size int) {
	switch c := b[0]; {
	case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
		return 1, 1
	case c < 0x20 || c == 0x7F:
		return 5, 1
	case c == 0xC2 && len(b) > 1 && b[1] <= 0xA0:
		return 4, 2
	}
	return 0, 1
}

// escapeJSON escapes dst[start:], which is valid UTF-8, in place.
func escapeJSON(dst []byte, start int) []byte {
	i := start + plainPrefix(dst[start:])
	if i == len(dst) {
		return dst
	}
	extra := 0
	for j := i; j < len(dst); {
		e, size := escapeExtra(dst[j:])
		extra += e
		j += size
	}
	if extra == 0 {
		return dst
	}
	from := len(dst)
	dst = extend(dst, extra)
	shiftEscaped(dst, i, from)
	return dst
}

// shiftEscaped moves dst[start:end], from its last byte on, to the end of dst,
// escaping on the way. It stops as soon as both places meet, for then nothing
// further up needs an escape.
func shiftEscaped(dst []byte, start, end int) {
	const hex = "0123456789abcdef"
	to := len(dst)
	for end > start && to > end {
		end--
		c := dst[end]
		switch {
		case c == 0xA0 || c&0xE0 == 0x80:
			// The second byte of U+0080 to U+00A0, if the first one is C2. A
			// lower place than start cannot hold it: validity puts C2 there.
			if end > start && dst[end-1] == 0xC2 {
				end--
				to -= 6
				copy(dst[to:], `\u00`)
				dst[to+4], dst[to+5] = hex[c>>4], hex[c&15]
				continue
			}
			to--
			dst[to] = c
		case c == '"' || c == '\\':
			to -= 2
			dst[to], dst[to+1] = '\\', c
		case c == '\n' || c == '\r' || c == '\t':
			to -= 2
			dst[to], dst[to+1] = '\\', shortEscape(c)
		case c < 0x20 || c == 0x7F:
			to -= 6
			copy(dst[to:], `\u00`)
			dst[to+4], dst[to+5] = hex[c>>4], hex[c&15]
		default:
			to--
			dst[to] = c
		}
	}
}

func shortEscape(c byte) byte {
	switch c {
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	}
	return 't'
}

// plainPrefix returns how many leading bytes of b are ASCII that needs no
// escape. It looks at eight bytes at a time.
func plainPrefix(b []byte) int {
	const (
		ones = 0x0101010101010101
		tops = 0x8080808080808080
	)
	n := 0
	for len(b)-n >= 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		del := w ^ ones*0x7F
		// A byte is zero, or below 0x20, if subtracting borrows into its top bit.
		odd := (w - ones*0x20) | (quote - ones) | (slash - ones) | (del - ones) | w
		if odd&tops != 0 {
			break
		}
		n += 8
	}
	for n < len(b) {
		c := b[n]
		if c < 0x20 || c == '"' || c == '\\' || c >= 0x7F {
			break
		}
		n++
	}
	return n
}
