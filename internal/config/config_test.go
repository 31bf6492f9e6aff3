package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// home makes an install folder with the given files under conf.
func home(t testing.TB, files map[string]string) string {
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

func load(t testing.TB, o LoadOptions) *Config {
	t.Helper()
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sampleHome is an install with the sample files of the repository.
func sampleHome(t testing.TB) string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"canal.properties", "canal_local.properties", "example/instance.properties"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "conf", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	return home(t, files)
}

// TestSampleFiles: the values in force with the files as they are shipped,
// which are Canal's.
func TestSampleFiles(t *testing.T) {
	dir := sampleHome(t)
	c := load(t, LoadOptions{Home: dir, Overrides: map[string]string{"canal.register.ip": "10.0.0.1"}})
	conf := filepath.Join(dir, "conf")
	server := Server{
		RegisterIP: "10.0.0.1", Port: 11111, MetricsPort: 11112, ServeTCP: true, Mode: "tcp",
		Destinations: []string{"example"}, ConfDir: conf, AutoScan: true, ScanInterval: 5 * time.Second,
		Admin: AdminPort{Open: true, Port: 11110, User: "admin"}, StoreBudget: 1 << 30,
		ZooKeeper: ZooKeeper{SessionTimeout: 10 * time.Second}, Weight: 1, Rebalance: true,
	}
	if got := c.Server(); !reflect.DeepEqual(got, server) {
		t.Errorf("Server = %+v\nwant %+v", got, server)
	}
	if err := c.Startable(); err != nil {
		t.Errorf("Startable = %v", err)
	}
	got, err := c.Instance("example")
	if err != nil {
		t.Fatal(err)
	}
	plain := TLS{Mode: "DISABLED"}
	want := Instance{
		Destination: "example", Meta: MetaFile, DataDir: filepath.Join(conf, "example"), FlushPeriod: time.Second,
		Master: Endpoint{Address: "127.0.0.1:3306", TLS: plain}, Standby: Endpoint{TLS: plain},
		User: "canal", Password: "canal", ConnectionCharset: "UTF-8", TimeZone: time.Local,
		Fallback: time.Minute, ReceiveBufferSize: 16384, SendBufferSize: 16384, SocketTimeout: 30 * time.Second,
		BinlogFormats: []string{"ROW", "STATEMENT", "MIXED"}, BinlogImages: []string{"FULL", "MINIMAL", "NOBLOB"},
		DetectingSQL: "select 1", DetectingInterval: 3 * time.Second, DetectingThreshold: 3,
		WhiteRegex: `.*\..*`, BlackRegex: `mysql\.slave_.*`, DruidDDL: true,
		TransactionSize: 1024, Parallel: true, ParallelThreads: max(1, runtime.NumCPU()*60/100), ParallelBuffer: 256,
		BufferSize: 16384, MemUnit: 1024, BatchMode: MemSize,
		History: History{Kind: HistorySQLite, Path: filepath.Join(conf, "example", "h2.towpath.db"), Interval: 24 * time.Hour, Expire: 360 * time.Hour, ZooKeeperLimit: 16 << 20},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Instance = %+v\nwant %+v", got, want)
	}
	for _, f := range c.Report() {
		if f.Kind != Unsupported && !slices.Equal(f.Keys, []string{"canal.admin.passwd"}) { // which lets anybody in
			t.Errorf("the sample files lead to the finding %v", f)
		}
	}
}

// TestManagerFile: the start-up file for Canal Admin is read and refused.
func TestManagerFile(t *testing.T) {
	c := load(t, LoadOptions{Home: sampleHome(t), Overrides: map[string]string{"canal.conf": "../conf/canal_local.properties", "canal.admin.passwd": hashOfAdmin}})
	if m := c.Manager(); m == nil || m.Name != "127.0.0.1:8089" || !m.Register {
		t.Errorf("Manager = %+v", m)
	}
	// Instance keys still come from canal.properties.
	if in, err := c.Instance("example"); err != nil || in.DetectingInterval != 3*time.Second {
		t.Errorf("Instance: interval %v, %v", in.DetectingInterval, err)
	}
}

func TestStartable(t *testing.T) {
	for key, value := range map[string]string{"canal.serverMode": "rocketMQ"} {
		c := load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": "a=b\n" + key + "=" + value})})
		err := c.Startable()
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "canal.properties:2") {
			t.Errorf("%s: Startable = %v, want a refusal with the place", key, err)
		}
		if c.Server().ServeTCP != (key != "canal.serverMode") {
			t.Errorf("%s: ServeTCP = %v", key, c.Server().ServeTCP)
		}
	}
}

func TestServerErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"port", "canal.port = x", `canal.port = "x"`},
		{"port range", "canal.port = 70000", "from 0 to 65535"},
		{"comment behind a value", "canal.register.ip = 10.0.0.1  # mine", "a comment needs a line of its own"},
		{"metrics port", "canal.metrics.pull.port=9999999", "canal.metrics.pull.port"},
		{"user without password", "canal.user = u", "canal.user = u , but canal.passwd is empty , pls check https://github.com/alibaba/canal/issues/4941"},
		{"starred hash", "canal.user=u\ncanal.passwd=*E3619321C1A937C46A0D8BD1DAC39F93B27D4458", "without a star"},
		{"short hash", "canal.passwd=abcd", "40 hexadecimal digits"},
		{"mode", "canal.serverMode=Foo", "Extension instance(name: foo, class: interface com.alibaba.otter.canal.connector.core.spi.CanalMQProducer)  could not be instantiated: class could not be found"},
		{"expression", "canal.destinations.expr=d1-3", "invalid destinations expr d1-3"},
		{"endless expression", "canal.destinations.expr=d{1-99999999}", "at most"},
		{"destination", "canal.destinations=a,../b", "cannot be a destination"},
		{"escape", `a=\u1`, "canal.properties:1: malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(LoadOptions{Home: home(t, map[string]string{"canal.properties": c.text})})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "E3619321") {
				t.Errorf("error %v shows the password hash", err)
			}
		})
	}
	if _, err := Load(LoadOptions{Home: t.TempDir()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without canal.properties: error = %v", err)
	}
}

