package identity

import (
	"fmt"
	"testing"
	"time"
)

// trial lets attempts fail and tells how long the next one has to wait.
type trial struct {
	*throttle
	now time.Time
}

func newTrial() *trial { return &trial{newThrottle(), time.Unix(1700000000, 0)} }

func (r *trial) fail(user, address string) time.Duration {
	if _, err := r.begin(user, address, r.now); err != nil {
		return err.RetryAfter
	}
	return 0
}

func TestThrottleGrows(t *testing.T) {
	r := newTrial()
	var waits []time.Duration
	for range 12 {
		wait := r.fail("admin", "192.0.2.1")
		for wait > 0 { // what is refused does not count, and makes nothing longer
			waits = append(waits, wait)
			if again := r.fail("ADMIN", "192.0.2.1"); again != wait {
				t.Fatalf("refused twice: %s, then %s", wait, again)
			}
			r.now = r.now.Add(wait)
			wait = r.fail("admin", "192.0.2.1")
		}
	}
	if got := fmt.Sprint(waits); got != "[1s 2s 4s 8s 16s 32s 1m0s 1m0s]" {
		t.Errorf("delays %s", got)
	}
	if wait := r.fail("admin", "192.0.2.2"); wait != 0 {
		t.Errorf("another address waits %s", wait)
	}
	if wait := r.fail("other", "192.0.2.1"); wait != 0 {
		t.Errorf("another user waits %s", wait)
	}
	r.now = r.now.Add(forgetAfter + time.Second)
	for range freeOfPair {
		if wait := r.fail("admin", "192.0.2.1"); wait != 0 {
			t.Errorf("after a pause: %s", wait)
		}
	}
}

// TestThrottleOfAddress slows down who tries many users.
func TestThrottleOfAddress(t *testing.T) {
	r := newTrial()
	for n := range freeOfAddress + 1 {
		if wait := r.fail(fmt.Sprint("user", n), fmt.Sprintf("2001:db8::%x", n)); wait != 0 {
			t.Fatalf("user %d waits %s", n, wait)
		}
	}
	if r.fail("another", "2001:db8::ffff") == 0 {
		t.Error("a network of IPv6 may go on")
	}
	if wait := r.fail("another", "2001:db8:0:1::1"); wait != 0 {
		t.Errorf("the next network waits %s", wait)
	}
}

// TestThrottleKeepsNobodyOut attacks a user from many addresses: those who know the
// password get in.
func TestThrottleKeepsNobodyOut(t *testing.T) {
	r := newTrial()
	if a, err := r.begin("admin", "198.51.100.1", r.now); err != nil {
		t.Fatal(err)
	} else {
		a.succeeded(r.now)
	}
	for n := range 200 {
		r.fail("admin", fmt.Sprintf("203.0.113.%d", n))
		r.now = r.now.Add(100 * time.Millisecond)
	}
	if wait := r.fail("admin", "203.0.113.250"); wait <= 0 || wait > maxUserDelay {
		t.Errorf("a new address waits %s", wait)
	}
	for _, address := range []string{"198.51.100.1", "127.0.0.1", "::1"} {
		if wait := r.fail("admin", address); wait != 0 {
			t.Errorf("%s waits %s", address, wait)
		}
	}
}

// TestThrottleTogether counts attempts that are all under way at the same time.
func TestThrottleTogether(t *testing.T) {
	r := newTrial()
	allowed := 0
	for range 50 {
		if r.fail("admin", "192.0.2.1") == 0 {
			allowed++
		}
	}
	if allowed != freeOfPair+1 {
		t.Errorf("%d attempts at once", allowed)
	}
}

func TestThrottleUndecided(t *testing.T) {
	r := newTrial()
	for range 100 {
		a, err := r.begin("admin", "192.0.2.1", r.now)
		if err != nil {
			t.Fatal(err)
		}
		a.undecided()
	}
	if n := len(r.pairs.entries) + len(r.address.entries) + len(r.user.entries); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	r := newTrial()
	for range freeOfPair + 2 {
		r.fail("victim", "192.0.2.1")
	}
	for n := range maxEntries + 50 {
		r.now = r.now.Add(time.Millisecond)
		a, err := r.begin(fmt.Sprint(n), fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255), r.now)
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			a.succeeded(r.now)
		}
	}
	for name, n := range map[string]int{"pairs": len(r.pairs.entries), "addresses": len(r.address.entries), "users": len(r.user.entries), "known": len(r.known)} {
		if n > maxEntries {
			t.Errorf("%s has %d entries", name, n)
		}
	}
}
