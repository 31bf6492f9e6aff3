package charset

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// lines calls f with the fields of each line of a file in testdata.
func lines(t *testing.T, name string, f func(fields []string)) {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	for s.Scan() {
		f(strings.Fields(s.Text()))
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestUTF8Malformed(t *testing.T) {
	const bad = replacement
	tests := []struct{ in, want string }{
		{"", ""},
		{"plain ascii, more than eight bytes", "plain ascii, more than eight bytes"},
		{"grüße 世界 🚚", "grüße 世界 🚚"},
		{"\xE4\xB8", bad},
		{"\xF0\x9F\x98", bad},
		{"\xE4\xB8A", bad + "A"},
		{"\xED\xA0\x80", bad}, // a surrogate: three in the Unicode standard
		{"\xED\xA0A", bad + "A"},
		{"\xED\xA0", bad},
		{"\xED\xA0\x80\xED\xB0\x80", bad + bad},
		{"\xC0\x80", bad + bad},
		{"\xC1A", bad + "A"},
		{"\xE0\x80\x80", bad + bad + bad},
		{"\xF0\x80\x80\x80", bad + bad + bad + bad},
		{"\xF4\x90\x80\x80", bad + bad + bad + bad},
		{"\xF5\x80", bad + bad},
		{"\xF8\x88\x80\x80\x80", bad + bad + bad + bad + bad},
		{"\xF1\x80\x80A", bad + "A"},
		{"\xF1\x80A", bad + "A"},
		{"\x80abc\xFFdefghijklm\xC3", bad + "abc" + bad + "defghijklm" + bad},
		{"世\xE4\xB8界", "世" + bad + "界"},
	}
	for _, tt := range tests {
		if got := string(UTF8.Append([]byte("x"), []byte(tt.in))); got != "x"+tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, "x"+tt.want)
		}
		if got, want := ValidUTF8([]byte(tt.in)), utf8.ValidString(tt.in); got != want {
			t.Errorf("ValidUTF8(%q) = %v", tt.in, got)
		}
	}
}

func TestLatin1(t *testing.T) {
	var in []byte
	var want []rune
	for i := range 256 {
		in = append(in, byte(i))
		want = append(want, rune(i))
	}
	for start := range in {
		got := AppendLatin1([]byte("x"), in[start:])
		if string(got) != "x"+string(want[start:]) {
			t.Errorf("from %d: got %q", start, got)
		}
		if n := Latin1Len(in[start:]); n != len(got)-1 {
			t.Errorf("Latin1Len from %d = %d, want %d", start, n, len(got)-1)
		}
	}
}

func TestByJavaName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"UTF-8", "UTF-8"},
		{"utf8", "UTF-8"},
		{"UTF8MB4", "UTF-8"},
		{" utf_8 ", "UTF-8"},
		{"gbk", "GBK"},
		{"cp936", "GBK"},
		{"Cp1252", "windows-1252"},
		{"ISO8859_1", "ISO-8859-1"},
		{"latin1", "ISO-8859-1"},
		{"iso_8859-1:1987", "ISO-8859-1"},
		{"ASCII", "US-ASCII"},
		{"EUC_CN", "GB2312"},
		{"SJIS", "Shift_JIS"},
		{"MS932", "windows-31j"},
		{"UnicodeBig", "UTF-16"},
		{"MacCentralEurope", "x-MacCentralEurope"},
	}
	for _, tt := range tests {
		d, err := ByJavaName(tt.name)
		if err != nil || d.Name() != tt.want {
			t.Errorf("ByJavaName(%q) = %v, %v, want %s", tt.name, d, err, tt.want)
		}
	}
	for _, name := range []string{"", "klingon", "UTF-7"} {
		if d, err := ByJavaName(name); err == nil {
			t.Errorf("ByJavaName(%q) = %s, want an error", name, d.Name())
		}
	}
}

// TestNamesUnambiguous makes sure that no alias hides another set.
func TestNamesUnambiguous(t *testing.T) {
	for _, sets := range [][]set{javaSets, mysqlSets} {
		owner := make(map[string]string)
		for _, s := range sets {
			for _, name := range append(strings.Fields(s.aliases), s.name) {
				k := key(name)
				if other, ok := owner[k]; ok {
					t.Errorf("%q belongs to %s and %s", name, other, s.name)
				}
				owner[k] = s.name
			}
		}
	}
}

