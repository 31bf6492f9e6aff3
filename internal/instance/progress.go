package instance

import (
	"context"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
)

const (
	// progressPeriod is the least time between two messages of how far an instance
	// has read: one write to ZooKeeper for each destination that is busy.
	progressPeriod = 2 * time.Second

	// idlePeriod is the most.
	idlePeriod = 10 * time.Second
)

// tellProgress writes to ZooKeeper how far the instance has read, for those who
// look at the cluster, until ctx ends. An error costs nothing but that.
func (i *Instance) tellProgress(ctx context.Context) {
	tick := time.NewTicker(progressPeriod)
	defer tick.Stop()
	var (
		last cluster.Progress
		told time.Time
	)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p := i.progress()
		was := last
		was.TimestampMs = p.TimestampMs // goes on while there is nothing to read
		if p == was && time.Since(told) < idlePeriod {
			continue
		}
		last, told = p, time.Now()
		p.AtMs = told.UnixMilli()
		attempt, cancel := context.WithTimeout(ctx, progressPeriod)
		if i.o.Lease.Publish(attempt, p) != nil {
			last = cluster.Progress{}
		}
		cancel()
	}
}

// progress is how far the instance has read its first source, but for when that is.
func (i *Instance) progress() cluster.Progress {
	first := i.members[0]
	resume, _ := first.pipeline.Resume()
	st, ps := i.store.Stats(), first.pipeline.Stats()
	p := cluster.Progress{Source: first.source.State().Address, File: resume.File, Offset: resume.Offset, GTIDSet: resume.GTIDSet, Unacked: st.PutSeq - st.AckSeq}
	if !ps.LastEvent.IsZero() {
		p.TimestampMs = ps.LastEvent.UnixMilli()
	}
	return p
}
