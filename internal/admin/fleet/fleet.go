package fleet

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/address"
	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/control"
)

// Rows is what the admin has stored.
type Rows interface {
	Clusters(ctx context.Context) ([]database.Cluster, error)
	Servers(ctx context.Context, f database.ServerFilter) ([]database.Server, int64, error)
	Instances(ctx context.Context, f database.InstanceFilter, withContent bool) ([]database.Instance, int64, error)
	ConfigOfCluster(ctx context.Context, clusterID int64) (database.Config, error)
	ConfigOfServer(ctx context.Context, serverID int64) (database.Config, error)
}

// Options is what a Fleet works with.
type Options struct {
	DB Rows

	// User and Password (plain) are canal.adminUser and canal.adminPasswd, which
	// all servers share with the admin.
	User, Password string

	// TLS says whether admin ports are asked over TLS; TLSConfig how.
	TLS       control.TLSMode
	TLSConfig *tls.Config

	// ZooKeeperTLS is for clusters whose main configuration wants TLS; nil trusts
	// what the system trusts.
	ZooKeeperTLS *tls.Config

	// Allowed are the addresses that may be connected to, of servers and of
	// ZooKeeper.
	Allowed address.Rules

	Logger *slog.Logger
	Now    func() time.Time // time.Now if nil
}

// Times and bounds of the looks.
const (
	// lookTimeout bounds a look at a server: connecting, and one or two questions.
	lookTimeout = 3 * time.Second
	// orderTimeout bounds an order or another question that takes its time: a stop
	// of a server ends all its instances first. Canal waits as long.
	orderTimeout = 60 * time.Second

	// lookAge is for how long a look counts for whoever asks for a status.
	lookAge = time.Second
	// knownAge is for how long a look is better than none for whoever would have to
	// wait for a newer one: somewhat longer than Run takes while nobody watches.
	knownAge = 12 * time.Second
	// answerTime is for how long whoever asks for a status waits for looks.
	answerTime = 900 * time.Millisecond
	// snapshotAge is for how long a look counts for a Snapshot: somewhat longer than
	// Run takes to make a new one.
	snapshotAge = 3 * time.Second
	// snapshotTime is for how long whoever wants a Snapshot waits for looks.
	snapshotTime = 100 * time.Millisecond

	// watchedPeriod and idlePeriod are between two rounds of Run: while somebody
	// watches, and else, for the series.
	watchedPeriod = 2 * time.Second
	idlePeriod    = 10 * time.Second
	// watchTime is for how long a Watch counts.
	watchTime = 15 * time.Second

	// maxLooks is how many looks there are at a time; further ones wait.
	maxLooks = 64

	// deadFirst and deadMost are for how long a server that has not answered is
	// left alone: it doubles with each look in vain.
	deadFirst = 2 * time.Second
	deadMost  = 15 * time.Second
)

// Fleet asks the servers. Its methods may be called concurrently. Its goroutines
// are looks and the ends of idle sessions with ZooKeeper; Close, which Run calls
// at its end, stops them and waits for them.
type Fleet struct {
	Options
	log *slog.Logger

	life  context.Context // ends with Close
	end   context.CancelFunc
	wg    sync.WaitGroup
	looks chan struct{} // holds one element for each look under way

	rows  shared[*rows]
	wake  chan struct{} // has an element when Run shall not wait any longer
	zoo   ensembles
	sight sight

	details details

	mu      sync.Mutex // guards what follows
	closed  bool
	hosts   map[int64]*host // by server id
	watched time.Time       // until when somebody watches
}

// New makes a Fleet. It starts nothing before it is asked something.
func New(o Options) *Fleet {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{
		Options: o,
		log:     o.Logger,
		looks:   make(chan struct{}, maxLooks),
		wake:    make(chan struct{}, 1),
		hosts:   make(map[int64]*host),
	}
	f.life, f.end = context.WithCancel(context.Background())
	f.zoo.init()
	f.sight.init()
	return f
}

// Run looks at the Towpath servers again and again, for their series: often while
// somebody watches. Canal's servers, which tell no numbers, are looked at only
// then. It returns when ctx ends, after Close.
func (f *Fleet) Run(ctx context.Context) {
	defer f.Close()
	for {
		f.round(ctx)
		period := idlePeriod
		if f.isWatched() {
			period = watchedPeriod
		}
		timer := time.NewTimer(period)
		select {
		case <-timer.C:
		case <-f.wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// round looks at all servers and writes down what it has seen.
func (f *Fleet) round(ctx context.Context) {
	r, err := f.readRows(ctx)
	if err != nil {
		if ctx.Err() == nil {
			f.log.Warn("the rows cannot be read, so no server is looked at", "error", err)
		}
		return
	}
	f.forgetOthers(r.servers)
	watched := f.isWatched()
	var hosts []*host
	for _, s := range r.servers {
		if h := f.host(s); watched || h.kind() != KindCanal {
			hosts = append(hosts, h)
		}
	}
	waiting, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	f.refresh(waiting, hosts, watchedPeriod/2)
	if watched {
		f.lookAtEnsembles(r)
	}
	if s, err := f.build(ctx); err == nil {
		f.sight.record(s)
	}
	f.zoo.closeIdle(f)
	f.details.forgetOld(f.Now())
}

// Watch says that somebody looks at the servers, so that they are looked at more
// often for a while.
func (f *Fleet) Watch() {
	f.mu.Lock()
	now := f.Now()
	began := !f.watched.After(now)
	f.watched = now.Add(watchTime)
	f.mu.Unlock()
	if began {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

func (f *Fleet) isWatched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watched.After(f.Now())
}

// Close ends all connections and waits for the looks under way. Whatever is asked
// afterwards gets no answer. A second Close is harmless.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	hosts := f.hosts
	f.hosts = make(map[int64]*host)
	f.mu.Unlock()
	f.end()
	for _, h := range hosts {
		h.close()
	}
	f.zoo.closeAll(f)
	f.wg.Wait()
}

// start runs a task that Close waits for. It reports whether it has, which it has
// not after Close.
func (f *Fleet) start(task func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.wg.Go(task)
	return true
}

// host is that of a registered server. One whose address has been changed gets
// connections of its own.
func (f *Fleet) host(s database.Server) *host {
	to := adminAddress(s)
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[s.ID]
	if h != nil && h.address == to {
		return h
	}
	if h != nil {
		f.wg.Go(h.close)
	}
	h = newHost(s.ID, to, f)
	if !f.closed {
		f.hosts[s.ID] = h
	}
	return h
}

// forgetOthers drops the hosts of servers that are not registered any more.
func (f *Fleet) forgetOthers(servers []database.Server) {
	registered := make(map[int64]bool, len(servers))
	for _, s := range servers {
		registered[s.ID] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, h := range f.hosts {
		if !registered[id] && !f.closed {
			delete(f.hosts, id)
			f.wg.Go(h.close)
		}
	}
}

// dialer connects only to what is allowed, whatever a name comes to.
func (f *Fleet) dialer() *net.Dialer {
	return &net.Dialer{Timeout: lookTimeout, Control: f.Allowed.Control}
}
