package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/statistics"
)

// check sees that all contenders have found the same: as many rows, where they count
// columns as many of these to the row, and as much text.
func (r *result) check() error {
	first := r.runs[0][0]
	for i, runs := range r.runs {
		for _, f := range runs {
			if r.contenders[i].name == headersOnly {
				continue
			}
			if first.Columns == 0 && f.Rows != first.Rows {
				return fmt.Errorf("%s: %s has found %d rows, %s %d", r.Name, r.contenders[i].name, f.Rows, r.contenders[0].name, first.Rows)
			}
			// What clients have found is that of several passes, not as many for each.
			if f.Columns*first.Rows != first.Columns*f.Rows || f.Text*first.Rows != first.Text*f.Rows {
				return fmt.Errorf("%s: %s has found %d columns with %d characters in %d rows, %s %d with %d in %d", r.Name, r.contenders[i].name,
					f.Columns, f.Text, f.Rows, r.contenders[0].name, first.Columns, first.Text, first.Rows)
			}
		}
	}
	return nil
}

func rate(f figures) float64    { return float64(f.Rows) / f.Wall.Seconds() }
func cpuRate(f figures) float64 { return float64(f.Rows) / f.CPU.Seconds() }
func seconds(f figures) float64 { return f.CPU.Seconds() }
func allocations(f figures) float64 {
	return float64(f.Allocations) / float64(f.Rows)
}

// head says what the figures of a table are.
func head(runs int) string {
	return fmt.Sprintf("%s, %s/%s; one core each; medians of %d runs, in turns", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runs)
}

// decoderReport is the decoders' result as a table.
func decoderReport(results []result, runs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; go-mysql %s\n\n", head(runs), results[0].runs[1][0].Version)
	b.WriteString("| binlog | | rows/s | binlog MB/s | CPU s | rows per CPU s | allocations per row |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		for i, all := range r.runs {
			perRow := float64(r.Bytes) / 1e6 / float64(all[0].Rows)
			fmt.Fprintf(&b, "| %s: %d rows, %d MB | %s | %.0f | %.0f | %.2f | %.0f | %.3f |\n", r.Name, all[0].Rows, r.Bytes>>20, r.contenders[i].name,
				statistics.Median(all, rate), statistics.Median(all, rate)*perRow, statistics.Median(all, seconds), statistics.Median(all, cpuRate), statistics.Median(all, allocations))
		}
		ours, theirs := r.runs[0], r.runs[1]
		fmt.Fprintf(&b, "| | **ratio** | **%.1f** | | | **%.1f** | |\n", statistics.Median(ours, rate)/statistics.Median(theirs, rate), statistics.Median(ours, cpuRate)/statistics.Median(theirs, cpuRate))
	}
	return b.String()
}

// clientReport is the clients' result as a table. Its ratios are those of our client
// that makes strings, as the others do.
func clientReport(results []result, runs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", head(runs))
	b.WriteString("| batches | | rows/s | rows per CPU s | allocations per row | Towpath's client with strings is faster by |\n|---|---|--:|--:|--:|--:|\n")
	for _, r := range results {
		for i, all := range r.runs {
			allocated, faster := "", ""
			if all[0].Allocations >= 0 {
				allocated = fmt.Sprintf("%.2f", statistics.Median(all, allocations))
			}
			if !strings.HasPrefix(r.contenders[i].name, "Towpath") {
				faster = fmt.Sprintf("%.1f", statistics.Median(r.runs[0], rate)/statistics.Median(all, rate))
			}
			fmt.Fprintf(&b, "| %s | %s | %.0f | %.0f | %s | %s |\n", r.Name, r.contenders[i].name, statistics.Median(all, rate), statistics.Median(all, cpuRate), allocated, faster)
		}
	}
	return b.String()
}
