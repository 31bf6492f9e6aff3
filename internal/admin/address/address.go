// Package address says which addresses the admin may connect to. Whoever may add
// a server or a cluster chooses where the admin connects to, and it sends a token
// made from its password there; so an address of the cloud's metadata service,
// for example, must be refused, both when it is stored and when a name turns out
// to mean it.
//
// Its central type is [Rules]. The package resolves no names: [Rules.Control]
// checks what they come to when a connection is made.
package address

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ErrRefused says that an address may not be connected to.
var ErrRefused = errors.New("address not allowed")

// Rules are the networks that may be connected to. The zero value allows every
// address but those that no server of Canal has: link-local ones (among them
// 169.254.169.254, where clouds keep their metadata), multicast, broadcast,
// unspecified ones, and the metadata addresses that are not link-local. It is
// immutable.
type Rules struct{ networks []netip.Prefix }

// metadata are the metadata services of clouds outside the link-local networks:
// Alibaba Cloud's, Oracle's, and Amazon's and Google's over IPv6.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("192.0.0.192"),
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd20:ce::254"),
}

// New makes rules that allow only what lies in one of the networks, each a CIDR or
// a single address; without any it gives the zero value.
func New(networks []string) (Rules, error) {
	var r Rules
	for _, text := range networks {
		prefix, err := parse(strings.TrimSpace(text))
		if err != nil {
			return Rules{}, fmt.Errorf("network %q: %w", text, err)
		}
		r.networks = append(r.networks, prefix.Masked())
	}
	return r, nil
}

func parse(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Check gives ErrRefused for an address that may not be connected to.
func (r Rules) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if len(r.networks) == 0 {
		if harmful(addr) {
			return fmt.Errorf("%s: %w", addr, ErrRefused)
		}
		return nil
	}
	for _, network := range r.networks {
		if network.Contains(addr) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", addr, ErrRefused)
}

// embedding are the networks of IPv6 whose addresses stand for those of IPv4 in
// their last four bytes: of NAT64, and the old way to write them.
var embedding = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("::/96")}

func harmful(addr netip.Addr) bool {
	for _, network := range embedding {
		if network.Contains(addr) && !addr.IsLoopback() {
			b := addr.As16()
			return harmful(netip.AddrFrom4([4]byte(b[12:])))
		}
	}
	if addr.IsUnspecified() || addr.IsMulticast() || addr.IsLinkLocalUnicast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, m := range metadata {
		if addr == m {
			return true
		}
	}
	return false
}

// CheckHost checks a host as it is stored: an address is checked, and a name is
// let through when it looks like one, since Control checks what it means.
func (r Rules) CheckHost(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		return r.Check(addr)
	}
	if !isName(host) {
		return fmt.Errorf("%q is neither an address nor a host name: %w", host, ErrRefused)
	}
	return nil
}

// isName tells whether a text can be a host name. One whose last label is a
// number cannot: resolvers read 2852039166 or 0xa9.254 as an address.
func isName(host string) bool {
	const longest = 253
	if host == "" || len(host) > longest {
		return false
	}
	for _, c := range host {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	return last != "" && (last[0] < '0' || last[0] > '9')
}

// Control is a net.Dialer.Control that refuses a connection to what Check
// refuses, after the name has been resolved.
func (r Rules) Control(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q: %w", address, ErrRefused)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("%q: %w", address, ErrRefused)
	}
	return r.Check(addr)
}
