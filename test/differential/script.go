package differential

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/towpath-cdc/towpath/test/servers"
)

//go:embed testdata/*.sql
var scripts embed.FS

// statements reads a script for one kind of server. Statements end with a
// semicolon at the end of a line, {db} stands for the schema and {nul} for a NUL
// byte. Lines with
// directives hold until the next of the same kind:
//
//	-- on: WORDS     what follows is for servers whose name contains a word ("all")
//	-- bytes: NAME   statements are sent in this encoding, by its WHATWG name
//	-- may fail      statements may be refused, which servers of a version do
func statements(script, schema string, k servers.Kind) ([]statement, error) {
	text, err := scripts.ReadFile("testdata/" + script + ".sql")
	if err != nil {
		return nil, err
	}
	var out []statement
	var open strings.Builder
	wanted, mayFail := true, false
	bytes := encoding.Nop
	for line := range strings.Lines(strings.NewReplacer("{db}", schema, "{nul}", "\x00").Replace(string(text))) {
		if words, ok := strings.CutPrefix(line, "-- on:"); ok {
			wanted = matches(strings.Fields(words), k)
			continue
		}
		if name, ok := strings.CutPrefix(line, "-- bytes:"); ok {
			if bytes, err = htmlindex.Get(strings.TrimSpace(name)); err != nil {
				return nil, fmt.Errorf("script %s: %w", script, err)
			}
			continue
		}
		if line == "-- may fail\n" || line == "-- must succeed\n" {
			mayFail = line == "-- may fail\n"
			continue
		}
		if !wanted || open.Len() == 0 && (strings.HasPrefix(line, "-- ") || strings.TrimSpace(line) == "") {
			continue
		}
		open.WriteString(line)
		if strings.HasSuffix(strings.TrimRight(line, " \n"), ";") {
			q, err := bytes.NewEncoder().String(strings.TrimSuffix(strings.TrimSpace(open.String()), ";"))
			if err != nil {
				return nil, fmt.Errorf("script %s: %.100q: %w", script, open.String(), err)
			}
			out = append(out, statement{q, mayFail})
			open.Reset()
		}
	}
	if open.Len() > 0 {
		return nil, fmt.Errorf("script %s ends inside a statement: %.60q", script, open.String())
	}
	return out, nil
}

type statement struct {
	sql     string
	mayFail bool
}

func matches(words []string, k servers.Kind) bool {
	for _, w := range words {
		if w == "all" || strings.Contains(string(k), w) {
			return true
		}
	}
	return false
}

// session is one connection of root's with which a script is played.
type session struct {
	*client.Conn
	kind servers.Kind
}

func newSession(ctx context.Context, s *servers.Server) (*session, error) {
	c, err := s.Connect(ctx)
	if err != nil {
		return nil, err
	}
	_, err = c.Execute("SET NAMES utf8mb4")
	return &session{c, s.Kind}, err
}

func (s *session) exec(statements ...string) error {
	for _, q := range statements {
		if _, err := s.Execute(q); err != nil {
			return fmt.Errorf("%s: %.200q: %w", s.kind, q, err)
		}
	}
	return nil
}

// play runs the statements of a script.
func (s *session) play(all []statement) error {
	for _, q := range all {
		if err := s.exec(q.sql); err != nil && !q.mayFail {
			return err
		}
	}
	return nil
}
