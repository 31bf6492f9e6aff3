package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/meta"
)

type overviewRequest struct {
	pageRequest
	Name      string `query:"name" json:"-" doc:"a part of the name, in any case"`
	ClusterID *int64 `query:"clusterId" json:"-" doc:"-1: instances that belong to no cluster"`
	ServerID  *int64 `query:"serverId" json:"-" doc:"that runs it, or that it belongs to"`
	State     string `query:"state" json:"-" doc:"one or more states, separated by commas; quarantined for those with tables in quarantine"`
	Sort      string `query:"sort" json:"-" doc:"name (the default), lag, rate, state or modified; -name and so on for the other direction"`
}

// instances filters and sorts what is known, and makes the words of one page.
func (a *API) instances(ctx context.Context, _ identity.Principal, req overviewRequest) (Page[InstanceSummary], error) {
	page, size, offset := req.resolve()
	out := Page[InstanceSummary]{Items: []InstanceSummary{}, Page: page, Size: size}
	order, err := instanceOrder(req.Sort)
	if err != nil {
		return out, err
	}
	s, err := a.snapshot(ctx)
	if err != nil {
		return out, err
	}
	matching := make([]*fleet.InstanceView, 0, len(s.Instances))
	for _, v := range s.Instances {
		if req.matches(v) {
			matching = append(matching, v)
		}
	}
	slices.SortStableFunc(matching, order)
	out.Count = int64(len(matching))
	chinese := callerOf(ctx).chinese
	for _, v := range matching[min(offset, len(matching)):min(offset+size, len(matching))] {
		out.Items = append(out.Items, instanceSummary(v, chinese))
	}
	return out, nil
}

func (r *overviewRequest) matches(v *fleet.InstanceView) bool {
	if r.Name != "" && !strings.Contains(strings.ToLower(v.Row.Name), strings.ToLower(strings.TrimSpace(r.Name))) {
		return false
	}
	if r.ClusterID != nil && (*r.ClusterID == -1) != (v.Row.ClusterID == nil) ||
		r.ClusterID != nil && *r.ClusterID != -1 && *v.Row.ClusterID != *r.ClusterID {
		return false
	}
	if r.ServerID != nil && !(v.Row.ServerID != nil && *v.Row.ServerID == *r.ServerID) && !(v.On != nil && v.On.Row.ID == *r.ServerID) {
		return false
	}
	if r.State == "" {
		return true
	}
	states := strings.Split(r.State, ",")
	return slices.Contains(states, v.State) || quarantined(v) > 0 && slices.Contains(states, stateQuarantined)
}

// stateQuarantined is asked for as if it were a state: that tables are in quarantine.
const stateQuarantined = "quarantined"

// instanceOrder is how to sort.
func instanceOrder(by string) (func(a, b *fleet.InstanceView) int, error) {
	field, backwards := strings.CutPrefix(by, "-")
	orders := map[string]func(a, b *fleet.InstanceView) int{
		"":         byName,
		"name":     byName,
		"lag":      func(a, b *fleet.InstanceView) int { return cmp.Compare(lagOf(a), lagOf(b)) },
		"rate":     func(a, b *fleet.InstanceView) int { return cmp.Compare(a.Rates.GetRows, b.Rates.GetRows) },
		"state":    func(a, b *fleet.InstanceView) int { return cmp.Compare(stateOrder(a), stateOrder(b)) },
		"modified": func(a, b *fleet.InstanceView) int { return a.Row.Modified.Compare(b.Row.Modified) },
	}
	order := orders[field]
	if order == nil {
		return nil, fail(reasonInvalid, text{"Cannot sort by %q", "不支持按 %q 排序"}, by)
	}
	return func(a, b *fleet.InstanceView) int {
		first := order(a, b)
		if backwards {
			first = -first
		}
		return cmp.Or(first, byName(a, b))
	}, nil
}

func byName(a, b *fleet.InstanceView) int { return strings.Compare(a.Row.Name, b.Row.Name) }

func lagOf(v *fleet.InstanceView) int64 {
	if v.Report == nil {
		return -1
	}
	return v.Report.LagMs
}

// quarantined is how many tables of an instance are in quarantine.
func quarantined(v *fleet.InstanceView) int {
	if v.Report == nil {
		return 0
	}
	return v.Report.Quarantined
}

