package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/test/servers"
)

// realServer is a server of its own for the tests of one kind.
type realServer struct {
	*servers.Server
	*testing.T
}

// in is the server within a sub-test.
func (s realServer) in(t *testing.T) realServer { return realServer{s.Server, t} }

func (s realServer) must(statements ...string) {
	s.Helper()
	s.MustExec(s.T, statements...)
}

// value is the first column of the first row.
func (s realServer) value(sql string) string {
	s.Helper()
	rows, err := s.Query(s.Context(), sql)
	if err != nil {
		s.Fatal(err)
	}
	if len(rows) == 0 {
		s.Fatalf("%s: no rows", sql)
	}
	return strings.ReplaceAll(rows[0][0], "\n", "")
}

// connect logs in as the account that replicates.
func (s realServer) connect() *mysql.Conn {
	s.Helper()
	c, err := mysql.Connect(s.Context(), mysql.Config{Address: s.Addr(), User: "canal", Password: "canal"})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = c.Close() })
	return c
}

func (s realServer) end() binlog.Position {
	s.Helper()
	p, err := s.connect().End(s.Context(), true)
	if err != nil {
		s.Fatal(err)
	}
	return p
}

// executed is the set of transactions that the server's log has.
func (s realServer) executed() string {
	s.Helper()
	if s.Kind.IsMariaDB() {
		return s.value("SELECT @@global.gtid_binlog_pos")
	}
	return s.value("SELECT @@global.gtid_executed")
}

// watcher is a Handler that watches the rows inserted into one table whose last
// column is an INT.
type watcher struct {
	table   []byte // as a table map names it
	known   map[uint64]bool
	starts  chan Session
	largest atomic.Int64

	heartbeat func() // called at each; nil for none

	mu   sync.Mutex
	file string
	last binlog.Position // of the last commit
	seen []int           // what the rows brought
}

func watch(table string) *watcher {
	return &watcher{table: []byte("d\x00" + string(rune(len(table))) + table), starts: make(chan Session, 100)}
}

func (w *watcher) resume() (binlog.Position, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last, w.last.File != ""
}

func (w *watcher) rows() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func (w *watcher) Start(_ context.Context, s Session) error {
	w.known = map[uint64]bool{}
	w.starts <- s
	return nil
}

func (w *watcher) Stop() {}

func (w *watcher) Chunk(_ context.Context, c *Chunk) error {
	defer c.Release()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range c.Len() {
		if err := w.event(c.Event(i)); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) event(ev []byte) error {
	h, err := binlog.ParseHeader(ev)
	if err != nil {
		return err
	}
	if err := binlog.VerifyChecksum(ev); err != nil {
		return err
	}
	body := ev[binlog.HeaderSize:]
	switch h.Type {
	case binlog.EventHeartbeat, binlog.EventHeartbeatV2:
		if w.heartbeat != nil {
			w.heartbeat()
		}
	case binlog.EventRotate:
		w.file, _, err = binlog.ParseRotate(ev, true)
		return err
	case binlog.EventTableMap:
		w.known[tableID(body)] = bytes.Contains(body, w.table)
	case binlog.EventWriteRowsV1, binlog.EventWriteRowsV2:
		wanted, ok := w.known[tableID(body)]
		if !ok {
			return fmt.Errorf("rows of table %d: %w", tableID(body), ErrNeedTransactionStart)
		}
		if wanted {
			w.seen = append(w.seen, int(binary.LittleEndian.Uint32(ev[len(ev)-8:])))
			w.largest.Store(max(w.largest.Load(), int64(len(ev))))
		}
	case binlog.EventXID:
		w.last = binlog.Position{File: w.file, Offset: h.Start(), Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)}
	}
	return nil
}

func tableID(body []byte) (id uint64) {
	for i := range 6 {
		id |= uint64(body[i]) << (8 * i)
	}
	return id
}

// run reads the server until the test ends. change adapts the options.
func (s realServer) run(w *watcher, change func(*Options)) *running {
	s.Helper()
	o := testOptions(s.Addr())
	o.Handler, o.Resume = w, w.resume
	if change != nil {
		change(&o)
	}
	logs := &lockedBuffer{}
	o.Logger = newLogger(logs)
	ctx, cancel := context.WithCancel(context.Background())
	x := &running{Source: New(o), r: newRecorder(), logs: logs, done: make(chan error, 1), stop: cancel}
	go func() { x.done <- x.Run(ctx) }()
	s.Cleanup(func() {
		_ = x.end(s.T)
		if s.Failed() {
			s.Log(logs.String())
		}
	})
	return x
}

