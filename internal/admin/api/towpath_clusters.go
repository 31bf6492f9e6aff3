package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/cluster"
)

// clusterTime bounds what the page of a cluster waits for ZooKeeper.
const clusterTime = 4 * time.Second

// oneClusterDetail tells what is stored also while ZooKeeper does not answer.
func (a *API) oneClusterDetail(ctx context.Context, _ identity.Principal, req idRequest) (ClusterDetail, error) {
	f, err := a.watched()
	if err != nil {
		return ClusterDetail{}, err
	}
	s, err := f.Snapshot(ctx)
	if err != nil {
		return ClusterDetail{}, err
	}
	c := s.Cluster(req.ID)
	if c == nil {
		return ClusterDetail{}, notFound(clusterWord)
	}
	chinese := callerOf(ctx).chinese
	out := ClusterDetail{ID: c.Row.ID, Name: c.Row.Name, ZKHosts: c.Row.ZKHosts, HasConfig: c.Config != nil,
		Orders: []ClusterOrder{}, Problems: []string{}, AtMs: s.At.UnixMilli()}
	waiting, cancel := context.WithTimeout(ctx, clusterTime)
	defer cancel()
	var checking sync.WaitGroup
	checking.Go(func() { out.ZooKeeper = checkOfCluster(waiting, f, c, chinese) })
	overview, err := f.Overview(waiting, c.Row)
	checking.Wait()
	if err != nil {
		why := zooKeeperTrouble(err)
		out.Problems = append(out.Problems, text{"The tree in ZooKeeper cannot be read: " + why.reason.en, "无法读取 ZooKeeper 中的数据：" + why.reason.zh}.in(chinese))
		overview = new(cluster.Overview)
	}
	out.Problems = append(out.Problems, overview.Problems...)
	out.Servers, out.Instances = clusterServers(c, overview), clusterInstances(s, c, overview)
	for _, o := range overview.Orders {
		if o.Bad == nil {
			out.Orders = append(out.Orders, ClusterOrder{Destination: o.Destination, To: o.To, By: o.By, AtMs: o.AtMs})
		}
	}
	return out, nil
}

// checkOfCluster is how the ensemble of a cluster is.
func checkOfCluster(ctx context.Context, f *fleet.Fleet, c *fleet.ClusterView, chinese bool) ZooKeeperCheck {
	check, err := f.ZooKeeper(ctx, c.Row)
	if err != nil {
		why := zooKeeperTrouble(err)
		return ZooKeeperCheck{Text: why.reason.in(chinese), Remedy: why.remedy.in(chinese), Servers: []ZooKeeperServer{}}
	}
	return zooKeeperCheck(check, chinese)
}

// clusterServers joins the servers that are stored with those in ZooKeeper.
func clusterServers(c *fleet.ClusterView, o *cluster.Overview) []ClusterServer {
	out := []ClusterServer{}
	seen := make(map[string]bool)
	for _, s := range c.Servers {
		one := ClusterServer{ID: s.Row.ID, Name: s.Row.Name, Address: s.Address(), Status: s.Status, Towpath: s.Kind == fleet.KindTowpath, Owns: len(s.Running)}
		if i := slices.IndexFunc(o.Servers, func(v cluster.ServerView) bool { return v.Address == one.Address }); i >= 0 {
			one.tell(&o.Servers[i])
		}
		seen[one.Address] = true
		out = append(out, one)
	}
	for i := range o.Servers {
		if v := &o.Servers[i]; !seen[v.Address] {
			one := ClusterServer{Name: v.Address, Address: v.Address, Status: fleet.StatusUnreachable}
			one.tell(v)
			out = append(out, one)
		}
	}
	return out
}

// tell adds what ZooKeeper knows of a server.
func (s *ClusterServer) tell(v *cluster.ServerView) {
	s.Registered, s.Towpath, s.Version, s.Weight, s.Draining, s.Owns = v.Registered, s.Towpath || v.Towpath, v.Version, v.Weight, v.Drain, v.Owns
}

