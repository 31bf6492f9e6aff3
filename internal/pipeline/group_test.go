package pipeline

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/store"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestGroups runs the scripts in testdata/group: each line is a command, and
// what comes of it stands behind "=>". Run with -update to write that anew.
//
//	new SIZE [marks]   a grouper for groups of SIZE; marks: with the filter for transaction marks
//	reset              forget the open group, as when a dump ends
//	BEGIN T            a transaction begins at T, in seconds of event time
//	ROWS T             row data
//	END T              a transaction ends
//	DDL T, QUERY T     a statement; it ends its group
//	EMPTY N T          N transactions without rows
//
// Items are numbered; "pass B1 R2" says that items 1 and 2 go on, "drop E3"
// that item 3 does not. An item that is in neither is held back.
func TestGroups(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "group", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := runGroups(t, string(script))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			compareLines(t, got, string(script))
		})
	}
}

// compareLines reports the first line in which two texts differ.
func compareLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("line %d\n got %s\nwant %s", i+1, a, b)
		}
	}
}

// groupScript is the state of a script.
type groupScript struct {
	t       *testing.T
	g       grouper
	n       int // items so far
	names   map[int64]string
	passed  []string
	dropped []string
}

func runGroups(t *testing.T, script string) string {
	s := &groupScript{t: t, names: map[int64]string{}}
	var out strings.Builder
	for line := range strings.Lines(script) {
		command, _, _ := strings.Cut(strings.TrimRight(line, "\n"), "=>")
		command = strings.TrimRight(command, " ")
		if command == "" || command[0] == '#' {
			out.WriteString(command + "\n")
			continue
		}
		fmt.Fprintf(&out, "%-20s=> %s\n", command, s.run(strings.Fields(command)))
	}
	return out.String()
}

// run carries out one command and tells what came of it.
func (s *groupScript) run(words []string) string {
	s.passed, s.dropped = nil, nil
	switch words[0] {
	case "new":
		s.g = grouper{size: s.number(words[1]), filterMarks: len(words) > 2 && words[2] == "marks"}
		return "ok"
	case "reset":
		s.g.reset(s.drop)
	case "EMPTY":
		for range s.number(words[1]) {
			s.add(store.KindBegin, words[2], false)
			s.add(store.KindEnd, words[2], false)
		}
		return fmt.Sprintf("pass %d, drop %d", len(s.passed), len(s.dropped))
	case "BEGIN":
		s.add(store.KindBegin, words[1], false)
	case "END":
		s.add(store.KindEnd, words[1], false)
	case "ROWS":
		s.add(store.KindRows, words[1], false)
	case "DDL":
		s.add(store.KindDDL, words[1], true)
	case "QUERY":
		s.add(store.KindQuery, words[1], true)
	default:
		s.t.Fatalf("unknown command %q", words[0])
	}
	var parts []string
	if len(s.passed) > 0 {
		parts = append(parts, "pass "+strings.Join(s.passed, " "))
	}
	if len(s.dropped) > 0 {
		parts = append(parts, "drop "+strings.Join(s.dropped, " "))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func (s *groupScript) number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// letters name the kinds of items.
var letters = map[store.Kind]string{store.KindBegin: "B", store.KindEnd: "E", store.KindRows: "R", store.KindDDL: "D", store.KindQuery: "Q"}

func (s *groupScript) add(k store.Kind, seconds string, flush bool) {
	s.n++
	s.names[int64(s.n)] = letters[k] + strconv.Itoa(s.n)
	it := store.Item{Kind: k, Block: store.NewBlock(nil, nil),
		Position: binlog.Position{Offset: int64(s.n), Timestamp: int64(s.number(seconds)) * 1000}}
	for _, it := range s.g.add(nil, &it, flush, s.drop) {
		s.passed = append(s.passed, s.names[it.Position.Offset])
		it.Block.Release(1) // panics when an item comes out twice
	}
}

func (s *groupScript) drop(it store.Item) {
	s.dropped = append(s.dropped, s.names[it.Position.Offset])
	it.Block.Release(1)
}
