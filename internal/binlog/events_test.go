package binlog

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// event makes a whole event without a checksum.
func event(typ EventType, body string) []byte {
	h := make([]byte, HeaderSize, HeaderSize+len(body))
	h[4] = byte(typ)
	binary.LittleEndian.PutUint32(h[9:], uint32(HeaderSize+len(body)))
	return append(h, body...)
}

func TestRotate(t *testing.T) {
	ev := event(EventRotate, "\x04\x00\x00\x00\x00\x00\x00\x00mysql-bin.000007")
	file, pos, err := ParseRotate(ev, false)
	if file != "mysql-bin.000007" || pos != 4 || err != nil {
		t.Errorf("%q, %d, %v", file, pos, err)
	}
	if file, _, err := ParseRotate(append(ev, 1, 2, 3, 4), true); file != "mysql-bin.000007" || err != nil {
		t.Errorf("with checksum: %q, %v", file, err)
	}
	for _, bad := range []string{"", "\x04\x00", "\x04\x00\x00\x00\x00\x00\x00\x00", "\x04\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("x", 600)} {
		if file, _, err := ParseRotate(event(EventRotate, bad), false); err == nil {
			t.Errorf("%d bytes gave %q", len(bad), file)
		}
	}
}

func TestFormatDescription(t *testing.T) {
	fde := func(version uint16, server string, headerLen byte, tail string) []byte {
		body := binary.LittleEndian.AppendUint16(nil, version)
		body = append(body, server+strings.Repeat("\x00", 50-len(server))...)
		body = append(body, 1, 0, 0, 0, headerLen)
		return event(EventFormatDescription, string(body)+tail)
	}
	for _, tc := range []struct {
		server   string
		tail     string
		lengths  int
		checksum bool
	}{
		{"5.5.62-log", "\x38\x0d\x00", 3, false},
		{"5.6.0", "\x38\x0d\x00", 3, false},
		{"5.6.1", "\x38\x0d\x01????", 2, true},
		{"8.0.15", "\x38\x0d\x00????", 2, false},
		{"9.7.4-2", "\x38\x0d\x01????", 2, true},
		{"5.3.0-MariaDB", "\x38\x0d\x01????", 2, true},
		{"5.2.9-MariaDB", "\x38\x0d\x01", 3, false},
		{"10.11.6-MariaDB-log", "\x38\x0d\x01????", 2, true},
		{"5.6-x", "\x38", 1, false}, // no three numbers: taken for old
	} {
		fd, err := ParseFormatDescription(fde(4, tc.server, HeaderSize, tc.tail))
		if err != nil || len(fd.PostHeaderLengths) != tc.lengths || fd.Checksum != tc.checksum || fd.ServerVersion != tc.server {
			t.Errorf("%s: %+v, %v", tc.server, fd, err)
		}
		if want := strings.Contains(tc.server, "MariaDB"); (fd.Flavor() == FlavorMariaDB) != want {
			t.Errorf("%s: flavor %s", tc.server, fd.Flavor())
		}
	}
	for name, bad := range map[string][]byte{
		"version 3":         fde(3, "4.0.1", 13, ""),
		"start event":       event(EventStartV3, strings.Repeat("\x00", 60)),
		"short header":      fde(4, "8.0.1", 18, "\x01\x01????"),
		"no algorithm":      fde(4, "8.0.1", HeaderSize, "\x01"),
		"short":             fde(4, "8.0.1", HeaderSize, "")[:40],
		"shorter than head": {1, 2, 3},
	} {
		if fd, err := ParseFormatDescription(bad); err == nil {
			t.Errorf("%s gave %+v", name, fd)
		}
	}
}

func TestChecksumOfFileInUse(t *testing.T) {
	events, _ := readAll(t, "mysql80")
	raw := bytes.Clone(events[0].Raw)
	raw[flagsOffset] |= flagInUse
	if err := VerifyChecksum(raw); err != nil {
		t.Error(err)
	}
	raw[30] ^= 1
	if err := VerifyChecksum(raw); !errors.Is(err, ErrChecksum) {
		t.Errorf("damaged: %v", err)
	}
	if err := VerifyChecksum(raw[:10]); err == nil {
		t.Error("a short event was accepted")
	}
}

