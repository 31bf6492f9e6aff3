package meta

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxRetry is the longest pause between two tries to write.
	maxRetry = 5 * time.Second
	// attemptTimeout bounds one try: ZooKeeper that does not answer for so long
	// counts as unreachable.
	attemptTimeout = 10 * time.Second
)

// run is the flusher: it writes what has changed. OpenZooKeeper starts it; it
// ends with ctx, and Close waits for it.
func (z *ZooKeeper) run(ctx context.Context) {
	inspect := time.NewTicker(z.o.inspect)
	defer inspect.Stop()
	for {
		select {
		case <-ctx.Done():
			z.leave()
			return
		case <-inspect.C:
			z.inspect(ctx)
			continue
		case <-z.urgent:
		case <-z.due:
			z.rest(ctx, z.o.Period, z.urgent)
		}
		z.flushAgain(ctx)
	}
}

// rest waits for d, or until something is urgent, or until ctx ends.
func (z *ZooKeeper) rest(ctx context.Context, d time.Duration, urgent <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-urgent:
	}
}

// flushAgain writes until it succeeds or ctx ends, and tells of an outage when
// it begins and when it is over.
func (z *ZooKeeper) flushAgain(ctx context.Context) {
	var told, notOwner bool
	start := time.Now()
	for delay := z.o.Period; ctx.Err() == nil; delay = min(2*delay, max(maxRetry, z.o.Period)) {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		n, err := z.flush(attempt)
		cancel()
		if err == nil {
			if told {
				z.o.Notice(fmt.Sprintf("cursors of %s are written to ZooKeeper again; %d clients' were behind for %s",
					z.o.Destination, n, time.Since(start).Round(100*time.Millisecond)))
			}
			return
		}
		if ctx.Err() != nil {
			return
		}
		if isOwner := !errors.Is(err, ErrNotOwner); !told || !isOwner && !notOwner {
			z.o.Failed(err)
			told, notOwner = true, !isOwner
		}
		z.rest(ctx, delay, nil)
	}
}

// leave tells, when the destination is lost, what stays unwritten.
func (z *ZooKeeper) leave() {
	z.mu.Lock()
	n := len(z.dirty)
	z.mu.Unlock()
	if n > 0 && z.isLost() {
		z.o.Failed(fmt.Errorf("changes of %d clients of %s stay unwritten: %w", n, z.o.Destination, ErrNotOwner))
	}
}

// acquire takes the right to write, unless ctx ends first.
func (z *ZooKeeper) acquire(ctx context.Context) bool {
	select {
	case <-z.writing: // even if ctx has ended: perhaps there is nothing to do
		return true
	default:
	}
	select {
	case <-z.writing:
		return true
	case <-ctx.Done():
		return false
	}
}

func (z *ZooKeeper) release() { z.writing <- struct{}{} }

// flush writes what has changed and returns of how many clients. What was not
// written stays due.
func (z *ZooKeeper) flush(ctx context.Context) (int, error) {
	if !z.acquire(ctx) {
		return 0, context.Cause(ctx)
	}
	defer z.release()
	z.mu.Lock()
	todo := z.dirty
	z.dirty = make(changes)
	z.mu.Unlock()
	n := len(todo)
	if n == 0 {
		return 0, nil
	}
	w := write{z: z, todo: todo}
	err := w.all(ctx)
	z.mu.Lock()
	for id, c := range todo {
		z.dirty.note(id, c)
	}
	for id, c := range w.lingering {
		z.dirty.note(id, c)
	}
	if len(z.dirty) > 0 {
		z.signal(false)
	}
	z.mu.Unlock()
	if len(w.moved) > 0 {
		z.o.Flushed(w.moved)
	}
	if err != nil {
		return n, fmt.Errorf("write the cursors of %s to ZooKeeper: %w", z.o.Destination, err)
	}
	return n, nil
}
