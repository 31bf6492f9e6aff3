package e2e

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestClusterTree looks at all that one server and one client keep in ZooKeeper:
// the nodes, who they belong to and what they hold have to be Canal's to the byte.
func TestClusterTree(t *testing.T) {
	t.Parallel()
	const d, registered = "a-b.c", "127.0.0.3"
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "cluster_tree")
	z := newTree(t)
	h := newMember(t, z.addr(z.zk.Addr()), settings{"canal.register.ip": registered, "canal.ip": ""})
	h.instance(d, db.Addr(), at(end(t, db)))
	h.start()
	address := net.JoinHostPort(registered, strconv.Itoa(h.port))
	eventually(t, startLimit, "the server runs the destination", func() bool { return z.running(d) == address && h.serves(d) })
	o := z.options(d)
	c, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), `cluster_tree\..*`); err != nil {
		t.Fatal(err)
	}
	if c.Addr() != address {
		t.Errorf("the client is connected to %s, want %s", c.Addr(), address)
	}
	w.mustWrite(t, 1)
	want := ackOne(t, c, db)
	began := time.Now()
	cursor := zktree.Cursor(d, 1001)
	eventually(t, startLimit, "the cursor is "+want, func() bool {
		got, _, _ := z.get(cursor)
		return got == want
	})
	if took := time.Since(began); took > 1500*time.Millisecond+slack {
		t.Errorf("the cursor came %v after the ack", took)
	}

	const root = "/otter/canal"
	held := h.session(z)
	mine, me, _ := z.get(zktree.RunningClient(d, 1001))
	type node struct {
		data  string
		owner int64
	}
	nodes := map[string]node{
		"/otter": {}, root: {}, root + "/cluster": {}, root + "/cluster/" + address: {owner: held},
		root + "/destinations": {}, root + "/destinations/a-b.c": {}, root + "/destinations/a-b.c/cluster": {},
		root + "/destinations/a-b.c/cluster/" + address: {owner: held},
		root + "/destinations/a-b.c/running":            {`{"active":true,"address":"` + address + `"}`, held},
		root + "/destinations/a-b.c/1001":               {},
		root + "/destinations/a-b.c/1001/filter":        {`cluster_tree\..*`, 0},
		root + "/destinations/a-b.c/1001/cursor":        {want, 0},
		root + "/destinations/a-b.c/1001/running":       {mine, me.EphemeralOwner},
	}
	if !clientRunning.MatchString(mine) {
		t.Errorf("the client's running node has %q", mine)
	}
	if held == 0 || me.EphemeralOwner == 0 || me.EphemeralOwner == held {
		t.Errorf("the sessions are %#x of the server and %#x of the client", held, me.EphemeralOwner)
	}
	if me.Version != 1 {
		t.Errorf("the client's running node was written %d times, want 1 after it was made", me.Version)
	}
	for path, want := range nodes {
		data, st, ok := z.get(path)
		if !ok || data != want.data || st.EphemeralOwner != want.owner || int(st.DataLength) != len(want.data) {
			t.Errorf("%s: %v, %q, %+v; want %q of session %#x", path, ok, data, st, want.data, want.owner)
		}
	}
	if _, st, _ := z.get(zktree.Running(d)); st.Version != 0 {
		t.Errorf("the running node was written %d times", st.Version)
	}
	if got, want := listed(t, z, "/otter"), slices.Sorted(maps.Keys(nodes)); !slices.Equal(got, want) {
		t.Errorf("zkCli lists\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// A subscription without a filter leaves the old one, as in Canal.
	if err := c.Subscribe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	w.mustWrite(t, 1)
	want = ackOne(t, c, db)
	eventually(t, startLimit, "the next cursor comes", func() bool { got, _, _ := z.get(cursor); return got == want })
	if got, _, _ := z.get(zktree.Filter(d, 1001)); got != `cluster_tree\..*` {
		t.Errorf("after a subscription without a filter the node has %q", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := o.ZooKeeper.Close(); err != nil {
		t.Fatal(err)
	}
	h.stop()
	for path, n := range nodes {
		if z.exists(path) != (n.owner == 0) {
			t.Errorf("after the end %s exists: %v", path, n.owner != 0)
		}
	}
}

// session is the server's session with ZooKeeper.
func (h *home) session(z *tree) int64 {
	var owner int64
	eventually(h.t, startLimit, "the server is in the cluster", func() bool {
		for _, address := range z.children(zktree.Servers) {
			if strings.HasSuffix(address, ":"+strconv.Itoa(h.port)) {
				owner = z.owner(zktree.Server(address))
			}
		}
		return owner != 0
	})
	return owner
}

// clientRunning is the node of a client that is connected: Canal's members, and
// behind them one that Java passes over.
var clientRunning = regexp.MustCompile(`^\{"active":true,"address":"127\.0\.0\.1:\d+","clientId":1001(,"towpath":"\w+")?\}$`)

// listed are the nodes that zkCli lists.
func listed(t testing.TB, z *tree, path string) []string {
	t.Helper()
	out, err := z.zk.CLI("ls", "-R", z.root+path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), z.root); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ackOne gets batches up to the end of a transaction, acks them, and returns the
// cursor that this makes.
func ackOne(t testing.TB, c *client.Conn, db *servers.Server) string {
	t.Helper()
	host, port, err := net.SplitHostPort(db.Addr())
	if err != nil {
		t.Fatal(err)
	}
	cursor := ""
	for cursor == "" {
		b, err := c.GetWithoutAck(t.Context(), 100, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range b.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			if h := e.Header(); e.EntryType() == protocol.EntryTransactionEnd {
				cursor = fmt.Sprintf(`{"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,"sourceAddress":{"address":"%s","port":%s}},`+
					`"postion":{"gtid":"","included":false,"journalName":"%s","position":%d,"serverId":%d,"timestamp":%d}}`,
					host, port, h.LogfileName(), h.LogfileOffset(), h.ServerID(), h.ExecuteTime())
			}
		}
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	return cursor
}

// TestClusterNodes has two servers, and people and programs that change files and
// nodes under them. Each case has a destination of its own.
func TestClusterNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, sharedServer(t, servers.MySQL80), settings{"canal.instance.unhurried.lazy": "true"})
	c.start()
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, c *cluster)
	}{
		{"active_false", testActiveFalse},
		{"deleted", testRunningDeleted},
		{"overwritten", testRunningOverwritten},
		{"foreign_cursors", testForeignCursors},
		{"old_marks", testOldMarks},
		{"junk", testJunkDestination},
		{"cannot_start", testCannotStart},
		{"wrong_file", testWrongFile},
		{"files", testClusterFiles},
		{"lazy", testClusterLazy},
		{"unsubscribe", testUnsubscribe},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own, view := *c, *c.tree
			own.tree, view.t = &view, t
			own.homes = nil
			for _, h := range c.homes {
				seen := *h
				seen.t = t
				own.homes = append(own.homes, &seen)
			}
			tt.run(t, &own)
		})
	}
}

