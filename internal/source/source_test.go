package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

// Package servers has a goroutine that starts processes, from the beginning on.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// recorder is a Handler that keeps what a dump brought, as a pipeline with a
// store would: up to the last commit.
type recorder struct {
	mu       sync.Mutex
	sessions []Session
	file     string
	events   [][]byte // real events, in order, of all dumps up to their last commit
	pending  [][]byte // after the last commit
	boundary binlog.Position
	changed  chan struct{}
	fail     func(ev []byte) error // what Chunk returns at an event
	running  bool
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{}, 1)} }

func (r *recorder) Start(_ context.Context, s Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions = append(r.sessions, s)
	r.pending, r.running = nil, true
	return nil
}

func (r *recorder) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = false
}

func (r *recorder) Chunk(_ context.Context, c *Chunk) error {
	defer c.Release()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range c.Len() {
		if err := r.event(c.Event(i)); err != nil {
			return err
		}
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return nil
}

func (r *recorder) event(ev []byte) error {
	h, err := binlog.ParseHeader(ev)
	if err != nil {
		return err
	}
	if err := binlog.VerifyChecksum(ev); err != nil {
		return err
	}
	if h.Type == binlog.EventRotate && h.Flags&binlog.FlagArtificial != 0 {
		r.file, _, err = binlog.ParseRotate(ev, true)
		return err
	}
	if h.LogPos == 0 || h.Type == binlog.EventHeartbeat {
		return nil
	}
	if r.fail != nil {
		if err := r.fail(ev); err != nil {
			return err
		}
	}
	r.pending = append(r.pending, bytes.Clone(ev))
	if h.Type == binlog.EventXID {
		r.events = append(r.events, r.pending...)
		r.pending = nil
		// The end of the commit, so that what is kept has no overlap.
		r.boundary = binlog.Position{File: r.file, Offset: int64(h.LogPos), Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)}
	}
	return nil
}

func (r *recorder) resume() (binlog.Position, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.boundary, !r.boundary.IsZero()
}

// commits counts what is kept.
func (r *recorder) commits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, ev := range r.events {
		if binlog.EventType(ev[4]) == binlog.EventXID {
			n++
		}
	}
	return n
}

func (r *recorder) lastSession() Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[len(r.sessions)-1]
}

// running is a Source under test.
type running struct {
	*Source
	r    *recorder
	logs *lockedBuffer
	done chan error
	stop context.CancelFunc
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// testOptions reads from address with short limits.
func testOptions(address string) Options {
	return Options{
		Instance: config.Instance{
			Destination: "example", User: "canal", Password: "canal", ServerID: 4711, Fallback: time.Minute,
			Master: config.Endpoint{Address: address},
		},
		MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		ReadTimeout: 20 * time.Second,
	}
}

// run starts a Source; the test's end stops it.
func run(t *testing.T, o Options) *running {
	t.Helper()
	r := newRecorder()
	if o.Handler == nil {
		o.Handler = r
		o.Resume = r.resume
	} else {
		r = o.Handler.(*recorder)
	}
	logs := &lockedBuffer{}
	o.Logger = newLogger(logs)
	ctx, cancel := context.WithCancel(t.Context())
	x := &running{Source: New(o), r: r, logs: logs, done: make(chan error, 1), stop: cancel}
	go func() { x.done <- x.Run(ctx) }()
	t.Cleanup(func() {
		x.end(t)
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	return x
}

// end stops the source and returns what Run returned.
func (x *running) end(t *testing.T) error {
	t.Helper()
	x.stop()
	return x.wait(t)
}

// wait waits for Run to return by itself.
func (x *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-x.done:
		x.done <- err
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("Run did not return; state %+v", x.State())
		return nil
	}
}

// until waits for a condition.
func (x *running) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-x.r.changed:
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s; state %+v", what, x.State())
		}
	}
}

// fill writes three files of transactions, ten seconds apart, and returns the
// time of the first.
const firstTime = 1_600_000_000

func fill(perFile int) *mysqltest.Log {
	at := uint32(firstTime)
	log := mysqltest.NewLog("mysql-bin", at)
	for f := range 3 {
		if f > 0 {
			log.Rotate(at)
		}
		for range perFile {
			at += 10
			log.Transaction(at, []byte{0xfe, 1, 0, 0, 0})
		}
	}
	return log
}

