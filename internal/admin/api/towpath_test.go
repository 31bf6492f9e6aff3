package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

// TestRolesOfAllCalls: every call that is registered, Canal's included, refuses
// who is not logged in, and who has a lower role than it needs.
func TestRolesOfAllCalls(t *testing.T) {
	w := newFleetWorld(t)
	// What everybody who is logged in may ask although it is no GET, as it changes
	// nothing but the own password.
	harmless := []string{"PUT /user", "POST /towpath/config/validate", "POST /towpath/filter/test", "POST " + pathInstances + "/seek/preview"}
	if len(w.endpoints) < 60 {
		t.Fatalf("only %d calls", len(w.endpoints))
	}
	for _, ep := range w.endpoints {
		name := ep.Method + " " + ep.Path
		if ep.Open || ep.Polling {
			if ep.beyond() {
				t.Errorf("%s needs no log-in", name)
			}
			continue
		}
		if ep.Method != http.MethodGet && !ep.Role.Allows(identity.RoleOperator) && !slices.Contains(harmless, name) {
			t.Errorf("%s changes something, and viewers may call it", name)
		}
		path := strings.NewReplacer("{id}", "1", "{revision}", "1", "{clusterId}", "1", "{serverId}", "1", "{nodeId}", "1").Replace(ep.Path)
		for _, token := range []string{"", "nobody"} {
			if got := w.call(t, identity.Role(token), ep.Method, path, nil); got.Code != codeExpired {
				t.Errorf("%s with the token %q: %d %s", name, token, got.Code, got.Message)
			}
		}
		for _, role := range testRoles {
			if ep.Role.Allows(role) && ep.Role != role {
				if got := w.call(t, role, ep.Method, path, nil); got.Code != codeForbidden {
					t.Errorf("%s as %s: %d %s", name, role, got.Code, got.Message)
				}
			}
		}
	}
}

// TestRefusalsAreWrittenDown: who tries what the role does not allow is seen in the
// audit, but cannot fill it.
func TestRefusalsAreWrittenDown(t *testing.T) {
	w := newFleetWorld(t)
	for range 10 {
		w.refusedWith(t, reasonForbidden, identity.RoleViewer, "POST", "/towpath/clusters/7/drain", nil)
	}
	w.refusedWith(t, reasonForbidden, identity.RoleOperator, "GET", "/towpath/users", nil) // reading is not noted
	trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?action=call.refused", nil)
	if len(trail) < 1 || len(trail) > 3 || trail[0].OK || trail[0].Username != "viewer" || trail[0].Target != "POST /api/v1/towpath/clusters/7/drain" {
		t.Errorf("audit: %+v", trail)
	}
	var r refusals
	now := time.Now()
	if !r.count(1, now) || r.count(1, now.Add(refusalPeriod/2)) || !r.count(2, now) || !r.count(1, now.Add(refusalPeriod)) {
		t.Error("what is counted")
	}
}

func TestInstanceList(t *testing.T) {
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", "127.0.0.1:1")
	s := w.addServer(t, "s1", c, reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{
		runs("Orders", 700), runs("users", 20), {Destination: "broken", State: control.StateFailed, Reason: "no binlog", Remedy: "switch it on", LagMs: -1, LagBytes: -1}}}))
	dead := w.register(t, "dead", 0, 1)
	for _, name := range []string{"users", "Orders", "broken", "nowhere"} {
		w.addInstance(t, name, c, 0, "a = 1\n")
	}
	w.addInstance(t, "lonely", 0, dead, "a = 1\n")
	w.settle(t)
	tests := []struct {
		query string
		count int64
		names string
	}{
		{"", 5, "Orders broken lonely nowhere users"},
		{"?name=ORD", 1, "Orders"},
		{"?sort=-lag&size=2", 5, "Orders users"},
		{"?sort=-lag&size=2&page=3", 5, "nowhere"},
		{"?page=9", 5, ""},
		{"?clusterId=-1", 1, "lonely"},
		{fmt.Sprintf("?clusterId=%d&sort=state", c), 4, "nowhere broken Orders users"},
		{"?state=running,failed", 3, "Orders broken users"},
		{fmt.Sprintf("?serverId=%d&state=running", s), 2, "Orders users"},
		{fmt.Sprintf("?serverId=%d", dead), 1, "lonely"},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			page := into[Page[InstanceSummary]](t, w, identity.RoleViewer, "GET", "/towpath/instances"+tt.query, nil)
			var names []string
			for _, i := range page.Items {
				names = append(names, i.Name)
			}
			if page.Count != tt.count || strings.Join(names, " ") != tt.names {
				t.Errorf("got %d: %v", page.Count, names)
			}
		})
	}
	all := into[Page[InstanceSummary]](t, w, identity.RoleViewer, "GET", "/towpath/instances?sort=name", nil).Items
	if i := all[0]; i.State != control.StateRunning || i.LagMs != 700 || i.ServerName != "s1" || i.ClusterName != "c1" || i.Source != "10.0.0.1:3306" || !i.Wanted {
		t.Errorf("one that runs: %+v", i)
	}
	if i := all[1]; i.State != control.StateFailed || i.Reason != "no binlog" || i.Remedy != "switch it on" {
		t.Errorf("one that fails: %+v", i)
	}
	if i := all[2]; i.State != "unknown" || i.Reason == "" || i.Remedy == "" || i.ServerName != "dead" {
		t.Errorf("one that cannot be asked for: %+v", i)
	}
	if i := all[3]; i.State != "down" || i.Reason == "" || i.LagMs != -1 {
		t.Errorf("one that nobody runs: %+v", i)
	}
	w.refusedWith(t, reasonInvalid, identity.RoleViewer, "GET", "/towpath/instances?sort=color", nil)
	got := w.call(t, identity.RoleViewer, "GET", "/towpath/instances?sort=color", nil, "Accept-Language", "zh-CN,zh;q=0.9")
	if !strings.HasPrefix(got.Message, "不支持") {
		t.Errorf("in Chinese: %q", got.Message)
	}
}

