package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/netfault"
	"github.com/towpath-cdc/towpath/test/servers"
)

// What a campaign runs.
const (
	zooKeepers = 3
	serverN    = 3
	consumersN = 2 // for each destination
	session    = 3 * time.Second
)

var destinations = []string{"east", "west"}

// cluster is everything that runs in a campaign.
type cluster struct {
	dir       string
	zk        *servers.ZooKeeper
	db        *servers.Server
	rec       *recorder // of the campaign and the taps
	start     place     // of the binlog
	consumers []*reader
	front     *front // of the database
	closers   []func() error

	mu      sync.Mutex // held while servers is added to, and by toDatabase
	servers []*server
}

// server is a Towpath server with its own network.
type server struct {
	process
	home      string
	tap       *tap
	zooKeeper []*netfault.Proxy
	database  *netfault.Proxy
	disk      bool // it writes to a small disk of its own
}

// reader is the process of a consumer with its own network.
type reader struct {
	process
	destination string
	zooKeeper   []*netfault.Proxy
	servers     []*netfault.Proxy
}

// startCluster starts everything but the writers. onDeath is told of processes
// that end by themselves. close ends what has been started, also after an error.
func startCluster(ctx context.Context, root, dir string, onDeath func(name, reason string)) (c *cluster, err error) {
	c = &cluster{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	for _, d := range []string{"history", "bin"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return c, err
		}
	}
	if c.rec, err = newRecorder(filepath.Join(dir, "history", campaignHistory)); err != nil {
		return c, err
	}
	c.closers = append(c.closers, c.rec.close)
	towpath, chaos, err := buildPrograms(ctx, root, filepath.Join(dir, "bin"))
	if err != nil {
		return c, err
	}
	if err := c.startBackends(ctx); err != nil {
		return c, err
	}
	for i := range serverN {
		if err := c.addServer(i, root, towpath, onDeath); err != nil {
			return c, err
		}
	}
	for _, d := range destinations {
		for i := range consumersN {
			if err := c.addConsumer(d, i, chaos, onDeath); err != nil {
				return c, err
			}
		}
	}
	for _, p := range c.processes() {
		if err := p.start(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// startBackends starts ZooKeeper and the database.
func (c *cluster) startBackends(ctx context.Context) (err error) {
	c.zk, err = servers.StartZooKeeper(ctx, servers.ZooKeeperOptions{
		Dir: filepath.Join(c.dir, "zookeeper"), Servers: zooKeepers,
		// All transactions stay in one log, and a server that was away is sent those it
		// has missed rather than a snapshot.
		Config: []string{"snapCount=10000000", "commitLogCount=1000000"},
	})
	if err != nil {
		return err
	}
	c.closers = append(c.closers, c.zk.Stop)
	c.db, err = servers.Start(ctx, servers.Options{Kind: servers.MySQL80, Dir: filepath.Join(c.dir, "mysql")})
	if err != nil {
		return err
	}
	c.closers = append(c.closers, func() error { c.db.Kill(); return nil })
	if err := createTables(ctx, c.db); err != nil {
		return err
	}
	if c.start, err = binlogEnd(ctx, c.db); err != nil {
		return err
	}
	c.front, err = newFront(c.toDatabase)
	if err == nil {
		c.closers = append(c.closers, c.front.close)
	}
	return err
}

// toDatabase are the servers' ways to the database, by their processes.
func (c *cluster) toDatabase() map[int]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ways := make(map[int]string)
	for _, s := range c.servers {
		if pid := s.pid(); pid != 0 {
			ways[pid] = s.database.Addr()
		}
	}
	return ways
}

func (c *cluster) processes() (all []*process) {
	for _, s := range c.servers {
		all = append(all, &s.process)
	}
	for _, r := range c.consumers {
		all = append(all, &r.process)
	}
	return all
}

// proxy starts a proxy that ends with the cluster.
func (c *cluster) proxy(target string) (*netfault.Proxy, error) {
	p, err := netfault.Start(target)
	if err == nil {
		c.closers = append(c.closers, func() error { p.Close(); return nil })
	}
	return p, err
}

func (c *cluster) proxies(targets []string) (all []*netfault.Proxy, err error) {
	for _, t := range targets {
		p, err := c.proxy(t)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// joined is the addresses of proxies as a value of canal.zkServers.
func joined(proxies []*netfault.Proxy) string {
	var a []string
	for _, p := range proxies {
		a = append(a, p.Addr())
	}
	return strings.Join(a, ",")
}

// addServer makes a server's folder and its network.
func (c *cluster) addServer(i int, root, program string, onDeath func(name, reason string)) (err error) {
	port, err := servers.FreePort()
	if err != nil {
		return err
	}
	s := &server{home: filepath.Join(c.dir, fmt.Sprintf("server%d", i))}
	if s.zooKeeper, err = c.proxies(c.zk.Addrs()); err != nil {
		return err
	}
	if s.database, err = c.proxy(c.db.Addr()); err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	if s.tap, err = newTap(address, c.rec); err != nil {
		return err
	}
	c.closers = append(c.closers, s.tap.close)
	if err := s.configure(filepath.Join(root, "conf"), port, c.front.addr(), c.start); err != nil {
		return err
	}
	args := []string{program, "server", "--home", s.home}
	if s.disk = i == 0 && canMount(); s.disk {
		args = onSmallDisk(s.home, args)
	}
	s.process = process{
		name: fmt.Sprintf("server %d", i), address: address, output: s.home + ".out", clock: s.home + ".clock", rec: c.rec, onDeath: onDeath,
		command: func(int) *exec.Cmd {
			cmd := exec.Command(args[0], args[1:]...)
			if s.disk {
				cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			}
			return cmd
		},
	}
	c.mu.Lock()
	c.servers = append(c.servers, s)
	c.mu.Unlock()
	c.closers = append(c.closers, s.kill)
	return nil
}

// configure writes the configuration: the one that is shipped, with what a
// cluster needs.
func (s *server) configure(samples string, port int, database string, start place) error {
	conf := filepath.Join(s.home, "conf")
	if err := os.MkdirAll(filepath.Join(s.home, "disk"), 0o755); err != nil {
		return err
	}
	err := servers.CopySample(filepath.Join(samples, "canal.properties"), filepath.Join(conf, "canal.properties"), map[string]string{
		"canal.ip": "127.0.0.1", "canal.register.ip": "127.0.0.1", "canal.port": strconv.Itoa(port), "canal.metrics.pull.port": "0", "canal.admin.port": "",
		"canal.zkServers": joined(s.zooKeeper), "towpath.zookeeper.session.timeout": strconv.FormatInt(session.Milliseconds(), 10),
		"canal.destinations": strings.Join(destinations, ","), "canal.file.data.dir": filepath.Join(s.home, "disk"),
		"canal.instance.global.spring.xml": "classpath:spring/default-instance.xml",
	})
	for _, d := range destinations {
		err = errors.Join(err, servers.CopySample(filepath.Join(samples, "example", "instance.properties"), filepath.Join(conf, d, "instance.properties"), map[string]string{
			"canal.instance.master.address":      database,
			"canal.instance.master.journal.name": start.file,
			"canal.instance.master.position":     strconv.FormatInt(start.offset, 10),
			"canal.instance.filter.regex":        schema + `\\..*`,
		}))
	}
	return err
}

// onSmallDisk is a command in a namespace of its own, in which a server's logs
// and what it remembers are on a disk of a few MB that is gone with the process.
func onSmallDisk(home string, args []string) []string {
	script := `mount -t tmpfs -o size=4m tmpfs "$0/disk" && mkdir "$0/disk/logs" && exec "$@" --logs "$0/disk/logs"`
	return append([]string{"sh", "-c", script, home}, args...)
}

// canMount says whether disks can be mounted in a namespace, for which one has to
// be root.
func canMount() bool {
	cmd := exec.Command("mount", "-t", "tmpfs", "tmpfs", "/mnt")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd.Run() == nil
}

// diskFile is a file on the small disk of a server that runs, as it is seen from
// outside of the server's namespace.
func (s *server) diskFile() string {
	return fmt.Sprintf("/proc/%d/root%s/disk/full", s.pid(), s.home)
}

// fillDisk writes a file until its disk is full to the last byte.
func fillDisk(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 4 << 10, 1} {
		for {
			if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// addConsumer makes a consumer's network.
func (c *cluster) addConsumer(destination string, i int, program string, onDeath func(name, reason string)) (err error) {
	r := &reader{destination: destination}
	if r.zooKeeper, err = c.proxies(c.zk.Addrs()); err != nil {
		return err
	}
	dial := make(map[string]string)
	for _, s := range c.servers {
		p, err := c.proxy(s.tap.addr())
		if err != nil {
			return err
		}
		r.servers = append(r.servers, p)
		dial[s.address] = p.Addr()
	}
	config, err := json.Marshal(consumerConfig{ZooKeeper: joined(r.zooKeeper), Destination: destination, Session: session, Dial: dial})
	if err != nil {
		return err
	}
	file := fmt.Sprintf("consumer-%s-%d", destination, i)
	r.process = process{
		name: fmt.Sprintf("consumer %d of %s", i, destination), output: filepath.Join(c.dir, file+".out"),
		clock: filepath.Join(c.dir, file+".clock"), rec: c.rec, onDeath: onDeath,
		command: func(run int) *exec.Cmd {
			history := filepath.Join(c.dir, "history", fmt.Sprintf("%s.%d%s", file, run, historySuffix))
			return exec.Command(program, consumeCommand, history, string(config))
		},
	}
	c.consumers = append(c.consumers, r)
	c.closers = append(c.closers, r.kill)
	return nil
}

// awaitCursors waits until clients have acked all destinations up to a place.
func (c *cluster) awaitCursors(ctx context.Context, to place) error {
	z, err := zk.Open(zk.Config{Servers: c.zk.Addrs(), SessionTimeout: 30 * time.Second})
	if err != nil {
		return err
	}
	defer z.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for _, d := range destinations {
		for {
			at, err := cursorOf(ctx, z, d)
			if err == nil && !at.before(to) {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("%s: clients have acked up to %v (%v), not up to %v: %w", d, at, err, to, context.Cause(ctx))
			}
		}
	}
	return nil
}

func cursorOf(ctx context.Context, z *zk.Client, destination string) (place, error) {
	s, err := z.Session(ctx)
	if err != nil {
		return place{}, err
	}
	b, _, err := s.Get(ctx, zktree.Cursor(destination, client.DefaultClientID))
	if err != nil {
		return place{}, err
	}
	cur, err := meta.ParseCursor(b)
	return place{cur.Position.File, cur.Position.Offset}, err
}

// close ends everything that was started, the last first. A second time does nothing.
func (c *cluster) close() error {
	var errs []error
	for len(c.closers) > 0 {
		last := len(c.closers) - 1
		errs = append(errs, c.closers[last]())
		c.closers = c.closers[:last]
	}
	return errors.Join(errs...)
}
