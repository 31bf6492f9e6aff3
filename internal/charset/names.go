package charset

import (
	"fmt"
	"strings"
	"sync"
)

// A set is one character set: its canonical name, other names it goes by in
// Java, and how to make its decoder. The decoder is made at first use and kept.
type set struct {
	name    string
	aliases string // separated by blanks
	load    func() Decoder
}

// ready is the loader of a decoder that needs no preparation.
func ready(d Decoder) func() Decoder { return func() Decoder { return d } }

// key folds the name of a character set for lookup: lower case, and without
// the separators that spellings differ in. Java wants its separators exactly,
// so this accepts more.
func key(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', '_', ' ', ':':
			return -1
		}
		return r
	}, strings.ToLower(strings.TrimSpace(name)))
}

// byKey indexes sets by all their names.
func byKey(sets []set) map[string]func() Decoder {
	m := make(map[string]func() Decoder)
	for _, s := range sets {
		m[key(s.name)] = s.load
		for _, alias := range strings.Fields(s.aliases) {
			m[key(alias)] = s.load
		}
	}
	return m
}

var javaByKey = sync.OnceValue(func() map[string]func() Decoder { return byKey(javaSets) })

// ByJavaName finds a decoder by the name of a Java charset or one of its
// aliases, in any case and with any separators, such as UTF-8, GBK, ISO-8859-1 or
// Cp1252. As in Canal UTF8MB4 is another name of UTF-8. Note that latin1 is here
// the true ISO-8859-1; see ByMySQLName.
func ByJavaName(name string) (Decoder, error) {
	if load, ok := javaByKey()[key(name)]; ok {
		return load(), nil
	}
	return nil, fmt.Errorf("unknown character set %q", name)
}

var mysqlByKey = sync.OnceValue(func() map[string]func() Decoder { return byKey(mysqlSets) })

// ByMySQLName finds the decoder of a MySQL or MariaDB character set, as SHOW
// CHARACTER SET names it, which decodes as the server does: latin1 is cp1252 with
// its five gaps filled, binary is bytes as U+0000 to U+00FF.
func ByMySQLName(name string) (Decoder, bool) {
	if load, ok := mysqlByKey()[strings.ToLower(name)]; ok {
		return load(), true
	}
	return Latin1, false
}
