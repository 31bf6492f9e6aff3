package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/server"
	"github.com/towpath-cdc/towpath/internal/store"
)

// Parts are what a server consists of at a moment. A restart within the process
// replaces them all.
type Parts struct {
	Config  *config.Config    // never nil
	Manager *instance.Manager // nil while the server is stopped
	Clients *server.Server    // nil without a port for clients
	Budget  *store.Budget     // nil when there is none
	Member  *cluster.Member   // nil for a server that is alone
	Address string            // ip:port where clients are told to reach the server
	Origin  Origin
}

// Origin says where the configuration came from.
type Origin struct {
	Source string // "files", "admin" or "cache"
	MD5    string // of the server's text, of an admin or its cache
	Error  string // why the admin could last not be asked
	AtMs   int64  // when the text came
}

// Options configure an Inspector.
type Options struct {
	// Parts returns what there is at the moment. It is called for each request, by
	// any goroutine, and must not wait.
	Parts func() Parts

	Version  string // of the product
	Started  time.Time
	Recorder *Recorder // nil when errors are not remembered

	// Check looks at a source with a text that is not stored yet, for control.MethodCheck.
	// nil when that cannot be done.
	Check func(ctx context.Context, destination, content string) []control.Finding

	Logger *slog.Logger // required
}

// Inspector answers requests. Its methods may be called by any number of
// goroutines.
type Inspector struct {
	o     Options
	texts texts
	heads *heads
}

// New returns an Inspector. It starts nothing; reports do, and Close ends that.
func New(o Options) *Inspector {
	return &Inspector{o: o, heads: newHeads(o.Logger)}
}

// Close ends what reports have started and waits for it. The Inspector still
// answers, but no longer learns how far sources have come.
func (i *Inspector) Close() { i.heads.close() }

// Call answers a request. What can be expected to go wrong is a *control.Error;
// the result is one of control's types.
func (i *Inspector) Call(ctx context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case control.MethodReport:
		return answer(params, func(p control.ReportParams) (any, error) { return i.report(p.Destination) })
	case control.MethodConfig:
		return answer(params, func(p control.ConfigParams) (any, error) { return i.config(p.Destination) })
	case control.MethodSeekPreview:
		return answer(params, func(p control.SeekParams) (any, error) { return i.seek(ctx, p, false) })
	case control.MethodSeek:
		return answer(params, func(p control.SeekParams) (any, error) { return i.seek(ctx, p, true) })
	case control.MethodTables:
		return answer(params, func(p control.TablesParams) (any, error) { return i.tables(p) })
	case control.MethodDismiss:
		return answer(params, func(p control.DismissParams) (any, error) { return i.dismiss(ctx, p) })
	case control.MethodCheck:
		return answer(params, func(p control.CheckParams) (any, error) { return i.check(ctx, p) })
	}
	return nil, &control.Error{Code: control.CodeUnknownMethod, Message: fmt.Sprintf("this server has no method %q", method)}
}

// check asks Options.Check.
func (i *Inspector) check(ctx context.Context, p control.CheckParams) (any, error) {
	if i.o.Check == nil {
		return nil, &control.Error{Code: control.CodeUnknownMethod, Message: "this server cannot check a configuration"}
	}
	if err := wantDestination(p.Destination); err != nil {
		return nil, err
	}
	return i.o.Check(ctx, p.Destination, p.Content), nil
}
