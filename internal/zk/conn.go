package zk

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection to a server, from its handshake on.
type link struct {
	nc     net.Conn
	r      *bufio.Reader
	buf    []byte // of the frame read last
	server string

	begun time.Time
	heard atomic.Int64 // when the last bytes came, nanoseconds after begun

	fault sync.Once
	down  chan struct{} // closed when the connection is given up
	cause error         // why; set before down is closed
}

// readBuffer holds the small replies; long ones go past it.
const readBuffer = 16 << 10

func newLink(nc net.Conn, server string) *link {
	l := &link{nc: nc, server: server, begun: time.Now(), down: make(chan struct{})}
	l.r = bufio.NewReaderSize(hearing{l}, readBuffer)
	return l
}

// hearing notes when bytes come.
type hearing struct{ l *link }

func (h hearing) Read(b []byte) (int, error) {
	n, err := h.l.nc.Read(b)
	if n > 0 {
		h.l.heard.Store(int64(time.Since(h.l.begun)))
	}
	return n, err
}

// lastHeard is when the last bytes came.
func (l *link) lastHeard() time.Time { return l.begun.Add(time.Duration(l.heard.Load())) }

// fail gives the connection up; the first cause stands.
func (l *link) fail(cause error) {
	l.fault.Do(func() {
		l.cause = cause
		close(l.down)
		l.nc.Close()
	})
}

func (l *link) isDown() bool {
	select {
	case <-l.down:
		return true
	default:
		return false
	}
}

var errHungUp = errors.New("server closed the connection")

// read reads one frame. It is valid until the next read.
func (l *link) read() ([]byte, error) {
	b, err := readFrame(l.r, l.buf)
	if err == io.EOF {
		err = errHungUp
	}
	if cap(b) <= 1<<20 { // a long list is not kept
		l.buf = b
	}
	return b, err
}

// readReply reads a frame and the header in it.
func (l *link) readReply() (replyHeader, *decoder, error) {
	b, err := l.read()
	if err != nil {
		return replyHeader{}, nil, err
	}
	d := &decoder{b: b}
	h := d.replyHeader()
	if d.err != nil {
		return h, nil, fmt.Errorf("%w: header: %w", errMalformed, d.err)
	}
	return h, d, nil
}

// dialLink connects to a server and opens the session of the request or comes back
// to it. All of it ends with ctx.
func dialLink(ctx context.Context, c *Config, server string, request connectRequest) (*link, connectResponse, error) {
	nc, err := dialServer(ctx, c, server)
	if err != nil {
		return nil, connectResponse{}, err
	}
	l := newLink(nc, server)
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	response, err := l.handshake(c, request)
	if !stop() && err == nil {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		nc.Close()
		if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.New("no answer to the handshake in time")
		}
		return nil, connectResponse{}, err
	}
	return l, response, nil
}

func dialServer(ctx context.Context, c *Config, server string) (net.Conn, error) {
	nc, err := c.Dial(ctx, "tcp", server)
	if err != nil || c.TLS == nil {
		return nc, err
	}
	config := c.TLS
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(server)
	}
	secure := tls.Client(nc, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("start TLS: %w", err)
	}
	return secure, nil
}

// handshake is the connect request, and the credentials if there is a session.
func (l *link) handshake(c *Config, request connectRequest) (connectResponse, error) {
	if _, err := l.nc.Write(request.frame()); err != nil {
		return connectResponse{}, fmt.Errorf("handshake: %w", err)
	}
	b, err := l.read()
	if err == errHungUp {
		err = fmt.Errorf("%w: it is not serving (no quorum?), or behind transaction %#x that this client has seen", err, request.lastZxid)
	}
	if err != nil {
		return connectResponse{}, fmt.Errorf("handshake: %w", err)
	}
	response, err := parseConnectResponse(b)
	if err != nil || response.expired() {
		return response, err
	}
	for _, a := range c.Auth {
		if err := l.authenticate(a); err != nil {
			return response, fmt.Errorf("authenticate by %s: %w", a.Scheme, err)
		}
	}
	return response, nil
}

