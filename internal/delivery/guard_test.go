package delivery

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath-cdc/towpath/internal/meta"
)

// switchGuard is a guard that is put on and off by hand.
type switchGuard struct {
	mu     sync.Mutex
	valid  bool
	change chan struct{}
}

func newSwitchGuard(valid bool) *switchGuard {
	return &switchGuard{valid: valid, change: make(chan struct{})}
}

func (g *switchGuard) set(valid bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid = valid
	close(g.change)
	g.change = make(chan struct{})
}

func (g *switchGuard) state() (bool, chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.valid, g.change
}

func (g *switchGuard) Valid() bool { v, _ := g.state(); return v }

func (g *switchGuard) Remaining() time.Duration {
	if g.Valid() {
		return time.Minute
	}
	return 0
}

var errGuard = errors.New("not now")

// patience is how long the guard lets requests wait.
const patience = 3 * time.Second

func (g *switchGuard) Await(ctx context.Context) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		valid, change := g.state()
		if valid {
			return nil
		}
		select {
		case <-change:
		case <-timer.C:
			return errGuard
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (g *switchGuard) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	bound, cancel := context.WithCancelCause(ctx)
	go func() {
		for {
			valid, change := g.state()
			if !valid && g.Await(bound) != nil {
				cancel(errGuard)
				return
			}
			select {
			case <-change:
			case <-bound.Done():
				return
			}
		}
	}()
	return bound, func() { cancel(context.Canceled) }
}

func mustSubscribe(t *testing.T, b *bench, c meta.Client) {
	t.Helper()
	t.Cleanup(b.st.Close)
	if err := b.Subscribe(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func mustPut(t *testing.T, b *bench, n int) {
	t.Helper()
	if err := b.put(n); err != nil {
		t.Fatal(err)
	}
}

// mustGet takes a batch of one entry.
func mustGet(t *testing.T, b *bench, c meta.Client) Delivery {
	t.Helper()
	d, err := b.Get(t.Context(), c, 1, immediate)
	if err != nil || d.BatchID == NoBatch {
		t.Fatalf("get: batch %d, %v", d.BatchID, err)
	}
	d.Release()
	return d
}

func notStarted(err error) bool {
	var e *Error
	return errors.As(err, &e) && *e == *NotStarted("example")
}

func TestGuardHoldsRequestsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSwitchGuard(true)
		f := newBench(Options{Guard: g})
		c := client(1001)
		mustSubscribe(t, f, c)
		mustPut(t, f, 2)
		got := mustGet(t, f, c)

		g.set(false)
		done := make(chan error, 1)
		go func() { done <- f.Ack(t.Context(), c, got.BatchID) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("an ack was answered while another server may own the destination: %v", err)
		default:
		}
		g.set(true)
		if err := <-done; err != nil {
			t.Fatalf("ack after the guard is back: %v", err)
		}

		g.set(false)
		if _, err := f.Get(t.Context(), c, 1, time.Second); !notStarted(err) {
			t.Fatalf("get without the guard: %v", err)
		}
		if err := f.Ack(t.Context(), c, got.BatchID+1); !notStarted(err) {
			t.Fatalf("ack without the guard: %v", err)
		}
	})
}

func TestGuardEndsAWaitingGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSwitchGuard(true)
		f := newBench(Options{Guard: g})
		c := client(1001)
		mustSubscribe(t, f, c)
		done := make(chan error, 1)
		go func() {
			_, err := f.Get(t.Context(), c, 1, 0)
			done <- err
		}()
		synctest.Wait()
		begun := time.Now()
		g.set(false)
		if err := <-done; !notStarted(err) || time.Since(begun) != patience {
			t.Fatalf("a waiting get ended with %v after %v", err, time.Since(begun))
		}
	})
}

func TestDrainWaitsForAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBench(Options{})
		c := client(1001)
		mustSubscribe(t, f, c)
		mustPut(t, f, 2)
		got := mustGet(t, f, c)

		drained := make(chan struct{})
		go func() { f.Drain(t.Context()); close(drained) }()
		synctest.Wait()
		refused := make(chan error, 1)
		go func() {
			_, err := f.Get(t.Context(), c, 1, -1)
			refused <- err
		}()
		synctest.Wait()
		select {
		case <-drained:
			t.Fatal("drained although a batch is outstanding")
		case err := <-refused:
			t.Fatalf("a get was answered before the client has acked what it has: %v", err)
		default:
		}
		if err := f.Ack(t.Context(), c, got.BatchID); err != nil {
			t.Fatal(err)
		}
		<-drained
		if err := <-refused; !notStarted(err) {
			t.Fatalf("a get while draining: %v", err)
		}
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newBench(Options{})
		c := client(1001)
		mustSubscribe(t, f, c)
		mustPut(t, f, 1)
		got := mustGet(t, f, c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f.Drain(ctx)
		// Late, but the desk is still there.
		if err := f.Ack(t.Context(), c, got.BatchID); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAckOfAnEarlierDeskIsIgnored(t *testing.T) {
	f := newBench(Options{FirstBatchID: 1000})
	c := client(1001)
	mustSubscribe(t, f, c)
	mustPut(t, f, 1)
	got := mustGet(t, f, c)
	if err := f.Ack(t.Context(), c, 999); err != nil {
		t.Fatalf("late ack: %v", err)
	}
	if err := f.Ack(t.Context(), c, got.BatchID); err != nil {
		t.Fatalf("the late ack has changed something: %v", err)
	}
	if err := f.Ack(t.Context(), c, 5000); err == nil {
		t.Fatal("an id that was never given was accepted")
	}
}