func TestDetails(t *testing.T) {
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", "127.0.0.1:1")
	report := control.ServerReport{Running: true, Version: "9", Memory: 5, Address: "10.0.0.1:11111", Instances: []control.InstanceReport{runs("a", 3)}}
	report.Instances[0].Clients = []control.ClientReport{{ID: 1001, OldestSinceMs: 1, OpenBatches: 1}}
	report.Instances[0].Filter = &control.FilterReport{WhiteRegex: ".*"}
	s := w.addServer(t, "s1", c, reporting(report))
	w.addServer(t, "s2", c, reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{{Destination: "a", State: control.StateStandby}}}))
	dead := w.register(t, "dead", 0, 1)
	a := w.addInstance(t, "a", c, 0, "x = 1\n")
	lonely := w.addInstance(t, "lonely", 0, dead, "x = 1\n")
	w.settle(t)

	d := into[InstanceDetail](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/instances/%d", a), nil)
	if d.State != "running" || d.Report == nil || d.Report.Filter == nil || d.AtMs == 0 || len(d.Servers) != 2 || d.Servers[0].State != "running" || d.Servers[1].State != "standby" {
		t.Errorf("instance: %+v", d)
	}
	if d.Series == nil || d.Cursors == nil {
		t.Error("lists are null")
	}
	servers := into[[]ServerSummary](t, w, identity.RoleViewer, "GET", "/towpath/servers", nil)
	if len(servers) != 3 || servers[0].Status != "1" || servers[0].Kind != "towpath" || servers[0].Instances != 1 || servers[0].Report == nil || len(servers[0].Report.Instances) != 0 {
		t.Errorf("servers: %+v", servers)
	}
	if bad := servers[2]; bad.Status != "-1" || bad.Error == "" || bad.Remedy == "" || bad.Kind != "" {
		t.Errorf("a dead server: %+v", bad)
	}
	if alone := into[[]ServerSummary](t, w, identity.RoleViewer, "GET", "/towpath/servers?clusterId=-1", nil); len(alone) != 1 || alone[0].Name != "dead" {
		t.Errorf("servers that are alone: %+v", alone)
	}
	one := into[ServerDetail](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/servers/%d", s), nil)
	if len(one.Own) != 1 || one.Own[0].InstanceID != a || one.Own[0].State != "running" || one.Series == nil {
		t.Errorf("server: %+v", one)
	}
	board := into[Dashboard](t, w, identity.RoleViewer, "GET", "/towpath/dashboard", nil)
	if board.Clusters != 1 || board.Servers["1"] != 2 || board.Servers["-1"] != 1 || board.Instances["running"] != 1 || board.Memory != 5 || board.MaxLagMs != 3 || len(board.Slowest) != 1 {
		t.Errorf("dashboard: %+v", board)
	}
	for _, want := range []string{"cluster c1 error", "server dead error", "instance lonely warning", "instance a warning"} {
		if !slices.ContainsFunc(board.Attention, func(x Attention) bool {
			return fmt.Sprint(x.Kind, " ", x.Name, " ", x.Severity) == want && x.Text != "" && x.Remedy != ""
		}) {
			t.Errorf("no attention for %s: %+v", want, board.Attention)
		}
	}
	cluster := into[ClusterDetail](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/clusters/%d", c), nil)
	if cluster.HasConfig || cluster.ZooKeeper.OK || len(cluster.Servers) != 2 || len(cluster.Instances) != 1 || len(cluster.Problems) == 0 {
		t.Errorf("cluster: %+v", cluster)
	}
	for _, path := range []string{"/towpath/instances/999", "/towpath/servers/999", "/towpath/clusters/999", "/towpath/clusters/999/zookeeper"} {
		w.refusedWith(t, reasonNotFound, identity.RoleViewer, "GET", path, nil)
	}
	w.refusedWith(t, reasonNotRunning, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/instances/%d/tables", lonely), nil)
	w.refusedWith(t, reasonUnreachable, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/servers/%d/logs", dead), nil)
	w.refusedWith(t, reasonUnreachable, identity.RoleOperator, "POST", fmt.Sprintf("/towpath/clusters/%d/rebalance", c), ClusterCommand{})
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", fmt.Sprintf("/towpath/clusters/%d/undrain", c), ClusterCommand{Address: "../x"})
	if me := into[Me](t, w, identity.RoleAdmin, "GET", "/towpath/me", nil); me.ServerUser != "fleet" {
		t.Errorf("an administrator: %+v", me)
	}
	me := into[Me](t, w, identity.RoleOperator, "GET", "/towpath/me", nil)
	if me.ServerUser != "" || me.Role != "operator" || me.Version != "test" || me.ZoneMinutes != 480 {
		t.Errorf("me: %+v", me)
	}
	if trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?action=cluster.rebalance", nil); len(trail) != 1 || trail[0].OK || trail[0].Username != "operator" {
		t.Errorf("a command that failed, in the audit: %+v", trail)
	}
}

// Canal's lists of servers that are alone, and of what such a server runs and could
// run, as a real admin port tells it.
func TestStandAloneServers(t *testing.T) {
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", "127.0.0.1:1")
	member := w.addServer(t, "member", c, reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("shared", 1)}}))
	alone := w.addServer(t, "alone", 0, reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("own", 1)}}))
	dead := w.register(t, "dead", 0, 1)
	w.addInstance(t, "own", 0, alone, "a = 1\n")
	w.addInstance(t, "idle", 0, alone, "a = 1\n")
	w.addInstance(t, "elsewhere", 0, dead, "a = 1\n")
	w.addInstance(t, "shared", c, 0, "a = 1\n")
	w.addInstance(t, "waits", c, 0, "a = 1\n")

	for query, want := range map[string]string{
		"?clusterId=-1":                 "alone=1 dead=-1",
		"?clusterId=-1&name=alo":        "alone=1",
		"?clusterId=-1&name=mem":        "",
		fmt.Sprintf("?clusterId=%d", c): "member=1",
		"?":                             "alone=1 dead=-1 member=1",
		"?clusterId=-1&ip=127.0.0.1":    "alone=1 dead=-1",
	} {
		page := into[struct {
			Count int
			Items []struct{ Name, Status string }
		}](t, w, identity.RoleViewer, "GET", "/nodeServers"+query, nil)
		var got []string
		for _, s := range page.Items {
			got = append(got, s.Name+"="+s.Status)
		}
		slices.Sort(got)
		if page.Count != len(got) || strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	for server, want := range map[int64]string{alone: "idle=0 own=1", member: "shared=1", dead: "null"} {
		rows := into[[]struct{ Name, RunningStatus string }](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/canal/active/instances/%d", server), nil)
		got := []string{}
		for _, i := range rows {
			got = append(got, i.Name+"="+i.RunningStatus)
		}
		slices.Sort(got)
		if rows == nil {
			got = []string{"null"}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("server %d runs %q, want %q", server, got, want)
		}
	}
}

func TestQuarantine(t *testing.T) {
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", "127.0.0.1:1")
	with := func(name string, tables ...string) control.InstanceReport {
		r := runs(name, 1)
		r.Quarantined = len(tables)
		for _, table := range tables {
			r.Quarantine = append(r.Quarantine, control.QuarantineReport{Schema: "shop", Table: table, Reason: "5 columns, not 4", Remedy: "mend " + table, SinceMs: 7, Rows: 3})
		}
		return r
	}
	s := w.addServer(t, "s1", c, reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{
		with("one", "orders"), with("two", "items", "orders"), with("well"), with("foreign", "orders")}}))
	var first int64
	for _, name := range []string{"one", "two", "well"} {
		id := w.addInstance(t, name, c, 0, "a = 1\n")
		first = cmp.Or(first, id)
	}
	w.settle(t)

	page := into[Page[InstanceSummary]](t, w, identity.RoleViewer, "GET", "/towpath/instances?state=quarantined,failed", nil)
	if page.Count != 2 || page.Items[0].Quarantined != 1 || page.Items[1].Quarantined != 2 || page.Items[1].State != control.StateRunning {
		t.Errorf("list: %+v", page)
	}
	d := into[InstanceDetail](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/instances/%d", first), nil)
	if d.Quarantined != 1 || len(d.Report.Quarantine) != 1 || d.Report.Quarantine[0].Remedy != "mend orders" {
		t.Errorf("instance: %+v", d)
	}
	own := into[ServerDetail](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/servers/%d", s), nil).Own
	if got := fmt.Sprint(own[0].Quarantined, own[1].Quarantined, own[2].Quarantined, own[3].Quarantined); got != "1 1 2 0" {
		t.Errorf("server: %s of %+v", got, own)
	}
	for _, i := range into[ClusterDetail](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/clusters/%d", c), nil).Instances {
		if want := map[string]int{"one": 1, "two": 2}[i.Name]; i.Quarantined != want {
			t.Errorf("cluster: %+v, want %d tables", i, want)
		}
	}
	board := into[Dashboard](t, w, identity.RoleViewer, "GET", "/towpath/dashboard", nil)
	if board.Quarantined != 2 || board.Instances["running"] != 3 {
		t.Errorf("dashboard: %+v", board)
	}
	said := map[string]string{}
	for _, a := range board.Attention {
		if a.Kind == "instance" && a.Severity == severityWarning && a.SinceMs == 7 {
			said[a.Name] = a.Text + "; " + a.Remedy
		}
	}
	if len(said) != 2 || !strings.Contains(said["one"], "shop.orders") || !strings.HasSuffix(said["one"], "mend orders") || !strings.HasPrefix(said["two"], "2 of its tables") {
		t.Errorf("attention: %v", said)
	}
}

func TestDismiss(t *testing.T) {
	w := newFleetWorld(t)
	server := reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("a", 0)}})
	server.by[control.MethodDismiss] = func(params json.RawMessage) (any, error) {
		if strings.Contains(string(params), "orders") {
			return struct{}{}, nil
		}
		return nil, &control.Error{Code: control.CodeNotFound, Message: "table shop.items is not in quarantine"}
	}
	s := w.addServer(t, "s1", 0, server)
	id := w.addInstance(t, "a", 0, s, "x = 1\n")
	nowhere := w.addInstance(t, "b", 0, s, "x = 1\n")
	w.settle(t)
	path := func(id int64) string { return fmt.Sprintf("/towpath/instances/%d/quarantine/dismiss", id) }
	into[string](t, w, identity.RoleOperator, "POST", path(id), control.DismissParams{Schema: "shop", Table: "orders"})
	if got := server.last(control.MethodDismiss); got != `{"destination":"a","schema":"shop","table":"orders"}` {
		t.Errorf("asked with %s", got)
	}
	w.refusedWith(t, reasonNotFound, identity.RoleOperator, "POST", path(id), control.DismissParams{Schema: "shop", Table: "items"})
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", path(id), control.DismissParams{Schema: "shop"})
	w.refusedWith(t, reasonNotRunning, identity.RoleOperator, "POST", path(nowhere), control.DismissParams{Schema: "shop", Table: "orders"})
	w.refusedWith(t, reasonNotFound, identity.RoleOperator, "POST", path(nowhere+1), control.DismissParams{Schema: "shop", Table: "orders"})
	trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?action=instance.dismiss", nil)
	if len(trail) != 4 || trail[0].OK || !trail[3].OK || trail[3].Detail != "shop.orders" || trail[3].Target != "a" {
		t.Errorf("audit: %+v", trail)
	}
}

