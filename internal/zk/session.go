package zk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Session is one session with the servers, over one connection after another. Its
// methods may be called by any number of goroutines.
//
// While there is no connection, requests wait for one until their context ends. An
// error that is the end of the context wraps both context.Cause and ctx.Err, and
// says whether the request had been sent.
type Session struct {
	c        *Client
	id       int64
	password []byte
	done     chan struct{}
	wake     chan struct{} // capacity 1: there is something to send

	// watches are those that have not fired, by their path with the chroot. Only the
	// client's goroutine uses them.
	watches map[watchKey][]chan Event

	mu        sync.Mutex // guards what follows; no I/O under it
	timeout   time.Duration
	err       error      // why it ended
	closing   bool       // takes no more requests
	refused   error      // credentials refused on the last attempt to connect
	link      *link      // nil while disconnected
	waiting   []*request // not sent; one of each caller
	pending   []*request // sent over link, in order; a caller that went away leaves its own until the answer or the end of the connection
	confirmed time.Time
	began     time.Time // when the handshake that made the session was begun
	xid       int32
	sent      time.Time // when something was sent last
	asked     time.Time // when the oldest of what is unanswered was sent, or later
	pinged    time.Time // when the ping that is unanswered was sent, zero if there is none
}

// watchKind says which events fire a watch; they are in the order of the
// setWatches request.
type watchKind int8

const (
	dataWatch  watchKind = iota // of a node that exists
	existWatch                  // of a node that does not
	childWatch
)

type watchKey struct {
	kind watchKind
	path string
}

// request is one request of a caller, or the client's own setWatches, which nobody
// waits for.
type request struct {
	kind   int32
	path   string
	frame  []byte                 // without its number
	writes bool                   // not to be repeated
	decode func(d *decoder) error // of the body of a successful answer; nil for none

	watch     chan Event // nil for none
	watchKind watchKind  // if the node exists

	// Guarded by Session.mu.
	xid      int32
	sent     time.Time
	answered bool // its answer is being read
	left     bool // the caller went away

	err  error
	done chan struct{} // closed when err is set
}

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

func newSession(c *Client, r connectResponse) *Session {
	return &Session{
		c:        c,
		id:       r.id,
		password: r.password,
		timeout:  r.timeout,
		done:     make(chan struct{}),
		wake:     make(chan struct{}, 1),
		watches:  map[watchKey][]chan Event{},
	}
}

// ID is the number of the session, which is the EphemeralOwner of its nodes.
func (s *Session) ID() int64 { return s.id }

// Password is what proves that a session is one's own; see CloseSession.
func (s *Session) Password() []byte { return slices.Clone(s.password) }

// Timeout is how long the servers keep the session without a word from the client:
// what was asked for within the limits that they are configured with.
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}

// Done is closed when the session has expired or the client was closed.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is nil until Done is closed, then ErrSessionExpired or ErrClosed.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Connected says whether there is a connection now.
func (s *Session) Connected() bool { return s.Server() != "" }

// Server is the address of the server the session is connected to, empty while it
// is not.
func (s *Session) Server() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		return ""
	}
	return s.link.server
}

// Began is when the connection was begun in which the servers made the session:
// they cannot have begun to count its timeout before.
func (s *Session) Began() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began
}

// Confirmed is when the last request was sent that has been answered, pings and
// handshakes included: the server we were connected to has heard of the session
// since. A follower tells its leader, who decides on expiry, when that asks, twice a
// tick (Leader.lead, Learner.ping), unless it has lost its leader.
func (s *Session) Confirmed() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.confirmed
}

// do sends a request and waits for its answer.
func (s *Session) do(ctx context.Context, r *request) error {
	if err := s.exchange(ctx, r); err != nil {
		if r.path == "" {
			return fmt.Errorf("%s: %w", kindNames[r.kind], err)
		}
		return fmt.Errorf("%s %s: %w", kindNames[r.kind], r.path, err)
	}
	return nil
}

func (s *Session) exchange(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if err := s.enqueue(r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return s.leave(ctx, r)
	}
}

func (s *Session) enqueue(r *request) error {
	s.c.count(r.kind)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return s.err
	case s.closing:
		return ErrClosed
	case s.refused != nil:
		return s.refused
	}
	s.closing = r.kind == kindClose
	s.waiting = append(s.waiting, r)
	s.nudge()
	return nil
}

