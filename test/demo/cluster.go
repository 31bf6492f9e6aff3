package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

const (
	destination = "example"
	clusterName = "zookeeper"

	// sessionTimeout is shorter than the default of 10 s, for impatient onlookers.
	sessionTimeout = 4 * time.Second

	// writeEvery is the pause between two rows of the writer.
	writeEvery = 20 * time.Millisecond
)

// group is the cluster of the demo.
type group struct {
	program string
	zk      *servers.ZooKeeper
	admin   *admin
	look    *zk.Session // of an onlooker
	members []*member
	tail    *tail
}

// member is one of its servers.
type member struct {
	server
	home    string
	address string // where clients reach it
}

// showCluster plays the second act: a server that dies is replaced.
func showCluster(ctx context.Context, o options, dir string, db *servers.Server, out *printer) (err error) {
	out.title("A cluster: three ZooKeeper servers, an admin, two towpath servers, one destination")
	out.note(fmt.Sprintf("The same configuration, with canal.zkServers and default-instance.xml, is stored\n"+
		"in the admin. The servers have one short file that names it.\n"+
		"ZooKeeper's session timeout is %g s here; the default is 10 s.", sessionTimeout.Seconds()))
	began := time.Now()
	g := &group{program: o.program}
	if g.zk, err = servers.StartZooKeeper(ctx, servers.ZooKeeperOptions{Dir: filepath.Join(dir, "zookeeper"), Servers: 3, TickTime: 500 * time.Millisecond}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.zk.Stop()) }()
	out.done("ZooKeeper", g.zk.Addr(), began)
	onlooker, err := zk.Open(zk.Config{Servers: g.zk.Addrs()})
	if err != nil {
		return err
	}
	defer onlooker.Close(context.WithoutCancel(ctx))
	if g.look, err = onlooker.Session(ctx); err != nil {
		return err
	}
	defer g.stop()
	began = time.Now()
	if g.admin, err = startAdmin(ctx, o.program, filepath.Join(dir, "admin")); err != nil {
		return err
	}
	if err := g.admin.fill(ctx, o.samples, clusterName, g.zk.Addr(), db.Addr()); err != nil {
		return err
	}
	out.done("towpath admin", "http://"+g.admin.address, began)
	for _, name := range []string{"kaven", "luna"} {
		began = time.Now()
		m, err := g.start(ctx, filepath.Join(dir, name), name)
		if err != nil {
			return err
		}
		out.done("towpath server", m.address+", "+name, began)
	}
	began = time.Now()
	if g.tail, err = startTail(o.program, dir, []string{"--zk", g.zk.Addr()}, o.colour); err != nil {
		return err
	}
	if err := g.await(ctx, zktree.RunningClient(destination, 1001)); err != nil {
		return err
	}
	out.done("towpath tail", "a client that finds the server through ZooKeeper", began)
	if err := g.showTree(out); err != nil {
		return err
	}
	if err := g.command(ctx, out); err != nil {
		return err
	}
	if err := g.faults(ctx, db, out); err != nil {
		return err
	}
	g.keep(ctx, o, db, out)
	return nil
}

// keep leaves everything running for as long as o says, and tells how to go on
// by hand.
func (g *group) keep(ctx context.Context, o options, db *servers.Server, out *printer) {
	g.tail.stop()
	until := "until Ctrl-C"
	if o.keep > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.keep)
		defer cancel()
		until = fmt.Sprintf("for %s more, or until Ctrl-C", o.keep)
	}
	out.title("The admin shows it all")
	out.note(fmt.Sprintf(`  address   http://%s
  user      admin
  password  %s`, g.admin.address, g.admin.password))
	out.title("Go on by hand")
	out.note(fmt.Sprintf(`Everything keeps running %[9]s. In other terminals:
  see the changes     %[2]s tail --zk %[3]s
  or as JSON          %[2]s tail --zk %[3]s --format json
  change something    mariadb -h 127.0.0.1 -P %[1]d -u root shop
  who runs what       %[2]s cluster --zk %[3]s
  kill a server       kill -9 %[4]d   or   kill -9 %[5]d
  the metrics         curl -s %[6]s
  the log             tail -f %[7]s
  its one file        cat %[8]s`,
		db.Port, g.program, g.zk.Addr(), g.members[0].cmd.Process.Pid, g.members[1].cmd.Process.Pid, g.members[0].metrics,
		filepath.Join(g.members[0].home, "logs/example/example.log"), filepath.Join(g.members[0].home, "conf/canal_local.properties"), until))
	<-ctx.Done()
}

