package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/inspect"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/logging"
	"github.com/towpath-cdc/towpath/internal/polling"
)

// host is the process around the server: it has the admin port, which outlives a
// server that is stopped through it, and at most one service at a time.
type host struct {
	logs      *logging.Logs
	log       *slog.Logger
	inspector *inspect.Inspector
	manager   atomic.Pointer[instance.Manager] // of the latest service; nil before the first
	managed   *managed                         // nil without an admin
	failed    chan error                       // a service ended by itself

	// op is held, by who has put something in, while the server is started or
	// stopped. It comes before mu.
	op   chan struct{}
	port *adminPort // guarded by op

	good    *config.Config // with which a service has started last; guarded by op
	stopped bool           // the service was stopped on request; guarded by op

	mu      sync.Mutex
	config  *config.Config // of the service, or what it was tried with last
	service *service       // nil while none runs
}

// newHost returns a host that runs nothing yet; logs and log are to be set.
func newHost() *host {
	return &host{op: make(chan struct{}, 1), failed: make(chan error, 1)}
}

// known says whether a destination may have log files.
func (h *host) known(destination string) bool {
	m := h.manager.Load()
	return m != nil && m.Known(destination)
}

// current returns the configuration and the service; nil while there is none.
func (h *host) current() (*config.Config, *service) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.config, h.service
}

func (h *host) set(c *config.Config, s *service) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.config, h.service = c, s
}

// lock takes op; false means that ctx has ended.
func (h *host) lock(ctx context.Context) bool {
	select {
	case h.op <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *host) unlock() { <-h.op }

// runFiles runs the server with a configuration from files until ctx ends.
func (h *host) runFiles(ctx context.Context, c *config.Config) error {
	h.lock(context.Background())
	err := h.begin(c)
	h.unlock()
	if err != nil {
		return err
	}
	return h.wait(ctx)
}

// wait waits until ctx ends or the service does by itself.
func (h *host) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-h.failed:
		return err
	}
}

// begin starts the server, for which there must be none; op is held. The ports are
// taken first.
func (h *host) begin(c *config.Config) error {
	file := []any{"file", c.File()}
	if m := c.Manager(); m != nil {
		file = append(file, "admin", m.Name)
	}
	h.log.Info("## load canal configurations", file...)
	for _, finding := range c.Report() {
		h.log.Warn(finding.String())
	}
	if err := c.Startable(); err != nil {
		return err
	}
	h.set(c, nil)
	if err := h.openPort(c); err != nil {
		return err
	}
	return h.startService(c)
}

// startService starts a service; op is held.
func (h *host) startService(c *config.Config) error {
	destinations := c.Server().Destinations
	if h.managed != nil {
		destinations = h.managed.destinations()
	}
	s, err := startService(c, destinations, h.logs, h.log, h.manager.Store)
	if err != nil {
		return err
	}
	h.set(c, s)
	h.good, h.stopped = c, false
	go func() { // ends with the service, which close stops
		<-s.done
		if s.err != nil {
			select {
			case h.failed <- s.err:
			default: // the process is told once
			}
		}
	}()
	return nil
}

// end stops the server, if it runs; op is held.
func (h *host) end() bool {
	c, s := h.current()
	if s == nil {
		return false
	}
	s.stop()
	h.set(c, nil)
	return true
}

// replace has the server run with another configuration: it stops as a whole and
// starts again. When it cannot start it goes on with the one before; the error says
// why, and is polling.ErrDown when that cannot be either.
func (h *host) replace(c *config.Config) error {
	h.lock(context.Background())
	defer h.unlock()
	if running, s := h.current(); s != nil && running.SameServer(c) {
		h.set(c, s)
		return nil
	}
	h.end()
	err := h.begin(c)
	switch {
	case err == nil || h.good == nil:
		return err
	case h.stopped: // and stays so; what an admin may start is what has worked
		h.set(h.good, nil)
		return errors.Join(err, h.openPort(h.good))
	}
	h.log.Error("the server does not start with the new configuration; it goes back to the one before", "error", err)
	if back := h.begin(h.good); back != nil {
		return fmt.Errorf("%w: %w; and with the configuration before: %w", polling.ErrDown, err, back)
	}
	return err
}

// close ends everything.
func (h *host) close() {
	h.lock(context.Background())
	defer h.unlock()
	h.end()
	h.closePort()
}
