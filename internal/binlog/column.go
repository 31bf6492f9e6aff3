package binlog

import (
	"encoding/binary"
	"fmt"
)

// Column types, by their numbers in MySQL's field_types.h; MariaDB's
// compressed columns have numbers of their own.
const (
	TypeDecimal           byte = 0
	TypeTiny              byte = 1
	TypeShort             byte = 2
	TypeLong              byte = 3
	TypeFloat             byte = 4
	TypeDouble            byte = 5
	TypeNull              byte = 6
	TypeTimestamp         byte = 7
	TypeLongLong          byte = 8
	TypeInt24             byte = 9
	TypeDate              byte = 10
	TypeTime              byte = 11
	TypeDatetime          byte = 12
	TypeYear              byte = 13
	TypeNewDate           byte = 14
	TypeVarchar           byte = 15
	TypeBit               byte = 16
	TypeTimestamp2        byte = 17
	TypeDatetime2         byte = 18
	TypeTime2             byte = 19
	TypeTypedArray        byte = 20
	TypeBlobCompressed    byte = 140 // MariaDB
	TypeVarcharCompressed byte = 141 // MariaDB
	TypeVector            byte = 242 // MySQL 9
	TypeInvalid           byte = 243
	TypeBool              byte = 244
	TypeJSON              byte = 245
	TypeNewDecimal        byte = 246
	TypeEnum              byte = 247
	TypeSet               byte = 248
	TypeTinyBlob          byte = 249
	TypeMediumBlob        byte = 250
	TypeLongBlob          byte = 251
	TypeBlob              byte = 252
	TypeVarString         byte = 253
	TypeString            byte = 254
	TypeGeometry          byte = 255
)

var typeNames = map[byte]string{
	TypeDecimal: "DECIMAL", TypeTiny: "TINY", TypeShort: "SHORT", TypeLong: "LONG", TypeFloat: "FLOAT",
	TypeDouble: "DOUBLE", TypeNull: "NULL", TypeTimestamp: "TIMESTAMP", TypeLongLong: "LONGLONG",
	TypeInt24: "INT24", TypeDate: "DATE", TypeTime: "TIME", TypeDatetime: "DATETIME", TypeYear: "YEAR",
	TypeNewDate: "NEWDATE", TypeVarchar: "VARCHAR", TypeBit: "BIT", TypeTimestamp2: "TIMESTAMP2",
	TypeDatetime2: "DATETIME2", TypeTime2: "TIME2", TypeTypedArray: "TYPED_ARRAY",
	TypeBlobCompressed: "BLOB_COMPRESSED", TypeVarcharCompressed: "VARCHAR_COMPRESSED",
	TypeVector: "VECTOR", TypeInvalid: "INVALID", TypeBool: "BOOL", TypeJSON: "JSON",
	TypeNewDecimal: "NEWDECIMAL", TypeEnum: "ENUM", TypeSet: "SET", TypeTinyBlob: "TINY_BLOB",
	TypeMediumBlob: "MEDIUM_BLOB", TypeLongBlob: "LONG_BLOB", TypeBlob: "BLOB",
	TypeVarString: "VAR_STRING", TypeString: "STRING", TypeGeometry: "GEOMETRY",
}

// TypeName names a column type as MySQL's sources do, with its number.
func TypeName(typ byte) string {
	if name, ok := typeNames[typ]; ok {
		return fmt.Sprintf("MYSQL_TYPE_%s(%d)", name, typ)
	}
	return fmt.Sprintf("unknown type %d", typ)
}

// RealType resolves MYSQL_TYPE_STRING, behind which CHAR, BINARY, ENUM and SET
// hide: it returns the type meant and, for the string types, the greatest
// length of a value in bytes (for ENUM and SET the bytes each value takes). Any
// other type is returned as it is, with length 0.
//
// A CHAR longer than 255 bytes keeps the two upper bits of its length,
// inverted, in the type byte (MySQL bug 37426).
func RealType(typ byte, meta uint16) (real byte, length int) {
	if typ != TypeString {
		return typ, 0
	}
	upper, lower := byte(meta>>8), int(meta&0xff)
	switch {
	case upper == 0: // MySQL 5.0 and before: only a length
		return TypeString, lower
	case upper&0x30 != 0x30:
		return upper | 0x30, lower | int(upper&0x30^0x30)<<4
	default:
		return upper, lower
	}
}

// CellSize is the length in bytes of the value at the start of data: one
// non-null cell of a row image, with its own length prefix if the type has one.
// meta is as in TableMap.Meta. The value is not looked at otherwise. An error
// is returned for a cell that runs past data and for a type that cannot stand
// in a row image.
func CellSize(typ byte, meta uint16, data []byte) (int, error) {
	if n := int(fixedSizes[typ]); n > 0 && meta == 0 && n <= len(data) {
		return n, nil
	}
	size, prefix, err := cellLayout(typ, meta)
	if err != nil {
		return 0, err
	}
	if prefix > 0 {
		if len(data) < prefix {
			return 0, cellTooShort(typ, prefix, len(data))
		}
		size = prefix + int(prefixLength(data, prefix))
	}
	if size > len(data) {
		return 0, cellTooShort(typ, size, len(data))
	}
	return size, nil
}

func cellTooShort(typ byte, want, have int) error {
	return fmt.Errorf("cell of %s: want %d bytes, have %d", TypeName(typ), want, have)
}