// TestByCollation compares with Canal's table, of which collations.txt has the
// ids by canonical Java name.
func TestByCollation(t *testing.T) {
	want := make(map[uint16]string)
	lines(t, "collations.txt", func(fields []string) {
		for _, id := range fields[1:] {
			n, err := strconv.ParseUint(id, 10, 16)
			if err != nil {
				t.Fatal(err)
			}
			want[uint16(n)] = fields[0]
		}
	})
	for i := range 1 << 16 {
		id := uint16(i)
		d, ok := ByCollation(id)
		name := want[id]
		if ok != (name != "") {
			t.Errorf("ByCollation(%d) known = %v", id, ok)
			continue
		}
		if !ok {
			name = "ISO-8859-1"
		}
		if d.Name() != name {
			t.Errorf("ByCollation(%d) = %s, want %s", id, d.Name(), name)
		}
	}
}

// TestOfCollation has every collation of the servers, and those whose character
// set has to have a decoder.
func TestOfCollation(t *testing.T) {
	n := 0
	lines(t, "mysqlcollations.txt", func(fields []string) {
		if _, ok := ByMySQLName(fields[0]); !ok {
			t.Errorf("%s has no decoder", fields[0])
		}
		for _, text := range fields[1:] {
			id, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			if name, ok := OfCollation(uint32(id)); !ok || name != fields[0] {
				t.Errorf("OfCollation(%d) = %q, %v, want %s", id, name, ok, fields[0])
			}
			n++
		}
	})
	if n < 1000 {
		t.Errorf("only %d collations", n)
	}
	for _, id := range []uint32{0, 17, 500, 2048 + 5*256, 1 << 16, 1<<16 + 33} {
		if name, ok := OfCollation(id); ok {
			t.Errorf("OfCollation(%d) = %s", id, name)
		}
	}
}

