package client

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// readBuffer holds the small replies; the entries of larger ones go past it.
const readBuffer = 32 << 10

// session is one authenticated connection. Requests with a reply must not
// overlap, which Conn sees to; notices (acks and rollbacks) may be written at any
// time. After an error it is of no more use.
type session struct {
	nc       net.Conn
	r        *bufio.Reader
	o        *Options
	clientID string

	ended context.Context // done once the session was given up, with the reason
	end   context.CancelCauseFunc
	valid func() error // says why the caller may consume no longer; nil if it may

	sequence // used by get only

	largest int                    // length of the largest packet so far; used by read only
	spare   atomic.Pointer[[]byte] // memory of a batch that was released, for the next packet

	mu   sync.Mutex // guards writing to nc, and held
	held []int64    // batches received and not acked, oldest first
}

// maxGaps is how many gaps in a row are blamed on requests of an earlier connection.
const maxGaps = 3

// sequence checks that batch numbers come without gaps. Servers count a client's
// batches, whatever connection they go to. A get that was still on its way when its
// connection was given up can be served after the new connection's rollback: what
// it took would be missing here, and its number shows that.
type sequence struct {
	last  int64 // number of the last batch
	known bool  // whether there was one
	begun bool  // whether one came over this connection
	gaps  int   // gaps in a row; beyond maxGaps the server is taken to count otherwise
}

// next notes the number of the batch that came and says whether the one before it
// came too.
func (q *sequence) next(id int64) bool {
	follows := !q.known || id == q.last+1
	q.last, q.known = id, true
	switch {
	case q.gaps > maxGaps:
		return true
	case follows:
		q.gaps = 0
		return true
	}
	q.gaps++
	return q.gaps > maxGaps
}

// open connects to addr and authenticates.
func open(ctx context.Context, o *Options, addr string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, o.SOTimeout)
	defer cancel()
	nc, err := o.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &session{
		nc:       nc,
		r:        bufio.NewReaderSize(nc, readBuffer),
		o:        o,
		clientID: strconv.Itoa(int(o.ClientID)),
		valid:    func() error { return nil },
	}
	s.ended, s.end = context.WithCancelCause(context.Background())
	if err := s.interruptible(ctx, o.SOTimeout, s.authenticate); err != nil {
		nc.Close()
		return nil, err
	}
	return s, nil
}

// retire gives the session up: calls under way and later ones fail with cause, also
// those whose reply has come already.
func (s *session) retire(cause error) error {
	s.end(cause)
	return s.nc.Close()
}

// usable says why nothing may be taken from the session or acked any more.
func (s *session) usable() error {
	if s.ended.Err() != nil {
		return context.Cause(s.ended)
	}
	return s.valid()
}

// interruptible runs f, whose reads and writes end when ctx does or after limit
// (0 is never). After an error the connection is in an unknown state.
func (s *session) interruptible(ctx context.Context, limit time.Duration, f func() error) error {
	var deadline time.Time
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	if err := s.nc.SetReadDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.nc.Close() })
	err := f()
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil && s.ended.Err() != nil {
		return context.Cause(s.ended)
	}
	return err
}

func (s *session) authenticate() error {
	p, _, err := s.read()
	if err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if p.Type != protocol.TypeHandshake {
		return fmt.Errorf("read handshake: unexpected packet %v", p.Type)
	}
	if v := p.Version.Value; v != protocol.Version {
		return fmt.Errorf("read handshake: unsupported protocol version %d", v)
	}
	handshake, err := protocol.ParseHandshake(p.Body)
	if err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	timeout := protocol.Some(int32(s.o.IdleTimeout.Milliseconds()))
	auth := protocol.ClientAuth{Username: s.o.User, NetReadTimeout: timeout, NetWriteTimeout: timeout}
	if s.o.Password != "" {
		token := protocol.Scramble([]byte(s.o.Password), handshake.Seeds)
		auth.Password = hex.AppendEncode(nil, token[:])
	}
	err = s.request("authenticate", &auth)
	// The other refusal, of an answer that came before the server was ready for
	// it, says nothing about the password.
	if refused := (*ServerError)(nil); errors.As(err, &refused) && strings.HasPrefix(refused.Message, "auth failed for user") {
		return fmt.Errorf("%w: %w", ErrAuth, err)
	}
	return err
}

// request sends m and reads the ACK it is answered with.
func (s *session) request(op string, m protocol.Message) error {
	if err := s.write(m); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	p, _, err := s.read()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if p.Type != protocol.TypeAck {
		return fmt.Errorf("%s: unexpected packet %v in place of an ack", op, p.Type)
	}
	return ackError(op, p)
}

func (s *session) subscribe(filter string) error {
	return s.request("subscribe", &protocol.Sub{Destination: s.o.Destination, ClientID: s.clientID, Filter: filter})
}

