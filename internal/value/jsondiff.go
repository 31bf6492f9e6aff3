package value

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/charset"
)

// Operations of a JSON diff (enum_json_diff_operation in MySQL's json_diff.h).
const (
	diffReplace = 0
	diffInsert  = 1
	diffRemove  = 2
)

var errDiffShape = errors.New("malformed json diff")

// AppendJSONDiff appends a partial update of a JSON column, a sequence of
// changes, as nested SQL function calls, the first change innermost:
//
//	JSON_REMOVE(JSON_REPLACE(col, '$.a', 1, '$.b', "x"), '$.c')
//
// Successive changes of one kind share a call. An insert is JSON_ARRAY_INSERT
// when its path ends with a bracket, else JSON_INSERT. Paths are printed as
// ISO-8859-1, as in Canal; values as by AppendJSON. column is printed
// as it is, and alone if there is no change. Whether a value is such a sequence
// at all is told by the bitmap in front of the row image.
func AppendJSONDiff(dst, data []byte, column string, cs charset.Decoder) ([]byte, error) {
	var room [8]diffCall
	calls, err := diffCalls(room[:0], data)
	if err != nil {
		return dst, err
	}
	p := newJSONPrinter(dst, len(data), cs)
	for i := len(calls) - 1; i >= 0; i-- {
		p.dst = append(append(p.dst, calls[i].name...), '(')
	}
	p.dst = append(p.dst, column...)
	for _, call := range calls {
		for range call.changes {
			var change jsonChange
			change, data, _ = nextChange(data) // was read once without error
			if err := p.change(change); err != nil {
				return dst, err
			}
		}
		p.dst = append(p.dst, ')')
	}
	return p.dst, nil
}

// change appends the arguments that one change adds to its call.
func (p *jsonPrinter) change(c jsonChange) error {
	p.dst = append(p.dst, ", '"...)
	p.dst = charset.AppendLatin1(p.dst, c.path)
	p.dst = append(p.dst, '\'')
	if c.operation == diffRemove {
		return nil
	}
	p.dst = append(p.dst, ", "...)
	return p.value(c.value[0], c.value[1:], 0)
}

// A diffCall is a run of changes that share one function call.
type diffCall struct {
	name    string
	changes int
}

// diffCalls appends the calls that the changes in data make up to calls.
func diffCalls(calls []diffCall, data []byte) ([]diffCall, error) {
	for len(data) > 0 {
		change, rest, err := nextChange(data)
		if err != nil {
			return nil, err
		}
		data = rest
		if n := len(calls); n > 0 && calls[n-1].name == change.function() {
			calls[n-1].changes++
			continue
		}
		calls = append(calls, diffCall{change.function(), 1})
	}
	return calls, nil
}

// A jsonChange is one element of a diff. Its slices alias the input.
type jsonChange struct {
	operation byte
	path      []byte // not empty
	value     []byte // type and value; not empty, except for diffRemove
}

// function returns the SQL function that does what the change does.
func (c jsonChange) function() string {
	switch {
	case c.operation == diffReplace:
		return "JSON_REPLACE"
	case c.operation == diffRemove:
		return "JSON_REMOVE"
	case c.path[len(c.path)-1] == ']':
		return "JSON_ARRAY_INSERT"
	}
	return "JSON_INSERT"
}

// nextChange takes the first change off b.
func nextChange(b []byte) (c jsonChange, rest []byte, err error) {
	c.operation = b[0]
	if c.operation > diffRemove {
		return c, nil, fmt.Errorf("%w: operation %d", errDiffShape, c.operation)
	}
	if c.path, b, err = packedBytes(b[1:]); err != nil {
		return c, nil, err
	}
	if c.operation != diffRemove {
		c.value, b, err = packedBytes(b)
	}
	return c, b, err
}

// packedBytes takes a length-prefixed run of at least one byte off b. The
// length is one byte up to 250, else 252, 253 or 254 and 2, 3 or 8 bytes
// (net_field_length in MySQL).
func packedBytes(b []byte) (field, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errDiffShape
	}
	width := 0
	size := uint64(b[0])
	switch b[0] {
	case 251, 255:
		return nil, nil, errDiffShape
	case 252:
		width = 2
	case 253:
		width = 3
	case 254:
		width = 8
	}
	b = b[1:]
	if width > 0 {
		if len(b) < width {
			return nil, nil, errDiffShape
		}
		var full [8]byte
		copy(full[:], b[:width])
		size = binary.LittleEndian.Uint64(full[:])
		b = b[width:]
	}
	if size == 0 || size > uint64(len(b)) {
		return nil, nil, errDiffShape
	}
	return b[:size], b[size:], nil
}
