package binlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// replay follows the events of a fixture as a reader would and keeps what the
// tests ask about.
type replay struct {
	fd      *FormatDescription
	maps    map[uint64]*TableMap
	byName  map[string][]*TableMap
	rows    map[string]int // "insert tx" → images
	images  map[string][]Image
	queries []Query
	gtids   GTIDSet
	maria   MariaGTIDSet
	types   map[EventType]int
	events  []FileEvent
}

func replayFixture(t *testing.T, name string) *replay {
	t.Helper()
	r := &replay{maps: map[uint64]*TableMap{}, byName: map[string][]*TableMap{}, rows: map[string]int{}, images: map[string][]Image{}, types: map[EventType]int{}}
	r.events, r.fd = readAll(t, name)
	for _, ev := range r.events {
		if err := r.apply(ev); err != nil {
			t.Fatalf("event type %d at %d: %v", ev.Header.Type, ev.Offset, err)
		}
	}
	return r
}

func (r *replay) apply(ev FileEvent) error {
	r.types[ev.Header.Type]++
	typ, body, err := plain(ev)
	if err != nil {
		return err
	}
	switch typ {
	case EventQuery:
		q, err := ParseQuery(body, r.fd.Flavor())
		if err == nil && q.UnknownVariable >= 0 {
			err = fmt.Errorf("status variable %d is not known", q.UnknownVariable)
		}
		r.queries = append(r.queries, q)
		return err
	case EventGTID:
		e, err := ParseGTID(body)
		r.gtids.Add(e.GTID)
		return err
	case EventGTIDTagged:
		e, err := ParseGTIDTagged(body)
		r.gtids.Add(e.GTID)
		return err
	case EventPreviousGTIDs:
		s, err := ParsePreviousGTIDs(body)
		if err == nil {
			r.gtids.AddSet(s)
		}
		return err
	case EventMariaGTID:
		e, err := ParseMariaGTID(body, ev.Header.ServerID)
		r.maria.Add(e.GTID)
		return err
	case EventTableMap:
		return r.applyTableMap(body)
	}
	if kind, _ := rowsKind(typ); kind != 0 {
		return r.applyRows(typ, body)
	}
	return nil
}

// plain undoes MariaDB's compression.
func plain(ev FileEvent) (EventType, []byte, error) {
	switch typ := ev.Header.Type; {
	case typ == EventMariaQueryCompressed:
		body, err := DecompressMariaQuery(ev.Body, 1<<20)
		return EventQuery, body, err
	case typ >= EventMariaWriteRowsV1C && typ <= EventMariaDeleteRowsV2C:
		return DecompressMariaRows(typ, ev.Body, 1<<20)
	default:
		return typ, ev.Body, nil
	}
}

func (r *replay) applyTableMap(body []byte) error {
	m, err := ParseTableMap(body, r.fd)
	if err != nil {
		return err
	}
	if _, err := m.Metadata(); err != nil {
		return err
	}
	r.maps[m.ID] = m
	if string(m.Schema) == "h_binlog" {
		r.byName[string(m.Name)] = append(r.byName[string(m.Name)], m)
	}
	return nil
}

func (r *replay) applyRows(typ EventType, body []byte) error {
	rows, err := ParseRows(typ, body, r.fd)
	if err != nil {
		return err
	}
	m := r.maps[rows.TableID]
	if m == nil || rows.ColumnCount != m.ColumnCount() {
		return fmt.Errorf("table id %d of %d columns: have %+v", rows.TableID, rows.ColumnCount, m)
	}
	for n, data := 0, rows.Data; len(data) > 0; n++ {
		present, after := rows.Present, rows.Kind == RowsUpdate && n%2 == 1
		if after {
			present = rows.PresentAfter
		}
		img, err := m.Image(present, data, after && rows.Partial)
		if err != nil {
			return err
		}
		data = data[img.Size:]
		if string(m.Schema) == "h_binlog" {
			key := rows.Kind.String() + " " + string(m.Name)
			r.rows[key]++
			r.images[key] = append(r.images[key], img)
		}
	}
	return nil
}

