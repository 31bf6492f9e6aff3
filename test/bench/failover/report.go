package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is the result as a table.
func report(results []result, trials int, tick time.Duration) string {
	if len(results) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs; three ZooKeeper servers, tickTime %v; %d trials of each; sessions:", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), tick, trials)
	for _, r := range results {
		fmt.Fprintf(&b, " %s %v", r.subject, r.session)
	}
	b.WriteString("\n\n| what happens |")
	for _, r := range results {
		fmt.Fprintf(&b, " %s: longest silence, s | rows repeated |", r.subject)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|--:|", len(results)) + "\n")
	for _, c := range cases {
		if len(results[0].silence[c.name]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s |", c.what)
		for _, r := range results {
			s := r.silence[c.name]
			if len(s) == 0 {
				b.WriteString(" | |")
				continue
			}
			fmt.Fprintf(&b, " %.2f to %.2f | %d to %d |", slices.Min(s).Seconds(), slices.Max(s).Seconds(), slices.Min(r.repeats[c.name]), slices.Max(r.repeats[c.name]))
		}
		b.WriteString("\n")
	}
	return b.String()
}
