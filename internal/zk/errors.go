package zk

import (
	"errors"
	"fmt"
)

// What requests fail with. Errors are wrapped with the request and the path.
var (
	// ErrNoNode says that the node, or the parent of one to be created, is missing.
	ErrNoNode = errors.New("no such node")
	// ErrNodeExists says that a node to be created is there already.
	ErrNodeExists = errors.New("node exists already")
	// ErrBadVersion says that a node has another version than the request gave.
	ErrBadVersion = errors.New("node has another version")
	// ErrNotEmpty says that a node to be deleted has children.
	ErrNotEmpty = errors.New("node has children")
	// ErrNoAuth says that the node's ACL does not allow the request.
	ErrNoAuth = errors.New("not allowed by the node's ACL")
	// ErrNoChildrenForEphemerals says that the parent is an ephemeral node.
	ErrNoChildrenForEphemerals = errors.New("ephemeral nodes cannot have children")
	// ErrAuthFailed says that the servers refuse Config.Auth. The client goes on
	// trying; until it succeeds requests fail.
	ErrAuthFailed = errors.New("credentials refused by the server")
	// ErrSessionExpired says that a server declared the session over. Its ephemeral
	// nodes are gone, and nothing can be asked in it any more.
	ErrSessionExpired = errors.New("session expired")
	// ErrConnectionLost says that the connection broke between a request that
	// writes and its answer: whether it was carried out is not known.
	ErrConnectionLost = errors.New("connection lost before the answer, outcome unknown")
	// ErrClosed says that the client was closed.
	ErrClosed = errors.New("client is closed")
)

// Error codes of ZooKeeper's KeeperException.
const (
	codeOK                     = 0
	codeRuntimeInconsistency   = -2
	codeNoNode                 = -101
	codeNoAuth                 = -102
	codeBadVersion             = -103
	codeNoChildrenForEphemeral = -108
	codeNodeExists             = -110
	codeNotEmpty               = -111
	codeSessionExpired         = -112
	codeAuthFailed             = -115
	codeSessionMoved           = -118
)

var sentinels = map[int32]error{
	codeNoNode:                 ErrNoNode,
	codeNoAuth:                 ErrNoAuth,
	codeBadVersion:             ErrBadVersion,
	codeNoChildrenForEphemeral: ErrNoChildrenForEphemerals,
	codeNodeExists:             ErrNodeExists,
	codeNotEmpty:               ErrNotEmpty,
	codeSessionExpired:         ErrSessionExpired,
	codeAuthFailed:             ErrAuthFailed,
}

// ServerError is an error of a server that has no name of its own here. Code is
// that of ZooKeeper's KeeperException.
type ServerError struct{ Code int32 }

var codeNames = map[int32]string{
	-1:                       "system error",
	codeRuntimeInconsistency: "runtime inconsistency",
	-5:                       "marshalling error",
	-6:                       "not implemented",
	-8:                       "bad arguments",
	-114:                     "invalid ACL",
	codeSessionMoved:         "session moved to another server",
	-119:                     "server is read-only",
	-125:                     "quota exceeded",
	-127:                     "throttled",
}

func (e *ServerError) Error() string {
	if name := codeNames[e.Code]; name != "" {
		return "server says: " + name
	}
	return fmt.Sprintf("server says: error %d", e.Code)
}

// codeError is the error of a code, nil for success.
func codeError(code int32) error {
	if code == codeOK {
		return nil
	}
	if err := sentinels[code]; err != nil {
		return err
	}
	return &ServerError{code}
}

// MultiError says which operation made a Multi fail. Nothing of the Multi was done.
type MultiError struct {
	Index int   // of the operation, from 0
	Err   error // why, such as ErrBadVersion, with the operation and its path
}

func (e *MultiError) Error() string {
	return fmt.Sprintf("operation %d: %v", e.Index, e.Err)
}

// Unwrap is Err.
func (e *MultiError) Unwrap() error { return e.Err }
