package protocol

import (
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/charset"
)

// javaUTF8 turns bytes into text as Java's String does, with U+FFFD for what is
// not UTF-8.
var javaUTF8, _ = charset.ByJavaName("UTF-8")

// javaString is b as a string, repaired as when Canal's Java classes turn the
// bytes of a field into a String.
func javaString(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string(javaUTF8.Append(nil, b))
}