func TestDumpFollowsTheLog(t *testing.T) {
	log := fill(3)
	server := mysqltest.Start(t, log)
	o := testOptions(server.Address())
	o.Instance.Master.Start.File = "mysql-bin.000001"
	x := run(t, o)
	x.until(t, "nine commits", func() bool { return x.r.commits() == 9 })
	log.Transaction(firstTime+1000, []byte{0xfe, 1, 0, 0, 0})
	x.until(t, "a tenth commit", func() bool { return x.r.commits() == 10 })

	s := x.r.lastSession()
	if want := (binlog.Position{File: "mysql-bin.000001", Offset: 4}); s.Position != want {
		t.Errorf("began at %v, want %v", s.Position, want)
	}
	if !s.Checksum || s.GTIDMode || s.Server.ServerID != mysqltest.ServerID || s.ServerID != 4711 || s.Server.RowImage != "FULL" {
		t.Errorf("session %+v", s)
	}
	d := server.Dumps()[0]
	if d.ServerID != 4711 || d.Flags != 2 || d.Offset != 4 || d.File != "mysql-bin.000001" || d.GTIDSet != nil {
		t.Errorf("dump command %+v", d)
	}
	if got := server.Registered(); len(got) != 1 || got[0] != 4711 {
		t.Errorf("registered %v", got)
	}
	want := []string{"set wait_timeout=9999999", "set net_write_timeout=7200", "set net_read_timeout=7200", "set names 'binary'",
		"set @master_binlog_checksum= @@global.binlog_checksum", "set @slave_uuid=uuid()", "SET @mariadb_slave_capability='4'",
		"SET @master_heartbeat_period=15000000000", "select @@global.binlog_checksum"}
	if got := strings.Join(server.Statements(), "\n"); !strings.Contains(got, strings.Join(want, "\n")) {
		t.Errorf("statements before the dump:\n%s", got)
	}
	if st := x.State(); st.Phase != PhaseStreaming {
		t.Errorf("state %+v", st)
	}
	if st := x.Stats(); st.Dumps != 1 || st.Events == 0 || st.Bytes == 0 || st.LastByteAt.IsZero() {
		t.Errorf("stats %+v", st)
	}
	if err := x.end(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	if st := x.State(); st.Phase != PhaseStopped || st.Reason != "" {
		t.Errorf("state %+v", st)
	}
	text := strings.Join(server.Statements(), "\n")
	if !strings.Contains(text, "KILL CONNECTION ") {
		t.Errorf("the dump was not killed:\n%s", text)
	}
	for _, line := range []string{
		"---> begin to find start position, it will be long time for reset or first position",
		"prepare to find start position mysql-bin.000001::0",
		"---> find start position successfully, EntryPosition[included=false,journalName=mysql-bin.000001,position=4,serverId=<null>,gtid=<null>,timestamp=<null>] cost : ",
		"ms , the next step is binlog dump",
	} {
		if !strings.Contains(x.logs.String(), line) {
			t.Errorf("log lacks %q", line)
		}
	}
}

// allEvents are the events of the files, as they are after one undisturbed dump.
func allEvents(log *mysqltest.Log) (events [][]byte) {
	for i := range 3 {
		events = append(events, log.Events(fmt.Sprintf("mysql-bin.%06d", i+1), 4)...)
	}
	return events
}

// transactions leaves out what is sent again at each begin of a dump.
func transactions(events [][]byte) (out [][]byte) {
	for _, ev := range events {
		switch binlog.EventType(ev[4]) {
		case binlog.EventFormatDescription, binlog.EventPreviousGTIDs, binlog.EventRotate:
		default:
			out = append(out, ev)
		}
	}
	return out
}

// TestCutAnywhere cuts the first dump after each byte in turn: nothing may be
// missing or doubled afterwards.
func TestCutAnywhere(t *testing.T) {
	log := fill(1)
	want := transactions(allEvents(log))
	total := 0
	for _, ev := range allEvents(log) {
		total += len(ev) + packetHeader + 1
	}
	for cut := 1; cut < total; cut += 13 {
		server := mysqltest.Start(t, log)
		server.Fault = func(n int, _ mysqltest.Dump) mysqltest.Fault {
			if n == 0 {
				return mysqltest.Fault{Cut: cut, Split: 1 + cut%50}
			}
			return mysqltest.Fault{Split: 7}
		}
		o := testOptions(server.Address())
		o.Instance.Master.Start.File = "mysql-bin.000001"
		x := run(t, o)
		x.until(t, "three commits", func() bool { return x.r.commits() == 3 })
		_ = x.end(t)
		server.Close()
		got := transactions(x.r.events)
		if len(got) != len(want) {
			t.Fatalf("cut after %d bytes: %d events, want %d", cut, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("cut after %d bytes: event %d differs", cut, i)
			}
		}
	}
}

// TestReconnect tells the ways a dump ends that heal themselves.
func TestReconnect(t *testing.T) {
	for name, c := range map[string]struct {
		fault  mysqltest.Fault
		reason string
	}{
		"stall":       {mysqltest.Fault{Stall: 900}, "not even a heartbeat"},
		"end":         {mysqltest.Fault{EOF: true}, "canal.instance.mysql.slaveId"},
		"error":       {mysqltest.Fault{Error: &mysqltest.Err{Code: 1053, State: "08S01", Message: "Server shutdown in progress"}}, "errno = 1053"},
		"same id":     {mysqltest.Fault{Error: &mysqltest.Err{Code: 1236, State: "HY000", Message: "A slave with the same server_uuid/server_id as this slave has connected to the master"}}, "own canal.instance.mysql.slaveId"},
		"fatal error": {mysqltest.Fault{Error: &mysqltest.Err{Code: 1236, State: "HY000", Message: "bogus data in log event"}}, "bogus data"},
	} {
		t.Run(name, func(t *testing.T) {
			server := mysqltest.Start(t, fill(2))
			server.Fault = func(n int, _ mysqltest.Dump) mysqltest.Fault {
				if n == 0 {
					return c.fault
				}
				return mysqltest.Fault{}
			}
			server.Heartbeat = 50 * time.Millisecond
			o := testOptions(server.Address())
			o.Instance.Master.Start.File = "mysql-bin.000001"
			o.ReadTimeout = 300 * time.Millisecond
			var states sync.Map
			o.Hooks.State = func(st State) {
				if st.Phase == PhaseWaiting {
					states.Store(st.Reason+" "+st.Remedy, true)
				}
			}
			x := run(t, o)
			x.until(t, "a second dump with all commits", func() bool { return len(server.Dumps()) > 1 && x.r.commits() == 6 })
			found := false
			states.Range(func(k, _ any) bool { found = found || strings.Contains(k.(string), c.reason); return true })
			if !found {
				t.Errorf("no state says %q", c.reason)
			}
		})
	}
}

// TestHandlerFails: a failure that the handler finds out between chunks ends the
// dump at once, and the next attempt follows.
func TestHandlerFails(t *testing.T) {
	server := mysqltest.Start(t, fill(2))
	server.Heartbeat = time.Hour
	o := testOptions(server.Address())
	o.Instance.Master.Start.File = "mysql-bin.000001"
	var reasons sync.Map
	o.Hooks.State = func(st State) {
		if st.Phase == PhaseWaiting {
			reasons.Store(st.Reason, true)
		}
	}
	x := run(t, o)
	x.until(t, "all commits", func() bool { return x.r.commits() == 6 })
	x.r.lastSession().Fail(errors.New("nothing can be stored"))
	x.until(t, "a second dump", func() bool { return len(server.Dumps()) == 2 })
	if _, ok := reasons.Load("nothing can be stored"); !ok {
		t.Error("no state gives the reason")
	}
	if text := strings.Join(server.Statements(), "\n"); !strings.Contains(text, "KILL CONNECTION ") {
		t.Error("the first dump was not killed")
	}
	if err := x.end(t); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestReconnectKeepsTheEnd: a source that began at the end of the log and lost
// the connection before anything came must not skip what was written meanwhile.
func TestReconnectKeepsTheEnd(t *testing.T) {
	log := fill(1)
	server := mysqltest.Start(t, log)
	end := log.End()
	server.Fault = func(n int, _ mysqltest.Dump) mysqltest.Fault {
		if n > 0 {
			return mysqltest.Fault{}
		}
		log.Transaction(firstTime+500, []byte{0xfe, 1, 0, 0, 0})
		return mysqltest.Fault{Cut: 60}
	}
	x := run(t, testOptions(server.Address()))
	x.until(t, "the commit written meanwhile", func() bool { return x.r.commits() == 1 })
	for _, d := range server.Dumps() {
		if d.File != end.File || int64(d.Offset) != end.Offset {
			t.Errorf("dump at %s:%d, want %v", d.File, d.Offset, end)
		}
	}
}

// TestStops tells the ends that need a person: one error with what is missing
// and what the choices are, and not a loop.
func TestStops(t *testing.T) {
	fatal := func(text string) func(int, mysqltest.Dump) mysqltest.Fault {
		return func(int, mysqltest.Dump) mysqltest.Fault {
			return mysqltest.Fault{Error: &mysqltest.Err{Code: 1236, State: "HY000", Message: text}}
		}
	}
	for name, c := range map[string]struct {
		stored binlog.Position
		fault  func(int, mysqltest.Dump) mysqltest.Fault
		gtid   bool
		dumps  int
		says   []string
	}{
		"purged": {stored: binlog.Position{File: "mysql-bin.000001", Offset: 200}, dumps: 0,
			says: []string{"does not have the binlog file", "asked mysql-bin.000001:200", "available mysql-bin.000002..mysql-bin.000003", "canal.auto.reset.latest.pos.mode"}},
		"beyond the end": {stored: binlog.Position{File: "mysql-bin.000003", Offset: 1 << 20}, dumps: 0, says: []string{"beyond the end"}},
		"purged, found out by the dump": {stored: binlog.Position{File: "mysql-bin.000002", Offset: 4}, dumps: 1, fault: fatal("Could not find first log file name in binary log index file"),
			says: []string{"no longer has the binlog", "errno = 1236"}},
		"purged gtids": {stored: binlog.Position{GTIDSet: mysqltest.SID.String() + ":1-2"}, gtid: true, dumps: 1,
			fault: fatal("Cannot replicate because the source purged required binary logs."), says: []string{"no longer has the binlog", mysqltest.SID.String() + ":1-2"}},
		"unreadable": {stored: binlog.Position{File: "mysql-bin.000002", Offset: 4}, dumps: maxFatal, fault: fatal("bogus data in log event"),
			says: []string{"cannot read its binlog", "bogus data"}},
		"bad set":                       {stored: binlog.Position{GTIDSet: "what"}, gtid: true, says: []string{"GTID set cannot be read"}},
		"another server without a time": {stored: binlog.Position{File: "other.000001", Offset: 4}, says: []string{"no time is stored"}},
		"time before the log":           {stored: binlog.Position{Timestamp: 1000}, dumps: 2 /* to read when files begin */, says: []string{"can't find start position"}},
	} {
		t.Run(name, func(t *testing.T) {
			log := fill(2)
			log.Purge(1)
			server := mysqltest.Start(t, log)
			server.Fault = c.fault
			o := testOptions(server.Address())
			o.Instance.GTIDMode = c.gtid
			host := ""
			if strings.HasPrefix(c.stored.File, "other") {
				host = "192.0.2.1"
			}
			o.Stored = func(context.Context) (Cursor, bool, error) {
				return Cursor{Host: host, Port: 1, Position: c.stored}, true, nil
			}
			x := run(t, o)
			err := x.wait(t)
			stop, ok := errors.AsType[*StopError](err)
			if !ok || len(stop.Choices) == 0 {
				t.Fatalf("Run returned %v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q is not in: %v", s, err)
				}
			}
			if n := len(server.Dumps()); n != c.dumps {
				t.Errorf("%d dumps, want %d", n, c.dumps)
			}
			if st := x.State(); st.Phase != PhaseStopped || st.Reason == "" || st.Remedy == "" {
				t.Errorf("state %+v", st)
			}
		})
	}
}

// TestOperator tells what is tried again although a person has to act: the
// source goes on when that has been done.
func TestOperator(t *testing.T) {
	for name, c := range map[string]struct {
		breaks, mends func(*mysqltest.Server)
		reason        string
		remedy        string
	}{
		"format": {func(s *mysqltest.Server) { s.Set("binlog_format", "STATEMENT") }, func(s *mysqltest.Server) { s.Set("binlog_format", "ROW") },
			"Unsupported BinlogFormat STATEMENT", "SET GLOBAL binlog_format = 'ROW'"},
		"image": {func(s *mysqltest.Server) { s.Set("binlog_row_image", "MINIMAL") }, func(s *mysqltest.Server) { s.Set("binlog_row_image", "FULL") },
			"Unsupported BinlogImage MINIMAL", "SET GLOBAL binlog_row_image = 'FULL'"},
		"log": {func(s *mysqltest.Server) { s.Set("log_bin", "OFF") }, func(s *mysqltest.Server) { s.Set("log_bin", "ON") },
			"log_bin is OFF", "log_bin=mysql-bin"},
	} {
		t.Run(name, func(t *testing.T) {
			server := mysqltest.Start(t, fill(1))
			c.breaks(server)
			o := testOptions(server.Address())
			o.Instance.BinlogFormats, o.Instance.BinlogImages = []string{"ROW"}, []string{"FULL"}
			o.Instance.Master.Start.File = "mysql-bin.000001"
			x := run(t, o)
			x.until(t, "the reason", func() bool { return strings.Contains(x.State().Reason, c.reason) })
			if st := x.State(); !strings.Contains(st.Remedy, c.remedy) {
				t.Errorf("remedy %q", st.Remedy)
			}
			c.mends(server)
			x.until(t, "all commits", func() bool { return x.r.commits() == 3 })
		})
	}
}

func TestAccessDenied(t *testing.T) {
	server := mysqltest.Start(t, fill(1))
	server.Login = func(user string) *mysqltest.Err {
		return &mysqltest.Err{Code: 1045, State: "28000", Message: "Access denied for user '" + user + "'@'localhost' (using password: YES)"}
	}
	x := run(t, testOptions(server.Address()))
	x.until(t, "the reason", func() bool { return strings.Contains(x.State().Reason, "Access denied for user 'canal'") })
	if r := x.State().Remedy; !strings.Contains(r, "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'canal'@'%'") {
		t.Errorf("remedy %q", r)
	}
}

// TestStartPositions goes through the rules of where to begin. fill puts
// transactions every 10 s, two a file, in three files.
func TestStartPositions(t *testing.T) {
	at := func(n int) int64 { return (firstTime + int64(n)*10) * 1000 } // of the n-th transaction, from 1
	sid := mysqltest.SID.String()
	type want struct {
		file    string
		commits int
		gtid    string
	}
	for name, c := range map[string]struct {
		set    func(o *Options, log *mysqltest.Log)
		want   want
		resets int
	}{
		"nothing: the end":   {func(*Options, *mysqltest.Log) {}, want{"mysql-bin.000003", 0, ""}, 0},
		"nothing, gtid mode": {func(o *Options, _ *mysqltest.Log) { o.Instance.GTIDMode = true }, want{"mysql-bin.000003", 0, sid + ":1-6"}, 0},
		"file":               {func(o *Options, _ *mysqltest.Log) { o.Instance.Master.Start.File = "mysql-bin.000002" }, want{"mysql-bin.000002", 4, ""}, 0},
		"file and time": {func(o *Options, _ *mysqltest.Log) {
			o.Instance.Master.Start = config.StartPosition{File: "mysql-bin.000002", Timestamp: at(4)}
		}, want{"mysql-bin.000002", 3, ""}, 0},
		"time inside": {func(o *Options, _ *mysqltest.Log) { o.Instance.Master.Start.Timestamp = at(4) }, want{"mysql-bin.000002", 3, ""}, 0},
		"time inside, gtid mode": {func(o *Options, _ *mysqltest.Log) {
			o.Instance.GTIDMode = true
			o.Instance.Master.Start.Timestamp = at(4)
		}, want{"mysql-bin.000002", 3, sid + ":1-3"}, 0},
		"time of the first":   {func(o *Options, _ *mysqltest.Log) { o.Instance.Master.Start.Timestamp = at(1) }, want{"mysql-bin.000001", 6, ""}, 0},
		"time after the last": {func(o *Options, _ *mysqltest.Log) { o.Instance.Master.Start.Timestamp = at(100) }, want{"mysql-bin.000003", 0, ""}, 0},
		"time before the log, reset": {func(o *Options, _ *mysqltest.Log) {
			o.Instance.Master.Start.Timestamp = 5000
			o.Instance.AutoResetToLatest = true
		}, want{"mysql-bin.000003", 0, ""}, 1},
		"gtid": {func(o *Options, _ *mysqltest.Log) {
			o.Instance.GTIDMode = true
			o.Instance.Master.Start.GTIDSet = sid + ":1-3"
		}, want{"", 6, sid + ":1-3"}, 0}, // the fake dumps all whatever the set
		"stored": {func(o *Options, log *mysqltest.Log) {
			o.stored("", 0, binlog.Position{File: "mysql-bin.000003", Offset: 4})
		}, want{"mysql-bin.000003", 2, ""}, 0},
		"stored without gtids, gtid mode": {func(o *Options, log *mysqltest.Log) {
			o.Instance.GTIDMode = true
			o.stored("", 0, binlog.Position{File: "mysql-bin.000002", Offset: int64(log.End().Offset)})
		}, want{"mysql-bin.000002", 2, sid + ":1-4"}, 0},
		"stored, purged, reset": {func(o *Options, log *mysqltest.Log) {
			log.Purge(1)
			o.Instance.AutoResetToLatest = true
			o.stored("", 0, binlog.Position{File: "mysql-bin.000001", Offset: 4})
		}, want{"mysql-bin.000003", 0, ""}, 1},
		"stored time only": {func(o *Options, _ *mysqltest.Log) { o.stored("", 0, binlog.Position{Timestamp: at(10)}) }, want{"mysql-bin.000002", 3, ""}, 0},
		"of another server": {func(o *Options, _ *mysqltest.Log) {
			o.stored("192.0.2.1", 3306, binlog.Position{File: "x.000009", Offset: 700, Timestamp: at(11)})
		}, want{"mysql-bin.000003", 2, ""}, 0},
		"of another server, oldest file younger than the look-back": {func(o *Options, log *mysqltest.Log) {
			log.Purge(1)
			o.stored("192.0.2.1", 3306, binlog.Position{File: "x.000009", Offset: 700, Timestamp: at(3)})
		}, want{"mysql-bin.000002", 4, ""}, 0},
		"server changed behind the address": {func(o *Options, _ *mysqltest.Log) {
			o.stored("", 0, binlog.Position{File: "x.000009", Offset: 700, Timestamp: at(10), ServerID: 5})
		}, want{"mysql-bin.000002", 3, ""}, 0},
		"configured offset with history": {func(o *Options, log *mysqltest.Log) {
			o.TableHistory = true
			o.Instance.Master.Start = config.StartPosition{File: "mysql-bin.000003", Offset: log.End().Offset - 40}
		}, want{"mysql-bin.000003", 1, ""}, 0},
		"unreadable, reset": {func(o *Options, log *mysqltest.Log) {
			o.Instance.AutoResetToLatest = true
			o.stored("", 0, binlog.Position{File: "mysql-bin.000001", Offset: 5})
		}, want{"mysql-bin.000003", 0, ""}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			log := fill(2)
			server := mysqltest.Start(t, log)
			server.Fault = func(_ int, d mysqltest.Dump) mysqltest.Fault {
				if d.Offset == 5 {
					return mysqltest.Fault{Error: &mysqltest.Err{Code: 1236, State: "HY000", Message: "bogus data in log event"}}
				}
				return mysqltest.Fault{}
			}
			o := testOptions(server.Address())
			resets := 0
			o.Hooks.Reset = func(binlog.Position, binlog.Position) { resets++ }
			c.set(&o, log)
			x := run(t, o)
			x.until(t, "the dump", func() bool { return x.State().Phase == PhaseStreaming && x.State().Position.Offset != 5 })
			x.until(t, "the commits", func() bool { return x.r.commits() >= c.want.commits })
			log.Transaction(firstTime+5000, []byte{0xfe, 1, 0, 0, 0})
			x.until(t, "one more", func() bool { return x.r.commits() >= c.want.commits+1 })
			_ = x.end(t)
			s := x.r.lastSession()
			if x.r.commits() != c.want.commits+1 {
				// GTID dumps of the fake begin at the oldest file whatever the set says.
				if c.want.gtid == "" {
					t.Errorf("%d commits, want %d", x.r.commits(), c.want.commits+1)
				}
			}
			if s.Position.File != c.want.file || s.Position.GTIDSet != c.want.gtid || s.GTIDMode != (c.want.gtid != "") {
				t.Errorf("began at %v (gtid mode %v), want file %s, set %q", s.Position, s.GTIDMode, c.want.file, c.want.gtid)
			}
			if resets != c.resets {
				t.Errorf("%d resets, want %d", resets, c.resets)
			}
			if !strings.Contains(x.logs.String(), "-> resolved "+s.Position.String()) {
				t.Errorf("the log does not say where it begins")
			}
		})
	}
}

