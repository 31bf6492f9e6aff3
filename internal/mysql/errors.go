package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
)

// Server error codes that callers branch on, from MySQL's mysqld_error.h.
const (
	CodeDBAccessDenied       = 1044 // ER_DBACCESS_DENIED_ERROR
	CodeAccessDenied         = 1045 // ER_ACCESS_DENIED_ERROR
	CodeBadDB                = 1049 // ER_BAD_DB_ERROR
	CodeServerShutdown       = 1053 // ER_SERVER_SHUTDOWN
	CodeParseError           = 1064 // ER_PARSE_ERROR
	CodeTableAccessDenied    = 1142 // ER_TABLEACCESS_DENIED_ERROR
	CodeNoSuchTable          = 1146 // ER_NO_SUCH_TABLE
	CodeUnknownVariable      = 1193 // ER_UNKNOWN_SYSTEM_VARIABLE
	CodeSpecificAccessDenied = 1227 // ER_SPECIFIC_ACCESS_DENIED_ERROR
	CodeMasterFatal          = 1236 // ER_MASTER_FATAL_ERROR_READING_BINLOG
	CodeNotBinlogging        = 1381 // ER_NO_BINARY_LOGGING
	CodeAccessDeniedNoPass   = 1698 // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
	CodeAccountLocked        = 3118 // ER_ACCOUNT_HAS_BEEN_LOCKED
	CodeReplicaSameID        = 4052 // MariaDB's ER_SLAVE_SAME_ID: a newer dump has the same replica id
)

// ErrBroken says that the connection can no longer be used: a read or write on
// it ended half-way, or was cancelled.
var ErrBroken = errors.New("connection is broken")

// ServerError is an error packet.
type ServerError struct {
	Code     uint16
	SQLState string
	Message  string
}

// Error is the text Canal writes for an error packet, which people search logs for.
func (e *ServerError) Error() string {
	return fmt.Sprintf("Received error packet: errno = %d, sqlstate = %s errmsg = %s", e.Code, e.SQLState, e.Message)
}

// Code returns the server's error code in err, or 0 if it holds none.
func Code(err error) uint16 {
	if e, ok := errors.AsType[*ServerError](err); ok {
		return e.Code
	}
	return 0
}

// IsPrivilege reports whether err says that the account may not do something,
// log in included.
func IsPrivilege(err error) bool {
	switch Code(err) {
	case CodeDBAccessDenied, CodeAccessDenied, CodeTableAccessDenied, CodeSpecificAccessDenied, CodeAccessDeniedNoPass, CodeAccountLocked:
		return true
	}
	return false
}

// ConnectError says why no connection could be made.
type ConnectError struct {
	Address string
	User    string
	Step    string // "dial", "handshake" or "login"
	Remedy  string // what to do about it
	Err     error
}

// Error names the address, the step and the cause.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to %s as %s: %s: %v", e.Address, e.User, e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// fromClient turns what go-mysql returns into this package's errors. It hides
// the cause of a broken socket behind a text, so ctx and the error kept by the
// socket itself are asked first.
func fromClient(ctx context.Context, sock *socket, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*gomysql.MyError](err); ok {
		return &ServerError{Code: e.Code, SQLState: e.State, Message: e.Message}
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w: %w", ErrBroken, cause)
	}
	if sock != nil && sock.err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, sock.err)
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// socket remembers the first error of a connection. It is used by one
// goroutine at a time, as Conn is.
type socket struct {
	net.Conn
	err error
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}
