// Package canaltest is a Canal server for tests of clients: it has a real address
// and speaks the protocol, but its one destination's entries come from the test.
//
// It answers as Canal does, including the error reports nobody asked for that
// follow a refused ack or rollback, and lets a test take over any request.
package canaltest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// maxRequest is the longest request read, in bytes.
const maxRequest = 1 << 20

// Action is what to do with a request that an Intercept function takes over.
type Action struct {
	Reply  []protocol.Message // sent in order; none is silence
	HangUp bool               // close the connection after the replies
}

// Options say how the server behaves.
type Options struct {
	Destination string // the only one; "" is "example"
	// User and Password are what a client must prove; without a password anyone
	// may connect.
	User, Password string
	// Intercept, if not nil, sees every request after the handshake first, one at
	// a time, and may take it over by returning true. It must not call the server's
	// methods.
	Intercept func(request protocol.Message) (Action, bool)
}

// Server is a running server.
type Server struct {
	o        Options
	listener net.Listener
	wg       sync.WaitGroup

	mu         sync.Mutex        // guards what follows
	conns      map[net.Conn]bool // false when hung up
	requests   [][]byte
	filter     string
	subscribed bool
	entries    [][]byte
	next       int // first entry not handed out since the last rollback
	acked      int // entries acked
	lastBatch  int64
	batches    []batch
	arrival    chan struct{} // closed when entries arrive
	closed     bool
}

type batch struct {
	id  int64
	end int // index after its last entry
}

// Start starts a server, which the test's cleanup stops.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	if o.Destination == "" {
		o.Destination = "example"
	}
	s := &Server{o: o, listener: l, conns: map[net.Conn]bool{}, arrival: make(chan struct{})}
	s.wg.Go(s.accept)
	tb.Cleanup(s.Stop)
	return s
}

// Addr is the address to connect to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Stop closes the listener and all connections and waits for them.
func (s *Server) Stop() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listener.Close()
	s.HangUp()
	s.wg.Wait()
}

// HangUp closes all connections.
func (s *Server) HangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.conns {
		nc.Close()
		s.conns[nc] = false
	}
	s.wake()
}

// Put appends entries to the destination.
func (s *Server) Put(entries ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, entries...)
	s.wake()
}

// Acked is the number of entries that have been acked.
func (s *Server) Acked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// Filter is the filter subscribed to last.
func (s *Server) Filter() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filter
}

// Requests are the packets received so far, authentications included.
func (s *Server) Requests() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// wake lets waiting gets look again. The caller holds s.mu.
func (s *Server) wake() {
	close(s.arrival)
	s.arrival = make(chan struct{})
}

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			nc.Close()
		}
		s.conns[nc] = !s.closed
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(nc)
			nc.Close()
			s.mu.Lock()
			delete(s.conns, nc)
			s.mu.Unlock()
		})
	}
}

// serve runs one connection until it ends or misbehaves.
func (s *Server) serve(nc net.Conn) {
	seed := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	if reply(nc, &protocol.Handshake{Seeds: seed}) != nil {
		return
	}
	authenticated := false
	for {
		m, err := s.read(nc, authenticated)
		if err != nil {
			return
		}
		action, taken := s.intercept(m)
		switch auth, isAuth := m.(*protocol.ClientAuth); {
		case taken:
		case isAuth:
			ack := s.authenticate(auth, seed)
			authenticated = !ack.ErrorCode.Set
			action.Reply = []protocol.Message{ack}
		default:
			if m := s.answer(nc, m); m != nil {
				action.Reply = []protocol.Message{m}
			}
		}
		for _, m := range action.Reply {
			if reply(nc, m) != nil {
				return
			}
			if ack, ok := m.(*protocol.Ack); ok && taken && !authenticated {
				authenticated = !ack.ErrorCode.Set
			}
		}
		if action.HangUp {
			return
		}
	}
}

func reply(nc net.Conn, m protocol.Message) error {
	if b, ok := m.(*protocol.Messages); ok && b.BatchID != protocol.NoBatch {
		body := (&protocol.Messages{Messages: b.Messages}).Append(nil)
		_, err := nc.Write(append(protocol.AppendMessagesHead(nil, b.BatchID, len(body)), body...))
		return err
	}
	_, err := nc.Write(protocol.AppendReply(nil, m))
	return err
}

func (s *Server) read(nc net.Conn, authenticated bool) (protocol.Message, error) {
	frame, err := protocol.ReadFrame(nc, nil, maxRequest)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.requests = append(s.requests, frame)
	s.mu.Unlock()
	p, err := protocol.ParsePacket(frame)
	if err != nil {
		return nil, err
	}
	if (p.Type == protocol.TypeClientAuth) == authenticated {
		return nil, fmt.Errorf("%v out of turn", p.Type)
	}
	return parse(p)
}

