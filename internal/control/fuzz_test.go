package control

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/protocol"
)

// heard is a connection on which everything has been said that will be.
type heard struct {
	io.Reader
	said bytes.Buffer
}

func (s *heard) Write(b []byte) (int, error)      { return s.said.Write(b) }
func (s *heard) Close() error                     { return nil }
func (s *heard) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *heard) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *heard) SetDeadline(time.Time) error      { return nil }
func (s *heard) SetReadDeadline(time.Time) error  { return nil }
func (s *heard) SetWriteDeadline(time.Time) error { return nil }

// FuzzServer sends anything to a server, first of all instead of a password and
// then, with the right one, instead of requests.
func FuzzServer(f *testing.F) {
	for _, m := range []message{
		&serverAdmin{action: "check"}, &serverAdmin{action: "stop"}, &instanceAdmin{destination: "itkaven", action: "check"},
		&logAdmin{kind: "instance", action: "file", destination: some("d"), file: some("d.log"), count: some[int32](5)},
		&logAdmin{kind: "instance", action: "list", destination: some("../.."), count: some[int32](-5)},
		&raw{typ: typeRequest, body: []byte(`{"method":"logs.read","params":{"destination":"d","search":"x","backwards":true,"offset":-1}}`)},
		&raw{typ: typeStartTLS}, &raw{typ: 1 << 30},
	} {
		f.Add(appendRequest(nil, m))
	}
	dir := f.TempDir()
	put(f, dir, "d/d.log", story)
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &backend{}
		o := options(b)
		o.LogsDir = dir
		s := NewServer(o)
		s.fillSeed = func(seed []byte) { clear(seed) }
		talk := func(data []byte) []byte {
			conn := &heard{Reader: bytes.NewReader(data)}
			newSession(s, conn).serve(t.Context(), t.Context())
			return conn.said.Bytes()
		}
		talk(data)
		if calls := b.asked(); len(calls) > 0 {
			t.Fatalf("done without a password: %q", calls)
		}
		s.throttle = throttle{}
		answers := talk(append(appendRequest(nil, authFor("admin", make([]byte, protocol.SeedSize))), data...))
		checkAnswers(t, answers)
	})
}

// checkAnswers checks that a server says nothing but a handshake and then acks,
// without paths and stack traces.
func checkAnswers(t *testing.T, said []byte) {
	t.Helper()
	in := bytes.NewReader(said)
	for first := true; in.Len() > 0; first = false {
		frame, err := protocol.ReadFrame(in, nil, maxAnswer)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parsePacket(frame)
		if err != nil || p.version.value != version || first != (p.typ == typeHandshake) || !first && p.typ != typeAck {
			t.Fatalf("got %+v, %v", p, err)
		}
		if a, err := parseAck(p.body); !first && (err != nil || a.code == codeException && strings.Contains(a.message, "\n\tat ")) {
			t.Fatalf("got %+v, %v", a, err)
		}
	}
}

// FuzzClient has a server answer anything.
func FuzzClient(f *testing.F) {
	hello := appendReply(nil, &handshake{seeds: []byte("12345678")})
	f.Add(appendReply(appendReply(hello, &ack{}), &ack{message: `{"result":[]}`}))
	f.Add(appendReply(hello, &ack{code: 300, message: "no"}))
	f.Add(appendReply(appendReply(nil, &handshake{tls: true}), &ack{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := &heard{Reader: bytes.NewReader(data)}
		o := &ClientOptions{Address: "127.0.0.1:1", User: user, Password: "admin", TLS: TLSNever}
		c := clientOf(conn)
		if err := c.login(t.Context(), o); err != nil {
			return
		}
		reply, err := c.exchange(&raw{typ: typeRequest}, maxAnswer)
		if err != nil {
			return
		}
		if !utf8.ValidString(reply.message) {
			t.Errorf("a message that is not UTF-8: %q", reply.message)
		}
		var result json.RawMessage
		_ = decodeResponse(reply.message, &result)
	})
}

// FuzzReadLog reads pages of anything: they get on, and lose nothing but what is
// too long.
func FuzzReadLog(f *testing.F) {
	f.Add([]byte(story), 2, true, "")
	f.Add([]byte("\n\n2026-11-23 10:00:00.000 [a] INFO\r\n\tx\xff\n"), 1, false, "x")
	f.Fuzz(func(t *testing.T, data []byte, lines int, backwards bool, search string) {
		s, err := newSelection(LogReadParams{Lines: lines, Search: search})
		if err != nil {
			t.Skip()
		}
		end, err := wholeEnd(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		file := text{ReaderAt: bytes.NewReader(data), size: int64(len(data)), end: end, window: 16}
		p := LogReadParams{Backwards: backwards}
		if backwards {
			p.Offset = -1
		}
		seen := 0
		for {
			page, err := s.page(file, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Lines {
				seen += len(l.Text)
				if !utf8.ValidString(l.Text) || l.Offset < page.First || l.Offset >= page.Next {
					t.Fatalf("%+v in %d..%d", l, page.First, page.Next)
				}
			}
			if page.First > page.Next || page.More && page.First == page.Next {
				t.Fatalf("no progress at %d..%d", page.First, page.Next)
			}
			if !page.More {
				break
			}
			if p.Offset = page.Next; backwards {
				p.Offset = page.First
			}
		}
		if whole := strings.TrimRight(string(data[:end]), "\r\n"); search == "" && whole != "" && seen == 0 {
			t.Errorf("nothing seen of %q", whole)
		}
	})
}

// FuzzTail reads the end of anything.
func FuzzTail(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\n\nd"), 3)
	f.Fuzz(func(t *testing.T, data []byte, lines int) {
		got := lastLines(data, lines)
		all := lastLines(data, -1)
		if !strings.HasSuffix(all, got) || lines > 0 && strings.Count(got, "\n") >= lines {
			t.Errorf("last %d lines of %q: %q", lines, all, got)
		}
	})
}
