package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// What the recordings do not show: roles, secrets, sessions, limits, and what the
// calls of Canal refuse here.

// usersWorld is a world with a user of each role, logged in; the tokens are the
// names of the roles.
func usersWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	for _, role := range []identity.Role{identity.RoleViewer, identity.RoleOperator, identity.RoleAdmin} {
		w.addUser(t, string(role), string(role), false)
	}
	return w
}

// must is a call that has to succeed.
func (w *world) must(t testing.TB, method, path, token, body string) json.RawMessage {
	t.Helper()
	e := w.call(t, method, path, token, body)
	if e.Code != codeSuccess {
		t.Fatalf("%s %s %s: %s", method, path, body, e)
	}
	return e.Data
}

func TestRolesOfCalls(t *testing.T) {
	w := usersWorld(t)
	replacer := strings.NewReplacer("{", "", "}", "", "id", "7", "clusterId", "7", "serverId", "7", "nodeId", "7")
	for _, ep := range w.api.endpoints {
		if ep.beyond() || ep.Open || ep.Polling || ep.BeforeChange {
			continue
		}
		t.Run(ep.Method+ep.Path, func(t *testing.T) {
			path := "/api/v1" + replacer.Replace(ep.Path) + "?option=none&ip=x&port=1"
			for _, role := range []identity.Role{identity.RoleViewer, identity.RoleOperator, identity.RoleAdmin} {
				refused := w.call(t, ep.Method, path, string(role), "[]").Code == codeForbidden
				if refused == role.Allows(ep.Role) {
					t.Errorf("%s refused: %v", role, refused)
				}
			}
			if ep.Method != http.MethodGet && !ep.Role.Allows(identity.RoleOperator) {
				t.Errorf("a viewer may %s", ep.Method)
			}
		})
	}
}

const secretConfig = "canal.port = 11111\ncanal.admin.passwd = 4ACFE3202A5FF5CF467898FC58AAB1D615029441\n"
const secretInstance = "canal.instance.master.address = db:3306\ncanal.instance.dbPassword = s3cret\n"

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func TestSecretsAreMasked(t *testing.T) {
	w := usersWorld(t)
	w.must(t, "POST", "/api/v1/canal/cluster", "admin", `{"name":"c","zkHosts":"zk:2181"}`)
	w.must(t, "PUT", "/api/v1/canal/config", "admin", `{"clusterId":1,"content":`+quote(secretConfig)+`}`)
	w.must(t, "POST", "/api/v1/canal/instance", "admin", `{"name":"i","clusterServerId":"cluster:1","content":`+quote(secretInstance)+`}`)
	for _, path := range []string{"/api/v1/canal/config/1/0", "/api/v1/canal/instance/1"} {
		for _, role := range []string{"viewer", "operator", "admin"} {
			got := string(w.must(t, "GET", path, role, ""))
			shown := strings.Contains(got, "s3cret") || strings.Contains(got, "4ACFE")
			if shown != (role == "admin") || strings.Contains(got, control.Masked) == shown {
				t.Errorf("%s as %s: %s", path, role, got)
			}
		}
	}
	// An operator saves the masked text with something else changed: the password stays.
	masked := maskSecrets(secretInstance) + "canal.instance.gtidon = true\n"
	w.must(t, "PUT", "/api/v1/canal/instance", "operator", `{"id":1,"clusterServerId":"cluster:1","content":`+quote(masked)+`}`)
	row, err := w.db.Instance(t.Context(), 1)
	if want := secretInstance + "canal.instance.gtidon = true\n"; err != nil || row.Content != want {
		t.Errorf("stored %q, %v, want %q", row.Content, err, want)
	}
	// It does not go to another address, unless an administrator says so.
	masked = strings.Replace(masked, "db:3306", "db2:3306", 1)
	body := `{"id":1,"clusterServerId":"cluster:1","content":` + quote(masked) + `}`
	if e := w.call(t, "PUT", "/api/v1/canal/instance", "operator", body); e.Code != codeFailed || !strings.Contains(e.String(), "stored password") {
		t.Errorf("the password for another address: %s", e)
	}
	w.must(t, "PUT", "/api/v1/canal/instance", "admin", body)
	// What is masked and was never stored is refused.
	e := w.call(t, "POST", "/api/v1/canal/instance", "admin", `{"name":"j","clusterServerId":"cluster:1","content":"rabbitmq.password = ******"}`)
	if e.Code != codeFailed || !strings.Contains(e.String(), "rabbitmq.password") {
		t.Errorf("a masked secret without a value gave %s", e)
	}
	// Servers get the whole text.
	if got := string(w.poll(t, "instance_polling/i?md5=").Data); !strings.Contains(got, "s3cret") {
		t.Errorf("a server got %s", got)
	}
}

