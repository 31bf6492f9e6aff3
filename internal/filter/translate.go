package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// translator turns Jakarta ORO's Perl 5 dialect into text that both Go's regexp
// and regexp2 read alike. Names are lower-cased before they are matched, so
// letter case is settled here: letters of the pattern are lower-cased too, and
// neither engine is asked to ignore case.
//
// It accepts and refuses what ORO 2.0.8 does, except where ORO takes a construct
// of a later Perl for plain letters (\p, \Q, \E), forgives what can only be a
// slip (a comment that is not closed, a count above 65535) or does
// something that nobody wants for table names ((?x), (?-i)); all these are
// refused.
type translator struct {
	src       []rune
	at        int
	out       strings.Builder
	groups    int // capturing groups opened so far
	backtrack bool
}

// translate translates a joined pattern. backtrack says that the result uses
// what a linear engine lacks.
func translate(joined string) (text string, backtrack bool, err error) {
	t := &translator{src: []rune(joined)}
	if reason := t.run(); reason != "" {
		return "", false, &PatternError{Pattern: joined, Offset: min(t.at, len(t.src)), Reason: reason}
	}
	return t.out.String(), t.backtrack, nil
}

// The reasons that more than one place gives.
const (
	reasonNothing   = "* + ? or {…} follows nothing"
	reasonNested    = "nested repetition: possessive and repeated quantifiers do not exist in this dialect"
	reasonParen     = "unmatched parenthesis"
	reasonBracket   = "unmatched [ ]"
	reasonRange     = "invalid range in [ ]"
	reasonTrailing  = `nothing follows the last \`
	reasonUnicode   = `\p, \P, \Q and \E do not exist in this dialect`
	maxRepeat       = 65535
	wordSet         = `\p{L}\p{Nd}_`
	spaceSet        = `\x09-\x0D\x1C-\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{2028}\x{2029}\x{205F}\x{3000}`
	digitSet        = `\p{Nd}`
	punctuationSet  = `\p{Pd}\p{Ps}\p{Pe}\p{Pc}\p{Po}\p{Sm}\p{Sc}\p{Sk}`
	wordBoundary    = `(?:(?<=[` + wordSet + `])(?![` + wordSet + `])|(?<![` + wordSet + `])(?=[` + wordSet + `]))`
	notWordBoundary = `(?:(?<=[` + wordSet + `])(?=[` + wordSet + `])|(?<![` + wordSet + `])(?![` + wordSet + `]))`
)

// maxNesting bounds how deep groups may stand in each other.
const maxNesting = 250

// posixClasses are the classes that may stand in [[:name:]], as sets.
var posixClasses = map[string]string{
	"alnum":  `\p{L}\p{Nd}`,
	"alpha":  `\p{L}`,
	"ascii":  `\x00-\x7F`,
	"blank":  `\p{Z}`,
	"cntrl":  `\x00-\x1F\x7F-\x{9F}`,
	"digit":  digitSet,
	"graph":  `\p{L}\p{Nd}` + punctuationSet,
	"lower":  casedSet(), // ORO does not tell the cases apart when it ignores case
	"print":  `\p{L}\p{Nd}\p{Z}` + punctuationSet,
	"punct":  punctuationSet,
	"space":  spaceSet,
	"upper":  casedSet(),
	"word":   wordSet,
	"xdigit": `0-9A-Fa-f`,
}

// casedSet holds what Java's Character.isLowerCase and isUpperCase accept.
func casedSet() string {
	var b strings.Builder
	b.WriteString(`\p{Ll}\p{Lu}`)
	for _, table := range []*unicode.RangeTable{unicode.Other_Lowercase, unicode.Other_Uppercase} {
		for _, r := range table.R16 {
			writeRange(&b, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			writeRange(&b, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return b.String()
}

func writeRange(b *strings.Builder, lo, hi, stride rune) {
	if stride == 1 {
		fmt.Fprintf(b, `\x{%X}-\x{%X}`, lo, hi)
		return
	}
	for c := lo; c <= hi; c += stride {
		fmt.Fprintf(b, `\x{%X}`, c)
	}
}

// run translates everything; it returns "" or what is wrong at t.at.
func (t *translator) run() string {
	var closers []string // what closes each open group
	quantifiable, quantified := false, false
	for t.at < len(t.src) {
		c := t.src[t.at]
		wasQuantified := quantified
		quantified = false
		var reason string
		switch {
		case c == '(':
			var closer string
			closer, reason = t.group()
			if closer != "" {
				closers = append(closers, closer)
				if len(closers) > maxNesting {
					reason = fmt.Sprintf("groups nested deeper than %d", maxNesting)
				}
			}
			quantifiable = false
		case c == ')':
			if len(closers) == 0 {
				return reasonParen
			}
			t.out.WriteString(closers[len(closers)-1])
			closers = closers[:len(closers)-1]
			t.at++
			quantifiable = true
		case c == '|':
			t.out.WriteByte('|')
			t.at++
			quantifiable = false
		case t.atQuantifier(wasQuantified || quantifiable):
			switch {
			case wasQuantified:
				return reasonNested
			case !quantifiable:
				return reasonNothing
			}
			reason = t.quantifier()
			quantifiable, quantified = false, true
		default:
			reason = t.atom()
			quantifiable = true
		}
		if reason != "" {
			return reason
		}
	}
	if len(closers) > 0 {
		return reasonParen
	}
	return ""
}

// atQuantifier reports whether a quantifier stands here. {n,m} after nothing is
// plain text; * after nothing is a mistake.
func (t *translator) atQuantifier(afterAtom bool) bool {
	switch t.src[t.at] {
	case '*', '+', '?':
		return true
	case '{':
		_, _, n := t.interval()
		return afterAtom && n > 0
	}
	return false
}

// interval reads {n}, {n,} or {n,m} here without moving on; length is 0 when
// none stands here. An open end is -1; numbers too large to hold are maxRepeat+1.
func (t *translator) interval() (low, high, length int) {
	i := t.at + 1
	number := func() (n int, ok bool) {
		for ; i < len(t.src) && t.src[i] >= '0' && t.src[i] <= '9'; i++ {
			n, ok = min(maxRepeat+1, n*10+int(t.src[i]-'0')), true
		}
		return n, ok
	}
	low, ok := number()
	if !ok || i >= len(t.src) {
		return 0, 0, 0
	}
	high = low
	if t.src[i] == ',' {
		i++
		if high, ok = number(); !ok {
			high = -1
		}
	}
	if i >= len(t.src) || t.src[i] != '}' {
		return 0, 0, 0
	}
	return low, high, i + 1 - t.at
}

// quantifier copies a quantifier and the ? that makes it lazy.
func (t *translator) quantifier() string {
	if c := t.src[t.at]; c != '{' {
		t.out.WriteRune(c)
		t.at++
	} else {
		low, high, length := t.interval()
		switch {
		case low > maxRepeat || high > maxRepeat:
			return fmt.Sprintf("repetition count above %d", maxRepeat)
		case high >= 0 && high < low:
			return fmt.Sprintf("invalid interval {%d,%d}", low, high)
		}
		t.writeInterval(low, high)
		t.at += length
	}
	if t.at < len(t.src) && t.src[t.at] == '?' {
		t.out.WriteByte('?')
		t.at++
	}
	return ""
}

// writeInterval writes {n}, {n,} or {n,m} without leading zeros, which Go's
// engine does not take for a count.
func (t *translator) writeInterval(low, high int) {
	switch high {
	case low:
		fmt.Fprintf(&t.out, "{%d}", low)
	case -1:
		fmt.Fprintf(&t.out, "{%d,}", low)
	default:
		fmt.Fprintf(&t.out, "{%d,%d}", low, high)
	}
}

// group begins a group and returns the text that ends it; "" for the forms
// that are complete in themselves: comments and flags.
func (t *translator) group() (closer, reason string) {
	t.at++
	if t.at >= len(t.src) || t.src[t.at] != '?' {
		t.groups++
		t.out.WriteByte('(')
		return ")", ""
	}
	t.at++
	if t.at >= len(t.src) {
		return "", "sequence (? not recognized"
	}
	c := t.src[t.at]
	switch c {
	case ':':
		t.at++
		t.out.WriteString("(?:")
		return ")", ""
	case '=', '!':
		t.at++
		t.backtrack = true
		t.out.WriteString("(?:(?" + string(c))
		return "))", ""
	case '#':
		for t.at < len(t.src) && t.src[t.at] != ')' {
			t.at++
		}
		if t.at >= len(t.src) {
			return "", reasonParen
		}
		t.at++
		return "", ""
	case '<':
		return "", "sequence (?< not recognized: look-behind and named groups do not exist in this dialect"
	}
	return "", t.flags()
}

// flags skips (?gimos): letter case never matters, the dot matches every
// character anyway, and g and o mean nothing here; m would matter only for
// names with line breaks.
func (t *translator) flags() string {
	for t.at < len(t.src) && strings.ContainsRune("gimos", t.src[t.at]) {
		t.at++
	}
	if t.at >= len(t.src) || t.src[t.at] != ')' {
		if t.at < len(t.src) && strings.ContainsRune("x-", t.src[t.at]) {
			return "(?x) and (?-…) are not supported"
		}
		return "sequence (?… not recognized"
	}
	t.at++
	return ""
}

// atom translates one character, escape or class.
func (t *translator) atom() string {
	c := t.src[t.at]
	t.at++
	switch c {
	case '^', '$':
		t.out.WriteString("(?:" + string(c) + ")")
	case '.':
		t.out.WriteString(`(?:(?s:.))`)
	case '[':
		return t.class()
	case '\\':
		return t.escape()
	default:
		t.literal(c)
	}
	return ""
}

// literal writes one character that stands for itself.
func (t *translator) literal(c rune) { t.out.WriteString(quote(unicode.ToLower(c))) }

// quote writes a character so that it is plain text inside and outside [].
func quote(c rune) string {
	if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
		return string(c)
	}
	return fmt.Sprintf(`\x{%X}`, c)
}

// shorthand is the set of \w, \s or \d and whether the letter negates it.
func shorthand(c rune) (set string, negated, ok bool) {
	switch unicode.ToLower(c) {
	case 'w':
		set = wordSet
	case 's':
		set = spaceSet
	case 'd':
		set = digitSet
	default:
		return "", false, false
	}
	return set, unicode.IsUpper(c), true
}

// escape translates what follows a backslash outside a class.
func (t *translator) escape() string {
	if t.at >= len(t.src) {
		return reasonTrailing
	}
	c := t.src[t.at]
	if set, negated, ok := shorthand(c); ok {
		t.at++
		if negated {
			set = "^" + set
		}
		t.out.WriteString("[" + set + "]")
		return ""
	}
	switch c {
	case 'A', 'G':
		t.out.WriteString(`(?:\A)`)
	case 'Z':
		t.out.WriteString(`(?:$)`)
	case 'b':
		t.out.WriteString(wordBoundary)
		t.backtrack = true
	case 'B':
		t.out.WriteString(notWordBoundary)
		t.backtrack = true
	case 'p', 'P', 'Q', 'E':
		return reasonUnicode
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return t.backReference()
	default:
		literal, reason := t.character()
		if reason == "" {
			t.literal(literal)
		}
		return reason
	}
	t.at++
	return ""
}

// backReference translates \1 and so on. A number of two or more digits that no
// group has is an octal character instead.
func (t *translator) backReference() string {
	end, n := t.at, 0
	for end < len(t.src) && t.src[end] >= '0' && t.src[end] <= '9' {
		n = min(maxRepeat, n*10+int(t.src[end]-'0'))
		end++
	}
	if n > t.groups {
		if n <= 9 {
			return fmt.Sprintf(`invalid back-reference \%d`, n)
		}
		literal, reason := t.character()
		if reason == "" {
			t.literal(literal)
		}
		return reason
	}
	t.at = end
	t.backtrack = true
	fmt.Fprintf(&t.out, `(?:\%d)`, n)
	return ""
}

// character reads an escaped character, with t.at behind the backslash.
func (t *translator) character() (rune, string) {
	if t.at >= len(t.src) {
		return 0, reasonTrailing
	}
	c := t.src[t.at]
	t.at++
	switch c {
	case 'n':
		return '\n', ""
	case 'r':
		return '\r', ""
	case 't':
		return '\t', ""
	case 'f':
		return '\f', ""
	case 'a':
		return 7, ""
	case 'e':
		return 0x1b, ""
	case 'x':
		return t.digits(16, 2), ""
	case 'c':
		if t.at >= len(t.src) {
			return 0, reasonTrailing
		}
		c = unicode.ToUpper(t.src[t.at]) ^ 64
		t.at++
		return c, ""
	case '0', '1', '2', '3', '4', '5', '6', '7':
		t.at--
		return t.digits(8, 3), ""
	case 'p', 'P', 'Q', 'E':
		t.at--
		return 0, reasonUnicode
	}
	return c, ""
}

// digits reads up to n digits of base; none at all is 0.
func (t *translator) digits(base, n int) rune {
	start := t.at
	for t.at < len(t.src) && t.at-start < n && t.src[t.at] < 128 && isDigit(byte(t.src[t.at]), base) {
		t.at++
	}
	v, _ := strconv.ParseInt(string(t.src[start:t.at]), base, 32)
	return rune(v)
}

func isDigit(c byte, base int) bool {
	_, err := strconv.ParseInt(string(c), base, 32)
	return err == nil && c != '+' && c != '-'
}
