package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// What com.alibaba.otter.canal.admin.controller.CanalConfigController answers.

const tagConfig = "Configuration"

// configName is the name of every main configuration.
const configName = "canal.properties"

func (a *API) configRoutes() {
	route(a, Operation{Method: http.MethodGet, Path: "/canal/config/{clusterId}/{serverId}", Tag: tagConfig, Role: identity.RoleViewer,
		Summary: "The canal.properties of a cluster, or of a server; 0 stands for none"}, a.oneConfig)
	route(a, Operation{Method: http.MethodPut, Path: "/canal/config", Tag: tagConfig, Role: identity.RoleAdmin,
		Summary: "Store the canal.properties of a cluster or of a server that is alone"}, a.saveConfig)
	route(a, Operation{Method: http.MethodGet, Path: "/canal/config/template", Tag: tagConfig, Role: identity.RoleViewer,
		Summary: "The canal.properties to begin with"}, a.configTemplate)
}

type configOfRequest struct {
	ClusterID int64 `path:"clusterId" json:"-"`
	ServerID  int64 `path:"serverId" json:"-"`
}

// errNoOwner refuses a call that names neither a cluster nor a server.
var errNoOwner = refused("clusterId and serverId are all empty")

func (a *API) oneConfig(ctx context.Context, p identity.Principal, req configOfRequest) (*configEntity, error) {
	c, err := a.findConfig(ctx, req.ClusterID, req.ServerID)
	if errors.Is(err, database.ErrNotFound) {
		name := configName
		return &configEntity{Name: &name}, nil
	}
	if err != nil {
		return nil, err
	}
	if shown := maskFor(p, c.Content); shown != c.Content {
		c.Content, c.ContentMD5 = shown, md5Of(shown)
	}
	return a.config(c), nil
}

// findConfig is the text of a cluster, or else of a server, which has that of its
// cluster when it has none of its own.
func (a *API) findConfig(ctx context.Context, clusterID, serverID int64) (database.Config, error) {
	switch {
	case clusterID != 0:
		return a.db.ConfigOfCluster(ctx, clusterID)
	case serverID == 0:
		return database.Config{}, errNoOwner
	}
	c, err := a.db.ConfigOfServer(ctx, serverID)
	if !errors.Is(err, database.ErrNotFound) {
		return c, err
	}
	s, err := a.db.Server(ctx, serverID)
	if err != nil {
		return c, err
	}
	if s.ClusterID == nil {
		return c, database.ErrNotFound
	}
	return a.db.ConfigOfCluster(ctx, *s.ClusterID)
}

type saveConfigRequest struct {
	ID        long   `json:"id"`
	ClusterID long   `json:"clusterId"`
	ServerID  long   `json:"serverId"`
	Content   words  `json:"content"`
	BaseMD5   string `json:"baseMd5" doc:"contentMd5 of the text that was edited; another stored text is then not overwritten"`
}

// saveConfig keeps one text for each cluster and each server: where Canal adds a
// row for each call without an id, the one that there is gets the new text.
func (a *API) saveConfig(ctx context.Context, p identity.Principal, req saveConfigRequest) (string, error) {
	if req.Content.v == nil {
		return "", nullMessage("content is missing")
	}
	row, err := a.configToSave(ctx, req)
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
	row.Content = content
	_, err = a.db.SaveConfig(ctx, actor(callerOf(ctx), p), row, database.SaveOptions{BaseMD5: base})
	if err != nil {
		return "", err
	}
	return successText, nil
}

// configToSave is the stored row that a request means, or a new one.
func (a *API) configToSave(ctx context.Context, req saveConfigRequest) (database.Config, error) {
	if req.ID.v != nil {
		return a.db.Config(ctx, *req.ID.v)
	}
	clusterID, serverID := valueOr0(req.ClusterID), valueOr0(req.ServerID)
	var row database.Config
	var err error
	switch {
	case clusterID != 0:
		row, err = a.db.ConfigOfCluster(ctx, clusterID)
		row.ClusterID = &clusterID
	case serverID != 0:
		row, err = a.db.ConfigOfServer(ctx, serverID)
		row.ServerID = &serverID
	default:
		return row, errNoOwner
	}
	if errors.Is(err, database.ErrNotFound) {
		row.Name, err = configName, nil
	}
	return row, err
}

func valueOr0(l long) int64 {
	if l.v == nil {
		return 0
	}
	return *l.v
}

// newContent checks a text that is to be stored in place of another, and puts back
// the secrets that are masked in it. Then the text that they come from must still
// be the stored one, also when the caller names no base. The base may be the MD5 of
// the text with its secrets masked.
func newContent(edited, stored, base string) (content, newBase string, err error) {
	const longest = 2 * database.MaxContent // as masks are longer than what they hide may be
	if len(edited) > longest {
		return "", "", fail(reasonInvalid, text{"the configuration has %d bytes; %d can be stored", "配置内容共 %d 字节，最多可保存 %d 字节"}, len(edited), database.MaxContent)
	}
	content, err = keepSecrets(edited, stored)
	if err != nil {
		return "", "", err
	}
	if len(content) > database.MaxContent {
		return "", "", fail(reasonInvalid, text{"the configuration has %d bytes; %d can be stored", "配置内容共 %d 字节，最多可保存 %d 字节"}, len(content), database.MaxContent)
	}
	if base == "" && content != edited || base == md5Of(maskSecrets(stored)) {
		base = md5Of(stored)
	}
	return content, base, nil
}

func (a *API) configTemplate(_ context.Context, p identity.Principal, _ struct{}) (string, error) {
	content, err := a.template(serverTemplate)
	return maskFor(p, content), err
}
