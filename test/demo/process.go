package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// process is a towpath program that runs beside the demo.
type process struct {
	name   string
	cmd    *exec.Cmd
	output string        // file of what it prints that is not shown
	ended  chan struct{} // closed when it has ended
	err    error         // how it ended, valid after that
}

// launch starts the program. It dies with the demo, and an interrupt from the
// terminal reaches the demo only, which stops things in their order.
func launch(name, program, output string, stdout io.Writer, args ...string) (*process, error) {
	log, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{name: name, cmd: exec.Command(program, args...), output: output, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := servers.StartProcess(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w (make build makes it)", program, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process in good order, or by force when it takes too long, and
// waits for it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// log is the end of what the process printed.
func (p *process) log() string {
	b, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// failure is the error of a process that has ended by itself.
func (p *process) failure() error {
	return fmt.Errorf("%s ended by itself (%v):\n%s", p.name, p.err, p.log())
}

// running says whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// server is the running towpath server.
type server struct {
	*process
	ports   ports
	metrics string // address of its metrics
}

func startServer(program, home string, ports ports, more ...string) (server, error) {
	p, err := launch("towpath server", program, filepath.Join(home, "server.out"), nil, append([]string{"server", "--home", home}, more...)...)
	return server{p, ports, fmt.Sprintf("http://127.0.0.1:%d/metrics", ports.metrics)}, err
}

// Lines of the metrics: bytes of binlog have come in; there is a client.
var (
	reading    = regexp.MustCompile(`(?m)^canal_instance_received_binlog_bytes\{[^}]*\} [1-9]`)
	subscribed = regexp.MustCompile(`(?m)^canal_instance_subscriptions\{[^}]*\} 1`)
)

// await waits until the metrics have a line. other is a process that has to run
// meanwhile.
func (s server) await(ctx context.Context, line *regexp.Regexp, other *process) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := get(ctx, s.metrics)
		if err == nil && line.MatchString(page) {
			return nil
		}
		select {
		case <-s.ended:
			return s.failure()
		case <-other.ended:
			return other.failure()
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the metrics do not come to show %s", line), ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return string(b), err
}

// tail is the running towpath tail.
type tail struct {
	*process
	lines chan string // what it prints; closed at its end
}

// startTail starts a client; from are the flags that say what it reads.
func startTail(program, home string, from []string, colour bool) (*tail, error) {
	when := "never"
	if colour {
		when = "always"
	}
	r, w := io.Pipe()
	p, err := launch("towpath tail", program, filepath.Join(home, "tail.err"), w, append([]string{"tail", "--color", when}, from...)...)
	if err != nil {
		return nil, err
	}
	t := &tail{process: p, lines: make(chan string)}
	go t.read(r)
	go func() {
		<-p.ended
		w.Close()
	}()
	return t, nil
}

// read hands the lines on until the pipe ends. startTail starts it; the end of
// the process ends it.
func (t *tail) read(r io.Reader) {
	defer close(t.lines)
	for s := bufio.NewScanner(r); s.Scan(); {
		t.lines <- s.Text()
	}
}

// stop ends tail; a second time does nothing.
func (t *tail) stop() {
	go func() { // what is still printed is of no interest
		for range t.lines {
		}
	}()
	t.process.stop()
}
