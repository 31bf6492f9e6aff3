package api

import (
	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// The rows as Canal's calls send them: each key always, in this order (that of
// the classes in com.alibaba.otter.canal.admin.model), null where there is
// nothing or nothing was loaded.

type clusterEntity struct {
	ID           *int64  `json:"id"`
	Name         *string `json:"name"`
	ZKHosts      *string `json:"zkHosts"`
	ModifiedTime *string `json:"modifiedTime"`
}

type serverEntity struct {
	ID           *int64         `json:"id"`
	CanalCluster *clusterEntity `json:"canalCluster"`
	ClusterID    *int64         `json:"clusterId"`
	Name         *string        `json:"name"`
	IP           *string        `json:"ip"`
	AdminPort    *int32         `json:"adminPort"`
	MetricPort   *int32         `json:"metricPort"`
	TCPPort      *int32         `json:"tcpPort"`
	Status       *string        `json:"status"`
	ModifiedTime *string        `json:"modifiedTime"`
}

type configEntity struct {
	ID           *int64  `json:"id"`
	ClusterID    *int64  `json:"clusterId"`
	ServerID     *int64  `json:"serverId"`
	Name         *string `json:"name"`
	Content      *string `json:"content"`
	ContentMD5   *string `json:"contentMd5"`
	Status       *string `json:"status"`
	ModifiedTime *string `json:"modifiedTime"`
}

type instanceEntity struct {
	ID              *int64         `json:"id"`
	ClusterID       *int64         `json:"clusterId"`
	CanalCluster    *clusterEntity `json:"canalCluster"`
	ServerID        *int64         `json:"serverId"`
	NodeServer      *serverEntity  `json:"nodeServer"`
	Name            *string        `json:"name"`
	Content         *string        `json:"content"`
	ContentMD5      *string        `json:"contentMd5"`
	Status          *string        `json:"status"`
	ModifiedTime    *string        `json:"modifiedTime"`
	ClusterServerID *string        `json:"clusterServerId"` // "cluster:<id>" or "server:<id>"
	RunningStatus   string         `json:"runningStatus"`   // "1" where it was seen running, else "0"

	body []byte // its envelope, of those that servers ask for again and again
}

func (e *instanceEntity) prepared() []byte {
	if e == nil {
		return nil
	}
	return e.body
}

// userEntity has the keys of Canal's User; those of passwords never tell one.
type userEntity struct {
	ID              int64   `json:"id"`
	Username        string  `json:"username"`
	Password        string  `json:"password"`
	Roles           string  `json:"roles"`
	Introduction    *string `json:"introduction"`
	Avatar          *string `json:"avatar"`
	Name            string  `json:"name"`
	CreationDate    *string `json:"creationDate"`
	OldPassword     *string `json:"oldPassword"`
	DefaultPassword bool    `json:"defaultPassword"`
}

func (a *API) cluster(c database.Cluster) *clusterEntity {
	return &clusterEntity{ID: &c.ID, Name: &c.Name, ZKHosts: &c.ZKHosts, ModifiedTime: a.dates.date(c.Modified)}
}

// clusterName is a cluster as lists have it.
func clusterName(c database.Cluster) *clusterEntity {
	return &clusterEntity{ID: &c.ID, Name: &c.Name}
}

func (a *API) server(s database.Server, cluster *clusterEntity) *serverEntity {
	return &serverEntity{
		ID: &s.ID, CanalCluster: cluster, ClusterID: s.ClusterID, Name: &s.Name, IP: &s.IP,
		AdminPort: s.AdminPort, MetricPort: s.MetricPort, TCPPort: s.TCPPort,
		Status: &s.Status, ModifiedTime: a.dates.date(s.Modified),
	}
}

// serverName is a server as the list of instances has it.
func serverName(s database.Server) *serverEntity {
	return &serverEntity{ID: &s.ID, Name: &s.Name, IP: &s.IP, AdminPort: s.AdminPort}
}

func (a *API) config(c database.Config) *configEntity {
	return &configEntity{
		ID: &c.ID, ClusterID: c.ClusterID, ServerID: c.ServerID, Name: &c.Name, Content: &c.Content,
		ContentMD5: &c.ContentMD5, Status: c.Status, ModifiedTime: a.dates.date(c.Modified),
	}
}

// instanceRow is an instance without its text.
func (a *API) instanceRow(i database.Instance) *instanceEntity {
	return &instanceEntity{
		ID: &i.ID, ClusterID: i.ClusterID, ServerID: i.ServerID, Name: &i.Name,
		ModifiedTime: a.dates.date(i.Modified), RunningStatus: statusStopped,
	}
}

// instance is an instance with its text.
func (a *API) instance(i database.Instance) *instanceEntity {
	e := a.instanceRow(i)
	e.Content, e.ContentMD5, e.Status = &i.Content, i.ContentMD5, i.Status
	return e
}

// The states of servers and instances in Canal's answers.
const (
	statusRunning = "1"
	statusStopped = "0"
	statusUnknown = "-1" // of a server that does not answer
)

// pageRequest is the part of Canal's Pager that is asked with.
type pageRequest struct {
	Page *int32 `query:"page" json:"-" doc:"from 1, which is the default; smaller numbers mean 1"`
	Size *int32 `query:"size" json:"-" doc:"20 by default, at most 1000; 0 and less mean the most"`
}

const (
	defaultPageSize = 20
	maxPageSize     = 1000
	maxPage         = 1 << 30 / maxPageSize // so that offsets stay small
)

// resolve gives page, size and offset within their bounds.
func (p pageRequest) resolve() (page, size, offset int) {
	page, size = 1, defaultPageSize
	if p.Page != nil {
		page = min(max(int(*p.Page), 1), maxPage)
	}
	if p.Size != nil {
		size = int(*p.Size)
	}
	if size <= 0 || size > maxPageSize {
		size = maxPageSize
	}
	return page, size, (page - 1) * size
}

// pager is one page of a list, as Canal sends it.
type pager[T any] struct {
	Count  int64 `json:"count"` // of all pages
	Items  []T   `json:"items"`
	Page   int   `json:"page"`
	Size   int   `json:"size"`
	Offset int   `json:"offset"`
}
