package control

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

const (
	// maxAnswer bounds an answer of a server, in bytes: that of 4 MiB of log, or
	// of a Response.
	maxAnswer = 16 << 20

	// maxGreeting bounds what a server sends before the log-in is over, in bytes.
	maxGreeting = 64 << 10

	// netTimeout is what Canal Admin names as its timeouts, in milliseconds.
	netTimeout = 3600000
)

// errEarly is for who says more than it may before encryption has begun: that
// would be taken for a part of what is encrypted.
var errEarly = errors.New("bytes before the start of TLS")

// clientConn is one connection that is logged in. One call uses it at a time.
type clientConn struct {
	conn    net.Conn
	in      *bufio.Reader
	secure  bool // encrypted
	offered bool // the server has TLS, so it is Towpath's
	buf     []byte
	expiry  *time.Timer // while the connection is idle
}

// dial connects and logs in. The error is an *AckError when the server refuses
// that.
func dial(ctx context.Context, o *ClientOptions) (*clientConn, error) {
	nc, err := o.Dial(ctx, "tcp", o.Address)
	if err != nil {
		return nil, err
	}
	c := clientOf(nc)
	if err := c.within(ctx, func() error { return c.login(ctx, o) }); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func clientOf(nc net.Conn) *clientConn { return &clientConn{conn: nc, in: bufio.NewReader(nc)} }

func (c *clientConn) close() {
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.conn.Close() // nothing is lost: every answer has been read
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// within runs f, which reads and writes, until it is done or ctx is.
func (c *clientConn) within(ctx context.Context, f func() error) error {
	deadline, _ := ctx.Deadline()
	conn := c.conn // f may put TLS around it
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(longAgo) })
	err := f()
	if !stop() && err == nil {
		err = ctx.Err() // the connection's deadline is no good any more
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err) // whose timer is a moment late
	}
	return err
}

// login reads the greeting, encrypts if that is possible and wanted, and
// authenticates. As in Canal Admin the first ack after that is final.
func (c *clientConn) login(ctx context.Context, o *ClientOptions) error {
	hello, err := c.greeting()
	if err != nil {
		return err
	}
	c.offered = hello.tls
	if o.TLS == TLSRequired && !hello.tls {
		return ErrNoTLS
	}
	if o.TLS != TLSNever && hello.tls {
		if err := c.startTLS(ctx, o); err != nil {
			return err
		}
		if hello, err = c.greeting(); err != nil {
			return err
		}
	}
	token := protocol.Scramble([]byte(o.Password), hello.seeds)
	reply, err := c.exchange(&clientAuth{
		username:        o.User,
		password:        hex.AppendEncode(nil, token[:]),
		netReadTimeout:  some[int32](netTimeout),
		netWriteTimeout: some[int32](netTimeout),
	}, maxGreeting)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if reply.code > codeOK {
		return &AckError{Code: int(reply.code), Message: reply.message}
	}
	return nil
}

// greeting reads a HANDSHAKE.
func (c *clientConn) greeting() (handshake, error) {
	p, err := c.read(maxGreeting)
	if err != nil {
		return handshake{}, fmt.Errorf("read handshake: %w", err)
	}
	if p.version.value != version {
		return handshake{}, errUnsupported
	}
	if p.typ != typeHandshake {
		return handshake{}, fmt.Errorf("server greets with a packet of type %s", p.typ)
	}
	return parseHandshake(p.body)
}

// startTLS encrypts the connection.
func (c *clientConn) startTLS(ctx context.Context, o *ClientOptions) error {
	reply, err := c.exchange(&raw{typ: typeStartTLS}, maxGreeting)
	if err != nil {
		return fmt.Errorf("ask for TLS: %w", err)
	}
	if reply.code > codeOK {
		return &AckError{Code: int(reply.code), Message: reply.message}
	}
	if c.in.Buffered() > 0 {
		return errEarly
	}
	secured := tls.Client(c.conn, tlsConfig(o))
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("start TLS: %w", err)
	}
	c.conn, c.secure = secured, true
	c.in.Reset(secured)
	return nil
}

func tlsConfig(o *ClientOptions) *tls.Config {
	config := o.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: o.TLS != TLSRequired}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(o.Address) // dialled, so it is well-formed
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return config
}

// roundTrip makes one request within ctx.
func (c *clientConn) roundTrip(ctx context.Context, m message) (reply ack, err error) {
	err = c.within(ctx, func() error {
		reply, err = c.exchange(m, maxAnswer)
		return err
	})
	return reply, err
}

// exchange sends a message and reads the ack.
func (c *clientConn) exchange(m message, max int) (ack, error) {
	if _, err := c.conn.Write(appendRequest(nil, m)); err != nil {
		return ack{}, fmt.Errorf("send %s: %w", m.packetType(), err)
	}
	p, err := c.read(max)
	if err != nil {
		return ack{}, fmt.Errorf("read answer: %w", err)
	}
	if p.typ != typeAck {
		return ack{}, fmt.Errorf("server answers with a packet of type %s", p.typ)
	}
	return parseAck(p.body)
}

// read reads one packet of at most max bytes, which is valid until the next read.
func (c *clientConn) read(max int) (packet, error) {
	frame, err := protocol.ReadFrame(c.in, c.buf, max)
	if err != nil {
		return packet{}, err
	}
	if len(frame) <= maxGreeting {
		c.buf = frame
	}
	return parsePacket(frame)
}
