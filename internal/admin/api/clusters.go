package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// What com.alibaba.otter.canal.admin.controller.CanalClusterController answers.

const tagCluster = "Cluster"

func (a *API) clusterRoutes() {
	route(a, Operation{Method: http.MethodGet, Path: "/canal/clusters", Tag: tagCluster, Role: identity.RoleViewer,
		Summary: "All clusters"}, a.listClusters)
	route(a, Operation{Method: http.MethodPost, Path: "/canal/cluster", Tag: tagCluster, Role: identity.RoleAdmin,
		Summary: "Add a cluster"}, a.addCluster)
	route(a, Operation{Method: http.MethodPut, Path: "/canal/cluster", Tag: tagCluster, Role: identity.RoleAdmin,
		Summary: "Change a cluster"}, a.updateCluster)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/cluster/{id}", Tag: tagCluster, Role: identity.RoleViewer,
		Summary: "One cluster, or null"}, a.oneCluster)
	route(a, Operation{Method: http.MethodDelete, Path: "/canal/cluster/{id}", Tag: tagCluster, Role: identity.RoleAdmin,
		Summary: "Delete a cluster that has neither servers nor instances"}, a.deleteCluster)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/clustersAndServers", Tag: tagCluster, Role: identity.RoleViewer,
		Summary: "What an instance may belong to: clusters, and servers that are alone"}, a.clustersAndServers)
}

// idRequest names one row.
type idRequest struct {
	ID int64 `path:"id" json:"-"`
}

func (a *API) listClusters(ctx context.Context, _ identity.Principal, _ struct{}) ([]*clusterEntity, error) {
	clusters, err := a.db.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*clusterEntity, 0, len(clusters))
	for _, c := range clusters {
		out = append(out, a.cluster(c))
	}
	return out, nil
}

func (a *API) oneCluster(ctx context.Context, _ identity.Principal, req idRequest) (*clusterEntity, error) {
	c, err := a.db.Cluster(ctx, req.ID)
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return a.cluster(c), nil
}

type clusterRequest struct {
	Name    words `json:"name"`
	ZKHosts words `json:"zkHosts"` // host:port, separated by commas
}

type changedClusterRequest struct {
	ID long `json:"id"`
	clusterRequest
}

func (a *API) addCluster(ctx context.Context, p identity.Principal, req clusterRequest) (string, error) {
	row, err := a.readCluster(req)
	if err != nil {
		return "", err
	}
	if _, err := a.db.InsertCluster(ctx, actor(callerOf(ctx), p), row); err != nil {
		return "", err
	}
	return successText, nil
}

func (a *API) updateCluster(ctx context.Context, p identity.Principal, req changedClusterRequest) (string, error) {
	row, err := a.readCluster(req.clusterRequest)
	if err != nil {
		return "", err
	}
	if req.ID.v == nil {
		return successText, nil // as in Canal, where such an update finds no row
	}
	row.ID = *req.ID.v
	if err := a.db.UpdateCluster(ctx, actor(callerOf(ctx), p), row); err != nil && !errors.Is(err, database.ErrNotFound) {
		return "", err
	}
	return successText, nil
}

func (a *API) readCluster(req clusterRequest) (database.Cluster, error) {
	switch {
	case req.Name.v == nil:
		return database.Cluster{}, nullColumn("name")
	case req.ZKHosts.v == nil:
		return database.Cluster{}, nullColumn("zk_hosts")
	}
	if err := checkText("name", *req.Name.v); err != nil {
		return database.Cluster{}, err
	}
	if err := a.checkZKHosts(*req.ZKHosts.v); err != nil {
		return database.Cluster{}, err
	}
	return database.Cluster{Name: *req.Name.v, ZKHosts: *req.ZKHosts.v}, nil
}

// checkZKHosts refuses addresses of ZooKeeper servers that the admin may not
// connect to.
func (a *API) checkZKHosts(hosts string) error {
	if err := checkText("zkHosts", hosts); err != nil {
		return err
	}
	servers, _, _ := strings.Cut(hosts, "/") // a path may follow
	for server := range strings.SplitSeq(servers, ",") {
		if host := hostOf(strings.TrimSpace(server)); host != "" {
			if err := a.checkAddress(host); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *API) checkAddress(host string) error {
	if err := a.Addresses.CheckHost(strings.Trim(host, "[]")); err != nil {
		return fail(reasonInvalid, text{"%v; towpath.address.allow lists what is", "%v；允许的地址见 towpath.address.allow"}, err)
	}
	return nil
}

// nullColumn is what a missing field comes to in Canal, by way of MySQL.
func nullColumn(column string) *failure {
	return refused("Error[Column '" + column + "' cannot be null]")
}

// maxText is how many characters a name may have: the width of the columns.
const maxText = 255

// checkText refuses a name that cannot be stored or shown on one line.
func checkText(field, value string) error {
	if utf8.RuneCountInString(value) > maxText || strings.ContainsFunc(value, unicode.IsControl) {
		return invalid("%s must be one line of at most %d characters", field, maxText)
	}
	return nil
}

func (a *API) deleteCluster(ctx context.Context, p identity.Principal, req idRequest) (string, error) {
	err := a.db.DeleteCluster(ctx, actor(callerOf(ctx), p), req.ID)
	switch {
	case errors.Is(err, database.ErrHasServers):
		return "", refused("当前集群下存在Server, 无法删除")
	case errors.Is(err, database.ErrHasInstances):
		return "", refused("当前集群下存在Instance配置，无法删除")
	case err != nil && !errors.Is(err, database.ErrNotFound):
		return "", err
	}
	return successText, nil
}

// optionGroup is a heading of a select with its options.
type optionGroup struct {
	Label   string   `json:"label"`
	Options []option `json:"options"`
}

type option struct {
	Label string `json:"label"`
	Value string `json:"value"` // "cluster:<id>" or "server:<id>"
}

func (a *API) clustersAndServers(ctx context.Context, _ identity.Principal, _ struct{}) ([]optionGroup, error) {
	clusters, err := a.db.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	alone := int64(-1)
	servers, _, err := a.db.Servers(ctx, database.ServerFilter{ClusterID: &alone})
	if err != nil {
		return nil, err
	}
	groups := []optionGroup{{"集群", []option{}}, {"单机主机", []option{}}}
	for _, c := range clusters {
		groups[0].Options = append(groups[0].Options, option{c.Name, "cluster:" + strconv.FormatInt(c.ID, 10)})
	}
	for _, s := range servers {
		groups[1].Options = append(groups[1].Options, option{s.Name, "server:" + strconv.FormatInt(s.ID, 10)})
	}
	return groups, nil
}
