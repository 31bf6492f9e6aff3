// Package check says beforehand whether destinations can run: it reads their
// configuration, connects to their sources, and tells what is wrong and what
// mends it. Nothing is started and nothing changed; a server may be running
// meanwhile.
package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// maxChecks is how many destinations are checked at a time.
const maxChecks = 8

// Cursors reads the cursors that a destination has in ZooKeeper. What was wrong
// is in findings; ok is false when the cursors could not be read. It may be
// called concurrently.
type Cursors func(ctx context.Context, destination string) (records []meta.Record, findings []control.Finding, ok bool)

// Cluster is what a check reads of the cluster that the server is one of.
type Cluster struct {
	Cursors Cursors
	Session *zk.Session // to read in; nil when none is at hand
}

// Destinations checks every destination that a server would run, several at a
// time. The findings are in the order of the destinations' names. cluster is
// nil for a server without ZooKeeper. An error means that the folders of the
// destinations cannot be listed.
func Destinations(ctx context.Context, c *config.Config, cluster *Cluster) ([]control.Finding, error) {
	names, err := destinations(c)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return []control.Finding{{Severity: control.SeverityWarning, Text: "no destination is configured",
			Remedy: "make conf/NAME/instance.properties, and name it in canal.destinations or set canal.auto.scan = true"}}, nil
	}
	parts := make([]part, len(names))
	var wg sync.WaitGroup
	turns := make(chan struct{}, maxChecks)
	for i, name := range names {
		parts[i].name = name
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			parts[i].run(ctx, c, cluster)
		})
	}
	wg.Wait()
	var all []control.Finding
	for i := range parts {
		all = append(all, parts[i].findings...)
	}
	return append(all, sameReplicaIDs(parts)...), nil
}

