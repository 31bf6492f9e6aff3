package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRecordedJSON(t *testing.T) {
	for _, r := range recordedEntries(t) {
		got, err := AppendJSON(nil, r.raw, true)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != r.line {
			t.Errorf("\n got %s\nwant %s", got, r.line)
		}
		short, err := AppendJSON([]byte("x"), r.raw, false)
		if err != nil {
			t.Fatal(err)
		}
		want, _, _ := strings.Cut(r.line, `,"raw":`)
		if string(short) != "x"+want+"}" {
			t.Errorf("without raw\n got %s\nwant %s", short, want)
		}
	}
}

func TestJSONKinds(t *testing.T) {
	pair := message{}.text(1, "k").text(2, "")
	tests := []struct {
		name  string
		entry message
		want  string
	}{
		{"empty", nil, `{"header":{},"rowChange":{}}`},
		{"default header type", message{}.num(2, 2), `{"header":{},"entryType":"ROWDATA","rowChange":{}}`},
		{"heartbeat", message{}.num(2, 4).text(3, "\x01\xff"), `{"header":{},"entryType":"HEARTBEAT","storeValue":"01ff"}`},
		{"gtid log", message{}.num(2, 5), `{"header":{},"entryType":"GTIDLOG","storeValue":""}`},
		{
			"begin", message{}.num(2, 1).msg(3, message{}.num(1, -1).text(2, "t").msg(3, pair).num(4, 0)),
			`{"header":{},"entryType":"TRANSACTIONBEGIN","begin":{"executeTime":-1,"transactionId":"t","props":[{"key":"k","value":""}],"threadId":0}}`,
		},
		{
			"end", message{}.num(2, 3).msg(3, message{}.num(1, 2).text(2, "9").msg(3, pair).msg(3, message{})),
			`{"header":{},"entryType":"TRANSACTIONEND","end":{"executeTime":2,"transactionId":"9","props":[{"key":"k","value":""},{}]}}`,
		},
		{
			"header out of order", message{}.msg(1, message{}.text(13, "g").num(11, 15).num(7, 3).num(1, 1)),
			`{"header":{"version":1,"sourceType":"PGSQL","eventType":"MHEARTBEAT","gtid":"g"},"rowChange":{}}`,
		},
		{
			"rows", message{}.msg(3, message{}.msg(13, pair).
				msg(12, message{}.msg(3, pair)).
				msg(12, message{}.msg(2, message{}.num(9, 3).msg(7, pair)).msg(1, message{}))),
			`{"header":{},"rowChange":{"rowDatas":[{"props":[{"key":"k","value":""}]},` +
				`{"beforeColumns":[{}],"afterColumns":[{"props":[{"key":"k","value":""}],"length":3}]}],"props":[{"key":"k","value":""}]}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendJSON(nil, tt.entry, false)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

func TestJSONError(t *testing.T) {
	entry := message{}.msg(1, message{}.text(2, "mysql-bin.000007").num(3, 42)).text(3, "\x08")
	got, err := AppendJSON([]byte("before"), entry, true)
	if err == nil || !strings.Contains(err.Error(), "mysql-bin.000007:42") {
		t.Errorf("error %v", err)
	}
	if string(got) != "before" {
		t.Errorf("destination %q", got)
	}
}

// What Java makes of malformed UTF-8 was taken from a Java 17 runtime.
func TestJSONText(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"plain ~", "plain ~"},
		{`"\/`, `\"\\/`},
		{"\x00\x1f\x7f\u0080\u009f\u00a0", `\u0000\u001f\u007f\u0080\u009f` + "\u00a0"},
		{"\u2027\u2028\u2029\u202a", "\u2027" + `\u2028\u2029` + "\u202a"},
		{"汉😀\ufffd\uffff", "汉😀\ufffd\uffff"},
		{"a\xffb", "a\ufffdb"},
		{"\xc0\x80", "\ufffd\ufffd"},
		{"\xed\xa0\x80", "\ufffd"},                   // a high surrogate
		{"\xed\xa0\x80\xed\xb0\x80", "\ufffd\ufffd"}, // a pair in CESU-8
		{"\xe6\xb1", "\ufffd"},
		{"\xe6\xb1x", "\ufffdx"},
		{"\xf0\x9f\x98\"", "\ufffd" + `\"`},
		{"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
	}
	for _, tt := range tests {
		if got := string(appendText(nil, []byte(tt.in))); got != `"`+tt.want+`"` {
			t.Errorf("%+q: got %+q, want %+q", tt.in, got, tt.want)
		}
	}
}

func FuzzJSONText(f *testing.F) {
	for _, s := range []string{"", "a\"\\\n", "\u2028\u0085", "\xed\xa0\x80", "汉\xf0\x9f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		out := appendText(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if !utf8.Valid(out) || bytes.ContainsAny(out, "\n\r") {
			t.Fatalf("%q is not a line of text", out)
		}
		if back != javaString(s) {
			t.Fatalf("%q became %q", javaString(s), back)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	entries := recordedEntries(b)
	size := 0
	for _, r := range entries {
		size += len(r.raw)
	}
	b.ReportAllocs()
	b.SetBytes(int64(size))
	var dst []byte
	for b.Loop() {
		for _, r := range entries {
			var err error
			if dst, err = AppendJSON(dst[:0], r.raw, false); err != nil {
				b.Fatal(err)
			}
		}
	}
}
