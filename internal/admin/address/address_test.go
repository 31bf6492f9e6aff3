package address

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestCheckHost(t *testing.T) {
	mine, err := New([]string{"10.1.0.0/16", "192.168.7.9", " fd12::/64"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		rules   Rules
		host    string
		allowed bool
	}{
		{"private", Rules{}, "10.1.2.3", true},
		{"loopback", Rules{}, "127.0.0.1", true},
		{"public", Rules{}, "203.0.113.9", true},
		{"name", Rules{}, "canal-server-0.canal.svc", true},
		{"metadata", Rules{}, "169.254.169.254", false},
		{"metadata, mapped", Rules{}, "::ffff:169.254.169.254", false},
		{"metadata of Alibaba Cloud", Rules{}, "100.100.100.200", false},
		{"metadata over IPv6", Rules{}, "fd00:ec2::254", false},
		{"metadata by NAT64", Rules{}, "64:ff9b::169.254.169.254", false},
		{"metadata in an old spelling", Rules{}, "::a9fe:a9fe", false},
		{"private by NAT64", Rules{}, "64:ff9b::10.1.2.3", true},
		{"loopback v6", Rules{}, "::1", true},
		{"with a user", Rules{}, "u@10.1.2.3", false},
		{"with a dot behind", Rules{}, "169.254.169.254.", false},
		{"link-local with a zone", Rules{}, "fe80::1%eth0", false},
		{"unspecified", Rules{}, "0.0.0.0", false},
		{"unspecified v6", Rules{}, "::", false},
		{"multicast", Rules{}, "224.0.0.1", false},
		{"broadcast", Rules{}, "255.255.255.255", false},
		{"address as one number", Rules{}, "2852039166", false},
		{"address in hex", Rules{}, "169.254.0xa9fe", false},
		{"empty", Rules{}, "", false},
		{"with a path", Rules{}, "a/b", false},
		{"in a network", mine, "10.1.255.1", true},
		{"the one address", mine, "192.168.7.9", true},
		{"beside it", mine, "192.168.7.8", false},
		{"v6", mine, "fd12::5", true},
		{"not in it", mine, "127.0.0.1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.rules.CheckHost(tt.host)
			if (err == nil) != tt.allowed || err != nil && !errors.Is(err, ErrRefused) {
				t.Errorf("CheckHost(%q) = %v, want allowed %v", tt.host, err, tt.allowed)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, network := range []string{"", "10.0.0.0/33", "host", "10.0.0"} {
		if _, err := New([]string{network}); err == nil {
			t.Errorf("New(%q) gave no error", network)
		}
	}
}

// A name that means a refused address is refused when it is dialled.
func TestControl(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	only, err := New([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, tt := range []struct {
		rules   Rules
		allowed bool
	}{{Rules{}, true}, {only, false}} {
		d := net.Dialer{Control: tt.rules.Control}
		conn, err := d.DialContext(t.Context(), "tcp4", net.JoinHostPort("localhost", port))
		if err == nil {
			conn.Close()
		}
		if (err == nil) != tt.allowed || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("dial with %v gave %v, want allowed %v", tt.rules, err, tt.allowed)
		}
	}
}

func FuzzCheckHost(f *testing.F) {
	for _, host := range []string{"10.0.0.1", "::1%lo", "a.b", "0x7f.1", "1.2.3", ""} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		err := Rules{}.CheckHost(host)
		addr, parseErr := netip.ParseAddr(host)
		if parseErr == nil && (err == nil) == harmful(addr.Unmap().WithZone("")) {
			t.Errorf("CheckHost(%q) = %v", host, err)
		}
	})
}
