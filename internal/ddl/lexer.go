package ddl

import "strings"

// Options tell how the server read a statement.
type Options struct {
	// ANSIQuotes and NoBackslashEscapes are the sql_mode flags of these names.
	ANSIQuotes         bool
	NoBackslashEscapes bool
	RealAsFloat        bool
	Oracle             bool // MariaDB's
	MaxDB              bool // gone in MySQL 8.0

	// ServerCharset is the character set of a schema whose CREATE DATABASE names
	// none: that of the session's collation_server, which query events have. ""
	// when it is not known.
	ServerCharset string

	// Server decides which executable comments (/*!80023 … */, /*M! … */) count
	// as text. Its zero value takes all of them.
	Server Server
}

// Flags of sql_mode that change how a statement is read (MySQL's and MariaDB's
// query_options.h and sql_class.h). In MySQL ORACLE is only a set of others.
const (
	modeRealAsFloat        = 1 << 0
	modeANSIQuotes         = 1 << 2
	modeOracle             = 1 << 9
	modeMaxDB              = 1 << 12
	modeNoBackslashEscapes = 1 << 20
)

// OptionsFor are the options for a statement that was run with a sql_mode, as
// the number that query events have, on server s.
func OptionsFor(sqlMode uint64, s Server) Options {
	return Options{
		ANSIQuotes:         sqlMode&modeANSIQuotes != 0,
		NoBackslashEscapes: sqlMode&modeNoBackslashEscapes != 0,
		RealAsFloat:        sqlMode&modeRealAsFloat != 0,
		Oracle:             sqlMode&modeOracle != 0 && s.MariaDB,
		MaxDB:              sqlMode&modeMaxDB != 0,
		Server:             s,
	}
}

// Server is a database server by family and version.
type Server struct {
	MariaDB bool
	Version int // major*10000 + minor*100 + patch as in executable comments; 0 when unknown
}

// executes reports whether the server runs the text of an executable comment
// that starts with /*!version, or /*M!version when maria. version is 0 when the
// comment has none. MariaDB leaves out what is marked for MySQL 5.7 and later
// (sql_lex.cc, MYSQL_VERSION_ID 50700 to 99999).
func (s Server) executes(version int, maria bool) bool {
	switch {
	case s == Server{}:
		return true
	case maria && !s.MariaDB:
		return false
	case !maria && s.MariaDB && version >= 50700 && version <= 99999:
		return false
	}
	return s.Version == 0 || version <= s.Version
}

// columnReferences reports whether the server makes a foreign key of REFERENCES
// at a column; before it was read and forgotten.
func (s Server) columnReferences() bool {
	return s.MariaDB && s.Version >= 100500 || !s.MariaDB && s.Version >= 90000
}

type kind uint8

const (
	end    kind = iota // end of the text
	word               // bare identifier, keyword, or number with letters: 0x1F, 1e3
	number             // digits only
	quoted             // `name`, or "name" with ANSI quotes
	text               // 'text' or "text"
	symbol             // one byte
	broken             // an unterminated comment or quotation
)

// token is a piece of the statement, sql[start:end].
type token struct {
	kind       kind
	start, end int
	hint       bool // inside an executable comment
	maria      bool // … that only MariaDB reads
}

// lexer cuts a statement into tokens, from pos on. It is copied to look ahead.
type lexer struct {
	sql   string
	pos   int
	hint  bool
	maria bool
	opts  Options
}

// next returns the next token, skipping blanks and comments.
func (l *lexer) next() token {
	if !l.skipBlanks() {
		return token{kind: broken, start: l.pos, end: len(l.sql)}
	}
	t := token{start: l.pos, end: l.pos, hint: l.hint, maria: l.maria}
	if l.pos >= len(l.sql) {
		return t
	}
	switch c := l.sql[l.pos]; {
	case c == '`':
		t.kind = quoted
		l.quotation(&t, c, false)
	case c == '"' && l.opts.ANSIQuotes:
		t.kind = quoted
		l.quotation(&t, c, false)
	case c == '\'' || c == '"':
		t.kind = text
		l.quotation(&t, c, !l.opts.NoBackslashEscapes)
	case isNameByte(c):
		t.kind = number
		for l.pos < len(l.sql) && isNameByte(l.sql[l.pos]) {
			if c := l.sql[l.pos]; c < '0' || c > '9' {
				t.kind = word
			}
			l.pos++
		}
	default:
		t.kind = symbol
		l.pos++
	}
	t.end = l.pos
	return t
}