const secretText = "canal.instance.master.address = 10.0.0.1:3306\ncanal.instance.dbUsername = canal\ncanal.instance.dbPassword = hush\n"

func TestTexts(t *testing.T) {
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", "127.0.0.1:1")
	server := reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("a", 0)}})
	server.by[control.MethodConfig] = func(json.RawMessage) (any, error) {
		return control.RunningConfig{MD5: md5Of(secretText), Text: secretText}, nil
	}
	s := w.addServer(t, "s1", c, server)
	id := w.addInstance(t, "a", c, 0, secretText)
	w.settle(t)
	path := fmt.Sprintf("/towpath/instances/%d/config", id)

	full := into[ConfigVersions](t, w, identity.RoleAdmin, "GET", path, nil)
	if full.Stored != secretText || full.Masked || full.RowID != id || len(full.Running) != 1 || !full.Running[0].UpToDate {
		t.Errorf("for administrators: %+v", full)
	}
	masked := into[ConfigVersions](t, w, identity.RoleOperator, "GET", path, nil)
	if !masked.Masked || strings.Contains(masked.Stored, "hush") || strings.Contains(masked.Running[0].Text, "hush") || masked.StoredMD5 != md5Of(masked.Stored) {
		t.Errorf("for operators: %+v", masked)
	}
	// What stays masked stays as it was.
	edited := strings.Replace(masked.Stored, "= canal\n", "= other\n", 1)
	saved := into[ConfigVersions](t, w, identity.RoleOperator, "PUT", path, SaveConfig{Content: edited, BaseMD5: masked.StoredMD5, Comment: "another user"})
	if i, _ := w.db.Instance(t.Context(), id); !strings.Contains(i.Content, "= hush") || !strings.Contains(i.Content, "= other") || saved.StoredMD5 != md5Of(saved.Stored) || saved.Running[0].UpToDate {
		t.Errorf("stored: %q, %+v", i.Content, saved)
	}
	w.refusedWith(t, reasonConflict, identity.RoleOperator, "PUT", path, SaveConfig{Content: edited, BaseMD5: masked.StoredMD5})
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "PUT", path, SaveConfig{Content: "canal.instance.rds.secretkey = ******\n"})
	history := into[[]RevisionSummary](t, w, identity.RoleViewer, "GET", path+"/history", nil)
	if len(history) != 2 || !history[0].Current || history[0].Comment != "another user" || history[1].Current {
		t.Fatalf("history: %+v", history)
	}
	old := into[RevisionText](t, w, identity.RoleViewer, "GET", fmt.Sprintf("%s/history/%d", path, history[1].ID), nil)
	if strings.Contains(old.Content, "hush") || !strings.Contains(old.Content, "= canal\n") {
		t.Errorf("a former text for viewers: %+v", old)
	}
	into[ConfigVersions](t, w, identity.RoleOperator, "POST", fmt.Sprintf("%s/history/%d/restore", path, history[1].ID), nil)
	if i, _ := w.db.Instance(t.Context(), id); i.Content != secretText {
		t.Errorf("restored: %q", i.Content)
	}
	// A revision can be had only by the path of its own text.
	other := w.addInstance(t, "b", c, 0, "x = 1\n")
	w.refusedWith(t, reasonNotFound, identity.RoleAdmin, "GET", fmt.Sprintf("/towpath/instances/%d/config/history/%d", other, history[1].ID), nil)
	w.refusedWith(t, reasonNotFound, identity.RoleAdmin, "POST", fmt.Sprintf("/towpath/instances/%d/config/history/%d/restore", other, history[1].ID), nil)

	main := fmt.Sprintf("/towpath/clusters/%d/config", c)
	if none := into[ConfigVersions](t, w, identity.RoleViewer, "GET", main, nil); none.RowID != 0 || none.StoredMD5 != "" || none.Running == nil {
		t.Errorf("no main configuration: %+v", none)
	}
	if stored := into[ConfigVersions](t, w, identity.RoleAdmin, "PUT", main, SaveConfig{Content: "canal.port = 11111\n"}); stored.RowID == 0 {
		t.Errorf("main configuration: %+v", stored)
	}
	w.refusedWith(t, reasonForbidden, identity.RoleOperator, "PUT", main, SaveConfig{Content: "canal.port = 1\n"})
	w.refusedWith(t, reasonConflict, identity.RoleAdmin, "PUT", fmt.Sprintf("/towpath/servers/%d/config", s), SaveConfig{Content: "canal.port = 1\n"})
	trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?action=instance.update", nil)
	if len(trail) != 4 || !trail[0].OK || trail[1].OK || trail[2].OK || !trail[3].OK {
		t.Errorf("audit of two changes and two refusals: %+v", trail)
	}
}

