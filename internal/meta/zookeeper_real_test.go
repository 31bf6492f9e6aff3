package meta

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

func realSession(t *testing.T, address string) *zk.Session {
	t.Helper()
	c, err := zk.Open(zk.Config{Servers: strings.Split(address, ","), SessionTimeout: 20 * time.Second})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		must(t, c.Close(ctx))
	})
	s, err := c.Session(t.Context())
	must(t, err)
	return s
}

// lease makes the nodes that an owner has and returns the options of its manager.
func lease(t *testing.T, s *zk.Session, destination, id string) ZooKeeperOptions {
	t.Helper()
	for _, p := range []string{zktree.Lease(destination, id), zktree.Running(destination)} {
		must(t, s.CreateParents(t.Context(), p))
		_, err := s.Create(t.Context(), p, nil, zk.Ephemeral)
		must(t, err)
	}
	checks := []zk.Op{zk.CheckOp(zktree.Lease(destination, id), zk.AnyVersion), zk.CheckOp(zktree.Running(destination), 0)}
	return ZooKeeperOptions{
		Destination: destination,
		Session:     func(context.Context) (*zk.Session, error) { return s, nil },
		Guard:       func() (*zk.Session, []zk.Op, error) { return s, checks, nil },
	}
}

func release(t *testing.T, s *zk.Session, destination, id string) {
	t.Helper()
	must(t, s.Delete(t.Context(), zktree.Running(destination), zk.AnyVersion))
	must(t, s.Delete(t.Context(), zktree.Lease(destination, id), zk.AnyVersion))
}

