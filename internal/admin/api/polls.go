package api

import (
	"sync"
	"time"
)

// Polls remembers when each server last asked for its configuration. Its zero
// value is ready; it is safe for concurrent use. It grows with the servers that
// are registered, since only those are noted.
type Polls struct {
	mu   sync.Mutex
	last map[int64]time.Time
}

// Note writes down that the server with this id has asked now.
func (p *Polls) Note(serverID int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = make(map[int64]time.Time)
	}
	p.last[serverID] = now
}

// Last is when the server with this id last asked; zero when it has not since the
// admin started.
func (p *Polls) Last(serverID int64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[serverID]
}

// Forget drops a server that is registered no more.
func (p *Polls) Forget(serverID int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, serverID)
}
