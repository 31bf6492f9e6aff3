// Package protocol is the wire format between Canal servers and their clients:
// frames, the packets in them (CanalProtocol.proto), the password scramble, and
// the entries that batches are made of (EntryProtocol.proto).
//
// [ReadFrame] and [AppendFrame] handle the framing, [ParsePacket] and
// [Packet.Append] the envelope, and each message has an Append method and a
// Parse function. Encoders write exactly the fields that Canal's do, so that the
// bytes are the same; parsers pass over what they do not know.
//
// The package holds no connection and no state: servers and clients are built
// on it.
package protocol
