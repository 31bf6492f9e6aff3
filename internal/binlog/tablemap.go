package binlog

import (
	"bytes"
	"fmt"
)

// MaxColumns is the greatest number of columns that MySQL and MariaDB allow in
// a table (MAX_FIELDS). A table map that claims more is refused.
const MaxColumns = 4096

// TableMap is a TABLE_MAP_EVENT: it gives a table a number that the rows events
// after it use, and the types of its columns.
type TableMap struct {
	ID         uint64
	Flags      uint16
	Schema     []byte // in the server's system character set, utf8
	Name       []byte
	Types      []byte   // one per column, as in the event: CHAR, ENUM and SET are TypeString, see RealType
	Meta       []uint16 // one per column: see ParseTableMap
	NullBitmap []byte   // bit i is set when column i may be NULL
	Optional   OptionalMetadata

	// Servers differ in which columns Optional counts.
	mariaDB  bool
	yearSign yearSign
}

// OptionalMetadata is what MySQL 8.0 and MariaDB 10.5 add to a table map
// (binlog_row_metadata), not yet parsed; see TableMap.Metadata. It is empty for
// older servers.
type OptionalMetadata []byte

// ColumnTypeError is returned by ParseTableMap for a table with a column whose
// type is not known: the metadata of the columns after it cannot be found.
// Other tables are not affected.
type ColumnTypeError struct {
	TableID       uint64
	Schema, Table string
	Column        int    // from 0
	Name          string // of the column, "" unless the source sends names (binlog_row_metadata=FULL)
	Type          byte
}

// Error names the table, the column, counted from 1 as information_schema does,
// and the type.
func (e *ColumnTypeError) Error() string {
	name := ""
	if e.Name != "" {
		name = fmt.Sprintf(" (%s)", e.Name)
	}
	return fmt.Sprintf("column %d%s of table %s.%s has binlog type %d, which this version does not know", e.Column+1, name, e.Schema, e.Table, e.Type)
}

// ParseTableMap reads a TABLE_MAP_EVENT. The result does not alias body.
// fd may be nil for MySQL 5.1.4 and later.
//
// Meta of a column, by its type: NEWDECIMAL precision<<8 | scale; STRING, ENUM
// and SET as RealType takes it; VARCHAR the greatest length in bytes; BIT
// bytes<<8 | further bits; blobs, JSON, GEOMETRY and VECTOR the width of their
// length prefix; FLOAT and DOUBLE their size; TIME2, DATETIME2 and TIMESTAMP2
// their fractional digits; TYPED_ARRAY that of its elements; else 0.
//
// One thing a table map does not tell: MariaDB writes TIME, DATETIME and TIMESTAMP
// columns that have fractional digits in its formats of before 10.1
// (mysql56_temporal_format=OFF, or never converted since) with the old type
// numbers and no metadata, though their cells are wider. Whoever knows the
// table's definition may set Meta to the number of digits.
func ParseTableMap(body []byte, fd *FormatDescription) (*TableMap, error) {
	c := newCursor(bytes.Clone(body))
	m := &TableMap{ID: c.uint(fd.tableIDWidth(EventTableMap)), Flags: c.u16()}
	m.mariaDB = fd != nil && fd.Flavor() == FlavorMariaDB
	m.yearSign = yearSignOf(fd)
	m.Schema = c.packedBytes()
	c.skip(1) // NUL
	m.Name = c.packedBytes()
	c.skip(1) // NUL
	count := c.packed()
	if count > MaxColumns {
		c.fail()
	}
	m.Types = c.bytes(count)
	meta := c.packedBytes()
	m.NullBitmap = c.bitmap(count)
	m.Optional = c.rest()
	if err := c.err("table map"); err != nil {
		return nil, err
	}
	if err := m.readMeta(meta); err != nil {
		return nil, err
	}
	return m, nil
}

// ColumnCount is the number of columns of the table at the source.
func (m *TableMap) ColumnCount() int { return len(m.Types) }

// Nullable reports whether column i may be NULL.
func (m *TableMap) Nullable(i int) bool { return Bit(m.NullBitmap, i) }

// readMeta cuts the metadata block into m.Meta (MySQL's read_field_metadata).
func (m *TableMap) readMeta(block []byte) error {
	c := newCursor(block)
	m.Meta = make([]uint16, len(m.Types))
	for i, typ := range m.Types {
		array := typ == TypeTypedArray
		if array {
			typ = c.u8()
		}
		switch typ {
		case TypeTinyBlob, TypeBlob, TypeMediumBlob, TypeLongBlob, TypeBlobCompressed, TypeJSON, TypeGeometry, TypeVector,
			TypeFloat, TypeDouble, TypeTime2, TypeDatetime2, TypeTimestamp2:
			m.Meta[i] = uint16(c.u8())
		case TypeString, TypeEnum, TypeSet, TypeNewDecimal:
			m.Meta[i] = uint16(c.u8())<<8 | uint16(c.u8())
		case TypeVarchar, TypeVarString, TypeVarcharCompressed, TypeBit:
			m.Meta[i] = c.u16()
			if array {
				c.skip(1) // an array's element length has three bytes
			}
		case TypeDecimal, TypeTiny, TypeShort, TypeLong, TypeNull, TypeTimestamp, TypeLongLong, TypeInt24,
			TypeDate, TypeTime, TypeDatetime, TypeYear, TypeNewDate:
		default:
			return &ColumnTypeError{TableID: m.ID, Schema: string(m.Schema), Table: string(m.Name), Column: i, Name: m.columnName(i), Type: typ}
		}
	}
	if err := c.err("column metadata"); err != nil {
		return fmt.Errorf("table map of %s.%s: %w", m.Schema, m.Name, err)
	}
	if c.len() > 0 {
		return fmt.Errorf("table map of %s.%s: %d bytes of column metadata too many", m.Schema, m.Name, c.len())
	}
	return nil
}
