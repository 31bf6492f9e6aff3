package protocol

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// Version is the protocol version a server writes into its packets. Canal's
// clients check it on the handshake and nowhere else.
const Version = 1

// PacketType says what the body of a packet is. The numbers are Canal's.
type PacketType int32

// The packet types of CanalProtocol.proto. A server sends Handshake, Ack and
// Messages; clients send the others, of which Shutdown, Dump and HeartBeat are
// declared but served by nobody.
const (
	TypeCompatible     PacketType = 0
	TypeHandshake      PacketType = 1
	TypeClientAuth     PacketType = 2
	TypeAck            PacketType = 3
	TypeSubscription   PacketType = 4
	TypeUnsubscription PacketType = 5
	TypeGet            PacketType = 6
	TypeMessages       PacketType = 7
	TypeClientAck      PacketType = 8
	TypeShutdown       PacketType = 9
	TypeDump           PacketType = 10
	TypeHeartBeat      PacketType = 11
	TypeClientRollback PacketType = 12
)

var packetTypeNames = [...]string{
	TypeCompatible:     "PACKAGETYPECOMPATIBLEPROTO2",
	TypeHandshake:      "HANDSHAKE",
	TypeClientAuth:     "CLIENTAUTHENTICATION",
	TypeAck:            "ACK",
	TypeSubscription:   "SUBSCRIPTION",
	TypeUnsubscription: "UNSUBSCRIPTION",
	TypeGet:            "GET",
	TypeMessages:       "MESSAGES",
	TypeClientAck:      "CLIENTACK",
	TypeShutdown:       "SHUTDOWN",
	TypeDump:           "DUMP",
	TypeHeartBeat:      "HEARTBEAT",
	TypeClientRollback: "CLIENTROLLBACK",
}

// String returns Canal's name of t, and "UNRECOGNIZED" for an unknown number as
// Java's enum does.
func (t PacketType) String() string {
	if t < 0 || int(t) >= len(packetTypeNames) {
		return "UNRECOGNIZED"
	}
	return packetTypeNames[t]
}

// Compression says how the body of a packet is compressed. Neither Canal nor
// this package compresses anything.
type Compression int32

// The compressions of CanalProtocol.proto. Canal's clients accept the first two.
const (
	CompressionCompatible Compression = 0
	CompressionNone       Compression = 1
	CompressionZlib       Compression = 2
	CompressionGzip       Compression = 3
	CompressionLZF        Compression = 4
)

// Packet is the envelope of every message, in both directions.
//
// The defaults that comments in CanalProtocol.proto promise for the optional
// fields do not exist: an absent field reads as zero in every language.
type Packet struct {
	MagicNumber Opt[int32]
	Version     Opt[int32] // Version from servers, except on MESSAGES with data, where it is absent
	Type        PacketType // any number; see PacketType.String
	Compression Opt[Compression]
	Body        []byte // the message that Type names; parsed packets alias their input
}

// Append appends the encoding of p, without a frame.
func (p *Packet) Append(dst []byte) []byte {
	dst = appendOpt(dst, 1, p.MagicNumber)
	dst = appendOpt(dst, 2, p.Version)
	dst = appendPlainVarint(dst, 3, int64(p.Type))
	dst = appendOpt(dst, 4, p.Compression)
	return appendPlainBytes(dst, 5, p.Body)
}

// ParsePacket reads a packet; its Body aliases b. Errors wrap ErrMalformed.
func ParsePacket(b []byte) (Packet, error) {
	var p Packet
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isVarint(1):
			p.MagicNumber = Some(f.int32())
		case f.isVarint(2):
			p.Version = Some(f.int32())
		case f.isVarint(3):
			p.Type = PacketType(f.int32())
		case f.isVarint(4):
			p.Compression = Some(Compression(f.int32()))
		case f.isBytes(5):
			p.Body = f.bytes
		}
	}
	return p, f.err
}

// Message is what the body of a packet holds.
type Message interface {
	// Append appends the encoding of the message.
	Append(dst []byte) []byte
	// PacketType is the type of the packet that carries the message.
	PacketType() PacketType
}

// AppendRequest appends a frame with m as clients send it: without a version.
func AppendRequest(dst []byte, m Message) []byte {
	p := Packet{Type: m.PacketType(), Body: m.Append(nil)}
	return appendFramed(dst, p.Append)
}

// AppendReply appends a frame with m as servers send it, with Version. For
// MESSAGES with data see AppendMessagesHead.
func AppendReply(dst []byte, m Message) []byte {
	p := Packet{Version: Some[int32](Version), Type: m.PacketType(), Body: m.Append(nil)}
	return appendFramed(dst, p.Append)
}

// AppendMessagesHead appends the head of a MESSAGES frame: everything up to the
// first entry. size is the number of bytes of entries that the caller writes
// after it, each entry as field 2 of Messages (0x12, length, entry). head and
// entries together must stay below 2 GiB.
//
// It is the form in which Canal's servers write data: without a version.
func AppendMessagesHead(dst []byte, batchID int64, size int) []byte {
	body := protowire.SizeTag(1) + protowire.SizeVarint(uint64(batchID)) + size
	packet := 2*protowire.SizeTag(1) + protowire.SizeVarint(uint64(TypeMessages)) + protowire.SizeBytes(body)
	dst = binary.BigEndian.AppendUint32(dst, uint32(packet))
	dst = appendVarint(dst, 3, int64(TypeMessages))
	dst = protowire.AppendTag(dst, 5, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(body))
	return appendVarint(dst, 1, batchID)
}
