package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/testkit/canaltest"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

// Two servers have an entry each; the destination moves from one to the other.
func TestTailZooKeeper(t *testing.T) {
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	root, err := zk.Open(zk.Config{Servers: z.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s, err := root.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, b := canaltest.Start(t, canaltest.Options{}), canaltest.Start(t, canaltest.Options{})
	a.Put(tableEntries(1)...)
	b.Put(tableEntries(2)[1])
	path := zktree.Running("example")
	running := func(s *canaltest.Server) []byte {
		return zktree.ServerRunning{Active: true, Address: s.Addr()}.Append(nil)
	}
	if err := s.CreateParents(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), path, running(a), zk.Persistent); err != nil {
		t.Fatal(err)
	}

	var stdout, stderr bytes.Buffer
	ended := make(chan int)
	go func() {
		args := []string{"tail", "--zk", z.Addr(), "--zk-auth", "u:p", "--session-timeout", "2s", "--format", "json", "--count", "2", "--batch", "1"}
		ended <- run(t.Context(), args, nil, &stdout, &stderr)
	}()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for a.Acked() == 0 {
		select {
		case <-tick.C:
		case code := <-ended:
			t.Fatalf("exit code %d\n%s", code, &stderr)
		case <-deadline:
			t.Fatal("nothing was read")
		}
	}
	if _, err := s.Set(t.Context(), path, running(b), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != exitOK || stdout.String() != jsonLines(0, 2) {
		t.Errorf("exit code %d\n%s", code, &stdout)
	}
	for _, want := range []string{"reading example from " + a.Addr(), "following example to " + b.Addr(), "reading example from " + b.Addr()} {
		if !strings.Contains(stderr.String(), "towpath tail: "+want+"\n") {
			t.Errorf("%q is not in\n%s", want, &stderr)
		}
	}
	if _, exists, err := s.Exists(t.Context(), zktree.RunningClient("example", 1001)); exists || err != nil {
		t.Errorf("the node of the client is there after the end: %v", err)
	}
}