func TestValidateAndKeys(t *testing.T) {
	w := newFleetWorld(t)
	got := into[[]ConfigProblem](t, w, identity.RoleViewer, "POST", "/towpath/config/validate", ValidateRequest{Kind: "server", Content: "canal.port = many\n"})
	if len(got) == 0 || got[0].Line != 1 || got[0].Severity != "error" {
		t.Errorf("problems: %+v", got)
	}
	w.refusedWith(t, reasonInvalid, identity.RoleViewer, "POST", "/towpath/config/validate", ValidateRequest{Kind: "adapter"})
	keys := into[[]ConfigKey](t, w, identity.RoleViewer, "GET", "/towpath/config/keys?kind=instance", nil)
	if !slices.ContainsFunc(keys, func(k ConfigKey) bool { return k.Name == "canal.instance.dbPassword" && k.Secret }) {
		t.Error("the password is no secret key of an instance")
	}
}

func TestForm(t *testing.T) {
	w := newFleetWorld(t)
	form := NewInstance{Name: "orders", Address: "db:3306", Username: "canal", Password: ` p\ä😀#=`, Regex: `shop\..*,a\.b`, GTID: true,
		Start: StartAt{Kind: "gtid", GTIDSet: "u:1-5"}}
	got := into[formText](t, w, identity.RoleOperator, "POST", "/towpath/instances/form", form)
	p, err := config.ParseProperties("", []byte(got.Content))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"canal.instance.master.address": "db:3306", "canal.instance.dbPassword": form.Password, "canal.instance.filter.regex": form.Regex,
		"canal.instance.gtidon": "true", "canal.instance.master.gtid": "u:1-5", "canal.instance.master.journal.name": ""} {
		if e, _ := p.Get(key); e.Value != want {
			t.Errorf("%s = %q, want %q", key, e.Value, want)
		}
	}
	bad := w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", "/towpath/instances/form",
		NewInstance{Name: "../x", Address: "db", Regex: "(", Start: StartAt{Kind: "position"}})
	for _, field := range []string{"name", "address", "username", "regex", "start"} {
		if bad.Error.Fields[field] == "" {
			t.Errorf("field %s is not named: %v", field, bad.Error.Fields)
		}
	}
}