// begun waits for the next dump.
func (w *watcher) begun(t *testing.T, x *running) Session {
	t.Helper()
	select {
	case s := <-w.starts:
		return s
	case <-time.After(20 * time.Second):
		t.Fatalf("no dump began; state %+v", x.State())
		return Session{}
	}
}

// sees waits until the rows are those, in this order.
func (w *watcher) sees(t *testing.T, x *running, want ...int) {
	t.Helper()
	x.until(t, fmt.Sprintf("the rows %v, there are %v", want, w.rows()), func() bool { return len(w.rows()) >= len(want) })
	if got := w.rows(); !slices.Equal(got, want) {
		t.Fatalf("rows %v, want %v", got, want)
	}
}

// stopped waits for Run to end with a StopError that says the text, once.
func (x *running) stopped(t *testing.T, text string) *StopError {
	t.Helper()
	err := x.wait(t)
	stop, ok := errors.AsType[*StopError](err)
	if !ok || !strings.Contains(err.Error(), text) || len(stop.Choices) < 2 {
		t.Fatalf("Run returned %v, want a stop with %q", err, text)
	}
	if n := strings.Count(x.logs.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors in the log, want one", n)
	}
	return stop
}

func TestServers(t *testing.T) {
	for _, kind := range servers.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := realServer{servers.ForTest(t, kind), t}
			s.must("CREATE DATABASE d")
			for _, c := range []struct {
				name string
				test func(realServer)
			}{
				{"positions", testPositions},
				{"follow", testFollow},
				{"gtid", testGTID},
				{"ahead", testAhead},
				{"search", testSearch},
				{"large", testLarge},
				{"twins", testTwins},
				{"foreign set", testForeignSet},
				{"no such place", testNoSuchPlace},
				{"settings", testSettings},
				{"grants", testGrants},
				{"check", testCheckFindings},
				{"restart", testRestart},
				{"purge", testPurge},
				{"reset", testReset},
			} {
				t.Run(c.name, func(t *testing.T) { c.test(s.in(t)) })
			}
		})
	}
}

// testFollow follows the log to the next file and after a killed dump, over TLS
// where a fresh server has it.
func testFollow(s realServer) {
	s.must("CREATE TABLE d.plain (`näme` varchar(20), id int primary key) default charset=utf8mb4")
	w := watch("plain")
	secure := s.Kind == servers.MySQL80 || s.Kind == servers.MySQL97
	x := s.run(w, func(o *Options) {
		if secure {
			o.Instance.Master.TLS.Mode = "REQUIRED"
		}
	})
	got := w.begun(s.T, x)
	if f := got.Server; f.ServerID != uint32(s.Port) || !f.LogBin || f.BinlogFormat != "ROW" || (f.Flavor == binlog.FlavorMariaDB) != s.Kind.IsMariaDB() {
		s.Errorf("facts %+v", f)
	}
	if got.Position.File == "" || got.Position.Offset < 4 || got.ServerID != 4711 {
		s.Errorf("session %+v", got)
	}
	if sql, err := got.Tables.LoadTable(s.Context(), "d", "plain"); err != nil || !strings.Contains(sql, "`näme` varchar(20)") {
		s.Errorf("LoadTable: %q, %v", sql, err)
	}
	s.must("INSERT INTO d.plain VALUES ('a', 1)")
	w.sees(s.T, x, 1)
	s.must("FLUSH LOGS", "INSERT INTO d.plain VALUES ('b', 2)")
	w.sees(s.T, x, 1, 2)

	s.killDump()
	s.must("INSERT INTO d.plain VALUES ('c', 3)")
	if again := w.begun(s.T, x); again.Position.File == got.Position.File {
		s.Errorf("began again at %v", again.Position)
	}
	x.until(s.T, "a row after the dump was killed", func() bool { return slices.Contains(w.rows(), 3) })
	if x.State().Failures == 0 || x.Stats().Dumps != 2 {
		s.Errorf("state %+v, stats %+v", x.State(), x.Stats())
	}
}

