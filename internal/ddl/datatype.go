package ddl

import (
	"math/big"
	"strconv"
	"strings"
)

// DataType is a column type as written.
type DataType struct {
	Name     string   // base name in the user's case, words joined by a blank: "double precision"
	Args     []string // as written; texts in single quotes, requoted
	Unsigned bool
	Zerofill bool
	Charset  string // lower case; "" when neither a character set nor a collation is named
	Byte     bool   // CHAR BYTE
}

// Text is the type as Canal prints it (MemoryTableMeta): the base name, the
// arguments without blanks between, UNSIGNED and ZEROFILL, without character
// set and collation. FLOAT with more than 24 bits is called double.
func (t DataType) Text() string {
	name := t.Name
	if strings.EqualFold(name, "float") && len(t.Args) == 1 && atoi(t.Args[0]) > 24 {
		name = "double"
	}
	var b strings.Builder
	b.WriteString(name)
	if len(t.Args) > 0 {
		b.WriteByte('(')
		for i, a := range t.Args {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(a)
		}
		b.WriteByte(')')
	}
	if t.Unsigned || t.Zerofill {
		b.WriteString(" unsigned")
	}
	if t.Zerofill {
		b.WriteString(" zerofill")
	}
	return b.String()
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// ParseType reads the text of a column type, such as DataType.Text gives.
func ParseType(s string) (DataType, error) {
	p := newParser(s, Options{})
	t, err := p.dataType()
	if err == nil && p.tok.kind != end {
		err = p.errorf("the end of the type")
	}
	return t, err
}

// dataType reads a column type with its attributes.
func (p *parser) dataType() (DataType, error) {
	var t DataType
	if p.tok.kind != word {
		return t, p.errorf("a type")
	}
	t.Name = p.typeName()
	p.modeType(&t)
	if p.atSymbol('(') {
		args, err := p.typeArgs()
		if err != nil {
			return t, err
		}
		t.Args = args
	}
	for {
		if ok, err := p.typeAttribute(&t); !ok || err != nil {
			return t, err
		}
	}
}

// typeName reads the words of a type's name.
func (p *parser) typeName() string {
	name := p.text()
	first := strings.ToUpper(name)
	p.advance()
	more := func(keywords ...string) {
		if p.atAny(keywords...) {
			name += " " + p.text()
			p.advance()
		}
	}
	switch first {
	case "DOUBLE":
		more("PRECISION")
	case "CHARACTER", "CHAR":
		p.foreign = p.foreign || first == "CHAR" && p.at("VARYING")
		more("VARYING")
	case "NCHAR":
		p.foreign = p.foreign || p.atAny("VARYING", "VARCHAR")
		more("VARYING", "VARCHAR")
	case "NATIONAL":
		p.foreign = p.foreign || p.at("CHARACTER") || p.before("VARYING")
		more("CHAR", "CHARACTER", "VARCHAR", "VARCHARACTER")
		more("VARYING")
	case "LONG":
		if p.atAny("CHAR", "CHARACTER") && !p.before("VARYING") {
			break // of CHARACTER SET
		}
		if p.atAny("VARCHAR", "VARBINARY", "CHAR", "CHARACTER", "VARCHARACTER") {
			p.foreign = true
		}
		more("VARCHAR", "VARBINARY", "CHAR", "CHARACTER", "VARCHARACTER")
		more("VARYING")
	}
	return name
}

// modeType replaces the type's name where the sql_mode, or MariaDB's name of one
// before it (oracle_schema.date), gives it another meaning.
func (p *parser) modeType(t *DataType) {
	oracle, maxDB := p.opts.Oracle, p.opts.MaxDB
	if p.atSymbol('.') {
		p.foreign = true
		p.advance()
		oracle, maxDB = strings.EqualFold(t.Name, "oracle_schema"), strings.EqualFold(t.Name, "maxdb_schema")
		t.Name = p.typeName()
	}
	switch name := strings.ToLower(t.Name); {
	case name == "real" && p.opts.RealAsFloat:
		t.Name = "float"
	case name == "timestamp" && maxDB:
		t.Name = "datetime"
	case name == "date" && oracle:
		t.Name = "datetime"
	case name == "blob" && p.opts.Oracle: // a word of that grammar
		t.Name = "longblob"
	}
}

// typeArgs reads the arguments of a type, in parentheses.
func (p *parser) typeArgs() ([]string, error) {
	p.advance()
	var args []string
	var arg strings.Builder
	for {
		switch {
		case p.atStop() || p.atSymbol('('):
			return nil, p.errorf(")")
		case p.atSymbol(')'):
			p.advance()
			return append(args, arg.String()), nil
		case p.atSymbol(','):
			args = append(args, arg.String())
			arg.Reset()
		case p.tok.kind == text && (strings.EqualFold(arg.String(), "x") || strings.EqualFold(arg.String(), "b")):
			literal := arg.String() + p.text()
			arg.Reset()
			arg.WriteString(numberText(literal))
		case p.tok.kind == text:
			arg.WriteString(quote(unquote(p.text(), !p.opts.NoBackslashEscapes)))
		default:
			arg.WriteString(numberText(p.text()))
		}
		p.advance()
	}
}

// numberText is the text that a hexadecimal or binary number stands for in the
// list of an ENUM or SET (text_string in sql_yacc.yy), quoted. Anything else is
// returned as it is.
func numberText(s string) string {
	digits, base := "", 16
	switch {
	case len(s) < 3:
		return s
	case s[0] == '0' && s[1] == 'x':
		digits = s[2:]
	case s[0] == '0' && s[1] == 'b':
		digits, base = s[2:], 2
	case s[1] == '\'':
		digits = s[2 : len(s)-1]
		if s[0] == 'b' || s[0] == 'B' {
			base = 2
		}
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok || len(digits) > maxNumberText {
		return s
	}
	return quote(string(n.Bytes()))
}

// maxNumberText bounds the digits of a number that stands for a text.
const maxNumberText = 4096

// quote puts s in single quotes.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// typeAttribute reads one attribute behind a type, if there is one.
func (p *parser) typeAttribute(t *DataType) (bool, error) {
	switch {
	case p.accept("UNSIGNED"):
		t.Unsigned = true
	case p.accept("ZEROFILL"):
		t.Zerofill = true
	case p.accept("BYTE"):
		t.Byte, p.foreign = true, true
	case p.accept("ASCII"):
		t.Charset = "latin1"
	case p.accept("UNICODE"):
		t.Charset = "ucs2"
	case p.acceptAny("SIGNED", "BINARY"):
	case p.accept("CHAR", "SET"):
		p.foreign = true
		return true, p.charset(&t.Charset, false)
	case p.accept("CHARACTER", "SET"), p.accept("CHARSET"):
		p.foreign = p.foreign || p.atSymbol('=')
		return true, p.charset(&t.Charset, false)
	case p.accept("COLLATE"):
		return true, p.charset(&t.Charset, true)
	default:
		return false, nil
	}
	return true, nil
}

// charset reads the name of a character set, or of a collation, into dst; "" for
// DEFAULT. A collation does not override a character set.
func (p *parser) charset(dst *string, collation bool) error {
	s, err := p.value()
	if err != nil {
		return err
	}
	s = strings.ToLower(s)
	switch {
	case s == "default":
		s = ""
	case collation && *dst != "" && *dst != unnamedCharset:
		return nil
	case collation:
		s = CharsetOfCollation(s)
	}
	*dst = s
	return nil
}

// CharsetOfCollation is the character set of a collation by MySQL's naming
// rule: utf8mb4_bin belongs to utf8mb4, binary to itself. The collations of
// MariaDB that fit several sets (uca1400_…) give "".
func CharsetOfCollation(collation string) string {
	set, _, _ := strings.Cut(strings.ToLower(collation), "_")
	if set == "uca1400" {
		return ""
	}
	return set
}
