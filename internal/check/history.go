package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/history/sqlstore"
	"github.com/towpath-cdc/towpath/internal/history/zkstore"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/sqldb"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// historyTimeout bounds what a check waits for the history of a destination.
const historyTimeout = 15 * time.Second

// past looks at the history of a destination's tables. It is read where the instance
// would keep it, and nothing of it is made or changed.
func past(ctx context.Context, in *config.Instance, cluster *Cluster) []control.Finding {
	p := pastCheck{in: in, cluster: cluster}
	if p.in.History.Kind == config.HistoryOff || p.inZooKeeper() && cluster.Session == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	log, err := p.open(ctx)
	if err == nil {
		defer log.Close()
		err = p.read(ctx, log)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.find(control.SeverityFailure, err.Error(), p.remedy(err))
	}
	return p.findings
}

// pastCheck is the look at one history.
type pastCheck struct {
	in       *config.Instance
	cluster  *Cluster
	findings []control.Finding
}

func (p *pastCheck) find(severity, text, remedy string) {
	p.findings = append(p.findings, control.Finding{Severity: severity, Destination: p.in.Destination, Text: text, Remedy: remedy})
}

// inZooKeeper says whether the history is there: in a cluster, unless it is in MySQL.
func (p *pastCheck) inZooKeeper() bool {
	return p.cluster != nil && p.in.History.Kind != config.HistoryMySQL
}

// open opens the history to be read. Its error matches fs.ErrNotExist when there is
// none yet.
func (p *pastCheck) open(ctx context.Context) (history.Log, error) {
	h, name := &p.in.History, p.in.Destination
	if p.inZooKeeper() {
		session := func(context.Context) (*zk.Session, error) { return p.cluster.Session, nil }
		return zkstore.Open(ctx, zkstore.Options{Destination: name, Session: session, Limit: h.ZooKeeperLimit})
	}
	o := sqlstore.Options{Destination: name, Path: h.Path, Read: true,
		Notice: func(text string) { p.find(control.SeverityOK, text, "") }}
	if h.Kind == config.HistoryMySQL {
		o.Path, o.URL, o.User, o.Password = "", h.URL, h.User, h.Password
	}
	return sqlstore.Open(ctx, o)
}

// read tells of the history, and of the tables in quarantine.
func (p *pastCheck) read(ctx context.Context, log history.Log) error {
	snapshots, err := log.Snapshots(ctx)
	if err != nil {
		return err
	}
	if n := len(snapshots); n > 0 {
		p.find(control.SeverityOK, fmt.Sprintf("the history of the tables is in %s; snapshots: %d", p.place(), n), "")
	}
	tables, err := pipeline.ReadQuarantine(ctx, log)
	for n := range tables {
		p.find(control.SeverityWarning, quarantined(&tables[n]), tables[n].Remedy())
	}
	return err
}

// quarantined says what is with the rows of a table in quarantine.
func quarantined(q *pipeline.Quarantined) string {
	are := "are held back"
	if q.Marked {
		are = "are delivered with the columns @1, @2, …"
	}
	if q.Until.File != "" {
		are += fmt.Sprintf(" up to %s:%d, and flow again from there on", q.Until.File, q.Until.Offset)
	} else {
		are += "; other tables flow"
	}
	return fmt.Sprintf("table %s.%s is in quarantine since %s: its rows from %s:%d on %s; reason: %s",
		q.Schema, q.Table, q.Since.UTC().Format(time.RFC3339), q.Position.File, q.Position.Offset, are, q.Reason)
}

// place is where the history is, without a password.
func (p *pastCheck) place() string {
	h := &p.in.History
	switch {
	case p.inZooKeeper():
		return "ZooKeeper, " + zktree.History(p.in.Destination)
	case h.Kind == config.HistorySQLite:
		return h.Path
	}
	if c, err := sqldb.ParseJDBC(h.URL, h.User, h.Password); err == nil {
		return "MySQL " + c.Addr + "/" + c.DBName
	}
	return "MySQL"
}

// remedy says what makes a history readable.
func (p *pastCheck) remedy(err error) string {
	const without = "the instance reads nothing without it, and tries again"
	var damaged *zkstore.DamagedError
	switch h := &p.in.History; {
	case errors.As(err, &damaged):
		return without + "; the error says what can be deleted"
	case p.inZooKeeper():
		return without + ": see that ZooKeeper answers, and that this server may read what it has written there"
	case h.Kind == config.HistoryMySQL:
		return fmt.Sprintf("%s: see that %s runs and lets the user '%s' in, or correct canal.instance.tsdb.url, canal.instance.tsdb.dbUsername and canal.instance.tsdb.dbPassword", without, p.place(), h.User)
	default:
		return fmt.Sprintf("%s: make %s readable and writable for the user of the server, restore it from a backup, or move it away to begin a new history with the tables as they are at the source now", without, h.Path)
	}
}