// killDump kills the dump that began last.
func (s realServer) killDump() {
	s.Helper()
	rows, err := s.Query(s.Context(), "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%' ORDER BY id DESC")
	if err != nil || len(rows) == 0 {
		s.Fatalf("no dump in the process list: %v", err)
	}
	s.must("KILL " + rows[0][0])
}

func testGTID(s realServer) {
	s.must("CREATE TABLE d.gtid (id int primary key)")
	set := s.executed()
	s.must("INSERT INTO d.gtid VALUES (1)", "INSERT INTO d.gtid VALUES (2)")
	w := watch("gtid")
	x := s.run(w, func(o *Options) {
		o.Resume = nil
		o.Instance.GTIDMode, o.Instance.Master.Start.GTIDSet = true, set
	})
	if got := w.begun(s.T, x); !got.GTIDMode {
		s.Errorf("session %+v", got)
	}
	w.sees(s.T, x, 1, 2)
	s.must("INSERT INTO d.gtid VALUES (3)")
	w.sees(s.T, x, 1, 2, 3)
}

// testAhead reads the statements between two places. A GTID set that was configured
// tells no file: reading ahead from there once asked for a file without a name,
// which the server refuses for good.
func testAhead(s realServer) {
	s.must("CREATE TABLE d.before_ahead (id int)")
	from := s.end()
	s.must("FLUSH LOGS", "CREATE TABLE d.ahead (id int)")
	between := s.end() // before it is what a server passes over, and tells of with a heartbeat
	s.must("INSERT INTO d.ahead VALUES (1)", "ALTER TABLE d.ahead ADD b int")
	to := s.end()
	s.must("DROP TABLE d.ahead")
	w := watch("ahead")
	live := w.begun(s.T, s.run(w, nil)).Tables.(schema.Live)
	for n, from := range []binlog.Position{from, {GTIDSet: from.GTIDSet}, between, {GTIDSet: between.GTIDSet}, {GTIDSet: between.GTIDSet}} {
		var got []string
		if n == 4 {
			to = binlog.Position{GTIDSet: to.GTIDSet}
		}
		err := live.Ahead(s.Context(), from, to, func(st schema.Statement) error {
			if !strings.Contains(st.SQL, "FLUSH") {
				got = append(got, st.SQL)
			}
			return nil
		})
		want := []string{"CREATE TABLE d.ahead (id int)", "ALTER TABLE d.ahead ADD b int"}
		if n >= 2 {
			want = want[1:]
		}
		if err != nil || !slices.Equal(got, want) {
			s.Errorf("from %v: statements %q, %v, want %q", from, got, err, want)
		}
	}
}

// testSearch looks for positions by time and for transaction starts.
func testSearch(s realServer) {
	s.must("CREATE TABLE d.search (id int primary key, b longblob)", "INSERT INTO d.search VALUES (1, 'a')")
	before := s.end()
	s.must("BEGIN", "INSERT INTO d.search VALUES (2, 'a')", "INSERT INTO d.search VALUES (3, REPEAT('b', 100000))", "COMMIT")

	conn := s.connect()
	a := &attempt{s: New(testOptions(s.Addr())), config: mysql.Config{Address: s.Addr(), User: "canal", Password: "canal"}, conn: conn}
	var err error
	if a.facts, err = conn.Inspect(s.Context()); err != nil {
		s.Fatal(err)
	}
	end := s.end()
	// Somewhere inside the transaction that follows.
	got, found, err := a.scan(s.Context(), before.File, limit{offset: before.Offset + 300, end: end})
	if err != nil || !found || got.Offset != before.Offset {
		s.Errorf("border %v, %v, %v, want %v", got, found, err, before)
	}
	if got.GTIDSet != before.GTIDSet {
		s.Errorf("set %q, want %q", got.GTIDSet, before.GTIDSet)
	}
	if ft, err := a.fileTime(s.Context(), before.File); err != nil || ft <= 0 || ft > time.Now().UnixMilli() {
		s.Errorf("file begins at %d, %v", ft, err)
	}
	// To the present end, where the server falls silent.
	got, _, err = a.scan(s.Context(), end.File, limit{end: end})
	if err != nil || got.Offset != end.Offset {
		s.Errorf("last border %v, %v, want %v", got, err, end)
	}
}

