package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"
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
}

func (o Options) withDefaults() Options {
	o.ClientID = cmp.Or(o.ClientID, DefaultClientID)
	o.SOTimeout = cmp.Or(o.SOTimeout, DefaultSOTimeout)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, DefaultIdleTimeout)
	o.MaxReply = cmp.Or(o.MaxReply, math.MaxInt32)
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
	case o.Discoverer == nil && o.Addr == "":
		return errors.New("client options: neither an address nor a discoverer")
	case o.SOTimeout < 0, o.IdleTimeout < 0, o.MaxReply < 0:
		return errors.New("client options: negative timeout or limit")
	case o.IdleTimeout.Milliseconds() > math.MaxInt32:
		return fmt.Errorf("client options: idle timeout %v is over %v", o.IdleTimeout, math.MaxInt32*time.Millisecond)
	}
	return nil
}

// Discoverer finds the servers of a destination.
type Discoverer interface {
	// Addrs are the servers' addresses, host:port, the best first. It is asked
	// before each attempt to connect, so it should answer from what it knows.
	Addrs(ctx context.Context) ([]string, error)
}

// Static is a Discoverer of addresses that do not change. They are tried in turn.
func Static(addrs ...string) Discoverer { return static(addrs) }

type static []string

func (s static) Addrs(context.Context) ([]string, error) { return s, nil }
