package database

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// canalTable is a table of Canal's that may have to be created.
type canalTable struct{ name, create string }

// mysqlModified is the last column of Canal's tables.
const mysqlModified = "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"

// mysqlCanalTables are the tables of Canal 1.1.8 (canal_manager.sql) with the same
// columns, widths, keys and character set.
var mysqlCanalTables = []canalTable{
	mysqlCanal("canal_adapter_config", "category varchar(255) NOT NULL, name varchar(255) NOT NULL, status varchar(45), content text NOT NULL, modified_time "+mysqlModified),
	mysqlCanal("canal_cluster", "name varchar(255) NOT NULL, zk_hosts varchar(255) NOT NULL, modified_time "+mysqlModified),
	mysqlCanal("canal_config", "cluster_id bigint(20), server_id bigint(20), name varchar(255) NOT NULL, status varchar(45), "+
		"content text NOT NULL, content_md5 varchar(128) NOT NULL, modified_time "+mysqlModified+", UNIQUE KEY sid_UNIQUE (server_id)"),
	mysqlCanal("canal_instance_config", "cluster_id bigint(20), server_id bigint(20), name varchar(255) NOT NULL, status varchar(45), "+
		"content text NOT NULL, content_md5 varchar(128), modified_time "+mysqlModified+", UNIQUE KEY name_UNIQUE (name)"),
	mysqlCanal("canal_node_server", "cluster_id bigint(20), name varchar(255) NOT NULL, ip varchar(255) NOT NULL, "+
		"admin_port int(11), tcp_port int(11), metric_port int(11), status varchar(45), modified_time "+mysqlModified),
	mysqlCanal("canal_user", "username varchar(255) NOT NULL, password varchar(255) NOT NULL, name varchar(255) NOT NULL, roles varchar(255) NOT NULL, "+
		"introduction varchar(255), avatar varchar(255), creation_date "+mysqlModified),
}

func mysqlCanal(name, columns string) canalTable {
	return canalTable{name, "CREATE TABLE IF NOT EXISTS " + name +
		" (id bigint(20) NOT NULL AUTO_INCREMENT, " + columns + ", PRIMARY KEY (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8"}
}

// sqliteModified holds UTC. That an update sets it is the task of each change.
const sqliteModified = "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP"

// sqliteCanalTables are the same tables. Names compare without regard to case, as
// MySQL's default collation does, so that a database can be moved to MySQL. Ids are
// not given twice.
var sqliteCanalTables = []string{
	sqliteCanal("canal_adapter_config", "category varchar(255) NOT NULL, name varchar(255) NOT NULL, status varchar(45), content text NOT NULL, modified_time "+sqliteModified),
	sqliteCanal("canal_cluster", "name varchar(255) NOT NULL COLLATE NOCASE, zk_hosts varchar(255) NOT NULL, modified_time "+sqliteModified),
	sqliteCanal("canal_config", "cluster_id bigint, server_id bigint CONSTRAINT sid_UNIQUE UNIQUE, name varchar(255) NOT NULL, status varchar(45), "+
		"content text NOT NULL, content_md5 varchar(128) NOT NULL, modified_time "+sqliteModified),
	sqliteCanal("canal_instance_config", "cluster_id bigint, server_id bigint, name varchar(255) NOT NULL COLLATE NOCASE CONSTRAINT name_UNIQUE UNIQUE, status varchar(45), "+
		"content text NOT NULL, content_md5 varchar(128), modified_time "+sqliteModified),
	sqliteCanal("canal_node_server", "cluster_id bigint, name varchar(255) NOT NULL COLLATE NOCASE, ip varchar(255) NOT NULL COLLATE NOCASE, "+
		"admin_port int, tcp_port int, metric_port int, status varchar(45), modified_time "+sqliteModified),
	sqliteCanal("canal_user", "username varchar(255) NOT NULL COLLATE NOCASE, password varchar(255) NOT NULL, name varchar(255) NOT NULL, roles varchar(255) NOT NULL, "+
		"introduction varchar(255), avatar varchar(255), creation_date "+sqliteModified),
}

