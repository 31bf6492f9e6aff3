package source

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
)

// endpoint is a server an instance may read from.
type endpoint struct {
	config.Endpoint
	host string
	port int
}

// parseEndpoint splits an address at its last colon, as Canal does.
func parseEndpoint(e config.Endpoint) (endpoint, error) {
	host, port, err := net.SplitHostPort(e.Address)
	if err != nil {
		return endpoint{}, fmt.Errorf("address %q: want host:port", e.Address)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return endpoint{}, fmt.Errorf("address %q: port %q is not a number from 1 to 65535", e.Address, port)
	}
	return endpoint{Endpoint: e, host: host, port: int(n)}, nil
}

// lookupTimeout bounds the name look-ups of sameServer.
const lookupTimeout = 3 * time.Second

// is reports whether the endpoint is the server that a cursor names: by the
// text of its address or, where that differs, by what the names resolve to. A
// cursor without a host belongs to any server.
func (e endpoint) is(ctx context.Context, host string, port int) bool {
	if host == "" {
		return true
	}
	if port != e.port {
		return false
	}
	if strings.EqualFold(host, e.host) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ours, err := net.DefaultResolver.LookupHost(ctx, e.host)
	if err != nil {
		return false
	}
	theirs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(theirs, func(ip string) bool { return slices.Contains(ours, ip) })
}