// testActiveFalse asks the owner to give a destination up, as Canal's tools do.
func testActiveFalse(t *testing.T, c *cluster) {
	const d = "asked"
	w := newWriter(t, c.db, d)
	c.instance(d, at(end(t, c.db)).with(only(d)))
	a := c.leader(d)
	r := read(t, c.options(d), d)
	w.mustWrite(t, 50)
	r.await(w)
	if text := c.homes[1-a].refusal(d); !strings.Contains(text, notStarted) {
		t.Errorf("the server that stands by says %q", text)
	}
	for _, h := range c.homes { // one may find the new folder a moment later
		eventually(t, startLimit, h.addr()+" is among the competitors", func() bool { return c.exists(zktree.Competitor(d, h.addr())) })
	}
	for i := range 2 {
		owner := (a + i) % 2
		began := time.Now()
		c.put(zktree.Running(d), string(zktree.ServerRunning{Active: false, Address: c.homes[owner].addr()}.Append(nil)))
		c.awaitLeader(d, 1-owner)
		t.Logf("moved after %v", time.Since(began).Round(time.Millisecond))
		if took := time.Since(began); took > time.Second+slack {
			t.Errorf("it took %v until the other server had the destination", took)
		}
		if c.homes[owner].serves(d) {
			t.Error("the server that was asked runs the instance still")
		}
		w.mustWrite(t, 50)
		r.await(w)
	}
	r.stop().compare(w)
}

