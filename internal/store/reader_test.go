package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// entryReader reads the numbers of framed test entries from a stream.
type entryReader struct{ r *bufio.Reader }

func newEntryReader(r io.Reader) entryReader { return entryReader{bufio.NewReader(r)} }

func (e entryReader) next() (int64, error) {
	tag, err := e.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if tag != 0x12 {
		return 0, fmt.Errorf("tag %#x", tag)
	}
	n, err := binary.ReadUvarint(e.r)
	if err != nil {
		return 0, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(e.r, body); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(body)), nil
}
