package e2e

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/testkit/admintest"
	"github.com/towpath-cdc/towpath/test/servers"
)

// managedHome is an installation with an admin that plays what a test says; its
// only file is canal_local.properties.
type managedHome struct {
	*home
	admin     *admintest.Admin
	adminPort int
}

// newManagedHome makes an installation that has the port for clients from its own
// file, or from the admin.
func newManagedHome(t testing.TB, admin *admintest.Admin, ownPort bool) *managedHome {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	h := &managedHome{home: newHome(t, nil), admin: admin, adminPort: port}
	h.remove("conf/canal.properties")
	set := settings{}
	if ownPort {
		set = h.clientPort()
	}
	h.write("conf/canal_local.properties", stock(t, "canal_local.properties", settings{
		"canal.register.ip": "127.0.0.1", "canal.ip": "127.0.0.1", "canal.metrics.pull.port": "0",
		"canal.admin.manager": admin.Addr(), "canal.admin.port": strconv.Itoa(port), "canal.admin.passwd": admintest.Hash,
	}.with(set)))
	return h
}

// clientPort is the setting that makes a server be found where its home says.
func (h *home) clientPort() settings { return settings{"canal.port": strconv.Itoa(h.port)} }

// serverText is a canal.properties for an admin, as it is shipped but for the ports,
// which canal_local.properties has.
func serverText(t testing.TB, set settings) string {
	return stock(t, "canal.properties", settings{"canal.destinations": "", "canal.auto.scan.interval": "1", "canal.instance.global.mode": "manager"}.with(set))
}

// instanceText is the text of an instance for an admin.
func instanceText(t testing.TB, addr string, set settings) string {
	return stock(t, "example/instance.properties", settings{"canal.instance.master.address": addr}.with(set))
}

// steer asks the admin port of a server.
func (h *managedHome) steer() *control.Client {
	c := control.NewClient(control.ClientOptions{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(h.adminPort)), User: admintest.User, Password: "admin"})
	h.t.Cleanup(c.Close)
	return c
}

// awaitOutput waits until the server has printed a text n times.
func (h *home) awaitOutput(text string, n int) {
	h.t.Helper()
	eventually(h.t, startLimit, "the server says "+text, func() bool { return strings.Count(h.output(), text) >= n })
}

const running = "## the canal server is running now"

// TestManagedLife: a writer writes and a client reads while the admin changes the
// configuration, says something wrong, goes away and comes back, and the server is
// killed. The client misses nothing (C8, C28, C29, P1, P6 to P8, P10).
func TestManagedLife(t *testing.T) {
	for name, kind := range map[string]servers.Kind{"mysql": servers.MySQL80, "mariadb": servers.MariaDB1011} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testManagedLife(t, sharedServer(t, kind), "managed_"+name)
		})
	}
}

