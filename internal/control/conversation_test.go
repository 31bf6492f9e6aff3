package control

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/protocol"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// conversation is one file of testdata/conversations.
type conversation struct {
	Frames []struct {
		From    string // "server", "client" or "admin"
		Hex     string
		Event   string
		Decoded json.RawMessage
	}
}

// decoded is what is said for people about a frame; bodies as far as used here.
type decoded struct {
	Type string
	Body struct {
		Seeds, Action, Destination, Type, File, Message string
		Count, Code                                     int
	}
}

func conversations(t *testing.T, pattern string) (names []string) {
	t.Helper()
	names, err := filepath.Glob("testdata/conversations/" + pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no conversations %s, %v", pattern, err)
	}
	return names
}

func readConversation(t *testing.T, name string) (c conversation) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func decode(t *testing.T, text json.RawMessage) (d decoded) {
	t.Helper()
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordedLogs are log files with as many lines as there were.
func recordedLogs(t *testing.T) string {
	dir := t.TempDir()
	lines := func(n int) string {
		return strings.Repeat("2026-11-23 10:00:00.000 [main] INFO  c.a.o.canal.deployer.CanalStarter - line\n", n)
	}
	put(t, dir, "canal/canal.log", lines(20))
	put(t, dir, "canal/rocketmq_client.log", "")
	put(t, dir, "itkaven/itkaven.log", lines(81))
	put(t, filepath.Dir(dir), "conf/canal.properties", "secret")
	return dir
}

// TestConversations plays what clients said to the Java server to ours. Every
// frame must be as recorded, except that who is refused is out, that stack traces
// are left out, and that of logs the number of lines is compared.
func TestConversations(t *testing.T) {
	b := &backend{} // one for all: the conversations are one story
	logs := recordedLogs(t)
	for _, name := range conversations(t, "[0-9]*.json") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if strings.Contains(name, "55-client") {
				b.set(true) // in Java the bypass before has stopped the server
			}
			r := &replay{t: t, c: readConversation(t, name), b: b}
			o := options(b)
			o.LogsDir = logs
			s := NewServer(o)
			s.fillSeed = func(seed []byte) { copy(seed, unhex(t, decode(t, r.c.Frames[0].Decoded).Body.Seeds)) }
			r.w = dialWire(t, serve(t, s))
			if strings.Contains(name, "00-client") {
				// Sent before the handshake is read; it is not in the recording.
				r.w.send(appendRequest(nil, authFor("wrong", make([]byte, protocol.SeedSize))))
			}
			r.run()
		})
	}
}

type replay struct {
	t *testing.T
	c conversation
	b *backend
	w *wire
}

func (r *replay) run() {
	before := len(r.b.asked())
	for i, f := range r.c.Frames {
		switch {
		case f.From != "server":
			r.w.send(unhex(r.t, f.Hex))
		case f.Event == "connection closed":
			r.refused(i, before)
			return
		default:
			got := r.w.frame()
			r.compare(i, got)
			if d := decode(r.t, f.Decoded); d.Body.Code == codeRefused && strings.HasPrefix(d.Body.Message, "auth failed") {
				r.refused(i+1, before)
				return
			}
		}
	}
}

// refused checks that the connection is at its end, and that nothing of what the
// client goes on to ask is done.
func (r *replay) refused(next, before int) {
	for _, f := range r.c.Frames[next:] {
		if f.From != "server" {
			_, _ = r.w.conn.Write(unhex(r.t, f.Hex)) // which may fail: it is closed
		}
	}
	r.w.closed()
	if calls := r.b.asked()[before:]; len(calls) > 0 {
		r.t.Errorf("a client without a password had this done: %q", calls)
	}
}

var logLines = regexp.MustCompile(`^<log: (\d+) lines, with a final newline>$`)

