package netfault

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// Namespace is a Linux network namespace for one program of a test, with a cable
// to this one that can be pulled: unlike with a proxy, the program is told nothing
// at all, and its own listeners are cut off, too.
//
// Its network is a /30 of 198.18.0.0/15, which is set aside for tests (RFC 2544).
type Namespace struct {
	name, cable  string
	host, inside string // addresses
}

// NewNamespace makes a namespace that ends with the test. Programs that run in it
// have to end before. Without the right to make one, or without the ip program,
// the test is skipped.
func NewNamespace(t testing.TB) *Namespace {
	t.Helper()
	id := rand.Uint32N(1 << 15)
	address := func(last uint32) string {
		b := id<<2 | last
		return net.IPv4(198, 18|byte(b>>16), byte(b>>8), byte(b)).String()
	}
	name := fmt.Sprintf("towpath%d", id)
	n := &Namespace{name: name, cable: name, host: address(1), inside: address(2)}
	if err := ip("netns", "add", n.name); err != nil {
		t.Skipf("a network namespace cannot be made: %v", err)
	}
	t.Cleanup(func() {
		if err := ip("netns", "del", n.name); err != nil { // with its end of the cable, and so the other
			t.Error(err)
		}
	})
	for _, args := range [][]string{
		{"link", "add", n.cable, "type", "veth", "peer", "name", "eth0", "netns", n.name},
		{"addr", "add", n.host + "/30", "dev", n.cable},
		{"link", "set", n.cable, "up"},
		{"-n", n.name, "addr", "add", n.inside + "/30", "dev", "eth0"},
		{"-n", n.name, "link", "set", "eth0", "up"},
		{"-n", n.name, "link", "set", "lo", "up"},
	} {
		if err := ip(args...); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Addr is the namespace's own IP address, where its listeners are reached.
func (n *Namespace) Addr() string { return n.inside }

// Command is a program that runs in the namespace. Signals reach the program: it
// takes the place of the one that enters the namespace.
func (n *Namespace) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.name, name}, args...)...)
}

// Forward starts a proxy to a server of this host, which may listen on 127.0.0.1
// only, that programs in the namespace reach. It ends with the test.
func (n *Namespace) Forward(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := start(n.host, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Cut pulls the cable: packets from inside vanish, those of this host cannot be sent.
func (n *Namespace) Cut() error { return ip("link", "set", n.cable, "down") }

// Heal plugs it in again. Connections that have not timed out go on.
func (n *Namespace) Heal() error { return ip("link", "set", n.cable, "up") }
