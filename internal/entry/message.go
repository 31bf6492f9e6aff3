package entry

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/value"
)

// message writes the Column messages of a row image, one behind the other. It makes sure for each
// that there is enough memory and writes into that, so that nothing is appended piece by piece.
type message struct {
	cells []byte // of the image, those that are left
	buf   []byte // memory for the entry
	out   []byte // the end of buf, from where nothing has been written yet

	tag, updated byte // of each message
	diff         bool // whether the next JSON value is a difference
	zone         *value.Zone

	length  int    // of the text in the last message
	scratch []byte // texts whose length is known only afterwards
}

// end is up to where buf has been written.
func (m *message) end() int { return len(m.buf) - len(m.out) }

// room makes room for a message of c with a text of n bytes, which need not be counted if they
// are less than 128. For a big one there is more than it needs: the few bytes that follow it in
// the entry would else make the buffer grow once more, by a quarter of its size.
func (m *message) room(c *column, n int) {
	if need := c.room + n; len(m.out) < need {
		m.grow(need + n/64)
	}
}

func (m *message) grow(n int) {
	end := m.end()
	buf := slices.Grow(m.buf[:end], n)
	m.buf = buf[:cap(buf)]
	m.out = m.buf[end:]
}

// cell takes the next cell, which is not written, or is by the caller.
func (m *message) cell(c *column) ([]byte, error) {
	size, err := c.size(m.cells)
	if err != nil {
		return nil, err
	}
	cell := m.cells[:size]
	m.cells = m.cells[size:]
	return cell, nil
}

// null writes the message of a NULL.
func (m *message) null(c *column, updated byte) {
	m.room(c, 0)
	n := copy(m.out, c.null)
	m.out[0] = m.tag
	m.out[n-c.tailSize-3] = updated
	m.out = m.out[n:]
}

// begin writes c.open to the start of out. Writing a block costs less than finding out
// how much of it is needed.
func (c *column) begin(out []byte) {
	*(*[openBlock]byte)(out) = c.openStart
	if c.openSize > openBlock {
		copy(out[openBlock:], c.open[openBlock:])
	}
}

// finish writes c.tail to the start of out, as begin does.
func (c *column) finish(out []byte) {
	*(*[tailBlock]byte)(out) = c.tailStart
	if c.tailSize > tailBlock {
		copy(out[tailBlock:], c.tail[tailBlock:])
	}
}