// compare compares a frame with frame i.
func (r *replay) compare(i int, got []byte) {
	r.t.Helper()
	want := r.c.Frames[i]
	d := decode(r.t, want.Decoded)
	if !strings.Contains(want.Hex, "<") && !strings.Contains(d.Body.Message, ",") {
		if hexOf(got) != want.Hex {
			r.t.Errorf("frame %d: got\n%x, want\n%s", i, got, want.Hex)
		}
		return
	}
	p, err := parsePacket(got[protocol.HeaderLength:])
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := parseAck(p.body)
	if err != nil {
		r.t.Fatal(err)
	}
	if int(a.code) != d.Body.Code {
		r.t.Errorf("frame %d: got code %d, want %d", i, a.code, d.Body.Code)
	}
	if m := logLines.FindStringSubmatch(d.Body.Message); m != nil {
		if n := strings.Count(a.message, "\n"); strconv.Itoa(n) != m[1] || !strings.HasSuffix(a.message, "\n") {
			r.t.Errorf("frame %d: got %d lines, want %s", i, n, d.Body.Message)
		}
		return
	}
	if d.Body.Code == codeException {
		r.compareException(i, a.message, d.Body.Message)
		return
	}
	// A list, in no particular order.
	gotNames, wantNames := strings.Split(a.message, ","), strings.Split(d.Body.Message, ",")
	slices.Sort(gotNames)
	slices.Sort(wantNames)
	if !slices.Equal(gotNames, wantNames) {
		r.t.Errorf("frame %d: got %q, want %q", i, gotNames, wantNames)
	}
}

// compareException compares the shape of Canal's text, and its last part where
// that is Canal's own; a stack trace is a failure.
func (r *replay) compareException(i int, got, want string) {
	r.t.Helper()
	shape := regexp.MustCompile(`^something goes wrong with channel: \[id: 0x[0-9a-f]{8}, /127\.0\.0\.1:\d+ => /127\.0\.0\.1:\d+\], exception: [^\n]+$`)
	if !shape.MatchString(got) {
		r.t.Errorf("frame %d: got %q", i, got)
	}
	for _, text := range []string{"Invalid destination path", "Parameter 'directory' is not a directory"} {
		if strings.Contains(want, text) != strings.HasSuffix(got, "exception: "+text) {
			r.t.Errorf("frame %d: got %q, want %q", i, got, want)
		}
	}
}

// TestClientConversations has a Client say what Canal Admin said, and compares it
// byte for byte. The server says what Java's did, the same seeds above all.
func TestClientConversations(t *testing.T) {
	for _, name := range conversations(t, "admin-*.json") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c := readConversation(t, name)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			done := make(chan error, 1)
			go func() { done <- script(ln, c) }()

			request, answer := decode(t, c.Frames[3].Decoded), decode(t, c.Frames[4].Decoded)
			got, err := ask(t, client(t, ln.Addr().String()), request)
			if err != nil {
				t.Errorf("client: %v", err)
			}
			if m := logLines.FindStringSubmatch(answer.Body.Message); m == nil && got != answer.Body.Message {
				t.Errorf("got %q, want %q", got, answer.Body.Message)
			} else if m != nil && len(got) == 0 {
				t.Error("got no lines of a log")
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func ask(t *testing.T, c *Client, d decoded) (string, error) {
	switch d.Type {
	case "SERVER":
		return c.Server(t.Context(), d.Body.Action)
	case "INSTANCE":
		return c.Instance(t.Context(), d.Body.Destination, d.Body.Action)
	default:
		return c.Log(t.Context(), d.Body.Type, d.Body.Action, d.Body.Destination, d.Body.File, d.Body.Count)
	}
}

var messageBytes = regexp.MustCompile(`<(\d+) bytes of message>$`)

// script plays the server's part of a conversation on one connection.
func script(ln net.Listener, c conversation) error {
	conn, err := ln.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	for i, f := range c.Frames {
		if f.From == "server" {
			text := f.Hex
			if m := messageBytes.FindStringSubmatch(text); m != nil {
				n, _ := strconv.Atoi(m[1])
				text = strings.TrimSuffix(text, m[0]) + strings.Repeat("0a", n)
			}
			b, err := hex.DecodeString(text)
			if err != nil {
				return err
			}
			if _, err := conn.Write(b); err != nil {
				return err
			}
			continue
		}
		body, err := protocol.ReadFrame(conn, nil, maxRequest)
		if err != nil {
			return err
		}
		want, err := hex.DecodeString(f.Hex)
		if err != nil {
			return err
		}
		if got := protocol.AppendFrame(nil, body); !bytes.Equal(got, want) {
			return fmt.Errorf("frame %d: the client says\n%x, want\n%x", i, got, want)
		}
	}
	return nil
}
