package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// realServer is one of the database servers tests may find on this host.
type realServer struct {
	name string
	port int
}

var realServers = []realServer{{"mysql56", 33056}, {"mysql57", 33057}, {"mysql80", 33080}, {"mysql97", 33097}, {"mariadb1011", 33110}}

func (r realServer) address() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// root connects as root, who has no password; without a server the test is skipped.
func (r realServer) root(t *testing.T) *mysql.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", r.address(), time.Second)
	if err != nil {
		t.Skipf("%s is not running: %v", r.name, err)
	}
	_ = c.Close()
	conn, err := mysql.Connect(t.Context(), mysql.Config{Address: r.address(), User: "root"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// Refused when the account is there from an earlier test.
	_, _ = conn.Query(t.Context(), "CREATE USER h_source@'%' IDENTIFIED BY 'canal'")
	must(t, conn, "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO h_source@'%'")
	return conn
}

func must(t *testing.T, c *mysql.Conn, statements ...string) *mysql.Result {
	t.Helper()
	var r *mysql.Result
	for _, sql := range statements {
		var err error
		if r, err = c.Query(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// tableCounter is a Handler that counts the row events of one table; other
// tests write to the same servers.
type tableCounter struct {
	table []byte
	resume
	ids     map[uint64]bool
	rows    atomic.Int64
	largest atomic.Int64
	starts  chan Session
}

// resume keeps the last commit.
type resume struct {
	mu   sync.Mutex
	file string
	last binlog.Position
}

func (r *resume) position() (binlog.Position, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, r.last.File != ""
}

func newTableCounter(table string) *tableCounter {
	return &tableCounter{table: []byte("h_source\x00" + string(rune(len(table))) + table), starts: make(chan Session, 100)}
}

func (c *tableCounter) Start(_ context.Context, s Session) error {
	c.ids = map[uint64]bool{}
	c.starts <- s
	return nil
}

func (c *tableCounter) Stop() {}

func (c *tableCounter) Chunk(_ context.Context, k *Chunk) error {
	defer k.Release()
	for i := range k.Len() {
		ev := k.Event(i)
		h, err := binlog.ParseHeader(ev)
		if err != nil {
			return err
		}
		if err := binlog.VerifyChecksum(ev); err != nil {
			return err
		}
		body := ev[binlog.HeaderSize:]
		switch h.Type {
		case binlog.EventRotate:
			c.mu.Lock()
			c.file, _, err = binlog.ParseRotate(ev, true)
			c.mu.Unlock()
			if err != nil {
				return err
			}
		case binlog.EventTableMap:
			c.ids[tableID(body)] = bytes.Contains(body, c.table)
		case binlog.EventWriteRowsV1, binlog.EventWriteRowsV2:
			if c.ids[tableID(body)] {
				c.rows.Add(1)
				c.largest.Store(max(c.largest.Load(), int64(len(ev))))
			}
		case binlog.EventXID:
			c.mu.Lock()
			c.last = binlog.Position{File: c.file, Offset: h.Start(), Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)}
			c.mu.Unlock()
		}
	}
	return nil
}

func tableID(body []byte) (id uint64) {
	for i := range 6 {
		id |= uint64(body[i]) << (8 * i)
	}
	return id
}

// startReal runs a source on a real server until the test ends.
func startReal(t *testing.T, o Options, h *tableCounter) *running {
	t.Helper()
	o.Handler, o.Instance.User, o.Instance.Password = h, "h_source", "canal"
	if o.Instance.ServerID == 4711 {
		o.Instance.ServerID = uint32(880000 + len(t.Name()))
	}
	logs := &lockedBuffer{}
	o.Logger = newLogger(logs)
	ctx, cancel := context.WithCancel(context.Background())
	x := &running{Source: New(o), r: newRecorder(), logs: logs, done: make(chan error, 1), stop: cancel}
	go func() { x.done <- x.Run(ctx) }()
	t.Cleanup(func() {
		_ = x.end(t)
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	return x
}

func waitStart(t *testing.T, h *tableCounter, x *running) Session {
	t.Helper()
	select {
	case s := <-h.starts:
		return s
	case <-time.After(20 * time.Second):
		t.Fatalf("no dump began; state %+v", x.State())
		return Session{}
	}
}

func TestRealServers(t *testing.T) {
	for _, server := range realServers {
		t.Run(server.name, func(t *testing.T) {
			root := server.root(t)
			must(t, root, "CREATE DATABASE IF NOT EXISTS h_source", "DROP TABLE IF EXISTS h_source.plain",
				"CREATE TABLE h_source.plain (id int primary key auto_increment, `näme` varchar(20)) engine=innodb default charset=utf8mb4")
			h := newTableCounter("plain")
			o := testOptions(server.address())
			o.Resume = h.position
			x := startReal(t, o, h)
			s := waitStart(t, h, x)
			if s.Server.ServerID == 0 || !s.Server.LogBin || s.Server.BinlogFormat != "ROW" || s.Position.File == "" || s.Position.Offset < 4 {
				t.Errorf("session %+v", s)
			}
			if (s.Server.Flavor == binlog.FlavorMariaDB) != (server.name == "mariadb1011") {
				t.Errorf("flavor %v of %s", s.Server.Flavor, s.Server.Version)
			}
			sql, err := s.Tables.LoadTable(t.Context(), "h_source", "plain")
			if err != nil || !strings.Contains(sql, "`näme` varchar(20)") {
				t.Errorf("LoadTable: %q, %v", sql, err)
			}
			must(t, root, "INSERT INTO h_source.plain (`näme`) VALUES ('a')")
			x.until(t, "one row", func() bool { return h.rows.Load() == 1 })

			must(t, root, "FLUSH LOGS", "INSERT INTO h_source.plain (`näme`) VALUES ('b')")
			x.until(t, "a row in the next file", func() bool { return h.rows.Load() == 2 })

			killDump(t, root, s.ServerID)
			must(t, root, "INSERT INTO h_source.plain (`näme`) VALUES ('c')")
			waitStart(t, h, x)
			x.until(t, "a row after the dump was killed", func() bool { return h.rows.Load() == 3 })
		})
	}
}

// killDump kills the dump that began last.
func killDump(t *testing.T, root *mysql.Conn, serverID uint32) {
	t.Helper()
	r := must(t, root, "SHOW PROCESSLIST")
	id, command, user := r.Column("Id"), r.Column("Command"), r.Column("User")
	for _, row := range slices.Backward(r.Rows) {
		if strings.HasPrefix(row[command], "Binlog Dump") && row[user] == "h_source" {
			must(t, root, "KILL "+row[id])
			return
		}
	}
	t.Fatalf("no dump of replica %d in the process list", serverID)
}

func TestRealGTID(t *testing.T) {
	for _, server := range realServers {
		t.Run(server.name, func(t *testing.T) {
			root := server.root(t)
			must(t, root, "CREATE DATABASE IF NOT EXISTS h_source", "DROP TABLE IF EXISTS h_source.gtid", "CREATE TABLE h_source.gtid (id int primary key) engine=innodb")
			set := must(t, root, map[bool]string{false: "SELECT @@global.gtid_executed", true: "SELECT @@global.gtid_binlog_pos"}[server.name == "mariadb1011"]).Rows[0][0]
			must(t, root, "INSERT INTO h_source.gtid VALUES (1)", "INSERT INTO h_source.gtid VALUES (2)")
			h := newTableCounter("gtid")
			o := testOptions(server.address())
			o.Instance.GTIDMode = true
			o.Instance.Master.Start.GTIDSet = strings.ReplaceAll(set, "\n", "")
			x := startReal(t, o, h)
			if s := waitStart(t, h, x); !s.GTIDMode {
				t.Errorf("session %+v", s)
			}
			x.until(t, "both rows after the set", func() bool { return h.rows.Load() == 2 })
			must(t, root, "INSERT INTO h_source.gtid VALUES (3)")
			x.until(t, "the third row", func() bool { return h.rows.Load() == 3 })
		})
	}
}

// TestRealSearch looks for positions by time and for transaction starts in real logs.
func TestRealSearch(t *testing.T) {
	for _, server := range realServers {
		t.Run(server.name, func(t *testing.T) {
			root := server.root(t)
			must(t, root, "CREATE DATABASE IF NOT EXISTS h_source", "DROP TABLE IF EXISTS h_source.search",
				"CREATE TABLE h_source.search (id int primary key, b longblob) engine=innodb",
				"INSERT INTO h_source.search VALUES (1, 'a')")
			before, err := root.End(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			must(t, root, "BEGIN", "INSERT INTO h_source.search VALUES (2, 'a')", "INSERT INTO h_source.search VALUES (3, REPEAT('b', 100000))", "COMMIT")

			a := &attempt{s: New(testOptions(server.address())), config: mysql.Config{Address: server.address(), User: "h_source", Password: "canal"}, conn: root}
			if a.facts, err = root.Inspect(t.Context()); err != nil {
				t.Fatal(err)
			}
			end, err := root.End(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			// Somewhere inside the transaction that follows.
			got, found, err := a.scan(t.Context(), before.File, limit{offset: before.Offset + 300, end: end})
			if err != nil || !found || got.Offset != before.Offset {
				t.Errorf("border %v, %v, %v, want %v", got, found, err, before)
			}
			if got.GTIDSet != before.GTIDSet {
				t.Errorf("set %q, want %q", got.GTIDSet, before.GTIDSet)
			}
			if ft, err := a.fileTime(t.Context(), before.File); err != nil || ft <= 0 || ft > time.Now().UnixMilli() {
				t.Errorf("file begins at %d, %v", ft, err)
			}
			// To the present end, where the server falls silent.
			got, _, err = a.scan(t.Context(), end.File, limit{end: end})
			if err != nil || got.Offset != end.Offset {
				t.Errorf("last border %v, %v, want %v", got, err, end)
			}
		})
	}
}

// TestRealLargeEvent sends an event of several packets.
func TestRealLargeEvent(t *testing.T) {
	for _, server := range realServers {
		t.Run(server.name, func(t *testing.T) {
			root := server.root(t)
			must(t, root, "CREATE DATABASE IF NOT EXISTS h_source", "DROP TABLE IF EXISTS h_source.large", "CREATE TABLE h_source.large (id int primary key, b longblob) engine=innodb")
			h := newTableCounter("large")
			x := startReal(t, testOptions(server.address()), h)
			waitStart(t, h, x)
			const size = 20 << 20
			must(t, root, fmt.Sprintf("INSERT INTO h_source.large VALUES (1, REPEAT('x', %d))", size), "INSERT INTO h_source.large VALUES (2, 'y')", "DROP TABLE h_source.large")
			x.until(t, "both rows", func() bool { return h.rows.Load() == 2 })
			if n := h.largest.Load(); n < size {
				t.Errorf("largest event has %d bytes", n)
			}
		})
	}
}

// TestRealCollision runs two readers with one replica id. MariaDB then cuts the
// older one off; the source must say why.
func TestRealCollision(t *testing.T) {
	server := realServers[4]
	server.root(t)
	o := testOptions(server.address())
	o.Instance.ServerID = 880001
	one, two := newTableCounter("none"), newTableCounter("none")
	hint := make(chan string, 1000)
	o.Hooks.State = func(s State) {
		if s.Phase == PhaseWaiting {
			hint <- s.Reason + " " + s.Remedy
		}
	}
	x := startReal(t, o, one)
	waitStart(t, one, x)
	waitStart(t, two, startReal(t, o, two))
	select {
	case got := <-hint:
		if !strings.Contains(got, "canal.instance.mysql.slaveId") {
			t.Errorf("reason: %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("neither reader was cut off")
	}
}

// TestRealForeignSet asks for what the server does not have: it must stop with
// choices, whatever words the server finds for it.
func TestRealForeignSet(t *testing.T) {
	for _, server := range realServers {
		t.Run(server.name, func(t *testing.T) {
			root := server.root(t)
			f, err := root.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			o := testOptions(server.address())
			o.Instance.GTIDMode = true
			o.Instance.Master.Start.GTIDSet = f.ServerUUID + ":1-999999999"
			if server.name == "mariadb1011" {
				o.Instance.Master.Start.GTIDSet = fmt.Sprintf("0-%d-999999999", f.ServerID)
			}
			x := startReal(t, o, newTableCounter("none"))
			if _, ok := errors.AsType[*StopError](x.wait(t)); !ok {
				t.Errorf("Run returned %v", x.wait(t))
			}
			t.Log(x.State().Reason)
		})
	}
}

// TestRealMissingFile does the same with a file and with an offset that is not
// the begin of an event.
func TestRealMissingFile(t *testing.T) {
	for _, server := range realServers {
		for name, position := range map[string]func(end binlog.Position) binlog.Position{
			"file":   func(binlog.Position) binlog.Position { return binlog.Position{File: "none.000001", Offset: 4} },
			"end":    func(end binlog.Position) binlog.Position { end.Offset += 1 << 30; return end },
			"inside": func(end binlog.Position) binlog.Position { end.Offset = 40; return end },
		} {
			t.Run(server.name+"/"+name, func(t *testing.T) {
				root := server.root(t)
				end, err := root.End(t.Context(), false)
				if err != nil {
					t.Fatal(err)
				}
				o := testOptions(server.address())
				o.stored("", 0, position(end))
				x := startReal(t, o, newTableCounter("none"))
				stop, ok := errors.AsType[*StopError](x.wait(t))
				if !ok || len(stop.Choices) < 2 {
					t.Errorf("Run returned %v", x.wait(t))
				}
				t.Log(x.State().Reason)
			})
		}
	}
}
