package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
	"github.com/towpath-cdc/towpath/test/servers"
)

// checkHome is an installation with the files of conf/, by name.
func checkHome(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, "conf", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const checkServerFile = "canal.auto.scan = true\ncanal.destinations = a\ncanal.instance.tsdb.enable = false\ncanal.instance.dbUsername = canal\ncanal.instance.dbPassword = canal\n"

func fakeSource(t *testing.T) *mysqltest.Server {
	return mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_600_000_000))
}

func TestCheck(t *testing.T) {
	source := func(s *mysqltest.Server) string { return "canal.instance.master.address = " + s.Address() + "\n" }
	sound := fakeSource(t)
	quiet := fakeSource(t)
	quiet.Set("log_bin", "OFF")
	mixed := fakeSource(t)
	mixed.Set("binlog_format", "MIXED")
	for _, c := range []struct {
		name  string
		files map[string]string
		args  []string
		code  int
		want  []string // lines in the output, or their parts
		not   string
	}{
		{"sound", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": source(sound)}, nil, exitOK,
			[]string{"destination a\n  ok       " + sound.Address() + ": mysql 5.7.22-log, server id 77", "\n0 failures, 0 warnings\n"}, "warning "},
		{"warning", map[string]string{"canal.properties": checkServerFile + "canal.prot = 1\n", "a/instance.properties": source(mixed)}, nil, exitOK,
			[]string{"did you mean canal.port?", "binlog format is MIXED", "mend it: SET GLOBAL binlog_format = 'ROW'", "\n0 failures, 2 warnings\n"}, ""},
		{"no binlog", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": source(quiet), "b/instance.properties": source(sound)}, nil, exitError,
			[]string{"  failure  " + quiet.Address() + ": the server writes no binary log (log_bin is OFF)\n           mend it: set log_bin=mysql-bin", "destination b\n  ok", "\n1 failures, 0 warnings\n"}, ""},
		{"nobody there", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": "canal.instance.master.address = 127.0.0.1:1\n"}, nil, exitError,
			[]string{"connection refused", "mend it: check canal.instance.master.address"}, ""},
		{"wrong instance key", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": source(sound) + "canal.instance.transaction.size = many\n"}, nil, exitError,
			[]string{`canal.instance.transaction.size = "many" (`, "instance.properties:2)\n           mend it: "}, ""},
		{"wrong filter", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": source(sound) + "canal.instance.filter.regex = a(b\n"}, nil, exitError,
			[]string{"a(b"}, ""},
		{"nobody at ZooKeeper", map[string]string{"canal.properties": checkServerFile + "canal.zkServers = 127.0.0.1:1\n", "a/instance.properties": source(sound)}, nil, exitError,
			[]string{"failure  ZooKeeper: ", "connection refused", "correct canal.zkServers"}, ""},
		{"not supported", map[string]string{"canal.properties": checkServerFile + "canal.serverMode = kafka\n", "a/instance.properties": source(sound)}, nil, exitError,
			[]string{`failure  canal.serverMode = "kafka"`}, ""},
		{"damaged cursors", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": source(sound), "a/meta.dat": "{"}, nil, exitError,
			[]string{"meta.dat is damaged", "mend it: restore meta.dat"}, ""},
		{"lost position", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": source(sound),
			"a/meta.dat": `{"clientDatas":[{"clientIdentity":{"clientId":1001,"destination":"a","filter":""},"cursor":` + string(meta.AppendCursor(nil, cursorAt(sound, "mysql-bin.000000"))) + `}],"destination":"a"}`}, nil, exitError,
			[]string{"does not have the binlog file of the position: stored position mysql-bin.000000:4", "mend it: choices: restore"}, ""},
		{"one replica id", map[string]string{"canal.properties": checkServerFile + "canal.instance.mysql.slaveId = 5\n", "a/instance.properties": source(sound), "b/instance.properties": source(sound)}, nil, exitOK,
			[]string{"the destinations a, b register under one replica id, 5", "give each its own canal.instance.mysql.slaveId"}, ""},
		{"no destination", map[string]string{"canal.properties": "canal.destinations =\n"}, nil, exitOK, []string{"no destination is configured"}, ""},
		{"override", map[string]string{"canal.properties": checkServerFile, "a/instance.properties": source(quiet)}, []string{"-D", "canal.instance.master.address=" + sound.Address()}, exitOK, []string{sound.Address()}, quiet.Address()},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := checkHome(t, c.files)
			stdout, stderr, code := towpath(t, append([]string{"check", "--home", home}, c.args...)...)
			if code != c.code || stderr != "" {
				t.Errorf("exit code %d, want %d; %s", code, c.code, stderr)
			}
			for _, part := range c.want {
				if !strings.Contains(stdout, part) {
					t.Errorf("%q is not in\n%s", part, stdout)
				}
			}
			if c.not != "" && strings.Contains(stdout, c.not) {
				t.Errorf("%q is in\n%s", c.not, stdout)
			}
			if len(sound.Dumps()) != 0 {
				t.Error("a dump was begun")
			}
		})
	}
}

func cursorAt(s *mysqltest.Server, file string) meta.Cursor {
	var c meta.Cursor
	c.Host = "127.0.0.1"
	_, port, _ := strings.Cut(s.Address(), ":")
	fmt.Sscan(port, &c.Port)
	c.Position.File, c.Position.Offset, c.Position.Timestamp = file, 4, 1_600_000_000_000
	return c
}

func TestCheckUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"check", "--home", t.TempDir()}, "load configuration: "},
		{[]string{"check", "--home", checkHome(t, map[string]string{"canal.properties": "canal.port = x\n"})}, `canal.port = "x"`},
		{[]string{"check", "--format", "xml"}, `--format "xml" is neither text nor json`},
		{[]string{"check", "--nosuch"}, "flag provided but not defined"},
	} {
		stdout, stderr, code := towpath(t, c.args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d\n%s%s", c.args, code, stdout, stderr)
		}
	}
}

// TestCheckServers checks a sound real server and an account that may do nothing.
func TestCheckServers(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MySQL80, servers.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := servers.ForTest(t, kind)
			s.MustExec(t, "CREATE USER poor@'%' IDENTIFIED BY 'canal'")
			home := checkHome(t, map[string]string{"canal.properties": checkServerFile, "a/instance.properties": "canal.instance.master.address = " + s.Addr() + "\n"})
			run := func(args ...string) (out struct {
				Failures, Warnings int
				Findings           []control.Finding
			}, code int) {
				t.Helper()
				stdout, stderr, code := towpath(t, append([]string{"check", "--format", "json", "--home", home}, args...)...)
				if err := json.Unmarshal([]byte(stdout), &out); err != nil || stderr != "" {
					t.Fatalf("%v in\n%s%s", err, stdout, stderr)
				}
				return out, code
			}
			if out, code := run(); code != exitOK || out.Failures+out.Warnings != 0 || len(out.Findings) < 2 {
				t.Errorf("exit code %d, %+v", code, out)
			}
			out, code := run("-D", "canal.instance.dbUsername=poor")
			if code != exitError || out.Failures == 0 {
				t.Errorf("exit code %d, %+v", code, out)
			}
			for _, f := range out.Findings {
				if f.Severity == control.SeverityFailure && (f.Destination != "a" || f.Source != s.Addr() || !strings.HasPrefix(f.Remedy, "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'poor'@'%'")) {
					t.Errorf("%+v", f)
				}
			}
			if out, code := run("-D", "canal.instance.dbPassword=wrong"); code != exitError || out.Failures != 1 {
				t.Errorf("exit code %d, %+v", code, out)
			}
		})
	}
}