func query(status string) []byte {
	body := []byte("\x01\x00\x00\x00\x02\x00\x00\x00\x02\x03\x00")
	body = binary.LittleEndian.AppendUint16(body, uint16(len(status)))
	return append(body, status+"db\x00SELECT 1\x00x"...)
}

func TestQueryStatusVariables(t *testing.T) {
	const charset = "\x04\x2d\x00\x2e\x00\x08\x00"
	all := "\x00\x01\x00\x00\x00" + "\x01\x02\x00\x00\x00\x00\x00\x00\x00" + "\x02\x03std\x00" + "\x03\x01\x00\x01\x00" + "\x05\x03UTC" + "\x06\x03std" +
		"\x07\x01\x00" + "\x08\x01\x00" + "\x09\x00\x00\x00\x00\x00\x00\x00\x00" + "\x0a\x00\x00\x00\x00" + "\x0b\x04root\x02::" + "\x0c\x02a\x00b\x00" +
		"\x0c\xfe" + "\x0d\x01\x00\x00" + "\x10\x01" + "\x11\x07\x00\x00\x00\x00\x00\x00\x00" + "\x12\xff\x00" + "\x13\x00" + "\x14\x01"
	for _, tc := range []struct {
		name    string
		flavor  Flavor
		status  string
		charset bool
		unknown int
	}{
		{"none", FlavorMySQL, "", false, -1},
		{"all of MySQL", FlavorMySQL, all + charset, true, -1},
		{"unknown behind", FlavorMySQL, charset + "\x63\x01", true, 0x63},
		{"unknown before", FlavorMySQL, "\x63" + charset, false, 0x63},
		{"cut", FlavorMySQL, charset + "\x01\x00", true, 1},
		{"names without end", FlavorMySQL, charset + "\x0c\x02a\x00b", true, 12},
		{"MariaDB", FlavorMariaDB, "\x80\x01\x02\x03" + "\x81\x01\x00\x00\x00\x00\x00\x00\x00" + "\x82\x00" + "\x82\x04\x01\x00\x00\x00\x00\x00\x00\x00" + "\x83\x01\x01\x00\x02\x00" + charset, true, -1},
		{"Percona", FlavorPercona, "\x80\x01" + "\x15\x00" + charset, true, -1},
		{"PolarDB-X", FlavorMySQL, "\x16\x00\xc8\x00\x00\x00\x00\x00\x00\x00\x00\xfc\x00\xfd\x00\xfe\x01a\xff\x00" + charset, true, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := ParseQuery(query(tc.status), tc.flavor)
			if err != nil {
				t.Fatal(err)
			}
			if q.ThreadID != 1 || q.ExecTime != 2 || q.ErrorCode != 3 || string(q.Schema) != "db" || string(q.SQL) != "SELECT 1\x00x" {
				t.Errorf("%+v", q)
			}
			if q.HasCharset != tc.charset || q.UnknownVariable != tc.unknown || tc.charset && (q.ClientCollation != 45 || q.ConnectionCollation != 46 || q.ServerCollation != 8) {
				t.Errorf("charset %t, unknown %d: %+v", q.HasCharset, q.UnknownVariable, q)
			}
		})
	}
	q, err := ParseQuery(query(all), FlavorMySQL)
	if err != nil || q.Flags2 != 1 || q.SQLMode != 2 || string(q.TimeZone) != "UTC" || q.Microseconds != 1 || q.DDLXID != 7 {
		t.Errorf("%+v, %v", q, err)
	}
	good := query(charset)
	for n := range len(good) - len("SELECT 1\x00x") {
		if _, err := ParseQuery(good[:n], FlavorMySQL); err == nil {
			t.Errorf("%d bytes were accepted", n)
		}
	}
}

