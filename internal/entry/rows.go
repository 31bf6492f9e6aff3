package entry

import (
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// span is where the text of a value lies in the output buffer.
type span struct {
	start, end int
	state      spanState
}

type spanState uint8

const (
	spanAbsent spanState = iota
	spanNull
	spanText
)

// errShortRow is wrapped by the errors for rows that end too early.
var errShortRow = errors.New("row image ends inside a cell")

// Rows appends the entry of a rows event and returns the number of its row
// changes. On error dst is returned as it was.
func (e *Encoder) Rows(dst []byte, c *Context, p *Plan, r *binlog.Rows, tableID uint64) ([]byte, int, error) {
	var t EventType
	switch r.Kind {
	case binlog.RowsInsert:
		t = Insert
	case binlog.RowsUpdate:
		t = Update
	default:
		t = Delete
	}
	if r.ColumnCount > len(p.columns) {
		return dst, 0, &ColumnCountError{p.Schema, p.Table, r.ColumnCount, len(p.columns)}
	}
	before := len(dst)
	e.prepareFrame(c, p, t, len(r.Data))
	dst = append(dst, e.frame...)
	body := len(dst)
	dst = appendInt(dst, 0x08, int64(tableID))
	dst = append(dst, 0x10, byte(t), 0x50, 0)
	dst, n, err := e.rowDatas(dst, p, r, t)
	if err != nil {
		return dst[:before], 0, fmt.Errorf("rows of %s.%s at %s:%d: %w", p.Schema, p.Table, c.File, c.Offset, err)
	}
	e.header = appendHeader(e.header[:0], c, names{schema: p.Schema, table: p.Table}, t, n)
	e.frame = appendFrame(e.frame[:0], e.header, typeRowData, len(dst)-body)
	if guess := body - before; guess != len(e.frame) {
		dst = shift(dst, body, len(e.frame)-guess)
	}
	copy(dst[before:], e.frame)
	e.lastRows, e.lastBody = n, len(dst)-before-len(e.frame)
	return dst, n, nil
}

// prepareFrame guesses the bytes before a row change from those of the last
// one, so that they seldom have to move.
func (e *Encoder) prepareFrame(c *Context, p *Plan, t EventType, dataLen int) {
	e.header = appendHeader(e.header[:0], c, names{schema: p.Schema, table: p.Table}, t, max(e.lastRows, 1))
	e.frame = appendFrame(e.frame[:0], e.header, typeRowData, max(e.lastBody, dataLen))
}

// rowDatas appends the rowDatas fields and counts complete row changes.
func (e *Encoder) rowDatas(dst []byte, p *Plan, r *binlog.Rows, t EventType) ([]byte, int, error) {
	data, n := r.Data, 0
	width := max(e.rowWidth, 1)
	for len(data) > 0 {
		var at int
		dst, at = openLength(append(dst, 0x62), width)
		var used int
		var err error
		complete := true
		switch t {
		case Insert:
			dst, used, err = e.image(dst, p, r.Present, r.ColumnCount, data, afterImage, 1)
		case Delete:
			dst, used, err = e.image(dst, p, r.Present, r.ColumnCount, data, beforeImage, 0)
		default:
			dst, used, complete, err = e.updateImages(dst, p, r, data)
		}
		if err != nil {
			return dst, n, err
		}
		if used == 0 {
			return dst, n, errShortRow // a table without columns would never end
		}
		data = data[used:]
		dst, width = closeLength(dst, at, width)
		if complete {
			n++
		}
	}
	e.rowWidth = width
	return dst, n, nil
}

// Tags of RowData.
const (
	beforeImage = 0x0a
	afterImage  = 0x12
)

// updateImages appends the two images of an update. An event may end after a
// before image; Canal keeps such a row but does not count it.
func (e *Encoder) updateImages(dst []byte, p *Plan, r *binlog.Rows, data []byte) ([]byte, int, bool, error) {
	if cap(e.spans) < len(p.columns) {
		e.spans = make([]span, len(p.columns))
	}
	e.spans = e.spans[:len(p.columns)]
	clear(e.spans)
	e.recording = true
	dst, used, err := e.image(dst, p, r.Present, r.ColumnCount, data, beforeImage, 0)
	e.recording = false
	if err != nil || used == len(data) {
		return dst, used, false, err
	}
	data = data[used:]
	var partial []byte
	skip := 0
	if r.Partial {
		if partial, skip, err = partialBits(data, p.jsonColumns); err != nil {
			return dst, used, false, err
		}
	}
	e.partial, e.comparing = partial, true
	dst, n, err := e.image(dst, p, r.PresentAfter, r.ColumnCount, data[skip:], afterImage, 1)
	e.partial, e.comparing = nil, false
	return dst, used + skip + n, true, err
}

// partialBits reads the value options before the after image of a partial
// update: a packed integer whose bit 0 announces one bit per JSON column.
// MySQL: Rows_log_event, enum_binlog_row_value_options.
func partialBits(data []byte, jsonColumns int) (bits []byte, used int, err error) {
	options, n, ok := packedInteger(data)
	if !ok {
		return nil, 0, errShortRow
	}
	if options&1 == 0 {
		return nil, n, nil
	}
	size := (jsonColumns + 7) / 8
	if len(data) < n+size {
		return nil, 0, errShortRow
	}
	return data[n : n+size], n + size, nil
}

// packedInteger reads a length-encoded integer of the client/server protocol.
func packedInteger(b []byte) (v uint64, n int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	size := 0
	switch {
	case b[0] < 0xfb:
		return uint64(b[0]), 1, true
	case b[0] == 0xfc:
		size = 2
	case b[0] == 0xfd:
		size = 3
	case b[0] == 0xfe:
		size = 8
	default:
		return 0, 0, false
	}
	if len(b) < 1+size {
		return 0, 0, false
	}
	for i := size; i > 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v, 1 + size, true
}

// image appends the columns of one row image and returns the bytes it took
// from data.
func (e *Encoder) image(dst []byte, p *Plan, present []byte, columns int, data []byte, tag, updated byte) ([]byte, int, error) {
	n := bitCount(present, columns)
	nulls := (n + 7) / 8
	if len(data) < nulls {
		return dst, 0, errShortRow
	}
	bitmap, pos := data[:nulls], nulls
	bit, json := 0, 0
	for i := 0; i < columns; i++ {
		c := &p.columns[i]
		diff := false
		if c.cell == cellJSON {
			diff = e.partial != nil && isSet(e.partial, json)
			json++
		}
		if !isSet(present, i) {
			continue
		}
		null := isSet(bitmap, bit)
		bit++
		if null {
			dst = e.nullColumn(dst, c, i, tag, updated)
			continue
		}
		var used int
		var err error
		if dst, used, err = e.column(dst, p, c, i, tag, updated, data[pos:], diff); err != nil {
			return dst, 0, fmt.Errorf("column %s: %w", c.name, err)
		}
		pos += used
	}
	return dst, pos, nil
}

func isSet(bits []byte, i int) bool { return bits[i>>3]&(1<<(i&7)) != 0 }

// bitCount is how many of the first n bits are set.
func bitCount(b []byte, n int) int {
	count := 0
	for i := 0; i < n; i++ {
		if isSet(b, i) {
			count++
		}
	}
	return count
}

// nullColumn appends a column whose value is NULL.
func (e *Encoder) nullColumn(dst []byte, c *column, i int, tag, updated byte) []byte {
	if e.recording {
		e.spans[i].state = spanNull
		if !c.keep {
			e.spans[i].state = spanAbsent
		}
	}
	if !c.keep {
		return dst
	}
	if e.comparing && e.spans[i].state == spanNull {
		updated = 0
	}
	n := len(c.headNull) + 3 + len(c.tail)
	dst = appendVarint(append(dst, tag), uint64(n))
	dst = append(dst, c.headNull...)
	dst = append(dst, updated, 0x30, 1)
	return append(dst, c.tail...)
}

// column appends a column that has a value and returns the bytes of the cell.
func (e *Encoder) column(dst []byte, p *Plan, c *column, i int, tag, updated byte, data []byte, diff bool) ([]byte, int, error) {
	if !c.keep {
		used, err := c.skip(data)
		return dst, used, err
	}
	if diff && e.comparing && e.spans[i].state == spanText {
		if content, used, err := c.content(data); err == nil && len(content) == 0 {
			return e.unchanged(dst, c, i, tag), used, nil
		}
	}
	dst, textLen, used, err := e.cell(dst, p, c, i, tag, updated, data, diff)
	if err != nil {
		return dst, 0, err
	}
	if e.recording || e.comparing {
		end := len(dst) - len(c.tail)
		start := end - textLen
		switch s := &e.spans[i]; {
		case e.recording:
			*s = span{start, end, spanText}
		case s.state == spanText && string(dst[s.start:s.end]) == string(dst[start:end]):
			// tag, updated, isNull and the value's tag and length precede the text
			dst[start-sizeVarint(uint64(textLen))-1-2-1] = 0
		}
	}
	return dst, used, nil
}

// unchanged appends a column that is as it was in the before image: one whose
// differences are none. MySQL writes that for JSON columns of a partial update which
// the statement leaves alone.
func (e *Encoder) unchanged(dst []byte, c *column, i int, tag byte) []byte {
	was := e.spans[i]
	dst = c.known(room(dst, was.end-was.start), tag, 0, was.end-was.start)
	dst = append(dst, dst[was.start:was.end]...)
	return append(dst, c.tail...)
}
