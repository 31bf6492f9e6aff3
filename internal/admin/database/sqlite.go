package database

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteDialect is a file of SQLite. It has one connection, so that changes and
// reads come one after the other.
type sqliteDialect struct{}

// openSQLite creates the file and its folder, readable by the owner only: it has
// the passwords that configurations have.
func openSQLite(path string) (*sql.DB, dialect, error) {
	if path == "" {
		return nil, nil, fmt.Errorf("the path of the SQLite file is empty")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("folder of the SQLite file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("SQLite file: %w", err)
	}
	f.Close()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("SQLite file: %w", err)
	}
	// FULL makes each commit reach the disk: what has been answered is there after
	// a power failure, too.
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(3000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: absolute, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, nil, fmt.Errorf("open SQLite: %w", err)
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db, sqliteDialect{}, nil
}

func (sqliteDialect) lock() string { return "" } // _txlock has it

func (sqliteDialect) stamp(t time.Time) any { return t.UTC().Format(time.DateTime) }

// fingerprint is a number that SQLite changes when another process has written.
func (sqliteDialect) fingerprint(ctx context.Context, db *sql.DB) (string, error) {
	var version int64
	err := db.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return strconv.FormatInt(version, 10), err
}

// prepare runs each step of the schema in a transaction together with its number.
func (d sqliteDialect) prepare(ctx context.Context, db *sql.DB) error {
	if err := sqliteTransaction(ctx, db, append(sqliteCanalTables, sqliteVersionTable, insertVersion)); err != nil {
		return err
	}
	return migrate(ctx, db, sqliteMigrations, func(version int, statements []string) error {
		return sqliteTransaction(ctx, db, append(statements, setVersion(version)))
	})
}

func sqliteTransaction(ctx context.Context, db *sql.DB, statements []string) error {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := t.ExecContext(ctx, s); err != nil {
			t.Rollback()
			return err
		}
	}
	return t.Commit()
}