// testLarge sends an event of several packets.
func testLarge(s realServer) {
	// Without a transaction, for which the logs of the oldest servers are too small.
	s.must("CREATE TABLE d.large (b longblob, id int primary key) ENGINE=MyISAM")
	w := watch("large")
	x := s.run(w, nil)
	w.begun(s.T, x)
	const size = 20 << 20
	s.must(fmt.Sprintf("INSERT INTO d.large VALUES (REPEAT('x', %d), 1)", size), "INSERT INTO d.large VALUES ('y', 2)", "DROP TABLE d.large")
	w.sees(s.T, x, 1, 2)
	if n := w.largest.Load(); n < size {
		s.Errorf("largest event has %d bytes", n)
	}
}

// testTwins runs two readers with one configured replica id. MariaDB then cuts
// the older one off, and the source says what is wrong; MySQL serves both.
func testTwins(s realServer) {
	one, two := watch("twins"), watch("twins")
	hint := make(chan string, 1000)
	set := func(o *Options) {
		o.Instance.ServerID = 880001
		o.Hooks.State = func(st State) {
			if st.Phase == PhaseWaiting {
				hint <- st.Reason + " " + st.Remedy
			}
		}
	}
	x := s.run(one, set)
	one.begun(s.T, x)
	y := s.run(two, set)
	two.begun(s.T, y)
	const want = "give each its own canal.instance.mysql.slaveId"
	if !s.Kind.IsMariaDB() {
		s.must("CREATE TABLE d.twins (id int primary key)", "INSERT INTO d.twins VALUES (1)")
		one.sees(s.T, x, 1)
		two.sees(s.T, y, 1)
		return
	}
	select {
	case got := <-hint:
		if !strings.Contains(got, want) {
			s.Errorf("reason: %s", got)
		}
	case <-time.After(20 * time.Second):
		s.Fatal("neither reader was cut off")
	}
}

// testForeignSet asks for transactions that the server does not have.
func testForeignSet(s realServer) {
	set := ""
	if s.Kind.IsMariaDB() {
		set = fmt.Sprintf("0-%d-999999999", s.Port)
	} else {
		set = s.value("SELECT @@server_uuid") + ":1-999999999"
	}
	x := s.run(watch("none"), func(o *Options) {
		o.Instance.GTIDMode, o.Instance.Master.Start.GTIDSet = true, set
	})
	x.stopped(s.T, "the server no longer has the binlog the position is in")
}

// testNoSuchPlace goes on from places that are not there.
func testNoSuchPlace(s realServer) {
	for name, c := range map[string]struct {
		position func(end binlog.Position) binlog.Position
		text     string
	}{
		"file":   {func(binlog.Position) binlog.Position { return binlog.Position{File: "none.000001", Offset: 4} }, "does not have the binlog file of the position"},
		"end":    {func(end binlog.Position) binlog.Position { end.Offset += 1 << 30; return end }, "beyond the end of its file"},
		"inside": {func(end binlog.Position) binlog.Position { end.Offset = 40; return end }, "cannot read its binlog at the start position"},
	} {
		s.Run(name, func(t *testing.T) {
			p := c.position(s.in(t).end())
			x := s.in(t).run(watch("none"), func(o *Options) { o.stored("", 0, p) })
			err := x.wait(t)
			if stop, ok := errors.AsType[*StopError](err); !ok || len(stop.Choices) < 2 || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Run returned %v", err)
			}
		})
	}
}

