package pipeline

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/protocol"
)

// TestScan runs the scripts in testdata/scan. Each line is a command; the
// indented lines behind it say what came of it: entries, a new place to resume
// from, an error, a line in the log. Run with -update to write those anew.
//
//	server VERSION             a new pipeline for such a server
//	option NAME [VALUE]        set an option of it
//	table DB.T SQL             a table the source knows
//	start [SET]                begin a dump, with a set in GTID mode
//	stop                       end it
//	filter PATTERN             what a client's subscription does
//
// and events:
//
//	gtid N, anonymous, mariagtid D-S-N [standalone]
//	begin, commit, xid N, query DB SQL   (DB - is none)
//	map ID DB.T N              a table map of N INT columns
//	insert ID V,V V,V …        rows; update ID V V' …; delete ID V …
//	rowsquery SQL, annotate SQL, intvar N, rand A B, uservar NAME VALUE, xaprepare, heartbeat
//	rotate FILE                to a new file
//	payload zstd|none          a compressed transaction of the events up to "end"
//	raw TYPE HEX               any event
//	corrupt COMMAND            an event with a wrong checksum
func TestScan(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "scan", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := (&scanScript{t: t}).run(string(script))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			compareLines(t, got, string(script))
		})
	}
}

// scanScript is the state of a script.
type scanScript struct {
	t       *testing.T
	rig     *rig
	version string
	options []func(*config.Instance)
	tables  tables
	w       eventWriter
	running bool
	out     strings.Builder
	shown   int // entries told of
	logged  int // bytes of log told of
	resume  binlog.Position
	payload []byte // events of the payload being written
	packing string // "zstd" or "none" while one is
}

func (s *scanScript) run(script string) string {
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&s.out, line)
		if line != "" && line[0] != '#' {
			s.command(line)
		}
	}
	if s.running {
		s.rig.stop()
	}
	return s.out.String()
}

func (s *scanScript) say(format string, args ...any) {
	fmt.Fprintf(&s.out, "  "+format+"\n", args...)
}

// command carries out one line.
func (s *scanScript) command(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "server":
		if s.running {
			s.rig.stop()
		}
		*s = scanScript{t: s.t, version: rest, tables: tables{}, out: s.out}
		s.w = newEventWriter()
	case "option":
		name, value, _ := strings.Cut(rest, " ")
		s.options = append(s.options, func(o *config.Instance) { s.option(o, name, value) })
	case "table":
		name, sql, _ := strings.Cut(rest, " ")
		s.tables[name] = sql
	case "start":
		s.start(rest)
	case "stop":
		s.rig.stop()
		s.running = false
	case "filter":
		if err := s.rig.p.SetFilter(rest); err != nil {
			s.say("error %v", err)
		}
	case "payload":
		s.packing, s.payload = rest, nil
		s.w.packed = true
	case "end":
		s.w.packed = false
		s.give(s.w.payload(s.packing, s.payload))
		s.packing = ""
	default:
		ev := s.event(line)
		if s.packing != "" {
			s.payload = append(s.payload, ev...)
			return
		}
		s.give(ev)
	}
}

func (s *scanScript) start(set string) {
	if s.rig == nil {
		s.rig = newRig(s.t, s.version, func(o *config.Instance) {
			for _, f := range s.options {
				f(o)
			}
		})
		s.rig.session.Tables = s.tables
	}
	s.rig.session.GTIDMode, s.rig.session.Position.GTIDSet = set != "", set
	s.rig.start()
	s.running = true
	s.give(s.w.format())
}