// poll asks as a server.
func (w *world) poll(t testing.TB, path string) envelope {
	t.Helper()
	return w.pollAs(t, path, "admin", identity.HashCanal("admin"))
}

func (w *world) pollAs(t testing.TB, path, user, passwd string) envelope {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/config/"+path, nil)
	r.Header.Set("user", user)
	r.Header.Set("passwd", passwd)
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	var e envelope
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
		t.Fatalf("%s: %s", path, rec.Body)
	}
	return e
}

func TestTextOfSomebodyElseIsNotOverwritten(t *testing.T) {
	w := usersWorld(t)
	w.must(t, "POST", "/api/v1/canal/cluster", "admin", `{"name":"c","zkHosts":""}`)
	w.must(t, "PUT", "/api/v1/canal/config", "admin", `{"clusterId":1,"content":"a = 1\n"}`)
	w.must(t, "POST", "/api/v1/canal/instance", "admin", `{"name":"i","clusterServerId":"cluster:1","content":"a = 1\n"}`)
	old := md5Of("a = 1\n")
	for _, tt := range []struct{ path, body string }{
		{"/api/v1/canal/config", `{"clusterId":1,"content":"a = %d\n","baseMd5":%q}`},
		{"/api/v1/canal/instance", `{"id":1,"clusterServerId":"cluster:1","content":"a = %d\n","baseMd5":%q}`},
	} {
		w.must(t, "PUT", tt.path, "admin", fmt.Sprintf(tt.body, 2, old))
		if e := w.call(t, "PUT", tt.path, "admin", fmt.Sprintf(tt.body, 3, old)); e.Code != codeFailed || !strings.Contains(e.String(), "changed by somebody else") {
			t.Errorf("%s: got %s", tt.path, e)
		}
		w.must(t, "PUT", tt.path, "admin", fmt.Sprintf(tt.body, 4, md5Of("a = 2\n")))
	}
}

func TestPasswordsAndSessions(t *testing.T) {
	w := usersWorld(t)
	// Stored hashes in upper and in lower case are read.
	for _, tt := range []struct{ name, hash string }{
		{"upper", strings.ToUpper(identity.HashCanal("secret1"))}, {"lower", strings.ToLower(identity.HashCanal("secret1"))},
	} {
		if _, err := w.db.InsertUser(t.Context(), database.Actor{}, database.User{Username: tt.name, PasswordHash: tt.hash, Roles: "viewer"}); err != nil {
			t.Fatal(err)
		}
	}
	one := w.logIn(t, "upper", "secret1")
	two := w.logIn(t, "upper", "secret1")
	lower := w.logIn(t, "lower", "secret1")
	// The body cannot name another user.
	if e := w.call(t, "PUT", "/api/v1/user", one, `{"username":"lower","oldPassword":"secret1","password":"secret2"}`); e.Code != codeFailed || e.Message != nil {
		t.Errorf("a password of somebody else: %s", e)
	}
	w.must(t, "PUT", "/api/v1/user", one, `{"username":"upper","oldPassword":"secret1","password":"secret2"}`)
	for token, want := range map[string]int{one: codeSuccess, two: codeExpired, lower: codeSuccess} {
		if e := w.call(t, "GET", "/api/v1/canal/clusters", token, ""); e.Code != want {
			t.Errorf("after the change: %s, want %d", e, want)
		}
	}
	w.must(t, "POST", "/api/v1/user/logout", one, "")
	if e := w.call(t, "GET", "/api/v1/user/info?token="+one, "", ""); e.Code != codeExpired || *e.Message != invalidTokenText {
		t.Errorf("after the log-out: %s", e)
	}
	// The header does as well as the parameter.
	if info := w.must(t, "GET", "/api/v1/user/info", lower, ""); !strings.Contains(string(info), `"username":"lower"`) {
		t.Errorf("got %s", info)
	}
}

