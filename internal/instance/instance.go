package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// Options are what an instance needs beside its configuration.
type Options struct {
	Config  config.Instance
	Budget  *store.Budget     // shared by the instances of a process
	Logger  *slog.Logger      // with the destination as an attribute
	MetaLog func(line string) // takes the lines of meta.log; nil drops them

	// In a cluster: the right to run the destination, and the tree in which its
	// cursors may be kept. nil for a server that is alone.
	Lease     *cluster.Lease
	ZooKeeper *zk.Client

	Move *Move // of the cursors, before anything is read from them; nil for none

	// What is left of an instance in the place of which this one starts.
	Carried []meta.Record   // that cursors kept in memory begin with
	NextIDs map[int16]int64 // of batches, by client
}

// Instance is the running pipeline of one destination. Start makes it, Stop
// ends it. It serves the requests of clients through its Desk.
type Instance struct {
	*delivery.Desk

	o       Options
	store   *store.Store
	meta    meta.Manager
	members []*member // at least one
	log     *slog.Logger

	cancel context.CancelFunc
	wg     sync.WaitGroup // the sources' goroutines, and in a cluster that of tellProgress

	started time.Time
	heir    atomic.Pointer[heir] // nil until the cursors are moved
}

// Start puts an instance together and starts reading. It does not wait for the
// source to answer: trouble there is retried and shown by Status. An error
// means that the instance cannot run as it is configured.
func Start(o Options) (*Instance, error) {
	i := &Instance{o: o, log: o.Logger, started: time.Now()}
	var err error
	if i.meta, err = openMeta(o); err != nil {
		return nil, err
	}
	if o.Move != nil {
		if err = o.Move.apply(i.meta); err != nil {
			return nil, errors.Join(fmt.Errorf("move the cursors of %s: %w", o.Config.Destination, err), i.meta.Close())
		}
	}
	c := &o.Config
	i.store = store.New(store.Options{Slots: c.BufferSize, MemUnit: c.MemUnit, Mode: c.BatchMode, DDLIsolation: c.DDLIsolation, Budget: o.Budget})
	if err = i.openMembers(); err != nil {
		return nil, errors.Join(fmt.Errorf("destination %s: %w", c.Destination, err), i.meta.Close())
	}
	desk := delivery.Options{
		FirstBatchID: firstBatchID(i.meta, o.Lease), NextIDs: o.NextIDs, Guard: guard(o.Lease), Begin: i.begin, SetFilter: i.setFilter, Hooks: i.hooks(), Linger: c.GetLinger}
	if len(c.Group) > 0 {
		desk.Sources = i.sourcesOf
	}
	i.Desk = delivery.New(c.Destination, i.store, i.meta, i.address, desk)
	if err = i.Desk.ApplyFilters(); err != nil {
		// A filter that was accepted before and is not any more: the stored
		// subscription keeps it, the configured one is in force.
		i.log.Error("the filter of a stored subscription is not usable and is left aside", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	i.log.Info(fmt.Sprintf("start CannalInstance for 1-%s ", c.Destination))
	i.log.Info(fmt.Sprintf("--> init table filter : ^%s$", c.WhiteRegex))
	i.log.Info(fmt.Sprintf("--> init table black filter : ^%s$", c.BlackRegex))
	i.log.Info("TIMESTAMP values are printed in the time zone of the process, as in Canal", "zone", zoneName(c.TimeZone, time.Now()))
	for _, m := range i.members {
		i.wg.Go(func() { m.run(ctx) })
		if c.History.Kind != config.HistoryOff {
			i.wg.Go(func() { m.keepHistory(ctx) })
		}
	}
	if o.Lease != nil {
		i.wg.Go(func() { i.tellProgress(ctx) })
	}
	i.log.Info("start successful....")
	return i, nil
}

// firstBatchID is where batch ids begin: at 1 when no client has been here yet,
// as in Canal, and otherwise beyond all ids handed out before, so that a late
// ack from before a restart cannot confirm a batch it does not mean. The clocks
// of several servers differ, so in a cluster it is the count of owners that tells.
func firstBatchID(m meta.Manager, l *cluster.Lease) int64 {
	switch {
	case len(m.Snapshot()) == 0:
		return 1
	case l != nil:
		return delivery.BatchIDOf(l.Epoch())
	}
	return delivery.BatchIDAt(time.Now())
}

// guard is the lease as the desk sees it.
func guard(l *cluster.Lease) delivery.Guard {
	if l == nil {
		return nil
	}
	return l
}

// saveTimeout is for how long a subscription waits until it is in ZooKeeper.
const saveTimeout = 3 * time.Second

// Subscribe adds the client or changes its filter. Where another server may take
// over it returns only when that server would know of it: else what the client is
// owed until its first ack would be lost with this server.
func (i *Instance) Subscribe(ctx context.Context, c meta.Client) error {
	if err := i.act(ctx, func(d *delivery.Desk) error { return d.Subscribe(ctx, c) }); err != nil || i.o.Lease == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := i.meta.Flush(ctx); err != nil {
		i.log.Warn("a subscription could not be saved and is refused; the client will try again", "client_id", c.ID, "error", err)
		return delivery.NotStarted(i.o.Config.Destination)
	}
	return nil
}

// handOverPatience is for how long a planned hand-over waits for clients to ack
// what they have in hand. What they do not ack by then they get again.
const handOverPatience = 500 * time.Millisecond

// HandOver ends the instance as Stop does, but first lets clients ack the
// batches they have in hand, while it hands out nothing more.
func (i *Instance) HandOver() error {
	ctx, cancel := context.WithTimeout(context.Background(), handOverPatience)
	defer cancel()
	i.Desk.Drain(ctx)
	return i.Stop()
}

// Stop ends the instance and waits until nothing of it runs: first the reading,
// then waiting gets, then the cursors are saved.
func (i *Instance) Stop() error {
	i.log.Info(fmt.Sprintf("stop CannalInstance for null-%s ", i.o.Config.Destination))
	i.cancel()
	i.wg.Wait()
	for _, m := range i.members {
		m.closeHistory()
	}
	i.store.Close()
	if err := i.meta.Close(); err != nil {
		return fmt.Errorf("save the cursors of %s: %w", i.o.Config.Destination, err)
	}
	i.log.Info("stop successful....")
	return nil
}

// address is the server that is being read, for cursors.
func (i *Instance) address() (host string, port int) {
	return splitAddress(i.members[0].source.State().Address)
}

// hooks log what clients do, in Canal's words.
func (i *Instance) hooks() delivery.Hooks {
	return delivery.Hooks{
		Subscribed: func(c meta.Client, cur meta.Cursor, known, first bool) {
			switch {
			case first:
				i.log.Info(fmt.Sprintf("subscribe successfully, %s with first position:%s ", c, cur.Position))
			case known:
				i.log.Info(fmt.Sprintf("subscribe successfully, %s use last cursor position:%s ", c, cur.Position))
			default:
				i.log.Info(fmt.Sprintf("subscribe successfully, %s with first position:null ", c))
			}
		},
		Unsubscribed: func(c meta.Client) { i.log.Info(fmt.Sprintf("unsubscribe successfully, %s", c)) },
		RolledBack: func(c meta.Client, id int64) {
			if id == 0 {
				i.log.Info(fmt.Sprintf("rollback successfully, clientId:%d", c.ID))
				return
			}
			i.log.Info(fmt.Sprintf("rollback successfully, clientId:%d batchId:%d", c.ID, id))
		},
	}
}

// Status is how an instance is doing. Of one with several sources Source and Stopped
// are those of the one that needs most attention, Read and Pipeline are sums, but
// for the times: those of the first to be heard of last, and of the one whose last
// entry is oldest.
type Status struct {
	Config   *config.Instance
	Started  time.Time
	Source   source.State
	Read     source.Stats
	Pipeline pipeline.Stats
	Sources  []SourceStatus // one at least
	Store    store.Stats
	Clients  []delivery.ClientStatus
	Filter   string          // the white list that is in force
	Resume   binlog.Position // behind the last transaction in the store, of the first source
	Stopped  error           // why it has stopped reading; nil while it reads

	Quarantine []pipeline.Quarantined // tables of which rows cannot be decoded for certain
	History    HistoryStatus          // of the tables
}

// Status tells how the instance is doing.
func (i *Instance) Status() Status {
	s := Status{
		Config: &i.o.Config, Started: i.started, Store: i.store.Stats(), Clients: i.Desk.Clients(), Filter: i.members[0].pipeline.Filter(),
		Sources: make([]SourceStatus, len(i.members)),
	}
	for n, m := range i.members {
		s.Sources[n] = m.status()
	}
	s.summarize()
	s.Quarantine, s.History = i.quarantine(), i.historyStatus()
	return s
}

// Config is what the instance runs with.
func (i *Instance) Config() *config.Instance { return &i.o.Config }

// Tables returns the tables that are known, as pipeline.Pipeline does; of several
// sources those of all, one after the other.
func (i *Instance) Tables(schemaName, table string) []schema.Layout {
	var all []schema.Layout
	for _, m := range i.members {
		all = append(all, m.pipeline.Tables(schemaName, table)...)
	}
	return all
}

// Connect connects to the source that is being read, as source.Source does; of
// several to the first.
func (i *Instance) Connect(ctx context.Context) (*mysql.Conn, error) {
	return i.members[0].source.Connect(ctx)
}
