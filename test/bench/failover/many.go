package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

// many measures how long a server takes to take over all destinations of one that
// was killed, from the moment ZooKeeper has expired that one's session, and how
// many requests ZooKeeper gets for it.
func many(ctx context.Context, program, dir string, n int) (text string, err error) {
	db, err := servers.Start(ctx, servers.Options{Kind: servers.MariaDB1011, Dir: filepath.Join(dir, "db"), Extra: []string{"max_connections=10000", "max_connect_errors=1000000"}})
	if err != nil {
		return "", err
	}
	defer db.Kill()
	z, err := servers.StartZooKeeper(ctx, servers.ZooKeeperOptions{Dir: filepath.Join(dir, "zk"), Servers: 3, TickTime: time.Second, MaxSessionTimeout: 20 * time.Second})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, z.Stop()) }()
	onlooker, err := zk.Open(zk.Config{Servers: z.Addrs()})
	if err != nil {
		return "", err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = onlooker.Close(ctx) // its session expires otherwise
	}()
	t := &trial{subject: towpath{program: program}, zk: z, db: db}
	if t.look, err = onlooker.Session(ctx); err != nil {
		return "", err
	}
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("many%d", i))
	}
	defer t.end()
	for i := range 2 {
		if err := t.addMany(names, filepath.Join(dir, strconv.Itoa(i)), program); err != nil {
			return "", err
		}
		if i == 0 {
			if err := t.until(ctx, "an owner of all", t.owns(ctx, 0, names)); err != nil {
				return "", err
			}
		}
	}
	began := time.Now()
	if err := t.until(ctx, "a standby for all", func() (bool, error) {
		for _, d := range names {
			if _, ok, err := t.look.Exists(ctx, zktree.Competitor(d, address(t.members[1].port))); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "standing by for %d destinations after %v\n", n, time.Since(began).Round(time.Millisecond))
	idle, err := requests(z, 10*time.Second)
	if err != nil {
		return "", err
	}
	before, err := packets(z)
	if err != nil {
		return "", err
	}
	t.members[0].kill()
	if err := t.until(ctx, "the end of the session", func() (bool, error) {
		_, ok, err := t.look.Exists(ctx, zktree.Server(address(t.members[0].port)))
		return !ok, err
	}); err != nil {
		return "", err
	}
	expired := time.Now()
	if err := t.until(ctx, "a new owner of all", t.owns(ctx, 1, names)); err != nil {
		return "", err
	}
	took := time.Since(expired)
	after, err := packets(z)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d destinations of a killed server, each with a real source: all taken over and reading %.1f s after the end of its session. ZooKeeper got %.1f requests per destination for it, its expiry and our looking included; with all at rest the two servers send %.0f a second.\n",
		n, took.Seconds(), float64(after-before)/float64(n), idle), nil
}

// addMany starts a server with many destinations.
func (t *trial) addMany(names []string, dir, program string) error {
	port, err := servers.FreePort()
	if err != nil {
		return err
	}
	m := &member{port: port, dir: dir}
	t.destination = names[0]
	cmd, err := t.subject.server(context.Background(), t, port, dir)
	if err != nil {
		return err
	}
	first, err := os.ReadFile(filepath.Join(dir, "conf", names[0], "instance.properties"))
	if err != nil {
		return err
	}
	for _, d := range names[1:] {
		if err := os.MkdirAll(filepath.Join(dir, "conf", d), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "conf", d, "instance.properties"), first, 0o644); err != nil {
			return err
		}
	}
	cmd.Args = append(cmd.Args, "-D", "canal.destinations="+strings.Join(names, ","), "-D", "towpath.cluster.rebalance=false")
	if m.process, err = launch(cmd, dir, "server", nil); err != nil {
		return err
	}
	t.members = append(t.members, m)
	return nil
}

// owns tells whether a server owns all, and reads them all.
func (t *trial) owns(ctx context.Context, i int, names []string) func() (bool, error) {
	left := names
	want := string(zktree.ServerRunning{Active: true, Address: address(t.members[i].port)}.Append(nil))
	return func() (bool, error) {
		for len(left) > 0 {
			b, _, err := t.look.Get(ctx, zktree.Running(left[0]))
			if errors.Is(err, zk.ErrNoNode) || err == nil && string(b) != want {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			left = left[1:]
		}
		log, err := os.ReadFile(filepath.Join(t.members[i].dir, "server.log"))
		return strings.Count(string(log), "start position: asked") >= len(names), err
	}
}

// packets counts what ZooKeeper's servers have received from clients.
func packets(z *servers.ZooKeeper) (n int64, err error) {
	for i := range z.Addrs() {
		text, err := z.FourLetter(i, "mntr")
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(line, "zk_packets_received\t"); ok {
				p, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
				if err != nil {
					return 0, err
				}
				n += p
			}
		}
	}
	return n, nil
}

// requests counts them for a while, per second.
func requests(z *servers.ZooKeeper, d time.Duration) (float64, error) {
	before, err := packets(z)
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := packets(z)
	return float64(after-before) / d.Seconds(), err
}
