package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/towpath-cdc/towpath/protocol"
)

// version is what a server writes into its packets. Canal Admin checks it on the
// handshake and nowhere else.
const version = 1

// packetType says what the body of a packet is.
type packetType int32

// The packet types of AdminProtocol.proto, and behind them two of our own.
const (
	typeHandshake  packetType = 1
	typeClientAuth packetType = 2
	typeAck        packetType = 3
	typeServer     packetType = 4
	typeInstance   packetType = 5
	typeLog        packetType = 6
	typeRequest    packetType = 64 // body: a Request in JSON; answered by an ack with a Response
	typeStartTLS   packetType = 65 // instead of authentication; after an ack with code 0 both do TLS
)

var packetTypeNames = [...]string{
	0:              "PACKAGETYPECOMPATIBLEPROTO2",
	typeHandshake:  "HANDSHAKE",
	typeClientAuth: "CLIENTAUTHENTICATION",
	typeAck:        "ACK",
	typeServer:     "SERVER",
	typeInstance:   "INSTANCE",
	typeLog:        "LOG",
}

// String returns Canal's name of t, and "UNRECOGNIZED" for a number it has no name
// for, as Java's enum does.
func (t packetType) String() string {
	if t < 0 || int(t) >= len(packetTypeNames) {
		return "UNRECOGNIZED"
	}
	return packetTypeNames[t]
}

// The codes of an ack.
const (
	codeOK        = 0
	codeRefused   = 300 // authentication, and packet types that are not served
	codeUnknown   = 301 // an action or a log type
	codeException = 400 // all other failures
)

// errMalformed is wrapped by the errors of all parse functions: the bytes are not
// a protocol buffer message, or a text in it is not UTF-8.
var errMalformed = errors.New("malformed message")

// opt is a field that is on the wire even when it is zero, if it is set.
type opt[T any] struct {
	value T
	set   bool
}

func some[T any](v T) opt[T] { return opt[T]{value: v, set: true} }

// packet is the envelope of every message, in both directions. In contrast to the
// clients' protocol the body is field 4.
type packet struct {
	version opt[int32] // from servers only
	typ     packetType
	body    []byte // a parsed packet's aliases its input
}

// message is what the body of a packet holds.
type message interface {
	packetType() packetType
	append(dst []byte) []byte
}

// appendFrame appends p with its length before it.
func appendFrame(dst []byte, p packet) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if p.version.set {
		dst = appendInt(dst, 2, p.version.value)
	}
	if p.typ != 0 {
		dst = appendInt(dst, 3, int32(p.typ))
	}
	if len(p.body) > 0 {
		dst = appendBytes(dst, 4, p.body)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-protocol.HeaderLength))
	return dst
}

// appendRequest appends a frame as clients send it: without a version.
func appendRequest(dst []byte, m message) []byte {
	return appendFrame(dst, packet{typ: m.packetType(), body: m.append(nil)})
}

// appendReply appends a frame as servers send it.
func appendReply(dst []byte, m message) []byte {
	return appendFrame(dst, packet{version: some[int32](version), typ: m.packetType(), body: m.append(nil)})
}

func parsePacket(b []byte) (p packet, err error) {
	err = eachField(b, func(f field) error {
		switch {
		case f.isInt(2):
			p.version = some(int32(f.varint))
		case f.isInt(3):
			p.typ = packetType(int32(f.varint))
		case f.isBytes(4):
			p.body = f.bytes
		}
		return nil
	})
	return p, err
}

// handshake greets a client.
type handshake struct {
	seeds []byte
	tls   bool // ours, field 100: the server does TLS when it is asked to
}

func (*handshake) packetType() packetType { return typeHandshake }

func (h *handshake) append(dst []byte) []byte {
	dst = appendPlainBytes(dst, 2, h.seeds)
	if h.tls {
		dst = appendInt(dst, fieldTLS, 1)
	}
	return dst
}

// fieldTLS is a field of the handshake that Canal does not know, and passes over.
const fieldTLS = 100

func parseHandshake(b []byte) (h handshake, err error) {
	err = eachField(b, func(f field) error {
		switch {
		case f.isBytes(2):
			h.seeds = f.bytes
		case f.isInt(fieldTLS):
			h.tls = f.varint != 0
		}
		return nil
	})
	return h, err
}

// clientAuth is the log-in. The timeouts are in milliseconds; Canal's comment
// says seconds.
type clientAuth struct {
	username        string
	password        []byte // protocol.Scramble in lower-case hex
	netReadTimeout  opt[int32]
	netWriteTimeout opt[int32]
}

func (*clientAuth) packetType() packetType { return typeClientAuth }

func (a *clientAuth) append(dst []byte) []byte {
	dst = appendPlainBytes(dst, 1, a.username)
	dst = appendPlainBytes(dst, 2, a.password)
	dst = appendOptInt(dst, 3, a.netReadTimeout)
	return appendOptInt(dst, 4, a.netWriteTimeout)
}