// logIn logs in by the call and gives the token.
func (w *world) logIn(t testing.TB, user, password string) string {
	t.Helper()
	var data struct{ Token string }
	if err := json.Unmarshal(w.must(t, "POST", "/api/v1/user/login", "", fmt.Sprintf(`{"username":%q,"password":%q}`, user, password)), &data); err != nil {
		t.Fatal(err)
	}
	return data.Token
}

func TestManyWrongPasswordsHaveToWait(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		if e := w.call(t, "POST", "/api/v1/user/login", "", `{"username":"admin","password":"wrong"}`); strings.Contains(e.String(), "Too many failed log-ins") {
			return
		}
	}
	t.Error("a hundred wrong passwords were tried")
}

func TestCookie(t *testing.T) {
	w := newWorld(t)
	if _, err := w.db.InsertUser(t.Context(), database.Actor{}, database.User{Username: "u", PasswordHash: identity.HashCanal("secret1"), Roles: "admin"}); err != nil {
		t.Fatal(err)
	}
	_, header, body := w.do(t, "POST", "/api/v1/user/login", "", `{"username":"u","password":"secret1"}`)
	set := header.Get("Set-Cookie")
	for _, part := range []string{sessionCookie + "=", "HttpOnly", "SameSite=Strict", "Path=/api"} {
		if !strings.Contains(set, part) {
			t.Errorf("%s: the cookie %q has no %s", body, set, part)
		}
	}
	cookie, _, _ := strings.Cut(set, ";")
	tests := []struct {
		name, method string
		header       map[string]string
		code         int
	}{
		{"reading", "GET", nil, codeSuccess},
		{"changing from a page of ours", "POST", map[string]string{"X-Requested-With": "x", "Sec-Fetch-Site": "same-origin"}, codeSuccess},
		{"without the header", "POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, codeForbidden},
		{"from another site", "POST", map[string]string{"X-Requested-With": "x", "Sec-Fetch-Site": "cross-site"}, codeForbidden},
		{"from another site, old browser", "POST", map[string]string{"X-Requested-With": "x", "Origin": "http://evil.example"}, codeForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, body := "/api/v1/canal/clusters", ""
			if tt.method == "POST" {
				path, body = "/api/v1/canal/cluster", `{"name":"c","zkHosts":""}`
			}
			r := httptest.NewRequest(tt.method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Cookie", cookie)
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			rec := httptest.NewRecorder()
			w.api.Handler().ServeHTTP(rec, r)
			var e envelope
			if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Code != tt.code {
				t.Errorf("got %s, want %d", rec.Body, tt.code)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	tests := []struct {
		name           string
		origins        []string
		origin, allows string
		methods        string
	}{
		{"none by default", nil, "http://other.example", "", ""},
		{"all, as Canal", []string{"*"}, "http://other.example", "*", "*"},
		{"a listed one", []string{"https://ops.example"}, "https://ops.example", "https://ops.example", "GET, HEAD, POST, PUT, DELETE"},
		{"another one", []string{"https://ops.example"}, "http://other.example", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := New(Options{Logger: slog.New(slog.DiscardHandler), Origins: tt.origins})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodOptions, "/api/v1/canal/clusters", nil)
			r.Header.Set("Origin", tt.origin)
			rec := httptest.NewRecorder()
			a.Handler().ServeHTTP(rec, r)
			h := rec.Header()
			if rec.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != tt.allows || h.Get("Access-Control-Allow-Methods") != tt.methods {
				t.Errorf("got %d %v", rec.Code, h)
			}
		})
	}
	if _, err := New(Options{Origins: []string{"not an origin"}}); err == nil {
		t.Error("an origin that is none was taken")
	}
}

func TestAddressesAreChecked(t *testing.T) {
	w := usersWorld(t)
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"s","ip":"10.0.0.1","adminPort":11110}`)
	for _, host := range []string{"169.254.169.254", "0.0.0.0", "224.0.0.1", "::ffff:169.254.169.254", "2852039166", "a/b", ""} {
		for _, tt := range []struct{ method, path, body string }{
			{"POST", "/api/v1/nodeServer", `{"name":"s","adminPort":1,"ip":%q}`},
			{"PUT", "/api/v1/nodeServer", `{"id":1,"name":"s","adminPort":1,"ip":%q}`},
		} {
			if e := w.call(t, tt.method, tt.path, "admin", fmt.Sprintf(tt.body, host)); e.Code != codeFailed {
				t.Errorf("%s of %q: %s", tt.method, host, e)
			}
		}
		if e := w.poll(t, "server_polling?port=1&md5=&register=1&cluster=&name=&ip="+host); e.Code != codeFailed {
			t.Errorf("registration of %q: %s", host, e)
		}
	}
	if e := w.call(t, "POST", "/api/v1/canal/cluster", "admin", `{"name":"c","zkHosts":"zk1:2181,169.254.169.254:80/x"}`); e.Code != codeFailed {
		t.Errorf("a cluster at a refused address: %s", e)
	}
	for _, port := range []string{"-1", "65536", "1e9"} {
		if e := w.call(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"p","ip":"h","adminPort":`+port+`}`); e.Code != codeFailed {
			t.Errorf("port %s: %s", port, e)
		}
	}
}

