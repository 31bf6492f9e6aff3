package control

import (
	"bufio"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

const (
	// maxAuthFrame bounds what is read of who has not logged in, in bytes.
	maxAuthFrame = 4 << 10

	// maxRequest bounds a request, in bytes; the longest have the text of a
	// configuration in them.
	maxRequest = 4 << 20

	// keepFrame is the largest buffer a session keeps for the next request, in
	// bytes.
	keepFrame = 16 << 10

	// defaultIdle is Canal's limit where the client names none.
	defaultIdle = time.Hour

	// writeTimeout is for a client to take an answer.
	writeTimeout = time.Minute

	// callTimeout bounds the work on a Request.
	callTimeout = 2 * time.Minute
)

// The reasons for which a session ends, beside those of its connection.
var (
	errRefused   = errors.New("authentication failed")
	errThrottled = errors.New("too many failed authentications")
	errNoToken   = errors.New("password is not a scramble token in hex")
	errStopping  = errors.New("server is stopping")
)

// session is one connection. Its methods run on one goroutine.
type session struct {
	server   *Server
	tcp      net.Conn // closed from elsewhere too
	conn     net.Conn // tcp, or TLS over it
	in       *bufio.Reader
	log      *slog.Logger
	address  string // without port, for limits
	channel  string // the connection as Netty prints it, which is part of Canal's error texts
	stranger bool   // counted in Server.strangers, whose mutex guards it

	seed      [protocol.SeedSize]byte
	readIdle  time.Duration // 0 before the log-in
	writeIdle time.Duration
	lastRead  time.Time
	lastWrite time.Time
	frame     []byte // the request, reused
	out       []byte // the answer, reused
}

func newSession(s *Server, conn net.Conn) *session {
	remote, local := conn.RemoteAddr().String(), conn.LocalAddr().String()
	return &session{
		server:  s,
		tcp:     conn,
		conn:    conn,
		in:      bufio.NewReader(conn),
		log:     s.o.Logger.With("client", remote),
		address: throttleKey(remote),
		channel: fmt.Sprintf("[id: 0x%08x, /%s => /%s]", s.lastID.Add(1), remote, local),
	}
}

// serve runs the session to its end. When soft ends it does so after the request
// in hand; when hard ends, so does that request.
func (s *session) serve(soft, hard context.Context) {
	defer s.tcp.Close()
	// Wakes a session that waits for a request. setReadDeadline looks at soft
	// after setting another deadline, so that this one is not lost.
	stop := context.AfterFunc(soft, func() { s.tcp.SetReadDeadline(longAgo) })
	defer stop()
	err := s.login(soft)
	for err == nil {
		err = s.next(soft, hard)
	}
	level := slog.LevelDebug
	if errors.Is(err, errRefused) || errors.Is(err, errNoToken) {
		level = slog.LevelWarn
	}
	s.log.Log(hard, level, "connection of an admin closed", "reason", err)
}

// login greets the client, encrypts the connection if the client asks for that,
// and checks its password. Who fails is out: the connection ends with the answer.
func (s *session) login(soft context.Context) error {
	if err := s.tcp.SetDeadline(time.Now().Add(authTimeout)); err != nil {
		return err
	}
	config := s.server.o.TLS
	p, err := s.greet(soft, config != nil)
	if err == nil && config != nil && p.typ == typeStartTLS {
		if err = s.startTLS(soft, config); err == nil {
			p, err = s.greet(soft, false)
		}
	}
	if err != nil {
		return err
	}
	if _, secure := s.conn.(*tls.Conn); !secure && s.server.o.RequireTLS {
		return s.refuse(errRefused, "TLS is required")
	}
	return s.authenticate(p.body)
}

// greet sends a handshake with a new seed and reads the packet that answers it.
func (s *session) greet(soft context.Context, tls bool) (packet, error) {
	s.server.fillSeed(s.seed[:])
	if err := s.reply(&handshake{seeds: s.seed[:], tls: tls}); err != nil {
		return packet{}, err
	}
	if soft.Err() != nil {
		return packet{}, errStopping
	}
	return s.read(maxAuthFrame)
}

func (s *session) startTLS(ctx context.Context, config *tls.Config) error {
	if s.in.Buffered() > 0 {
		return errEarly
	}
	if err := s.reply(&ack{}); err != nil {
		return err
	}
	secured := tls.Server(s.tcp, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("start TLS: %w", err)
	}
	s.conn = secured
	s.in.Reset(secured)
	return nil
}

// authenticate takes body for a ClientAuth, as Canal does with the first packet
// whatever its type says.
func (s *session) authenticate(body []byte) error {
	auth, err := parseClientAuth(body)
	if err != nil {
		return fmt.Errorf("read authentication: %w", err)
	}
	now := time.Now()
	if !s.server.throttle.try(s.address, now) {
		return s.refuse(errThrottled, "auth failed for user:"+auth.username+", too many failed log-ins, try again later")
	}
	ok, err := s.server.accepts(&auth, s.seed[:])
	switch {
	case err != nil:
		return fmt.Errorf("authenticate user %q: %w", auth.username, err)
	case !ok:
		return s.refuse(errRefused, "auth failed for user:"+auth.username)
	}
	s.server.throttle.succeed(s.address)
	s.server.known(s)
	s.readIdle, s.writeIdle = idleLimit(auth.netReadTimeout), idleLimit(auth.netWriteTimeout)
	s.lastRead = now
	return s.reply(&ack{})
}

// refuse ends the session with an answer.
func (s *session) refuse(reason error, message string) error {
	if err := s.reply(&ack{code: codeRefused, message: message}); err != nil {
		return err
	}
	s.linger()
	return fmt.Errorf("%w: %s", reason, message)
}

// linger lets a last answer arrive: a connection that is closed while there is
// something to read may lose what was written. What is read is not looked at.
func (s *session) linger() {
	const patience, most = 500 * time.Millisecond, 64 << 10
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil && s.tcp.SetDeadline(time.Now().Add(patience)) == nil {
		_, _ = io.CopyN(io.Discard, s.tcp, most) // its end is that of the connection
	}
}

func idleLimit(ms opt[int32]) time.Duration {
	if ms.value <= 0 {
		return defaultIdle
	}
	return time.Duration(ms.value) * time.Millisecond
}

// accepts decides about credentials. The error says that the token is none at
// all, for which Canal closes the connection without an answer.
func (s *Server) accepts(auth *clientAuth, seed []byte) (bool, error) {
	user := s.o.User == "" || subtle.ConstantTimeCompare([]byte(s.o.User), []byte(auth.username)) == 1
	switch {
	case s.open || !user:
		return user, nil
	case len(auth.password) == 0 || s.hash == nil:
		return false, nil
	}
	token, err := protocol.DecodeHex(auth.password)
	if err != nil || len(token) < protocol.ScrambleSize {
		return false, errNoToken
	}
	return protocol.CheckScramble(token, s.hash, seed), nil
}

// next reads one request and answers it.
func (s *session) next(soft, hard context.Context) error {
	if err := s.setReadDeadline(soft); err != nil {
		return err
	}
	if cap(s.frame) > keepFrame {
		s.frame = nil
	}
	p, err := s.read(maxRequest)
	if err != nil {
		if soft.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			return errStopping
		}
		return err
	}
	s.lastRead = time.Now()
	answer := s.answer(hard, &p)
	if err := s.conn.SetWriteDeadline(time.Now().Add(min(writeTimeout, s.writeIdle))); err != nil {
		return err
	}
	return s.reply(&answer)
}

