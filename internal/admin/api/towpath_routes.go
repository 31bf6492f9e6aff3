package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// The headings of the calls beyond Canal's in the document.
const (
	tagOverview    = "Overview"
	tagCommands    = "Commands"
	tagTexts       = "Configuration texts"
	tagTools       = "Tools"
	tagLogs        = "Logs"
	tagAdmin       = "Users and audit"
	pathClusters   = "/towpath/clusters/{id}"
	pathServers    = "/towpath/servers/{id}"
	pathInstances  = "/towpath/instances/{id}"
	pathOfConfig   = "/config"
	pathOfHistory  = "/config/history"
	pathOfRevision = "/config/history/{revision}"
)

// towpathRoutes registers the calls beyond Canal's.
func (a *API) towpathRoutes() {
	a.overviewRoutes()
	a.commandRoutes()
	a.textRoutes()
	a.toolRoutes()
	a.logRoutes()
	a.adminRoutes()
}

func (a *API) overviewRoutes() {
	get := func(path, summary string) Operation {
		return Operation{Method: http.MethodGet, Path: path, Tag: tagOverview, Summary: summary, Role: identity.RoleViewer}
	}
	me := get("/towpath/me", "Who is logged in, and what the pages need to know of the admin")
	me.BeforeChange = true
	route(a, me, a.me)
	route(a, get("/towpath/dashboard", "Everything in numbers, and what a person should look at"), a.dashboard)
	route(a, get("/towpath/instances", "Instances and how they are, page by page"), a.instances)
	route(a, get(pathInstances, "All about one instance"), a.instanceDetail)
	route(a, get("/towpath/servers", "All servers and how they are"), a.servers)
	route(a, get(pathServers, "All about one server"), a.oneServerDetail)
	route(a, get(pathClusters, "A cluster as its ZooKeeper and its servers tell"), a.oneClusterDetail)
	route(a, get(pathClusters+"/zookeeper", "A node of a cluster's ZooKeeper"), a.zooKeeperNode)
	var open streams
	stream(a, get("/towpath/stream", "What changes, as server-sent events"),
		func(w http.ResponseWriter, r *http.Request, p identity.Principal, req streamRequest) error {
			return a.serveStream(w, r, p, req, &open)
		})
}

func (a *API) commandRoutes() {
	post := func(path, summary string, role identity.Role) Operation {
		return Operation{Method: http.MethodPost, Path: path, Tag: tagCommands, Summary: summary, Role: role}
	}
	route(a, post(pathClusters+"/drain", "Have a Towpath server hand over all it runs", identity.RoleOperator), a.drain)
	route(a, post(pathClusters+"/undrain", "Let a drained server take instances again", identity.RoleOperator), a.undrain)
	route(a, post(pathClusters+"/move", "Move an instance to a Towpath server", identity.RoleOperator), a.move)
	route(a, post(pathClusters+"/release", "Have the owner of an instance give it to whichever server is first", identity.RoleOperator), a.release)
	route(a, post(pathClusters+"/rebalance", "Spread the instances over the Towpath servers", identity.RoleOperator), a.rebalance)
	route(a, post(pathInstances+"/seek/preview", "What another position of the clients would mean", identity.RoleViewer), a.previewSeek)
	route(a, post(pathInstances+"/seek", "Let the clients go on at another position", identity.RoleOperator), a.seek)
	route(a, post(pathInstances+"/quarantine/dismiss", "Take a table off the list of those in quarantine", identity.RoleOperator), a.dismiss)
}

func (a *API) textRoutes() {
	for _, kind := range []textKind{textOfInstance, textOfCluster, textOfServer} {
		base := kind.path()
		edit := kind.editor()
		read := Operation{Method: http.MethodGet, Path: base + pathOfConfig, Tag: tagTexts, Role: identity.RoleViewer,
			Summary: "The stored and the running configuration of " + kind.article()}
		save := Operation{Method: http.MethodPut, Path: base + pathOfConfig, Tag: tagTexts, Role: edit,
			Summary: "Store the configuration of " + kind.article()}
		history := Operation{Method: http.MethodGet, Path: base + pathOfHistory, Tag: tagTexts, Role: identity.RoleViewer,
			Summary: "The texts that were stored for " + kind.article()}
		revision := Operation{Method: http.MethodGet, Path: base + pathOfRevision, Tag: tagTexts, Role: identity.RoleViewer,
			Summary: "One text that was stored for " + kind.article()}
		restore := Operation{Method: http.MethodPost, Path: base + pathOfRevision + "/restore", Tag: tagTexts, Role: edit,
			Summary: "Store a former text of " + kind.article() + " again"}
		route(a, read, func(ctx context.Context, p identity.Principal, req idRequest) (ConfigVersions, error) {
			return a.configVersions(ctx, p, kind, req.ID)
		})
		route(a, save, func(ctx context.Context, p identity.Principal, req saveTextRequest) (ConfigVersions, error) {
			return a.saveText(ctx, p, kind, req)
		})
		route(a, history, func(ctx context.Context, p identity.Principal, req idRequest) ([]RevisionSummary, error) {
			return a.history(ctx, p, kind, req.ID)
		})
		route(a, revision, func(ctx context.Context, p identity.Principal, req revisionRequest) (RevisionText, error) {
			return a.revision(ctx, p, kind, req)
		})
		route(a, restore, func(ctx context.Context, p identity.Principal, req revisionRequest) (ConfigVersions, error) {
			return a.restore(ctx, p, kind, req)
		})
	}
	route(a, Operation{Method: http.MethodPost, Path: "/towpath/config/validate", Tag: tagTexts, Role: identity.RoleViewer,
		Summary: "Look through a text that is not stored yet"}, a.validate)
	route(a, Operation{Method: http.MethodGet, Path: "/towpath/config/keys", Tag: tagTexts, Role: identity.RoleViewer,
		Summary: "The keys that a text may have"}, a.configKeys)
}

