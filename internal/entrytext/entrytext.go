// Package entrytext prints entries for people to read: one line for each changed
// row, statement, and transaction mark. What it prints is not meant to be parsed;
// programs have protocol.AppendJSON.
package entrytext

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/protocol"
)

// What is shown of long values.
const (
	maxText   = 200 // characters of a text value, and of a statement that is no DDL
	maxBinary = 32  // bytes of a binary value
)

// Printer says how entries are printed. The zero value prints times in UTC and
// without colour.
type Printer struct {
	Location *time.Location // of the times printed; nil is UTC
	Colour   bool           // with the escape sequences of a terminal
}

// Append appends the lines for one entry. Text from the database never reaches the
// output with control characters in it. It fails when the entry is malformed.
func (p *Printer) Append(dst []byte, e *protocol.Entry) ([]byte, error) {
	switch e.EntryType() {
	case protocol.EntryTransactionBegin:
		t, err := e.TransactionBegin()
		if err != nil {
			return dst, err
		}
		l := p.line(dst, e.Header())
		l.paint(faint, "BEGIN thread "+strconv.FormatInt(t.ThreadID(), 10)+xa(&t)+gtid(e.Header()))
		return l.end(), nil
	case protocol.EntryTransactionEnd:
		t, err := e.TransactionEnd()
		if err != nil {
			return dst, err
		}
		l := p.line(dst, e.Header())
		l.paint(faint, "END xid "+clean(t.TransactionID())+xa(&t))
		return l.end(), nil
	case protocol.EntryRowData:
		c, err := e.RowChange()
		if err != nil {
			return dst, err
		}
		return p.appendChange(dst, e.Header(), &c), nil
	default:
		l := p.line(dst, e.Header())
		l.paint(faint, e.EntryType().String())
		return l.end(), nil
	}
}

// xa is the XA statement behind a mark of an XA transaction, with a space before it.
func xa(props interface{ Prop(string) (string, bool) }) string {
	kind, ok := props.Prop("XA_TYPE")
	if !ok {
		return ""
	}
	id, _ := props.Prop("XA_XID")
	return " " + clean(strings.TrimSpace(kind)) + " " + clean(id)
}

func gtid(h *protocol.Header) string {
	if v, ok := h.Prop("curtGtid"); ok {
		return " gtid " + clean(v)
	}
	return ""
}

func (p *Printer) appendChange(dst []byte, h *protocol.Header, c *protocol.RowChange) []byte {
	if c.NumRows() == 0 {
		return p.appendStatement(dst, h, c)
	}
	for row := range c.Rows() {
		l := p.line(dst, h)
		l.what(h, c.EventType())
		switch c.EventType() {
		case protocol.EventUpdate:
			l.changes(row)
		case protocol.EventDelete:
			for column := range row.Before() {
				l.column(&column)
			}
		default:
			for column := range row.After() {
				l.column(&column)
			}
		}
		dst = l.end()
	}
	return dst
}

// appendStatement prints a DDL in full, and of other statements the beginning:
// those repeat what the rows say.
func (p *Printer) appendStatement(dst []byte, h *protocol.Header, c *protocol.RowChange) []byte {
	l := p.line(dst, h)
	sql := oneLine(c.SQL())
	if c.IsDDL() {
		l.what(h, c.EventType())
		l.space()
		l.paint(bold, sql)
		return l.end()
	}
	short, _ := abbreviate(sql, maxText)
	l.paint(faint, strings.TrimSpace(c.EventType().String()+tableName(h, " ")+" "+short))
	return l.end()
}

// style is an ANSI "select graphic rendition" parameter.
type style string

const (
	faint   style = "2"
	bold    style = "1"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	magenta style = "35"
)

// line is one line being written.
type line struct {
	dst    []byte
	colour bool
}

// line begins a line with where and when.
func (p *Printer) line(dst []byte, h *protocol.Header) *line {
	loc := p.Location
	if loc == nil {
		loc = time.UTC
	}
	l := &line{dst: dst, colour: p.Colour}
	at := time.UnixMilli(h.ExecuteTime()).In(loc).Format(time.DateTime)
	l.paint(faint, fmt.Sprintf("%s %s:%d", at, clean(h.LogfileName()), h.LogfileOffset()))
	l.space()
	return l
}

func (l *line) space()      { l.dst = append(l.dst, ' ') }
func (l *line) end() []byte { return append(l.dst, '\n') }

