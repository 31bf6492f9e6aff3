package binlog

import "fmt"

// ParseRotate reads a ROTATE_EVENT: the file that comes next and the offset in
// it at which to go on. It takes the whole event, because the first rotate of a
// dump comes before the format description tells about checksums: checksum
// says whether this event has one. The server flags the event that it makes
// up itself with FlagArtificial.
func ParseRotate(event []byte, checksum bool) (file string, pos uint64, err error) {
	return (*FormatDescription)(nil).ParseRotate(event, checksum)
}

// ParseRotate is the function of the same name for an event laid out as fd says.
func (fd *FormatDescription) ParseRotate(event []byte, checksum bool) (file string, pos uint64, err error) {
	body, err := fd.Body(event, checksum)
	if err != nil {
		return "", 0, fmt.Errorf("rotate event: %w", err)
	}
	c := newCursor(body)
	pos = c.u64()
	name := c.rest()
	if err := c.err("rotate event"); err != nil {
		return "", 0, err
	}
	if len(name) == 0 || len(name) > maxFileName {
		return "", 0, fmt.Errorf("rotate event: file name of %d bytes", len(name))
	}
	return string(name), pos, nil
}

// maxFileName bounds the binlog file names taken from events: MySQL's FN_REFLEN.
const maxFileName = 512

// ParseXID reads an XID_EVENT, the commit of a transaction: the number of the
// transaction.
func ParseXID(body []byte) (uint64, error) {
	c := newCursor(body)
	xid := c.u64()
	return xid, c.err("xid event")
}

// ParseRowsQuery reads a ROWS_QUERY_LOG_EVENT: the statement that caused the rows
// events after it (binlog_rows_query_log_events). The result aliases body. The
// length byte before the text is of no use, it wraps at 256.
func ParseRowsQuery(body []byte) ([]byte, error) {
	c := newCursor(body)
	c.skip(1)
	return c.rest(), c.err("rows query event")
}

// ParseAnnotateRows reads a MariaDB ANNOTATE_ROWS_EVENT, the same as
// ParseRowsQuery for MySQL. The result aliases body.
func ParseAnnotateRows(body []byte) ([]byte, error) { return body, nil }

// Types of an INTVAR_EVENT.
const (
	IntvarLastInsertID uint8 = 1 // LAST_INSERT_ID()
	IntvarInsertID     uint8 = 2 // the next AUTO_INCREMENT value
)

// ParseIntvar reads an INTVAR_EVENT, a value that the next statement uses.
func ParseIntvar(body []byte) (typ uint8, value uint64, err error) {
	c := newCursor(body)
	typ, value = c.u8(), c.u64()
	return typ, value, c.err("intvar event")
}

// ParseRand reads a RAND_EVENT, the seeds of RAND() for the next statement.
func ParseRand(body []byte) (seed1, seed2 uint64, err error) {
	c := newCursor(body)
	seed1, seed2 = c.u64(), c.u64()
	return seed1, seed2, c.err("rand event")
}

// Types of a user variable: MySQL's Item_result.
const (
	UserVarString  uint8 = 0
	UserVarReal    uint8 = 1 // 8 bytes, IEEE 754, little endian
	UserVarInt     uint8 = 2 // 8 bytes, little endian
	UserVarRow     uint8 = 3
	UserVarDecimal uint8 = 4 // precision, scale, then the packed decimal
)

// userVarUnsigned is User_var_event::UNSIGNED_F.
const userVarUnsigned = 1

// UserVar is a USER_VAR_EVENT, a user variable that the next statement uses.
// Its slices alias the event.
type UserVar struct {
	Name      []byte
	Null      bool // the fields below are zero
	Type      uint8
	Collation uint32 // of a string
	Value     []byte // as Type says
	Unsigned  bool   // of an integer
}

// ParseUserVar reads a USER_VAR_EVENT.
func ParseUserVar(body []byte) (UserVar, error) {
	c := newCursor(body)
	v := UserVar{Name: c.bytes(uint64(c.u32()))}
	v.Null = c.u8() != 0
	if v.Null || c.short {
		return v, c.err("user variable event")
	}
	v.Type = c.u8()
	v.Collation = c.u32()
	v.Value = c.bytes(uint64(c.u32()))
	if c.len() > 0 { // flags came with MySQL 5.1.57
		v.Unsigned = c.u8()&userVarUnsigned != 0
	}
	return v, c.err("user variable event")
}