// clusterInstances joins the instances that are stored with the destinations in
// ZooKeeper.
func clusterInstances(s *fleet.Snapshot, c *fleet.ClusterView, o *cluster.Overview) []ClusterInstance {
	byName := make(map[string]*fleet.InstanceView)
	for _, v := range s.Instances {
		if v.Cluster == c {
			byName[v.Row.Name] = v
		}
	}
	out := []ClusterInstance{}
	for _, d := range o.Destinations {
		one := ClusterInstance{Name: d.Name, Owner: d.Owner, Competitors: d.Competitors, LagMs: -1}
		if d.Owner != "" {
			one.SinceMs = unixMilli(d.Since)
		}
		if v := byName[d.Name]; v != nil {
			one.ID, one.LagMs, one.Quarantined = v.Row.ID, lagOf(v), quarantined(v)
			delete(byName, d.Name)
		}
		if one.Competitors == nil {
			one.Competitors = []string{}
		}
		out = append(out, one)
	}
	for _, v := range byName {
		one := ClusterInstance{ID: v.Row.ID, Name: v.Row.Name, Competitors: []string{}, LagMs: lagOf(v), Quarantined: quarantined(v)}
		if v.On != nil && v.Report == nil {
			one.Owner = v.On.Address()
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b ClusterInstance) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// clusterCommandRequest is an order to one cluster.
type clusterCommandRequest struct {
	ID int64 `path:"id" json:"-"`
	ClusterCommand
}

// command carries out an order to a cluster and writes it down.
func (a *API) command(ctx context.Context, p identity.Principal, req clusterCommandRequest, action, detail string,
	do func(f *fleet.Fleet, c database.Cluster) (text, error)) (ClusterCommandResult, error) {
	c, err := a.findCluster(ctx, req.ID)
	if err != nil {
		return ClusterCommandResult{}, err
	}
	f, err := a.watched()
	if err != nil {
		return ClusterCommandResult{}, err
	}
	done, err := do(f, c)
	err = a.audit(ctx, p, database.AuditRecord{Action: "cluster." + action, Kind: "cluster", TargetID: c.ID, Target: c.Name, Detail: detail}, orderFault(err))
	return ClusterCommandResult{Text: done.in(callerOf(ctx).chinese)}, err
}

func (a *API) drain(ctx context.Context, p identity.Principal, req clusterCommandRequest) (ClusterCommandResult, error) {
	return a.command(ctx, p, req, "drain", req.Address, func(f *fleet.Fleet, c database.Cluster) (text, error) {
		return done(text{"%s runs nothing any more, and takes nothing until it is undrained", "%s 已不再运行任何 Instance，取消排空前不会接管"}, req.Address), f.Drain(ctx, c, req.Address)
	})
}

func (a *API) undrain(ctx context.Context, p identity.Principal, req clusterCommandRequest) (ClusterCommandResult, error) {
	return a.command(ctx, p, req, "undrain", req.Address, func(f *fleet.Fleet, c database.Cluster) (text, error) {
		was, err := f.Undrain(ctx, c, req.Address)
		if !was {
			return done(text{"%s was not drained", "%s 未处于排空状态"}, req.Address), err
		}
		return done(text{"%s may run instances again", "%s 可以重新运行 Instance"}, req.Address), err
	})
}

func (a *API) move(ctx context.Context, p identity.Principal, req clusterCommandRequest) (ClusterCommandResult, error) {
	return a.command(ctx, p, req, "move", req.Instance+" → "+req.To, func(f *fleet.Fleet, c database.Cluster) (text, error) {
		m, err := f.Move(ctx, c, req.Instance, req.To, p.User.Username)
		if m.From == m.To {
			return done(text{"%s runs on %s already", "%s 已在 %s 上运行"}, req.Instance, req.To), err
		}
		return done(text{"%s runs on %s now; nobody owned it for %v", "%s 已在 %s 上运行，切换期间无主 %v"}, req.Instance, req.To, m.Vacant.Round(time.Millisecond)), err
	})
}

func (a *API) release(ctx context.Context, p identity.Principal, req clusterCommandRequest) (ClusterCommandResult, error) {
	return a.command(ctx, p, req, "release", req.Instance, func(f *fleet.Fleet, c database.Cluster) (text, error) {
		from, to, err := f.Release(ctx, c, req.Instance)
		return done(text{"%s went from %s to %s", "%s 已由 %s 切换到 %s"}, req.Instance, from, to), err
	})
}

func (a *API) rebalance(ctx context.Context, p identity.Principal, req clusterCommandRequest) (ClusterCommandResult, error) {
	return a.command(ctx, p, req, "rebalance", "", func(f *fleet.Fleet, c database.Cluster) (text, error) {
		moved, err := f.Rebalance(ctx, c)
		return done(text{"%d instances have moved", "已迁移 %d 个 Instance"}, moved), err
	})
}

// done is the text of something that has been done.
func done(t text, args ...any) text { return fail("", t, args...).message }

// orderFault makes a failure of the error of an order to a cluster.
func orderFault(err error) error {
	var late *fleet.NotYetError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &late) && len(late.Left) > 0:
		return fail(reasonTimeout, text{"It still runs %s", "仍在运行：%s"}, strings.Join(late.Left[:min(len(late.Left), 20)], ", ")).
			withRemedy(text{"a server keeps what no other competes for or can start; it stays drained until it is undrained", "没有其他 Server 可接管的 Instance 会保留；取消排空前该状态一直有效"})
	case errors.As(err, &late):
		return fail(reasonTimeout, text{"It is not done yet; the order stays in force", "尚未完成，指令仍然有效"}).
			withRemedy(text{"look at the cluster again in a while", "请稍后查看集群状态"})
	case errors.Is(err, fleet.ErrNotTowpath):
		return fail(reasonNotFound, text{"That is no Towpath server of this cluster", "该地址不是本集群的 Towpath Server"})
	case errors.Is(err, fleet.ErrBadAddress):
		return fail(reasonInvalid, text{"A server is named by its ip:port for clients", "Server 地址格式应为 ip:port"})
	case errors.Is(err, cluster.ErrWrongTarget):
		return fail(reasonConflict, text{"That server cannot take the instance", "该 Server 无法接管此 Instance"}).
			withRemedy(text{"choose a Towpath server that is not drained and competes for it", "请选择未排空且参与竞争的 Towpath Server"})
	case errors.Is(err, cluster.ErrNotRunning):
		return fail(reasonNotRunning, text{"No server runs the instance", "没有 Server 运行该 Instance"})
	case errors.Is(err, cluster.ErrNoSuccessor):
		return fail(reasonConflict, text{"No other server competes for the instance", "没有其他 Server 竞争该 Instance"}).
			withRemedy(text{"start another server of the cluster, or undrain one", "请启动集群中的其他 Server，或取消排空"})
	case errors.Is(err, cluster.ErrNotMoved):
		return fail(reasonTimeout, text{"The server has not taken the instance", "目标 Server 未接管该 Instance"}).
			withRemedy(text{"look at the log of the instance on that server", "请查看该 Instance 在目标 Server 上的日志"})
	case errors.Is(err, fleet.ErrBadDestination):
		return fail(reasonInvalid, text{"That is not the name of an instance", "Instance 名称不正确"})
	case errors.Is(err, context.Canceled):
		return err
	}
	return zooKeeperTrouble(err).failure(text{"ZooKeeper cannot be asked", "无法访问 ZooKeeper"})
}
