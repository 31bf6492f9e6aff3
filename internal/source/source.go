package source

import (
	"context"
	"sync"
	"time"
)

// Source reads one instance's source. Its methods may be called from any
// goroutine; Run once.
type Source struct {
	o Options

	mu    sync.Mutex
	state State
	stats Stats
}

// New builds a source; nothing is started.
func New(o Options) *Source {
	return &Source{o: o, state: State{Phase: PhaseIdle, Since: time.Now()}}
}

// Run reads until ctx ends (nil) or until a person is needed (*StopError). It
// owns all goroutines it starts and returns after they have ended.
func (s *Source) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// State tells what the source is doing.
func (s *Source) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Stats returns the counters.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
