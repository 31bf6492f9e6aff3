package server

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// tokenFor returns what a client sends for a password.
func tokenFor(password string, seed []byte) []byte {
	token := protocol.Scramble([]byte(password), seed)
	return hex.AppendEncode(nil, token[:])
}

func TestHandshake(t *testing.T) {
	_, addr := startServer(t, Options{}, fakeRegistry{instance: &fakeInstance{}})
	if a, b := dial(t, addr), dial(t, addr); string(a.seed) == string(b.seed) {
		t.Error("two connections have the same seed")
	}
}

// A silent client gets the handshake and nothing else.
func TestHandshakeBytes(t *testing.T) {
	_, addr := startServer(t, Options{AuthTimeout: 50 * time.Millisecond}, fakeRegistry{instance: &fakeInstance{}})
	c := dial(t, addr)
	c.wantClosed()
}

func TestAccepts(t *testing.T) {
	hash := protocol.HashPassword([]byte("canal"))
	seed := []byte("12345678")
	good, bad := string(tokenFor("canal", seed)), string(tokenFor("wrong", seed))
	for _, c := range []struct {
		name             string
		user, passwd     string // the server's; passwd "x" for the hash
		clientUser, sent string
		want             string
	}{
		{"open server", "", "", "bob", "", "yes"},
		{"open server, nonsense token", "", "", "bob", "zz", "yes"},
		{"user matches", "ann", "", "ann", "zz", "yes"},
		{"user differs", "ann", "", "bob", "", "no"},
		{"user differs, good password", "ann", "x", "bob", good, "no"},
		{"good", "ann", "x", "ann", good, "yes"},
		{"good in upper case", "", "x", "bob", strings.ToUpper(good), "yes"},
		{"good with more behind it", "", "x", "bob", good + "00", "yes"},
		{"no password", "", "x", "bob", "", "no"},
		{"wrong password", "", "x", "bob", bad, "no"},
		{"short token", "", "x", "bob", "abcd", "error"},
		{"not hex", "", "x", "bob", "zz" + good[2:], "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{User: c.user}
			if c.passwd != "" {
				o.PasswdHash = hash[:]
			}
			ok, err := New(o, nil).accepts(&protocol.ClientAuth{Username: c.clientUser, Password: []byte(c.sent)}, seed)
			got := map[bool]string{true: "yes", false: "no"}[ok]
			if err != nil {
				got = "error"
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	for _, password := range []string{"canal", "pässwörd"} {
		hash := protocol.HashPassword([]byte(password))
		_, addr := startServer(t, Options{PasswdHash: hash[:]}, fakeRegistry{instance: &fakeInstance{}})
		c := dial(t, addr)
		c.send(&protocol.ClientAuth{Username: "bob"})
		if got := c.wantError(400); got != "auth failed for user:bob" {
			t.Errorf("refused with %q", got)
		}
		c.send(&protocol.ClientAuth{Username: "bob", Password: tokenFor("wrong", c.seed)})
		c.wantError(400)
		c.send(&protocol.ClientAuth{Username: "bob", Password: tokenFor(password, c.seed)})
		c.wantSuccess()
		c.send(&protocol.Sub{Destination: "example", ClientID: "1"})
		c.wantSuccess()
	}
}

func TestAuthenticationEnds(t *testing.T) {
	hash := protocol.HashPassword([]byte("canal"))
	o := Options{PasswdHash: hash[:], MaxAuthFailures: 3, AuthTimeout: time.Minute}
	_, addr := startServer(t, o, fakeRegistry{instance: &fakeInstance{}})
	t.Run("bad tokens", func(t *testing.T) {
		for _, token := range []string{"abcd", "zzzz"} {
			c := dial(t, addr)
			c.send(&protocol.ClientAuth{Password: []byte(token)})
			c.wantClosed()
		}
	})
	t.Run("too many failures", func(t *testing.T) {
		c := dial(t, addr)
		for range 3 {
			c.send(&protocol.ClientAuth{Username: "eve"})
			c.wantError(400)
		}
		c.wantClosed()
	})
	t.Run("long frame", func(t *testing.T) {
		c := dial(t, addr)
		c.write(headerOf(maxAuthFrame + 1))
		c.wantClosed()
	})
	t.Run("malformed", func(t *testing.T) {
		c := dial(t, addr)
		c.write(frameOf(0x18, 2, 0x2a, 1, 0x0a))
		c.wantClosed()
	})
}

// As in Canal the first packet is taken for an authentication whatever its type:
// this one does not subscribe.
func TestFirstPacketOfAnyType(t *testing.T) {
	f := &fakeInstance{}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f})
	c := dial(t, addr)
	c.send(&protocol.Sub{Destination: "example", ClientID: "1001"})
	c.wantSuccess()
	if calls := f.callList(); len(calls) > 0 {
		t.Errorf("called %q", calls)
	}
}

func TestSubscribeWithAuthentication(t *testing.T) {
	f := &fakeInstance{}
	_, addr := startServer(t, Options{}, fakeRegistry{instance: f, started: func() bool { return false }})
	c := dial(t, addr)
	c.send(&protocol.ClientAuth{Destination: "example", ClientID: "1001", Filter: "a.b"})
	c.wantSuccess()
	if got, want := strings.Join(f.callList(), ", "), "subscribe example a.b"; got != want {
		t.Errorf("called %q, want %q", got, want)
	}
	for _, auth := range []protocol.ClientAuth{{Destination: "nosuch", ClientID: "1001"}, {Destination: "example", ClientID: "x"}} {
		c := dial(t, addr)
		c.send(&auth)
		c.wantClosed()
	}
}
