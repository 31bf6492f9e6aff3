package netfault

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection of a client and, once it is dialled, the one to the
// target. Two goroutines read and two write, so that a delay does not slow down.
type link struct {
	p      *Proxy
	ctx    context.Context // ended by reset and when both directions have ended
	cancel context.CancelFunc
	client *net.TCPConn
	server *net.TCPConn // set before anything is copied
	mute   atomic.Bool  // drop what the server sends: the client is gone
}

// chunk is what one read gave. The last one of a connection has an error.
type chunk struct {
	at   time.Time
	data []byte
	err  error
}

const (
	chunkSize = 32 << 10
	queued    = 64 // chunks per direction; then reading waits
	// dialTimeout bounds the connection to the target, and lastWords the wait for
	// a server to close its end after a CutAfter.
	dialTimeout = 10 * time.Second
	lastWords   = 10 * time.Second
)

// run serves the connection until it ends in both directions.
func (l *link) run() {
	defer l.cancel()
	defer context.AfterFunc(l.ctx, func() { abort(l.client) })()
	defer abort(l.client)
	if l.pass(ToServer) != nil {
		return
	}
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(l.ctx, "tcp", l.p.target)
	if err != nil {
		return
	}
	l.server = c.(*net.TCPConn)
	defer context.AfterFunc(l.ctx, func() { abort(l.server) })()
	defer abort(l.server)

	var readers, writers sync.WaitGroup
	for _, d := range []Direction{ToServer, ToClient} {
		chunks := make(chan chunk, queued)
		from, to := l.client, l.server
		if d == ToClient {
			from, to = l.server, l.client
		}
		readers.Go(func() { l.read(from, chunks) })
		writers.Go(func() {
			if err := l.write(d, to, chunks); err != nil {
				l.cancel()
			}
		})
	}
	writers.Wait()
	if l.ctx.Err() == nil { // an orderly end, in which nothing sent is lost
		_ = l.client.Close()
		_ = l.server.Close()
	}
	l.cancel()
	readers.Wait()
}

// abort closes a connection with a reset, so that its peer sees an error rather
// than an orderly end.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails when it is closed already, and so does Close
	_ = c.Close()
}

// reset ends both connections at once.
func (l *link) reset() { l.cancel() }

// read queues what comes until the end of the connection.
func (l *link) read(from *net.TCPConn, chunks chan<- chunk) {
	for {
		b := make([]byte, chunkSize)
		n, err := from.Read(b)
		select {
		case chunks <- chunk{time.Now(), b[:n], err}:
		case <-l.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// write passes on what was read, as the faults allow, and ends with an error when
// the link is to be reset.
func (l *link) write(d Direction, to *net.TCPConn, chunks <-chan chunk) error {
	for {
		var c chunk
		select {
		case c = <-chunks:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
		if err := l.delay(d, c.at); err != nil {
			return err
		}
		if len(c.data) > 0 {
			cut, err := l.forward(d, to, c.data)
			if err != nil {
				// That the connection is broken is told the other way, where it may be held back.
				return errors.Join(err, l.pass(1-d))
			}
			if cut {
				return nil
			}
		}
		switch {
		case errors.Is(c.err, io.EOF):
			if d == ToClient && l.mute.Load() {
				return nil
			}
			return to.CloseWrite()
		case c.err != nil:
			return c.err
		}
	}
}

// delay waits until bytes that were read at a time may be passed on.
func (l *link) delay(d Direction, read time.Time) error {
	for {
		f, changed := l.p.now()
		late := time.Until(read.Add(f.delay))
		if late <= 0 {
			return l.pass(d)
		}
		if err := l.sleep(late, changed); err != nil {
			return err
		}
	}
}

// pass waits while the direction is held back.
func (l *link) pass(d Direction) error {
	for {
		f, changed := l.p.now()
		if !f.held[d] {
			return l.ctx.Err()
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
}

// sleep waits for a time, or shorter if the channel is closed.
func (l *link) sleep(d time.Duration, changed <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-l.ctx.Done():
	}
	return l.ctx.Err()
}

// forward writes bytes that have waited long enough. When they are what CutAfter
// waits for, it ends the client's connection and cut is true.
func (l *link) forward(d Direction, to *net.TCPConn, b []byte) (cut bool, err error) {
	if d == ToClient {
		if l.mute.Load() {
			return false, nil
		}
		n, err := l.throttled(d, to, b)
		l.p.toClient.Add(int64(n))
		if l.mute.Load() {
			return false, nil
		}
		return false, err
	}
	after := l.p.matches(b)
	if after != nil {
		l.mute.Store(true) // before the server can answer
	}
	n, err := l.throttled(d, to, b)
	l.p.toServer.Add(int64(n))
	if after == nil {
		return false, err
	}
	if err != nil {
		l.p.set(func(f *fault) { f.after = after }) // it has not come to it
		return false, err
	}
	abort(l.client)
	// An orderly end, because a reset would make the server's kernel drop what the
	// server has not read yet.
	_ = l.server.SetReadDeadline(time.Now().Add(lastWords)) // fails for a closed connection only
	err = l.server.CloseWrite()
	close(after.done)
	return true, err
}

// throttled writes no faster than the limit, in pieces of a twentieth of a second.
func (l *link) throttled(d Direction, to *net.TCPConn, b []byte) (written int, err error) {
	for len(b) > 0 {
		f, changed := l.p.now()
		piece := b
		if f.limit > 0 {
			piece = b[:min(len(b), max(1, f.limit/20))]
			wait := time.Duration(len(piece)) * time.Second / time.Duration(f.limit)
			if err := l.sleep(wait, changed); err != nil {
				return written, err
			}
			if err := l.pass(d); err != nil {
				return written, err
			}
		}
		n, err := to.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		b = b[n:]
	}
	return written, nil
}
