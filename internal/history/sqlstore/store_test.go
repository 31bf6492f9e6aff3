package sqlstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/testkit/historytest"
	"github.com/towpath-cdc/towpath/test/servers"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(tests{m}, goleak.IgnoreCurrent()) // test/servers has a thread of its own
}

// tests are all tests, behind which the shared servers end.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer shared.stop()
	return t.M.Run()
}

// shared are the servers that tests use together, each with databases of its own.
var shared = sharedServers{running: map[servers.Kind]*servers.Server{}}

type sharedServers struct {
	mu      sync.Mutex
	running map[servers.Kind]*servers.Server
	dirs    []string
}

// server starts a server when it is first asked for.
func (s *sharedServers) server(t *testing.T, kind servers.Kind) *servers.Server {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[kind] != nil {
		return s.running[kind]
	}
	dir, err := os.MkdirTemp("", "towpath-"+string(kind)+"-")
	if err != nil {
		t.Fatal(err)
	}
	s.dirs = append(s.dirs, dir)
	started, err := servers.Start(context.Background(), servers.Options{Kind: kind, Dir: dir})
	if err != nil {
		if os.Getenv("TOWPATH_REQUIRE_SERVERS") == "" && strings.Contains(err.Error(), "is not installed") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	s.running[kind] = started
	return started
}

func (s *sharedServers) stop() {
	for _, server := range s.running {
		server.Kill()
	}
	for _, dir := range s.dirs {
		os.RemoveAll(dir)
	}
}

// backend is a kind of database that tests run on.
type backend struct {
	name string
	// fresh gives the address of a database that nothing has been stored in.
	fresh func(t *testing.T) Options
}

// backends are all of them. That of a server that is not installed skips.
func backends(t *testing.T) []backend {
	t.Helper()
	all := []backend{{"sqlite", func(t *testing.T) Options {
		return Options{Destination: "example", Path: filepath.Join(t.TempDir(), "example", "h2.towpath.db")}
	}}}
	for _, kind := range servers.Kinds {
		all = append(all, backend{string(kind), onServer(kind)})
		if kind == servers.MySQL57 || kind == servers.MySQL80 {
			all = append(all, backend{string(kind) + " with tables of the parser", onServer(kind, canalTables("utf8")...)})
			all = append(all, backend{string(kind) + " with tables of the deployer", onServer(kind, canalTables("utf8mb4")...)})
		}
	}
	return all
}

// onServer makes a database for each use, with tables or without.
func onServer(kind servers.Kind, tables ...string) func(t *testing.T) Options {
	return func(t *testing.T) Options { return onRunning(t, shared.server(t, kind), tables...) }
}

var databases atomic.Int64

func onRunning(t *testing.T, s *servers.Server, tables ...string) Options {
	t.Helper()
	name := fmt.Sprintf("canal_tsdb_%d", databases.Add(1))
	s.MustExec(t, append([]string{"CREATE DATABASE " + name + " DEFAULT CHARACTER SET latin1", "USE " + name}, tables...)...)
	return Options{Destination: "example", URL: "jdbc:mysql://" + s.Addr() + "/" + name + "?useUnicode=true&characterEncoding=UTF-8&useSSL=false", User: "root"}
}

// canalTables are the tables as Canal makes them: its parser with the character set
// utf8, its script for the deployer with utf8mb4.
func canalTables(charset string) []string {
	table := func(name, columns string) string {
		return "CREATE TABLE IF NOT EXISTS `" + name + "` (`id` bigint(20) unsigned NOT NULL AUTO_INCREMENT COMMENT 'key', `gmt_create` datetime NOT NULL COMMENT 'made', " +
			"`gmt_modified` datetime NOT NULL COMMENT 'changed', `destination` varchar(128) DEFAULT NULL COMMENT 'destination', `binlog_file` varchar(64) DEFAULT NULL COMMENT 'file', " +
			"`binlog_offest` bigint(20) DEFAULT NULL COMMENT 'offset', `binlog_master_id` varchar(64) DEFAULT NULL COMMENT 'server', `binlog_timestamp` bigint(20) DEFAULT NULL COMMENT 'time', " +
			columns + ", `extra` text DEFAULT NULL COMMENT 'more', PRIMARY KEY (`id`), " +
			"UNIQUE KEY binlog_file_offest(`destination`,`binlog_master_id`,`binlog_file`,`binlog_offest`), KEY `destination` (`destination`), " +
			"KEY `destination_timestamp` (`destination`,`binlog_timestamp`), KEY `gmt_modified` (`gmt_modified`)) ENGINE=InnoDB AUTO_INCREMENT=1 DEFAULT CHARSET=" + charset + " COMMENT='of Canal'"
	}
	return []string{
		table("meta_snapshot", "`data` longtext DEFAULT NULL COMMENT 'tables'"),
		table("meta_history", "`use_schema` varchar(1024) DEFAULT NULL COMMENT 'current', `sql_schema` varchar(1024) DEFAULT NULL COMMENT 'schema', "+
			"`sql_table` varchar(1024) DEFAULT NULL COMMENT 'table', `sql_text` longtext DEFAULT NULL COMMENT 'statement', `sql_type` varchar(256) DEFAULT NULL COMMENT 'type'"),
	}
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestLog is what every Log has to do.
func TestLog(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			historytest.Run(t, func(t *testing.T) history.Log { return open(t, b.fresh(t)) })
		})
	}
}

func TestDurable(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			historytest.RunDurable(t, func(t *testing.T) func(t *testing.T) history.Log {
				o := b.fresh(t)
				return func(t *testing.T) history.Log { return open(t, o) }
			})
		})
	}
}
