package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/statistics"
	"github.com/towpath-cdc/towpath/test/bench/workload"
)

// median takes each figure's own median.
func median(all []figures) figures {
	f := all[0]
	f.wall = statistics.Median(all, func(f figures) time.Duration { return f.wall })
	f.cpu = statistics.Median(all, func(f figures) time.Duration { return f.cpu })
	f.peakMemory = statistics.Median(all, func(f figures) int64 { return f.peakMemory })
	f.gets = statistics.Median(all, func(f figures) int64 { return f.gets })
	return f
}

// medians of each subject in a way, ours first.
func (r *result) medians(w way) []figures {
	var m []figures
	for _, all := range r.runs[w] {
		m = append(m, median(all))
	}
	return m
}

// subjectNames are what the tables call the subjects.
var subjectNames = []string{"Towpath", "Java Canal"}

// report is the result as tables.
func report(results []result, o *options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs; timeout of a get %s; medians of %d runs\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.timeout, o.runs)
	writeServers(&b, results, o)
	writeFloor(&b, results, o)
	writeClients(&b, results, o)
	return b.String()
}

// writeServers is the table of what servers take, with our client.
func writeServers(b *strings.Builder, results []result, o *options) {
	fmt.Fprintf(b, "\nThe servers, with our client and gets of %d. *At rest*: from the client's first get, when the server has started and its ring is full.\n"+
		"*Whole*: from the start of the server's process until everything was delivered, with the CPU time of the whole process.\n", o.batch)
	b.WriteString("\n| binlog | from | | rows/s, median (range) | binlog MB/s | s | CPU s | rows per CPU s | peak RSS MB |\n|---|---|---|--:|--:|--:|--:|--:|--:|\n")
	for i := range results {
		r := &results[i]
		for _, w := range []way{{batch: o.batch}, {batch: o.batch, whole: true}} {
			from := "at rest"
			if w.whole {
				from = "whole"
			}
			m := r.medians(w)
			for j, f := range m {
				fmt.Fprintf(b, "| %s | %s | %s | %.0f (%s) | %.1f | %.2f | %.2f | %.0f | %d |\n", describe(r.stretch, f.rows), from, subjectNames[j],
					rate(f), spread(r.runs[w][j]), float64(r.stretch.Bytes)/1e6/f.wall.Seconds(), f.wall.Seconds(), f.cpu.Seconds(), float64(f.rows)/f.cpu.Seconds(), f.peakMemory>>20)
			}
			if len(m) == 2 {
				ours, theirs := m[0], m[1]
				fmt.Fprintf(b, "| | | **ratio** | **%.1f** | | | **1/%.1f** | | **1/%.1f** |\n", theirs.wall.Seconds()/ours.wall.Seconds(),
					theirs.cpu.Seconds()/ours.cpu.Seconds(), float64(theirs.peakMemory)/float64(ours.peakMemory))
			}
		}
	}
}

// writeFloor is the table of CPU time beside that of a reader that does nothing.
func writeFloor(b *strings.Builder, results []result, o *options) {
	b.WriteString("\nCPU time for each GB (10⁹ bytes) of binlog, beside the floor: a program that asks MySQL for the same dump, reads it from the socket and\n" +
		"throws it away. Of servers it is that of the whole process, its start included, of the floor that from the request for the dump on.\n")
	b.WriteString("\n| binlog | | CPU s per GB of binlog | times the floor |\n|---|---|--:|--:|\n")
	for i := range results {
		r := &results[i]
		gb := float64(r.stretch.Bytes) / 1e9
		floor := statistics.Median(r.floor, func(d time.Duration) time.Duration { return d }).Seconds() / gb
		fmt.Fprintf(b, "| %s | floor | %.3f | 1 |\n", r.stretch.Name, floor)
		for j, f := range r.medians(way{batch: o.batch, whole: true}) {
			cpu := f.cpu.Seconds() / gb
			fmt.Fprintf(b, "| %s | %s | %.2f | %.1f |\n", r.stretch.Name, subjectNames[j], cpu, cpu/floor)
		}
	}
}

// writeClients is the table of rows per second by client and size of a get.
func writeClients(b *strings.Builder, results []result, o *options) {
	b.WriteString("\nOne client that takes everything from a server at rest, by client and size of a get.\n")
	b.WriteString("\n| binlog | client | batch | Towpath: rows/s | Java Canal: rows/s | ratio | Towpath: rounds | ms per round | Java Canal: rounds | ms per round |\n" +
		"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for i := range results {
		r := &results[i]
		for _, w := range r.ways {
			if w.whole || w.rounds > 0 {
				continue
			}
			m := r.medians(w)
			if len(m) == 1 {
				m = append(m, figures{})
			}
			fmt.Fprintf(b, "| %s | %s | %d | %.0f | %s | %s | %d | %.2f | %s |\n", r.stretch.Name, clientName(w), w.batch, rate(m[0]),
				known(m[1], "%.0f", rate(m[1])), known(m[1], "**%.1f**", m[1].wall.Seconds()/m[0].wall.Seconds()), m[0].gets, perRound(m[0]),
				known(m[1], "%d", m[1].gets)+" | "+known(m[1], "%.2f", perRound(m[1])))
		}
	}
}

// reportRounds is the table of what a round costs when hardly anything is in it; ""
// when that was not measured.
func reportRounds(results []result, o *options) string {
	if o.rounds == 0 || len(results) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s/%s, %d CPUs; %d rounds of a get of 1 and its ack; medians of %d runs\n\n| client |", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds, o.runs)
	r := &results[0]
	for j := range r.runs[r.ways[0]] {
		fmt.Fprintf(&b, " %s: ms per round (range) |", subjectNames[j])
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(r.runs[r.ways[0]])) + "\n")
	for _, w := range r.ways {
		if w.rounds == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s |", clientName(w))
		for j, m := range r.medians(w) {
			low, high := perRound(r.runs[w][j][0]), 0.0
			for _, f := range r.runs[w][j] {
				low, high = min(low, perRound(f)), max(high, perRound(f))
			}
			fmt.Fprintf(&b, " %.2f (%.2f to %.2f) |", perRound(m), low, high)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func describe(s workload.Stretch, rows int64) string {
	return fmt.Sprintf("%s: %d rows, %d MB", s.Name, rows, s.Bytes/1e6)
}

func clientName(w way) string {
	if w.java {
		return "Java"
	}
	return "ours"
}

func rate(f figures) float64 { return float64(f.rows) / f.wall.Seconds() }

// perRound is the time of a get, of what is done with the batch, and of its ack, in ms.
func perRound(f figures) float64 { return f.wall.Seconds() * 1e3 / float64(f.gets) }

// spread is the lowest and the highest rate of the runs.
func spread(all []figures) string {
	low, high := rate(all[0]), rate(all[0])
	for _, f := range all {
		low, high = min(low, rate(f)), max(high, rate(f))
	}
	return fmt.Sprintf("%.0f to %.0f", low, high)
}

// known formats a figure, or nothing where there was no measurement.
func known(f figures, format string, v any) string {
	if f.gets == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}
