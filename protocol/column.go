package protocol

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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

func (c *Column) parse(b []byte) error {
	c.raw = b
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

// Index is the column's place in its table, from 0.
func (c *Column) Index() int { return int(c.index) }

// SQLType is the column's type as Canal maps it.
func (c *Column) SQLType() SQLType { return c.sqlType }

// Name is the column's name.
func (c *Column) Name() string { return javaString(c.name) }

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
func (c *Column) MysqlType() string { return javaString(c.mysqlType) }

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
// form is Value.
func (c *Column) Float64() (float64, error) {
	if c.isNull {
		return 0, ErrNull
	}
	return strconv.ParseFloat(string(c.value), 64)
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