// get asks for a batch and holds it. Where it finds that batches went elsewhere it
// has everything delivered again, unless the caller holds batches of this connection
// already: then it fails with ErrGap.
//
// frame is the memory that the entries are in.
func (s *session) get(m *protocol.Get) (reply protocol.Messages, frame []byte, err error) {
	for {
		reply, frame, err = s.ask(m)
		if err != nil || reply.BatchID == protocol.NoBatch {
			return reply, frame, err
		}
		first := !s.begun
		if s.next(reply.BatchID) {
			s.begun = true
			return reply, frame, s.hold(reply.BatchID)
		}
		if !first {
			return protocol.Messages{}, nil, ErrGap
		}
		if err := s.rollback(); err != nil {
			return protocol.Messages{}, nil, fmt.Errorf("get: %w", err)
		}
	}
}

// hold notes a batch that came. One that came too late is nobody's: the server will
// deliver it again.
func (s *session) hold(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	s.held = append(s.held, id)
	return nil
}

// ask sends a GET and reads the answer, which is in frame.
func (s *session) ask(m *protocol.Get) (reply protocol.Messages, frame []byte, err error) {
	if err = s.write(m); err != nil {
		return reply, nil, fmt.Errorf("get: %w", err)
	}
	p, frame, err := s.read()
	if err != nil {
		return reply, nil, fmt.Errorf("get: %w", err)
	}
	if reply, err = parseBatch(p); len(reply.Messages) == 0 {
		s.reuse(frame) // nothing that the caller gets is in it
		return reply, nil, err
	}
	return reply, frame, err
}

// parseBatch reads the answer to a GET, which is MESSAGES or the report of an
// error.
func parseBatch(p protocol.Packet) (protocol.Messages, error) {
	switch p.Type {
	case protocol.TypeMessages:
		if c := p.Compression.Value; c != protocol.CompressionCompatible && c != protocol.CompressionNone {
			return protocol.Messages{}, fmt.Errorf("get: unsupported compression %d", c)
		}
		m, err := protocol.ParseMessages(p.Body)
		if err != nil {
			return protocol.Messages{}, fmt.Errorf("get: %w", err)
		}
		return m, nil
	case protocol.TypeAck:
		if err := ackError("get", p); err != nil {
			return protocol.Messages{}, err
		}
	}
	return protocol.Messages{}, fmt.Errorf("get: unexpected packet %v in place of a batch", p.Type)
}

// ackError is the error an ACK reports, nil for success.
func ackError(op string, p protocol.Packet) error {
	ack, err := protocol.ParseAck(p.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if code := ack.ErrorCode.Value; code > 0 {
		return &ServerError{Op: op, Code: code, Message: strings.ToValidUTF8(ack.ErrorMessage, "\ufffd")}
	}
	return nil
}

// ack confirms the oldest batch held.
func (s *session) ack(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.oldest(id); err != nil {
		return err
	}
	s.held = s.held[1:]
	return s.writeLocked(&protocol.ClientAck{Destination: s.o.Destination, ClientID: s.clientID, BatchID: id})
}

// rollback gives back all batches held.
func (s *session) rollback() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = nil
	return s.writeRollback(allBatches)
}

// rollbackFrom gives back the oldest batch held and those after it. Java Canal
// hands all of them out again whichever it is asked for, but goes on accepting
// acks of the later ones, and so could lose them: with several held, the request
// is for all.
func (s *session) rollbackFrom(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.oldest(id); err != nil {
		return err
	}
	if len(s.held) > 1 {
		id = allBatches
	}
	s.held = nil
	return s.writeRollback(id)
}

// allBatches as the id in a rollback request means every batch.
const allBatches = 0

func (s *session) writeRollback(id int64) error {
	return s.writeLocked(&protocol.ClientRollback{Destination: s.o.Destination, ClientID: s.clientID, BatchID: id})
}

// oldest checks that batch id is the oldest held.
func (s *session) oldest(id int64) error {
	if s.usable() != nil {
		return ErrStale
	}
	switch slices.Index(s.held, id) {
	case -1:
		return ErrStale
	case 0:
		return nil
	default:
		return ErrOrder
	}
}

func (s *session) write(m protocol.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeLocked(m)
}

func (s *session) writeLocked(m protocol.Message) error {
	if err := s.nc.SetWriteDeadline(time.Now().Add(s.o.SOTimeout)); err != nil {
		return err
	}
	_, err := s.nc.Write(protocol.AppendRequest(nil, m))
	return err
}

// reuse gives memory to the next packet.
func (s *session) reuse(frame []byte) { s.spare.Store(&frame) }

// read reads one packet, which is in frame. A server that has sent a large one before
// is believed when it announces another: it gets its memory at once.
func (s *session) read() (p protocol.Packet, frame []byte, err error) {
	if spare := s.spare.Swap(nil); spare != nil {
		frame = *spare
	}
	if header, err := s.r.Peek(protocol.HeaderLength); err == nil {
		if n, err := protocol.FrameLength(header, s.o.MaxReply); err == nil && n > cap(frame) && n <= 2*s.largest {
			frame = make([]byte, 0, n)
		}
	}
	frame, err = protocol.ReadFrame(s.r, frame, s.o.MaxReply)
	if err == io.EOF {
		err = errors.New("server closed the connection")
	}
	if err != nil {
		return p, nil, err
	}
	s.largest = max(s.largest, len(frame))
	p, err = protocol.ParsePacket(frame)
	return p, frame, err
}
