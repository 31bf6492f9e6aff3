package config

import (
	"regexp"
	"slices"
	"strings"
)

// Secret is where a secret stands in the text of a properties file.
type Secret struct {
	Key        string
	Value      string // without escapes
	Commented  bool   // in a comment, where old passwords like to stay
	Start, End int    // of the value in the text, in bytes; it may span continued lines
}

// MaskSecrets puts mask in the place of every secret in the text of a properties
// file, and leaves everything else as it is. Secrets says what is one.
func MaskSecrets(text, mask string) string {
	var out strings.Builder
	last := 0
	for _, s := range Secrets(text, mask) {
		out.WriteString(text[last:s.Start])
		out.WriteString(mask)
		last = s.End
	}
	out.WriteString(text[last:])
	return out.String()
}

// Secrets finds the secrets in the text of a properties file, those in comments
// included, by the rules of java.util.Properties.load: the values of secret keys,
// what those refer to, and what has a password in it. What is masked counts as one;
// a value that only refers to another key does not.
func Secrets(text, mask string) []Secret {
	all := settings(text)
	pairs := make([][2]string, len(all))
	for i, s := range all {
		pairs[i] = [2]string{s.Key, s.Value}
	}
	names := SecretNames(pairs)
	return slices.DeleteFunc(all, func(s Secret) bool {
		value := strings.TrimSpace(s.Value)
		return reference.MatchString(value) || value != mask && !names[s.Key] && !IsSecret(s.Key) && !HasCredentials(s.Value)
	})
}

// reference is a value that only names another key.
var reference = regexp.MustCompile(`^\$\{[A-Za-z0-9_.-]+\}$`)

// settings finds all values that are not blank.
func settings(content string) []Secret {
	var found []Secret
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
func appendSetting(found []Secret, content string, start, end int, commented bool) []Secret {
	value := valueStart(content, start, end)
	if value >= end || strings.TrimSpace(content[value:end]) == "" {
		return found
	}
	s := Secret{Key: keyOf(content[start:value]), Value: content[value:end], Commented: commented, Start: value, End: end}
	if p, err := ParseProperties("", []byte("k="+s.Value)); err == nil && len(p.Entries()) == 1 {
		s.Value = p.Entries()[0].Value
	}
	return append(found, s)
}

// keyOf reads the key of a logical line whose value has been cut off.
func keyOf(raw string) string {
	p, err := ParseProperties("", []byte(raw))
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
		case isBlank(rune(content[at])):
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
	for at < len(content) && isBlank(rune(content[at])) {
		at++
	}
	return at
}

func isLineEnd(c byte) bool { return c == '\n' || c == '\r' }
