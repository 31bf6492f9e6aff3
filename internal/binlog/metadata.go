package binlog

import (
	"bytes"
	"fmt"
)

// Metadata is the parsed optional metadata of a table map. Its slices alias the
// TableMap.
type Metadata struct {
	Columns []ColumnMetadata // one per column

	// What the server sent. With binlog_row_metadata=MINIMAL that is
	// signedness, charsets and geometry types.
	HasSignedness bool
	HasNames      bool
	HasVisibility bool

	PrimaryKey []KeyColumn // in key order; only with binlog_row_metadata=FULL

	Unknown []uint8 // numbers of the fields that were passed over, because this version does not know them
}

// ColumnMetadata is what the server says about one column. Fields that do not
// apply to its type or were not sent are zero.
type ColumnMetadata struct {
	Name         []byte // utf8
	SignKnown    bool   // Unsigned is as the server says; see yearSign
	Unsigned     bool
	Collation    uint32   // of a text, ENUM or SET column; 63 is binary; 0 when not sent
	Members      [][]byte // of an ENUM or SET, in the column's character set
	GeometryType uint32   // 0 GEOMETRY, 1 POINT, … as in OGC WKB
	Dimensions   uint32   // of a VECTOR
	Visible      bool     // true unless the server says INVISIBLE
}

// KeyColumn is one part of a primary key.
type KeyColumn struct {
	Column int    // from 0
	Prefix uint64 // characters that the key covers; 0 for the whole column
}

// Numbers of the fields: MySQL's Table_map_event::Optional_metadata_field_type,
// of which MariaDB has the first eleven.
const (
	metaSignedness       = 1
	metaDefaultCharset   = 2
	metaColumnCharset    = 3
	metaColumnName       = 4
	metaSetMembers       = 5
	metaEnumMembers      = 6
	metaGeometryType     = 7
	metaSimplePrimaryKey = 8
	metaPrefixPrimaryKey = 9
	metaEnumSetDefault   = 10
	metaEnumSetCharset   = 11
	metaVisibility       = 12
	metaVectorDimensions = 13
)

// collationLimit bounds collation ids; MariaDB's go beyond 2048.
const collationLimit = 1 << 16

// Metadata parses m.Optional. Fields with unknown numbers are skipped, and named in Unknown. An error
// means that a known field does not fit the columns; then nothing of it
// should be trusted.
func (m *TableMap) Metadata() (*Metadata, error) {
	p := metadataParser{m: m, md: &Metadata{Columns: make([]ColumnMetadata, len(m.Types))}}
	for i := range p.md.Columns {
		p.md.Columns[i].Visible = true
	}
	c := newCursor(m.Optional)
	for c.len() > 0 {
		number := c.u8()
		value := c.packedBytes()
		if c.short {
			break
		}
		if err := p.field(number, value); err != nil {
			return nil, fmt.Errorf("table map of %s.%s: %w", m.Schema, m.Name, err)
		}
	}
	if err := c.err("optional metadata"); err != nil {
		return nil, fmt.Errorf("table map of %s.%s: %w", m.Schema, m.Name, err)
	}
	return p.md, nil
}

// columnName is the name that the optional metadata give column i, "" if they
// give none. It needs none of the columns' types.
func (m *TableMap) columnName(i int) string {
	for c := newCursor(m.Optional); c.len() > 0; {
		number := c.u8()
		value := newCursor(c.packedBytes())
		if number != metaColumnName {
			continue
		}
		for range i {
			value.packedBytes()
		}
		return string(value.packedBytes())
	}
	return ""
}

type metadataParser struct {
	m  *TableMap
	md *Metadata
}

// field reads one field; whatever it holds must be used up.
func (p *metadataParser) field(number uint8, value []byte) error {
	c := newCursor(value)
	switch number {
	case metaSignedness:
		p.md.HasSignedness = true
		p.signedness(&c)
	case metaVisibility:
		p.md.HasVisibility = true
		p.flags(&c, isAny, func(col *ColumnMetadata, set bool) { col.Visible = set })
	case metaDefaultCharset:
		p.defaultCharset(&c, p.textClass())
	case metaEnumSetDefault:
		p.defaultCharset(&c, isEnumOrSet)
	case metaColumnCharset:
		p.each(&c, p.textClass(), setCollation)
	case metaEnumSetCharset:
		p.each(&c, isEnumOrSet, setCollation)
	case metaColumnName:
		p.md.HasNames = true
		p.each(&c, isAny, func(c *cursor, col *ColumnMetadata) { col.Name = c.packedBytes() })
	case metaSetMembers:
		p.each(&c, isSet, setMembers)
	case metaEnumMembers:
		p.each(&c, isEnum, setMembers)
	case metaGeometryType:
		p.each(&c, isGeometry, func(c *cursor, col *ColumnMetadata) { col.GeometryType = uint32(c.packed()) })
	case metaVectorDimensions:
		p.each(&c, isVector, func(c *cursor, col *ColumnMetadata) { col.Dimensions = uint32(c.packed()) })
	case metaSimplePrimaryKey:
		p.primaryKey(&c, false)
	case metaPrefixPrimaryKey:
		p.primaryKey(&c, true)
	default:
		p.md.Unknown = append(p.md.Unknown, number)
		return nil
	}
	if c.short || c.len() > 0 {
		return fmt.Errorf("optional metadata field %d of %d bytes does not fit the %d columns", number, len(value), len(p.m.Types))
	}
	return nil
}

