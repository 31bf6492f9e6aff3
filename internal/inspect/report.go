package inspect

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
)

// report answers control.MethodReport. With a destination the report has that
// alone, in full.
func (i *Inspector) report(destination string) (*control.ServerReport, error) {
	p := i.o.Parts()
	var destinations []string
	switch {
	case destination != "":
		if _, err := i.standing(destination); err != nil {
			return nil, err
		}
		destinations = []string{destination}
	case p.Manager != nil:
		destinations = p.Manager.Destinations()
	}
	r := i.server(&p)
	g := gathering{i: i, parts: &p, now: time.UnixMilli(r.NowMs), full: destination != "", connections: connections(&p)}
	r.Instances = make([]control.InstanceReport, 0, len(destinations))
	for _, d := range destinations {
		if st, ok := p.Manager.Standing(d); ok { // else it has just been forgotten
			r.Instances = append(r.Instances, g.instance(d, st))
		}
	}
	return r, nil
}

// server is the report without instances.
func (i *Inspector) server(p *Parts) *control.ServerReport {
	use := readProcess()
	host, _ := os.Hostname() // "" when it has none
	r := &control.ServerReport{
		Version: i.o.Version, GoVersion: runtime.Version(), Host: host, PID: os.Getpid(),
		StartedMs: millis(i.o.Started), NowMs: time.Now().UnixMilli(), Running: p.Manager != nil, Address: p.Address,
		CPUSeconds: use.cpuSeconds, Memory: use.resident, Heap: use.heap, Goroutines: use.goroutines,
		ConfigSource: p.Origin.Source, ConfigMD5: p.Origin.MD5, ConfigAtMs: p.Origin.AtMs, AdminError: p.Origin.Error,
		ZooKeeper: p.Config.Server().ZooKeeper.Servers,
		Errors:    i.o.Recorder.Errors(""),
	}
	if p.Budget != nil {
		r.Budget, r.BudgetUsed = p.Budget.Max(), p.Budget.Used()
	}
	if p.Clients != nil {
		r.Sessions = p.Clients.Sessions()
	}
	if p.Member != nil {
		r.ZooKeeperConnected, r.Draining = p.Member.Connected(), p.Member.Draining()
	}
	return r
}

// connections are the addresses of the clients, sorted, by who they are.
func connections(p *Parts) map[meta.Client][]string {
	if p.Clients == nil {
		return nil
	}
	by := make(map[meta.Client][]string)
	for _, c := range p.Clients.Connections() {
		by[c.Client] = append(by[c.Client], c.Address)
	}
	for _, addresses := range by {
		slices.Sort(addresses)
	}
	return by
}

// gathering makes the reports of instances.
type gathering struct {
	i           *Inspector
	parts       *Parts
	now         time.Time
	full        bool
	connections map[meta.Client][]string
}

func (g *gathering) instance(destination string, st instance.Standing) control.InstanceReport {
	r := control.InstanceReport{
		Destination: destination, SinceMs: millis(st.Since), LagMs: unknownLag, LagBytes: unknownLag,
		ConfigMD5: g.i.texts.md5(g.parts.Config, destination),
	}
	if g.full {
		r.Errors = g.i.o.Recorder.Errors(destination)
	}
	if st.Instance == nil {
		absent(&r, st)
		return r
	}
	s := st.Instance.Status()
	present(&r, &s)
	g.source(&r, &s, st.Instance)
	r.Pipeline = &control.PipelineReport{
		Transactions: s.Pipeline.Transactions, LastEventMs: millis(s.Pipeline.LastEvent),
		PublishWaitMs: s.Pipeline.PublishWait.Milliseconds(), StoreWaitMs: s.Pipeline.StoreWait.Milliseconds(), SkippedRows: s.Pipeline.SkippedRows,
	}
	g.tables(&r, &s)
	r.Store = storeReport(&s.Store)
	r.Clients = make([]control.ClientReport, len(s.Clients))
	for n := range s.Clients {
		r.Clients[n] = g.client(destination, &s.Clients[n])
	}
	if g.full {
		r.Filter = &control.FilterReport{WhiteRegex: s.Filter, BlackRegex: s.Config.BlackRegex, WhiteField: s.Config.WhiteField, BlackField: s.Config.BlackField}
	}
	return r
}