func TestFixtureRows(t *testing.T) {
	common := map[string]int{
		"insert types": 5, "update types": 10, "delete types": 2,
		"insert tx": 5, "update tx": 2, "delete tx": 1, "insert my": 1,
		"insert part": 1, "update part": 2, "delete part": 1,
		"insert a1": 101, "insert a2": 1, "update a1": 2, "update a2": 2, "insert t 表": 1,
	}
	for name, extra := range map[string]map[string]int{
		"mysql56": {"insert tx": 4}, // the rolled back XA transaction never gets into the log
		"mysql57": {"insert gen": 1},
		"mysql80": {"insert gen": 1, "insert js": 1, "update js": 8, "insert fidx": 1, "update fidx": 2, "insert types": 6, "insert meta": 1},
		"mysql97": {"insert gen": 1, "insert js": 1, "update js": 8, "insert fidx": 1, "update fidx": 2, "insert types": 6, "insert meta": 1,
			"insert vis": 1, "insert tx": 7}, // and ten more, compressed
		"mariadb1011": {"insert types": 6, "insert meta": 1, "insert tx": 8, "update tx": 4, "delete tx": 2, "insert old_temporal": 1},
	} {
		t.Run(name, func(t *testing.T) {
			want := maps.Clone(common)
			maps.Copy(want, extra)
			r := replayFixture(t, name)
			for key := range want {
				if r.rows[key] != want[key] {
					t.Errorf("%s: %d images, want %d", key, r.rows[key], want[key])
				}
			}
			for key := range r.rows {
				if want[key] == 0 {
					t.Errorf("%s: %d images, want none", key, r.rows[key])
				}
			}
		})
	}
}

// The last column of the table with all types stands where the cells before it
// say; its value proves that their sizes are right.
func TestFixtureCellsEndRight(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			r := replayFixture(t, name)
			for i, want := range []int32{2147483647, -1, 1, 2} {
				cells := r.images["insert types"][i].Cells
				if got := int32(binary.LittleEndian.Uint32(cells[len(cells)-4:])); got != want {
					t.Errorf("row %d: last column %d, want %d", i, got, want)
				}
			}
		})
	}
}

func TestFixtureGTIDs(t *testing.T) {
	for _, name := range fixtures[:4] {
		t.Run(name, func(t *testing.T) {
			r := replayFixture(t, name)
			text := r.gtids.String()
			if strings.Contains(text, ",") || !strings.Contains(text, ":1-") {
				t.Errorf("set %q, want one server without gaps", text)
			}
			if tagged := strings.Contains(text, ":tag_1:1-2"); tagged != (name == "mysql97") || tagged != r.gtids.Tagged() {
				t.Errorf("set %q: tagged %t", text, tagged)
			}
			decoded, err := ParsePreviousGTIDs(r.gtids.Encode())
			if err != nil || !decoded.Equal(&r.gtids) {
				t.Errorf("encoded and decoded: %v, %v", decoded, err)
			}
		})
	}
	r := replayFixture(t, "mariadb1011")
	if got, want := r.maria.String(), "0-1011-56,5-1011-1"; got != want {
		t.Errorf("mariadb: %q, want %q", got, want)
	}
}