// testRunningDeleted deletes the node of the owner: it makes it again, and its
// clients notice nothing.
func testRunningDeleted(t *testing.T, c *cluster) {
	const d = "deleted"
	w := newWriter(t, c.db, d)
	c.instance(d, at(end(t, c.db)).with(only(d)))
	a := c.leader(d)
	o := c.options(d)
	seen := watch(&o)
	r := read(t, o, d)
	stop := keepWriting(t, w)
	eventually(t, startLimit, "the client reads", func() bool { return r.last.Load() > 0 })
	starts := c.homes[a].starts(d)
	for range 3 {
		_, before, _ := c.get(zktree.Running(d))
		began := time.Now()
		c.remove(zktree.Running(d))
		eventually(t, startLimit, "the node is made again", func() bool {
			_, st, ok := c.get(zktree.Running(d))
			return ok && st.Czxid != before.Czxid
		})
		t.Logf("made again after %v", time.Since(began).Round(time.Millisecond))
		if took := time.Since(began); took > slack {
			t.Errorf("the node was made again after %v", took)
		}
		if got := c.leader(d); got != a {
			t.Fatal("the other server has taken the destination")
		}
	}
	stop()
	r.await(w)
	if n := c.homes[a].starts(d) - starts; n != 0 {
		t.Errorf("the instance was started %d times again", n)
	}
	got := r.stop()
	got.compare(w)
	if n := seen.connections(); n != 1 || got.again != 0 {
		t.Errorf("the client connected %d times and got %d changes again", n, got.again)
	}
}

// testRunningOverwritten puts another server's address into the owner's node.
func testRunningOverwritten(t *testing.T, c *cluster) {
	const d = "overwritten"
	w := newWriter(t, c.db, d)
	c.instance(d, at(end(t, c.db)).with(only(d)))
	a := c.leader(d)
	r := read(t, c.options(d), d)
	w.mustWrite(t, 50)
	r.await(w)
	c.put(zktree.Running(d), `{"active":true,"address":"192.0.2.1:11111"}`)
	eventually(t, startLimit, "the owner stops its instance", func() bool { return !c.homes[a].serves(d) })
	c.awaitLeader(d, 1-a)
	w.mustWrite(t, 50)
	r.await(w)
	r.stop().compare(w)
	if out := c.homes[a].log(d); !strings.Contains(out, "192.0.2.1:11111") {
		t.Error("the log does not name the server that took the node")
	}
}

// testForeignCursors begins at cursors that other programs have written.
func testForeignCursors(t *testing.T, c *cluster) {
	const schema = "cursors"
	w := newWriter(t, c.db, schema)
	first := end(t, c.db)
	w.mustWrite(t, 30)
	middle, half := end(t, c.db), w.last.Load()
	w.mustWrite(t, 30)
	last := end(t, c.db)
	host, port, err := net.SplitHostPort(c.db.Addr())
	if err != nil {
		t.Fatal(err)
	}
	const kind = `"@type":"com.alibaba.otter.canal.protocol.position.LogPosition"`
	identity := func(host, port string) string {
		return fmt.Sprintf(`"identity":{"slaveId":-1,"sourceAddress":{"address":%s,"port":%s}}`, host, port)
	}
	here := identity(strconv.Quote(host), port)
	position := fmt.Sprintf(`"journalName":"%s","position":%d,"timestamp":%d`, middle.file, middle.offset, time.Now().UnixMilli())
	for _, tt := range []struct {
		name, cursor string
		from         place // that is configured
		want         int64 // the first change that comes
	}{
		{"java", `{` + kind + `,` + identity(`"localhost"`, port) + `,"postion":{"gtid":"","included":false,"serverId":1,` + position + `}}`, first, half + 1},
		{"old", `{` + kind + `,` + identity(`"localhost"`, port) + `,"postion":{` + position + `}}`, first, half + 1},
		{"untyped", `{` + here + `,"postion":{"included":false,` + position + `}}`, first, half + 1},
		{"unknown_keys", `{"new":[{"a":1}],"postion":{"more":{"b":null},` + position + `},` + here + `,` + kind + `}`, first, half + 1},
		{"empty", ``, first, 1},
		// A cursor of another source is found by its time, a minute earlier.
		{"other_source", `{` + kind + `,` + identity(`"192.0.2.7"`, "3306") + `,"postion":{"gtid":"","included":false,"serverId":77,` + position + `}}`, last, 1},
	} {
		d := "cursor_" + tt.name
		c.put(zktree.Cursor(d, 1001), tt.cursor)
		c.instance(d, at(tt.from).with(only(schema)))
		t.Run(tt.name, func(t *testing.T) {
			a := newAccount(t)
			consumer := client.NewConsumer(client.ConsumerOptions{Options: c.options(d), Retry: soon})
			began := int64(0)
			for b, err := range consumer.Batches(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				a.batch(b, schema)
				if began == 0 && a.taken > 0 {
					began = a.last - int64(a.taken) + 1
				}
				if err := b.Ack(); err != nil {
					t.Fatal(err)
				}
				if a.last == w.last.Load() {
					break
				}
			}
			if began != tt.want {
				t.Errorf("change %d came first, want %d", began, tt.want)
			}
		})
	}
}

