package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

const (
	// readBuffer is the size of a session's read buffer, in bytes. Requests are
	// some 50 bytes long; longer ones are read past the buffer.
	readBuffer = 1024

	// keepFrame is the largest packet buffer a session keeps for the next
	// request, in bytes.
	keepFrame = 16 << 10

	// writeStep is how many bytes of a reply are written under one deadline:
	// Options.WriteStall is the time for so much, not for a whole batch, which
	// may take long on a slow line.
	writeStep = 256 << 10

	// defaultIdle is Canal's limit where the client names none.
	defaultIdle = time.Hour
)

// The reasons for which a server closes a connection.
var (
	errIdle      = errors.New("idle timeout")
	errHungUp    = errors.New("closed by the client before its get was served")
	errDraining  = errors.New("server is stopping")
	errAuthLimit = errors.New("too many failed authentications")
	errAuthTime  = errors.New("no authentication in time")
)

// session is one connection. Its methods run on the goroutine that called run,
// except for what watch.go says.
type session struct {
	server   *Server
	conn     net.Conn
	in       *bufio.Reader
	log      *slog.Logger
	channel  string // the connection as Netty prints it, which is part of Canal's error texts
	quickAck func()
	hungUp   func() bool // says whether the client has closed the connection

	seed         [protocol.SeedSize]byte
	authDeadline time.Time     // zero after authentication
	readIdle     time.Duration // the longest time between two requests
	writeIdle    time.Duration // the longest time between two replies
	lastRead     time.Time
	lastWrite    time.Time

	client atomic.Pointer[meta.Client] // who sent the last request; nil before one that names a client

	frame    []byte      // the request, reused
	out      []byte      // the reply or its head, reused
	segments net.Buffers // the whole reply, reused
	vector   net.Buffers // what of it is written in one go, reused
	pending  net.Buffers // the rest of vector while it is written
}

func newSession(s *Server, conn net.Conn) *session {
	remote, local := conn.RemoteAddr().String(), conn.LocalAddr().String()
	now := time.Now()
	return &session{
		server:       s,
		conn:         conn,
		in:           bufio.NewReaderSize(conn, readBuffer),
		log:          s.options.Logger.With("client", remote),
		channel:      fmt.Sprintf("[id: 0x%08x, /%s => /%s]", s.lastID.Add(1), remote, local),
		quickAck:     quickAcker(conn),
		hungUp:       hangupSensor(conn),
		authDeadline: now.Add(s.options.AuthTimeout),
		readIdle:     defaultIdle,
		writeIdle:    defaultIdle,
	}
}

// run serves the connection and returns why it ended. When soft ends the session
// does so after the request in hand; when hard ends, so does that request.
func (s *session) run(soft, hard context.Context) error {
	soft = delivery.WithPresence(soft, s.present)

	// Wakes a session that waits for a request. setReadDeadline looks at soft
	// after setting another deadline, so that this one is not lost.
	stop := context.AfterFunc(soft, func() { s.conn.SetReadDeadline(longAgo) })
	defer stop()

	if err := s.handshake(); err != nil {
		return err
	}
	if err := s.authenticate(soft, hard); err != nil {
		return err
	}
	for {
		packet, err := s.readPacket(soft, s.server.options.MaxFrame)
		if err != nil {
			return err
		}
		if err := s.request(soft, hard, &packet); err != nil {
			return err
		}
	}
}

// present is for delivery.WithPresence.
func (s *session) present() error {
	if s.hungUp() {
		return errHungUp
	}
	return nil
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// readPacket reads the next request. It is valid until the next call.
func (s *session) readPacket(soft context.Context, maxFrame int) (protocol.Packet, error) {
	if err := s.setReadDeadline(soft); err != nil {
		return protocol.Packet{}, err
	}
	if cap(s.frame) > keepFrame {
		s.frame = nil
	}
	packet, err := s.readFrame(maxFrame)
	if err != nil {
		return protocol.Packet{}, s.readError(soft, err)
	}
	s.lastRead = time.Now()
	return protocol.ParsePacket(packet)
}

func (s *session) readFrame(maxFrame int) ([]byte, error) {
	header, err := s.in.Peek(protocol.HeaderLength)
	if err != nil {
		if len(header) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	n, err := protocol.FrameLength(header, maxFrame)
	if err != nil {
		return nil, err
	}
	if s.in.Buffered() < protocol.HeaderLength+n {
		// Canal's Java client writes header and packet one after the other with
		// Nagle's algorithm on: the packet leaves when the header is acked.
		s.quickAck()
	}
	packet, err := protocol.ReadFrame(s.in, s.frame, maxFrame)
	if err == nil {
		s.frame = packet
	}
	return packet, err
}

// setReadDeadline makes reads end when the session has been idle for too long.
// It fails when the session is to end now.
func (s *session) setReadDeadline(soft context.Context) error {
	deadline := s.authDeadline
	if deadline.IsZero() {
		deadline = s.lastRead.Add(s.readIdle)
		if d := s.lastWrite.Add(s.writeIdle); d.Before(deadline) {
			deadline = d
		}
	}
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	if soft.Err() != nil {
		return errDraining
	}
	return nil
}

// readError says why a read ended.
func (s *session) readError(soft context.Context, err error) error {
	switch {
	case soft.Err() != nil:
		return errDraining
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case s.authDeadline.IsZero():
		return errIdle
	default:
		return errAuthTime
	}
}

// reply writes a message with its packet and frame.
func (s *session) reply(m protocol.Message) (int, error) {
	s.out = protocol.AppendReply(s.out[:0], m)
	s.segments = append(s.segments[:0], s.out)
	return len(s.out), s.write(s.segments, noLimit)
}

// noLimit is for a reply that may be written at any time.
func noLimit() time.Time { return time.Time{} }

// write writes bufs, which it consumes. until is asked before each step by when
// that must be done; the zero time is no limit.
func (s *session) write(bufs net.Buffers, until func() time.Time) error {
	stall := min(s.server.options.WriteStall, s.writeIdle)
	for len(bufs) > 0 {
		s.vector, bufs = cut(s.vector[:0], bufs, writeStep)
		s.pending = s.vector
		deadline, late := time.Now().Add(stall), "client does not read its replies"
		if u := until(); !u.IsZero() && u.Before(deadline) {
			deadline, late = u, "the batch may not be handed out any more, another server may run the destination"
		}
		if err := s.conn.SetWriteDeadline(deadline); err != nil {
			return err
		}
		if _, err := s.pending.WriteTo(s.conn); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("%s: %w", late, err)
			}
			return err
		}
	}
	s.lastWrite = time.Now()
	return nil
}

// cut moves about n bytes, at least one buffer or a part of one, from the front
// of bufs to dst and returns both.
func cut(dst, bufs net.Buffers, n int) (net.Buffers, net.Buffers) {
	for len(bufs) > 0 && n > 0 {
		first := bufs[0]
		if len(first) > n {
			bufs[0] = first[n:]
			return append(dst, first[:n]), bufs
		}
		n -= len(first)
		dst = append(dst, first)
		bufs = bufs[1:]
	}
	return dst, bufs
}

// closeLevel is the level at which the end of a connection is logged: clients
// that leave are of interest to developers, those that had to go to operators.
func closeLevel(reason error) slog.Level {
	for _, usual := range []error{io.EOF, syscall.ECONNRESET, syscall.EPIPE, errHungUp, errDraining} {
		if errors.Is(reason, usual) {
			return slog.LevelDebug
		}
	}
	return slog.LevelInfo
}