func TestSmallEvents(t *testing.T) {
	if xid, err := ParseXID([]byte("\x01\x00\x00\x00\x00\x00\x00\x80")); xid != 1<<63+1 || err != nil {
		t.Errorf("xid %d, %v", xid, err)
	}
	if text, err := ParseRowsQuery([]byte("\x05INSERT 1")); string(text) != "INSERT 1" || err != nil {
		t.Errorf("rows query %q, %v", text, err)
	}
	if code, text, err := ParseIncident([]byte("\x01\x00\x04lost")); code != 1 || string(text) != "lost" || err != nil {
		t.Errorf("incident %d %q, %v", code, text, err)
	}
	if file, err := ParseHeartbeat([]byte("bin.1")); file != "bin.1" || err != nil {
		t.Errorf("heartbeat %q, %v", file, err)
	}
	file, pos, err := ParseHeartbeatV2([]byte("\x07\x01x\x01\x05bin.1\x02\x09\xfe\x00\x00\x00\x00\x01\x00\x00\x00\x00rest"))
	if file != "bin.1" || pos != 1<<32 || err != nil {
		t.Errorf("heartbeat v2 %q %d, %v", file, pos, err)
	}
	p, err := ParseTransactionPayload([]byte("\x02\x03\xfc\xff\x00\x09\x02??\x03\x01\x05\x01\x01\x03\x00abcdef"))
	if p.Compression != CompressionNone || p.UncompressedSize != 5 || string(p.Data) != "abc" || err != nil {
		t.Errorf("payload %+v, %v", p, err)
	}
	for name, err := range map[string]error{
		"xid":          second(ParseXID(nil)),
		"rows query":   second(ParseRowsQuery(nil)),
		"heartbeat":    second(ParseHeartbeat(make([]byte, 600))),
		"payload size": second(ParseTransactionPayload([]byte("\x01\x01\x09\x00abc"))),
		"payload cut":  second(ParseTransactionPayload([]byte("\x02"))),
		"user var":     second(ParseUserVar([]byte("\xff\xff\xff\xffa"))),
		"xa":           second(ParseXAPrepare([]byte("\x00\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xffx"))),
		"gtid list":    second(ParseMariaGTIDList([]byte("\xff\xff\xff\x0f"))),
		"gtid":         second(ParseGTID(make([]byte, 24))),
		"gtid range":   second(ParseGTID(bytes.Repeat([]byte{0xff}, 25))),
		"checkpoint":   second(ParseMariaCheckpoint([]byte("\xff\xff\xff\xffx"))),
	} {
		if err == nil {
			t.Errorf("%s: malformed input was accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestMariaGTIDFlags(t *testing.T) {
	fixed := "\x07\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00"
	for _, tc := range []struct {
		name, rest string
		check      func(e MariaGTIDEvent) bool
	}{
		{"padded", "\x01\x00\x00\x00\x00\x00\x00", func(e MariaGTIDEvent) bool { return e.Standalone() && e.CommitID == 0 }},
		{"group commit", "\x02\x09\x00\x00\x00\x00\x00\x00\x00", func(e MariaGTIDEvent) bool { return e.CommitID == 9 }},
		{"xa", "\x40\x07\x00\x00\x00\x02\x01abc", func(e MariaGTIDEvent) bool {
			return e.XID.FormatID == 7 && string(e.XID.GTRID) == "ab" && string(e.XID.BQual) == "c"
		}},
		{"end of alter", "\x21\x05\x02\x08\x00\x00\x00\x00\x00\x00\x00", func(e MariaGTIDEvent) bool { return e.AlterSequence == 8 }},
		{"thread", "\x00\x10\x0b\x00\x00\x00", func(e MariaGTIDEvent) bool { return e.ThreadID == 11 }},
	} {
		e, err := ParseMariaGTID([]byte(fixed+tc.rest), 3)
		if err != nil || e.GTID.String() != "5-3-7" || !tc.check(e) {
			t.Errorf("%s: %+v, %v", tc.name, e, err)
		}
	}
	for _, bad := range []string{"", "\x02\x09", "\x40\x07\x00\x00\x00\xff\x01abc"} {
		if e, err := ParseMariaGTID([]byte(fixed+bad), 3); err == nil {
			t.Errorf("%q gave %+v", bad, e)
		}
	}
}

func TestGTIDTimesAndVersions(t *testing.T) {
	body := make([]byte, 25)
	body[17] = 1
	body = append(body, 2)
	body = binary.LittleEndian.AppendUint64(body, 3)
	body = binary.LittleEndian.AppendUint64(body, 4)
	body = append(body, 5, 0, 0, 0, 0, 0, 0x80, 6, 0, 0, 0, 0, 0, 0) // the commit here, then at the origin
	body = append(body, 0xfc, 0x00, 0x01)                            // transaction length
	body = append(body, 1, 0, 0, 0x80, 2, 0, 0, 0)
	e, err := ParseGTID(body)
	if err != nil || e.LastCommitted != 3 || e.SequenceNumber != 4 || e.ImmediateCommit != 5 || e.OriginalCommit != 6 ||
		e.TransactionLength != 256 || e.ImmediateVersion != 1 || e.OriginalVersion != 2 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, n := range []int{25, 42, 56, 59} { // what 5.6, 5.7 and the 8.0 milestones wrote
		if _, err := ParseGTID(body[:n]); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestTaggedGTIDUnknownFields(t *testing.T) {
	events, _ := readAll(t, "mysql97")
	for _, ev := range events {
		if ev.Header.Type != EventGTIDTagged {
			continue
		}
		want, err := ParseGTIDTagged(ev.Body)
		if err != nil {
			t.Fatal(err)
		}
		more := append(bytes.Clone(ev.Body), 20<<1, 1<<1) // a field of the future that may be ignored
		if e, err := ParseGTIDTagged(more); err != nil || e != want {
			t.Errorf("%+v, %v", e, err)
		}
		for n := range ev.Body {
			if e, err := ParseGTIDTagged(ev.Body[:n]); err == nil && n < 25 && e.GTID.Sequence != 0 {
				t.Errorf("%d bytes gave %+v", n, e)
			}
		}
		return
	}
}

func TestCellSize(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tc := range []struct {
		name string
		typ  byte
		meta uint16
		data string
		want int
	}{
		{"null", TypeNull, 0, "", 0},
		{"tiny", TypeTiny, 0, "1", 1},
		{"year", TypeYear, 0, "1", 1},
		{"mediumint", TypeInt24, 0, "123", 3},
		{"old datetime", TypeDatetime, 0, "12345678", 8},
		{"float", TypeFloat, 4, "1234", 4},
		{"double", TypeDouble, 8, "12345678", 8},
		{"time(6)", TypeTime2, 6, "123456", 6},
		{"datetime(1)", TypeDatetime2, 1, "123456", 6},
		{"timestamp(4)", TypeTimestamp2, 4, "123456", 6},
		{"decimal(10,2)", TypeNewDecimal, 10<<8 | 2, long, 5},
		{"decimal(65,30)", TypeNewDecimal, 65<<8 | 30, long, 30},
		{"bit(1)", TypeBit, 0x0001, long, 1},
		{"bit(64)", TypeBit, 0x0800, long, 8},
		{"enum", TypeString, 0xf702, long, 2},
		{"set", TypeString, 0xf808, long, 8},
		{"bare set", TypeSet, 0xf808, long, 8},
		{"char", TypeString, 0xfe0a, "\x02ab", 3},
		{"char of 1020 bytes", TypeString, 0xcefc, "\x02\x00ab", 4},
		{"varchar(255)", TypeVarchar, 255, "\x02ab", 3},
		{"varchar(256)", TypeVarchar, 256, "\x02\x00ab", 4},
		{"compressed varchar", TypeVarcharCompressed, 20, "\x02ab", 3},
		{"tinyblob", TypeBlob, 1, "\x02ab", 3},
		{"mediumblob", TypeBlob, 3, "\x02\x00\x00ab", 5},
		{"json", TypeJSON, 4, "\x02\x00\x00\x00ab", 6},
		{"vector", TypeVector, 4, "\x04\x00\x00\x00abcd", 8},
		{"geometry", TypeGeometry, 4, "\x00\x00\x00\x00", 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := CellSize(tc.typ, tc.meta, []byte(tc.data)); got != tc.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, tc.want)
			}
			if n := tc.want - 1; n >= 0 {
				if got, err := CellSize(tc.typ, tc.meta, []byte(tc.data)[:n]); err == nil {
					t.Errorf("%d bytes gave %d", n, got)
				}
			}
		})
	}
}

func TestCellSizeRefused(t *testing.T) {
	data := make([]byte, 100)
	for _, tc := range []struct {
		typ  byte
		meta uint16
		want string
	}{
		{TypeBool, 0, "BOOL(244)"}, {TypeInvalid, 0, "INVALID(243)"}, {TypeTypedArray, 0, "TYPED_ARRAY(20)"}, {TypeDecimal, 0, "DECIMAL(0)"},
		{200, 0, "unknown type 200"}, {TypeBlob, 5, "BLOB"}, {TypeBlob, 0, "BLOB"}, {TypeFloat, 3, "FLOAT"}, {TypeTime2, 7, "TIME2"},
		{TypeNewDecimal, 0, "NEWDECIMAL"}, {TypeNewDecimal, 5<<8 | 6, "NEWDECIMAL"}, {TypeBit, 0x0908, "BIT"}, {TypeString, 0xf501, "JSON"},
	} {
		if n, err := CellSize(tc.typ, tc.meta, data); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("type %d, metadata %#x: %d, %v; want an error with %q", tc.typ, tc.meta, n, err, tc.want)
		}
	}
}

// tableMap makes a body with one-byte lengths.
func tableMap(types, meta, nulls, optional string) []byte {
	return []byte("\x07\x00\x00\x00\x00\x00\x01\x00\x01d\x00\x01t\x00" + string(rune(len(types))) + types + string(rune(len(meta))) + meta + nulls + optional)
}

func TestTableMapRefused(t *testing.T) {
	var typeErr *ColumnTypeError
	_, err := ParseTableMap(tableMap("\x03\xf4\x03", "", "\x00", ""), nil)
	if !errors.As(err, &typeErr) || typeErr.Type != TypeBool || typeErr.Column != 1 || typeErr.TableID != 7 || typeErr.Schema != "d" || typeErr.Table != "t" {
		t.Errorf("%v", err)
	}
	if text := err.Error(); text != "column 2 of table d.t has binlog type 244, which this version does not know" {
		t.Error(text)
	}
	_, err = ParseTableMap(tableMap("\x03\x63\x03", "", "\x00", "\x63\x01?\x04\x08\x02id\x02éa"+"\x00"), nil)
	if text := err.Error(); text != "column 2 (é) of table d.t has binlog type 99, which this version does not know" {
		t.Error(text)
	}
	for name, body := range map[string][]byte{
		"no null bitmap":    tableMap("\x03\x03", "", "", ""),
		"metadata missing":  tableMap("\x0f", "", "\x00", ""),
		"metadata too long": tableMap("\x03", "\x01", "\x00", ""),
		"columns":           []byte("\x07\x00\x00\x00\x00\x00\x01\x00\x01d\x00\x01t\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff"),
		"too many columns":  []byte("\x07\x00\x00\x00\x00\x00\x01\x00\x01d\x00\x01t\x00\xfc\x01\x10" + strings.Repeat("\x03", 4097) + "\x00" + strings.Repeat("\x00", 513)),
	} {
		if m, err := ParseTableMap(body, nil); err == nil {
			t.Errorf("%s gave %+v", name, m)
		}
	}
}

func TestTableMapArray(t *testing.T) {
	m, err := ParseTableMap(tableMap("\x14\x14\x14\x03", "\x0f\x50\x00\x00"+"\xf6\x0a\x02"+"\x08", "\x0f", ""), nil)
	if err != nil || m.Meta[0] != 80 || m.Meta[1] != 10<<8|2 || m.Meta[2] != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestMetadataRefused(t *testing.T) {
	for name, optional := range map[string]string{
		"cut field":            "\x01\x05\x00",
		"too many flags":       "\x01\x02\x00\x00",
		"no flags":             "\x01\x00",
		"charset beyond":       "\x02\x03\x2d\x05\x08",
		"collation too great":  "\x03\x04\xfd\x00\x00\x01",
		"names short":          "\x04\x02\x01a",
		"enum count":           "\x06\x01\x05",
		"key column":           "\x08\x01\x03",
		"key prefix cut":       "\x09\x01\x00",
		"null marker":          "\xc8\xfb",
		"visibility too short": "\x0c\x00",
	} {
		m, err := ParseTableMap(tableMap("\x03\x0f\xfe", "\x0a\x00\xf7\x01", "\x00", optional), nil)
		if err != nil {
			t.Fatal(err)
		}
		if md, err := m.Metadata(); err == nil {
			t.Errorf("%s gave %+v", name, md)
		}
	}
	m, err := ParseTableMap(tableMap("\x03\x0f\xfe", "\x0a\x00\xf7\x01", "\x00", "\xc8\x03xyz\x01\x01\x80\x0b\x01\x08"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if md, err := m.Metadata(); err != nil || !md.Columns[0].Unsigned || md.Columns[2].Collation != 8 {
		t.Errorf("behind an unknown field: %+v, %v", md, err)
	}
}

func TestRowsOldHeaderAndExtra(t *testing.T) {
	old := &FormatDescription{PostHeaderLengths: bytes.Repeat([]byte{6}, 40)}
	r, err := ParseRows(EventWriteRowsV1, []byte("\x07\x00\x00\x00\x01\x00\x01\xffdata"), old)
	if err != nil || r.TableID != 7 || r.Flags != RowsFlagStatementEnd || string(r.Data) != "data" {
		t.Errorf("4-byte id: %+v, %v", r, err)
	}
	r, err = ParseRows(EventUpdateRowsV2, []byte("\x07\x00\x00\x00\x00\x00\x00\x00\x0b\x00\x00\x03\x00?\x01\x05\x00\x06\x00\x01\x01\x01"), nil)
	if id, source, ok := r.Partition(); err != nil || !ok || id != 5 || source != 6 || len(r.Data) != 0 {
		t.Errorf("partition %d %d %t behind NDB's: %+v, %v", id, source, ok, r, err)
	}
	for _, extra := range []string{"\x00", "\x00\xff", "\x01\x05", "\x02\x00", ""} {
		r := Rows{Kind: RowsInsert, Extra: []byte(extra)}
		if _, _, ok := r.Partition(); ok {
			t.Errorf("%q has a partition", extra)
		}
	}
	for name, bad := range map[string]string{
		"extra length": "\x07\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x01",
		"bitmap":       "\x07\x00\x00\x00\x00\x00\x00\x00\x02\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		if r, err := ParseRows(EventWriteRowsV2, []byte(bad), nil); err == nil {
			t.Errorf("%s gave %+v", name, r)
		}
	}
	if _, err := ParseRows(EventQuery, nil, nil); err == nil {
		t.Error("a query was taken for rows")
	}
}

func compressed(head byte, size uint16, data string) string {
	var b bytes.Buffer
	b.WriteByte(head)
	_ = binary.Write(&b, binary.BigEndian, size)
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(data))
	_ = z.Close()
	return b.String()
}

func TestDecompressMaria(t *testing.T) {
	const fixed = "\x07\x00\x00\x00\x00\x00\x01\x00"
	for c, plain := range map[EventType]EventType{EventMariaWriteRowsV1C: EventWriteRowsV1, EventMariaDeleteRowsV1C: EventDeleteRowsV1} {
		typ, body, err := DecompressMariaRows(c, []byte(fixed+"\x01\xff"+compressed(0x82, 4, "data")), 4)
		if typ != plain || string(body) != fixed+"\x01\xffdata" || err != nil {
			t.Errorf("type %d: %d %q, %v", c, typ, body, err)
		}
	}
	typ, body, err := DecompressMariaRows(EventMariaUpdateRowsV2C, []byte(fixed+"\x02\x00\x01\xff\xff"+compressed(0x82, 4, "data")), 4)
	if typ != EventUpdateRowsV2 || string(body) != fixed+"\x02\x00\x01\xff\xffdata" || err != nil {
		t.Errorf("version 2: %d %q, %v", typ, body, err)
	}
	damaged := compressed(0x82, 4, "data")
	for name, part := range map[string]string{
		"empty":          "",
		"algorithm":      compressed(0x92, 4, "data"),
		"no mark":        compressed(0x02, 4, "data"),
		"over the limit": compressed(0x82, 5, "data!"),
		"too short":      compressed(0x82, 4, "dat"),
		"too long":       compressed(0x82, 3, "data"),
		"no stream":      "\x81\x04junk",
		"damaged":        damaged[:len(damaged)-1] + "?",
	} {
		if _, body, err := DecompressMariaRows(EventMariaWriteRowsV1C, []byte(fixed+"\x01\xff"+part), 4); err == nil {
			t.Errorf("%s gave %q", name, body)
		}
	}
	if _, body, err := DecompressMariaRows(EventMariaWriteRowsV1C, []byte(fixed+"\x01\xff\x84\x3f\xff\xff\xffx"), 1<<30); err == nil {
		t.Errorf("a byte unpacked to %d", len(body))
	}
	if _, _, err := DecompressMariaRows(EventWriteRowsV1, []byte(fixed), 4); err == nil {
		t.Error("a plain event was accepted")
	}
	if _, err := DecompressMariaQuery([]byte("short"), 4); err == nil {
		t.Error("a short query was accepted")
	}
}

// The row is one that MariaDB 10.11 wrote with mysql56_temporal_format=OFF.
func TestOldMariaTemporalFractions(t *testing.T) {
	m, err := ParseTableMap(unhex(t, "240000000000010008685f62696e6c6f670001680008030b0c070b0c070300fe"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRows(EventWriteRowsV1, unhex(t, "240000000000010008ff000100000000b6bad21501027abd7379de4065e079f04e01cd71d200a965a7fc6765e079f001e24044332211"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, digits := range map[int]uint16{1: 3, 2: 6, 3: 2, 4: 1, 5: 1, 6: 6} {
		m.Meta[i] = digits
	}
	img, err := m.Image(r.Present, r.Data, false)
	if err != nil || img.Size != len(r.Data) || !bytes.HasSuffix(img.Cells, []byte{0x44, 0x33, 0x22, 0x11}) {
		t.Errorf("image of %d in %d bytes, %v", img.Size, len(r.Data), err)
	}
	for _, typ := range []byte{TypeTime, TypeDatetime, TypeTimestamp} {
		if n, err := CellSize(typ, 7, make([]byte, 20)); err == nil {
			t.Errorf("7 digits of %s in %d bytes", TypeName(typ), n)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The cells are what MariaDB 10.11 wrote.
func TestAppendMariaColumn(t *testing.T) {
	for _, tc := range []struct{ name, cell, want string }{
		{"empty", "", ""},
		{"stored", "0073686f7274", "short"},
		{"stored empty", "00", ""},
		{"deflate", "8a03e84b4c4a1c85a370140e730800", strings.Repeat("ab", 500)},
		{"zlib", "8203e8789c4b4c4a1c85a370140e730800caa47cec", strings.Repeat("ab", 500)},
	} {
		got, err := AppendMariaColumn([]byte("x"), unhex(t, tc.cell), 1000)
		if err != nil || string(got) != "x"+tc.want {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
	}
	for name, cell := range map[string]string{
		"method": "9a03e8", "no length": "88", "cut length": "8a03", "cut stream": "8a03e84b4c", "wrong length": "8a03e74b4c4a1c85a370140e730800",
		"over the limit": "8a03e94b4c4a1c85a370140e730800", "adler": "8203e8789c4b4c4a1c85a370140e730800caa47ced", "not zlib": "820001ffff",
	} {
		if got, err := AppendMariaColumn(nil, unhex(t, cell), 1000); err == nil {
			t.Errorf("%s gave %d bytes", name, len(got))
		}
	}
	if _, err := AppendMariaColumn(nil, unhex(t, "0073686f7274"), 4); err == nil {
		t.Error("a stored value over the limit was accepted")
	}
}
