package database

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// sqliteDialect is a file of SQLite. It has one connection, so that changes and
// reads come one after the other.
type sqliteDialect struct{}

// sqliteBusy is how long a call waits for another process.
const sqliteBusy = 3 * time.Second

// openSQLite opens a file that only its owner can read: it has the passwords that
// configurations have.
func openSQLite(path string) (*sql.DB, dialect, error) {
	db, err := sqldb.OpenSQLite(path, sqliteBusy)
	return db, sqliteDialect{}, err
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
