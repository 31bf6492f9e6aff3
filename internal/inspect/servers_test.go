package inspect

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// rows gets until it has n inserted rows, and returns their ids in order. It acks
// everything but the last batch, which is returned.
func rows(t *testing.T, c *client.Conn, n int) (ids []int, last *client.Batch) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for len(ids) < n {
		if time.Now().After(deadline) {
			t.Fatalf("got rows %v, want %d", ids, n)
		}
		if last != nil {
			if err := last.Ack(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if last, err = c.GetWithoutAck(t.Context(), 3, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, inserted(t, last)...)
	}
	return ids, last
}

// inserted are the ids of the rows of table t in a batch.
func inserted(t *testing.T, b *client.Batch) (ids []int) {
	t.Helper()
	for e, err := range b.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		if e.EntryType() != protocol.EntryRowData || e.Header().TableName() != "t" {
			continue
		}
		change, err := e.RowChange()
		if err != nil {
			t.Fatal(err)
		}
		for row := range change.Rows() {
			for column := range row.After() {
				if column.Name() != "id" {
					continue
				}
				id, err := strconv.Atoi(column.Value())
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func upTo(from, to int) (ids []int) {
	for n := from; n <= to; n++ {
		ids = append(ids, n)
	}
	return ids
}

// history is a real source with three binlog files of rows in table t.
type history struct {
	*servers.Server
	t     *testing.T
	first int      // of the rows
	files []string // first file is where the table is made
	half  int64    // ms: the time after row first+5 and before row first+6
	set   string   // GTIDs up to row first+4
}

func (h *history) insert(from, to int) {
	for n := from; n <= to; n++ {
		h.MustExec(h.t, fmt.Sprintf("insert into s.t values (%d, 'row %d')", n, n))
	}
}

func (h *history) file() string {
	h.t.Helper()
	status := "show master status"
	r, err := h.Query(h.t.Context(), status)
	if err != nil {
		h.t.Fatal(err)
	}
	return r[0][0]
}

func (h *history) value(query string) string {
	h.t.Helper()
	r, err := h.Query(h.t.Context(), query)
	if err != nil {
		h.t.Fatal(err)
	}
	return r[0][0]
}

// newHistory writes rows 1 to 12: 1 to 3 in the first file, 4 to 9 in the second one,
// with more than a second around the time between 6 and 7, 10 to 12 in the third one.
func newHistory(t *testing.T, kind servers.Kind) *history {
	h := &history{Server: servers.ForTest(t, kind), t: t}
	h.MustExec(t, "create database s", "create table s.t (id int primary key, v varchar(100))")
	h.files = append(h.files, h.file())
	h.insert(1, 3)
	h.MustExec(t, "flush binary logs")
	h.files = append(h.files, h.file())
	h.insert(4, 5)
	if kind.IsMariaDB() {
		h.set = h.value("select @@global.gtid_binlog_pos")
	} else {
		h.set = h.value("select @@global.gtid_executed")
	}
	h.insert(6, 6)
	h.value("select sleep(1.2)")
	seconds, err := strconv.ParseFloat(h.value("select unix_timestamp()"), 64)
	if err != nil {
		t.Fatal(err)
	}
	h.half = int64(seconds) * 1000
	h.value("select sleep(1.2)")
	h.insert(7, 9)
	h.MustExec(t, "flush binary logs")
	h.files = append(h.files, h.file())
	h.insert(10, 12)
	return h
}

// TestSeekOnServers moves a connected client about in the binlogs of real servers:
// read by position and by GTID, with the cursors in a file and in memory.
func TestSeekOnServers(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MySQL57, servers.MySQL80, servers.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			h := newHistory(t, kind)
			w := newWorld(t)
			for _, c := range []struct {
				d, profile string
				gtid       bool
			}{{"file", "file", false}, {"file-gtid", "file", true}, {"memory", "memory", false}, {"memory-gtid", "memory", true}} {
				w.destination(c.d, h.Addr(), "canal.instance.gtidon = "+strconv.FormatBool(c.gtid), "canal.instance.filter.regex = s\\\\..*")
			}
			w.write("canal.properties", "canal.instance.memory.spring.xml = classpath:spring/memory-instance.xml",
				"canal.instance.memory-gtid.spring.xml = classpath:spring/memory-instance.xml", "canal.file.flush.period = 20", "canal.instance.memory.batch.mode = ITEMSIZE")
			w.up()
			for _, d := range []string{"file", "file-gtid", "memory", "memory-gtid"} {
				t.Run(d, func(t *testing.T) { travel(t, w, h, d) })
			}
			purged(t, w, h)
		})
	}
}

// travel moves the client of a destination through the history.
func travel(t *testing.T, w *world, h *history, d string) {
	last := 12 + 2*h.first // rows there are by now
	w.start(d)
	t.Cleanup(func() { _ = w.parts.Manager.Stop(d) })
	c := w.connect(d, 1001)
	got, hand := rows(t, c, last)
	if !slices.Equal(got, upTo(1, last)) {
		t.Fatalf("at first: %v", got)
	}
	address := w.instance(d).Clients[0].Connected
	for _, step := range []struct {
		name string
		p    control.SeekParams
		from int // the first row that comes
		says string
	}{
		{"file", control.SeekParams{File: h.files[1]}, 4, "again"},
		{"time", control.SeekParams{TimestampMs: h.half}, 7, "written before"},
		{"gtid", control.SeekParams{GTIDSet: h.set}, 6, "again"},
		{"one client", control.SeekParams{File: h.files[2], Offset: 4, ClientID: 1001}, 10, "again"},
	} {
		step.p.Destination = d
		plan := call[control.SeekPlan](t, w.Inspector, control.MethodSeekPreview, step.p)
		if plan.Done || !plan.Backwards || plan.Bytes <= 0 || len(plan.From) != 1 || plan.From[0].ClientID != 1001 ||
			!strings.Contains(strings.Join(plan.Consequences, " "), step.says) || !slices.ContainsFunc(plan.Available, func(f control.BinlogFile) bool { return f.Name == h.files[2] }) {
			t.Errorf("%s: plan %+v", step.name, plan)
		}
		if !strings.Contains(strings.Join(plan.Consequences, " "), "in hand") {
			t.Errorf("%s: nothing is said of the batch in hand: %v", step.name, plan.Consequences)
		}
		done := call[control.SeekPlan](t, w.Inspector, control.MethodSeek, step.p)
		if !done.Done || done.To != plan.To {
			t.Errorf("%s: done %+v, planned %+v", step.name, done, plan)
		}
		if err := hand.Ack(); err != nil { // of before
			t.Fatalf("%s: %v", step.name, err)
		}
		got, hand = rows(t, c, last-step.from+1)
		if !slices.Equal(got, upTo(step.from, last)) {
			t.Errorf("%s: rows %v, want %d to %d", step.name, got, step.from, last)
		}
	}
	// Forward: what is written before the move does not come, what is written after does.
	call[control.SeekPlan](t, w.Inspector, control.MethodSeek, control.SeekParams{Destination: d, File: h.files[0]})
	h.insert(last+1, last+1)
	plan := call[control.SeekPlan](t, w.Inspector, control.MethodSeek, control.SeekParams{Destination: d, End: true})
	if plan.Backwards || plan.Bytes <= 0 || !strings.Contains(plan.Consequences[0], "never delivered") {
		t.Errorf("to the end: %+v", plan)
	}
	if err := hand.Ack(); err != nil { // of before
		t.Fatal(err)
	}
	h.insert(last+2, last+2)
	h.first++
	if got, hand = rows(t, c, 1); !slices.Equal(got, []int{last + 2}) {
		t.Errorf("from the end on: %v", got)
	}
	if err := hand.Ack(); err != nil {
		t.Fatal(err)
	}
	if now := w.instance(d).Clients[0].Connected; !slices.Equal(now, address) {
		t.Errorf("the client has connected anew: from %v, was %v", now, address)
	}
	if strings.HasPrefix(d, "memory") {
		return
	}
	// It is there after a start, and nothing is confirmed that was not.
	call[control.SeekPlan](t, w.Inspector, control.MethodSeek, control.SeekParams{Destination: d, File: h.files[2]})
	if err := w.parts.Manager.Stop(d); err != nil {
		t.Fatal(err)
	}
	w.start(d)
	c = w.connect(d, 1001)
	if got, _ = rows(t, c, last+2-9); !slices.Equal(got, upTo(10, last+2)) {
		t.Errorf("after a start: %v", got)
	}
}

// purged asks for what the source has no more.
func purged(t *testing.T, w *world, h *history) {
	w.start("file")
	w.start("file-gtid")
	h.MustExec(t, "purge binary logs to '"+h.files[2]+"'")
	for _, p := range []control.SeekParams{{File: h.files[0]}, {GTIDSet: h.set}, {TimestampMs: h.half - 3_600_000}, {File: h.files[2], Offset: 1 << 40}} {
		for _, d := range []string{"file", "file-gtid"} {
			p.Destination = d
			before := w.instance(d).Clients[0].Cursor
			for _, method := range []string{control.MethodSeekPreview, control.MethodSeek} {
				_, err := try[control.SeekPlan](t, w.Inspector, method, p)
				if err == nil || err.Code != control.CodeNotFound || err.Remedy == "" || !strings.Contains(err.Message, h.files[2]) {
					t.Errorf("%s of %+v: %+v", method, p, err)
				}
			}
			if after := w.instance(d).Clients[0].Cursor; after != before {
				t.Errorf("%+v was refused, and the cursor has moved", p)
			}
		}
	}
}

// TestReportOnServers looks at an instance whose client lags: it holds a batch and
// leaves others where they are, over several binlog files.
func TestReportOnServers(t *testing.T) {
	h := newHistory(t, servers.MySQL80)
	w := newWorld(t)
	w.write("canal.properties", "canal.file.flush.period = 20", "canal.instance.memory.batch.mode = ITEMSIZE")
	w.destination("d", h.Addr(), "canal.instance.filter.regex = s\\\\..*")
	w.up()
	w.start("d")
	c := w.connect("d", 1001)
	got, hand := rows(t, c, 2)
	if len(got) == 0 {
		t.Fatal("no rows")
	}
	until(t, "the size of what is behind", func() bool { return w.instance("d").LagBytes > 0 })
	r := w.instance("d")
	cursor, end := r.Clients[0].Cursor, r.Source.Head
	files, err := h.Query(t.Context(), "show binary logs")
	if err != nil {
		t.Fatal(err)
	}
	want := -cursor.Offset + end.Offset
	for _, f := range files {
		if size, err := strconv.ParseInt(f[1], 10, 64); f[0] >= cursor.File && f[0] < end.File && err == nil {
			want += size
		}
	}
	if r.LagBytes != want || end.File != h.files[2] || cursor.File != h.files[0] {
		t.Errorf("%d bytes between %+v and %+v, want %d", r.LagBytes, cursor, end, want)
	}
	if k := r.Clients[0]; k.OpenBatches != 1 || k.OldestBatch != hand.ID() || k.Unacked != int64(hand.Len()) {
		t.Errorf("client %+v", k)
	}
	// The row is at least two seconds old, see newHistory, and the clock is one.
	if r.LagMs < 1000 || r.LagMs > time.Now().UnixMilli()-r.Clients[0].Cursor.TimestampMs+2000 {
		t.Errorf("lag %d ms", r.LagMs)
	}
	if !strings.HasPrefix(r.Source.Version, "8.0") || r.Source.Head.GTIDSet == "" {
		t.Errorf("source %+v", r.Source)
	}
	if err := hand.Ack(); err != nil {
		t.Fatal(err)
	}
	if _, hand = rows(t, c, 12-len(got)); hand.Ack() != nil {
		t.Fatal("ack")
	}
	for {
		b, err := c.Get(t.Context(), 3, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if b.Empty() {
			break
		}
	}
	until(t, "no lag", func() bool { r := w.instance("d"); return r.LagMs == 0 && r.LagBytes == 0 })
}

// TestSeekInCluster has two servers and the cursors in ZooKeeper: the one that does
// not own the destination refuses and says who does, and the owner stays it.
func TestSeekInCluster(t *testing.T) {
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	h := newHistory(t, servers.MySQL80)
	var worlds []*world
	for n := range 2 {
		w := newWorld(t)
		w.write("canal.properties", "canal.instance.global.spring.xml = classpath:spring/default-instance.xml", "canal.zkServers = "+z.Addr(), "canal.instance.memory.batch.mode = ITEMSIZE")
		w.destination("d", h.Addr(), "canal.instance.filter.regex = s\\\\..*")
		w.up(inCluster(t, w, z, n))
		w.start("d")
		worlds = append(worlds, w)
		until(t, "an owner", func() bool { return worlds[0].parts.Manager.Instance("d") != nil })
	}
	owner, other := worlds[0], worlds[1]
	until(t, "a standby", func() bool { return other.instance("d").State == control.StateStandby })
	c := owner.connect("d", 1001)
	got, hand := rows(t, c, 12)
	if !slices.Equal(got, upTo(1, 12)) {
		t.Fatal(got)
	}
	p := control.SeekParams{Destination: "d", File: h.files[1]}
	for _, method := range []string{control.MethodSeekPreview, control.MethodSeek, control.MethodTables} {
		var params any = p
		if method == control.MethodTables {
			params = control.TablesParams{Destination: "d"}
		}
		if _, err := try[any](t, other.Inspector, method, params); err == nil || err.Code != control.CodeNotOwner || !strings.Contains(err.Message, owner.parts.Address) {
			t.Errorf("%s on the standby: %+v", method, err)
		}
	}
	began := owner.instance("d").SinceMs
	if plan := call[control.SeekPlan](t, owner.Inspector, control.MethodSeek, p); !plan.Done {
		t.Errorf("%+v", plan)
	}
	if err := hand.Ack(); err != nil {
		t.Fatal(err)
	}
	if got, _ = rows(t, c, 9); !slices.Equal(got, upTo(4, 12)) {
		t.Errorf("rows %v", got)
	}
	if r := owner.instance("d"); r.State != control.StateRunning || r.SinceMs <= began {
		t.Errorf("the owner after it: %+v", r)
	}
	if r := other.instance("d"); r.State != control.StateStandby {
		t.Errorf("the standby after it: %+v", r)
	}
	// What was written is what the next owner begins with.
	call[control.SeekPlan](t, owner.Inspector, control.MethodSeek, control.SeekParams{Destination: "d", File: h.files[2]})
	owner.stop()
	until(t, "the other one to take over", func() bool { return other.instance("d").State == control.StateRunning })
	c = other.connect("d", 1001)
	if got, _ = rows(t, c, 3); !slices.Equal(got, upTo(10, 12)) {
		t.Errorf("rows of the next owner %v", got)
	}
}

// inCluster makes a world a member of a cluster.
func inCluster(t *testing.T, w *world, z *servers.ZooKeeper, n int) func(*instance.ManagerOptions, *Parts) {
	return func(o *instance.ManagerOptions, p *Parts) {
		c, err := zk.Open(zk.Config{Servers: z.Addrs(), SessionTimeout: 5 * time.Second, Logger: o.Logger})
		if err != nil {
			t.Fatal(err)
		}
		p.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(20001+n))
		m := cluster.New(cluster.Options{ZooKeeper: c, Address: p.Address, Version: "test", Logger: o.Logger})
		p.Member, o.Cluster, o.ZooKeeper = m, m, c
		ctx, cancel := context.WithCancel(context.Background())
		var run sync.WaitGroup
		run.Go(func() { m.Run(ctx) })
		t.Cleanup(func() {
			w.stop()
			cancel()
			run.Wait()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			if err := c.Close(ctx); err != nil {
				slog.New(slog.NewTextHandler(w.log, nil)).Warn("close", "error", err)
			}
		})
	}
}
