package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/check"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

func init() {
	register(command{name: "check", summary: "check a configuration and the sources it names", run: runCheck})
}

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
	var away error // the admin
	if err == nil && c.Manager() != nil {
		c, away, err = askAdmin(ctx, home.options(), c)
	}
	if err != nil {
		fmt.Fprintf(stderr, "towpath check: %v\n", err)
		return exitUsage
	}
	all, err := findings(ctx, c)
	if err != nil {
		fmt.Fprintf(stderr, "towpath check: %v\n", err)
		return exitUsage
	}
	if away != nil {
		all = append(all, control.Finding{Severity: control.SeverityWarning, Text: "the admin does not answer; this is about what it said last: " + away.Error(),
			Remedy: "see that the admin runs, and what canal.admin.manager, canal.admin.user and canal.admin.passwd say"})
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "towpath check: interrupted")
		return exitError
	}
	write := writeFindings
	if *format == "json" {
		write = writeFindingsJSON
	}
	if err := write(stdout, c, all); err != nil {
		fmt.Fprintf(stderr, "towpath check: %v\n", err)
		return exitError
	}
	if count(all, control.SeverityFailure) > 0 {
		return exitError
	}
	return exitOK
}

// findings looks at the configuration as a whole and then at each destination.
// An error means that the folders of the destinations cannot be listed.
func findings(ctx context.Context, c *config.Config) ([]control.Finding, error) {
	tree := checkZooKeeper(ctx, c)
	defer tree.close()
	each, err := check.Destinations(ctx, c, tree.cluster())
	if err != nil {
		return nil, err
	}
	return slices.Concat(check.Server(c), tree.findings, each), nil
}

func count(findings []control.Finding, severity string) int {
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
func writeFindings(w io.Writer, c *config.Config, findings []control.Finding) error {
	var b strings.Builder
	groups := map[string][]control.Finding{}
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
	fmt.Fprintf(&b, "%d failures, %d warnings\n", count(findings, control.SeverityFailure), count(findings, control.SeverityWarning))
	_, err := io.WriteString(w, b.String())
	return err
}

// writeFindingsJSON prints one object.
func writeFindingsJSON(w io.Writer, c *config.Config, findings []control.Finding) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		File     string            `json:"file"`
		Failures int               `json:"failures"`
		Warnings int               `json:"warnings"`
		Findings []control.Finding `json:"findings"`
	}{c.File(), count(findings, control.SeverityFailure), count(findings, control.SeverityWarning), slices.Concat([]control.Finding{}, findings)})
}
