package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/history/sqlstore"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/protocol"
)

// past is a source with a log that is written once and read from many places. As
// much of it as done says has been executed: its tables are those of that moment.
type past struct {
	t      *testing.T
	events [][]byte
	starts []int64 // of the events
	lines  []string
	sets   []string // executed before each event
	done   int      // events executed
	gone   int      // events at the begin of the log that cannot be read ahead
}

const pastUUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

// newPast writes a log from commands as TestScan has them. With gtid each
// transaction has one. Between two of them pass as many seconds as step says.
func newPast(t *testing.T, gtid bool, step uint32, script string) *past {
	t.Helper()
	p := &past{t: t}
	s := &scanScript{t: t, version: "8.0.15", w: newEventWriter()}
	add := func(line string, ev []byte, set string) {
		p.events, p.lines, p.sets = append(p.events, ev), append(p.lines, line), append(p.sets, set)
		p.starts = append(p.starts, int64(s.w.at)-int64(len(ev)))
	}
	add("format", s.w.format(), "")
	n, set := 0, ""
	var packed []byte // events of a compressed transaction
	for line := range strings.Lines(strings.TrimSpace(script)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "payload":
			s.w.packed, packed = true, nil
			continue
		case line == "end":
			s.w.packed = false
			add("payload", s.w.payload("zstd", packed), set)
			continue
		case s.w.packed:
			packed = append(packed, s.event(line)...)
			continue
		}
		begins := strings.HasPrefix(line, "begin") || strings.HasPrefix(line, "query")
		if begins {
			s.w.clock += step
		}
		if gtid && begins {
			n++
			add("gtid", s.event(fmt.Sprintf("gtid %d", n)), set)
			set = fmt.Sprintf("%s:1-%d", gtidUUID(t, s), n)
		}
		add(line, s.event(line), set)
	}
	p.done = len(p.events)
	return p
}

// gtidUUID is whose transactions gtidBody makes.
func gtidUUID(t *testing.T, s *scanScript) string {
	e, err := binlog.ParseGTID(gtidBody(1))
	if err != nil {
		t.Fatal(err)
	}
	return e.GTID.UUID.String()
}

// borders are the events before which a dump can begin.
func (p *past) borders() []int {
	var all []int
	for i, line := range p.lines {
		word, _, _ := strings.Cut(line, " ")
		if word == "gtid" || (word == "begin" || word == "query") && (i == 0 || p.lines[i-1] != "gtid") {
			all = append(all, i)
		}
	}
	return all
}

func (p *past) position(event int) binlog.Position {
	if event == len(p.events) {
		last := p.events[event-1]
		return binlog.Position{File: "log.000001", Offset: p.starts[event-1] + int64(len(last)), Timestamp: 1_800_000_000_000}
	}
	h, err := binlog.ParseHeader(p.events[event])
	if err != nil {
		p.t.Fatal(err)
	}
	return binlog.Position{File: "log.000001", Offset: p.starts[event], Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)}
}

func (p *past) statement(i int) (schema.Statement, bool) {
	rest, ok := strings.CutPrefix(p.lines[i], "query ")
	db, sql, _ := strings.Cut(rest, " ")
	gtid := ""
	if uuid, interval, has := strings.Cut(p.sets[i], ":"); ok && has {
		_, last, _ := strings.Cut(interval, "-")
		gtid = uuid + ":" + last
	}
	return schema.Statement{Position: p.position(i), GTID: gtid, Schema: db, SQL: sql}, ok
}

