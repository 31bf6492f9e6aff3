package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// me tells the pages who is logged in. Whoever has to change the password first
// gets this, too.
func (a *API) me(ctx context.Context, p identity.Principal, _ struct{}) (Me, error) {
	_, seconds := time.Now().In(a.dates.zone).Zone()
	out := Me{ID: p.User.ID, Username: p.User.Username, Name: p.User.Name, Role: string(p.Role),
		MustChangePassword: p.MustChange, Version: a.Version, ZoneMinutes: seconds / 60}
	if p.Role.Allows(identity.RoleAdmin) && !p.MustChange {
		out.ServerUser = a.identity.PollUser()
	}
	return out, nil
}

type serversOfRequest struct {
	ClusterID *int64 `query:"clusterId" json:"-" doc:"-1: servers that are alone"`
}

func (a *API) servers(ctx context.Context, _ identity.Principal, req serversOfRequest) ([]ServerSummary, error) {
	s, err := a.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := []ServerSummary{}
	for _, v := range s.Servers {
		alone := v.Row.ClusterID == nil
		if req.ClusterID == nil || *req.ClusterID == -1 && alone || !alone && *v.Row.ClusterID == *req.ClusterID {
			out = append(out, a.serverSummary(v, callerOf(ctx).chinese))
		}
	}
	return out, nil
}

func (a *API) serverSummary(v *fleet.ServerView, chinese bool) ServerSummary {
	out := ServerSummary{
		ID: v.Row.ID, Name: v.Row.Name, IP: v.Row.IP, AdminPort: port(v.Row.AdminPort), TCPPort: port(v.Row.TCPPort), MetricPort: port(v.Row.MetricPort),
		Status: v.Status, Kind: v.Kind, Secure: v.Secure, SinceMs: unixMilli(v.Since), LastPollMs: unixMilli(a.Polls.Last(v.Row.ID)),
		OutOfDate: v.OutOfDate(), Instances: len(v.Running), RowsRate: v.Rates.Rows, CPU: v.Rates.CPU,
	}
	if v.Row.ClusterID != nil {
		out.ClusterID = *v.Row.ClusterID
	}
	if v.Cluster != nil {
		out.ClusterName = v.Cluster.Row.Name
	}
	if v.Err != nil {
		why := unreachable(v.Err)
		out.Error, out.Remedy = why.reason.in(chinese), why.remedy.in(chinese)
	}
	if v.Report != nil {
		out.Draining = v.Report.Draining
		brief := *v.Report
		brief.Instances = []control.InstanceReport{}
		brief.ConfigMD5 = "" // see md5For; OutOfDate tells what it is for
		out.Report = &brief
	}
	return out
}

func port(p *int32) int {
	if p == nil {
		return 0
	}
	return int(*p)
}

func (a *API) oneServerDetail(ctx context.Context, _ identity.Principal, req idRequest) (ServerDetail, error) {
	f, v, _, err := a.serverView(ctx, req.ID)
	if err != nil {
		return ServerDetail{}, err
	}
	s, err := f.Snapshot(ctx)
	if err != nil {
		return ServerDetail{}, err
	}
	out := ServerDetail{ServerSummary: a.serverSummary(v, callerOf(ctx).chinese), Own: instancesOn(s, v), Series: []ServerPoint{}}
	for _, p := range f.ServerSeries(req.ID, 0) {
		out.Series = append(out.Series, ServerPoint{AtMs: p.AtMs, CPU: float64(p.CPU), Memory: p.Memory, RowsRate: float64(p.Rows)})
	}
	return out, nil
}

// serverView is a server, the fleet and the snapshot that know of it.
func (a *API) serverView(ctx context.Context, id int64) (*fleet.Fleet, *fleet.ServerView, *fleet.Snapshot, error) {
	f, err := a.watched()
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := f.Snapshot(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	v := s.Server(id)
	if v == nil {
		return nil, nil, nil, notFound(serverWord)
	}
	return f, v, s, nil
}

// instancesOn are those that a server tells of, and those that it may run.
func instancesOn(s *fleet.Snapshot, v *fleet.ServerView) []InstanceOnThis {
	out := []InstanceOnThis{}
	stored := make(map[string]bool)
	for _, i := range s.Instances {
		if !slices.Contains(i.Candidates(), v) {
			continue
		}
		stored[i.Row.Name] = true
		state, report := i.StateOn(v)
		one := InstanceOnThis{InstanceID: i.Row.ID, Name: i.Row.Name, State: state}
		if report != nil {
			one.SinceMs, one.Reason, one.Remedy, one.Quarantined = report.SinceMs, report.Reason, report.Remedy, report.Quarantined
		}
		out = append(out, one)
	}
	for _, name := range v.Running {
		if stored[name] {
			continue
		}
		one := InstanceOnThis{Name: name, State: "running"}
		if r := v.Instance(name); r != nil {
			one.State, one.SinceMs, one.Reason, one.Remedy, one.Quarantined = r.State, r.SinceMs, r.Reason, r.Remedy, r.Quarantined
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b InstanceOnThis) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// findServer is the stored row.
func (a *API) findServer(ctx context.Context, id int64) (database.Server, error) {
	s, err := a.db.Server(ctx, id)
	return s, orNotFound(err, serverWord)
}

// findCluster is the stored row.
func (a *API) findCluster(ctx context.Context, id int64) (database.Cluster, error) {
	c, err := a.db.Cluster(ctx, id)
	return c, orNotFound(err, clusterWord)
}
