package zk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Kinds of requests, from ZooKeeper's ZooDefs.OpCode.
const (
	kindCreate      = 1
	kindDelete      = 2
	kindExists      = 3
	kindGet         = 4
	kindSet         = 5
	kindSync        = 9
	kindPing        = 11
	kindChildren    = 12 // getChildren2, which gives the Stat too
	kindCheck       = 13
	kindMulti       = 14
	kindCreate2     = 15
	kindAuth        = 100
	kindSetWatches  = 101
	kindClose       = -11
	kindMultiFailed = -1 // of an operation's result in a multi
)

// Numbers of what is not a reply to a numbered request, from ClientCnxn.
const (
	xidEvent      = -1
	xidPing       = -2
	xidAuth       = -4
	xidSetWatches = -8
)

// maxReply bounds one frame of a server in bytes; a longer one ends the connection.
// Servers send at most what they have: data of 1 MiB by default, but lists of
// children as long as there are children.
const maxReply = 64 << 20

// frameHead is what precedes the body in the frame of a request: length, number
// and kind, of 4 bytes each.
const frameHead = 12

// newFrame begins a request; sealFrame ends it.
func newFrame(kind int32) []byte {
	b := make([]byte, frameHead, 128)
	binary.BigEndian.PutUint32(b[8:], uint32(kind))
	return b
}

// sealFrame fills in the length and the number.
func sealFrame(b []byte, xid int32) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	binary.BigEndian.PutUint32(b[4:], uint32(xid))
	return b
}

func appendInt(b []byte, n int32) []byte   { return binary.BigEndian.AppendUint32(b, uint32(n)) }
func appendLong(b []byte, n int64) []byte  { return binary.BigEndian.AppendUint64(b, uint64(n)) }
func appendText(b []byte, s string) []byte { return append(appendInt(b, int32(len(s))), s...) }