func TestServerValues(t *testing.T) {
	text := "canal.ip=1.2.3.4\ncanal.user=canal\ncanal.passwd=e3619321c1a937c46a0d8bd1dac39f93b27d4458\ncanal.destinations = a, b,,a ,c\ncanal.conf.dir=/etc/canal\ncanal.withoutNetty=FALSE\ncanal.auto.scan=treu\ncanal.port=1"
	c := load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": text}), Environ: []string{"canal.port=2", "JAVA_OPTS=-Xmx1g -Dcanal.port=3 -Dcanal.auto.scan.interval=9"}, Overrides: map[string]string{"canal.port": "4"}})
	s := c.Server()
	if s.BindIP != "1.2.3.4" || s.RegisterIP != "1.2.3.4" || s.Port != 4 || s.ScanInterval != 9*time.Second || len(s.PasswdHash) != 20 || s.ServeTCP || s.AutoScan || s.ConfDir != "/etc/canal" || s.Admin.Open || s.Mode != "tcp" {
		t.Errorf("Server = %+v", s)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(s.Destinations, want) {
		t.Errorf("Destinations = %q, want %q", s.Destinations, want)
	}
	var suspects []string
	for _, f := range c.Report() {
		if f.Kind == SuspectValue {
			suspects = append(suspects, f.Keys...)
		}
	}
	slices.Sort(suspects)
	if want := []string{"canal.auto.scan", "canal.withoutNetty"}; !slices.Equal(suspects, want) {
		t.Errorf("suspect values = %q, want %q", suspects, want)
	}

	c = load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": "canal.destinations=x\ncanal.destinations.expr = d{9-11}rest"})})
	if want := []string{"d9", "d10", "d11"}; !slices.Equal(c.Server().Destinations, want) {
		t.Errorf("Destinations = %q, want %q", c.Server().Destinations, want)
	}
	if s := c.Server(); s.AutoScan || !s.ServeTCP || s.RegisterIP == "" {
		t.Errorf("defaults: %+v", s)
	}
}

func TestStoreBudget(t *testing.T) {
	for value, want := range map[string]int64{"": 1 << 30, "1048576": 1 << 20, "2048k": 2 << 20, "512M": 512 << 20, "3 g": 3 << 30,
		"1023k": 0, "-1g": 0, "g": 0, "1t": 0, "1.5g": 0, "9223372036854775807g": 0} {
		dir := home(t, map[string]string{"canal.properties": "towpath.store.budget = " + value})
		c, err := Load(LoadOptions{Home: dir})
		switch {
		case want == 0 && (err == nil || !strings.Contains(err.Error(), "towpath.store.budget = ") || !strings.Contains(err.Error(), "512m")):
			t.Errorf("%q: error %v", value, err)
		case want != 0 && (err != nil || c.Server().StoreBudget != want):
			t.Errorf("%q: %+v, %v; want %d", value, c, err, want)
		}
	}
}

func TestFolders(t *testing.T) {
	dir := home(t, map[string]string{"canal.properties": "canal.file.data.dir=${canal.conf.dir}\ncanal.conf.dir=../conf\ncanal.instance.master.address=h:1", "d/instance.properties": ""})
	elsewhere := t.TempDir()
	if err := os.CopyFS(elsewhere, os.DirFS(filepath.Join(dir, "conf"))); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	for _, c := range []struct {
		name          string
		o             LoadOptions
		conf, dataDir string
	}{
		{"home", LoadOptions{Home: dir}, filepath.Join(dir, "conf"), filepath.Join(dir, "conf", "d")},
		{"conf", LoadOptions{Home: dir, Conf: elsewhere}, elsewhere, filepath.Join(elsewhere, "d")},
		{"data", LoadOptions{Home: dir, Data: data}, filepath.Join(dir, "conf"), filepath.Join(data, "d")},
		{"-D", LoadOptions{Home: dir, Data: "x", Overrides: map[string]string{"canal.file.data.dir": "../data"}}, filepath.Join(dir, "conf"), filepath.Join(dir, "data", "d")},
	} {
		cfg := load(t, c.o)
		in, err := cfg.Instance("d")
		if err != nil {
			t.Fatal(err)
		}
		if cfg.ConfDir() != c.conf || cfg.Server().ConfDir != c.conf || in.DataDir != c.dataDir {
			t.Errorf("%s: conf %s, scan %s, data %s; want %s, %s", c.name, cfg.ConfDir(), cfg.Server().ConfDir, in.DataDir, c.conf, c.dataDir)
		}
	}
	if got := load(t, LoadOptions{Home: dir}).LogsDir(); got != filepath.Join(dir, "logs") {
		t.Errorf("LogsDir = %s", got)
	}
}

func TestTimeZone(t *testing.T) {
	dir := home(t, map[string]string{"canal.properties": "canal.instance.master.address=h:1"})
	for name, offset := range map[string]int{"Asia/Shanghai": 8 * 3600, "GMT+8": 8 * 3600, "GMT-03:30": -12600, "UTC": 0} {
		in, err := load(t, LoadOptions{Home: dir, Overrides: map[string]string{"user.timezone": name}}).Instance("d")
		if err != nil {
			t.Fatal(err)
		}
		if _, got := time.Unix(1700000000, 0).In(in.TimeZone).Zone(); got != offset {
			t.Errorf("%s: offset %d, want %d", name, got, offset)
		}
	}
	for _, name := range []string{"Nowhere/Town", "GMT+99", "../x"} {
		if _, err := Load(LoadOptions{Home: dir, Overrides: map[string]string{"user.timezone": name}}); err == nil {
			t.Errorf("zone %q is accepted", name)
		}
	}
}

func FuzzDestinations(f *testing.F) {
	f.Add("a,b", "d{1-3}")
	f.Add("", "{0-0}")
	f.Fuzz(func(t *testing.T, list, expr string) {
		c := &Config{home: "/h", conf: "/h/conf", main: &Properties{File: "f"}, sources: sources{overrides: map[string]string{"canal.destinations": list, "canal.destinations.expr": expr, "canal.register.ip": "x"}}}
		if err := c.loadServer(); err != nil {
			return
		}
		for _, d := range c.server.Destinations {
			if filepath.Dir(filepath.Join("/conf", d)) != "/conf" {
				t.Errorf("destination %q leads out of its folder", d)
			}
		}
	})
}
