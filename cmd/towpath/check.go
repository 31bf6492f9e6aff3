package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/source"
)

func init() {
	register(command{name: "check", summary: "check a configuration and the sources it names", run: runCheck})
}

// The severities of a finding.
const (
	severityOK      = "ok"
	severityWarning = "warning"
	severityFailure = "failure"
)

// finding is one thing a check found out.
type finding struct {
	Severity    string `json:"severity"`
	Destination string `json:"destination,omitempty"` // "" for the whole server
	Source      string `json:"source,omitempty"`      // host:port of the server it is about
	Text        string `json:"text"`
	Remedy      string `json:"remedy,omitempty"` // the setting or statement that mends it
}

// maxChecks is how many destinations are checked at a time.
const maxChecks = 8

// runCheck is the sub-command check. Exit codes: 0 when everything can work, 1
// when something cannot, 2 for wrong usage or a configuration that cannot be
// read. Warnings do not count.
func runCheck(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	var home homeFlags
	flags := newFlags("check", "Reads the configuration, connects to every source, and tells what is wrong and what mends it.\nNothing is started and nothing changed; a server may be running meanwhile.\nThe exit code is 1 when something cannot work, 2 when the configuration cannot be read.", stderr)
	home.register(flags)
	format := flags.String("format", "text", "text or json")
	if code, ok := parseFlags(flags, args); !ok {
		return code
	}
	if *format != "text" && *format != "json" {
		return usageError("check", stderr, fmt.Errorf("--format %q is neither text nor json", *format))
	}
	c, err := home.load()
	if err != nil {
		fmt.Fprintf(stderr, "towpath check: %v\n", err)
		return exitUsage
	}
	findings, err := check(ctx, c)
	if err != nil {
		fmt.Fprintf(stderr, "towpath check: %v\n", err)
		return exitUsage
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "towpath check: interrupted")
		return exitError
	}
	write := writeFindings
	if *format == "json" {
		write = writeFindingsJSON
	}
	if err := write(stdout, c, findings); err != nil {
		fmt.Fprintf(stderr, "towpath check: %v\n", err)
		return exitError
	}
	if count(findings, severityFailure) > 0 {
		return exitError
	}
	return exitOK
}

// check looks at the configuration as a whole and then at each destination,
// several at a time. The findings are in the order of the destinations' names.
// An error means that the folders of the destinations cannot be listed.
func check(ctx context.Context, c *config.Config) ([]finding, error) {
	names, err := destinations(c)
	if err != nil {
		return nil, err
	}
	tree := checkZooKeeper(ctx, c)
	defer tree.close()
	all := append(checkServer(c), tree.findings...)
	if len(names) == 0 {
		all = append(all, finding{Severity: severityWarning, Text: "no destination is configured",
			Remedy: "make conf/NAME/instance.properties, and name it in canal.destinations or set canal.auto.scan = true"})
	}
	parts := make([]destinationCheck, len(names))
	var wg sync.WaitGroup
	turns := make(chan struct{}, maxChecks)
	for i, name := range names {
		parts[i].name = name
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			parts[i].run(ctx, c, tree)
		})
	}
	wg.Wait()
	for i := range parts {
		all = append(all, parts[i].findings...)
	}
	return append(all, sameReplicaIDs(parts)...), nil
}