func parseClientAuth(b []byte) (a clientAuth, err error) {
	err = eachField(b, func(f field) (err error) {
		switch {
		case f.isBytes(1):
			a.username, err = f.text()
		case f.isBytes(2):
			a.password = f.bytes
		case f.isInt(3):
			a.netReadTimeout = some(int32(f.varint))
		case f.isInt(4):
			a.netWriteTimeout = some(int32(f.varint))
		}
		return err
	})
	return a, err
}

// ack answers a request. A code above 0 is a failure.
type ack struct {
	code    int32 // always written, as Canal does
	message string
}

func (*ack) packetType() packetType { return typeAck }

func (a *ack) append(dst []byte) []byte {
	return appendPlainBytes(appendInt(dst, 1, a.code), 2, a.message)
}

func parseAck(b []byte) (a ack, err error) {
	err = eachField(b, func(f field) (err error) {
		switch {
		case f.isInt(1):
			a.code = int32(f.varint)
		case f.isBytes(2):
			a.message, err = f.text()
		}
		return err
	})
	return a, err
}

// serverAdmin is a request about the server.
type serverAdmin struct{ action string }

func (*serverAdmin) packetType() packetType { return typeServer }

func (a *serverAdmin) append(dst []byte) []byte { return appendPlainBytes(dst, 1, a.action) }

func parseServerAdmin(b []byte) (a serverAdmin, err error) {
	err = eachField(b, func(f field) (err error) {
		if f.isBytes(1) {
			a.action, err = f.text()
		}
		return err
	})
	return a, err
}

// instanceAdmin is a request about an instance.
type instanceAdmin struct{ destination, action string }

func (*instanceAdmin) packetType() packetType { return typeInstance }

func (a *instanceAdmin) append(dst []byte) []byte {
	return appendPlainBytes(appendPlainBytes(dst, 1, a.destination), 2, a.action)
}

func parseInstanceAdmin(b []byte) (a instanceAdmin, err error) {
	err = eachField(b, func(f field) (err error) {
		switch {
		case f.isBytes(1):
			a.destination, err = f.text()
		case f.isBytes(2):
			a.action, err = f.text()
		}
		return err
	})
	return a, err
}

// logAdmin is a request for log files or lines of one.
type logAdmin struct {
	kind, action      string
	destination, file opt[string]
	count             opt[int32]
}

func (*logAdmin) packetType() packetType { return typeLog }

func (a *logAdmin) append(dst []byte) []byte {
	dst = appendPlainBytes(appendPlainBytes(dst, 1, a.kind), 2, a.action)
	if a.destination.set {
		dst = appendBytes(dst, 3, a.destination.value)
	}
	if a.file.set {
		dst = appendBytes(dst, 4, a.file.value)
	}
	return appendOptInt(dst, 5, a.count)
}

func parseLogAdmin(b []byte) (a logAdmin, err error) {
	err = eachField(b, func(f field) (err error) {
		switch {
		case f.isBytes(1):
			a.kind, err = f.text()
		case f.isBytes(2):
			a.action, err = f.text()
		case f.isBytes(3):
			a.destination.set = true
			a.destination.value, err = f.text()
		case f.isBytes(4):
			a.file.set = true
			a.file.value, err = f.text()
		case f.isInt(5):
			a.count = some(int32(f.varint))
		}
		return err
	})
	return a, err
}

// raw is a body that is no protocol buffer message.
type raw struct {
	typ  packetType
	body []byte
}

func (r *raw) packetType() packetType   { return r.typ }
func (r *raw) append(dst []byte) []byte { return append(dst, r.body...) }

// field is one field of a message. A known number with another wire type than
// expected counts as an unknown field.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	varint uint64
	bytes  []byte // aliases the message
}

func (f *field) isInt(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.VarintType
}

func (f *field) isBytes(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.BytesType
}

// text is a string field. Java refuses a message whose strings are not UTF-8, and
// so does this.
func (f *field) text() (string, error) {
	if !utf8.Valid(f.bytes) {
		return "", fmt.Errorf("%w: field %d is not UTF-8", errMalformed, f.num)
	}
	return string(f.bytes), nil
}

// eachField calls yield for each field until one is wrong.
func eachField(b []byte, yield func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		if err := yield(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func appendInt(dst []byte, num protowire.Number, v int32) []byte {
	dst = protowire.AppendTag(dst, num, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(int64(v)))
}

func appendOptInt(dst []byte, num protowire.Number, v opt[int32]) []byte {
	if !v.set {
		return dst
	}
	return appendInt(dst, num, v.value)
}

func appendBytes[T string | []byte](dst []byte, num protowire.Number, v T) []byte {
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(v)))
	return append(dst, v...)
}

// appendPlainBytes appends a field without presence: nothing when it is empty.
func appendPlainBytes[T string | []byte](dst []byte, num protowire.Number, v T) []byte {
	if len(v) == 0 {
		return dst
	}
	return appendBytes(dst, num, v)
}
