package binlog

import (
	"bytes"
	"fmt"
	"strings"
)

// Flavor is a family of servers that differ in how they write the same event.
type Flavor uint8

// The families.
const (
	FlavorMySQL   Flavor = iota // Oracle's MySQL and everything compatible with it
	FlavorMariaDB               // MariaDB
	FlavorPercona               // Percona Server: MySQL with one query status variable of its own
)

// String is the lower-case name used in logs.
func (f Flavor) String() string {
	switch f {
	case FlavorMariaDB:
		return "mariadb"
	case FlavorPercona:
		return "percona"
	default:
		return "mysql"
	}
}

// FormatDescription says how the events after it are laid out. Each binlog file
// begins with one, and each dump too.
type FormatDescription struct {
	BinlogVersion     uint16 // always 4
	ServerVersion     string // e.g. "8.0.15", "10.11.6-MariaDB-log"
	Created           uint32 // seconds since the epoch when the server started; 0 in files it only rotated to
	HeaderLength      uint8  // of the common header of the events, at least HeaderSize
	PostHeaderLengths []byte // fixed-part length of event type t at index t-1
	Checksum          bool   // the events carry a CRC32
}

// Versions from which on a format description ends with an algorithm byte and
// a checksum, whether or not checksums are in use (checksum_version_split of
// MySQL and of MariaDB).
var (
	checksumSinceMySQL   = [3]int{5, 6, 1}
	checksumSinceMariaDB = [3]int{5, 3, 0}
)

const checksumCRC32 = 1 // BINLOG_CHECKSUM_ALG_CRC32

// ParseFormatDescription reads a FORMAT_DESCRIPTION_EVENT. It takes the whole
// event with its checksum, because only the event itself tells whether there
// is one. The versions before 4 (MySQL before 5.0) are refused.
func ParseFormatDescription(event []byte) (FormatDescription, error) {
	h, err := ParseHeader(event)
	if err != nil {
		return FormatDescription{}, fmt.Errorf("format description: %w", err)
	}
	if h.Type == EventStartV3 {
		return FormatDescription{}, fmt.Errorf("format description: binlog version before 4 (server before MySQL 5.0) is not supported")
	}
	c := newCursor(event[HeaderSize:])
	fd := FormatDescription{BinlogVersion: c.u16()}
	version := c.bytes(50)
	if i := bytes.IndexByte(version, 0); i >= 0 {
		version = version[:i]
	}
	fd.ServerVersion = string(version)
	fd.Created = c.u32()
	fd.HeaderLength = c.u8()
	lengths := c.rest()
	if err := c.err("format description"); err != nil {
		return FormatDescription{}, err
	}
	if fd.BinlogVersion != 4 {
		return FormatDescription{}, fmt.Errorf("format description: binlog version %d is not supported, want 4", fd.BinlogVersion)
	}
	if fd.HeaderLength < HeaderSize {
		return FormatDescription{}, fmt.Errorf("format description: event header of %d bytes, want at least %d", fd.HeaderLength, HeaderSize)
	}
	if checksumAware(fd.ServerVersion) {
		n := len(lengths) - 1 - ChecksumSize
		if n < 0 {
			return FormatDescription{}, fmt.Errorf("format description of %s: no checksum algorithm in %d bytes", fd.ServerVersion, len(event))
		}
		fd.Checksum = lengths[n] == checksumCRC32
		lengths = lengths[:n]
	}
	fd.PostHeaderLengths = bytes.Clone(lengths)
	return fd, nil
}

// Flavor is what the server version tells. Percona Server cannot be told from
// MySQL by it; ask the server for version_comment.
func (fd *FormatDescription) Flavor() Flavor {
	if isMariaDB(fd.ServerVersion) {
		return FlavorMariaDB
	}
	return FlavorMySQL
}

