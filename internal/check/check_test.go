package check

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // test/servers has a thread of its own
}

// load reads an installation with the files of conf/, by name.
func load(t *testing.T, files map[string]string) *config.Config {
	t.Helper()
	home := t.TempDir()
	for name, text := range files {
		path := filepath.Join(home, "conf", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(config.LoadOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const login = "canal.instance.dbUsername = canal\ncanal.instance.dbPassword = canal\n"

// has says whether a finding of the severity holds all the texts.
func has(findings []control.Finding, severity string, texts ...string) bool {
	for _, f := range findings {
		all := f.Severity == severity
		for _, text := range texts {
			all = all && strings.Contains(f.Destination+" "+f.Source+" "+f.Text+" "+f.Remedy, text)
		}
		if all {
			return true
		}
	}
	return false
}

const groupXML = "canal.instance.global.spring.xml = classpath:spring/group-instance.xml\n"

func TestContent(t *testing.T) {
	sound := mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_600_000_000))
	quiet := mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_600_000_000))
	quiet.Set("log_bin", "OFF")
	address := func(s *mysqltest.Server) string { return "canal.instance.master.address = " + s.Address() + "\n" }
	files := load(t, map[string]string{"canal.properties": login})
	for _, c := range []struct {
		name     string
		o        Options
		text     string
		severity string
		want     []string
	}{
		{"sound, by files", Options{Config: files}, address(sound), control.SeverityOK, []string{"orders", sound.Address(), "server id 77"}},
		{"sound, by texts", Options{Server: login}, address(sound), control.SeverityOK, []string{"orders", sound.Address(), "server id 77"}},
		{"no binlog", Options{Server: login}, address(quiet), control.SeverityFailure, []string{quiet.Address(), "writes no binary log"}},
		{"nobody there", Options{Server: login}, "canal.instance.master.address = 127.0.0.1:1\n", control.SeverityFailure, []string{"connection refused"}},
		{"no address", Options{Server: login}, "", control.SeverityFailure, []string{"canal.instance.master.address", "want host:port"}},
		{"wrong values", Options{Server: login}, address(sound) + "canal.instance.transaction.size = x\ncanal.instance.gtidon = y\n", control.SeverityFailure, []string{"gtidon", `"y"`}},
		{"unknown key", Options{Server: login}, address(sound) + "canal.instance.gtdon = true\n", control.SeverityWarning, []string{"line 2: canal.instance.gtdon", "did you mean canal.instance.gtidon?"}},
		{"overruled", Options{Server: login}, address(sound) + "canal.instance.dbUsername = mine\n", control.SeverityWarning, []string{"line 2: canal.instance.dbUsername: without effect"}},
		{"key store", Options{Server: login}, address(sound) + "canal.instance.master.trustCertificateKeyStoreUrl = file:/etc/passwd\n", control.SeverityWarning, []string{sound.Address(), "key stores", "not looked at here"}},
		{"binlog files", Options{Server: login}, "towpath.instance.localBinlog.dir = /etc\n", control.SeverityWarning, []string{"orders", "binlog files", "not looked at here"}},
		{"binlog files, by files", Options{Config: files}, "towpath.instance.localBinlog.dir = " + t.TempDir() + "\n", control.SeverityFailure, []string{"there are no binlog files"}},
		{"group", Options{Server: login + groupXML}, "canal.instance.master1.address = " + sound.Address() + "\ncanal.instance.master2.address = " + quiet.Address() + "\n", control.SeverityFailure, []string{quiet.Address(), "writes no binary log"}},
		{"sound group", Options{Server: login + groupXML}, "canal.instance.master1.address = " + sound.Address() + "\n", control.SeverityOK, []string{sound.Address(), "server id 77"}},
		{"wrong server text", Options{Server: "canal.port = x"}, address(sound), control.SeverityFailure, []string{"canal.port"}},
		{"cannot be read", Options{Server: login}, `a = \u1`, control.SeverityFailure, []string{"malformed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Content(t.Context(), c.o, "orders", c.text)
			if !has(got, c.severity, c.want...) {
				t.Errorf("got %+v, want a %s with %q", got, c.severity, c.want)
			}
			if c.name[:5] == "sound" && has(got, control.SeverityFailure) || c.name == "binlog files" && len(got) != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSourceLooksAtStoredPositions(t *testing.T) {
	sound := mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_600_000_000))
	c := load(t, map[string]string{
		"canal.properties":           login + "canal.zkServers = zk:2181\ncanal.instance.global.spring.xml = classpath:spring/default-instance.xml\n",
		"orders/instance.properties": "canal.instance.master.address = " + sound.Address() + "\n",
	})
	in, err := c.Instance("orders")
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	broken := func(_ context.Context, destination string) ([]meta.Record, []control.Finding, bool) {
		asked = destination
		return nil, []control.Finding{{Severity: control.SeverityFailure, Destination: destination, Text: "unreadable node"}}, false
	}
	if got := Source(t.Context(), in, &Cluster{Cursors: broken}); asked != "orders" || !has(got, control.SeverityFailure, "unreadable node") {
		t.Errorf("asked for %q, got %+v", asked, got)
	}
}

func TestDestinations(t *testing.T) {
	sound := mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_600_000_000))
	text := "canal.instance.master.address = " + sound.Address() + "\n"
	c := load(t, map[string]string{
		"canal.properties":      login + "canal.auto.scan = true\ncanal.instance.mysql.slaveId = 5\n",
		"a/instance.properties": text, "b/instance.properties": text, "c/instance.properties": "canal.instance.gtidon = perhaps\n",
	})
	got, err := Destinations(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !has(got, control.SeverityOK, "a ", "server id 77") || !has(got, control.SeverityFailure, "c ", "perhaps") ||
		!has(got, control.SeverityWarning, "the destinations a, b register under one replica id, 5") {
		t.Errorf("got %+v", got)
	}
	if got, err := Destinations(t.Context(), load(t, map[string]string{"canal.properties": "canal.destinations =\n"}), nil); err != nil || !has(got, control.SeverityWarning, "no destination") {
		t.Errorf("without destinations: %+v, %v", got, err)
	}
}

// A check dials only by the function it was given, with the names as they stand:
// who may be connected to is decided where they are resolved.
func TestContentDials(t *testing.T) {
	refused := errors.New("not allowed")
	var asked []string
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		asked = append(asked, address)
		return nil, refused
	}
	content := "canal.instance.master.address = ${canal.instance.destination}:3306\ncanal.instance.standby.address = standby:3306\n" + login
	findings := Content(t.Context(), Options{Dial: dial}, "169.254.169.254", content)
	if !slices.Equal(asked, []string{"169.254.169.254:3306", "standby:3306"}) || !has(findings, control.SeverityFailure, "not allowed") {
		t.Errorf("asked %q, found %+v", asked, findings)
	}
	asked = nil
	content = "canal.instance.master1.address = one:3306\ncanal.instance.master2.address = two:3306\ncanal.instance.standby2.address = three:3306\n"
	Content(t.Context(), Options{Server: login + groupXML, Dial: dial}, "orders", content)
	if !slices.Equal(asked, []string{"one:3306", "two:3306", "three:3306"}) {
		t.Errorf("of a group it asked %q", asked)
	}
}