// testPositions goes through the rules of where to begin. The rows 1 to 4 are at
// least a second apart, 1 in a first file, 2 and 3 in a second, 4 in a third.
func testPositions(s realServer) {
	s.must("CREATE TABLE d.pos (id int primary key)", "DO SLEEP(1.1)", "FLUSH LOGS")
	var at [5]int64 // seconds
	now := func() int64 {
		n, err := strconv.ParseInt(s.value("SELECT UNIX_TIMESTAMP()"), 10, 64)
		if err != nil {
			s.Fatal(err)
		}
		return n
	}
	insert := func(id int) {
		s.must("DO SLEEP(1.1)")
		at[id] = now()
		s.must(fmt.Sprintf("INSERT INTO d.pos VALUES (%d)", id))
	}
	insert(1)
	s.must("FLUSH LOGS")
	insert(2)
	before3 := s.end()
	insert(3)
	rows3 := s.offsetOf(before3, "Write_rows")
	s.must("FLUSH LOGS")
	insert(4)
	s.must("DO SLEEP(1.1)")

	configured := func(p config.StartPosition) func(*Options) {
		return func(o *Options) { o.Instance.Master.Start = p }
	}
	inGTIDMode := func(p config.StartPosition) func(*Options) {
		return func(o *Options) { o.Instance.GTIDMode, o.Instance.Master.Start = true, p }
	}
	marker := 100
	for _, c := range []struct {
		name string
		set  func(*Options)
		want []int
	}{
		{"nothing", nil, nil},
		{"nothing, gtid mode", inGTIDMode(config.StartPosition{}), nil},
		{"file", configured(config.StartPosition{File: before3.File}), []int{2, 3, 4}},
		{"file and offset", configured(config.StartPosition{File: before3.File, Offset: before3.Offset}), []int{3, 4}},
		{"file and offset, gtid mode", inGTIDMode(config.StartPosition{File: before3.File, Offset: before3.Offset}), []int{3, 4}},
		{"file and time", configured(config.StartPosition{File: before3.File, Timestamp: at[3] * 1000}), []int{3, 4}},
		{"offset inside a transaction", configured(config.StartPosition{File: before3.File, Offset: rows3}), []int{3, 4}},
		{"stored inside a transaction", func(o *Options) {
			o.stored("127.0.0.1", s.Port, binlog.Position{File: before3.File, Offset: rows3, Timestamp: at[3] * 1000})
		}, []int{3, 4}},
		{"time of the second", configured(config.StartPosition{Timestamp: at[2] * 1000}), []int{2, 3, 4}},
		{"time of the third", configured(config.StartPosition{Timestamp: at[3] * 1000}), []int{3, 4}},
		{"time of the third, gtid mode", inGTIDMode(config.StartPosition{Timestamp: at[3] * 1000}), []int{3, 4}},
		{"time of the fourth", configured(config.StartPosition{Timestamp: at[4] * 1000}), []int{4}},
		{"time after all", configured(config.StartPosition{Timestamp: (at[4] + 3600) * 1000}), nil},
		{"gtid", inGTIDMode(config.StartPosition{GTIDSet: before3.GTIDSet}), []int{3, 4}},
		{"stored on another server", func(o *Options) {
			o.Instance.Fallback = 0
			o.stored("192.0.2.1", 3306, binlog.Position{File: "x.000009", Offset: 700, Timestamp: at[3] * 1000})
		}, []int{3, 4}},
		{"stored on another server, with fallback", func(o *Options) {
			o.Instance.Fallback = time.Duration(at[3]-at[2]) * time.Second
			o.stored("192.0.2.1", 3306, binlog.Position{File: "x.000009", Offset: 700, Timestamp: at[3] * 1000})
		}, []int{2, 3, 4}},
		{"stored on another server, fallback before the log", func(o *Options) {
			o.Instance.Fallback = time.Hour
			o.stored("192.0.2.1", 3306, binlog.Position{File: "x.000009", Offset: 700, Timestamp: at[3] * 1000})
		}, []int{1, 2, 3, 4}},
		{"stored for another server id", func(o *Options) {
			o.Instance.Fallback = 0
			o.stored("127.0.0.1", s.Port, binlog.Position{File: "x.000009", Offset: 700, Timestamp: at[3] * 1000, ServerID: 5})
		}, []int{3, 4}},
	} {
		s.Run(c.name, func(t *testing.T) {
			s, w := s.in(t), watch("pos")
			x := s.run(w, c.set)
			w.begun(t, x)
			marker++
			s.must(fmt.Sprintf("INSERT INTO d.pos VALUES (%d)", marker))
			x.until(t, "the last row", func() bool { return slices.Contains(w.rows(), marker) })
			got := slices.DeleteFunc(w.rows(), func(id int) bool { return id > 4 })
			if !slices.Equal(got, c.want) {
				t.Errorf("rows %v, want %v", got, c.want)
			}
		})
	}
	s.Run("time before the log", func(t *testing.T) {
		x := s.in(t).run(watch("pos"), configured(config.StartPosition{Timestamp: 1_000_000_000_000}))
		x.stopped(t, "can't find start position: the oldest binlog begins after 2001-09-09T01:46:40Z")
	})
}

