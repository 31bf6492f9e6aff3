package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/address"
	"github.com/towpath-cdc/towpath/internal/admin/api"
	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/admin/settings"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/logging"
	"github.com/towpath-cdc/towpath/web"
)

func init() {
	register(command{name: "admin", summary: "run the web application that servers have their configuration from", run: runAdmin})
}

// Bounds of HTTP.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	writeTimeout  = 90 * time.Second // an order to a server may take a minute; streams set their own
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10 // bytes

	// graceTime is for how long calls may go on once the admin shall stop, and
	// streams before them.
	graceTime  = 5 * time.Second
	streamTime = 500 * time.Millisecond

	databaseRetry = 5 * time.Second // between attempts to open the database
)

// adminFlags are the options that all ways to run the admin have.
type adminFlags struct {
	home, conf string
	defines    overrides
}

func (a *adminFlags) register(f *flag.FlagSet) {
	a.defines = overrides{}
	f.StringVar(&a.home, "home", ".", "installation `DIR`, laid out as Canal Admin's: conf/, logs/")
	f.StringVar(&a.conf, "conf", "", "`DIR` of application.yml (default HOME/conf)")
	f.Var(a.defines, "D", "override a key of application.yml: may be repeated, as `KEY=VALUE`")
}

func (a *adminFlags) load(readOnly bool) (*settings.Settings, error) {
	return settings.Load(settings.LoadOptions{Home: a.home, Conf: a.conf, Defines: a.defines, Environ: os.Environ(), ReadOnly: readOnly})
}

func (a *adminFlags) confDir() string {
	if a.conf != "" {
		return a.conf
	}
	return filepath.Join(a.home, "conf")
}

// runAdmin is the sub-command admin. Exit codes: 0 after a stop that was asked for,
// 1 when it could not start or serve, 2 for wrong usage.
func runAdmin(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "passwd":
			return runAdminPasswd(ctx, args[1:], stdin, stdout, stderr)
		case "hash":
			return runAdminHash(args[1:], stdin, stdout, stderr)
		}
	}
	var at adminFlags
	flags := newFlags("admin", "Serves the web pages and calls of Canal Admin, and the configuration of servers.\n\n"+
		"towpath admin passwd sets the password of a user.\ntowpath admin hash prints Canal's hash of a password.", stderr)
	at.register(flags)
	listen := flags.String("listen", "", "`HOST:PORT` to listen on (default what server.address and server.port say)")
	logsDir := flags.String("logs", "", "log `DIR` (default HOME/logs)")
	level := flags.String("log-level", "info", "least `LEVEL` that is logged: debug, info, warn, error")
	if code, ok := parseFlags(flags, args); !ok {
		return code
	}
	var least slog.Level
	if err := least.UnmarshalText([]byte(*level)); err != nil {
		return usageError("admin", stderr, err)
	}
	s, err := at.load(false)
	if err != nil {
		fmt.Fprintf(stderr, "towpath admin: %v\n", err)
		return exitError
	}
	if *listen == "" {
		*listen = s.Listen()
	}
	if *logsDir == "" {
		*logsDir = filepath.Join(at.home, "logs")
	}
	logs := logging.New(logging.Options{Dir: *logsDir, Single: "admin", KeepDays: logging.AdminKeepDays, Level: least, Terminal: stdout, Complaints: stderr})
	defer logs.Close()
	log := logs.Logger()
	a := admin{settings: s, templates: at.confDir(), listen: *listen, log: log}
	if err := a.serve(ctx); err != nil {
		log.Error("the admin ends", "error", err)
		return exitError
	}
	return exitOK
}

// admin is the running web application.
type admin struct {
	settings  *settings.Settings
	templates string // folder
	listen    string
	log       *slog.Logger

	handler atomic.Pointer[http.Handler] // nil until the database is open
}

// serve runs the admin until ctx ends. The port is taken first, so that a second
// admin fails before it touches anything; until the database is open, requests are
// told to wait.
func (a *admin) serve(ctx context.Context) error {
	s := a.settings
	a.log.Info("settings loaded", "file", s.File, "written", s.Written, "database", s.Driver)
	for _, finding := range s.Findings {
		a.log.Warn(finding, "file", s.File)
	}
	parts, err := a.prepare()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", a.listen)
	if err != nil {
		return fmt.Errorf("listen (server.address, server.port): %w", err)
	}
	scheme := "http"
	if parts.tls != nil {
		ln, scheme = tls.NewListener(ln, parts.tls), "https"
	}
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server := &http.Server{
		Handler: http.HandlerFunc(a.serveHTTP), ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }() // ends with server.Shutdown or Close, and is waited for below
	defer func() {
		server.Close()
		<-served
	}()
	a.log.Info("the admin listens", "address", scheme+"://"+ln.Addr().String())

	db, err := a.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it waited
		}
		return err
	}
	defer db.Close()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	background, stop := context.WithCancel(ctx)
	defer stop()
	if err := a.start(ctx, background, &helpers, db, parts); err != nil {
		return err
	}
	a.log.Info("the admin is running")
	select {
	case err := <-served:
		served <- err
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.log.Info("the admin stops")
	a.stop(ctx, server, end)
	return nil
}

