package servers

import (
	"context"
	"os"
	"testing"
)

// RequireZooKeeper is Require for ZooKeeper.
func RequireZooKeeper(t testing.TB) {
	t.Helper()
	requireInstalled(t, zooKeeperInstalled())
}

// ZooKeeperForTest starts ZooKeeper for a test, which ends with it. Where it is
// not installed the test is skipped or, with TOWPATH_REQUIRE_SERVERS, fails.
func ZooKeeperForTest(t testing.TB, o ZooKeeperOptions) *ZooKeeper {
	t.Helper()
	RequireZooKeeper(t)
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "towpath-zookeeper-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		o.Dir = dir
	}
	z, err := StartZooKeeper(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := z.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for i := range z.nodes {
				t.Logf("end of the output of ZooKeeper server %d: %s", i, tail(z.LogFile(i)))
			}
		}
	})
	return z
}

// requireInstalled skips a test for what is not installed, unless
// TOWPATH_REQUIRE_SERVERS is set: then it fails.
func requireInstalled(t testing.TB, missing error) {
	t.Helper()
	if missing == nil {
		return
	}
	if os.Getenv("TOWPATH_REQUIRE_SERVERS") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}