func TestFixtureGTIDEvents(t *testing.T) {
	first := func(name string, typ EventType) GTIDEvent {
		t.Helper()
		events, _ := readAll(t, name)
		for _, ev := range events {
			if ev.Header.Type != typ {
				continue
			}
			parse := ParseGTID
			if typ == EventGTIDTagged {
				parse = ParseGTIDTagged
			}
			e, err := parse(ev.Body)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		t.Fatalf("%s has no event of type %d", name, typ)
		return GTIDEvent{}
	}
	if e := first("mysql56", EventGTID); e.SequenceNumber != 0 || e.ImmediateCommit != 0 {
		t.Errorf("5.6: %+v, want no logical clock and no times", e)
	}
	if e := first("mysql57", EventGTID); e.SequenceNumber != 1 || e.LastCommitted != 0 || e.ImmediateCommit != 0 {
		t.Errorf("5.7: %+v, want a logical clock and no times", e)
	}
	for name, typ := range map[string]EventType{"mysql80": EventGTID, "mysql97": EventGTIDTagged} {
		version := map[string]uint32{"mysql80": 80015, "mysql97": 90704}[name]
		e := first(name, typ)
		if e.SequenceNumber <= e.LastCommitted || e.ImmediateVersion != version || e.OriginalVersion != version ||
			e.ImmediateCommit < 1.7e15 || e.OriginalCommit != e.ImmediateCommit || e.TransactionLength < 100 {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestFixtureQueries(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			r := replayFixture(t, name)
			for _, want := range []string{
				"CREATE DATABASE h_binlog", "ALTER TABLE tx ADD COLUMN `中文`", "CREATE TABLE `t 表`", "RENAME TABLE `t 表` TO renamed",
				"TRUNCATE TABLE renamed", "INSERT INTO st (s) VALUES (@s)", "DROP DATABASE h_binlog",
			} {
				found := false
				for _, q := range r.queries {
					if bytes.HasPrefix(q.SQL, []byte(want)) {
						found = true
						if !q.HasCharset || q.ClientCollation != 45 && q.ClientCollation != 255 || string(q.Schema) != "h_binlog" || q.SQLMode == 0 {
							t.Errorf("%+v: want utf8mb4, the schema and the SQL mode", q)
						}
					}
				}
				if !found {
					t.Errorf("no query begins with %q", want)
				}
			}
		})
	}
}

func TestFixtureStatementEvents(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			events, _ := readAll(t, name)
			var vars []string
			rands, intvars := 0, map[uint8][]uint64{}
			for _, ev := range events {
				var err error
				switch ev.Header.Type {
				case EventUserVar:
					var v UserVar
					v, err = ParseUserVar(ev.Body)
					vars = append(vars, fmt.Sprintf("%s null=%t type=%d unsigned=%t %x", v.Name, v.Null, v.Type, v.Unsigned, v.Value))
				case EventRand:
					_, _, err = ParseRand(ev.Body)
					rands++
				case EventIntvar:
					typ, n, e := ParseIntvar(ev.Body)
					intvars[typ], err = append(intvars[typ], n), e
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			want := []string{
				"s null=false type=0 unsigned=false 69742773",
				"i null=false type=2 unsigned=false fbffffffffffffff",
				"d null=false type=1 unsigned=false 000000000000f83f",
				"u null=false type=2 unsigned=true ffffffffffffffff",
				"n null=false type=4 unsigned=false 05038c0159",
				"z null=true type=0 unsigned=false ",
			}
			if strings.Join(vars, "\n") != strings.Join(want, "\n") {
				t.Errorf("user variables:\n%s\nwant:\n%s", strings.Join(vars, "\n"), strings.Join(want, "\n"))
			}
			if rands != 1 || fmt.Sprint(intvars[IntvarInsertID]) != "[1 2 3 4 5 6]" || fmt.Sprint(intvars[IntvarLastInsertID]) != "[5]" {
				t.Errorf("%d seeds, intvars %v", rands, intvars)
			}
		})
	}
}

