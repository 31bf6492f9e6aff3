package binlog

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// fuzzLimit bounds what the fuzz targets let compressed events unpack to.
const fuzzLimit = 1 << 20

// parseAny gives a body to the function for its type and does with the result
// what a reader would.
func parseAny(typ EventType, body []byte, fd *FormatDescription) {
	switch typ {
	case EventQuery:
		_, _ = ParseQuery(body, fd.Flavor())
	case EventIntvar:
		_, _, _ = ParseIntvar(body)
	case EventRand:
		_, _, _ = ParseRand(body)
	case EventUserVar:
		_, _ = ParseUserVar(body)
	case EventXID:
		_, _ = ParseXID(body)
	case EventTableMap:
		if m, err := ParseTableMap(body, fd); err == nil {
			_, _ = m.Metadata()
		}
	case EventIncident:
		_, _, _ = ParseIncident(body)
	case EventHeartbeat:
		_, _ = ParseHeartbeat(body)
	case EventHeartbeatV2:
		_, _, _ = ParseHeartbeatV2(body)
	case EventRowsQuery:
		_, _ = ParseRowsQuery(body)
	case EventGTID, EventAnonymousGTID:
		if e, err := ParseGTID(body); err == nil {
			_ = e.GTID.String()
		}
	case EventGTIDTagged:
		if e, err := ParseGTIDTagged(body); err == nil {
			_ = e.GTID.String()
		}
	case EventPreviousGTIDs:
		if s, err := ParsePreviousGTIDs(body); err == nil {
			_ = s.String()
		}
	case EventXAPrepare:
		_, _ = ParseXAPrepare(body)
	case EventTransactionPayload:
		_, _ = ParseTransactionPayload(body)
	case EventMariaAnnotateRows:
		_, _ = ParseAnnotateRows(body)
	case EventMariaCheckpoint:
		_, _ = ParseMariaCheckpoint(body)
	case EventMariaGTID:
		_, _ = ParseMariaGTID(body, 1)
	case EventMariaGTIDList:
		_, _ = ParseMariaGTIDList(body)
	case EventMariaQueryCompressed:
		if plain, err := DecompressMariaQuery(body, fuzzLimit); err == nil {
			_, _ = ParseQuery(plain, FlavorMariaDB)
		}
	case EventMariaWriteRowsV1C, EventMariaUpdateRowsV1C, EventMariaDeleteRowsV1C, EventMariaWriteRowsV2C, EventMariaUpdateRowsV2C, EventMariaDeleteRowsV2C:
		if plainType, plain, err := DecompressMariaRows(typ, body, fuzzLimit); err == nil {
			_, _ = ParseRows(plainType, plain, fd)
		}
	default:
		if rows, err := ParseRows(typ, body, fd); err == nil {
			_, _, _ = rows.Partition()
		}
	}
}

// FuzzParseEvent gives any bytes as the body of any event.
func FuzzParseEvent(f *testing.F) {
	for _, name := range slices.Concat(fixtures, forms) {
		events, _ := readAll(f, name)
		seen := map[EventType]int{}
		for _, ev := range events {
			if seen[ev.Header.Type]++; seen[ev.Header.Type] <= 3 && len(ev.Body) < 1024 {
				f.Add(uint8(ev.Header.Type), strings.Contains(name, "mariadb"), ev.Body)
			}
		}
	}
	f.Add(uint8(EventHeartbeatV2), false, []byte("\x01\x05bin.1\x02\x03\xfc\x04\x01\x00"))
	f.Add(uint8(EventIncident), false, []byte("\x01\x00\x04lost"))
	mysql, maria := &FormatDescription{ServerVersion: "8.0.20"}, &FormatDescription{ServerVersion: "10.11.6-MariaDB"}
	f.Fuzz(func(t *testing.T, typ uint8, isMaria bool, body []byte) {
		fd := mysql
		if isMaria {
			fd = maria
		}
		before := bytes.Clone(body)
		parseAny(EventType(typ), body, fd)
		if !bytes.Equal(before, body) {
			t.Error("the body was changed")
		}
	})
}

