package identity

import (
	"errors"
	"testing"
	"time"
)

// TestCheck: looking whether a session lasts does not make it last longer.
func TestCheck(t *testing.T) {
	f := newFixture(t, Options{Idle: 10 * time.Minute})
	_, p := f.login(t, DefaultPassword)
	for range 9 {
		f.now = f.now.Add(time.Minute)
		if err := f.Check(t.Context(), p.TokenHash); err != nil {
			t.Fatal(err)
		}
	}
	f.now = f.now.Add(time.Minute)
	if err := f.Check(t.Context(), p.TokenHash); !errors.Is(err, ErrExpired) {
		t.Errorf("after the idle time: %v, want ErrExpired", err)
	}
	token, p := f.login(t, DefaultPassword)
	if err := f.Logout(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(t.Context(), p.TokenHash); !errors.Is(err, ErrExpired) {
		t.Errorf("after the log-out: %v, want ErrExpired", err)
	}
}
