package api

import (
	"regexp"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

// secretValue is where a secret stands in a properties text.
type secretValue struct {
	key        string
	value      string // without escapes
	commented  bool   // in a comment, where old passwords like to stay
	start, end int    // bytes; may span continued lines
}

// maskFor hides the secrets of a text from everybody but administrators.
func maskFor(p identity.Principal, content string) string {
	if p.Role.Allows(identity.RoleAdmin) {
		return content
	}
	return maskSecrets(content)
}

// md5For is the MD5 of a text as maskFor shows it: that of the whole text would let
// somebody who sees the rest of it try passwords until it fits.
func md5For(p identity.Principal, content string) string { return md5Of(maskFor(p, content)) }

// maskSecrets puts control.Masked where secrets stand, those in comments
// included: the values of secret keys, what those refer to, and what has a password
// in it. A value that only refers to another key stays.
func maskSecrets(content string) string {
	var out strings.Builder
	last := 0
	for _, s := range secretValues(content) {
		out.WriteString(content[last:s.start])
		out.WriteString(control.Masked)
		last = s.end
	}
	out.WriteString(content[last:])
	return out.String()
}

// keepSecrets puts back what maskSecrets has hidden: a secret of edited that is
// still masked gets the value that it has in stored.
func keepSecrets(edited, stored string) (string, error) {
	if !strings.Contains(edited, control.Masked) {
		return edited, nil
	}
	known := secretValues(stored)
	seen := map[string]int{}
	var out strings.Builder
	last := 0
	for _, s := range secretValues(edited) {
		nth := seen[s.name()]
		seen[s.name()]++
		if !s.masked() {
			continue
		}
		value, ok := storedValue(stored, known, s, nth)
		if !ok {
			if !config.IsSecret(s.key) {
				continue // it says so itself
			}
			return "", fail(reasonInvalid, text{"%s is masked, but there is no stored value to keep; enter one", "%s 为掩码，但没有可保留的原值，请填写"}, s.key)
		}
		out.WriteString(edited[last:s.start])
		out.WriteString(value)
		last = s.end
	}
	out.WriteString(edited[last:])
	return out.String(), nil
}

func (s secretValue) masked() bool { return strings.TrimSpace(s.value) == control.Masked }

func (s secretValue) name() string {
	if s.commented {
		return "#" + s.key
	}
	return s.key
}

// storedValue finds what the nth value of a key was: when there are fewer, it is
// the last of that key.
func storedValue(stored string, known []secretValue, want secretValue, nth int) (string, bool) {
	value, found := "", false
	for _, s := range known {
		if s.key != want.key || s.commented && !want.commented && found {
			continue
		}
		value, found = stored[s.start:s.end], true
		if s.commented == want.commented {
			if nth == 0 {
				return value, true
			}
			nth--
		}
	}
	return value, found
}

var reference = regexp.MustCompile(`^\$\{[A-Za-z0-9_.-]+\}$`)

// secretValues finds the secrets of a properties text, by the rules of
// java.util.Properties.load. What is masked counts as one.
func secretValues(content string) []secretValue {
	all := settings(content)
	pairs := make([][2]string, len(all))
	for i, s := range all {
		pairs[i] = [2]string{s.key, s.value}
	}
	names := config.SecretNames(pairs)
	return slices.DeleteFunc(all, func(s secretValue) bool {
		return reference.MatchString(strings.TrimSpace(s.value)) ||
			!s.masked() && !names[s.key] && !config.IsSecret(s.key) && !config.HasCredentials(s.value)
	})
}

// settings finds all values that are not blank.
func settings(content string) []secretValue {
	var found []secretValue
	for at := len(content) - len(strings.TrimPrefix(content, "\ufeff")); at < len(content); {
		start := skipBlanks(content, at)
		if start < len(content) && (content[start] == '#' || content[start] == '!') {
			end := lineEnd(content, start)
			start += len(content[start:end]) - len(strings.TrimLeft(content[start:end], "#! \t\f"))
			found = appendSetting(found, content, start, end, true)
			at = end + 1
			continue
		}
		end := logicalEnd(content, start)
		found = appendSetting(found, content, start, end, false)
		at = end + 1
	}
	return found
}

// appendSetting looks at one logical line.
func appendSetting(found []secretValue, content string, start, end int, commented bool) []secretValue {
	value := valueStart(content, start, end)
	if value >= end || strings.TrimSpace(content[value:end]) == "" {
		return found
	}
	s := secretValue{key: keyOf(content[start:value]), value: content[value:end], commented: commented, start: value, end: end}
	if p, err := config.ParseProperties("", []byte("k="+s.value)); err == nil && len(p.Entries()) == 1 {
		s.value = p.Entries()[0].Value
	}
	return append(found, s)
}

// keyOf reads the key of a logical line whose value has been cut off.
func keyOf(raw string) string {
	p, err := config.ParseProperties("", []byte(raw))
	if err != nil || len(p.Entries()) != 1 {
		return raw // damaged: its letters must do
	}
	return p.Entries()[0].Key
}

// valueStart is where the value of a logical line begins: behind the key, blanks,
// one = or :, and blanks again. Continued lines count as if they were one.
func valueStart(content string, at, end int) int {
	for at < end && !strings.ContainsRune("=: \t\f", rune(content[at])) {
		if content[at] == '\\' {
			at++ // what follows is escaped, or continues the key
			if at < end && isLineEnd(content[at]) {
				at = skipBlanks(content, nextLine(content, at))
				continue
			}
		}
		at++
	}
	at = skipGap(content, at, end)
	if at < end && (content[at] == '=' || content[at] == ':') {
		at = skipGap(content, at+1, end)
	}
	return min(at, end)
}

// skipGap skips blanks, and ends of lines that continue.
func skipGap(content string, at, end int) int {
	for at < end {
		switch {
		case isBlank(content[at]):
			at++
		case content[at] == '\\' && at+1 < end && isLineEnd(content[at+1]):
			at = nextLine(content, at+1)
		default:
			return at
		}
	}
	return at
}

// logicalEnd is where a logical line ends: at the first end of line without an
// escaping backslash before it.
func logicalEnd(content string, at int) int {
	for at < len(content) && !isLineEnd(content[at]) {
		if content[at] != '\\' {
			at++
			continue
		}
		at++
		if at < len(content) && isLineEnd(content[at]) {
			at = nextLine(content, at)
		} else if at < len(content) {
			at++
		}
	}
	return at
}

func lineEnd(content string, at int) int {
	if i := strings.IndexAny(content[at:], "\r\n"); i >= 0 {
		return at + i
	}
	return len(content)
}

// nextLine is behind the end of line at at: one of \n, \r and \r\n.
func nextLine(content string, at int) int {
	if strings.HasPrefix(content[at:], "\r\n") {
		return at + 2
	}
	return at + 1
}

func skipBlanks(content string, at int) int {
	for at < len(content) && isBlank(content[at]) {
		at++
	}
	return at
}

func isBlank(c byte) bool   { return c == ' ' || c == '\t' || c == '\f' }
func isLineEnd(c byte) bool { return c == '\n' || c == '\r' }
