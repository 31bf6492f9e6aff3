package server

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// UnknownDestination stands in the statistics for requests that name no
// destination of this server, so that clients cannot make series at will. Canal
// counts these under the client's address.
const UnknownDestination = "unknown"

// LatencyBounds are the upper bounds of the buckets in ClientStats.Latency, in
// milliseconds; one bucket without a bound follows.
var LatencyBounds = [...]float64{2.5, 10, 25, 100}

// ClientStats are the requests for one destination since the server was made,
// counted as Canal counts them (PrometheusClientInstanceProfiler).
type ClientStats struct {
	Destination  string            // or UnknownDestination
	Packets      map[string]uint64 // requests by packet type name, without GETs that brought nothing
	Bytes        uint64            // sent; a request without a reply counts 4
	EmptyBatches uint64            // GETs that brought nothing
	Errors       map[int]uint64    // error replies by code
	Latency      [len(LatencyBounds) + 1]uint64
	LatencySum   float64 // milliseconds; from the request read to the reply built, waiting included
}

// stats counts what clients do. Its zero value is ready.
type stats struct {
	mu             sync.Mutex
	byDestination  map[string]*ClientStats
	refusing       bool
	refusedClients uint64
}

// know makes a destination have statistics of its own.
func (s *stats) know(destination string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.byDestination[destination]; !ok {
		s.add(destination)
	}
}

func (s *stats) add(destination string) *ClientStats {
	if s.byDestination == nil {
		s.byDestination = make(map[string]*ClientStats)
	}
	c := &ClientStats{Destination: destination, Packets: make(map[string]uint64), Errors: make(map[int]uint64)}
	s.byDestination[destination] = c
	return c
}

// count counts a request and the n bytes that answered it.
func (s *stats) count(destination string, t protocol.PacketType, a *answer, n int, latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.byDestination[destination]
	if !ok {
		c, ok = s.byDestination[UnknownDestination]
	}
	if !ok {
		c = s.add(UnknownDestination)
	}
	c.Bytes += uint64(n)
	if a.code != 0 {
		c.Errors[a.code]++
	}
	if a.empty() {
		c.EmptyBatches++
	} else {
		c.Packets[t.String()]++
	}
	ms := float64(latency) / float64(time.Millisecond)
	bucket := 0
	for bucket < len(LatencyBounds) && ms > LatencyBounds[bucket] {
		bucket++
	}
	c.Latency[bucket]++
	c.LatencySum += ms
}

// setFull notes whether a connection was refused and reports whether the one
// before was not.
func (s *stats) setFull(full bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := full != s.refusing
	s.refusing = full
	if full {
		s.refusedClients++
	}
	return first
}

// ClientStats returns the statistics of every destination that was asked for,
// by name.
func (s *Server) ClientStats() []ClientStats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	all := make([]ClientStats, 0, len(s.stats.byDestination))
	for _, c := range s.stats.byDestination {
		snapshot := *c
		snapshot.Packets = maps.Clone(c.Packets)
		snapshot.Errors = maps.Clone(c.Errors)
		all = append(all, snapshot)
	}
	slices.SortFunc(all, func(a, b ClientStats) int { return strings.Compare(a.Destination, b.Destination) })
	return all
}

// RefusedClients returns how many connections were closed because there were
// Options.MaxSessions of them.
func (s *Server) RefusedClients() uint64 {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return s.stats.refusedClients
}