// start starts one more server and waits until it competes.
func (g *group) start(ctx context.Context, home, name string) (*member, error) {
	p, err := g.admin.home(home, clusterName, name)
	if err != nil {
		return nil, err
	}
	m := &member{home: home, address: fmt.Sprintf("127.0.0.1:%d", p.client)}
	g.members = append(g.members, m)
	return m, g.run(ctx, m, p)
}

// run starts the process of a server.
func (g *group) run(ctx context.Context, m *member, p ports) (err error) {
	m.server, err = startServer(g.program, m.home, p, "-D", fmt.Sprintf("towpath.zookeeper.session.timeout=%d", sessionTimeout.Milliseconds()))
	if err != nil {
		return err
	}
	return g.await(ctx, zktree.Competitor(destination, m.address))
}

func (g *group) stop() {
	if g.tail != nil {
		g.tail.stop()
	}
	for _, m := range g.members {
		if m.process != nil {
			m.process.stop()
		}
	}
	if g.admin != nil && g.admin.process != nil {
		g.admin.process.stop()
	}
}

// await waits until a node exists.
func (g *group) await(ctx context.Context, path string) error {
	return g.until(ctx, path+" in ZooKeeper", func() (bool, error) {
		_, ok, err := g.look.Exists(ctx, path)
		return ok, err
	})
}

// until waits for something to become true.
func (g *group) until(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			logs := ""
			for _, m := range g.members {
				logs += fmt.Sprintf("\nThe end of the log of %s:\n%s", m.address, m.log())
			}
			return fmt.Errorf("%s did not come about: %w%s", what, context.Cause(ctx), logs)
		}
	}
}

