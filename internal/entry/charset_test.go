package entry

import (
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/value"
)

// charsetTexts are a text in character sets, with a collation of each.
var charsetTexts = []struct {
	set       string
	collation uint16
	text      string
	bytes     string
}{
	{"latin1", 8, "é€", "\xe9\x80"},
	{"latin2", 2, "žő", "\xbe\xf5"},
	{"latin5", 30, "ğı", "\xf0\xfd"},
	{"cp1250", 26, "ž€", "\x9e\x80"},
	{"cp1251", 51, "привет", "\xef\xf0\xe8\xe2\xe5\xf2"},
	{"koi8r", 7, "привет", "\xd0\xd2\xc9\xd7\xc5\xd4"},
	{"greek", 25, "αβ", "\xe1\xe2"},
	{"hebrew", 16, "שלום", "\xf9\xec\xe5\xed"},
	{"tis620", 18, "ไทย", "\xe4\xb7\xc2"},
	{"gbk", 28, "中文變", "\xd6\xd0\xce\xc4\xd7\x83"},
	{"gb2312", 24, "中文", "\xd6\xd0\xce\xc4"},
	{"gb18030", 248, "中😀", "\xd6\xd0\x94\x39\xfc\x36"},
	{"big5", 1, "中文", "\xa4\xa4\xa4\xe5"},
	{"sjis", 13, "カナ", "\x83\x4a\x83\x69"},
	{"cp932", 95, "①カ", "\x87\x40\x83\x4a"},
	{"ujis", 12, "日本", "\xc6\xfc\xcb\xdc"},
	{"euckr", 19, "한국", "\xc7\xd1\xb1\xb9"},
	{"ucs2", 35, "é中", "\x00\xe9\x4e\x2d"},
	{"utf16", 54, "é😀", "\x00\xe9\xd8\x3d\xde\x00"},
	{"utf16le", 56, "é😀", "\xe9\x00\x3d\xd8\x00\xde"},
	{"utf32", 60, "é😀", "\x00\x00\x00\xe9\x00\x01\xf6\x00"},
	{"utf8mb3", 33, "é中", "\xc3\xa9\xe4\xb8\xad"},
	{"utf8mb4", 255, "é😀", "\xc3\xa9\xf0\x9f\x98\x80"},
	{"utf8mb4", 2304, "é😀", "\xc3\xa9\xf0\x9f\x98\x80"},
}

// TestColumnCharset: a text is decoded by the character set that its rows tell of,
// else by that of the definition, else by the connection's.
func TestColumnCharset(t *testing.T) {
	const otherSet, otherCollation = "cp866", 36
	for _, c := range charsetTexts {
		for name, known := range map[string]struct {
			set       string
			collation uint16
		}{
			"metadata only":               {"", c.collation},
			"definition only":             {c.set, 0},
			"both":                        {c.set, c.collation},
			"an old definition":           {otherSet, c.collation},
			"metadata of an unknown kind": {c.set, 1000},
			"binary metadata":             {c.set, 63},
		} {
			t.Run(c.set+"/"+name, func(t *testing.T) {
				got := readTexts(t, known.set, known.collation, charset.Latin1, c.bytes)
				if got != [3]string{c.text, c.text, c.text} {
					t.Errorf("CHAR, VARCHAR and TEXT are %q, want %q", got, c.text)
				}
			})
		}
		if d, ok := charset.ByMySQLName(c.set); ok {
			if got := readTexts(t, "", 0, d, c.bytes); got[0] != c.text {
				t.Errorf("%s as the connection's: %q, want %q", c.set, got[0], c.text)
			}
		}
	}
	if got := readTexts(t, "latin1", otherCollation, charset.UTF8, "\x80"); got[0] != "А" {
		t.Errorf("the definition counts more than the metadata: %q", got)
	}
}

// readTexts reads bytes as the value of a CHAR, a VARCHAR and a TEXT column.
func readTexts(t *testing.T, set string, collation uint16, connection charset.Decoder, bytes string) (out [3]string) {
	t.Helper()
	m := &binlog.TableMap{ID: 1, Schema: []byte("d"), Name: []byte("t"),
		Types: []byte{binlog.TypeString, binlog.TypeVarchar, binlog.TypeBlob}, Meta: []uint16{0xfe00 | 200, 200, 1}}
	if collation > 0 {
		m.Optional = binlog.OptionalMetadata{2, 3, 0xfc, byte(collation), byte(collation >> 8)} // DEFAULT_CHARSET
	}
	table := &schema.Table{Schema: "d", Name: "t"}
	for _, typ := range []string{"char(50)", "varchar(50)", "tinytext"} {
		table.Columns = append(table.Columns, schema.Column{Name: typ, Type: typ, Charset: set})
	}
	p, err := NewPlan(table, m, Options{Charset: connection, Zone: value.NewZone(time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	data := []byte{0}
	for range 3 {
		data = append(append(data, byte(len(bytes))), bytes...)
	}
	i := 0
	for c := range rowsOf(t, p, inserted(data, 3))[0].After() {
		out[i] = c.Value()
		i++
	}
	return out
}

// TestJSONIsUTF8: JSON is in utf8mb4, whatever the connection's character set.
func TestJSONIsUTF8(t *testing.T) {
	gbk, err := charset.ByJavaName("GBK")
	if err != nil {
		t.Fatal(err)
	}
	p, err := planOf(t, Options{Charset: gbk}, []colDef{{binlog.TypeJSON, 4, schema.Column{Name: "j", Type: "json"}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	row := rowsOf(t, p, inserted(append([]byte{0}, longBlob([]byte("\x0c\x05é中"))...), 1))[0]
	if c, _ := row.AfterColumn("j"); c.Value() != `"é中"` {
		t.Errorf("the value is %s", c.Value())
	}
}
