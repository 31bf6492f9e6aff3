package fleet

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/control"
)

func instanceRow(id int64, name string, cluster, server int64) database.Instance {
	wanted, md5 := "1", "stored"
	i := database.Instance{ID: id, Name: name, Status: &wanted, ContentMD5: &md5}
	if cluster != 0 {
		i.ClusterID = &cluster
	}
	if server != 0 {
		i.ServerID = &server
	}
	return i
}

func (r *stored) clusterOf(id int64) {
	r.clusters = append(r.clusters, database.Cluster{ID: id, Name: fmt.Sprintf("cluster%d", id)})
}

// TestSnapshot: the state of an instance is the one of the server that runs it, or
// else the one that tells most.
func TestSnapshot(t *testing.T) {
	first, second := &backend{report: running("runs", "elsewhere")}, &backend{report: running()}
	for name, state := range map[string]string{"runs": control.StateStandby, "fails": control.StateFailed, "stands": control.StateStandby, "off": control.StateStopped} {
		second.report.Instances = append(second.report.Instances, control.InstanceReport{Destination: name, State: state, Reason: "because", LagMs: -1})
	}
	first.report.Instances[0].ConfigMD5 = "another"
	first.report.Instances[0].LagMs = 500
	rows := &stored{configs: map[int64]database.Config{1: {ContentMD5: "main"}}}
	rows.clusterOf(1)
	rows.clusterOf(2)
	rows.servers = []database.Server{in(1, serverRow(1, serve(t, first))), in(1, serverRow(2, serve(t, second))), serverRow(3, closedPort(t))}
	off := instanceRow(5, "off", 1, 0)
	stop := "0"
	off.Status = &stop
	rows.instances = []database.Instance{
		instanceRow(1, "runs", 1, 0), instanceRow(2, "fails", 1, 0), instanceRow(3, "stands", 1, 0), instanceRow(4, "unasked", 0, 3), off,
		instanceRow(6, "elsewhere", 2, 0), instanceRow(7, "nowhere", 0, 0), instanceRow(8, "missing", 1, 0),
	}
	f := newFleet(t, rows)
	f.ServerStatuses(t.Context(), rows.servers)
	s, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[int64]string{1: control.StateRunning, 2: control.StateFailed, 3: StateDown, 4: StateUnknown, 5: control.StateStopped, 6: StateDown, 7: StateDown, 8: StateDown}
	for id, state := range want {
		if v := s.Instance(id); v == nil || v.State != state {
			t.Errorf("instance %d: %+v, want state %s", id, v, state)
		}
	}
	if v := s.Instance(1); v.On == nil || v.On.Row.ID != 1 || !v.OutOfDate() || len(v.Candidates()) != 2 {
		t.Errorf("the one that runs: %+v", v)
	} else if state, report := v.StateOn(s.Server(2)); state != control.StateStandby || report == nil {
		t.Errorf("on the other server it is %s", state)
	}
	if s.Total.Running != 1 || s.Total.Troubled != 5 || s.Total.Unknown != 1 || s.Total.MaxLagMs != 500 {
		t.Errorf("total = %+v", s.Total)
	}
	if c := s.Cluster(1); c.Config == nil || len(c.Servers) != 2 || s.Cluster(2).Config != nil || s.Cluster(9) != nil {
		t.Errorf("cluster = %+v", c)
	}
	if again, _ := f.Snapshot(t.Context()); again != s && again.At.Before(s.At) {
		t.Error("an older snapshot")
	}
}

// TestRun: servers are looked at in rounds, which make points of the series; what
// is gone from the rows is forgotten.
func TestRun(t *testing.T) {
	b := &backend{report: running("a")}
	rows := &stored{}
	rows.servers = []database.Server{serverRow(1, serve(t, b))}
	rows.instances = []database.Instance{instanceRow(1, "a", 0, 1)}
	f := newFleet(t, rows)
	changed := f.Changed()
	done := make(chan struct{})
	f.Watch()
	go func() { defer close(done); f.Run(t.Context()) }()
	for range 2 {
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Fatal("no round in ten seconds")
		}
		b.set(func(r *control.ServerReport) {
			r.NowMs += 1000
			r.Instances[0].Store = &control.StoreReport{GetRows: 5000}
		})
		changed = f.Changed()
	}
	if n := len(f.InstanceSeries(1, 0)); n < 2 {
		t.Errorf("%d points of the instance", n)
	}
	if n := len(f.ServerSeries(1, 0)); n < 2 || len(f.TotalSeries(0)) < 2 {
		t.Errorf("%d points of the server", n)
	}
	rows.mu.Lock()
	rows.servers, rows.instances = nil, nil
	rows.mu.Unlock()
	for end := time.Now().Add(10 * time.Second); f.ServerSeries(1, 0) != nil && time.Now().Before(end); {
		<-f.Changed()
	}
	f.mu.Lock()
	left := len(f.hosts)
	f.mu.Unlock()
	if left != 0 || f.InstanceSeries(1, 0) != nil {
		t.Errorf("%d hosts are left of what is not registered any more", left)
	}
	f.Close()
	select {
	case <-done:
		t.Error("Run returned before its context ended")
	default:
	}
}

