package api

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/towpath-cdc/towpath/internal/admin/address"
	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// Fleet asks the servers. Its methods may be called concurrently and answer in
// bounded time whatever the servers do.
type Fleet interface {
	// ServerStatuses tells by id of each server "1" (running), "0" (up, but its
	// service is stopped) or "-1" (it does not answer).
	ServerStatuses(ctx context.Context, servers []database.Server) map[int64]string
	// RunningInstances tells by id of each server the names that it runs; nil for
	// one that does not answer, empty for one that runs none.
	RunningInstances(ctx context.Context, servers []database.Server) map[int64][]string
	// ServerAction orders check, start, stop or restart; false is the server's no.
	ServerAction(ctx context.Context, s database.Server, action string) (bool, error)
	// InstanceAction orders check, start, stop, release or restart.
	InstanceAction(ctx context.Context, s database.Server, destination, action string) (bool, error)
	// Log reads the last count lines: of canal.log when destination is "", else of
	// the instance's log.
	Log(ctx context.Context, s database.Server, destination string, count int) (string, error)
}

// Options is what an API works with.
type Options struct {
	DB       *database.DB
	Identity *identity.Service
	Fleet    Fleet
	Logger   *slog.Logger
	Version  string // of the admin

	// UI are the files of the web pages, with index.html at its root; nil when
	// there are none, and then only the calls are answered.
	UI fs.FS
	// Templates is the folder that may have canal-template.properties and
	// instance-template.properties; they are read anew each time, and ours stand in
	// for what is missing.
	Templates string
	// DateFormat and TimeZone are spring.jackson.date-format and time-zone; empty
	// for what Canal ships: yyyy-MM-dd HH:mm:ss and GMT+8.
	DateFormat, TimeZone string
	// Addresses say where servers may be.
	Addresses address.Rules
	// Origins are the sites that may call from a browser, as scheme://host[:port];
	// "*" lets all in, as Canal does. None by default.
	Origins []string
	// SecureCookie marks the cookie Secure although the request came without TLS,
	// because a proxy in front has it.
	SecureCookie bool
	// RegistrationClosed keeps servers from adding themselves with their first
	// question, as Canal lets everybody do who has the password of the servers.
	RegistrationClosed bool
}

// API answers HTTP requests. It is made by New and safe for concurrent use.
type API struct {
	Options
	Polls Polls // when servers last asked

	db          *database.DB
	identity    *identity.Service
	fleet       Fleet
	log         *slog.Logger
	dates       dateFormat
	crossOrigin *http.CrossOriginProtection
	anyOrigin   bool
	refusals    refusals
	polled      atomic.Pointer[pollAnswers]

	mux       *http.ServeMux
	methods   map[string]map[string]*endpoint // by pattern, by method
	endpoints []*endpoint                     // as registered
	openAPI   func() []byte
}

// New makes an API and registers all calls. It starts nothing.
func New(o Options) (*API, error) {
	dates, err := newDateFormat(o.DateFormat, o.TimeZone)
	if err != nil {
		return nil, err
	}
	a := &API{
		Options:     o,
		db:          o.DB,
		identity:    o.Identity,
		fleet:       o.Fleet,
		log:         o.Logger,
		dates:       dates,
		crossOrigin: http.NewCrossOriginProtection(),
		mux:         http.NewServeMux(),
		methods:     make(map[string]map[string]*endpoint),
	}
	if err := a.trustOrigins(o.Origins); err != nil {
		return nil, err
	}
	a.mux.HandleFunc("/api/", a.serveUnknown)
	a.userRoutes()
	a.clusterRoutes()
	a.serverRoutes()
	a.configRoutes()
	a.instanceRoutes()
	a.pollingRoutes()
	a.towpathRoutes()
	a.openAPI = sync.OnceValue(a.document)
	return a, nil
}

func (a *API) trustOrigins(origins []string) error {
	for _, origin := range origins {
		if origin == "*" {
			a.anyOrigin = true
			continue
		}
		if err := a.crossOrigin.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("origin %q: %w", origin, err)
		}
	}
	return nil
}

// Handler answers everything below the root.
func (a *API) Handler() http.Handler { return http.HandlerFunc(a.serveHTTP) }

func (a *API) serveHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w, r)
	switch p := r.URL.Path; {
	case p == "/api/openapi.json":
		a.serveOpenAPI(w, r)
	case p == "/api" || strings.HasPrefix(p, "/api/"):
		a.serveCall(w, r)
	default:
		a.serveStatic(w, r)
	}
}

// serveCall answers what is below /api.
func (a *API) serveCall(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		a.cors(w, r)
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if strings.Contains(strings.ToLower(r.URL.EscapedPath()), "%2f") {
		a.writeStatus(w, r, http.StatusBadRequest) // as Tomcat refuses it
		return
	}
	if trimmed := strings.TrimSuffix(r.URL.Path, "/"); trimmed != r.URL.Path {
		copied := *r
		url := *r.URL
		url.Path, url.RawPath = trimmed, strings.TrimSuffix(url.RawPath, "/")
		copied.URL = &url
		r = &copied
	}
	if path.Clean(r.URL.Path) != r.URL.Path {
		a.serveUnknown(w, r) // the router would redirect it
		return
	}
	a.mux.ServeHTTP(w, r)
}

// serveUnknown answers a path below /api that no call has: only who is logged in
// learns that there is none.
func (a *API) serveUnknown(w http.ResponseWriter, r *http.Request) {
	a.cors(w, r)
	r = r.WithContext(withCaller(r))
	if _, err := a.authenticate(r, false); err != nil {
		a.writeFault(w, r, false, err)
		return
	}
	a.writeStatus(w, r, http.StatusNotFound)
}

// cors lets the pages of other sites read the answer, if they may. Canal lets all.
func (a *API) cors(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	origin, methods := r.Header.Get("Origin"), "GET, HEAD, POST, PUT, DELETE"
	switch {
	case a.anyOrigin:
		methods = "*"
		h.Set("Access-Control-Allow-Origin", "*")
	case len(a.Origins) == 0:
		return
	default:
		h.Add("Vary", "Origin")
		if !slices.Contains(a.Origins, origin) {
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
	}
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "Origin, X-Requested-With, Content-Type, Accept, Authorization, X-Token")
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Max-Age", "86400")
}
