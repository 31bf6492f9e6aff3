package config

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// SetProperty gives a key of a properties text a value, where it stands or at the
// end. A key without a value is not added.
func SetProperty(content, key, value string) string {
	for at := 0; at < len(content); {
		start := skipBlanks(content, at)
		if start < len(content) && (content[start] == '#' || content[start] == '!') {
			at = lineEnd(content, start) + 1
			continue
		}
		end := logicalEnd(content, start)
		if keyOf(content[start:valueStart(content, start, end)]) == key {
			return content[:start] + key + "=" + escapeValue(value) + content[end:]
		}
		at = end + 1
	}
	if value == "" {
		return content
	}
	if content != "" && !strings.HasSuffix(content, "\n") {
		content += "\n"
	}
	return content + key + "=" + escapeValue(value) + "\n"
}

// escapeValue writes a value so that java.util.Properties.load reads it again, in
// whichever character set.
func escapeValue(value string) string {
	var out strings.Builder
	for i, c := range value {
		switch {
		case c == '\\':
			out.WriteString(`\\`)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c == ' ' && i == 0:
			out.WriteString(`\ `)
		case c < ' ' || c > '~':
			for _, unit := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&out, `\u%04x`, unit)
			}
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}