func TestCheckSource(t *testing.T) {
	w := newFleetWorld(t)
	server := reporting(control.ServerReport{Running: true})
	server.by[control.MethodCheck] = func(json.RawMessage) (any, error) {
		return []control.Finding{{Severity: control.SeverityOK, Text: "fine"}, {Severity: control.SeverityFailure, Text: "no"}}, nil
	}
	s := w.addServer(t, "s1", 0, server)
	id := w.addInstance(t, "a", 0, s, secretText)
	w.settle(t)
	ask := CheckSource{Name: "a", Content: maskSecrets(secretText), ClusterServerID: fmt.Sprintf("server:%d", s), InstanceID: id}
	got := into[CheckResult](t, w, identity.RoleOperator, "POST", "/towpath/check", ask)
	if got.CheckedBy != "s1" || got.OK || len(got.Findings) != 2 || !strings.Contains(server.last(control.MethodCheck), "hush") {
		t.Errorf("checked by a server: %+v, params %s", got, server.last(control.MethodCheck))
	}
	ask.Content = strings.Replace(ask.Content, "10.0.0.1", "10.6.6.6", 1)
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", "/towpath/check", ask)
	into[CheckResult](t, w, identity.RoleAdmin, "POST", "/towpath/check", ask)
	// Without a server the admin looks, but not at every address.
	for _, address := range []string{"169.254.169.254:3306", "100.100.100.200:3306"} {
		content := "canal.instance.master.address = " + address + "\ncanal.instance.dbUsername = u\ncanal.instance.dbPassword = p\n"
		w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", "/towpath/check", CheckSource{Name: "b", Content: content})
	}
	here := into[CheckResult](t, w, identity.RoleOperator, "POST", "/towpath/check", CheckSource{Name: "b", Content: "canal.instance.master.address = 127.0.0.1:1\ncanal.instance.dbUsername = u\ncanal.instance.dbPassword = p\n"})
	if here.CheckedBy != "admin" || here.OK || len(here.Findings) == 0 {
		t.Errorf("checked here: %+v", here)
	}
}

