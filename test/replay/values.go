package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/towpath-cdc/towpath/test/servers"
)

// commonTypes are types of new columns. Most columns are of the first two, so that
// a value under the wrong name is not noticed by its type.
var commonTypes = []string{
	"INT", "INT", "INT", "INT", "INT", "INT", "VARCHAR(20)", "VARCHAR(20)", "VARCHAR(20)", "VARCHAR(20)",
	"INTEGER", "BOOLEAN", "TINYINT", "TINYINT UNSIGNED", "SMALLINT UNSIGNED", "MEDIUMINT", "INT UNSIGNED", "INT(7) UNSIGNED ZEROFILL", "BIGINT", "BIGINT UNSIGNED",
	"DECIMAL(20,6)", "DECIMAL(9,0) UNSIGNED", "NUMERIC(8,2)", "FLOAT", "DOUBLE", "DOUBLE PRECISION", "REAL", "BIT(13)", "BIT",
	"DATE", "TIME", "TIME(2)", "DATETIME", "DATETIME(6)", "TIMESTAMP NULL", "TIMESTAMP(3) NULL", "YEAR",
	"ENUM('a','b''c','d,e','é')", "SET('x','y','z')", "CHAR(7)", "VARCHAR(300)", "VARCHAR(40) CHARACTER SET latin1",
	"VARCHAR(30) CHARACTER SET gbk", "CHAR(9) CHARACTER SET utf8", "NATIONAL VARCHAR(10)", "TEXT", "TINYTEXT", "MEDIUMTEXT", "TEXT CHARACTER SET latin1",
	"BINARY(5)", "VARBINARY(30)", "BLOB", "TINYBLOB", "MEDIUMBLOB", "POINT", "GEOMETRY",
}

// typesOf are the types that a kind of server has.
func typesOf(k servers.Kind) []string {
	types := commonTypes[:len(commonTypes):len(commonTypes)]
	switch k {
	case servers.MySQL56:
	case servers.MariaDB1011:
		types = append(types, "JSON", "UUID", "INET6", "INET4", "TEXT UNIQUE", "VARCHAR(2000) UNIQUE")
	default:
		types = append(types, "JSON", "JSON")
	}
	return types
}

// valuesOfType are values for a column, as SQL, by its data_type.
var valuesOfType = map[string][]string{
	"tinyint":    {"0", "1", "127", "-128", "255"},
	"smallint":   {"0", "1", "32767", "65535"},
	"mediumint":  {"0", "-8388608", "8388607"},
	"bigint":     {"0", "1", "9223372036854775807", "18446744073709551615", "-5"},
	"decimal":    {"0", "1.5", "-12.25", "123", "99.99"},
	"float":      {"0", "0.1", "1e10", "-3.4e38", "16777217", "123456.789"},
	"double":     {"0", "0.1", "1e100", "2e23", "-1.7976931348623157e308", "123456.789"},
	"bit":        {"0", "1", "8191", "b'101'"},
	"date":       {"'2024-02-29'", "'0000-00-00'", "'9999-12-31'"},
	"time":       {"'-838:59:58.99'", "'00:00:00.01'", "'12:34:56'"},
	"datetime":   {"'2024-01-02 03:04:05.678901'", "'0000-00-00 00:00:00'", "'1999-12-31 23:59:59'"},
	"timestamp":  {"'2024-01-02 03:04:05.678'", "'2038-01-19 03:14:07'", "'1970-01-01 00:00:01'"},
	"year":       {"0", "1901", "2155", "2024"},
	"enum":       {"1", "2", "3", "'a'"},
	"set":        {"0", "1", "3", "'x'"},
	"binary":     {"0x0001000000", "'ab'", "''", "0xFF"},
	"blob":       {"REPEAT(0x80, 300)", "''", "0x00", "0xC3A9"},
	"json":       {`'{"a": [1, 2.5, "x", null]}'`, `'[]'`, `'"s"'`, `'{"é": true, "n": -1e-7}'`, `'null'`, `'18446744073709551615'`},
	"point":      {"POINT(1, 2)", "POINT(-1.5, 1e10)"},
	"geometry":   {"POINT(3, 4)", "LINESTRING(POINT(0, 0), POINT(1, 1))"},
	"uuid":       {"'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000001'"},
	"inet6":      {"'2001:db8::ff00:42:8329'", "'::ffff:192.0.2.1'"},
	"inet4":      {"'192.0.2.1'"},
	"varbinary":  {"0xFFFE00", "''", "'text'"},
	"tinyblob":   {"0xC3A9", "''"},
	"mediumblob": {"REPEAT(0x01, 70000)", "''"},
}

// texts are values for a text column, by its character set.
var texts = map[string][]string{
	"latin1":  {"'é'", "'ü€'", "'plain'", "''"},
	"gbk":     {"'中文'", "'plain'"},
	"utf8":    {"'中文é'", "'  x '"},
	"utf8mb3": {"'中文é'", "'  x '"},
	"utf8mb4": {"'😀'", "'q''q\\\\n\\n'", "'中文é'", "''", "'%_\\0'"},
}

// value is one of a column's values, or NULL. Integers and text mostly are values
// that come once only, of which n is the number.
func (g *generator) value(c column, n int) string {
	if c.nullable && g.IntN(8) == 0 {
		return "NULL"
	}
	if c.key && c.kind == "int" {
		return fmt.Sprint(n)
	}
	if v, ok := valuesOfType[c.kind]; ok {
		return pick(g.Rand, v)
	}
	if c.kind == "int" {
		return fmt.Sprint(n*100 + g.IntN(100))
	}
	if v, ok := texts[c.charset]; ok && g.IntN(3) == 0 {
		return pick(g.Rand, v)
	}
	if strings.HasSuffix(c.kind, "text") && g.IntN(4) == 0 {
		return fmt.Sprintf("REPEAT('long %d ', %d)", n, g.IntN(40))
	}
	return fmt.Sprintf("'v%d.%d'", n, g.IntN(100))
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