// columns writes the messages of all columns, of which none is left out; nulls says which are
// NULL. An error is about column i.
func (m *message) columns(all []column, nulls []byte) (i int, err error) {
	for i := range all {
		if isSet(nulls, i) {
			m.null(&all[i], m.updated)
		} else if err := m.column(&all[i]); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// column writes the message of the next cell. The text of a cell of fixed size is not longer
// than longestFixed; most others are left to m.variable.
func (m *message) column(c *column) error {
	if len(m.out) < c.room {
		m.grow(c.room)
	}
	cells, out := m.cells, m.out
	size := c.width
	if len(cells) < size {
		return errShortRow
	}
	n := 0
	if c.cell >= cellText {
		if c.cell != cellText || !c.utf8 {
			return m.variable(c)
		}
		if n = int(unsignedLE(cells[:size])); n > longestShort || len(cells)-size < longestShort {
			return m.long(c, n)
		}
	}
	c.begin(out)
	text := c.openSize
	var end int
	var dst []byte
	var err error
	switch c.cell {
	case cellTiny, cellShort, cellMedium, cellLong, cellLongLong:
		unused := (64 - 8*size) & 63
		u := upTo8(cells, size) << unused
		switch {
		case !c.unsigned && int64(u) < 0:
			out[text], end = '-', text+1
			u = -uint64(int64(u) >> unused)
		case c.unsigned && int64(u) < 0:
			text = copy(out, c.openHigh)
			fallthrough
		default:
			u, end = u>>unused, text
		}
		end += value.PutUint(out[end:], u)
	case cellText:
		content := (*[longestShort]byte)(cells[size:])
		if !copyASCII((*[longestShort]byte)(out[text:]), content, n) && !charset.ValidUTF8(content[:n]) {
			return m.variable(c)
		}
		size += n
		end = text + n
	case cellEnum, cellSet:
		end = text + value.PutUint(out[text:], unsignedLE(cells[:size]))
	case cellFloat:
		dst = value.AppendFloat32(out[:text], math.Float32frombits(binary.LittleEndian.Uint32(cells)))
	case cellDouble:
		dst = value.AppendFloat64(out[:text], math.Float64frombits(binary.LittleEndian.Uint64(cells)))
	case cellDecimal:
		dst, err = value.AppendDecimal(out[:text], cells[:size], int(c.meta>>8), int(c.meta&0xff))
	case cellBit:
		dst = value.AppendBit(out[:text], cells[:size])
	case cellYear:
		dst = value.AppendYear(out[:text], cells[0])
	case cellDate:
		dst = value.AppendDate(out[:text], uint32(unsignedLE(cells[:size])))
	case cellTimeOld:
		dst = value.AppendTimeOld(out[:text], int32(unsignedLE(cells[:size])<<40>>40)<<8>>8)
	case cellTime:
		dst, err = value.AppendTime2(out[:text], cells[:size], int(c.meta))
	case cellDatetimeOld:
		dst = value.AppendDatetimeOld(out[:text], binary.LittleEndian.Uint64(cells))
	case cellDatetime:
		dst, err = value.AppendDatetime2(out[:text], cells[:size], int(c.meta))
	case cellTimestampOld:
		dst = m.zone.AppendTimestampOld(out[:text], binary.LittleEndian.Uint32(cells))
	case cellTimestamp:
		dst, err = m.zone.AppendTimestamp2(out[:text], cells[:size], int(c.meta))
	default:
		return m.variable(c)
	}
	if err != nil {
		return err
	}
	end = max(end, len(dst))
	m.cells = cells[size:]
	m.length = end - text
	out[text-1] = byte(end - text)
	out[text-5] = m.updated
	out[0] = m.tag
	if size := end + c.tailSize - 2; size < 0x80 && c.guess == 1 {
		out[1] = byte(size)
	} else {
		end += c.measure(out, end)
	}
	c.finish(out[end:])
	m.out = out[end+c.tailSize:]
	return nil
}

// measure writes the length of a message whose text ends at end. If it takes more or fewer bytes
// than guessed, it moves what is behind it, and returns by how much.
func (c *column) measure(out []byte, end int) (moved int) {
	guess := int(c.guess)
	n := end + c.tailSize - (1 + guess)
	w := sizeVarint(uint64(n))
	if w != guess {
		copy(out[1+w:], out[1+guess:end])
	}
	putVarint(out[1:], uint64(n))
	return w - guess
}

// upTo8 is the little-endian number of size bytes, 1 to 8, at the start of b, and more above
// them if it takes all 64 bits.
func upTo8(b []byte, size int) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return unsignedLE(b[:size])
}

// longestShort is up to which length in bytes a text is short.
const longestShort = 32

// copyASCII copies all of from and says whether its first n bytes are ASCII.
func copyASCII(to, from *[longestShort]byte, n int) bool {
	le, mask := binary.LittleEndian, &highBits[n]
	a, b, c, d := le.Uint64(from[0:]), le.Uint64(from[8:]), le.Uint64(from[16:]), le.Uint64(from[24:])
	le.PutUint64(to[0:], a)
	le.PutUint64(to[8:], b)
	le.PutUint64(to[16:], c)
	le.PutUint64(to[24:], d)
	return a&mask[0]|b&mask[1]|c&mask[2]|d&mask[3] == 0
}

// highBits selects the top bits of the first n bytes, by n.
var highBits = func() (masks [longestShort + 1][longestShort / 8]uint64) {
	for n := range masks {
		for i := range n {
			masks[n][i/8] |= 0x80 << (i % 8 * 8)
		}
	}
	return masks
}()

// long writes the message of a text of n bytes, usually in UTF-8.
func (m *message) long(c *column, n int) error {
	rest := m.cells[c.width:]
	if n > len(rest) {
		return errShortRow
	}
	if !charset.ValidUTF8(rest[:n]) {
		return m.variable(c)
	}
	text := m.known(c, n)
	copy(text, rest[:n])
	c.finish(text[n:])
	m.cells = rest[n:]
	return nil
}

// variable writes the message of a value that carries its own length.
func (m *message) variable(c *column) error {
	cell, err := m.cell(c)
	if err != nil {
		return err
	}
	content := cell[c.width:]
	var text []byte
	if c.cell == cellBinary {
		text = m.known(c, value.Latin1Len(content))
		value.AppendLatin1(text[:0], content)
	} else {
		if c.cell == cellText {
			m.scratch = c.charset.Append(m.scratch[:0], content)
		} else if m.scratch, err = c.special(m.scratch[:0], content, m.diff); err != nil {
			return err
		}
		text = m.known(c, len(m.scratch))
		copy(text, m.scratch)
	}
	c.finish(text[m.length:])
	return nil
}

// known writes the message of a text of n bytes but for the text itself and what is behind it,
// and returns the memory from the text on.
func (m *message) known(c *column, n int) []byte {
	m.room(c, n)
	out, guess := m.out, int(c.guess)
	head := c.openSize - 1 - (1 + guess)
	size := head + sizeVarint(uint64(n)) + n + c.tailSize
	w := sizeVarint(uint64(size))
	if w >= guess {
		c.begin(out[w-guess:])
	} else {
		copy(out[1+w:], c.open[1+guess:])
	}
	out[0] = m.tag
	putVarint(out[1:], uint64(size))
	at := 1 + w + head
	out[at-4] = m.updated
	at += putVarint(out[at:], uint64(n))
	m.length = n
	m.out = out[at+n+c.tailSize:]
	return out[at:]
}
