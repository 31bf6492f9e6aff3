package servers

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// ForTest starts a server that ends with the test. A kind that is not
// installed skips the test with the reason, unless TOWPATH_REQUIRE_SERVERS is
// set, as `make test` does: then it fails.
func ForTest(t testing.TB, k Kind, extra ...string) *Server {
	t.Helper()
	Require(t, k)
	// Not t.TempDir: its path is long, and a failed test's log is worth keeping.
	dir, err := os.MkdirTemp("", "towpath-"+string(k)+"-")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(context.WithoutCancel(t.Context()), Options{Kind: k, Dir: dir, Extra: extra})
	if err != nil {
		os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			b, _ := os.ReadFile(s.LogFile())
			t.Logf("end of %s: %s", filepath.Base(s.LogFile()), b[max(0, len(b)-6000):])
		}
		os.RemoveAll(dir)
	})
	return s
}

// Require skips a test where servers of these kinds are not installed or, with
// TOWPATH_REQUIRE_SERVERS, fails it. ForTest does so for the server that it starts.
func Require(t testing.TB, kinds ...Kind) {
	t.Helper()
	for _, k := range kinds {
		_, err := k.command("--version")
		requireInstalled(t, err)
	}
}

// MustExec runs statements as root and fails the test when one does.
func (s *Server) MustExec(t testing.TB, statements ...string) {
	t.Helper()
	if err := s.Exec(t.Context(), statements...); err != nil {
		t.Fatal(err)
	}
}
