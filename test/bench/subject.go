package main

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

// subject is a server that is measured.
type subject interface {
	name() string
	// start runs the server on a workload. stop ends it.
	start(ctx context.Context, dir string, db *servers.Server, w workload) (addr string, p process.ID, stop func(), err error)
}

// towpath is ours, with its default configuration.
type towpath struct {
	program  string
	profiles string // folder for CPU profiles; "" for none
}

func (*towpath) name() string { return "Towpath" }

func (t *towpath) start(ctx context.Context, dir string, db *servers.Server, w workload) (string, process.ID, func(), error) {
	port, err := servers.FreePort()
	if err != nil {
		return "", 0, nil, err
	}
	files := map[string]string{
		"conf/canal.properties": fmt.Sprintf("canal.port = %d\ncanal.metrics.pull.port = 0\ncanal.serverMode = tcp\ncanal.destinations = example\n"+
			"canal.instance.global.mode = spring\ncanal.instance.global.lazy = false\ncanal.instance.global.spring.xml = classpath:spring/file-instance.xml\n", port),
		"conf/example/instance.properties": fmt.Sprintf("canal.instance.master.address = %s\ncanal.instance.master.journal.name = %s\ncanal.instance.master.position = 4\n"+
			"canal.instance.dbUsername = canal\ncanal.instance.dbPassword = canal\ncanal.instance.filter.regex = .*\\\\..*\n", db.Addr(), w.file),
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return "", 0, nil, err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return "", 0, nil, err
		}
	}
	cmd := exec.Command(t.program, "server", "--home", dir)
	if t.profiles != "" {
		cmd.Args = append(cmd.Args, "--cpu-profile", filepath.Join(t.profiles, filepath.Base(dir)+".pprof"))
	}
	return launch(ctx, cmd, dir, port)
}

// javaCanal is the real Canal with the memory options of its start script.
type javaCanal struct{}

func (*javaCanal) name() string { return "Canal" }

func (*javaCanal) start(ctx context.Context, dir string, db *servers.Server, w workload) (string, process.ID, func(), error) {
	built, err := peers.Build(ctx, peers.JavaCanal)
	if err != nil {
		return "", 0, nil, err
	}
	port, err := servers.FreePort()
	if err != nil {
		return "", 0, nil, err
	}
	line := peers.JavaCanal.Command(built, peers.StockHeap, "--dest", "example="+db.Addr(), "--port", strconv.Itoa(port), "--data", dir,
		"--journal", w.file, "--position", "4")
	return launch(ctx, exec.Command(line[0], line[1:]...), dir, port)
}

// launch starts a server and waits until it accepts connections.
func launch(ctx context.Context, cmd *exec.Cmd, dir string, port int) (string, process.ID, func(), error) {
	log, err := os.Create(filepath.Join(dir, "output.log"))
	if err != nil {
		return "", 0, nil, err
	}
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.StartProcess(cmd); err != nil {
		log.Close()
		return "", 0, nil, err
	}
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		log.Close()
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	deadline := time.Now().Add(time.Minute)
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
			return addr, process.ID(cmd.Process.Pid), stop, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			stop()
			return "", 0, nil, fmt.Errorf("does not serve: %w\n%s", err, tailOf(log.Name()))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// tailOf is the end of a log, for an error text.
func tailOf(name string) string {
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
