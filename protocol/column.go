package protocol

import (
	"errors"
	"fmt"
	"iter"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// SQLType is a number of java.sql.Types, the type Canal gives a column.
type SQLType int32

// The types Canal uses.
const (
	SQLBit           SQLType = -7
	SQLTinyInt       SQLType = -6
	SQLBigInt        SQLType = -5
	SQLLongVarBinary SQLType = -4
	SQLVarBinary     SQLType = -3
	SQLBinary        SQLType = -2
	SQLChar          SQLType = 1
	SQLDecimal       SQLType = 3
	SQLInteger       SQLType = 4
	SQLSmallInt      SQLType = 5
	SQLReal          SQLType = 7
	SQLDouble        SQLType = 8
	SQLVarchar       SQLType = 12
	SQLDate          SQLType = 91
	SQLTime          SQLType = 92
	SQLTimestamp     SQLType = 93
	SQLOther         SQLType = 1111
	SQLBlob          SQLType = 2004
	SQLClob          SQLType = 2005
)

var (
	// ErrNull is returned by the typed accessors of a Column that is NULL.
	ErrNull = errors.New("column is NULL")
	// ErrZeroDate is returned by Column.Time for MySQL's zero and incomplete
	// dates, such as 0000-00-00 and 2024-00-00, which are no point in time.
	ErrZeroDate = errors.New("zero or incomplete date")
)

// Column is one column of a row. Its value is text, whatever its type.
type Column struct {
	raw       []byte
	name      []byte
	value     []byte
	mysqlType []byte
	index     int32
	sqlType   SQLType
	length    int32
	isKey     bool
	updated   bool
	isNull    bool
	has       presence
}

// parse reads a Column message. It is the innermost loop of every consumer: what
// fields.next does is written out here, which takes half the time.
func (c *Column) parse(b []byte) error {
	c.raw = b
	at, has := 0, presence(0)
fields:
	for at+1 < len(b) {
		tag, v, from := b[at], uint64(b[at+1]), at+2
		if v >= 0x80 {
			var n int
			if v, n = protowire.ConsumeVarint(b[at+1:]); n < 0 {
				break
			}
			from = at + 1 + n
		}
		switch columnForms[tag] {
		case formNumber:
			switch tag >> 3 {
			case 1:
				c.index = int32(v)
			case 2:
				c.sqlType = SQLType(v)
			case 4:
				c.isKey = v != 0
			case 5:
				c.updated = v != 0
			case 6:
				c.isNull = v != 0
			case 9:
				c.length = int32(v)
			}
			at = from
		case formText:
			if v > uint64(len(b)-from) {
				break fields
			}
			at = from + int(v)
			switch text := b[from:at]; tag >> 3 {
			case 3:
				c.name = text
			case 8:
				c.value = text
			case 10:
				c.mysqlType = text
			}
		default:
			break fields
		}
		has |= 1 << (tag >> 3)
	}
	c.has = has
	if at == len(b) {
		return nil
	}
	return c.parseFields(b[at:])
}

// columnForms says what form a field of a Column has, by its tag; formOther also for
// fields that need a closer look.
var columnForms = [256]uint8{
	1<<3 | wireVarint: formNumber, 2<<3 | wireVarint: formNumber, 4<<3 | wireVarint: formNumber,
	5<<3 | wireVarint: formNumber, 6<<3 | wireVarint: formNumber, 9<<3 | wireVarint: formNumber,
	3<<3 | wireBytes: formText, 8<<3 | wireBytes: formText, 10<<3 | wireBytes: formText,
}

const (
	formOther uint8 = iota
	formNumber
	formText
)

// parseFields reads what is left of a Column message, whatever its form.
func (c *Column) parseFields(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireVarint:
			c.index = int32(f.varint)
		case 2<<3 | wireVarint:
			c.sqlType = SQLType(f.varint)
		case 3<<3 | wireBytes:
			c.name = f.bytes
		case 4<<3 | wireVarint:
			c.isKey = f.varint != 0
		case 5<<3 | wireVarint:
			c.updated = f.varint != 0
		case 6<<3 | wireVarint:
			c.isNull = f.varint != 0
		case 7<<3 | wireBytes:
			if err := validPair(f.bytes); err != nil {
				return err
			}
		case 8<<3 | wireBytes:
			c.value = f.bytes
		case 9<<3 | wireVarint:
			c.length = int32(f.varint)
		case 10<<3 | wireBytes:
			c.mysqlType = f.bytes
		default:
			continue
		}
		c.has.set(f.num)
	}
	if f.err != nil {
		return fmt.Errorf("parse column: %w", f.err)
	}
	return nil
}