// stop lets the calls under way end; streams, which would not, are ended first.
func (a *admin) stop(ctx context.Context, server *http.Server, endRequests func()) {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	timer := time.AfterFunc(streamTime, endRequests)
	defer timer.Stop()
	if err := server.Shutdown(grace); err != nil {
		a.log.Warn("calls are cut off", "error", err)
	}
}

// adminParts are made of the settings before anything runs.
type adminParts struct {
	allowed address.Rules
	tls     *tls.Config // of HTTPS; nil for HTTP
	control control.TLSMode
	servers *tls.Config // with servers; nil for the system's authorities
}

func (a *admin) prepare() (p adminParts, err error) {
	s := a.settings
	if p.allowed, err = address.New(s.Allow); err != nil {
		return p, fmt.Errorf("towpath.address.allow: %w", err)
	}
	if s.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return p, fmt.Errorf("towpath.tls.cert and towpath.tls.key: %w", err)
		}
		p.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	p.control = map[string]control.TLSMode{settings.ControlTLSNever: control.TLSNever,
		settings.ControlTLSOffered: control.TLSWhenOffered, settings.ControlTLSRequired: control.TLSRequired}[s.ControlTLS]
	if s.ControlCA != "" {
		pem, err := os.ReadFile(s.ControlCA)
		if err != nil {
			return p, fmt.Errorf("towpath.control.ca: %w", err)
		}
		p.servers = &tls.Config{RootCAs: x509.NewCertPool()}
		if !p.servers.RootCAs.AppendCertsFromPEM(pem) {
			return p, fmt.Errorf("towpath.control.ca: %s has no certificate", s.ControlCA)
		}
	}
	return p, nil
}

// open opens the database, and waits for one that cannot be reached yet.
func (a *admin) open(ctx context.Context) (*database.DB, error) {
	o := a.settings.Database()
	o.Logger = a.log
	for {
		db, err := database.Open(ctx, o)
		if err == nil || !errors.Is(err, database.ErrUnavailable) {
			return db, err
		}
		a.log.Warn("the database cannot be opened, it is tried again", "in", databaseRetry, "error", err)
		timer := time.NewTimer(databaseRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

// start makes what answers calls. Its goroutines end with background.
func (a *admin) start(ctx, background context.Context, helpers *sync.WaitGroup, db *database.DB, p adminParts) error {
	s := a.settings
	users := identity.New(db, identity.Options{PollUser: s.AdminUser, PollPassword: s.AdminPassword, Idle: s.Idle, KeepCanalHash: s.KeepCanalHash, Logger: a.log})
	switch added, err := users.EnsureFirstUser(ctx, s.FirstPassword); {
	case err != nil:
		return fmt.Errorf("first user: %w", err)
	case added && (s.FirstPassword == "" || s.FirstPassword == identity.DefaultPassword):
		a.log.Warn("the first user is admin with Canal's default password, which has to be changed at the first log-in")
	case added:
		a.log.Info("the first user is admin with the password of towpath.firstPassword")
	}
	servers := fleet.New(fleet.Options{DB: db, User: s.AdminUser, Password: s.AdminPassword, TLS: p.control, TLSConfig: p.servers, Allowed: p.allowed, Logger: a.log})
	pages, err := api.New(api.Options{
		DB: db, Identity: users, Fleet: servers, Logger: a.log, Version: version, UI: web.Files(), Templates: a.templates,
		DateFormat: s.DateFormat, TimeZone: s.TimeZone, Addresses: p.allowed, Origins: s.Origins, SecureCookie: s.SecureCookie,
		RegistrationClosed: s.RegistrationClosed,
	})
	if err != nil {
		servers.Close()
		return err
	}
	helpers.Go(func() { servers.Run(background) })
	handler := pages.Handler()
	a.handler.Store(&handler)
	return nil
}

func (a *admin) serveHTTP(w http.ResponseWriter, r *http.Request) {
	h := a.handler.Load()
	if h == nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the admin waits for its database", http.StatusServiceUnavailable)
		return
	}
	limitBody(w, r, bodyTimeout)
	(*h).ServeHTTP(w, r)
}

// limitBody bounds the time that the body of a request takes to come. The server's
// own ReadTimeout would not do: it ends requests that are answered for longer, such as
// streams.
func limitBody(w http.ResponseWriter, r *http.Request, within time.Duration) {
	c := http.NewResponseController(w)
	if r.ContentLength == 0 || c.SetReadDeadline(time.Now().Add(within)) != nil { // HTTP/2 has one for each stream, too
		return
	}
	r.Body = &limitedBody{r.Body, c}
}

// limitedBody takes the deadline away once the body has come.
type limitedBody struct {
	io.ReadCloser
	c *http.ResponseController
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.c.SetReadDeadline(time.Time{}) // it could be set
	}
	return n, err
}