// owner is the server that runs the destination, nil while there is none.
func (g *group) owner(ctx context.Context) (*member, error) {
	b, _, err := g.look.Get(ctx, zktree.Running(destination))
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := zktree.ParseServerRunning(b)
	if err != nil {
		return nil, err
	}
	for _, m := range g.members {
		if m.address == r.Address {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s runs the destination, which is none of ours", r.Address)
}

// showTree shows what a Canal user would look at.
func (g *group) showTree(out *printer) error {
	for _, command := range [][]string{{"ls", "-R", "/otter"}, {"get", zktree.Running(destination)}} {
		text, err := g.zk.CLI(command...)
		if err != nil {
			return err
		}
		out.command("zkCli.sh -server … "+strings.Join(command, " "), nodes(text))
	}
	return nil
}

// command runs towpath cluster and shows it.
func (g *group) command(ctx context.Context, out *printer, action ...string) error {
	text, err := exec.CommandContext(ctx, g.program, append([]string{"cluster", "--zk", g.zk.Addr()}, action...)...).CombinedOutput()
	out.command(strings.TrimSpace("towpath cluster --zk … "+strings.Join(action, " ")), strings.Split(strings.TrimSpace(string(text)), "\n"))
	if err != nil {
		return fmt.Errorf("towpath cluster: %w", err)
	}
	return nil
}

// nodes are the lines of zkCli's output that are nodes or their data.
func nodes(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/otter") || strings.HasPrefix(line, "{") {
			lines = append(lines, line)
		}
	}
	return lines
}

// faults writes rows all the time, and meanwhile kills the server that delivers
// them, starts it again, and moves the destination.
func (g *group) faults(ctx context.Context, db *servers.Server, out *printer) error {
	w, err := startWriter(ctx, db)
	if err != nil {
		return err
	}
	defer w.stop()
	r := &rows{}
	go r.read(g.tail.lines)
	if err := g.until(ctx, "the first row", func() (bool, error) { return r.last.Load() > 10, nil }); err != nil {
		return err
	}
	first, err := g.owner(ctx)
	if err != nil {
		return err
	}

	out.step("Kill -9 of the server that delivers, while a row is written every " + millis(writeEvery))
	killed := time.Now()
	_ = first.cmd.Process.Kill() // its end is waited for
	<-first.ended
	second, err := g.nextOwner(ctx, first, r, w)
	if err != nil {
		return err
	}
	out.note(fmt.Sprintf("  %s took over from %s.\n"+
		"  The client went on there %s after the kill; the session timeout is %g s.", second.address, first.address, seconds(time.Since(killed)), sessionTimeout.Seconds()))

	out.step("Start the killed server again, and move the destination back to it")
	began := time.Now()
	if err := g.run(ctx, first, first.ports); err != nil {
		return err
	}
	out.note(fmt.Sprintf("  %s stands by %s after its start.", first.address, seconds(time.Since(began))))
	r.longest.Store(0)
	if err := g.command(ctx, out, "move", destination, first.address); err != nil {
		return err
	}
	if _, err := g.nextOwner(ctx, second, r, w); err != nil {
		return err
	}
	out.note(fmt.Sprintf("  The longest pause at the client was %s.", millis(time.Duration(r.longest.Load()))))

	if err := w.stop(); err != nil {
		return err
	}
	if err := g.until(ctx, "the last row", func() (bool, error) { return r.last.Load() >= w.written.Load(), nil }); err != nil {
		return err
	}
	if n := r.missing.Load(); n > 0 {
		return fmt.Errorf("%d rows did not arrive", n)
	}
	out.title("Nothing was lost")
	out.note(fmt.Sprintf("%d rows were written and all arrived, in order. %d of them came a second time\nafter the kill: what a client has not acked is delivered again.", w.written.Load(), r.again.Load()))
	return nil
}

// nextOwner waits until another server than last runs the destination and the
// client has received a row that was written since then.
func (g *group) nextOwner(ctx context.Context, last *member, r *rows, w *writer) (next *member, err error) {
	err = g.until(ctx, "a new owner", func() (bool, error) {
		next, err = g.owner(ctx)
		return next != nil && next != last, err
	})
	if err != nil {
		return nil, err
	}
	target := w.written.Load() + 1
	return next, g.until(ctx, "a row after the change of the owner", func() (bool, error) { return r.last.Load() >= target, nil })
}

// writer inserts numbered rows.
type writer struct {
	written atomic.Int64
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // valid when done is closed
}

func startWriter(ctx context.Context, db *servers.Server) (*writer, error) {
	conn, err := db.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Execute("CREATE TABLE shop.ticket (id BIGINT PRIMARY KEY)"); err != nil {
		return nil, errors.Join(err, conn.Quit())
	}
	w := &writer{done: make(chan struct{})}
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		tick := time.NewTicker(writeEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				w.err = conn.Quit()
				return
			case <-tick.C:
			}
			if _, err := conn.Execute("INSERT INTO shop.ticket VALUES (" + strconv.FormatInt(w.written.Load()+1, 10) + ")"); err != nil {
				w.err = errors.Join(err, conn.Quit())
				return
			}
			w.written.Add(1)
		}
	}()
	return w, nil
}

// stop ends the writing; a second time does nothing.
func (w *writer) stop() error {
	w.cancel()
	<-w.done
	return w.err
}

// rows is what the client has received of the writer's rows.
type rows struct {
	last    atomic.Int64 // the highest
	missing atomic.Int64 // that were passed over
	again   atomic.Int64 // that had come before
	longest atomic.Int64 // pause between two rows, in nanoseconds
}

var ticket = regexp.MustCompile(`^INSERT shop\.ticket id=(\d+)`)

func (r *rows) read(lines <-chan string) {
	at := time.Now()
	for line := range lines {
		m := ticket.FindStringSubmatch(plain(line))
		if m == nil {
			continue
		}
		now := time.Now()
		r.longest.Store(max(r.longest.Load(), int64(now.Sub(at))))
		at = now
		id, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			continue // digits, and few
		}
		switch last := r.last.Load(); {
		case id <= last:
			r.again.Add(1)
		default:
			r.missing.Add(id - last - 1)
			r.last.Store(id)
		}
	}
}
