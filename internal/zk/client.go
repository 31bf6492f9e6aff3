package zk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

// Config is what a Client needs to know.
type Config struct {
	Servers        []string      // host:port; tried in random order
	Chroot         string        // "" or "/app": prefix of every path
	SessionTimeout time.Duration // asked for; the server decides (Session.Timeout). 10 s when 0
	TLS            *tls.Config   // nil: plain. ServerName is the server's host when empty
	Auth           []Auth        // sent on every connection
	ACL            ACL           // of created nodes

	// Dial connects; nil is TCP. It need not do TLS.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Logger *slog.Logger // nil: discard
}

// Auth is what a client tells of itself: for the scheme digest, user:password.
type Auth struct{ Scheme, Credential string }

// defaultTimeout is the session timeout asked for when the Config gives none.
const defaultTimeout = 10 * time.Second

// checked is c with what it leaves open.
func (c Config) checked() (Config, error) {
	if len(c.Servers) == 0 {
		return c, errors.New("zookeeper: no server is named")
	}
	var err error
	if c.Chroot, err = cleanChroot(c.Chroot); err != nil {
		return c, err
	}
	if c.SessionTimeout < 0 {
		return c, fmt.Errorf("zookeeper: session timeout %v is negative", c.SessionTimeout)
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = defaultTimeout
	}
	if c.ACL == CreatorACL && len(c.Auth) == 0 {
		return c, errors.New("zookeeper: nodes for their creator alone need credentials")
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// full is a path as the servers know it.
func (c *Config) full(path string) string {
	if c.Chroot != "" && path == "/" {
		return c.Chroot
	}
	return c.Chroot + path
}

// strip takes the chroot off a path of the servers.
func (c *Config) strip(path string) string {
	rest, ok := strings.CutPrefix(path, c.Chroot)
	switch {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	return path
}

// Client holds one session after the other, each over one connection at a time.
type Client struct {
	config Config
	log    *slog.Logger
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when run has ended

	// Of the goroutine of run alone.
	servers  *rotation
	lastZxid int64 // the last transaction seen: no server behind it will do
	outage   outage

	mu      sync.Mutex // guards what follows
	session *Session   // that is open; nil until it was connected
	refused error      // credentials refused on the last attempt to connect
	failure error      // of the last attempt to connect, nil while connected
	closing bool
	changed chan struct{} // closed and replaced when session, refused or closing change
	stats   Stats
}

// Stats counts since Open.
type Stats struct {
	Requests   map[string]uint64 // by name: create, delete, exists, get, set, children, sync, multi, close
	Sessions   uint64            // opened
	Reconnects uint64            // connections by which a session was continued
}

// Open starts a client, which connects in the background. Its errors are those of
// the configuration. Close ends the client's goroutines.
func Open(c Config) (*Client, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	client := &Client{
		config:  c,
		log:     c.Logger,
		cancel:  cancel,
		done:    make(chan struct{}),
		servers: newRotation(c.Servers),
		changed: make(chan struct{}),
		stats:   Stats{Requests: map[string]uint64{}},
	}
	go client.run(ctx)
	return client, nil
}

// Session is the session that is open, for which it waits until ctx ends. It need
// not be connected right now. The error is ErrClosed after Close, or ErrAuthFailed.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	for {
		c.mu.Lock()
		s, refused, closing, changed := c.session, c.refused, c.closing, c.changed
		c.mu.Unlock()
		switch {
		case closing:
			return nil, ErrClosed
		case s != nil:
			return s, nil
		case refused != nil:
			return nil, refused
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("no zookeeper session%s: %w", c.why(), ended(ctx))
		}
	}
}

// why is what keeps the client from connecting, to be put behind a statement.
func (c *Client) why() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		return ""
	}
	return fmt.Sprintf(" (%v)", c.failure)
}