// setReadDeadline makes reads end when the session has been idle for too long. It
// fails when the session is to end now.
func (s *session) setReadDeadline(soft context.Context) error {
	deadline := s.lastRead.Add(s.readIdle)
	if d := s.lastWrite.Add(s.writeIdle); d.Before(deadline) {
		deadline = d
	}
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	if soft.Err() != nil {
		return errStopping
	}
	return nil
}

// read reads one packet, which is valid until the next read.
func (s *session) read(max int) (packet, error) {
	frame, err := protocol.ReadFrame(s.in, s.frame, max)
	if err != nil {
		return packet{}, err
	}
	s.frame = frame
	return parsePacket(frame)
}

func (s *session) reply(m message) error {
	s.out = appendReply(s.out[:0], m)
	_, err := s.conn.Write(s.out)
	s.lastWrite = time.Now()
	if cap(s.out) > keepFrame {
		s.out = nil
	}
	return err
}

// answer does what a packet asks for.
func (s *session) answer(ctx context.Context, p *packet) ack {
	var (
		reply ack
		err   error
	)
	switch p.typ {
	case typeServer:
		reply, err = s.server.serverAction(p.body)
	case typeInstance:
		reply, err = s.server.instanceAction(p.body)
	case typeLog:
		reply, err = s.server.logAction(ctx, p.body)
	case typeRequest:
		reply, err = s.server.request(ctx, p.body)
	default:
		return ack{code: codeRefused, message: fmt.Sprintf("packet type: %s is NOT supported!", p.typ)}
	}
	if err != nil {
		return ack{code: codeException, message: fmt.Sprintf("something goes wrong with channel: %s, exception: %v", s.channel, err)}
	}
	return reply
}

