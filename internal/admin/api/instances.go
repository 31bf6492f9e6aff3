package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// What com.alibaba.otter.canal.admin.controller.CanalInstanceController answers.

const tagInstance = "Instance"

func (a *API) instanceRoutes() {
	route(a, Operation{Method: http.MethodGet, Path: "/canal/instances", Tag: tagInstance, Role: identity.RoleViewer,
		Summary: "A page of instances and where they run"}, a.listInstances)
	route(a, Operation{Method: http.MethodPost, Path: "/canal/instance", Tag: tagInstance, Role: identity.RoleAdmin,
		Summary: "Add an instance"}, a.addInstance)
	route(a, Operation{Method: http.MethodPut, Path: "/canal/instance", Tag: tagInstance, Role: identity.RoleOperator,
		Summary: "Change the text of an instance, and what it belongs to"}, a.updateInstance)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/instance", Tag: tagInstance, Role: identity.RoleViewer,
		Summary: "Always fails, as in Canal: the id is in the path"}, a.instanceWithoutID)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/instance/{id}", Tag: tagInstance, Role: identity.RoleViewer,
		Summary: "One instance with its text, or null"}, a.oneInstance)
	route(a, Operation{Method: http.MethodDelete, Path: "/canal/instance/{id}", Tag: tagInstance, Role: identity.RoleAdmin,
		Summary: "Delete an instance"}, a.deleteInstance)
	route(a, Operation{Method: http.MethodPut, Path: "/canal/instance/start/{id}/{nodeId}", Tag: tagInstance, Role: identity.RoleOperator,
		Summary: "Let an instance of a server that is alone run"}, a.startInstance)
	route(a, Operation{Method: http.MethodPut, Path: "/canal/instance/stop/{id}/{nodeId}", Tag: tagInstance, Role: identity.RoleOperator,
		Summary: "Stop an instance of a server that is alone; in a cluster, let another server take it"}, a.stopInstance)
	route(a, Operation{Method: http.MethodPut, Path: "/canal/instance/status/{id}", Tag: tagInstance, Role: identity.RoleOperator,
		Summary: "Say whether an instance shall run"}, a.instanceStatus)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/instance/log/{id}/{nodeId}", Tag: tagInstance, Role: identity.RoleViewer,
		Summary: "The last 100 lines of an instance's log on a server"}, a.instanceLog)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/active/instances/{serverId}", Tag: tagInstance, Role: identity.RoleViewer,
		Summary: "What a server runs; null when it does not answer"}, a.activeInstances)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/instance/template", Tag: tagInstance, Role: identity.RoleViewer,
		Summary: "The instance.properties to begin with"}, a.instanceTemplate)
}

type instancesRequest struct {
	Name            string `query:"name" json:"-" doc:"part of the name"`
	ClusterServerID string `query:"clusterServerId" json:"-" doc:"cluster:<id> or server:<id>; anything else selects all"`
	pageRequest
}

func (a *API) listInstances(ctx context.Context, _ identity.Principal, req instancesRequest) (*pager[*instanceEntity], error) {
	page, size, offset := req.resolve()
	filter := database.InstanceFilter{Name: req.Name, Offset: offset, Limit: size}
	if o, err := readOwner(req.ClusterServerID); err == nil {
		filter.ClusterID, filter.ServerID = o.clusterID, o.serverID
	}
	rows, count, err := a.db.Instances(ctx, filter, false)
	if err != nil {
		return nil, err
	}
	f, err := a.findRunning(ctx, rows)
	if err != nil {
		return nil, err
	}
	out := &pager[*instanceEntity]{Count: count, Items: make([]*instanceEntity, 0, len(rows)), Page: page, Size: size, Offset: offset}
	for _, row := range rows {
		out.Items = append(out.Items, a.listedInstance(row, f))
	}
	return out, nil
}

// running is where instances run, as far as the servers tell.
type running struct {
	clusters map[int64]database.Cluster
	servers  []database.Server            // by id
	names    map[string][]database.Server // which of them run a destination
}

