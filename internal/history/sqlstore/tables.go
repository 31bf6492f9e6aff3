package sqlstore

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
)

// table is a table that may have to be created.
type table struct{ name, create string }

// The columns of Canal's tables. binlog_offest is how Canal spells it.
const (
	placeColumns = "gmt_create datetime NOT NULL, gmt_modified datetime NOT NULL, destination varchar(128) DEFAULT NULL, binlog_file varchar(64) DEFAULT NULL, " +
		"binlog_offest bigint(20) DEFAULT NULL, binlog_master_id varchar(64) DEFAULT NULL, binlog_timestamp bigint(20) DEFAULT NULL, "
	snapshotColumns = "data longtext DEFAULT NULL, extra text DEFAULT NULL"
	historyColumns  = "use_schema varchar(1024) DEFAULT NULL, sql_schema varchar(1024) DEFAULT NULL, sql_table varchar(1024) DEFAULT NULL, " +
		"sql_text longtext DEFAULT NULL, sql_type varchar(256) DEFAULT NULL, extra text DEFAULT NULL"
	placeKey = "(destination, binlog_master_id, binlog_file, binlog_offest)"
)

// mysqlTables are Canal's with the same columns, keys and, as its script for the
// deployer has it, character set; and ours.
var mysqlTables = []table{
	mysqlCanal("meta_snapshot", snapshotColumns),
	mysqlCanal("meta_history", historyColumns),
	{"towpath_history_state", "CREATE TABLE IF NOT EXISTS towpath_history_state (destination varchar(128) NOT NULL, name varchar(64) NOT NULL, " +
		"value longblob NOT NULL, PRIMARY KEY (destination, name)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"},
}

func mysqlCanal(name, columns string) table {
	return table{name, "CREATE TABLE IF NOT EXISTS " + name + " (id bigint(20) unsigned NOT NULL AUTO_INCREMENT, " + placeColumns + columns +
		", PRIMARY KEY (id), UNIQUE KEY binlog_file_offest " + placeKey + ", KEY destination (destination), " +
		"KEY destination_timestamp (destination, binlog_timestamp), KEY gmt_modified (gmt_modified)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"}
}

// sqliteTables are the same. Ids are not given twice.
var sqliteTables = []string{
	sqliteCanal("meta_snapshot", snapshotColumns),
	sqliteCanal("meta_history", historyColumns),
	"CREATE INDEX IF NOT EXISTS meta_snapshot_destination_timestamp ON meta_snapshot (destination, binlog_timestamp)",
	"CREATE INDEX IF NOT EXISTS meta_history_destination_timestamp ON meta_history (destination, binlog_timestamp)",
	"CREATE TABLE IF NOT EXISTS towpath_history_state (destination varchar(128) NOT NULL, name varchar(64) NOT NULL, value blob NOT NULL, PRIMARY KEY (destination, name)) WITHOUT ROWID",
}

func sqliteCanal(name, columns string) string {
	return "CREATE TABLE IF NOT EXISTS " + name + " (id integer PRIMARY KEY AUTOINCREMENT, " + placeColumns + columns + ", UNIQUE " + placeKey + ")"
}

// lockName is the row of towpath_history_state that changes of a destination lock.
const lockName = "lock"

// createSQLite makes all tables, or none.
func (s *Store) createSQLite(ctx context.Context) error {
	t, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, create := range sqliteTables {
		if _, err := t.ExecContext(ctx, create); err != nil {
			t.Rollback()
			return fmt.Errorf("create the tables: %w", err)
		}
	}
	if _, err := t.ExecContext(ctx, "INSERT OR IGNORE INTO towpath_history_state (destination, name, value) VALUES (?, ?, '')", s.destination, lockName); err != nil {
		t.Rollback()
		return err
	}
	return t.Commit()
}

// createMySQL makes the tables that are missing, one by one.
func (s *Store) createMySQL(ctx context.Context) error {
	for _, t := range mysqlTables {
		// Asked first: an account without CREATE may use what is there.
		var n int
		err := s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", t.name).Scan(&n)
		if err == nil && n == 0 {
			_, err = s.db.ExecContext(ctx, t.create)
		}
		if err != nil {
			return fmt.Errorf("create table %s (the account needs CREATE once): %w", t.name, err)
		}
	}
	// Canal's own statement for meta_history has the character set utf8, which in
	// MySQL ends at U+FFFF; its script for the deployer has utf8mb4.
	var charset string
	err := s.db.QueryRowContext(ctx, "SELECT character_set_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'meta_history' AND column_name = 'sql_text'").Scan(&charset)
	if err != nil {
		return fmt.Errorf("character set of meta_history: %w", err)
	}
	s.wide = strings.EqualFold(charset, "utf8mb4")
	_, err = s.db.ExecContext(ctx, "INSERT IGNORE INTO towpath_history_state (destination, name, value) VALUES (?, ?, '')", s.destination, lockName)
	return err
}

// errNone says that nothing of a history is there.
var errNone = fmt.Errorf("there is no history yet: %w", fs.ErrNotExist)

// findSQLite looks for the tables.
func (s *Store) findSQLite(ctx context.Context) error {
	return s.find(ctx, "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name IN (?, ?, ?)")
}

// findMySQL looks for the tables.
func (s *Store) findMySQL(ctx context.Context) error {
	return s.find(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (?, ?, ?)")
}

// find returns errNone unless all tables are there. Canal's alone have nothing that
// is Towpath's.
func (s *Store) find(ctx context.Context, query string) error {
	var names []any
	for _, t := range mysqlTables {
		names = append(names, t.name)
	}
	var n int
	if err := s.db.QueryRowContext(ctx, query, names...).Scan(&n); err != nil {
		return fmt.Errorf("look for the tables: %w", err)
	}
	if n < len(names) {
		return errNone
	}
	return nil
}
