package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/control"
)

// rowsAge is for how long rows count. The database remembers them, too, and knows
// of its own changes.
const rowsAge = 250 * time.Millisecond

// rows is what is stored, at one moment.
type rows struct {
	clusters  []database.Cluster
	servers   []database.Server
	instances []database.Instance // without their texts
	ofCluster map[int64]database.Config
	ofServer  map[int64]database.Config // of those that are alone
}

func (f *Fleet) readRows(ctx context.Context) (*rows, error) {
	return f.rows.get(ctx, f, rowsAge, f.loadRows)
}

func (f *Fleet) loadRows(ctx context.Context) (*rows, error) {
	const limit = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &rows{ofCluster: make(map[int64]database.Config), ofServer: make(map[int64]database.Config)}
	var err error
	if r.clusters, err = f.DB.Clusters(ctx); err != nil {
		return nil, fmt.Errorf("read the clusters: %w", err)
	}
	if r.servers, _, err = f.DB.Servers(ctx, database.ServerFilter{}); err != nil {
		return nil, fmt.Errorf("read the servers: %w", err)
	}
	if r.instances, _, err = f.DB.Instances(ctx, database.InstanceFilter{}, false); err != nil {
		return nil, fmt.Errorf("read the instances: %w", err)
	}
	for _, c := range r.clusters {
		if err := keepConfig(r.ofCluster, c.ID, ctx, f.DB.ConfigOfCluster); err != nil {
			return nil, err
		}
	}
	for _, s := range r.servers {
		if s.ClusterID != nil {
			continue
		}
		if err := keepConfig(r.ofServer, s.ID, ctx, f.DB.ConfigOfServer); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func keepConfig(in map[int64]database.Config, id int64, ctx context.Context, read func(context.Context, int64) (database.Config, error)) error {
	c, err := read(ctx, id)
	switch {
	case errors.Is(err, database.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read a main configuration: %w", err)
	}
	in[id] = c
	return nil
}

// Snapshot is everything that is known at one moment. It is immutable and shared.
type Snapshot struct {
	At        time.Time
	Clusters  []*ClusterView
	Servers   []*ServerView   // by id
	Instances []*InstanceView // by id
	Total     TotalPoint

	clusters  map[int64]*ClusterView
	servers   map[int64]*ServerView
	instances map[int64]*InstanceView
}

// Cluster is the one with this id; nil when there is none.
func (s *Snapshot) Cluster(id int64) *ClusterView { return s.clusters[id] }

// Server is the one with this id; nil when there is none.
func (s *Snapshot) Server(id int64) *ServerView { return s.servers[id] }

// Instance is the one with this id; nil when there is none.
func (s *Snapshot) Instance(id int64) *InstanceView { return s.instances[id] }

// ClusterView is a stored cluster.
type ClusterView struct {
	Row     database.Cluster
	Config  *database.Config // nil when no main configuration is stored
	Servers []*ServerView

	// ZooKeeper is how the ensemble was when it was last checked; nil when nobody
	// has watched yet.
	ZooKeeper *ZooKeeperCheck
}

// ServerView is a stored server, and how it was when it was last looked at.
type ServerView struct {
	Row     database.Server
	Cluster *ClusterView     // nil when it is alone
	Config  *database.Config // that it shall run with; nil when none is stored
	*State
}

// OutOfDate tells whether the server runs with another main configuration than
// the stored one. Only Towpath servers tell.
func (v *ServerView) OutOfDate() bool {
	return v.Report != nil && v.Config != nil && v.Report.ConfigMD5 != "" && v.Report.ConfigMD5 != v.Config.ContentMD5
}

// The states of an InstanceView beside those of package control.
const (
	StateUnknown = "unknown" // no server that may run it can be asked
	StateDown    = "down"    // it shall run, and no server runs it
)

// InstanceView is a stored instance, and how it is on the servers that may run
// it.
type InstanceView struct {
	Row     database.Instance // without its text
	Cluster *ClusterView      // nil when it is alone
	Wanted  bool              // it shall run
	State   string
	On      *ServerView             // that State is of; nil for StateUnknown and StateDown
	Report  *control.InstanceReport // of On, in brief; nil when it is no Towpath server
	Rates   Rates

	candidates []*ServerView
}

// OutOfDate tells whether the instance runs with another text than the stored
// one.
func (v *InstanceView) OutOfDate() bool {
	return v.Report != nil && v.Row.ContentMD5 != nil && v.Report.ConfigMD5 != "" && v.Report.ConfigMD5 != *v.Row.ContentMD5
}

// Candidates are the servers that may run the instance.
func (v *InstanceView) Candidates() []*ServerView { return v.candidates }

// StateOn is what the instance is on one of its candidates.
func (v *InstanceView) StateOn(s *ServerView) (state string, report *control.InstanceReport) {
	switch report = s.Instance(v.Row.Name); {
	case report != nil:
		return report.State, report
	case s.Status == StatusUnreachable:
		return StateUnknown, nil
	case s.Report == nil && slices.Contains(s.Running, v.Row.Name):
		return control.StateRunning, nil
	}
	return control.StateStopped, nil
}

// Snapshot tells how everything is. It looks at servers that were not looked at
// for some seconds, and waits a tenth of a second for them at most.
func (f *Fleet) Snapshot(ctx context.Context) (*Snapshot, error) {
	r, err := f.readRows(ctx)
	if err != nil {
		return nil, err
	}
	hosts := make([]*host, len(r.servers))
	for i, s := range r.servers {
		hosts[i] = f.host(s)
	}
	waiting, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	f.refresh(waiting, hosts, snapshotAge)
	return f.build(ctx)
}

// build makes a Snapshot of what is known, or gives the last one while that is
// still true.
func (f *Fleet) build(ctx context.Context) (*Snapshot, error) {
	r, err := f.readRows(ctx)
	if err != nil {
		return nil, err
	}
	return f.sight.snapshot(r, func() *Snapshot { return f.join(r) }), nil
}

// join puts rows and looks together.
func (f *Fleet) join(r *rows) *Snapshot {
	s := &Snapshot{
		At:       f.Now(),
		clusters: make(map[int64]*ClusterView, len(r.clusters)), servers: make(map[int64]*ServerView, len(r.servers)),
		instances: make(map[int64]*InstanceView, len(r.instances)),
	}
	for _, row := range r.clusters {
		c := &ClusterView{Row: row, Config: configOf(r.ofCluster, row.ID)}
		if check, at := f.zoo.check(r.ensembleKey(row)).last(); !at.IsZero() {
			c.ZooKeeper = &check
		}
		s.Clusters = append(s.Clusters, c)
		s.clusters[row.ID] = c
	}
	for _, row := range r.servers {
		v := &ServerView{Row: row, State: f.host(row).current()}
		if row.ClusterID == nil {
			v.Config = configOf(r.ofServer, row.ID)
		} else if c := s.clusters[*row.ClusterID]; c != nil {
			v.Cluster, v.Config = c, c.Config
			c.Servers = append(c.Servers, v)
		}
		s.Servers = append(s.Servers, v)
		s.servers[row.ID] = v
	}
	run := make(map[string][]*ServerView) // who runs a destination
	for _, v := range s.Servers {
		for _, destination := range v.Running {
			run[destination] = append(run[destination], v)
		}
	}
	for _, row := range r.instances {
		v := s.instance(row, run[row.Name])
		s.Instances = append(s.Instances, v)
		s.instances[row.ID] = v
	}
	s.total()
	return s
}

func configOf(from map[int64]database.Config, id int64) *database.Config {
	c, ok := from[id]
	if !ok {
		return nil
	}
	return &c
}

// instance finds out how an instance is. run are all servers that run an instance
// of this name.
func (s *Snapshot) instance(row database.Instance, run []*ServerView) *InstanceView {
	v := &InstanceView{Row: row, Wanted: row.Status != nil && *row.Status == "1"}
	if row.ClusterID != nil {
		if v.Cluster = s.clusters[*row.ClusterID]; v.Cluster != nil {
			v.candidates = v.Cluster.Servers
		}
	} else if row.ServerID != nil {
		if on := s.servers[*row.ServerID]; on != nil {
			v.candidates = []*ServerView{on}
		}
	}
	for _, on := range run {
		if slices.Contains(v.candidates, on) {
			v.be(on)
			return v
		}
	}
	v.State = StateDown
	asked := false
	for _, on := range v.candidates {
		if on.Status == StatusUnreachable {
			continue
		}
		asked = true
		if state, _ := v.StateOn(on); rank(state) > rank(v.State) {
			v.be(on)
		}
	}
	switch {
	case v.On != nil:
	case !v.Wanted && (asked || len(v.candidates) == 0):
		v.State = control.StateStopped
	case !asked && len(v.candidates) > 0:
		v.State = StateUnknown
	}
	return v
}

// be takes the state of an instance on one server for that of the instance.
func (v *InstanceView) be(on *ServerView) {
	v.On = on
	v.State, v.Report = v.StateOn(on)
	v.Rates = on.rates[v.Row.Name]
}

// rank orders the states of an instance that runs nowhere by how much they tell
// of the reason.
func rank(state string) int {
	return slices.Index([]string{StateDown, control.StateWaiting, control.StateLazy, control.StateFailed, control.StateStarting}, state)
}

// total adds everything up.
func (s *Snapshot) total() {
	t := &s.Total
	t.AtMs = s.At.UnixMilli()
	for _, v := range s.Servers {
		t.RowsRate += v.Rates.Rows
		t.BytesRate += v.Rates.Bytes
		if v.Report != nil {
			t.Memory += v.Report.Memory
		}
	}
	for _, v := range s.Instances {
		switch {
		case v.State == control.StateRunning:
			t.Running++
		case v.State == StateUnknown:
			t.Unknown++
		case v.Troubled():
			t.Troubled++
		}
		if v.Report != nil {
			t.MaxLagMs = max(t.MaxLagMs, v.Report.LagMs)
		}
	}
}

// Troubled tells whether the instance shall run and does not work.
func (v *InstanceView) Troubled() bool {
	switch v.State {
	case control.StateFailed, control.StateRetrying, control.StateWaiting:
		return true
	case StateDown:
		return v.Wanted
	}
	return false
}

// HasAddress tells whether a server is the one that clients and other servers
// know by this ip:port.
func (v *ServerView) HasAddress(address string) bool { return v.Address() == address }

// Address is the one for clients: what the server tells, or else what is stored.
func (v *ServerView) Address() string {
	if v.Report != nil && v.Report.Address != "" {
		return v.Report.Address
	}
	if v.Row.TCPPort == nil {
		return v.Row.IP
	}
	return net.JoinHostPort(strings.Trim(v.Row.IP, "[]"), strconv.Itoa(int(*v.Row.TCPPort)))
}

// sight keeps the last Snapshot, and the series.
type sight struct {
	mu       sync.Mutex // guards what follows
	changes  int        // looks since the start
	built    int        // what changes was when latest was made
	from     *rows
	latest   *Snapshot
	changed  chan struct{} // closed and replaced when something has been recorded
	total    ring[TotalPoint]
	servers  map[int64]*ring[ServerPoint]
	instance map[int64]*ring[Point]
}

func (s *sight) init() {
	s.changed = make(chan struct{})
	s.servers, s.instance = make(map[int64]*ring[ServerPoint]), make(map[int64]*ring[Point])
}

// touch says that there is something new.
func (s *sight) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
}

func (s *sight) snapshot(r *rows, join func() *Snapshot) *Snapshot {
	s.mu.Lock()
	if s.latest != nil && s.built == s.changes && s.from == r {
		defer s.mu.Unlock()
		return s.latest
	}
	changes := s.changes
	s.mu.Unlock()
	made := join() // takes the locks of hosts, which are taken before this one
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest, s.built, s.from = made, changes, r
	return made
}

// record adds a point to all series, and forgets those of what is gone.
func (s *sight) record(at *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.add(at.Total, maxServerPoints)
	ms := at.At.UnixMilli()
	for id := range s.servers {
		if at.servers[id] == nil {
			delete(s.servers, id)
		}
	}
	for id := range s.instance {
		if at.instances[id] == nil {
			delete(s.instance, id)
		}
	}
	for _, v := range at.Servers {
		if v.Report != nil {
			of(s.servers, v.Row.ID).add(ServerPoint{ms, float32(v.Rates.CPU), float32(v.Rates.Rows), v.Report.Memory}, maxServerPoints)
		}
	}
	for _, v := range at.Instances {
		if v.Report == nil || v.Report.Store == nil || s.instance[v.Row.ID] == nil && len(s.instance) >= maxSeries {
			continue
		}
		of(s.instance, v.Row.ID).add(Point{ms, v.Rates, v.Report.LagMs, v.Report.LagBytes, v.Report.Store.UsedBytes}, maxInstancePoints)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

func of[P interface{ at() int64 }](series map[int64]*ring[P], id int64) *ring[P] {
	if series[id] == nil {
		series[id] = new(ring[P])
	}
	return series[id]
}

// Changed is closed at the end of the next round of Run.
func (f *Fleet) Changed() <-chan struct{} {
	f.sight.mu.Lock()
	defer f.sight.mu.Unlock()
	return f.sight.changed
}

// TotalSeries are the points after a moment, in milliseconds since the epoch, of
// the last hour at most.
func (f *Fleet) TotalSeries(afterMs int64) []TotalPoint {
	f.sight.mu.Lock()
	defer f.sight.mu.Unlock()
	return f.sight.total.after(max(afterMs, f.Now().Add(-maxServerAge).UnixMilli()))
}

// ServerSeries is TotalSeries of one server.
func (f *Fleet) ServerSeries(id, afterMs int64) []ServerPoint {
	f.sight.mu.Lock()
	defer f.sight.mu.Unlock()
	if f.sight.servers[id] == nil {
		return nil
	}
	return f.sight.servers[id].after(max(afterMs, f.Now().Add(-maxServerAge).UnixMilli()))
}

// InstanceSeries is TotalSeries of one instance; it reaches back 15 minutes while
// somebody watches, and up to an hour else.
func (f *Fleet) InstanceSeries(id, afterMs int64) []Point {
	f.sight.mu.Lock()
	defer f.sight.mu.Unlock()
	if f.sight.instance[id] == nil {
		return nil
	}
	return f.sight.instance[id].after(max(afterMs, f.Now().Add(-maxInstanceAge).UnixMilli()))
}

// LagGrowth is by how many milliseconds the lag of an instance is more than it was
// one minute before; 0 when that is not known, or it is less.
func (f *Fleet) LagGrowth(id int64) int64 {
	f.sight.mu.Lock()
	defer f.sight.mu.Unlock()
	r := f.sight.instance[id]
	if r == nil {
		return 0
	}
	last, ok := r.last()
	if !ok {
		return 0
	}
	const least = 45 * time.Second // that the points must span
	first := r.get(r.search(last.AtMs - time.Minute.Milliseconds() - 1))
	if last.AtMs-first.AtMs < least.Milliseconds() || first.LagMs < 0 {
		return 0
	}
	return max(0, last.LagMs-first.LagMs)
}
