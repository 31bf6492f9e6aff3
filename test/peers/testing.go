package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

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
	line func(string) // is called for each whole line, if not nil

	mu   sync.Mutex
	text strings.Builder
	part []byte // of a line that has not ended, for line
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line != nil {
		o.part = append(o.part, b...)
		for {
			text, rest, ended := bytes.Cut(o.part, []byte{'\n'})
			if !ended {
				break
			}
			o.line(string(text))
			o.part = rest
		}
	}
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
	return Follow(t, p, nil, args...)
}

// Follow is Start with a function that is called for each line as it is printed,
// one at a time. It may not call the client.
func Follow(t testing.TB, p Peer, each func(line string), args ...string) *Client {
	t.Helper()
	dir := ForTest(t, p)
	line := p.Command(dir, SmallHeap, args...)
	c := &Client{peer: p, cmd: exec.Command(line[0], line[1:]...), out: output{line: each}, done: make(chan struct{})}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.errs
	if err := servers.StartProcess(c.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(c.Kill)
	return c
}

// Kill ends the client with kill -9, if it runs.
func (c *Client) Kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.done
}

// Lines are the whole lines printed so far.
func (c *Client) Lines() []string {
	s := c.out.String()
	return lines(s[:strings.LastIndexByte(s, '\n')+1])
}

// Err is what it has printed on standard error so far.
func (c *Client) Err() string { return c.errs.String() }

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
	return StartJavaServer(t, javaOptions, args...).port
}
