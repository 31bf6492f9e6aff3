package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

// Package servers has a goroutine that starts processes, from the beginning on.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func fake(t *testing.T) *mysqltest.Server {
	t.Helper()
	return mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_600_000_000))
}

func connectTo(t *testing.T, cfg Config) *Conn {
	t.Helper()
	cfg.User = "canal"
	c, err := Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestQuery(t *testing.T) {
	s := fake(t)
	s.Query = func(sql string) *mysqltest.Answer {
		switch sql {
		case "rows":
			return &mysqltest.Answer{Columns: []string{"a", "B"}, Rows: [][]string{{"1", "x"}, {"", "é"}}}
		case "refused":
			return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1227, State: "42000", Message: "Access denied; you need (at least one of) the SUPER privilege(s)"}}
		}
		return nil
	}
	c := connectTo(t, Config{Address: s.Address()})
	r, err := c.Query(t.Context(), "rows")
	if err != nil || fmt.Sprint(r.Rows) != "[[1 x] [ é]]" || r.Column("b") != 1 || r.Column("c") != -1 {
		t.Errorf("rows: %+v, %v", r, err)
	}
	_, err = c.Query(t.Context(), "refused")
	if Code(err) != 1227 || !IsPrivilege(err) || !c.Usable() {
		t.Errorf("refused: %v, usable %v", err, c.Usable())
	}
	if !strings.Contains(err.Error(), "Received error packet: errno = 1227, sqlstate = 42000 errmsg = Access denied") {
		t.Errorf("text: %v", err)
	}
	if r, err := c.Query(t.Context(), "set x=1"); err != nil || r.Rows != nil {
		t.Errorf("no rows: %+v, %v", r, err)
	}
}

func TestQueryCancelled(t *testing.T) {
	s := fake(t)
	hold := make(chan struct{})
	asked := make(chan struct{}, 10)
	s.Query = func(sql string) *mysqltest.Answer {
		if sql == "slow" {
			asked <- struct{}{}
			<-hold
		}
		return nil
	}
	t.Cleanup(func() { close(hold) })
	c := connectTo(t, Config{Address: s.Address()})
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	go func() {
		<-asked
		cancel(reason)
	}()
	if _, err := c.Query(ctx, "slow"); !errors.Is(err, reason) || !errors.Is(err, ErrBroken) || c.Usable() {
		t.Errorf("cancelled: %v, usable %v", err, c.Usable())
	}
	if _, err := c.Query(t.Context(), "select 1"); !errors.Is(err, ErrBroken) {
		t.Errorf("after that: %v", err)
	}

	c = connectTo(t, Config{Address: s.Address(), QueryTimeout: 20 * time.Millisecond})
	if _, err := c.Query(t.Context(), "slow"); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("timed out: %v", err)
	}
}

func TestConnectErrors(t *testing.T) {
	denied := fake(t)
	denied.Login = func(string) *mysqltest.Err {
		return &mysqltest.Err{Code: 1045, State: "28000", Message: "Access denied"}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, c := range []struct {
		name, address, step, remedy string
	}{
		{"denied", denied.Address(), "login", "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'canal'@'%'"},
		{"silent", silent.Addr().String(), "handshake", ""},
		{"nobody", closed.Addr().String(), "dial", "check canal.instance.master.address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Connect(t.Context(), Config{Address: c.address, User: "canal", Password: "secret", HandshakeTimeout: 50 * time.Millisecond})
			e, ok := errors.AsType[*ConnectError](err)
			if !ok || e.Step != c.step || !strings.Contains(e.Remedy, c.remedy) {
				t.Errorf("%#v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is in: %v", err)
			}
		})
	}
}

// TestMalformedGreeting: the client library panics on some of these.
func TestMalformedGreeting(t *testing.T) {
	for _, greeting := range []string{"", "\x00\x00\x00\x00", "\x01\x00\x00\x00\x0a", "\x05\x00\x00\x00\x0a5.7\x00", "\x02\x00\x00\x00\xff\x01", "\x01\x00\x00\x07\x0a"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := l.Accept()
			if err == nil {
				_, _ = c.Write([]byte(greeting))
				_ = c.Close()
			}
		}()
		if c, err := Connect(t.Context(), Config{Address: l.Addr().String(), User: "canal"}); err == nil {
			t.Errorf("greeting %q: connected", greeting)
			_ = c.Close()
		}
		_ = l.Close()
		<-done
	}
}

func TestInspect(t *testing.T) {
	s := fake(t)
	for k, v := range map[string]string{"binlog_format": "row", "version_comment": "Percona Server (GPL)", "lower_case_table_names": "1", "binlog_row_image": ""} {
		s.Set(k, v)
	}
	f, err := connectTo(t, Config{Address: s.Address()}).Inspect(t.Context())
	want := Facts{Version: "5.7.22-log", Flavor: binlog.FlavorPercona, ServerID: mysqltest.ServerID, ServerUUID: mysqltest.SID.String(), LogBin: true,
		BinlogFormat: "ROW", RowImage: "FULL", Checksum: true, GTIDMode: "ON", LowerCaseTableNames: 1}
	if err != nil || f != want {
		t.Errorf("%+v, %v, want %+v", f, err, want)
	}
}

