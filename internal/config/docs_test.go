package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table of docs/config.md from the catalogue")

const (
	tableBegin = "<!-- keys: generated from the catalogue; go test ./internal/config -run TestDocs -update -->\n"
	tableEnd   = "<!-- end of keys -->\n"
)

// TestDocs keeps the table of docs/config.md equal to the catalogue.
func TestDocs(t *testing.T) {
	name := filepath.Join("..", "..", "docs", "config.md")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableBegin)
	table, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks around the table", name)
	}
	want := keyTable()
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("the table of %s differs from the catalogue; run this test with -update", name)
	}
	if err := os.WriteFile(name, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// keyTable is the catalogue in Markdown, one section per scope; the reasons
// that keys share are footnotes.
func keyTable() string {
	titles := map[Scope]string{
		ScopeServer:   "Server keys",
		ScopeInstance: "Instance keys",
		ScopeQueue:    "Message queue keys",
	}
	var b strings.Builder
	var reasons []string
	note := func(why string) int {
		for i, r := range reasons {
			if r == why {
				return i + 1
			}
		}
		reasons = append(reasons, why)
		return len(reasons)
	}
	scope := Scope(-1)
	for _, k := range Keys() {
		if k.Scope != scope {
			scope = k.Scope
			fmt.Fprintf(&b, "\n### %s\n\n| key | default | here | what it does |\n| --- | --- | --- | --- |\n", titles[scope])
		}
		status := k.Status.String()
		if k.Status != Works {
			status += fmt.Sprintf(" (%d)", note(k.Why))
		}
		def := ""
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, def, status, strings.ReplaceAll(k.Effect, "|", `\|`))
	}
	b.WriteString("\n### Why some keys do nothing\n\n")
	for i, r := range reasons {
		fmt.Fprintf(&b, "%d. %s.\n", i+1, strings.ToUpper(r[:1])+r[1:])
	}
	b.WriteByte('\n')
	return b.String()
}