func sqliteCanal(name, columns string) string {
	return "CREATE TABLE IF NOT EXISTS " + name + " (id integer PRIMARY KEY AUTOINCREMENT, " + columns + ")"
}

// The table with the version of our tables has one row. It is also what changes
// lock in MySQL.
const (
	mysqlVersionTable  = "CREATE TABLE IF NOT EXISTS towpath_schema (id int NOT NULL PRIMARY KEY, version int NOT NULL) ENGINE=InnoDB"
	sqliteVersionTable = "CREATE TABLE IF NOT EXISTS towpath_schema (id integer PRIMARY KEY, version integer NOT NULL)"
	insertVersion      = "INSERT INTO towpath_schema (id, version) SELECT 1, 0 FROM (SELECT COUNT(*) AS n FROM towpath_schema) c WHERE c.n = 0"
)

func setVersion(version int) string {
	return fmt.Sprintf("UPDATE towpath_schema SET version = %d WHERE id = 1", version)
}

// migrations are the steps of our own tables; the n-th, from 1, brings them to
// version n. A step that has been released is never changed. Each statement can be
// run again.
//
// towpath_user.canal_hash is what canal_user.password was when hash was made: once
// it differs, somebody has changed the password in a Java admin.
func migrations(types *strings.Replacer) [][]string {
	steps := [][]string{{
		`CREATE TABLE IF NOT EXISTS towpath_user (user_id bigint NOT NULL PRIMARY KEY, hash varchar(255) NOT NULL, canal_hash varchar(255) NOT NULL,
			disabled int NOT NULL, must_change int NOT NULL, changed_at bigint NOT NULL) {options}`,
		`CREATE TABLE IF NOT EXISTS towpath_session (token_hash char(64) NOT NULL PRIMARY KEY, user_id bigint NOT NULL, created_at bigint NOT NULL,
			seen_at bigint NOT NULL, address varchar(255) NOT NULL, agent varchar(255) NOT NULL, must_change int NOT NULL{session_indexes}) {options}`,
		`CREATE TABLE IF NOT EXISTS towpath_audit (id {id}, at_ms bigint NOT NULL, username varchar(255) NOT NULL, address varchar(255) NOT NULL,
			action varchar(64) NOT NULL, kind varchar(32) NOT NULL, target_id bigint NOT NULL, target varchar(255) NOT NULL, ok int NOT NULL, detail text NOT NULL) {options}`,
		`CREATE TABLE IF NOT EXISTS towpath_revision (id {id}, kind varchar(16) NOT NULL, target_id bigint NOT NULL, target varchar(255) NOT NULL, at_ms bigint NOT NULL,
			username varchar(255) NOT NULL, comment text NOT NULL, md5 char(32) NOT NULL, content mediumtext NOT NULL, deleted int NOT NULL{revision_indexes}) {options}`,
	}}
	for _, step := range steps {
		for i := range step {
			step[i] = types.Replace(step[i])
		}
	}
	return steps
}

var (
	mysqlMigrations = migrations(strings.NewReplacer("{id}", "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
		"{options}", "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
		"{session_indexes}", ", KEY user_id (user_id)", "{revision_indexes}", ", KEY target (kind, target_id, id)"))
	sqliteMigrations = migrations(strings.NewReplacer("{id}", "integer PRIMARY KEY AUTOINCREMENT", "{options}", "",
		"{session_indexes}", "", "{revision_indexes}", ""))
)

// querier is a database or one connection to it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// migrate runs the steps that have not been run. A database with more steps than
// are known here is that of a newer program, and is refused.
func migrate(ctx context.Context, q querier, steps [][]string, run func(version int, statements []string) error) error {
	var version int
	if err := q.QueryRowContext(ctx, "SELECT version FROM towpath_schema WHERE id = 1").Scan(&version); err != nil {
		return fmt.Errorf("version of the tables: %w", err)
	}
	if version > len(steps) {
		return fmt.Errorf("the tables towpath_* have version %d and belong to a newer Towpath; this one knows versions up to %d", version, len(steps))
	}
	for v := version + 1; v <= len(steps); v++ {
		if err := run(v, steps[v-1]); err != nil {
			return fmt.Errorf("bring the tables towpath_* to version %d: %w", v, err)
		}
	}
	return nil
}
