package pipeline

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"regexp"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// fixedParts are the events that have a fixed part, and its length.
var fixedParts = map[binlog.EventType]int{
	binlog.EventQuery: 13, binlog.EventRotate: 8, binlog.EventTableMap: 8, binlog.EventGTID: 42,
	binlog.EventWriteRowsV1: 8, binlog.EventUpdateRowsV1: 8, binlog.EventDeleteRowsV1: 8,
	binlog.EventWriteRowsV2: 10, binlog.EventUpdateRowsV2: 10, binlog.EventDeleteRowsV2: 10, binlog.EventPartialUpdateRows: 10,
	binlog.EventMariaGTID: 19, binlog.EventMariaGTIDList: 4, binlog.EventMariaQueryCompressed: 13,
	binlog.EventMariaWriteRowsV1C: 8, binlog.EventMariaUpdateRowsV1C: 8, binlog.EventMariaDeleteRowsV1C: 8,
}

// laterEvent lays an event out as a server might that has longer headers.
func laterEvent(t *testing.T, ev []byte, packed bool, lengths []byte) []byte {
	t.Helper()
	typ := binlog.EventType(ev[4])
	body, err := binlog.Body(ev, !packed)
	check(t, err)
	body = bytes.Clone(body)
	out := bytes.Clone(ev[:binlog.HeaderSize])
	if typ == binlog.EventTransactionPayload {
		body = laterPayload(t, body, lengths)
	}
	if n := fixedParts[typ]; n > 0 && int(typ) <= len(lengths) && int(lengths[typ-1]) >= n {
		body = slices.Insert(body, n, 0xee, 0xee, 0xee)
	}
	if typ == binlog.EventFormatDescription {
		body[56] += 5
		for typ, n := range fixedParts {
			if at := 56 + int(typ); at < len(body)-1 && int(body[at]) >= n {
				body[at] += 3
			}
		}
	} else if typ != binlog.EventRotate {
		out = append(out, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd)
	}
	out = append(out, body...)
	size := len(out)
	if !packed {
		size += binlog.ChecksumSize
	}
	binary.LittleEndian.PutUint32(out[9:], uint32(size))
	if packed {
		return out
	}
	return sealed(out)
}

// laterPayload does the same to the events of a compressed transaction.
func laterPayload(t *testing.T, body []byte, lengths []byte) []byte {
	t.Helper()
	p, err := binlog.ParseTransactionPayload(body)
	check(t, err)
	z, err := zstd.NewReader(bytes.NewReader(p.Data))
	check(t, err)
	defer z.Close()
	data, err := io.ReadAll(z)
	check(t, err)
	var inner []byte
	for len(data) > 0 {
		n := binary.LittleEndian.Uint32(data[9:])
		inner = append(inner, laterEvent(t, data[:n], true, lengths)...)
		data = data[n:]
	}
	w := eventWriter{}
	made, err := binlog.Body(w.payload("none", inner), true)
	check(t, err)
	return made
}

// placeOf is what of an entry tells of the length of events.
var placeOf = regexp.MustCompile(`"(logfileOffset|eventLength)":"?-?[0-9]+"?,?`)

// TestLaterLayout: events with a longer common header and longer fixed parts
// than those known make the same entries.
func TestLaterLayout(t *testing.T) {
	for _, name := range []string{"mysql57", "mysql80", "mysql97", "mariadb1011", "forms-mysql80", "forms-mysql97", "forms-mariadb1011"} {
		t.Run(name, func(t *testing.T) {
			events := fixture(t, name)
			format, err := binlog.ParseFormatDescription(events[0])
			check(t, err)
			version := cmp.Or(fixtures[name], forms[name])
			r := newRig(t, version, nil)
			check(t, r.play(events, nil))
			later := make([][]byte, len(events))
			for i, ev := range events {
				later[i] = laterEvent(t, ev, false, format.PostHeaderLengths)
			}
			got := newRig(t, version, nil)
			check(t, got.play(later, nil))
			a, b := got.store.lines(), r.store.lines()
			if len(a) != len(b) {
				t.Fatalf("%d entries, want %d", len(a), len(b))
			}
			for i := range a {
				if x, y := placeOf.ReplaceAllString(a[i], ""), placeOf.ReplaceAllString(b[i], ""); x != y {
					t.Fatalf("entry %d is\n%s\nwant\n%s", i, abridge(x), abridge(y))
				}
			}
		})
	}
}
