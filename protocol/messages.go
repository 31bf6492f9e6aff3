package protocol

import "google.golang.org/protobuf/encoding/protowire"

// NoBatch is the batch id of a Messages that brings nothing.
const NoBatch int64 = -1

// Handshake is the first message on a connection, from the server.
type Handshake struct {
	CommunicationEncoding Opt[string] // never written by Canal
	Seeds                 []byte      // 8 random bytes; the seed of the password scramble
	SupportedCompressions Compression // never written by Canal
}

// PacketType implements Message.
func (*Handshake) PacketType() PacketType { return TypeHandshake }

// Append implements Message.
func (m *Handshake) Append(dst []byte) []byte {
	if m.CommunicationEncoding.Set {
		dst = protowire.AppendTag(dst, 1, protowire.BytesType)
		dst = protowire.AppendString(dst, m.CommunicationEncoding.Value)
	}
	dst = appendPlainBytes(dst, 2, m.Seeds)
	return appendPlainVarint(dst, 3, int64(m.SupportedCompressions))
}

// ParseHandshake reads a Handshake; Seeds aliases b.
func ParseHandshake(b []byte) (Handshake, error) {
	var m Handshake
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isBytes(1):
			m.CommunicationEncoding = Some(f.text())
		case f.isBytes(2):
			m.Seeds = f.bytes
		case f.isVarint(3):
			m.SupportedCompressions = Compression(f.int32())
		}
	}
	return m, f.err
}

// ClientAuth is a client's answer to the handshake.
type ClientAuth struct {
	Username        string
	Password        []byte     // the scramble token in hex (see Scramble), or empty
	NetReadTimeout  Opt[int32] // milliseconds, whatever Canal's file says; zero, negative or absent is the server's default
	NetWriteTimeout Opt[int32] // the same
	Destination     string     // with ClientID: subscribe along with the authentication. Canal's clients do not
	ClientID        string
	Filter          string
	StartTimestamp  int64 // ignored by servers
}

// PacketType implements Message.
func (*ClientAuth) PacketType() PacketType { return TypeClientAuth }

// Append implements Message.
func (m *ClientAuth) Append(dst []byte) []byte {
	dst = appendPlainBytes(dst, 1, m.Username)
	dst = appendPlainBytes(dst, 2, m.Password)
	dst = appendOpt(dst, 3, m.NetReadTimeout)
	dst = appendOpt(dst, 4, m.NetWriteTimeout)
	dst = appendPlainBytes(dst, 5, m.Destination)
	dst = appendPlainBytes(dst, 6, m.ClientID)
	dst = appendPlainBytes(dst, 7, m.Filter)
	return appendPlainVarint(dst, 8, m.StartTimestamp)
}

// ParseClientAuth reads a ClientAuth; Password aliases b.
func ParseClientAuth(b []byte) (ClientAuth, error) {
	var m ClientAuth
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isBytes(1):
			m.Username = f.text()
		case f.isBytes(2):
			m.Password = f.bytes
		case f.isVarint(3):
			m.NetReadTimeout = Some(f.int32())
		case f.isVarint(4):
			m.NetWriteTimeout = Some(f.int32())
		case f.isBytes(5):
			m.Destination = f.text()
		case f.isBytes(6):
			m.ClientID = f.text()
		case f.isBytes(7):
			m.Filter = f.text()
		case f.isVarint(8):
			m.StartTimestamp = f.int64()
		}
	}
	return m, f.err
}

// Ack is the server's "done" or its error. The zero value is success, whose
// encoding is empty.
type Ack struct {
	ErrorCode    Opt[int32] // absent on success; clients take > 0 for a failure
	ErrorMessage string     // as received: bytes that are not UTF-8 are kept
}

// PacketType implements Message.
func (*Ack) PacketType() PacketType { return TypeAck }

// Append implements Message.
func (m *Ack) Append(dst []byte) []byte {
	dst = appendOpt(dst, 1, m.ErrorCode)
	return appendPlainBytes(dst, 2, m.ErrorMessage)
}

// ParseAck reads an Ack.
func ParseAck(b []byte) (Ack, error) {
	var m Ack
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isVarint(1):
			m.ErrorCode = Some(f.int32())
		case f.isBytes(2):
			m.ErrorMessage = string(f.bytes)
		}
	}
	return m, f.err
}

// Sub asks to subscribe a client to a destination, or to change its filter.
type Sub struct {
	Destination string
	ClientID    string // decimal, 16 bits
	Filter      string // "" leaves the instance's filter alone
}

// PacketType implements Message.
func (*Sub) PacketType() PacketType { return TypeSubscription }

// Append implements Message.
func (m *Sub) Append(dst []byte) []byte {
	return appendSubscription(dst, m.Destination, m.ClientID, m.Filter)
}

// ParseSub reads a Sub.
func ParseSub(b []byte) (Sub, error) {
	var m Sub
	err := parseSubscription(b, &m.Destination, &m.ClientID, &m.Filter)
	return m, err
}

// Unsub ends a subscription.
type Unsub struct {
	Destination string
	ClientID    string
	Filter      string // ignored
}

// PacketType implements Message.
func (*Unsub) PacketType() PacketType { return TypeUnsubscription }

// Append implements Message.
func (m *Unsub) Append(dst []byte) []byte {
	return appendSubscription(dst, m.Destination, m.ClientID, m.Filter)
}

// ParseUnsub reads an Unsub.
func ParseUnsub(b []byte) (Unsub, error) {
	var m Unsub
	err := parseSubscription(b, &m.Destination, &m.ClientID, &m.Filter)
	return m, err
}

