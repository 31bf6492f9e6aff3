package zk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// peer is a server that does what the test says, for synctest bubbles.
type peer struct {
	t     *testing.T
	dials chan dialed
}

type dialed struct {
	address string
	nc      net.Conn
}

func newPeer(t *testing.T) *peer { return &peer{t, make(chan dialed)} }

// dial is a Config.Dial; it waits until the test accepts.
func (p *peer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.dials <- dialed{address, theirs}:
		return ours, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// accept takes the next connection.
func (p *peer) accept() *peerConn {
	p.t.Helper()
	select {
	case d := <-p.dials:
		c := &peerConn{t: p.t, nc: d.nc, address: d.address}
		p.t.Cleanup(func() { d.nc.Close() })
		return c
	case <-time.After(time.Hour):
		p.t.Fatal("no connection")
		return nil
	}
}

// serve takes the next connection and grants session 7 on it.
func (p *peer) serve(timeout time.Duration) *peerConn {
	p.t.Helper()
	c := p.accept()
	c.frame()
	c.grant(7, timeout)
	return c
}

// peerConn is a connection of the peer.
type peerConn struct {
	t       *testing.T
	nc      net.Conn
	address string
}

// frame is what the client sends next, without its length.
func (c *peerConn) frame() []byte {
	c.t.Helper()
	b, err := readFrame(c.nc, nil)
	if err != nil {
		c.t.Fatalf("read of the client's next frame: %v", err)
	}
	return b
}

// request is what the client sends next, other than pings, which are answered.
func (c *peerConn) request() (xid, kind int32, body []byte) {
	c.t.Helper()
	for range 100 {
		b := c.frame()
		d := decoder{b: b}
		xid, kind = d.int(), d.int()
		if kind != kindPing {
			return xid, kind, d.b
		}
		c.reply(xidPing, 0, 0, nil)
	}
	c.t.Fatal("nothing but pings")
	return 0, 0, nil
}

// want is request, which must be of a kind; it is the number of it.
func (c *peerConn) want(kind int32) (xid int32, body []byte) {
	c.t.Helper()
	xid, got, body := c.request()
	if got != kind {
		c.t.Fatalf("request of kind %d, want %d", got, kind)
	}
	return xid, body
}

func (c *peerConn) send(body []byte) {
	c.t.Helper()
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	if _, err := c.nc.Write(b); err != nil {
		c.t.Errorf("write to the client: %v", err)
	}
}

func (c *peerConn) grant(id int64, timeout time.Duration) {
	c.t.Helper()
	c.send(connectBody(id, timeout))
}

func connectBody(id int64, timeout time.Duration) []byte {
	b := appendInt(nil, 0)
	b = appendInt(b, int32(timeout.Milliseconds()))
	b = appendLong(b, id)
	return append(appendBytes(b, []byte("0123456789abcdef")), 0)
}

func replyBody(xid int32, zxid int64, code int32, body []byte) []byte {
	return append(appendInt(appendLong(appendInt(nil, xid), zxid), code), body...)
}

func (c *peerConn) reply(xid int32, zxid int64, code int32, body []byte) {
	c.t.Helper()
	c.send(replyBody(xid, zxid, code, body))
}

func (c *peerConn) event(e EventType, path string) {
	c.t.Helper()
	c.reply(xidEvent, -1, 0, eventBody(e, path))
}

func eventBody(e EventType, path string) []byte {
	return appendText(appendInt(appendInt(nil, int32(e)), 3), path)
}

// ended waits until the client closes the connection.
func (c *peerConn) ended() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.nc); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Errorf("the client sent %d bytes before the end of the connection, %v", n, err)
	}
}

// finish lets a client close its session.
func (c *peerConn) finish(client *Client) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- client.Close(ctx) }()
	xid, _ := c.want(kindClose)
	c.reply(xid, 0, 0, nil)
	if err := <-done; err != nil {
		c.t.Errorf("close: %v", err)
	}
}

// appendStat is the encoder of Stat, which only servers need.
func appendStat(b []byte, s Stat) []byte {
	for _, n := range []int64{s.Czxid, s.Mzxid, s.Ctime, s.Mtime} {
		b = appendLong(b, n)
	}
	for _, n := range []int32{s.Version, s.Cversion, s.Aversion} {
		b = appendInt(b, n)
	}
	b = appendLong(b, s.EphemeralOwner)
	return appendLong(appendInt(appendInt(b, s.DataLength), s.NumChildren), s.Pzxid)
}

var someStat = Stat{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}

// someData is the body of an answer to get.
func someData(data string) []byte { return appendStat(appendBytes(nil, []byte(data)), someStat) }

// pathOf is the path that begins the body of most requests.
func pathOf(body []byte) string {
	d := decoder{b: bytes.Clone(body)}
	return d.text()
}
