package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

const (
	// listed is how many of the busiest and the slowest instances are shown.
	listed = 10
	// maxAttention is how much of what a person should look at is shown; errors come
	// first.
	maxAttention = 200
)

func (a *API) dashboard(ctx context.Context, _ identity.Principal, _ struct{}) (Dashboard, error) {
	return a.dashboardAfter(ctx, 0)
}

// dashboardAfter is the dashboard with what is in its series after a moment.
func (a *API) dashboardAfter(ctx context.Context, afterMs int64) (Dashboard, error) {
	f, err := a.watched()
	if err != nil {
		return Dashboard{}, err
	}
	s, err := f.Snapshot(ctx)
	if err != nil {
		return Dashboard{}, err
	}
	chinese := callerOf(ctx).chinese
	out := Dashboard{AtMs: s.At.UnixMilli(), Clusters: len(s.Clusters), RowsRate: s.Total.RowsRate, BytesRate: s.Total.BytesRate,
		MaxLagMs: s.Total.MaxLagMs, Memory: s.Total.Memory, Servers: map[string]int{}, Instances: map[string]int{}, Series: []DashboardPoint{}}
	for _, v := range s.Servers {
		out.Servers[v.Status]++
	}
	for _, v := range s.Instances {
		out.Instances[v.State]++
		if quarantined(v) > 0 {
			out.Quarantined++
		}
	}
	for _, p := range f.TotalSeries(afterMs) {
		out.Series = append(out.Series, DashboardPoint{AtMs: p.AtMs, RowsRate: p.RowsRate, BytesRate: p.BytesRate, MaxLagMs: p.MaxLagMs,
			Memory: p.Memory, Running: p.Running, Troubled: p.Troubled})
	}
	out.Attention = a.attention(f, s, chinese)
	out.Busiest = most(s.Instances, chinese, func(v *fleet.InstanceView) float64 { return float64(v.Rates.GetRows) })
	out.Slowest = most(s.Instances, chinese, func(v *fleet.InstanceView) float64 { return float64(lagOf(v)) })
	return out, nil
}

// most are the instances with the largest values above 0.
func most(all []*fleet.InstanceView, chinese bool, value func(*fleet.InstanceView) float64) []InstanceSummary {
	var some []*fleet.InstanceView
	for _, v := range all {
		if value(v) > 0 {
			some = append(some, v)
		}
	}
	slices.SortStableFunc(some, func(a, b *fleet.InstanceView) int { return cmp.Compare(value(b), value(a)) })
	out := []InstanceSummary{}
	for _, v := range some[:min(len(some), listed)] {
		out = append(out, instanceSummary(v, chinese))
	}
	return out
}

const (
	severityError   = "error"
	severityWarning = "warning"
)

// From when on something is worth a look.
const (
	// outOfDateAfter is in which time servers take over a text: they ask every
	// canal.auto.scan.interval, 5 s by default.
	outOfDateAfter = 30 * time.Second
	// stalledAfter is how long a client may think about a batch.
	stalledAfter = time.Minute
	// largeLag and growingLag are what the lag must be, and what it must have grown
	// in the last minute.
	largeLag   = time.Minute
	growingLag = 10 * time.Second
)

// attention lists what a person should look at, errors first.
func (a *API) attention(f *fleet.Fleet, s *fleet.Snapshot, chinese bool) []Attention {
	out := []Attention{}
	add := func(severity, kind string, id int64, name string, since time.Time, t trouble) {
		out = append(out, Attention{Severity: severity, Kind: kind, ID: id, Name: name, Text: t.reason.in(chinese), Remedy: t.remedy.in(chinese), SinceMs: unixMilli(since)})
	}
	for _, c := range s.Clusters {
		for severity, t := range clusterTroubles(c) {
			add(severity, "cluster", c.Row.ID, c.Row.Name, time.Time{}, t)
		}
	}
	for _, v := range s.Servers {
		for severity, t := range serverTroubles(v, s.At) {
			add(severity, "server", v.Row.ID, v.Row.Name, v.Since, t)
		}
	}
	for _, v := range s.Instances {
		for _, t := range instanceTroubles(f, v, s.At, chinese) {
			t.Kind, t.ID, t.Name = "instance", v.Row.ID, v.Row.Name
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b Attention) int { return cmp.Compare(a.Severity, b.Severity) })
	return out[:min(len(out), maxAttention)]
}

// clusterTroubles goes through what is not well with a cluster.
func clusterTroubles(c *fleet.ClusterView) func(yield func(string, trouble) bool) {
	return func(yield func(string, trouble) bool) {
		if c.Config == nil && !yield(severityError, trouble{text{"no main configuration is stored, so its servers cannot start", "未保存主配置，其 Server 无法启动"},
			text{"store one: 主配置 / main configuration, from the template", "请在「主配置」中载入模板并保存"}}) {
			return
		}
		if c.ZooKeeper != nil && !c.ZooKeeper.OK() {
			yield(severityError, zooKeeperVerdict(*c.ZooKeeper))
		}
	}
}

