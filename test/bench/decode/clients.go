package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// The ways to use our client.
const (
	asStrings  = "strings"
	inPlace    = "bytes"
	headerOnly = "headers"
)

// passClient decodes recorded batches again and again: to get warm, then measured.
func passClient(how, file string, args []string) (f figures, err error) {
	if how != asStrings && how != inPlace && how != headerOnly || len(args) != 2 {
		return f, fmt.Errorf("usage: %s %s|%s|%s FILE WARM SPAN", passCommand, asStrings, inPlace, headerOnly)
	}
	warm, err := time.ParseDuration(args[0])
	if err != nil {
		return f, err
	}
	span, err := time.ParseDuration(args[1])
	if err != nil {
		return f, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return f, err
	}
	packets, err := unframe(data)
	if err != nil {
		return f, fmt.Errorf("%s: %w", file, err)
	}
	var ignored figures
	if err := repeat(&ignored, packets, how, warm); err != nil {
		return f, err
	}
	err = clocked(&f, func() error { return repeat(&f, packets, how, span) })
	return f, err
}

// repeat decodes all packets until span is over, at least once.
func repeat(f *figures, packets [][]byte, how string, span time.Duration) error {
	for start := time.Now(); ; {
		for _, p := range packets {
			if err := readPacket(f, p, how); err != nil {
				return err
			}
		}
		if time.Since(start) >= span {
			return nil
		}
	}
}

// unframe finds the packets of a recorded stream.
func unframe(data []byte) (packets [][]byte, err error) {
	for len(data) > 0 {
		if len(data) < protocol.HeaderLength {
			return nil, fmt.Errorf("%d bytes in place of a frame header", len(data))
		}
		n, err := protocol.FrameLength(data, len(data)-protocol.HeaderLength)
		if err != nil {
			return nil, err
		}
		data = data[protocol.HeaderLength:]
		packets = append(packets, data[:n:n])
		data = data[n:]
	}
	return packets, nil
}

// readPacket reads a packet as package client does. It calls functions by their names,
// so that the entry stays off the heap.
func readPacket(f *figures, b []byte, how string) error {
	p, err := protocol.ParsePacket(b)
	if err != nil {
		return err
	}
	m, err := protocol.ParseMessages(p.Body)
	if err != nil {
		return err
	}
	for _, raw := range m.Messages {
		e, err := protocol.ParseEntry(raw)
		if err != nil {
			return err
		}
		if e.EntryType() != protocol.EntryRowData {
			continue
		}
		switch how {
		case asStrings:
			err = readStrings(f, &e)
		case inPlace:
			err = readBytes(f, &e)
		default:
			err = readHeader(f, &e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readStrings gets every column's name and value as strings.
func readStrings(f *figures, e *protocol.Entry) error {
	change, err := e.RowChange()
	if err != nil {
		return err
	}
	for row := range change.Rows() {
		f.Rows++
		for c := range row.Before() {
			f.Columns++
			f.Text += int64(len(c.Name()) + len(c.Value()))
		}
		for c := range row.After() {
			f.Columns++
			f.Text += int64(len(c.Name()) + len(c.Value()))
		}
	}
	return nil
}

// readBytes looks at every column's name and value where they lie. It is written out
// as readStrings is, since a call for each column would be measured too.
func readBytes(f *figures, e *protocol.Entry) error {
	change, err := e.RowChange()
	if err != nil {
		return err
	}
	for row := range change.Rows() {
		f.Rows++
		for c := range row.Before() {
			f.Columns++
			f.Text += int64(len(c.RawName()) + len(c.RawValue()))
		}
		for c := range row.After() {
			f.Columns++
			f.Text += int64(len(c.RawName()) + len(c.RawValue()))
		}
	}
	return nil
}

// readHeader takes the number of row changes from the header and leaves them alone,
// as a consumer does that routes entries by their table.
func readHeader(f *figures, e *protocol.Entry) error {
	h := e.Header()
	f.Text += int64(len(h.SchemaName()) + len(h.TableName()))
	if v, ok := h.Prop("rowsCount"); ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return fmt.Errorf("rowsCount: %w", err)
		}
		f.Rows += n
	}
	return nil
}
