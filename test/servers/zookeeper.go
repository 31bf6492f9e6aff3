package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ZooKeeperOptions say how ZooKeeper is started. The zero value is one server
// with the session timeouts that tests need.
type ZooKeeperOptions struct {
	// Dir has their files; made if missing, used again if it holds data
	// directories. ZooKeeperForTest picks one.
	Dir string
	// Servers is 1 (when 0) or an odd number that forms an ensemble.
	Servers int
	// TickTime is ZooKeeper's unit of time, 200 ms when 0. The leader looks for
	// expired sessions once per tick.
	TickTime time.Duration
	// The timeouts that a client may ask for; others are moved to the nearer one.
	// 400 ms and 60 s when 0.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// TLS makes Addr and Addrs lead to listeners that speak TLS. See TLSConfig.
	TLS bool
	// ClientCertificate makes those listeners demand a certificate of the client.
	ClientCertificate bool
	// Heap bounds the memory of each server, in MiB; 128 when 0. ZooKeeper keeps the
	// last 500 transactions, each several times.
	Heap int
	// Config are more lines for every server's zoo.cfg.
	Config []string
}

// ZooKeeper is a running ZooKeeper server or ensemble. Its methods may be called
// concurrently. Servers are counted from 0; the one of index i has the id i+1.
type ZooKeeper struct {
	o     ZooKeeperOptions
	nodes []*zkNode
	keys  *zkKeys // nil without TLS
}

// zkNode is one server. Its ports stay the same over restarts.
type zkNode struct {
	dir                            string
	client, secure, quorum, choose int // ports

	mu      sync.Mutex
	process *process
}

// StartZooKeeper starts the servers side by side, with fresh data directories or
// with those in o.Dir, and waits until all of them serve clients.
func StartZooKeeper(ctx context.Context, o ZooKeeperOptions) (*ZooKeeper, error) {
	if err := zooKeeperInstalled(); err != nil {
		return nil, err
	}
	o.Servers = max(o.Servers, 1)
	if o.Servers%2 == 0 {
		return nil, fmt.Errorf("an ensemble of %d ZooKeeper servers: want an odd number", o.Servers)
	}
	if o.TickTime == 0 {
		o.TickTime = 200 * time.Millisecond
	}
	if o.MinSessionTimeout == 0 {
		o.MinSessionTimeout = 400 * time.Millisecond
	}
	if o.MaxSessionTimeout == 0 {
		o.MaxSessionTimeout = time.Minute
	}
	z := &ZooKeeper{o: o}
	if err := z.prepare(); err != nil {
		return nil, err
	}
	if err := z.startAll(ctx); err != nil {
		z.Stop()
		return nil, err
	}
	return z, nil
}

