package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// membership is this server's part in a cluster. The nil membership is that of a
// server that is alone.
type membership struct {
	client   *zk.Client
	member   *cluster.Member
	sessions *cluster.SessionFile

	cancel context.CancelFunc
	done   chan struct{}
}

// zooKeeperConfig says how to reach the ZooKeeper of a configuration.
func zooKeeperConfig(z config.ZooKeeper, log *slog.Logger) (zk.Config, error) {
	servers, chroot, err := zk.ParseServers(z.Servers)
	if err != nil {
		return zk.Config{}, fmt.Errorf("canal.zkServers: %w", err)
	}
	var secure *tls.Config
	if z.TLS {
		if secure, err = z.TLSConfig(); err != nil {
			return zk.Config{}, err
		}
	}
	c := zk.Config{Servers: servers, Chroot: chroot, SessionTimeout: z.SessionTimeout, TLS: secure, Logger: log}
	if z.Auth != "" {
		c.Auth = []zk.Auth{{Scheme: "digest", Credential: z.Auth}}
	}
	if z.CreatorACL {
		c.ACL = zk.CreatorACL
	}
	return c, nil
}

// join makes this server a member of the cluster of its configuration; it
// returns nil when there is none. address is where clients reach this server.
func join(c *config.Config, address string, log *slog.Logger) (*membership, error) {
	o := c.Server()
	if o.ZooKeeper.Servers == "" {
		return nil, nil
	}
	z, err := zooKeeperConfig(o.ZooKeeper, log)
	if err != nil {
		return nil, err
	}
	sessions, err := cluster.OpenSessionFile(filepath.Join(c.DataDir(), "zookeeper.session"), z)
	if err != nil {
		// A read-only data folder must not keep a server from serving.
		log.Warn("the session with ZooKeeper is not remembered: after a crash a restart has to wait until it expires", "error", err)
	}
	client, err := zk.Open(z)
	if err != nil {
		return nil, fmt.Errorf("canal.zkServers: %w", err)
	}
	m := &membership{client: client, sessions: sessions, done: make(chan struct{})}
	m.member = cluster.New(cluster.Options{ZooKeeper: client, Address: address, Version: version, Weight: o.Weight, Rebalance: o.Rebalance, Sessions: sessions, Logger: log})
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(m.done)
		m.member.Run(ctx)
	}()
	return m, nil
}

// clusterParts are what the instances need of a membership; nil when alone.
func (m *membership) parts() (*cluster.Member, *zk.Client) {
	if m == nil {
		return nil, nil
	}
	return m.member, m.client
}

// leaveTimeout bounds the farewell to ZooKeeper. What is not removed by then goes
// when the session expires.
const leaveTimeout = 2 * time.Second

// leave ends the session, so that nothing of this server stays in ZooKeeper. The
// instances have been stopped before.
func (m *membership) leave(log *slog.Logger) {
	if m == nil {
		return
	}
	m.cancel()
	<-m.done
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	err := m.client.Close(ctx)
	if m.sessions != nil {
		if err == nil {
			err = m.sessions.Clear()
		}
		err = errors.Join(err, m.sessions.Close())
	}
	if err != nil {
		log.Warn("the session with ZooKeeper could not be ended; what is left of it goes when it expires", "error", err)
	}
}

// clientAddress is where clients and other servers are told to reach this one.
func clientAddress(o config.Server, ln net.Listener) string {
	port := o.Port
	if port == 0 && ln != nil {
		port = ln.Addr().(*net.TCPAddr).Port
	}
	return net.JoinHostPort(o.RegisterIP, strconv.Itoa(port))
}
