package control

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// Backend does what is asked of a server. Its methods are called concurrently, by
// one connection each. A bool is whether it was done, as Canal means it: Start is
// false when the server runs already, Stop when it does not; an action on an
// instance is true when the destination is known, even if nothing had to be done.
type Backend interface {
	Check() bool // whether the server is running
	Start() bool
	Stop() bool // the admin port stays open
	Restart() bool
	List() []string // the instances that have been started

	CheckInstance(destination string) bool // whether it has been started here
	StartInstance(destination string) bool
	StopInstance(destination string) bool
	ReleaseInstance(destination string) bool // leaves it to another server
	RestartInstance(destination string) bool

	// Call answers all Requests but those for logs. The result is encoded as JSON.
	// An *Error reaches the client as it is; it has CodeUnknownMethod for a method
	// that is not known. Other errors reach it as their text.
	Call(ctx context.Context, method string, params json.RawMessage) (any, error)
}

// ServerOptions configure a Server.
type ServerOptions struct {
	User       string // "" lets any user in
	PasswdHash string // hex of protocol.HashPassword; "" lets any password in
	LogsDir    string // holds one folder per destination, and "canal" for the server's own

	TLS        *tls.Config // offered to Towpath's clients; nil for none
	RequireTLS bool        // clients that do not use it are refused

	Backend Backend
	Logger  *slog.Logger
}

const (
	// maxConnections bounds all connections; more are closed at once.
	maxConnections = 512

	// maxStrangers bounds those of one address that have not logged in. More are
	// closed at once.
	maxStrangers = 32

	// authTimeout is from accepting a connection to its log-in.
	authTimeout = 10 * time.Second

	// drainTimeout is for requests in hand when the server ends.
	drainTimeout = 5 * time.Second
)

// Server is the admin port of a server.
type Server struct {
	o        ServerOptions
	hash     []byte // of the password
	open     bool   // any password is good
	logs     *Logs
	throttle throttle
	lastID   atomic.Uint32 // of a session, for Canal's channel text
	fillSeed func([]byte)  // with random bytes, but for tests

	mu        sync.Mutex
	sessions  map[*session]struct{}
	strangers map[string]int // by address
}

// NewServer returns a server, which starts nothing. A PasswdHash that is not the
// hex of a hash lets nobody in.
func NewServer(o ServerOptions) *Server {
	s := &Server{
		o:         o,
		open:      o.PasswdHash == "",
		logs:      NewLogs(o.LogsDir),
		fillSeed:  func(seed []byte) { rand.Read(seed) },
		sessions:  make(map[*session]struct{}),
		strangers: make(map[string]int),
	}
	if hash, err := protocol.DecodeHex([]byte(o.PasswdHash)); err == nil && len(hash) == protocol.ScrambleSize {
		s.hash = hash
	}
	return s
}

// Serve accepts clients on ln, which it closes, until ctx ends; then it returns
// nil. Any other end is an error. When ctx ends requests in hand are finished and
// answered, those that last over 5 s cut off. No session is left when Serve
// returns.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	log := s.o.Logger
	switch {
	case s.open:
		log.Warn("the admin port lets any password in: set canal.admin.passwd", "address", ln.Addr().String())
	case s.hash == nil:
		log.Error("the admin port lets nobody in: canal.admin.passwd is not a password's hash", "address", ln.Addr().String())
	default:
		log.Info("listening for an admin", "address", ln.Addr().String())
	}
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	soft, drain := context.WithCancel(ctx)
	defer drain()
	stop := context.AfterFunc(soft, func() { ln.Close() })
	defer stop()

	var sessions sync.WaitGroup
	err := s.accept(soft, ln, func(conn net.Conn) {
		c := newSession(s, conn)
		if !s.add(c) {
			conn.Close()
			return
		}
		sessions.Go(func() {
			defer s.remove(c)
			c.serve(soft, hard)
		})
	})
	drain()
	ln.Close()
	timer := time.AfterFunc(drainTimeout, func() {
		cut()
		s.closeAll()
	})
	defer timer.Stop()
	sessions.Wait()
	return err
}

// accept passes connections to handle until ctx ends. Accepting may fail for a
// while, above all when file descriptors run out.
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
			return fmt.Errorf("accept admins: %w", err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), maxPause)
		s.o.Logger.Warn("accept admin", "error", err, "retry_in", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// add registers a session unless there are too many.
func (s *Server) add(c *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= maxConnections || s.strangers[c.address] >= maxStrangers {
		s.o.Logger.Debug("refusing an admin: too many connections", "client", c.address)
		return false
	}
	s.sessions[c] = struct{}{}
	s.strangers[c.address]++
	c.stranger = true
	return true
}

// known makes a session one that has logged in.
func (s *Server) known(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
}

func (s *Server) remove(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
	delete(s.sessions, c)
}

// forget takes a session from the strangers. It needs mu.
func (s *Server) forget(c *session) {
	if !c.stranger {
		return
	}
	c.stranger = false
	if s.strangers[c.address]--; s.strangers[c.address] <= 0 {
		delete(s.strangers, c.address)
	}
}

// closeAll closes the connections of all sessions, which ends them.
func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sessions {
		c.tcp.Close()
	}
}