func parse(p protocol.Packet) (m protocol.Message, err error) {
	switch p.Type {
	case protocol.TypeClientAuth:
		v, e := protocol.ParseClientAuth(p.Body)
		m, err = &v, e
	case protocol.TypeSubscription:
		v, e := protocol.ParseSub(p.Body)
		m, err = &v, e
	case protocol.TypeUnsubscription:
		v, e := protocol.ParseUnsub(p.Body)
		m, err = &v, e
	case protocol.TypeGet:
		v, e := protocol.ParseGet(p.Body)
		m, err = &v, e
	case protocol.TypeClientAck:
		v, e := protocol.ParseClientAck(p.Body)
		m, err = &v, e
	case protocol.TypeClientRollback:
		v, e := protocol.ParseClientRollback(p.Body)
		m, err = &v, e
	default:
		err = errors.New("not a client's packet")
	}
	return m, err
}

func (s *Server) intercept(m protocol.Message) (Action, bool) {
	if s.o.Intercept == nil {
		return Action{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if action, taken := s.o.Intercept(m); taken {
		return action, true
	}
	return Action{}, false
}

func (s *Server) authenticate(m *protocol.ClientAuth, seed []byte) *protocol.Ack {
	if s.o.Password == "" {
		return &protocol.Ack{}
	}
	hash := protocol.HashPassword([]byte(s.o.Password))
	token, err := hex.DecodeString(string(m.Password))
	if err != nil || m.Username != s.o.User || !protocol.CheckScramble(token, hash[:], seed) {
		return Failure("auth failed for user:" + m.Username)
	}
	return &protocol.Ack{}
}

// Failure is the report of an error as Canal words it, with code 400.
func Failure(message string) *protocol.Ack {
	return &protocol.Ack{ErrorCode: protocol.Some[int32](400), ErrorMessage: message}
}

// answer carries out a request; nil is silence.
func (s *Server) answer(nc net.Conn, m protocol.Message) protocol.Message {
	switch m := m.(type) {
	case *protocol.Sub:
		return s.subscribe(m)
	case *protocol.Unsub:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.subscribed = false
		return &protocol.Ack{}
	case *protocol.Get:
		return s.get(nc, m)
	case *protocol.ClientAck:
		return s.ack(m.BatchID)
	case *protocol.ClientRollback:
		return s.rollback(m.BatchID)
	}
	return Failure("packet type: " + m.PacketType().String() + " is NOT supported!")
}

func (s *Server) subscribe(m *protocol.Sub) protocol.Message {
	if _, err := strconv.ParseInt(m.ClientID, 10, 16); err != nil || m.Destination != s.o.Destination {
		return Failure("destination:" + m.Destination + " should start first")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribed = true
	s.filter = m.Filter
	return &protocol.Ack{}
}

// get answers as soon as there is anything, not only with a full batch, so that
// tests do not wait.
func (s *Server) get(nc net.Conn, m *protocol.Get) protocol.Message {
	var expired <-chan time.Time
	if m.Timeout.Value > 0 {
		t := time.NewTimer(time.Duration(m.Timeout.Value) * time.Millisecond)
		defer t.Stop()
		expired = t.C
	}
	for {
		reply, arrival := s.tryGet(nc, int(m.FetchSize))
		if reply != nil {
			return reply
		}
		if m.Timeout.Value == -1 {
			return &protocol.Messages{BatchID: protocol.NoBatch}
		}
		select {
		case <-arrival:
		case <-expired:
			return &protocol.Messages{BatchID: protocol.NoBatch}
		}
	}
}

// tryGet is the answer to a get if there is one already, else a channel that is
// closed when to ask again.
func (s *Server) tryGet(nc net.Conn, size int) (protocol.Message, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.subscribed:
		return Failure("should subscribe first"), nil
	case !s.conns[nc]:
		return &protocol.Messages{BatchID: protocol.NoBatch}, nil
	case s.next == len(s.entries):
		return nil, s.arrival
	}
	end := min(s.next+size, len(s.entries))
	s.lastBatch++
	m := &protocol.Messages{BatchID: s.lastBatch, Messages: s.entries[s.next:end:end]}
	s.batches = append(s.batches, batch{id: s.lastBatch, end: end})
	s.next = end
	return m, nil
}

func (s *Server) ack(id int64) protocol.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.checkFirst("ack error ,", id); m != nil {
		return m
	}
	s.acked = s.batches[0].end
	s.batches = s.batches[1:]
	return nil
}

func (s *Server) rollback(id int64) protocol.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != 0 {
		if m := s.checkFirst("rollback error,", id); m != nil {
			return m
		}
		s.batches = s.batches[1:]
	} else {
		s.batches = nil
	}
	s.next = s.acked
	return nil
}

// checkFirst says what is wrong with id if it is not the oldest batch.
func (s *Server) checkFirst(what string, id int64) protocol.Message {
	i := slices.IndexFunc(s.batches, func(b batch) bool { return b.id == id })
	switch {
	case i < 0:
		return Failure(fmt.Sprintf("%s batchId:%d is not exist , please check", what, id))
	case i > 0:
		return Failure(fmt.Sprintf("batchId:%d is not the firstly:%d", id, s.batches[0].id))
	}
	return nil
}