// nudge makes the writer look.
func (s *Session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// leave gives up waiting for a request, unless its answer is there already.
func (s *Session) leave(ctx context.Context, r *request) error {
	s.mu.Lock()
	unsent := slices.Index(s.waiting, r)
	answered := r.answered
	r.left = !answered
	if unsent >= 0 {
		s.waiting = slices.Delete(s.waiting, unsent, unsent+1)
	}
	connected := s.link != nil
	s.mu.Unlock()

	switch {
	case answered:
		<-r.done
		return r.err
	case unsent >= 0 && connected:
		return fmt.Errorf("not sent: %w", ended(ctx))
	case unsent >= 0:
		return fmt.Errorf("not sent, there is no connection%s: %w", s.c.why(), ended(ctx))
	case r.writes:
		return fmt.Errorf("no answer, outcome unknown: %w", ended(ctx))
	}
	return fmt.Errorf("no answer: %w", ended(ctx))
}

// ended is why ctx ended, which is also ctx.Err.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w (%w)", cause, ctx.Err())
	}
	return context.Cause(ctx)
}

// attach gives the session a connection, over which it sets its watches again.
func (s *Session) attach(l *link, timeout time.Duration, lastZxid int64, since time.Time) {
	rewatch := setWatchesFrames(lastZxid, s.watches)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timeout = timeout
	s.refused = nil
	s.link = l
	s.confirmed = since
	if s.began.IsZero() {
		s.began = since
	}
	s.sent = time.Now()
	own := make([]*request, len(rewatch))
	for i, frame := range rewatch {
		own[i] = &request{kind: kindSetWatches, frame: frame, xid: xidSetWatches, left: true, done: make(chan struct{})}
	}
	s.waiting = append(own, s.waiting...)
	s.nudge()
}

// detach takes the connection away. What only reads will be sent again.
func (s *Session) detach(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = nil
	s.pinged = time.Time{}
	var again []*request
	for _, r := range s.pending {
		switch {
		case r.left:
		case r.writes:
			r.finish(lost(r, cause))
		default:
			again = append(again, r)
		}
	}
	s.pending = nil
	s.waiting = slices.DeleteFunc(s.waiting, func(r *request) bool { return r.kind == kindSetWatches })
	s.waiting = append(again, s.waiting...)
}

// defaultLimit is ZooKeeper's own limit to a request in bytes, jute.maxbuffer.
const defaultLimit = 0xfffff

// lost is the error of a request that writes whose connection broke.
func lost(r *request, cause error) error {
	if len(r.frame) > defaultLimit {
		return fmt.Errorf("%w: %w (servers refuse requests over jute.maxbuffer, by default %d bytes; this one has %d)",
			ErrConnectionLost, cause, defaultLimit, len(r.frame))
	}
	return fmt.Errorf("%w: %w", ErrConnectionLost, cause)
}

// refuse makes all requests fail until the next attempt to connect; nil lets them
// wait for it.
func (s *Session) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	if err == nil {
		return
	}
	for _, r := range s.waiting {
		r.finish(err)
	}
	s.waiting = nil
}

// end ends the session. Called once, by the client's goroutine.
func (s *Session) end(err error) {
	s.mu.Lock()
	s.err = err
	for _, r := range append(s.pending, s.waiting...) {
		if !r.left {
			r.finish(err)
		}
	}
	s.pending, s.waiting = nil, nil
	s.mu.Unlock()
	for _, list := range s.watches {
		for _, c := range list {
			close(c)
		}
	}
	s.watches = nil
	close(s.done)
}

// writeBatch is how many bytes of requests are sent at once; one longer request
// goes alone.
const writeBatch = 64 << 10

// write sends requests and pings over l until it is down, and gives it up when the
// server says nothing. It is run by the client's goroutine, which waits for it.
func (s *Session) write(l *link) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !l.isDown() {
		b, due, err := s.outgoing(l, time.Now())
		if err != nil {
			l.fail(err)
			return
		}
		if len(b) > 0 {
			err := l.nc.SetWriteDeadline(time.Now().Add(s.Timeout() / 3))
			if err == nil {
				_, err = l.nc.Write(b)
			}
			if err != nil {
				l.fail(err)
				return
			}
			continue
		}
		timer.Reset(due)
		select {
		case <-s.wake:
		case <-timer.C:
		case <-l.down:
			return
		}
	}
}

// outgoing is what is to be sent now, or else how long there will be nothing
// unless somebody asks. Its error says that the server has been silent for too
// long.
func (s *Session) outgoing(l *link, now time.Time) ([]byte, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	awaiting := len(s.pending) > 0 || !s.pinged.IsZero()
	due := s.sent.Add(s.timeout / 4)
	if awaiting {
		since := s.asked
		if heard := l.lastHeard(); heard.After(since) {
			since = heard
		}
		silent := since.Add(s.timeout / 3)
		if !now.Before(silent) {
			return nil, 0, fmt.Errorf("server said nothing for %v", now.Sub(since).Round(time.Millisecond))
		}
		if silent.Before(due) || !s.pinged.IsZero() && !now.Before(due) {
			due = silent // no second ping before the first is answered
		}
	}
	var b []byte
	for len(s.waiting) > 0 && (len(b) == 0 || len(b)+len(s.waiting[0].frame) <= writeBatch) {
		b = append(b, s.send(s.waiting[0], now)...)
		s.waiting = s.waiting[1:]
	}
	if len(b) == 0 && s.pinged.IsZero() && !now.Before(s.sent.Add(s.timeout/4)) {
		b = pingFrame
		s.pinged = now
	}
	if len(b) > 0 {
		s.sent = now
		if !awaiting {
			s.asked = now
		}
	}
	return b, due.Sub(now), nil
}

