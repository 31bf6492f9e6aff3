package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// freePorts are different TCP ports of 127.0.0.1 that nobody listens on just now.
// They lie below those that Linux gives to outgoing connections, so that none is
// taken while its server is down.
func freePorts(n int) ([]int, error) {
	const first, last, attempts = 10000, 32000, 1000
	var ports []int
	for range attempts {
		l, err := net.Listen("tcp", localAddr(first+rand.IntN(last-first)))
		if err != nil {
			continue // taken
		}
		defer l.Close() // at the end, so that all are different
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("%d free ports from %d to %d: found %d", n, first, last, len(ports))
}
