package zk

import (
	"bytes"
	"net"
	"slices"
	"testing"
	"time"
)

// replay is a connection on which what a server sends is given.
type replay struct {
	net.Conn
	*bytes.Reader
}

func (r replay) Read(b []byte) (int, error) { return r.Reader.Read(b) }
func (r replay) Close() error               { return nil }

// asked is a session that awaits answers of all kinds, and has watches.
func asked() (*Session, []*request) {
	c := &Client{config: Config{Chroot: "/app"}, stats: Stats{Requests: map[string]uint64{}}}
	s := newSession(c, connectResponse{id: 7, timeout: time.Minute})
	ops := []Op{CreateOp("/a", nil, Persistent), SetOp("/a", nil, 0), DeleteOp("/a", 0), CheckOp("/a", 0)}
	var requests []*request
	for _, decode := range []func(d *decoder) error{
		nil,
		func(d *decoder) error { d.text(); return nil },
		func(d *decoder) error { d.stat(); return nil },
		func(d *decoder) error { d.bytes(); d.stat(); return nil },
		func(d *decoder) error { d.texts(); d.stat(); return nil },
		func(d *decoder) error { _, err := d.multi(ops, &c.config); return err },
	} {
		for _, kind := range []int32{kindSet, kindExists} {
			r := &request{kind: kind, path: "/w", writes: kind == kindSet, decode: decode, watch: make(chan Event, 1), done: make(chan struct{})}
			s.send(func() *request { r.frame = newFrame(kind); return r }(), time.Now())
			requests = append(requests, r)
		}
	}
	return s, requests
}

// FuzzReplies feeds a session whatever a server may send. Every request must end
// exactly once.
func FuzzReplies(f *testing.F) {
	var all []byte
	for i, body := range [][]byte{
		nil, nil,
		appendText(nil, "/app/a"), appendText(nil, "/app/a"),
		appendStat(nil, someStat), appendStat(nil, someStat),
		someData("x"), someData(""),
		appendStat(appendTexts(nil, []string{"a", "b"}), someStat), appendStat(appendTexts(nil, nil), someStat),
		multiBody(), multiFailure(),
	} {
		answer := framed(replyBody(int32(i+1), int64(i), 0, body))
		all = append(all, answer...)
		f.Add(slices.Clone(all))
		f.Add(append(all[:len(all)-len(answer):len(all)-len(answer)], framed(replyBody(int32(i+1), 1, codeNoNode, nil))...))
	}
	for e := range fires {
		f.Add(append(all[:len(all):len(all)], framed(replyBody(xidEvent, -1, 0, eventBody(e, "/app/w")))...))
	}
	f.Add(framed(replyBody(xidPing, 1, 0, nil)))
	f.Add(framed(replyBody(xidSetWatches, 1, 0, nil)))
	f.Add(framed(replyBody(1, 1, codeSessionExpired, nil)))
	f.Add(framed(replyBody(1, 1, codeSessionMoved, nil)))
	f.Add([]byte{0x04, 0, 0, 0, 1})

	f.Fuzz(func(t *testing.T, b []byte) {
		s, requests := asked()
		l := newLink(replay{Reader: bytes.NewReader(b)}, "a:1")
		cause := s.read(l)
		if cause == nil {
			t.Fatal("the reader ended for no reason")
		}
		s.detach(cause)
		s.end(ErrClosed)
		for _, r := range requests {
			<-r.done
		}
	})
}

// multiBody is the response to the multi of asked.
func multiBody() []byte {
	b := appendText(appendMultiHeader(nil, kindCreate, false), "/app/a")
	b = appendStat(appendMultiHeader(b, kindSet, false), someStat)
	b = appendMultiHeader(appendMultiHeader(b, kindDelete, false), kindCheck, false)
	return appendMultiHeader(b, -1, true)
}

// multiFailure is the response to it if its second operation fails.
func multiFailure() []byte {
	var b []byte
	for _, code := range []int32{codeOK, codeBadVersion, codeRuntimeInconsistency, codeRuntimeInconsistency} {
		b = appendInt(appendMultiHeader(b, kindMultiFailed, false), code)
	}
	return appendMultiHeader(b, -1, true)
}

func FuzzConnectResponse(f *testing.F) {
	body := connectBody(7, time.Second)
	f.Add(body)
	f.Add(body[:len(body)-1])
	f.Add(connectBody(0, 0))
	f.Add(body[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseConnectResponse(b)
		if err == nil && len(r.password) > len(b) {
			t.Errorf("password of %d bytes out of %d", len(r.password), len(b))
		}
	})
}

func FuzzMultiResponse(f *testing.F) {
	f.Add(multiBody())
	f.Add(multiFailure())
	f.Add(appendMultiHeader(nil, -1, true))
	f.Add(appendStat(appendText(appendMultiHeader(nil, kindCreate2, false), "/app/a"), someStat))
	ops := []Op{CreateOp("/a", nil, Persistent), SetOp("/a", nil, 0), DeleteOp("/a", 0), CheckOp("/a", 0)}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{b: b}
		results, err := d.multi(ops, &Config{Chroot: "/app"})
		if d.err != nil && (results != nil || err != nil) || d.err == nil && (len(results) == len(ops)) == (err != nil) {
			t.Errorf("results %v, error %v, response %v", results, err, d.err)
		}
	})
}

func FuzzParseServers(f *testing.F) {
	for _, s := range []string{"h1:2181,h2:2181/chroot;h3:2181", "[::1]:1/a/b", "::1", "h", "a,,b;;", "/x", "a:0", "[a", "[a]b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, chroot, err := ParseServers(s)
		if err != nil {
			return
		}
		for _, server := range list {
			if _, _, err := net.SplitHostPort(server); err != nil {
				t.Errorf("%q: %v", server, err)
			}
			again, _, err := ParseServers(server)
			if err != nil || !slices.Equal(again, []string{server}) {
				t.Errorf("%q is read again as %q, %v", server, again, err)
			}
		}
		if c, err := (Config{Servers: list, Chroot: chroot}).checked(); err != nil || c.Chroot != chroot {
			t.Errorf("chroot %q: %v", chroot, err)
		}
	})
}
