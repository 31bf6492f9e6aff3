package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrChecksum is wrapped by VerifyChecksum's error when the bytes of an event do
// not match its checksum: the event was damaged on its way or on disk.
var ErrChecksum = errors.New("binlog checksum mismatch")

// flagInUse is LOG_EVENT_BINLOG_IN_USE_F: set in a file's format description
// while the server still writes to the file. It is left out of the checksum.
const flagInUse = 0x01

// flagsOffset is where the flags stand in the event header.
const flagsOffset = 17

// VerifyChecksum checks the CRC32 (IEEE) in the last four bytes of a whole
// event. The in-use flag of a format description is not covered by the checksum,
// as in MySQL's Log_event_footer::event_checksum_test.
func VerifyChecksum(event []byte) error {
	if len(event) < HeaderSize+ChecksumSize {
		return fmt.Errorf("verify checksum: %d bytes, want at least %d", len(event), HeaderSize+ChecksumSize)
	}
	data, tail := event[:len(event)-ChecksumSize], event[len(event)-ChecksumSize:]
	want := binary.LittleEndian.Uint32(tail)
	var got uint32
	if EventType(event[4]) == EventFormatDescription && event[flagsOffset]&flagInUse != 0 {
		got = crc32.ChecksumIEEE(data[:flagsOffset])
		got = crc32.Update(got, crc32.IEEETable, []byte{data[flagsOffset] &^ flagInUse})
		got = crc32.Update(got, crc32.IEEETable, data[flagsOffset+1:])
	} else {
		got = crc32.ChecksumIEEE(data)
	}
	if got != want {
		return fmt.Errorf("event type %d of %d bytes: computed %08x, stored %08x: %w", event[4], len(event), got, want, ErrChecksum)
	}
	return nil
}

// Body returns the part of a whole event that the Parse functions take: what
// follows the common header, without the checksum. It aliases event. Where there
// is a format description, use its method.
func Body(event []byte, checksum bool) ([]byte, error) {
	end := len(event)
	if checksum {
		end -= ChecksumSize
	}
	if end < HeaderSize {
		return nil, fmt.Errorf("event body: %d bytes are too few for an event", len(event))
	}
	return event[HeaderSize:end:end], nil
}