// option sets an option by the end of its property name.
func (s *scanScript) option(o *config.Instance, name, value string) {
	switches := map[string]*bool{
		"filter.query.dml": &o.FilterQueryDML, "filter.query.dcl": &o.FilterQueryDCL, "filter.query.ddl": &o.FilterQueryDDL,
		"filter.rows": &o.FilterRows, "filter.table.error": &o.FilterTableErr, "filter.dml.insert": &o.FilterDMLInsert,
		"filter.dml.update": &o.FilterDMLUpdate, "filter.dml.delete": &o.FilterDMLDelete, "filter.transaction.entry": &o.FilterTxEntry,
	}
	switch name {
	case "filter.regex":
		o.WhiteRegex = value
	case "table.mismatch":
		o.TableMismatch = map[string]config.MismatchMode{"mark": config.MismatchMark, "stop": config.MismatchStop}[value]
	case "filter.black.regex":
		o.BlackRegex = value
	case "filter.druid.ddl":
		o.DruidDDL = value == "true"
	default:
		if switches[name] == nil {
			s.t.Fatalf("unknown option %q", name)
		}
		*switches[name] = true
	}
}

// give hands an event to the pipeline and tells what comes of it.
func (s *scanScript) give(ev []byte) {
	err := s.rig.chunk(ev)
	if err != nil {
		s.say("error %v", err)
	}
	for ; s.shown < len(s.rig.store.entries); s.shown++ {
		s.say("%s", describe(s.t, &s.rig.store.entries[s.shown]))
	}
	log := s.rig.log.String()
	for line := range strings.Lines(log[s.logged:]) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ") // without the time
		s.say("%s", line)
	}
	s.logged = len(log)
	if p, ok := s.rig.p.Resume(); ok && p != s.resume {
		s.resume = p
		s.say("resume %s%s", p, suffix(" ", p.GTIDSet))
	}
}

func suffix(sep, s string) string {
	if s == "" {
		return ""
	}
	return sep + s
}

