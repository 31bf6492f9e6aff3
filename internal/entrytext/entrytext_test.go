package entrytext

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/towpath-cdc/towpath/protocol"
)

var update = flag.Bool("update", false, "rewrite testdata/entries.txt")

// recorded are the entries in the test data of package protocol.
func recorded(tb testing.TB) (all [][]byte) {
	tb.Helper()
	f, err := os.Open("../../protocol/testdata/entries.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Raw string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			tb.Fatal(err)
		}
		raw, err := hex.DecodeString(line.Raw)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

func print(tb testing.TB, p *Printer, raw []byte) string {
	tb.Helper()
	e, err := protocol.ParseEntry(raw)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := p.Append(nil, &e)
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

func TestRecordedEntries(t *testing.T) {
	const golden = "testdata/entries.txt"
	var got strings.Builder
	for _, raw := range recorded(t) {
		got.WriteString(print(t, &Printer{Location: time.FixedZone("CET", 3600)}, raw))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("line %d differs from %s:\n got %q\nwant %q", i+1, golden, gotLines[min(i, len(gotLines)-1)], wantLines[min(i, len(wantLines)-1)])
		}
	}
}

// message builds a protobuf message field by field.
type message []byte

func (m message) num(field protowire.Number, v int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(v))
}

func (m message) text(field protowire.Number, v string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), v)
}

func (m message) msg(field protowire.Number, v message) message { return m.text(field, string(v)) }

// column is a column named c.
func column(t protocol.SQLType, value string) message {
	return message{}.num(2, int64(t)).text(3, "c").text(8, value)
}

func TestValues(t *testing.T) {
	tests := []struct {
		name   string
		column message
		want   string
	}{
		{"null", column(protocol.SQLVarchar, "").num(6, 1), "c=NULL"},
		{"number", column(protocol.SQLDecimal, "-1.50"), "c=-1.50"},
		{"time", column(protocol.SQLTimestamp, "2024-02-29 23:59:59"), "c=2024-02-29 23:59:59"},
		{"escape in a number", column(protocol.SQLInteger, "1\x1b[31m"), "c=1\ufffd[31m"},
		{"text", column(protocol.SQLVarchar, "汉\x1b[31m"), `c="汉\x1b[31m"`},
		{"text with quotes", column(protocol.SQLVarchar, `{"a":1}`), "c=`{\"a\":1}`"},
		{"text with quotes and controls", column(protocol.SQLVarchar, "\"\u009b"), `c="\"\u009b"`},
		{"long text", column(protocol.SQLVarchar, strings.Repeat("汉", 201)), `c="` + strings.Repeat("汉", 200) + `…"(201 characters)`},
		{"text just not long", column(protocol.SQLVarchar, strings.Repeat("汉", 200)), `c="` + strings.Repeat("汉", 200) + `"`},
		{"bytes", column(protocol.SQLBlob, "\u00ff\x00"), "c=x'ff00'"},
		{"many bytes", column(protocol.SQLBlob, strings.Repeat("a", 33)), "c=x'" + strings.Repeat("61", 32) + "…'(33 bytes)"},
		{"no bytes", column(protocol.SQLBlob, "汉"), `c="汉"`},
		{"odd name", column(protocol.SQLInteger, "1").text(3, "a b"), `"a b"=1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			change := message{}.num(2, int64(protocol.EventInsert)).msg(12, message{}.msg(2, tt.column))
			got := print(t, &Printer{}, message{}.msg(3, change))
			want := "1970-01-01 00:00:00 :0 INSERT " + tt.want + "\n"
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestUpdates(t *testing.T) {
	key := column(protocol.SQLInteger, "7").text(3, "id").num(4, 1)
	same := column(protocol.SQLInteger, "1").text(3, "same")
	before := column(protocol.SQLInteger, "2").text(3, "v")
	after := column(protocol.SQLInteger, "3").text(3, "v").num(5, 1)
	tests := []struct {
		name string
		row  message
		want string
	}{
		{"with a key", message{}.msg(1, key).msg(1, same).msg(1, before).msg(2, key).msg(2, same).msg(2, after), "id=7 v=2→3"},
		{"without a key", message{}.msg(1, same).msg(1, before).msg(2, same).msg(2, after), "same=1 v=2→3"},
		{"without the old value", message{}.msg(1, key).msg(2, key).msg(2, after), "id=7 v=3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := message{}.text(8, "s").text(9, "t")
			got := print(t, &Printer{}, message{}.msg(1, header).msg(3, message{}.msg(12, tt.row)))
			if want := "1970-01-01 00:00:00 :0 UPDATE s.t " + tt.want + "\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestColour(t *testing.T) {
	row := message{}.msg(1, column(protocol.SQLInteger, "1")).msg(2, column(protocol.SQLInteger, "2").num(5, 1))
	got := print(t, &Printer{Colour: true}, message{}.msg(3, message{}.msg(12, row)))
	want := "\x1b[2m1970-01-01 00:00:00 :0\x1b[0m \x1b[33mUPDATE\x1b[0m c=\x1b[31m1\x1b[0m→\x1b[32m2\x1b[0m\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOtherKinds(t *testing.T) {
	for _, kind := range []protocol.EntryType{protocol.EntryHeartbeat, protocol.EntryGTIDLog} {
		got := print(t, &Printer{}, message{}.num(2, int64(kind)))
		if want := "1970-01-01 00:00:00 :0 " + kind.String() + "\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	gtid := message{}.msg(12, message{}.text(1, "curtGtid").text(2, "a:1"))
	got := print(t, &Printer{}, message{}.msg(1, gtid).num(2, 1).msg(3, message{}.num(4, 9)))
	if want := "1970-01-01 00:00:00 :0 BEGIN thread 9 gtid a:1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMalformed(t *testing.T) {
	for kind := range int64(4) {
		e, err := protocol.ParseEntry(message{}.num(2, kind).text(3, "\x08"))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := new(Printer).Append([]byte("x"), &e); err == nil || string(out) != "x" {
			t.Errorf("kind %d: %q, %v", kind, out, err)
		}
	}
}

func FuzzAppend(f *testing.F) {
	for _, raw := range recorded(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := protocol.ParseEntry(raw)
		if err != nil {
			return
		}
		out, err := new(Printer).Append(nil, &e)
		if err != nil {
			return
		}
		if !utf8.Valid(out) {
			t.Fatalf("not UTF-8: %q", out)
		}
		for _, r := range string(bytes.ReplaceAll(out, []byte("\n"), nil)) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U in %q", r, out)
			}
		}
	})
}
