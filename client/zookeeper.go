package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
)

// DefaultSessionTimeout is ZooKeeperOptions.SessionTimeout when zero.
const DefaultSessionTimeout = 10 * time.Second

// leaveLimit is how long Conn.Close and ZooKeeper.Close wait for ZooKeeper each.
const leaveLimit = 2 * time.Second

// ZooKeeperOptions say where ZooKeeper is and how to use it.
type ZooKeeperOptions struct {
	// Servers are written as in canal.zkServers: host:port, separated by commas; a
	// path at the end becomes the prefix of all nodes.
	Servers string
	// SessionTimeout is after what time without a sign of life ZooKeeper takes this
	// process for dead, so that another one consumes. The server keeps it within
	// limits of its own. 0 is DefaultSessionTimeout.
	SessionTimeout time.Duration
	// TLS is nil for plain connections.
	TLS *tls.Config
	// Auth is user:password of ZooKeeper's digest scheme, "" for none. Nodes are open
	// to everybody nevertheless, as Canal's are.
	Auth string
	// Logger is told what happens to the connection. nil is nowhere.
	Logger *slog.Logger
}

// ZooKeeper is a process's connection to the ZooKeeper of a Canal cluster. It is
// shared by the consumers of the process, through Options.ZooKeeper or Discover.
//
// A Conn with Options.ZooKeeper competes for the node
// /otter/canal/destinations/D/CLIENTID/running with all processes that consume D as
// this client, those with Canal's Java cluster client included; the one that has it
// consumes. The node is kept while servers fail over. It is given up when the Conn is
// closed, after its connection. It is kept also by a process that can reach ZooKeeper
// but no server.
//
// A process loses the node when its ZooKeeper session ends, and cannot know at once
// that it did. So it consumes only as long as the session cannot have ended: half the
// session timeout since it asked for the last answer by which ZooKeeper proved it,
// which it does every sixth of that timeout. Then it closes its connection and waits
// to be confirmed or elected again. The clock is Go's, which on Linux does not count
// the time that a machine is suspended.
type ZooKeeper struct {
	zk  *zk.Client
	log *slog.Logger

	ctx    context.Context // its lifetime
	cancel context.CancelFunc
	wg     sync.WaitGroup // of background

	mu       sync.Mutex // guards what follows
	locators map[string]*locator
	closed   bool
}

// OpenZooKeeper checks the options and returns at once; it connects in the
// background, and again whenever the connection breaks.
func OpenZooKeeper(o ZooKeeperOptions) (*ZooKeeper, error) {
	servers, chroot, err := zk.ParseServers(o.Servers)
	if err != nil {
		return nil, fmt.Errorf("zookeeper options: %w", err)
	}
	if o.SessionTimeout < 0 {
		return nil, fmt.Errorf("zookeeper options: negative session timeout %v", o.SessionTimeout)
	}
	c := zk.Config{Servers: servers, Chroot: chroot, SessionTimeout: o.SessionTimeout, TLS: o.TLS, Logger: o.Logger}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = DefaultSessionTimeout
	}
	if o.Auth != "" {
		if !strings.Contains(o.Auth, ":") {
			return nil, fmt.Errorf("zookeeper options: auth is not of the form user:password")
		}
		c.Auth = []zk.Auth{{Scheme: "digest", Credential: o.Auth}}
	}
	client, err := zk.Open(c)
	if err != nil {
		return nil, fmt.Errorf("open zookeeper: %w", err)
	}
	z := &ZooKeeper{zk: client, log: o.Logger, locators: map[string]*locator{}}
	if z.log == nil {
		z.log = slog.New(slog.DiscardHandler)
	}
	z.ctx, z.cancel = context.WithCancel(context.Background())
	return z, nil
}

// Ping waits until ZooKeeper has answered, or ctx ends.
func (z *ZooKeeper) Ping(ctx context.Context) error {
	if _, err := z.zk.Session(ctx); err != nil {
		return fmt.Errorf("connect to zookeeper: %w", err)
	}
	return nil
}

// Discover is a Discoverer of the server that runs a destination, for connections
// that follow it without Options.ZooKeeper and its right to consume, as where a
// program sees to it by other means that only one process consumes as a client.
//
// The server is known by watching, so that Addrs answers from memory. Where none runs
// the destination, Addrs waits until ctx ends; after a while it returns the servers
// that could run it, since a lazy instance starts when it is first subscribed to.
func (z *ZooKeeper) Discover(destination string) Discoverer {
	z.mu.Lock()
	defer z.mu.Unlock()
	l := z.locators[destination]
	if l == nil {
		l = newLocator(z.zk, z.log, destination)
		z.locators[destination] = l
		if z.closed {
			l.close()
		}
	}
	return l
}

// Close ends the ZooKeeper session, and with it whatever right to consume is left.
// Connections should be closed before. It waits up to leaveLimit.
func (z *ZooKeeper) Close() error {
	z.mu.Lock()
	z.closed = true
	locators := slices.Collect(maps.Values(z.locators))
	z.mu.Unlock()
	z.cancel()
	z.wg.Wait()
	for _, l := range locators {
		l.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveLimit)
	defer cancel()
	return z.zk.Close(ctx)
}

// background runs f, which ends when its context does: at the latest with z.
func (z *ZooKeeper) background(f func(context.Context)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.closed {
		f(z.ctx)
		return
	}
	z.wg.Go(func() { f(z.ctx) })
}

// over tells whether a session has ended.
func over(s *zk.Session) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