func TestFixtureMetadata(t *testing.T) {
	for _, name := range []string{"mysql80", "mysql97", "mariadb1011"} {
		t.Run(name, func(t *testing.T) {
			r := replayFixture(t, name)
			all := r.byName["types"]
			m := all[len(all)-1]
			md, err := m.Metadata()
			if err != nil || !md.HasNames || !md.HasSignedness {
				t.Fatalf("metadata %+v, %v", md, err)
			}
			for i, c := range md.Columns {
				unsigned := strings.HasSuffix(string(c.Name), "u") || string(c.Name) == "id" || string(c.Name) == "c_dec20"
				if numeric := isNumeric(m.Types[i]); numeric && (c.Unsigned != unsigned || !c.SignKnown) || c.SignKnown && !numeric && m.Types[i] != TypeYear {
					t.Errorf("%s: unsigned %t, known %t", c.Name, c.Unsigned, c.SignKnown)
				}
				switch string(c.Name) {
				case "c_enum300":
					if len(c.Members) != 300 || string(c.Members[299]) != "e299" {
						t.Errorf("%s: members %q", c.Name, c.Members)
					}
				case "c_set64":
					if len(c.Members) != 64 || string(c.Members[63]) != "s63" {
						t.Errorf("%s: members %q", c.Name, c.Members)
					}
				case "c_latin1":
					checkCollation(t, c, 8)
				case "c_gbk":
					checkCollation(t, c, 28)
				case "c_bin", "c_vbin300", "c_tblob", "c_lblob", "c_cblob", "c_vector", "c_uuid":
					checkCollation(t, c, 63)
				case "c_char", "c_vchar3000", "c_ttext", "c_ltext", "c_ctext", "c_cvchar", "c_enum", "c_set":
					checkCollation(t, c, map[bool]uint32{true: 45, false: 255}[name == "mariadb1011"])
				case "c_point":
					if c.GeometryType != 1 {
						t.Errorf("%s: geometry type %d", c.Name, c.GeometryType)
					}
				}
			}
			if len(md.PrimaryKey) != 1 || md.PrimaryKey[0] != (KeyColumn{}) {
				t.Errorf("primary key %v", md.PrimaryKey)
			}
			checkMetaTable(t, r.byName["meta"][0])
		})
	}
}

func checkCollation(t *testing.T, c ColumnMetadata, want uint32) {
	t.Helper()
	if c.Collation != want {
		t.Errorf("%s: collation %d, want %d", c.Name, c.Collation, want)
	}
}

func checkMetaTable(t *testing.T, m *TableMap) {
	t.Helper()
	md, err := m.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(md.Columns[1].Name); got != "列" {
		t.Errorf("column name %q", got)
	}
	if got := md.Columns[3].Members; len(got) != 2 || string(got[1]) != "\xe9" {
		t.Errorf("enum members %q, want the second in latin1", got)
	}
	if got := fmt.Sprint(md.PrimaryKey); got != "[{2 2} {0 0}]" {
		t.Errorf("primary key %s, want the first two characters of b, then a", got)
	}
	if a, i := md.Columns[0], md.Columns[9]; !a.Unsigned || i.Unsigned {
		t.Errorf("a unsigned %t, i unsigned %t, want true and false behind a YEAR", a.Unsigned, i.Unsigned)
	}
	if m.Nullable(0) || !m.Nullable(1) {
		t.Errorf("null bitmap %x", m.NullBitmap)
	}
}

func TestFixtureVectorAndVisibility(t *testing.T) {
	r := replayFixture(t, "mysql97")
	md, err := r.byName["vis"][0].Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if !md.HasVisibility || !md.Columns[0].Visible || md.Columns[1].Visible || md.Columns[2].Dimensions != 5 || md.Columns[3].Dimensions != 2000 {
		t.Errorf("%+v", md.Columns)
	}
}

// Between 8.0.15 and 8.0.29 it is not known whether YEAR has a bit.
func TestSignednessUnknownBehindYear(t *testing.T) {
	events, fd := readAll(t, "mysql97")
	for version, known := range map[string]bool{"8.0.15": true, "8.0.20": false, "8.0.29": true, "8.4.0": true, "9.7.4": true} {
		old := *fd
		old.ServerVersion = version
		for _, ev := range events {
			if ev.Header.Type != EventTableMap || !bytes.Contains(ev.Body, []byte("types")) {
				continue
			}
			m, err := ParseTableMap(ev.Body, &old)
			if err != nil {
				t.Fatal(err)
			}
			md, err := m.Metadata()
			if err != nil {
				t.Fatal(err)
			}
			if !md.Columns[2].SignKnown || !md.Columns[2].Unsigned || md.Columns[5].SignKnown != known {
				t.Errorf("%s: before the YEAR %+v, after %+v", version, md.Columns[2], md.Columns[5])
			}
			break
		}
	}
}

