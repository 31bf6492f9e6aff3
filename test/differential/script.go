package differential

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/test/servers"
)

//go:embed testdata/*.sql
var scripts embed.FS

// statements reads a script for one kind of server. Statements end with a
// semicolon at the end of a line; "-- on: WORDS" limits what follows to servers
// whose name contains one of the words.
func statements(script string, k servers.Kind) ([]string, error) {
	text, err := scripts.ReadFile("testdata/" + script + ".sql")
	if err != nil {
		return nil, err
	}
	var out []string
	var open strings.Builder
	wanted := true
	for line := range strings.Lines(string(text)) {
		if words, ok := strings.CutPrefix(line, "-- on:"); ok {
			wanted = matches(strings.Fields(words), k)
			continue
		}
		if !wanted || open.Len() == 0 && (strings.HasPrefix(line, "--") || strings.TrimSpace(line) == "") {
			continue
		}
		open.WriteString(line)
		if q, ok := strings.CutSuffix(strings.TrimRight(line, " \n"), ";"); ok {
			_ = q
			out = append(out, strings.TrimSuffix(strings.TrimSpace(open.String()), ";"))
			open.Reset()
		}
	}
	if open.Len() > 0 {
		return nil, fmt.Errorf("script %s ends inside a statement: %.60q", script, open.String())
	}
	return out, nil
}

func matches(words []string, k servers.Kind) bool {
	for _, w := range words {
		if w == "all" || strings.Contains(string(k), w) {
			return true
		}
	}
	return false
}

// play runs a script in one session.
func play(ctx context.Context, s *servers.Server, script string) error {
	all, err := statements(script, s.Kind)
	if err != nil {
		return err
	}
	return s.Exec(ctx, all...)
}
