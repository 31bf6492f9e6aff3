package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// scratch holds what is shared by the tests of one run: the programs and the
// data directories of shared servers.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "towpath-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	defer stopShared()
	return m.Run()
}

// build builds the program once, with the race detector if the tests run with it.
var build = sync.OnceValues(func() (string, error) { return buildProgram("towpath", raceEnabled) })

// buildPlain builds the program as it is shipped, for tests that measure it.
var buildPlain = sync.OnceValues(func() (string, error) {
	if !raceEnabled {
		return build()
	}
	return buildProgram("towpath-plain", false)
})

func buildProgram(name string, race bool) (string, error) {
	file := filepath.Join(scratch, name)
	args := []string{"build", "-o", file}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../../cmd/towpath")...)
	if !race {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build towpath: %w\n%s", err, out)
	}
	return file, nil
}

// shared are servers used by several tests, each of which has its own schema.
var shared struct {
	sync.Mutex
	running map[servers.Kind]*servers.Server
}

// sharedServer returns a server that other tests use too. A test may neither
// stop it nor touch its binlog files.
func sharedServer(t *testing.T, k servers.Kind) *servers.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if s := shared.running[k]; s != nil {
		return s
	}
	s, err := servers.Start(context.Background(), servers.Options{Kind: k, Dir: filepath.Join(scratch, string(k))})
	if err != nil {
		if os.Getenv("TOWPATH_REQUIRE_SERVERS") == "" && strings.Contains(err.Error(), "is not installed") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	if shared.running == nil {
		shared.running = make(map[servers.Kind]*servers.Server)
	}
	shared.running[k] = s
	return s
}

func stopShared() {
	stopSharedZooKeeper()
	for _, s := range shared.running {
		s.Kill()
	}
}

// eventually polls until ok, and fails the test when it takes longer than limit.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, what)
		case <-t.Context().Done():
			t.Fatalf("%s: %v", what, t.Context().Err())
		case <-tick.C:
		}
	}
}
