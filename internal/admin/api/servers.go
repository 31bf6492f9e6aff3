package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// What com.alibaba.otter.canal.admin.controller.NodeServerController answers.

const tagServer = "Server"

func (a *API) serverRoutes() {
	route(a, Operation{Method: http.MethodGet, Path: "/nodeServers", Tag: tagServer, Role: identity.RoleViewer,
		Summary: "A page of servers with their live status"}, a.listServers)
	route(a, Operation{Method: http.MethodPost, Path: "/nodeServer", Tag: tagServer, Role: identity.RoleAdmin,
		Summary: "Add a server"}, a.addServer)
	route(a, Operation{Method: http.MethodPut, Path: "/nodeServer", Tag: tagServer, Role: identity.RoleAdmin,
		Summary: "Change a server"}, a.updateServer)
	route(a, Operation{Method: http.MethodGet, Path: "/nodeServer/{id}", Tag: tagServer, Role: identity.RoleViewer,
		Summary: "One server, or null"}, a.oneServer)
	route(a, Operation{Method: http.MethodDelete, Path: "/nodeServer/{id}", Tag: tagServer, Role: identity.RoleAdmin,
		Summary: "Delete a server that has no instances"}, a.deleteServer)
	route(a, Operation{Method: http.MethodGet, Path: "/nodeServer/status", Tag: tagServer, Role: identity.RoleViewer,
		Summary: "Whether the service of a registered server runs: 1 or 0"}, a.serverStatus)
	route(a, Operation{Method: http.MethodPut, Path: "/nodeServer/start/{id}", Tag: tagServer, Role: identity.RoleOperator,
		Summary: "Start the service of a server"}, a.startServer)
	route(a, Operation{Method: http.MethodPut, Path: "/nodeServer/stop/{id}", Tag: tagServer, Role: identity.RoleOperator,
		Summary: "Stop the service of a server"}, a.stopServer)
	route(a, Operation{Method: http.MethodGet, Path: "/nodeServer/log/{id}", Tag: tagServer, Role: identity.RoleViewer,
		Summary: "The last 100 lines of a server's canal.log; null when it cannot be asked"}, a.serverLog)
}

// logLines is how many lines of a log Canal's calls give.
const logLines = 100

type serversRequest struct {
	Name      string `query:"name" json:"-" doc:"part of the name"`
	IP        string `query:"ip" json:"-"`
	ClusterID *int64 `query:"clusterId" json:"-" doc:"-1: only servers that are alone"`
	pageRequest
}

func (a *API) listServers(ctx context.Context, _ identity.Principal, req serversRequest) (*pager[*serverEntity], error) {
	page, size, offset := req.resolve()
	servers, count, err := a.db.Servers(ctx, database.ServerFilter{
		Name: req.Name, IP: req.IP, ClusterID: req.ClusterID, Offset: offset, Limit: size})
	if err != nil {
		return nil, err
	}
	clusters, err := a.clustersByID(ctx)
	if err != nil {
		return nil, err
	}
	statuses := a.fleet.ServerStatuses(ctx, reachable(servers))
	out := &pager[*serverEntity]{Count: count, Items: make([]*serverEntity, 0, len(servers)), Page: page, Size: size, Offset: offset}
	for _, s := range servers {
		e := a.server(s, nil)
		if c, ok := clusterIn(clusters, s.ClusterID); ok {
			e.CanalCluster = clusterName(c)
		}
		if status, ok := statuses[s.ID]; ok {
			e.Status = &status
		}
		out.Items = append(out.Items, e)
	}
	return out, nil
}

// reachable are the servers that have an admin port.
func reachable(servers []database.Server) []database.Server {
	out := make([]database.Server, 0, len(servers))
	for _, s := range servers {
		if s.AdminPort != nil {
			out = append(out, s)
		}
	}
	return out
}

func (a *API) clustersByID(ctx context.Context) (map[int64]database.Cluster, error) {
	clusters, err := a.db.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]database.Cluster, len(clusters))
	for _, c := range clusters {
		byID[c.ID] = c
	}
	return byID, nil
}

func clusterIn(clusters map[int64]database.Cluster, id *int64) (database.Cluster, bool) {
	if id == nil {
		return database.Cluster{}, false
	}
	c, ok := clusters[*id]
	return c, ok
}

func (a *API) oneServer(ctx context.Context, _ identity.Principal, req idRequest) (*serverEntity, error) {
	s, err := a.db.Server(ctx, req.ID)
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return a.serverDetail(ctx, s)
}

// serverDetail is a server with its whole cluster.
func (a *API) serverDetail(ctx context.Context, s database.Server) (*serverEntity, error) {
	cluster, err := a.clusterDetail(ctx, s.ClusterID)
	if err != nil {
		return nil, err
	}
	return a.server(s, cluster), nil
}

// clusterDetail is a cluster; nil when there is none with this id.
func (a *API) clusterDetail(ctx context.Context, id *int64) (*clusterEntity, error) {
	if id == nil {
		return nil, nil
	}
	return a.oneCluster(ctx, identity.Principal{}, idRequest{*id})
}

type serverRequest struct {
	ClusterID  long    `json:"clusterId"`
	Name       words   `json:"name"`
	IP         words   `json:"ip"` // or a host name
	AdminPort  integer `json:"adminPort"`
	TCPPort    integer `json:"tcpPort"`
	MetricPort integer `json:"metricPort"`
}

type changedServerRequest struct {
	ID long `json:"id"`
	serverRequest
}

const serverExistsText = "节点信息已存在"

