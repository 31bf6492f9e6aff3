package control

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// TLSMode says when a Client encrypts.
type TLSMode int

// The modes. TLSWhenOffered is the default.
const (
	// TLSWhenOffered encrypts towards servers that offer it; others are spoken to
	// in the clear.
	TLSWhenOffered TLSMode = iota
	TLSNever
	TLSRequired // a server that does not offer it is not spoken to
)

// defaultTimeout is for connecting, logging in, and the answer together.
const defaultTimeout = 3 * time.Second

// ClientOptions configure a Client.
type ClientOptions struct {
	Address  string // host:port of the admin port
	User     string
	Password string // in plain; it does not leave this process

	TLS TLSMode
	// TLSConfig is for servers that do TLS; the host of Address is the name that
	// is verified unless it says another. Without it TLSRequired verifies by the
	// system's authorities, and TLSWhenOffered nothing: that keeps out who only
	// listens.
	TLSConfig *tls.Config

	// Timeout is for a whole call when its context has no deadline of its own,
	// 3 s if 0. A context with a deadline is obeyed instead, so that a call that
	// is known to last can be given time.
	Timeout time.Duration

	// Dial connects, by a net.Dialer if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// The reasons of failures that a caller may want to tell apart. An AckError is
// another one.
var (
	// ErrNotTowpath is Call's error at a server that is Canal's.
	ErrNotTowpath = errors.New("the server is not Towpath's and tells nothing beyond Canal's requests")
	// ErrNoTLS is every call's error under TLSRequired at a server without TLS.
	ErrNoTLS = errors.New("the server does not offer TLS, which is required")
	// ErrClosed is every call's error after Close.
	ErrClosed = errors.New("client is closed")
)

// errUnsupported is what Canal Admin says of a handshake without version 1.
const errUnsupported = canalError("unsupported version at this client.")

// canalError is an error with a text of Canal's, which people search for.
type canalError string

func (e canalError) Error() string { return string(e) }

// AckError is a failure that the server answered.
type AckError struct {
	Code    int // 300 refused, 301 unknown action, 400 any other
	Message string
}

func (e *AckError) Error() string { return fmt.Sprintf("server answers %d: %s", e.Code, e.Message) }

const (
	// maxConns bounds the connections to one server. A call beyond them waits.
	maxConns = 4

	// idleFor is how long a connection is kept for the next call.
	idleFor = 30 * time.Second

	// notTowpathFor is how long a server is taken for Canal's before it is asked
	// again: another program may listen at the address meanwhile.
	notTowpathFor = time.Minute
)

// Client speaks to one admin port. It may be used concurrently; connections are
// kept for the next call. It has no goroutines of its own.
type Client struct {
	o    ClientOptions
	turn chan struct{} // holds one value per call at work

	mu         sync.Mutex
	idle       []*clientConn // latest last
	closed     bool
	secure     bool
	towpath    bool
	notTowpath time.Time // when that was found out
}

// NewClient returns a client, which connects when it is first used.
func NewClient(o ClientOptions) *Client {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return &Client{o: o, turn: make(chan struct{}, maxConns)}
}

// Close closes the connections that are not in use; calls at work come to their
// end. It may be called twice.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.idle {
		conn.close()
	}
	c.idle = nil
}

// Towpath tells whether the server is Towpath's, as far as that is known: from a
// Call, or from the handshake of a server with TLS.
func (c *Client) Towpath() (known, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.towpath || c.isNotTowpath(), c.towpath
}

// isNotTowpath needs mu.
func (c *Client) isNotTowpath() bool {
	return !c.notTowpath.IsZero() && time.Since(c.notTowpath) < notTowpathFor
}

func (c *Client) setTowpath(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.towpath, c.notTowpath = yes, time.Time{}
	if !yes {
		c.notTowpath = time.Now()
	}
}

// Secure tells whether the latest connection was encrypted.
func (c *Client) Secure() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secure
}

// Server asks about or steers the server as a whole: check, start, stop and
// restart are answered "1" or "0", list by names with commas between them.
func (c *Client) Server(ctx context.Context, action string) (string, error) {
	return c.ask(ctx, &serverAdmin{action: action}, action == "check" || action == "list")
}

// Instance asks about or steers one instance: check, start, stop, release and
// restart are answered "1" or "0".
func (c *Client) Instance(ctx context.Context, destination, action string) (string, error) {
	return c.ask(ctx, &instanceAdmin{destination: destination, action: action}, action == "check")
}

