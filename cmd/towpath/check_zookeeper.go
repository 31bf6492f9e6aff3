package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/towpath-cdc/towpath/internal/check"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// checkTimeout bounds what a check waits for ZooKeeper.
const checkTimeout = 10 * time.Second

// treeCheck is the check of ZooKeeper. The zero value, without a session, is that
// of a server that is alone, or whose ZooKeeper does not answer.
type treeCheck struct {
	member   bool // of a cluster, whether it can be reached or not
	client   *zk.Client
	session  *zk.Session
	findings []control.Finding
}

// checkZooKeeper connects to ZooKeeper, if there is any to connect to.
func checkZooKeeper(ctx context.Context, c *config.Config) *treeCheck {
	o := c.Server().ZooKeeper
	t := &treeCheck{member: o.Servers != ""}
	if !t.member {
		return t
	}
	z, err := zooKeeperConfig(o, slog.New(slog.DiscardHandler))
	if err == nil {
		t.client, err = zk.Open(z)
	}
	if err != nil {
		t.findings = append(t.findings, check.Failure("", err))
		return t
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if t.session, err = t.client.Session(ctx); err != nil {
		t.session = nil
		t.fail("", err, "start ZooKeeper, or correct canal.zkServers; until it answers a server runs nothing")
		return t
	}
	// Reads that need no node to exist: with a chroot the root may be missing.
	if _, _, err := t.session.Exists(ctx, zktree.Servers); err != nil {
		t.fail("", err, "correct towpath.zookeeper.auth, or let this server read and write below /otter and /towpath")
		return t
	}
	text := fmt.Sprintf("ZooKeeper answers at %s", t.session.Server())
	if got := t.session.Timeout(); got != o.SessionTimeout {
		t.findings = append(t.findings, control.Finding{Severity: control.SeverityWarning,
			Text:   fmt.Sprintf("%s, but grants a session timeout of %v instead of %v", text, got, o.SessionTimeout),
			Remedy: "set towpath.zookeeper.session.timeout within 2 and 20 times ZooKeeper's tickTime, or change that"})
		return t
	}
	t.findings = append(t.findings, control.Finding{Severity: control.SeverityOK, Text: text})
	return t
}

func (t *treeCheck) fail(destination string, err error, remedy string) {
	t.findings = append(t.findings, control.Finding{Severity: control.SeverityFailure, Destination: destination, Text: "ZooKeeper: " + err.Error(), Remedy: remedy})
}

// close ends the session.
func (t *treeCheck) close() {
	if t.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	_ = t.client.Close(ctx) // nothing of it stays but a session that expires
}

// cluster is what can be read there; nil for a server that is alone.
func (t *treeCheck) cluster() *check.Cluster {
	if !t.member {
		return nil
	}
	return &check.Cluster{Cursors: t.records, Session: t.session}
}

// records are the cursors of a destination; it is a check.Cursors. Without a
// session there is nothing to tell: why is in t's own findings.
func (t *treeCheck) records(ctx context.Context, destination string) (records []meta.Record, findings []control.Finding, ok bool) {
	if t.session == nil {
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	subscriptions, err := meta.ReadSubscriptions(ctx, t.session, destination)
	for _, s := range subscriptions {
		if s.Err != nil {
			err = s.Err
		}
		records = append(records, meta.Record{Client: s.Client, Cursor: s.Cursor, HasCursor: s.HasCursor})
	}
	if err != nil {
		return nil, []control.Finding{{Severity: control.SeverityFailure, Destination: destination, Text: err.Error(),
			Remedy: "write the node anew, or delete it to begin at the configured position"}}, false
	}
	return records, nil, true
}