func TestFilterTest(t *testing.T) {
	w := newFleetWorld(t)
	got := into[[]FilterTestResult](t, w, identity.RoleViewer, "POST", "/towpath/filter/test",
		FilterTest{WhiteRegex: `shop\..*,users\.a`, BlackRegex: `.*\.tmp`, Names: []string{"shop.x", "shop.tmp", "users.a", "other.t"}})
	want := []FilterTestResult{{"shop.x", true, "white", `shop\..*`}, {"shop.tmp", false, "black", `.*\.tmp`}, {"users.a", true, "white", `users\.a`}, {"other.t", false, "no white", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	bad := w.refusedWith(t, reasonInvalid, identity.RoleViewer, "POST", "/towpath/filter/test", FilterTest{BlackRegex: "(", Names: []string{"a.b"}})
	if bad.Error.Fields["blackRegex"] == "" {
		t.Errorf("fields: %v", bad.Error.Fields)
	}
	w.refusedWith(t, reasonInvalid, identity.RoleViewer, "POST", "/towpath/filter/test", FilterTest{Names: make([]string, maxFilterNames+1)})
}

func TestSeekAndTables(t *testing.T) {
	w := newFleetWorld(t)
	server := reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("a", 0)}})
	server.by[control.MethodSeek] = func(json.RawMessage) (any, error) {
		return control.SeekPlan{Done: true, To: control.Position{File: "f.1", Offset: 4}}, nil
	}
	server.by[control.MethodTables] = func(json.RawMessage) (any, error) { return []control.TableReport{{Schema: "s", Table: "t"}}, nil }
	s := w.addServer(t, "s1", 0, server)
	id := w.addInstance(t, "a", 0, s, "x = 1\n")
	w.settle(t)
	path := fmt.Sprintf("/towpath/instances/%d", id)
	plan := into[control.SeekPlan](t, w, identity.RoleOperator, "POST", path+"/seek", control.SeekParams{File: "f.1", Offset: 4, ClientID: 1001})
	if !plan.Done || plan.Consequences == nil || !strings.Contains(server.last(control.MethodSeek), `"destination":"a"`) {
		t.Errorf("plan %+v, params %s", plan, server.last(control.MethodSeek))
	}
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", path+"/seek", control.SeekParams{File: "f.1", End: true})
	w.refusedWith(t, reasonUnsupported, identity.RoleOperator, "POST", path+"/seek/preview", control.SeekParams{End: true})
	if tables := into[[]control.TableReport](t, w, identity.RoleViewer, "GET", path+"/tables?schema=s", nil); len(tables) != 1 || tables[0].Columns == nil {
		t.Errorf("tables: %+v", tables)
	}
	trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?action=instance.seek", nil)
	if len(trail) != 2 || trail[0].OK || !trail[1].OK || !strings.Contains(trail[1].Detail, "f.1:4") {
		t.Errorf("audit: %+v", trail)
	}
}

