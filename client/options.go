package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/towpath-cdc/towpath/internal/zktree"
)

// What Options fields are when zero, as in Canal's SimpleCanalConnector.
const (
	DefaultClientID    = 1001
	DefaultSOTimeout   = 60 * time.Second
	DefaultIdleTimeout = time.Hour
	DefaultBatchSize   = 1000
)

// Options say which destination of which server to read, and as whom.
type Options struct {
	// Addr is the server, host:port. Discoverer takes precedence.
	Addr string
	// Discoverer finds servers where there can be several.
	Discoverer Discoverer
	// ZooKeeper finds the server that runs the destination, follows it when it
	// changes, and lets one process at a time consume as this client. It takes
	// precedence over Discoverer.
	ZooKeeper *ZooKeeper
	// Destination names the change stream.
	Destination string
	// ClientID is the reader's number; the server keeps a position for each.
	// 0 is DefaultClientID.
	ClientID int16
	// User and Password are proven to the server; without a password none is sent.
	User, Password string
	// SOTimeout bounds connecting, and how long the server may take to read a
	// request or to answer it, on top of the time a get asks it to wait. 0 is
	// DefaultSOTimeout.
	SOTimeout time.Duration
	// IdleTimeout is after what time without a request the server may close the
	// connection. 0 is DefaultIdleTimeout.
	IdleTimeout time.Duration
	// MaxReply is the longest reply accepted, in bytes; a server closes a batch
	// by its own limits. 0 is what the protocol allows, 2 GiB. Memory is taken
	// as a reply arrives.
	MaxReply int
	// Dial opens connections, for TLS or a proxy. nil is TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Event, if not nil, is called when something happens to the connection, one
	// call at a time. It must return soon and may not use the connection.
	Event func(Event)
}

func (o Options) withDefaults() Options {
	o.ClientID = cmp.Or(o.ClientID, DefaultClientID)
	o.SOTimeout = cmp.Or(o.SOTimeout, DefaultSOTimeout)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, DefaultIdleTimeout)
	o.MaxReply = cmp.Or(o.MaxReply, math.MaxInt32)
	if o.ZooKeeper != nil {
		o.Discoverer = o.ZooKeeper.Discover(o.Destination)
	}
	if o.Discoverer == nil && o.Addr != "" {
		o.Discoverer = Static(o.Addr)
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Destination == "":
		return errors.New("client options: no destination")
	case o.ZooKeeper == nil && o.Discoverer == nil && o.Addr == "":
		return errors.New("client options: neither an address nor a discoverer")
	case o.ZooKeeper != nil && o.ClientID < 0:
		return fmt.Errorf("client options: client id %d cannot be a node in zookeeper", o.ClientID)
	case o.SOTimeout < 0, o.IdleTimeout < 0, o.MaxReply < 0:
		return errors.New("client options: negative timeout or limit")
	case o.IdleTimeout.Milliseconds() > math.MaxInt32:
		return fmt.Errorf("client options: idle timeout %v is over %v", o.IdleTimeout, math.MaxInt32*time.Millisecond)
	}
	if o.ZooKeeper != nil {
		if err := zktree.CheckDestination(o.Destination); err != nil {
			return fmt.Errorf("client options: %w", err)
		}
	}
	return nil
}

// Discoverer finds the servers of a destination.
type Discoverer interface {
	// Addrs are the servers' addresses, host:port, the best first. It is asked
	// before each attempt to connect, so it should answer from what it knows.
	Addrs(ctx context.Context) ([]string, error)
}

// follower is a Discoverer that tells when the destination moves.
type follower interface {
	Discoverer
	// running is the server that runs the destination, "" if none is known.
	running() string
	// follow has f called with running whenever it may have changed, until stop is
	// called; a call may still be under way then.
	follow(f func(addr string)) (stop func())
}

// Static is a Discoverer of addresses that do not change. They are tried in turn.
func Static(addrs ...string) Discoverer { return static(addrs) }

type static []string

func (s static) Addrs(context.Context) ([]string, error) { return s, nil }