// Column classes, by the type that RealType gives. The order of values in a
// field is that of the columns of its class.
func isAny(byte) bool          { return true }
func isSet(typ byte) bool      { return typ == TypeSet }
func isEnum(typ byte) bool     { return typ == TypeEnum }
func isEnumOrSet(t byte) bool  { return t == TypeEnum || t == TypeSet }
func isGeometry(typ byte) bool { return typ == TypeGeometry }
func isVector(typ byte) bool   { return typ == TypeVector }

func isNumeric(typ byte) bool {
	switch typ {
	case TypeTiny, TypeShort, TypeInt24, TypeLong, TypeLongLong, TypeFloat, TypeDouble, TypeNewDecimal, TypeDecimal:
		return true
	default:
		return false
	}
}

func isText(typ byte) bool {
	switch typ {
	case TypeString, TypeVarString, TypeVarchar, TypeTinyBlob, TypeBlob, TypeMediumBlob, TypeLongBlob,
		TypeBlobCompressed, TypeVarcharCompressed, TypeVector:
		return true
	default:
		return false
	}
}

// yearSign says whether a server counts YEAR among the columns that have a bit
// in the signedness field. The first versions of MySQL 8.0 did not (seen with
// 8.0.15), later ones do (8.0.29, 9.7), as does MariaDB (10.11). Which version
// changed it is not documented, so between those two the bits after a YEAR column
// cannot be told apart.
type yearSign uint8

const (
	yearHasSign yearSign = iota
	yearHasNoSign
	yearMayHaveSign
)

func yearSignOf(fd *FormatDescription) yearSign {
	if fd == nil || fd.Flavor() == FlavorMariaDB {
		return yearHasSign
	}
	switch v := splitVersion(fd.ServerVersion); {
	case v[0] != 8 || v[1] != 0 || v[2] >= 29:
		return yearHasSign
	case v[2] <= 15:
		return yearHasNoSign
	default:
		return yearMayHaveSign
	}
}

// signedness reads a bit per numeric column.
func (p *metadataParser) signedness(c *cursor) {
	class := isNumeric
	if p.m.yearSign != yearHasNoSign {
		class = func(typ byte) bool { return isNumeric(typ) || typ == TypeYear }
	}
	p.flags(c, class, func(col *ColumnMetadata, set bool) { col.Unsigned, col.SignKnown = set, true })
	if p.m.yearSign != yearMayHaveSign {
		return
	}
	if i := bytes.IndexByte(p.m.Types, TypeYear); i >= 0 {
		c.rest()
		c.short = false // with or without the bit of the YEAR
		for j := i; j < len(p.md.Columns); j++ {
			p.md.Columns[j].Unsigned, p.md.Columns[j].SignKnown = false, false
		}
	}
}

// textClass is the class of columns with a charset. MariaDB counts spatial
// columns among them.
func (p *metadataParser) textClass() func(byte) bool {
	if p.m.mariaDB {
		return func(typ byte) bool { return isText(typ) || isGeometry(typ) }
	}
	return isText
}

// members calls f for each column of a class, until f returns false.
func (p *metadataParser) members(class func(byte) bool, f func(col *ColumnMetadata) bool) {
	for i := range p.md.Columns {
		if typ, _ := RealType(p.m.Types[i], p.m.Meta[i]); class(typ) && !f(&p.md.Columns[i]) {
			return
		}
	}
}

// each reads one value for each column of a class.
func (p *metadataParser) each(c *cursor, class func(byte) bool, read func(*cursor, *ColumnMetadata)) {
	p.members(class, func(col *ColumnMetadata) bool {
		read(c, col)
		return !c.short
	})
}

// flags reads a bit for each column of a class, the first in the most
// significant bit of the first byte.
func (p *metadataParser) flags(c *cursor, class func(byte) bool, set func(col *ColumnMetadata, set bool)) {
	n := 0
	var bits byte
	p.members(class, func(col *ColumnMetadata) bool {
		if n%8 == 0 {
			bits = c.u8()
		}
		set(col, bits<<(n%8)&0x80 != 0)
		n++
		return !c.short
	})
}

// defaultCharset reads a collation for all columns of a class, then pairs of
// an index within the class and the collation of that column.
func (p *metadataParser) defaultCharset(c *cursor, class func(byte) bool) {
	common := c.collation()
	var cols []*ColumnMetadata
	p.members(class, func(col *ColumnMetadata) bool {
		col.Collation = common
		cols = append(cols, col)
		return true
	})
	for c.len() > 0 {
		i := c.packed()
		collation := c.collation()
		if c.short || i >= uint64(len(cols)) {
			c.fail()
			return
		}
		cols[i].Collation = collation
	}
}

func (c *cursor) collation() uint32 {
	id := c.packed()
	if id >= collationLimit {
		c.fail()
	}
	return uint32(id)
}

func setCollation(c *cursor, col *ColumnMetadata) { col.Collation = c.collation() }

func setMembers(c *cursor, col *ColumnMetadata) {
	n := c.packed()
	if n > uint64(c.len()) { // each has at least its length byte
		c.fail()
		return
	}
	col.Members = make([][]byte, 0, n)
	for range n {
		col.Members = append(col.Members, c.packedBytes())
	}
}

func (p *metadataParser) primaryKey(c *cursor, prefixes bool) {
	p.md.PrimaryKey = nil
	for c.len() > 0 {
		column := c.packed()
		var prefix uint64
		if prefixes {
			prefix = c.packed()
		}
		if c.short || column >= uint64(len(p.m.Types)) {
			c.fail()
			return
		}
		p.md.PrimaryKey = append(p.md.PrimaryKey, KeyColumn{Column: int(column), Prefix: prefix})
	}
}