// stateOrder puts first what a person should look at.
func stateOrder(v *fleet.InstanceView) int {
	return slices.Index([]string{fleet.StateDown, control.StateFailed, control.StateRetrying, control.StateWaiting, fleet.StateUnknown,
		control.StateStarting, control.StateRunning, control.StateLazy, control.StateStandby, control.StateStopped}, v.State)
}

func instanceSummary(v *fleet.InstanceView, chinese bool) InstanceSummary {
	out := InstanceSummary{
		ID: v.Row.ID, Name: v.Row.Name, Wanted: v.Wanted, State: v.State,
		LagMs: -1, LagBytes: -1, RowsRate: float64(v.Rates.GetRows), OutOfDate: v.OutOfDate(), ModifiedMs: unixMilli(v.Row.Modified),
		Quarantined: quarantined(v),
	}
	if v.Row.ClusterID != nil {
		out.ClusterID = *v.Row.ClusterID
	}
	if v.Cluster != nil {
		out.ClusterName = v.Cluster.Row.Name
	}
	on := v.On
	if candidates := v.Candidates(); on == nil && v.Row.ServerID != nil && len(candidates) == 1 {
		on = candidates[0]
	}
	if on != nil {
		out.ServerID, out.ServerName = on.Row.ID, on.Row.Name
	}
	if r := v.Report; r != nil {
		out.Reason, out.Remedy, out.LagMs, out.LagBytes, out.Clients = r.Reason, r.Remedy, r.LagMs, r.LagBytes, len(r.Clients)
		if r.Source != nil {
			out.Source = r.Source.Address
		}
	}
	if out.Reason == "" {
		why := missing(v)
		out.Reason, out.Remedy = why.reason.in(chinese), why.remedy.in(chinese)
	}
	return out
}

// missing says why an instance runs on no server.
func missing(v *fleet.InstanceView) trouble {
	candidates := v.Candidates()
	switch {
	case v.State != fleet.StateDown && v.State != fleet.StateUnknown || !v.Wanted && v.State == fleet.StateDown:
		return trouble{}
	case len(candidates) == 0 && v.Cluster != nil:
		return trouble{text{"the cluster has no server", "集群中没有 Server"},
			text{"start a server with canal.admin.register.cluster, or add one here", "请用 canal.admin.register.cluster 启动一个 Server，或在此新建"}}
	case len(candidates) == 0:
		return trouble{text{"it belongs to no cluster and to no server", "未指定所属集群或主机"}, text{"choose one in its configuration", "请在其配置中选择所属集群或主机"}}
	case v.State == fleet.StateUnknown && len(candidates) == 1:
		return unreachable(candidates[0].Err)
	case v.State == fleet.StateUnknown:
		return trouble{text{"no server that may run it can be asked", "可运行它的 Server 均无法访问"}, text{"start the servers, or look why the admin cannot reach them", "请启动 Server，或检查 admin 与其之间的连接"}}
	}
	return notRun(candidates)
}

