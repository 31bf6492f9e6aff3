package entry

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/value"
)

// Numbers of java.sql.Types that Canal reports as sqlType.
const (
	sqlBit       = -7
	sqlTinyint   = -6
	sqlBigint    = -5
	sqlChar      = 1
	sqlDecimal   = 3
	sqlInteger   = 4
	sqlSmallint  = 5
	sqlReal      = 7
	sqlDouble    = 8
	sqlVarchar   = 12
	sqlDate      = 91
	sqlTime      = 92
	sqlTimestamp = 93
	sqlOther     = 1111
	sqlBlob      = 2004
	sqlClob      = 2005
)

// Options are the settings of an instance that shape its row entries.
type Options struct {
	Charset charset.Decoder // of text whose column charset is not known
	Zone    *value.Zone     // zone in which TIMESTAMP values are printed
	// Keep says whether a column is wanted (Canal's field filters); nil wants all.
	Keep func(schema, table, column string) bool
	// HiddenKey is the name of the key column that some hosted servers add to
	// tables without one and show only in the binlog; "" when there is none.
	HiddenKey string
}

// Plan is everything about the rows of one table version that does not change
// from row to row. It is immutable and may be shared by encoders.
type Plan struct {
	Schema, Table string
	columns       []column
	jsonColumns   int
	keepsAll      bool // no column is left out
	zone          *value.Zone
}

// column is what is constant about one column of a plan. What most cells need is in
// the column itself, so that nothing has to be fetched from elsewhere for them.
type column struct {
	cell     cellKind
	unsigned bool
	keep     bool
	utf8     bool // text in valid UTF-8 needs no conversion
	meta     uint16
	guess    uint8 // width of the length of a Column message with a short value
	width    int   // bytes of a fixed-size cell, or of a length prefix
	room     int   // bytes that a message needs beside a text of 128 bytes or more, with all that is written in passing

	// The parts of a Column message: open is what comes up to a value shorter than
	// 128 bytes, with zeros for the tag, guess bytes of length, updated and the value's
	// length; tail is what comes behind a value, mysqlType. Here are their lengths and their
	// first bytes, all of them as a rule.
	openSize, tailSize int
	openStart          [openBlock]byte
	tailStart          [tailBlock]byte

	*columnRest
}

// columnRest is what is constant about a column and not needed for most cells.
type columnRest struct {
	// Parts of a Column message: open and tail as a whole; what open is for an unsigned number whose
	// top bit is set, and the message of a NULL. These two differ from open in sqlType.
	open, openHigh, null, tail []byte

	name    string
	charset charset.Decoder
}

// How many bytes of a Column message are written at once before a value and behind it.
// Names of 22 letters fit, with any type, and types as long as bigint(20) unsigned.
const (
	openBlock = 48
	tailBlock = 32
)

// cellKind says how the bytes of a cell become text.
type cellKind uint8

const (
	cellTiny cellKind = iota
	cellShort
	cellMedium
	cellLong
	cellLongLong
	cellFloat
	cellDouble
	cellDecimal
	cellBit
	cellYear
	cellDate
	cellTimeOld
	cellTime
	cellDatetimeOld
	cellDatetime
	cellTimestampOld
	cellTimestamp
	cellEnum
	cellSet
	cellText   // width bytes of length, then text in charset
	cellBinary // width bytes of length, then bytes
	cellJSON
	cellUUID
	cellInet4
	cellInet6
	cellCompressedText // MariaDB's compressed columns
	cellCompressedBinary
	cellNull // a type that only has NULLs
)

// UnsupportedTypeError is returned for a column whose binlog type is unknown,
// or has metadata that no server writes, so that its cells cannot even be
// skipped.
type UnsupportedTypeError struct {
	Schema, Table, Column string
	Type                  byte
	Meta                  uint16
}

func (e *UnsupportedTypeError) Error() string {
	return fmt.Sprintf("column %s of table %s.%s has binlog type %d with metadata %#x, which this version does not know", e.Column, e.Schema, e.Table, e.Type, e.Meta)
}

// ColumnCountError is returned when rows have more columns than the table is
// known to have, so that no name can be given to the others.
type ColumnCountError struct {
	Schema, Table string
	Rows, Known   int
}

func (e *ColumnCountError) Error() string {
	return fmt.Sprintf("column size is not match for table:%s.%s,%d vs %d", e.Schema, e.Table, e.Rows, e.Known)
}

