package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/filter"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
	"github.com/towpath-cdc/towpath/internal/value"
)

// Store is where items go. Put takes over one Block reference per item, also when it
// fails; a Pipeline calls it from one goroutine at a time.
type Store interface {
	Put(ctx context.Context, items []store.Item) error
}

// Options configure a Pipeline.
type Options struct {
	Instance config.Instance
	Store    Store
	Logger   *slog.Logger // not nil

	// Source is the number of the source among several that share the store, from 1
	// on; 0 for one that is alone. With a number transactions are put as a whole.
	Source int

	// OpenHistory opens where the definitions of tables are kept; nil when they are
	// not kept. It is called when the first dump begins, and again while it fails.
	OpenHistory func(ctx context.Context) (history.Log, error)

	// HistoryRefused is called when a write fails because another server may own the
	// destination (history.ErrNotOwner). It must not block. May be nil.
	HistoryRefused func()
}

// Pipeline is the middle of one instance. It is a source.Handler: Start, Chunk
// and Stop come from the source's goroutine, one dump after the other. The
// other methods may be called from anywhere.
type Pipeline struct {
	o       Options
	charset charset.Decoder
	zone    *value.Zone
	fields  *filter.Fields
	names   atomic.Pointer[nameFilter]

	// Used by the source's goroutine.
	dump       *dump           // between Start and Stop
	tracker    *schema.Tracker // replaced under mu, which others than the source's goroutine hold to see it
	server     string          // what the tracker's tables belong to
	scannedDDL uint64          // statements the tracker has followed
	keeper     keeper
	begun      bool // the tracker knows what the history says of the place of the dump
	unknowns   map[unknownThing]bool

	mu        sync.Mutex
	begin     *store.Place    // where the first dump began
	resume    binlog.Position // behind the last boundary that was put
	resumeLog string          // whose log that is of: history.Place.Origin; "" when it is of a dump before
	resumeDDL uint64          // scannedDDL at that place

	stats counters
}

// counters are what Stats reports.
type counters struct {
	transactions  atomic.Int64
	lastEventTime atomic.Int64 // milliseconds; see Stats.LastEvent
	publishWait   atomic.Int64 // nanoseconds
	storeWait     atomic.Int64 // nanoseconds
	skippedRows   atomic.Int64
	healed        atomic.Int64
	heldRows      atomic.Int64
}

// Stats are counters since New.
type Stats struct {
	Transactions int64         // transaction ends put into the store
	LastEvent    time.Time     // execution time of the last entry put, or when the source last said it was idle
	PublishWait  time.Duration // that the source's goroutine waited for a free worker
	StoreWait    time.Duration // that workers waited for room in the store
	SkippedRows  int64         // rows events skipped because their table could not be resolved
	Healed       int64         // times that what was known of a table did not fit its rows, and something that does was found
	HeldRows     int64         // rows events of tables in quarantine
}

// New builds a pipeline; nothing is started. It fails when a filter or the
// charset of the instance is wrong.
func New(o Options) (*Pipeline, error) {
	cs, err := charset.ByJavaName(o.Instance.ConnectionCharset)
	if err != nil {
		return nil, err
	}
	zone := o.Instance.TimeZone
	if zone == nil {
		zone = time.Local
	}
	names, err := newNameFilter(o.Instance.WhiteRegex, o.Instance.BlackRegex)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{o: o, charset: cs, zone: value.NewZone(zone)}
	p.fields = filter.ParseFields(o.Instance.WhiteField, o.Instance.BlackField)
	p.names.Store(names)
	p.stats.lastEventTime.Store(time.Now().UnixMilli())
	p.keeper.p = p
	p.keeper.life, p.keeper.end = context.WithCancel(context.Background())
	return p, nil
}

// SetFilter replaces the white list by pattern, for the events scanned from now
// on. That is what a client's subscription with a filter does.
func (p *Pipeline) SetFilter(pattern string) error {
	names, err := newNameFilter(pattern, p.o.Instance.BlackRegex)
	if err != nil {
		return err
	}
	p.names.Store(names)
	return nil
}