// stored makes a cursor the stored one.
func (o *Options) stored(host string, port int, p binlog.Position) {
	o.Stored = func(context.Context) (Cursor, bool, error) {
		return Cursor{Host: host, Port: port, Position: p}, true, nil
	}
}

// TestInsideTransaction: the handler finds rows without their table map, and
// the next dump begins with the transaction.
func TestInsideTransaction(t *testing.T) {
	log := fill(2)
	begin, commit := log.Transaction(firstTime+500, []byte{0xfe, 1, 0, 0, 0})
	server := mysqltest.Start(t, log)
	r := newRecorder()
	seenMap := false
	r.fail = func(ev []byte) error {
		switch binlog.EventType(ev[4]) {
		case binlog.EventTableMap:
			seenMap = true
		case binlog.EventWriteRowsV2:
			if !seenMap {
				return fmt.Errorf("rows of table 108: %w", ErrNeedTransactionStart)
			}
		}
		return nil
	}
	o := testOptions(server.Address())
	o.Handler, o.Resume = r, r.resume
	o.stored("", 0, binlog.Position{File: commit.File, Offset: commit.Offset - 40})
	x := run(t, o)
	x.until(t, "the commit", func() bool { return x.r.commits() == 1 })
	if got := x.r.lastSession().Position; got.File != begin.File || got.Offset != begin.Offset {
		t.Errorf("began at %v, want %v", got, begin)
	}
}

