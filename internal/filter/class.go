package filter

import (
	"slices"
	"strings"
	"unicode"
)

// class is a bracket expression while it is read. The sets with a negation of
// their own (\W, [:^alpha:]) cannot stand in one pair of brackets with the
// rest in both engines, so they are kept apart.
type class struct {
	members strings.Builder // characters, ranges, plain sets
	negated []string        // sets whose complement belongs to the class
}

// class translates a bracket expression; t.at is behind the '['.
func (t *translator) class() string {
	negate := t.at < len(t.src) && t.src[t.at] == '^'
	if negate {
		t.at++
	}
	var k class
	low := rune(-1) // beginning of a range whose end comes next
	for first := true; ; first = false {
		if t.at >= len(t.src) {
			return reasonBracket
		}
		if t.src[t.at] == ']' && !first {
			t.at++
			break
		}
		set, negated, isSet := t.set()
		if isSet {
			if low >= 0 {
				return reasonRange
			}
			k.addSet(set, negated)
			continue
		}
		c, reason := t.classCharacter()
		switch {
		case reason != "":
			return reason
		case low >= 0:
			if c < low {
				return reasonRange
			}
			k.addRange(low, c)
			low = -1
		case t.rangeFollows():
			low = c
			t.at++
		default:
			k.members.WriteString(quote(unicode.ToLower(c)))
		}
	}
	text, needsBacktracking := k.text(negate)
	t.backtrack = t.backtrack || needsBacktracking
	t.out.WriteString(text)
	return ""
}

// rangeFollows reports whether a '-' stands here that makes a range: one before
// the closing bracket does not.
func (t *translator) rangeFollows() bool {
	return t.at+1 < len(t.src) && t.src[t.at] == '-' && t.src[t.at+1] != ']'
}

// set reads a shorthand or a POSIX class, when one stands here.
func (t *translator) set() (set string, negated, ok bool) {
	if t.at+1 >= len(t.src) {
		return "", false, false
	}
	switch {
	case t.src[t.at] == '\\':
		if set, negated, ok = shorthand(t.src[t.at+1]); ok {
			t.at += 2
		}
	case t.src[t.at] == '[' && t.src[t.at+1] == ':':
		return t.posix()
	}
	return set, negated, ok
}

// posix reads [:name:] or [:^name:]. An unknown name is plain text, as in ORO.
func (t *translator) posix() (set string, negated, ok bool) {
	const longest = len("[:^xdigit:]")
	rest := string(t.src[t.at+2 : min(len(t.src), t.at+longest)])
	name, _, found := strings.Cut(rest, ":]")
	if !found {
		return "", false, false
	}
	length := len("[:") + len([]rune(name)) + len(":]")
	name, negated = strings.CutPrefix(name, "^")
	if set, ok = posixClasses[name]; ok {
		t.at += length
	}
	return set, negated, ok
}

// classCharacter reads one character of a bracket expression; \b is a backspace.
func (t *translator) classCharacter() (rune, string) {
	c := t.src[t.at]
	t.at++
	if c != '\\' {
		return c, ""
	}
	if t.at < len(t.src) && t.src[t.at] == 'b' {
		t.at++
		return '\b', ""
	}
	return t.character()
}

func (k *class) addSet(set string, negated bool) {
	if !negated {
		k.members.WriteString(set)
	} else if !slices.Contains(k.negated, set) {
		k.negated = append(k.negated, set)
	}
}

// addRange adds a range. Like ORO it covers the other case only when both ends
// are capitals.
func (k *class) addRange(low, high rune) {
	k.members.WriteString(quote(low) + "-" + quote(high))
	if unicode.IsUpper(low) && unicode.IsUpper(high) {
		if l, h := unicode.ToLower(low), unicode.ToLower(high); l <= h {
			k.members.WriteString(quote(l) + "-" + quote(h))
		}
	}
}

// text writes the class, as alternatives when some of it is a complement.
func (k *class) text(negate bool) (text string, backtrack bool) {
	members := k.members.String()
	if len(k.negated) == 0 {
		if negate {
			return "[^" + members + "]", false
		}
		return "[" + members + "]", false
	}
	var parts []string
	if members != "" {
		parts = append(parts, "["+members+"]")
	}
	for _, set := range k.negated {
		parts = append(parts, "[^"+set+"]")
	}
	union := "(?:" + strings.Join(parts, "|") + ")"
	if negate {
		return "(?:(?!" + union + ")(?s:.))", true
	}
	return union, false
}
