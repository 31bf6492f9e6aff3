package filter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// MaxPattern is the longest pattern list accepted, in bytes. Clients send
// patterns, so there must be a bound; people's lists of tables stay far below.
const MaxPattern = 64 << 10

// matchTimeout bounds one match in the backtracking engine, which takes
// exponential time for some expressions. The engine's clock ticks every 100 ms,
// so up to twice this may pass.
const matchTimeout = 100 * time.Millisecond

// Regex is a compiled pattern list. It is safe for concurrent use.
type Regex struct {
	joined       string
	emptyMatches bool
	linear       *regexp.Regexp  // nil when the pattern needs backtracking
	backtrack    *regexp2.Regexp // nil otherwise
	timeouts     atomic.Int64
}

// PatternError says what is wrong with a pattern list.
type PatternError struct {
	Pattern string // as Canal joins it: ^…$|^…$
	Offset  int    // in Pattern, in characters; -1 when it does not apply
	Reason  string
}

func (e *PatternError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("filter %q: %s", e.Pattern, e.Reason)
	}
	return fmt.Sprintf("filter %q: at character %d: %s", e.Pattern, e.Offset+1, e.Reason)
}

// Compile compiles a comma separated list of expressions. emptyMatches is the
// answer for an empty list and for an empty name: true for a white list, false
// for a black list. The error is a *PatternError.
func Compile(pattern string, emptyMatches bool) (*Regex, error) {
	if len(pattern) > MaxPattern {
		return nil, &PatternError{Pattern: pattern[:40] + "…", Offset: -1, Reason: fmt.Sprintf("longer than %d bytes", MaxPattern)}
	}
	r := &Regex{joined: join(split(pattern)), emptyMatches: emptyMatches}
	if r.joined == "" {
		return r, nil
	}
	text, needsBacktracking, err := translate(r.joined)
	if err != nil {
		return nil, err
	}
	text = `\A(?:` + text + `)`
	if !needsBacktracking {
		// Go refuses counts above 1000; the other engine does not.
		if r.linear, err = regexp.Compile(text); err == nil {
			return r, nil
		}
		r.linear = nil
	}
	if r.backtrack, err = regexp2.Compile(text, regexp2.Singleline); err != nil {
		return nil, &PatternError{Pattern: r.joined, Offset: -1, Reason: err.Error()}
	}
	r.backtrack.MatchTimeout = matchTimeout
	return r, nil
}

// String is the joined pattern, the form Canal logs it in; "" when empty.
func (r *Regex) String() string { return r.joined }

// Match reports whether name (schema.table) is on the list; letter case does
// not matter. The first way in which the joined pattern matches at the start of
// name must cover all of it, so a|ab inside one expression does not match "ab",
// as in ORO's Perl5Matcher.matches.
//
// When the time limit is reached the answer is emptyMatches, which for both
// kinds of list means that the table is delivered, and Timeouts counts it.
func (r *Regex) Match(name string) bool {
	if r.joined == "" || name == "" {
		return r.emptyMatches
	}
	name = strings.ToLower(name)
	if r.linear != nil {
		loc := r.linear.FindStringIndex(name)
		return loc != nil && loc[1] == len(name)
	}
	m, err := r.backtrack.FindStringMatch(name)
	if err != nil {
		r.timeouts.Add(1)
		return r.emptyMatches
	}
	return m != nil && m.Length == utf8.RuneCountInString(name)
}

// Timeouts is how many matches ran into the time limit: a sign of an
// expression such as (a+)+ whose back-references or look-aheads kept it from
// the linear engine.
func (r *Regex) Timeouts() int64 { return r.timeouts.Load() }

// split cuts a list at the commas outside {}, [] and (); a backslash hides the
// next character. Empty pieces are dropped, blanks are kept.
func split(list string) []string {
	var pieces []string
	var braces, brackets, parens, start int
	add := func(end int) {
		if end > start {
			pieces = append(pieces, list[start:end])
		}
		start = end + 1
	}
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case '{':
			braces++
		case '}':
			braces = max(0, braces-1)
		case '[':
			brackets++
		case ']':
			brackets = max(0, brackets-1)
		case '(':
			parens++
		case ')':
			parens = max(0, parens-1)
		case ',':
			if braces == 0 && brackets == 0 && parens == 0 {
				add(i)
			}
		}
	}
	add(len(list))
	return pieces
}

// join puts the longest expression first (length in UTF-16 units, as Java
// counts), anchors each and makes alternatives of them.
func join(pieces []string) string {
	slices.SortStableFunc(pieces, func(a, b string) int { return utf16Len(b) - utf16Len(a) })
	anchored := make([]string, len(pieces))
	for i, p := range pieces {
		anchored[i] = "^" + p + "$"
	}
	return strings.Join(anchored, "|")
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}