func TestFixturePartialUpdate(t *testing.T) {
	for _, name := range []string{"mysql80", "mysql97"} {
		r := replayFixture(t, name)
		images := r.images["update js"]
		var got []string
		for i := 1; i < len(images); i += 2 {
			got = append(got, fmt.Sprintf("%x", images[i].Partial))
		}
		// differences in j and perhaps k; in j only, k in full; the last two do not touch j
		if len(got) != 4 || got[1] != "01" || r.types[EventPartialUpdateRows] != 4 {
			t.Errorf("%s: partial bits %q of %d events", name, got, r.types[EventPartialUpdateRows])
		}
	}
}

func TestFixturePartition(t *testing.T) {
	events, fd := readAll(t, "mysql97")
	var got []string
	for _, ev := range events {
		if kind, version := rowsKind(ev.Header.Type); kind != 0 && version == 2 {
			rows, err := ParseRows(ev.Header.Type, ev.Body, fd)
			if err != nil {
				t.Fatal(err)
			}
			if id, source, ok := rows.Partition(); ok {
				got = append(got, fmt.Sprintf("%s %d←%d", rows.Kind, id, source))
			}
		}
	}
	if text := fmt.Sprint(got); text != "[insert 1←1 update 2←1 delete 2←2]" {
		t.Errorf("partitions %s", text)
	}
}

func TestFixtureXA(t *testing.T) {
	for _, name := range []string{"mysql57", "mysql80", "mysql97", "mariadb1011"} {
		events, _ := readAll(t, name)
		var got []string
		for _, ev := range events {
			if ev.Header.Type == EventXAPrepare {
				x, err := ParseXAPrepare(ev.Body)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%t %d %s %s", x.OnePhase, x.XID.FormatID, x.XID.GTRID, x.XID.BQual))
			}
			if ev.Header.Type == EventMariaGTID {
				e, err := ParseMariaGTID(ev.Body, ev.Header.ServerID)
				if err != nil {
					t.Fatal(err)
				}
				if e.Flags&MariaCompletedXA != 0 {
					got = append(got, fmt.Sprintf("done %s", e.XID.GTRID))
				}
			}
		}
		want := "false 7 gtrid bqual|true 1 one |false 1 back "
		if name == "mariadb1011" {
			want = "false 7 gtrid bqual|done gtrid|false 1 back |done back"
		}
		if text := strings.Join(got, "|"); text != want {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
	}
}

func TestFixturePayload(t *testing.T) {
	events, _ := readAll(t, "mysql97")
	for _, ev := range events {
		if ev.Header.Type != EventTransactionPayload {
			continue
		}
		p, err := ParseTransactionPayload(ev.Body)
		if err != nil {
			t.Fatal(err)
		}
		if p.Compression != CompressionZstd || p.UncompressedSize < 2000 || !bytes.HasPrefix(p.Data, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			t.Errorf("payload %d, %d bytes unpacked, begins %x", p.Compression, p.UncompressedSize, p.Data[:4])
		}
		return
	}
	t.Error("no transaction payload")
}

func TestFixtureMariaEvents(t *testing.T) {
	r := replayFixture(t, "mariadb1011")
	for typ, want := range map[EventType]int{EventMariaGTIDList: 1, EventMariaQueryCompressed: 1, EventMariaWriteRowsV1C: 1, EventMariaUpdateRowsV1C: 1, EventMariaDeleteRowsV1C: 1} {
		if r.types[typ] != want {
			t.Errorf("%d events of type %d, want %d", r.types[typ], typ, want)
		}
	}
	for _, ev := range r.events {
		switch ev.Header.Type {
		case EventMariaGTIDList:
			if list, err := ParseMariaGTIDList(ev.Body); err != nil || fmt.Sprint(list) != "[0-1011-1]" {
				t.Errorf("GTID list %v, %v", list, err)
			}
		case EventMariaCheckpoint:
			if file, err := ParseMariaCheckpoint(ev.Body); err != nil || !strings.HasPrefix(file, "mysql-bin.") {
				t.Errorf("checkpoint %q, %v", file, err)
			}
		}
	}
	create := r.queries[len(r.queries)-3]
	if !bytes.HasPrefix(create.SQL, []byte("CREATE TABLE compressed_ddl")) || !bytes.HasSuffix(create.SQL, []byte("compressing'")) {
		t.Errorf("compressed statement %q", create.SQL)
	}
}
