package api

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

type zooKeeperRequest struct {
	ZKHosts string `json:"zkHosts"` // as canal.zkServers has them
}

// checkZooKeeper asks what may become the ensemble of a cluster, so it is for
// those who may store one. Of what answers there only known words are told.
func (a *API) checkZooKeeper(ctx context.Context, _ identity.Principal, req zooKeeperRequest) (ZooKeeperCheck, error) {
	if err := a.checkZKHosts(req.ZKHosts); err != nil {
		return ZooKeeperCheck{}, err
	}
	f, err := a.watched()
	if err != nil {
		return ZooKeeperCheck{}, err
	}
	return zooKeeperCheck(f.CheckZooKeeper(ctx, req.ZKHosts), callerOf(ctx).chinese), nil
}

func zooKeeperCheck(check fleet.ZooKeeperCheck, chinese bool) ZooKeeperCheck {
	t := zooKeeperVerdict(check)
	out := ZooKeeperCheck{OK: check.OK(), Text: t.reason.in(chinese), Remedy: t.remedy.in(chinese), Servers: []ZooKeeperServer{}}
	for _, s := range check.Servers {
		t := zooKeeperCondition(s)
		out.Servers = append(out.Servers, ZooKeeperServer{Address: s.Address, Mode: s.Mode, Version: s.Version, Connections: s.Connections, LatencyMs: s.LatencyMs,
			OK: s.Condition == fleet.Serving || s.Condition == fleet.ServingSilent, Error: t.reason.in(chinese), Remedy: t.remedy.in(chinese)})
	}
	return out
}

// zooKeeperVerdict says how an ensemble is.
func zooKeeperVerdict(check fleet.ZooKeeperCheck) trouble {
	switch check.Verdict {
	case fleet.VerdictOK:
		return trouble{reason: text{"ZooKeeper serves", "ZooKeeper 正常"}}
	case fleet.VerdictWrong:
		if errors.Is(check.Err, fleet.ErrNoZooKeeper) || errors.Is(check.Err, fleet.ErrTooManyServers) {
			return trouble{text{check.Err.Error(), "ZK 地址不正确"}, text{"name host:port, separated by commas", "格式：host:port，多个以逗号分隔"}}
		}
		return trouble{text{"the addresses of ZooKeeper cannot be read", "ZK 地址格式不正确"}, text{"name host:port, separated by commas, such as zk1:2181,zk2:2181", "格式：host:port，多个以逗号分隔，例如 zk1:2181,zk2:2181"}}
	case fleet.VerdictUnreachable:
		return trouble{text{"no ZooKeeper server answers", "所有 ZooKeeper 均无响应"}, text{"start ZooKeeper, or correct the addresses", "请启动 ZooKeeper，或更正地址"}}
	case fleet.VerdictMinority:
		return trouble{text{"less than a majority of the ZooKeeper servers serves", "正常的 ZooKeeper 未达半数以上"}, text{"start the others: without a majority no server may run an instance", "请启动其余节点：未过半数时任何 Server 都不能运行 Instance"}}
	case fleet.VerdictNoLeader:
		return trouble{text{"none of the ZooKeeper servers leads", "ZooKeeper 没有 leader"}, text{"name all servers of the ensemble; the leader may be one that is missing here", "请填写集群的全部节点；leader 可能未列出"}}
	}
	return trouble{text{"the ZooKeeper servers are no ensemble: each is alone", "这些 ZooKeeper 各自独立，不是同一集群"}, text{"name the servers of one ensemble, or configure them as one", "请填写同一集群的节点，或将其配置为集群"}}
}

// zooKeeperCondition says what is not well with one server of an ensemble.
func zooKeeperCondition(s fleet.ZooKeeperServer) trouble {
	switch s.Condition {
	case fleet.Serving:
		return trouble{}
	case fleet.ServingSilent:
		return trouble{remedy: text{"to see its mode here add srvr to 4lw.commands.whitelist of ZooKeeper", "如需显示其角色，请在 ZooKeeper 的 4lw.commands.whitelist 中加入 srvr"}}
	case fleet.NotServing:
		return trouble{text{"it is up, but belongs to no majority", "已启动，但未加入多数派"}, text{"start the other servers of the ensemble", "请启动集群其余节点"}}
	case fleet.ConditionUnknown:
		return trouble{text{"it is up, but opens no session", "已启动，但无法建立会话"}, text{"start the other servers of the ensemble; to see more add srvr to 4lw.commands.whitelist of ZooKeeper", "请启动集群其余节点；如需更多信息，请在 4lw.commands.whitelist 中加入 srvr"}}
	case fleet.NotZooKeeper:
		return trouble{text{"what answers there is no ZooKeeper, or wants TLS", "该地址不是 ZooKeeper，或需要 TLS"}, text{"correct the port: 2181 by default", "请更正端口，默认 2181"}}
	}
	return unreachableAddress(s.Err, text{"start it, or correct its address", "请启动它，或更正地址"})
}

type nodeRequest struct {
	ID   int64  `path:"id" json:"-"`
	Path string `query:"path" json:"-" doc:"/ if empty; only administrators may leave /otter/canal and /towpath"`
}