// testOldMarks leaves the batches that Canal's mixed meta manager keeps.
func testOldMarks(t *testing.T, c *cluster) {
	const d = "marks"
	w := newWriter(t, c.db, d)
	from := end(t, c.db)
	w.mustWrite(t, 20)
	position := fmt.Sprintf(`{"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,"sourceAddress":{"address":"127.0.0.1","port":%s}},`+
		`"postion":{"gtid":"","included":false,"journalName":"%s","position":%d,"serverId":1,"timestamp":%d}}`,
		c.db.Addr()[strings.LastIndex(c.db.Addr(), ":")+1:], from.file, from.offset, time.Now().UnixMilli())
	c.put(zktree.Cursor(d, 1001), position)
	for _, batch := range []int64{7, 8} {
		c.put(zktree.Mark(d, 1001, batch), `{"@type":"com.alibaba.otter.canal.protocol.position.PositionRange","ack":`+position+`,"end":`+position+`,"endSeq":12,"start":`+position+`}`)
	}
	c.instance(d, at(end(t, c.db)).with(only(d)))
	a := c.leader(d)
	conn := c.homes[a].dial(d)
	if err := conn.Rollback(); err != nil {
		t.Fatal(err)
	}
	got := newAccount(t)
	for got.last < w.last.Load() {
		b, err := conn.GetWithoutAck(t.Context(), 16, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		got.batch(b, d)
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	got.compare(w)
	eventually(t, startLimit, "the cursor moves", func() bool { p, _ := c.cursor(d); return from.before(p) })
}

// testJunkDestination subscribes to what nobody has configured.
func testJunkDestination(t *testing.T, c *cluster) {
	const d = "junk"
	for _, h := range c.homes {
		if text := h.refusal(d); !strings.Contains(text, notStarted) {
			t.Errorf("a subscription to a destination that is not there says %q", text)
		}
	}
	for _, path := range []string{zktree.Destination(d), zktree.TowpathDestination(d)} {
		if c.exists(path) {
			t.Errorf("it has left the node %s", path)
		}
	}
}

// testCannotStart has a destination that starts on neither server, because its
// cursor is none. Nobody may hold it, and once it is mended it is started.
func testCannotStart(t *testing.T, c *cluster) {
	const d = "broken"
	w := newWriter(t, c.db, d)
	from := at(end(t, c.db)).with(only(d))
	c.put(zktree.Cursor(d, 1001), "no cursor at all")
	c.instance(d, from)
	const failed = "the instance did not start"
	for _, h := range c.homes {
		h.awaitLog(d, failed, 2)
		if !strings.Contains(h.log(d), zktree.Cursor(d, 1001)) {
			t.Error("the log does not name the node")
		}
		if text := h.refusal(d); !strings.Contains(text, notStarted) {
			t.Errorf("a server on which it does not start says %q", text)
		}
	}
	eventually(t, startLimit, "nobody holds the destination", func() bool { return !c.exists(zktree.Running(d)) })
	c.put(zktree.Cursor(d, 1001), "")
	c.leader(d)
	w.mustWrite(t, 20)
	r := read(t, c.options(d), d)
	r.await(w)
	r.stop().compare(w)
	for _, h := range c.homes {
		if n := strings.Count(h.log(d), failed); n > 20 {
			t.Errorf("it was tried %d times", n)
		}
	}
}

// testWrongFile has a wrong file on one server, so that the other one leads.
func testWrongFile(t *testing.T, c *cluster) {
	const d = "wrong"
	w := newWriter(t, c.db, d)
	from := at(end(t, c.db)).with(only(d))
	wrong := from.with(settings{"canal.instance.memory.buffer.size": "1000"})
	c.homes[0].instance(d, c.db.Addr(), wrong)
	eventually(t, startLimit, "the file is refused", func() bool { return strings.Contains(c.homes[0].output(), "instance=wrong") })
	if c.exists(zktree.Running(d)) || c.exists(zktree.Competitor(d, c.homes[0].addr())) {
		t.Error("a server competes for what it cannot start")
	}
	c.homes[1].instance(d, c.db.Addr(), from)
	c.awaitLeader(d, 1)
	r := read(t, c.options(d), d)
	w.mustWrite(t, 20)
	r.await(w)

	// Mended, it stands by; broken on the other server, it moves.
	c.homes[0].instance(d, c.db.Addr(), from)
	eventually(t, startLimit, "the mended file is taken up", func() bool { return c.exists(zktree.Competitor(d, c.homes[0].addr())) })
	c.homes[1].instance(d, c.db.Addr(), wrong)
	c.awaitLeader(d, 0)
	w.mustWrite(t, 20)
	r.await(w)
	r.stop().compare(w)
	eventually(t, startLimit, "the server that has a wrong file does not compete", func() bool { return !c.exists(zktree.Competitor(d, c.homes[1].addr())) })
}

// testClusterFiles adds, changes and removes the file of a destination.
func testClusterFiles(t *testing.T, c *cluster) {
	const d, interval = "files", time.Second
	w := newWriter(t, c.db, "cluster_files")
	from := at(end(t, c.db)).with(only("cluster_files"))
	began := time.Now()
	c.instance(d, from)
	a := c.leader(d)
	if took := time.Since(began); took > interval+time.Second+slack {
		t.Errorf("an added file was taken up after %v", took)
	}
	r := read(t, c.options(d), "cluster_files")
	w.mustWrite(t, 20)
	r.await(w)

	_, before, _ := c.get(zktree.Running(d))
	starts := c.homes[a].starts(d)
	c.instance(d, from.with(settings{"canal.instance.memory.buffer.size": "1024"}))
	eventually(t, startLimit, "the instance is started anew", func() bool { return c.homes[a].starts(d) > starts })
	w.mustWrite(t, 20)
	r.await(w)
	if _, now, ok := c.get(zktree.Running(d)); !ok || now.Czxid != before.Czxid {
		t.Error("the server gave the destination up for a reload")
	}
	r.stop().compare(w)

	began = time.Now()
	for _, h := range c.homes {
		if err := os.Remove(filepath.Join(h.dir, "conf", d, "instance.properties")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, startLimit, "nothing of the servers is left", func() bool {
		return len(c.children(zktree.Competitors(d))) == 0 && !c.exists(zktree.Running(d))
	})
	if took := time.Since(began); took > interval+time.Second+slack {
		t.Errorf("a removed file was noticed after %v", took)
	}
	if _, ok := c.cursor(d); !ok {
		t.Error("the cursor has gone, too")
	}
}

// testClusterLazy has a destination that nobody runs before its first client.
func testClusterLazy(t *testing.T, c *cluster) {
	const d = "unhurried" // made lazy by TestClusterNodes
	w := newWriter(t, c.db, d)
	from := at(end(t, c.db)).with(only(d))
	c.instance(d, from)
	for _, h := range c.homes {
		eventually(t, startLimit, "the lazy instance is known", func() bool {
			return strings.Contains(h.output(), "the instance is lazy and starts with its first client instance="+d)
		})
	}
	if c.exists(zktree.Running(d)) || len(c.children(zktree.Competitors(d))) > 0 {
		t.Error("a server competes for a lazy destination that nobody has asked for")
	}
	w.mustWrite(t, 20)
	r := read(t, c.homes[1].options(d), d)
	r.await(w)
	c.awaitLeader(d, 1)
	if c.homes[0].starts(d) > 0 {
		t.Error("the other server has started it, too")
	}
	r.stop().compare(w)
}

// testUnsubscribe ends a subscription with an ack that is not written yet.
func testUnsubscribe(t *testing.T, c *cluster) {
	const d = "quitter"
	w := newWriter(t, c.db, d)
	c.instance(d, at(end(t, c.db)).with(only(d)))
	conn := c.homes[c.leader(d)].dial(d)
	eventually(t, startLimit, "the subscription is written", func() bool { return c.exists(zktree.Client(d, 1001)) })
	w.mustWrite(t, 5)
	ackOne(t, conn, c.db)
	if err := conn.Unsubscribe(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, startLimit, "the client's node goes", func() bool { return !c.exists(zktree.Client(d, 1001)) })
	// A write that was due would come within a second.
	deadline := time.After(2 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if c.exists(zktree.Client(d, 1001)) {
				t.Fatal("the client's node is back")
			}
		case <-deadline:
			return
		}
	}
}
