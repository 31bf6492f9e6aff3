package instance

import (
	"net"
	"strconv"
)

// splitAddress takes host:port apart; what is not one has port 0.
func splitAddress(address string) (host string, port int) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	port, err = strconv.Atoi(p)
	if err != nil {
		return host, 0
	}
	return host, port
}
