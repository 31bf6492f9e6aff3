// Package protocol is the wire format between Canal servers and their clients:
// frames, the packets in them (CanalProtocol.proto), the password scramble, and
// the entries that batches are made of (EntryProtocol.proto).
//
// [ReadFrame] and [AppendFrame] handle the framing, [ParsePacket] and
// [Packet.Append] the envelope, and each message has an Append method and a
// Parse function. Encoders write exactly the fields that Canal's do, so that the
// bytes are the same; parsers pass over what they do not know.
//
// Entries are read where they lie: an [Entry], a [RowChange] and a [Column] are views
// of the bytes that came, and walking over rows and columns allocates nothing. Column
// has accessors for what its text means ([Column.Int64], [Column.Decimal],
// [Column.Time] and others) and for the text itself: [Column.Value] makes a string of
// it, [Column.RawValue] does not. Names of tables and columns are made into strings
// once and shared.
//
// The package holds no connection and, but for those names, no state: servers and
// clients are built on it.
package protocol