// findRunning asks each server that may run one of the instances once.
func (a *API) findRunning(ctx context.Context, rows []database.Instance) (*running, error) {
	clusters, err := a.clustersByID(ctx)
	if err != nil {
		return nil, err
	}
	all, _, err := a.db.Servers(ctx, database.ServerFilter{})
	if err != nil {
		return nil, err
	}
	f := &running{clusters: clusters, names: make(map[string][]database.Server)}
	ofCluster, ofServer := make(map[int64]bool), make(map[int64]bool)
	for _, i := range rows {
		if i.ClusterID != nil {
			ofCluster[*i.ClusterID] = true
		}
		if i.ServerID != nil {
			ofServer[*i.ServerID] = true
		}
	}
	for _, s := range all {
		if ofServer[s.ID] || s.ClusterID != nil && ofCluster[*s.ClusterID] {
			f.servers = append(f.servers, s)
		}
	}
	told := a.fleet.RunningInstances(ctx, reachable(f.servers))
	for _, s := range f.servers {
		for _, name := range told[s.ID] {
			f.names[name] = append(f.names[name], s)
		}
	}
	return f, nil
}

// mayRun tells whether an instance belongs to a server or to its cluster.
func mayRun(s database.Server, i database.Instance) bool {
	return same(i.ClusterID, s.ClusterID) || i.ServerID != nil && *i.ServerID == s.ID
}

func same(a, b *int64) bool { return a != nil && b != nil && *a == *b }

// on is the first server that runs an instance.
func (f *running) on(i database.Instance) (database.Server, bool) {
	for _, s := range f.names[i.Name] {
		if mayRun(s, i) {
			return s, true
		}
	}
	return database.Server{}, false
}

func (a *API) listedInstance(row database.Instance, f *running) *instanceEntity {
	e := a.instanceRow(row)
	s, runs := f.on(row)
	if runs {
		e.RunningStatus = statusRunning
	}
	if c, ok := clusterIn(f.clusters, row.ClusterID); ok {
		e.CanalCluster = clusterName(c)
		if runs {
			e.NodeServer = a.server(s, a.cluster(c))
		}
		return e
	}
	for _, own := range f.servers {
		if row.ServerID != nil && own.ID == *row.ServerID {
			e.NodeServer = serverName(own)
		}
	}
	return e
}

// owner is what an instance belongs to: at most one of both.
type owner struct{ clusterID, serverID *int64 }

func (o owner) String() string {
	switch {
	case o.clusterID != nil:
		return "cluster:" + strconv.FormatInt(*o.clusterID, 10)
	case o.serverID != nil:
		return "server:" + strconv.FormatInt(*o.serverID, 10)
	}
	return ""
}

// readOwner reads clusterServerId. A text that names neither kind means no owner,
// as in Canal.
func readOwner(value string) (owner, error) {
	kind, number, _ := strings.Cut(value, ":")
	if kind != "cluster" && kind != "server" || !strings.Contains(value, ":") {
		return owner{}, nil
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return owner{}, invalid("For input string: %q", number)
	}
	if kind == "cluster" {
		return owner{clusterID: &id}, nil
	}
	return owner{serverID: &id}, nil
}

type instanceRequest struct {
	Content         words `json:"content"`
	ClusterServerID words `json:"clusterServerId"` // "cluster:<id>" or "server:<id>"
}

type newInstanceRequest struct {
	Name words `json:"name"`
	instanceRequest
}

type changedInstanceRequest struct {
	ID long `json:"id"`
	instanceRequest
	BaseMD5 string `json:"baseMd5" doc:"contentMd5 of the text that was edited; another stored text is then not overwritten"`
}

// read checks what both requests have.
func (r instanceRequest) read() (owner, error) {
	if r.ClusterServerID.orEmpty() == "" {
		return owner{}, refused("empty cluster or server id")
	}
	o, err := readOwner(*r.ClusterServerID.v)
	if err == nil && r.Content.v == nil {
		err = nullMessage("content is missing")
	}
	return o, err
}

// instanceNames are the names that an instance may get: they become parts of
// paths, and of lists separated by commas. Canal takes any; rows that have
// another one stay as they are.
var instanceNames = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

func checkInstanceName(name string) error {
	if !instanceNames.MatchString(name) || strings.Trim(name, ".") == "" {
		return fail(reasonInvalid, text{"%q cannot be the name of an instance: use letters, digits, dots, hyphens and underscores",
			"%q 不能作为 Instance 名称：只能使用字母、数字、点、连字符和下划线"}, name)
	}
	return nil
}

