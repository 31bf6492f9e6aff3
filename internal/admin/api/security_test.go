package api

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dlclark/regexp2"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// A token in a query, as Canal's pages send it, and passwords are in no line of the
// log, whatever goes wrong.
func TestLogHasNoTokens(t *testing.T) {
	w := usersWorld(t)
	var log bytes.Buffer
	w.api.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.db.Close() // from now on every call fails
	const token, password = "TOKEN-IN-A-QUERY", "PASSWORD-IN-A-BODY"
	for _, call := range [][3]string{
		{"GET", "/api/v1/user/info?token=" + token, ""},
		{"GET", "/api/v1/canal/clusters?token=" + token, ""},
		{"POST", "/api/v1/user/login", `{"username":"` + password + `","password":"` + password + `"}`},
		{"PUT", "/api/v1/user", `{"oldPassword":"` + password + `","password":"` + password + `"}`},
	} {
		_, _, body := w.do(t, call[0], call[1], token, call[2])
		for _, secret := range []string{token, password} {
			if strings.Contains(string(body), secret) || strings.Contains(log.String(), secret) {
				t.Errorf("%s %s: answer %s, log %s", call[0], call[1], body, log.String())
			}
		}
	}
	if !strings.Contains(log.String(), "/user/info") {
		t.Errorf("nothing went wrong: %s", log.String())
	}
}

// Whoever is asked for by a header that anybody can set is not who asks.
func TestProxyHeadersAreNotTrusted(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		r := httptest.NewRequest("POST", "/api/v1/user/login", strings.NewReader(`{"username":"admin","password":"wrong"}`))
		r.Header.Set("Content-Type", "application/json")
		for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP"} {
			r.Header.Set(name, fmt.Sprintf("198.51.100.%d", i))
		}
		rec := httptest.NewRecorder()
		w.api.Handler().ServeHTTP(rec, r)
		if strings.Contains(rec.Body.String(), "Too many failed log-ins") {
			return
		}
	}
	t.Error("a hundred wrong passwords were tried, each from another address, allegedly")
}

// The cookie of a log-in over TLS, or behind a proxy that has TLS, is sent over TLS
// only; and a new log-in gives a new token, so that none can be planted.
func TestCookieOverTLS(t *testing.T) {
	w := newWorld(t)
	login := func(secure bool) *http.Cookie {
		r := httptest.NewRequest("POST", "/api/v1/user/login", strings.NewReader(`{"username":"admin","password":"`+identity.DefaultPassword+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "planted"})
		r.Header.Set("X-Requested-With", "x")
		if r.TLS = nil; secure {
			r.TLS = &tls.ConnectionState{}
		}
		rec := httptest.NewRecorder()
		w.api.Handler().ServeHTTP(rec, r)
		for _, c := range rec.Result().Cookies() {
			if c.Name == sessionCookie && c.Value != "planted" {
				return c
			}
		}
		t.Fatalf("no cookie: %s", rec.Body)
		return nil
	}
	plain, encrypted := login(false), login(true)
	w.api.SecureCookie = true
	behind := login(false)
	if plain.Secure || !encrypted.Secure || !behind.Secure || plain.Value == encrypted.Value {
		t.Errorf("plain %v, over TLS %v, behind a proxy %v", plain, encrypted, behind)
	}
	if e := w.call(t, "GET", "/api/v1/canal/clusters", "planted", ""); e.Code != codeExpired {
		t.Errorf("a planted token: %s", e)
	}
}