// tables says which tables are in quarantine, and how their history is doing.
func (g *gathering) tables(r *control.InstanceReport, s *instance.Status) {
	r.Quarantined = len(s.Quarantine)
	for i := range s.Quarantine {
		q := &s.Quarantine[i]
		r.Quarantine = append(r.Quarantine, control.QuarantineReport{Schema: q.Schema, Table: q.Table, Reason: q.Reason, Remedy: q.Remedy(),
			SinceMs: millis(q.Since), Position: position(q.Position), Rows: q.Events, Marked: q.Marked, Until: position(q.Until)})
		if !g.full {
			break
		}
	}
	if g.full {
		h := &s.History
		r.History = &control.HistoryReport{Kind: h.Kind, Place: h.Place, Changes: h.Changes, LastChangeMs: millis(h.LastChange), LastSnapshotMs: millis(h.LastSnapshot)}
		if h.Err != nil {
			r.History.Error = h.Err.Error()
		}
	}
}

// absent says how a destination stands that does not run here.
func absent(r *control.InstanceReport, st instance.Standing) {
	switch c := st.Cluster; {
	case c != nil:
		r.SinceMs, r.Reason = millis(c.Since), c.Why
		r.State = roleStates[c.Role]
		if c.Role == cluster.RoleFailed && st.Err != nil {
			r.Reason = st.Err.Error()
		}
	case st.Err != nil:
		r.State, r.Reason = control.StateFailed, st.Err.Error()
	case st.Lazy:
		r.State, r.Reason = control.StateLazy, "it starts when the first client subscribes"
	default:
		r.State = control.StateStopped
	}
	if r.State == control.StateFailed {
		r.Remedy = "correct what the reason names; the instance is started again when its configuration changes, or on request"
	}
}

// roleStates are the states of a destination without an instance.
var roleStates = map[cluster.Role]string{
	cluster.RoleWaiting: control.StateWaiting, cluster.RoleStandby: control.StateStandby, cluster.RoleOwner: control.StateStarting,
	cluster.RoleStarting: control.StateStarting, cluster.RoleFailed: control.StateFailed,
}

// present says how an instance stands.
func present(r *control.InstanceReport, s *instance.Status) {
	r.State, r.SinceMs = control.StateRunning, millis(s.Started)
	src := &s.Source
	switch {
	case s.Stopped != nil:
		r.State, r.SinceMs, r.Reason, r.Remedy = control.StateFailed, millis(src.Since), s.Stopped.Error(), src.Remedy
	case src.Phase == source.PhaseStreaming, src.Phase == source.PhaseFinished:
	case src.Failures > 0 || src.Phase == source.PhaseWaiting:
		r.State, r.SinceMs, r.Reason, r.Remedy = control.StateRetrying, millis(src.Since), src.Reason, src.Remedy
	case s.Resume.IsZero() && src.Position.IsZero():
		r.State = control.StateStarting
	}
}

// sourceReport is one source, without the end of its binlog.
func sourceReport(s *instance.SourceStatus) control.SourceReport {
	src := &s.State
	return control.SourceReport{
		Phase: string(src.Phase), SinceMs: millis(src.Since), Address: src.Address, Version: src.Version,
		Reason: src.Reason, Remedy: src.Remedy, Failures: src.Failures, Switches: s.Read.Switches,
		Bytes: s.Read.Bytes, Events: s.Read.Events, LastByteMs: millis(s.Read.LastByteAt), Read: position(s.Resume),
	}
}