func appendBool(b []byte, is bool) []byte {
	if is {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendBytes writes a buffer; nil is null, which is not the same as empty.
func appendBytes(b, data []byte) []byte {
	if data == nil {
		return appendInt(b, -1)
	}
	return append(appendInt(b, int32(len(data))), data...)
}

func appendTexts(b []byte, list []string) []byte {
	b = appendInt(b, int32(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// decoder reads jute values. The first value that is not there makes err not nil,
// and all values from then on zero.
type decoder struct {
	b   []byte
	err error
}

var errShort = errors.New("record ends early")

func (d *decoder) take(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.b)) {
		d.err = errShort
	}
	if d.err != nil {
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) int() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) long() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) bool() bool {
	b := d.take(1)
	return b != nil && b[0] != 0
}

// bytes reads a buffer into memory of its own; nil is null.
func (d *decoder) bytes() []byte {
	n := d.int()
	if n == -1 || d.err != nil {
		return nil
	}
	b := d.take(int(n))
	if d.err != nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

func (d *decoder) text() string {
	n := d.int()
	if n == -1 {
		return ""
	}
	return string(d.take(int(n)))
}

func (d *decoder) texts() []string {
	n := d.int()
	if n > 0 && int(n) > len(d.b)/4 { // each has a length of 4 bytes
		d.err = errShort
	}
	if n <= 0 || d.err != nil {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.text())
	}
	if d.err != nil {
		return nil
	}
	return list
}

// Stat is what ZooKeeper knows of a node besides its data.
type Stat struct {
	Czxid, Mzxid                int64 // transactions that created it and last changed its data
	Ctime, Mtime                int64 // when they did, milliseconds since 1970
	Version, Cversion, Aversion int32 // changes of data, children and ACL
	EphemeralOwner              int64 // session id, 0 for a persistent node
	DataLength, NumChildren     int32
	Pzxid                       int64 // transaction that last added or removed a child
}

func (d *decoder) stat() (s Stat) {
	s.Czxid, s.Mzxid, s.Ctime, s.Mtime = d.long(), d.long(), d.long(), d.long()
	s.Version, s.Cversion, s.Aversion = d.int(), d.int(), d.int()
	s.EphemeralOwner = d.long()
	s.DataLength, s.NumChildren = d.int(), d.int()
	s.Pzxid = d.long()
	return s
}

// replyHeader precedes everything a server sends but the connectResponse.
type replyHeader struct {
	xid  int32
	zxid int64 // the last transaction the server knows, not positive where it does not tell
	code int32
}

func (d *decoder) replyHeader() replyHeader {
	return replyHeader{d.int(), d.long(), d.int()}
}

// connectRequest opens a session, or comes back to it.
type connectRequest struct {
	lastZxid int64
	timeout  time.Duration
	id       int64
	password []byte
}

func (r connectRequest) frame() []byte {
	b := make([]byte, 4, 64)
	b = appendInt(b, 0) // protocol version
	b = appendLong(b, r.lastZxid)
	b = appendInt(b, milliseconds(r.timeout))
	b = appendLong(b, r.id)
	password := r.password
	if password == nil {
		password = make([]byte, 16) // as Java clients send it for a new session
	}
	b = appendBytes(b, password)
	b = appendBool(b, false) // a server without a quorum will not do
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// milliseconds is d as the protocol has it, at least 1.
func milliseconds(d time.Duration) int32 {
	return int32(min(max(d.Milliseconds(), 1), 1<<31-1))
}

// connectResponse grants a session, or says that there is none.
type connectResponse struct {
	timeout  time.Duration
	id       int64
	password []byte
}

// expired says that the session asked for is gone.
func (r connectResponse) expired() bool { return r.id == 0 || r.timeout <= 0 }

func parseConnectResponse(b []byte) (r connectResponse, err error) {
	d := decoder{b: b}
	d.int() // protocol version
	r.timeout = time.Duration(d.int()) * time.Millisecond
	r.id = d.long()
	r.password = d.bytes()
	// Whether the server is read-only follows from ZooKeeper 3.4 on. It is not
	// unless one asks for it.
	if d.err != nil {
		return connectResponse{}, fmt.Errorf("connect response: %w", d.err)
	}
	return r, nil
}

// EventType is what happened to a watched node.
type EventType int32

// The events, with the numbers of ZooKeeper's Watcher.Event.EventType.
const (
	EventCreated         EventType = 1
	EventDeleted         EventType = 2
	EventDataChanged     EventType = 3
	EventChildrenChanged EventType = 4
)

func (e EventType) String() string {
	switch e {
	case EventCreated:
		return "created"
	case EventDeleted:
		return "deleted"
	case EventDataChanged:
		return "data changed"
	case EventChildrenChanged:
		return "children changed"
	}
	return fmt.Sprintf("event %d", int32(e))
}

// Event is what a watch tells, once.
type Event struct {
	Type EventType
	Path string // as in the request that set the watch
}

// event reads a WatcherEvent; its path has the chroot.
func (d *decoder) event() Event {
	e := Event{Type: EventType(d.int())}
	d.int() // state of the connection, which the client knows itself
	e.Path = d.text()
	return e
}

// readFrame reads one frame into buf or larger memory, which grows with what
// arrives and not with what the length says.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	if n < 0 || n > maxReply {
		return nil, fmt.Errorf("%w: frame of %d bytes", errMalformed, n)
	}
	buf = buf[:0]
	for len(buf) < n {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, min(n-len(buf), max(len(buf), 4<<10)))...)[:len(buf)]
		}
		got, err := io.ReadFull(r, buf[len(buf):min(n, cap(buf))])
		buf = buf[:len(buf)+got]
		if err != nil {
			return nil, noEOF(err)
		}
	}
	return buf, nil
}

// errMalformed is in the errors of a server that does not keep to the protocol.
var errMalformed = errors.New("malformed reply")

// noEOF makes the end in the middle of a frame an unexpected one.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