// NewPlan prepares for rows that the binlog describes with m and whose table is
// t. As in Canal, rows with fewer columns than the table are paired with it
// from the left.
func NewPlan(t *schema.Table, m *binlog.TableMap, o Options) (*Plan, error) {
	collations := collationsOf(m)
	p := &Plan{Schema: decoded(o.Charset, m.Schema), Table: decoded(o.Charset, m.Name), zone: o.Zone, columns: make([]column, len(m.Types)), keepsAll: true}
	rests := make([]columnRest, len(m.Types))
	for i, typ := range m.Types {
		def, hidden, err := definition(t, m, i, o)
		if err != nil {
			return nil, err
		}
		c, err := newColumn(&rests[i], i, typ, m.Meta[i], def, collations(i), o)
		if err != nil {
			return nil, &UnsupportedTypeError{p.Schema, p.Table, def.Name, typ, m.Meta[i]}
		}
		if hidden {
			c.unsigned = false
		}
		if c.cell == cellJSON {
			p.jsonColumns++
		}
		c.keep = !def.Hidden && (o.Keep == nil || o.Keep(p.Schema, p.Table, def.Name))
		p.keepsAll = p.keepsAll && c.keep
		p.columns[i] = c
	}
	return p, nil
}

func decoded(d charset.Decoder, b []byte) string { return string(d.Append(nil, b)) }

// definition is the table's column for the i-th column of the rows.
func definition(t *schema.Table, m *binlog.TableMap, i int, o Options) (def *schema.Column, hidden bool, err error) {
	if i < len(t.Columns) {
		return &t.Columns[i], false, nil
	}
	n := len(m.Types)
	if o.HiddenKey != "" && !t.HasKey() && n == len(t.Columns)+1 && m.Types[n-1] == binlog.TypeLongLong {
		return &schema.Column{Name: o.HiddenKey, Type: "bigint", Key: true}, true, nil
	}
	return nil, false, &ColumnCountError{t.Schema, t.Name, n, len(t.Columns)}
}

// collationsOf gives the collation of each column as its rows' table map has it,
// 0 where it has none: before MySQL 8.0 and MariaDB 10.5.
func collationsOf(m *binlog.TableMap) func(i int) uint32 {
	md, err := m.Metadata()
	if err != nil {
		return func(int) uint32 { return 0 } // the definition has to do
	}
	return func(i int) uint32 { return md.Columns[i].Collation }
}

// charsetOf is the decoder for the text of a column: of the character set in
// which its rows are written, else of its definition, which may be an older or
// newer one, else of the connection.
func charsetOf(def *schema.Column, collation uint32, o Options) charset.Decoder {
	if name, ok := charset.OfCollation(collation); ok && name != "binary" {
		if d, ok := charset.ByMySQLName(name); ok {
			return d
		}
	}
	if def.Charset != "" {
		if d, ok := charset.ByMySQLName(def.Charset); ok {
			return d
		}
	}
	return o.Charset
}

// newColumn prepares one column, whose rest has a place already.
func newColumn(rest *columnRest, index int, typ byte, meta uint16, def *schema.Column, collation uint32, o Options) (column, error) {
	c := column{meta: meta, unsigned: def.Unsigned, columnRest: rest}
	c.name, c.charset = def.Name, charsetOf(def, collation, o)
	sqlType, sqlHigh, sqlNull, ok := c.resolve(typ, def)
	if !ok {
		return c, fmt.Errorf("binlog type %d", typ)
	}
	if c.cell == cellJSON {
		c.charset = charset.UTF8 // JSON is always in utf8mb4
	}
	c.utf8 = c.charset.Name() == "UTF-8"
	head := columnHead(index, sqlType, def)
	tail := appendString(nil, 0x52, def.Type)
	c.guess = uint8(sizeVarint(uint64(len(head) + 5 + typicalText + len(tail))))
	c.open = c.opening(head)
	c.openHigh = c.open
	if sqlHigh != sqlType {
		c.openHigh = c.opening(columnHead(index, sqlHigh, def))
	}
	if sqlNull != sqlType {
		head = columnHead(index, sqlNull, def)
	}
	c.null = slices.Concat(appendVarint([]byte{0}, uint64(len(head)+3+len(tail))), head, []byte{0, 0x30, 1}, tail)
	c.tail = c.null[len(c.null)-len(tail):]
	c.openSize = copy(c.openStart[:], c.open) + max(0, len(c.open)-openBlock)
	c.tailSize = copy(c.tailStart[:], c.tail) + max(0, len(c.tail)-tailBlock)
	c.room = max(len(c.open), len(c.openHigh)) + longestFixed + len(c.null) + 2*binary.MaxVarintLen64 + openBlock + tailBlock
	return c, nil
}