// TestSwitch: the heartbeat statement fails at the master, so the standby is
// read from a minute before.
func TestSwitch(t *testing.T) {
	log := fill(3)
	master, standby := mysqltest.Start(t, log), mysqltest.Start(t, log)
	var broken sync.Once
	dead := make(chan struct{})
	master.Query = func(sql string) *mysqltest.Answer {
		select {
		case <-dead:
			return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1105, State: "HY000", Message: "no more"}}
		default:
			return nil
		}
	}
	o := testOptions(master.Address())
	o.Instance.Master.Start.File = "mysql-bin.000001"
	o.Instance.Standby.Address = standby.Address()
	o.Instance.DetectingEnable, o.Instance.DetectingHA, o.Instance.DetectingThreshold = true, true, 3
	o.Instance.DetectingSQL, o.Instance.DetectingInterval = "select 1", 5*time.Millisecond
	switched := make(chan [2]string, 10)
	o.Hooks.Switched = func(from, to string) { switched <- [2]string{from, to} }
	x := run(t, o)
	x.until(t, "nine commits", func() bool { return x.r.commits() == 9 })
	broken.Do(func() { close(dead) })
	select {
	case got := <-switched:
		if got != [2]string{master.Address(), standby.Address()} {
			t.Errorf("switched %v", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no switch")
	}
	x.until(t, "the dump of the standby", func() bool {
		return x.State().Phase == PhaseStreaming && x.State().Address == standby.Address()
	})
	if d := standby.Dumps(); d[len(d)-1].File != "mysql-bin.000001" {
		t.Errorf("dump at %+v, want one a minute before the last commit", d[len(d)-1])
	}
	if x.Stats().Switches != 1 {
		t.Errorf("stats %+v", x.Stats())
	}
	_, port := x.Address()
	if !strings.HasSuffix(standby.Address(), fmt.Sprint(":", port)) {
		t.Errorf("address port %d", port)
	}
}