func done(ok bool) ack {
	if ok {
		return ack{message: "1"}
	}
	return ack{message: "0"}
}

func (s *Server) serverAction(body []byte) (ack, error) {
	m, err := parseServerAdmin(body)
	if err != nil {
		return ack{}, err
	}
	switch m.action {
	case "check":
		return done(s.o.Backend.Check()), nil
	case "start":
		return done(s.o.Backend.Start()), nil
	case "stop":
		return done(s.o.Backend.Stop()), nil
	case "restart":
		return done(s.o.Backend.Restart()), nil
	case "list":
		return ack{message: strings.Join(s.o.Backend.List(), ",")}, nil
	default: // with Canal's two blanks
		return ack{code: codeUnknown, message: fmt.Sprintf("ServerAdmin action: %s  is unknown", m.action)}, nil
	}
}

func (s *Server) instanceAction(body []byte) (ack, error) {
	m, err := parseInstanceAdmin(body)
	if err != nil {
		return ack{}, err
	}
	switch m.action {
	case "check":
		return done(s.o.Backend.CheckInstance(m.destination)), nil
	case "start":
		return done(s.o.Backend.StartInstance(m.destination)), nil
	case "stop":
		return done(s.o.Backend.StopInstance(m.destination)), nil
	case "release":
		return done(s.o.Backend.ReleaseInstance(m.destination)), nil
	case "restart":
		return done(s.o.Backend.RestartInstance(m.destination)), nil
	default:
		return ack{code: codeUnknown, message: fmt.Sprintf("InstanceAdmin action: %s is unknown", m.action)}, nil
	}
}

// logAction reads logs as Canal does: every action but list is that for lines,
// and the server's own file cannot be chosen.
func (s *Server) logAction(ctx context.Context, body []byte) (ack, error) {
	m, err := parseLogAdmin(body)
	if err != nil {
		return ack{}, err
	}
	destination, file := m.destination.value, m.file.value
	switch m.kind {
	case "server":
		destination, file = serverLogs, ""
	case "instance":
	default:
		return ack{code: codeUnknown, message: fmt.Sprintf("LogAdmin type: %s is unknown", m.kind)}, nil
	}
	if strings.EqualFold(m.action, "list") {
		names, err := s.logs.Names(destination)
		return ack{message: strings.Join(names, ",")}, err
	}
	text, err := s.logs.Tail(ctx, destination, file, int(m.count.value))
	return ack{message: text}, err
}

// request answers a Request. What is wrong with it stands in the Response.
func (s *Server) request(ctx context.Context, body []byte) (ack, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var response Response
	result, err := s.call(ctx, body)
	if err == nil {
		response.Result, err = json.Marshal(result)
	}
	if err == nil && len(response.Result) > maxAnswer-maxGreeting {
		err = &Error{Code: CodeFailed, Message: "the answer is too long"}
	}
	if err != nil {
		response = Response{Error: asError(err)}
	}
	text, err := json.Marshal(response)
	return ack{message: string(text)}, err
}

func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: CodeFailed, Message: err.Error()}
}

func (s *Server) call(ctx context.Context, body []byte) (any, error) {
	var r Request
	if err := decodeParams(body, &r); err != nil {
		return nil, err
	}
	switch r.Method {
	case MethodLogFiles:
		var p LogFilesParams
		if err := decodeParams(r.Params, &p); err != nil {
			return nil, err
		}
		return s.logs.Files(p)
	case MethodLogRead:
		var p LogReadParams
		if err := decodeParams(r.Params, &p); err != nil {
			return nil, err
		}
		return s.logs.Read(ctx, p)
	default:
		return s.o.Backend.Call(ctx, r.Method, r.Params)
	}
}

// decodeParams reads JSON; nothing at all is as good as an empty object.
func decodeParams(text json.RawMessage, into any) error {
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &Error{Code: CodeBadParams, Message: "parameters cannot be read: " + err.Error()}
	}
	return nil
}
