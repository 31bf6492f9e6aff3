package charset

import "golang.org/x/text/encoding/charmap"

// javaSets are the Java charsets that can be named in a configuration or stand
// in Canal's collation table, under their canonical names.
var javaSets = []set{
	{"UTF-8", "utf8mb4 utf8mb3 unicode-1-1-utf-8", ready(UTF8)},
	{"ISO-8859-1", "819 8859_1 ibm819 iso_8859-1:1987 cp819 csISOLatin1 iso-ir-100 l1 latin1 iso8859-1", ready(Latin1)},
	{"US-ASCII", "ascii 646 ANSI_X3.4-1968 ANSI_X3.4-1986 IBM367 ISO646-US ascii7 cp367 csASCII default iso-ir-6 us", ready(ASCII)},
	{"ISO-8859-2", "8859_2 912 cp912 csISOLatin2 ibm912 iso-ir-101 l2 latin2", single("ISO-8859-2", charmap.ISO8859_2)},
}

// mysqlSets are the character sets of MySQL and MariaDB.
var mysqlSets = []set{
	{"utf8mb4", "utf8mb3 utf8", ready(UTF8)},
	{"binary", "", ready(Latin1)},
	{"ascii", "", ready(ASCII)},
}
