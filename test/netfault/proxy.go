// Package netfault is a TCP proxy that breaks what passes through it, for tests
// of programs that have to live with a bad network: it cuts connections, swallows
// what is sent in either direction, delays it, slows it down, and breaks a
// connection between a request and its answer.
package netfault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is one of the two ways that bytes go through a proxy.
type Direction int

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// Proxy passes TCP connections on to one target. A new one passes everything;
// faults hold until Heal, for existing connections and new ones. Its methods may
// be called concurrently, and in any order until Close.
type Proxy struct {
	target string
	addr   string
	ctx    context.Context // the proxy's lifetime, ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the accepting goroutine and those of the links

	accepted, toServer, toClient atomic.Int64

	mu       sync.Mutex
	listener net.Listener // nil while cut
	links    map[*link]struct{}
	fault    fault
	changed  chan struct{} // closed when fault changes

	matching sync.Mutex // held while a match function runs
}

// fault is what is wrong at present; the zero value is nothing.
type fault struct {
	held  [2]bool // by direction
	delay time.Duration
	limit int // bytes per second and direction of each connection; 0 is no limit
	after *cutAfter
}

type cutAfter struct {
	match func(toServer []byte) bool
	done  chan struct{}
}

// Stats count since the start.
type Stats struct {
	Accepted           int64 // connections
	Open               int64 // of these, open now
	ToServer, ToClient int64 // bytes passed on
}

// Start starts a proxy in front of target, which is host:port and need not be
// there yet. Close ends it.
func Start(target string) (*Proxy, error) { return start("127.0.0.1", target) }

func start(host, target string) (*Proxy, error) {
	l, err := listen(host)
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, addr: l.Addr().String(), links: map[*link]struct{}{}, changed: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.accept(l)
	return p, nil
}

// listen takes a port below those that Linux gives to outgoing connections, so
// that it is free again after a cut.
func listen(host string) (l net.Listener, err error) {
	const first, last, attempts = 10000, 32000, 100
	for range attempts {
		port := first + rand.IntN(last-first)
		if l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

// Addr is host:port of the proxy. It stays the same.
func (p *Proxy) Addr() string { return p.addr }

// Stats are the counts so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Accepted: p.accepted.Load(), Open: int64(len(p.links)),
		ToServer: p.toServer.Load(), ToClient: p.toClient.Load(),
	}
}

// Cut resets all connections and refuses new ones.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut()
}

// Break resets all connections once. New ones are accepted.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset()
}

// Blackhole holds back whatever is sent in both directions, and that a connection
// was opened or closed. Connections stay open and new ones are accepted. What was
// held back passes on after Heal, as in a network that heals.
func (p *Proxy) Blackhole() { p.set(func(f *fault) { f.held = [2]bool{true, true} }) }

// Pause is Blackhole for one direction.
func (p *Proxy) Pause(d Direction) { p.set(func(f *fault) { f.held[d] = true }) }

// Delay passes everything on so much later, in each direction.
func (p *Proxy) Delay(d time.Duration) { p.set(func(f *fault) { f.delay = d }) }

// Limit bounds each direction of each connection; 0 is no limit.
func (p *Proxy) Limit(bytesPerSecond int) { p.set(func(f *fault) { f.limit = bytesPerSecond }) }

// CutAfter resets the client's end of one connection as soon as a request has
// been passed on, and drops the server's answer, whatever its speed. The server
// gets the whole request and then the end of the connection. Once this has
// happened the returned channel is closed and the fault is over. A later CutAfter
// takes the place of an earlier one.
//
// match is called for the bytes of all connections as they are passed on, one call
// at a time, and may keep state; ZooKeeperRequest makes one. The bytes are not its
// to keep.
func (p *Proxy) CutAfter(match func(toServer []byte) bool) <-chan struct{} {
	done := make(chan struct{})
	p.set(func(f *fault) { f.after = &cutAfter{match, done} })
	return done
}

// Heal ends all faults. It is an error when the port of a cut proxy has been
// taken by another program.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return errors.New("heal a proxy that is closed")
	}
	if p.listener == nil {
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			return fmt.Errorf("heal: %w", err)
		}
		p.acceptLocked(l)
	}
	p.setLocked(func(f *fault) { *f = fault{} })
	return nil
}

// Close resets all connections and waits until nothing of the proxy runs. A
// second Close is harmless.
func (p *Proxy) Close() {
	p.cancel()
	p.mu.Lock()
	p.shut()
	p.mu.Unlock()
	p.wg.Wait()
}

// shut closes the listener and all connections. The caller has p.mu.
func (p *Proxy) shut() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	p.reset()
}

// reset breaks all connections. The caller has p.mu.
func (p *Proxy) reset() {
	for l := range p.links {
		l.reset()
	}
}

func (p *Proxy) set(change func(*fault)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLocked(change)
}

func (p *Proxy) setLocked(change func(*fault)) {
	change(&p.fault)
	close(p.changed)
	p.changed = make(chan struct{})
}

// now is the present fault, and a channel that is closed when it changes.
func (p *Proxy) now() (fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault, p.changed
}

func (p *Proxy) accept(l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acceptLocked(l)
}

// acceptLocked starts the goroutine that accepts until the listener is closed.
func (p *Proxy) acceptLocked(l net.Listener) {
	p.listener = l
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.open(c.(*net.TCPConn), l)
		}
	})
}

// open starts a link, unless its listener has been closed meanwhile.
func (p *Proxy) open(client *net.TCPConn, from net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != from {
		abort(client)
		return
	}
	p.accepted.Add(1)
	l := &link{p: p, client: client}
	l.ctx, l.cancel = context.WithCancel(p.ctx)
	p.links[l] = struct{}{}
	p.wg.Go(func() {
		l.run()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, l)
	})
}

// matches is the fault that breaks the connection after these bytes, which is no
// longer one of the proxy's, or nil.
func (p *Proxy) matches(b []byte) *cutAfter {
	p.matching.Lock()
	defer p.matching.Unlock()
	f, _ := p.now()
	if f.after == nil || !f.after.match(b) {
		return nil
	}
	p.set(func(now *fault) {
		if now.after == f.after {
			now.after = nil
		}
	})
	return f.after
}
