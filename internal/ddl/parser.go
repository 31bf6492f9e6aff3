package ddl

import (
	"errors"
	"fmt"
	"strings"
)

// errSyntax is what a statement that cannot be read fails with.
var errSyntax = errors.New("cannot read statement")

// parser reads one text of statements. tok is the token to be read next.
type parser struct {
	lexer
	tok token

	// foreign is set when the text has something that Canal's grammar (Druid's
	// MySQL dialect, polardbx-parser 5.4.19) refuses, though it is read here.
	foreign bool

	// enforced is set by a check with [NOT] ENFORCED, which Canal knows only in ALTER TABLE.
	enforced bool

	period    bool // a period of a system-versioned table was named
	versioned bool // WITH SYSTEM VERSIONING was written at a column
}

func newParser(sql string, o Options) *parser {
	p := &parser{lexer: lexer{sql: sql, opts: o}}
	p.advance()
	return p
}

func (p *parser) advance() { p.tok = p.next() }

// text is the token to be read, as written.
func (p *parser) text() string { return p.sql[p.tok.start:p.tok.end] }

// peek returns the token after the one to be read.
func (p *parser) peek() (token, string) {
	l := p.lexer
	t := l.next()
	return t, p.sql[t.start:t.end]
}

// at reports whether the next token is the keyword, in any case.
func (p *parser) at(keyword string) bool {
	return p.tok.kind == word && strings.EqualFold(p.text(), keyword)
}

// atAny reports whether the next token is one of the keywords.
func (p *parser) atAny(keywords ...string) bool {
	for _, k := range keywords {
		if p.at(k) {
			return true
		}
	}
	return false
}

// before reports whether the token after the next is the keyword.
func (p *parser) before(keyword string) bool {
	t, s := p.peek()
	return t.kind == word && strings.EqualFold(s, keyword)
}

// accept reads the keywords if all of them come next, in this order.
func (p *parser) accept(keywords ...string) bool {
	saved := *p
	for _, k := range keywords {
		if !p.at(k) {
			*p = saved
			return false
		}
		p.advance()
	}
	return true
}

// acceptAny reads the next token if it is one of the keywords.
func (p *parser) acceptAny(keywords ...string) bool {
	if p.atAny(keywords...) {
		p.advance()
		return true
	}
	return false
}

// atSymbol reports whether the next token is the symbol.
func (p *parser) atSymbol(c byte) bool { return p.tok.kind == symbol && p.sql[p.tok.start] == c }

func (p *parser) acceptSymbol(c byte) bool {
	if p.atSymbol(c) {
		p.advance()
		return true
	}
	return false
}

// atEnd reports whether the statement ends here.
func (p *parser) atEnd() bool { return p.tok.kind == end || p.atSymbol(';') }

// atStop reports whether nothing more of the text can be read.
func (p *parser) atStop() bool { return p.tok.kind == end || p.tok.kind == broken }

// errorf says what was wanted at the next token.
func (p *parser) errorf(format string, args ...any) error {
	near := p.sql[p.tok.start:]
	if len(near) > 40 {
		near = near[:40]
	}
	return fmt.Errorf("%w: want %s near %q", errSyntax, fmt.Sprintf(format, args...), near)
}

// expect reads the keyword or fails.
func (p *parser) expect(keyword string) error {
	if !p.accept(keyword) {
		return p.errorf("%s", keyword)
	}
	return nil
}

// ident is a name as written, with its quotes.
type ident string

// real is the name as the server knows it.
func (i ident) real() string {
	if i != "" && (i[0] == '`' || i[0] == '"') {
		return unquote(string(i), false)
	}
	return string(i)
}

// canal is the name as Canal reports it (DruidDdlParser.unescapeName): quotes
// are taken off when something is between them, doubled ones inside stay.
func (i ident) canal() string {
	if n := len(i); n > 2 && (i[0] == '`' || i[0] == '"') && i[n-1] == i[0] {
		return string(i[1 : n-1])
	}
	return string(i)
}

// atIdent reports whether a name comes next. Keywords count as names: which of
// them are reserved depends on the server.
func (p *parser) atIdent() bool {
	return p.tok.kind == word || p.tok.kind == quoted || p.tok.kind == text && p.sql[p.tok.start] == '"'
}

// ident reads a name.
func (p *parser) ident() (ident, error) {
	if !p.atIdent() {
		return "", p.errorf("a name")
	}
	i := ident(p.text())
	p.advance()
	return i, nil
}

// path is the name of a table as written: schema is empty if it has none.
type path struct{ schema, table ident }

// path reads a table name with or without schema.
func (p *parser) path() (path, error) {
	first, err := p.ident()
	if err != nil {
		return path{}, err
	}
	if !p.acceptSymbol('.') {
		return path{table: first}, nil
	}
	if p.tok.kind != number && !p.atIdent() {
		return path{}, p.errorf("a table name")
	}
	second := ident(p.text())
	p.advance()
	if p.atSymbol('.') {
		return path{}, p.errorf("the end of a name with two parts")
	}
	return path{first, second}, nil
}

// name resolves a path.
func (n path) name(currentSchema string) Name {
	if n.schema == "" {
		return Name{currentSchema, n.table.real()}
	}
	return Name{n.schema.real(), n.table.real()}
}

// skipParens reads from an opening parenthesis to behind its closing one.
func (p *parser) skipParens() error {
	if !p.atSymbol('(') {
		return p.errorf("(")
	}
	depth := 0
	for !p.atStop() {
		if p.atSymbol('(') {
			depth++
		} else if p.atSymbol(')') {
			depth--
		}
		p.advance()
		if depth == 0 {
			return nil
		}
	}
	return p.errorf(")")
}

// skipOne reads one token, or everything in parentheses.
func (p *parser) skipOne() error {
	if p.atSymbol('(') {
		return p.skipParens()
	}
	if p.atStop() || p.atSymbol(')') {
		return p.errorf("more")
	}
	p.advance()
	return nil
}

// skipStatement reads to the end of the statement.
func (p *parser) skipStatement() error {
	for !p.atEnd() {
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

// skipText reads to the end of the whole text.
func (p *parser) skipText() error {
	for p.tok.kind != end {
		if p.tok.kind == broken {
			return p.errorf("the end of a quotation or comment")
		}
		p.advance()
	}
	return nil
}

// value reads a text or a name, with an equals sign before it or not, as
// options of tables and columns have it.
func (p *parser) value() (string, error) {
	p.acceptSymbol('=')
	if p.tok.kind != text && p.tok.kind != number && !p.atIdent() {
		return "", p.errorf("a value")
	}
	s := p.text()
	if p.tok.kind == text || p.tok.kind == quoted {
		s = unquote(s, p.tok.kind == text && !p.opts.NoBackslashEscapes)
	}
	p.advance()
	return s, nil
}

// ifExists reads IF EXISTS, and ifNotExists IF NOT EXISTS.
func (p *parser) ifExists() bool    { return p.accept("IF", "EXISTS") }
func (p *parser) ifNotExists() bool { return p.accept("IF", "NOT", "EXISTS") }