// isNameByte reports whether c may stand in a name without quotes. All bytes of
// characters beyond ASCII may.
func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// quotation moves behind the quotation that starts at pos, in which a doubled
// quote, and with escapes a backslash pair, stands for one character.
func (l *lexer) quotation(t *token, quote byte, escapes bool) {
	for i := l.pos + 1; i < len(l.sql); i++ {
		switch c := l.sql[i]; {
		case c == '\\' && escapes:
			i++
		case c == quote && i+1 < len(l.sql) && l.sql[i+1] == quote:
			i++
		case c == quote:
			l.pos = i + 1
			return
		}
	}
	t.kind = broken
	l.pos = len(l.sql)
}

// skipBlanks moves to the next token. It is false for an unterminated comment.
func (l *lexer) skipBlanks() bool {
	for l.pos < len(l.sql) {
		rest := l.sql[l.pos:]
		switch c := rest[0]; {
		case isBlank(c):
			l.pos++
		case c == '#', isDashComment(rest):
			l.skipLine()
		case l.hint && strings.HasPrefix(rest, "*/"):
			l.pos += 2
			l.hint, l.maria = false, false
		case strings.HasPrefix(rest, "/*"):
			if !l.comment() {
				return false
			}
		default:
			return true
		}
	}
	return !l.hint
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isDashComment reports whether rest starts with -- and a blank or control character.
func isDashComment(rest string) bool {
	return strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' ')
}

func (l *lexer) skipLine() {
	if i := strings.IndexByte(l.sql[l.pos:], '\n'); i >= 0 {
		l.pos += i + 1
	} else {
		l.pos = len(l.sql)
	}
}

// comment skips the comment at pos, or enters it when the server executes it.
// It is false when the comment has no end.
func (l *lexer) comment() bool {
	rest := l.sql[l.pos:]
	maria := strings.HasPrefix(rest, "/*M!")
	if !l.hint && (maria || strings.HasPrefix(rest, "/*!")) {
		i := len("/*!")
		if maria {
			i++
		}
		version, n := versionDigits(rest[i:])
		if l.opts.Server.executes(version, maria) {
			l.pos += i + n
			l.hint, l.maria = true, maria
			return true
		}
	}
	i := strings.Index(rest[2:], "*/")
	if i < 0 {
		return false
	}
	l.pos += 2 + i + 2
	return true
}

// versionDigits reads the five or six digits of a version and their number.
func versionDigits(s string) (version, n int) {
	for n < 6 && n < len(s) && s[n] >= '0' && s[n] <= '9' {
		version = version*10 + int(s[n]-'0')
		n++
	}
	if n < 5 {
		return 0, 0
	}
	return version, n
}

// unquote returns the name or text that a quotation stands for.
func unquote(s string, escapes bool) string {
	if len(s) < 2 {
		return s
	}
	quote := s[0]
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, quote) < 0 && (!escapes || strings.IndexByte(s, '\\') < 0) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == quote && i+1 < len(s):
			i++
		case c == '\\' && escapes && i+1 < len(s):
			i++
			if c = s[i]; c == '%' || c == '_' {
				b.WriteByte('\\') // kept for LIKE patterns
			}
			c = escaped(c)
		}
		b.WriteByte(c)
	}
	return b.String()
}

// escaped is the character that a backslash and c stand for.
func escaped(c byte) byte {
	switch c {
	case '0':
		return 0
	case 'b':
		return '\b'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'Z':
		return 0x1a
	}
	return c
}
