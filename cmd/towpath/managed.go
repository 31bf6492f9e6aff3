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
	client, err := adminClient(*c.Manager())
	if err != nil {
		return nil, err
	}
	d := &managed{h: h, options: o}
	d.follower = polling.NewFollower(polling.FollowerOptions{
		Client: client, Cache: adminCache(c), Target: d, Name: c.Manager().Name, Logger: h.log,
	})
	return d, nil
}

// adminClient asks the admin of a configuration.
func adminClient(m config.Manager) (*polling.Client, error) {
	secure, err := m.TLSConfig()
	if err != nil {
		return nil, err
	}
	return polling.NewClient(polling.ClientOptions{
		Addresses: m.Addresses, User: m.User, Passwd: m.Passwd, TLS: secure,
		IP: m.IP, Port: m.Port, Register: m.Register, Cluster: m.Cluster, NodeName: m.NodeName, Version: version,
	}), nil
}

// adminCache is where a server remembers what its admin said.
func adminCache(c *config.Config) polling.Cache {
	m := c.Manager()
	return polling.Cache{File: filepath.Join(c.DataDir(), "canal-admin.cache"), Admin: m.Name, Node: net.JoinHostPort(m.IP, strconv.Itoa(m.Port))}
}

// askAdmin completes a configuration with what its admin says, or what is remembered
// of it while it does not answer; away is then why. Nothing is registered or changed.
func askAdmin(ctx context.Context, o config.LoadOptions, c *config.Config) (complete *config.Config, away, err error) {
	m := *c.Manager()
	m.Register = false
	client, err := adminClient(m)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	texts, err := polling.Look(ctx, client, func(server string) (polling.Settings, error) {
		_, settings, err := loadWith(o, polling.Texts{Server: polling.Text{Content: server}})
		return settings, err
	})
	var asked *polling.RequestError
	var refused *polling.RefusedError
	if err != nil && !errors.As(err, &asked) && !errors.As(err, &refused) {
		return nil, nil, err
	}
	if away = err; err != nil {
		if texts, err = adminCache(c).Load(); err != nil {
			return nil, nil, fmt.Errorf("canal.admin.manager: %w; %w", away, err)
		}
	}
	complete, _, err = loadWith(o, texts)
	return complete, away, err
}

// loadWith reads the main file and texts of the admin.
func loadWith(o config.LoadOptions, t polling.Texts) (*config.Config, polling.Settings, error) {
	contents := t.Contents()
	return loadAdmin(o, t.Server.Content, func() map[string]string { return contents })
}

// loadAdmin reads the main file and what the admin said.
func loadAdmin(o config.LoadOptions, server string, instances func() map[string]string) (*config.Config, polling.Settings, error) {
	o.Admin = &config.AdminTexts{Server: server, Instances: instances}
	c, err := config.Load(o)
	if err != nil {
		return nil, polling.Settings{}, err
	}
	s := c.Server()
	return c, polling.Settings{Interval: s.ScanInterval, Scan: s.AutoScan, Destinations: s.Destinations}, nil
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

// destinations are those that the admin lists, sorted.
func (d *managed) destinations() []string {
	return slices.Sorted(maps.Keys(d.follower.Contents()))
}

// Check implements polling.Target.
func (d *managed) Check(server string) (polling.Settings, error) {
	c, settings, err := loadAdmin(d.options, server, d.follower.Contents)
	if err == nil {
		err = c.Startable()
	}
	return settings, err
}

// Use implements polling.Target.
func (d *managed) Use(server string) error {
	c, _, err := loadAdmin(d.options, server, d.follower.Contents)
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