func (a *API) addInstance(ctx context.Context, p identity.Principal, req newInstanceRequest) (string, error) {
	o, err := req.read()
	if err != nil {
		return "", err
	}
	if req.Name.v == nil {
		return "", nullColumn("name")
	}
	if err := checkInstanceName(*req.Name.v); err != nil {
		return "", err
	}
	template, err := a.template(instanceTemplate)
	if err != nil {
		return "", err
	}
	content, _, err := newContent(*req.Content.v, template, "")
	if err != nil {
		return "", err
	}
	status := statusRunning
	row := database.Instance{ClusterID: o.clusterID, ServerID: o.serverID, Name: *req.Name.v, Status: &status, Content: content}
	_, err = a.db.InsertInstance(ctx, actor(callerOf(ctx), p), row)
	if errors.Is(err, database.ErrDuplicate) {
		return "", refused(fmt.Sprintf("Error[Duplicate entry '%s' for key 'name_UNIQUE']", row.Name))
	}
	if err != nil {
		return "", err
	}
	return successText, nil
}

// updateInstance leaves the name as it is.
func (a *API) updateInstance(ctx context.Context, p identity.Principal, req changedInstanceRequest) (string, error) {
	o, err := req.read()
	if err != nil {
		return "", err
	}
	if req.ID.v == nil {
		return successText, nil
	}
	row, err := a.db.Instance(ctx, *req.ID.v)
	if errors.Is(err, database.ErrNotFound) {
		return successText, nil // as in Canal, where such an update finds no row
	}
	if err != nil {
		return "", err
	}
	content, base, err := newContent(*req.Content.v, row.Content, req.BaseMD5)
	if err != nil {
		return "", err
	}
	if err := a.checkFlow(ctx, p, row, o, content, *req.Content.v); err != nil {
		return "", a.audit(ctx, p, database.AuditRecord{Action: "instance.update", Kind: "instance", TargetID: row.ID, Target: row.Name}, err)
	}
	row.Content, row.ClusterID, row.ServerID = content, o.clusterID, o.serverID
	err = a.db.UpdateInstance(ctx, actor(callerOf(ctx), p), row, database.SaveOptions{BaseMD5: base})
	if err != nil && !errors.Is(err, database.ErrNotFound) {
		return "", err
	}
	return successText, nil
}

func (a *API) instanceWithoutID(context.Context, identity.Principal, struct{}) (*instanceEntity, error) {
	return nil, invalid("Required URI template variable 'id' for method parameter type Long is not present")
}

func (a *API) oneInstance(ctx context.Context, p identity.Principal, req idRequest) (*instanceEntity, error) {
	row, err := a.db.Instance(ctx, req.ID)
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if shown := maskFor(p, row.Content); shown != row.Content {
		sum := md5Of(shown)
		row.Content, row.ContentMD5 = shown, &sum
	}
	e := a.instance(row)
	owner := owner{row.ClusterID, row.ServerID}.String()
	e.ClusterServerID = &owner
	if e.CanalCluster, err = a.clusterDetail(ctx, row.ClusterID); err != nil {
		return nil, err
	}
	if row.ServerID != nil {
		e.NodeServer, err = a.oneServer(ctx, p, idRequest{*row.ServerID})
	}
	return e, err
}

func (a *API) deleteInstance(ctx context.Context, p identity.Principal, req idRequest) (string, error) {
	err := a.db.DeleteInstance(ctx, actor(callerOf(ctx), p), req.ID)
	if err != nil && !errors.Is(err, database.ErrNotFound) {
		return "", err
	}
	return successText, nil
}

type instanceOnServerRequest struct {
	ID     int64 `path:"id" json:"-"`
	NodeID int64 `path:"nodeId" json:"-" doc:"of the server"`
}

// find reads both rows; found is false when one of them is not there.
func (a *API) find(ctx context.Context, req instanceOnServerRequest) (i database.Instance, s database.Server, found bool, err error) {
	i, err = a.db.Instance(ctx, req.ID)
	if err == nil {
		s, err = a.db.Server(ctx, req.NodeID)
	}
	if errors.Is(err, database.ErrNotFound) {
		return i, s, false, nil
	}
	return i, s, err == nil, err
}

