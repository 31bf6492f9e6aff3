package entry

import (
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/binlog"
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
	if !e.mendFrame(dst[before:body], c, n, len(dst)-body) {
		e.header = appendHeader(e.header[:0], c, names{schema: p.Schema, table: p.Table}, t, n)
		e.frame = appendFrame(e.frame[:0], e.header, typeRowData, len(dst)-body)
		if guess := body - before; guess != len(e.frame) {
			dst = shift(dst, body, len(e.frame)-guess)
		}
		copy(dst[before:], e.frame)
	}
	e.lastRows, e.lastBody = n, len(dst)-before-len(e.frame)
	return dst, n, nil
}

// prepareFrame guesses the bytes before a row change from those of the last
// one, so that they seldom have to move.
func (e *Encoder) prepareFrame(c *Context, p *Plan, t EventType, dataLen int) {
	e.lastRows, e.lastBody = max(e.lastRows, 1), max(e.lastBody, dataLen)
	e.header = appendHeader(e.header[:0], c, names{schema: p.Schema, table: p.Table}, t, e.lastRows)
	e.frame = appendFrame(e.frame[:0], e.header, typeRowData, e.lastBody)
}

// mendFrame corrects the numbers in a frame that prepareFrame has made: the row
// changes and the lengths. It changes nothing and returns false when one of them
// takes more or fewer bytes than the guess.
func (e *Encoder) mendFrame(frame []byte, c *Context, rows, storeLen int) bool {
	was, now := EntrySize(len(e.header), e.lastBody), EntrySize(len(e.header), storeLen)
	if rows == 0 || sizeVarint(uint64(was)) != sizeVarint(uint64(now)) || sizeVarint(uint64(e.lastBody)) != sizeVarint(uint64(storeLen)) ||
		rows != e.lastRows && (rows > 9 || e.lastRows > 9) {
		return false
	}
	putVarint(frame[1:], uint64(now))
	end := len(frame) - sizeVarint(uint64(storeLen))
	putVarint(frame[end:], uint64(storeLen))
	if rows != e.lastRows {
		frame[end-frameTail-setSize(c)-1] = byte('0' + rows)
	}
	return true
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
	if cap(e.were) < len(p.columns) {
		e.were = make([]was, len(p.columns))
	}
	e.were = e.were[:len(p.columns)]
	e.recording = true
	dst, used, err := e.image(dst, p, r.Present, r.ColumnCount, data, beforeImage, 0)
	e.recording = false
	if err != nil || used == len(data) {
		return dst, used, false, err
	}
	before, data := data, data[used:]
	var partial []byte
	skip := 0
	if r.Partial {
		if partial, skip, err = partialBits(data, p.jsonColumns); err != nil {
			return dst, used, false, err
		}
	}
	e.before, e.partial, e.comparing = before, partial, true
	dst, n, err := e.image(dst, p, r.PresentAfter, r.ColumnCount, data[skip:], afterImage, 1)
	e.before, e.partial, e.comparing = nil, nil, false
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
