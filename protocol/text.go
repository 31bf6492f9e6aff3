package protocol

import (
	"hash/maphash"
	"sync/atomic"
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

// names are the texts that come with every row: names of columns and tables, and
// types. Making a string of each again took a third of the time in which a row is
// read by name.
var names nameCache

// nameCache holds strings made of the same bytes before. A text has a few slots that
// it can be in, so that two that share them do not drive each other out. It may be
// used by any number of goroutines.
type nameCache struct {
	slots [nameBuckets][nameWays]atomic.Pointer[string]
}

// The bounds of a nameCache: strings, and bytes of each.
const (
	nameBuckets = 1 << 9
	nameWays    = 4
	maxName     = 64
)

var nameSeed = maphash.MakeSeed()

// text is javaString. It allocates nothing for what a slot holds.
func (n *nameCache) text(b []byte) string {
	if len(b) == 0 || len(b) > maxName {
		return javaString(b)
	}
	hash := maphash.Bytes(nameSeed, b)
	ways := &n.slots[hash%nameBuckets]
	free := hash / nameBuckets % nameWays
	for i := range ways {
		s := ways[i].Load()
		if s == nil {
			free = uint64(i)
			break
		}
		if *s == string(b) {
			return *s
		}
	}
	s := javaString(b)
	if s == string(b) { // else it would not be found again
		ways[free].Store(&s)
	}
	return s
}
