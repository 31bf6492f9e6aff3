package inspect

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

// TestReport looks at instances in several states, one of which has a client that
// has not acked what it got.
func TestReport(t *testing.T) {
	w := newWorld(t, "canal.instance.lazy.lazy = true")
	s := database(t, 4)
	for _, d := range []string{"busy", "lazy", "ended"} {
		w.destination(d, s.Address())
	}
	w.destination("unreachable", "127.0.0.1:1")
	w.destination("wrong", "127.0.0.1:1", "canal.instance.filter.regex = (")
	w.up()
	for _, d := range []string{"busy", "lazy", "ended", "unreachable"} {
		w.start(d)
	}
	if err := w.parts.Manager.Start("wrong"); err == nil {
		t.Fatal("it starts with a wrong filter")
	}
	if err := w.parts.Manager.Stop("ended"); err != nil {
		t.Fatal(err)
	}
	c := w.connect("busy", 1001)
	b, err := c.GetWithoutAck(t.Context(), 3, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the failed attempt", func() bool { return w.instance("unreachable").State == control.StateRetrying })
	until(t, "the end of the binlog", func() bool { return w.instance("busy").Source.HeadAtMs > 0 })

	r := call[control.ServerReport](t, w.Inspector, control.MethodReport, control.ReportParams{})
	if r.Version != "test" || !r.Running || r.PID != os.Getpid() || r.Address != w.address || r.Sessions != 1 || r.ConfigSource != "files" ||
		r.Memory <= 0 || r.Heap <= 0 || r.Goroutines <= 0 || r.CPUSeconds <= 0 || r.Budget != 1<<26 || r.BudgetUsed <= 0 || r.NowMs < r.StartedMs {
		t.Errorf("the server: %+v", r)
	}
	states := map[string]string{}
	for _, i := range r.Instances {
		states[i.Destination] = i.State
		if i.Filter != nil || i.Errors != nil {
			t.Errorf("%s is reported in full without having been asked for", i.Destination)
		}
		if (i.State == control.StateFailed || i.State == control.StateRetrying) && i.Reason == "" {
			t.Errorf("%s: no reason", i.Destination)
		}
	}
	want := map[string]string{"busy": control.StateRunning, "lazy": control.StateLazy, "ended": control.StateStopped, "unreachable": control.StateRetrying, "wrong": control.StateFailed}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Errorf("states %v, want %v", states, want)
	}

	busy := w.instance("busy")
	end := s.Log.End()
	if h := busy.Source.Head; h.File != end.File || h.Offset != end.Offset || busy.Source.Address != s.Address() || busy.Source.Version == "" || busy.Source.Phase != "streaming" {
		t.Errorf("source %+v, want the end at %v", busy.Source, end)
	}
	if busy.Store.PutEntries != 12 || busy.Store.Used != 12 || busy.Store.GetEntries != int64(b.Len()) || busy.Pipeline.Transactions != 4 {
		t.Errorf("store %+v, pipeline %+v", busy.Store, busy.Pipeline)
	}
	if busy.Filter == nil || busy.Filter.WhiteRegex == "" {
		t.Errorf("filter %+v", busy.Filter)
	}
	if busy.LagMs < 0 {
		t.Errorf("lag %d ms", busy.LagMs)
	}
	if len(busy.Clients) != 1 {
		t.Fatalf("clients %+v", busy.Clients)
	}
	k := busy.Clients[0]
	if k.ID != 1001 || len(k.Connected) != 1 || !strings.HasPrefix(k.Connected[0], "127.0.0.1:") || k.OpenBatches != 1 || k.OldestBatch != b.ID() || k.OldestSinceMs < r.StartedMs || k.Unacked != int64(b.Len()) {
		t.Errorf("client %+v", k)
	}
	// It has confirmed nothing: nearly all of the log is between it and the end.
	if begin := k.Cursor.Offset; begin <= 0 || begin > 300 || busy.LagBytes != end.Offset-begin {
		t.Errorf("%d bytes between %d and %d", busy.LagBytes, begin, end.Offset)
	}

	if err := b.Ack(); err != nil {
		t.Fatal(err)
	}
	for n := b.Len(); n < 12; n += b.Len() {
		if b, err = c.Get(t.Context(), 3, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "everything to be confirmed", func() bool { return w.instance("busy").Store.Used == 0 })
	if busy = w.instance("busy"); busy.LagBytes != 0 || busy.LagMs != 0 || busy.Clients[0].OpenBatches != 0 || busy.Clients[0].Unacked != 0 {
		t.Errorf("all is confirmed: %+v", busy)
	}
	wrong, unreachable := w.instance("wrong"), w.instance("unreachable")
	if len(wrong.Errors) != 1 || wrong.Errors[0].Level != "error" || !strings.Contains(wrong.Errors[0].Text, "filter") {
		t.Errorf("errors %+v", wrong.Errors)
	}
	if len(unreachable.Errors) == 0 || unreachable.Errors[0].Remedy == "" || unreachable.LagMs != -1 {
		t.Errorf("%+v", unreachable)
	}
	if _, err := try[control.ServerReport](t, w.Inspector, control.MethodReport, control.ReportParams{Destination: "nosuch"}); err == nil || err.Code != control.CodeUnknownDestination {
		t.Errorf("unknown destination: %v", err)
	}
}

// TestReportOfAStoppedServer still tells what it can.
func TestReportOfAStoppedServer(t *testing.T) {
	i := stopped(t)
	r := call[control.ServerReport](t, i, control.MethodReport, control.ReportParams{})
	if r.Running || r.Instances == nil || len(r.Instances) != 0 || r.Errors == nil {
		t.Errorf("%+v", r)
	}
	for _, method := range []string{control.MethodReport, control.MethodConfig, control.MethodTables} {
		if _, err := try[any](t, i, method, control.ConfigParams{Destination: "d"}); err == nil || err.Code != control.CodeNotRunning || err.Remedy == "" {
			t.Errorf("%s: %+v", method, err)
		}
	}
	c := call[control.RunningConfig](t, i, control.MethodConfig, control.ConfigParams{})
	if len(c.Values) == 0 {
		t.Error("no values")
	}
}

func TestTables(t *testing.T) {
	w := newWorld(t)
	s := database(t, 1)
	w.destination("d", s.Address())
	w.up()
	w.start("d")
	until(t, "the row", func() bool {
		return len(call[[]control.TableReport](t, w.Inspector, control.MethodTables, control.TablesParams{Destination: "d"})) == 1
	})
	live := call[[]control.TableReport](t, w.Inspector, control.MethodTables, control.TablesParams{Destination: "d"})[0]
	if live.DDL != "" || live.From != (control.Position{}) || live.SinceMs == 0 || fmt.Sprint(live.Columns) != fmt.Sprint([]control.ColumnReport{{Name: "id", Type: "int", Key: true}}) {
		t.Errorf("read from the source: %+v", live)
	}
	const sql = "alter table t add column name varchar(10)"
	place := s.Log.DDL(1_700_000_100, sql)
	one := control.TablesParams{Destination: "d", Schema: live.Schema, Table: live.Table}
	until(t, "the change", func() bool {
		return len(call[[]control.TableReport](t, w.Inspector, control.MethodTables, one)[0].Columns) == 2
	})
	seen := call[[]control.TableReport](t, w.Inspector, control.MethodTables, one)[0]
	if seen.DDL != sql || seen.From.File != place.File || seen.From.Offset != place.Offset || seen.From.TimestampMs != 1_700_000_100_000 || !seen.Columns[1].Nullable || seen.Columns[1].Key {
		t.Errorf("changed at %v: %+v", place, seen)
	}
	for _, c := range []struct {
		p    control.TablesParams
		code string
	}{
		{control.TablesParams{Destination: "d", Schema: live.Schema, Table: "nosuch"}, control.CodeNotFound},
		{control.TablesParams{Destination: "d", Table: live.Table}, control.CodeBadParams},
		{control.TablesParams{Destination: "nosuch"}, control.CodeUnknownDestination},
		{control.TablesParams{}, control.CodeBadParams},
	} {
		if _, err := try[any](t, w.Inspector, control.MethodTables, c.p); err == nil || err.Code != c.code {
			t.Errorf("%+v: %+v, want %s", c.p, err, c.code)
		}
	}
}

// TestQuarantine: rows that do not fit what the source says of their table are held
// back or marked, and told of until somebody dismisses them.
func TestQuarantine(t *testing.T) {
	for _, mode := range []string{"hold", "mark"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, "towpath.instance.table.mismatch = "+mode)
			s := database(t, 2)
			s.Query = func(sql string) *mysqltest.Answer {
				if strings.HasPrefix(sql, "show create table") {
					return &mysqltest.Answer{Columns: []string{"Table", "Create Table"}, Rows: [][]string{{"t", "CREATE TABLE `t` (`id` int NOT NULL, `name` int, PRIMARY KEY (`id`))"}}}
				}
				return nil
			}
			w.destination("d", s.Address())
			w.up()
			w.start("d")
			until(t, "the quarantine", func() bool { return w.instance("d").Quarantined == 1 })
			q := w.instance("d").Quarantine[0]
			if q.Marked != (mode == "mark") || q.Until != (control.Position{}) || q.Position.File == "" || q.Reason == "" || q.Remedy == "" || q.SinceMs == 0 {
				t.Errorf("in quarantine: %+v", q)
			}
			for _, c := range []struct {
				p    control.DismissParams
				code string
			}{
				{control.DismissParams{Destination: "d", Schema: q.Schema, Table: "nosuch"}, control.CodeNotFound},
				{control.DismissParams{Destination: "d", Schema: q.Schema}, control.CodeBadParams},
				{control.DismissParams{Destination: "d", Schema: q.Schema, Table: strings.Repeat("t", 5000)}, control.CodeBadParams},
				{control.DismissParams{Destination: "nosuch", Schema: q.Schema, Table: q.Table}, control.CodeUnknownDestination},
			} {
				if _, err := try[any](t, w.Inspector, control.MethodDismiss, c.p); err == nil || err.Code != c.code {
					t.Errorf("%+v: %+v, want %s", c.p, err, c.code)
				}
			}
			one := control.DismissParams{Destination: "d", Schema: q.Schema, Table: q.Table}
			call[struct{}](t, w.Inspector, control.MethodDismiss, one)
			if left := w.instance("d").Quarantined; left != 0 {
				t.Errorf("%d tables are left", left)
			}
			s.Log.Transaction(1_700_000_100, []byte{0, 9, 0, 0, 0})
			until(t, "its being back", func() bool { return w.instance("d").Quarantined == 1 })
		})
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t, "canal.user = me", "canal.passwd = E3619321C1A937C46A0D8BD1DAC39F93B27D4458")
	w.destination("d", database(t, 0).Address(), "# canal.instance.dbPassword = older")
	w.up()
	w.start("d")
	server, d := call[control.RunningConfig](t, w.Inspector, control.MethodConfig, control.ConfigParams{}),
		call[control.RunningConfig](t, w.Inspector, control.MethodConfig, control.ConfigParams{Destination: "d"})
	for secret, c := range map[string]control.RunningConfig{"E3619321C1A937C46A0D8BD1DAC39F93B27D4458": server, "older": d, "= canal\n": {Text: strings.ReplaceAll(d.Text, "dbUsername = canal\n", "")}} {
		if strings.Contains(fmt.Sprint(c), secret) {
			t.Errorf("%q is shown:\n%v", secret, c)
		}
	}
	value := func(c control.RunningConfig, key string) (v control.ConfigValue) {
		for _, v := range c.Values {
			if v.Key == key {
				return v
			}
		}
		return v
	}
	if v := value(d, "canal.instance.dbPassword"); v.Value != control.Masked || !strings.HasSuffix(v.Source, "instance.properties:3") {
		t.Errorf("%+v", v)
	}
	if v := value(server, "canal.user"); v.Value != "me" || !strings.Contains(v.Source, "canal.properties:") {
		t.Errorf("%+v", v)
	}
	if v := value(server, "canal.port"); v.Value != "11111" || v.Source != "default" {
		t.Errorf("%+v", v)
	}
	content, err := os.ReadFile(w.home + "/conf/d/instance.properties")
	if err != nil {
		t.Fatal(err)
	}
	if d.MD5 != sum(string(content)) {
		t.Errorf("MD5 %s, want that of the file", d.MD5)
	}
}

// TestMD5 is of the text as an admin has it, also after it has changed.
func TestMD5(t *testing.T) {
	w := newWorld(t)
	w.write("canal.properties", "canal.instance.global.spring.xml = classpath:spring/memory-instance.xml")
	var all map[string]string
	set := func(text string) { all = map[string]string{"d": text} }
	set("canal.instance.master.address = 127.0.0.1:1\n")
	c, err := config.Load(config.LoadOptions{Home: w.home, Admin: &config.AdminTexts{Server: "canal.port = 0\n", Instances: func() map[string]string { return all }}})
	if err != nil {
		t.Fatal(err)
	}
	w.up(func(o *instance.ManagerOptions, p *Parts) { o.Config, p.Config = c, c })
	w.start("d")
	for range 2 {
		if got, want := w.instance("d").ConfigMD5, sum(all["d"]); got != want {
			t.Errorf("MD5 %s, want %s", got, want)
		}
		set("canal.instance.master.address = 127.0.0.1:2\n")
	}
	if got := call[control.RunningConfig](t, w.Inspector, control.MethodConfig, control.ConfigParams{}); got.Text != "canal.port = 0\n" {
		t.Errorf("the server's text is %q", got.Text)
	}
}
