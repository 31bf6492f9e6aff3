package fleet

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestShared(t *testing.T) {
	f := newFleet(t, nil)
	var s shared[int]
	var mu sync.Mutex
	asked := 0
	ask := func(context.Context) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return asked, nil
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := s.get(t.Context(), f, time.Hour, ask); got != 1 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	all.Wait()
	s.expire()
	if got, _ := s.get(t.Context(), f, time.Hour, ask); got != 2 {
		t.Errorf("after expire: %d, want 2", got)
	}
	// Who does not wait gets the answer before, and an error when there is none.
	hold := make(chan struct{})
	slow := func(context.Context) (int, error) { <-hold; return 9, nil }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.get(ended, f, 0, slow); got != 2 || err != nil {
		t.Errorf("late: %d, %v", got, err)
	}
	var other shared[int]
	if _, err := other.get(ended, f, 0, slow); !errors.Is(err, context.Canceled) {
		t.Errorf("without an answer: %v", err)
	}
	close(hold)
}

// TestSharedExpires: an answer that was on its way when something was changed does
// not count, also for those who wait for it.
func TestSharedExpires(t *testing.T) {
	f := newFleet(t, nil)
	var s shared[string]
	asked, hold := make(chan struct{}, 2), make(chan struct{})
	value := "before"
	var mu sync.Mutex
	ask := func(context.Context) (string, error) {
		mu.Lock()
		now := value
		mu.Unlock()
		asked <- struct{}{}
		<-hold
		return now, nil
	}
	got := make(chan string)
	go func() {
		v, _ := s.get(t.Context(), f, time.Hour, ask)
		got <- v
	}()
	<-asked
	mu.Lock()
	value = "after"
	mu.Unlock()
	s.expire()
	close(hold)
	if v := <-got; v != "after" {
		t.Errorf("got %q", v)
	}
}