// appendSubscription appends the fields of Sub and Unsub, which are the same.
func appendSubscription(dst []byte, destination, clientID, filter string) []byte {
	dst = appendPlainBytes(dst, 1, destination)
	dst = appendPlainBytes(dst, 2, clientID)
	return appendPlainBytes(dst, 7, filter)
}

func parseSubscription(b []byte, destination, clientID, filter *string) error {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isBytes(1):
			*destination = f.text()
		case f.isBytes(2):
			*clientID = f.text()
		case f.isBytes(7):
			*filter = f.text()
		}
	}
	return f.err
}

// Get asks for a batch.
type Get struct {
	Destination string
	ClientID    string
	FetchSize   int32      // entries, or units of the instance's buffer memunit
	Timeout     Opt[int64] // in Unit. -1: answer at once; 0, absent or below -1: wait without limit
	Unit        Opt[int32] // ordinal of java.util.concurrent.TimeUnit, 0 nanoseconds … 6 days; absent reads 0, unknown is milliseconds
	AutoAck     Opt[bool]  // ignored by servers: every batch must be acked
}

// PacketType implements Message.
func (*Get) PacketType() PacketType { return TypeGet }

// Append implements Message.
func (m *Get) Append(dst []byte) []byte {
	dst = appendPlainBytes(dst, 1, m.Destination)
	dst = appendPlainBytes(dst, 2, m.ClientID)
	dst = appendPlainVarint(dst, 3, int64(m.FetchSize))
	dst = appendOpt(dst, 4, m.Timeout)
	dst = appendOpt(dst, 5, m.Unit)
	if m.AutoAck.Set {
		dst = appendVarint(dst, 6, int64(protowire.EncodeBool(m.AutoAck.Value)))
	}
	return dst
}

// ParseGet reads a Get.
func ParseGet(b []byte) (Get, error) {
	var m Get
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isBytes(1):
			m.Destination = f.text()
		case f.isBytes(2):
			m.ClientID = f.text()
		case f.isVarint(3):
			m.FetchSize = f.int32()
		case f.isVarint(4):
			m.Timeout = Some(f.int64())
		case f.isVarint(5):
			m.Unit = Some(f.int32())
		case f.isVarint(6):
			m.AutoAck = Some(protowire.DecodeBool(f.varint))
		}
	}
	return m, f.err
}

// Messages is a batch of entries.
type Messages struct {
	BatchID  int64    // to be acked; NoBatch when there was nothing
	Messages [][]byte // encoded entries, in order
}

// PacketType implements Message.
func (*Messages) PacketType() PacketType { return TypeMessages }

// Append implements Message.
func (m *Messages) Append(dst []byte) []byte {
	return m.appendEntries(appendPlainVarint(dst, 1, m.BatchID))
}

func (m *Messages) appendEntries(dst []byte) []byte {
	for _, entry := range m.Messages {
		dst = protowire.AppendTag(dst, 2, protowire.BytesType)
		dst = protowire.AppendBytes(dst, entry)
	}
	return dst
}

// ParseMessages reads a Messages; the entries alias b.
func ParseMessages(b []byte) (Messages, error) {
	var m Messages
	n := 0
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isVarint(1):
			m.BatchID = f.int64()
		case f.isBytes(2):
			n++
		}
	}
	if f.err != nil || n == 0 {
		return m, f.err
	}
	m.Messages = make([][]byte, 0, n)
	for f = (fields{rest: b}); f.next(); {
		if f.isBytes(2) {
			m.Messages = append(m.Messages, f.bytes)
		}
	}
	return m, nil
}

// ClientAck confirms a batch. Servers answer it only when it fails.
type ClientAck struct {
	Destination string
	ClientID    string
	BatchID     int64 // 0 is refused, NoBatch is ignored
}

// PacketType implements Message.
func (*ClientAck) PacketType() PacketType { return TypeClientAck }

// Append implements Message.
func (m *ClientAck) Append(dst []byte) []byte {
	return appendBatchRef(dst, m.Destination, m.ClientID, m.BatchID)
}

// ParseClientAck reads a ClientAck.
func ParseClientAck(b []byte) (ClientAck, error) {
	var m ClientAck
	err := parseBatchRef(b, &m.Destination, &m.ClientID, &m.BatchID)
	return m, err
}

// ClientRollback asks to be given batches again. Servers answer it only when it
// fails.
type ClientRollback struct {
	Destination string
	ClientID    string
	BatchID     int64 // 0 is all batches of the client
}

// PacketType implements Message.
func (*ClientRollback) PacketType() PacketType { return TypeClientRollback }

// Append implements Message.
func (m *ClientRollback) Append(dst []byte) []byte {
	return appendBatchRef(dst, m.Destination, m.ClientID, m.BatchID)
}

// ParseClientRollback reads a ClientRollback.
func ParseClientRollback(b []byte) (ClientRollback, error) {
	var m ClientRollback
	err := parseBatchRef(b, &m.Destination, &m.ClientID, &m.BatchID)
	return m, err
}

// appendBatchRef appends the fields of ClientAck and ClientRollback, which are
// the same.
func appendBatchRef(dst []byte, destination, clientID string, batchID int64) []byte {
	dst = appendPlainBytes(dst, 1, destination)
	dst = appendPlainBytes(dst, 2, clientID)
	return appendPlainVarint(dst, 3, batchID)
}

func parseBatchRef(b []byte, destination, clientID *string, batchID *int64) error {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.isBytes(1):
			*destination = f.text()
		case f.isBytes(2):
			*clientID = f.text()
		case f.isVarint(3):
			*batchID = f.int64()
		}
	}
	return f.err
}