func (l *line) paint(s style, text string) {
	if !l.colour || text == "" {
		l.dst = append(l.dst, text...)
		return
	}
	l.dst = append(l.dst, "\x1b["+string(s)+"m"+text+"\x1b[0m"...)
}

// what prints what happened to which table.
func (l *line) what(h *protocol.Header, t protocol.EventType) {
	s := magenta
	switch t {
	case protocol.EventInsert:
		s = green
	case protocol.EventUpdate:
		s = yellow
	case protocol.EventDelete:
		s = red
	}
	l.paint(s, t.String())
	l.paint(bold, tableName(h, " "))
}

// tableName is schema.table with something before it, "" if neither is known.
func tableName(h *protocol.Header, before string) string {
	schema, table := h.SchemaName(), h.TableName()
	switch {
	case schema == "" && table == "":
		return ""
	case table == "":
		return before + identifier(schema)
	case schema == "":
		return before + identifier(table)
	}
	return before + identifier(schema) + "." + identifier(table)
}

// changes prints an updated row: its key, and what has changed as old→new. Of a
// row without a key everything is shown.
func (l *line) changes(row protocol.RowData) {
	keyed := false
	for c := range row.After() {
		keyed = keyed || c.IsKey()
	}
	for after := range row.After() {
		if !after.Updated() {
			if after.IsKey() || !keyed {
				l.column(&after)
			}
			continue
		}
		l.space()
		l.name(&after)
		if before, ok := beforeColumn(row, after.RawName()); ok {
			l.paint(red, value(&before))
			l.dst = append(l.dst, "→"...)
		}
		l.paint(green, value(&after))
	}
}

func beforeColumn(row protocol.RowData, name []byte) (protocol.Column, bool) {
	for c := range row.Before() {
		if bytes.Equal(c.RawName(), name) {
			return c, true
		}
	}
	return protocol.Column{}, false
}

func (l *line) column(c *protocol.Column) {
	l.space()
	l.name(c)
	l.dst = append(l.dst, value(c)...)
}

func (l *line) name(c *protocol.Column) {
	l.dst = append(append(l.dst, identifier(c.Name())...), '=')
}

// value is a column's value: numbers and times bare, text quoted, bytes in hex.
func value(c *protocol.Column) string {
	switch {
	case c.IsNull():
		return "NULL"
	case c.IsBinary():
		return binary(c)
	case bare(c.SQLType()):
		return clean(c.Value())
	}
	v := c.Value()
	short, cut := abbreviate(v, maxText)
	if !cut {
		return quote(v)
	}
	return quote(short) + fmt.Sprintf("(%d characters)", utf8.RuneCountInString(v))
}

// quote puts text in quotes, such that text with quotes in it stays legible.
func quote(s string) string {
	if strings.Contains(s, `"`) && strconv.CanBackquote(s) && clean(s) == s {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

func binary(c *protocol.Column) string {
	b, err := c.Bytes()
	if err != nil {
		return strconv.Quote(c.Value())
	}
	if len(b) <= maxBinary {
		return "x'" + hex.EncodeToString(b) + "'"
	}
	return "x'" + hex.EncodeToString(b[:maxBinary]) + fmt.Sprintf("…'(%d bytes)", len(b))
}

// bare says that values of a type read well without quotes.
func bare(t protocol.SQLType) bool {
	switch t {
	case protocol.SQLBit, protocol.SQLTinyInt, protocol.SQLSmallInt, protocol.SQLInteger, protocol.SQLBigInt,
		protocol.SQLDecimal, protocol.SQLReal, protocol.SQLDouble,
		protocol.SQLDate, protocol.SQLTime, protocol.SQLTimestamp:
		return true
	}
	return false
}

// abbreviate cuts s after n characters, and says whether it did.
func abbreviate(s string, n int) (string, bool) {
	for i := range s {
		if n == 0 {
			return s[:i] + "…", true
		}
		n--
	}
	return s, false
}

// identifier is a name as it is if that is plain to read, else quoted.
func identifier(name string) string {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '$' && r != '-' {
			return strconv.Quote(name)
		}
	}
	return name
}

// oneLine is a statement with its line breaks and indents as single spaces.
func oneLine(sql string) string { return clean(strings.Join(strings.Fields(sql), " ")) }

// clean is s without characters that would act on a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}