// Close ends the session, whose ephemeral nodes go at once, and the client. If
// that cannot be done before ctx ends the client ends nevertheless, its session
// when it times out, and the error says why. Further calls wait for the first.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	s := c.session
	c.broadcast()
	c.mu.Unlock()
	if !first {
		select {
		case <-c.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("close: %w", ended(ctx))
		}
	}
	var err error
	if s != nil {
		err = s.do(ctx, &request{kind: kindClose, frame: newFrame(kindClose)})
	}
	c.cancel(ErrClosed)
	<-c.done
	if err != nil && !errors.Is(err, ErrSessionExpired) {
		return fmt.Errorf("session %s: %w", hexID(s.id), err)
	}
	return nil
}

// hexID is a session id as ZooKeeper's own logs and tools show it.
func hexID(id int64) string { return fmt.Sprintf("%#x", uint64(id)) }

// Stats counts what was done.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Requests = make(map[string]uint64, len(c.stats.Requests))
	for k, n := range c.stats.Requests {
		s.Requests[k] = n
	}
	return s
}

func (c *Client) count(kind int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Requests[kindNames[kind]]++
}

// broadcast wakes those who wait for a change. c.mu is held.
func (c *Client) broadcast() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// steady is how long a connection must have held for its loss to be answered by
// trying the other servers at once, without the pause between rounds.
const steady = time.Second

// run keeps a session until ctx ends. Open starts it and Close waits for it.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	var s *Session
	for {
		var l *link
		l, s = c.connect(ctx, s)
		if l == nil {
			break
		}
		cause := c.serve(ctx, s, l)
		if errors.Is(cause, ErrSessionExpired) {
			s = c.expire(s)
			continue
		}
		if errors.Is(cause, errSessionClosed) || ctx.Err() != nil {
			break
		}
		c.lost(s, l, cause)
	}
	if s != nil {
		c.leave(s, ErrClosed)
	}
}

// serve lets the session use a connection until that ends, and says why it did.
func (c *Client) serve(ctx context.Context, s *Session, l *link) error {
	stop := context.AfterFunc(ctx, func() { l.fail(ErrClosed) })
	defer stop()
	var writer sync.WaitGroup
	writer.Go(func() { s.write(l) })
	l.fail(s.read(l))
	writer.Wait()
	s.detach(l.cause)
	return l.cause
}

// connect tries servers until there is a connection with a session: with s, or a
// new one if s is nil or turns out to have expired. The link is nil when the client
// shall end.
func (c *Client) connect(ctx context.Context, s *Session) (*link, *Session) {
	for {
		server, pause := c.servers.server()
		if !sleep(ctx, pause) || s == nil && c.isClosing() {
			return nil, s
		}
		request := connectRequest{lastZxid: c.lastZxid, timeout: c.config.SessionTimeout}
		patience := c.servers.patience(request.timeout)
		if s != nil {
			request.id, request.password = s.id, s.password
			patience = c.servers.patience(s.Timeout())
		}
		begun := time.Now()
		l, response, err := c.attempt(ctx, server, request, patience)
		switch {
		case ctx.Err() != nil:
			if l != nil {
				l.fail(ErrClosed)
			}
			return nil, s
		case err == nil && response.expired():
			l.fail(ErrSessionExpired)
			if s != nil {
				s = c.expire(s)
				continue
			}
			err = errors.New("server granted no session")
		case err == nil && s != nil && response.id != s.id:
			err = fmt.Errorf("%w: session %s in place of %s", errMalformed, hexID(response.id), hexID(s.id))
			l.fail(err)
		}
		if response.id != 0 && s == nil {
			s = newSession(c, response)
		}
		if err == nil {
			c.connected(s, l, response, begun)
			return l, s
		}
		c.failed(s, server, err)
	}
}

func (c *Client) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// sleep says whether the pause passed before ctx ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

func (c *Client) attempt(ctx context.Context, server string, r connectRequest, patience time.Duration) (*link, connectResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return dialLink(ctx, &c.config, server, r)
}

// connected makes a connection the session's.
func (c *Client) connected(s *Session, l *link, r connectResponse, begun time.Time) {
	s.attach(l, r.timeout, c.lastZxid, begun)
	c.mu.Lock()
	fresh := c.session != s
	if fresh {
		c.stats.Sessions++
	} else {
		c.stats.Reconnects++
	}
	c.session, c.refused, c.failure = s, nil, nil
	c.broadcast()
	c.mu.Unlock()
	level, message := slog.LevelInfo, "reconnected to zookeeper"
	if fresh {
		message = "connected to zookeeper with a new session"
	} else if c.outage.untold {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, message, "server", l.server, "session", hexID(s.id), "timeout", r.timeout)
}