// describe is an entry in one line.
func describe(t testing.TB, it *entryOf) string {
	e, err := protocol.ParseEntry(it.raw)
	if err != nil {
		t.Fatal(err)
	}
	h := e.Header()
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d+%d ", h.LogfileName(), h.LogfileOffset(), h.EventLength())
	switch e.EntryType() {
	case protocol.EntryTransactionBegin:
		x, err := e.TransactionBegin()
		check(t, err)
		fmt.Fprintf(&b, "BEGIN thread %d", x.ThreadID())
		for p := range x.Props() {
			fmt.Fprintf(&b, " %s=%q", p.Key(), p.Value())
		}
	case protocol.EntryTransactionEnd:
		x, err := e.TransactionEnd()
		check(t, err)
		fmt.Fprintf(&b, "END %s", x.TransactionID())
		for p := range x.Props() {
			fmt.Fprintf(&b, " %s=%q", p.Key(), p.Value())
		}
	default:
		x, err := e.RowChange()
		check(t, err)
		fmt.Fprintf(&b, "%s %s.%s", x.EventType(), h.SchemaName(), h.TableName())
		if x.IsDDL() {
			b.WriteString(" ddl")
		}
		if x.SQL() != "" {
			fmt.Fprintf(&b, " %q", x.SQL())
		}
		for p := range x.Props() {
			fmt.Fprintf(&b, " %s=%q", p.Key(), p.Value())
		}
		for row := range x.Rows() {
			var before, after []string
			for c := range row.Before() {
				before = append(before, c.Value())
			}
			for c := range row.After() {
				after = append(after, c.Value())
			}
			fmt.Fprintf(&b, " [%s>%s]", strings.Join(before, " "), strings.Join(after, " "))
		}
	}
	if h.GTID() != "" {
		fmt.Fprintf(&b, " set %s", h.GTID())
	}
	for p := range h.Props() {
		if p.Key() != "rowsCount" {
			fmt.Fprintf(&b, " %s=%s", p.Key(), p.Value())
		}
	}
	return b.String()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// event builds the event that a line describes.
func (s *scanScript) event(line string) []byte {
	word, rest, _ := strings.Cut(line, " ")
	args := strings.Fields(rest)
	w := &s.w
	switch word {
	case "corrupt":
		ev := s.event(rest)
		ev[len(ev)-1] ^= 1
		return ev
	case "gtid":
		return w.event(binlog.EventGTID, gtidBody(s.number(rest)))
	case "anonymous":
		return w.event(binlog.EventAnonymousGTID, gtidBody(0))
	case "mariagtid":
		return w.event(binlog.EventMariaGTID, s.mariaGTID(args))
	case "begin":
		return w.query("", "BEGIN")
	case "commit":
		return w.query("", "COMMIT")
	case "query":
		db, sql, _ := strings.Cut(rest, " ")
		return w.query(strings.TrimPrefix(db, "-"), sql)
	case "xid":
		return w.event(binlog.EventXID, binary.LittleEndian.AppendUint64(nil, s.number(rest)))
	case "map":
		db, table, _ := strings.Cut(args[1], ".")
		return w.event(binlog.EventTableMap, tableMapBody(s.number(args[0]), db, table, int(s.number(args[2]))))
	case "insert", "update", "delete":
		types := map[string]binlog.EventType{"insert": binlog.EventWriteRowsV2, "update": binlog.EventUpdateRowsV2, "delete": binlog.EventDeleteRowsV2}
		return w.event(types[word], s.rows(types[word], args))
	case "rotate":
		ev := w.event(binlog.EventRotate, append(binary.LittleEndian.AppendUint64(nil, 4), rest...))
		w.at = 4
		return ev
	case "raw":
		typ, data, _ := strings.Cut(rest, " ")
		body, err := hex.DecodeString(data)
		check(s.t, err)
		return w.event(binlog.EventType(s.number(typ)), body)
	}
	return s.textEvent(word, rest)
}

// textEvent builds the events around statements.
func (s *scanScript) textEvent(word, rest string) []byte {
	w, args := &s.w, strings.Fields(rest)
	switch word {
	case "rowsquery":
		return w.event(binlog.EventRowsQuery, append([]byte{byte(len(rest))}, rest...))
	case "annotate":
		return w.event(binlog.EventMariaAnnotateRows, []byte(rest))
	case "intvar":
		return w.event(binlog.EventIntvar, binary.LittleEndian.AppendUint64([]byte{2}, s.number(rest)))
	case "rand":
		return w.event(binlog.EventRand, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, s.number(args[0])), s.number(args[1])))
	case "uservar":
		b := append(binary.LittleEndian.AppendUint32(nil, uint32(len(args[0]))), args[0]...)
		b = binary.LittleEndian.AppendUint32(append(b, 0, 0), 33) // not null, string, utf8
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(args[1]))), args[1]...)
		return w.event(binlog.EventUserVar, append(b, 0))
	case "xaprepare":
		return w.event(binlog.EventXAPrepare, []byte{0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x'})
	case "heartbeat":
		return w.event(binlog.EventHeartbeat, []byte("log.000001"))
	}
	s.t.Fatalf("unknown command %q", word)
	return nil
}

func (s *scanScript) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	check(s.t, err)
	return n
}

func (s *scanScript) mariaGTID(args []string) []byte {
	id, err := binlog.ParseMariaGTIDText(args[0])
	check(s.t, err)
	b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(nil, id.Sequence), id.Domain)
	flags := byte(binlog.MariaTransactional)
	if len(args) > 1 {
		flags = binlog.MariaStandalone
	}
	return append(b, flags, 0, 0, 0, 0, 0, 0)
}

// rows builds a rows event; the values of a row are separated by commas, and
// the two images of an update stand one after the other.
func (s *scanScript) rows(t binlog.EventType, args []string) []byte {
	n := 0
	var data []byte
	for _, row := range args[1:] {
		values := strings.Split(row, ",")
		n = len(values)
		data = append(data, make([]byte, (n+7)/8)...)
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, uint32(s.number(v)))
		}
	}
	return rowsBody(s.number(args[0]), t, n, data)
}

// eventWriter builds events as a server of version 8.0 writes them.
type eventWriter struct {
	at     uint32 // where the next event begins
	clock  uint32 // seconds
	packed bool   // inside a payload, where events have no checksum and no place
}

func newEventWriter() eventWriter { return eventWriter{at: 4, clock: 1_700_000_000} }

