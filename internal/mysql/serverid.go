package mysql

import (
	"net"
	"os"
	"unicode/utf16"
)

// GeneratedServerID is the replica id Canal makes up for a destination when none
// is configured: seven bits of the destination's hash and three bytes of the
// host's IPv4 address.
func GeneratedServerID(destination string, host net.IP) uint32 {
	var hash int32 // Java's String.hashCode
	for _, u := range utf16.Encode([]rune(destination)) {
		hash = 31*hash + int32(u)
	}
	id := (0x7f & uint32(hash)) << 24
	if ip := host.To4(); ip != nil {
		id += uint32(ip[1])<<16 + uint32(ip[2])<<8 + uint32(ip[3])
	}
	return id
}

// LocalHostIP is the IPv4 address that the host's name stands for, as Java's
// InetAddress.getLocalHost finds it; the loopback address if the name has none.
func LocalHostIP() net.IP {
	loopback := net.IPv4(127, 0, 0, 1)
	name, err := os.Hostname()
	if err != nil {
		return loopback
	}
	ips, err := net.LookupIP(name)
	if err != nil {
		return loopback
	}
	for _, ip := range ips {
		if ip.To4() != nil {
			return ip
		}
	}
	return loopback
}