// destinations are those that a server would run: the listed ones and, with
// canal.auto.scan, those that have a folder; or those of the admin. They are sorted.
func destinations(c *config.Config) ([]string, error) {
	s := c.Server()
	names := slices.Clone(s.Destinations)
	if remote, ok := c.AdminDestinations(); ok {
		if s.AutoScan {
			names = remote
		}
	} else if s.AutoScan {
		folders, _, err := config.ReadFolders(s.ConfDir)
		if err != nil {
			return nil, fmt.Errorf("list the folders of canal.conf.dir: %w", err)
		}
		for name, f := range folders {
			if f.HasFile {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// part is the check of one destination among others.
type part struct {
	name     string
	instance *config.Instance // nil when its configuration is wrong
	findings []control.Finding
}

func (p *part) run(ctx context.Context, c *config.Config, cluster *Cluster) {
	in, err := c.Instance(p.name)
	if err != nil {
		p.findings = []control.Finding{Failure(p.name, err)}
		return
	}
	p.instance = &in
	p.findings = Source(ctx, in, cluster)
}

// Server looks at the keys, and at what keeps the server from starting.
func Server(c *config.Config) []control.Finding {
	var all []control.Finding
	for _, f := range c.Report() {
		severity := control.SeverityWarning
		if f.Kind == config.WithoutEffect {
			severity = control.SeverityOK
		}
		all = append(all, control.Finding{Severity: severity, Text: f.String()})
	}
	return append(all, failures("", c.Startable())...)
}

// Source checks what one destination needs: its filters, its stored position, the
// history of its tables, and the servers it reads from. cluster is nil for a server
// without ZooKeeper.
func Source(ctx context.Context, in config.Instance, cluster *Cluster) []control.Finding {
	return findings(ctx, in, cluster, nil)
}

func findings(ctx context.Context, in config.Instance, cluster *Cluster, dial mysql.Dial) []control.Finding {
	var all []control.Finding
	// The pipeline reads the filters and the character set.
	if _, err := pipeline.New(pipeline.Options{Instance: in, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		all = append(all, Failure(in.Destination, err))
	}
	records, told := stored(ctx, in, cluster)
	all = append(append(all, told...), past(ctx, &in, cluster)...)
	for n, one := range in.Sources() {
		if one.Master.Address == "" && one.Local.Dir == "" {
			continue // see withoutFiles
		}
		var cursor *source.Cursor
		if cur, ok := meta.Servers(in.Addresses()).Earliest(records, n+1); ok {
			cursor = &source.Cursor{Host: cur.Host, Port: cur.Port, Position: cur.Position, Whole: cur.Whole}
		}
		for _, f := range source.Check(ctx, one, cursor, dial) {
			all = append(all, control.Finding{
				Severity: severityOf(f.Severity), Destination: in.Destination,
				Source: f.Address, Text: f.Text, Remedy: f.Remedy,
			})
		}
	}
	return all
}

// Options say what a text that is not stored yet is checked against.
type Options struct {
	// Config is that of the server that is to run the destination. Without it
	// Server, the text of its canal.properties as an admin has it, is all that is
	// known: no file is read, and no stored position or history looked at.
	Config  *config.Config
	Server  string
	Cluster *Cluster // nil for a server without ZooKeeper
	// Dial connects to sources; nil for a net.Dialer. The only look-ups of names are
	// its own when Config is nil.
	Dial mysql.Dial
}

// Content checks a destination with a text that is not stored yet, which stands
// in the place of its instance.properties or of the admin's text for it.
func Content(ctx context.Context, o Options, destination, content string) []control.Finding {
	c := o.Config
	if c == nil {
		var err error
		if c, err = config.FromText(o.Server); err != nil {
			return []control.Finding{Failure("", err)}
		}
	}
	all := remarks(c.ValidateInstance(content), destination)
	in, err := c.InstanceFrom(destination, content)
	if err != nil {
		return append(all, failures(destination, err)...)
	}
	if o.Config == nil {
		all = append(all, withoutFiles(&in)...)
	}
	return append(all, findings(ctx, in, o.Cluster, o.Dial)...)
}

// withoutFiles keeps a check from reading files where the instance is not to run:
// the texts may come from somebody who may not know what is in them.
func withoutFiles(in *config.Instance) (all []control.Finding) {
	in.Meta, in.History = config.MetaMemory, config.History{} // so that neither is looked for
	if in.Local.Dir != "" {
		in.Local = config.Local{}
		all = append(all, control.Finding{Severity: control.SeverityWarning, Destination: in.Destination,
			Text: "the binlog files are on the server that is to run the destination, and are not looked at here", Remedy: "have the check made by that server"})
	}
	ends := []*config.Endpoint{&in.Master, &in.Standby}
	for n := range in.Group {
		ends = append(ends, &in.Group[n].Master, &in.Group[n].Standby)
	}
	for _, e := range ends {
		if e.TLS.TrustStore.URL == "" && e.TLS.ClientStore.URL == "" {
			continue
		}
		e.TLS.TrustStore, e.TLS.ClientStore = config.KeyStore{}, config.KeyStore{}
		if strings.HasPrefix(e.TLS.Mode, "VERIFY_") {
			e.TLS.Mode = "REQUIRED"
		}
		all = append(all, control.Finding{Severity: control.SeverityWarning, Destination: in.Destination, Source: e.Address,
			Text:   "the key stores are files of the server that is to run the destination, and are not looked at here: the certificate of the source is not verified by this check, and none is presented to it",
			Remedy: "have the check made by that server"})
	}
	return all
}

// remarks are the findings for problems with a text, without its errors: those
// come with the reading of the values, and with what the server knows.
func remarks(problems []config.Problem, destination string) []control.Finding {
	var all []control.Finding
	for _, p := range problems {
		if p.Severity == config.ProblemError {
			continue
		}
		f := control.Finding{Severity: severityOfProblem(p.Severity), Destination: destination, Text: p.Message, Remedy: p.Suggestion}
		if p.Key != "" {
			f.Text = p.Key + ": " + f.Text
		}
		if p.Line > 0 {
			f.Text = fmt.Sprintf("line %d: %s", p.Line, f.Text)
		}
		all = append(all, f)
	}
	return all
}

func severityOfProblem(s config.ProblemSeverity) string {
	if s == config.ProblemInfo {
		return control.SeverityOK
	}
	return control.SeverityWarning
}

// stored are the cursors that the destination would go on from.
func stored(ctx context.Context, in config.Instance, cluster *Cluster) (records []meta.Record, findings []control.Finding) {
	ok := false
	switch {
	case in.Meta.InZooKeeper() && cluster != nil:
		records, findings, ok = cluster.Cursors(ctx, in.Destination)
	case in.Meta == config.MetaFile:
		records, findings, ok = fileRecords(in)
	}
	if !ok {
		return nil, findings
	}
	return records, findings
}

// fileRecords are the cursors in the destination's file.
func fileRecords(in config.Instance) (records []meta.Record, findings []control.Finding, ok bool) {
	records, err := meta.ReadFile(in.DataDir, in.Destination, func(text string) {
		findings = append(findings, control.Finding{Severity: control.SeverityWarning, Destination: in.Destination, Text: text})
	})
	if err != nil {
		return nil, append(findings, control.Finding{Severity: control.SeverityFailure, Destination: in.Destination, Text: err.Error(),
			Remedy: "restore " + meta.FileName + " and " + meta.SumFileName + " from a backup, or delete both to begin at the configured position"}), false
	}
	return records, findings, true
}

func severityOf(s source.Severity) string {
	return [...]string{source.Info: control.SeverityOK, source.Warning: control.SeverityWarning, source.Failure: control.SeverityFailure}[s]
}

// Failure is the finding for a configuration that cannot be used. What would be
// right is a part of such an error's text.
func Failure(destination string, err error) control.Finding {
	f := control.Finding{Severity: control.SeverityFailure, Destination: destination, Text: err.Error(), Remedy: "correct it in the configuration"}
	if v, ok := errors.AsType[*config.ValueError](err); ok {
		f.Text, f.Remedy = fmt.Sprintf("%s = %q (%s)", v.Key, v.Value, v.Source), v.Want
	}
	return f
}

// failures are the findings for the errors that errors.Join has put together.
func failures(destination string, err error) []control.Finding {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []control.Finding{Failure(destination, err)}
	}
	var all []control.Finding
	for _, err := range joined.Unwrap() {
		all = append(all, Failure(destination, err))
	}
	return all
}

// sameReplicaIDs finds destinations that would register at one server under one
// id: MariaDB cuts one of them off.
func sameReplicaIDs(parts []part) []control.Finding {
	type replica struct {
		address string
		id      uint32
	}
	users := map[replica][]string{}
	for _, p := range parts {
		if p.instance != nil && p.instance.ServerID != 0 {
			r := replica{p.instance.Master.Address, p.instance.ServerID}
			users[r] = append(users[r], p.name)
		}
	}
	var all []control.Finding
	for r, names := range users {
		if len(names) > 1 {
			all = append(all, control.Finding{Severity: control.SeverityWarning, Source: r.address,
				Text:   fmt.Sprintf("the destinations %s register under one replica id, %d", strings.Join(names, ", "), r.id),
				Remedy: "give each its own canal.instance.mysql.slaveId, or leave it blank"})
		}
	}
	slices.SortFunc(all, func(a, b control.Finding) int { return strings.Compare(a.Source+a.Text, b.Source+b.Text) })
	return all
}
