package main

import (
	"context"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/process"
)

// sample is how much memory a process had at a moment.
type sample struct {
	at    time.Duration // since the beginning
	bytes int64
}

// watcher samples the memory of a process. It is started by watch, and ended and
// waited for by stop.
type watcher struct {
	begin  time.Time
	cancel context.CancelFunc
	done   chan struct{}
	curve  []sample
	peak   int64
}

// watchInterval is between two samples.
const watchInterval = 50 * time.Millisecond

// watch begins to sample a process.
func watch(ctx context.Context, p process.ID) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{begin: time.Now(), cancel: cancel, done: make(chan struct{})}
	go w.run(ctx, p)
	return w
}

// run samples until ctx ends. There is nothing to see of a process that has died: what
// there was before counts.
func (w *watcher) run(ctx context.Context, p process.ID) {
	defer close(w.done)
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		if now, err := p.Resident(); err == nil {
			w.curve = append(w.curve, sample{time.Since(w.begin), now})
		}
		if peak, err := p.Peak(); err == nil {
			w.peak = peak
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stop ends the sampling: what was seen, and the most the process ever had.
func (w *watcher) stop() (curve []sample, peak int64) {
	w.cancel()
	<-w.done
	return w.curve, w.peak
}