// authenticate adds credentials to the connection; sessions do not remember them.
func (l *link) authenticate(a Auth) error {
	b := appendInt(newFrame(kindAuth), 0)
	b = appendText(b, a.Scheme)
	b = appendBytes(b, []byte(a.Credential))
	if _, err := l.nc.Write(sealFrame(b, xidAuth)); err != nil {
		return err
	}
	h, _, err := l.readReply()
	switch {
	case err != nil:
		return err
	case h.xid != xidAuth:
		return fmt.Errorf("%w: number %d in place of the answer", errMalformed, h.xid)
	case h.code != codeOK:
		return ErrAuthFailed
	}
	return nil
}

// rotation says which server is tried next: each once in random order, and after
// that again with pauses between the rounds.
type rotation struct {
	servers []string // in the order of this round
	next    int
	rounds  int // without a connection that held
}

func newRotation(servers []string) *rotation {
	r := &rotation{servers: append([]string(nil), servers...)}
	r.shuffle()
	return r
}

func (r *rotation) shuffle() {
	rand.Shuffle(len(r.servers), func(i, j int) { r.servers[i], r.servers[j] = r.servers[j], r.servers[i] })
}

// The pauses between rounds double from the first to the last of these. Half of
// each is random, lest all clients come at once when a server is back.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// server is the one to try next, and the pause before.
func (r *rotation) server() (string, time.Duration) {
	if r.next == len(r.servers) {
		r.next = 0
		r.rounds++
		r.shuffle()
	}
	var pause time.Duration
	if r.next == 0 && r.rounds > 0 {
		pause = min(firstPause<<min(r.rounds-1, 10), lastPause)
		pause = pause/2 + rand.N(pause/2)
	}
	server := r.servers[r.next]
	r.next++
	return server, pause
}

// endOfRound says that every server has been tried.
func (r *rotation) endOfRound() bool { return r.next == len(r.servers) }

// held is told that a connection held for a while and is lost now: the others are
// tried at once, and its server last.
func (r *rotation) held(server string) {
	r.next, r.rounds = 0, 0
	r.shuffle()
	for i, s := range r.servers {
		if s == server {
			last := len(r.servers) - 1
			r.servers[i], r.servers[last] = r.servers[last], r.servers[i]
		}
	}
}

// patience bounds one attempt to connect. At first it is so short that after a
// silent server has been given up the others have their turn within the session's
// timeout; it doubles with every round, for servers that are slow but serve.
func (r *rotation) patience(timeout time.Duration) time.Duration {
	first := min(max(timeout/time.Duration(2*len(r.servers)), 200*time.Millisecond), 2*time.Second)
	return min(first<<min(r.rounds, 10), max(first, timeout*2/3))
}

// setWatchesLimit bounds the paths of one setWatches request in bytes: servers
// refuse requests over 1 MiB, and Java clients split at this too.
const setWatchesLimit = 128 << 10

// setWatchesFrames are the requests that set watches again after lastZxid. What
// happened since then is reported at once.
func setWatchesFrames(lastZxid int64, watches map[watchKey][]chan Event) [][]byte {
	var frames [][]byte
	var paths [3][]string
	size := 0
	flush := func() {
		if size == 0 {
			return
		}
		b := appendLong(newFrame(kindSetWatches), lastZxid)
		for i := range paths {
			b = appendTexts(b, paths[i])
			paths[i] = nil
		}
		frames = append(frames, b)
		size = 0
	}
	for k := range watches {
		n := 4 + len(k.path)
		if size+n > setWatchesLimit-64 {
			flush()
		}
		paths[k.kind] = append(paths[k.kind], k.path)
		size += n
	}
	flush()
	return frames
}

var pingFrame = func() []byte {
	b := binary.BigEndian.AppendUint32(nil, 8)
	return appendInt(appendInt(b, xidPing), kindPing)
}()
