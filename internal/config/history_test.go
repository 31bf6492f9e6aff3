package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shipped are the lines of Canal's canal.properties about the history.
const shipped = "canal.instance.tsdb.enable = true\n" +
	"canal.instance.tsdb.dir = ${canal.file.data.dir:../conf}/${canal.instance.destination:}\n" +
	"canal.instance.tsdb.url = jdbc:h2:${canal.instance.tsdb.dir}/h2;CACHE_SIZE=1000;MODE=MYSQL;\n" +
	"canal.instance.tsdb.dbUsername = canal\ncanal.instance.tsdb.dbPassword = canal\n" +
	"canal.instance.tsdb.snapshot.interval = 24\ncanal.instance.tsdb.snapshot.expire = 360\n" +
	"canal.instance.tsdb.spring.xml = classpath:spring/tsdb/h2-tsdb.xml\n"

const mysqlLines = "canal.instance.tsdb.spring.xml = classpath:spring/tsdb/mysql-tsdb.xml\ncanal.instance.tsdb.url = jdbc:mysql://db:3307/canal_tsdb?useSSL=false\n"

// historyOf reads the history of a destination with a server.
func historyOf(t *testing.T, main, file string) (History, error) {
	t.Helper()
	in, err := instance(t, main, "canal.instance.master.address = db:3306\n"+file)
	if err != nil {
		return History{}, err
	}
	if dir := filepath.Dir(filepath.Dir(in.DataDir)); in.History.Path != "" { // the folder of the test
		in.History.Path = strings.TrimPrefix(in.History.Path, dir)
	}
	return in.History, nil
}

func TestHistory(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip(err)
	}
	const day = 24 * time.Hour
	file := History{Kind: HistorySQLite, Path: "/conf/d/h2.towpath.db", Interval: day, Expire: 15 * day, ZooKeeperLimit: 16 << 20}
	at := func(path string) History { h := file; h.Path = path; return h }
	mysql := History{Kind: HistoryMySQL, URL: "jdbc:mysql://db:3307/canal_tsdb?useSSL=false", User: "canal", Password: "canal", Interval: day, Expire: 15 * day, ZooKeeperLimit: 16 << 20}
	timed := func(interval, expire time.Duration) History {
		h := file
		h.Interval, h.Expire = interval, expire
		return h
	}
	limited := file
	limited.ZooKeeperLimit = 64 << 20
	const key = "canal.instance.tsdb."
	for _, c := range []struct {
		name, main, file string
		want             History
	}{
		{"as shipped", shipped, "", file},
		{"nothing set", "", "", History{}},
		{"off", shipped, key + "enable = false", History{}},
		{"no Spring file", shipped, key + "spring.xml = ", History{}},
		{"off by default in memory", "canal.instance.global.spring.xml = classpath:spring/memory-instance.xml\n" + strings.Replace(shipped, "canal.instance.tsdb.enable = true", "", 1), "", History{}},
		{"on in memory", "canal.instance.global.spring.xml = classpath:spring/memory-instance.xml\n" + shipped, "", file},
		{"on in a cluster", "canal.zkServers = zk:2181\ncanal.instance.global.spring.xml = classpath:spring/default-instance.xml\n" + strings.Replace(shipped, "canal.instance.tsdb.enable = true", "", 1), "", file},
		{"never for a group", "canal.instance.global.spring.xml = classpath:spring/group-instance.xml\n" + shipped, "canal.instance.master1.address = db:1", History{}},
		{"another folder", shipped, key + "dir = /var/tsdb", at("/var/tsdb/h2.towpath.db")},
		{"another file", shipped, key + "url = jdbc:h2:file:/var/tsdb/meta;CIPHER=AES", at("/var/tsdb/meta.towpath.db")},
		{"the user's folder", shipped, key + "url = jdbc:h2:~/tsdb/meta", at(filepath.Join(home, "tsdb/meta.towpath.db"))},
		{"no address", strings.Replace(shipped, key+"url", "x", 1), "", file},
		{"MySQL", shipped, mysqlLines, mysql},
		{"MySQL by its address alone", shipped, key + "url = jdbc:mysql://db:3307/canal_tsdb?useSSL=false", mysql},
		{"never a snapshot", shipped, key + "snapshot.interval = 0\n" + key + "snapshot.expire = -1", timed(0, 0)},
		{"below zero", shipped, key + "snapshot.interval = -5\n" + key + "snapshot.expire = 1", timed(0, time.Hour)},
		// 597 hours in seconds and then in milliseconds are beyond 32 bits.
		{"beyond 596 hours", shipped, key + "snapshot.expire = 8760", timed(day, 8760*time.Hour)},
		{"for ever", shipped, key + "snapshot.expire = 2147483647", timed(day, maxHistory*time.Hour)},
		{"limit", shipped + historyLimitKey + " = 64", "", limited},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := historyOf(t, c.main, c.file)
			if err != nil || got != c.want {
				t.Errorf("%+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestHistoryRefuses(t *testing.T) {
	const key = "canal.instance.tsdb."
	for _, c := range []struct{ file, want string }{
		{key + "spring.xml = classpath:spring/tsdb/mysql-tsdb.xml", "because " + key + "spring.xml is mysql-tsdb.xml"},
		{key + "spring.xml = classpath:spring/tsdb/oracle-tsdb.xml", "want h2-tsdb.xml or mysql-tsdb.xml"},
		{key + "url = jdbc:oracle:thin:@h:1521:x", "want an address that begins with jdbc:h2: or jdbc:mysql://"},
		{key + "url = jdbc:h2:mem:x", "want the path of a file"},
		{key + "url = jdbc:h2:tcp://h/~/x", "want the path of a file"},
		{key + "url = jdbc:h2:;MODE=MYSQL", "want the path of a file"},
		{key + "url = jdbc:h2:../conf/..", "want the path of a file"},
		{key + "url = jdbc:mysql://db:3306/", "want the name of the database"},
		{key + "url = jdbc:mysql://db/x?sslMode=maybe", "sslMode"},
		{key + "url = jdbc:mysql://canal:s3cret@db:3306/x", "which is not shown"},
		{key + "url = jdbc:mysql://db/x?user=canal&password=s3cret&sslMode=maybe", "which is not shown"},
		{key + "snapshot.interval = daily", "want a whole number"},
		{key + "snapshot.expire = 2147483648", "want a whole number"},
		{historyLimitKey + " = 0", "want a whole number"},
		{key + "enable = perhaps", "want true or false"},
	} {
		_, err := historyOf(t, shipped, c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
	}
}

func FuzzH2Path(f *testing.F) {
	for _, url := range []string{"jdbc:h2:../conf/example/h2;CACHE_SIZE=1000;MODE=MYSQL;", "jdbc:h2:file:~/x", "jdbc:h2:mem:x", "jdbc:h2:c:/x", "jdbc:h2:.."} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		file, err := h2Path(url)
		if base := filepath.Base(file); err == nil && (base == "." || base == ".." || base == "/") {
			t.Errorf("%q: %q", url, file)
		}
	})
}
