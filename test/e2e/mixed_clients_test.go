package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// slowly reads and acks one small batch after the other, until stop is called.
func slowly(t *testing.T, o client.Options) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for b, err := range client.NewConsumer(client.ConsumerOptions{Options: o, BatchSize: 8, Retry: soon}).Batches(ctx) {
			if err != nil {
				t.Errorf("slow client: %v", err)
				return
			}
			_ = b.Ack() // if it is stale it comes again
			pauseFor(ctx, 200*time.Millisecond)
		}
	})
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// cursorSteps looks at the cursor for some time. It returns how often it went back,
// and for how long it was behind at the longest.
func (m *mixed) cursorSteps(d string, limit time.Duration) (worst time.Duration, steps int) {
	m.t.Helper()
	var highest, last place
	var since time.Time // when it was thrown back; zero while it is not
	for end := time.Now().Add(limit); time.Now().Before(end); pauseFor(m.t.Context(), 5*time.Millisecond) {
		c, ok := m.cursor(d)
		if !ok {
			continue
		}
		if c.before(last) {
			steps++
		}
		last = c
		switch {
		case !c.before(highest):
			highest, since = c, time.Time{}
		case since.IsZero():
			since = time.Now()
		default:
			worst = max(worst, time.Since(since))
		}
	}
	return worst, steps
}

// TestMixedJavaClients has two of Java's cluster clients at two servers of ours: one
// consumes and the other waits. It kills the first, and then the servers under the
// second.
func TestMixedJavaClients(t *testing.T) {
	t.Parallel()
	m := newMixed(t, "mixedclients", false, byJava)
	s := m.streams[byJava]
	homes := []*home{m.newOurs(nil, m.zk.Addr()), m.newOurs(nil, m.zk.Addr())}
	m.startOurs(homes[0])
	m.awaitOwner(homes[0].addr())
	m.startOurs(homes[1])
	stop := keepWriting(t, m.w)

	first := m.readJava(byJava)
	m.settle()
	// The second holds what it gets for a while, so that it has an ack to give
	// whenever its server ends.
	second := m.readJava(byJava, "--hold", "400")
	running := zktree.RunningClient(byJava, client.DefaultClientID)
	eventually(t, startLimit, "both clients watch the node of the active one", func() bool { return m.watchers(running) == 2 })
	m.settle()
	if n := len(second.Lines()); n > 0 {
		t.Errorf("the waiting client has got %d entries", n)
	}

	cursor, _ := m.cursor(byJava)
	s.silence()
	session := m.owner(running)
	first.Kill()
	begun := time.Now()
	eventually(t, startLimit, "the node of the client is gone", func() bool { return m.owner(running) != session })
	gone := time.Since(begun)
	s.notBefore(cursor)
	m.settle()
	pause, again := s.silence()
	t.Logf("active client killed: node gone after %.1f s, silence %.1f s, %d changes again", gone.Seconds(), pause.Seconds(), again)
	if pause < javaPatience {
		t.Errorf("the other client went on after %v", pause)
	}

	m.takeOver("ours stopped, for ours", homes[0].addr(), homes[1].addr(), homes[0].terminate)
	homes[0].stopped()
	m.startOurs(homes[0])
	said, subscribed := len(second.Err()), subscriptions(homes[0])
	m.takeOver("ours killed, for ours", homes[1].addr(), homes[0].addr(), func() {
		s.awaitMore() // which the client holds for a while
		homes[1].kill()
	})
	told := second.Err()[said:]
	if !strings.Contains(told, "when acking data from server") {
		t.Errorf("the client was not cut off within an ack: the test tests nothing: %s", told)
	}
	if strings.Contains(told, "ack error") || strings.Contains(told, "when getWithoutAck data from server") {
		t.Errorf("the client's ack of an old batch was refused: %s", told)
	}
	if n := subscriptions(homes[0]) - subscribed; n != 1 {
		t.Errorf("the client subscribed %d times at the new server: %s", n, told)
	}
	m.finish(stop)
}

// subscriptions is how often a client has subscribed to a server.
func subscriptions(h *home) int { return strings.Count(h.log(byJava), "subscribe successfully") }
