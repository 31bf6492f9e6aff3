package peers

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// JavaServer is a Java Canal server that runs.
type JavaServer struct {
	port int
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when the process has ended
}

// StartJavaServer starts a Java Canal server and waits until it accepts clients. It
// is killed with the test. With --zk it competes for its destinations, so that it
// may accept clients and run none.
func StartJavaServer(t testing.TB, javaOptions []string, args ...string) *JavaServer {
	t.Helper()
	dir := ForTest(t, JavaCanal)
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	line := JavaCanal.Command(dir, javaOptions, append([]string{"--port", fmt.Sprint(port), "--data", data}, args...)...)
	ready := make(chan struct{})
	var once sync.Once
	s := &JavaServer{port: port, cmd: exec.Command(line[0], line[1:]...), done: make(chan struct{})}
	s.out.line = func(text string) {
		if strings.HasPrefix(text, "java canal on") {
			once.Do(func() { close(ready) })
		}
	}
	s.cmd.Dir = data
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := servers.StartProcess(s.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // most servers are killed
		close(s.done)
	}()
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			log := s.Log()
			t.Logf("java canal: %s", log[max(0, len(log)-3000):])
		}
	})
	select {
	case <-ready:
	case <-s.done:
		t.Fatal("java canal ended while starting")
	case <-time.After(2 * time.Minute):
		t.Fatal("java canal does not start")
	}
	return s
}

// Addr is host:port for clients, and how the server is called in ZooKeeper.
func (s *JavaServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Port is where it serves clients.
func (s *JavaServer) Port() int { return s.port }

// Kill ends the server with kill -9, if it runs.
func (s *JavaServer) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
}

// Stop ends the server as an operator would, with a signal that it handles, and
// waits for it.
func (s *JavaServer) Stop(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		t.Fatal("java canal does not end")
	}
}

// Log is what the server has printed so far.
func (s *JavaServer) Log() string { return s.out.String() }
