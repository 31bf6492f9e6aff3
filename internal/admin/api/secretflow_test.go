package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/admin/address"
	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

func TestSecretFlow(t *testing.T) {
	const main = "canal.passwd = s3cret\nshared = s3cret\nhost = 10.0.0.1\ncanal.instance.tsdb.dbPassword = ${shared}\n"
	const stored = "canal.instance.master.address = ${host}:3306\ncanal.instance.dbUsername = canal\ncanal.instance.dbPassword = hush\n" +
		"canal.instance.tsdb.url = jdbc:mysql://h/d\nmine = ${canal.passwd}\nto = canal.passwd\nby = ${${to2}}\n"
	swap := func(old, new string) func(string) string {
		return func(content string) string { return strings.Replace(content, old, new, 1) }
	}
	add := func(line string) func(string) string {
		return func(content string) string { return content + line + "\n" }
	}
	tests := []struct {
		name      string
		edit      func(masked string) string
		otherMain string // of what the instance belongs to then
		reason    string // "" when it may be stored
	}{
		{"nothing changed", add(""), "", ""},
		{"another user", swap("= canal", "= other"), "", ""},
		{"another address", swap("${host}", "10.6.6.6"), "", reasonInvalid},
		{"another port", swap(":3306", ":3307"), "", reasonInvalid},
		{"an address behind a placeholder", add("canal.instance.standby.address = ${canal.instance.destination}:1"), "", reasonInvalid},
		{"another value of the placeholder", add(""), strings.Replace(main, "10.0.0.1", "10.6.6.6", 1), reasonInvalid},
		{"the address written twice", add("canal.instance.master.address = evil:1"), "", reasonInvalid},
		{"the address in other letters", add("canal.instance.m\\u0061ster.address = evil:1"), "", reasonInvalid},
		{"less TLS", add("canal.instance.master.sslMode = DISABLED"), "", reasonInvalid},
		{"another address with a password", func(m string) string {
			return swap("dbPassword = ******", "dbPassword = own")(swap("${host}", "10.6.6.6")(m))
		}, "", ""},
		{"another address with the password of somebody else", func(m string) string {
			return swap("dbPassword = ******", "dbPassword = ${shared}")(swap("${host}", "10.6.6.6")(m))
		}, "", reasonForbidden},
		{"the password written, and then kept", func(m string) string {
			return "canal.instance.dbPassword = own\n" + swap("${host}", "10.6.6.6")(m)
		}, "", reasonInvalid},
		{"a password of the main configuration", swap("${host}:3306", "10.6.6.6:1"), main + "canal.instance.dbPassword = s3cret\n", reasonForbidden},
		{"another database of the history", swap("//h/d", "//evil/d"), "", reasonForbidden},
		{"a secret as the user", swap("= canal", "= ${canal.passwd}"), "", reasonForbidden},
		{"a secret by its other name", swap("= canal", "= x${shared}"), "", reasonForbidden},
		{"a secret as a default", swap("= canal", "= ${nothing:${canal.passwd}}"), "", reasonForbidden},
		{"a secret of the server's own file", swap("= canal", "= ${canal.admin.passwd}"), "", reasonForbidden},
		{"a secret in the name of a host", swap("${host}", "${canal.passwd}.evil"), "", reasonForbidden},
		{"a secret by way of a key", add("canal.instance.filter.regex = ${mine}"), "", reasonForbidden},
		{"a name put together", add("to2 = canal.passwd"), "", reasonForbidden},
		{"a circle", add("x = ${x}"), "", reasonInvalid},
		{"what cannot be read", add(`x = \u1`), "", reasonInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edited := tt.edit(maskSecrets(stored))
			content, err := keepSecrets(edited, stored)
			if err != nil {
				t.Fatal(err)
			}
			f := secretFlow{name: "orders", before: flowText{main, stored}, after: flowText{main, content}, edited: edited}
			if tt.otherMain != "" {
				f.after.main = tt.otherMain
			}
			var got *failure
			if err := f.check(identity.Principal{Role: identity.RoleOperator}); errors.As(err, &got) != (tt.reason != "") || got != nil && got.reason != tt.reason {
				t.Errorf("got %+v, want the reason %q", err, tt.reason)
			}
			if got != nil && (got.message.zh == "" || strings.Contains(got.message.en, "s3cret")) {
				t.Errorf("message %+v", got.message)
			}
			if err := f.check(identity.Principal{Role: identity.RoleAdmin}); err != nil {
				t.Errorf("an administrator: %v", err)
			}
		})
	}
}

