package differential

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

var seed = flag.Uint64("seed", 0, "seed of the generated workload; 0 takes one from the clock")

// workloadSeed is the seed of everything generated in this run.
var workloadSeed = sync.OnceValue(func() uint64 {
	if *seed != 0 {
		return *seed
	}
	return uint64(time.Now().UnixNano())
})

// ints makes whole numbers of some bits, as often near the ends as between.
func ints(bits int, signed bool) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		v := r.Uint64() >> (64 - bits) >> (r.IntN(bits))
		if signed {
			v >>= 1
			if r.IntN(2) == 0 {
				return fmt.Sprintf("-%d", v)
			}
		}
		return fmt.Sprint(v)
	}
}

// decimals makes numbers with up to so many digits before and behind the point.
func decimals(whole, fraction int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		s := []string{"", "-"}[r.IntN(2)] + "0" + digits(r, r.IntN(whole+1))
		if n := r.IntN(fraction + 1); n > 0 {
			s += "." + digits(r, n)
		}
		return s
	}
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0000123456789999"[r.IntN(16)]
	}
	return string(b)
}

// floats makes floating point numbers of any magnitude.
func floats(bits int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		for {
			v := math.Float64frombits(r.Uint64())
			if bits == 32 {
				v = float64(math.Float32frombits(r.Uint32()))
			}
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				return fmt.Sprintf("%.17e", v)
			}
		}
	}
}

func dates(r *rand.Rand) string {
	return fmt.Sprintf("'%04d-%02d-%02d'", 1000+r.IntN(9000), r.IntN(13), r.IntN(29))
}

func times(r *rand.Rand) string {
	return fmt.Sprintf("'%s%d:%02d:%02d.%06d'", []string{"", "-"}[r.IntN(2)], r.IntN(838), r.IntN(60), r.IntN(60), r.IntN(1e6))
}

func datetimes(r *rand.Rand) string {
	return fmt.Sprintf("'%04d-%02d-%02d %02d:%02d:%02d.%06d'", 1000+r.IntN(9000), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6))
}

func timestamps(r *rand.Rand) string {
	return fmt.Sprintf("FROM_UNIXTIME(%d.%03d)", 1+r.Int32N(math.MaxInt32-1), r.IntN(1000))
}

// letters are what texts are made of: all widths of UTF-8, marks that have to be
// quoted, and controls.
var letters = []rune("abc XYZ019'\"\\\n\t\r\x01\x7f%_éßñж中文語한กא€…🙂𝄞")

func texts(most int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		b := make([]rune, r.IntN(most+1))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return literal(string(b))
	}
}

// literal is a text in SQL, whatever the sql_mode.
func literal(text string) string {
	if text == "" {
		return "''"
	}
	return fmt.Sprintf("CONVERT(0x%x USING utf8mb4)", text)
}

func octets(most int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		b := make([]byte, 1+r.IntN(most))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return fmt.Sprintf("0x%x", b)
	}
}

