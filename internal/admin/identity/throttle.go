package identity

import (
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// How log-ins that fail are slowed down. A delay belongs to a user at an address, to
// an address, and to a user wherever from; each begins after some failures and
// doubles with each more. The last one stays short, and does not hold for addresses
// where the user has logged in before, nor for the admin's own machine: otherwise
// anybody could keep a user out.
const (
	freeOfPair    = 3 // failures without a delay
	freeOfAddress = 20
	freeOfUser    = 20
	maxDelay      = time.Minute
	maxUserDelay  = 5 * time.Second
	forgetAfter   = 15 * time.Minute // without a failure
	// maxEntries bounds each table; the entry that was used longest ago makes room.
	maxEntries = 10_000
)

// ThrottledError refuses a log-in because too many have failed.
type ThrottledError struct {
	RetryAfter time.Duration // until the next one is looked at
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed log-ins: next one in %s", e.RetryAfter.Round(time.Second))
}

// failures are those of one key.
type failures struct {
	count int
	last  time.Time
	until time.Time // no attempt before
}

// failureTable counts failures by key.
type failureTable struct {
	free    int
	longest time.Duration
	entries map[string]*failures
}

// throttle slows log-ins down. It is safe for concurrent use.
type throttle struct {
	mu      sync.Mutex
	pairs   failureTable
	address failureTable
	user    failureTable
	known   map[string]time.Time // pairs that have logged in, and when
}

func newThrottle() *throttle {
	table := func(free int, longest time.Duration) failureTable {
		return failureTable{free: free, longest: longest, entries: make(map[string]*failures)}
	}
	return &throttle{
		pairs: table(freeOfPair, maxDelay), address: table(freeOfAddress, maxDelay), user: table(freeOfUser, maxUserDelay),
		known: make(map[string]time.Time),
	}
}

// attempt is a log-in under way. It counts as failed from the beginning, so that
// many at the same time get no further than one after the other.
type attempt struct {
	t                   *throttle
	pair, address, user string
}

// begin lets an attempt in, or refuses it without counting it.
func (t *throttle) begin(user, address string, now time.Time) (*attempt, *ThrottledError) {
	a := &attempt{t: t, user: foldName(user), address: network(address)}
	a.pair = a.user + "\x00" + a.address
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := max(t.pairs.wait(a.pair, now), t.address.wait(a.address, now))
	if _, known := t.known[a.pair]; !known && !isLoopback(address) {
		wait = max(wait, t.user.wait(a.user, now))
	}
	if wait > 0 {
		return nil, &ThrottledError{RetryAfter: wait}
	}
	t.pairs.add(a.pair, now)
	t.address.add(a.address, now)
	t.user.add(a.user, now)
	return a, nil
}

// succeeded forgets the failures of the user at the address. Those of the address
// stay but for this one: it may have tried other users.
func (a *attempt) succeeded(now time.Time) {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	delete(a.t.pairs.entries, a.pair)
	delete(a.t.user.entries, a.user)
	a.t.address.takeBack(a.address)
	if len(a.t.known) >= maxEntries {
		dropOldest(a.t.known, func(at time.Time) time.Time { return at })
	}
	a.t.known[a.pair] = now
}

// undecided takes the attempt back: nobody knows whether the password was right.
func (a *attempt) undecided() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.t.pairs.takeBack(a.pair)
	a.t.address.takeBack(a.address)
	a.t.user.takeBack(a.user)
}

func (f *failureTable) wait(key string, now time.Time) time.Duration {
	e := f.entries[key]
	if e == nil || !now.Before(e.until) {
		return 0
	}
	return min(e.until.Sub(now), f.longest) // a clock that was set back keeps nobody out
}

func (f *failureTable) add(key string, now time.Time) {
	e := f.entries[key]
	if e == nil {
		if len(f.entries) >= maxEntries {
			dropOldest(f.entries, func(e *failures) time.Time { return e.last })
		}
		e = &failures{}
		f.entries[key] = e
	}
	if now.Sub(e.last) > forgetAfter {
		e.count = 0
	}
	e.count++
	e.last = now
	if over := e.count - f.free; over > 0 {
		e.until = now.Add(min(time.Second<<min(over-1, 20), f.longest))
	}
}

func (f *failureTable) takeBack(key string) {
	e := f.entries[key]
	if e == nil {
		return
	}
	if e.count--; e.count <= f.free {
		e.until = time.Time{}
	}
	if e.count <= 0 {
		delete(f.entries, key)
	}
}

func dropOldest[E any](entries map[string]E, at func(E) time.Time) {
	var oldest string
	var when time.Time
	for key, e := range entries {
		if when.IsZero() || at(e).Before(when) {
			oldest, when = key, at(e)
		}
	}
	delete(entries, oldest)
}

// network is what counts as one address: of IPv6, the 64 bits that a customer is
// given.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address[:min(len(address), 64)]
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64)
		return p.String()
	}
	return ip.String()
}

func isLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}
