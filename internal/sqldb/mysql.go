package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// connectTimeout bounds how long it takes to reach a MySQL server.
const connectTimeout = 3 * time.Second

// Bounds of the connections to one MySQL server.
type Bounds struct {
	Connections, Idle int           // at most
	IO                time.Duration // of one read or write; the last resort when a host is gone
	LockWait          time.Duration // in whole seconds, for a lock of another connection
}

// lifetime is below wait_timeout, and makes that a fail-over of MySQL is followed.
const lifetime = 5 * time.Minute

// OpenMySQL makes a pool of connections; it connects to nothing yet. Sessions are
// strict, for without that MySQL cuts what is too long, and have UTC unless the
// address names a zone.
func OpenMySQL(c *mysql.Config, b Bounds) (*sql.DB, error) {
	c.ParseTime = true
	c.ClientFoundRows = true
	c.Logger = &mysql.NopLogger{} // what it says comes with the errors
	c.Timeout = orElse(c.Timeout, connectTimeout)
	c.ReadTimeout = orElse(c.ReadTimeout, b.IO)
	c.WriteTimeout = orElse(c.WriteTimeout, b.IO)
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	c.Params["sql_mode"] = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
	c.Params["innodb_lock_wait_timeout"] = strconv.Itoa(int(b.LockWait / time.Second))
	if c.Loc == time.UTC {
		c.Params["time_zone"] = "'+00:00'"
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("address of the MySQL database: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(b.Connections)
	db.SetMaxIdleConns(b.Idle)
	db.SetConnMaxLifetime(lifetime)
	return db, nil
}

func orElse(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}

// Numbers of MySQL errors.
const (
	mysqlBlobBeyondLog = 1118 // a text is larger than a tenth of InnoDB's redo log (5.6), or a row too large
	mysqlTooLargeData  = 1105 // with this name in its text: a parameter is beyond max_allowed_packet
	mysqlPacket        = 1153
	mysqlDeadlock      = 1213
)

// IsDeadlock says whether MySQL has given a transaction up in favour of another,
// so that it may be tried again.
func IsDeadlock(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && my.Number == mysqlDeadlock
}

// IsTooLarge says whether MySQL is set up not to take a value of that size:
// max_allowed_packet, which the text names, or innodb_log_file_size.
func IsTooLarge(err error) bool {
	if errors.Is(err, mysql.ErrPktTooLarge) {
		return true
	}
	var my *mysql.MySQLError
	if !errors.As(err, &my) {
		return false
	}
	switch my.Number {
	case mysqlPacket, mysqlBlobBeyondLog:
		return true
	case mysqlTooLargeData:
		return strings.Contains(my.Message, "max_allowed_packet")
	}
	return false
}
