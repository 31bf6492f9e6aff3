package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What callers branch on. Errors are wrapped around them; use errors.Is.
var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrDuplicate says that the name, or the address of a server, is taken.
	ErrDuplicate = errors.New("exists already")
	// ErrConflict says that a text has changed since it was read.
	ErrConflict = errors.New("changed by somebody else")
	// ErrUnavailable says that the database cannot be reached, or does not answer
	// in time. Whether a change that ended so was made is not known.
	ErrUnavailable = errors.New("database not reachable")
	// ErrHasServers says that a cluster with servers cannot be deleted.
	ErrHasServers = errors.New("the cluster has servers")
	// ErrHasInstances says that a cluster or server with instances cannot be deleted.
	ErrHasInstances = errors.New("instances belong to it")
	// ErrLastAdmin says that nobody could administer users any more.
	ErrLastAdmin = errors.New("the last administrator who can log in cannot be removed")
	// ErrTooLong says that a value does not fit into its column.
	ErrTooLong = errors.New("too long to be stored")
	// ErrCharacters says that the database's character set cannot hold a text:
	// Canal's tables are utf8, which in MySQL has no characters beyond U+FFFF.
	ErrCharacters = errors.New("has characters that the database cannot store")
)

// Numbers of MySQL errors.
const (
	mysqlTooManyConnections = 1040
	mysqlShutdown           = 1053
	mysqlDuplicate          = 1062
	mysqlLockWaitTimeout    = 1205
	mysqlDeadlock           = 1213
	mysqlReadOnlyOption     = 1290
	mysqlWrongCharacters    = 1366
	mysqlTooLong            = 1406
	mysqlReadOnly           = 1836
	mysqlTimeLimit          = 3024
	mysqlNoConversion       = 3988
	mysqlMixOfCollations    = 1267 // a comparison with characters that the column cannot have
)

// classify wraps the sentinel that a driver's error comes to around it. asked is
// the caller's context: that it has ended is no fault of the database.
func classify(asked context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if asked.Err() != nil {
		return context.Cause(asked)
	}
	if sentinel := sentinelOf(err); sentinel != nil && !errors.Is(err, sentinel) {
		return fmt.Errorf("%w: %w", sentinel, err)
	}
	return err
}

func sentinelOf(err error) error {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return mysqlSentinel(my.Number)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return sqliteSentinel(lite.Code())
	}
	var network net.Error
	unreachable := []error{driver.ErrBadConn, mysql.ErrInvalidConn, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, sql.ErrConnDone}
	if errors.As(err, &network) || slices.ContainsFunc(unreachable, func(e error) bool { return errors.Is(err, e) }) {
		return ErrUnavailable
	}
	return nil
}

func mysqlSentinel(number uint16) error {
	switch number {
	case mysqlDuplicate:
		return ErrDuplicate
	case mysqlTooLong:
		return ErrTooLong
	case mysqlWrongCharacters, mysqlNoConversion, mysqlMixOfCollations:
		return ErrCharacters
	case mysqlTooManyConnections, mysqlShutdown, mysqlLockWaitTimeout, mysqlDeadlock, mysqlReadOnlyOption, mysqlReadOnly, mysqlTimeLimit:
		return ErrUnavailable
	}
	return nil
}

func sqliteSentinel(code int) error {
	if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return ErrDuplicate
	}
	switch code & 0xff { // the primary code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT:
		return ErrUnavailable
	}
	return nil
}
