package mysqltest

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// Fault is how a dump goes wrong. The zero value does not.
type Fault struct {
	Cut   int  // close the connection after so many bytes of the dump; 0 never
	Stall int  // fall silent after so many bytes, until the connection is closed; 0 never
	EOF   bool // end with an EOF packet when the log's end is reached
	Error *Err // end with this error packet instead of the first event
	Split int  // write in pieces of so many bytes; 0 as they come
}

// Err is an error packet.
type Err struct {
	Code    uint16
	State   string // five characters
	Message string
}

// Dump is a dump command that the server was given.
type Dump struct {
	ServerID uint32
	Flags    uint16
	File     string
	Offset   uint64
	GTIDSet  []byte // nil for a dump by file
}

// Server is a fake MySQL server. Its fields may be set until Address is first
// called, which is when it begins to serve; Log may grow at any time.
type Server struct {
	Version   string // "5.7.22-log"
	Log       *Log
	TLS       *tls.Config
	Heartbeat time.Duration // how often it speaks when it has nothing to say; 0 never

	// Query answers a statement before the server's own table does; nil, or a nil Answer, leaves it to that.
	Query func(sql string) *Answer

	// Login refuses a log-in when it returns an error.
	Login func(user string) *Err

	// Fault decides about the n-th dump, from 0.
	Fault func(n int, d Dump) Fault

	mu         sync.Mutex
	variables  map[string]string
	statements []string
	dumps      []Dump
	registered []uint32
	conns      map[net.Conn]bool
	threads    uint32

	listener net.Listener
	serving  sync.Once
	wg       sync.WaitGroup
}

// Answer is what a statement returns: rows, an error, or just OK.
type Answer struct {
	Columns []string
	Rows    [][]string
	Err     *Err
}

// Start returns a server for log on a free port; the test's end stops it.
func Start(t testing.TB, log *Log) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Version: "5.7.22-log", Log: log, listener: l, conns: map[net.Conn]bool{}, variables: map[string]string{
		"server_id": fmt.Sprint(ServerID), "server_uuid": SID.String(), "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL",
		"binlog_checksum": "CRC32", "gtid_mode": "ON", "lower_case_table_names": "0", "version_comment": "fake",
	}}
	t.Cleanup(s.Close)
	return s
}

// Address is host:port.
func (s *Server) Address() string {
	s.serving.Do(func() { s.wg.Go(s.accept) })
	return s.listener.Addr().String()
}

// Close stops listening, drops all connections and waits for them.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.Drop()
	s.wg.Wait()
}

// Drop cuts all connections.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Set changes a system variable.
func (s *Server) Set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.variables[name] = value
}

// Statements are the statements so far, in order of arrival.
func (s *Server) Statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.statements...)
}

// Dumps are the dump commands so far.
func (s *Server) Dumps() []Dump {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Dump(nil), s.dumps...)
}