// TestMySQLSingleByte compares with what MySQL 8.0 converts each byte to:
// mysql80.txt has, by set, 256 code points or -. Where MySQL has none, ours may
// know more.
func TestMySQLSingleByte(t *testing.T) {
	lines(t, "mysql80.txt", func(fields []string) {
		d, ok := ByMySQLName(fields[0])
		if !ok {
			t.Errorf("no set %s", fields[0])
			return
		}
		for i, f := range fields[1:] {
			if f == "-" {
				continue
			}
			n, err := strconv.ParseUint(f, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(d.Append(nil, []byte{byte(i)})); got != string(rune(n)) {
				t.Errorf("%s %02x: got %q, want %q", fields[0], i, got, rune(n))
			}
		}
	})
}

func TestByMySQLName(t *testing.T) {
	tests := []struct{ set, in, want string }{
		{"utf8mb4", "\xF0\x9F\x9A\x9A", "🚚"},
		{"UTF8MB3", "\xC3\xA9", "é"},
		{"latin1", "\x80\x81\x93\xE9", "€\u0081“é"},
		{"binary", "\x00\xFF", "\x00ÿ"},
		{"ascii", "a\xE9", "a" + replacement},
		{"ucs2", "\x4E\x16\x00A", "世A"},
		{"utf16", "\xD8\x3D\xDE\x9A\xFE\xFF", "🚚\uFEFF"},
		{"utf16le", "\x3D\xD8\x9A\xDE", "🚚"},
		{"utf32", "\x00\x01\xF6\x9A", "🚚"},
		{"swe7", "@[\\]^`{|}~", "ÉÄÖÅÜéäöåü"},
		{"gbk", "\xCA\xC0\xBD\xE7\x81\x40", "世界丂"},
		{"gb2312", "\xCA\xC0\xBD\xE7", "世界"},
		{"gb18030", "\xCA\xC0\x94\x39\xCA\x34\xA8\xBC", "世🐊\u1E3F"},
		{"big5", "\xA5\x40\xAC\xC9", "世界"},
		{"euckr", "\xBC\xBC\xB0\xE8\x81\x41", "세계갂"},
		{"sjis", "\x90\xA2\x8A\x45\xB1\x81\x5F", "世界ｱ\\"},
		{"cp932", "\x90\xA2\x87\x40\x81\x60", "世①～"},
		{"ujis", "\xC0\xA4\x8E\xB1\x8F\xB0\xA1\xA1\xC1", "世ｱ丂〜"},
		{"eucjpms", "\xC0\xA4\xAD\xA1\xA1\xC1", "世①～"},
	}
	for _, tt := range tests {
		d, ok := ByMySQLName(tt.set)
		if !ok {
			t.Errorf("no set %s", tt.set)
			continue
		}
		if got := string(d.Append(nil, []byte(tt.in))); got != tt.want {
			t.Errorf("%s % x: got %q, want %q", tt.set, tt.in, got, tt.want)
		}
	}
	if d, ok := ByMySQLName("elvish"); ok || d != Latin1 {
		t.Errorf("ByMySQLName(elvish) = %s, %v", d.Name(), ok)
	}
}

// TestSurrogatesInUTF32 has the one place where Java makes a string that is not
// Unicode text.
func TestSurrogatesInUTF32(t *testing.T) {
	d, err := ByJavaName("UTF-32")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(d.Append(nil, []byte("\x00\x00\xD8\x00\x00\x00\x00A"))); got != "?A" {
		t.Errorf("got %q", got)
	}
}

// FuzzDecoders makes sure that every decoder puts out valid UTF-8, keeps what
// was there, and does not depend on it.
func FuzzDecoders(f *testing.F) {
	f.Add([]byte("plain"))
	f.Add([]byte("\xE4\xB8\x96\xF0\x9F\x98\xED\xA0\x80\xC0"))
	f.Add([]byte("\x81\x30\x81\x30\x90\x30\x81\x30\xFE\x39\xFE"))
	f.Add([]byte("\x8F\xB0\xA1\x8E\xB1\xFF\xA1"))
	f.Add([]byte("\xFE\xFF\xD8\x00\xDC"))
	var decoders []Decoder
	for _, sets := range [][]set{javaSets, mysqlSets} {
		for _, s := range sets {
			decoders = append(decoders, s.load())
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, d := range decoders {
			got := d.Append([]byte("kept"), in)
			if string(got[:4]) != "kept" {
				t.Errorf("%s: overwrote dst", d.Name())
			}
			if !utf8.Valid(got) {
				t.Errorf("%s % x: got invalid UTF-8 %q", d.Name(), in, got)
			}
			if fresh := d.Append(nil, in); string(fresh) != string(got[4:]) {
				t.Errorf("%s % x: got %q, then %q", d.Name(), in, got[4:], fresh)
			}
		}
		if got, want := ValidUTF8(in), utf8.Valid(in); got != want {
			t.Errorf("ValidUTF8(% x) = %v", in, got)
		}
		if got, want := Latin1Len(in), len(AppendLatin1(nil, in)); got != want {
			t.Errorf("Latin1Len(% x) = %d, want %d", in, got, want)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	texts := []struct{ name, set, text string }{
		{"utf8/short", "UTF-8", "shipped"},
		{"utf8/ascii", "UTF-8", strings.Repeat("The quick brown fox. ", 12)},
		{"utf8/mixed", "UTF-8", strings.Repeat("Ünïcödé text ", 16)},
		{"utf8/chinese", "UTF-8", strings.Repeat("数据库变更", 16)},
		{"utf8/malformed", "UTF-8", strings.Repeat("caf\xE9 ", 40)},
		{"latin1/ascii", "ISO-8859-1", strings.Repeat("The quick brown fox. ", 12)},
		{"latin1/binary", "ISO-8859-1", strings.Repeat("\x00\x9F\xC3\x7F\xFF\x80", 40)},
		{"cp1252", "windows-1252", strings.Repeat("caf\xE9 ", 40)},
		{"gbk", "GBK", strings.Repeat("\xCA\xC0\xBD\xE7", 60)},
		{"gb18030", "GB18030", strings.Repeat("\xCA\xC0\x94\x39\xCA\x34", 40)},
	}
	for _, tt := range texts {
		b.Run(tt.name, func(b *testing.B) {
			d, err := ByJavaName(tt.set)
			if err != nil {
				b.Fatal(err)
			}
			src := []byte(tt.text)
			dst := d.Append(nil, src)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				dst = d.Append(dst[:0], src)
			}
		})
	}
}
