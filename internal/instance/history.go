package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/history/sqlstore"
	"github.com/towpath-cdc/towpath/internal/history/zkstore"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

const (
	// progressNoted is how often the history notes how far it is complete: what a
	// start after a crash may have to read again of the log to look for statements.
	progressNoted = time.Minute

	// historyTimeout bounds the last note at the end.
	historyTimeout = 2 * time.Second
)

// historyKind is where the history of the instance's tables is: a server that is one
// of a cluster shares it with the others, in MySQL if that is configured and else in
// ZooKeeper.
func (o *Options) historyKind() string {
	switch {
	case o.Config.History.Kind == config.HistoryOff:
		return control.HistoryMemory
	case o.Config.History.Kind == config.HistoryMySQL:
		return control.HistoryMySQL
	case o.Lease != nil && o.ZooKeeper != nil:
		return control.HistoryZooKeeper
	}
	return control.HistorySQLite
}

// historyOpener returns what opens the history of the member's tables; nil when none
// is kept.
func (m *member) historyOpener() func(context.Context) (history.Log, error) {
	o, h := &m.i.o, &m.i.o.Config.History
	name := o.Config.Destination
	if m.number > 1 {
		name = fmt.Sprintf("%s@%d", name, m.number)
	}
	notice := func(text string) { m.i.log.Warn(text) }
	switch o.historyKind() {
	case control.HistoryMySQL:
		return func(ctx context.Context) (history.Log, error) {
			return sqlstore.Open(ctx, sqlstore.Options{Destination: name, URL: h.URL, User: h.User, Password: h.Password, Notice: notice})
		}
	case control.HistorySQLite:
		return func(ctx context.Context) (history.Log, error) {
			return sqlstore.Open(ctx, sqlstore.Options{Destination: name, Path: h.Path, Notice: notice})
		}
	case control.HistoryZooKeeper:
		return func(ctx context.Context) (history.Log, error) {
			return zkstore.Open(ctx, zkstore.Options{Destination: name, Session: o.ZooKeeper.Session, Guard: o.Lease.Guard,
				Lost: o.Lease.Lost(), Limit: h.ZooKeeperLimit, Renew: true, Notice: notice})
		}
	}
	return nil
}

// historyRefused has the lease looked into: ZooKeeper has refused a write of the
// history although the lease seems to last.
func (m *member) historyRefused() {
	if l := m.i.o.Lease; l != nil {
		l.Doubt()
	}
}

// keepHistory has the history noted and snapshots written, until ctx ends.
func (m *member) keepHistory(ctx context.Context) {
	note := time.NewTicker(progressNoted)
	defer note.Stop()
	var due <-chan time.Time
	if every := m.config.History.Interval; every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		due = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
			m.pipeline.WantSnapshot()
		case <-note.C:
			if err := m.pipeline.SaveProgress(ctx); err != nil && ctx.Err() == nil {
				m.i.log.Warn("how far the history of the tables is complete could not be noted; a start after a crash reads more of the log", "error", err)
			}
		}
	}
}

// closeHistory ends the use of the history, after the source has ended.
func (m *member) closeHistory() {
	ctx, cancel := context.WithTimeout(context.Background(), historyTimeout)
	defer cancel()
	if err := m.pipeline.SaveProgress(ctx); err != nil {
		m.i.log.Debug("how far the history of the tables is complete could not be noted", "error", err)
	}
	if err := m.pipeline.Close(); err != nil {
		m.i.log.Warn("the history of the tables was not closed in order", "error", err)
	}
}

// HistoryStatus is where the history of the tables is, and how it is doing.
type HistoryStatus struct {
	Kind         string    // as control.HistoryReport has it
	Place        string    // a path, or an address; "" when there is none
	Changes      int64     // written since the start
	LastChange   time.Time // by the source's clock; zero before the first
	LastSnapshot time.Time // that this process has written; zero before
	Err          error     // why it can at present not be written or read; nil when it can
}

// historyStatus puts together how the histories of all sources are doing.
func (i *Instance) historyStatus() HistoryStatus {
	h := HistoryStatus{Kind: i.o.historyKind()}
	switch h.Kind {
	case control.HistorySQLite:
		h.Place = i.o.Config.History.Path
	case control.HistoryMySQL:
		h.Place = withoutSecrets(i.o.Config.History.URL)
	case control.HistoryZooKeeper:
		h.Place = zktree.History(i.o.Config.Destination)
	}
	for _, m := range i.members {
		s := m.pipeline.HistoryStats()
		h.Changes += s.Changes
		if s.LastChange.After(h.LastChange) {
			h.LastChange = s.LastChange
		}
		if s.LastSnapshot.After(h.LastSnapshot) {
			h.LastSnapshot = s.LastSnapshot
		}
		h.Err = cmp.Or(h.Err, s.Err)
	}
	return h
}

// quarantine lists the tables in quarantine of all sources.
func (i *Instance) quarantine() []pipeline.Quarantined {
	var all []pipeline.Quarantined
	for _, m := range i.members {
		all = append(all, m.pipeline.Quarantine()...)
	}
	return all
}

// Dismiss takes a table out of the quarantine of every source, as pipeline.Pipeline
// does; it is false when none has it there.
func (i *Instance) Dismiss(ctx context.Context, schemaName, table string) (bool, error) {
	found := false
	var failed error
	for _, m := range i.members {
		ok, err := m.pipeline.Dismiss(ctx, schemaName, table)
		found, failed = found || ok, errors.Join(failed, err)
	}
	if found && failed == nil {
		i.log.Info("a table in quarantine was dismissed on request; rows of it that were held back are not delivered by that", "table", schemaName+"."+table)
	}
	return found, failed
}

// withoutSecrets is the address of a database without what may hold a password.
func withoutSecrets(url string) string {
	url, _, _ = strings.Cut(url, "?")
	scheme, rest, ok := strings.Cut(url, "//")
	if at := strings.LastIndexByte(rest, '@'); ok && at >= 0 {
		return scheme + "//" + rest[at+1:]
	}
	return url
}