// validColumn checks a Column message: it fails when parse would.
func validColumn(b []byte) error {
	at := 0
	for at+1 < len(b) {
		form, v, from := columnForms[b[at]], uint64(b[at+1]), at+2
		if v >= 0x80 {
			var n int
			if v, n = protowire.ConsumeVarint(b[at+1:]); n < 0 {
				break
			}
			from = at + 1 + n
		}
		if form == formText {
			if v > uint64(len(b)-from) {
				break
			}
			from += int(v)
		}
		if form == formOther {
			break
		}
		at = from
	}
	if at == len(b) {
		return nil
	}
	var c Column
	return c.parseFields(b[at:])
}

// Index is the column's place in its table, from 0.
func (c *Column) Index() int { return int(c.index) }

// SQLType is the column's type as Canal maps it.
func (c *Column) SQLType() SQLType { return c.sqlType }

// Name is the column's name.
func (c *Column) Name() string { return names.text(c.name) }

// RawName is the column's name as it was on the wire, without a copy.
func (c *Column) RawName() []byte { return c.name }

// IsKey says that the column is part of the primary key.
func (c *Column) IsKey() bool { return c.isKey }

// Updated says that the change gave the column another value.
func (c *Column) Updated() bool { return c.updated }

// IsNull says that the value is NULL.
func (c *Column) IsNull() bool { return c.isNull }

// HasValue says whether there was a value on the wire; NULL comes without one.
func (c *Column) HasValue() bool { return c.has.has(8) }

// Value is the value's text, "" for NULL. Bytes of a binary column appear as
// the characters U+0000 to U+00FF: see Bytes.
func (c *Column) Value() string { return javaString(c.value) }

// RawValue is the value's text as it was on the wire, without a copy.
func (c *Column) RawValue() []byte { return c.value }

// MysqlType is the column's full type, such as "varchar(32)".
func (c *Column) MysqlType() string { return names.text(c.mysqlType) }

// Props are the column's properties; servers send none so far.
func (c *Column) Props() iter.Seq[Pair] {
	return func(yield func(Pair) bool) { eachPair(c.raw, 7<<3|wireBytes, yield) }
}

// IsBinary says that the value is bytes (BINARY, VARBINARY, BLOB and geometry
// types), one character of text for each.
func (c *Column) IsBinary() bool {
	switch c.sqlType {
	case SQLBlob, SQLBinary, SQLVarBinary, SQLLongVarBinary:
		return true
	}
	return false
}

// Int64 is the value of an integer column (also YEAR, BIT, and the number behind
// an ENUM or SET). It fails with ErrNull for NULL and with an error of strconv for
// text that is no integer or does not fit.
func (c *Column) Int64() (int64, error) {
	if c.isNull {
		return 0, ErrNull
	}
	return strconv.ParseInt(string(c.value), 10, 64)
}

// Uint64 is Int64 for columns that may hold more than 1<<63-1.
func (c *Column) Uint64() (uint64, error) {
	if c.isNull {
		return 0, ErrNull
	}
	return strconv.ParseUint(string(c.value), 10, 64)
}

// Float64 is the value of a numeric column. A DECIMAL may lose digits: its exact
// value is Decimal, its exact text Value.
func (c *Column) Float64() (float64, error) {
	if c.isNull {
		return 0, ErrNull
	}
	return strconv.ParseFloat(string(c.value), 64)
}

