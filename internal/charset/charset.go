// Package charset turns text bytes of MySQL into UTF-8, the way a Java program
// (Canal) does it.
//
// Its central type is Decoder. A decoder never fails: a malformed or unmapped
// sequence becomes U+FFFD, and where one such replacement ends and the next
// character begins follows the rules of Java's own decoders, because the text
// must come out byte for byte as Canal gives it. Output is always valid UTF-8.
//
// There are three ways to a decoder: by Java name (connectionCharset in an
// instance's properties), by collation number as Canal's table has it (query
// text and user variables; some of its entries are wrong and kept so), and by
// MySQL character set name, decoded as MySQL itself means it.
//
// The package does not encode, and knows nothing about which bytes are text.
package charset

// A Decoder turns bytes of one character set into UTF-8. Decoders are immutable
// and may be used by any number of goroutines.
type Decoder interface {
	// Append appends src as UTF-8 to dst and returns the extended slice.
	// dst and src must not overlap.
	Append(dst, src []byte) []byte
	// Name is the canonical Java name, or the MySQL name where Java has none.
	Name() string
}

// Decoders that need no tables.
var (
	UTF8   Decoder = utf8Decoder{}
	Latin1 Decoder = latin1Decoder{}
	ASCII  Decoder = asciiDecoder{}
)

// replacement is U+FFFD in UTF-8.
const replacement = "\uFFFD"
