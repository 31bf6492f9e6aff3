package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// margin is the part of a session's timeout that is not used, for clocks that
// run at different speeds.
const margin = 10

// fence knows until when this server may act as the owner of what it owns: see
// the package comment. There is one for all leases of a server.
type fence struct {
	now func() time.Duration

	state atomic.Pointer[fenceState]

	mu     sync.Mutex    // held while the state is replaced
	opened chan struct{} // closed, and replaced, whenever the deadline moves
}

// fenceState is replaced as a whole.
type fenceState struct {
	session  int64
	timeout  time.Duration
	last     time.Duration // when the last confirmed heartbeat was begun
	deadline time.Duration
}

func newFence(now func() time.Duration) *fence {
	f := &fence{now: now, opened: make(chan struct{})}
	f.state.Store(&fenceState{})
	return f
}

// open begins with a session that ZooKeeper cannot have begun to count before
// since. The fence stays closed until the first heartbeat.
func (f *fence) open(session int64, timeout, since time.Duration) {
	f.replace(func(fenceState) fenceState {
		return fenceState{session: session, timeout: timeout, last: since}
	})
}

// confirm notes a heartbeat that was begun at start and has been confirmed.
func (f *fence) confirm(session int64, start time.Duration) {
	f.replace(func(s fenceState) fenceState {
		if s.session != session {
			return s
		}
		if d := s.last + s.timeout - s.timeout/margin; d > s.deadline {
			s.deadline = d
		}
		s.last = max(s.last, start)
		return s
	})
}

// shut closes the fence: the session is known to have ended.
func (f *fence) shut(session int64) {
	f.replace(func(s fenceState) fenceState {
		if s.session == session {
			s = fenceState{}
		}
		return s
	})
}

func (f *fence) replace(change func(fenceState) fenceState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := change(*f.state.Load())
	f.state.Store(&next)
	close(f.opened)
	f.opened = make(chan struct{})
}

// remaining is for how long leases of the session are valid without further
// word; 0 when they are not.
func (f *fence) remaining(session int64) time.Duration {
	s := f.state.Load()
	if s.session != session {
		return 0
	}
	return max(0, s.deadline-f.now())
}

// moved returns a channel that is closed when the deadline moves.
func (f *fence) moved() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened
}