// Decimal is the exact value of a DECIMAL or integer column: unscaled × 10^-scale,
// where scale is the number of digits after the point. It fails with ErrNull for NULL
// and for text that is no such number.
func (c *Column) Decimal() (unscaled *big.Int, scale int, err error) {
	if c.isNull {
		return nil, 0, ErrNull
	}
	whole, fraction, point := strings.Cut(string(c.value), ".")
	number := strings.TrimPrefix(whole, "-")
	unscaled, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok || number == "" || number[0] < '0' || point && (fraction == "" || fraction[0] < '0') {
		return nil, 0, fmt.Errorf("parse decimal %q", c.value)
	}
	return unscaled, len(fraction), nil
}

// Bytes is the value as bytes, in memory of its own: for a binary column what the
// column holds, for any other its text. It fails with ErrNull for NULL, and when
// the text of a binary column has a character beyond U+00FF.
func (c *Column) Bytes() ([]byte, error) {
	if c.isNull {
		return nil, ErrNull
	}
	if !c.IsBinary() {
		return []byte(c.Value()), nil
	}
	b := make([]byte, 0, len(c.value))
	for rest := c.value; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r > 0xff {
			return nil, fmt.Errorf("binary column %s: character %U is no byte", c.Name(), r)
		}
		b = append(b, byte(r))
		rest = rest[size:]
	}
	return b, nil
}

// Time is the value of a DATE, DATETIME or TIMESTAMP column, read in loc (nil is
// UTC). The text of a TIMESTAMP is in the server's own time zone. It fails with
// ErrNull for NULL and with ErrZeroDate for dates with a zero month or day.
func (c *Column) Time(loc *time.Location) (time.Time, error) {
	if c.isNull {
		return time.Time{}, ErrNull
	}
	if loc == nil {
		loc = time.UTC
	}
	if t, ok := parseTime(c.value, loc); ok {
		return t, nil
	}
	s := string(c.value)
	if len(s) >= len(time.DateOnly) && (s[5:7] == "00" || s[8:10] == "00") {
		return time.Time{}, ErrZeroDate
	}
	layout := time.DateTime
	if len(s) == len(time.DateOnly) {
		layout = time.DateOnly
	}
	return time.ParseInLocation(layout, s, loc)
}

// parseTime reads what a server writes for a date or a time of day on it, without
// allocating. Where it is false time.Parse tells what is wrong.
func parseTime(b []byte, loc *time.Location) (t time.Time, ok bool) {
	if len(b) < len(time.DateOnly) || b[4] != '-' || b[7] != '-' {
		return t, false
	}
	year, month, day := digits(b[:4]), digits(b[5:7]), digits(b[8:10])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) {
		return t, false
	}
	if len(b) == len(time.DateOnly) {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, loc), true
	}
	if len(b) < len(time.DateTime) || b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return t, false
	}
	hour, minute, second := digits(b[11:13]), digits(b[14:16]), digits(b[17:19])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return t, false
	}
	nanos := 0
	if fraction := b[19:]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 10 {
			return t, false
		}
		if nanos = digits(fraction[1:]); nanos < 0 {
			return t, false
		}
		for range 10 - len(fraction) {
			nanos *= 10
		}
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, loc), true
}

// digits is a decimal number of at most nine digits, -1 for anything else.
func digits(b []byte) (n int) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// daysIn is how many days a month has.
func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// Duration is the value of a TIME column, which in MySQL is a span of up to
// ±838:59:59.
func (c *Column) Duration() (time.Duration, error) {
	if c.isNull {
		return 0, ErrNull
	}
	s := string(c.value)
	digits, negative := strings.CutPrefix(s, "-")
	hours, rest, _ := strings.Cut(digits, ":")
	h, err := strconv.ParseUint(hours, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("parse time %q: %w", s, err)
	}
	t, err := time.Parse("04:05", rest)
	if err != nil {
		return 0, fmt.Errorf("parse time %q: %w", s, err)
	}
	d := time.Duration(h)*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	if negative {
		d = -d
	}
	return d, nil
}
