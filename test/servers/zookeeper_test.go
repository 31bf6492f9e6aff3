package servers

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestZooKeeper starts one server, writes to it and starts it again.
func TestZooKeeper(t *testing.T) {
	t.Parallel()
	z := ZooKeeperForTest(t, ZooKeeperOptions{})
	if out, err := z.CLI("create", "/a", "payload"); err != nil {
		t.Fatal(err, out)
	}
	if err := z.Kill(0); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Leader(); err == nil {
		t.Error("a killed server is the leader")
	}
	if err := z.Restart(0); err != nil {
		t.Fatal(err)
	}
	out, err := z.CLI("get", "/a")
	if err != nil || !strings.Contains(out, "payload") {
		t.Errorf("after a restart get /a = %q, %v", out, err)
	}
}

// TestZooKeeperEnsemble kills the leader, sees another one, and brings the first
// back as a follower.
func TestZooKeeperEnsemble(t *testing.T) {
	t.Parallel()
	z := ZooKeeperForTest(t, ZooKeeperOptions{Servers: 3})
	first, err := z.Leader()
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Kill(first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	second, err := z.AwaitLeader(ctx)
	if err != nil || second == first {
		t.Fatalf("leader after %d was killed: %d, %v", first, second, err)
	}
	if err := z.Restart(first); err != nil {
		t.Fatal(err)
	}
	if m, err := z.mode(ctx, first); m != "follower" {
		t.Errorf("the first leader came back as %q, %v", m, err)
	}
}
