package source

import (
	"testing"

	"github.com/towpath-cdc/towpath/internal/config"
)

func TestEndpoint(t *testing.T) {
	for address, want := range map[string]endpoint{
		"db.example:3306": {host: "db.example", port: 3306},
		"[::1]:3307":      {host: "::1", port: 3307},
		"db.example":      {},
		"db.example:":     {},
		"db.example:0":    {},
		"db:99999":        {},
		"":                {},
	} {
		got, err := parseEndpoint(config.Endpoint{Address: address})
		if got.host != want.host || got.port != want.port || (err != nil) != (want.host == "") {
			t.Errorf("%q: %+v, %v", address, got, err)
		}
	}
}

func TestSameServer(t *testing.T) {
	e := endpoint{host: "127.0.0.1", port: 3306}
	for _, c := range []struct {
		host string
		port int
		want bool
	}{
		{"127.0.0.1", 3306, true},
		{"localhost", 3306, true},
		{"", 0, true}, // a cursor without a host
		{"127.0.0.1", 3307, false},
		{"192.0.2.7", 3306, false},
	} {
		if got := e.is(t.Context(), c.host, c.port); got != c.want {
			t.Errorf("%s:%d: %v", c.host, c.port, got)
		}
	}
}
