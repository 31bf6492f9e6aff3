package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// fault is something that goes wrong, or is done by an operator.
type fault struct {
	name   string
	weight int
	run    func(w *world, ctx context.Context, r *rand.Rand) error
	only   func(w *world) bool // nil is everywhere
}

func (f fault) share() int { return f.weight }

func inCluster(w *world) bool { return w.cluster }

var killFarBehind = fault{"kill far behind", 6, func(w *world, ctx context.Context, r *rand.Rand) error { return w.lagAndRestart(ctx, r, false) }, nil}

var faults = []fault{
	{"nothing is confirmed", 2, (*world).hold, nil},
	{"nothing is read", 2, (*world).pauseReading, nil},
	{"rollback", 2, func(w *world, _ context.Context, _ *rand.Rand) error { w.consumer.rollback(); return nil }, nil},
	{"reconnect", 2, func(w *world, _ context.Context, _ *rand.Rand) error { w.consumer.reconnect(); return nil }, nil},
	{"connection to the source", 2, (*world).cutSource, nil},
	{"restart", 3, func(w *world, ctx context.Context, r *rand.Rand) error { return w.restart(ctx, r, true) }, nil},
	{"kill", 3, func(w *world, ctx context.Context, r *rand.Rand) error { return w.restart(ctx, r, false) }, nil},
	{"restart far behind", 4, func(w *world, ctx context.Context, r *rand.Rand) error { return w.lagAndRestart(ctx, r, true) }, nil},
	killFarBehind,
	{"kill twice", 3, (*world).killTwice, nil},
	{"move", 5, (*world).move, inCluster},
}

// disturb makes faults until ctx ends, and then has everything work again. The first
// is one that no schedule may be without: a kill while the cursor is behind.
func (w *world) disturb(ctx context.Context, r *rand.Rand) error {
	var possible []fault
	for _, f := range faults {
		if f.only == nil || f.only(w) {
			possible = append(possible, f)
		}
	}
	for ctx.Err() == nil {
		if w.o.calm {
			<-ctx.Done()
			return nil
		}
		wait(ctx, between(r, 200*time.Millisecond, 1200*time.Millisecond))
		if ctx.Err() != nil {
			break
		}
		f := draw(r, possible)
		if len(w.faults) == 0 {
			f = killFarBehind
		}
		w.faults[f.name]++
		if err := f.run(w, ctx, r); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		for i, t := range w.towpaths {
			if !t.Running() {
				return fmt.Errorf("server %d ended by itself", i)
			}
		}
	}
	w.consumer.hold(false)
	w.consumer.pause(false)
	return nil
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// wait waits for a time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (w *world) hold(ctx context.Context, r *rand.Rand) error {
	w.consumer.hold(true)
	wait(ctx, between(r, 300*time.Millisecond, 3*time.Second))
	w.consumer.hold(false)
	return nil
}

func (w *world) pauseReading(ctx context.Context, r *rand.Rand) error {
	w.consumer.pause(true)
	wait(ctx, between(r, 300*time.Millisecond, 3*time.Second))
	w.consumer.pause(false)
	return nil
}

// cutSource ends the connection over which the log is read.
func (w *world) cutSource(ctx context.Context, _ *rand.Rand) error {
	rows, err := w.source.Query(context.WithoutCancel(ctx), "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := w.source.Exec(context.WithoutCancel(ctx), "KILL "+row[0]); err != nil && !isError(err, errNoThread) {
			return err
		}
	}
	return nil
}

// errNoThread is the refusal to end a connection that has ended.
const errNoThread = 1094

// serving is the server that the consumer was connected to last.
func (w *world) serving() *servers.Towpath {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.towpaths {
		if t.Addr() == w.server {
			return t
		}
	}
	return w.towpaths[0]
}

// restart ends the server and starts it again, in a cluster at times after another
// one has taken over.
func (w *world) restart(ctx context.Context, r *rand.Rand, orderly bool) error {
	t := w.serving()
	end := t.Kill
	if orderly {
		end = t.Terminate
	}
	if err := end(); err != nil {
		return err
	}
	down := between(r, 0, time.Second)
	if w.cluster {
		down = between(r, 0, 2*zkSession)
	}
	wait(ctx, down)
	return t.Launch()
}

// lagAndRestart restarts while the cursor is behind changes of definitions.
func (w *world) lagAndRestart(ctx context.Context, r *rand.Rand, orderly bool) error {
	w.consumer.hold(true)
	paused := r.IntN(3) == 0
	if paused {
		w.consumer.pause(true)
	}
	wait(ctx, between(r, time.Second, 4*time.Second))
	err := w.restart(ctx, r, orderly)
	w.consumer.pause(false)
	if r.IntN(2) == 0 { // it does not catch up at once
		wait(ctx, between(r, 0, 2*time.Second))
	}
	w.consumer.hold(false)
	return err
}

// killTwice kills the server again while it starts.
func (w *world) killTwice(ctx context.Context, r *rand.Rand) error {
	w.consumer.hold(true)
	defer w.consumer.hold(false)
	wait(ctx, between(r, 500*time.Millisecond, 2*time.Second))
	for range 2 + r.IntN(2) {
		t := w.serving()
		if err := t.Kill(); err != nil {
			return err
		}
		if err := t.Launch(); err != nil {
			return err
		}
		wait(ctx, between(r, 0, 600*time.Millisecond))
	}
	return nil
}

// move orders the destination to the other server.
func (w *world) move(ctx context.Context, _ *rand.Rand) error {
	from := w.serving()
	for _, t := range w.towpaths {
		if t != from {
			// That it is not possible now is no defect: a server may be starting.
			_ = exec.CommandContext(ctx, w.o.program, "cluster", "--zk", w.zk.Addr(), "--timeout", "5s", "move", destination, t.Addr()).Run()
		}
	}
	return nil
}
