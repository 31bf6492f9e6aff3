package database

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/test/servers"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // test/servers has a thread of its own
}

// backend is a kind of database that the suite runs on.
type backend struct {
	name string
	// fresh gives the address of a database that nothing has been stored in.
	fresh func(t *testing.T) Options
}

// backends are all of them. That of a server that is not installed skips.
func backends(t *testing.T) []backend {
	t.Helper()
	mysql57, mysql80 := lazily(t, servers.MySQL57), lazily(t, servers.MySQL80)
	return []backend{
		{"sqlite", func(t *testing.T) Options {
			return Options{Driver: SQLite, Path: filepath.Join(t.TempDir(), "admin.db")}
		}},
		{"mysql57", onServer(mysql57, nil)},
		{"mysql80", onServer(mysql80, nil)},
		{"mysql57 of Canal 1.1.7", onServer(mysql57, canal117)},
		{"mysql80 of Canal 1.1.8", onServer(mysql80, canal118)},
		{"mysql56", onServer(lazily(t, servers.MySQL56), nil)},
		{"mysql97", onServer(lazily(t, servers.MySQL97), nil)},
		{"mariadb1011", onServer(lazily(t, servers.MariaDB1011), nil)},
	}
}

// forEach runs a test on all backends.
func forEach(t *testing.T, test func(t *testing.T, o Options)) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) { test(t, b.fresh(t)) })
	}
}

var databases atomic.Int64

// lazily starts a server when it is first asked for.
func lazily(t *testing.T, kind servers.Kind) func() *servers.Server {
	return sync.OnceValue(func() *servers.Server { return servers.ForTest(t, kind) })
}

// onServer makes a database on a server for each use.
func onServer(server func() *servers.Server, statements []string) func(t *testing.T) Options {
	return func(t *testing.T) Options {
		s := server()
		if s == nil {
			t.Skip("no server")
		}
		return onRunning(t, s, statements)
	}
}

func onRunning(t *testing.T, s *servers.Server, statements []string) Options {
	t.Helper()
	name := fmt.Sprintf("canal_manager_%d", databases.Add(1))
	s.MustExec(t, append([]string{"CREATE DATABASE " + name + " DEFAULT CHARACTER SET utf8 COLLATE utf8_bin", "USE " + name}, statements...)...)
	return Options{Driver: MySQL, DSN: "jdbc:mysql://" + s.Addr() + "/" + name + "?useUnicode=true&characterEncoding=UTF-8&useSSL=false", User: "root"}
}

func open(t *testing.T, o Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, within time.Duration, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

// text is one value of a query, for looking past the package.
func text(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s.String
}

const modifiedNow = "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"

// canal117 and canal118 are databases as Canal makes them, before and since its
// columns were widened, with rows as its admin writes them.
var (
	canal117 = append(canalTables(45, 63, 31, 128), canalRows...)
	canal118 = append(canalTables(255, 255, 255, 255), canalRows...)
)

func canalTables(name, host, user, password int) []string {
	table := func(name, columns string) string {
		return "CREATE TABLE `" + name + "` (`id` bigint(20) NOT NULL AUTO_INCREMENT, " + columns + ", PRIMARY KEY (`id`)) ENGINE=InnoDB DEFAULT CHARSET=utf8"
	}
	owner := "`cluster_id` bigint(20) DEFAULT NULL, `server_id` bigint(20) DEFAULT NULL"
	return []string{
		table("canal_adapter_config", fmt.Sprintf("`category` varchar(%d) NOT NULL, `name` varchar(%d) NOT NULL, `status` varchar(45) DEFAULT NULL, `content` text NOT NULL, `modified_time` %s", name, name, modifiedNow)),
		table("canal_cluster", fmt.Sprintf("`name` varchar(%d) NOT NULL, `zk_hosts` varchar(255) NOT NULL, `modified_time` %s", host, modifiedNow)),
		table("canal_config", fmt.Sprintf("%s, `name` varchar(%d) NOT NULL, `status` varchar(45) DEFAULT NULL, `content` text NOT NULL, `content_md5` varchar(128) NOT NULL, `modified_time` %s, UNIQUE KEY `sid_UNIQUE` (`server_id`)", owner, name, modifiedNow)),
		table("canal_instance_config", fmt.Sprintf("%s, `name` varchar(%d) NOT NULL, `status` varchar(45) DEFAULT NULL, `content` text NOT NULL, `content_md5` varchar(128) DEFAULT NULL, `modified_time` %s, UNIQUE KEY `name_UNIQUE` (`name`)", owner, name, modifiedNow)),
		table("canal_node_server", fmt.Sprintf("`cluster_id` bigint(20) DEFAULT NULL, `name` varchar(%d) NOT NULL, `ip` varchar(%d) NOT NULL, `admin_port` int(11) DEFAULT NULL, `tcp_port` int(11) DEFAULT NULL, `metric_port` int(11) DEFAULT NULL, `status` varchar(45) DEFAULT NULL, `modified_time` %s", host, host, modifiedNow)),
		table("canal_user", fmt.Sprintf("`username` varchar(%d) NOT NULL, `password` varchar(%d) NOT NULL, `name` varchar(%d) NOT NULL, `roles` varchar(%d) NOT NULL, `introduction` varchar(255) DEFAULT NULL, `avatar` varchar(255) DEFAULT NULL, `creation_date` %s", user, password, user, user, modifiedNow)),
	}
}

// canalRows are what a Java admin has after its first user, a cluster with three
// configurations (each save without an id adds one), a server in it, one alone, and
// an instance of each; md5 and time of the last are those of an edit by hand.
var canalRows = []string{
	"SET time_zone = '+00:00'",
	"INSERT INTO canal_user VALUES (1, 'admin', '6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9', 'Canal Manager', 'admin', NULL, NULL, '2019-07-14 00:05:28')",
	"INSERT INTO canal_cluster VALUES (1, 'cluster-a', '127.0.0.1:2181', '2024-01-02 03:04:05')",
	"INSERT INTO canal_node_server VALUES (1, 1, 'a1', '10.0.0.1', 11110, 11111, 11112, '-1', '2024-01-02 03:04:05'), (2, NULL, 'alone', '10.0.0.2', 11110, 11111, 11112, '-1', '2024-01-02 03:04:05')",
	"INSERT INTO canal_config VALUES (1, 1, NULL, 'canal.properties', NULL, 'v = 1', MD5('v = 1'), '2024-01-02 03:04:05'), " +
		"(3, 1, NULL, 'canal.properties', NULL, 'v = 3', MD5('v = 3'), '2024-01-02 03:04:07'), (4, 1, NULL, 'canal.properties', NULL, 'v = 2', MD5('v = 2'), '2024-01-02 03:04:06'), " +
		"(5, NULL, 2, 'canal.properties', NULL, '', MD5(''), '2024-01-02 03:04:05')",
	"INSERT INTO canal_instance_config VALUES (1, 1, NULL, 'example', '1', 'canal.instance.master.address = 10.0.0.9:3306', MD5('canal.instance.master.address = 10.0.0.9:3306'), '2024-01-02 03:04:05'), " +
		"(2, NULL, 2, '../up,two', '0', '中文', 'by hand', '2024-01-02 03:04:05')",
}