// offsetOf finds the first event of a kind after a position.
func (s realServer) offsetOf(after binlog.Position, event string) int64 {
	s.Helper()
	rows, err := s.Query(s.Context(), fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d", after.File, after.Offset))
	if err != nil {
		s.Fatal(err)
	}
	for _, row := range rows {
		if strings.HasPrefix(row[2], event) {
			n, err := strconv.ParseInt(row[1], 10, 64)
			if err != nil {
				s.Fatal(err)
			}
			return n
		}
	}
	s.Fatalf("no %s after %v in %v", event, after, rows)
	return 0
}

// testSettings refuses what the configuration does not allow, and goes on when
// the server has changed.
func testSettings(s realServer) {
	for _, c := range []struct {
		name           string
		wrong, right   string
		set            func(*config.Instance)
		reason, remedy string
	}{
		{"format", "SET GLOBAL binlog_format = 'STATEMENT'", "SET GLOBAL binlog_format = 'ROW'",
			func(i *config.Instance) { i.BinlogFormats = []string{"ROW"} }, "Unsupported BinlogFormat STATEMENT (allowed: ROW)", "SET GLOBAL binlog_format = 'ROW'"},
		{"image", "SET GLOBAL binlog_row_image = 'MINIMAL'", "SET GLOBAL binlog_row_image = 'FULL'",
			func(i *config.Instance) { i.BinlogImages = []string{"FULL", "NOBLOB"} }, "Unsupported BinlogImage MINIMAL (allowed: FULL,NOBLOB)", "SET GLOBAL binlog_row_image = 'FULL'"},
	} {
		s.Run(c.name, func(t *testing.T) {
			s, w := s.in(t), watch("none")
			s.must(c.wrong)
			x := s.run(w, func(o *Options) { c.set(&o.Instance) })
			x.refused(t, c.reason, c.remedy)
			s.must(c.right)
			w.begun(t, x)
		})
	}
}

// refused waits until the source waits for the reason and names the remedy.
func (x *running) refused(t *testing.T, reason, remedy string) {
	t.Helper()
	x.until(t, "the reason "+reason, func() bool {
		st := x.State()
		return strings.Contains(st.Reason, reason) && strings.Contains(st.Remedy, remedy)
	})
}

// testGrants adds what an account lacks, one after the other.
func testGrants(s realServer) {
	s.must("CREATE USER poor@'%' IDENTIFIED BY 'canal'", "CREATE TABLE d.secret (id int primary key)")
	w := watch("none")
	x := s.run(w, func(o *Options) { o.Instance.User = "poor" })
	const remedy = "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'poor'@'%'"
	client := "REPLICATION CLIENT"
	if s.Kind.IsMariaDB() {
		client = "BINLOG MONITOR"
	}
	x.refused(s.T, client, remedy)
	s.must("GRANT REPLICATION CLIENT ON *.* TO poor@'%'")
	x.refused(s.T, "register as replica", remedy)
	s.must("GRANT REPLICATION SLAVE ON *.* TO poor@'%'")
	x.until(s.T, "the dump", func() bool { return x.State().Phase == PhaseStreaming })
	var got Session // the last: attempts that failed had begun, too
	for len(w.starts) > 0 {
		got = <-w.starts
	}
	if _, err := got.Tables.LoadTable(s.Context(), "d", "secret"); !errors.Is(err, schema.ErrNoPrivilege) {
		s.Errorf("LoadTable without SELECT: %v", err)
	}
	s.must("GRANT SELECT ON *.* TO poor@'%'")
	if sql, err := got.Tables.LoadTable(s.Context(), "d", "secret"); err != nil || !strings.Contains(sql, "CREATE TABLE `secret`") {
		s.Errorf("LoadTable with SELECT: %q, %v", sql, err)
	}
}

// testCheckFindings checks a sound account and poor ones.
func testCheckFindings(s realServer) {
	s.must("CREATE USER bare@'%' IDENTIFIED BY 'canal'")
	for _, c := range []struct {
		grant string
		user  string
		worst Severity
		text  []string
	}{
		{"", "canal", Info, []string{"server id " + strconv.Itoa(s.Port), "binlog mysql-bin.000001 to mysql-bin."}},
		{"", "bare", Failure, []string{"SELECT", "REPLICATION SLAVE", "REPLICATION CLIENT"}},
		{"GRANT REPLICATION CLIENT ON *.* TO bare@'%'", "bare", Failure, []string{"SELECT", "REPLICATION SLAVE"}},
		{"GRANT REPLICATION SLAVE ON *.* TO bare@'%'", "bare", Failure, []string{"SELECT"}},
		{"GRANT SELECT ON *.* TO bare@'%'", "bare", Info, nil},
	} {
		if c.grant != "" {
			s.must(c.grant)
		}
		in := testOptions(s.Addr()).Instance
		in.User, in.ServerID = c.user, 0
		findings := Check(s.Context(), in, nil, nil)
		worst, text := Info, ""
		for _, f := range findings {
			worst = max(worst, f.Severity)
			text += f.Text + "\n"
			if f.Severity == Failure && !strings.Contains(f.Remedy, "GRANT ") {
				s.Errorf("%s: remedy %q", f.Text, f.Remedy)
			}
		}
		if worst != c.worst {
			s.Errorf("after %q: %+v", c.grant, findings)
		}
		for _, part := range c.text {
			if !strings.Contains(text, part) {
				s.Errorf("after %q: %q is not in\n%s", c.grant, part, text)
			}
		}
	}
}

// testRestart stops the server under a running dump and starts it again.
func testRestart(s realServer) {
	s.must("CREATE TABLE d.restart (id int primary key)")
	w := watch("restart")
	x := s.run(w, nil)
	w.begun(s.T, x)
	s.must("INSERT INTO d.restart VALUES (1)")
	w.sees(s.T, x, 1)
	if err := s.Stop(); err != nil {
		s.Fatal(err)
	}
	x.until(s.T, "the failure", func() bool { return x.State().Phase == PhaseWaiting })
	if err := s.Up(s.Context()); err != nil {
		s.Fatal(err)
	}
	w.begun(s.T, x)
	s.must("INSERT INTO d.restart VALUES (2)")
	x.until(s.T, "a row after the restart", func() bool { return slices.Contains(w.rows(), 2) })
}

// testPurge removes the file that is needed next.
func testPurge(s realServer) {
	old := s.end()
	s.must("FLUSH LOGS", "CREATE TABLE d.purge (id int primary key)", "FLUSH LOGS")
	s.must("PURGE BINARY LOGS TO '" + s.end().File + "'")
	x := s.run(watch("purge"), func(o *Options) { o.stored("127.0.0.1", s.Port, old) })
	stop := x.stopped(s.T, "the server does not have the binlog file of the position")
	if stop.Asked.File != old.File || stop.Oldest != s.end().File || stop.Newest != stop.Oldest || !errors.Is(stop, ErrPositionPurged) {
		s.Errorf("%+v", stop)
	}
	x = s.run(watch("purge"), func(o *Options) {
		o.Instance.GTIDMode = true
		o.stored("127.0.0.1", s.Port, old)
	})
	if stop := x.stopped(s.T, "errno = 1236"); stop.Asked.GTIDSet != old.GTIDSet || stop.Oldest != s.end().File {
		s.Errorf("%+v", stop)
	}
	// As the operator may allow, it jumps to the end.
	w := watch("purge")
	x = s.run(w, func(o *Options) {
		o.Instance.AutoResetToLatest = true
		o.stored("127.0.0.1", s.Port, old)
	})
	w.begun(s.T, x)
	s.must("INSERT INTO d.purge VALUES (1)")
	w.sees(s.T, x, 1)
}

// testReset begins the log anew, first while nobody reads, then under a running
// dump.
func testReset(s realServer) {
	reset := "RESET MASTER"
	if s.Kind == servers.MySQL97 {
		reset = "RESET BINARY LOGS AND GTIDS"
	}
	s.must("CREATE TABLE d.reset (id int primary key)", "FLUSH LOGS", "INSERT INTO d.reset VALUES (1)")
	old := s.end()
	s.must(reset)
	x := s.run(watch("reset"), func(o *Options) { o.stored("127.0.0.1", s.Port, old) })
	if stop := x.stopped(s.T, "the position"); stop.Asked.File != old.File || stop.Oldest != "mysql-bin.000001" {
		s.Errorf("%+v", stop)
	}

	// The new log has files of the same names, and the dump would idle for ever in
	// the old, deleted one.
	w := watch("reset")
	beats := make(chan bool, 1000)
	w.heartbeat = func() { beats <- true }
	x = s.run(w, func(o *Options) { o.HeartbeatPeriod = time.Second })
	w.begun(s.T, x)
	s.must("INSERT INTO d.reset VALUES (2)", "INSERT INTO d.reset VALUES (3)", "INSERT INTO d.reset VALUES (4)")
	w.sees(s.T, x, 2, 3, 4)
	for len(beats) > 0 {
		<-beats
	}
	select {
	case <-beats:
	case <-time.After(20 * time.Second):
		s.Fatal("no heartbeat")
	}
	s.must(reset)
	s.must("INSERT INTO d.reset VALUES (5)")
	err := x.wait(s.T)
	if _, ok := errors.AsType[*StopError](err); !ok || !strings.Contains(err.Error(), "beyond the end of its file") {
		s.Errorf("Run returned %v", err)
	}
	if !strings.Contains(x.logs.String(), "log was begun anew under the dump") {
		s.Error("the log does not say that the dump was stale")
	}
}

// TestBareServers reads servers that write no binary log and whose default
// character set is latin1.
func TestBareServers(t *testing.T) {
	for _, kind := range servers.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			lines := []string{"skip-log-bin", "character-set-server=latin1", "collation-server=latin1_swedish_ci"}
			if kind.IsMariaDB() {
				lines = append(lines, "log_slave_updates=0")
			} else {
				lines = append(lines, "gtid_mode=OFF", "enforce_gtid_consistency=OFF")
			}
			if kind == servers.MySQL56 || kind == servers.MySQL57 {
				lines = append(lines, "log_slave_updates=0")
			}
			s := realServer{servers.ForTest(t, kind, lines...), t}
			s.must("CREATE DATABASE d", "CREATE TABLE d.`größe` (`näme` varchar(20), `价格` int) default charset=latin1")
			x := s.run(watch("none"), nil)
			x.refused(t, "the server writes no binary log (log_bin is OFF)", "log_bin=mysql-bin")
			findings := Check(t.Context(), testOptions(s.Addr()).Instance, nil, nil)
			if last := findings[len(findings)-1]; last.Severity != Failure || !strings.Contains(last.Remedy, "log_bin=mysql-bin") {
				t.Errorf("%+v", findings)
			}
			tables := mysql.NewTables(mysql.Config{Address: s.Addr(), User: "canal", Password: "canal"})
			defer tables.Close()
			sql, err := tables.LoadTable(t.Context(), "d", "größe")
			if err != nil || !strings.Contains(sql, "`näme` varchar(20)") || !strings.Contains(sql, "`价格` int") {
				t.Errorf("LoadTable: %q, %v", sql, err)
			}
		})
	}
}

