package api

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

// textKind is whose configuration a text is.
type textKind int

const (
	textOfInstance textKind = iota
	textOfCluster
	textOfServer // that is alone
)

func (k textKind) path() string { return [...]string{pathInstances, pathClusters, pathServers}[k] }

func (k textKind) article() string {
	return [...]string{"an instance", "a cluster", "a server that is alone"}[k]
}

// editor is who may store such a text: a main configuration holds what opens all
// servers.
func (k textKind) editor() identity.Role {
	if k == textOfInstance {
		return identity.RoleOperator
	}
	return identity.RoleAdmin
}

// revisions is the kind of its revisions.
func (k textKind) revisions() string {
	if k == textOfInstance {
		return "instance"
	}
	return "config"
}

// storedText is a text in the database, or the place for one.
type storedText struct {
	kind     textKind
	owner    int64 // id of the instance, cluster or server
	name     string
	rowID    int64 // 0 when none is stored
	content  string
	modified time.Time
	config   database.Config   // of a main configuration
	instance database.Instance // of an instance
}

// findText reads the text of an instance, a cluster or a server.
func (a *API) findText(ctx context.Context, kind textKind, id int64) (storedText, error) {
	t := storedText{kind: kind, owner: id}
	var err error
	switch kind {
	case textOfInstance:
		t.instance, err = a.findInstance(ctx, id)
		t.name, t.rowID, t.content, t.modified = t.instance.Name, t.instance.ID, t.instance.Content, t.instance.Modified
		return t, err
	case textOfCluster:
		var c database.Cluster
		if c, err = a.findCluster(ctx, id); err != nil {
			return t, err
		}
		t.name = c.Name
		t.config, err = a.db.ConfigOfCluster(ctx, id)
	default:
		var s database.Server
		if s, err = a.findServer(ctx, id); err != nil {
			return t, err
		}
		if s.ClusterID != nil {
			return t, errClusterText
		}
		t.name = s.Name
		t.config, err = a.db.ConfigOfServer(ctx, id)
	}
	if errors.Is(err, database.ErrNotFound) {
		t.config = database.Config{Name: configName}
		if kind == textOfCluster {
			t.config.ClusterID = &id
		} else {
			t.config.ServerID = &id
		}
		return t, nil
	}
	t.rowID, t.content, t.modified = t.config.ID, t.config.Content, t.config.Modified
	return t, err
}

// errClusterText is Canal's refusal in its pages.
var errClusterText = fail(reasonConflict, text{"A server of a cluster has no configuration of its own", "集群模式Server不允许单独变更配置，请在集群配置变更"}).
	withRemedy(text{"change the main configuration of the cluster", "请修改集群的主配置"})

// runningTime bounds what a page waits for the running configurations.
const runningTime = 1500 * time.Millisecond

func (a *API) configVersions(ctx context.Context, p identity.Principal, kind textKind, id int64) (ConfigVersions, error) {
	t, err := a.findText(ctx, kind, id)
	if err != nil {
		return ConfigVersions{}, err
	}
	out := ConfigVersions{RowID: t.rowID, Stored: maskFor(p, t.content), ModifiedMs: unixMilli(t.modified), Running: []RunningConfig{}}
	if t.rowID != 0 {
		out.StoredMD5 = md5For(p, t.content)
	}
	out.Masked = out.Stored != t.content
	out.Running, err = a.runningConfigs(ctx, p, t)
	return out, err
}

// runningConfigs are what the servers run with: those of a cluster, or the one
// that runs an instance.
func (a *API) runningConfigs(ctx context.Context, p identity.Principal, t storedText) ([]RunningConfig, error) {
	f, err := a.watched()
	if err != nil {
		return nil, err
	}
	s, err := f.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var servers []*fleet.ServerView
	params := control.ConfigParams{}
	switch t.kind {
	case textOfInstance:
		params.Destination = t.name
		if v := s.Instance(t.owner); v != nil && v.On != nil && v.Report != nil {
			servers = []*fleet.ServerView{v.On}
		}
	case textOfCluster:
		if c := s.Cluster(t.owner); c != nil {
			servers = c.Servers
		}
	default:
		if v := s.Server(t.owner); v != nil {
			servers = []*fleet.ServerView{v}
		}
	}
	return a.askConfigs(ctx, p, f, servers, params, t), nil
}

