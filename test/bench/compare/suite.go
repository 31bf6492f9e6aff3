package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/statistics"
	"github.com/towpath-cdc/towpath/test/servers"
)

// module is what the names of packages begin with.
const module = "github.com/towpath-cdc/towpath/"

// suite are benchmarks of a package.
type suite struct {
	pkg     string // without module
	pattern string // of go test -bench
	binary  string // the built test
	dir     string // of the package, where its tests find their files
}

// hot are the paths that every row takes, in its order.
var hot = []suite{
	{pkg: "internal/source", pattern: "^BenchmarkFramer"},
	{pkg: "internal/binlog", pattern: "^Benchmark(ParseHeader|ParseTableMap|ParseRows|ParseQuery|VerifyChecksum)"},
	{pkg: "internal/value", pattern: "^Benchmark"},
	{pkg: "internal/entry", pattern: "^Benchmark(Rows|Orders)"},
	{pkg: "internal/pipeline", pattern: "^Benchmark(Transactions|LargeValue)"},
	{pkg: "internal/store", pattern: "^BenchmarkPutGetAck"},
	{pkg: "internal/delivery", pattern: "^BenchmarkGetAck"},
	{pkg: "protocol", pattern: "^Benchmark(Rows|Columns|Headers)"},
}

// build builds the tests of suites into dir.
func build(ctx context.Context, dir string, suites []suite) ([]suite, error) {
	built := slices.Clone(suites)
	for i := range built {
		s := &built[i]
		s.binary = filepath.Join(dir, strings.ReplaceAll(s.pkg, "/", "-")+".test")
		if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", s.binary, module+s.pkg).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build the tests of %s: %w\n%s", s.pkg, err, out)
		}
		out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", module+s.pkg).Output()
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", s.pkg, err)
		}
		s.dir = strings.TrimSpace(string(out))
	}
	return built, nil
}

// only are those of the suites that have one of the benchmarks, restricted to these.
func only(suites []suite, names []string) (some []suite) {
	for _, s := range suites {
		var tops []string
		for _, n := range names {
			if bench, ok := strings.CutPrefix(n, s.pkg+"."); ok {
				top, _, _ := strings.Cut(bench, "/")
				tops = append(tops, regexp.QuoteMeta(top))
			}
		}
		if len(tops) > 0 {
			slices.Sort(tops)
			s.pattern = "^(" + strings.Join(slices.Compact(tops), "|") + ")$"
			some = append(some, s)
		}
	}
	return some
}

// measurement is what a benchmark takes.
type measurement struct {
	Cost        float64 // time for one operation, in millionths of the calibration's
	Nanoseconds float64 // the same on the machine where it was measured
	Allocations float64 // for one operation
}

// measurements are by package and benchmark, such as protocol.BenchmarkRows.
type measurements map[string]measurement

// measurer runs benchmarks.
type measurer struct {
	cal       *calibration
	benchtime time.Duration
}

// measure runs the suites in turns and takes the median of each benchmark.
func (m *measurer) measure(ctx context.Context, suites []suite, rounds int) (measurements, error) {
	all := map[string][]measurement{}
	for round := range rounds {
		for _, s := range suites {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, s.pkg)
			before := m.cal.measure()
			results, err := m.once(ctx, s)
			if err != nil {
				return nil, fmt.Errorf("benchmarks of %s: %w", s.pkg, err)
			}
			unit := geometricMean(before, m.cal.measure()) / 1e6
			for name, r := range results {
				r.Cost = r.Nanoseconds / unit
				all[s.pkg+"."+name] = append(all[s.pkg+"."+name], r)
			}
		}
	}
	medians := measurements{}
	for name, runs := range all {
		medians[name] = measurement{
			Cost:        statistics.Median(runs, func(r measurement) float64 { return r.Cost }),
			Nanoseconds: statistics.Median(runs, func(r measurement) float64 { return r.Nanoseconds }),
			Allocations: statistics.Median(runs, func(r measurement) float64 { return r.Allocations }),
		}
	}
	return medians, nil
}

// repetitions of a benchmark in a round, of which the shortest time counts.
const repetitions = 3

// once runs the benchmarks of a suite for one round, on one core as the calibration is.
func (m *measurer) once(ctx context.Context, s suite) (measurements, error) {
	cmd := exec.Command(s.binary, "-test.run", "^$", "-test.bench", s.pattern, "-test.benchtime", m.benchtime.String(),
		"-test.count", strconv.Itoa(repetitions), "-test.benchmem", "-test.cpu", "1")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := servers.StartProcess(cmd); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })() // it may have ended
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	return parse(out.String())
}

// parse reads what go test -bench prints. Of several results of a benchmark the least count.
func parse(out string) (measurements, error) {
	all := measurements{}
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		var m measurement
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("result %q: %w", lines.Text(), err)
			}
			switch f[i+1] {
			case "ns/op":
				m.Nanoseconds = v
			case "allocs/op":
				m.Allocations = v
			}
		}
		if m.Nanoseconds <= 0 {
			return nil, fmt.Errorf("result %q has no time", lines.Text())
		}
		if was, ok := all[f[0]]; ok {
			m.Nanoseconds, m.Allocations = min(m.Nanoseconds, was.Nanoseconds), min(m.Allocations, was.Allocations)
		}
		all[f[0]] = m
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no results in\n%s", out)
	}
	return all, nil
}
