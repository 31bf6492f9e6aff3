package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/towpath-cdc/towpath/internal/testkit/canaltest"
	"github.com/towpath-cdc/towpath/protocol"
)

// tableEntries are n ROWDATA entries without rows, of tables t0, t1, …
func tableEntries(n int) (all [][]byte) {
	for i := range n {
		header := protowire.AppendString(protowire.AppendTag(nil, 9, protowire.BytesType), fmt.Sprintf("t%d", i))
		all = append(all, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), header))
	}
	return all
}

// jsonLines are the lines tail prints for the entries from..to-1 of tableEntries.
func jsonLines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, `{"header":{"tableName":"t%d"},"rowChange":{}}`+"\n", i)
	}
	return b.String()
}

// tail runs tail against s until it has been idle, which for the test server is
// soon.
func tail(t *testing.T, s *canaltest.Server, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	args = append([]string{"tail", "--server", s.Addr(), "--idle", "20ms"}, args...)
	return towpath(t, args...)
}

func TestTailJSON(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{Destination: "d", User: "u", Password: "p"})
	s.Put(tableEntries(5)...)
	args := []string{"--destination", "d", "--user", "u", "--password", "p", "--format", "json", "--batch", "2", "--filter", "f"}
	stdout, stderr, code := tail(t, s, args...)
	if want := jsonLines(0, 5); stdout != want || stderr != "" || code != exitOK {
		t.Errorf("exit code %d\n%s\n%s\nwant\n%s", code, stdout, stderr, want)
	}
	if s.Acked() != 5 || s.Filter() != "f" {
		t.Errorf("%d entries acked, filter %q", s.Acked(), s.Filter())
	}
	t.Setenv("TOWPATH_PASSWORD", "p")
	if stdout, _, code := tail(t, s, "--destination", "d", "--user", "u"); stdout != "" || code != exitOK {
		t.Errorf("second run: exit code %d\n%s", code, stdout)
	}
}

func TestTailText(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(tableEntries(1)...)
	stdout, _, _ := tail(t, s, "--no-ack")
	if !strings.HasSuffix(stdout, ":0 UPDATE t0\n") {
		t.Errorf("text %q", stdout)
	}
	stdout, _, _ = tail(t, s, "--no-ack", "--color", "always")
	if !strings.Contains(stdout, "\x1b[2m") {
		t.Errorf("coloured text %q", stdout)
	}
	stdout, _, _ = tail(t, s, "--format", "json", "--raw")
	if !strings.HasSuffix(stdout, `,"raw":"0a044a027430"}`+"\n") {
		t.Errorf("raw JSON %q", stdout)
	}
	if s.Acked() != 1 {
		t.Errorf("%d entries acked", s.Acked())
	}
}

func TestTailCount(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(tableEntries(5)...)
	next := 0
	// The second run's last batch is printed in part only, so it is not acked.
	for _, run := range []struct{ count, batch, acked int }{{1, 1000, 1}, {3, 2, 3}, {1, 1, 4}} {
		stdout, _, code := tail(t, s, "--format", "json", "--count", fmt.Sprint(run.count), "--batch", fmt.Sprint(run.batch))
		if want := jsonLines(next, next+run.count); stdout != want || code != exitOK {
			t.Errorf("exit code %d\n%swant\n%s", code, stdout, want)
		}
		next = waitAcked(t, s, run.acked)
	}
}

// waitAcked waits for an ack that is still on its way.
func waitAcked(t *testing.T, s *canaltest.Server, want int) int {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.Acked() != want {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d entries acked, want %d", s.Acked(), want)
		}
	}
	return want
}

func TestTailUsage(t *testing.T) {
	for _, args := range []string{
		"--format xml", "--raw", "--client-id 0", "--client-id 40000", "--batch 0", "--count -1", "--idle -1s", "--timeout 0s",
		"--color blue", "--server=", "--destination=", "--nosuch", "extra",
		"--zk 127.0.0.1:1 --server 127.0.0.1:1", "--zk-auth a:b", "--session-timeout 5s", "--zk 127.0.0.1:1 --session-timeout 0s",
	} {
		stdout, stderr, code := towpath(t, append([]string{"tail"}, strings.Fields(args)...)...)
		if code != exitUsage || stdout != "" || stderr == "" {
			t.Errorf("%s: exit code %d\n%s", args, code, stderr)
		}
	}
	_, stderr, code := towpath(t, "tail", "--help")
	if code != exitOK || !strings.Contains(stderr, "--server host:port") || !strings.Contains(stderr, "(127.0.0.1:11111)") {
		t.Errorf("--help: exit code %d\n%s", code, stderr)
	}
}

func TestTailWithoutServer(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Stop()
	_, stderr, code := tail(t, s)
	if code != exitError || strings.Count(stderr, "trying again") != tailFirstTries-1 || !strings.Contains(stderr, "refused") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestTailSecondServer(t *testing.T) {
	dead := canaltest.Start(t, canaltest.Options{})
	dead.Stop()
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(tableEntries(1)...)
	stdout, stderr, code := tail(t, s, "--server", dead.Addr()+","+s.Addr(), "--format", "json")
	if stdout != jsonLines(0, 1) || code != exitOK {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
}

func TestTailMalformedEntry(t *testing.T) {
	for _, entry := range []string{"\x08", "\x1a\x01\x08"} {
		for _, format := range []string{"json", "text"} {
			s := canaltest.Start(t, canaltest.Options{})
			s.Put([]byte(entry))
			_, stderr, code := tail(t, s, "--format", format)
			if code != exitError || !strings.Contains(stderr, "malformed") || s.Acked() != 0 {
				t.Errorf("%q as %s: exit code %d, %d acked\n%s", entry, format, code, s.Acked(), stderr)
			}
		}
	}
}

// Everything that was printed before the connection broke may be printed again;
// nothing may be missing.
func TestTailReconnects(t *testing.T) {
	gets := 0
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		if _, ok := m.(*protocol.Get); ok {
			gets++
			return canaltest.Action{HangUp: true}, gets == 2
		}
		return canaltest.Action{}, false
	}})
	s.Put(tableEntries(4)...)
	stdout, stderr, code := tail(t, s, "--format", "json", "--batch", "2")
	lines := strings.SplitAfter(stdout, "\n")
	slices.Sort(lines)
	if got := strings.Join(slices.Compact(lines), ""); got != jsonLines(0, 4) || code != exitOK {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	if !strings.Contains(stderr, "trying again") {
		t.Errorf("reports %q", stderr)
	}
}

func TestTailInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		if _, ok := m.(*protocol.Get); ok {
			cancel()
			return canaltest.Action{}, true
		}
		return canaltest.Action{}, false
	}})
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"tail", "--server", s.Addr()}, nil, &stdout, &stderr)
	if code != exitOK || stdout.Len()+stderr.Len() > 0 {
		t.Errorf("exit code %d\n%s\n%s", code, &stdout, &stderr)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestTailBrokenPipe(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(tableEntries(1)...)
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"tail", "--server", s.Addr()}, nil, brokenPipe{}, &stderr)
	if code != exitError || !strings.Contains(stderr.String(), "broken pipe") || s.Acked() != 0 {
		t.Errorf("exit code %d, %d acked\n%s", code, s.Acked(), &stderr)
	}
}
