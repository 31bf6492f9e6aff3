package control

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

const (
	// failureBurst is how many log-ins of one address may fail in a row, before
	// only one may per failureEvery.
	failureBurst = 10
	failureEvery = 6 * time.Second

	// maxThrottled bounds the addresses that are remembered. When there are more,
	// all are forgotten whose time has passed, and if need be all.
	maxThrottled = 4096
)

// throttle slows down who guesses passwords. The zero value is ready.
type throttle struct {
	mu sync.Mutex
	// paid is, by address, until when its failures are paid for: each pays for
	// failureEvery more, and the burst is how far ahead one may be.
	paid map[string]time.Time
}

// try says whether address may try a password at now, and counts that as a
// failure until succeed takes it back.
func (t *throttle) try(address string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	until := t.paid[address]
	if until.Before(now) {
		until = now
	}
	until = until.Add(failureEvery)
	if until.Sub(now) > failureBurst*failureEvery {
		return false
	}
	t.make(now)
	t.paid[address] = until
	return true
}

// succeed takes back what the last try of address counted.
func (t *throttle) succeed(address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until, ok := t.paid[address]; ok {
		t.paid[address] = until.Add(-failureEvery)
	}
}

// make makes room for one more address. It needs mu.
func (t *throttle) make(now time.Time) {
	if len(t.paid) >= maxThrottled {
		maps.DeleteFunc(t.paid, func(_ string, until time.Time) bool { return until.Before(now) })
	}
	if t.paid == nil || len(t.paid) >= maxThrottled {
		t.paid = make(map[string]time.Time)
	}
}

// throttleKey is what connections are counted by: the IP address, of IPv6 the
// network of 64 bits that one host may have to itself.
func throttleKey(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if prefix, err := a.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return a.String()
}