func (w *eventWriter) event(t binlog.EventType, body []byte) []byte {
	size := uint32(binlog.HeaderSize + len(body))
	next := uint32(0)
	if !w.packed {
		size += binlog.ChecksumSize
		w.at += size
		next = w.at
	}
	ev := binary.LittleEndian.AppendUint32(nil, w.clock)
	ev = append(ev, byte(t))
	ev = binary.LittleEndian.AppendUint32(ev, 77)
	ev = binary.LittleEndian.AppendUint32(ev, size)
	ev = binary.LittleEndian.AppendUint32(ev, next)
	ev = append(ev, 0, 0)
	ev = append(ev, body...)
	if w.packed {
		return ev
	}
	return sealed(ev)
}

// sealed appends the checksum of an event.
func sealed(ev []byte) []byte { return binary.LittleEndian.AppendUint32(ev, crc32.ChecksumIEEE(ev)) }

// format is the format description event of 8.0, cut down to what is read.
func (w *eventWriter) format() []byte {
	b := binary.LittleEndian.AppendUint16(nil, 4)
	version := make([]byte, 50)
	copy(version, "8.0.15")
	b = append(b, version...)
	b = append(b, 0, 0, 0, 0, binlog.HeaderSize)
	b = append(b, 0, 13, 0, 8, 0, 0, 0, 0, 4, 0, 4, 0, 0, 0, 97, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0, 0, 0, 10, 10, 10, 42, 42, 0, 18, 52, 0, 10, 40, 0)
	return w.event(binlog.EventFormatDescription, append(b, 1))
}

// query is a statement of a UTF-8 client, thread 9.
func (w *eventWriter) query(db, sql string) []byte {
	b := append(binary.LittleEndian.AppendUint32(nil, 9), 0, 0, 0, 0, byte(len(db)), 0, 0, 7, 0)
	b = append(b, 4, 33, 0, 33, 0, 33, 0) // Q_CHARSET_CODE
	b = append(append(b, db...), 0)
	return w.event(binlog.EventQuery, append(b, sql...))
}

// payload packs events into a TRANSACTION_PAYLOAD_EVENT.
func (w *eventWriter) payload(how string, events []byte) []byte {
	algorithm, data := []byte{0xfc, 255, 0}, events
	if how == "zstd" {
		var buf bytes.Buffer
		z, _ := zstd.NewWriter(&buf)
		_, _ = z.Write(events)
		_ = z.Close()
		algorithm, data = []byte{0}, buf.Bytes()
	}
	b := append([]byte{2, byte(len(algorithm))}, algorithm...)
	b = append(b, 1, 9, 0xfe)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	return w.event(binlog.EventTransactionPayload, append(append(b, 0), data...))
}

var testUUID = []byte{0xaa, 0xaa, 0xaa, 0xaa, 0xbb, 0xbb, 0xcc, 0xcc, 0xdd, 0xdd, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee}

func gtidBody(n uint64) []byte {
	b := append([]byte{1}, testUUID...)
	b = append(binary.LittleEndian.AppendUint64(b, n), 2)
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, n-1), n)
}

func tableMapBody(id uint64, db, table string, columns int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, id)[:6]
	b = append(b, 1, 0, byte(len(db)))
	b = append(append(b, db...), 0, byte(len(table)))
	b = append(append(b, table...), 0, byte(columns))
	b = append(b, bytes.Repeat([]byte{byte(binlog.TypeLong)}, columns)...)
	return append(append(b, 0), make([]byte, (columns+7)/8)...)
}

func rowsBody(id uint64, t binlog.EventType, columns int, data []byte) []byte {
	b := append(binary.LittleEndian.AppendUint64(nil, id)[:6], 1, 0, 2, 0, byte(columns))
	all := bytes.Repeat([]byte{0xff}, (columns+7)/8)
	b = append(b, all...)
	if t == binlog.EventUpdateRowsV2 {
		b = append(b, all...)
	}
	return append(b, data...)
}
