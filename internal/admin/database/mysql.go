package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// mysqlDialect is a database of a MySQL server, perhaps shared with a Java admin.
type mysqlDialect struct{}

// mysqlBounds are those of one admin. All together have a few connections. I/O is
// bounded beyond callTimeout.
var mysqlBounds = sqldb.Bounds{Connections: 10, Idle: 2, IO: 10 * time.Second, LockWait: 4 * time.Second}

// openMySQL connects to nothing yet. Its errors never contain the address.
func openMySQL(o Options) (*sql.DB, dialect, error) {
	c, err := parseAddress(o)
	if err != nil {
		return nil, nil, fmt.Errorf("address of the MySQL database: %w", err)
	}
	db, err := sqldb.OpenMySQL(c, mysqlBounds)
	return db, mysqlDialect{}, err
}

func parseAddress(o Options) (*mysql.Config, error) {
	if strings.HasPrefix(o.DSN, "jdbc:") {
		return sqldb.ParseJDBC(o.DSN, o.User, o.Password)
	}
	c, err := mysql.ParseDSN(o.DSN)
	if err != nil {
		return nil, errors.New("want user:password@tcp(host:port)/database, or " + sqldb.JDBCPrefix + "host:port/database")
	}
	return c, nil
}

func (mysqlDialect) lock() string {
	return "SELECT version FROM towpath_schema WHERE id = 1 FOR UPDATE"
}

func (mysqlDialect) stamp(t time.Time) any { return t.Truncate(time.Second) }

// fingerprint sums all rows up: how many they are, and the exclusive or of a hash
// of each, by SHA2 because MySQL 9 has MD5 in a component only. A Java admin writes no counter that could be asked instead, and its
// modified_time has only seconds.
func (mysqlDialect) fingerprint(ctx context.Context, db *sql.DB) (string, error) {
	var clusters, servers, configs, instances string
	err := db.QueryRowContext(ctx, mysqlFingerprint).Scan(&clusters, &servers, &configs, &instances)
	return clusters + " " + servers + " " + configs + " " + instances, err
}

var mysqlFingerprint = "SELECT" +
	mysqlSum("canal_cluster", "id, name, zk_hosts") + "," +
	mysqlSum("canal_node_server", "id, COALESCE(cluster_id, ''), name, ip, COALESCE(admin_port, ''), COALESCE(tcp_port, ''), COALESCE(metric_port, ''), COALESCE(status, '')") + "," +
	mysqlSum("canal_config", "id, COALESCE(cluster_id, ''), COALESCE(server_id, ''), name, content_md5, content") + "," +
	mysqlSum("canal_instance_config", "id, COALESCE(cluster_id, ''), COALESCE(server_id, ''), name, COALESCE(status, ''), COALESCE(content_md5, ''), content")

func mysqlSum(table, columns string) string {
	return " (SELECT CONCAT(COUNT(*), '-', COALESCE(BIT_XOR(CAST(CONV(LEFT(SHA2(CONCAT_WS('|', " + columns +
		"), 256), 16), 16, 10) AS UNSIGNED)), 0)) FROM " + table + ")"
}

// prepare makes what is missing. MySQL ends a transaction at each statement that
// changes tables, so each step of the schema can be run again after a crash in
// its middle; a lock keeps other admins that start at the same time waiting.
func (d mysqlDialect) prepare(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var locked sql.NullInt64
	if err := c.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT('towpath_schema.', DATABASE()), 30)").Scan(&locked); err != nil {
		return err
	}
	if locked.Int64 != 1 {
		return fmt.Errorf("%w: another admin has been changing the tables for 30 s", ErrUnavailable)
	}
	defer c.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK(CONCAT('towpath_schema.', DATABASE()))")
	run := func(statements []string) error {
		for _, s := range statements {
			if _, err := c.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
	for _, table := range append(mysqlCanalTables, canalTable{"towpath_schema", mysqlVersionTable}) {
		// Asked first: an account without CREATE may use what is there.
		var n int
		err := c.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", table.name).Scan(&n)
		if err == nil && n == 0 {
			err = run([]string{table.create})
		}
		if err != nil {
			return fmt.Errorf("create table %s (the account needs CREATE, INDEX and ALTER once): %w", table.name, err)
		}
	}
	if err := run([]string{insertVersion}); err != nil {
		return err
	}
	return migrate(ctx, c, mysqlMigrations, func(version int, statements []string) error {
		return run(append(statements, setVersion(version)))
	})
}
