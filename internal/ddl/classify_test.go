package ddl

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// golden is a line of testdata/classify.jsonl: what Canal's DruidDdlParser
// (with polardbx-parser 5.4.19) and SimpleDdlParser make of a statement.
type golden struct {
	SQL        string         `json:"sql"`
	DB         string         `json:"db"`
	Druid      []goldenResult `json:"druid"`
	DruidError string         `json:"druidError"` // the exception on which Canal stops
	Regex      goldenResult   `json:"regex"`
	RegexError string         `json:"regexError"`
}

type goldenResult struct {
	Type      Type   `json:"type"`
	Schema    string `json:"schema"`
	Table     string `json:"table"`
	OldSchema string `json:"oldSchema"`
	OldTable  string `json:"oldTable"`
}

// readLines calls f with each line of a file of JSON objects.
func readLines[T any](tb testing.TB, file string, f func(T)) {
	tb.Helper()
	r, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		f(v)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
}

func TestClassifyAsCanal(t *testing.T) {
	readLines(t, "testdata/classify.jsonl", func(g golden) {
		want := []Result{{Type: TypeQuery}} // where Canal stops, the statement counts as refused
		if g.DruidError == "" {
			want = nil
			for _, r := range g.Druid {
				want = append(want, Result(r))
			}
		}
		if got := Classify(g.SQL, g.DB, Druid); !slices.Equal(got, want) {
			t.Errorf("druid: %q\n got %v\nwant %v", g.SQL, got, want)
		}
		if g.RegexError == "" {
			want := []Result{Result(g.Regex)}
			if got := Classify(g.SQL, g.DB, Regex); !slices.Equal(got, want) {
				t.Errorf("regex: %q\n got %v\nwant %v", g.SQL, got, want)
			}
		}
	})
}