func TestLogs(t *testing.T) {
	w := newFleetWorld(t)
	server := reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("a", 0)}})
	server.logs = t.TempDir()
	writeLog(t, server.logs, "canal/canal.log", 10)
	writeLog(t, server.logs, "a/a.log", 500)
	s := w.addServer(t, "s1", 0, server)
	id := w.addInstance(t, "a", 0, s, "x = 1\n")
	w.settle(t)
	if files := into[[]control.LogFile](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/servers/%d/logs", s), nil); len(files) != 1 || files[0].Name != "canal.log" {
		t.Errorf("files: %+v", files)
	}
	path := fmt.Sprintf("/towpath/instances/%d/log", id)
	page := into[control.LogPage](t, w, identity.RoleViewer, "GET", path+"?lines=3", nil)
	if len(page.Lines) != 3 || !strings.HasSuffix(strings.TrimSpace(page.Lines[2].Text), "line 499") || !page.More {
		t.Errorf("the end: %+v", page)
	}
	page = into[control.LogPage](t, w, identity.RoleViewer, "GET", path+"?lines=2&offset=0&search=LINE%2042", nil)
	if len(page.Lines) != 2 || !strings.Contains(page.Lines[0].Text, "line 42") {
		t.Errorf("found: %+v", page)
	}
	w.refusedWith(t, reasonNotFound, identity.RoleViewer, "GET", path+"?serverId=999", nil)
	if got := w.call(t, identity.RoleViewer, "GET", path+"?file=../canal/canal.log", nil); got.Code == codeSuccess {
		t.Errorf("a file outside the folder: %s", got.Data)
	}
}

func TestJavaLogLines(t *testing.T) {
	const log = "2026-01-02 03:04:05.678 [main] INFO  c.a.o.A - begin\n2026-01-02 03:04:06.678 [x] ERROR c.a.o.B - failed\njava.io.IOException: no\n\tat a.b(C.java:1)\n2026-01-02 03:04:07.000 [main] WARN  c.a.o.A - end\n"
	all := javaLogLines(log, logPageRequest{})
	if len(all) != 3 || all[1].Level != "ERROR" || !strings.HasSuffix(all[1].Text, "C.java:1)") {
		t.Errorf("records: %+v", all)
	}
	if got := javaLogLines(log, logPageRequest{Level: "WARN"}); len(got) != 2 {
		t.Errorf("by level: %+v", got)
	}
	if got := javaLogLines(log, logPageRequest{Search: "ioexception"}); len(got) != 1 {
		t.Errorf("by text: %+v", got)
	}
	if got := newLines(all[:2], all); len(got) != 1 || got[0].Level != "WARN" {
		t.Errorf("new: %+v", got)
	}
	if got := newLines(all, all[1:]); len(got) != 0 {
		t.Errorf("nothing new: %+v", got)
	}
	if got := newLines(nil, all); len(got) != 3 {
		t.Errorf("all new: %+v", got)
	}
}

func TestUsers(t *testing.T) {
	w := newFleetWorld(t)
	u := into[UserInfo](t, w, identity.RoleAdmin, "POST", "/towpath/users", NewUser{Username: "eve", Role: "viewer", Password: "s3cret!"})
	if u.Role != "viewer" || u.Name != "eve" || u.Sessions != 0 {
		t.Errorf("new user: %+v", u)
	}
	token, p, err := w.identity.Login(t.Context(), "eve", "s3cret!", "192.0.2.1", "test")
	if err != nil || !p.MustChange {
		t.Errorf("first log-in: %+v, %v", p, err)
	}
	if got := w.call(t, identity.Role(token), "GET", "/towpath/instances", nil); got.Code != codeMustChange {
		t.Errorf("before the change of the password: %d", got.Code)
	}
	if got := w.call(t, identity.Role(token), "GET", "/towpath/me", nil); got.Code != codeSuccess {
		t.Errorf("who one is before the change of the password: %d %s", got.Code, got.Message)
	}
	path := fmt.Sprintf("/towpath/users/%d", u.ID)
	if got := into[string](t, w, identity.RoleAdmin, "POST", path+"/sessions/revoke", nil); got != successText {
		t.Errorf("revoke: %q", got)
	}
	if got := w.call(t, identity.Role(token), "GET", "/towpath/me", nil); got.Code != codeExpired {
		t.Errorf("with a revoked session: %d", got.Code)
	}
	taken := w.refusedWith(t, reasonConflict, identity.RoleAdmin, "POST", "/towpath/users", NewUser{Username: "eve", Role: "viewer", Password: "s3cret!"})
	if taken.Error.Fields["username"] == "" {
		t.Errorf("fields: %v", taken.Error.Fields)
	}
	w.refusedWith(t, reasonInvalid, identity.RoleAdmin, "POST", "/towpath/users", NewUser{Username: "x", Role: "root", Password: "s3cret!"})
	w.refusedWith(t, reasonInvalid, identity.RoleAdmin, "POST", "/towpath/users", NewUser{Username: "x", Role: "viewer", Password: "abcd"})
	role, off := "operator", true
	if got := into[UserInfo](t, w, identity.RoleAdmin, "PUT", path, UserChange{Role: &role, Disabled: &off}); got.Role != "operator" || !got.Disabled {
		t.Errorf("changed: %+v", got)
	}
	viewer := "viewer"
	w.refusedWith(t, reasonConflict, identity.RoleAdmin, "PUT", fmt.Sprintf("/towpath/users/%d", w.users[identity.RoleAdmin]), UserChange{Role: &viewer})
	w.refusedWith(t, reasonConflict, identity.RoleAdmin, "DELETE", fmt.Sprintf("/towpath/users/%d", w.users[identity.RoleAdmin]), nil)
	into[string](t, w, identity.RoleAdmin, "DELETE", path, nil)
	w.refusedWith(t, reasonNotFound, identity.RoleAdmin, "DELETE", path, nil)
	for _, u := range into[[]UserInfo](t, w, identity.RoleAdmin, "GET", "/towpath/users", nil) {
		if u.Username == "eve" || u.Sessions != 1 {
			t.Errorf("user %+v", u)
		}
	}
	trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?kind=user&username=admin", nil)
	failures := 0
	for _, r := range trail {
		if !r.OK {
			failures++
		}
		if strings.Contains(r.Detail, "s3cret") {
			t.Errorf("a password in the audit: %+v", r)
		}
	}
	if failures != 5 {
		t.Errorf("%d refusals in the audit, want 5: %+v", failures, trail)
	}
}

