package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
)

// ErrNotStarted is what a Registry answers for a destination that it does not
// know or that does not run on this server.
var ErrNotStarted = errors.New("instance is not started")

// Instance serves the requests of clients for one destination. Its methods may
// be called concurrently. delivery.Desk describes what they do; an error of
// type *delivery.Error reaches the client as it is.
type Instance interface {
	Subscribe(ctx context.Context, c meta.Client) error
	Unsubscribe(ctx context.Context, c meta.Client) error
	Get(ctx context.Context, c meta.Client, fetchSize int32, timeout time.Duration) (delivery.Delivery, error)
	Ack(ctx context.Context, c meta.Client, batchID int64) error
	Rollback(ctx context.Context, c meta.Client, batchID int64) error
}

// Registry finds the instances that run on this server.
type Registry interface {
	// Lookup returns the instance of a destination, or ErrNotStarted. With start
	// an instance that is only waiting for its first client is started first;
	// on a server that stands by for another one nothing changes.
	Lookup(ctx context.Context, destination string, start bool) (Instance, error)
}

// Options configure a Server. A zero limit or duration means the default named
// with it.
type Options struct {
	Addr       string // host:port to listen on; an empty host is all interfaces
	User       string // "" lets any user in
	PasswdHash []byte // protocol.HashPassword of the password; empty lets any password in

	MaxFrame        int           // bytes of one request; a longer one closes the connection. 1 MiB
	MaxSessions     int           // connections; more are closed at once. 10000
	MaxAuthFailures int           // on one connection; the last one closes it. 5
	AuthTimeout     time.Duration // from accepting a connection to its authentication. 10 s
	WriteStall      time.Duration // for a client to take writeStep bytes of a reply. 1 min
	DrainTimeout    time.Duration // for requests in hand when the server stops. 5 s

	Logger *slog.Logger // required
}

func (o *Options) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	defDuration := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxFrame, 1<<20)
	def(&o.MaxSessions, 10000)
	def(&o.MaxAuthFailures, 5)
	defDuration(&o.AuthTimeout, 10*time.Second)
	defDuration(&o.WriteStall, time.Minute)
	defDuration(&o.DrainTimeout, 5*time.Second)
}

// Server accepts clients of Canal's protocol.
type Server struct {
	options  Options
	registry Registry
	stats    stats
	lastID   atomic.Uint32 // of a session, for Canal's channel text

	mu       sync.Mutex
	sessions map[*session]struct{}
}

// New returns a server that finds instances in r. It starts nothing.
func New(o Options, r Registry) *Server {
	o.setDefaults()
	return &Server{options: o, registry: r, sessions: make(map[*session]struct{})}
}

// Run listens on Options.Addr and serves until ctx ends; see Serve.
func (s *Server) Run(ctx context.Context) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", s.options.Addr)
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	return s.Serve(ctx, ln)
}

// Serve accepts clients on ln, which it closes, until ctx ends; then it returns
// nil. Any other end is an error.
//
// When ctx ends no more clients are accepted, waiting GETs end without a reply,
// requests in hand are finished and answered, and the connections are closed.
// What has not come to an end within Options.DrainTimeout is cut off. No session
// is left when Serve returns.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.options.Logger.Info("listening for clients", "address", ln.Addr().String())
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	// soft ends with ctx, and also when accepting fails.
	soft, drain := context.WithCancel(ctx)
	defer drain()
	stop := context.AfterFunc(soft, func() { ln.Close() })
	defer stop()

	var sessions sync.WaitGroup
	err := s.accept(soft, ln, func(conn net.Conn) {
		sessions.Go(func() { s.serve(soft, hard, conn) })
	})
	drain()
	ln.Close()

	timer := time.AfterFunc(s.options.DrainTimeout, func() {
		cut()
		s.closeAll()
	})
	defer timer.Stop()
	sessions.Wait()
	return err
}

// accept passes connections to handle until ctx ends. Accepting may fail for a
// while, above all when file descriptors run out; it is retried with back-off.
func (s *Server) accept(ctx context.Context, ln net.Listener, handle func(net.Conn)) error {
	const maxPause = time.Second
	pause := time.Duration(0)
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			handle(conn)
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept clients: %w", err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), maxPause)
		s.options.Logger.Warn("accept client", "error", err, "retry_in", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// serve runs the session of one connection to its end.
func (s *Server) serve(soft, hard context.Context, conn net.Conn) {
	defer conn.Close()
	c := newSession(s, conn)
	if !s.add(c) {
		return
	}
	defer s.remove(c)
	c.log.Debug("client connected")
	reason := c.run(soft, hard)
	c.log.Log(context.WithoutCancel(soft), closeLevel(reason), "client connection closed", "reason", reason)
}

// add registers a session unless there are too many. Only the first connection
// refused in a row is logged, the others would be as many lines as attempts.
func (s *Server) add(c *session) bool {
	s.mu.Lock()
	full := len(s.sessions) >= s.options.MaxSessions
	if !full {
		s.sessions[c] = struct{}{}
	}
	s.mu.Unlock()
	if first := s.stats.setFull(full); full && first {
		c.log.Warn("refusing clients: too many connections", "limit", s.options.MaxSessions)
	}
	return !full
}

func (s *Server) remove(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, c)
}

// closeAll closes the connections of all sessions, which ends them.
func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sessions {
		c.conn.Close()
	}
}

// Sessions returns the number of connections.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
