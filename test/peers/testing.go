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
	"sync"
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
	out, err := Start(t, p, args...).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Client is a client peer that runs. It is killed with the test.
type Client struct {
	peer      Peer
	cmd       *exec.Cmd
	out, errs output
	done      chan struct{} // closed when the process has ended
	err       error         // how it ended
}

// output is what a process has printed so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String is everything written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Start starts a client peer.
func Start(t testing.TB, p Peer, args ...string) *Client {
	t.Helper()
	dir := ForTest(t, p)
	line := p.Command(dir, SmallHeap, args...)
	c := &Client{peer: p, cmd: exec.Command(line[0], line[1:]...), done: make(chan struct{})}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.errs
	if err := servers.StartProcess(c.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it may have ended
		<-c.done
	})
	return c
}

// Lines are the whole lines printed so far.
func (c *Client) Lines() []string {
	s := c.out.String()
	return lines(s[:strings.LastIndexByte(s, '\n')+1])
}

// Wait waits until the client has ended. It returns what it has printed, and
// an error that says why if it did not end well.
func (c *Client) Wait() ([]string, error) {
	<-c.done
	if c.err != nil {
		return c.Lines(), fmt.Errorf("%s: %w\n%s", c.peer, c.err, c.errs.String())
	}
	return c.Lines(), nil
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
	return StartJavaCanalWith(t, SmallHeap, args...)
}

// StartJavaCanalWith is StartJavaCanal with other options for the Java machine.
func StartJavaCanalWith(t testing.TB, javaOptions []string, args ...string) (port int) {
	t.Helper()
	dir := ForTest(t, JavaCanal)
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	line := JavaCanal.Command(dir, javaOptions, append([]string{"--port", fmt.Sprint(port), "--data", data}, args...)...)
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
	go func() { ready <- awaitLine(stderr, "java canal on", log) }()
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

// awaitLine reads until a line begins with prefix. What comes after it is
// copied in the background, so that the writer is never blocked.
func awaitLine(r io.Reader, prefix string, rest io.Writer) error {
	s := bufio.NewScanner(r)
	var seen []string
	for s.Scan() {
		if strings.HasPrefix(s.Text(), prefix) {
			go io.Copy(rest, r)
			return nil
		}
		seen = append(seen, s.Text())
	}
	return fmt.Errorf("ended without %q: %s", prefix, strings.Join(seen, "\n"))
}