// Whatever is sent, an answer comes soon.
func TestHugeRequests(t *testing.T) {
	w := newFleetWorld(t)
	const most = 1 << 20
	deep := strings.Repeat("[", 500<<10)
	t.Cleanup(regexp2.StopTimeoutClock)
	slow := strings.TrimSuffix(strings.Repeat(`(a+)+\1b,`, 400), ",") // each match runs into its own limit
	tests := []struct {
		name, method, path string
		body               any
	}{
		{"braces", "POST", "/towpath/config/validate", ValidateRequest{Kind: "instance", Content: "a = " + strings.Repeat("${", 30<<10)}},
		{"placeholders", "POST", "/towpath/config/validate", ValidateRequest{Kind: "instance", Content: "canal.instance.dbUsername = " + strings.Repeat("${a:b}", 10<<10)}},
		{"secrets", "PUT", "/towpath/instances/1/config", SaveConfig{Content: strings.Repeat("canal.passwd=******\n", 50_000)}},
		{"filters", "POST", "/towpath/filter/test", FilterTest{WhiteRegex: slow, Names: []string{strings.Repeat("a", 3000)}}},
		{"more filters", "POST", "/towpath/filter/test", FilterTest{WhiteRegex: strings.Repeat("a,", most/4), Names: []string{"a.b"}}},
		{"filters in pairs", "POST", "/towpath/filter/test", FilterTest{WhiteRegex: `.*\..*`, BlackRegex: slow, Names: []string{strings.Repeat("a", 3000) + ".b"}}},
	}
	s := w.register(t, "s", 0, 1)
	w.addInstance(t, "a", 0, s, "canal.passwd = x\n")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			w.call(t, identity.RoleOperator, tt.method, tt.path, tt.body)
			if took := time.Since(start); took > 15*time.Second { // 2 s is the bound of a filter test
				t.Errorf("took %s", took)
			}
		})
	}
	r := httptest.NewRequest("POST", "/api/v1/towpath/filter/test", strings.NewReader(`{"names":`+deep))
	r.Header.Set("X-Token", string(identity.RoleViewer))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	if !strings.Contains(rec.Body.String(), "JSON parse error") {
		t.Errorf("deep JSON: %s", rec.Body)
	}
}

