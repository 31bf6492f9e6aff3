package binlog

import (
	"encoding/binary"
	"fmt"
)

// EventType is the type code of a binlog event (MySQL's Log_event_type and
// MariaDB's additions from 160 on).
type EventType uint8

// Event types, by their numbers in MySQL's binlog_event.h and MariaDB's log_event.h.
const (
	EventUnknown              EventType = 0
	EventStartV3              EventType = 1
	EventQuery                EventType = 2
	EventStop                 EventType = 3
	EventRotate               EventType = 4
	EventIntvar               EventType = 5
	EventLoad                 EventType = 6
	EventSlave                EventType = 7
	EventCreateFile           EventType = 8
	EventAppendBlock          EventType = 9
	EventExecLoad             EventType = 10
	EventDeleteFile           EventType = 11
	EventNewLoad              EventType = 12
	EventRand                 EventType = 13
	EventUserVar              EventType = 14
	EventFormatDescription    EventType = 15
	EventXID                  EventType = 16
	EventBeginLoadQuery       EventType = 17
	EventExecuteLoadQuery     EventType = 18
	EventTableMap             EventType = 19
	EventWriteRowsV0          EventType = 20
	EventUpdateRowsV0         EventType = 21
	EventDeleteRowsV0         EventType = 22
	EventWriteRowsV1          EventType = 23
	EventUpdateRowsV1         EventType = 24
	EventDeleteRowsV1         EventType = 25
	EventIncident             EventType = 26
	EventHeartbeat            EventType = 27
	EventIgnorable            EventType = 28
	EventRowsQuery            EventType = 29
	EventWriteRowsV2          EventType = 30
	EventUpdateRowsV2         EventType = 31
	EventDeleteRowsV2         EventType = 32
	EventGTID                 EventType = 33
	EventAnonymousGTID        EventType = 34
	EventPreviousGTIDs        EventType = 35
	EventTransactionContext   EventType = 36
	EventViewChange           EventType = 37
	EventXAPrepare            EventType = 38
	EventPartialUpdateRows    EventType = 39
	EventTransactionPayload   EventType = 40
	EventHeartbeatV2          EventType = 41
	EventGTIDTagged           EventType = 42
	EventMariaAnnotateRows    EventType = 160
	EventMariaCheckpoint      EventType = 161
	EventMariaGTID            EventType = 162
	EventMariaGTIDList        EventType = 163
	EventMariaStartEncryption EventType = 164
	EventMariaQueryCompressed EventType = 165
	EventMariaWriteRowsV1C    EventType = 166 // compressed
	EventMariaUpdateRowsV1C   EventType = 167
	EventMariaDeleteRowsV1C   EventType = 168
	EventMariaWriteRowsV2C    EventType = 169
	EventMariaUpdateRowsV2C   EventType = 170
	EventMariaDeleteRowsV2C   EventType = 171
)

// HeaderSize is the length of the common header of a version 4 binlog event.
const HeaderSize = 19

// ChecksumSize is the length of the CRC32 at the end of each event of a
// checksummed binlog. It is counted in Header.EventSize.
const ChecksumSize = 4

// Header is the common header of an event.
type Header struct {
	Timestamp uint32    // seconds since the epoch
	Type      EventType // what the body is
	ServerID  uint32    // the server that first wrote the event
	EventSize uint32    // whole event in bytes: header, body and checksum
	LogPos    uint32    // offset of the next event in the file; 0 for events that are in no file
	Flags     uint16
}

// Header flags, from MySQL's binlog_event.h.
const (
	FlagArtificial uint16 = 0x20 // made up by the dump thread (fake rotate, first format description)
	FlagIgnorable  uint16 = 0x80
)

// ParseHeader reads the common header at the start of an event.
func ParseHeader(event []byte) (Header, error) {
	if len(event) < HeaderSize {
		return Header{}, fmt.Errorf("event header: %d bytes, want %d", len(event), HeaderSize)
	}
	return Header{
		Timestamp: binary.LittleEndian.Uint32(event),
		Type:      EventType(event[4]),
		ServerID:  binary.LittleEndian.Uint32(event[5:]),
		EventSize: binary.LittleEndian.Uint32(event[9:]),
		LogPos:    binary.LittleEndian.Uint32(event[13:]),
		Flags:     binary.LittleEndian.Uint16(event[17:]),
	}, nil
}

// Start is the offset of the event in its file, as Canal computes it: the next
// event's offset less this one's size. It is negative for MariaDB events whose
// LogPos is 0.
func (h Header) Start() int64 { return int64(h.LogPos) - int64(h.EventSize) }
