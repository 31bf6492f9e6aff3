package charset

import (
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// javaSets are the Java charsets that can be named in a configuration or stand
// in Canal's collation table, under their canonical names. Aliases that fold to
// the same key are not repeated.
var javaSets = []set{
	{"UTF-8", "utf8mb4 utf8mb3 unicode-1-1-utf-8", ready(UTF8)},
	{"US-ASCII", "ascii 646 ANSI_X3.4-1968 ANSI_X3.4-1986 ISO_646.irv:1991 ISO_646.irv:1983 " +
		"IBM367 ISO646-US ascii7 cp367 csASCII default iso-ir-6 us", ready(ASCII)},
	{"UTF-16", "unicode UnicodeBig", ready(utf16Decoder{name: "UTF-16", mark: anyMark})},
	{"UTF-16BE", "ISO-10646-UCS-2 UnicodeBigUnmarked X-UTF-16BE", ready(utf16Decoder{name: "UTF-16BE"})},
	{"UTF-16LE", "UnicodeLittleUnmarked X-UTF-16LE", ready(utf16Decoder{name: "UTF-16LE", little: true})},
	{"x-UTF-16LE-BOM", "UnicodeLittle", ready(utf16Decoder{name: "x-UTF-16LE-BOM", little: true, mark: anyMark})},
	{"UTF-32", "", ready(utf32Decoder{name: "UTF-32", mark: anyMark})},
	{"UTF-32BE", "X-UTF-32BE", ready(utf32Decoder{name: "UTF-32BE", mark: ownMark})},
	{"UTF-32LE", "X-UTF-32LE", ready(utf32Decoder{name: "UTF-32LE", little: true, mark: ownMark})},

	{"ISO-8859-1", "819 8859_1 ibm819 iso_8859-1:1987 cp819 csISOLatin1 iso-ir-100 l1 latin1", ready(Latin1)},
	{"ISO-8859-2", "8859_2 912 cp912 iso_8859-2:1987 csISOLatin2 ibm912 iso-ir-101 l2 latin2",
		single("ISO-8859-2", charmap.ISO8859_2, c1)},
	{"ISO-8859-3", "8859_3 913 cp913 iso_8859-3:1988 csISOLatin3 ibm913 iso-ir-109 l3 latin3",
		single("ISO-8859-3", charmap.ISO8859_3, c1)},
	{"ISO-8859-4", "8859_4 914 cp914 iso_8859-4:1988 csISOLatin4 ibm914 iso-ir-110 l4 latin4",
		single("ISO-8859-4", charmap.ISO8859_4, c1)},
	{"ISO-8859-5", "8859_5 915 cp915 iso_8859-5:1988 csISOLatinCyrillic cyrillic ibm915 iso-ir-144",
		single("ISO-8859-5", charmap.ISO8859_5, c1)},
	{"ISO-8859-6", "8859_6 1089 cp1089 iso_8859-6:1987 ASMO-708 ECMA-114 arabic csISOLatinArabic ibm1089 iso-ir-127",
		single("ISO-8859-6", charmap.ISO8859_6, c1)},
	{"ISO-8859-7", "8859_7 813 cp813 iso_8859-7:1987 ECMA-118 ELOT_928 csISOLatinGreek greek greek8 ibm813 iso-ir-126 sun_eu_greek",
		single("ISO-8859-7", charmap.ISO8859_7, c1)},
	{"ISO-8859-8", "8859_8 916 cp916 iso_8859-8:1988 csISOLatinHebrew hebrew ibm916 iso-ir-138",
		single("ISO-8859-8", charmap.ISO8859_8, c1)},
	{"ISO-8859-9", "8859_9 920 cp920 iso_8859-9:1989 csISOLatin5 ibm920 iso-ir-148 l5 latin5",
		single("ISO-8859-9", charmap.ISO8859_9, c1)},
	{"ISO-8859-13", "8859_13", single("ISO-8859-13", charmap.ISO8859_13, c1)},
	{"ISO-8859-15", "8859_15 923 cp923 ibm923 ISO8859_15_FDIS L9 LATIN0 LATIN9 csISO885915 csISOlatin0 csISOlatin9",
		single("ISO-8859-15", charmap.ISO8859_15, c1)},
	{"ISO-8859-16", "8859_16 iso_8859-16:2001 csISO885916 iso-ir-226 l10 latin10",
		single("ISO-8859-16", charmap.ISO8859_16, c1)},

	{"IBM437", "437 cp437 cspc8codepage437 windows-437", single("IBM437", charmap.CodePage437)},
	{"IBM850", "850 cp850 cspc850multilingual", single("IBM850", charmap.CodePage850)},
	{"IBM852", "852 cp852 csPCp852", single("IBM852", charmap.CodePage852)},
	{"IBM855", "855 cp855 cspcp855", single("IBM855", charmap.CodePage855)},
	{"IBM00858", "858 cp858 cp00858 ccsid00858 ibm858 PC-Multilingual-850+euro", single("IBM00858", charmap.CodePage858)},
	{"IBM862", "862 cp862 csIBM862 cspc862latinhebrew", single("IBM862", charmap.CodePage862)},
	{"IBM866", "866 cp866 csIBM866", single("IBM866", charmap.CodePage866)},
	{"KOI8-R", "cskoi8r koi8", single("KOI8-R", charmap.KOI8R)},
	{"KOI8-U", "", single("KOI8-U", charmap.KOI8U, patch{0xAE, "╝"}, patch{0xBE, "╬"})},
	{"windows-1250", "cp1250 cp5346", single("windows-1250", charmap.Windows1250)},
	{"windows-1251", "cp1251 cp5347 ansi-1251", single("windows-1251", charmap.Windows1251)},
	{"windows-1252", "cp1252 cp5348 ibm-1252", single("windows-1252", charmap.Windows1252)},
	{"windows-1253", "cp1253 cp5349", single("windows-1253", charmap.Windows1253)},
	{"windows-1254", "cp1254 cp5350", single("windows-1254", charmap.Windows1254)},
	{"windows-1255", "cp1255", single("windows-1255", charmap.Windows1255, patch{0xCA, replacement})},
	{"windows-1256", "cp1256", single("windows-1256", charmap.Windows1256)},
	{"windows-1257", "cp1257 cp5353", single("windows-1257", charmap.Windows1257)},
	{"windows-1258", "cp1258", single("windows-1258", charmap.Windows1258)},
	{"TIS-620", "tis620.2533", single("TIS-620", charmap.Windows874, noWindows874...)},
	{"x-windows-874", "windows-874 ms874", single("x-windows-874", charmap.Windows874)},
	{"x-MacRoman", "MacRoman", single("x-MacRoman", charmap.Macintosh)},
	{"x-MacCyrillic", "MacCyrillic",
		single("x-MacCyrillic", charmap.MacintoshCyrillic, patch{0xA2, "¢"}, patch{0xB6, "∂"}, patch{0xFF, "¤"})},
	{"x-MacCentralEurope", "MacCentralEurope", asciiAnd("x-MacCentralEurope", macCentralEuropeUpper)},

	{"Big5", "csBig5", double("Big5", traditionalchinese.Big5, nil, big5JavaRuns)},
	{"GB2312", "gb2312-80 gb2312-1980 euc-cn x-EUC-CN", double("GB2312", simplifiedchinese.GBK, nil, gb2312Runs)},
	{"GBK", "CP936 windows-936", double("GBK", simplifiedchinese.GBK, nil, gbkJavaRuns)},
	{"x-mswin-936", "ms936", double("x-mswin-936", simplifiedchinese.GBK, euro936, windows936Runs)},
	{"GB18030", "gb18030-2000", fourByte("GB18030", gb18030JavaRuns)},
	{"EUC-KR", "5601 csEUCKR ks_c_5601-1987 ksc5601", double("EUC-KR", korean.EUCKR, nil, eucKRRuns)},
	{"x-windows-949", "ms949 windows-949", double("x-windows-949", korean.EUCKR, nil, windows949Runs)},
	{"Shift_JIS", "csShiftJIS ms_kanji sjis x-sjis", double("Shift_JIS", japanese.ShiftJIS, katakana, shiftJISRuns)},
	{"windows-31j", "MS932 csWindows31J windows-932 cp932", double("windows-31j", japanese.ShiftJIS, katakana, windows31JRuns)},
	{"EUC-JP", "Extended_UNIX_Code_Packed_Format_for_Japanese csEUCPkdFmtjapanese eucjis x-euc-jp",
		eucJP("EUC-JP", eucJPJavaRuns, nil)},
}

// noWindows874 takes away what Windows added to TIS-620.
var noWindows874 = []patch{
	{0x80, replacement}, {0x85, replacement},
	{0x91, replacement + replacement + replacement + replacement + replacement + replacement + replacement},
}

// euro936 is the euro sign that Windows put into GBK as a byte of its own.
var euro936 = []onesRun{{0x80, 0x80, 0x20AC}}
