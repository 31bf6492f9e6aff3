package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const hashOfAdmin = "4ACFE3202A5FF5CF467898FC58AAB1D615029441"

// local is canal_local.properties with more lines at its end.
func local(lines ...string) string {
	return strings.Join(append([]string{"canal.register.ip = 10.0.0.7", "canal.admin.manager = admin:8089",
		"canal.admin.user = admin", "canal.admin.passwd = " + hashOfAdmin}, lines...), "\n")
}

// texts are what an admin has.
func texts(server string, instances map[string]string) *AdminTexts {
	return &AdminTexts{Server: server, Instances: func() map[string]string { return instances }}
}

// TestMainFile: which file the values of the server come from, as with and without
// "startup.sh local".
func TestMainFile(t *testing.T) {
	both := map[string]string{"canal.properties": "canal.port = 1", "canal_local.properties": "canal.port = 2", "other.properties": "canal.port = 3"}
	alone := map[string]string{"canal_local.properties": "canal.port = 2"}
	for _, c := range []struct {
		name  string
		files map[string]string
		o     LoadOptions
		want  int
	}{
		{"both", both, LoadOptions{}, 1},
		{"local asked for", both, LoadOptions{Local: true}, 2},
		{"only local", alone, LoadOptions{}, 2},
		{"named", both, LoadOptions{Overrides: map[string]string{"canal.conf": "classpath:other.properties"}}, 3},
		{"local before a name", both, LoadOptions{Local: true, Overrides: map[string]string{"canal.conf": "classpath:other.properties"}}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Home = home(t, c.files)
			if got := load(t, c.o).Server().Port; got != c.want {
				t.Errorf("port %d, want %d", got, c.want)
			}
		})
	}
	if _, err := Load(LoadOptions{Home: home(t, map[string]string{"canal.properties": ""}), Local: true}); err == nil {
		t.Error("canal_local.properties was asked for and is missed by nobody")
	}
}

// TestLocalInstanceDefaults is Canal's second resolver: instance keys come from
// canal.properties also where the server's come from canal_local.properties.
func TestLocalInstanceDefaults(t *testing.T) {
	c := load(t, LoadOptions{Local: true, Home: home(t, map[string]string{
		"canal.properties":            "canal.port = 1\ncanal.instance.dbUsername = globally\ncanal.instance.dbPassword = globally",
		"canal_local.properties":      "canal.port = 2\ncanal.instance.dbUsername = locally",
		"example/instance.properties": "canal.instance.master.address = h:1",
	})})
	in, err := c.Instance("example")
	if err != nil {
		t.Fatal(err)
	}
	if c.Server().Port != 2 || in.User != "globally" || in.Password != "globally" {
		t.Errorf("port %d, user %q, password %q", c.Server().Port, in.User, in.Password)
	}
}

func TestManager(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want Manager
	}{
		{"as shipped", local("canal.admin.port = 11110", "canal.admin.register.auto = true", "canal.admin.register.cluster = c", "canal.admin.register.name = n"),
			Manager{Name: "admin:8089", Addresses: []string{"http://admin:8089"}, User: "admin", Passwd: hashOfAdmin, IP: "10.0.0.7", Port: 11110, Register: true, Cluster: "c", NodeName: "n"}},
		{"no port of its own", local("canal.admin.register.name = n"),
			Manager{Name: "admin:8089", Addresses: []string{"http://admin:8089"}, User: "admin", Passwd: hashOfAdmin, IP: "10.0.0.7", Port: 11110, NodeName: "n"}},
		// One address for all calls: that of the registration, whatever canal.ip is.
		{"several, encrypted", local("canal.ip = 10.0.0.8", "canal.admin.manager = https://a/canal/, b:1", "towpath.admin.tls.ca = /ca.pem", "canal.admin.register.name = n"),
			Manager{Name: "https://a/canal/, b:1", Addresses: []string{"https://a/canal", "http://b:1"}, User: "admin", Passwd: hashOfAdmin, IP: "10.0.0.7", Port: 11110, NodeName: "n", CAFile: "/ca.pem"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := LoadOptions{Home: home(t, map[string]string{"canal_local.properties": c.text})}
			if got := load(t, o).Manager(); !reflect.DeepEqual(*got, c.want) {
				t.Errorf("Manager = %+v\nwant %+v", *got, c.want)
			}
			// What the admin says does not change where it is asked, and for whom.
			o.Admin = texts("canal.register.ip = 9.9.9.9\ncanal.admin.port = 9\ncanal.admin.manager = other:1", nil)
			if got := load(t, o).Manager(); !reflect.DeepEqual(*got, c.want) {
				t.Errorf("with a text of the admin: Manager = %+v\nwant %+v", *got, c.want)
			}
		})
	}
	if m := load(t, LoadOptions{Home: home(t, map[string]string{"canal_local.properties": "canal.admin.manager = "})}).Manager(); m != nil {
		t.Errorf("without an address: %+v", m)
	}
}

func TestManagerErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no password", local("canal.admin.passwd = "), "canal.admin.passwd is empty , pls check https://github.com/alibaba/canal/issues/4941"},
		{"no hash", local("canal.admin.passwd = admin"), "40 hexadecimal digits"},
		{"other scheme", local("canal.admin.manager = ftp://a"), "canal.admin.manager"},
		{"nothing but commas", local("canal.admin.manager = , "), "canal.admin.manager"},
		{"port", local("canal.admin.port = x"), "canal.admin.port"},
		{"key without certificate", local("towpath.admin.port.tls.key = k.pem"), "towpath.admin.port.tls.cert"},
		{"certificate without key", local("towpath.admin.port.tls.cert = c.pem"), "towpath.admin.port.tls.key"},
		{"required and not there", local("towpath.admin.port.tls.required = true"), "towpath.admin.port.tls.required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(LoadOptions{Home: home(t, map[string]string{"canal_local.properties": c.text})})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestPrecedenceWithAdmin: the local file wins over the server's text, that over
// the instance's, that over the files; blank counts as absent, but hides what it
// stands over.
func TestPrecedenceWithAdmin(t *testing.T) {
	server := "canal.port = 21\ncanal.metrics.pull.port = 22\ncanal.instance.dbPassword = server\n" +
		"canal.instance.filter.black.regex =\ncanal.instance.global.mode = spring\ncanal.instance.global.spring.xml = classpath:spring/memory-instance.xml"
	instance := "canal.instance.master.address = m:1\ncanal.instance.dbUsername = instance\ncanal.instance.dbPassword = instance\n" +
		"canal.instance.filter.black.regex = a\\\\.b\ncanal.instance.defaultDatabaseName = ${user.made}\nuser.made = x"
	o := LoadOptions{
		Home: home(t, map[string]string{
			"canal_local.properties":      local("canal.metrics.pull.port = 12", "canal.auto.scan ="),
			"canal.properties":            "canal.port = 31\ncanal.instance.dbUsername = file\ncanal.instance.filter.regex = file\\\\..*",
			"example/instance.properties": "canal.instance.filter.black.regex = file\\\\.x\ncanal.instance.gtidon = true",
		}),
		Local: true, Admin: texts(server+"\ncanal.auto.scan = true", map[string]string{"example": instance}),
	}
	c := load(t, o)
	if s := c.Server(); s.Port != 21 || s.MetricsPort != 12 || s.AutoScan {
		t.Errorf("Server = %+v", s)
	}
	in, err := c.Instance("example")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{in.Master.Address, in.User, in.Password, in.BlackRegex, in.WhiteRegex, in.DefaultSchema}
	want := []string{"m:1", "instance", "server", `file\.x`, `file\..*`, "x"}
	if !slices.Equal(got, want) || !in.GTIDMode || in.Meta != MetaMemory {
		t.Errorf("values %q, GTID %v, meta %v; want %q", got, in.GTIDMode, in.Meta, want)
	}
	var told []string
	for _, f := range c.Report() {
		if f.Kind == HiddenValue {
			told = append(told, f.String())
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], "canal.instance.dbPassword (canal-admin: example/instance.properties line 3)") ||
		!strings.Contains(told[0], "canal-admin: canal.properties line 3") || strings.Contains(told[0], `"server"`) {
		t.Errorf("hidden values: %q", told)
	}
	if _, err := c.Instance("other"); err == nil || !strings.Contains(err.Error(), "instance : other config is not found") {
		t.Errorf("an instance without a text: %v", err)
	}
}

// TestPlacesOfAdminTexts: errors name the text and its line.
func TestPlacesOfAdminTexts(t *testing.T) {
	dir := home(t, map[string]string{"canal_local.properties": local("")})
	for server, want := range map[string]string{
		"a=b\ncanal.port = x":      `canal.port = "x" (canal-admin: canal.properties line 2)`,
		"a=b\n\nx = \\u12":         `canal-admin: canal.properties line 3: malformed`,
		"canal.serverMode = queue": "canal-admin: canal.properties line 1",
	} {
		if _, err := Load(LoadOptions{Home: dir, Admin: texts(server, nil)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", server, err, want)
		}
	}
	c := load(t, LoadOptions{Home: dir, Admin: texts("", map[string]string{"d": "\ncanal.instance.master.address = nowhere"})})
	if _, err := c.Instance("d"); err == nil || !strings.Contains(err.Error(), "canal-admin: d/instance.properties line 2") {
		t.Errorf("instance: %v", err)
	}
}

func TestSameServer(t *testing.T) {
	dir := home(t, map[string]string{"canal_local.properties": local("canal.port = 1")})
	with := func(text string) *Config { return load(t, LoadOptions{Home: dir, Admin: texts(text, nil)}) }
	base := with("canal.auto.scan = true\na = b")
	for text, want := range map[string]bool{
		"# comment\na=b \ncanal.auto.scan: true":    true,
		"canal.port = 2\na=b\ncanal.auto.scan=true": true, // the local file has it
		"canal.auto.scan = true":                    false,
		"canal.auto.scan = false\na = b":            false,
		"canal.auto.scan = true\nc = b":             false,
	} {
		if got := base.SameServer(with(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestAdminPort(t *testing.T) {
	c := load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": "canal.admin.port = 0\ncanal.admin.user = u\n" +
		"canal.admin.passwd = " + hashOfAdmin + "\ntowpath.admin.port.tls.cert = ../conf/c.pem\ntowpath.admin.port.tls.key = classpath:k.pem\ntowpath.admin.port.tls.required = true"})})
	want := AdminPort{Open: true, User: "u", PasswdHash: hashOfAdmin, CertFile: filepath.Join(c.ConfDir(), "c.pem"), KeyFile: filepath.Join(c.ConfDir(), "k.pem"), Required: true}
	if got := c.Server().Admin; got != want {
		t.Errorf("Admin = %+v\nwant %+v", got, want)
	}
	if _, err := want.TLSConfig(); err == nil || !strings.Contains(err.Error(), "towpath.admin.port.tls.cert") {
		t.Errorf("a certificate that is not there: %v", err)
	}
	// Without a password the port is open to all, which is told.
	c = load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": "canal.admin.port = 11110"})})
	if f := c.Report(); len(f) != 1 || f[0].Keys[0] != "canal.admin.passwd" {
		t.Errorf("findings %v", f)
	}
}

// TestAdminTLSConfig: the files are read when they are needed; errors name the key.
func TestAdminTLSConfig(t *testing.T) {
	cert, key := pemFiles(t)
	c, err := (&Manager{CAFile: cert}).TLSConfig()
	if err != nil || c.RootCAs == nil || c.InsecureSkipVerify {
		t.Errorf("authorities of its own: %+v, %v", c, err)
	}
	if c, err = (&Manager{}).TLSConfig(); err != nil || c.RootCAs != nil || c.InsecureSkipVerify {
		t.Errorf("the system's authorities: %+v, %v", c, err)
	}
	if c, err = (&Manager{Insecure: true}).TLSConfig(); err != nil || !c.InsecureSkipVerify {
		t.Errorf("insecure: %+v, %v", c, err)
	}
	if _, err = (&Manager{CAFile: key}).TLSConfig(); err == nil || !strings.Contains(err.Error(), "towpath.admin.tls.ca: "+key) {
		t.Errorf("no certificate in the file: %v", err)
	}
	if c, err = (AdminPort{CertFile: cert, KeyFile: key}).TLSConfig(); err != nil || len(c.Certificates) != 1 {
		t.Errorf("admin port: %+v, %v", c, err)
	}
	if c, err = (AdminPort{}).TLSConfig(); err != nil || c != nil {
		t.Errorf("admin port without TLS: %+v, %v", c, err)
	}
}