// Filter is the white list that is in force.
func (p *Pipeline) Filter() string { return p.names.Load().pattern }

// Resume is the newest place from which a dump can go on without losing
// anything, given what has been put. It is false before the first boundary.
func (p *Pipeline) Resume() (binlog.Position, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resume, !p.resume.IsZero()
}

// Tables returns the tables that are known where the source is read at present, as
// schema.Tracker.Layouts does; none before the first dump.
func (p *Pipeline) Tables(schemaName, table string) []schema.Layout {
	p.mu.Lock()
	t := p.tracker
	p.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.Layouts(schemaName, table)
}

// Begin is where the first dump of this process began to read; false before.
func (p *Pipeline) Begin() (store.Place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begin == nil {
		return store.Place{}, false
	}
	return *p.begin, true
}

// Stats returns the counters.
func (p *Pipeline) Stats() Stats {
	return Stats{
		Transactions: p.stats.transactions.Load(),
		LastEvent:    time.UnixMilli(p.stats.lastEventTime.Load()),
		PublishWait:  time.Duration(p.stats.publishWait.Load()),
		StoreWait:    time.Duration(p.stats.storeWait.Load()),
		SkippedRows:  p.stats.skippedRows.Load(),
		Healed:       p.stats.healed.Load(),
		HeldRows:     p.stats.heldRows.Load(),
	}
}

// dump is the state of one dump: from Start to Stop.
type dump struct {
	p      *Pipeline
	s      source.Session
	ctx    context.Context // ends at Stop or with the first failure
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // the workers
	work   chan *job      // nil when encoding is done by the source's goroutine
	last   <-chan struct{}
	inline *worker
	group  grouper // guarded by having the turn
	whole  *holder // the same; nil for a source that is alone
	origin *store.Origin
	log    string // whose log is read: history.Place.Origin
	huge   int    // bytes of huge chunks since their memory was last given back

	scan scanner
}

// Start implements source.Handler.
func (p *Pipeline) Start(ctx context.Context, s source.Session) error {
	d := &dump{p: p, s: s}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.origin = &store.Origin{Host: s.Host, Port: s.Port, Source: p.o.Source}
	p.mu.Lock()
	if p.begin == nil {
		p.begin = &store.Place{Position: s.Position, Origin: d.origin, Whole: s.Done}
	}
	p.mu.Unlock()
	d.group = grouper{size: max(p.o.Instance.TransactionSize, 1), filterMarks: p.o.Instance.FilterTxEntry}
	if p.o.Source > 0 {
		d.whole = &holder{limit: d.group.size}
	}
	first := make(chan struct{})
	close(first)
	d.last = first
	if err := p.prepareTracker(ctx, s); err != nil {
		d.cancel(err)
		return err
	}
	d.log = p.keeper.origin
	d.scan.init(d)
	if !p.o.Instance.Parallel {
		d.inline = &worker{d: d}
	} else {
		n := max(p.o.Instance.ParallelThreads, 1)
		d.work = make(chan *job, n)
		for range n {
			d.wg.Go((&worker{d: d}).run)
		}
	}
	p.dump = d
	return nil
}

// prepareTracker makes the tracker ready for a dump. What it knows from the
// stream still holds when the dump goes on exactly where the store ends, on the
// same server.
func (p *Pipeline) prepareTracker(ctx context.Context, s source.Session) error {
	origin := cmp.Or(s.Server.ServerUUID, fmt.Sprintf("%s/%d", s.Address, s.Server.ServerID))
	id := s.Address + " " + s.Server.Version + " " + origin
	if p.tracker == nil || id != p.server {
		p.server = id
		p.keeper.origin = origin
		t := schema.NewTracker(s.Tables, schema.Options{
			Server: ddl.VersionOf(s.Server.Version), LowerCaseTableNames: s.Server.LowerCaseTableNames,
			HiddenKey: s.Server.RDS || s.Server.PolarX, RDS: s.Server.RDS,
			Loaded: p.keeper.loaded, Healed: p.healed,
		})
		p.mu.Lock()
		p.tracker = t
		p.mu.Unlock()
		return p.beginHistory(ctx, s)
	}
	p.tracker.SetLoader(s.Tables)
	p.mu.Lock()
	same := p.begun && p.resumeLog != "" && !s.Reset && p.resumeDDL == p.scannedDDL && p.resume.File == s.Position.File && p.resume.Offset == s.Position.Offset
	p.mu.Unlock()
	p.tracker.Reset(same)
	if same {
		return nil
	}
	return p.beginHistory(ctx, s)
}