// Registered are the ids of the replicas that registered so far.
func (s *Server) Registered() []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]uint32(nil), s.registered...)
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.threads++
		id := s.threads
		s.mu.Unlock()
		s.wg.Go(func() {
			_ = s.serve(&conn{Conn: c, id: id})
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// conn is one client.
type conn struct {
	net.Conn
	id  uint32
	seq byte
}

func (c *conn) read() ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(c, h[:]); err != nil {
		return nil, err
	}
	c.seq = h[3] + 1
	p := make([]byte, binary.LittleEndian.Uint32(h[:])&0xffffff)
	_, err := io.ReadFull(c, p)
	return p, err
}

func (c *conn) write(p []byte) error {
	_, err := c.Write(c.frame(p))
	return err
}

// frame puts the packet headers before and into p.
func (c *conn) frame(p []byte) []byte {
	var out []byte
	for {
		n := min(len(p), 1<<24-1)
		out = append(out, byte(n), byte(n>>8), byte(n>>16), c.seq)
		out = append(out, p[:n]...)
		c.seq++
		p = p[n:]
		if n < 1<<24-1 {
			return out
		}
	}
}

var okPacket = []byte{0, 0, 0, 2, 0, 0, 0}

func (e *Err) packet() []byte {
	p := binary.LittleEndian.AppendUint16([]byte{0xff}, e.Code)
	return append(append(append(p, '#'), e.State...), e.Message...)
}

// capabilities: LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, TRANSACTIONS,
// SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_WITH_DB; SSL when configured.
const (
	capabilities = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
	capSSL       = 0x800
)

func (s *Server) serve(c *conn) error {
	caps := uint32(capabilities)
	if s.TLS != nil {
		caps |= capSSL
	}
	g := append([]byte{10}, s.Version...)
	g = append(g, 0)
	g = binary.LittleEndian.AppendUint32(g, c.id)
	g = append(g, "abcdefgh\x00"...)
	g = binary.LittleEndian.AppendUint16(g, uint16(caps))
	g = append(g, 33, 2, 0)
	g = binary.LittleEndian.AppendUint16(g, uint16(caps>>16))
	g = append(g, 21)
	g = append(g, make([]byte, 10)...)
	g = append(g, "ijklmnopqrst\x00mysql_native_password\x00"...)
	if err := c.write(g); err != nil {
		return err
	}
	p, err := c.read()
	if err != nil {
		return err
	}
	if s.TLS != nil && len(p) == 32 {
		t := tls.Server(c.Conn, s.TLS)
		if err := t.Handshake(); err != nil {
			return err
		}
		c.Conn = t
		if p, err = c.read(); err != nil {
			return err
		}
	}
	if len(p) < 33 {
		return errors.New("short login")
	}
	user, _, _ := strings.Cut(string(p[32:]), "\x00")
	if s.Login != nil {
		if e := s.Login(user); e != nil {
			return c.write(e.packet())
		}
	}
	if err := c.write(okPacket); err != nil {
		return err
	}
	return s.commands(c)
}

func (s *Server) commands(c *conn) error {
	for {
		p, err := c.read()
		if err != nil || len(p) == 0 {
			return err
		}
		switch p[0] {
		case 0x03:
			err = s.query(c, string(p[1:]))
		case 0x15:
			s.mu.Lock()
			s.registered = append(s.registered, binary.LittleEndian.Uint32(p[1:]))
			s.mu.Unlock()
			err = c.write(okPacket)
		case 0x12, 0x1e:
			return s.dump(c, p)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// parseDump reads a dump command.
func parseDump(p []byte) Dump {
	if p[0] == 0x12 {
		return Dump{Offset: uint64(binary.LittleEndian.Uint32(p[1:])), Flags: binary.LittleEndian.Uint16(p[5:]),
			ServerID: binary.LittleEndian.Uint32(p[7:]), File: string(p[11:])}
	}
	d := Dump{Flags: binary.LittleEndian.Uint16(p[1:]), ServerID: binary.LittleEndian.Uint32(p[3:])}
	name := binary.LittleEndian.Uint32(p[7:])
	d.File = string(p[11 : 11+name])
	p = p[11+name:]
	d.Offset = binary.LittleEndian.Uint64(p)
	d.GTIDSet = append([]byte{}, p[12:]...)
	return d
}

func (s *Server) query(c *conn, sql string) error {
	s.mu.Lock()
	s.statements = append(s.statements, sql)
	s.mu.Unlock()
	var a *Answer
	if s.Query != nil {
		a = s.Query(sql)
	}
	if a == nil {
		a = s.answer(sql)
	}
	if a.Err != nil {
		return c.write(a.Err.packet())
	}
	if a.Columns == nil {
		return c.write(okPacket)
	}
	out := c.frame([]byte{byte(len(a.Columns))})
	for _, name := range a.Columns {
		d := text(nil, "def", "", "", "", name, name)
		d = append(d, 12, 33, 0, 255, 255, 0, 0, 253, 0, 0, 0, 0, 0)
		out = append(out, c.frame(d)...)
	}
	eof := []byte{0xfe, 0, 0, 2, 0}
	out = append(out, c.frame(eof)...)
	for _, row := range a.Rows {
		out = append(out, c.frame(text(nil, row...))...)
	}
	_, err := c.Write(append(out, c.frame(eof)...))
	return err
}

// text appends length-encoded strings.
func text(b []byte, values ...string) []byte {
	for _, v := range values {
		if len(v) < 251 {
			b = append(b, byte(len(v)))
		} else {
			b = append(b, 0xfc, byte(len(v)), byte(len(v)>>8))
		}
		b = append(b, v...)
	}
	return b
}

// answer is the server's own table of statements.
func (s *Server) answer(sql string) *Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	lower := strings.ToLower(sql)
	switch {
	case strings.HasPrefix(lower, "set "), strings.HasPrefix(lower, "kill "):
		return &Answer{}
	case strings.HasPrefix(lower, "show global variables where"):
		a := &Answer{Columns: []string{"Variable_name", "Value"}}
		for k, v := range s.variables {
			a.Rows = append(a.Rows, []string{k, v})
		}
		return a
	case lower == "show master status", lower == "show binary log status":
		end := s.Log.End()
		return &Answer{Columns: []string{"File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"},
			Rows: [][]string{{end.File, fmt.Sprint(end.Offset), "", "", s.Log.GTIDs()}}}
	case lower == "show binary logs":
		a := &Answer{Columns: []string{"Log_name", "File_size"}}
		s.Log.mu.Lock()
		for _, f := range s.Log.files {
			a.Rows = append(a.Rows, []string{f.name, fmt.Sprint(f.size)})
		}
		s.Log.mu.Unlock()
		return a
	case lower == "select unix_timestamp()":
		return &Answer{Columns: []string{"t"}, Rows: [][]string{{"1700000000"}}}
	case strings.HasPrefix(lower, "select @@global.binlog_checksum"):
		return &Answer{Columns: []string{"c"}, Rows: [][]string{{s.variables["binlog_checksum"]}}}
	case strings.HasPrefix(lower, "show slave hosts"), strings.HasPrefix(lower, "show replicas"):
		return &Answer{Columns: []string{"Server_id", "Host", "Port", "Master_id", "Slave_UUID"}}
	case strings.HasPrefix(lower, "select "):
		return &Answer{Columns: []string{"1"}, Rows: [][]string{{"1"}}}
	}
	return &Answer{Err: &Err{Code: 1064, State: "42000", Message: "not understood: " + sql}}
}

// dump sends the log from the place asked for, and then what is added to it.
func (s *Server) dump(c *conn, p []byte) error {
	d := parseDump(p)
	s.mu.Lock()
	n := len(s.dumps)
	s.dumps = append(s.dumps, d)
	s.mu.Unlock()
	out := &faulty{conn: c}
	if s.Fault != nil {
		out.Fault = s.Fault(n, d)
	}
	if out.Error != nil {
		return out.send(out.Error.packet())
	}
	// A client that leaves ends the waiting below.
	gone := make(chan struct{})
	s.wg.Go(func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, c.Conn)
	})
	name, offset := d.File, int64(max(d.Offset, headerStart))
	for {
		next, err := s.dumpFile(out, name, offset, gone)
		if err != nil || next == "" {
			return err
		}
		name, offset = next, headerStart
	}
}

// dumpFile sends one file and returns the name of the next.
func (s *Server) dumpFile(out *faulty, name string, offset int64, gone <-chan struct{}) (string, error) {
	s.Log.mu.Lock()
	f, _, _ := s.Log.find(name)
	s.Log.mu.Unlock()
	if f == nil {
		e := &Err{Code: 1236, State: "HY000", Message: "Could not find first log file name in binary log index file"}
		return "", out.send(e.packet())
	}
	if err := out.event(rotateTo(f.name, offset)); err != nil {
		return "", err
	}
	if offset > headerStart {
		// The description stands in front of any dump; here it has no place in the file.
		if err := out.event(event(0, binlog.EventFormatDescription, 0, binlog.FlagArtificial, formatDescription())); err != nil {
			return "", err
		}
	}
	for {
		s.Log.mu.Lock()
		_, next, grown := s.Log.find(f.name)
		events, end := f.from(offset), f.size
		s.Log.mu.Unlock()
		for _, ev := range events {
			if err := out.event(ev); err != nil {
				return "", err
			}
		}
		offset = end
		if next != "" {
			return next, nil
		}
		if out.EOF {
			return "", out.send([]byte{0xfe, 0, 0, 2, 0})
		}
		if err := s.idle(out, f.name, end, grown, gone); err != nil {
			return "", err
		}
	}
}

// idle waits for the log to grow, with heartbeats.
func (s *Server) idle(out *faulty, name string, end int64, grown, gone <-chan struct{}) error {
	var beat <-chan time.Time
	if s.Heartbeat > 0 {
		t := time.NewTicker(s.Heartbeat)
		defer t.Stop()
		beat = t.C
	}
	for {
		select {
		case <-grown:
			return nil
		case <-gone:
			return io.EOF
		case <-beat:
			if err := out.event(event(0, binlog.EventHeartbeat, uint32(end), 0, []byte(name))); err != nil {
				return err
			}
		}
	}
}

// rotateTo is the made-up event that tells a replica the file.
func rotateTo(name string, offset int64) []byte {
	return event(0, binlog.EventRotate, 0, binlog.FlagArtificial, append(binary.LittleEndian.AppendUint64(nil, uint64(offset)), name...))
}

// faulty writes a dump with its fault.
type faulty struct {
	*conn
	Fault
	written int
}

func (f *faulty) event(ev []byte) error { return f.send(append([]byte{0}, ev...)) }

func (f *faulty) send(p []byte) error {
	return f.bytes(f.frame(p))
}

func (f *faulty) bytes(b []byte) error {
	if stop := f.limit(); stop > 0 && f.written+len(b) >= stop {
		_, err := f.Write(b[:stop-f.written])
		if err == nil && f.Stall > 0 {
			_, err = io.Copy(io.Discard, f.Conn) // until the client goes
		}
		return errors.Join(err, errors.New("fault"))
	}
	f.written += len(b)
	for f.Split > 0 && len(b) > f.Split {
		if _, err := f.Write(b[:f.Split]); err != nil {
			return err
		}
		b = b[f.Split:]
	}
	_, err := f.Write(b)
	return err
}

func (f *faulty) limit() int { return max(f.Cut, f.Stall) }
