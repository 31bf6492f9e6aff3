package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"
)

// result is what one layout took.
type result struct {
	layout         layout
	rest           phase
	towpath, canal phases
	soakBegin      int64 // resident bytes
	soakEnd        int64
	soak           time.Duration
}

// phases are measured while servers poll.
type phases struct {
	polls, watched phase // without and with a page open
	lists          map[string][]time.Duration
	change         []time.Duration // from a changed text to each server that has it
}

// phase is what the process took in a while.
type phase struct {
	cpu      float64 // of one core
	requests float64 // polls a second
	resident int64   // bytes, at the end
}

// phase lets time go by.
func (w *world) phase(ctx context.Context, d time.Duration) (p phase, err error) {
	requests := func() (n int64) {
		for _, node := range w.nodes {
			n += node.polls.Load()
		}
		return n
	}
	before, err := w.process.CPU()
	if err != nil {
		return p, err
	}
	polls, begin := requests(), time.Now()
	if !sleep(ctx, d) {
		return p, context.Cause(ctx)
	}
	took := time.Since(begin).Seconds()
	after, err := w.process.CPU()
	if err != nil {
		return p, err
	}
	p.cpu, p.requests = (after-before).Seconds()/took, float64(requests()-polls)/took
	p.resident, err = w.process.Resident()
	fmt.Fprintf(os.Stderr, "  %.1f %% of a core, %.0f polls/s, %d MB\n", 100*p.cpu, p.requests, p.resident>>20)
	return p, err
}

// lists asks for pages of instances, as fast as a person could click, and says how
// long they took, by what was asked.
func (w *world) lists(ctx context.Context, d time.Duration) (map[string][]time.Duration, error) {
	took := make(map[string][]time.Duration)
	for deadline, i := time.Now().Add(d), 0; time.Now().Before(deadline); i++ {
		for name, path := range map[string]string{
			"Canal's list, 20 rows":        fmt.Sprintf("/canal/instances?page=%d&size=20", 1+i%50),
			"Canal's list, by name":        fmt.Sprintf("/canal/instances?name=instance-0%d&size=20", i%10),
			"Canal's list, 1000 rows":      "/canal/instances?size=1000",
			"our list, 20 rows by lag":     fmt.Sprintf("/towpath/instances?sort=-lag&page=%d&size=20", 1+i%50),
			"our list, filtered, by state": fmt.Sprintf("/towpath/instances?name=9&clusterId=1&sort=state&page=%d", 1+i%3),
			"our list, 1000 rows":          "/towpath/instances?sort=rate&size=1000",
		} {
			var page struct{ Count int64 }
			begin := time.Now()
			if err := w.call(ctx, http.MethodGet, path, nil, &page); err != nil {
				return nil, err
			}
			took[name] = append(took[name], time.Since(begin))
			if page.Count == 0 {
				return nil, fmt.Errorf("%s: an empty list", path)
			}
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
	return took, nil
}

// maxChange is when a change that has not come is given up: an overloaded admin takes
// its time.
const maxChange = 24 * interval

// change stores another text of some instances, and waits until each server of their
// cluster has it.
func (w *world) change(ctx context.Context) (took []time.Duration, err error) {
	for i := range 2 {
		name := fmt.Sprintf("instance-%04d", i)
		var found struct {
			Items []struct{ ID, ClusterID int64 }
		}
		if err := w.call(ctx, http.MethodGet, "/canal/instances?name="+name, nil, &found); err != nil {
			return nil, err
		}
		if len(found.Items) != 1 {
			return nil, fmt.Errorf("%d instances %s", len(found.Items), name)
		}
		row := map[string]any{"id": found.Items[0].ID, "clusterServerId": fmt.Sprintf("cluster:%d", found.Items[0].ClusterID), "content": text(i, int(time.Now().UnixNano()))}
		begin := time.Now()
		if err := w.call(ctx, http.MethodPut, "/canal/instance", row, nil); err != nil {
			return nil, err
		}
		for _, n := range w.nodes {
			if !slices.Contains(n.listed, name) {
				continue
			}
			if err := n.await(ctx, name, maxChange); err != nil {
				return nil, err
			}
			took = append(took, time.Since(begin))
		}
	}
	return took, nil
}

// await waits until the server has a new text of a destination.
func (n *node) await(ctx context.Context, destination string, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		select {
		case d := <-n.told:
			if d == destination {
				return nil
			}
		case <-timer.C:
			return fmt.Errorf("after %v the server at port %d has no new text of %s", most, n.port, destination)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// soak has a page open and servers asking for some minutes, while pages are asked
// for, and notes the memory before and after.
func (w *world) soak(ctx context.Context, r *result, d time.Duration) error {
	asking, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pollers(asking, w.nodes, w.url, asTowpath)
	}()
	defer func() {
		end()
		<-ended
	}()
	r.soak = d
	return w.watched(ctx, func() (err error) {
		if _, err = w.lists(ctx, d/10); err != nil {
			return err
		}
		if r.soakBegin, err = w.process.Resident(); err != nil {
			return err
		}
		if _, err = w.lists(ctx, d); err != nil {
			return err
		}
		r.soakEnd, err = w.process.Resident()
		return err
	})
}
