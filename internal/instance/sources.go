package instance

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
)

// member is one source of an instance with the pipeline behind it. Most instances
// have one; a group (Canal's GroupEventParser) has several, which share the store.
type member struct {
	i        *Instance
	number   int // from 1 on; 0 for a source that is alone
	config   config.Instance
	pipeline *pipeline.Pipeline
	source   *source.Source

	mu      sync.Mutex
	stopErr error // why the source ended by itself; nil while it runs
}

// openMembers makes the sources of the instance, without starting them.
func (i *Instance) openMembers() error {
	all := i.o.Config.Sources()
	var shared pipeline.Store = i.store
	if len(i.o.Config.Group) > 0 {
		shared = &turns{store: i.store, turn: make(chan struct{}, 1)}
	}
	for n := range all {
		m := &member{i: i, config: all[n]}
		log := i.log
		if len(i.o.Config.Group) > 0 {
			m.number = n + 1
			log = log.With("source", m.config.Master.Address)
		}
		var err error
		if m.pipeline, err = pipeline.New(pipeline.Options{Instance: m.config, Store: shared, Logger: log, Source: m.number, OpenHistory: m.historyOpener(), HistoryRefused: m.historyRefused}); err != nil {
			return err
		}
		m.source = source.New(source.Options{
			Instance: m.config, Handler: m.pipeline, Stored: m.stored, Resume: m.pipeline.Resume, Logger: log,
			TableHistory: i.o.Config.History.Kind == config.HistoryMySQL}) // Canal goes by time in its tables
		i.members = append(i.members, m)
	}
	return nil
}

// run reads until ctx ends, or until a person is needed. What happens to one source
// is nothing to the others.
func (m *member) run(ctx context.Context) {
	err := m.source.Run(ctx)
	if err == nil {
		return
	}
	m.mu.Lock()
	m.stopErr = err
	m.mu.Unlock()
	if m.number > 0 {
		m.i.log.Error("a source of the instance is not read any more and waits for a person; the others go on", "address", m.config.Master.Address, "reason", err)
		return
	}
	m.i.log.Error("the instance has stopped reading and waits for a person; clients still get what is in the store", "reason", err)
}

// stopped is why the source ended by itself; nil while it runs.
func (m *member) stopped() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopErr != nil && m.number > 0 {
		return fmt.Errorf("source %s: %w", m.config.Master.Address, m.stopErr)
	}
	return m.stopErr
}

// stored is where to start after a restart: the cursor of the client that is
// furthest behind.
func (m *member) stored(context.Context) (source.Cursor, bool, error) {
	cur, ok := m.i.servers().Earliest(m.i.meta.Snapshot(), m.number)
	return source.Cursor{Host: cur.Host, Port: cur.Port, Position: cur.Position, Whole: cur.Whole}, ok, nil
}

// servers are those of each source of a group; none without one.
func (i *Instance) servers() meta.Servers { return i.o.Config.Addresses() }

// sourcesOf says where each source stands for a client with the cursor cur, and for
// one that has none where all others have been. A source of which nothing has been
// confirmed stands where it began to read: what comes while this server is down must
// be found again.
func (i *Instance) sourcesOf(cur meta.Cursor, known bool) *meta.Sources {
	var all *meta.Sources
	for _, m := range i.members {
		c, ok := i.servers().Cursor(cur, m.number)
		if !known {
			c, ok = i.servers().Earliest(i.meta.Snapshot(), m.number)
		}
		if p, began := m.pipeline.Begin(); !ok && began {
			c, ok = meta.Cursor{Host: p.Origin.Host, Port: p.Origin.Port, Position: p.Position, Whole: p.Whole}, true
		}
		if ok {
			all = all.With(m.number, c)
		}
	}
	return all
}

// begin is where the first dump of this process began to read; false before.
func (i *Instance) begin() (store.Place, bool) {
	for _, m := range i.members {
		if p, ok := m.pipeline.Begin(); ok {
			return p, true
		}
	}
	return store.Place{}, false
}

// setFilter makes a client's filter that of the instance.
func (i *Instance) setFilter(pattern string) error {
	for _, m := range i.members {
		if err := m.pipeline.SetFilter(pattern); err != nil {
			return err // the same for all: nothing has been set
		}
	}
	i.log.Info(fmt.Sprintf("--> init table filter : ^%s$", pattern))
	return nil
}

// turns lets several pipelines put into one store, each with all it has at a time.
type turns struct {
	store *store.Store
	turn  chan struct{} // has a token while somebody puts
}

// Put implements pipeline.Store.
func (t *turns) Put(ctx context.Context, items []store.Item) error {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
		return t.store.Put(ctx, items)
	case <-ctx.Done():
		for _, it := range items {
			it.Block.Release(1)
		}
		return context.Cause(ctx)
	}
}

// SourceStatus is how one source is doing.
type SourceStatus struct {
	Number   int    // from 1 on; 0 for a source that is alone
	Master   string // address as configured
	State    source.State
	Read     source.Stats
	Pipeline pipeline.Stats
	Resume   binlog.Position // behind its last transaction in the store
	Stopped  error           // why it has stopped reading; nil while it reads
}

func (m *member) status() SourceStatus {
	resume, _ := m.pipeline.Resume()
	return SourceStatus{Number: m.number, Master: m.config.Master.Address, State: m.source.State(), Read: m.source.Stats(),
		Pipeline: m.pipeline.Stats(), Resume: resume, Stopped: m.stopped()}
}

// summarize fills what a status says of all sources together: sums, the time of the
// one that is furthest behind, and the state of the one that needs most attention.
func (s *Status) summarize() {
	worst := 0
	for n, one := range s.Sources {
		if one.urgency() > s.Sources[worst].urgency() {
			worst = n
		}
		if n == 0 {
			s.Read, s.Pipeline, s.Resume = one.Read, one.Pipeline, one.Resume
			continue
		}
		addRead(&s.Read, one.Read)
		addPipeline(&s.Pipeline, one.Pipeline)
	}
	s.Source, s.Stopped = s.Sources[worst].State, s.Sources[worst].Stopped
}

// urgency orders states by how much a person should know of them.
func (s *SourceStatus) urgency() int {
	switch {
	case s.Stopped != nil:
		return 3
	case s.State.Phase == source.PhaseWaiting, s.State.Failures > 0:
		return 2
	case s.State.Phase != source.PhaseStreaming && s.State.Phase != source.PhaseFinished:
		return 1
	}
	return 0
}

func addRead(sum *source.Stats, s source.Stats) {
	sum.Bytes += s.Bytes
	sum.Events += s.Events
	sum.Chunks += s.Chunks
	sum.Dumps += s.Dumps
	sum.Failures += s.Failures
	sum.Switches += s.Switches
	if s.LastByteAt.After(sum.LastByteAt) {
		sum.LastByteAt = s.LastByteAt
	}
}

func addPipeline(sum *pipeline.Stats, s pipeline.Stats) {
	sum.Transactions += s.Transactions
	sum.PublishWait += s.PublishWait
	sum.StoreWait += s.StoreWait
	sum.SkippedRows += s.SkippedRows
	sum.Healed += s.Healed
	sum.HeldRows += s.HeldRows
	if s.LastEvent.Before(sum.LastEvent) {
		sum.LastEvent = s.LastEvent
	}
}

// errSeveral is why a place cannot be looked for.
var errSeveral = errors.New("the destination has several sources: a place is in the binlog of one of them")