func (a *API) toolRoutes() {
	post := func(path, summary string, role identity.Role) Operation {
		return Operation{Method: http.MethodPost, Path: path, Tag: tagTools, Summary: summary, Role: role}
	}
	route(a, post("/towpath/instances/form", "The instance.properties that a form comes to", identity.RoleOperator), a.newInstanceForm)
	route(a, post("/towpath/check", "Look at a source before an instance reads it", identity.RoleOperator), a.checkSource)
	route(a, post("/towpath/filter/test", "What filters let through", identity.RoleViewer), a.testFilter)
	route(a, post("/towpath/zookeeper/check", "Ask the servers of a ZooKeeper ensemble how they are", identity.RoleAdmin), a.checkZooKeeper)
	route(a, Operation{Method: http.MethodGet, Path: pathInstances + "/tables", Tag: tagTools, Role: identity.RoleViewer,
		Summary: "The layout of the tables that an instance knows"}, a.tables)
}

func (a *API) logRoutes() {
	get := func(path, summary string) Operation {
		return Operation{Method: http.MethodGet, Path: path, Tag: tagLogs, Summary: summary, Role: identity.RoleViewer}
	}
	route(a, get(pathServers+"/logs", "The log files of a server"), a.serverLogs)
	route(a, get(pathServers+"/log", "Lines of a log file of a server"), a.serverLogPage)
	route(a, get(pathInstances+"/logs", "The log files of an instance"), a.instanceLogs)
	route(a, get(pathInstances+"/log", "Lines of a log file of an instance"), a.instanceLogPage)
}

func (a *API) adminRoutes() {
	op := func(method, path, summary string) Operation {
		return Operation{Method: method, Path: path, Tag: tagAdmin, Summary: summary, Role: identity.RoleAdmin}
	}
	route(a, op(http.MethodGet, "/towpath/users", "All users"), a.users)
	route(a, op(http.MethodPost, "/towpath/users", "Add a user"), a.addUser)
	route(a, op(http.MethodPut, "/towpath/users/{id}", "Change a user"), a.changeUser)
	route(a, op(http.MethodDelete, "/towpath/users/{id}", "Delete a user"), a.deleteUser)
	route(a, op(http.MethodPost, "/towpath/users/{id}/sessions/revoke", "End all sessions of a user"), a.revokeSessions)
	route(a, op(http.MethodGet, "/towpath/audit", "Who has changed what, latest first"), a.auditTrail)
}

// snapshot is how everything is. That somebody asks counts as watching.
func (a *API) snapshot(ctx context.Context) (*fleet.Snapshot, error) {
	f, err := a.watched()
	if err != nil {
		return nil, err
	}
	return f.Snapshot(ctx)
}

// watched is the fleet, of which somebody wants to know more than Canal's calls
// tell.
func (a *API) watched() (*fleet.Fleet, error) {
	f, ok := a.fleet.(*fleet.Fleet)
	if !ok {
		return nil, errNoFleet
	}
	f.Watch()
	return f, nil
}

var errNoFleet = fail(reasonUnavailable, text{"The servers cannot be asked", "无法访问服务器"})

// notFound is the failure of a call about something that is not stored.
func notFound(what text) *failure {
	return fail(reasonNotFound, text{what.en + " is not there; it may have been deleted", what.zh + "不存在，可能已被删除"})
}

// The things that can be missing.
var (
	clusterWord  = text{"The cluster", "集群"}
	serverWord   = text{"The server", "Server "}
	instanceWord = text{"The instance", "Instance "}
	userWord     = text{"The user", "用户"}
	revisionWord = text{"The version", "历史版本"}
)

// orNotFound makes notFound of database.ErrNotFound.
func orNotFound(err error, what text) error {
	if errors.Is(err, database.ErrNotFound) {
		return notFound(what)
	}
	return err
}

// audit writes down what somebody has done, or tried to do, to a thing that the
// database does not know of. The failure of the call itself comes first.
func (a *API) audit(ctx context.Context, p identity.Principal, r database.AuditRecord, err error) error {
	r.OK = err == nil
	if f := (*failure)(nil); r.Detail == "" && errors.As(err, &f) {
		r.Detail = f.message.en
	} else if err != nil && r.Detail == "" {
		r.Detail = "failed; the admin's log tells more" // not what the database said
	}
	// What was done is written down although the client has gone.
	kept := a.db.Audit(context.WithoutCancel(ctx), actor(callerOf(ctx), p), r)
	if err != nil {
		if kept != nil {
			a.log.Error("audit record not written", "action", r.Action, "error", kept)
		}
		return err
	}
	return kept
}
