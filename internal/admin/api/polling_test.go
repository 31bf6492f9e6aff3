package api

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/polling"
)

// pollingWorld has a cluster c with the server 10.0.0.1:11110 and the instances a and
// b, a server 10.0.0.2:11110 that is alone, with the instance c, and a user admin.
func pollingWorld(t *testing.T) (w *world, ofCluster, alone *polling.Client) {
	t.Helper()
	w = usersWorld(t)
	w.must(t, "POST", "/api/v1/canal/cluster", "admin", `{"name":"c","zkHosts":""}`)
	w.must(t, "PUT", "/api/v1/canal/config", "admin", `{"clusterId":1,"content":"v = 1\n"}`)
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"s","ip":"10.0.0.1","adminPort":11110,"clusterId":1}`)
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"t","ip":"10.0.0.2","adminPort":11110}`)
	for name, owner := range map[string]string{"a": "cluster:1", "b": "cluster:1", "c": "server:2"} {
		w.must(t, "POST", "/api/v1/canal/instance", "admin", fmt.Sprintf(`{"name":%q,"clusterServerId":%q,"content":"n = %s\n"}`, name, owner, name))
	}
	client := func(ip string) *polling.Client {
		c := polling.NewClient(polling.ClientOptions{Addresses: []string{w.url}, User: "admin", Passwd: identity.HashCanal("admin"), IP: ip, Port: 11110})
		t.Cleanup(c.Close)
		return c
	}
	return w, client("10.0.0.1"), client("10.0.0.2")
}

// A summary says of each text what the questions of Canal's servers say of it, before
// and after each change.
func TestPollSummaryAgreesWithCanalsQuestions(t *testing.T) {
	w, ofCluster, alone := pollingWorld(t)
	ids := map[string]int64{}
	for _, name := range []string{"a", "b", "c"} {
		row, err := w.db.InstanceNamed(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = row.ID
	}
	for _, change := range []struct{ method, path, body string }{
		{"GET", "/canal/clusters", ""},
		{"PUT", "/canal/instance", fmt.Sprintf(`{"id":%d,"clusterServerId":"cluster:1","content":"n = 2\n"}`, ids["a"])},
		{"PUT", fmt.Sprintf("/canal/instance/status/%d?option=stop", ids["b"]), ""},
		{"PUT", "/canal/config", `{"clusterId":1,"content":"v = 2\n"}`},
		{"PUT", fmt.Sprintf("/canal/instance/status/%d?option=start", ids["b"]), ""},
		{"PUT", "/canal/instance", fmt.Sprintf(`{"id":%d,"clusterServerId":"server:2","content":"n = 3\n"}`, ids["b"])},
		{"DELETE", fmt.Sprintf("/canal/instance/%d", ids["a"]), ""},
		{"DELETE", fmt.Sprintf("/canal/instance/%d", ids["c"]), ""},
	} {
		w.must(t, change.method, "/api/v1"+change.path, "admin", change.body)
		for name, c := range map[string]*polling.Client{"of the cluster": ofCluster, "alone": alone} {
			server, _, err := c.Server(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			want, ok, err := c.Instances(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			said := c.Summary(t.Context())
			if said == nil || !said.SameServer(server.MD5) || said.SameServer("other") {
				t.Fatalf("%s after %+v: summary %+v, canal.properties has %s", name, change, said, server.MD5)
			}
			got, known := said.Instances()
			if known != ok || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s after %+v: instances %q, want %q", name, change, got, want)
			}
			for _, d := range want {
				text, _, err := c.Instance(t.Context(), d, "")
				if err != nil || !said.SameInstance(d, text.MD5) {
					t.Errorf("%s after %+v: the MD5 of %s is not %s, %v", name, change, d, text.MD5, err)
				}
			}
		}
	}
}

func TestPollSummary(t *testing.T) {
	w, _, _ := pollingWorld(t)
	ask := func(query string) (s *PollSummary) {
		t.Helper()
		e := w.poll(t, "towpath_polling?"+query)
		if err := json.Unmarshal(e.Data, &s); err != nil || e.Code != codeSuccess {
			t.Fatalf("%s: %s", query, e)
		}
		return s
	}
	first := ask("ip=10.0.0.1&port=11110")
	if len(first.Instances) != 2 || first.Version == "" || first.Server != md5Of("v = 1\n") {
		t.Errorf("got %+v", first)
	}
	if again := ask("ip=10.0.0.1&port=11110&known=" + first.Version); again.Instances != nil || again.Version != first.Version || again.Server != first.Server {
		t.Errorf("what is known: %+v", again)
	}
	if w.api.Polls.Last(1).IsZero() {
		t.Error("the question is not noted")
	}
	if unknown := ask("ip=10.0.0.9&port=11110"); unknown != nil {
		t.Errorf("of an unknown server: %+v", unknown)
	}
	if _, n, err := w.db.Servers(t.Context(), database.ServerFilter{}); err != nil || n != 2 {
		t.Errorf("%d servers, %v: a summary registers nobody", n, err)
	}
	w.must(t, "POST", "/api/v1/canal/cluster", "admin", `{"name":"empty","zkHosts":""}`)
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"u","ip":"10.0.0.3","adminPort":11110,"clusterId":2}`)
	if e := w.poll(t, "towpath_polling?ip=10.0.0.3&port=11110"); e.Code != codeFailed || *e.Message != "canal.properties config is empty" {
		t.Errorf("without a configuration: %s", e)
	}
	if e := w.pollAs(t, "towpath_polling?ip=10.0.0.1&port=11110", "admin", identity.HashCanal("wrong")); e.Code != codeFailed || *e.Message != "auth :admin is failed" {
		t.Errorf("with a wrong hash: %s", e)
	}
}