// failed notes an attempt to connect that came to nothing.
func (c *Client) failed(s *Session, server string, err error) {
	c.mu.Lock()
	c.failure = fmt.Errorf("%s: %w", server, err)
	c.refused = nil
	if errors.Is(err, ErrAuthFailed) {
		c.refused = err
	}
	refused := c.refused
	c.broadcast()
	c.mu.Unlock()
	if s != nil {
		s.refuse(refused)
	}
	c.log.Debug("attempt to connect to zookeeper failed", "server", server, "error", err)
	if c.servers.endOfRound() {
		if down, tell := c.outage.due(); tell {
			c.log.Warn("no zookeeper server can be reached; trying on", "down", down, "server", server, "error", err)
		}
	}
}

// lost notes the end of a connection.
func (c *Client) lost(s *Session, l *link, cause error) {
	if time.Since(l.begun) >= steady {
		c.servers.held(l.server)
		c.outage = outage{}
	}
	c.mu.Lock()
	c.failure = fmt.Errorf("%s: %w", l.server, cause)
	c.mu.Unlock()
	level := slog.LevelDebug
	if _, tell := c.outage.due(); tell {
		level = slog.LevelWarn
	} else {
		c.outage.untold = true
	}
	c.log.Log(context.Background(), level, "connection to zookeeper lost", "server", l.server, "session", hexID(s.id), "error", cause)
}

// expire ends a session that a server has declared over. There is none then.
func (c *Client) expire(s *Session) *Session {
	c.log.Error("zookeeper session expired: its ephemeral nodes are gone; opening a new one", "session", hexID(s.id), "timeout", s.Timeout())
	c.leave(s, ErrSessionExpired)
	return nil
}

// leave ends a session.
func (c *Client) leave(s *Session, err error) {
	c.mu.Lock()
	c.session = nil
	c.broadcast()
	c.mu.Unlock()
	s.end(err)
}

// outage is a time without a connection that held for long; its zero value has not
// begun. It bounds how often the log tells of it.
type outage struct {
	since, told time.Time
	untold      bool // the log has not told of the last loss
}

// outageReminder is how often the log tells of an outage.
const outageReminder = time.Minute

// due says for how long the outage lasts and whether to tell.
func (o *outage) due() (down time.Duration, tell bool) {
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	tell = o.told.IsZero() || now.Sub(o.told) >= outageReminder
	if tell {
		o.told, o.untold = now, false
	}
	return now.Sub(o.since).Round(time.Second), tell
}

// CloseSession ends the session of a predecessor that died, so that its ephemeral
// nodes go at once and not when it times out. It tries the servers until ctx ends.
// It returns nil when the session is gone, also if it was before; servers answer
// the same if the password is wrong, and then the session lives on.
func CloseSession(ctx context.Context, c Config, id int64, password []byte) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	servers := newRotation(c.Servers)
	request := connectRequest{timeout: c.SessionTimeout, id: id, password: password}
	for {
		server, pause := servers.server()
		if !sleep(ctx, pause) {
			return fmt.Errorf("close session %s: %w (last attempt: %w)", hexID(id), ended(ctx), err)
		}
		if err = closeAt(ctx, &c, server, request, servers.patience(c.SessionTimeout)); err == nil {
			return nil
		}
	}
}

// closeAt ends a session through one server.
func closeAt(ctx context.Context, c *Config, server string, r connectRequest, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, response, err := dialLink(ctx, c, server, r)
	if err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	defer l.nc.Close()
	if response.expired() {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { l.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := l.nc.Write(sealFrame(newFrame(kindClose), 1)); err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	for {
		h, _, err := l.readReply()
		if err != nil {
			return fmt.Errorf("%s: %w", server, err)
		}
		if h.xid == 1 {
			return codeError(h.code)
		}
	}
}
