package charset

import (
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// mysqlSets are the character sets of MySQL and MariaDB, decoded as MySQL 8.0
// converts them. Where MySQL gives nothing for a byte and Java something, Java's
// is kept.
var mysqlSets = []set{
	{"utf8mb4", "utf8mb3 utf8", ready(UTF8)},
	{"ascii", "", ready(ASCII)},
	{"binary", "", ready(Latin1)},
	{"ucs2", "", ready(utf16Decoder{name: "ucs2"})},
	{"utf16", "", ready(utf16Decoder{name: "utf16"})},
	{"utf16le", "", ready(utf16Decoder{name: "utf16le", little: true})},
	{"utf32", "", ready(utf32Decoder{name: "utf32"})},

	{"latin1", "", single("latin1", charmap.Windows1252,
		patch{0x81, "\u0081"}, patch{0x8D, "\u008D"}, patch{0x8F, "\u008F\u0090"}, patch{0x9D, "\u009D"})},
	{"latin2", "", single("latin2", charmap.ISO8859_2, c1)},
	{"latin5", "", single("latin5", charmap.ISO8859_9, c1)},
	{"latin7", "", single("latin7", charmap.ISO8859_13, c1)},
	{"cp850", "", single("cp850", charmap.CodePage850)},
	{"cp852", "", single("cp852", charmap.CodePage852)},
	{"cp866", "", single("cp866", charmap.CodePage866, patch{0xFC, "ⁿ²"})},
	{"cp1250", "", single("cp1250", charmap.Windows1250)},
	{"cp1251", "", single("cp1251", charmap.Windows1251)},
	{"cp1256", "", single("cp1256", charmap.Windows1256)},
	{"cp1257", "", single("cp1257", charmap.Windows1257)},
	{"koi8r", "", single("koi8r", charmap.KOI8R)},
	{"koi8u", "", single("koi8u", charmap.KOI8U, patch{0x95, "•"}, patch{0xAE, "╝"}, patch{0xBE, "╬"})},
	{"greek", "", single("greek", charmap.ISO8859_7, c1, patch{0xA1, "ʽʼ"})},
	{"hebrew", "", single("hebrew", charmap.ISO8859_8, c1, patch{0xAF, "‾"})},
	{"tis620", "", single("tis620", charmap.Windows874, c1, patch{0xA0, replacement})},
	{"macroman", "", single("macroman", charmap.Macintosh)},
	{"macce", "", asciiAnd("macce", macCentralEuropeUpper)},
	{"armscii8", "", asciiAnd("armscii8", armscii8Upper)},
	{"dec8", "", asciiAnd("dec8", dec8Upper)},
	{"geostd8", "", asciiAnd("geostd8", geostd8Upper)},
	{"hp8", "", asciiAnd("hp8", hp8Upper)},
	{"keybcs2", "", asciiAnd("keybcs2", keybcs2Upper)},
	{"swe7", "", asciiAnd("swe7", noUpper,
		patch{'@', "É"}, patch{'[', "ÄÖÅÜ"}, patch{'`', "é"}, patch{'{', "äöåü"})},

	{"big5", "", double("big5", traditionalchinese.Big5, nil, big5MySQLRuns)},
	{"gb2312", "", double("gb2312", simplifiedchinese.GBK, nil, gb2312Runs)},
	{"gbk", "", double("gbk", simplifiedchinese.GBK, nil, gbkMySQLRuns)},
	{"gb18030", "", fourByte("gb18030", gb18030JavaRuns, []run{{0xA8BC, 1, 0x1E3F}})},
	{"euckr", "", double("euckr", korean.EUCKR, nil)},
	{"sjis", "", double("sjis", japanese.ShiftJIS, katakana, shiftJISRuns, []run{{0x815C, 1, 0x2015}, {0x815F, 1, '\\'}})},
	{"cp932", "", double("cp932", japanese.ShiftJIS, katakana, windows31JRuns)},
	{"ujis", "", eucJP("ujis", eucJPMySQLRuns, eucJPMySQL3Runs)},
	{"eucjpms", "", eucJP("eucjpms", eucJPMSRuns, eucJPMS3Runs)},
}

// noUpper is an upper half with nothing in it.
var noUpper = func() string {
	var s string
	for range 128 {
		s += replacement
	}
	return s
}()