func (p *Pipeline) beginHistory(ctx context.Context, s source.Session) error {
	p.begun = false
	p.mu.Lock()
	p.resumeLog = ""
	p.mu.Unlock()
	err := p.keeper.begin(ctx, s)
	p.begun = err == nil
	return err
}

// healed says that what was known of a table did not fit its rows.
func (p *Pipeline) healed(name ddl.Name, reason string) {
	p.stats.healed.Add(1)
	p.o.Logger.Warn("what was known of a table does not fit its rows; they are decoded with what the source tells: was it altered with sql_log_bin=0?",
		"table", name.String(), "reason", reason)
}

// HistoryStats tell how the history of the tables is doing.
func (p *Pipeline) HistoryStats() HistoryStats {
	p.keeper.mu.Lock()
	defer p.keeper.mu.Unlock()
	return p.keeper.stats
}

// WantSnapshot has a snapshot of the tables written to the history at the next
// chance, if they have changed since the last one.
func (p *Pipeline) WantSnapshot() { p.keeper.due.Store(true) }

// SaveProgress notes in the history how far it is complete, so that a start further
// on knows what it has to look at. It is for a clock, and for the end.
func (p *Pipeline) SaveProgress(ctx context.Context) error {
	return p.keeper.change(ctx, func(st *keeperState) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.resumeLog == "" { // nothing was put since the history was taken up at another place
			return false
		}
		return st.advance(history.Place{Origin: p.resumeLog, Position: p.resume})
	})
}

// Close closes the history. It is called when the Pipeline is not used any more.
func (p *Pipeline) Close() error {
	p.keeper.end()
	p.keeper.writing.Wait()
	if l := p.keeper.log.Swap(nil); l != nil {
		return (*l).Close()
	}
	return nil
}

// Stop implements source.Handler. It returns when nothing will be put any more.
func (p *Pipeline) Stop() {
	d := p.dump
	if d == nil {
		return
	}
	p.dump = nil
	d.cancel(context.Canceled)
	if d.work != nil {
		close(d.work)
	}
	d.wg.Wait()
	if d.inline != nil {
		d.inline.slab.close()
	}
	d.group.reset(dropItem)
	d.whole.reset()
	d.scan.close()
}

// Chunk implements source.Handler.
func (p *Pipeline) Chunk(ctx context.Context, c *source.Chunk) error {
	d := p.dump
	if err := context.Cause(d.ctx); err != nil {
		c.Release()
		return err
	}
	size := memory(c)
	err := d.scan.chunk(ctx, c)
	c.Release()
	if err != nil {
		return err
	}
	return d.settle(ctx, size)
}

// fail ends the dump with err, also when no further chunk comes.
func (d *dump) fail(err error) {
	d.cancel(err)
	if d.s.Fail != nil {
		d.s.Fail(context.Cause(d.ctx))
	}
}

// publish hands a job over. It takes the job also when it fails.
func (d *dump) publish(ctx context.Context, j *job) error {
	j.behind, d.last = d.last, j.done
	if d.inline != nil {
		d.inline.do(j)
		return context.Cause(d.ctx)
	}
	select {
	case d.work <- j:
		return nil
	default:
	}
	start := time.Now()
	defer func() { d.p.stats.publishWait.Add(int64(time.Since(start))) }()
	select {
	case d.work <- j:
		return nil
	case <-d.ctx.Done():
		close(j.done)
		j.abandon()
		return context.Cause(d.ctx)
	case <-ctx.Done():
		close(j.done)
		j.abandon()
		return ctx.Err()
	}
}
