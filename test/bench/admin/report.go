package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/statistics"
)

// report is the results as tables.
func report(results []result, period time.Duration) string {
	var b strings.Builder
	first := results[0].layout
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs shared with the simulated servers; %d servers, %d of them dead, %d instances, interval %v; each figure over %v\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), first.servers, first.dead, first.instances, interval, period)
	b.WriteString("| | | polls/s | CPU, % of a core | with a page open, % | RSS MB |\n|---|---|--:|--:|--:|--:|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %v | not polled | 0 | %.1f | | %d |\n", r.layout, 100*r.rest.cpu, r.rest.resident>>20)
		for _, k := range r.kinds() {
			fmt.Fprintf(&b, "| | polled as by %s | %.0f | %.1f | %.1f | %d |\n", k.name, k.polls.requests, 100*k.polls.cpu, 100*k.watched.cpu, k.watched.resident>>20)
		}
	}
	b.WriteString("\nA list while servers poll and a page is open, ms:\n\n| | |")
	for _, r := range results {
		fmt.Fprintf(&b, " %d clusters: p50 | p99 | max |", r.layout.clusters)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("--:|", 3*len(results)) + "\n")
	for i, k := range results[0].kinds() {
		for _, list := range slices.Sorted(maps.Keys(k.lists)) {
			fmt.Fprintf(&b, "| polled as by %s | %s |", k.name, list)
			for _, r := range results {
				took := slices.Sorted(slices.Values(r.kinds()[i].lists[list]))
				fmt.Fprintf(&b, " %s | %s | %s |", ms(statistics.Percentile(took, 0.5)), ms(statistics.Percentile(took, 0.99)), ms(statistics.Percentile(took, 1)))
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n")
	for _, r := range results {
		for _, k := range r.kinds() {
			took := slices.Sorted(slices.Values(k.change))
			fmt.Fprintf(&b, "%v, polled as by %s: a changed text was at half of the servers after %.1f s, at all after %.1f s.\n",
				r.layout, k.name, statistics.Percentile(took, 0.5).Seconds(), statistics.Percentile(took, 1).Seconds())
		}
	}
	for _, r := range results {
		if r.soak > 0 {
			fmt.Fprintf(&b, "\nMemory with a page open, polled as by Towpath, while lists are asked for: %d MB, and %d MB %v later.\n", r.soakBegin>>20, r.soakEnd>>20, r.soak)
		}
	}
	return b.String()
}

// kind is what was measured with servers of one kind.
type kind struct {
	name string
	phases
}

func (r result) kinds() []kind { return []kind{{"Towpath", r.towpath}, {"Canal", r.canal}} }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
