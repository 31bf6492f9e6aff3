package client

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrClosed is returned by calls on a Conn after Close.
	ErrClosed = errors.New("connection is closed")
	// ErrStale is returned for the ack or rollback of a batch that this
	// connection does not hold: it came before a reconnect or a rollback, or has
	// been acked. Unless it was acked its entries are delivered again; carry on
	// with the next batch.
	ErrStale = errors.New("batch is no longer held: it was acked, rolled back or came over a lost connection")
	// ErrOrder is returned for the ack of a batch while an earlier one is not
	// acked: servers accept acks in order only.
	ErrOrder = errors.New("an earlier batch has not been acked")
	// ErrGap is returned by a get when the server has given a batch to somebody
	// else in between: another program with the same client id, or a request of an
	// earlier connection. The next call reconnects and gets what was missed.
	ErrGap = errors.New("a batch went elsewhere: does another program use this client id?")
	// ErrAuth is wrapped by the error of a server that refuses user or password.
	ErrAuth = errors.New("user or password refused")
	// ErrMoved is returned by a call during which the destination moved to another
	// server: see ZooKeeper. The next call connects there.
	ErrMoved = errors.New("the destination moved to another server")
	// ErrDisplaced is wrapped by the error of a call during which this process lost
	// the right to consume: another process may consume in its place, ZooKeeper
	// cannot be reached, or somebody deleted the node or asked for it. The next call
	// waits until the process has the right again.
	ErrDisplaced = errors.New("no longer the active client")
	// ErrNoServer is returned when there is no address to connect to.
	ErrNoServer = errors.New("no canal server known")
)

// ServerError is an error reported by the server. Code is 400 for most; the
// message often is a Java exception's text.
//
// After a refused ack or rollback the next request fails with the report of it:
// Op names the request that read it, not necessarily the one that caused it.
type ServerError struct {
	Op      string // what was being done: authenticate, subscribe, unsubscribe, get
	Code    int32
	Message string
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("%s: server says %d: %s", e.Op, e.Code, strings.TrimSpace(e.Message))
}