// longestFixed is the length of a text up to which column.fixed serves, in bytes.
const longestFixed = 127

// opening is a Column message up to the text of its value.
func (c *column) opening(head []byte) []byte {
	return slices.Concat(make([]byte, 1+c.guess), head, []byte{0, 0x30, 0, 0x42, 0})
}

// typicalText is a guess at the length of a number or a date in text.
const typicalText = 8

// columnHead is a Column message from its first field to the tag of updated.
func columnHead(index, sqlType int, def *schema.Column) []byte {
	b := appendInt(nil, 0x08, int64(index))
	b = appendInt(b, 0x10, int64(sqlType))
	b = appendString(b, 0x1a, def.Name)
	key := byte(0)
	if def.Key {
		key = 1
	}
	return append(b, 0x20, key, 0x28)
}

// resolve sets how cells are read and returns the sqlType of ordinary values,
// of unsigned values with the top bit set, and of NULL (RowsLogBuffer and
// LogEventConvert in Canal).
func (c *column) resolve(typ byte, def *schema.Column) (sqlType, high, null int, ok bool) {
	same := func(k cellKind, width, t int) (int, int, int, bool) {
		c.cell, c.width = k, width
		return t, t, t, true
	}
	switch typ {
	case binlog.TypeTiny:
		c.cell, c.width = cellTiny, 1
		return sqlTinyint, sqlSmallint, sqlTinyint, true
	case binlog.TypeShort:
		c.cell, c.width = cellShort, 2
		return sqlSmallint, sqlInteger, sqlSmallint, true
	case binlog.TypeInt24:
		return same(cellMedium, 3, sqlInteger)
	case binlog.TypeLong:
		c.cell, c.width = cellLong, 4
		return sqlInteger, sqlBigint, sqlInteger, true
	case binlog.TypeLongLong:
		c.cell, c.width = cellLongLong, 8
		return sqlBigint, sqlDecimal, sqlBigint, true
	case binlog.TypeFloat:
		return same(cellFloat, 4, sqlReal)
	case binlog.TypeDouble:
		return same(cellDouble, 8, sqlDouble)
	case binlog.TypeNewDecimal:
		precision, scale := int(c.meta>>8), int(c.meta&0xff)
		if precision < 1 || precision > maxPrecision || scale > precision {
			return 0, 0, 0, false
		}
		return same(cellDecimal, value.DecimalSize(precision, scale), sqlDecimal)
	case binlog.TypeBit:
		bits := int(c.meta>>8)*8 + int(c.meta&0xff)
		if bits < 1 || bits > maxBits {
			return 0, 0, 0, false
		}
		return same(cellBit, (bits+7)/8, sqlBit)
	case binlog.TypeYear:
		return same(cellYear, 1, sqlVarchar)
	case binlog.TypeDate, binlog.TypeNewDate:
		return same(cellDate, 3, sqlDate)
	case binlog.TypeTime:
		return same(cellTimeOld, 3, sqlTime)
	case binlog.TypeTime2:
		c.cell, c.width = cellTime, 3+fractionBytes(c.meta)
		return sqlTime, sqlTime, sqlTime, c.meta <= maxFraction
	case binlog.TypeDatetime:
		return same(cellDatetimeOld, 8, sqlTimestamp)
	case binlog.TypeDatetime2:
		c.cell, c.width = cellDatetime, 5+fractionBytes(c.meta)
		return sqlTimestamp, sqlTimestamp, sqlTimestamp, c.meta <= maxFraction
	case binlog.TypeTimestamp:
		return same(cellTimestampOld, 4, sqlTimestamp)
	case binlog.TypeTimestamp2:
		c.cell, c.width = cellTimestamp, 4+fractionBytes(c.meta)
		return sqlTimestamp, sqlTimestamp, sqlTimestamp, c.meta <= maxFraction
	case binlog.TypeJSON:
		c.cell, c.width = cellJSON, int(c.meta)
		return sqlVarchar, sqlVarchar, sqlOther, c.width >= 1 && c.width <= 4
	case binlog.TypeGeometry:
		c.cell, c.width = cellBinary, int(c.meta)
		return sqlBlob, sqlBlob, sqlBlob, c.width >= 1 && c.width <= 4
	case binlog.TypeVector:
		return same(cellBinary, 4, sqlBlob)
	case binlog.TypeTinyBlob, binlog.TypeMediumBlob, binlog.TypeLongBlob, binlog.TypeBlob, binlog.TypeBlobCompressed:
		return c.blob(typ, def)
	case binlog.TypeVarchar, binlog.TypeVarString, binlog.TypeVarcharCompressed:
		return c.characters(int(c.meta), sqlVarchar, typ == binlog.TypeVarcharCompressed, def)
	case binlog.TypeString, binlog.TypeEnum, binlog.TypeSet:
		return c.fixedString(typ, def)
	case binlog.TypeNull:
		return same(cellNull, 0, sqlOther)
	}
	return 0, 0, 0, false
}

