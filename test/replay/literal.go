package main

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/protocol"
)

// value is a delivered value as SQL: what to insert, and a condition that holds for
// exactly this value.
type value struct{ insert, matches string }

var numeric = regexp.MustCompile(`^-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$`)

// valueOf reads a delivered column for a column of the target. An error says that
// the text is none of that type.
func valueOf(c *protocol.Column, of column) (value, error) {
	at := quote(of.name)
	if c.IsNull() {
		return value{"NULL", at + " IS NULL"}, nil
	}
	text := c.Value()
	switch shapeOf(of.kind) {
	case number:
		if !numeric.MatchString(text) {
			return value{}, fmt.Errorf("column %s (%s): %.100q is no number", of.name, of.full, text)
		}
		return numberOf(text, at, of)
	case binary:
		b, err := c.Bytes()
		if err != nil || !c.IsBinary() && len(text) > 0 {
			return value{}, fmt.Errorf("column %s (%s): value of type %d: %w", of.name, of.full, c.SQLType(), err)
		}
		v := value{bytesLiteral(b), "HEX(" + at + ") = '" + hexOf(b) + "'"}
		if of.kind == "binary" { // a row has it without the zeros that fill it up
			v.matches = "HEX(TRIM(TRAILING 0x00 FROM " + at + ")) = '" + hexOf([]byte(strings.TrimRight(string(b), "\x00"))) + "'"
		}
		return v, nil
	case temporal:
		return value{literal(text), at + " = " + literal(text)}, nil
	case document:
		if text == "" { // what a column NOT NULL has that was given no value; servers read it so
			text = "null"
		}
		v := "CAST(" + textLiteral(text) + " AS JSON)"
		return value{v, at + " = " + v}, nil
	}
	return value{textLiteral(text), "HEX(CONVERT(" + at + " USING utf8mb4)) = '" + hexOf([]byte(text)) + "'"}, nil
}

// numberOf is a number as SQL. A FLOAT is compared as the double that it is.
func numberOf(text, at string, of column) (value, error) {
	switch of.kind {
	case "float":
		f, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return value{}, fmt.Errorf("column %s (%s): %w", of.name, of.full, err)
		}
		return value{text, at + " + 0e0 = " + strconv.FormatFloat(f, 'e', -1, 64)}, nil
	case "double":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return value{}, fmt.Errorf("column %s (%s): %w", of.name, of.full, err)
		}
		exact := strconv.FormatFloat(f, 'e', -1, 64)
		return value{exact, at + " = " + exact}, nil
	case "enum", "set", "bit", "year":
		return value{text, at + " + 0 = " + text}, nil
	}
	return value{text, at + " = " + text}, nil
}

func hexOf(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func bytesLiteral(b []byte) string { return "x'" + hexOf(b) + "'" }

func textLiteral(s string) string { return "_utf8mb4 " + bytesLiteral([]byte(s)) }

// shape is how values of a type are written.
type shape int

const (
	text shape = iota
	number
	binary
	temporal
	document
)

var shapes = map[string]shape{
	"tinyint": number, "smallint": number, "mediumint": number, "int": number, "bigint": number, "decimal": number,
	"float": number, "double": number, "bit": number, "year": number, "enum": number, "set": number,
	"binary": binary, "varbinary": binary, "tinyblob": binary, "blob": binary, "mediumblob": binary, "longblob": binary,
	"geometry": binary, "point": binary, "linestring": binary, "polygon": binary, "multipoint": binary,
	"multilinestring": binary, "multipolygon": binary, "geometrycollection": binary, "geomcollection": binary, "vector": binary,
	"date": temporal, "time": temporal, "datetime": temporal, "timestamp": temporal,
	"json": document,
}

// shapeOf is that of a data_type of information_schema.
func shapeOf(kind string) shape { return shapes[kind] }

// exact is an expression that tells different values of a column apart.
func exact(c column) string {
	at := quote(c.name)
	switch {
	case c.kind == "float":
		return at + " + 0e0"
	case c.kind == "enum", c.kind == "set", c.kind == "bit":
		return at + " + 0"
	case shapeOf(c.kind) == binary:
		return "HEX(" + at + ")"
	case c.kind == "json":
		return "CAST(" + at + " AS CHAR)"
	case shapeOf(c.kind) == text:
		return "HEX(CONVERT(" + at + " USING utf8mb4))"
	}
	return at
}

// synonyms are the other words for types.
var synonyms = map[string]string{
	"integer": "int", "bool": "tinyint", "boolean": "tinyint", "dec": "decimal", "numeric": "decimal", "fixed": "decimal",
	"real": "double", "nvarchar": "varchar", "nchar": "char", "character": "char", "serial": "bigint",
	"geomcollection": "geometrycollection", "int1": "tinyint", "int2": "smallint", "int3": "mediumint", "int4": "int", "int8": "bigint",
}

var typeName = regexp.MustCompile(`^[a-z0-9_]+`)

// sameType says whether the type that comes with a value is the one that the
// column has: the word, and whether it is unsigned.
func sameType(delivered string, of column) bool {
	d := strings.TrimPrefix(strings.ToLower(delivered), "national ")
	word := typeName.FindString(d)
	if s, ok := synonyms[word]; ok {
		word = s
	}
	kind := of.kind
	if s, ok := synonyms[kind]; ok {
		kind = s
	}
	if word == "json" && kind == "longtext" || word == "float" && kind == "double" {
		return true // MariaDB's JSON; FLOAT(53)
	}
	if shapeOf(kind) == number && strings.Contains(d, "unsigned") != strings.Contains(of.full, "unsigned") && !strings.Contains(delivered, "zerofill") && word != "enum" && word != "set" {
		return strings.HasPrefix(strings.ToLower(delivered), "serial")
	}
	return word == kind
}