// document is a JSON text whose letters need no quoting in SQL.
func document(r *rand.Rand, depth int) string {
	n := r.IntN(8)
	if depth == 0 {
		n = r.IntN(6)
	}
	switch n {
	case 0:
		return []string{"null", "true", "false"}[r.IntN(3)]
	case 1:
		return fmt.Sprint(int64(r.Uint64()) >> r.IntN(64))
	case 2:
		return fmt.Sprint(r.Uint64())
	case 3:
		return floats(64)(r)
	case 4, 5:
		return `"` + []string{"", "text", "é", "中😀", strings.Repeat("long", r.IntN(200))}[r.IntN(5)] + `"`
	}
	parts := make([]string, r.IntN(5))
	for i := range parts {
		parts[i] = document(r, depth-1)
		if n == 6 {
			parts[i] = fmt.Sprintf(`"k%d": %s`, r.IntN(20), parts[i])
		}
	}
	if n == 6 {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// charsetLetters are letters that a character set has.
var charsetLetters = map[string]string{
	"latin1": "aZ é€“ÿ™", "latin2": "aZ žłő", "latin5": "aZ ğış", "cp1250": "aZ žŠ€", "cp1251": "aZ жЯ№", "koi8r": "aZ приВЕТ",
	"greek": "aZ αβΩ", "hebrew": "aZ שלום", "cp850": "aZ éÅ½", "tis620": "aZ ไทย", "gbk": "aZ 中文變", "gb2312": "aZ 中文", "big5": "aZ 中文變",
	"sjis": "aZ カナ日本ｱ", "cp932": "aZ カナ①日本ｱ", "ujis": "aZ 日本語", "euckr": "aZ 한국", "ucs2": "aZ é中", "utf16": "aZ é中😀",
	"utf16le": "aZ é中😀", "utf32": "aZ é中😀", "utf8": "aZ é中", "ascii": "aZ ~", "gb18030": "aZ 中😀é",
}

// charsetNames are the names of those that every server has, in order.
var charsetNames = []string{"ascii", "big5", "cp1250", "cp1251", "cp850", "cp932", "euckr", "gb2312", "gbk", "greek", "hebrew", "koi8r",
	"latin1", "latin2", "latin5", "sjis", "tis620", "ucs2", "ujis", "utf16", "utf16le", "utf32", "utf8"}

// charsetType is a text type in some character set.
func (g *generator) charsetType() randomType {
	set := charsetNames[g.IntN(len(charsetNames))]
	if g.IntN(20) == 0 && g.kind != servers.MySQL56 && !g.kind.IsMariaDB() {
		set = "gb18030"
	}
	length := 1 + g.IntN(60)
	name := []string{fmt.Sprintf("CHAR(%d)", length), fmt.Sprintf("VARCHAR(%d)", length), "TINYTEXT", "TEXT", "LONGTEXT"}[g.IntN(5)]
	if strings.HasPrefix(name, "TINYTEXT") {
		length = min(length, 60)
	}
	from := []rune(charsetLetters[set])
	return randomType{name + " CHARACTER SET " + set, []string{"''"}, func(r *rand.Rand) string {
		b := make([]rune, r.IntN(length+1))
		for i := range b {
			b[i] = from[r.IntN(len(from))]
		}
		return literal(string(b))
	}}
}

// characterSet is the one that a column's type names.
func characterSet(sql string) (set string, found bool) {
	_, set, found = strings.Cut(sql, " CHARACTER SET ")
	return set, found
}

// generatedStatements are a workload that changes no definition once there are
// rows: Canal reads definitions from the live server.
func generatedStatements(schema string, k servers.Kind) []statement {
	g := newGenerator(workloadSeed(), k)
	out := g.setUp(schema)
	for range 12 {
		out = append(out, g.create())
	}
	out = append(out, g.createEvery())
	for i := range 400 {
		if i%40 == 0 {
			out = append(append(out, g.end()...), g.session(i/40)...)
		}
		out = append(out, g.rows()...)
	}
	return append(append(out, g.end()...), g.session(0)...)
}

// createEvery makes a table that has a column of every type and character set.
func (g *generator) createEvery() statement {
	t := &randomTable{name: "every"}
	for _, typ := range randomTypes {
		t.add(typ, len(t.columns))
	}
	for _, set := range charsetNames {
		t.add(randomType{"VARCHAR(20) CHARACTER SET " + set, []string{literal(charsetLetters[set])}, nil}, len(t.columns))
	}
	if g.kind != servers.MySQL56 && !g.kind.IsMariaDB() {
		t.add(jsonType, len(t.columns))
	}
	g.tables = append(g.tables, t)
	return t.create("PRIMARY KEY")
}

// session are settings that change what events look like.
func (g *generator) session(n int) []statement {
	image := []string{"FULL", "MINIMAL", "NOBLOB"}[n%3]
	format := []string{"ROW", "ROW", "ROW", "STATEMENT"}[n%4]
	return sqls("SET SESSION binlog_row_image = '"+image+"'", "SET SESSION binlog_format = '"+format+"'")
}