func (a *API) askConfigs(ctx context.Context, p identity.Principal, f *fleet.Fleet, servers []*fleet.ServerView, params control.ConfigParams, t storedText) []RunningConfig {
	waiting, cancel := context.WithTimeout(ctx, runningTime)
	defer cancel()
	chinese := callerOf(ctx).chinese
	out := []RunningConfig{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, v := range servers {
		if v.Kind == fleet.KindCanal {
			continue // it cannot tell
		}
		asking.Go(func() {
			one := RunningConfig{ServerID: v.Row.ID, ServerName: v.Row.Name}
			err := v.Err
			if err == nil {
				err = f.Call(waiting, v.Row, control.MethodConfig, params, &one.RunningConfig)
			}
			var told *failure
			if errors.As(serverFault(err), &told) {
				one.Error = told.message.in(chinese)
			}
			one.UpToDate = err == nil && one.MD5 != "" && one.MD5 == md5Of(t.content)
			one.Text = maskFor(p, one.Text) // a server masks them itself, unless it is an old one
			switch {
			case p.Role.Allows(identity.RoleAdmin) || one.MD5 == "":
			case one.UpToDate:
				one.MD5 = md5For(p, t.content)
			default:
				one.MD5 = md5Of(one.Text)
			}
			if one.Values == nil {
				one.Values = []control.ConfigValue{}
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, one)
		})
	}
	asking.Wait()
	return out
}

type saveTextRequest struct {
	ID int64 `path:"id" json:"-"`
	SaveConfig
}

func (a *API) saveText(ctx context.Context, p identity.Principal, kind textKind, req saveTextRequest) (ConfigVersions, error) {
	t, err := a.findText(ctx, kind, req.ID)
	if err != nil {
		return ConfigVersions{}, err
	}
	if err := a.store(ctx, p, t, t.content, req.Content, database.SaveOptions{BaseMD5: req.BaseMD5, Comment: req.Comment}); err != nil {
		return ConfigVersions{}, err
	}
	return a.configVersions(ctx, p, kind, req.ID)
}

// store keeps a text in place of another. A secret that is masked in edited has the
// value that it has in kept. Refusals are written down as well.
func (a *API) store(ctx context.Context, p identity.Principal, t storedText, kept, edited string, o database.SaveOptions) error {
	content, base, err := newContent(edited, kept, o.BaseMD5)
	if base != o.BaseMD5 && kept != t.content {
		base = md5Of(t.content)
	}
	o.BaseMD5 = base
	if err == nil && t.kind == textOfInstance {
		err = a.checkFlow(ctx, p, t.instance, owner{t.instance.ClusterID, t.instance.ServerID}, content, edited)
	}
	if err == nil && o.BaseMD5 != "" && t.rowID != 0 && o.BaseMD5 != md5Of(t.content) {
		err = errStale
	}
	if err == nil {
		by := actor(callerOf(ctx), p)
		if t.kind == textOfInstance {
			t.instance.Content = content
			err = a.db.UpdateInstance(ctx, by, t.instance, o)
		} else {
			t.config.Content = content
			_, err = a.db.SaveConfig(ctx, by, t.config, o)
		}
	}
	if err == nil {
		return nil // the database has written it down
	}
	return a.audit(ctx, p, database.AuditRecord{Action: t.kind.revisions() + ".update", Kind: t.kind.revisions(), TargetID: t.rowID, Target: t.name}, err)
}

type revisionRequest struct {
	ID       int64 `path:"id" json:"-"`
	Revision int64 `path:"revision" json:"-"`
}

func (a *API) history(ctx context.Context, p identity.Principal, kind textKind, id int64) ([]RevisionSummary, error) {
	t, err := a.findText(ctx, kind, id)
	if err != nil || t.rowID == 0 {
		return []RevisionSummary{}, err
	}
	revisions, err := a.db.Revisions(ctx, kind.revisions(), t.rowID)
	if err != nil {
		return nil, err
	}
	out := []RevisionSummary{}
	for i, r := range revisions {
		one := revisionSummary(r, i == 0 && r.MD5 == md5Of(t.content))
		if !p.Role.Allows(identity.RoleAdmin) {
			one.MD5 = "" // see md5For
		}
		out = append(out, one)
	}
	return out, nil
}

func revisionSummary(r database.Revision, current bool) RevisionSummary {
	return RevisionSummary{ID: r.ID, AtMs: unixMilli(r.At), Username: r.Username, Comment: r.Comment, MD5: r.MD5, Current: current, Deleted: r.Deleted}
}

// findRevision is a revision of the text that the path names, and of no other.
func (a *API) findRevision(ctx context.Context, kind textKind, req revisionRequest) (storedText, database.Revision, error) {
	t, err := a.findText(ctx, kind, req.ID)
	if err != nil {
		return t, database.Revision{}, err
	}
	r, err := a.db.Revision(ctx, req.Revision)
	if err = orNotFound(err, revisionWord); err == nil && (r.Kind != kind.revisions() || r.TargetID != t.rowID || t.rowID == 0) {
		err = notFound(revisionWord)
	}
	return t, r, err
}

func (a *API) revision(ctx context.Context, p identity.Principal, kind textKind, req revisionRequest) (RevisionText, error) {
	t, r, err := a.findRevision(ctx, kind, req)
	if err != nil {
		return RevisionText{}, err
	}
	out := RevisionText{RevisionSummary: revisionSummary(r, r.MD5 == md5Of(t.content)), Content: maskFor(p, r.Content)}
	out.MD5 = md5Of(out.Content)
	return out, nil
}

// restore stores a former text again, with the secrets that it had.
func (a *API) restore(ctx context.Context, p identity.Principal, kind textKind, req revisionRequest) (ConfigVersions, error) {
	t, r, err := a.findRevision(ctx, kind, req)
	if err != nil {
		return ConfigVersions{}, err
	}
	comment := "version " + strconv.FormatInt(r.ID, 10) + " restored"
	// The masks stand for what the former text has itself: its author was another.
	if err := a.store(ctx, p, t, r.Content, maskSecrets(r.Content), database.SaveOptions{Comment: comment}); err != nil {
		return ConfigVersions{}, err
	}
	return a.configVersions(ctx, p, kind, req.ID)
}

type keysRequest struct {
	Kind string `query:"kind" json:"-" required:"true" doc:"server or instance"`
}

func (a *API) configKeys(_ context.Context, _ identity.Principal, req keysRequest) ([]ConfigKey, error) {
	if req.Kind != "server" && req.Kind != "instance" {
		return nil, errTextKind
	}
	out := []ConfigKey{}
	for _, k := range config.Keys() {
		if req.Kind == "instance" && k.Scope != config.ScopeInstance {
			continue // canal.properties may have all of them
		}
		one := ConfigKey{Name: k.Name, Default: k.Default, Effect: k.Effect, Status: keyStatus(k.Status), Secret: k.Secret}
		if k.Why != "" {
			one.Effect += ": " + k.Why
		}
		out = append(out, one)
	}
	return out, nil
}

var errTextKind = fail(reasonInvalid, text{"kind is server or instance", "kind 应为 server 或 instance"})

func keyStatus(s config.Status) string {
	switch s {
	case config.Works:
		return "works"
	case config.NoEffect:
		return "ignored"
	case config.NotYet:
		return "not-yet"
	}
	return "removed"
}