// ParseIncident reads an INCIDENT_EVENT: the source says that something is
// missing from its log (1 is LOST_EVENTS). The message aliases body.
func ParseIncident(body []byte) (code uint16, message []byte, err error) {
	c := newCursor(body)
	code = c.u16()
	if c.len() > 0 {
		message = c.bytes(uint64(c.u8()))
	}
	return code, message, c.err("incident event")
}

// ParseHeartbeat reads a HEARTBEAT_LOG_EVENT: the file that the dump thread
// reads. The offset in it is the LogPos of the event's header.
func ParseHeartbeat(body []byte) (file string, err error) {
	if len(body) > maxFileName {
		return "", fmt.Errorf("heartbeat event: file name of %d bytes", len(body))
	}
	return string(body), nil
}

// Fields of a HEARTBEAT_LOG_EVENT_V2 (MySQL 8.0.26, codecs::binary::Heartbeat).
const (
	heartbeatEnd      = 0
	heartbeatFile     = 1
	heartbeatPosition = 2
)

// ParseHeartbeatV2 reads a HEARTBEAT_LOG_EVENT_V2: file and offset of the
// dump thread; the offset may pass 4 GiB. Unknown fields are skipped.
func ParseHeartbeatV2(body []byte) (file string, pos uint64, err error) {
	c := newCursor(body)
	for c.len() > 0 {
		field := c.packed()
		if field == heartbeatEnd {
			break
		}
		value := newCursor(c.packedBytes())
		switch field {
		case heartbeatFile:
			if value.len() > maxFileName {
				return "", 0, fmt.Errorf("heartbeat event: file name of %d bytes", value.len())
			}
			file = string(value.rest())
		case heartbeatPosition:
			pos = value.packed()
			c.short = c.short || value.short
		}
	}
	return file, pos, c.err("heartbeat event")
}

// XAPrepare is an XA_PREPARE_LOG_EVENT, the end of the first part of an XA
// transaction. Its slices alias the event.
type XAPrepare struct {
	OnePhase bool // XA COMMIT … ONE PHASE
	XID      XID
}

// XID names an XA transaction.
type XID struct {
	FormatID uint32
	GTRID    []byte // global transaction id
	BQual    []byte // branch qualifier
}

// ParseXAPrepare reads an XA_PREPARE_LOG_EVENT.
func ParseXAPrepare(body []byte) (XAPrepare, error) {
	c := newCursor(body)
	x := XAPrepare{OnePhase: c.u8() != 0}
	x.XID.FormatID = c.u32()
	gtridLen, bqualLen := c.u32(), c.u32()
	x.XID.GTRID = c.bytes(uint64(gtridLen))
	x.XID.BQual = c.bytes(uint64(bqualLen))
	return x, c.err("xa prepare event")
}

// Compression algorithms of a Payload.
const (
	CompressionZstd uint64 = 0
	CompressionNone uint64 = 255
)

// Payload is a TRANSACTION_PAYLOAD_EVENT (MySQL 8.0.20,
// binlog_transaction_compression): the events of one transaction, compressed
// together, without checksums of their own. Data aliases the event.
type Payload struct {
	Compression      uint64 // CompressionZstd or CompressionNone
	UncompressedSize uint64 // bytes, as the source says: do not allocate by it unchecked
	Data             []byte
}

// Fields of a TRANSACTION_PAYLOAD_EVENT (codecs::binary::Transaction_payload).
const (
	payloadEnd              = 0
	payloadSize             = 1
	payloadCompression      = 2
	payloadUncompressedSize = 3
)

// ParseTransactionPayload reads a TRANSACTION_PAYLOAD_EVENT. Unknown fields are skipped.
func ParseTransactionPayload(body []byte) (Payload, error) {
	c := newCursor(body)
	p := Payload{Compression: CompressionNone}
	var size uint64
	hasSize, hasUncompressed := false, false
	for c.len() > 0 {
		field := c.packed()
		if field == payloadEnd {
			break
		}
		value := newCursor(c.packedBytes())
		switch field {
		case payloadSize:
			size, hasSize = value.packed(), true
		case payloadCompression:
			p.Compression = value.packed()
		case payloadUncompressedSize:
			p.UncompressedSize, hasUncompressed = value.packed(), true
		}
		c.short = c.short || value.short
	}
	if !hasSize {
		size = uint64(c.len())
	}
	p.Data = c.bytes(size)
	if err := c.err("transaction payload event"); err != nil {
		return Payload{}, err
	}
	if !hasUncompressed {
		p.UncompressedSize = size
	}
	return p, nil
}