func (a *API) startInstance(ctx context.Context, p identity.Principal, req instanceOnServerRequest) (bool, error) {
	i, s, found, err := a.find(ctx, req)
	switch {
	case !found:
		return false, err
	case s.ClusterID != nil:
		return false, refused("集群模式不允许指定server启动")
	}
	return a.setStatus(ctx, p, i.ID, statusRunning)
}

func (a *API) stopInstance(ctx context.Context, p identity.Principal, req instanceOnServerRequest) (bool, error) {
	i, s, found, err := a.find(ctx, req)
	switch {
	case !found:
		return false, err
	case s.ClusterID != nil:
		return a.releaseInstance(ctx, p, i, s)
	}
	return a.setStatus(ctx, p, i.ID, statusStopped)
}

// releaseInstance lets another server of the cluster take the instance. It is
// false when the server does not answer or refuses.
func (a *API) releaseInstance(ctx context.Context, p identity.Principal, i database.Instance, s database.Server) (bool, error) {
	done, orderErr := a.fleet.InstanceAction(ctx, s, i.Name, "release")
	if orderErr != nil {
		a.log.Warn("server did not follow", "server", s.Name, "action", "release", "destination", i.Name, "error", orderErr)
		done = false
	}
	return done, a.db.Audit(ctx, actor(callerOf(ctx), p), database.AuditRecord{
		Action: "instance.release", Kind: "instance", TargetID: i.ID, Target: i.Name, OK: done, Detail: "server " + s.Name})
}

// setStatus says whether an instance shall run; false when there is none.
func (a *API) setStatus(ctx context.Context, p identity.Principal, id int64, status string) (bool, error) {
	err := a.db.SetInstanceStatus(ctx, actor(callerOf(ctx), p), id, status)
	if errors.Is(err, database.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

type instanceStatusRequest struct {
	ID     int64  `path:"id" json:"-"`
	Option string `query:"option" json:"-" required:"true" doc:"start or stop; anything else gives false"`
}

func (a *API) instanceStatus(ctx context.Context, p identity.Principal, req instanceStatusRequest) (bool, error) {
	switch req.Option {
	case "start":
		return a.setStatus(ctx, p, req.ID, statusRunning)
	case "stop":
		return a.setStatus(ctx, p, req.ID, statusStopped)
	}
	return false, nil
}

// instanceLog has the keys instance and log, or none when one of the ids is
// unknown. log is null when the server does not answer.
func (a *API) instanceLog(ctx context.Context, _ identity.Principal, req instanceOnServerRequest) (map[string]*string, error) {
	i, s, found, err := a.find(ctx, req)
	if !found {
		return map[string]*string{}, err
	}
	return map[string]*string{"instance": &i.Name, "log": a.readLog(ctx, s, i.Name)}, nil
}

type serverIDRequest struct {
	ServerID int64 `path:"serverId" json:"-"`
}

// activeInstances are all instances of a server that is alone, running or not,
// and those that a server of a cluster runs.
func (a *API) activeInstances(ctx context.Context, _ identity.Principal, req serverIDRequest) ([]*instanceEntity, error) {
	s, err := a.db.Server(ctx, req.ServerID)
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := a.fleet.RunningInstances(ctx, reachable([]database.Server{s}))[s.ID]
	if names == nil {
		return nil, nil
	}
	filter := database.InstanceFilter{}
	if s.ClusterID == nil {
		filter.ServerID = &s.ID
	}
	rows, _, err := a.db.Instances(ctx, filter, false)
	if err != nil {
		return nil, err
	}
	out := []*instanceEntity{}
	for _, row := range rows {
		runs := slices.Contains(names, row.Name)
		if !runs && s.ClusterID != nil {
			continue
		}
		e := a.instanceRow(row)
		if runs {
			e.RunningStatus = statusRunning
		}
		out = append(out, e)
	}
	return out, nil
}

func (a *API) instanceTemplate(_ context.Context, p identity.Principal, _ struct{}) (string, error) {
	content, err := a.template(instanceTemplate)
	return maskFor(p, content), err
}
