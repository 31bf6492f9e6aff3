package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/towpath-cdc/towpath/internal/check"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/inspect"
	"github.com/towpath-cdc/towpath/internal/instance"
)

// adminSettings are what an admin port is opened with.
type adminSettings struct {
	bind string
	port config.AdminPort
}

// adminPort is the open admin port.
type adminPort struct {
	settings adminSettings
	cancel   context.CancelFunc
	done     chan struct{}
}

// openAdminPort takes the port and serves it until close. backend is given the
// lifetime of the port.
func openAdminPort(want adminSettings, backend func(context.Context) control.Backend, logsDir string, log *slog.Logger) (*adminPort, error) {
	secure, err := want.port.TLSConfig()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(want.bind, strconv.Itoa(want.port.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen for an admin (canal.ip, canal.admin.port, which may be blank): %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &adminPort{settings: want, cancel: cancel, done: make(chan struct{})}
	s := control.NewServer(control.ServerOptions{
		User: want.port.User, PasswdHash: want.port.PasswdHash, LogsDir: logsDir,
		TLS: secure, RequireTLS: want.port.Required, Backend: backend(ctx), Logger: log,
	})
	go func() {
		defer close(p.done)
		if err := s.Serve(ctx, ln); err != nil {
			log.Error("the admin port is closed", "error", err)
		}
	}()
	return p, nil
}

// close ends the conversations and waits for it.
func (p *adminPort) close() {
	p.cancel()
	<-p.done
}

// openPort opens the admin port of a configuration unless it is open as that wants
// it; op is held.
func (h *host) openPort(c *config.Config) error {
	want := adminSettings{bind: c.Server().BindIP, port: c.Server().Admin}
	if h.port != nil && h.port.settings == want {
		return nil
	}
	h.closePort()
	if !want.port.Open {
		return nil
	}
	p, err := openAdminPort(want, func(ctx context.Context) control.Backend { return &steering{h: h, lifetime: ctx} }, c.LogsDir(), h.log)
	if err != nil {
		return err
	}
	h.port = p
	return nil
}

func (h *host) closePort() {
	if h.port != nil {
		h.port.close()
		h.port = nil
	}
}

// parts are what the server consists of at the moment, for those who ask how it is.
func (h *host) parts() inspect.Parts {
	c, s := h.current()
	p := inspect.Parts{Config: c, Origin: inspect.Origin{Source: "files"}}
	if h.managed != nil {
		p.Origin = inspect.Origin(h.managed.follower.Origin())
	}
	if s == nil {
		return p
	}
	p.Manager, p.Clients, p.Budget, p.Address = s.manager, s.clients, s.budget, s.address
	p.Member, _ = s.member.parts()
	return p
}

// check looks at a source with a text that is not stored yet.
func (h *host) check(ctx context.Context, destination, content string) []control.Finding {
	c, _ := h.current()
	if c == nil {
		return []control.Finding{check.Failure(destination, errors.New("the server has no configuration yet"))}
	}
	tree := checkZooKeeper(ctx, c)
	defer tree.close()
	return append(tree.findings, check.Content(ctx, check.Options{Config: c, Cluster: tree.cluster()}, destination, content)...)
}

// steering does what an admin asks for through the admin port, and answers as
// Canal's CanalAdminController does.
type steering struct {
	h        *host
	lifetime context.Context // of the port: who waits for h.op waits no longer than this
}

var _ control.Backend = (*steering)(nil)

// Check implements control.Backend.
func (s *steering) Check() bool {
	_, running := s.h.current()
	return running != nil
}

// Start implements control.Backend.
func (s *steering) Start() bool {
	if !s.h.lock(s.lifetime) {
		return false
	}
	defer s.h.unlock()
	return s.start()
}

// start starts the server unless it runs; op is held.
func (s *steering) start() bool {
	c, running := s.h.current()
	if running != nil || c == nil {
		return false
	}
	if err := s.h.startService(c); err != nil {
		s.h.log.Error("the server does not start, as an admin asked", "error", err)
		return false
	}
	return true
}

// Stop implements control.Backend.
func (s *steering) Stop() bool {
	if !s.h.lock(s.lifetime) {
		return false
	}
	defer s.h.unlock()
	if !s.h.end() {
		return false
	}
	s.h.stopped = true
	return true
}

// Restart implements control.Backend.
func (s *steering) Restart() bool {
	if !s.h.lock(s.lifetime) {
		return false
	}
	defer s.h.unlock()
	s.h.end()
	return s.start()
}

// List implements control.Backend.
func (s *steering) List() []string {
	_, running := s.h.current()
	if running == nil {
		return nil
	}
	var names []string
	for _, d := range running.manager.Destinations() {
		if running.manager.Instance(d) != nil {
			names = append(names, d)
		}
	}
	return names
}

// CheckInstance implements control.Backend.
func (s *steering) CheckInstance(destination string) bool {
	_, running := s.h.current()
	return running != nil && running.manager.Instance(destination) != nil
}

// StartInstance implements control.Backend.
func (s *steering) StartInstance(destination string) bool {
	return s.instance(destination, "start", func(m *instance.Manager) error { return m.Start(destination) })
}

// StopInstance implements control.Backend. The instance stays stopped until its
// configuration changes.
func (s *steering) StopInstance(destination string) bool {
	return s.instance(destination, "stop", func(m *instance.Manager) error { return m.Stop(destination) })
}

// RestartInstance implements control.Backend.
func (s *steering) RestartInstance(destination string) bool {
	return s.instance(destination, "reload", func(m *instance.Manager) error { return m.Reload(destination) })
}

// releaseTimeout bounds how long a release waits for ZooKeeper.
const releaseTimeout = 10 * time.Second

// ReleaseInstance implements control.Backend. On a server that is alone the
// instance stops, and with an admin the next scan starts it again.
func (s *steering) ReleaseInstance(destination string) bool {
	return s.instance(destination, "release", func(m *instance.Manager) error {
		c := m.Contender(destination)
		switch {
		case c == nil && m.Instance(destination) == nil:
			return nil // it was stopped, and stays so
		case c == nil:
			if s.h.managed != nil {
				defer s.h.managed.follower.Forget(destination)
			}
			return m.Stop(destination)
		case c.Status().Role != cluster.RoleOwner:
			return nil // there is nothing to give away
		}
		ctx, cancel := context.WithTimeout(s.lifetime, releaseTimeout)
		defer cancel()
		return c.Release(ctx, "released through the admin port")
	})
}

// instance does something with an instance that the server's scan knows; without
// scans Canal knows none.
func (s *steering) instance(destination, word string, do func(*instance.Manager) error) bool {
	_, running := s.h.current()
	if running == nil || !running.config.Server().AutoScan || !running.manager.Known(destination) {
		return false
	}
	if err := do(running.manager); err != nil {
		s.h.log.Error(word+" failed, as an admin asked", "instance", destination, "error", err)
		return false
	}
	s.h.log.Info(fmt.Sprintf("auto notify %s %s successful.", word, destination))
	return true
}

// Call implements control.Backend.
func (s *steering) Call(ctx context.Context, method string, params json.RawMessage) (any, error) {
	return s.h.inspector.Call(ctx, method, params)
}
