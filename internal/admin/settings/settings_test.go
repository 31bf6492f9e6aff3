package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// shipped is the application.yml of Canal Admin, with the password that it wants.
const shipped = `
server:
  port: 8089
spring:
  jackson:
    date-format: yyyy-MM-dd HH:mm:ss
    time-zone: GMT+8

spring.datasource:
  address: 127.0.0.1:3306
  database: canal_manager
  username: canal
  password: canal
  driver-class-name: com.mysql.jdbc.Driver
  url: jdbc:mysql://${spring.datasource.address}/${spring.datasource.database}?useUnicode=true&characterEncoding=UTF-8&useSSL=false
  hikari:
    maximum-pool-size: 30
    minimum-idle: 1

canal:
  adminUser: admin
  adminPasswd: shared
`

// load reads a file with some environment and definitions.
func load(t *testing.T, file string, environ []string, defines map[string]string) (*Settings, error) {
	t.Helper()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "conf", "application.yml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(LoadOptions{Home: home, Environ: environ, Defines: defines})
}

func TestShipped(t *testing.T) {
	s, err := load(t, shipped, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen() != ":8089" || s.DateFormat != "yyyy-MM-dd HH:mm:ss" || s.TimeZone != "GMT+8" || s.AdminUser != "admin" || s.AdminPassword != "shared" ||
		s.Idle != 30*time.Minute || s.ControlTLS != ControlTLSOffered || s.Written {
		t.Errorf("settings %+v", s)
	}
	o := s.Database()
	if o.Driver != database.MySQL || o.User != "canal" || o.Password != "canal" ||
		o.DSN != "jdbc:mysql://127.0.0.1:3306/canal_manager?useUnicode=true&characterEncoding=UTF-8&useSSL=false" {
		t.Errorf("database %+v", o)
	}
	if len(s.Findings) > 0 {
		t.Errorf("findings about what Canal ships: %q", s.Findings)
	}
}

func TestSources(t *testing.T) {
	url := func(s *Settings) string { return s.DatabaseURL }
	password := func(s *Settings) string { return s.AdminPassword }
	for _, c := range []struct {
		name    string
		file    string
		environ []string
		defines map[string]string
		get     func(*Settings) string
		want    string
	}{
		{"dotted variable", shipped, []string{"canal.adminPasswd=v"}, nil, password, "v"},
		{"dashed variable", shipped, []string{"canal.admin-passwd=v"}, nil, password, "v"},
		{"upper case", shipped, []string{"CANAL_ADMINPASSWD=v"}, nil, password, "v"},
		{"upper case by words", shipped, []string{"CANAL_ADMIN_PASSWD=v"}, nil, password, "v"},
		{"dashes go", shipped, []string{"SPRING_JACKSON_DATEFORMAT=yyyy"}, nil, func(s *Settings) string { return s.DateFormat }, "yyyy"},
		{"definition first", shipped, []string{"canal.adminPasswd=v"}, map[string]string{"canal.ADMIN_PASSWD": "d"}, password, "d"},
		{"variable with =", shipped, []string{"canal.adminPasswd=a=b"}, nil, password, "a=b"},
		{"variable of docker", shipped, []string{"spring.datasource.address=db:3307"}, nil, url, "jdbc:mysql://db:3307/canal_manager?useUnicode=true&characterEncoding=UTF-8&useSSL=false"},
		{"relaxed in the file", "CANAL: {admin_user: u, ADMIN-PASSWD: p}", nil, nil, password, "p"},
		{"one dotted key", "canal.adminUser: u\ncanal.adminPasswd: p", nil, nil, password, "p"},
		{"default", "canal: {adminUser: u, adminPasswd: '${PW:fall}'}", nil, nil, password, "fall"},
		{"default with colon", "canal: {adminUser: u, adminPasswd: '${PW:a:b}'}", nil, nil, password, "a:b"},
		{"empty default", "canal: {adminUser: u, adminPasswd: 'x${PW:}'}", nil, nil, password, "x"},
		{"default in default", "canal: {adminUser: u, adminPasswd: '${A:${B:c}}'}", nil, nil, password, "c"},
		{"variable in placeholder", "canal: {adminUser: u, adminPasswd: '${PW}'}", []string{"PW=v"}, nil, password, "v"},
		{"key in key", "canal: {adminUser: u, adminPasswd: '${x.${WHICH}}'}\nx.one: o", []string{"WHICH=one"}, nil, password, "o"},
		{"open brace", "canal: {adminUser: u, adminPasswd: 'a${b'}", nil, nil, password, "a${b"},
		{"number", "canal: {adminUser: u, adminPasswd: 123456}", nil, nil, password, "123456"},
		{"merge", "a: &a {adminPasswd: p}\ncanal:\n  <<: *a\n  adminUser: u", nil, nil, password, "p"},
		{"later document", "canal: {adminUser: u, adminPasswd: p}\n---\ncanal.adminPasswd: q", nil, nil, password, "q"},
		{"document for a profile", "canal: {adminUser: u, adminPasswd: p}\n---\nspring.config.activate.on-profile: test\ncanal.adminPasswd: q", nil, nil, password, "p"},
		{"list", "canal: {adminUser: u, adminPasswd: p}\ntowpath.cors.origins: [a, b]", nil, nil, func(s *Settings) string { return strings.Join(s.Origins, "+") }, "a+b"},
		{"list in a text", "canal: {adminUser: u, adminPasswd: p}\ntowpath.address.allow: '10.0.0.0/8, fd00::/8'", nil, nil, func(s *Settings) string { return strings.Join(s.Allow, "+") }, "10.0.0.0/8+fd00::/8"},
		{"SQLite", "canal: {adminUser: u, adminPasswd: p}", nil, nil, func(s *Settings) string { return s.Driver }, "sqlite"},
		{"seconds", "canal: {adminUser: u, adminPasswd: p}\ntowpath.session.idle: 90", nil, nil, func(s *Settings) string { return s.Idle.String() }, "1m30s"},
		{"flag", "canal: {adminUser: u, adminPasswd: p}\ntowpath.registration.closed: true", nil, nil, func(s *Settings) string { return strconv.FormatBool(s.RegistrationClosed) }, "true"},
		{"IPv6", "canal: {adminUser: u, adminPasswd: p}\nserver: {address: '::1', port: 1}", nil, nil, (*Settings).Listen, "[::1]:1"},
		{"address only", "canal: {adminUser: u, adminPasswd: p}\nspring.datasource: {address: db}", nil, nil, url, "jdbc:mysql://db/canal_manager?useUnicode=true&characterEncoding=UTF-8&useSSL=false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := load(t, c.file, c.environ, c.defines)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.get(s); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	const ok = "canal: {adminUser: u, adminPasswd: topsecret}\n"
	for _, c := range []struct{ name, file, want string }{
		{"no user", "canal: {adminPasswd: topsecret}", "canal.adminUser is empty , pls check https://github.com/alibaba/canal/issues/4941\n"},
		{"no password", strings.Replace(shipped, "shared", "", 1), "canal.adminPasswd is empty , pls check https://github.com/alibaba/canal/issues/4941\n"},
		{"no YAML", "canal: [topsecret", "line 1"},
		{"no YAML in a value", ok + "x: \"topsecret\n", ""},
		{"tabs", "canal:\n\tadminPasswd: 'topsecret'", "line 2"},
		{"text only", "topsecret", "want keys with values"},
		{"list only", "[topsecret]", "want keys with values"},
		{"list of keys", "a: [{b: topsecret}]", "lists may have texts only"},
		{"port", ok + "server.port: topsecret", "server.port: want a port"},
		{"port too high", ok + "server.port: 65536", "server.port: want a port"},
		{"flag", ok + "towpath.secureCookie: topsecret", "towpath.secureCookie: want true or false"},
		{"time", ok + "towpath.session.idle: 1s", "towpath.session.idle: want a time from"},
		{"database", ok + "towpath.database: topsecret", "towpath.database: want sqlite or mysql"},
		{"half of TLS", ok + "towpath.tls.cert: a", "want both or none"},
		{"TLS with servers", ok + "towpath.control.tls: topsecret", "towpath.control.tls: want never, offered or required"},
		{"itself", "canal: {adminUser: u, adminPasswd: 'topsecret${canal.adminPasswd}'}", "${canal.adminPasswd} leads to itself"},
		{"in a circle", "canal: {adminUser: u, adminPasswd: '${a}'}\na: ${b}\nb: topsecret${a}", "leads to itself"},
		{"nothing there", "canal: {adminUser: u, adminPasswd: 'topsecret${nothing.there}'}", "${nothing.there}"},
		{"deep", "canal: {adminUser: u, adminPasswd: '" + strings.Repeat("${a:", 20) + "'}", ""},
		{"deep defaults", "canal: {adminUser: u, adminPasswd: '" + strings.Repeat("${a:", 20) + "topsecret" + strings.Repeat("}", 20) + "'}", "nested more than"},
		{"bomb of placeholders", "canal: {adminUser: u, adminPasswd: '${a}'}\na: " + strings.Repeat("${b}", 100) + "\nb: " + strings.Repeat("${c}", 100) + "\nc: " + strings.Repeat("topsecret", 10), "the value has more than"},
		{"bomb of aliases", "a: &a {x: 1, y: 2}\nb: &b {a: *a, c: *a, d: *a, e: *a, f: *a}\nc: &c {a: *b, c: *b, d: *b, e: *b, f: *b}\nd: &d {a: *c, c: *c, d: *c, e: *c, f: *c}\ne: &e {a: *d, c: *d, d: *d, e: *d, f: *d}\nf: &f {a: *e, c: *e, d: *e, e: *e, f: *e}\ng: {a: *f, c: *f, d: *f, e: *f, f: *f}", "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := load(t, c.file, nil, nil)
			if c.name == "deep" {
				return // not closed, and so no placeholder
			}
			if err == nil {
				t.Fatalf("taken: %+v", s)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
			if strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the error has a value: %q", err)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	s, err := load(t, `
canal:
  adminUser: u
  adminPasswd: topsecret
  adminPasword: topsecret
towpath:
  adress.allow: 10.0.0.0/8
  colour: blue
server.ssl.key-store: x
logging.level.root: debug
spring.main.banner-mode: off
my.own: 8089
server.port: ${my.own}
canal.adminUser: v
`, nil, map[string]string{"server.prt": "1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"line 5: canal.adminPasword is unknown: did you mean canal.adminPasswd?",
		"line 7: towpath.adress.allow is unknown: did you mean towpath.address.allow?",
		"line 8: towpath.colour is unknown and has no effect",
		"line 9: server.ssl.key-store has no effect: TLS is set by towpath.tls.cert and towpath.tls.key",
		"line 10: logging.level.root has no effect: the log is logs/admin.log; its level is an option of the command",
		"line 11: spring.main.banner-mode has no effect: it belongs to Spring",
		"line 14: canal.adminUser replaces the one of line 3",
		"-D server.prt is unknown: did you mean server.port?",
	}
	if !slices.Equal(s.Findings, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(s.Findings, "\n"), strings.Join(want, "\n"))
	}
}

// TestFirstFile begins without an application.yml.
func TestFirstFile(t *testing.T) {
	home := t.TempDir()
	s, err := Load(LoadOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Written || s.Driver != database.SQLite || s.AdminUser != "admin" || len(s.AdminPassword) < 20 || len(s.Findings) > 0 ||
		s.DatabasePath != filepath.Join(home, "data", "towpath-admin.db") {
		t.Errorf("first %+v", s)
	}
	if info, err := os.Stat(s.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again, err := Load(LoadOptions{Home: home})
	if err != nil || again.Written || again.AdminPassword != s.AdminPassword {
		t.Errorf("again %+v, %v", again, err)
	}
	other, err := Load(LoadOptions{Home: t.TempDir()})
	if err != nil || other.AdminPassword == s.AdminPassword {
		t.Errorf("another installation has the same password, or %v", err)
	}
}

func TestNoFile(t *testing.T) {
	home := t.TempDir()
	s, err := Load(LoadOptions{Home: home, Environ: []string{"canal.adminPasswd=p", "spring.datasource.address=db", "spring.datasource.username=u"}})
	if err != nil || s.Written || s.AdminUser != "admin" || s.Driver != database.MySQL || s.DatabaseUser != "u" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Load(LoadOptions{Home: home, ReadOnly: true}); err == nil || !strings.Contains(err.Error(), "canal.adminPasswd is empty") {
		t.Errorf("read only: %v", err)
	}
	if _, err := os.Stat(filepath.Join(home, "conf")); err == nil {
		t.Error("something has been written")
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(shipped))
	f.Add([]byte("canal: {adminUser: u, adminPasswd: '${a:${b:c}}'}\n---\n- x"))
	f.Add([]byte("a: &a {b: *a}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pairs, _, err := flatten(text)
		if err != nil {
			return
		}
		v := newValues(nil, nil, pairs)
		s := &Settings{}
		if err := s.take(reader{values: v}, LoadOptions{Home: "/home"}, false); err == nil && (s.AdminPassword == "" || s.Driver == "") {
			t.Errorf("taken without a password: %+v", s)
		}
		findUnknown(pairs, nil, v.used)
	})
}
