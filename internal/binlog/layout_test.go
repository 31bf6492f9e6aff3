package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"
)

// What a later version of a server might add to each event.
const (
	addedToHeader = 5
	addedToFixed  = 3
)

// later lays a file out as a server might that has longer headers: each event
// gets addedToHeader bytes behind its common header, but for those that are read
// before that is known, and those with a fixed part addedToFixed bytes behind it.
func later(t *testing.T, name string) []byte {
	t.Helper()
	events, fd := readAll(t, name)
	out := []byte(Magic)
	for _, ev := range events {
		raw := bytes.Clone(ev.Raw[:HeaderSize])
		body := bytes.Clone(ev.Body)
		typ := ev.Header.Type
		if typ == EventFormatDescription {
			body = laterFormat(body)
		}
		if fixed := min(int(knownLengths[typ]), fd.postHeaderLength(typ)); fixed > 0 {
			body = slices.Insert(body, fixed, 0xee, 0xee, 0xee)
		}
		if typ != EventFormatDescription && typ != EventRotate {
			raw = append(raw, bytes.Repeat([]byte{0xdd}, addedToHeader)...)
		}
		raw = append(raw, body...)
		binary.LittleEndian.PutUint32(raw[9:], uint32(len(raw)+ChecksumSize))
		raw = binary.LittleEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
		out = append(out, raw...)
	}
	return out
}

// laterFormat is the body of a format description that tells of such a layout.
func laterFormat(body []byte) []byte {
	const headerLength = 2 + 50 + 4
	body[headerLength] += addedToHeader
	for i := headerLength + 1; i < len(body)-1; i++ { // the last byte is the algorithm
		if typ := EventType(i - headerLength); knownLengths[typ] > 0 && body[i] > 0 {
			body[i] += addedToFixed
		}
	}
	return body
}

// TestLaterLayout: whatever a format description says of the lengths of
// headers and fixed parts, the bodies are found where it says.
func TestLaterLayout(t *testing.T) {
	for _, name := range slices.Concat(fixtures, forms) {
		t.Run(name, func(t *testing.T) {
			want, _ := readAll(t, name)
			r := NewFileReader(bytes.NewReader(later(t, name)))
			r.Verify = true
			for i := 0; ; i++ {
				got, err := r.Next()
				if errors.Is(err, io.EOF) && i == len(want) {
					return
				}
				if err != nil {
					t.Fatalf("event %d of %d: %v", i, len(want), err)
				}
				body := want[i].Body
				if short := int(knownLengths[got.Header.Type]) - addedToFixed; got.Header.Type == EventGTID && len(body) < short {
					continue // MySQL 5.6 has fewer fields, and its fixed part is not longer than known
				}
				if got.Header.Type == EventFormatDescription {
					body = laterFormat(bytes.Clone(body))
				}
				if !bytes.Equal(got.Body, body) {
					t.Fatalf("event %d of type %d has body\n%x, want\n%x", i, got.Header.Type, got.Body, body)
				}
				if got.Header.Type == EventRotate {
					file, pos, err := r.Format().ParseRotate(got.Raw, true)
					if err != nil || pos != 4 || file == "" || file[0] == 0xee {
						t.Errorf("rotation to %q at %d, %v", file, pos, err)
					}
				}
			}
		})
	}
}

// TestLaterLayoutRefused: events too short for what the format description says.
func TestLaterLayoutRefused(t *testing.T) {
	fd := &FormatDescription{HeaderLength: HeaderSize + 4, PostHeaderLengths: []byte{0, 40}}
	for name, c := range map[string]struct {
		typ  EventType
		size int
		ok   bool
	}{
		"header cut":     {EventXID, 3, false},
		"header only":    {EventXID, 4, true},
		"fixed part cut": {EventQuery, 4 + 39, false},
		"no more":        {EventQuery, 4 + 40, true},
		"nothing said":   {EventTableMap, 4, true},
		"minimal header": {EventRotate, 0, true},
	} {
		body, err := fd.Body(event(c.typ, string(make([]byte, c.size))), false)
		if (err == nil) != c.ok {
			t.Errorf("%s: body of %d bytes, %v", name, len(body), err)
		}
	}
	if body, err := (*FormatDescription)(nil).Body(event(EventQuery, "body"), false); string(body) != "body" || err != nil {
		t.Errorf("without a format description: %q, %v", body, err)
	}
}
