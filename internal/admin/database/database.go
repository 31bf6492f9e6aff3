package database

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// Names of databases, as Options.Driver has them.
const (
	SQLite = "sqlite"
	MySQL  = "mysql"
)

// Limits.
const (
	callTimeout = 5 * time.Second // of a read or a change, beyond what the caller allows
	openTimeout = time.Minute     // of creating and migrating the tables
	deadlocks   = 3               // how often a change is tried that MySQL gives up for another

	// MaxContent is the size of a configuration text in bytes: that of MySQL's text.
	MaxContent = 1<<16 - 1
	// maxName is the width of Canal's columns in characters. Databases made by Canal
	// up to 1.1.7 have narrower ones, which MySQL itself enforces.
	maxName = 255
)

// Options say where a database is.
type Options struct {
	Driver string // SQLite or MySQL
	Path   string // of SQLite's file; it and its folder are created
	// DSN is the address of MySQL: jdbc:mysql://…, or as github.com/go-sql-driver/mysql
	// writes it. User and Password belong to the former.
	DSN, User, Password string
	Logger              *slog.Logger
	Now                 func() time.Time // time.Now if nil
}

// DB is the database of an admin. It is made by Open and safe for concurrent use.
type DB struct {
	sql     *sql.DB
	dialect dialect
	log     *slog.Logger
	now     func() time.Time

	generation atomic.Int64 // counts the changes made here
	cache      cache
}

// dialect is in what the two databases differ.
type dialect interface {
	// prepare makes Canal's tables that are missing and brings ours up to date.
	prepare(ctx context.Context, db *sql.DB) error
	// lock is run first in each change, to have no other at the same time; "" when
	// the database itself lets in only one.
	lock() string
	// stamp is how a time is passed for a timestamp column.
	stamp(t time.Time) any
	// fingerprint is a text that differs when somebody has changed what the snapshot
	// has; what this DB itself has changed need not count.
	fingerprint(ctx context.Context, db *sql.DB) (string, error)
}

// Open opens a database, creates the tables that are missing and brings our own up
// to date. It never drops any. The error is ErrUnavailable when the database cannot
// be reached; then it may be tried again.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{log: o.Logger, now: o.Now}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.now == nil {
		db.now = time.Now
	}
	var err error
	switch o.Driver {
	case SQLite:
		db.sql, db.dialect, err = openSQLite(o.Path)
	case MySQL:
		db.sql, db.dialect, err = openMySQL(o)
	default:
		return nil, fmt.Errorf("unknown kind of database %q: there are %q and %q", o.Driver, SQLite, MySQL)
	}
	if err != nil {
		return nil, err
	}
	db.cache.init()
	bounded, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := db.dialect.prepare(bounded, db.sql); err != nil {
		db.sql.Close()
		return nil, fmt.Errorf("prepare the %s database: %w", o.Driver, classify(ctx, err))
	}
	return db, nil
}

// Close closes the database. Calls after it fail.
func (db *DB) Close() error { return db.sql.Close() }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	return db.read(ctx, func(ctx context.Context) error { return db.sql.PingContext(ctx) })
}

// read bounds what f reads in time and classifies its error.
func (db *DB) read(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return classify(ctx, f(bounded))
}

// tx is one change.
type tx struct {
	*sql.Tx
	ctx context.Context // of the change, which is bounded
	db  *DB
	by  Actor
	now time.Time
}

// write runs f in a transaction, after all other changes and before any more.
func (db *DB) write(ctx context.Context, by Actor, f func(t *tx) error) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	for range deadlocks {
		if err = db.writeOnce(bounded, by, f); !sqldb.IsDeadlock(err) {
			break
		}
	}
	// Also after an error: a commit that got no answer may have been done.
	db.generation.Add(1)
	return classify(ctx, err)
}

func (db *DB) writeOnce(ctx context.Context, by Actor, f func(t *tx) error) error {
	inner, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	t := &tx{Tx: inner, ctx: ctx, db: db, by: by, now: db.now()}
	if err := t.begin(); err != nil {
		inner.Rollback()
		return err
	}
	if err := f(t); err != nil {
		inner.Rollback()
		return err
	}
	return inner.Commit()
}

func (t *tx) begin() error {
	lock := t.db.dialect.lock()
	if lock == "" {
		return nil
	}
	var version int
	return t.row(lock).Scan(&version)
}

func (t *tx) row(query string, args ...any) *sql.Row { return t.QueryRowContext(t.ctx, query, args...) }

func (t *tx) exec(query string, args ...any) error {
	_, err := t.ExecContext(t.ctx, query, args...)
	return err
}

// insert returns the id of the new row.
func (t *tx) insert(query string, args ...any) (int64, error) {
	result, err := t.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// exists says whether a query has a row.
func (t *tx) exists(query string, args ...any) (bool, error) {
	var n int
	err := t.row("SELECT COUNT(*) FROM ("+query+") q", args...).Scan(&n)
	return n > 0, err
}

// modified is the time for a column modified_time. MySQL would set it by itself,
// SQLite would not, and an update that changes nothing else counts, too.
func (t *tx) modified() any { return t.db.dialect.stamp(t.now) }

// stamp reads a timestamp column: the drivers give a time, or text in UTC.
type stamp struct{ to *time.Time }

func (s stamp) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*s.to = time.Time{}
	case time.Time:
		*s.to = v.UTC()
	case string:
		t, err := time.Parse(time.DateTime, v)
		if err != nil {
			return fmt.Errorf("timestamp column: %w", err)
		}
		*s.to = t
	default:
		return fmt.Errorf("timestamp column has a %T", value)
	}
	return nil
}

// millis reads and writes the times of our own tables: milliseconds since the
// epoch, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