// tables are those of the source at this moment, by name.
func (p *past) tables() map[string]string {
	known := schema.NewTracker(nil, schema.Options{Server: ddl.VersionOf("8.0.15")})
	for i := range p.done {
		if st, ok := p.statement(i); ok {
			if err := known.Apply(p.t.Context(), st.SQL, st.Schema); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	all := make(map[string]string)
	for db, text := range known.Image().Texts() {
		for _, create := range strings.Split(strings.TrimSuffix(text, "; \n"), "; \n") {
			name := strings.Split(create, "`")[1]
			all[db+"."+name] = create
		}
	}
	return all
}

func (p *past) LoadTable(_ context.Context, db, table string) (string, error) {
	if text, ok := p.tables()[db+"."+table]; ok {
		return text, nil
	}
	return "", schema.ErrNoTable
}

func (p *past) End(context.Context) (binlog.Position, error) { return p.position(p.done), nil }

func (p *past) Ahead(_ context.Context, from, to binlog.Position, each func(schema.Statement) error) error {
	if from.File == "" {
		from = p.position(slices.Index(p.sets, from.GTIDSet))
	}
	if to.File == "" {
		to = p.position(slices.Index(p.sets, to.GTIDSet))
	}
	if from.Compare(p.position(p.gone)) < 0 {
		return errors.New("the file is not there any more")
	}
	if !slices.Contains(p.starts, from.Offset) && from.Offset != p.position(len(p.events)).Offset {
		return fmt.Errorf("no event begins at %s", from)
	}
	for i := range p.done {
		st, ok := p.statement(i)
		if !ok || st.Position.Compare(from) < 0 || st.Position.Compare(to) >= 0 {
			continue
		}
		if err := each(st); err != nil {
			return err
		}
	}
	return nil
}

func (p *past) Charsets(context.Context) (map[string]string, error) {
	return map[string]string{"d": "utf8mb4"}, nil
}

func (p *past) TableNames(_ context.Context, db string) ([]string, error) {
	var names []string
	for name := range p.tables() {
		if s, t, _ := strings.Cut(name, "."); s == db {
			names = append(names, t)
		}
	}
	return names, nil
}

// reader reads a past, with a history of its own.
type reader struct {
	*past
	open  func(context.Context) (history.Log, error)
	gtid  bool
	white string // canal.instance.filter.regex; all when ""
	uuid  string // of the server; pastUUID when ""
	kill  bool   // end without a word
	rig   *rig
}

// read reads events from one on and up to another, as a process that starts and
// ends there, and returns the entries with the names of their columns by offset.
func (r *reader) read(t *testing.T, from, to int, live bool, during func(p *Pipeline, event int)) map[int64][]string {
	t.Helper()
	r.rig = newRig(t, "8.0.15", func(o *config.Instance) { o.WhiteRegex = cmp.Or(r.white, o.WhiteRegex) })
	o := r.rig.p.o
	o.OpenHistory = r.open
	var err error
	if r.rig.p, err = New(o); err != nil {
		t.Fatal(err)
	}
	if live {
		r.done = from
	}
	at := r.position(from)
	r.rig.session.Position, r.rig.session.Tables = at, r.past
	r.rig.session.Server.ServerUUID = cmp.Or(r.uuid, pastUUID)
	if r.gtid {
		r.rig.session.Position.GTIDSet, r.rig.session.GTIDMode = r.sets[from], true
	}
	r.rig.start()
	give := func(i int) {
		if err := r.rig.chunk(r.events[i]); err != nil {
			t.Fatalf("%s: %v", r.lines[i], err)
		}
	}
	give(0)
	for i := max(from, 1); i < to; i++ {
		if live {
			r.done = i + 1
		}
		if during != nil {
			during(r.rig.p, i)
		}
		give(i)
	}
	if err := r.rig.settle(); err != nil {
		t.Fatal(err)
	}
	entries := r.rig.store.entries
	got := named(t, entries)
	r.rig.stop()
	if !r.kill {
		if err := r.rig.p.SaveProgress(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.rig.p.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

// named describes entries with rows, with the names of their columns, by offset.
func named(t *testing.T, entries []entryOf) map[int64][]string {
	t.Helper()
	all := make(map[int64][]string)
	for i := range entries {
		e, err := protocol.ParseEntry(entries[i].raw)
		if err != nil {
			t.Fatal(err)
		}
		if e.EntryType() != protocol.EntryRowData {
			continue
		}
		x, err := e.RowChange()
		if err != nil {
			t.Fatal(err)
		}
		text := []string{e.Header().TableName(), x.SQL()}
		for row := range x.Rows() {
			for c := range row.After() {
				text = append(text, fmt.Sprintf("%s %s=%s", c.Name(), c.MysqlType(), c.Value()))
			}
		}
		all[e.Header().LogfileOffset()] = append(all[e.Header().LogfileOffset()], text...)
	}
	return all
}

// sqliteHistory opens one file again and again.
func sqliteHistory(t *testing.T) func(context.Context) (history.Log, error) {
	path := filepath.Join(t.TempDir(), "history.db")
	return func(ctx context.Context) (history.Log, error) {
		return sqlstore.Open(ctx, sqlstore.Options{Destination: "example", Path: path})
	}
}

const changingTables = `
	query d CREATE TABLE t (a int, b int)
	query d CREATE TABLE u (k int, v int)
	begin
	map 5 d.t 2
	insert 5 1,2
	map 6 d.u 2
	insert 6 10,20
	xid 1
	query d ALTER TABLE t RENAME COLUMN a TO x
	begin
	map 5 d.t 2
	insert 5 3,4
	xid 2
	query d ALTER TABLE t RENAME COLUMN x TO b, RENAME COLUMN b TO x
	query d CREATE TABLE t_gho (p int, q int)
	begin
	map 5 d.t 2
	insert 5 5,6
	map 7 d.t_gho 2
	insert 7 50,60
	xid 3
	query d RENAME TABLE t TO t_old, t_gho TO t
	begin
	map 5 d.t 2
	insert 5 7,8
	map 8 d.t_old 2
	insert 8 70,80
	xid 4
	query d DROP TABLE t_old
	query d CREATE TABLE IF NOT EXISTS u (other int, names int)
	begin
	map 6 d.u 2
	insert 6 30,40
	xid 5
	query d DROP TABLE u
	query d CREATE TABLE u (m int, n int)
	begin
	map 6 d.u 2
	insert 6 50,60
	map 5 d.t 2
	insert 5 9,9
	xid 6
	query d ALTER TABLE u RENAME COLUMN m TO mm, RENAME COLUMN n TO m
	begin
	map 6 d.u 2
	insert 6 70,80
	xid 7`

// compareFrom compares what was read from an event on with what was read at first.
func (r *reader) compareFrom(t *testing.T, what string, from int, got, want map[int64][]string) {
	t.Helper()
	for offset, w := range want {
		if offset >= r.starts[from] && !slices.Equal(got[offset], w) {
			t.Errorf("%s: at %d got %q, want %q", what, offset, got[offset], w)
		}
	}
	if len(r.rig.p.Quarantine()) > 0 {
		t.Errorf("%s: in quarantine: %+v", what, r.rig.p.Quarantine())
	}
}

// TestStartsDecodeAlike starts at every place of a log, again and again with one
// history, while the tables of the source are those of its end.
func TestStartsDecodeAlike(t *testing.T) {
	for _, gtid := range []bool{false, true} {
		t.Run(map[bool]string{false: "file", true: "gtid"}[gtid], func(t *testing.T) {
			r := &reader{past: newPast(t, gtid, 0, changingTables), open: sqliteHistory(t), gtid: gtid}
			want := r.read(t, 1, len(r.events), true, nil)
			if names := strings.Join(slices.Concat(want[r.starts[slices.Index(r.lines, "insert 5 5,6")]]), " "); !strings.Contains(names, "b int(11)=5 x int(11)=6") {
				t.Fatalf("the first reading is not what it should be: %s", names)
			}
			borders := r.borders()
			rnd := rand.New(rand.NewPCG(1, 2))
			for range 60 {
				from := borders[rnd.IntN(len(borders))]
				to := from + 1 + rnd.IntN(len(r.events)-from)
				snapshots := rnd.IntN(3) == 0
				got := r.read(t, from, to, false, func(p *Pipeline, event int) {
					if snapshots && rnd.IntN(4) == 0 {
						p.WantSnapshot()
					}
				})
				upTo := make(map[int64][]string)
				for offset, text := range want {
					if offset < r.position(to).Offset {
						upTo[offset] = text
					}
				}
				r.compareFrom(t, fmt.Sprintf("from %d to %d", from, to), from, got, upTo)
				if t.Failed() {
					t.Log(r.rig.log.String())
					return
				}
			}
		})
	}
}

// TestFirstStartFarBehind has no history: what the log ahead leaves certain is
// delivered, and nothing with a wrong name.
func TestFirstStartFarBehind(t *testing.T) {
	r := &reader{past: newPast(t, false, 0, changingTables), open: sqliteHistory(t)}
	want := (&reader{past: newPast(t, false, 0, changingTables), open: sqliteHistory(t)}).read(t, 1, len(r.events), true, nil)
	for _, from := range r.borders() {
		r.open = sqliteHistory(t)
		got := r.read(t, from, len(r.events), false, nil)
		for offset, g := range got {
			if !slices.Equal(g, want[offset]) {
				t.Errorf("from %d: at %d got %q, want %q", from, offset, g, want[offset])
			}
		}
		missing := 0
		for offset := range want {
			if offset >= r.starts[from] && got[offset] == nil {
				missing++
			}
		}
		if (missing > 0) != (len(r.rig.p.Quarantine()) > 0) {
			t.Errorf("from %d: %d events are missing, in quarantine are %+v", from, missing, r.rig.p.Quarantine())
		}
	}
}

// failing is a history that cannot be written.
type failing struct{ history.Log }

var errDisk = errors.New("no space left on device")

func (failing) Append(context.Context, history.Change) error { return errDisk }

// TestNothingPassesAnUnwrittenStatement: what comes behind a statement is not handed
// on before the statement is in the history.
func TestNothingPassesAnUnwrittenStatement(t *testing.T) {
	p := newPast(t, false, 0, changingTables)
	p.done = 1
	open := sqliteHistory(t)
	rig := newRig(t, "8.0.15", nil)
	o := rig.p.o
	o.OpenHistory = func(ctx context.Context) (history.Log, error) {
		l, err := open(ctx)
		return failing{l}, err
	}
	var err error
	if rig.p, err = New(o); err != nil {
		t.Fatal(err)
	}
	rig.session.Tables = p
	rig.start()
	if err := rig.chunk(p.events[0]); err != nil {
		t.Fatal(err)
	}
	if err := rig.chunk(p.events[1]); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "history") {
		t.Errorf("got %v", err)
	}
	if len(rig.store.entries) > 0 {
		t.Errorf("%d entries were handed on", len(rig.store.entries))
	}
	if !errors.Is(rig.p.HistoryStats().Err, errDisk) {
		t.Errorf("the statistics say %v", rig.p.HistoryStats().Err)
	}
	rig.stop()
	if err := rig.p.Close(); err != nil {
		t.Error(err)
	}
}

// TestQuarantineIsRemembered: it outlasts a restart, until the place is read again.
func TestQuarantineIsRemembered(t *testing.T) {
	p := newPast(t, false, 0, changingTables)
	r := &reader{past: p, open: sqliteHistory(t)}
	second := slices.Index(p.lines, "query d ALTER TABLE t RENAME COLUMN a TO x") // t is dropped later, as t_old
	r.read(t, second, second+5, false, nil)
	q := r.rig.p.Quarantine()
	if len(q) != 1 || q[0].Table != "t" || q[0].Events != 1 || q[0].Until.File != "" || !strings.Contains(q[0].Remedy(), "binlog_row_metadata") {
		t.Fatalf("in quarantine: %+v", q)
	}
	r.read(t, second+5, len(p.events), false, nil)
	again := r.rig.p.Quarantine()
	if len(again) == 0 || again[0].Position != q[0].Position || again[0].Until.File == "" {
		t.Errorf("after the restart: %+v", again)
	}
	stored, err := readQuarantine(t, r)
	if err != nil || len(stored) != len(again) || stored[0].Position != again[0].Position || stored[0].Until != again[0].Until {
		t.Errorf("in the history are %+v, %v", stored, err)
	}
	if ok, err := r.rig.p.Dismiss(t.Context(), "d", "nothing"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	r.read(t, second, second, false, nil)
	if left := r.rig.p.Quarantine(); len(left) != 0 {
		t.Errorf("after going back: %+v", left)
	}
}

// TestDismissedIsBack: rows that are still held back are told of again, though their
// table map has been seen before.
func TestDismissedIsBack(t *testing.T) {
	p := newPast(t, false, 0, `
	query d CREATE TABLE t (a int, b int)
	begin
	map 5 d.t 2
	insert 5 1,2
	insert 5 3,4
	insert 5 5,6
	xid 1
	query d DROP TABLE t
	query d CREATE TABLE t (p int, q int)`)
	r := &reader{past: p, open: sqliteHistory(t)}
	second := slices.Index(p.lines, "insert 5 3,4")
	r.read(t, slices.Index(p.lines, "begin"), len(p.events), false, func(running *Pipeline, event int) {
		if event == second {
			if ok, err := running.Dismiss(t.Context(), "d", "t"); !ok || err != nil || len(running.Quarantine()) != 0 {
				t.Errorf("dismissed: %v, %v", ok, err)
			}
		}
	})
	q := r.rig.p.Quarantine()
	if len(q) != 1 || q[0].Table != "t" || q[0].Position.Offset != p.starts[second] {
		t.Errorf("in quarantine: %+v", q)
	}
	if stored, err := readQuarantine(t, r); err != nil || len(stored) != 1 || stored[0].Position != q[0].Position {
		t.Errorf("in the history are %+v, %v", stored, err)
	}
}

// readQuarantine is what somebody beside the pipeline finds.
func readQuarantine(t *testing.T, r *reader) ([]Quarantined, error) {
	t.Helper()
	l, err := r.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return ReadQuarantine(t.Context(), l)
}

// TestReadQuarantineOfNothing has no state yet, and one that is none.
func TestReadQuarantineOfNothing(t *testing.T) {
	l, err := sqliteHistory(t)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if q, err := ReadQuarantine(t.Context(), l); len(q) != 0 || err != nil {
		t.Errorf("without a state: %v, %v", q, err)
	}
	if err := l.SetState(t.Context(), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadQuarantine(t.Context(), l); err == nil {
		t.Error("a damaged state was read")
	}
}

// TestFilterIsWidened needs a table that was left out before: it is read from the
// source, and known from then on.
func TestFilterIsWidened(t *testing.T) {
	p := newPast(t, false, 0, changingTables)
	want := (&reader{past: newPast(t, false, 0, changingTables), open: sqliteHistory(t)}).read(t, 1, len(p.events), true, nil)
	r := &reader{past: p, open: sqliteHistory(t), white: `d\.u`}
	line := func(text string) int { return slices.Index(p.lines, text) }
	r.read(t, line("query d ALTER TABLE t RENAME COLUMN a TO x"), line("query d CREATE TABLE t_gho (p int, q int)"), true, nil)
	begin := line("query d DROP TABLE t_old") // and t is another one by then
	p.done = len(p.events)
	r.white = ""
	second := line("query d ALTER TABLE u RENAME COLUMN m TO mm, RENAME COLUMN n TO m")
	for range 2 { // the second time it is in the history
		got := r.read(t, begin, second, false, nil)
		upTo := make(map[int64][]string)
		for offset, text := range want {
			if offset < p.starts[second] {
				upTo[offset] = text
			}
		}
		r.compareFrom(t, "widened", begin, got, upTo)
	}
}

// TestSwitchOfServers goes on with the log of another server, of which the places say
// nothing about the first one's.
func TestSwitchOfServers(t *testing.T) {
	for _, gtid := range []bool{false, true} {
		p := newPast(t, gtid, 1, changingTables)
		r := &reader{past: p, open: sqliteHistory(t), gtid: gtid}
		want := r.read(t, 1, len(p.events), true, nil)
		for i, from := range p.borders() {
			r.uuid = fmt.Sprintf("server %d", i%2)
			r.compareFrom(t, fmt.Sprintf("gtid %v, from %d", gtid, from), from, r.read(t, from, len(p.events), false, nil), want)
		}
	}
}
