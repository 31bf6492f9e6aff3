package protocol

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// recorded is one line of testdata/entries.jsonl.
type recorded struct {
	line string // with raw
	raw  []byte
}

func recordedEntries(tb testing.TB) []recorded {
	tb.Helper()
	f, err := os.Open("testdata/entries.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var all []recorded
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct{ Raw string }
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			tb.Fatal(err)
		}
		raw, err := hex.DecodeString(entry.Raw)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, recorded{line: lines.Text(), raw: raw})
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return all
}

// recordedRows is the recorded row change of a table and event type.
func recordedRows(tb testing.TB, table string, event EventType) RowChange {
	tb.Helper()
	for _, r := range recordedEntries(tb) {
		e, err := ParseEntry(r.raw)
		if err != nil {
			tb.Fatal(err)
		}
		h := e.Header()
		if h.TableName() == table && h.EventType() == event && h.HasEventType() {
			c, err := e.RowChange()
			if err != nil {
				tb.Fatal(err)
			}
			return c
		}
	}
	tb.Fatalf("no recorded %v of %s", event, table)
	return RowChange{}
}

// message builds a protobuf message field by field.
type message []byte

func (m message) num(field protowire.Number, v int64) message {
	return appendVarint(m, field, v)
}

func (m message) text(field protowire.Number, v string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), v)
}

func (m message) msg(field protowire.Number, v message) message { return m.text(field, string(v)) }

