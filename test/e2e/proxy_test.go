package e2e

import (
	"net"
	"sync"
	"testing"
)

// proxy is a network between two programs that can fail.
type proxy struct {
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu      sync.Mutex
	cond    *sync.Cond // of changes to what follows
	conns   map[net.Conn]bool
	down    bool // connections are refused
	stalled bool // nothing gets through, and nobody is told
	closed  bool
}

// newProxy forwards to target until the test ends.
func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, target: target, conns: make(map[net.Conn]bool)}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		ln.Close()
		p.set(func() { p.closed, p.down, p.stalled = true, true, false })
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

// set changes how the network behaves.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.cond.Broadcast()
}

// refuse says whether new connections are refused.
func (p *proxy) refuse(yes bool) { p.set(func() { p.down = yes }) }

// stall says whether bytes are held back.
func (p *proxy) stall(yes bool) { p.set(func() { p.stalled = yes }) }

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) accept() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil || !p.register(in, out) {
			in.Close()
			if err == nil {
				out.Close()
			}
			continue
		}
		p.wg.Go(func() { p.forward(in, out) })
		p.wg.Go(func() { p.forward(out, in) })
	}
}

// register enters a pair of connections; false means that it is refused.
func (p *proxy) register(in, out net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	p.conns[in], p.conns[out] = true, true
	return true
}

// forward copies until either side is closed.
func (p *proxy) forward(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		p.mu.Lock()
		delete(p.conns, from)
		delete(p.conns, to)
		p.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.stalled && !p.closed {
			p.cond.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
