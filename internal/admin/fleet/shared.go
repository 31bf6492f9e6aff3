package fleet

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errClosed = errors.New("the admin is stopping")

// shared is an answer that several may want at once: it is asked for by one
// goroutine at a time, and whoever comes meanwhile gets the same. The zero value
// is ready.
type shared[T any] struct {
	mu     sync.Mutex // guards what follows
	value  T
	err    error
	at     time.Time // when it was answered; zero before
	flight chan struct{}
}

// get gives an answer that is not older than maxAge. It waits until ctx ends; then
// the answer before is given, if there was one. ask gets the lifetime of f and has
// to end by itself.
func (s *shared[T]) get(ctx context.Context, f *Fleet, maxAge time.Duration, ask func(ctx context.Context) (T, error)) (T, error) {
	for {
		s.mu.Lock()
		if !s.at.IsZero() && f.Now().Sub(s.at) < maxAge {
			defer s.mu.Unlock()
			return s.value, s.err
		}
		begun := f.Now()
		if s.flight == nil {
			flight := make(chan struct{})
			if !f.start(func() { s.fill(f, flight, ask) }) {
				s.mu.Unlock()
				var none T
				return none, errClosed
			}
			s.flight = flight
		}
		flight := s.flight
		s.mu.Unlock()

		var late error
		select {
		case <-flight:
		case <-ctx.Done():
			late = context.Cause(ctx)
		}
		if value, ok, err := s.answer(begun, late); ok {
			return value, err
		} // else it has expired meanwhile
	}
}

// answer is the one after begun, or with late any that there is.
func (s *shared[T]) answer(begun time.Time, late error) (value T, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.at.IsZero():
		return value, late != nil, late
	case late == nil && s.at.Before(begun):
		return value, false, nil
	}
	return s.value, true, s.err
}

func (s *shared[T]) fill(f *Fleet, flight chan struct{}, ask func(ctx context.Context) (T, error)) {
	value, err := ask(f.life)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == flight { // else it has expired meanwhile
		s.value, s.err, s.at, s.flight = value, err, f.Now(), nil
	}
	close(flight)
}

// last is the answer before, and when it was given.
func (s *shared[T]) last() (value T, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value, s.at
}

// busy tells whether it is being asked.
func (s *shared[T]) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flight != nil
}

// expire makes the answer too old for everybody.
func (s *shared[T]) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() {
		s.at = time.Unix(0, 1)
	}
	s.flight = nil
}