func testManagedLife(t *testing.T, db *servers.Server, schema string) {
	admin := admintest.Start(t)
	h := newManagedHome(t, admin, false)
	w := newWriter(t, db, schema)
	admin.Server(serverText(t, h.clientPort()))
	text := instanceText(t, db.Addr(), at(end(t, db)).with(only(schema)))
	admin.Instance("example", text)
	admin.Down(true)
	h.launch()
	h.awaitOutput("load manager config failed.: requestGet remote error", 1)
	admin.Down(false)
	h.awaitPort()
	h.awaitOutput("start CanalInstances[example] successfully", 1)
	w.mustWrite(t, 50)
	r := read(t, h.options("example"), schema)
	r.await(w)
	more := func() {
		t.Helper()
		w.mustWrite(t, 50)
		r.await(w)
	}
	process := h.cmd.Process.Pid

	// Instances come, change and go.
	admin.Instance("second", text)
	h.awaitOutput("auto notify start second successful.", 1)
	admin.Instance("example", text, "canal.instance.detecting.enable = true")
	h.awaitOutput("auto notify reload example successful.", 1)
	more()
	admin.Remove("second")
	h.awaitOutput("auto notify stop second successful.", 1)

	// The server's text changes, is wrong, and is right again.
	admin.Server(serverText(t, h.clientPort().with(settings{"canal.instance.memory.buffer.size": "1024"})))
	h.awaitOutput(running, 2)
	more()
	admin.Server(serverText(t, settings{"canal.port": "any"}))
	h.awaitOutput("the configuration of the admin cannot be used; the server runs as before", 1)
	more()
	admin.Server(serverText(t, h.clientPort()))
	h.awaitOutput(running, 3)
	more()
	if h.cmd.Process.Pid != process {
		t.Error("the process is another one")
	}

	// The admin goes away: the server runs on, and is started without it.
	admin.Down(true)
	h.awaitOutput("scan failed", 1)
	more()
	for range 3 {
		h.kill()
		h.start()
		more()
	}
	if n := strings.Count(h.output(), "the server runs with what the admin said last"); n != 3 {
		t.Errorf("it is said %d times that the server runs with what is remembered, want 3", n)
	}
	admin.Instance("third", text)
	admin.Down(false)
	h.awaitOutput("auto notify start third successful.", 1)
	h.awaitOutput("the admin answers again", 1)

	// Another port for clients.
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	account := r.stop()
	h.port = port
	admin.Server(serverText(t, h.clientPort()))
	h.awaitPort()
	w.mustWrite(t, 10)
	rest := read(t, h.options("example"), schema)
	rest.await(w)
	if got, want := account.last, w.last.Load()-10; got != want {
		t.Errorf("changes up to %d came on the old port, want %d", got, want)
	}
	after := rest.stop()
	if first := after.last - int64(after.taken-after.again) + 1; first > account.last+1 {
		t.Errorf("the first change on the new port is %d, want %d", first, account.last+1)
	}
}

// TestManagedCluster: two servers with one admin and ZooKeeper. A release through the
// admin port moves the destination; with the admin away the servers take over from
// one another as ever, and one that was killed comes back from what it remembers.
func TestManagedCluster(t *testing.T) {
	t.Parallel()
	db := sharedServer(t, servers.MySQL80)
	z := newTree(t)
	admin := admintest.Start(t)
	w := newWriter(t, db, "managed_cluster")
	admin.Server(serverText(t, settings{"canal.zkServers": z.addr(z.zk.Addr()), "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml",
		"towpath.zookeeper.session.timeout": "4000", "towpath.cluster.rebalance": "false"}))
	admin.Instance("example", instanceText(t, db.Addr(), at(end(t, db)).with(only("managed_cluster"))))
	homes := make([]*managedHome, 2)
	for i := range homes {
		homes[i] = newManagedHome(t, admin, true)
	}
	homes[0].start()
	homes[0].awaitOutput("start CanalInstances[example] successfully", 1)
	homes[1].start()
	r := read(t, z.options("example"), "managed_cluster")
	w.mustWrite(t, 50)
	r.await(w)

	owner := func(i int) {
		t.Helper()
		eventually(t, startLimit, "the destination is on server "+strconv.Itoa(i), func() bool {
			got, err := homes[i].steer().Instance(t.Context(), "example", "check")
			return err == nil && got == "1"
		})
	}
	owner(0)
	action := func(i int, do func(context.Context, *control.Client) (string, error), want string) {
		t.Helper()
		if got, err := do(t.Context(), homes[i].steer()); err != nil || got != want {
			t.Errorf("server %d: %q, %v; want %q", i, got, err, want)
		}
	}
	release := func(ctx context.Context, c *control.Client) (string, error) {
		return c.Instance(ctx, "example", "release")
	}
	action(1, release, "1") // it does not run there: nothing happens
	owner(0)
	action(0, release, "1")
	owner(1)
	w.mustWrite(t, 50)
	r.await(w)
	action(1, func(ctx context.Context, c *control.Client) (string, error) { return c.Server(ctx, "stop") }, "1")
	owner(0)
	w.mustWrite(t, 50)
	r.await(w)
	action(1, func(ctx context.Context, c *control.Client) (string, error) { return c.Server(ctx, "start") }, "1")

	admin.Down(true)
	homes[0].kill()
	owner(1)
	w.mustWrite(t, 50)
	r.await(w)
	homes[0].start()
	homes[1].kill()
	owner(0)
	w.mustWrite(t, 50)
	r.await(w)
	r.stop().compare(w)
}
