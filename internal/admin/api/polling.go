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
	route(a, Operation{Method: http.MethodGet, Path: "/config/towpath_polling", Tag: tagPolling, Polling: true,
		Summary: "The MD5s of all texts of a server, in place of a question for each; null when there is no such server"}, a.pollSummary)
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
	if errors.Is(err, database.ErrNotFound) && req.MD5 == "" && req.Register && !a.RegistrationClosed {
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
		return nil, errNoConfig
	case err != nil:
		return nil, err
	case c.ContentMD5 == req.MD5:
		return nil, nil
	}
	return a.config(c), nil
}

var errNoConfig = refused("canal.properties config is empty")

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
	p, s, err := a.pollingServer(ctx, req.IP, req.Port)
	if p == nil || err != nil {
		return nil, err
	}
	due, err := p.dueOf(s)
	if err != nil {
		return nil, err
	}
	if req.MD5 != "" && req.MD5 == due.listMD5 {
		return &instanceEntity{RunningStatus: statusStopped}, nil
	}
	return due.list, nil
}

// pollingServer finds the server that asks, and notes that it did. It gives no
// answers when there is none.
func (a *API) pollingServer(ctx context.Context, ip string, port int32) (*pollAnswers, database.Server, error) {
	var s database.Server
	p, err := a.pollAnswers(ctx)
	if err != nil {
		return nil, s, err
	}
	if s, err = p.view.ServerAt(ip, port); err != nil {
		return nil, s, nil // there is no other error
	}
	a.Polls.Note(s.ID, time.Now())
	return p, s, nil
}

type pollInstanceRequest struct {
	Destination string `path:"destination" json:"-"`
	MD5         string `query:"md5" json:"-" required:"true" doc:"contentMd5 of what the server has; may be empty"`
}

// pollInstance sends neither cluster nor server, whose addresses the caller has
// no need of.
func (a *API) pollInstance(ctx context.Context, _ identity.Principal, req pollInstanceRequest) (*instanceEntity, error) {
	p, err := a.pollAnswers(ctx)
	if err != nil {
		return nil, err
	}
	row, sum, err := p.view.InstanceNamed(req.Destination)
	if err != nil {
		return nil, nil // there is no other error than that there is none
	}
	// The stored MD5 is not used: a row may have been changed by hand.
	if req.MD5 == sum {
		return p.unchanged(row, a)
	}
	return a.instance(row), nil
}

type pollSummaryRequest struct {
	IP    string `query:"ip" json:"-" required:"true"`
	Port  int32  `query:"port" json:"-" required:"true" doc:"the admin port"`
	Known string `query:"known" json:"-" doc:"the version that the server has; may be empty"`
}

// pollSummary spares servers that know of it a question for each instance.
func (a *API) pollSummary(ctx context.Context, _ identity.Principal, req pollSummaryRequest) (*PollSummary, error) {
	p, s, err := a.pollingServer(ctx, req.IP, req.Port)
	if p == nil || err != nil {
		return nil, err
	}
	due, err := p.dueOf(s)
	if err != nil {
		return nil, err
	}
	c, err := p.view.ConfigOf(s)
	if err != nil {
		return nil, errNoConfig // there is no other error
	}
	if req.Known == due.version {
		return &PollSummary{Version: due.version, Server: c.ContentMD5}, nil
	}
	return &PollSummary{Version: due.version, Server: c.ContentMD5, Instances: due.texts}, nil
}

func md5Of(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}
