package entry

import (
	"bytes"
	"fmt"
	"math/bits"
)

// was is what the before image of an update had of a column.
type was struct {
	state      wasState
	from, to   int // where in the image its cell is
	message    int // where its Column message begins in the output
	start, end int // where the text of its value is there
}

type wasState uint8

const (
	wasAbsent wasState = iota
	wasNull
	wasText
)

// image appends the columns of one row image and returns the bytes it took
// from data.
func (e *Encoder) image(dst []byte, p *Plan, present []byte, columns int, data []byte, tag, updated byte) (out []byte, used int, err error) {
	n := bitCount(present, columns)
	size := (n + 7) / 8
	if len(data) < size {
		return dst, 0, errShortRow
	}
	nulls := data[:size]
	var m message
	m.cells, m.buf, m.out = data[size:], dst[:cap(dst)], dst[len(dst):cap(dst)]
	m.tag, m.updated, m.zone, m.scratch = tag, updated, p.zone, e.text
	rest := p.columns[:columns]
	if n == columns && p.keepsAll && !e.recording && !e.comparing {
		if i, err := m.columns(rest, nulls); err != nil {
			return dst, 0, fmt.Errorf("column %s: %w", rest[i].name, err)
		}
		rest = nil // most images are like that
	}
	partial := e.partial
	bit, json := 0, 0
	for i := range rest {
		c := &rest[i]
		if partial != nil && c.cell == cellJSON {
			m.diff = isSet(partial, json)
			json++
		}
		if n < columns && !isSet(present, i) {
			if e.recording {
				e.were[i].state = wasAbsent
			}
			continue
		}
		null := isSet(nulls, bit)
		bit++
		switch {
		case !c.keep:
			if !null {
				_, err = m.cell(c)
			}
		case null:
			e.null(&m, c, i)
		case e.recording:
			err = e.record(&m, c, i, data)
		case e.comparing:
			err = e.compare(&m, c, i)
		default:
			err = m.column(c)
		}
		if err != nil {
			return dst, 0, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	e.text = reuse(m.scratch)
	return m.buf[:m.end()], len(data) - len(m.cells), nil
}

func isSet(bits []byte, i int) bool { return bits[i>>3]&(1<<(i&7)) != 0 }

// bitCount is how many of the first n bits are set.
func bitCount(b []byte, n int) int {
	count := 0
	for ; n >= 8; n -= 8 {
		count += bits.OnesCount8(b[0])
		b = b[1:]
	}
	if n > 0 {
		count += bits.OnesCount8(b[0] & (1<<n - 1))
	}
	return count
}

// null writes a column whose value is NULL.
func (e *Encoder) null(m *message, c *column, i int) {
	updated := m.updated
	if e.recording {
		e.were[i].state = wasNull
	} else if e.comparing && e.were[i].state == wasNull {
		updated = 0
	}
	m.null(c, updated)
}

// record writes a column of a before image and remembers it.
func (e *Encoder) record(m *message, c *column, i int, data []byte) error {
	from, at := len(data)-len(m.cells), m.end()
	if err := m.column(c); err != nil {
		return err
	}
	end := m.end() - c.tailSize
	e.were[i] = was{wasText, from, len(data) - len(m.cells), at, end - m.length, end}
	return nil
}

// compare writes a column of an after image. One that is as it was is copied from the before
// image, in which nothing is updated.
func (e *Encoder) compare(m *message, c *column, i int) error {
	w := &e.were[i]
	if w.state == wasText {
		size, err := c.size(m.cells)
		if err != nil {
			return err
		}
		if e.same(w, c, m.cells[:size], m.diff) {
			m.cells = m.cells[size:]
			n := w.end + c.tailSize - w.message
			m.room(c, n)
			copy(m.out, m.buf[w.message:w.message+n])
			m.out[0] = m.tag
			m.out = m.out[n:]
			return nil
		}
	}
	if err := m.column(c); err != nil {
		return err
	}
	if end := m.end() - c.tailSize; w.state == wasText && string(m.buf[w.start:w.end]) == string(m.buf[end-m.length:end]) {
		m.buf[updatedAt(end-m.length, end)] = 0
	}
	return nil
}

// same tells from a cell that the value is what it was. It may be that in other bytes.
// MySQL writes differences that are none for JSON columns of a partial update which
// the statement leaves alone.
func (e *Encoder) same(w *was, c *column, cell []byte, diff bool) bool {
	if diff && c.cell == cellJSON {
		return len(cell) == c.width
	}
	return bytes.Equal(e.before[w.from:w.to], cell)
}

// updatedAt is where updated is in a Column message with a text: isNull and the
// text's tag and length come between.
func updatedAt(text, after int) int { return text - sizeVarint(uint64(after-text)) - 1 - 2 - 1 }
