package main

import (
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/workload"
)

func TestMedian(t *testing.T) {
	m := median([]figures{
		{wall: 3, cpu: 10, peakMemory: 5, gets: 7, rows: 9},
		{wall: 1, cpu: 30, peakMemory: 6, gets: 8, rows: 9},
		{wall: 2, cpu: 20, peakMemory: 4, gets: 6, rows: 9},
	})
	if want := (figures{wall: 2, cpu: 20, peakMemory: 5, gets: 7, rows: 9}); m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
}

func TestParseSummary(t *testing.T) {
	f, err := parseSummary("log4j: nothing to see\nentries=5 batches=2 gets=3 rows=40 storeValueBytes=77 seconds=0.500 sinceFirstGet=1.250\n")
	if want := (figures{gets: 3, rows: 40, wall: 1250 * time.Millisecond}); err != nil || f != want {
		t.Errorf("%+v, %v; want %+v", f, err, want)
	}
	if f, err := parseSummary("Exception in thread main\n"); err == nil {
		t.Errorf("%+v of an exception", f)
	}
}

func TestWays(t *testing.T) {
	o := &options{batch: 1000, largeBatch: 10_000, rounds: 300, javaClient: true}
	names := func(rounds bool) (s []string) {
		for _, w := range o.ways(rounds) {
			s = append(s, w.name())
		}
		return s
	}
	if got, want := strings.Join(names(true), " "), "ours-1000 ours-whole-1000 ours-10000 ours-1 java-1000 java-10000 java-1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	o.javaClient, o.largeBatch = false, 0
	if got, want := strings.Join(names(false), " "), "ours-1000 ours-whole-1000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// measured is a result in which Java Canal took ten times as long.
func measured(o *options, subjects int) []result {
	r := result{stretch: workload.Stretch{Name: "bulk", Bytes: 2e9}, ways: o.ways(true), runs: make(map[way][][]figures), floor: []time.Duration{200 * time.Millisecond}}
	for _, w := range r.ways {
		for i := range subjects {
			d := time.Second
			if i > 0 {
				d = 10 * time.Second
			}
			quick := figures{wall: d, cpu: 2 * d, peakMemory: 10 << 20, rows: 1000, gets: 100}
			slow := quick
			slow.wall = 2 * d
			r.runs[w] = append(r.runs[w], []figures{slow, quick, slow})
		}
	}
	return []result{r}
}

func TestReport(t *testing.T) {
	o := &options{runs: 3, batch: 1000, rounds: 100, timeout: 100 * time.Millisecond, javaClient: true}
	text := report(measured(o, 2), o)
	for _, want := range []string{
		"medians of 3 runs",
		"| bulk: 1000 rows, 2000 MB | at rest | Towpath | 500 (500 to 1000) | 1000.0 | 2.00 | 2.00 | 500 | 10 |",
		"| bulk: 1000 rows, 2000 MB | whole | Java Canal | 50 (50 to 100) | 100.0 | 20.00 | 20.00 | 50 | 10 |",
		"| | | **ratio** | **10.0** | | | **1/10.0** | | **1/1.0** |",
		"| bulk | floor | 0.100 | 1 |",
		"| bulk | Java Canal | 10.00 | 100.0 |",
		"| bulk | Java | 1000 | 500 | 50 | **10.0** | 100 | 20.00 | 100 | 200.00 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if rounds := reportRounds(measured(o, 2), o); !strings.Contains(rounds, "| Java | 20.00 (10.00 to 20.00) | 200.00 (100.00 to 200.00) |") {
		t.Error(rounds)
	}
}

// Without Java Canal there is nothing to compare with, and nothing is made up.
func TestReportAlone(t *testing.T) {
	o := &options{runs: 3, batch: 1000, rounds: 0, timeout: 100 * time.Millisecond}
	text := report(measured(o, 1), o)
	if strings.Contains(text, "| Java Canal |") || strings.Contains(text, "ratio**") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error(text)
	}
	if !strings.Contains(text, "| bulk | ours | 1000 | 500 |  |  | 100 | 20.00 |  |  |") {
		t.Error(text)
	}
	if rounds := reportRounds(measured(o, 1), o); rounds != "" {
		t.Error(rounds)
	}
}
