package differential

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// difference is one that docs/differences.md explains to users.
type difference struct {
	name string // the beginning of its line there
	// mend gives Canal's entry our form where this difference is the reason.
	mend func(k servers.Kind, ours, canal object)
}

// missing is an entry that only one side has.
type missing struct {
	name     string
	ours     bool // it is ours that has it
	explains func(k servers.Kind, entry object) bool
	marks    bool // it also explains the marks of transactions that have no other rows
}

var known = []difference{
	{"file name after MariaDB's BINLOG_CHECKPOINT", checkpointFile},
	{"text columns", columnCharset},
	{"Canal 1.1.7's grammar", oldGrammar},
	{"statement with a NUL byte", cutAtNUL},
	{keptName, keptDefinition},
}

const keptName = "definition kept after ADD PRIMARY KEY, or after RENAME and CREATE"

// withHistory is what may differ where Canal has a history of tables: its
// definitions are right then, but spelled otherwise.
var withHistory = append(slices.DeleteFunc(slices.Clone(known), func(d difference) bool { return d.name == keptName }),
	difference{"definitions in Canal's history of tables", wrongHistory},
	difference{"type text of a column (`mysqlType`), with the history of tables on", spelledTypes})

var knownMissing = []missing{
	{"Canal 1.1.7's grammar", false, droppedByGrammar, false},
	{"Canal 1.1.7's grammar", true, shownByGrammar, false},
	{"rows of tables that are gone", true, rowsOfDropped, true},
}

// checkpointFile: Canal takes the file a BINLOG_CHECKPOINT event names for the
// one it is reading.
func checkpointFile(k servers.Kind, ours, canal object) {
	if k.IsMariaDB() && canal.text("header", "logfileName") < ours.text("header", "logfileName") {
		canal.in("header")["logfileName"] = ours.text("header", "logfileName")
	}
}

// mysqlEncodings are MySQL character sets by name.
var mysqlEncodings = map[string]encoding.Encoding{
	"utf8": unicode.UTF8, "utf8mb4": unicode.UTF8, "ascii": charmap.ISO8859_1,
	"latin1": charmap.Windows1252, "cp1250": charmap.Windows1250, "latin2": charmap.ISO8859_2, "cp1251": charmap.Windows1251,
	"koi8r": charmap.KOI8R, "greek": charmap.ISO8859_7, "hebrew": charmap.ISO8859_8, "latin5": charmap.ISO8859_9, "cp850": charmap.CodePage850,
	"gbk": simplifiedchinese.GBK, "gb2312": simplifiedchinese.GBK, "gb18030": simplifiedchinese.GB18030, "big5": traditionalchinese.Big5,
	"sjis": japanese.ShiftJIS, "cp932": japanese.ShiftJIS, "ujis": japanese.EUCJP, "euckr": korean.EUCKR, "tis620": charmap.Windows874,
	"ucs2": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf16": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	"utf16le": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf32": utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM),
}

// connections are the connection's character sets of readings.
var connections = sync.OnceValue(func() (out []charset.Decoder) {
	for _, name := range []string{"UTF-8", "GBK", "ISO-8859-1"} {
		d, err := charset.ByJavaName(name)
		if err != nil {
			panic(err) // there is no Java without it
		}
		out = append(out, d)
	}
	return out
})

// columnCharset: Canal decodes every text column by the connection's character
// set. Columns in another one are named c_ and that set in the scripts, with a
// number behind it or not; ours has to be what their bytes mean, and Canal's the
// same bytes read in a connection's set. Values that differ may then read the
// same, and count as not updated.
func columnCharset(_ servers.Kind, ours, canal object) {
	right := map[string]object{}
	ours.columns(func(place string, c object) { right[place] = c })
	before := map[string]string{} // Canal's values before, by row and index
	canal.columns(func(place string, c object) {
		row, side, _ := strings.Cut(place, ".")
		column := row + "." + c.text("index")
		value := c.text("value")
		if strings.HasPrefix(side, "beforeColumns") {
			before[column] = value
		}
		r := right[place]
		if r == nil || c.at("value") == nil || r.text("value") == value || !readAnotherWay(c.text("name"), r.text("value"), value) {
			return
		}
		c["value"] = r.at("value")
		if was, found := before[column]; found && was == value && c.at("updated") == false {
			c["updated"] = r.at("updated")
		}
	})
}

// readAnotherWay says whether a column's bytes that mean one text read as the
// other in a connection's character set.
func readAnotherWay(column, text, read string) bool {
	set, found := strings.CutPrefix(column, "c_")
	set, _, _ = strings.Cut(set, "_")
	e := mysqlEncodings[set]
	if !found || e == nil {
		return false
	}
	bytes, err := e.NewEncoder().String(text)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(connections(), func(d charset.Decoder) bool {
		again := string(d.Append(nil, []byte(bytes)))
		return again == read || controls.ReplaceAllStringFunc(again, escaped) == read
	})
}

// controls are what JSON texts have escaped, when it is among the letters that are
// read in place of others.
var controls = regexp.MustCompile("[\u007f-\u00a0]")

func escaped(control string) string {
	r, _ := utf8.DecodeRuneInString(control)
	return fmt.Sprintf(`\u%04x`, r)
}