// zooKeeperNode shows a node. An ensemble may serve other programs, too, so what
// is theirs is for administrators.
func (a *API) zooKeeperNode(ctx context.Context, p identity.Principal, req nodeRequest) (ZooKeeperNode, error) {
	path := req.Path
	if path == "" {
		path = "/"
	}
	if err := fleet.CheckPath(path); err != nil {
		return ZooKeeperNode{}, fail(reasonInvalid, text{"That is not the path of a node", "节点路径不正确"})
	}
	mine := ours(path)
	if !mine && !leadsToOurs(path) && !p.Role.Allows(identity.RoleAdmin) {
		return ZooKeeperNode{}, errForbidden
	}
	c, err := a.findCluster(ctx, req.ID)
	if err != nil {
		return ZooKeeperNode{}, err
	}
	f, err := a.watched()
	if err != nil {
		return ZooKeeperNode{}, err
	}
	n, err := f.Node(ctx, c, path)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return ZooKeeperNode{}, fail(reasonNotFound, text{"There is no such node", "节点不存在"})
	case err != nil:
		return ZooKeeperNode{}, zooKeeperTrouble(err).failure(text{"ZooKeeper cannot be asked", "无法访问 ZooKeeper"})
	}
	out := zooKeeperNodeOf(n)
	if !mine && !p.Role.Allows(identity.RoleAdmin) {
		out.hideOthers()
	}
	return out, nil
}

// ours tells whether a node is Canal's or Towpath's.
func ours(path string) bool {
	for _, root := range []string{zktree.CanalRoot, zktree.TowpathRoot} {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

// leadsToOurs tells whether a node is above those.
func leadsToOurs(path string) bool {
	return path == "/" || strings.HasPrefix(zktree.CanalRoot, path+"/")
}

// hideOthers takes out of a node above ours what is not ours.
func (n *ZooKeeperNode) hideOthers() {
	n.Data = ""
	base := strings.TrimSuffix(n.Path, "/") + "/"
	kept := []ZooKeeperChild{}
	for _, c := range n.Children {
		if path := base + c.Name; ours(path) || leadsToOurs(path) {
			kept = append(kept, c)
		}
	}
	n.Children = kept
}

func zooKeeperNodeOf(n fleet.Node) ZooKeeperNode {
	out := ZooKeeperNode{Path: n.Path, Size: int(n.Stat.DataLength), Ephemeral: n.Stat.EphemeralOwner != 0,
		CreatedMs: n.Stat.Ctime, ModifiedMs: n.Stat.Mtime, Version: n.Stat.Version, Children: []ZooKeeperChild{}, Meaning: meaning(n.Path)}
	if out.Ephemeral {
		out.Owner = strconv.FormatUint(uint64(n.Stat.EphemeralOwner), 16)
	}
	if out.Data = string(n.Data); !readable(out.Data) {
		out.Data, out.Binary = hex.EncodeToString(n.Data), true
	}
	for _, c := range n.Children {
		out.Children = append(out.Children, ZooKeeperChild{Name: c.Name, Children: c.Children, Ephemeral: c.Ephemeral})
	}
	return out
}

// readable tells whether data is text that can be shown as it is.
func readable(data string) bool {
	return utf8.ValidString(data) && !strings.ContainsFunc(data, func(c rune) bool {
		return unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t'
	})
}

// meaning is the key of a sentence about what a node is for, by the paths of
// package zktree; "" for nodes of others.
func meaning(path string) string {
	switch path {
	case zktree.CanalRoot:
		return "canal"
	case zktree.Servers:
		return "servers"
	case zktree.Destinations:
		return "destinations"
	case zktree.TowpathRoot:
		return "towpath"
	case zktree.TowpathServers:
		return "towpathServers"
	case zktree.TowpathDestinations:
		return "towpathDestinations"
	case zktree.Moves:
		return "moves"
	case zktree.Drains:
		return "drains"
	case zktree.Rebalance:
		return "rebalance"
	}
	for _, below := range []struct{ root, key string }{
		{zktree.Servers, "server"}, {zktree.TowpathServers, "towpathServer"}, {zktree.Moves, "move"}, {zktree.Drains, "drain"},
	} {
		if strings.HasPrefix(path, below.root+"/") {
			return below.key
		}
	}
	if rest, ok := strings.CutPrefix(path, zktree.Destinations+"/"); ok {
		return meaningOfDestination(strings.Split(rest, "/")[1:])
	}
	if rest, ok := strings.CutPrefix(path, zktree.TowpathDestinations+"/"); ok {
		return meaningOfOwnership(strings.Split(rest, "/")[1:])
	}
	return ""
}

// meaningOfDestination is meaning of what is below a destination of Canal's.
func meaningOfDestination(parts []string) string {
	if len(parts) == 0 {
		return "destination"
	}
	switch parts[0] {
	case "running":
		return "running"
	case "cluster":
		if len(parts) == 1 {
			return "competitors"
		}
		return "competitor"
	case "parse":
		return "parse"
	}
	if _, ok := zktree.ParseClientID(parts[0]); !ok {
		return ""
	}
	if len(parts) == 1 {
		return "client"
	}
	switch parts[1] {
	case "cursor", "filter":
		return parts[1]
	case "running":
		return "clientRunning"
	case "mark":
		return "mark"
	}
	return ""
}

// meaningOfOwnership is meaning of what is below a destination of Towpath's.
func meaningOfOwnership(parts []string) string {
	switch {
	case len(parts) == 0:
		return "taken"
	case parts[0] == "status":
		return "status"
	case zktree.IsLease(parts[0]):
		return "lease"
	}
	return ""
}