func TestZooKeeperNodes(t *testing.T) {
	for path, want := range map[string]string{"/otter/canal": "canal", "/otter/canal/cluster/1.2.3.4:5": "server", "/otter/canal/destinations/d": "destination",
		"/otter/canal/destinations/d/running": "running", "/otter/canal/destinations/d/cluster": "competitors", "/otter/canal/destinations/d/1001": "client",
		"/otter/canal/destinations/d/1001/cursor": "cursor", "/otter/canal/destinations/d/1001/running": "clientRunning", "/otter/canal/destinations/d/x": "",
		"/towpath/drain/1.2.3.4:5": "drain", "/towpath/destinations/d/status": "status", "/brokers": ""} {
		if got := meaning(path); got != want {
			t.Errorf("meaning(%q) = %q, want %q", path, got, want)
		}
	}
	n := ZooKeeperNode{Path: "/", Data: "x", Children: []ZooKeeperChild{{Name: "brokers"}, {Name: "otter"}, {Name: "towpath"}, {Name: "towpathx"}}}
	n.hideOthers()
	if len(n.Children) != 2 || n.Data != "" {
		t.Errorf("for viewers: %+v", n)
	}
	if ours("/otter/canalx") || !ours("/otter/canal/x") || !leadsToOurs("/otter") || leadsToOurs("/ott") {
		t.Error("what is ours")
	}
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", "127.0.0.1:1")
	w.refusedWith(t, reasonForbidden, identity.RoleOperator, "GET", fmt.Sprintf("/towpath/clusters/%d/zookeeper?path=/brokers", c), nil)
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "GET", fmt.Sprintf("/towpath/clusters/%d/zookeeper?path=/otter/../brokers", c), nil)
	w.refusedWith(t, reasonUnreachable, identity.RoleOperator, "GET", fmt.Sprintf("/towpath/clusters/%d/zookeeper?path=/otter/canal", c), nil)
	w.refusedWith(t, reasonInvalid, identity.RoleAdmin, "POST", "/towpath/zookeeper/check", zooKeeperRequest{"169.254.169.254:2181"})
	if got := into[ZooKeeperCheck](t, w, identity.RoleAdmin, "POST", "/towpath/zookeeper/check", zooKeeperRequest{"127.0.0.1:1"}); got.OK || got.Servers[0].Error == "" || got.Remedy == "" {
		t.Errorf("check: %+v", got)
	}
}

// BenchmarkInstances is a page of 1000 instances on 50 servers, 5 of which are dead,
// while all are looked at every two seconds.
func BenchmarkInstances(b *testing.B) {
	w := newFleetWorld(b)
	c := w.addCluster(b, "c1", "127.0.0.1:1")
	for s := range 50 {
		if s < 5 {
			w.register(b, fmt.Sprintf("dead%d", s), c, int32(s+1))
			continue
		}
		var report control.ServerReport
		report.Running = true
		for i := range 1000 {
			one := control.InstanceReport{Destination: fmt.Sprintf("instance%04d", i), State: control.StateStandby, LagMs: -1}
			if i%45 == s-5 {
				one = runs(one.Destination, int64(i))
			}
			report.Instances = append(report.Instances, one)
		}
		w.addServer(b, fmt.Sprintf("server%d", s), c, reporting(report))
	}
	for i := range 1000 {
		w.addInstance(b, fmt.Sprintf("instance%04d", i), c, 0, "a = 1\n")
	}
	ctx := b.Context()
	go w.fleet.(*fleet.Fleet).Run(ctx)
	time.Sleep(3 * time.Second)
	var slowest time.Duration
	for b.Loop() {
		begun := time.Now()
		r := httptest.NewRequest("GET", "/api/v1/towpath/instances?sort=-lag&size=50", nil)
		r.Header.Set("X-Token", "viewer")
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		slowest = max(slowest, time.Since(begun))
		if !strings.Contains(rec.Body.String(), `"count":1000`) {
			b.Fatal(rec.Body)
		}
	}
	b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-max")
}