// prefixLength reads an n-byte little-endian length, 1 <= n <= 4.
func prefixLength(data []byte, n int) uint32 {
	switch n {
	case 1:
		return uint32(data[0])
	case 2:
		return uint32(binary.LittleEndian.Uint16(data))
	case 3:
		return uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16
	default:
		return binary.LittleEndian.Uint32(data)
	}
}

// fixedSizes are the sizes of the types that need no metadata, 0 for all others.
var fixedSizes = [256]uint8{
	TypeTiny: 1, TypeYear: 1, TypeShort: 2, TypeInt24: 3, TypeDate: 3, TypeNewDate: 3, TypeTime: 3,
	TypeLong: 4, TypeTimestamp: 4, TypeLongLong: 8, TypeDatetime: 8,
}

// cellLayout tells either the fixed size of a cell or, when prefix > 0, how
// many bytes of length precede its value (MySQL's calc_field_size).
func cellLayout(typ byte, meta uint16) (size, prefix int, err error) {
	if n := fixedSizes[typ]; n > 0 && meta == 0 {
		return int(n), 0, nil
	}
	switch typ {
	case TypeNull:
		return 0, 0, nil
	case TypeTime, TypeTimestamp, TypeDatetime:
		return oldFractionalSize(typ, meta)
	case TypeFloat, TypeDouble:
		if meta == 4 || meta == 8 {
			return int(meta), 0, nil
		}
	case TypeTime2:
		return fractionalSize(typ, 3, meta)
	case TypeTimestamp2:
		return fractionalSize(typ, 4, meta)
	case TypeDatetime2:
		return fractionalSize(typ, 5, meta)
	case TypeNewDecimal:
		return decimalSize(meta)
	case TypeBit:
		return bitSize(meta)
	case TypeEnum, TypeSet:
		return int(meta & 0xff), 0, nil
	case TypeString:
		return stringLayout(meta)
	case TypeVarchar, TypeVarString, TypeVarcharCompressed:
		if meta > 255 {
			return 0, 2, nil
		}
		return 0, 1, nil
	case TypeTinyBlob, TypeBlob, TypeMediumBlob, TypeLongBlob, TypeBlobCompressed, TypeJSON, TypeGeometry, TypeVector:
		if 1 <= meta && meta <= 4 {
			return 0, int(meta), nil
		}
	}
	return 0, 0, fmt.Errorf("cell of %s with metadata %d: size not known", TypeName(typ), meta)
}

// stringLayout resolves MYSQL_TYPE_STRING.
func stringLayout(meta uint16) (size, prefix int, err error) {
	switch real, length := RealType(TypeString, meta); {
	case real == TypeEnum || real == TypeSet:
		return length, 0, nil
	case length > 255:
		return 0, 2, nil
	case real == TypeString || real == TypeVarString || real == TypeVarchar:
		return 0, 1, nil
	default:
		return 0, 0, fmt.Errorf("cell of %s inside %s with metadata %d: size not known", TypeName(real), TypeName(TypeString), meta)
	}
}

// fractionalSize is the size of a temporal value with meta digits of fraction.
func fractionalSize(typ byte, whole int, meta uint16) (size, prefix int, err error) {
	if meta > 6 {
		return 0, 0, fmt.Errorf("cell of %s: %d fractional digits", TypeName(typ), meta)
	}
	return whole + (int(meta)+1)/2, 0, nil
}

// Sizes of MariaDB's own temporal formats with 1 to 6 fractional digits, by
// their number (Type_handler_time::hires_bytes and its kin).
var (
	oldTimeSizes      = [7]int{3, 4, 4, 5, 5, 5, 6}
	oldDatetimeSizes  = [7]int{8, 6, 6, 7, 7, 7, 8}
	oldTimestampSizes = [7]int{4, 5, 5, 6, 6, 7, 7}
)

// oldFractionalSize is the size of a value in MariaDB's formats of before 10.1
// (mysql56_temporal_format=OFF). The table map does not tell the digits, meta is
// 0 unless somebody who knows the table set it.
func oldFractionalSize(typ byte, meta uint16) (size, prefix int, err error) {
	if meta > 6 {
		return 0, 0, fmt.Errorf("cell of %s: %d fractional digits", TypeName(typ), meta)
	}
	switch typ {
	case TypeTime:
		return oldTimeSizes[meta], 0, nil
	case TypeDatetime:
		return oldDatetimeSizes[meta], 0, nil
	default:
		return oldTimestampSizes[meta], 0, nil
	}
}

// bitSize: the low byte of meta holds the bits beyond whole bytes, the high byte the whole bytes.
func bitSize(meta uint16) (size, prefix int, err error) {
	whole, extra := int(meta>>8), int(meta&0xff)
	if extra > 7 || whole > 8 {
		return 0, 0, fmt.Errorf("cell of %s: metadata %#04x", TypeName(TypeBit), meta)
	}
	if extra > 0 {
		whole++
	}
	return whole, 0, nil
}

// decimalGroup is the bytes that n decimal digits take, 0 <= n <= 9.
var decimalGroup = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

// decimalSize: the high byte of meta is the precision, the low byte the scale (decimal_bin_size).
func decimalSize(meta uint16) (size, prefix int, err error) {
	precision, scale := int(meta>>8), int(meta&0xff)
	if precision == 0 || precision > 65 || scale > precision {
		return 0, 0, fmt.Errorf("cell of %s: precision %d, scale %d", TypeName(TypeNewDecimal), precision, scale)
	}
	whole := precision - scale
	return whole/9*4 + decimalGroup[whole%9] + scale/9*4 + decimalGroup[scale%9], 0, nil
}
