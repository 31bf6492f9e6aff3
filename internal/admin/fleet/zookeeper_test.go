package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

const srvrAnswer = `Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC
Latency min/avg/max: 0/0.6125/27
Received: 11
Sent: 10
Connections: 3
Outstanding: 0
Zxid: 0x100000003
Mode: follower
Node count: 5
`

func TestParseSrvr(t *testing.T) {
	tests := []struct {
		name, answer string
		want         ZooKeeperServer
	}{
		{"follower", srvrAnswer, ZooKeeperServer{Condition: Serving, Mode: "follower", Version: "3.8.0", Connections: 3, LatencyMs: 0.6125}},
		{"3.4", "Zookeeper version: 3.4.13-4--1, built on 05/27/2019\nLatency min/avg/max: 0/0/0\nConnections: 1\nMode: standalone\n", ZooKeeperServer{Condition: Serving, Mode: "standalone", Version: "3.4.13", Connections: 1}},
		{"whitelist", "srvr is not executed because it is not in the whitelist.\n", ZooKeeperServer{Condition: ConditionUnknown}},
		{"no majority", "This ZooKeeper instance is not currently serving requests\n", ZooKeeperServer{Condition: NotServing}},
		{"read only", "Zookeeper version: 3.8.0-1\nMode: read-only\n", ZooKeeperServer{Condition: NotServing, Version: "3.8.0"}},
		{"a web server", "HTTP/1.1 400 Bad Request\r\n\r\n", ZooKeeperServer{Condition: NotZooKeeper}},
		{"nothing", "", ZooKeeperServer{Condition: NotZooKeeper}},
		{"an unknown mode", "Zookeeper version: 9\x1b[31m<b>\nMode: <script>\n", ZooKeeperServer{Condition: ConditionUnknown, Version: "9[31m<b>"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got ZooKeeperServer
			parseSrvr(&got, tt.answer)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func FuzzParseSrvr(f *testing.F) {
	f.Add(srvrAnswer)
	f.Add("Latency min/avg/max: //\nConnections: -\nZookeeper version: -\n")
	f.Fuzz(func(t *testing.T, answer string) {
		var s ZooKeeperServer
		parseSrvr(&s, answer)
		if strings.ContainsFunc(s.Version+s.Mode, func(c rune) bool { return c <= ' ' || c > '~' }) || len(s.Version) > 40 {
			t.Errorf("told on: %+v", s)
		}
	})
}

func TestVerdict(t *testing.T) {
	leader, follower, alone := ZooKeeperServer{Mode: "leader"}, ZooKeeperServer{Mode: "follower"}, ZooKeeperServer{Mode: "standalone"}
	silent, gone, waits := ZooKeeperServer{Condition: ServingSilent}, ZooKeeperServer{Condition: Unreachable}, ZooKeeperServer{Condition: NotServing}
	observer := ZooKeeperServer{Mode: "observer"}
	tests := []struct {
		name    string
		servers []ZooKeeperServer
		want    Verdict
	}{
		{"alone", []ZooKeeperServer{alone}, VerdictOK},
		{"three", []ZooKeeperServer{leader, follower, follower}, VerdictOK},
		{"one gone", []ZooKeeperServer{leader, gone, follower}, VerdictOK},
		{"two gone", []ZooKeeperServer{gone, gone, waits}, VerdictMinority},
		{"all gone", []ZooKeeperServer{gone, gone, gone}, VerdictUnreachable},
		{"observer", []ZooKeeperServer{leader, follower, follower, observer}, VerdictOK},
		{"leader not named", []ZooKeeperServer{follower, follower}, VerdictNoLeader},
		{"silent", []ZooKeeperServer{silent, silent, gone}, VerdictOK},
		{"two alone", []ZooKeeperServer{alone, alone}, VerdictSeparate},
		{"one alone beside an ensemble", []ZooKeeperServer{alone, leader, follower}, VerdictSeparate},
		{"waiting", []ZooKeeperServer{waits}, VerdictMinority},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict(tt.servers); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCheckPath(t *testing.T) {
	for path, ok := range map[string]bool{
		"/": true, "/otter/canal": true, "/a b/é": true, "/a:1": true,
		"": false, "otter": false, "/otter/": false, "//": false, "/a//b": false, "/a/../b": false, "/.": false, "/a\x00": false, "/a\n": false,
		"/\xff": false, "/" + strings.Repeat("x", maxNodePath): false,
	} {
		if err := CheckPath(path); (err == nil) != ok {
			t.Errorf("CheckPath(%q) = %v", path, err)
		}
	}
	for address, ok := range map[string]bool{"10.0.0.1:11111": true, "[::1]:1": true, "a/b:1": false, "10.0.0.1": false, ":1": false, "a b:1": false, "..:1/..": false} {
		if err := checkServerAddress(address); (err == nil) != ok {
			t.Errorf("checkServerAddress(%q) = %v", address, err)
		}
	}
}

func TestCheckZooKeeper(t *testing.T) {
	f := newFleet(t, nil)
	open := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	got := f.CheckZooKeeper(t.Context(), open.Addr())
	if !got.OK() || got.Servers[0].Mode != "standalone" || got.Servers[0].Version == "" {
		t.Errorf("standalone: %+v", got)
	}
	port, _ := accepting(t)
	mute := fmt.Sprintf("127.0.0.1:%d", port)
	got = f.CheckZooKeeper(t.Context(), fmt.Sprintf("%s,%s,127.0.0.1:%d", open.Addr(), mute, closedPort(t)))
	if got.Verdict != VerdictMinority || got.Servers[1].Condition != Unreachable || got.Servers[2].Condition != Unreachable {
		t.Errorf("one of three: %+v", got)
	}
	if got := f.CheckZooKeeper(t.Context(), talker(t, "HTTP/1.1 400 Bad Request\r\n\r\n")); got.Verdict != VerdictUnreachable || got.Servers[0].Condition != NotZooKeeper {
		t.Errorf("a web server: %+v", got)
	}
	for _, hosts := range []string{"", "a b:1", "x:99999", strings.Repeat("h:1,", maxEnsemble+1)} {
		if got := f.CheckZooKeeper(t.Context(), hosts); got.Verdict != VerdictWrong || got.Err == nil {
			t.Errorf("%.20q: %+v", hosts, got)
		}
	}
}

// TestCheckSilentZooKeeper: a server that may not answer srvr is asked for a
// session.
func TestCheckSilentZooKeeper(t *testing.T) {
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	f := newFleet(t, nil, func(*Options) {})
	front := whitelistFront(t, z.Addr())
	got := f.CheckZooKeeper(t.Context(), front)
	if !got.OK() || got.Servers[0].Condition != ServingSilent {
		t.Errorf("got %+v", got)
	}
}

// talker listens and says one thing to whoever comes.
func talker(t *testing.T, say string) string {
	return listen(t, func(c net.Conn) { fmt.Fprint(c, say) })
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

// whitelistFront is in front of a ZooKeeper and answers srvr as one does whose
// 4lw.commands.whitelist leaves it out.
func whitelistFront(t *testing.T, to string) string {
	return listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		head, err := in.Peek(4)
		if err != nil {
			return
		}
		if string(head) == "srvr" {
			fmt.Fprint(c, "srvr is not executed because it is not in the whitelist.\n")
			return
		}
		back, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer back.Close()
		done := make(chan struct{})
		go func() { defer close(done); _, _ = in.WriteTo(back); back.Close() }()
		_, _ = bufio.NewReader(back).WriteTo(c)
		c.Close()
		<-done
	})
}

// TestTree reads what a cluster has in a real ZooKeeper.
func TestTree(t *testing.T) {
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	rows := &stored{}
	c := database.Cluster{ID: 1, Name: "c", ZKHosts: z.Addr()}
	rows.clusters = []database.Cluster{c}
	f := newFleet(t, rows)
	client, err := zk.Open(zk.Config{Servers: z.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.Background()) //nolint:errcheck // the server ends, too
	s, err := client.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	create := func(path, data string, mode zk.Mode) {
		t.Helper()
		if err := s.CreateParents(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(t.Context(), path, []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	create(zktree.Server("10.0.0.1:11111"), "", zk.Ephemeral)
	create(zktree.Running("example"), `{"active":true,"address":"10.0.0.1:11111"}`, zk.Ephemeral)
	create(zktree.Filter("example", 1001), `.*\..*`, zk.Persistent)
	create("/big", strings.Repeat("x", maxNodeData+1), zk.Persistent)

	n, err := f.Node(t.Context(), c, zktree.Destination("example"))
	if err != nil || len(n.Children) != 2 || n.Children[0] != (NodeChild{"1001", 1, false}) || n.Children[1] != (NodeChild{"running", 0, true}) {
		t.Errorf("node = %+v, %v", n, err)
	}
	if n, err := f.Node(t.Context(), c, "/big"); err != nil || len(n.Data) != maxNodeData || n.Stat.DataLength != maxNodeData+1 {
		t.Errorf("big node: %d bytes, %v", len(n.Data), err)
	}
	if _, err := f.Node(t.Context(), c, "/none"); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("missing node: %v", err)
	}
	if _, err := f.Node(t.Context(), c, "/../x"); !errors.Is(err, ErrBadPath) {
		t.Errorf("bad path: %v", err)
	}
	o, err := f.Overview(t.Context(), c)
	if err != nil || len(o.Servers) != 1 || len(o.Destinations) != 1 || o.Destinations[0].Owner != "10.0.0.1:11111" {
		t.Errorf("overview = %+v, %v", o, err)
	}
	if subscriptions, err := f.Cursors(t.Context(), c, "example"); err != nil || len(subscriptions) != 1 || subscriptions[0].Filter != `.*\..*` {
		t.Errorf("cursors = %+v, %v", subscriptions, err)
	}
	testOrders(t, f, c)
}

// testOrders: orders that cannot be carried out say why.
func testOrders(t *testing.T, f *Fleet, c database.Cluster) {
	t.Helper()
	if err := f.Drain(t.Context(), c, "10.0.0.1:11111"); !errors.Is(err, ErrNotTowpath) {
		t.Errorf("drain of a Java server: %v", err)
	}
	if err := f.Drain(t.Context(), c, "../x:1"); !errors.Is(err, ErrBadAddress) {
		t.Errorf("drain of no address: %v", err)
	}
	if was, err := f.Undrain(t.Context(), c, "10.0.0.1:11111"); was || err != nil {
		t.Errorf("undrain = %v, %v", was, err)
	}
	if _, err := f.Move(t.Context(), c, "example", "10.0.0.9:1", "me"); !errors.Is(err, cluster.ErrWrongTarget) {
		t.Errorf("move to nobody: %v", err)
	}
	if _, err := f.Move(t.Context(), c, "../x", "10.0.0.9:1", "me"); !errors.Is(err, ErrBadDestination) {
		t.Errorf("move of no destination: %v", err)
	}
	if _, _, err := f.Release(t.Context(), c, "nobody"); !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("release of what nobody runs: %v", err)
	}
}

// TestDeadZooKeeper: one that does not answer is remembered, and sessions that
// nobody uses are closed.
func TestDeadZooKeeper(t *testing.T) {
	c := database.Cluster{ID: 1, Name: "c", ZKHosts: fmt.Sprintf("127.0.0.1:%d", closedPort(t))}
	now := time.Now()
	f := newFleet(t, &stored{clusters: []database.Cluster{c}}, func(o *Options) { o.Now = func() time.Time { return now } })
	if _, err := f.Overview(t.Context(), c); err == nil {
		t.Fatal("no error")
	}
	begun := time.Now()
	if _, err := f.Node(t.Context(), c, "/"); err == nil {
		t.Fatal("no error")
	}
	if took := time.Since(begun); took > zooTimeout/2 {
		t.Errorf("the second question took %v", took)
	}
	now = now.Add(zooIdle + time.Second)
	f.zoo.closeIdle(f)
	if len(f.zoo.all) != 0 {
		t.Error("an idle session is kept")
	}
	if _, err := f.Overview(t.Context(), database.Cluster{ID: 2}); !errors.Is(err, ErrNoZooKeeper) {
		t.Errorf("without addresses: %v", err)
	}
}

func TestZooKeeperKeys(t *testing.T) {
	auth, secure := zooKeeperKeys("canal.id = 1\ntowpath.zookeeper.auth = u:p\ntowpath.zookeeper.tls = true\n")
	if auth != "u:p" || !secure {
		t.Errorf("got %q, %v", auth, secure)
	}
	if auth, secure := zooKeeperKeys(`broken = \u12`); auth != "" || secure {
		t.Errorf("got %q, %v", auth, secure)
	}
}