func TestInstanceNames(t *testing.T) {
	w := usersWorld(t)
	for name, allowed := range map[string]bool{
		"a": true, "shop.orders_1-2": true, strings.Repeat("x", 255): true,
		"": false, ".": false, "..": false, "a/b": false, `a\\b`: false, "a,b": false, "a b": false, "a\\nb": false, "实例": false, strings.Repeat("x", 256): false,
	} {
		e := w.call(t, "POST", "/api/v1/canal/instance", "admin", `{"name":"`+name+`","clusterServerId":"cluster:1","content":"a"}`)
		if (e.Code == codeSuccess) != allowed {
			t.Errorf("%q: %s", name, e)
		}
	}
}

func TestBoundsOfRequests(t *testing.T) {
	w := usersWorld(t)
	for i := range 3 {
		w.must(t, "POST", "/api/v1/canal/instance", "admin", fmt.Sprintf(`{"name":"i%d","status":"0","id":70,"clusterServerId":"cluster:1","content":"a"}`, i))
	}
	var page pager[instanceEntity]
	for query, want := range map[string][2]int{"size=100000": {3, 1000}, "size=2": {2, 2}, "page=2147483647&size=1000": {0, 1000}, "name=%25": {0, 20}, "name=_": {0, 20}} {
		if err := json.Unmarshal(w.must(t, "GET", "/api/v1/canal/instances?"+query, "viewer", ""), &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Items) != want[0] || page.Size != want[1] {
			t.Errorf("%s: %d rows of %d", query, len(page.Items), page.Size)
		}
	}
	// Neither the id nor the status of the body is taken.
	if got := string(w.must(t, "GET", "/api/v1/canal/instance/1", "viewer", "")); !strings.Contains(got, `"status":"1"`) {
		t.Errorf("got %s", got)
	}
	e := w.call(t, "PUT", "/api/v1/canal/config", "admin", `{"clusterId":1,"content":"`+strings.Repeat("x", database.MaxContent+1)+`"}`)
	if e.Code != codeFailed || !strings.Contains(e.String(), "65536 bytes") {
		t.Errorf("a long text: %s", e)
	}
}

