package schema

import (
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// shape is the binlog type that a column type is logged as, as far as it must
// fit: a row of one shape cannot be read as another.
type shape struct {
	family family
	size   int // integers: bytes; temporal types: fractional digits; DECIMAL: precision<<8 | scale; BIT: bits; blobs: bytes of length
}

// family groups types between which a column may have been altered without
// its values being taken for something else.
type family int

const (
	other family = iota
	integer
	float
	decimal
	bits
	year
	date
	timeOfDay
	datetime
	timestamp
	enum
	set
	text     // CHAR, VARCHAR, BINARY, VARBINARY, TEXT, BLOB
	document // JSON
	geometry
	vector
)

// declared is the shape that a type text stands for.
func declared(t ddl.DataType) shape {
	arg := 0
	if len(t.Args) > 0 {
		_, _ = fmt.Sscanf(t.Args[0], "%d", &arg)
	}
	switch t.Name {
	case "tinyint":
		return shape{integer, 1}
	case "smallint":
		return shape{integer, 2}
	case "mediumint":
		return shape{integer, 3}
	case "int":
		return shape{integer, 4}
	case "bigint":
		return shape{integer, 8}
	case "float":
		return shape{float, 4}
	case "double":
		return shape{float, 8}
	case "decimal":
		scale := 0
		if len(t.Args) > 1 {
			_, _ = fmt.Sscanf(t.Args[1], "%d", &scale)
		}
		return shape{decimal, arg<<8 | scale}
	case "bit":
		return shape{bits, arg}
	case "year":
		return shape{year, 0}
	case "date":
		return shape{date, 0}
	case "time":
		return shape{timeOfDay, arg}
	case "datetime":
		return shape{datetime, arg}
	case "timestamp":
		return shape{timestamp, arg}
	case "enum":
		return shape{enum, 0}
	case "set":
		return shape{set, 0}
	case "json":
		return shape{document, 0}
	case "vector":
		return shape{vector, 0}
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		return shape{geometry, 0}
	case "tinytext", "tinyblob":
		return shape{text, 1}
	case "text", "blob":
		return shape{text, 2}
	case "mediumtext", "mediumblob":
		return shape{text, 3}
	case "longtext", "longblob":
		return shape{text, 4}
	case "char", "varchar", "binary", "varbinary", "inet4", "inet6", "uuid":
		return shape{text, 0}
	}
	return shape{other, 0}
}

// logged is the shape of a column of a table map.
func logged(typ byte, meta uint16) shape {
	real, _ := binlog.RealType(typ, meta)
	switch real {
	case binlog.TypeTiny:
		return shape{integer, 1}
	case binlog.TypeShort:
		return shape{integer, 2}
	case binlog.TypeInt24:
		return shape{integer, 3}
	case binlog.TypeLong:
		return shape{integer, 4}
	case binlog.TypeLongLong:
		return shape{integer, 8}
	case binlog.TypeFloat:
		return shape{float, 4}
	case binlog.TypeDouble:
		return shape{float, 8}
	case binlog.TypeNewDecimal:
		return shape{decimal, int(meta)}
	case binlog.TypeBit:
		return shape{bits, int(meta>>8)*8 + int(meta&0xff)}
	case binlog.TypeYear:
		return shape{year, 0}
	case binlog.TypeDate, binlog.TypeNewDate:
		return shape{date, 0}
	case binlog.TypeTime:
		return shape{timeOfDay, anyDigits}
	case binlog.TypeTime2:
		return shape{timeOfDay, int(meta)}
	case binlog.TypeDatetime:
		return shape{datetime, anyDigits}
	case binlog.TypeDatetime2:
		return shape{datetime, int(meta)}
	case binlog.TypeTimestamp:
		return shape{timestamp, anyDigits}
	case binlog.TypeTimestamp2:
		return shape{timestamp, int(meta)}
	case binlog.TypeEnum:
		return shape{enum, 0}
	case binlog.TypeSet:
		return shape{set, 0}
	case binlog.TypeJSON:
		return shape{document, 0}
	case binlog.TypeVector:
		return shape{vector, 0}
	case binlog.TypeGeometry:
		return shape{geometry, 0}
	case binlog.TypeTinyBlob, binlog.TypeBlob, binlog.TypeMediumBlob, binlog.TypeLongBlob, binlog.TypeBlobCompressed:
		return shape{text, int(meta)}
	case binlog.TypeVarchar, binlog.TypeVarString, binlog.TypeVarcharCompressed, binlog.TypeString:
		return shape{text, 0}
	}
	return shape{other, 0}
}

// anyDigits is the size of the temporal types before MySQL 5.6, which MariaDB
// still has for columns with fractions.
const anyDigits = -1

// fit says how well a column's definition goes with its rows.
type fit int

const (
	exact fit = iota
	kin       // same family: the values are read rightly, the type text is of another version
	alien     // the column must be another one
)

// fits compares a type text with a column of a table map.
func fits(typeText string, typ byte, meta uint16) fit {
	t, err := ddl.ParseType(typeText)
	if err != nil {
		return exact // not known here: the binlog knows how to read it
	}
	want, got := declared(t), logged(typ, meta)
	switch {
	case want.family == other || got.family == other:
		return exact
	case want == got || want.family == got.family && got.size == anyDigits:
		return exact
	case want.family == got.family:
		return kin
	case want.family == document && got.family == text, want.family == text && got.family == document:
		return kin
	}
	return alien
}

// typeOf makes up a type for a column of a table map.
func typeOf(typ byte, meta uint16, c *binlog.ColumnMetadata, s ddl.Server) ddl.DataType {
	sh := logged(typ, meta)
	real, length := binlog.RealType(typ, meta)
	t := ddl.DataType{Unsigned: c != nil && c.Unsigned && (sh.family == integer || sh.family == decimal || sh.family == float)}
	digits := func(name string) {
		t.Name = name
		if sh.size > 0 {
			t.Args = []string{fmt.Sprint(sh.size)}
		}
	}
	switch sh.family {
	case integer:
		t.Name = map[int]string{1: "tinyint", 2: "smallint", 3: "mediumint", 4: "int", 8: "bigint"}[sh.size]
	case float:
		t.Name = map[int]string{4: "float", 8: "double"}[sh.size]
	case decimal:
		t.Name, t.Args = "decimal", []string{fmt.Sprint(meta >> 8), fmt.Sprint(meta & 0xff)}
	case bits:
		digits("bit")
	case year:
		t.Name = "year"
	case date:
		t.Name = "date"
	case timeOfDay:
		digits("time")
	case datetime:
		digits("datetime")
	case timestamp:
		digits("timestamp")
	case enum:
		t.Name, t.Args = "enum", members(c)
	case set:
		t.Name, t.Args = "set", members(c)
	case document:
		t.Name = "json"
	case vector:
		t.Name = "vector"
	case geometry:
		t.Name = "geometry"
	case text:
		if real != binlog.TypeString {
			length = int(meta)
		}
		textType(&t, real, sh.size, length, c)
	default:
		t.Name = strings.ToLower(binlog.TypeName(typ))
		return t
	}
	return t.Canonical(s, "")
}

// binaryCollation is the number of the collation binary.
const binaryCollation = 63

// textType names a text or binary type; length is in bytes.
func textType(t *ddl.DataType, real byte, prefix, length int, c *binlog.ColumnMetadata) {
	binary := c != nil && c.Collation == binaryCollation
	chars := length
	if c != nil && c.Collation != 0 {
		if n := collationCharLen(c.Collation); n > 0 {
			chars = length / n
		}
	}
	switch {
	case prefix > 0:
		t.Name = []string{"", "tiny", "", "medium", "long"}[min(prefix, 4)] + "text"
		if binary || c == nil || c.Collation == 0 {
			t.Name = strings.TrimSuffix(t.Name, "text") + "blob"
		}
	case real == binlog.TypeString && binary:
		t.Name, t.Args = "binary", []string{fmt.Sprint(length)}
	case real == binlog.TypeString:
		t.Name, t.Args = "char", []string{fmt.Sprint(chars)}
	case binary:
		t.Name, t.Args = "varbinary", []string{fmt.Sprint(length)}
	default:
		t.Name, t.Args = "varchar", []string{fmt.Sprint(chars)}
	}
}

// collationCharLen is the length of the longest character of a collation's
// character set, for the Unicode sets; 0 when not known.
func collationCharLen(id uint32) int {
	switch {
	case id == 45 || id == 46 || id >= 224 && id <= 247 || id >= 255 && id <= 323:
		return 4 // utf8mb4
	case id == 33 || id == 83 || id >= 192 && id <= 223:
		return 3 // utf8mb3
	}
	return 1
}

// members are the members of an ENUM or SET as arguments of its type.
func members(c *binlog.ColumnMetadata) []string {
	if c == nil {
		return nil
	}
	var args []string
	for _, m := range c.Members {
		args = append(args, "'"+strings.ReplaceAll(string(m), "'", "''")+"'")
	}
	return args
}

// utf8Name is a column name from metadata.
func utf8Name(b []byte) string {
	if charset.ValidUTF8(b) {
		return intern(string(b))
	}
	return intern(strings.ToValidUTF8(string(b), "\uFFFD"))
}