// knownLengths are the lengths of the fixed parts that the Parse functions know, of
// the events that have one and are laid out by it. What describes itself, such
// as TRANSACTION_PAYLOAD_EVENT, is read without (its length in the format
// description means nothing).
var knownLengths = [256]uint8{
	EventQuery: 13, EventRotate: 8, EventTableMap: 8, EventIncident: 2,
	EventWriteRowsV1: 8, EventUpdateRowsV1: 8, EventDeleteRowsV1: 8,
	EventWriteRowsV2: 10, EventUpdateRowsV2: 10, EventDeleteRowsV2: 10, EventPartialUpdateRows: 10,
	EventGTID: 42, EventAnonymousGTID: 42,
	EventMariaCheckpoint: 4, EventMariaGTID: 19, EventMariaGTIDList: 4, EventMariaQueryCompressed: 13,
	EventMariaWriteRowsV1C: 8, EventMariaUpdateRowsV1C: 8, EventMariaDeleteRowsV1C: 8,
	EventMariaWriteRowsV2C: 10, EventMariaUpdateRowsV2C: 10, EventMariaDeleteRowsV2C: 10,
}

// Body returns the part of a whole event that the Parse functions take, as the
// function of the same name does, for events laid out as fd says. A later
// version of a server may give events a longer common header or a longer fixed
// part: what is new stands behind what is known, and is left out. The result
// aliases event unless a fixed part is longer than known. fd may be nil.
//
// The common header of format descriptions and rotations is always HeaderSize
// bytes long (LOG_EVENT_MINIMAL_HEADER_LEN in MySQL's sources), for they tell of
// the others.
func (fd *FormatDescription) Body(event []byte, checksum bool) ([]byte, error) {
	body, err := Body(event, checksum)
	if err != nil || fd == nil {
		return body, err
	}
	typ := EventType(event[4])
	if extra := int(fd.HeaderLength) - HeaderSize; extra > 0 && typ != EventFormatDescription && typ != EventRotate {
		if len(body) < extra {
			return nil, fmt.Errorf("event body: %d bytes are too few for a header of %d", len(event), fd.HeaderLength)
		}
		body = body[extra:]
	}
	known, told := int(knownLengths[typ]), fd.postHeaderLength(typ)
	if known == 0 || told <= known {
		return body, nil
	}
	if len(body) < told {
		return nil, fmt.Errorf("event body: %d bytes are too few for a fixed part of %d", len(body), told)
	}
	return append(body[:known:known], body[told:]...), nil
}

// postHeaderLength is the length of the fixed part of events of type t, 0 when
// nothing is said of it.
func (fd *FormatDescription) postHeaderLength(t EventType) int {
	if fd == nil || t == 0 || int(t) > len(fd.PostHeaderLengths) {
		return 0
	}
	return int(fd.PostHeaderLengths[t-1])
}

// tableIDWidth is the width in bytes of the table id in events of type t:
// 4 in the development trees before MySQL 5.1.4, whose fixed part has 6 bytes.
func (fd *FormatDescription) tableIDWidth(t EventType) uint64 {
	if fd.postHeaderLength(t) == 6 {
		return 4
	}
	return 6
}

func isMariaDB(version string) bool {
	return strings.Contains(strings.ToLower(version), "mariadb")
}

func checksumAware(version string) bool {
	since := checksumSinceMySQL
	if isMariaDB(version) {
		since = checksumSinceMariaDB
	}
	v := splitVersion(version)
	for i := range v {
		if v[i] != since[i] {
			return v[i] > since[i]
		}
	}
	return true
}

// splitVersion reads the three leading numbers of "8.0.15-log"; a version that
// does not have three is 0.0.0 (do_server_version_split).
func splitVersion(version string) [3]int {
	var v [3]int
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return v
	}
	for i, part := range parts {
		digits := 0
		for digits < len(part) && digits < 6 && part[digits] >= '0' && part[digits] <= '9' {
			v[i] = v[i]*10 + int(part[digits]-'0')
			digits++
		}
		if digits == 0 {
			return [3]int{}
		}
	}
	return v
}
