package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// OpenSQLite opens a file and creates it and its folder where they are missing,
// readable by the owner only. It has one connection, so that changes and reads come
// one after the other. busy is how long a call waits for another process.
func OpenSQLite(path string, busy time.Duration) (*sql.DB, error) {
	if path == "" {
		return nil, errors.New("the path of the SQLite file is empty")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("folder of the SQLite file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("SQLite file: %w", err)
	}
	f.Close()
	// FULL makes each commit reach the disk: what has been answered is there after
	// a power failure, too.
	return openSQLite(path, url.Values{"_txlock": {"immediate"}, "_pragma": {busyPragma(busy), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}})
}

// ReadSQLite opens a file that is there only to read it; a process may be writing
// meanwhile. Nothing is created or changed: a file without a log beside it, which
// nobody has open, is read as it is. The error matches fs.ErrNotExist when there is
// no file.
func ReadSQLite(path string, busy time.Duration) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("SQLite file: %w", err)
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {busyPragma(busy), "query_only(1)"}}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		q.Set("immutable", "1") // else SQLite would make the log, and leave it there
	}
	return openSQLite(path, q)
}

func busyPragma(busy time.Duration) string {
	return "busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")"
}

// openSQLite opens a file by one connection.
func openSQLite(path string, q url.Values) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("SQLite file: %w", err)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: absolute, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db, nil
}