// TestSnapshotDoesNotWait: a server that cannot be reached and one that answers late do not
// keep the others out of a snapshot.
func TestSnapshotDoesNotWait(t *testing.T) {
	late := &backend{report: running("late"), hold: make(chan struct{})}
	rows := &stored{servers: []database.Server{serverRow(1, serve(t, late)), serverRow(2, serve(t, &backend{report: running("a")}))}}
	f := newFleet(t, rows)
	begun := time.Now()
	s, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 10*snapshotTime {
		t.Errorf("it took %v", took)
	}
	if s.Server(1).Status != StatusUnreachable || s.Server(1).Err != ErrNotAsked {
		t.Errorf("the late one: %+v", s.Server(1).State)
	}
	close(late.hold)
}

// fleetOf is a cluster of servers, all of which compete for all instances; every
// instance runs on one of them. Some servers are dead.
func fleetOf(t testing.TB, servers, dead, instances int) (*Fleet, []*backend) {
	rows := &stored{}
	rows.clusterOf(1)
	var backends []*backend
	for i := range servers {
		if i < dead {
			port, _ := accepting(t)
			rows.servers = append(rows.servers, in(1, serverRow(int64(i+1), port)))
			continue
		}
		b := &backend{report: running()}
		for k := range instances {
			r := control.InstanceReport{Destination: fmt.Sprintf("instance%04d", k), State: control.StateStandby, SinceMs: 1, LagMs: -1, LagBytes: -1}
			if k%(servers-dead) == i-dead {
				r.State, r.LagMs = control.StateRunning, int64(k)
				r.Source = &control.SourceReport{Phase: "streaming", Address: "10.0.0.1:3306", Version: "8.0.36", Read: control.Position{File: "mysql-bin.000012", Offset: 4711}, Head: control.Position{File: "mysql-bin.000012", Offset: 4711}}
				r.Pipeline, r.Store = &control.PipelineReport{}, &control.StoreReport{Slots: 16384}
				r.Clients = []control.ClientReport{{ID: 1001, Filter: `.*\..*`, Connected: []string{"10.0.0.9:51234"}, HasCursor: true}}
			}
			b.report.Instances = append(b.report.Instances, r)
		}
		backends = append(backends, b)
		rows.servers = append(rows.servers, in(1, serverRow(int64(i+1), serve(t, b))))
	}
	for k := range instances {
		rows.instances = append(rows.instances, instanceRow(int64(k+1), fmt.Sprintf("instance%04d", k), 1, 0))
	}
	return newFleet(t, rows), backends
}

// TestQuestions: a page view costs one question to each server at most, however
// many instances there are, and views within two seconds none.
func TestQuestions(t *testing.T) {
	f, backends := fleetOf(t, 12, 2, 200)
	f.ServerStatuses(t.Context(), f.DB.(*stored).servers)
	for range 20 {
		s, err := f.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Instances) != 200 || s.Total.Running != 200 {
			t.Fatalf("total = %+v", s.Total)
		}
		f.RunningInstances(t.Context(), f.DB.(*stored).servers)
	}
	for i, b := range backends {
		if n := b.questions.Load(); n < 1 || n > 3 { // the race detector may make it last a second
			t.Errorf("server %d was asked %d times", i, n)
		}
	}
}

// BenchmarkSnapshot is a view of 1000 instances on 50 servers, 5 of which are dead
// and let connections in: once with all looks fresh, and once with each server
// being asked for it.
func BenchmarkSnapshot(b *testing.B) {
	f, _ := fleetOf(b, 50, 5, 1000)
	ctx := b.Context()
	for f.host(f.DB.(*stored).servers[0]).current().At.IsZero() {
		f.ServerStatuses(ctx, f.DB.(*stored).servers)
	}
	b.Run("built anew", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.sight.touch()
			if _, err := f.Snapshot(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all asked", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			for _, s := range f.DB.(*stored).servers[5:] {
				f.host(s).expire()
			}
			begun := time.Now()
			if _, err := f.Snapshot(ctx); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms-max")
	})
	b.Run("heap with full series", func(b *testing.B) { // the 45 servers included
		for range maxInstancePoints {
			s, err := f.build(ctx)
			if err != nil {
				b.Fatal(err)
			}
			f.sight.record(s)
		}
		var m runtime.MemStats
		for b.Loop() {
			runtime.GC()
			runtime.ReadMemStats(&m)
		}
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB")
	})
}
