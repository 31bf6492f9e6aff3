package check

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/history/sqlstore"
	"github.com/towpath-cdc/towpath/internal/history/zkstore"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/test/servers"
)

var update = flag.Bool("update", false, "write the golden files anew")

// inQuarantine are tables in each state that one in quarantine can be in.
func inQuarantine() []pipeline.Quarantined {
	at := func(offset int64) binlog.Position { return binlog.Position{File: "mysql-bin.000007", Offset: offset} }
	since := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	return []pipeline.Quarantined{
		{Schema: "shop", Table: "orders", Reason: "rows have 5 columns, the definition has 4", Cause: "names", Since: since, Position: at(42)},
		{Schema: "shop", Table: "items", Reason: "the definition may not be read", Cause: "privilege", Since: since, Position: at(43), Marked: true},
		{Schema: "shop", Table: "shapes", Reason: "type 242 is not known", Cause: "type", Since: since, Position: at(44)},
		{Schema: "shop", Table: "clients", Reason: "the definition may not be read", Cause: "privilege", Since: since, Position: at(45), Until: at(4500)},
	}
}

// keep writes what an instance would have in its history.
func keep(t *testing.T, log history.Log, tables []pipeline.Quarantined) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"quarantine": tables})
	if err == nil {
		err = log.SetState(t.Context(), text)
	}
	if err == nil {
		err = log.AddSnapshot(t.Context(), history.Snapshot{Initial: true, Schemas: map[string]string{"shop": "CREATE TABLE orders (id int); \n"}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// inFile keeps it in SQLite.
func inFile(t *testing.T, path string, tables []pipeline.Quarantined) {
	t.Helper()
	log, err := sqlstore.Open(t.Context(), sqlstore.Options{Destination: "orders", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	keep(t, log, tables)
}

// text is the findings for a person, without the folder of the test.
func text(findings []control.Finding, home string) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s: %s\n", f.Severity, f.Destination, f.Text)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "  mend it: %s\n", f.Remedy)
		}
	}
	return strings.ReplaceAll(b.String(), home, "HOME")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// files are all files below a folder.
func files(t *testing.T, home string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPast looks at histories on disk, and at those that cannot be reached. A check
// makes nothing.
func TestPast(t *testing.T) {
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mysql := config.History{Kind: config.HistoryMySQL, URL: "jdbc:mysql://127.0.0.1:1/tsdb?useSSL=false", User: "keeper", Password: "hush"}
	for _, c := range []struct {
		name    string
		history config.History // SQLite in the folder when it is none
		cluster *Cluster
		prepare func(t *testing.T, path string)
	}{
		{"none", config.History{}, nil, func(t *testing.T, path string) {}},
		{"java", config.History{}, nil, func(t *testing.T, path string) { write(t, filepath.Join(filepath.Dir(path), "h2.mv.db"), "H2") }},
		{"quarantine", config.History{}, nil, func(t *testing.T, path string) { inFile(t, path, inQuarantine()) }},
		{"sound", config.History{}, nil, func(t *testing.T, path string) { inFile(t, path, nil) }},
		{"foreign", config.History{}, nil, func(t *testing.T, path string) { write(t, path, strings.Repeat("no database ", 1000)) }},
		{"unreachable", mysql, nil, func(t *testing.T, path string) {}},
		{"nobody at ZooKeeper", config.History{}, &Cluster{}, func(t *testing.T, path string) { inFile(t, path, inQuarantine()) }},
		{"unreachable in a cluster", mysql, &Cluster{}, func(t *testing.T, path string) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			in := config.Instance{Destination: "orders", History: c.history}
			if in.History.Kind == config.HistoryOff {
				in.History = config.History{Kind: config.HistorySQLite, Path: filepath.Join(home, "h2.towpath.db")}
			}
			c.prepare(t, filepath.Join(home, "h2.towpath.db"))
			before := files(t, home)
			got := text(past(t.Context(), &in, c.cluster), home)
			golden(t, "history_"+strings.ReplaceAll(c.name, " ", "_"), got)
			if strings.Contains(got, "hush") {
				t.Error("the password is shown")
			}
			if after := files(t, home); !slices.Equal(before, after) {
				t.Errorf("before there were %q, now %q", before, after)
			}
		})
	}
}

// TestSourceLooksAtThePast: it is a part of each check, but where the text is of
// somebody else.
func TestSourceLooksAtThePast(t *testing.T) {
	const properties = "canal.instance.global.spring.xml = classpath:spring/file-instance.xml\ncanal.instance.tsdb.enable = true\ncanal.instance.tsdb.spring.xml = classpath:spring/tsdb/h2-tsdb.xml\n"
	const content = "canal.instance.master.address = 127.0.0.1:1\n"
	c := load(t, map[string]string{"canal.properties": login + properties, "orders/instance.properties": content})
	in, err := c.Instance("orders")
	if err != nil {
		t.Fatal(err)
	}
	inFile(t, in.History.Path, inQuarantine())
	if got := Source(t.Context(), in, nil); !has(got, control.SeverityWarning, "orders", "table shop.items is in quarantine") {
		t.Errorf("got %+v", got)
	}
	if got := Content(t.Context(), Options{Config: c}, "orders", content); !has(got, control.SeverityWarning, "table shop.items is in quarantine") {
		t.Errorf("of a text for this server: %+v", got)
	}
	elsewhere := content + "canal.instance.tsdb.url = jdbc:h2:" + strings.TrimSuffix(in.History.Path, ".towpath.db") + "\n"
	if got := Content(t.Context(), Options{Server: login + properties}, "orders", elsewhere); has(got, control.SeverityWarning, "quarantine") {
		t.Errorf("of a text for another server: %+v", got)
	}
}

// TestPastInZooKeeper reads beside the owner, and writes nothing.
func TestPastInZooKeeper(t *testing.T) {
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	client, err := zk.Open(zk.Config{Servers: z.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.Background())
	session, err := client.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := config.Instance{Destination: "orders", History: config.History{Kind: config.HistorySQLite, Path: filepath.Join(t.TempDir(), "h2.towpath.db")}}
	cluster := &Cluster{Session: session}
	if got := past(t.Context(), &in, cluster); len(got) != 0 {
		t.Errorf("before there is one: %+v", got)
	}
	owner, err := zkstore.Open(t.Context(), zkstore.Options{Destination: "orders",
		Session: func(context.Context) (*zk.Session, error) { return session, nil },
		Guard:   func() (*zk.Session, []zk.Op, error) { return session, nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	keep(t, owner, inQuarantine())
	got := past(t.Context(), &in, cluster)
	if !has(got, control.SeverityOK, "ZooKeeper, /towpath/destinations/orders/history") || !has(got, control.SeverityWarning, "table shop.orders is in quarantine") {
		t.Errorf("got %+v", got)
	}
}
