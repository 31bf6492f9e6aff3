// Package subject starts the servers that benchmarks compare: Towpath, and Java
// Canal with the memory options of its own start script, each with its default
// configuration. Its central type is Subject.
package subject

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/process"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// Subject is a kind of server that is measured.
type Subject interface {
	// Name is what reports call it.
	Name() string

	// Start runs a server on destinations, of which there is at least one, and waits
	// until it accepts connections. dir is a folder of its own, which it makes.
	Start(ctx context.Context, dir string, destinations ...Destination) (*Running, error)
}

// Destination is what a server serves.
type Destination struct {
	Name   string
	Source string // address of the database server
	File   string // binlog file to begin in, at offset 4; "" for the end of the log
}

// Running is a server that was started.
type Running struct {
	Addr    string // of its port for clients
	Process process.ID
	Started time.Time // just before the process was started
	Dir     string

	cmd *exec.Cmd
	log *os.File
}

// Towpath is ours.
type Towpath struct {
	Program    string   // path of the binary, absolute
	Properties []string // lines of canal.properties beside what is needed
	Instance   []string // lines of each instance.properties beside what is needed
	CPUProfile string   // file to write a CPU profile to; "" for none
}

// Name implements Subject.
func (*Towpath) Name() string { return "Towpath" }

// Start implements Subject.
func (t *Towpath) Start(ctx context.Context, dir string, destinations ...Destination) (*Running, error) {
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range destinations {
		names = append(names, d.Name)
		lines := []string{"canal.instance.master.address = " + d.Source, "canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal",
			`canal.instance.filter.regex = .*\\..*`}
		if d.File != "" {
			lines = append(lines, "canal.instance.master.journal.name = "+d.File, "canal.instance.master.position = 4")
		}
		if err := write(filepath.Join(dir, "conf", d.Name, "instance.properties"), append(lines, t.Instance...)); err != nil {
			return nil, err
		}
	}
	lines := []string{"canal.port = " + strconv.Itoa(port), "canal.metrics.pull.port = 0", "canal.serverMode = tcp", "canal.destinations = " + strings.Join(names, ","),
		"canal.instance.global.mode = spring", "canal.instance.global.lazy = false", "canal.instance.global.spring.xml = classpath:spring/file-instance.xml",
		"canal.instance.tsdb.enable = true", "canal.instance.tsdb.spring.xml = classpath:spring/tsdb/h2-tsdb.xml"}
	if err := write(filepath.Join(dir, "conf", "canal.properties"), append(lines, t.Properties...)); err != nil {
		return nil, err
	}
	cmd := exec.Command(t.Program, "server", "--home", dir)
	if t.CPUProfile != "" {
		cmd.Args = append(cmd.Args, "--cpu-profile", t.CPUProfile)
	}
	return launch(ctx, cmd, dir, port)
}

func write(name string, lines []string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// Java is Canal.
type Java struct {
	Options []string // of the virtual machine; nil for those of Canal's start script
}

// Name implements Subject.
func (*Java) Name() string { return "Java Canal" }

// Start implements Subject.
func (j *Java) Start(ctx context.Context, dir string, destinations ...Destination) (*Running, error) {
	built, err := peers.Build(ctx, peers.JavaCanal)
	if err != nil {
		return nil, err
	}
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	args := []string{"--port", strconv.Itoa(port), "--data", dir}
	for _, d := range destinations {
		args = append(args, "--dest", d.Name+"="+d.Source)
	}
	if f := destinations[0].File; f != "" { // one for all
		args = append(args, "--journal", f, "--position", "4")
	}
	options := j.Options
	if options == nil {
		options = peers.StockHeap
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	line := peers.JavaCanal.Command(built, options, args...)
	return launch(ctx, exec.Command(line[0], line[1:]...), dir, port)
}

// startTimeout is for how long a server may take until it accepts connections.
const startTimeout = time.Minute

// launch starts a server and waits until it accepts connections.
func launch(ctx context.Context, cmd *exec.Cmd, dir string, port int) (*Running, error) {
	log, err := os.Create(filepath.Join(dir, "output.log"))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := time.Now()
	if err := servers.StartProcess(cmd); err != nil {
		_ = log.Close()
		return nil, err
	}
	r := &Running{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Process: process.ID(cmd.Process.Pid), Started: started, Dir: dir, cmd: cmd, log: log}
	deadline := time.Now().Add(startTimeout)
	for {
		c, err := net.DialTimeout("tcp", r.Addr, time.Second)
		if err == nil {
			_ = c.Close()
			return r, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			r.Stop()
			return nil, fmt.Errorf("does not serve: %w\n%s", err, tail(log.Name()))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// stopTimeout is after what time a server is killed that was told to end.
const stopTimeout = 10 * time.Second

// Stop ends the server and waits for its end.
func (r *Running) Stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	timer := time.AfterFunc(stopTimeout, func() { _ = r.cmd.Process.Kill() })
	_ = r.cmd.Wait()
	timer.Stop()
	_ = r.log.Close()
}

// Settle waits until the server uses no CPU to speak of: it has started, and its
// ring is full. It gives up after a minute, which is no error.
func (r *Running) Settle(ctx context.Context) error {
	const window, idle = time.Second, 30 * time.Millisecond
	last, err := r.Process.CPU()
	if err != nil {
		return err
	}
	for range 60 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(window):
		}
		now, err := r.Process.CPU()
		if err != nil {
			return err
		}
		if now-last <= idle {
			return nil
		}
		last = now
	}
	return nil
}

// tail is the end of a log, for an error text.
func tail(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var last []string
	for s := bufio.NewScanner(io.LimitReader(f, 1<<20)); s.Scan(); {
		if last = append(last, s.Text()); len(last) > 20 {
			last = last[1:]
		}
	}
	return strings.Join(last, "\n")
}