func TestTemplatesAreReadAnew(t *testing.T) {
	w := usersWorld(t)
	w.api.Templates = t.TempDir()
	ours := string(w.must(t, "GET", "/api/v1/canal/config/template", "admin", ""))
	if !strings.Contains(ours, "canal.instance.global.mode = manager") || strings.Contains(ours, identity.HashCanal("admin")) {
		t.Errorf("ours is %s", ours)
	}
	for _, content := range []string{"a = 1\n", "a = 2\n"} {
		for name, path := range map[string]string{serverTemplate: "/api/v1/canal/config/template", instanceTemplate: "/api/v1/canal/instance/template"} {
			if err := os.WriteFile(filepath.Join(w.api.Templates, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := string(w.must(t, "GET", path, "viewer", "")); got != quote(content) {
				t.Errorf("%s gave %s, want %q", path, got, content)
			}
		}
	}
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"s","ip":"h","adminPort":1}`)
	if c, err := w.db.ConfigOfServer(t.Context(), 1); err != nil || c.Content != "a = 2\n" {
		t.Errorf("a new server got %q, %v", c.Content, err)
	}
}

func TestPollsAreNoted(t *testing.T) {
	w := usersWorld(t)
	const at = "ip=10.0.0.1&port=11110"
	if e := w.pollAs(t, "server_polling?md5=&register=1&cluster=&name=s&"+at, "admin", identity.HashCanal("wrong")); e.Code != codeFailed {
		t.Errorf("a wrong password: %s", e)
	}
	if e := w.poll(t, "instances_polling?md5=&"+at); string(e.Data) != "null" || !w.api.Polls.Last(1).IsZero() {
		t.Errorf("a server that is not registered: %s, %v", e, w.api.Polls.Last(1))
	}
	before := time.Now()
	if e := w.poll(t, "server_polling?md5=&register=1&cluster=&name=s&"+at); e.Code != codeSuccess || w.api.Polls.Last(1).Before(before) {
		t.Errorf("registration: %s, %v", e, w.api.Polls.Last(1))
	}
	w.must(t, "DELETE", "/api/v1/nodeServer/1", "admin", "")
	if !w.api.Polls.Last(1).IsZero() {
		t.Error("a server that is deleted is remembered")
	}
}

// Instances that another server polls for do not come to this one, and stopped
// ones to none.
func TestPolledInstances(t *testing.T) {
	w := usersWorld(t)
	w.must(t, "POST", "/api/v1/canal/cluster", "admin", `{"name":"c","zkHosts":""}`)
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"clusterId":1,"name":"s","ip":"h","adminPort":1}`)
	w.must(t, "POST", "/api/v1/nodeServer", "admin", `{"name":"alone","ip":"h","adminPort":2}`)
	for name, owner := range map[string]string{"a": "cluster:1", "b": "cluster:1", "x": "cluster:2", "y": "server:2", "z": "server:1"} {
		w.must(t, "POST", "/api/v1/canal/instance", "admin", fmt.Sprintf(`{"name":%q,"clusterServerId":%q,"content":""}`, name, owner))
	}
	b, err := w.db.InstanceNamed(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	w.must(t, "PUT", fmt.Sprintf("/api/v1/canal/instance/status/%d?option=stop", b.ID), "operator", "")
	for port, want := range map[string]string{"1": "a", "2": "y"} {
		var e instanceEntity
		if err := json.Unmarshal(w.poll(t, "instances_polling?md5=&ip=h&port="+port).Data, &e); err != nil || e.Content == nil || *e.Content != want {
			t.Errorf("port %s: %+v, %v, want %s", port, e, err, want)
		}
	}
}

// What went wrong is in the log, and the caller learns the number to find it by.
func TestUnexpectedErrorsStayInTheLog(t *testing.T) {
	w := usersWorld(t)
	var log bytes.Buffer
	w.api.log = slog.New(slog.NewTextHandler(&log, nil))
	route(w.api, Operation{Method: "GET", Path: "/canal/broken", Summary: "Broken", Tag: "Test"},
		func(_ context.Context, _ identity.Principal, _ struct{}) (string, error) {
			return "", fmt.Errorf("query: %w", os.ErrPermission)
		})
	e := w.call(t, "GET", "/api/v1/canal/broken", "viewer", "")
	if e.Code != codeFailed || strings.Contains(*e.Message, "permission") {
		t.Fatalf("got %s", e)
	}
	id := (*e.Message)[strings.LastIndexByte(*e.Message, ' ')+1:]
	if !strings.Contains(log.String(), "id="+id) || !strings.Contains(log.String(), "permission denied") {
		t.Errorf("%q is not in the log: %s", id, log.String())
	}
}

func TestAcceptAndLanguage(t *testing.T) {
	for accept, want := range map[string]bool{
		"": true, "*/*": true, "application/json": true, "text/html, application/*;q=0.5": true, "application/json;charset=UTF-8": true,
		"application/xml": false, "text/html": false, "application/json;q=0": false, "nonsense": false,
	} {
		if got := acceptsJSON([]string{accept}); got != want {
			t.Errorf("acceptsJSON(%q) = %v", accept, got)
		}
	}
	for language, want := range map[string]bool{"": false, "zh-CN,zh;q=0.9,en;q=0.8": true, "en-GB, zh": false, "fr, zh-TW": true, "de": false} {
		if got := prefersChinese(language); got != want {
			t.Errorf("prefersChinese(%q) = %v", language, got)
		}
	}
}