// A stored password was once sent to whatever address an operator wrote beside it.
func TestStoredPasswordsStayAtTheirAddress(t *testing.T) {
	w := newFleetWorld(t)
	server := reporting(control.ServerReport{Running: true})
	server.by[control.MethodCheck] = func(json.RawMessage) (any, error) { return []control.Finding{}, nil }
	s := w.addServer(t, "s1", 0, server)
	id := w.addInstance(t, "a", 0, s, secretText)
	w.settle(t)
	path := fmt.Sprintf("/towpath/instances/%d/config", id)
	moved := strings.Replace(secretText, "10.0.0.1", "10.6.6.6", 1)

	got := w.refusedWith(t, reasonInvalid, identity.RoleOperator, "PUT", path, SaveConfig{Content: maskSecrets(moved)})
	if got.Error.Fields["canal.instance.dbPassword"] == "" {
		t.Errorf("fields %v", got.Error.Fields)
	}
	if zh := w.call(t, identity.RoleOperator, "PUT", path, SaveConfig{Content: maskSecrets(moved)}, "Accept-Language", "zh-CN"); !strings.Contains(zh.Message, "密码") {
		t.Errorf("in Chinese: %s", zh.Message)
	}
	ask := CheckSource{Name: "a", Content: maskSecrets(moved), ClusterServerID: fmt.Sprintf("server:%d", s), InstanceID: id}
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", "/towpath/check", ask)
	// Nor does another name in the check mean another host.
	named := strings.Replace(secretText, "10.0.0.1", "${canal.instance.destination}", 1)
	into[ConfigVersions](t, w, identity.RoleAdmin, "PUT", path, SaveConfig{Content: named})
	ask.Name, ask.Content = "evil.example", maskSecrets(named)
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", "/towpath/check", ask)
	if asked := server.last(control.MethodCheck); asked != "" {
		t.Errorf("the server was asked: %s", asked)
	}
	// The password goes along when it is new; and then not back with the old address.
	into[ConfigVersions](t, w, identity.RoleOperator, "PUT", path, SaveConfig{Content: strings.Replace(moved, "hush", "own", 1)})
	history := into[[]RevisionSummary](t, w, identity.RoleOperator, "GET", path+"/history", nil)
	back := fmt.Sprintf("%s/history/%d/restore", path, history[len(history)-1].ID)
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", back, nil)
	into[ConfigVersions](t, w, identity.RoleAdmin, "POST", back, nil)
	trail := into[[]AuditItem](t, w, identity.RoleAdmin, "GET", "/towpath/audit", nil)
	refused := 0
	for _, r := range trail {
		if !r.OK && r.Username == string(identity.RoleOperator) {
			refused++
		}
		if strings.Contains(r.Detail, "hush") {
			t.Errorf("a secret in the audit: %+v", r)
		}
	}
	if refused != 4 {
		t.Errorf("%d refusals were written down: %+v", refused, trail)
	}
}

