package ddl

import (
	"strconv"
	"strings"
)

// noDisplayWidth is the first version of MySQL that prints integers without
// display width.
const noDisplayWidth = 80019

// aliases are other names of types (sql_yacc.yy).
var aliases = map[string]string{
	"int1": "tinyint", "int2": "smallint", "int3": "mediumint", "middleint": "mediumint", "int4": "int", "integer": "int",
	"int8": "bigint", "dec": "decimal", "numeric": "decimal", "fixed": "decimal", "float4": "float", "float8": "double",
	"real": "double", "double precision": "double",
	"character": "char", "nchar": "char", "national char": "char", "national character": "char",
	"char varying": "varchar", "character varying": "varchar", "varcharacter": "varchar", "nvarchar": "varchar",
	"nchar varchar": "varchar", "nchar varying": "varchar", "national varchar": "varchar", "national varcharacter": "varchar",
	"national char varying": "varchar", "national character varying": "varchar",
	"long": "mediumtext", "long varchar": "mediumtext", "long char varying": "mediumtext", "long character varying": "mediumtext",
	"long varcharacter": "mediumtext", "long varbinary": "mediumblob",
	"varchar2": "varchar", "raw": "varbinary", "clob": "longtext", // of MariaDB's sql_mode ORACLE
}

// intWidths are the display widths of integers, signed and unsigned.
var intWidths = map[string][2]string{
	"tinyint": {"4", "3"}, "smallint": {"6", "5"}, "mediumint": {"9", "8"}, "int": {"11", "10"}, "bigint": {"20", "20"},
}

// Canonical is the type as the server itself would print it in SHOW CREATE
// TABLE: aliases resolved, default lengths filled in. charset is the character
// set that holds for the column when it names none itself; the result names it
// for the types that have one.
func (t DataType) Canonical(s Server, charset string) DataType {
	name := strings.ToLower(t.Name)
	c := DataType{Name: name, Args: t.Args, Unsigned: t.Unsigned || t.Zerofill, Zerofill: t.Zerofill, Charset: t.Charset}
	if a, ok := aliases[name]; ok {
		c.Name = a
	}
	switch name {
	case "bool", "boolean":
		return DataType{Name: "tinyint", Args: []string{"1"}}
	case "serial":
		c.Name, c.Unsigned = "bigint", true
	case "nvarchar":
		c.Charset = "utf8"
	}
	if strings.HasPrefix(name, "national") || strings.HasPrefix(name, "nchar") {
		c.Charset = "utf8"
	}
	if c.Charset == "" {
		c.Charset = charset
	}
	if name == "number" { // of MariaDB's sql_mode ORACLE
		c.Name = "double"
		if len(c.Args) > 0 {
			c.Name = "decimal"
		}
	}
	if !signed[c.Name] {
		c.Unsigned, c.Zerofill = false, false
	}
	c.fill(s, t.Byte)
	return c
}

// signed are the types that may be UNSIGNED. YEAR takes the word without effect.
var signed = map[string]bool{
	"tinyint": true, "smallint": true, "mediumint": true, "int": true, "bigint": true, "decimal": true, "float": true, "double": true,
}

// fill completes arguments and names that depend on them. c.Name is without aliases.
func (c *DataType) fill(s Server, byteType bool) {
	switch c.Name {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		c.fillInteger(s)
	case "decimal":
		c.fillDecimal()
	case "float":
		if len(c.Args) == 1 {
			if atoi(c.Args[0]) > 24 {
				c.Name = "double"
			}
			c.Args = nil
		}
	case "bit":
		c.defaultArg("1")
	case "year":
		c.fillYear(s)
	case "time", "datetime", "timestamp":
		if c.arg() == 0 {
			c.Args = nil
		}
	case "binary":
		if len(c.Args) == 0 {
			c.Args = []string{"1"}
		}
	case "varbinary":
		c.bounded(s, 1)
	case "vector":
		c.defaultArg("2048")
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		c.fillText(s, byteType)
		return
	case "blob":
		c.bySize(s, 1)
	case "json":
		if s.MariaDB {
			c.Name, c.Charset = "longtext", "utf8mb4"
			return
		}
	case "geometrycollection", "geomcollection":
		c.Name = "geometrycollection"
		if !s.MariaDB && s.Version >= 80011 {
			c.Name = "geomcollection"
		}
	}
	c.Charset = ""
}

// arg is the first argument as a number, 0 when there is none.
func (c *DataType) arg() int {
	if len(c.Args) == 0 {
		return 0
	}
	return atoi(c.Args[0])
}

func (c *DataType) defaultArg(value string) {
	if c.arg() == 0 {
		c.Args = []string{value}
	}
}

// fillInteger: MySQL 8.0.19 and later print a width only for tinyint(1), which
// stands for a truth value, and with ZEROFILL.
func (c *DataType) fillInteger(s Server) {
	widths := intWidths[c.Name]
	width := widths[0]
	if c.Unsigned {
		width = widths[1]
	}
	c.defaultArg(width)
	if s.MariaDB || s.Version < noDisplayWidth || c.Zerofill {
		return
	}
	if !(c.Name == "tinyint" && c.Args[0] == "1" && !c.Unsigned) {
		c.Args = nil
	}
}

func (c *DataType) fillDecimal() {
	precision, scale := "10", "0"
	if c.arg() > 0 {
		precision = c.Args[0]
	}
	if len(c.Args) > 1 {
		scale = c.Args[1]
	}
	c.Args = []string{precision, scale}
}

