package charset

import "sync"

// maxCollation is one more than the highest id in Canal's collation table.
const maxCollation = 2048

// collations gives the Java charset that Canal's CharsetConversion has for
// ranges of MySQL collation ids. Some entries are not what MySQL means (latin5 is
// Turkish, not ISO-8859-5; latin7 Baltic, not Greek; latin1 and binary differ
// above 0x7F); they are kept because text decoded by them is in Canal's output.
var collations = []struct {
	first, last uint16
	java        string
}{
	{1, 1, "Big5"},
	{2, 2, "ISO-8859-2"},
	{3, 3, "ISO-8859-1"},
	{4, 4, "IBM850"},
	{5, 6, "ISO-8859-1"},
	{7, 7, "KOI8-R"},
	{8, 8, "ISO-8859-1"},
	{9, 9, "ISO-8859-2"},
	{10, 10, "ISO-8859-1"},
	{11, 11, "US-ASCII"},
	{12, 12, "EUC-JP"},
	{13, 13, "Shift_JIS"},
	{14, 14, "windows-1251"},
	{15, 15, "ISO-8859-1"},
	{16, 16, "ISO-8859-8"},
	{17, 17, "ISO-8859-1"},
	{18, 18, "TIS-620"},
	{19, 19, "EUC-KR"},
	{20, 20, "ISO-8859-7"},
	{21, 21, "ISO-8859-2"},
	{22, 22, "KOI8-U"},
	{23, 23, "windows-1251"},
	{24, 24, "GB2312"},
	{25, 25, "ISO-8859-7"},
	{26, 26, "windows-1250"},
	{27, 27, "ISO-8859-2"},
	{28, 28, "GBK"},
	{29, 29, "windows-1257"},
	{30, 30, "ISO-8859-5"},
	{31, 32, "ISO-8859-1"},
	{33, 33, "UTF-8"},
	{34, 34, "windows-1250"},
	{35, 35, "UTF-16"},
	{36, 36, "IBM866"},
	{37, 37, "IBM852"},
	{38, 38, "x-MacCentralEurope"},
	{39, 39, "x-MacRoman"},
	{40, 40, "IBM852"},
	{41, 42, "ISO-8859-7"},
	{43, 43, "x-MacCentralEurope"},
	{44, 44, "windows-1250"},
	{45, 46, "UTF-8"},
	{47, 49, "ISO-8859-1"},
	{50, 52, "windows-1251"},
	{53, 53, "x-MacRoman"},
	{54, 55, "UTF-16"},
	{57, 57, "windows-1256"},
	{58, 59, "windows-1257"},
	{60, 61, "UTF-32"},
	{63, 63, "US-ASCII"},
	{64, 64, "ISO-8859-2"},
	{65, 65, "US-ASCII"},
	{66, 66, "windows-1250"},
	{67, 67, "windows-1256"},
	{68, 68, "IBM866"},
	{69, 69, "US-ASCII"},
	{70, 70, "ISO-8859-7"},
	{71, 71, "ISO-8859-8"},
	{72, 72, "US-ASCII"},
	{73, 73, "IBM852"},
	{74, 74, "KOI8-R"},
	{75, 75, "KOI8-U"},
	{77, 77, "ISO-8859-2"},
	{78, 78, "ISO-8859-5"},
	{79, 79, "ISO-8859-7"},
	{80, 80, "IBM850"},
	{81, 81, "IBM852"},
	{82, 82, "ISO-8859-1"},
	{83, 83, "UTF-8"},
	{84, 84, "Big5"},
	{85, 85, "EUC-KR"},
	{86, 86, "GB2312"},
	{87, 87, "GBK"},
	{88, 88, "Shift_JIS"},
	{89, 89, "TIS-620"},
	{90, 90, "UTF-16"},
	{91, 91, "EUC-JP"},
	{92, 93, "US-ASCII"},
	{94, 94, "ISO-8859-1"},
	{95, 96, "Shift_JIS"},
	{97, 98, "EUC-JP"},
	{99, 99, "windows-1250"},
	{101, 120, "UTF-16"},
	{128, 147, "UTF-16"},
	{160, 179, "UTF-32"},
	{192, 211, "UTF-8"},
	{224, 247, "UTF-8"},
	{248, 250, "GB18030"},
	{254, 271, "UTF-8"},
	{273, 275, "UTF-8"},
	{277, 294, "UTF-8"},
	{296, 298, "UTF-8"},
	{300, 300, "UTF-8"},
	{303, 307, "UTF-8"},
	{326, 326, "UTF-8"},
	{327, 327, "UTF-16"},
	{328, 328, "UTF-8"},
	{336, 337, "UTF-8"},
	{352, 357, "UTF-8"},
	{358, 360, "UTF-16"},
	{368, 368, "UTF-8"},
	{391, 391, "UTF-32"},
	{2047, 2047, "UTF-8"},
}

// byCollation holds the loader for each collation id, nil where Canal has none.
var byCollation = sync.OnceValue(func() *[maxCollation]func() Decoder {
	var table [maxCollation]func() Decoder
	for _, c := range collations {
		for id := c.first; id <= c.last; id++ {
			table[id] = javaByKey()[key(c.java)]
		}
	}
	return &table
})

// Statement decodes a statement of the binlog from the character set of the client
// that ran it, given as its collation, or else from ISO-8859-1, as Canal does.
func Statement(sql []byte, collation uint16, known bool) string {
	if !known {
		return string(AppendLatin1(nil, sql))
	}
	d, _ := ByCollation(collation)
	return string(d.Append(nil, sql))
}

// ByCollation finds the decoder that Canal uses for a MySQL collation id, which
// says how the text of a query or a user variable is encoded. For an id that
// Canal does not know it returns ISO-8859-1 and false; Canal does the same below
// 2048 and stops at the ids of MariaDB above.
func ByCollation(id uint16) (Decoder, bool) {
	if id < maxCollation {
		if load := byCollation()[id]; load != nil {
			return load(), true
		}
	}
	return Latin1, false
}