func content(t *testing.T, s *zk.Session, path string) string {
	t.Helper()
	data, stat, err := s.Get(t.Context(), path)
	if errors.Is(err, zk.ErrNoNode) {
		return "-"
	}
	must(t, err)
	if stat.EphemeralOwner != 0 {
		t.Errorf("%s is ephemeral", path)
	}
	if data == nil {
		return "null"
	}
	return string(data)
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatal("still not: " + what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestRealZooKeeper(t *testing.T) {
	server := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	s, other := realSession(t, server.Addr()), realSession(t, server.Addr())
	for name, test := range map[string]func(t *testing.T, server *servers.ZooKeeper, s, other *zk.Session){
		"nodes": realNodes, "fence": realFence, "foreign": realForeign, "unsubscribe": realUnsubscribe, "tool": realTool,
		"outage": realOutage,
	} {
		t.Run(name, func(t *testing.T) { test(t, server, s, other) })
	}
}

func realNodes(t *testing.T, _ *servers.ZooKeeper, s, other *zk.Session) {
	const d = "a-b.nodes"
	o := lease(t, s, d, "1-1")
	must(t, s.CreateParents(t.Context(), "/reports/x"))
	var asked atomic.Int32
	o.Extra = func() []zk.Op {
		asked.Add(1)
		return []zk.Op{zk.SetOp("/reports", []byte("hello"), zk.AnyVersion)}
	}
	o.Import = func() ([]Record, error) { return nil, nil }
	z := openZK(t, o)
	c := Client{d, 1001, `a\..*,é`}
	cur := at("mysql-bin.000003", 4)
	cur.Position.Timestamp = 1363688722000
	start := time.Now()
	must(t, z.Subscribe(t.Context(), c))
	must(t, z.UpdateCursor(t.Context(), c, cur))
	eventually(t, "cursor", func() bool { return content(t, other, zktree.Cursor(d, 1001)) != "-" })
	if took := time.Since(start); took > DefaultPeriod {
		t.Logf("the first cursor took %v", took)
	}
	for p, want := range map[string]string{
		zktree.Client(d, 1001): "null",
		zktree.Filter(d, 1001): `a\..*,é`,
		zktree.Cursor(d, 1001): `{"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,"sourceAddress":{"address":"10.1.2.3","port":3306}},"postion":{"gtid":"","included":false,"journalName":"mysql-bin.000003","position":4,"serverId":1,"timestamp":1363688722000}}`,
		"/reports":             "hello",
	} {
		if got := content(t, other, p); got != want {
			t.Errorf("%s has %s, want %s", p, got, want)
		}
	}
	for i := range int64(5) {
		cur.Position.Offset = 5 + i
		must(t, z.UpdateCursor(t.Context(), c, cur))
		must(t, z.Flush(t.Context()))
	}
	if _, stat, err := other.Get(t.Context(), zktree.Cursor(d, 1001)); err != nil || stat.Version != 5 {
		t.Errorf("cursor has version %d, %v", stat.Version, err)
	}
	if got := content(t, other, marker(d)); got != "null" {
		t.Errorf("marker %s", got)
	}
	cur.Position.Offset = 77
	must(t, z.UpdateCursor(t.Context(), c, cur))
	must(t, z.Close())
	release(t, s, d, "1-1")
	next := openZK(t, lease(t, other, d, "2-1"))
	if got := next.Snapshot(); !reflect.DeepEqual(got, []Record{{Client: c, Cursor: cur, HasCursor: true}}) {
		t.Errorf("the next owner reads %v", got)
	}
}

// realFence has two managers, the first of which has lost its lease.
func realFence(t *testing.T, _ *servers.ZooKeeper, s, other *zk.Session) {
	const d = "fence"
	var h heard
	o := lease(t, s, d, "1-1")
	h.listen(&o)
	old := openZK(t, o)
	c := Client{Destination: d, ID: 1001}
	must(t, old.Subscribe(t.Context(), c))
	must(t, old.UpdateCursor(t.Context(), c, at("b.1", 4)))
	must(t, old.Flush(t.Context()))
	release(t, s, d, "1-1")
	next := openZK(t, lease(t, other, d, "2-1"))
	must(t, old.UpdateCursor(t.Context(), c, at("b.1", 9)))
	must(t, old.Subscribe(t.Context(), Client{Destination: d, ID: 5}))
	if err := old.Flush(t.Context()); !errors.Is(err, ErrNotOwner) {
		t.Errorf("flush without the lease: %v", err)
	}
	must(t, old.Unsubscribe(t.Context(), c))
	if err := old.Close(); !errors.Is(err, ErrNotOwner) {
		t.Errorf("close without the lease: %v", err)
	}
	if got := content(t, other, zktree.Cursor(d, 1001)); got != cursorText(at("b.1", 4)) {
		t.Errorf("cursor %s", got)
	}
	if got := content(t, other, zktree.Client(d, 5)); got != "-" {
		t.Errorf("client of the old owner %s", got)
	}
	must(t, next.UpdateCursor(t.Context(), c, at("b.1", 5)))
	must(t, next.Flush(t.Context()))
}

func realForeign(t *testing.T, server *servers.ZooKeeper, s, other *zk.Session) {
	const d = "foreign"
	var h heard
	o := lease(t, s, d, "1-1")
	h.listen(&o)
	z := openZK(t, o)
	c := Client{Destination: d, ID: 1001}
	must(t, z.Subscribe(t.Context(), c))
	must(t, z.UpdateCursor(t.Context(), c, at("b.1", 4)))
	must(t, z.Flush(t.Context()))
	// As a Java server that does not know that it has lost the destination.
	_, err := other.Set(t.Context(), zktree.Cursor(d, 1001), []byte(cursorText(at("b.1", 99))), zk.AnyVersion)
	must(t, err)
	must(t, z.UpdateCursor(t.Context(), c, at("b.1", 5)))
	must(t, z.Flush(t.Context()))
	if got := content(t, other, zktree.Cursor(d, 1001)); got != cursorText(at("b.1", 5)) {
		t.Errorf("cursor %s", got)
	}
	if got := h.alarms.all(); len(got) != 1 || !strings.Contains(got[0], "it moved it ahead to") {
		t.Errorf("alarms %q", got)
	}
	// A person empties it: the next owner has no cursor.
	must(t, z.Close())
	release(t, s, d, "1-1")
	if out, err := server.CLI("set", zktree.Cursor(d, 1001), ""); err != nil {
		t.Fatal(err, out)
	}
	next := openZK(t, lease(t, s, d, "1-2"))
	if cur, ok := next.Cursor(c); ok || !next.HasSubscription(c) {
		t.Errorf("emptied cursor reads as %v", cur)
	}
}

func realUnsubscribe(t *testing.T, _ *servers.ZooKeeper, s, other *zk.Session) {
	const d = "gone"
	z := openZK(t, lease(t, s, d, "1-1"))
	c := Client{Destination: d, ID: 1001, Filter: "x"}
	must(t, z.Subscribe(t.Context(), c))
	must(t, z.UpdateCursor(t.Context(), c, at("b.1", 4)))
	must(t, z.Flush(t.Context()))
	for _, id := range []int64{1, 2} {
		must(t, other.CreateParents(t.Context(), zktree.Mark(d, 1001, id)))
		_, err := other.Create(t.Context(), zktree.Mark(d, 1001, id), []byte("x"), zk.Persistent)
		must(t, err)
	}
	running := zktree.RunningClient(d, 1001)
	_, err := other.Create(t.Context(), running, []byte(`{"active":true,"clientId":1001}`), zk.Ephemeral)
	must(t, err)
	must(t, z.UpdateCursor(t.Context(), c, at("b.1", 5)))
	must(t, z.Unsubscribe(t.Context(), c))
	must(t, z.Flush(t.Context()))
	if left, _, err := other.Children(t.Context(), zktree.Client(d, 1001)); err != nil || !reflect.DeepEqual(left, []string{"running"}) {
		t.Errorf("left of a client that runs: %q, %v", left, err)
	}
	must(t, other.Delete(t.Context(), running, zk.AnyVersion))
	eventually(t, "client gone", func() bool { return content(t, other, zktree.Client(d, 1001)) == "-" })
	must(t, z.Flush(t.Context()))
	if got := content(t, other, zktree.Client(d, 1001)); got != "-" {
		t.Errorf("client is back: %s", got)
	}
}

func realTool(t *testing.T, _ *servers.ZooKeeper, s, other *zk.Session) {
	const d = "tool"
	z := openZK(t, lease(t, s, d, "1-1"))
	for _, id := range []int16{7, 1001} {
		must(t, z.Subscribe(t.Context(), Client{d, id, "f"}))
	}
	must(t, z.UpdateCursor(t.Context(), Client{d, 7, ""}, at("b.1", 4)))
	must(t, z.Close())
	running := zktree.RunningClient(d, 1001)
	_, err := s.Create(t.Context(), running, []byte(`{"active":true,"address":"10.0.0.9:51734","clientId":1001}`), zk.Ephemeral)
	must(t, err)
	_, err = s.Create(t.Context(), zktree.Cursor(d, 1001), []byte("torn"), zk.Persistent)
	must(t, err)
	got, err := ReadSubscriptions(t.Context(), other, d)
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("subscriptions %+v", got)
	}
	if a := got[0]; a.Client != (Client{d, 7, "f"}) || a.Filter != "f" || !a.HasCursor || a.Cursor != at("b.1", 4) || time.Since(a.CursorModified).Abs() > time.Hour || a.ActiveClient != "" || a.Err != nil {
		t.Errorf("subscription %+v", a)
	}
	if b := got[1]; b.HasCursor || b.Err == nil || b.ActiveClient != "10.0.0.9:51734" {
		t.Errorf("subscription with a cursor that cannot be read: %+v", b)
	}
	if err := Expire(t.Context(), other, d, 1001, false); !errors.Is(err, ErrConsuming) {
		t.Errorf("expire a client that runs: %v", err)
	}
	must(t, Expire(t.Context(), other, d, 1001, true))
	must(t, Expire(t.Context(), other, d, 7, false))
	must(t, Expire(t.Context(), other, d, 7, false))
	if got, err := ReadSubscriptions(t.Context(), other, d); err != nil || len(got) != 0 {
		t.Errorf("left: %+v, %v", got, err)
	}
	if got, err := ReadSubscriptions(t.Context(), other, "nowhere"); err != nil || len(got) != 0 {
		t.Errorf("of an unknown destination: %+v, %v", got, err)
	}
}

// realOutage kills ZooKeeper while cursors are written.
func realOutage(t *testing.T, server *servers.ZooKeeper, s, _ *zk.Session) {
	const d = "outage"
	var h heard
	o := lease(t, s, d, "1-1")
	o.Mode, o.Period = Mixed, 50*time.Millisecond
	h.listen(&o)
	z := openZK(t, o)
	c := Client{Destination: d, ID: 1001}
	must(t, z.Subscribe(t.Context(), c))
	offset := int64(4)
	ack := func(n int) {
		for range n {
			offset++
			must(t, z.UpdateCursor(t.Context(), c, at("b.1", offset)))
			time.Sleep(time.Millisecond) // so that many writes are under way, one after another
		}
	}
	ack(100)
	done := make(chan error)
	go func() { done <- server.Kill(0) }()
	ack(300)
	must(t, <-done)
	must(t, server.Restart(0))
	ack(100)
	eventually(t, "last ack written", func() bool { return content(t, s, zktree.Cursor(d, 1001)) == cursorText(at("b.1", offset)) })
	if got := h.alarms.all(); len(got) > 0 {
		t.Errorf("alarms about writes of our own: %q", got)
	}
	t.Logf("failures %v, notices %q", h.failed.all(), h.notices.all())
}