// fillYear: YEAR(2) is gone since MySQL 5.6, MariaDB keeps it.
func (c *DataType) fillYear(s Server) {
	switch {
	case s.MariaDB && c.arg() == 2:
	case s.MariaDB || s.Version < noDisplayWidth:
		c.Args = []string{"4"}
	default:
		c.Args = nil
	}
}

// binaryNames are what text types become with the character set binary.
var binaryNames = map[string]string{
	"char": "binary", "varchar": "varbinary", "tinytext": "tinyblob", "text": "blob", "mediumtext": "mediumblob", "longtext": "longblob",
}

// fillText completes the types that have a character set.
func (c *DataType) fillText(s Server, byteType bool) {
	if c.Name == "char" && len(c.Args) == 0 {
		c.Args = []string{"1"}
	}
	if c.Name == "enum" || c.Name == "set" {
		c.trimMembers()
		return
	}
	if byteType {
		c.Charset = "binary"
	}
	switch c.Name {
	case "text":
		c.bySize(s, CharLen(c.Charset))
	case "varchar":
		c.bounded(s, CharLen(c.Charset))
	}
	if c.Charset == "binary" {
		c.Name, c.Charset = binaryNames[c.Name], ""
	}
}

// trimMembers takes trailing blanks off the members of an ENUM or SET, as the
// server does.
func (c *DataType) trimMembers() {
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		if n := len(a); n > 1 && a[0] == '\'' {
			a = strings.TrimRight(a[:n-1], " ") + "'"
		}
		args[i] = a
	}
	c.Args = args
}

// blobSizes are the greatest lengths of blobs in bytes, by size.
var blobSizes = []struct {
	prefix string
	bytes  int
}{{"tiny", 1<<8 - 1}, {"", 1<<16 - 1}, {"medium", 1<<24 - 1}, {"long", 1<<32 - 1}}

// bySize replaces TEXT(n) and BLOB(n) by the smallest type that takes n
// characters of up to charLen bytes (get_blob_type_from_length). Before MySQL
// 8.0, and in MariaDB, 0 stands for no size.
func (c *DataType) bySize(s Server, charLen int) {
	n := c.arg()
	if n > 0 || len(c.Args) > 0 && !s.MariaDB && s.Version >= 80000 {
		c.Name = blobFor(c.Name, n*charLen)
	}
	c.Args = nil
}

// bounded makes a blob or text of a VARBINARY or VARCHAR that has more bytes
// than these can have, as the server does when it is not strict
// (prepare_blob_field).
func (c *DataType) bounded(s Server, charLen int) {
	most := 1<<16 - 1
	if s.MariaDB {
		most -= 2 // of length
	}
	n := c.arg() * charLen
	if n <= most {
		return
	}
	base := "text"
	if c.Name == "varbinary" {
		base = "blob"
	}
	c.Name, c.Args = blobFor(base, n), nil
}

// blobFor is the smallest type of base (text or blob) that takes n bytes.
func blobFor(base string, n int) string {
	for _, b := range blobSizes {
		if n <= b.bytes {
			return b.prefix + base
		}
	}
	return "long" + base
}

// Convert is the canonical type after CONVERT TO CHARACTER SET: texts may need
// a bigger type to keep their number of characters.
func (t DataType) Convert(charset string) DataType {
	if t.Charset == "" || charset == "" {
		return t
	}
	old := CharLen(t.Charset)
	t.Charset = charset
	for _, b := range blobSizes {
		if t.Name == b.prefix+"text" {
			t.Name = blobFor("text", b.bytes/old*CharLen(charset))
			break
		}
	}
	if charset == "binary" {
		if name, ok := binaryNames[t.Name]; ok {
			t.Name, t.Charset = name, ""
		}
	}
	return t
}

// charLens are the bytes of the longest character of multi-byte character sets.
var charLens = map[string]int{
	"utf8": 3, "utf8mb3": 3, "utf8mb4": 4, "ucs2": 2, "utf16": 4, "utf16le": 4, "utf32": 4, "gbk": 2, "gb2312": 2,
	"gb18030": 4, "big5": 2, "sjis": 2, "cp932": 2, "ujis": 3, "eucjpms": 3, "euckr": 2,
}

// CharLen is the length in bytes of the longest character of a MySQL character set.
func CharLen(charset string) int {
	if n, ok := charLens[charset]; ok {
		return n
	}
	return 1
}

// Equivalent reports whether two types store the same values in the same way:
// they differ in spelling, display width or character set only.
func (t DataType) Equivalent(u DataType) bool {
	a, b := t.Canonical(Server{Version: noDisplayWidth}, t.Charset), u.Canonical(Server{Version: noDisplayWidth}, u.Charset)
	for _, c := range []*DataType{&a, &b} {
		if _, ok := intWidths[c.Name]; ok {
			c.Args = nil
		}
		c.Charset, c.Zerofill = "", false
	}
	return a.Text() == b.Text()
}

// Quote puts a name in backquotes.
func Quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// VersionOf reads a server's VERSION(): "8.0.19-log", "10.11.6-MariaDB-1", "5.5.5-10.4.2-MariaDB".
func VersionOf(version string) Server {
	s := Server{MariaDB: strings.Contains(strings.ToLower(version), "mariadb")}
	if s.MariaDB {
		version = strings.TrimPrefix(version, "5.5.5-") // what MariaDB 10 puts before its version for old clients
	}
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return s
	}
	patch := parts[2]
	for i := range len(patch) {
		if patch[i] < '0' || patch[i] > '9' {
			patch = patch[:i]
			break
		}
	}
	for _, p := range []string{parts[0], parts[1], patch} {
		n, err := strconv.Atoi(p)
		if err != nil || n > 999 {
			return Server{MariaDB: s.MariaDB}
		}
		s.Version = s.Version*100 + n
	}
	return s
}