// destinations are those that a server would run: the listed ones and, with
// canal.auto.scan, those that have a folder. They are sorted.
func destinations(c *config.Config) ([]string, error) {
	s := c.Server()
	names := slices.Clone(s.Destinations)
	if s.AutoScan {
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

// checkServer looks at the keys, and at what keeps the server from starting.
func checkServer(c *config.Config) []finding {
	var all []finding
	for _, f := range c.Report() {
		severity := severityWarning
		if f.Kind == config.WithoutEffect {
			severity = severityOK
		}
		all = append(all, finding{Severity: severity, Text: f.String()})
	}
	for _, err := range unjoin(c.Startable()) {
		all = append(all, configFailure("", err))
	}
	return all
}

// unjoin are the errors that errors.Join has put together.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// configFailure is the finding for a configuration that cannot be used. What
// would be right is a part of such an error's text.
func configFailure(destination string, err error) finding {
	f := finding{Severity: severityFailure, Destination: destination, Text: err.Error(), Remedy: "correct it in the configuration"}
	if v, ok := errors.AsType[*config.ValueError](err); ok {
		f.Text, f.Remedy = fmt.Sprintf("%s = %q (%s)", v.Key, v.Value, v.Source), v.Want
	}
	return f
}

// destinationCheck is the check of one destination.
type destinationCheck struct {
	name     string
	instance *config.Instance // nil when its configuration is wrong
	findings []finding
}

func (d *destinationCheck) run(ctx context.Context, c *config.Config, tree *treeCheck) {
	in, err := c.Instance(d.name)
	if err != nil {
		d.findings = append(d.findings, configFailure(d.name, err))
		return
	}
	// The pipeline reads the filters and the character set.
	if _, err := pipeline.New(pipeline.Options{Instance: in, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		d.findings = append(d.findings, configFailure(d.name, err))
	}
	d.instance = &in
	for _, f := range source.Check(ctx, in, d.cursor(ctx, tree)) {
		d.findings = append(d.findings, finding{severityOf(f.Severity), d.name, f.Address, f.Text, f.Remedy})
	}
}

// cursor is the stored position that the destination would go on from, nil for
// none.
func (d *destinationCheck) cursor(ctx context.Context, tree *treeCheck) *source.Cursor {
	var (
		records []meta.Record
		ok      bool
	)
	switch {
	case d.instance.Meta.InZooKeeper():
		records, ok = tree.records(ctx, d)
	case d.instance.Meta == config.MetaFile:
		records, ok = d.fileRecords()
	}
	if !ok {
		return nil
	}
	cur, ok := meta.Earliest(records)
	if !ok {
		return nil
	}
	return &source.Cursor{Host: cur.Host, Port: cur.Port, Position: cur.Position, Whole: cur.Whole}
}

// fileRecords are the cursors in the destination's file.
func (d *destinationCheck) fileRecords() (records []meta.Record, ok bool) {
	records, err := meta.ReadFile(d.instance.DataDir, d.name, func(text string) {
		d.findings = append(d.findings, finding{Severity: severityWarning, Destination: d.name, Text: text})
	})
	if err != nil {
		d.findings = append(d.findings, finding{Severity: severityFailure, Destination: d.name, Text: err.Error(),
			Remedy: "restore " + meta.FileName + " and " + meta.SumFileName + " from a backup, or delete both to begin at the configured position"})
		return nil, false
	}
	return records, true
}

func severityOf(s source.Severity) string {
	return [...]string{source.Info: severityOK, source.Warning: severityWarning, source.Failure: severityFailure}[s]
}

// sameReplicaIDs finds destinations that would register at one server under one
// id: MariaDB cuts one of them off.
func sameReplicaIDs(parts []destinationCheck) []finding {
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
	var all []finding
	for r, names := range users {
		if len(names) > 1 {
			all = append(all, finding{Severity: severityWarning, Source: r.address,
				Text:   fmt.Sprintf("the destinations %s register under one replica id, %d", strings.Join(names, ", "), r.id),
				Remedy: "give each its own canal.instance.mysql.slaveId, or leave it blank"})
		}
	}
	slices.SortFunc(all, func(a, b finding) int { return strings.Compare(a.Source+a.Text, b.Source+b.Text) })
	return all
}

func count(findings []finding, severity string) int {
	n := 0
	for _, f := range findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// writeFindings prints the findings under the names of their destinations, and
// a last line with their number.
func writeFindings(w io.Writer, c *config.Config, findings []finding) error {
	var b strings.Builder
	groups := map[string][]finding{}
	for _, f := range findings {
		groups[f.Destination] = append(groups[f.Destination], f)
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if name == "" {
			fmt.Fprintf(&b, "%s\n", c.File())
		} else {
			fmt.Fprintf(&b, "destination %s\n", name)
		}
		for _, f := range groups[name] {
			text := f.Text
			if f.Source != "" {
				text = f.Source + ": " + text
			}
			fmt.Fprintf(&b, "  %-8s %s\n", f.Severity, text)
			if f.Remedy != "" {
				fmt.Fprintf(&b, "  %-8s mend it: %s\n", "", f.Remedy)
			}
		}
	}
	fmt.Fprintf(&b, "%d failures, %d warnings\n", count(findings, severityFailure), count(findings, severityWarning))
	_, err := io.WriteString(w, b.String())
	return err
}

// writeFindingsJSON prints one object.
func writeFindingsJSON(w io.Writer, c *config.Config, findings []finding) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		File     string    `json:"file"`
		Failures int       `json:"failures"`
		Warnings int       `json:"warnings"`
		Findings []finding `json:"findings"`
	}{c.File(), count(findings, severityFailure), count(findings, severityWarning), slices.Concat([]finding{}, findings)})
}
