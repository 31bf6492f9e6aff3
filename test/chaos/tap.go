package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/towpath-cdc/towpath/protocol"
)

// tap passes connections on to a server and records when batches leave it. It
// stands right in front of the server, behind all faults of the network.
type tap struct {
	ln     net.Listener
	server string // address
	rec    *recorder
	last   atomic.Int64 // when a batch was last recorded

	wg     sync.WaitGroup // of the goroutines, for close
	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

func newTap(server string, rec *recorder) (*tap, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{ln: ln, server: server, rec: rec, open: make(map[net.Conn]struct{})}
	t.wg.Go(t.accept)
	return t, nil
}

func (t *tap) addr() string { return t.ln.Addr().String() }

// close ends all connections and waits until nothing of the tap runs.
func (t *tap) close() error {
	err := t.ln.Close()
	t.mu.Lock()
	t.closed = true
	for c := range t.open {
		c.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
	return err
}

func (t *tap) accept() {
	for {
		c, err := t.ln.Accept()
		if err != nil {
			return
		}
		t.wg.Go(func() { t.serve(c) })
	}
}

// own says that a connection is to be closed with the tap, which may be over.
func (t *tap) own(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.open[c] = struct{}{}
	}
	return !t.closed
}

func (t *tap) disown(c net.Conn) {
	c.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, c)
}

// outstanding bounds the packets that have left a server and not reached its
// client. One request in flight has one answer, so it is never reached.
const outstanding = 1024

func (t *tap) serve(client net.Conn) {
	defer t.disown(client)
	server, err := net.Dial("tcp", t.server)
	if err != nil {
		return
	}
	defer t.disown(server)
	if !t.own(client) || !t.own(server) {
		return
	}
	end := func() { client.Close(); server.Close() }
	w := &watched{tap: t}
	// What leaves the server is seen at once, even when the client takes nothing.
	left := make(chan []byte, outstanding)
	var parts sync.WaitGroup
	parts.Go(func() {
		defer end()
		w.forward(client, w.request, func(b []byte) error { _, err := server.Write(b); return err })
	})
	parts.Go(func() {
		defer close(left)
		w.forward(server, w.answer, func(b []byte) error {
			select {
			case left <- b:
				return nil
			default:
				return errors.New("the client takes nothing")
			}
		})
	})
	parts.Go(func() {
		defer end()
		for b := range left {
			if _, err := client.Write(b); err != nil {
				return
			}
		}
	})
	parts.Wait()
}

// watched is what is known of one connection.
type watched struct {
	tap *tap

	mu          sync.Mutex
	destination string
	asked       int64 // when the last get was passed on
}

// forward passes packets on, after each has been looked at, until either side ends.
func (w *watched) forward(from io.Reader, look func(protocol.Packet), to func([]byte) error) {
	r := bufio.NewReader(from)
	for {
		b, err := protocol.ReadFrame(r, nil, 0x7fffffff)
		if err != nil {
			return
		}
		if p, err := protocol.ParsePacket(b); err == nil {
			look(p)
		}
		if to(protocol.AppendFrame(nil, b)) != nil {
			return
		}
	}
}

func (w *watched) request(p protocol.Packet) {
	if p.Type != protocol.TypeGet {
		return
	}
	if g, err := protocol.ParseGet(p.Body); err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.destination, w.asked = g.Destination, monotonic()
	}
}

func (w *watched) answer(p protocol.Packet) {
	if p.Type != protocol.TypeMessages {
		return
	}
	m, err := protocol.ParseMessages(p.Body)
	if err != nil || m.BatchID == protocol.NoBatch {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := monotonic()
	w.tap.last.Store(now)
	w.tap.rec.record(event{At: now, Kind: kindHanded, Destination: w.destination, Server: w.tap.server, Batch: m.BatchID, Asked: w.asked})
}
