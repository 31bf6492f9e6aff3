package identity

import (
	"strings"
	"testing"
)

func TestCheckPollHeaders(t *testing.T) {
	const hash = "4ACFE3202A5FF5CF467898FC58AAB1D615029441"
	s := New(nil, Options{PollUser: "admin", PollPassword: "admin"})
	for _, c := range []struct{ name, user, passwd, want string }{
		{"upper case", "admin", hash, ""},
		{"lower case", "admin", strings.ToLower(hash), ""},
		{"wrong", "admin", HashCanal("canal"), "auth :admin is failed"},
		{"other user", "root", hash, "auth :root is failed"},
		{"short", "admin", "4ACF", "auth :admin is failed"},
		{"odd", "admin", hash[:39], "auth :admin is failed"},
		{"empty", "admin", "", "auth :admin is failed"},
		{"plain text of another", "admin", "secret", "illegal hex-string: secret"},
		{"plain text", "admin", "admin", "illegal hex-string: ******"},
		{"asterisk", "admin", "*" + hash, "illegal hex-string: ******"},
		{"asterisk and another", "admin", "*" + HashCanal("x"), "illegal hex-string: *" + HashCanal("x")},
	} {
		got := ""
		if err := s.CheckPollHeaders(c.user, c.passwd); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, o := range []Options{{}, {PollUser: "admin"}, {PollPassword: "admin"}} {
		if New(nil, o).CheckPollHeaders(o.PollUser, HashCanal(o.PollPassword)) == nil {
			t.Errorf("with %+v everybody is let in", o)
		}
	}
}
