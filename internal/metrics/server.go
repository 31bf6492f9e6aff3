package metrics

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/server"
)

// contentType is that of the Prometheus text format.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// Options say what a Server publishes and where. The functions may be called
// concurrently; one that is nil stands for nothing to report.
type Options struct {
	Port int // on all interfaces; 0 and less switch metrics off

	Instances func() []InstanceStats      // the running instances, by destination
	Clients   func() []server.ClientStats // what clients did, also to instances that have stopped
	Sessions  func() int                  // connections of clients
	Refused   func() uint64               // connections of clients that were one too many

	Logger *slog.Logger // required
}

// Server publishes metrics over HTTP.
type Server struct {
	options Options
}

// New returns a server. It starts nothing.
func New(o Options) *Server { return &Server{options: o} }

// Run serves until ctx ends. Without metrics the product still does its work,
// so a port that cannot be had is logged as a warning, as in Canal, and Run
// returns.
func (s *Server) Run(ctx context.Context) {
	if s.options.Port <= 0 {
		return
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", ":"+strconv.Itoa(s.options.Port))
	if err != nil {
		s.options.Logger.Warn("no metrics: listen for scrapes", "error", err)
		return
	}
	s.serve(ctx, ln)
}

// serve answers requests on ln, which it closes, until ctx ends.
func (s *Server) serve(ctx context.Context, ln net.Listener) {
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { h.Close() })
	defer stop()
	s.options.Logger.Info("listening for scrapes", "address", ln.Addr().String())
	if err := h.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		s.options.Logger.Warn("no more metrics: serve scrapes", "error", err)
	}
}

// ServeHTTP answers every path with the same page, as the Java client does: health
// checks ask for / as well as for /metrics. The parameter name[], which may be
// repeated, restricts the page to samples of these names.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := render(s.families(time.Now()), r.URL.Query()["name[]"])
	w.Header().Set("Content-Type", contentType)
	out := io.Writer(w)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		out = z
	}
	// An error means that the scraper has gone.
	_, _ = out.Write(page)
}

func (s *Server) families(now time.Time) []family {
	o := &s.options
	var all []family
	instances := call(o.Instances)
	all = append(all, instanceFamilies(instances, now)...)
	all = append(all, clientFamilies(call(o.Clients))...)
	all = append(all, processFamilies()...)
	all = append(all, runtimeFamilies()...)
	return append(all, ownFamilies(instances, call(o.Sessions), call(o.Refused), now)...)
}

// call calls f unless it is nil.
func call[T any](f func() T) (v T) {
	if f != nil {
		v = f()
	}
	return v
}