// FuzzTableMapAndRows walks over the rows of any rows event with any table map.
func FuzzTableMapAndRows(f *testing.F) {
	for _, name := range slices.Concat(fixtures, forms) {
		events, _ := readAll(f, name)
		seen := map[string]int{}
		var tableMap []byte
		for _, ev := range events {
			kind, _ := rowsKind(ev.Header.Type)
			switch {
			case ev.Header.Type == EventTableMap:
				tableMap = ev.Body
			case kind != 0 && len(ev.Body) < 2048 && seen[string(tableMap)] < 3:
				seen[string(tableMap)]++
				f.Add(tableMap, uint8(ev.Header.Type), ev.Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, tableMap []byte, typ uint8, body []byte) {
		m, err := ParseTableMap(tableMap, nil)
		if err != nil {
			return
		}
		rows, err := ParseRows(EventType(typ), body, nil)
		if err != nil {
			return
		}
		for data := rows.Data; len(data) > 0; {
			img, err := m.Image(rows.PresentAfter, data, rows.Partial)
			if err != nil || img.Size == 0 {
				return
			}
			if img.Size > len(data) || len(img.Cells) > img.Size {
				t.Fatalf("image of %d bytes in %d", img.Size, len(data))
			}
			data = data[img.Size:]
		}
	})
}

func FuzzCellSize(f *testing.F) {
	for typ := range 256 {
		f.Add(uint8(typ), uint16(1), []byte{1, 2, 3, 4, 5, 6, 7, 8, 9})
		f.Add(uint8(typ), uint16(0x0a02), []byte{1})
	}
	f.Add(TypeString, uint16(0xfc03), []byte{3, 0, 'a', 'b', 'c'})
	f.Fuzz(func(t *testing.T, typ uint8, meta uint16, data []byte) {
		if n, err := CellSize(typ, meta, data); err == nil && (n < 0 || n > len(data)) {
			t.Errorf("cell of %d bytes in %d", n, len(data))
		}
	})
}

func FuzzFormatDescription(f *testing.F) {
	for _, name := range slices.Concat(fixtures, forms) {
		events, _ := readAll(f, name)
		f.Add(events[0].Raw)
		f.Add(events[len(events)-1].Raw)
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		_ = VerifyChecksum(event)
		if fd, err := ParseFormatDescription(event); err == nil {
			_ = fd.Flavor()
		}
		_, _, _ = ParseRotate(event, true)
		_, _, _ = ParseRotate(event, false)
	})
}

// FuzzLayout gives any event to any format description: what comes of it ends
// where the event ends, and the event is left as it was.
func FuzzLayout(f *testing.F) {
	for _, name := range forms {
		events, fd := readAll(f, name)
		seen := map[EventType]bool{}
		for _, ev := range events {
			if !seen[ev.Header.Type] && len(ev.Raw) < 1024 {
				f.Add(uint8(HeaderSize), fd.PostHeaderLengths, ev.Raw)
				f.Add(uint8(HeaderSize+3), bytes.Repeat([]byte{9}, 50), ev.Raw)
			}
			seen[ev.Header.Type] = true
		}
	}
	f.Fuzz(func(t *testing.T, header uint8, lengths, event []byte) {
		fd := &FormatDescription{HeaderLength: max(header, HeaderSize), PostHeaderLengths: lengths, ServerVersion: "8.0.20"}
		before := bytes.Clone(event)
		body, err := fd.Body(event, false)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(event, body[min(len(body), int(knownLengths[event[4]])):]) || len(body) > len(event)-HeaderSize {
			t.Errorf("body %x of event %x", body, event)
		}
		parseAny(EventType(event[4]), body, fd)
		_, _, _ = fd.ParseRotate(event, false)
		if !bytes.Equal(before, event) {
			t.Error("the event was changed")
		}
	})
}

func FuzzFileReader(f *testing.F) {
	for _, name := range slices.Concat(fixtures, forms) {
		f.Add(fixture(f, name)[:2000])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r := NewFileReader(bytes.NewReader(file))
		var total int64 = int64(len(Magic))
		for {
			ev, err := r.Next()
			if err != nil {
				if err == io.EOF && total != int64(len(file)) {
					t.Errorf("end at %d of %d bytes", total, len(file))
				}
				return
			}
			total += int64(len(ev.Raw))
		}
	})
}

func FuzzGTIDSet(f *testing.F) {
	for _, text := range []string{"", sidA + ":1", sidA + ":1-3:7-9," + sidB + ":4", sidA + ":1:tag:5-7", "726757ad445511e8ae040242ac110002:0", " ,\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseGTIDSet(text)
		if err != nil {
			return
		}
		printed := s.String()
		again, err := ParseGTIDSet(printed)
		if err != nil || !again.Equal(s) {
			t.Fatalf("%q printed %q, which reads as %v, %v", text, printed, again, err)
		}
		decoded, err := ParsePreviousGTIDs(s.Encode())
		if err != nil || !decoded.Equal(s) {
			t.Fatalf("%q encoded, decoded to %v, %v", text, decoded, err)
		}
		if c := s.Clone(); c.String() != printed || !c.ContainsSet(s) {
			t.Errorf("%q cloned is %q", printed, c)
		}
	})
}

func FuzzMariaGTIDSet(f *testing.F) {
	for _, text := range []string{"", "0-1-2", "0-1-2,5-1-7", " 1-2-3 ,\n4-5-6", "4294967295-4294967295-18446744073709551615"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseMariaGTIDSet(text)
		if err != nil {
			return
		}
		again, err := ParseMariaGTIDSet(s.String())
		if err != nil || !again.Equal(s) {
			t.Fatalf("%q printed %q, which reads as %v, %v", text, s, again, err)
		}
	})
}

func FuzzAppendMariaColumn(f *testing.F) {
	f.Add([]byte("\x00short"))
	f.Add([]byte("\x8a\x03\xe8\x4b\x4c\x4a\x1c\x85\xa3\x70\x14\x0e\x73\x08\x00"))
	f.Add([]byte("\x82\x03\xe8\x78\x9c\x4b\x4c\x4a\x1c\x85\xa3\x70\x14\x0e\x73\x08\x00\xca\xa4\x7c\xec"))
	f.Fuzz(func(t *testing.T, cell []byte) {
		if value, err := AppendMariaColumn(nil, cell, fuzzLimit); err == nil && len(value) > fuzzLimit {
			t.Errorf("value of %d bytes", len(value))
		}
	})
}