// send makes a request one that awaits its answer.
func (s *Session) send(r *request, now time.Time) []byte {
	if r.kind != kindSetWatches {
		s.xid = max(s.xid&(1<<31-1)+1, 1)
		r.xid = s.xid
	}
	r.sent = now
	s.pending = append(s.pending, r)
	return sealFrame(r.frame, r.xid)
}

// errSessionClosed says that the server has closed the session as it was asked to.
var errSessionClosed = errors.New("session closed")

// read takes what the server sends until the connection ends.
func (s *Session) read(l *link) error {
	for {
		h, d, err := l.readReply()
		if err != nil {
			return err
		}
		switch h.xid {
		case xidEvent:
			err = s.event(d)
		case xidPing:
			s.pong()
		default:
			err = s.answer(h, d)
		}
		if err != nil {
			return err
		}
	}
}

func (s *Session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pinged.After(s.confirmed) {
		s.confirmed = s.pinged
	}
	s.pinged = time.Time{}
}

// answer hands the answer to the oldest request to its caller: servers keep the
// order. Its error is a reason to give up the connection.
func (s *Session) answer(h replyHeader, d *decoder) error {
	r, err := s.answered(h)
	if err != nil {
		return err
	}
	// Not from events: the transaction of one may have others still to come, which
	// setting the watches again after it would miss.
	if h.zxid > 0 {
		s.c.lastZxid = h.zxid
	}
	switch h.code {
	case codeSessionExpired:
		if r.answered {
			r.finish(ErrSessionExpired)
		}
		return ErrSessionExpired
	case codeSessionMoved:
		return codeError(h.code)
	}
	if r.kind == kindSetWatches {
		if err := codeError(h.code); err != nil {
			return fmt.Errorf("set watches again: %w", err)
		}
		return nil
	}
	if !r.answered {
		return nil
	}
	err, broken := r.result(h, d)
	if broken == nil {
		s.register(r, h.code)
	}
	r.finish(err)
	if broken == nil && r.kind == kindClose && err == nil {
		return errSessionClosed
	}
	return broken
}

// answered takes the oldest request off those awaiting an answer.
func (s *Session) answered(h replyHeader) (*request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 || s.pending[0].xid != h.xid {
		return nil, fmt.Errorf("%w: answer number %d out of turn", errMalformed, h.xid)
	}
	r := s.pending[0]
	if h.code == codeSessionMoved {
		return r, nil // stays, to be sent again or reported as lost
	}
	s.pending[0] = nil
	s.pending = s.pending[1:]
	r.answered = !r.left
	if r.sent.After(s.confirmed) {
		s.confirmed = r.sent
	}
	return r, nil
}

// result is what the caller gets. broken says that the answer is no such thing.
func (r *request) result(h replyHeader, d *decoder) (err, broken error) {
	if h.code != codeOK {
		return codeError(h.code), nil
	}
	if r.decode == nil {
		return nil, nil
	}
	err = r.decode(d)
	if d.err != nil {
		broken = fmt.Errorf("%w: %s: %w", errMalformed, kindNames[r.kind], d.err)
		return lost(r, broken), broken
	}
	return err, nil
}

// register keeps the watch of an answered request. A node that is missing is
// watched for its creation by exists alone.
func (s *Session) register(r *request, code int32) {
	kind := r.watchKind
	switch {
	case r.watch == nil:
		return
	case code == codeNoNode && r.kind == kindExists:
		kind = existWatch
	case code != codeOK:
		return
	}
	k := watchKey{kind, s.c.config.full(r.path)}
	s.watches[k] = append(s.watches[k], r.watch)
}

// fires are the watches that an event is for.
var fires = map[EventType][]watchKind{
	EventCreated:         {dataWatch, existWatch},
	EventDataChanged:     {dataWatch, existWatch},
	EventDeleted:         {dataWatch, existWatch, childWatch},
	EventChildrenChanged: {childWatch},
}

// event hands an event to the watches it is for. Their channels have room.
func (s *Session) event(d *decoder) error {
	e := d.event()
	if d.err != nil {
		return fmt.Errorf("%w: event: %w", errMalformed, d.err)
	}
	path := e.Path
	e.Path = s.c.config.strip(path)
	for _, kind := range fires[e.Type] {
		k := watchKey{kind, path}
		for _, c := range s.watches[k] {
			c <- e
			close(c)
		}
		delete(s.watches, k)
	}
	return nil
}