// source fills in the reading side, and the lag, which needs the end of the binlog.
// With several sources the lag is in time alone: there is no one binlog to measure; and
// so it is of files, because the server that is asked for definitions may be another
// one than the one that wrote them.
func (g *gathering) source(r *control.InstanceReport, s *instance.Status, in *instance.Instance) {
	src := &s.Source
	one := sourceReport(&instance.SourceStatus{State: s.Source, Read: s.Read, Resume: s.Resume})
	r.Source = &one
	if len(s.Sources) > 1 {
		for n := range s.Sources {
			r.Sources = append(r.Sources, sourceReport(&s.Sources[n]))
		}
	}
	var k *head
	if src.Address != "" && len(s.Sources) == 1 && s.Config.Local.Dir == "" {
		var w *headWatch
		w, k = g.i.heads.want(headKey{src.Address, s.Config.User, s.Config.Password}, in.Connect)
		if p, ok := confirmed(s); ok {
			n, needFiles := behind(p, k)
			r.LagBytes = n
			if needFiles {
				w.files.Store(true)
			}
		}
	}
	if k != nil {
		r.Source.Head = control.Position{File: k.end.File, Offset: k.end.Offset}
		if g.full {
			r.Source.Head.GTIDSet = k.end.GTIDSet
		}
		r.Source.HeadAtMs = millis(k.at)
	}
	if l := lag(s, k, g.now); l >= 0 {
		r.LagMs = l.Milliseconds()
	}
}

func storeReport(s *store.Stats) *control.StoreReport {
	r := &control.StoreReport{
		Slots: s.Slots, Used: s.PutSeq - s.AckSeq, UsedBytes: s.PutBytes - s.AckBytes,
		PutEntries: s.PutSeq + 1, PutRows: s.PutRows, PutBytes: s.PutBytes,
		GetEntries: s.GetSeq + 1, GetRows: s.GetRows, GetBytes: s.GetBytes,
		AckEntries: s.AckSeq + 1, AckRows: s.AckRows, AckBytes: s.AckBytes,
	}
	if s.FullReason != store.NotFull {
		r.FullSinceMs, r.FullReason = millis(s.FullSince), s.FullReason.String()
	}
	return r
}

func (g *gathering) client(destination string, c *delivery.ClientStatus) control.ClientReport {
	r := control.ClientReport{
		ID: int(c.Client.ID), Filter: c.Client.Filter, HasCursor: c.HasCursor, Cursor: position(c.Cursor.Position),
		Connected:   g.connections[meta.Client{Destination: destination, ID: c.Client.ID}],
		OpenBatches: c.Open, Unacked: c.Unacked,
	}
	if r.Connected == nil {
		r.Connected = []string{}
	}
	if c.Open > 0 {
		r.OldestBatch, r.OldestSinceMs = c.Oldest.ID, millis(c.Oldest.Since)
	}
	return r
}

// standing finds a destination by the name in a request.
func (i *Inspector) standing(destination string) (instance.Standing, error) {
	if err := wantDestination(destination); err != nil {
		return instance.Standing{}, err
	}
	m := i.o.Parts().Manager
	if m == nil {
		return instance.Standing{}, &control.Error{Code: control.CodeNotRunning, Message: "the server is stopped", Remedy: "start the server"}
	}
	st, ok := m.Standing(destination)
	if !ok {
		return instance.Standing{}, unknown(destination)
	}
	return st, nil
}

// running finds a destination that must run here.
func (i *Inspector) running(destination string) (*instance.Instance, error) {
	st, err := i.standing(destination)
	if err != nil {
		return nil, err
	}
	if st.Instance != nil {
		return st.Instance, nil
	}
	if c := st.Cluster; c != nil && c.Role == cluster.RoleStandby && c.Owner != "" {
		return nil, &control.Error{Code: control.CodeNotOwner, Message: fmt.Sprintf("destination %s runs on %s, not on this server", destination, c.Owner), Remedy: "ask " + c.Owner}
	}
	r := control.InstanceReport{}
	absent(&r, st)
	text := fmt.Sprintf("destination %s is not running on this server (%s)", destination, r.State)
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return nil, &control.Error{Code: control.CodeNotRunning, Message: text, Remedy: r.Remedy}
}

// millis is 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
