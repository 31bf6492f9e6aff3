package api

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// What com.alibaba.otter.canal.admin.controller.PollingConfigController answers:
// the servers ask for their configuration every few seconds, and once more for
// each instance.

const tagPolling = "Polling"

func (a *API) pollingRoutes() {
	route(a, Operation{Method: http.MethodGet, Path: "/config/server_polling", Tag: tagPolling, Polling: true,
		Summary: "The canal.properties of a server; null when it has not changed, or there is no such server"}, a.pollServer)
	route(a, Operation{Method: http.MethodGet, Path: "/config/instances_polling", Tag: tagPolling, Polling: true,
		Summary: "The names of the instances that a server shall run, in content, separated by commas; null when there is no such server"}, a.pollInstances)
	route(a, Operation{Method: http.MethodGet, Path: "/config/instance_polling/{destination}", Tag: tagPolling, Polling: true,
		Summary: "One instance, without content when it has not changed; null when there is none"}, a.pollInstance)
}

// checkPolling lets only servers in that share the password with the admin.
func (a *API) checkPolling(r *http.Request) error {
	for _, name := range []string{"user", "passwd"} {
		if len(r.Header.Values(name)) == 0 {
			return invalid("Required request header '%s' for method parameter type String is not present", name)
		}
	}
	if err := a.identity.CheckPollHeaders(r.Header.Get("user"), r.Header.Get("passwd")); err != nil {
		return refused(err.Error())
	}
	return nil
}

type pollServerRequest struct {
	IP       string `query:"ip" json:"-" required:"true"`
	Port     int32  `query:"port" json:"-" required:"true" doc:"the admin port"`
	MD5      string `query:"md5" json:"-" required:"true" doc:"contentMd5 of what the server has; may be empty"`
	Register bool   `query:"register" json:"-" required:"true" doc:"with an empty md5: add the server when it is unknown"`
	Cluster  string `query:"cluster" json:"-" required:"true" doc:"name of the cluster to register in; may be empty"`
	Name     string `query:"name" json:"-" required:"true" doc:"to register with; may be empty"`
}

func (a *API) pollServer(ctx context.Context, _ identity.Principal, req pollServerRequest) (*configEntity, error) {
	s, err := a.db.ServerAt(ctx, req.IP, req.Port)
	if errors.Is(err, database.ErrNotFound) && req.MD5 == "" && req.Register {
		s, err = a.registerServer(ctx, req)
	}
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.Polls.Note(s.ID, time.Now())
	var c database.Config
	if s.ClusterID != nil {
		c, err = a.db.ConfigOfCluster(ctx, *s.ClusterID)
	} else {
		c, err = a.db.ConfigOfServer(ctx, s.ID)
	}
	switch {
	case errors.Is(err, database.ErrNotFound):
		return nil, refused("canal.properties config is empty")
	case err != nil:
		return nil, err
	case c.ContentMD5 == req.MD5:
		return nil, nil
	}
	return a.config(c), nil
}

// registerServer adds a server that asks for the first time. Its ports for
// clients and metrics are guessed as Canal does: the next two.
func (a *API) registerServer(ctx context.Context, req pollServerRequest) (database.Server, error) {
	var none database.Server
	clusterID, err := a.clusterNamed(ctx, req.Cluster)
	if err != nil {
		return none, err
	}
	if err := a.checkAddress(req.IP); err != nil {
		return none, err
	}
	if req.Port < 0 || req.Port > math.MaxUint16 {
		return none, invalid("port must be a port number, up to 65535")
	}
	name := strings.TrimSpace(req.Name)
	if name == "" {
		name = req.IP
	}
	if err := checkText("name", name); err != nil {
		return none, err
	}
	tcp, metric := req.Port+1, req.Port+2
	by := database.Actor{Username: "server " + name, Address: callerOf(ctx).address}
	_, err = a.insertServer(ctx, by, database.Server{
		ClusterID: clusterID, Name: name, IP: req.IP, AdminPort: &req.Port, TCPPort: &tcp, MetricPort: &metric})
	if err != nil && !errors.Is(err, errServerExists) {
		return none, err
	}
	return a.db.ServerAt(ctx, req.IP, req.Port)
}

// clusterNamed finds a cluster by its name; nil for no name.
func (a *API) clusterNamed(ctx context.Context, name string) (*int64, error) {
	if name == "" {
		return nil, nil
	}
	clusters, err := a.db.ClustersNamed(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case len(clusters) == 0:
		return nil, invalid("auto cluster : %s is not found.", name)
	case len(clusters) > 1:
		return nil, invalid("Unique expecting 0 or 1 results but got [%d]", len(clusters))
	}
	return &clusters[0].ID, nil
}

type pollInstancesRequest struct {
	IP   string `query:"ip" json:"-" required:"true"`
	Port int32  `query:"port" json:"-" required:"true" doc:"the admin port"`
	MD5  string `query:"md5" json:"-" required:"true" doc:"of the list that the server has; may be empty"`
}

func (a *API) pollInstances(ctx context.Context, _ identity.Principal, req pollInstancesRequest) (*instanceEntity, error) {
	s, err := a.db.ServerAt(ctx, req.IP, req.Port)
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.Polls.Note(s.ID, time.Now())
	filter := database.InstanceFilter{Status: statusRunning, ClusterID: s.ClusterID}
	if s.ClusterID == nil {
		filter.ServerID = &s.ID
	}
	rows, _, err := a.db.Instances(ctx, filter, false)
	if err != nil {
		return nil, err
	}
	var names strings.Builder
	for i := range rows {
		if i > 0 {
			names.WriteByte(',')
		}
		names.WriteString(rows[i].Name)
	}
	list := names.String()
	e := &instanceEntity{Content: &list, RunningStatus: statusStopped}
	if unchanged(req.MD5, list) {
		e.Content = nil
	}
	return e, nil
}

type pollInstanceRequest struct {
	Destination string `path:"destination" json:"-"`
	MD5         string `query:"md5" json:"-" required:"true" doc:"contentMd5 of what the server has; may be empty"`
}

// pollInstance sends neither cluster nor server, whose addresses the caller has
// no need of.
func (a *API) pollInstance(ctx context.Context, _ identity.Principal, req pollInstanceRequest) (*instanceEntity, error) {
	row, err := a.db.InstanceNamed(ctx, req.Destination)
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := a.instance(row)
	if unchanged(req.MD5, row.Content) {
		e.Content = nil
	}
	return e, nil
}

// unchanged compares a text with the MD5, in lower-case hex, that a server has of
// it. The stored MD5 is not used: a row may have been changed by hand.
func unchanged(have, content string) bool {
	if have == "" {
		return false
	}
	return md5Of(content) == have
}

func md5Of(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}
