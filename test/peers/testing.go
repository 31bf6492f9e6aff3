package peers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// ForTest builds a peer for a test. One that cannot be built skips the test
// with the reason, unless TOWPATH_REQUIRE_SERVERS is set: then it fails.
func ForTest(t testing.TB, p Peer) (dir string) {
	t.Helper()
	dir, err := Build(context.WithoutCancel(t.Context()), p)
	if err != nil {
		if os.Getenv("TOWPATH_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return dir
}

// Run runs a client peer to its end and returns the lines it printed.
func Run(t testing.TB, p Peer, args ...string) []string {
	t.Helper()
	dir := ForTest(t, p)
	line := p.Command(dir, SmallHeap, args...)
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", p, err, errs.String())
	}
	return lines(string(out))
}

func lines(s string) []string {
	s = strings.TrimSuffix(s, "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// StartJavaCanal starts a Java Canal server that ends with the test and
// returns the port it serves clients on.
func StartJavaCanal(t testing.TB, args ...string) (port int) {
	t.Helper()
	dir := ForTest(t, JavaCanal)
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	line := JavaCanal.Command(dir, SmallHeap, append([]string{"--port", fmt.Sprint(port), "--data", data}, args...)...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = data
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(data, "stdout.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = log
	if err := servers.StartProcess(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("java canal: %s", b[max(0, len(b)-3000):])
		}
		log.Close()
	})
	ready := make(chan error, 1)
	go func() { ready <- awaitLine(stderr, "java canal on") }()
	select {
	case err := <-ready:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("java canal does not start")
	}
	return port
}

// awaitLine reads until a line begins with prefix, and goes on reading in the
// background so that the writer is never blocked.
func awaitLine(r io.Reader, prefix string) error {
	s := bufio.NewScanner(r)
	var seen []string
	for s.Scan() {
		if strings.HasPrefix(s.Text(), prefix) {
			go io.Copy(io.Discard, r)
			return nil
		}
		seen = append(seen, s.Text())
	}
	return fmt.Errorf("ended without %q: %s", prefix, strings.Join(seen, "\n"))
}
