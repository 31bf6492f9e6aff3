package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

const (
	writeEvery = 20 * time.Millisecond
	patience   = 3 * time.Minute // for anything to come about
	clientID   = 1001
)

// trial is two servers, a client and a writer, and what happens to one of them.
type trial struct {
	subject     subject
	zk          *servers.ZooKeeper
	db          *servers.Server
	destination string
	dir         string

	look    *zk.Session
	members []*member
	clients []*consumer
	rows    rows
	written atomic.Int64

	silence time.Duration // the longest pause at the client, from the fault on
	repeats int64
}

// member is a server.
type member struct {
	*process
	port int
	dir  string
}

// run sets everything up, does what is to be done, and measures until rows have
// flowed again for a while.
func (t *trial) run(ctx context.Context, do func(context.Context, *trial) error) (err error) {
	onlooker, err := zk.Open(zk.Config{Servers: t.zk.Addrs()})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = onlooker.Close(ctx) // its session expires otherwise
	}()
	if t.look, err = onlooker.Session(ctx); err != nil {
		return err
	}
	defer t.end()
	for i := range 2 {
		if err := t.addMember(ctx, i); err != nil {
			return err
		}
	}
	if err := t.addClient(ctx); err != nil {
		return err
	}
	if err := t.until(ctx, "a client that consumes", t.exists(ctx, zktree.RunningClient(t.destination, clientID))); err != nil {
		return err
	}
	write, stop := context.WithCancel(ctx)
	defer stop()
	wrote := make(chan error, 1)
	go func() { wrote <- t.write(write) }()
	if err := t.flows(ctx); err != nil {
		return err
	}
	t.rows.begin()
	if err := do(ctx, t); err != nil {
		return err
	}
	if err := t.flows(ctx); err != nil {
		return err
	}
	stop()
	if err := <-wrote; err != nil {
		return err
	}
	if err := t.until(ctx, "the last row", func() (bool, error) { return t.rows.highest() >= t.written.Load(), nil }); err != nil {
		return err
	}
	t.silence, t.repeats, err = t.rows.result()
	return err
}

func (t *trial) end() {
	for _, c := range t.clients {
		c.kill()
	}
	for _, m := range t.members {
		m.kill()
	}
}

// addMember starts the server of an index, the first time or again.
func (t *trial) addMember(ctx context.Context, i int) error {
	if i == len(t.members) {
		port, err := servers.FreePort()
		if err != nil {
			return err
		}
		t.members = append(t.members, &member{port: port, dir: filepath.Join(t.dir, strconv.Itoa(i))})
	}
	m := t.members[i]
	cmd, err := t.subject.server(ctx, t, m.port, m.dir)
	if err != nil {
		return err
	}
	if m.process, err = launch(cmd, m.dir, "server", nil); err != nil {
		return err
	}
	if i == 0 {
		return t.until(ctx, "an owner", t.exists(ctx, zktree.Running(t.destination)))
	}
	return t.until(ctx, "a standby", t.exists(ctx, zktree.Competitor(t.destination, address(m.port))))
}

// addClient starts one more client.
func (t *trial) addClient(ctx context.Context) error {
	cmd, err := t.subject.client(ctx, t)
	if err != nil {
		return err
	}
	c, err := consume(cmd, filepath.Join(t.dir, fmt.Sprintf("client%d", len(t.clients))), &t.rows)
	if err != nil {
		return err
	}
	t.clients = append(t.clients, c)
	return nil
}

// write commits numbered rows until ctx ends.
func (t *trial) write(ctx context.Context) error {
	conn, err := t.db.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Quit()
	for _, q := range []string{"CREATE DATABASE IF NOT EXISTS failover", "CREATE OR REPLACE TABLE failover.t (id BIGINT PRIMARY KEY)"} {
		if _, err := conn.Execute(q); err != nil {
			return err
		}
	}
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := conn.Execute(fmt.Sprintf("INSERT INTO failover.t VALUES (%d)", t.written.Load()+1)); err != nil {
			return err
		}
		t.written.Add(1)
	}
}

// flows waits until a row that is written two seconds from now has arrived.
func (t *trial) flows(ctx context.Context) error {
	target := t.written.Load() + int64(2*time.Second/writeEvery)
	return t.until(ctx, "rows at the client", func() (bool, error) { return t.rows.highest() >= target, nil })
}

func (t *trial) exists(ctx context.Context, path string) func() (bool, error) {
	return func() (bool, error) {
		_, ok, err := t.look.Exists(ctx, path)
		return ok, err
	}
}

func (t *trial) until(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s did not come about: %w", what, context.Cause(ctx))
		}
	}
}

// owner is who runs the destination, by its index.
func (t *trial) owner(ctx context.Context) (int, error) {
	b, _, err := t.look.Get(ctx, zktree.Running(t.destination))
	if err != nil {
		return 0, err
	}
	r, err := zktree.ParseServerRunning(b)
	if err != nil {
		return 0, err
	}
	for i, m := range t.members {
		if address(m.port) == r.Address {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s runs the destination, which is none of ours", r.Address)
}

func (t *trial) setRunning(ctx context.Context, data string) error {
	_, err := t.look.Set(ctx, zktree.Running(t.destination), []byte(data), zk.AnyVersion)
	return err
}

// taken waits until another server than the one of an index runs the destination.
func (t *trial) taken(ctx context.Context, from int) error {
	return t.until(ctx, "another owner", func() (bool, error) {
		i, err := t.owner(ctx)
		if errors.Is(err, zk.ErrNoNode) {
			return false, nil
		}
		return err == nil && i != from, err
	})
}

func killServer(ctx context.Context, t *trial) error {
	i, err := t.owner(ctx)
	if err != nil {
		return err
	}
	t.members[i].kill()
	return t.taken(ctx, i)
}

func restartServer(ctx context.Context, t *trial) error {
	i, err := t.owner(ctx)
	if err != nil {
		return err
	}
	t.members[i].kill()
	return t.addMember(ctx, i)
}

func stopServer(ctx context.Context, t *trial) error {
	i, err := t.owner(ctx)
	if err != nil {
		return err
	}
	t.members[i].stop()
	return t.taken(ctx, i)
}

func move(ctx context.Context, t *trial) error {
	i, err := t.owner(ctx)
	if err != nil {
		return err
	}
	if err := t.subject.move(ctx, t, address(t.members[i].port), address(t.members[1-i].port)); err != nil {
		return err
	}
	return t.taken(ctx, i)
}

func killLeader(ctx context.Context, t *trial) error {
	i, err := t.zk.Leader()
	if err != nil {
		return err
	}
	if err := t.zk.Kill(i); err != nil {
		return err
	}
	if err := t.flows(ctx); err != nil {
		return err
	}
	return t.zk.Restart(i)
}

// waiting starts a second client and lets it take its place in the queue.
func waiting(ctx context.Context, t *trial) error {
	if err := t.addClient(ctx); err != nil {
		return err
	}
	if err := t.flows(ctx); err != nil { // a Java machine has started by then, or soon
		return err
	}
	if err := t.flows(ctx); err != nil {
		return err
	}
	t.rows.begin()
	return nil
}

func killClient(ctx context.Context, t *trial) error {
	if err := waiting(ctx, t); err != nil {
		return err
	}
	t.clients[0].kill()
	return nil
}

func stopClient(ctx context.Context, t *trial) error {
	if err := waiting(ctx, t); err != nil {
		return err
	}
	t.clients[0].stop()
	return nil
}
