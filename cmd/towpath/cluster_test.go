package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

// idleRunner is an instance that does nothing.
type idleRunner struct{}

func (idleRunner) Start(*cluster.Lease) error { return nil }
func (idleRunner) Stop(bool) error            { return nil }

// clusterServer is a server that competes for destinations.
func clusterServer(t *testing.T, zookeeper, address string, destinations ...string) {
	t.Helper()
	client, err := zk.Open(zk.Config{Servers: strings.Split(zookeeper, ","), SessionTimeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.New(cluster.Options{ZooKeeper: client, Address: address, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	t.Cleanup(func() {
		for _, c := range m.Contenders() {
			c.Withdraw()
		}
		cancel()
		<-done
		_ = client.Close(context.Background())
	})
	for _, d := range destinations {
		c, err := m.Compete(d, nil, idleRunner{})
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); c.Status().Owner == "" && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func clusterSession(t *testing.T, zookeeper string) *zk.Session {
	t.Helper()
	client, err := zk.Open(zk.Config{Servers: strings.Split(zookeeper, ",")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	s, err := client.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *zk.Session, path string, data []byte, mode zk.Mode) {
	t.Helper()
	if err := s.CreateParents(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), path, data, mode); err != nil {
		t.Fatal(err)
	}
}

const serverA, serverB, serverJava = "10.0.0.1:11111", "10.0.0.2:11111", "10.0.0.9:11111"

func TestClusterCommand(t *testing.T) {
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	hosts := z.Addr()
	clusterServer(t, hosts, serverA, "d1", "d2")
	clusterServer(t, hosts, serverB, "d1", "d2")
	s := clusterSession(t, hosts)
	cursor := meta.Cursor{Host: "127.0.0.1", Port: 3306, Position: binlog.Position{File: "mysql-bin.000003", Offset: 1234, Timestamp: 1700000000000}}
	create(t, s, zktree.Cursor("d1", 1001), meta.AppendCursor(nil, cursor), zk.Persistent)
	create(t, s, zktree.RunningClient("d1", 1002), []byte(`{"active":true,"address":"10.0.0.7:51734","clientId":1002}`), zk.Ephemeral)
	create(t, s, zktree.Status("d1"), cluster.Progress{File: "mysql-bin.000003", Offset: 2234, TimestampMs: 1700000005000, Unacked: 3, AtMs: time.Now().Add(time.Second).UnixMilli()}.Append(nil), zk.Persistent)
	create(t, s, zktree.Server(serverJava), nil, zk.Ephemeral)
	create(t, s, zktree.Running("lost"), []byte(`{"active":true,"address":"10.0.0.8:11111"}`), zk.Ephemeral)
	create(t, s, zktree.Competitor("waiting", serverJava), nil, zk.Ephemeral)

	steps := []struct {
		args   string
		code   int
		stdout []string
		stderr string
	}{
		{"", exitOK, []string{"PROBLEMS (2)", "nobody runs waiting", "lost runs on 10.0.0.8:11111, which is in no list", serverJava + "  java",
			"d1/1001", "mysql-bin.000003:1234", "5s, 1000 bytes", "10.0.0.7:51734", serverA + "  towpath  test"}, ""},
		{"move d1 " + serverB, exitOK, []string{"d1 went from " + serverA + " to " + serverB}, ""},
		{"move d1 " + serverB, exitOK, []string{"runs on " + serverB + " already"}, ""},
		{"move d1 " + serverJava, exitError, nil, "not a Towpath server"},
		{"move nosuch " + serverB, exitError, nil, "does not compete"},
		{"release d1", exitOK, []string{"d1 went from " + serverB + " to " + serverA}, ""},
		{"release lost", exitError, nil, "no other server"},
		{"rebalance", exitOK, []string{"1 destinations have moved"}, ""},
		{"drain " + serverB, exitOK, []string{serverB + " runs 1 destinations", serverB + " runs 0 destinations"}, ""},
		{"show", exitOK, []string{"draining"}, ""},
		{"drain " + serverA + " --timeout 1s", exitError, []string{serverA + " runs 2 destinations"}, "still runs d1, d2"},
		{"show", exitOK, []string{serverA + " is drained and still runs 2 destinations"}, ""},
		{"drain nosuch:1", exitError, nil, "those are: " + serverA + ", " + serverB},
		{"undrain " + serverA, exitOK, []string{"may run destinations again"}, ""},
		{"undrain " + serverA, exitOK, []string{"was not drained"}, ""},
		{"expire d1 1002", exitError, nil, "--force"},
		{"expire d1 1002 --force", exitOK, []string{"client 1002 of d1 is deleted"}, ""},
		{"expire d1 1002", exitError, nil, "no subscription"},
		{"expire d1 x", exitUsage, nil, "not the id of a client"},
	}
	for _, step := range steps {
		stdout, stderr, code := towpath(t, append([]string{"cluster", "--zk", hosts}, strings.Fields(step.args)...)...)
		t.Logf("cluster %s\n%s%s", step.args, stdout, stderr)
		if code != step.code || !strings.Contains(stderr, step.stderr) {
			t.Errorf("%s: exit code %d, %s", step.args, code, stderr)
		}
		for _, want := range step.stdout {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: no %q in\n%s", step.args, want, stdout)
			}
		}
	}
	checkClusterJSON(t, hosts)
	if _, _, err := s.Get(t.Context(), zktree.Cursor("d1", 1001)); err != nil {
		t.Error(err)
	}
}

func checkClusterJSON(t *testing.T, hosts string) {
	t.Helper()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "conf", "canal.properties"), []byte("canal.zkServers = "+hosts+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := towpath(t, "cluster", "--home", home, "show", "--format", "json", "--ghost", "1ms")
	var r clusterReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if len(r.Servers) != 3 || len(r.Destinations) != 4 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
	d := r.Destinations[0]
	if d.Name != "d1" || len(d.Clients) != 1 || !d.Clients[0].Ghost || d.Clients[0].Offset != 1234 || d.Owner != serverA || len(d.Standbys) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestClusterUsage(t *testing.T) {
	empty := t.TempDir()
	for args, want := range map[string]struct {
		code   int
		stderr string
	}{
		"nosuch":                         {exitUsage, `unknown action "nosuch"`},
		"move d1":                        {exitUsage, "move takes 2 arguments"},
		"show --format xml":              {exitUsage, "neither text nor json"},
		"--timeout 0s":                   {exitUsage, "must be more than 0"},
		"--help":                         {exitOK, "drain SERVER"},
		"--nosuch":                       {exitUsage, "flag provided but not defined"},
		"show --home " + empty:           {exitError, "towpath cluster: "},
		"show --zk 127.0.0.1:1:2":        {exitError, "canal.zkServers"},
		"drain a:1 --zk 127.0.0.1:99999": {exitError, "canal.zkServers"},
	} {
		_, stderr, code := towpath(t, append([]string{"cluster"}, strings.Fields(args)...)...)
		if code != want.code || !strings.Contains(stderr, want.stderr) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
}