// Log reads log files: of kind "server" or "instance", their names for the action
// "list", else the last count lines of file, "" for the main one. Destination is
// for kind "instance".
func (c *Client) Log(ctx context.Context, kind, action, destination, file string, count int) (string, error) {
	m := &logAdmin{kind: kind, action: action, destination: some(destination), file: some(file), count: some(int32(count))}
	return c.ask(ctx, m, true)
}

// Call makes a request that only Towpath servers answer; result is a pointer to
// what Method's comment says, or nil. The error is an *Error when the server
// says why it cannot, and ErrNotTowpath at a server that does not know Requests.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	c.mu.Lock()
	stranger := c.isNotTowpath()
	c.mu.Unlock()
	if stranger {
		return ErrNotTowpath
	}
	request := Request{Method: method}
	if params != nil {
		text, err := json.Marshal(params)
		if err != nil {
			return fmt.Errorf("encode parameters of %s: %w", method, err)
		}
		request.Params = text
	}
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode request %s: %w", method, err)
	}
	answer, err := c.ask(ctx, &raw{typ: typeRequest, body: body}, method != MethodSeek)
	if refusal, ok := errors.AsType[*AckError](err); ok && refusal.Code == codeRefused && strings.HasPrefix(refusal.Message, "packet type") {
		c.setTowpath(false)
		return ErrNotTowpath
	}
	if err != nil {
		return err
	}
	c.setTowpath(true)
	return decodeResponse(answer, result)
}

// decodeResponse reads the answer of a Call.
func decodeResponse(answer string, result any) error {
	var response Response
	if err := json.Unmarshal([]byte(answer), &response); err != nil {
		return fmt.Errorf("decode response: %w", err)
	}
	if response.Error != nil {
		return response.Error
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(response.Result, result); err != nil {
		return fmt.Errorf("decode result: %w", err)
	}
	return nil
}

// ask makes one request. A request that changes nothing may go over a connection
// from earlier, and once more over a new one when that has been closed meanwhile.
// Others get a new one: of a lost answer nobody could say whether the thing was
// done.
func (c *Client) ask(ctx context.Context, m message, harmless bool) (string, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("wait for a connection to %s: %w", c.o.Address, context.Cause(ctx))
	}
	if harmless {
		if conn := c.take(); conn != nil {
			answer, err := c.over(ctx, conn, m)
			if !isBroken(err) || ctx.Err() != nil {
				return answer, err
			}
		}
	}
	conn, err := c.connect(ctx)
	if err != nil {
		return "", err
	}
	return c.over(ctx, conn, m)
}

func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.o.Timeout)
}

// isBroken says that a connection was at its end before an answer came.
func isBroken(err error) bool {
	if network, ok := errors.AsType[net.Error](err); ok {
		return !network.Timeout()
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// over makes a request over conn, and keeps that if it can be used again.
func (c *Client) over(ctx context.Context, conn *clientConn, m message) (string, error) {
	reply, err := conn.roundTrip(ctx, m)
	if err != nil {
		conn.close()
		return "", fmt.Errorf("ask %s: %w", c.o.Address, err)
	}
	c.keep(conn)
	if reply.code > codeOK {
		return "", &AckError{Code: int(reply.code), Message: reply.message}
	}
	return reply.message, nil
}

// take returns the connection that was used last, nil for none.
func (c *Client) take() *clientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) > 0 {
		conn := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		if conn.expiry.Stop() {
			return conn
		}
	}
	return nil
}

// keep keeps a connection for a while.
func (c *Client) keep(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle) >= maxConns {
		conn.close()
		return
	}
	conn.expiry = time.AfterFunc(idleFor, func() { c.expire(conn) })
	c.idle = append(c.idle, conn)
}

// expire closes a connection that nobody used.
func (c *Client) expire(conn *clientConn) {
	c.mu.Lock()
	c.idle = slices.DeleteFunc(c.idle, func(other *clientConn) bool { return other == conn })
	c.mu.Unlock()
	conn.close()
}

func (c *Client) connect(ctx context.Context) (*clientConn, error) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	conn, err := dial(ctx, &c.o)
	if err != nil {
		if _, ok := errors.AsType[*AckError](err); ok {
			return nil, err
		}
		return nil, fmt.Errorf("connect to %s: %w", c.o.Address, err)
	}
	c.mu.Lock()
	c.secure = conn.secure
	c.towpath = c.towpath || conn.offered
	c.mu.Unlock()
	return conn, nil
}