// prepare picks ports and writes the files that the servers read.
func (z *ZooKeeper) prepare() error {
	const perNode = 4
	ports, err := freePorts(perNode * z.o.Servers)
	if err != nil {
		return err
	}
	for i := range z.o.Servers {
		p := ports[perNode*i:]
		dir := filepath.Join(z.o.Dir, strconv.Itoa(i+1))
		z.nodes = append(z.nodes, &zkNode{dir: dir, client: p[0], secure: p[1], quorum: p[2], choose: p[3]})
	}
	for i, n := range z.nodes {
		if err := os.MkdirAll(n.data(), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(n.data(), "myid"), []byte(strconv.Itoa(i+1)+"\n"), 0o644); err != nil {
			return err
		}
	}
	if z.o.TLS {
		if z.keys, err = makeZKKeys(z.o.Dir); err != nil {
			return fmt.Errorf("make keys for ZooKeeper: %w", err)
		}
	}
	for _, n := range z.nodes {
		lines := strings.Join(z.config(n), "\n") + "\n"
		if err := os.WriteFile(n.config(), []byte(lines), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (n *zkNode) data() string   { return filepath.Join(n.dir, "data") }
func (n *zkNode) config() string { return filepath.Join(n.dir, "zoo.cfg") }
func (n *zkNode) log() string    { return filepath.Join(n.dir, "out.log") }

// config are the lines of a server's zoo.cfg. The limits are in ticks: a server
// may take 10 s to join on a busy machine, and a leader that is silent for 3 s is
// given up, in ticks of the usual length.
func (z *ZooKeeper) config(n *zkNode) []string {
	lines := []string{
		"tickTime=" + millis(z.o.TickTime), "initLimit=50", "syncLimit=15",
		"minSessionTimeout=" + millis(z.o.MinSessionTimeout), "maxSessionTimeout=" + millis(z.o.MaxSessionTimeout),
		"dataDir=" + n.data(), "clientPortAddress=127.0.0.1", "clientPort=" + strconv.Itoa(n.client),
		"maxClientCnxns=0", "admin.enableServer=false", "4lw.commands.whitelist=*",
	}
	if len(z.nodes) > 1 {
		for i, m := range z.nodes {
			lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, m.quorum, m.choose))
		}
	}
	if z.keys != nil {
		lines = append(lines, z.keys.config(n.secure, z.o.ClientCertificate)...)
	}
	return append(lines, z.o.Config...)
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

const javaLibrary = "/usr/share/java/"

// zooKeeperInstalled is nil when the programs are there.
func zooKeeperInstalled() error {
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("ZooKeeper needs Java (%w): run make deps", err)
	}
	for _, jar := range []string{"zookeeper.jar", "slf4j-simple.jar"} {
		if _, err := os.Stat(javaLibrary + jar); err != nil {
			return fmt.Errorf("ZooKeeper is not installed (%w): run make deps", err)
		}
	}
	return nil
}

// zooKeeperCommand runs one of ZooKeeper's classes, with the options of the JVM
// that make it start soon and stay small. The jar names the libraries it needs
// itself, but not all of those that its TLS needs.
func zooKeeperCommand(class string, options ...string) []string {
	var path []string
	for _, jar := range []string{"zookeeper", "slf4j-simple", "netty-codec", "netty-resolver", "netty-transport-native-unix-common"} {
		path = append(path, javaLibrary+jar+".jar")
	}
	args := []string{
		"java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData",
		"-Djava.net.preferIPv4Stack=true", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
	}
	args = append(args, options...)
	return append(args, "-cp", strings.Join(path, ":"), class)
}

// launch starts the server's process, unless it runs. It does not wait for each
// write to reach the disk: a killed process loses nothing that it has written.
func (z *ZooKeeper) launch(i int) error {
	n := z.nodes[i]
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process.running() {
		return nil
	}
	options := []string{"-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024", "-Dzookeeper.jmx.log4j.disable=true"}
	if z.o.Heap > 0 {
		options = append(options, fmt.Sprintf("-Xmx%dm", z.o.Heap)) // the last one counts
	}
	if z.keys != nil { // the only one that speaks TLS
		options = append(options, "-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory")
	}
	args := zooKeeperCommand("org.apache.zookeeper.server.quorum.QuorumPeerMain", options...)
	p, err := startProcess(n.dir, n.log(), append(args, n.config()))
	if err != nil {
		return err
	}
	n.process = p
	return nil
}

// current is the server's process, which may have ended, or nil.
func (n *zkNode) current() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

func (z *ZooKeeper) startAll(ctx context.Context) error {
	for i := range z.nodes {
		if err := z.launch(i); err != nil {
			return err
		}
	}
	for i := range z.nodes {
		if err := z.await(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// await waits until a server serves clients or, where too few of the ensemble run
// for that, until its process answers.
func (z *ZooKeeper) await(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	n := z.nodes[i]
	p := n.current()
	for {
		err := z.serves(ctx, i)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("ZooKeeper server %d ended while starting: %s", i, tail(n.log()))
		case <-ctx.Done():
			return fmt.Errorf("ZooKeeper server %d does not answer: %w: %s", i, err, tail(n.log()))
		case <-tick.C:
		}
	}
}

func (z *ZooKeeper) serves(ctx context.Context, i int) error {
	if !z.quorum() {
		_, err := z.ask(ctx, i, "ruok")
		return err
	}
	if _, err := z.mode(ctx, i); err != nil || !z.o.TLS {
		return err
	}
	// The listener for TLS opens after the other one.
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", z.Addrs()[i])
	if err != nil {
		return err
	}
	return c.Close()
}

// quorum says whether enough servers run for the ensemble to work.
func (z *ZooKeeper) quorum() bool {
	running := 0
	for _, n := range z.nodes {
		if n.current().running() {
			running++
		}
	}
	return 2*running > len(z.nodes)
}

// Addrs are host:port of all servers.
func (z *ZooKeeper) Addrs() []string {
	var a []string
	for _, n := range z.nodes {
		port := n.client
		if z.o.TLS {
			port = n.secure
		}
		a = append(a, localAddr(port))
	}
	return a
}

// Addr is all servers as a value of canal.zkServers.
func (z *ZooKeeper) Addr() string { return strings.Join(z.Addrs(), ",") }

func localAddr(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// LogFile is the output of a server.
func (z *ZooKeeper) LogFile(i int) string { return z.nodes[i].log() }

// PID is the process of a server, or 0 when it does not run.
func (z *ZooKeeper) PID(i int) int {
	if p := z.nodes[i].current(); p.running() {
		return p.cmd.Process.Pid
	}
	return 0
}

// Kill ends a server at once, as a power failure would, and waits until it is
// gone. It has no effect on one that does not run.
func (z *ZooKeeper) Kill(i int) error { return z.nodes[i].current().kill() }

// Restart starts a server again, with the same ports and data, killing it first
// if it runs, and waits until it serves clients. A server that comes back to an
// ensemble without a majority is awaited until its process answers only.
func (z *ZooKeeper) Restart(i int) error {
	if err := z.Kill(i); err != nil {
		return err
	}
	if err := z.launch(i); err != nil {
		return err
	}
	return z.await(context.Background(), i)
}

// Pause stops a server's process where it stands; its connections stay open and
// its ports accept. Kill works on a paused server.
func (z *ZooKeeper) Pause(i int) error { return z.nodes[i].current().signal(syscall.SIGSTOP) }

// Resume ends a pause.
func (z *ZooKeeper) Resume(i int) error { return z.nodes[i].current().signal(syscall.SIGCONT) }

// Stop kills all servers. Their files stay.
func (z *ZooKeeper) Stop() error {
	var errs []error
	for i := range z.nodes {
		errs = append(errs, z.Kill(i))
	}
	return errors.Join(errs...)
}
