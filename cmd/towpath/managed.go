package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/polling"
)

// managed is a server whose configuration is an admin's. It is what the follower
// of the admin tells what to do.
type managed struct {
	h        *host
	options  config.LoadOptions
	follower *polling.Follower
}

// newManaged prepares to follow the admin that a main file names.
func newManaged(h *host, o config.LoadOptions, c *config.Config) (*managed, error) {
	m := c.Manager()
	secure, err := m.TLSConfig()
	if err != nil {
		return nil, err
	}
	d := &managed{h: h, options: o}
	d.follower = polling.NewFollower(polling.FollowerOptions{
		Client: polling.NewClient(polling.ClientOptions{
			Addresses: m.Addresses, User: m.User, Passwd: m.Passwd, TLS: secure,
			IP: m.IP, Port: m.Port, Register: m.Register, Cluster: m.Cluster, NodeName: m.NodeName, Version: version,
		}),
		Cache:  polling.Cache{File: filepath.Join(c.DataDir(), "canal-admin.cache"), Admin: m.Name, Node: net.JoinHostPort(m.IP, strconv.Itoa(m.Port))},
		Target: d, Name: m.Name, Logger: h.log,
	})
	return d, nil
}

// runManaged runs the server as its admin wants it until ctx ends.
func (h *host) runManaged(ctx context.Context, o config.LoadOptions, c *config.Config) error {
	d, err := newManaged(h, o, c)
	if err != nil {
		return err
	}
	h.managed = d
	var following sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer following.Wait()
	defer stop()
	following.Go(func() { d.follower.Run(ctx) })
	return h.wait(ctx)
}

// load reads the main file and what the admin said.
func (d *managed) load(server string) (*config.Config, error) {
	o := d.options
	o.Admin = &config.AdminTexts{Server: server, Instances: d.follower.Contents}
	return config.Load(o)
}

// destinations are those that the admin lists, sorted.
func (d *managed) destinations() []string {
	return slices.Sorted(maps.Keys(d.follower.Contents()))
}

// Check implements polling.Target.
func (d *managed) Check(server string) (polling.Settings, error) {
	c, err := d.load(server)
	if err == nil {
		err = c.Startable()
	}
	if err != nil {
		return polling.Settings{}, err
	}
	o := c.Server()
	return polling.Settings{Interval: o.ScanInterval, Scan: o.AutoScan, Destinations: o.Destinations}, nil
}

// Use implements polling.Target.
func (d *managed) Use(server string) error {
	c, err := d.load(server)
	if err != nil {
		return err
	}
	return d.h.replace(c)
}

// Running implements polling.Target.
func (d *managed) Running() bool {
	_, s := d.h.current()
	return s != nil
}

// Change implements polling.Target.
func (d *managed) Change(actions []polling.Action) (again []string) {
	_, s := d.h.current()
	if s == nil {
		return nil
	}
	for _, a := range actions {
		var err error
		switch a.Op {
		case polling.Stop:
			if err = s.manager.Forget(a.Destination); err != nil {
				again = append(again, a.Destination)
			}
		case polling.Reload:
			if err = s.manager.Reload(a.Destination); errors.Is(err, cluster.ErrNotNow) {
				again = append(again, a.Destination)
				d.h.log.Warn("the changed configuration is not in force yet; tried again by the next scan", "instance", a.Destination, "error", err)
			}
		case polling.Start:
			err = s.manager.Start(a.Destination)
		}
		if err == nil {
			d.h.log.Info(fmt.Sprintf("auto notify %s %s successful.", a.Op, a.Destination))
		}
	}
	return again
}