// headGrammar is what the newest Canal's parser makes of statements, as the
// measured corpus of internal/ddl has it.
var headGrammar = sync.OnceValues(func() (map[string][]ddl.Result, error) {
	f, err := os.Open("../../internal/ddl/testdata/classify.jsonl")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string][]ddl.Result{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var g struct {
			SQL, DB string
			Druid   []ddl.Result
		}
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			return nil, err
		}
		out[g.DB+"\x00"+g.SQL] = g.Druid
	}
	return out, lines.Err()
})

// head looks the statement of an entry up in the corpus.
func head(o object) (results []ddl.Result, ok bool) {
	corpus, err := headGrammar()
	if err != nil {
		panic(err) // the file belongs to the repository
	}
	results, ok = corpus[o.text("rowChange", "ddlSchemaName")+"\x00"+o.text("rowChange", "sql")]
	return results, ok
}

// oldGrammar: Canal 1.1.7's parser knows fewer statements than the newest
// Canal's, and some that this one does not. Ours has to be what the newest makes
// of it.
func oldGrammar(_ servers.Kind, ours, canal object) {
	results, ok := head(ours)
	if !ok || len(results) == 0 {
		return
	}
	want := results[0]
	if ours.text("header", "eventType") != protocol.EventType(want.Type).String() || ours.text("header", "schemaName") != want.Schema || ours.text("header", "tableName") != want.Table {
		return
	}
	takeNames(ours, canal)
}

// droppedByGrammar: the newest Canal makes nothing of the statement.
func droppedByGrammar(_ servers.Kind, canal object) bool {
	results, ok := head(canal)
	return ok && len(results) == 0
}

// shownByGrammar: the newest Canal does not understand the statement, which it
// says with an entry.
func shownByGrammar(_ servers.Kind, ours object) bool {
	results, ok := head(ours)
	return ok && len(results) > 0 && results[0] == ddl.Result{Type: ddl.TypeQuery} && ours.text("header", "eventType") == "QUERY" && ours.text("header", "tableName") == ""
}

// rowsOfDropped: with filter.table.error Canal leaves out the rows of tables
// the server no longer has, without it stops there. A transaction that is empty
// then goes the way of other empty ones.
func rowsOfDropped(_ servers.Kind, ours object) bool {
	switch ours.text("header", "tableName") {
	case "gone", "moved", "short_lived":
		return ours.at("rowChange", "rowDatas") != nil
	}
	return false
}

// keptDefinition: without its history of tables Canal forgets a definition at
// ALTER, DROP and RENAME only, and under the new name. ADD PRIMARY KEY counts as
// making an index, and a table made under a name that a RENAME freed has the
// definition of the one before. The live script does both, with table t.
func keptDefinition(_ servers.Kind, ours, canal object) {
	if ours.text("header", "schemaName") != "d_live" || ours.text("header", "tableName") != "t" {
		return
	}
	right := map[string]object{}
	ours.columns(func(place string, c object) { right[place] = c })
	canal.columns(func(place string, c object) {
		r := right[place]
		if r == nil || r.at("value") != c.at("value") || r.at("isNull") != c.at("isNull") {
			return
		}
		for _, name := range []string{"isKey", "name", "mysqlType"} {
			c[name] = r[name]
		}
	})
}

// spelledTypes: a history of tables makes Canal print a type as the statement
// did that made the column.
func spelledTypes(_ servers.Kind, ours, canal object) {
	right := map[string]string{}
	ours.columns(func(place string, c object) { right[place] = c.text("mysqlType") })
	canal.columns(func(place string, c object) {
		a, err := ddl.ParseType(right[place])
		if err != nil {
			return
		}
		if b, err := ddl.ParseType(c.text("mysqlType")); err == nil && a.Equivalent(b) {
			c["mysqlType"] = right[place]
		}
	})
}

// cutAtNUL: Canal takes the texts of statements and of user variables for C
// strings. It may then not understand what is left.
func cutAtNUL(_ servers.Kind, ours, canal object) {
	sql := ours.text("rowChange", "sql")
	cut, _, found := strings.Cut(sql, "\x00")
	if !found {
		return
	}
	if strings.HasPrefix(sql, "SET @") {
		cut += "'"
	}
	if canal.text("rowChange", "sql") != cut {
		return
	}
	canal.in("rowChange")["sql"] = sql
	if canal.text("header", "eventType") == "QUERY" {
		takeNames(ours, canal)
	}
}

// wrongHistory: in Canal's history of tables DROP PRIMARY KEY leaves the flags of
// the key, and CONVERT TO CHARACTER SET the types of texts that the server makes
// longer. The live script does both, with table t.
func wrongHistory(_ servers.Kind, ours, canal object) {
	if ours.text("header", "schemaName") != "d_live" || ours.text("header", "tableName") != "t" {
		return
	}
	right := map[string]object{}
	ours.columns(func(place string, c object) { right[place] = c })
	canal.columns(func(place string, c object) {
		r := right[place]
		if r == nil {
			return
		}
		if c.at("isKey") == true {
			c["isKey"] = r.at("isKey")
		}
		if r.text("mysqlType") == "mediumtext" && c.text("mysqlType") == "TEXT" {
			c["mysqlType"] = "mediumtext"
		}
	})
}

// takeNames gives Canal's statement our type and names.
func takeNames(ours, canal object) {
	take := func(part string, names ...string) {
		for _, name := range names {
			if v := ours.at(part, name); v != nil {
				canal.in(part)[name] = v
			} else {
				delete(canal.in(part), name)
			}
		}
	}
	take("header", "eventType", "schemaName", "tableName")
	take("rowChange", "eventType", "isDdl")
}