// The MD5 of a whole text is a way to try passwords for those who see the rest.
func TestSumsTellNothingOfSecrets(t *testing.T) {
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", "127.0.0.1:1")
	report := control.ServerReport{Running: true, ConfigMD5: md5Of(secretText), Instances: []control.InstanceReport{runs("a", 0)}}
	report.Instances[0].ConfigMD5 = md5Of(secretText)
	server := reporting(report)
	server.by[control.MethodConfig] = func(json.RawMessage) (any, error) {
		return control.RunningConfig{MD5: md5Of(secretText), Text: maskSecrets(secretText)}, nil
	}
	s := w.addServer(t, "s1", c, server)
	id := w.addInstance(t, "a", c, 0, secretText)
	if _, err := w.db.SaveConfig(t.Context(), database.Actor{}, database.Config{ClusterID: &c, Name: configName, Content: secretText}, database.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	for _, path := range []string{
		fmt.Sprintf("/towpath/instances/%d", id), fmt.Sprintf("/towpath/instances/%d/config", id), fmt.Sprintf("/towpath/instances/%d/config/history", id),
		fmt.Sprintf("/towpath/instances/%d/config/history/1", id), fmt.Sprintf("/towpath/clusters/%d/config", c), fmt.Sprintf("/towpath/clusters/%d/config/history", c),
		fmt.Sprintf("/towpath/servers/%d", s), "/towpath/servers", "/towpath/dashboard", "/towpath/instances", fmt.Sprintf("/towpath/clusters/%d", c),
		fmt.Sprintf("/canal/instance/%d", id), "/canal/instances", fmt.Sprintf("/canal/config/%d/0", c),
	} {
		for _, role := range []identity.Role{identity.RoleViewer, identity.RoleOperator} {
			if got := w.call(t, role, "GET", path, nil); got.Code != codeSuccess || strings.Contains(string(got.Data), md5Of(secretText)) {
				t.Errorf("%s for a %s: %d %s %s", path, role, got.Code, got.Message, got.Data)
			}
		}
	}
	// What operators are told does as the base of a change.
	path := fmt.Sprintf("/towpath/instances/%d/config", id)
	seen := into[ConfigVersions](t, w, identity.RoleOperator, "GET", path, nil)
	if !seen.Running[0].UpToDate || seen.Running[0].MD5 != seen.StoredMD5 {
		t.Errorf("%+v", seen)
	}
	into[ConfigVersions](t, w, identity.RoleOperator, "PUT", path, SaveConfig{Content: seen.Stored + "x = 1\n", BaseMD5: seen.StoredMD5})
	w.refusedWith(t, reasonConflict, identity.RoleOperator, "PUT", path, SaveConfig{Content: seen.Stored + "x = 2\n", BaseMD5: seen.StoredMD5})
}

// The admin's own check once read ${canal.instance.destination} as another name than
// the one it then connected to, and resolved names twice.
func TestCheckHereKeepsToTheRules(t *testing.T) {
	w := newFleetWorld(t)
	const login = "canal.instance.dbUsername = u\ncanal.instance.dbPassword = p\n"
	w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", "/towpath/check",
		CheckSource{Name: "169.254.169.254", Content: "canal.instance.master.address = ${canal.instance.destination}:3306\n" + login})
	for _, host := range []string{"2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "::ffff:a9fe:a9fe", "169.254.169.254.", "a@b", "[fe80::1%lo]", "64:ff9b::a9fe:a9fe", "0"} {
		w.refusedWith(t, reasonInvalid, identity.RoleOperator, "POST", "/towpath/check",
			CheckSource{Name: "b", Content: "canal.instance.master.address = " + host + ":3306\n" + login})
	}
	// What a name comes to is looked at where the connection is made.
	var err error
	if w.Addresses, err = address.New([]string{"192.0.2.0/24"}); err != nil {
		t.Fatal(err)
	}
	got := into[CheckResult](t, w, identity.RoleOperator, "POST", "/towpath/check",
		CheckSource{Name: "b", Content: "canal.instance.master.address = localhost:1\n" + login})
	if got.OK || !strings.Contains(fmt.Sprint(got.Findings), "address not allowed") {
		t.Errorf("a name that means a refused address: %+v", got)
	}
}