// TestInspectAlibaba: what servers of Alibaba's have that others do not.
func TestInspectAlibaba(t *testing.T) {
	s := fake(t)
	for _, tt := range []struct {
		variable    string
		rds, polarX bool
	}{
		{"rdsx", false, false}, {"rds_a", true, false}, {"POLARX_a", true, true},
	} {
		s.Set(tt.variable, "1")
		f, err := connectTo(t, Config{Address: s.Address()}).Inspect(t.Context())
		if err != nil || f.RDS != tt.rds || f.PolarX != tt.polarX {
			t.Errorf("with %s: RDS %t, PolarX %t, %v", tt.variable, f.RDS, f.PolarX, err)
		}
	}
}

func TestAtLeast(t *testing.T) {
	for _, c := range []struct {
		version string
		want    bool
	}{
		{"8.4.0", true}, {"8.4", true}, {"9.0.1", true}, {"10.0", true}, {"8.3.9", false}, {"8.0.36-28", false}, {"5.7.22-log", false},
		{"8.4.3-debug", true}, {"11.4.2-MariaDB", false}, {"", false}, {"x", false},
	} {
		if got := AtLeast(c.version, 8, 4, 0); got != c.want {
			t.Errorf("%q: %v", c.version, got)
		}
	}
}

func TestGeneratedServerID(t *testing.T) {
	// "example".hashCode() is -1322970774, whose low seven bits are 0x6a.
	if got, want := GeneratedServerID("example", net.IPv4(10, 20, 30, 40)), uint32(0x6a<<24|20<<16|30<<8|40); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	if got := GeneratedServerID("", net.IPv6loopback); got != 0 {
		t.Errorf("%d, want 0", got)
	}
}

func TestTables(t *testing.T) {
	s := fake(t)
	s.Query = func(sql string) *mysqltest.Answer {
		switch sql {
		case "show create table `a``b`.`t`":
			return &mysqltest.Answer{Columns: []string{"Table", "Create Table"}, Rows: [][]string{{"t", "CREATE TABLE `t` (id int)"}}}
		case "show create table `s`.`gone`":
			return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1146, State: "42S02", Message: "Table doesn't exist"}}
		case "show create table `s`.`hidden`":
			return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1142, State: "42000", Message: "SHOW command denied"}}
		case "show create table `s`.`crashed`":
			return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1194, State: "HY000", Message: "Table 'crashed' is marked as crashed and should be repaired"}}
		case "show create table `s`.`busy`":
			return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1205, State: "HY000", Message: "Lock wait timeout exceeded"}}
		case "show full tables from `secret` where Table_type not like '%VIEW%'":
			return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1044, State: "42000", Message: "Access denied for user"}}
		}
		return nil
	}
	tables := NewTables(Config{Address: s.Address(), User: "canal"})
	load := func(schemaName, table string) (string, error) {
		return tables.LoadTable(t.Context(), schemaName, table)
	}
	if sql, err := load("a`b", "t"); err != nil || sql != "CREATE TABLE `t` (id int)" {
		t.Errorf("%q, %v", sql, err)
	}
	if _, err := load("s", "gone"); !errors.Is(err, schema.ErrNoTable) || Code(err) != 1146 {
		t.Errorf("gone: %v", err)
	}
	if _, err := load("s", "hidden"); !errors.Is(err, schema.ErrNoPrivilege) {
		t.Errorf("hidden: %v", err)
	}
	if _, err := load("s", "crashed"); !errors.Is(err, schema.ErrUnreadable) || Code(err) != 1194 {
		t.Errorf("crashed: %v", err)
	}
	if _, err := load("s", "busy"); err == nil || schema.IsAboutTable(err) {
		t.Errorf("busy: %v", err)
	}
	if _, err := tables.TableNames(t.Context(), "secret"); !errors.Is(err, schema.ErrNoPrivilege) {
		t.Errorf("the tables of a schema that may not be seen: %v", err)
	}
	s.Drop()
	if sql, err := load("a`b", "t"); err != nil || sql == "" {
		t.Errorf("after the connection broke: %q, %v", sql, err)
	}
	if err := tables.Close(); err != nil {
		t.Error(err)
	}
	if _, err := load("a`b", "t"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := tables.Close(); err != nil {
		t.Error(err)
	}
}

func TestDumpCommands(t *testing.T) {
	s := fake(t)
	c := connectTo(t, Config{Address: s.Address(), Password: "pw"})
	if err := c.Dump(t.Context(), 1, "f", 1<<33); err == nil {
		t.Error("an offset of 33 bits was accepted")
	}
	if err := c.DumpMariaGTID(t.Context(), 1, "0-1-1'; drop"); err == nil {
		t.Error("a set with a quote was accepted")
	}
	if err := c.DumpGTID(t.Context(), 5, []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), "select 1"); !errors.Is(err, ErrBroken) {
		t.Errorf("statement on a dump: %v", err)
	}
	if err := c.Stream().SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stream().Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	d := s.Dumps()[0]
	if d.ServerID != 5 || d.Flags != 4 || d.Offset != 4 || d.File != "" || string(d.GTIDSet) != "\x01\x02\x03" {
		t.Errorf("%+v", d)
	}
}

func FuzzParseErrorPacket(f *testing.F) {
	f.Add([]byte("\xff\xd4\x04#HY000gone"))
	f.Add([]byte("\xff\xd4\x04gone"))
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, p []byte) {
		if ParseErrorPacket(p) == nil {
			t.Error("nil")
		}
	})
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