// serverTroubles goes through what is not well with a server.
func serverTroubles(v *fleet.ServerView, now time.Time) func(yield func(string, trouble) bool) {
	return func(yield func(string, trouble) bool) {
		if v.Err != nil {
			if !errors.Is(v.Err, fleet.ErrNotAsked) {
				yield(severityError, unreachable(v.Err))
			}
			return
		}
		if v.Status == fleet.StatusStopped && !yield(severityWarning, trouble{text{"its service is stopped", "服务已停止"}, text{"start it", "请启动 Server"}}) {
			return
		}
		if v.OutOfDate() && now.Sub(v.Config.Modified) > outOfDateAfter &&
			!yield(severityWarning, trouble{text{"it runs with another main configuration than the stored one", "运行中的主配置与已保存的不一致"}, text{"look whether it can reach the admin", "请检查它能否访问 admin"}}) {
			return
		}
		r := v.Report
		if r == nil {
			return
		}
		if r.AdminError != "" && !yield(severityWarning, trouble{text{"it cannot ask the admin for its configuration: " + r.AdminError, "它无法从 admin 获取配置：" + r.AdminError},
			text{"correct canal.admin.manager, canal.admin.user and canal.admin.passwd of the server", "请更正 Server 的 canal.admin.manager、canal.admin.user、canal.admin.passwd"}}) {
			return
		}
		if r.ZooKeeper != "" && !r.ZooKeeperConnected {
			yield(severityError, trouble{text{"it has no connection to ZooKeeper", "与 ZooKeeper 断开连接"}, text{"look at ZooKeeper and at canal.zkServers", "请检查 ZooKeeper 与 canal.zkServers"}})
		}
	}
}

// instanceTroubles are what is not well with an instance.
func instanceTroubles(f *fleet.Fleet, v *fleet.InstanceView, now time.Time, chinese bool) []Attention {
	var out []Attention
	if v.Troubled() || v.State == fleet.StateUnknown && v.Wanted {
		out = append(out, notRunning(v, chinese))
	}
	r := v.Report
	if r == nil {
		return out
	}
	warn := func(sinceMs int64, t trouble) {
		out = append(out, Attention{Severity: severityWarning, Text: t.reason.in(chinese), Remedy: t.remedy.in(chinese), SinceMs: sinceMs})
	}
	if v.OutOfDate() && now.Sub(v.Row.Modified) > outOfDateAfter {
		warn(unixMilli(v.Row.Modified), trouble{text{"it runs with another configuration than the stored one", "运行中的配置与已保存的不一致"},
			text{"look at the log of the instance: a text that it cannot start with is not taken", "请查看 Instance 日志：无法启动的配置不会生效"}})
	}
	if r.Quarantined > 0 {
		out = append(out, inQuarantine(r, chinese))
	}
	if growth := f.LagGrowth(v.Row.ID); r.LagMs > largeLag.Milliseconds() && growth > growingLag.Milliseconds() {
		lag := time.Duration(r.LagMs) * time.Millisecond
		warn(0, trouble{done(text{"it is %v behind, and falls back further", "延迟 %v，且仍在增加"}, lag.Round(time.Second)),
			text{"look whether the clients or the reading of the source are slow", "请检查是客户端消费慢还是读取源库慢"}})
	}
	for _, c := range r.Clients {
		if waited := now.Sub(time.UnixMilli(c.OldestSinceMs)); c.OldestSinceMs > 0 && waited > stalledAfter {
			warn(c.OldestSinceMs, trouble{done(text{"client %d has not confirmed a batch for %v", "客户端 %d 已有 %v 未确认批次"}, c.ID, waited.Round(time.Second)),
				text{"look at the client; another connection of it gets the batch again after a rollback", "请检查客户端；回滚后其他连接可重新获取该批次"}})
		}
	}
	if s := r.Store; s != nil && s.FullSinceMs > 0 && now.Sub(time.UnixMilli(s.FullSinceMs)) > stalledAfter {
		warn(s.FullSinceMs, trouble{text{fmt.Sprintf("its buffer is full: %s", cmp.Or(s.FullReason, "the clients do not keep up")), "缓冲区已满，客户端消费过慢"},
			text{"look at the clients; the source is not read meanwhile", "请检查客户端；期间不会继续读取源库"}})
	}
	return out
}

// inQuarantine tells of tables whose rows do not fit what is known of them.
func inQuarantine(r *control.InstanceReport, chinese bool) Attention {
	out := Attention{Severity: severityWarning}
	var name string
	if len(r.Quarantine) > 0 {
		first := &r.Quarantine[0]
		out.SinceMs, out.Remedy, name = first.SinceMs, first.Remedy, first.Schema+"."+first.Table
	}
	said := done(text{"%d of its tables are in quarantine, because their rows do not fit what is known of them", "已隔离 %d 张表：行数据与已知表结构不符"}, r.Quarantined)
	if r.Quarantined == 1 && name != "" {
		said = done(text{"its table %s is in quarantine, because its rows do not fit what is known of it", "已隔离表 %s：行数据与已知表结构不符"}, name)
	}
	out.Text = said.in(chinese)
	if r.Quarantined > 1 || out.Remedy == "" {
		out.Remedy = text{"look at the page of the instance, which says of each table what mends it", "请在 Instance 页面查看各表的处理办法"}.in(chinese)
	}
	return out
}

// notRunning tells of an instance that shall run and does not work.
func notRunning(v *fleet.InstanceView, chinese bool) Attention {
	summary := instanceSummary(v, chinese)
	out := Attention{Severity: severityError, Text: summary.Reason, Remedy: summary.Remedy}
	if out.Text == "" {
		out.Text = text{"its state is " + v.State, "状态为 " + v.State}.in(chinese)
	}
	if v.Report != nil {
		out.SinceMs = v.Report.SinceMs
	}
	if v.State == fleet.StateUnknown || v.State == control.StateWaiting || v.State == control.StateRetrying {
		out.Severity = severityWarning
	}
	return out
}
