package entry

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/value"
)

// was is what the before image of an update had of a column.
type was struct {
	state      wasState
	cell       []byte // as it is in the event
	message    int    // where its Column message begins in the output
	start, end int    // where the text of its value is there
}

type wasState uint8

const (
	wasAbsent wasState = iota
	wasNull
	wasText
)

// image appends the columns of one row image and returns the bytes it took
// from data.
//
// It writes into the memory behind dst as it goes, having made sure for each column
// that there is enough of it, and so appends nothing piece by piece.
func (e *Encoder) image(dst []byte, p *Plan, present []byte, columns int, data []byte, tag, updated byte) (out []byte, used int, err error) {
	n := bitCount(present, columns)
	nulls := (n + 7) / 8
	if len(data) < nulls {
		return dst, 0, errShortRow
	}
	bitmap, pos := data[:nulls], nulls
	e.tag, e.updated = tag, updated
	m := message{buf: dst[:cap(dst)], end: len(dst)}
	bit, json := 0, 0
	for i := range p.columns[:columns] {
		c := &p.columns[i]
		diff := false
		if e.partial != nil && c.cell == cellJSON {
			diff = isSet(e.partial, json)
			json++
		}
		if n < columns && !isSet(present, i) {
			continue
		}
		null := isSet(bitmap, bit)
		bit++
		if null {
			e.null(&m, c, i)
			continue
		}
		size := c.width
		if c.cell >= cellText || len(data)-pos < size {
			if size, err = c.size(data[pos:]); err != nil {
				return dst, 0, fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		cell := data[pos : pos+size]
		pos += size
		switch {
		case !c.keep:
		case e.recording || e.comparing:
			err = e.changing(&m, c, p, i, cell, diff)
		case c.cell < cellText:
			err = m.fixed(c, p.zone, cell, tag, updated)
		default:
			err = e.variable(&m, c, cell[c.width:], diff)
		}
		if err != nil {
			return dst, 0, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return m.buf[:m.end], pos, nil
}

// message is the Column message that is being written, behind others.
type message struct {
	buf   []byte
	text  int // where the text of its value begins
	after int // and ends
	end   int // of the message
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

// block is how many bytes paste copies at once.
const block = 40

// paste copies part to the start of b and returns its length. Copying a block costs
// less than finding out how much of it is needed: b has room for a block more than
// part, and part has as much capacity behind it.
func paste(b, part []byte) int {
	copyBlock((*[block]byte)(b), (*[block]byte)(part[:block]))
	n := len(part)
	if n > block {
		copyBlock((*[block]byte)(b[block:]), (*[block]byte)(part[block:2*block]))
		if n > 2*block {
			copy(b[2*block:n], part[2*block:n])
		}
	}
	return n
}

// copyBlock copies word by word: for arrays that may overlap the compiler calls
// a function.
func copyBlock(to, from *[block]byte) {
	le := binary.LittleEndian
	le.PutUint64(to[0:], le.Uint64(from[0:]))
	le.PutUint64(to[8:], le.Uint64(from[8:]))
	le.PutUint64(to[16:], le.Uint64(from[16:]))
	le.PutUint64(to[24:], le.Uint64(from[24:]))
	le.PutUint64(to[32:], le.Uint64(from[32:]))
}

// room makes room for another message of c with a text of n bytes. For a big one there
// is more than it needs: the few bytes that follow it in the entry would else make the
// buffer grow once more, by a quarter of its size.
func (m *message) room(c *column, n int) {
	if need := c.room + n; len(m.buf)-m.end < need {
		m.grow(need + n/64)
	}
}

func (m *message) grow(n int) {
	m.buf = slices.Grow(m.buf[:m.end], n)
	m.buf = m.buf[:cap(m.buf)]
}

// null writes a column whose value is NULL.
func (e *Encoder) null(m *message, c *column, i int) {
	if !c.keep {
		return
	}
	updated := e.updated
	if e.recording {
		e.were[i].state = wasNull
	} else if e.comparing && e.were[i].state == wasNull {
		updated = 0
	}
	m.room(c, 0)
	n := paste(m.buf[m.end:], c.null)
	m.buf[m.end] = e.tag
	m.buf[m.end+n-len(c.tail)-3] = updated
	m.end += n
}

// changing writes a column of an update, which has a value.
func (e *Encoder) changing(m *message, c *column, p *Plan, i int, cell []byte, diff bool) (err error) {
	w := &e.were[i]
	if e.comparing && w.same(c, cell, diff) {
		w.repeat(m, c, e.tag)
		return nil
	}
	start := m.end
	if c.cell < cellText {
		err = m.fixed(c, p.zone, cell, e.tag, e.updated)
	} else {
		err = e.variable(m, c, cell[c.width:], diff)
	}
	switch {
	case err != nil:
		return err
	case e.recording:
		*w = was{wasText, cell, start, m.text, m.after}
	case w.state == wasText && string(m.buf[w.start:w.end]) == string(m.buf[m.text:m.after]):
		m.buf[updatedAt(m.text, m.after)] = 0
	}
	return nil
}

// same tells from a cell that the value is what it was. It may be that in other bytes.
// MySQL writes differences that are none for JSON columns of a partial update which
// the statement leaves alone.
func (w *was) same(c *column, cell []byte, diff bool) bool {
	if w.state != wasText {
		return false
	}
	if diff {
		return len(cell) == c.width
	}
	return bytes.Equal(w.cell, cell)
}

// updatedAt is where updated is in a Column message with a text: isNull and the
// text's tag and length come between.
func updatedAt(text, after int) int { return text - sizeVarint(uint64(after-text)) - 1 - 2 - 1 }

// repeat writes a column that is as it was in the before image.
func (w *was) repeat(m *message, c *column, tag byte) {
	n := w.end + len(c.tail) - w.message
	m.room(c, n)
	copy(m.buf[m.end:], m.buf[w.message:w.message+n])
	m.buf[m.end] = tag
	m.buf[m.end+updatedAt(w.start, w.end)-w.message] = 0
	m.end += n
}

// fixed writes the Column message of a value whose text is not longer than
// longestFixed.
func (m *message) fixed(c *column, zone *value.Zone, cell []byte, tag, updated byte) error {
	m.room(c, 0)
	buf, at := m.buf, m.end
	open := c.open
	if c.unsigned && c.cell <= cellLongLong && cell[len(cell)-1]&0x80 != 0 {
		open = c.openHigh
	}
	text := at + paste(buf[at:], open)
	buf[at], buf[text-5] = tag, updated
	end, err := c.text(buf, text, cell, zone)
	if err != nil {
		return err
	}
	buf[text-1] = byte(end - text)
	n := end + len(c.tail) - (at + 1 + c.guess)
	if n < 0x80 && c.guess == 1 {
		buf[at+1] = byte(n)
	} else {
		if w := sizeVarint(uint64(n)); w != c.guess {
			copy(buf[at+1+w:], buf[at+1+c.guess:end])
			text, end = text+w-c.guess, end+w-c.guess
		}
		putVarint(buf[at+1:], uint64(n))
	}
	paste(buf[end:], c.tail)
	m.text, m.after, m.end = text, end, end+len(c.tail)
	return nil
}

// variable writes the Column message of a value that carries its own length.
func (e *Encoder) variable(m *message, c *column, content []byte, diff bool) (err error) {
	switch {
	case c.cell == cellText && c.utf8 && charset.ValidUTF8(content):
		m.known(c, len(content), e.tag, e.updated)
		copy(m.buf[m.text:], content)
		paste(m.buf[m.after:], c.tail)
		return nil
	case c.cell == cellText:
		e.text = c.charset.Append(e.text[:0], content)
	case c.cell == cellBinary:
		m.known(c, value.Latin1Len(content), e.tag, e.updated)
		value.AppendLatin1(m.buf[:m.text], content)
		paste(m.buf[m.after:], c.tail)
		return nil
	default:
		if e.text, err = c.special(e.text[:0], content, diff); err != nil {
			return err
		}
	}
	m.known(c, len(e.text), e.tag, e.updated)
	copy(m.buf[m.text:], e.text)
	paste(m.buf[m.after:], c.tail)
	e.text = reuse(e.text)
	return nil
}

// known writes a Column message but for the text of its value, which is n bytes long,
// and what comes behind that.
func (m *message) known(c *column, n int, tag, updated byte) {
	m.room(c, n)
	buf, at := m.buf, m.end
	head := c.open[1+c.guess : len(c.open)-1]
	size := len(head) + sizeVarint(uint64(n)) + n + len(c.tail)
	buf[at] = tag
	at++
	at += putVarint(buf[at:], uint64(size))
	at += paste(buf[at:], head)
	buf[at-4] = updated
	m.text = at + putVarint(buf[at:], uint64(n))
	m.after = m.text + n
	m.end = m.after + len(c.tail)
}