func (a *API) addServer(ctx context.Context, p identity.Principal, req serverRequest) (string, error) {
	row, err := a.readServer(req)
	if err != nil {
		return "", err
	}
	if _, err := a.insertServer(ctx, actor(callerOf(ctx), p), row); err != nil {
		return "", err
	}
	return successText, nil
}

// insertServer adds a server; one that is alone gets the template for its
// configuration.
func (a *API) insertServer(ctx context.Context, by database.Actor, row database.Server) (int64, error) {
	config := ""
	if row.ClusterID == nil {
		template, err := a.template(serverTemplate)
		if err != nil {
			return 0, err
		}
		config = template
	}
	row.Status = statusUnknown
	id, err := a.db.InsertServer(ctx, by, row, config)
	if errors.Is(err, database.ErrDuplicate) {
		return 0, errServerExists
	}
	return id, err
}

var errServerExists = refused(serverExistsText)

func (a *API) readServer(req serverRequest) (database.Server, error) {
	switch {
	case req.Name.v == nil:
		return database.Server{}, nullColumn("name")
	case req.IP.v == nil:
		return database.Server{}, nullColumn("ip")
	}
	if err := checkText("name", *req.Name.v); err != nil {
		return database.Server{}, err
	}
	if err := a.checkAddress(*req.IP.v); err != nil {
		return database.Server{}, err
	}
	for _, port := range []struct {
		field string
		value *int32
	}{{"adminPort", req.AdminPort.v}, {"tcpPort", req.TCPPort.v}, {"metricPort", req.MetricPort.v}} {
		if port.value != nil && (*port.value < 0 || *port.value > 65535) {
			return database.Server{}, invalid("%s must be a port number, up to 65535", port.field)
		}
	}
	return database.Server{
		ClusterID: req.ClusterID.v, Name: *req.Name.v, IP: *req.IP.v,
		AdminPort: req.AdminPort.v, TCPPort: req.TCPPort.v, MetricPort: req.MetricPort.v,
	}, nil
}

func (a *API) updateServer(ctx context.Context, p identity.Principal, req changedServerRequest) (string, error) {
	row, err := a.readServer(req.serverRequest)
	if err != nil {
		return "", err
	}
	if req.ID.v == nil {
		return successText, nil
	}
	row.ID, row.Status = *req.ID.v, statusUnknown
	err = a.db.UpdateServer(ctx, actor(callerOf(ctx), p), row)
	switch {
	case errors.Is(err, database.ErrDuplicate):
		return "", errServerExists
	case err != nil && !errors.Is(err, database.ErrNotFound):
		return "", err
	}
	return successText, nil
}

func (a *API) deleteServer(ctx context.Context, p identity.Principal, req idRequest) (string, error) {
	err := a.db.DeleteServer(ctx, actor(callerOf(ctx), p), req.ID)
	switch {
	case errors.Is(err, database.ErrHasInstances):
		return "", refused("当前Server下存在Instance配置, 无法删除")
	case err != nil && !errors.Is(err, database.ErrNotFound):
		return "", err
	}
	a.Polls.Forget(req.ID)
	return successText, nil
}

type statusRequest struct {
	IP   string `query:"ip" json:"-" required:"true"`
	Port int32  `query:"port" json:"-" required:"true" doc:"the admin port"`
}

// serverStatus asks registered servers only: an address from the request could be
// anything in the network of the admin.
func (a *API) serverStatus(ctx context.Context, _ identity.Principal, req statusRequest) (int, error) {
	s, err := a.db.ServerAt(ctx, req.IP, req.Port)
	if errors.Is(err, database.ErrNotFound) {
		return 0, refused("no server is registered with this ip and port")
	}
	if err != nil {
		return 0, err
	}
	switch a.fleet.ServerStatuses(ctx, []database.Server{s})[s.ID] {
	case statusRunning:
		return 1, nil
	case statusStopped:
		return 0, nil
	}
	return 0, nullMessage("the server does not answer")
}

func (a *API) startServer(ctx context.Context, p identity.Principal, req idRequest) (bool, error) {
	return a.orderServer(ctx, p, req.ID, "start")
}

func (a *API) stopServer(ctx context.Context, p identity.Principal, req idRequest) (bool, error) {
	return a.orderServer(ctx, p, req.ID, "stop")
}

// orderServer is false when the server is unknown, does not answer or refuses.
func (a *API) orderServer(ctx context.Context, p identity.Principal, id int64, action string) (bool, error) {
	s, err := a.db.Server(ctx, id)
	if errors.Is(err, database.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	done, orderErr := a.fleet.ServerAction(ctx, s, action)
	if orderErr != nil {
		a.log.Warn("server did not follow", "server", s.Name, "action", action, "error", orderErr)
		done = false
	}
	return done, a.db.Audit(ctx, actor(callerOf(ctx), p), database.AuditRecord{
		Action: "server." + action, Kind: "server", TargetID: s.ID, Target: s.Name, OK: done})
}

// serverLog is "" for an unknown server and null for one that does not answer.
func (a *API) serverLog(ctx context.Context, _ identity.Principal, req idRequest) (*string, error) {
	s, err := a.db.Server(ctx, req.ID)
	if errors.Is(err, database.ErrNotFound) {
		empty := ""
		return &empty, nil
	}
	if err != nil {
		return nil, err
	}
	return a.readLog(ctx, s, ""), nil
}

// readLog reads the end of a log; nil when the server does not answer.
func (a *API) readLog(ctx context.Context, s database.Server, destination string) *string {
	lines, err := a.fleet.Log(ctx, s, destination, logLines)
	if err != nil {
		a.log.Debug("log not read", "server", s.Name, "error", err)
		return nil
	}
	return &lines
}