// TestServersSwitch kills a master: its standby, which has other files, is read
// from the time of the last commit less the fallback.
func TestServersSwitch(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MySQL97, servers.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			master, standby := realServer{servers.ForTest(t, kind), t}, realServer{servers.ForTest(t, kind), t}
			both := func(statements ...string) { master.must(statements...); standby.must(statements...) }
			both("CREATE DATABASE d", "CREATE TABLE d.sw (id int primary key)")
			standby.must("FLUSH LOGS", "INSERT INTO d.sw VALUES (100)") // long past when the switch comes
			w := watch("sw")
			switched := make(chan [2]string, 10)
			x := master.run(w, func(o *Options) {
				in := &o.Instance
				in.Standby.Address, in.Fallback = standby.Addr(), time.Second
				in.DetectingEnable, in.DetectingHA, in.DetectingThreshold = true, true, 2
				in.DetectingSQL, in.DetectingInterval = "SELECT 1", 50*time.Millisecond
				o.Hooks.Switched = func(from, to string) { switched <- [2]string{from, to} }
			})
			w.begun(t, x)
			both("DO SLEEP(3.1)", "INSERT INTO d.sw VALUES (1)")
			w.sees(t, x, 1)
			master.Kill()
			select {
			case got := <-switched:
				if got != [2]string{master.Addr(), standby.Addr()} {
					t.Errorf("switched %v", got)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("no switch")
			}
			standby.must("INSERT INTO d.sw VALUES (2)")
			x.until(t, "the row of the standby", func() bool { return slices.Contains(w.rows(), 2) })
			// What was read just before the switch comes again, older rows do not.
			if got := w.rows(); !slices.Equal(got, []int{1, 1, 2}) {
				t.Errorf("rows %v", got)
			}
			if _, port := x.Address(); port != standby.Port {
				t.Errorf("reads port %d", port)
			}
		})
	}
}
