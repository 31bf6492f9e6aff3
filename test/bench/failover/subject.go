package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// subject is a kind of server and client.
type subject interface {
	name() string
	// session is how long ZooKeeper keeps the server's session.
	session(tick time.Duration) time.Duration
	server(ctx context.Context, t *trial, port int, dir string) (*exec.Cmd, error)
	client(ctx context.Context, t *trial) (*exec.Cmd, error)
	// move makes the owner give the destination to the other server.
	move(ctx context.Context, t *trial, from, to string) error
}

// towpath is ours, with its defaults.
type towpath struct{ program string }

func (towpath) name() string { return "Towpath" }

func (towpath) session(time.Duration) time.Duration { return 10 * time.Second }

func (s towpath) server(_ context.Context, t *trial, port int, dir string) (*exec.Cmd, error) {
	for name, text := range map[string]string{
		"conf/canal.properties": fmt.Sprintf("canal.ip = 127.0.0.1\ncanal.destinations = %s\ncanal.port = %d\ncanal.metrics.pull.port = 0\ncanal.zkServers = %s\n"+
			"canal.instance.global.spring.xml = classpath:spring/default-instance.xml\n", t.destination, port, t.zk.Addr()),
		"conf/" + t.destination + "/instance.properties": fmt.Sprintf("canal.instance.master.address = %s\ncanal.instance.dbUsername = canal\ncanal.instance.dbPassword = canal\n", t.db.Addr()),
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return exec.Command(s.program, "server", "--home", dir), nil
}

func (s towpath) client(_ context.Context, t *trial) (*exec.Cmd, error) {
	return exec.Command(s.program, "tail", "--zk", t.zk.Addr(), "--destination", t.destination, "--format", "json"), nil
}

func (s towpath) move(ctx context.Context, t *trial, _, to string) error {
	text, err := exec.CommandContext(ctx, s.program, "cluster", "--zk", t.zk.Addr(), "move", t.destination, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("towpath cluster move: %w: %s", err, text)
	}
	return nil
}

// javaCanal is Canal with small heaps, which two servers and two clients fit in.
type javaCanal struct{}

func (javaCanal) name() string { return "Canal" }

func (javaCanal) session(tick time.Duration) time.Duration { return min(90*time.Second, 20*tick) }

var smallHeap = []string{"-Xmx512m", "-XX:+UseSerialGC"}

func (javaCanal) server(ctx context.Context, t *trial, port int, dir string) (*exec.Cmd, error) {
	built, err := peers.Build(ctx, peers.JavaCanal)
	if err != nil {
		return nil, err
	}
	line := peers.JavaCanal.Command(built, smallHeap, "--dest", t.destination+"="+t.db.Addr(), "--port", strconv.Itoa(port), "--data", dir, "--zk", t.zk.Addr())
	return exec.Command(line[0], line[1:]...), nil
}

func (javaCanal) client(ctx context.Context, t *trial) (*exec.Cmd, error) {
	built, err := peers.Build(ctx, peers.JavaClient)
	if err != nil {
		return nil, err
	}
	line := peers.JavaClient.Command(built, smallHeap, "--zk", t.zk.Addr(), "--destination", t.destination, "--timeout", "100", "--batch", "1000", "--retries", "100000")
	return exec.Command(line[0], line[1:]...), nil
}

// move writes active=false, which is all that Canal has.
func (javaCanal) move(ctx context.Context, t *trial, from, _ string) error {
	return t.setRunning(ctx, fmt.Sprintf(`{"active":false,"address":%q}`, from))
}

// launch starts a program whose output goes to a file, or to out if that is given.
func launch(cmd *exec.Cmd, dir, name string, out *os.File) (*process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if out != nil {
		cmd.Stdout = out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.StartProcess(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // most are killed
	}()
	return p, nil
}

// process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// stop asks it to end and waits.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	timer := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	<-p.ended
}

// address is how a server is called in ZooKeeper.
func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