// The largest metadata that servers write. The text of a column within them is
// shorter than 128 bytes, which message.fixed relies on.
const (
	maxPrecision = 65 // digits of DECIMAL
	maxBits      = 64 // of BIT
	maxFraction  = 6  // digits of fractions of a second
)

// blob resolves the BLOB and TEXT family, which the binlog does not tell apart.
func (c *column) blob(typ byte, def *schema.Column) (sqlType, high, null int, ok bool) {
	c.width = int(c.meta)
	if c.width < 1 || c.width > 4 {
		return 0, 0, 0, false
	}
	text := isText(def.Type)
	switch compressed := typ == binlog.TypeBlobCompressed; {
	case compressed && text:
		c.cell = cellCompressedText
	case compressed:
		c.cell = cellCompressedBinary
	case text:
		c.cell = cellText
	default:
		c.cell = cellBinary
	}
	if text {
		return sqlClob, sqlClob, sqlClob, true
	}
	return sqlBlob, sqlBlob, sqlBlob, true
}

// isText is Canal's test for the TEXT family: the whole type text, any case.
func isText(typ string) bool {
	switch {
	case strings.EqualFold(typ, "text"), strings.EqualFold(typ, "tinytext"), strings.EqualFold(typ, "mediumtext"), strings.EqualFold(typ, "longtext"):
		return true
	}
	// MariaDB prints the attribute as part of the type.
	base, _, found := strings.Cut(typ, " ")
	return found && isText(base)
}

// characters resolves CHAR, VARCHAR, BINARY and VARBINARY with room for max bytes.
func (c *column) characters(max, text int, compressed bool, def *schema.Column) (sqlType, high, null int, ok bool) {
	c.width = 1
	if max > 255 {
		c.width = 2
	}
	binary := containsFold(def.Type, "BINARY")
	switch {
	case compressed && binary:
		c.cell = cellCompressedBinary
	case compressed:
		c.cell = cellCompressedText
	case binary:
		c.cell = cellBinary
	default:
		c.cell = cellText
	}
	if binary {
		return sqlBlob, sqlBlob, sqlBlob, true
	}
	return text, text, text, true
}

func containsFold(s, sub string) bool { return strings.Contains(strings.ToUpper(s), sub) }

// fixedString resolves MYSQL_TYPE_STRING, whose metadata hides ENUM, SET and
// the high bits of long CHAR columns (MySQL bug 37426).
func (c *column) fixedString(typ byte, def *schema.Column) (sqlType, high, null int, ok bool) {
	max := int(c.meta)
	if c.meta >= 256 {
		b0, b1 := byte(c.meta>>8), int(c.meta&0xff)
		if b0&0x30 != 0x30 {
			max = b1 | int((b0&0x30)^0x30)<<4
			typ = b0 | 0x30
		} else {
			max, typ = b1, b0
		}
	}
	switch typ {
	case binlog.TypeEnum:
		c.cell, c.width = cellEnum, max
		return sqlInteger, sqlInteger, sqlInteger, max == 1 || max == 2
	case binlog.TypeSet:
		c.cell, c.width = cellSet, max
		return sqlBit, sqlBit, sqlBlob, max >= 1 && max <= 8
	case binlog.TypeString, binlog.TypeVarString:
		switch strings.ToLower(def.Type) {
		case "uuid":
			c.cell, c.width = cellUUID, 1
			return sqlChar, sqlChar, sqlChar, true
		case "inet6":
			c.cell, c.width = cellInet6, 1
			return sqlChar, sqlChar, sqlChar, true
		case "inet4":
			c.cell, c.width = cellInet4, 1
			return sqlChar, sqlChar, sqlChar, true
		}
		return c.characters(max, sqlChar, false, def)
	}
	return 0, 0, 0, false
}

// fractionBytes is the size of the fraction of a temporal value with the given
// number of digits.
func fractionBytes(digits uint16) int { return (int(digits) + 1) / 2 }