func TestRecordedEntriesReencode(t *testing.T) {
	for _, r := range recordedEntries(t) {
		e, err := ParseEntry(r.raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := reencode(t, &e); !bytes.Equal(got, r.raw) {
			t.Errorf("%s\n got %x\nwant %x", r.line, got, r.raw)
		}
	}
}

// reencode writes an entry from what its views show.
func reencode(t *testing.T, e *Entry) message {
	h := e.Header()
	header := message{}.
		num(1, int64(h.Version())).
		text(2, h.LogfileName()).
		num(3, h.LogfileOffset()).
		num(4, h.ServerID()).
		text(5, h.ServerenCode()).
		num(6, h.ExecuteTime()).
		num(7, int64(h.SourceType()))
	if h.has.has(8) {
		header = header.text(8, h.SchemaName())
	}
	if h.has.has(9) {
		header = header.text(9, h.TableName())
	}
	header = header.num(10, h.EventLength())
	if h.HasEventType() {
		header = header.num(11, int64(h.EventType()))
	}
	header = pairs(header, 12, h.Props())
	if h.GTID() != "" {
		header = header.text(13, h.GTID())
	}
	var store message
	switch e.EntryType() {
	case EntryTransactionBegin:
		b, err := e.TransactionBegin()
		if err != nil {
			t.Fatal(err)
		}
		store = pairs(store, 3, b.Props())
		if b.has.has(4) {
			store = store.num(4, b.ThreadID())
		}
	case EntryTransactionEnd:
		b, err := e.TransactionEnd()
		if err != nil {
			t.Fatal(err)
		}
		store = pairs(store.text(2, b.TransactionID()), 3, b.Props())
	case EntryRowData:
		store = reencodeRowChange(t, e)
	}
	return message{}.msg(1, header).num(2, int64(e.EntryType())).msg(3, store)
}

func reencodeRowChange(t *testing.T, e *Entry) (m message) {
	c, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	if c.has.has(1) {
		m = m.num(1, c.TableID())
	}
	if c.HasEventType() {
		m = m.num(2, int64(c.EventType()))
	}
	if c.has.has(10) {
		m = m.num(10, num(c.IsDDL()))
	}
	if c.has.has(11) {
		m = m.text(11, c.SQL())
	}
	for row := range c.Rows() {
		var r message
		for col := range row.Before() {
			r = r.msg(1, reencodeColumn(&col))
		}
		for col := range row.After() {
			r = r.msg(2, reencodeColumn(&col))
		}
		m = m.msg(12, pairs(r, 3, row.Props()))
	}
	m = pairs(m, 13, c.Props())
	if c.has.has(14) {
		m = m.text(14, c.DDLSchemaName())
	}
	return m
}

func reencodeColumn(c *Column) message {
	m := message{}.
		num(1, int64(c.Index())).
		num(2, int64(c.SQLType())).
		text(3, c.Name()).
		num(4, num(c.IsKey())).
		num(5, num(c.Updated())).
		num(6, num(c.IsNull()))
	if c.HasValue() {
		m = m.text(8, c.Value())
	}
	return m.text(10, c.MysqlType())
}

func pairs(m message, field protowire.Number, props iter.Seq[Pair]) message {
	for p := range props {
		m = m.msg(field, message{}.text(1, p.Key()).text(2, p.Value()))
	}
	return m
}

func num(b bool) int64 { return int64(protowire.EncodeBool(b)) }

func TestEntryDefaults(t *testing.T) {
	e, err := ParseEntry(nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.EntryType() != EntryRowData || e.HasEntryType() {
		t.Errorf("entry type %v, present %v", e.EntryType(), e.HasEntryType())
	}
	h := e.Header()
	if h.Version() != 1 || h.SourceType() != SourceMySQL || h.EventType() != EventUpdate || h.HasEventType() {
		t.Errorf("header: version %d, source %v, event %v, present %v", h.Version(), h.SourceType(), h.EventType(), h.HasEventType())
	}
	c, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	if c.EventType() != EventUpdate || c.HasEventType() || c.IsDDL() || c.NumRows() != 0 {
		t.Errorf("row change: event %v, present %v, ddl %v, %d rows", c.EventType(), c.HasEventType(), c.IsDDL(), c.NumRows())
	}
}

// Enums are closed in Canal's Java classes: a number without a name is absent.
func TestUnknownEnumNumbersAreAbsent(t *testing.T) {
	for _, n := range []int64{0, 16, 99, -1, 1 << 33} {
		header := message{}.num(7, n).num(11, n)
		e, err := ParseEntry(message{}.msg(1, header).num(2, n).msg(3, message{}.num(2, n)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := e.RowChange()
		if err != nil {
			t.Fatal(err)
		}
		h := e.Header()
		if e.HasEntryType() || h.HasEventType() || c.HasEventType() || h.SourceType() != SourceMySQL || c.EventType() != EventUpdate {
			t.Errorf("%d: %v %v %v", n, e.EntryType(), h.EventType(), c.EventType())
		}
	}
}

func TestParseEntryTolerates(t *testing.T) {
	split := message{}.
		msg(1, message{}.text(2, "a").num(3, 5).msg(12, message{}.text(1, "k1").text(2, "v1"))).
		num(2, 3).
		msg(1, message{}.text(2, "b").msg(12, message{}.text(1, "k2").text(2, "v2")))
	e, err := ParseEntry(split)
	if err != nil {
		t.Fatal(err)
	}
	h := e.Header()
	if h.LogfileName() != "b" || h.LogfileOffset() != 5 {
		t.Errorf("merged header has %s:%d", h.LogfileName(), h.LogfileOffset())
	}
	if v, _ := h.Prop("k1"); v != "v1" {
		t.Errorf("k1 is %q", v)
	}
	if v, _ := h.Prop("k2"); v != "v2" {
		t.Errorf("k2 is %q", v)
	}
	if _, ok := h.Prop("k3"); ok {
		t.Error("k3 is there")
	}

	odd := message{}.text(2, "an entry type of the wrong wire type").num(100, 1).msg(1, message{}.text(8, "a\xffb"))
	e, err = ParseEntry(odd)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Header().SchemaName(); got != "a\ufffdb" || e.HasEntryType() {
		t.Errorf("schema %q, entry type present %v", got, e.HasEntryType())
	}
}

func TestMalformedEntries(t *testing.T) {
	badPair := message("\x0a\x05k")
	tests := map[string]func() error{
		"entry":           func() error { _, err := ParseEntry([]byte{0x0a, 5, 1}); return err },
		"header":          func() error { _, err := ParseEntry(message{}.text(1, "\x08")); return err },
		"header props":    func() error { _, err := ParseEntry(message{}.msg(1, message{}.msg(12, badPair))); return err },
		"row change":      func() error { _, err := ParseRowChange([]byte{0x08}); return err },
		"row":             func() error { _, err := ParseRowChange(message{}.text(12, "\x08")); return err },
		"column":          func() error { _, err := ParseRowChange(message{}.msg(12, message{}.text(2, "\x08"))); return err },
		"column props":    func() error { return badColumnProps(badPair) },
		"row props":       func() error { _, err := ParseRowChange(message{}.msg(12, message{}.msg(3, badPair))); return err },
		"change props":    func() error { _, err := ParseRowChange(message{}.msg(13, badPair)); return err },
		"begin":           func() error { _, err := ParseTransactionBegin([]byte{0x08}); return err },
		"begin props":     func() error { _, err := ParseTransactionBegin(message{}.msg(3, badPair)); return err },
		"end":             func() error { _, err := ParseTransactionEnd([]byte{0x08}); return err },
		"end props":       func() error { _, err := ParseTransactionEnd(message{}.msg(3, badPair)); return err },
		"field number 0":  func() error { _, err := ParseEntry([]byte{0, 0}); return err },
		"stray group end": func() error { _, err := ParseEntry([]byte{0x0c}); return err },
	}
	for name, parse := range tests {
		if err := parse(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func badColumnProps(pair message) error {
	_, err := ParseRowChange(message{}.msg(12, message{}.msg(1, message{}.msg(7, pair))))
	return err
}

func TestEnumNames(t *testing.T) {
	tests := []struct{ got, want string }{
		{EntryGTIDLog.String(), "GTIDLOG"},
		{EntryType(0).String(), "EntryType(0)"},
		{EventErase.String(), "ERASE"},
		{EventMHeartbeat.String(), "MHEARTBEAT"},
		{EventType(16).String(), "EventType(16)"},
		{EventType(-1).String(), "EventType(-1)"},
		{SourcePGSQL.String(), "PGSQL"},
		{SourceType(7).String(), "Type(7)"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

func TestRecordedColumns(t *testing.T) {
	change := recordedRows(t, "types_text", EventInsert)
	rows := slices.Collect(change.Rows())
	if len(rows) != change.NumRows() {
		t.Fatalf("%d rows, NumRows %d", len(rows), change.NumRows())
	}
	blob, ok := rows[0].AfterColumn("bl")
	if !ok || !blob.IsBinary() || blob.MysqlType() != "blob" {
		t.Fatalf("column bl: %v, binary %v, type %s", ok, blob.IsBinary(), blob.MysqlType())
	}
	if got, err := blob.Bytes(); err != nil || !bytes.Equal(got, []byte{0, 1, 2, 0xff, 0x80, 0x81, 0x7e, 0x7f}) {
		t.Errorf("bl is %x, %v", got, err)
	}
	text, _ := rows[0].AfterColumn("v")
	if got, err := text.Bytes(); err != nil || text.IsBinary() || string(got) != "quote \" back \\ tab\t nl\n nul\x00 delx7f" {
		t.Errorf("v is %q, %v", got, err)
	}
	if _, ok := rows[0].AfterColumn("nosuch"); ok {
		t.Error("column nosuch found")
	}
	if _, ok := rows[0].BeforeColumn("v"); ok {
		t.Error("an insert has a row before")
	}
}

func TestRecordedTimes(t *testing.T) {
	var row RowData
	change := recordedRows(t, "types_time", EventInsert)
	for r := range change.Rows() {
		row = r
	}
	column := func(name string) *Column {
		c, ok := row.AfterColumn(name)
		if !ok {
			t.Fatalf("no column %s", name)
		}
		return &c
	}
	berlin := time.FixedZone("CET", 3600)
	for name, want := range map[string]time.Time{
		"d":   time.Date(2024, 2, 29, 0, 0, 0, 0, berlin),
		"dt":  time.Date(2024, 2, 29, 23, 59, 59, 0, berlin),
		"dt6": time.Date(1000, 1, 1, 0, 0, 0, 1000, berlin),
	} {
		if got, err := column(name).Time(berlin); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v, want %v", name, got, err, want)
		}
	}
	for name, want := range map[string]time.Duration{
		"t":  -(838*time.Hour + 59*time.Minute + 59*time.Second),
		"t6": 12*time.Hour + 34*time.Minute + 56*time.Second + 123456*time.Microsecond,
	} {
		if got, err := column(name).Duration(); err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", name, got, err, want)
		}
	}
}

func parsedColumn(t *testing.T, m message) *Column {
	t.Helper()
	var c Column
	if err := c.parse(m); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestTypedColumns(t *testing.T) {
	value := func(s string) *Column { return parsedColumn(t, message{}.text(8, s)) }
	if got, err := value("-9223372036854775808").Int64(); err != nil || got != -1<<63 {
		t.Errorf("Int64: %d, %v", got, err)
	}
	if got, err := value("18446744073709551615").Uint64(); err != nil || got != 1<<64-1 {
		t.Errorf("Uint64: %d, %v", got, err)
	}
	if got, err := value("2.25E100").Float64(); err != nil || got != 2.25e100 {
		t.Errorf("Float64: %g, %v", got, err)
	}
	if got, err := value("2024-02-29 23:59:59.5").Time(nil); err != nil || !got.Equal(time.Date(2024, 2, 29, 23, 59, 59, 5e8, time.UTC)) {
		t.Errorf("Time: %v, %v", got, err)
	}
	for _, s := range []string{"", "x", "9223372036854775808"} {
		if _, err := value(s).Int64(); err == nil {
			t.Errorf("Int64 of %q: no error", s)
		}
	}
	for _, s := range []string{"0000-00-00", "2024-00-01 00:00:00", "2024-01-00 00:00:00"} {
		if _, err := value(s).Time(nil); !errors.Is(err, ErrZeroDate) {
			t.Errorf("Time of %q: error %v", s, err)
		}
	}
	for _, s := range []string{"", "2024", "2024-02-30", "2024-02-29 24:00:00"} {
		if _, err := value(s).Time(nil); err == nil {
			t.Errorf("Time of %q: no error", s)
		}
	}
	for _, s := range []string{"", "12", "12:60:00", "x:00:00", "--1:00:00"} {
		if _, err := value(s).Duration(); err == nil {
			t.Errorf("Duration of %q: no error", s)
		}
	}
	wide := parsedColumn(t, message{}.num(2, int64(SQLBlob)).text(8, "aĀ"))
	if _, err := wide.Bytes(); err == nil {
		t.Error("Bytes of a character beyond U+00FF: no error")
	}
}

func TestNullColumn(t *testing.T) {
	c := parsedColumn(t, message{}.num(2, int64(SQLBigInt)).num(6, 1))
	accessors := map[string]func() error{
		"Int64":    func() error { _, err := c.Int64(); return err },
		"Uint64":   func() error { _, err := c.Uint64(); return err },
		"Float64":  func() error { _, err := c.Float64(); return err },
		"Decimal":  func() error { _, _, err := c.Decimal(); return err },
		"Bytes":    func() error { _, err := c.Bytes(); return err },
		"Time":     func() error { _, err := c.Time(nil); return err },
		"Duration": func() error { _, err := c.Duration(); return err },
	}
	for name, access := range accessors {
		if err := access(); !errors.Is(err, ErrNull) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if c.Value() != "" || c.HasValue() || !c.IsNull() {
		t.Errorf("value %q, present %v, null %v", c.Value(), c.HasValue(), c.IsNull())
	}
}

func TestIterationDoesNotAllocate(t *testing.T) {
	change := recordedRows(t, "types_num", EventInsert)
	var sum int64
	allocs := testing.AllocsPerRun(100, func() { sum += sumIntegers(&change) })
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if sum == 0 {
		t.Error("nothing read")
	}
}

// TestReadingByNameDoesNotAllocate: names are made into strings once, and numbers and
// times are read from where they lie.
func TestReadingByNameDoesNotAllocate(t *testing.T) {
	change := recordedRows(t, "types_num", EventInsert)
	at := parsedColumn(t, message{}.text(3, "created").text(8, "2024-02-29 23:59:59.25").text(10, "datetime(2)"))
	length := 0
	read := func() {
		for row := range change.Rows() {
			for c := range row.After() {
				length += len(c.Name()) + len(c.MysqlType())
			}
		}
		if v, err := at.Time(nil); err != nil || v.Nanosecond() != 25e7 {
			t.Fatalf("%v, %v", v, err)
		}
		length += len(at.Name()) + len(at.MysqlType())
	}
	if allocs := testing.AllocsPerRun(100, read); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// sumIntegers reads every column as a consumer would that wants the integers.
func sumIntegers(change *RowChange) (sum int64) {
	for row := range change.Rows() {
		for c := range row.After() {
			sum += int64(len(c.RawName()) + len(c.RawValue()))
			if c.SQLType() == SQLInteger {
				if v, err := c.Int64(); err == nil {
					sum += v
				}
			}
		}
	}
	return sum
}

func BenchmarkRows(b *testing.B) {
	change := recordedRows(b, "types_num", EventInsert)
	b.ReportAllocs()
	b.SetBytes(int64(len(change.raw)))
	for b.Loop() {
		c, err := ParseRowChange(change.raw)
		if err != nil {
			b.Fatal(err)
		}
		sumIntegers(&c)
	}
}

// BenchmarkHeaders reads what there is of the entries of a binlog beside their rows.
func BenchmarkHeaders(b *testing.B) {
	entries, length := recordedEntries(b), 0
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range entries {
			e, err := ParseEntry(r.raw)
			if err != nil {
				b.Fatal(err)
			}
			length += len(e.Header().SchemaName()) + len(e.Header().TableName())
		}
	}
	if length == 0 {
		b.Error("no names")
	}
}

func FuzzEntry(f *testing.F) {
	for _, r := range recordedEntries(f) {
		f.Add(r.raw)
	}
	f.Add([]byte(message{}.msg(1, message{}.text(2, "a")).msg(1, message{}.text(2, "b"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		line, err := AppendJSON(nil, b, false)
		e, parseErr := ParseEntry(b)
		if parseErr != nil {
			if err == nil {
				t.Fatalf("JSON of an entry that does not parse: %s", line)
			}
			return
		}
		if err == nil && !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
		for p := range e.Header().Props() {
			_ = p.Key() + p.Value()
		}
		c, changeErr := e.RowChange()
		if changeErr != nil {
			return
		}
		rows := 0
		for row := range c.Rows() {
			rows++
			for col := range row.Before() {
				touch(&col)
			}
			for col := range row.After() {
				touch(&col)
			}
		}
		if rows != c.NumRows() {
			t.Fatalf("walked %d rows of %d", rows, c.NumRows())
		}
	})
}

// touch calls every accessor that interprets a column's text.
func touch(c *Column) {
	_, _ = c.Int64()
	_, _ = c.Uint64()
	_, _ = c.Float64()
	_, _, _ = c.Decimal()
	_, _ = c.Bytes()
	_, _ = c.Time(nil)
	_, _ = c.Duration()
	for p := range c.Props() {
		_ = p.Key()
	}
}