// What a request says gets into no header, and into no answer as HTML.
func TestAnswersAreNoHTML(t *testing.T) {
	w := newFleetWorld(t)
	const script = "<script>alert(1)</script>"
	for _, path := range []string{
		"/api/v1/" + script, "/" + script, "/api/v1/canal/instances?name=" + url.QueryEscape(script),
		"/api/v1/towpath/stream?topics=" + url.QueryEscape("x\r\nSet-Cookie: a=b"), "/api/v1/towpath/clusters/" + script,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.Header.Set("X-Token", string(identity.RoleViewer))
		r.Header.Set("Origin", "http://evil.example\r\nX-Evil: 1")
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		h := rec.Header()
		if kind := h.Get("Content-Type"); kind != "application/json" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Set-Cookie") != "" || h.Get("X-Evil") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// An error of the database stays in the log: neither the caller nor the audit has
// its text.
func TestAuditHasNoSQL(t *testing.T) {
	w := newFleetWorld(t)
	r := httptest.NewRequest("POST", "/", nil)
	err := w.audit(withCaller(r), identity.Principal{}, database.AuditRecord{Action: "test"}, errors.New("near \"SELECT\": syntax error"))
	if err == nil {
		t.Fatal("the failure was lost")
	}
	trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?action=test", nil)
	if len(trail) != 1 || trail[0].OK || strings.Contains(trail[0].Detail, "SELECT") || trail[0].Detail == "" {
		t.Errorf("audit %+v", trail)
	}
}

// Every call that changes something leaves a record of who did it.
func TestChangesLeaveRecords(t *testing.T) {
	w := newFleetWorld(t)
	server := reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("i", 0)}})
	server.by[control.MethodSeek] = func(json.RawMessage) (any, error) { return control.SeekPlan{Done: true}, nil }
	server.by[control.MethodDismiss] = func(json.RawMessage) (any, error) { return struct{}{}, nil }
	server.by[control.MethodCheck] = func(json.RawMessage) (any, error) { return []control.Finding{}, nil }
	s := w.addServer(t, "s", 0, server)
	i := w.addInstance(t, "i", 0, s, "x = 1\n")
	w.settle(t)
	calls := []struct {
		method, path string
		body         any
		action       string
	}{
		{"POST", "/canal/cluster", map[string]any{"name": "c", "zkHosts": "127.0.0.1:1"}, "cluster."},
		{"PUT", "/canal/cluster", map[string]any{"id": 1, "name": "c2", "zkHosts": "127.0.0.1:1"}, "cluster."},
		{"POST", "/towpath/clusters/1/drain", map[string]any{"server": "10.0.0.1:11111"}, "cluster.drain"},
		{"DELETE", "/canal/cluster/1", nil, "cluster."},
		{"POST", "/nodeServer", map[string]any{"name": "n", "ip": "127.0.0.1", "adminPort": 1}, "server."},
		{"PUT", "/nodeServer", map[string]any{"id": s + 1, "name": "n2", "ip": "127.0.0.1", "adminPort": 2}, "server."},
		{"DELETE", fmt.Sprintf("/nodeServer/%d", s+1), nil, "server."},
		{"PUT", fmt.Sprintf("/nodeServer/start/%d", s), nil, "server.start"},
		{"PUT", fmt.Sprintf("/nodeServer/stop/%d", s), nil, "server.stop"},
		{"PUT", "/canal/config", map[string]any{"serverId": s, "content": "a = 1\n"}, "config."},
		{"PUT", fmt.Sprintf("/towpath/servers/%d/config", s), SaveConfig{Content: "a = 2\n"}, "config."},
		{"POST", "/canal/instance", map[string]any{"name": "j", "clusterServerId": fmt.Sprintf("server:%d", s), "content": "a = 1\n"}, "instance."},
		{"PUT", "/canal/instance", map[string]any{"id": i, "clusterServerId": fmt.Sprintf("server:%d", s), "content": "a = 1\n"}, "instance."},
		{"PUT", fmt.Sprintf("/towpath/instances/%d/config", i), SaveConfig{Content: "a = 2\n"}, "instance."},
		{"PUT", fmt.Sprintf("/canal/instance/status/%d?option=stop", i), nil, "instance."},
		{"PUT", fmt.Sprintf("/canal/instance/start/%d/%d", i, s), nil, "instance."},
		{"POST", fmt.Sprintf("/towpath/instances/%d/seek", i), map[string]any{"end": true}, "instance.seek"},
		{"POST", fmt.Sprintf("/towpath/instances/%d/quarantine/dismiss", i), map[string]any{"schema": "shop", "table": "orders"}, "instance.dismiss"},
		{"POST", "/towpath/check", CheckSource{Name: "i", Content: "x = 1\n", ClusterServerID: fmt.Sprintf("server:%d", s)}, "source.check"},
		{"DELETE", fmt.Sprintf("/canal/instance/%d", i), nil, "instance."},
		{"POST", "/towpath/users", NewUser{Username: "u", Password: "SECRET1", Role: "viewer"}, "user."},
		{"POST", fmt.Sprintf("/towpath/users/%d/sessions/revoke", w.users[identity.RoleViewer]), nil, "user.revoke"},
		{"DELETE", fmt.Sprintf("/towpath/users/%d", w.users[identity.RoleViewer]), nil, "user."},
	}
	last := int64(0)
	for _, c := range calls {
		w.call(t, identity.RoleAdmin, c.method, c.path, c.body)
		found := false
		for _, r := range into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit", nil) {
			found = found || r.ID > last && r.Username == "admin" && strings.HasPrefix(r.Action, c.action)
			if strings.Contains(fmt.Sprint(r), "SECRET1") {
				t.Errorf("a password in the audit: %+v", r)
			}
		}
		trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit?limit=1", nil)
		if !found {
			t.Errorf("%s %s left no record %s: %+v", c.method, c.path, c.action, trail)
		}
		if len(trail) > 0 {
			last = trail[0].ID
		}
	}
}

// Whoever has the password of the servers may add one, unless that is closed; those
// that are known are answered all the same.
func TestClosedRegistration(t *testing.T) {
	w := usersWorld(t)
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"s","ip":"10.0.0.1","adminPort":11110}`)
	w.api.RegistrationClosed = true
	for ip, known := range map[string]bool{"10.0.0.1": true, "10.0.0.2": false} {
		e := w.poll(t, "server_polling?port=11110&md5=&register=1&cluster=&name=&ip="+ip)
		if e.Code != codeSuccess || (string(e.Data) != "null") != known {
			t.Errorf("%s: %s", ip, e)
		}
	}
	if servers, _, err := w.db.Servers(t.Context(), database.ServerFilter{}); err != nil || len(servers) != 1 {
		t.Errorf("servers %+v, %v", servers, err)
	}
}
