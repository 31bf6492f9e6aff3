package server

import "github.com/towpath-cdc/towpath/internal/meta"

// Connection is a connection of a client.
type Connection struct {
	Address string      // of the client, host:port
	Client  meta.Client // who its last request was from, without the filter; zero before one that names a client
}

// Connections returns the connections there are, in no order.
func (s *Server) Connections() []Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Connection, 0, len(s.sessions))
	for c := range s.sessions {
		k := Connection{Address: c.conn.RemoteAddr().String()}
		if client := c.client.Load(); client != nil {
			k.Client = *client
		}
		all = append(all, k)
	}
	return all
}

// isOf notes whose request it is. A connection nearly always has one client.
func (s *session) isOf(c meta.Client) {
	if old := s.client.Load(); old == nil || *old != c {
		s.client.Store(&c)
	}
}