// notRun says why none of the servers, some of which can be asked, runs an
// instance.
func notRun(candidates []*fleet.ServerView) trouble {
	stopped, unreached := 0, 0
	for _, c := range candidates {
		switch c.Status {
		case fleet.StatusStopped:
			stopped++
		case fleet.StatusUnreachable:
			unreached++
		}
	}
	switch {
	case stopped+unreached == len(candidates):
		return trouble{text{"the service of the server is stopped", "Server 服务已停止"}, text{"start it", "请启动 Server"}}
	case unreached > 0:
		return trouble{text{"no server that can be asked runs it", "可访问的 Server 均未运行该 Instance"}, text{"a server that the admin cannot reach may run it; look at the others' logs", "它可能运行在 admin 无法访问的 Server 上，请查看其他 Server 的日志"}}
	}
	return trouble{text{"no server runs it", "没有 Server 运行该 Instance"}, text{"a server takes it within seconds; if none does, look at the logs of the instance", "Server 会在数秒内接管；若未接管，请查看 Instance 日志"}}
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// detailTime bounds what the page of an instance waits for its server and for
// ZooKeeper.
const detailTime = 1500 * time.Millisecond

func (a *API) instanceDetail(ctx context.Context, _ identity.Principal, req idRequest) (InstanceDetail, error) {
	return a.detailOf(ctx, req.ID, 0)
}

// detailOf is all about an instance, with what is in its series after a moment.
func (a *API) detailOf(ctx context.Context, id, afterMs int64) (InstanceDetail, error) {
	f, err := a.watched()
	if err != nil {
		return InstanceDetail{}, err
	}
	s, err := f.Snapshot(ctx)
	if err != nil {
		return InstanceDetail{}, err
	}
	v := s.Instance(id)
	if v == nil {
		return InstanceDetail{}, notFound(instanceWord)
	}
	chinese := callerOf(ctx).chinese
	out := InstanceDetail{InstanceSummary: instanceSummary(v, chinese), Report: v.Report, Rates: ratesOf(v.Rates),
		Series: []RatesPoint{}, Servers: []InstanceOnServer{}, Cursors: []ClusterCursor{}}
	if v.On != nil {
		out.AtMs = unixMilli(v.On.At)
	}
	for _, p := range f.InstanceSeries(id, afterMs) {
		out.Series = append(out.Series, RatesPoint{AtMs: p.AtMs, Rates: ratesOf(p.Rates), LagMs: p.LagMs, LagBytes: p.LagBytes, Used: p.Used})
	}
	for _, c := range v.Candidates() {
		out.Servers = append(out.Servers, instanceOnServer(v, c, chinese))
	}
	waiting, cancel := context.WithTimeout(ctx, detailTime)
	defer cancel()
	if v.Report != nil {
		if full, at, err := f.InstanceReport(waiting, v); err == nil {
			out.Report, out.AtMs = full, unixMilli(at)
		}
		if out.Report != nil {
			brief := *out.Report
			brief.ConfigMD5 = "" // see md5For; OutOfDate tells what it is for
			out.Report = &brief
		}
	} else if v.Cluster != nil {
		if subscriptions, err := f.Cursors(waiting, v.Cluster.Row, v.Row.Name); err == nil {
			out.Cursors = clusterCursors(subscriptions)
		}
	}
	return out, nil
}

func ratesOf(r fleet.Rates) Rates {
	return Rates{ReadBytes: float64(r.ReadBytes), ReadEvents: float64(r.ReadEvents), PutRows: float64(r.PutRows),
		GetRows: float64(r.GetRows), AckRows: float64(r.AckRows), Transactions: float64(r.Transactions)}
}

func instanceOnServer(v *fleet.InstanceView, c *fleet.ServerView, chinese bool) InstanceOnServer {
	state, report := v.StateOn(c)
	out := InstanceOnServer{ServerID: c.Row.ID, ServerName: c.Row.Name, Address: c.Address(), Towpath: c.Kind == fleet.KindTowpath,
		State: state, SinceMs: unixMilli(c.Since)}
	switch {
	case report != nil:
		out.SinceMs, out.Reason, out.Remedy = report.SinceMs, report.Reason, report.Remedy
	case c.Err != nil:
		why := unreachable(c.Err)
		out.Reason, out.Remedy = why.reason.in(chinese), why.remedy.in(chinese)
	}
	return out
}

func clusterCursors(subscriptions []meta.Subscription) []ClusterCursor {
	out := make([]ClusterCursor, 0, len(subscriptions))
	for _, s := range subscriptions {
		c := ClusterCursor{ClientID: int(s.Client.ID), Filter: s.Filter, Client: s.ActiveClient}
		if s.HasCursor {
			at := s.Cursor.Position
			c.Cursor = control.Position{File: at.File, Offset: int64(at.Offset), GTIDSet: at.GTIDSet, TimestampMs: at.Timestamp}
		}
		out = append(out, c)
	}
	return out
}

// findInstance is the stored row, with its text.
func (a *API) findInstance(ctx context.Context, id int64) (database.Instance, error) {
	i, err := a.db.Instance(ctx, id)
	return i, orNotFound(err, instanceWord)
}

// instanceView is an instance and the fleet that knows of it.
func (a *API) instanceView(ctx context.Context, id int64) (*fleet.Fleet, *fleet.InstanceView, error) {
	f, err := a.watched()
	if err != nil {
		return nil, nil, err
	}
	s, err := f.Snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	v := s.Instance(id)
	if v == nil {
		return nil, nil, notFound(instanceWord)
	}
	return f, v, nil
}

// errNowhere refuses what only the server that runs an instance can do.
var errNowhere = fail(reasonNotRunning, text{"No server runs the instance", "没有 Server 运行该 Instance"}).
	withRemedy(text{"start it, and repeat this when it runs", "请先启动该 Instance，运行后重试"})

// runningOn is the server that runs an instance.
func runningOn(v *fleet.InstanceView) (*fleet.ServerView, error) {
	if v.On == nil {
		return nil, errNowhere
	}
	return v.On, nil
}
