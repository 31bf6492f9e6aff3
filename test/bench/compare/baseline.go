package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// baseline is what a file holds.
type baseline struct {
	Date, Go, Platform string // when and on what it was measured
	Benchmarks         measurements
}

func readBaseline(file string) (b baseline, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, fmt.Errorf("%w: write one with -update", err)
	}
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("%s: %w", file, err)
	}
	if len(b.Benchmarks) == 0 {
		return b, fmt.Errorf("%s has no benchmarks: write them with -update", file)
	}
	return b, nil
}

func writeBaseline(file string, b baseline) error {
	text, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// slower are the benchmarks that are worse than in the baseline: by more than the
// tolerance in time, or with more allocations than rounding explains. One that has
// gone counts too, since nobody watches over what it did.
func slower(base, now measurements, tolerance float64) (names []string) {
	for name, was := range base {
		if is, ok := now[name]; !ok || is.Cost > was.Cost*(1+tolerance) || allocatesMore(was, is) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// allocatesMore leaves room for what a pool that the garbage collector has emptied
// costs in a benchmark that allocates anyway.
func allocatesMore(was, is measurement) bool {
	if was.Allocations == 0 {
		return is.Allocations > 0
	}
	return is.Allocations > was.Allocations*1.1+1
}

// improve takes over what was quicker when it was measured again.
func (m measurements) improve(again measurements) {
	for name, a := range again {
		was, ok := m[name]
		if !ok {
			m[name] = a
			continue
		}
		if a.Cost < was.Cost {
			was.Cost, was.Nanoseconds = a.Cost, a.Nanoseconds
		}
		was.Allocations = min(was.Allocations, a.Allocations)
		m[name] = was
	}
}

// report is the comparison as a table. Ratios are to the baseline: above 1 is slower.
func report(base baseline, now measurements, tolerance float64, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "medians of %d rounds; baseline of %s, %s, %s; up to %.2f is let pass\n\n", rounds, base.Date, base.Go, base.Platform, 1+tolerance)
	b.WriteString("| benchmark | ns | allocations | time beside baseline | |\n|---|--:|--:|--:|---|\n")
	names := slices.Sorted(maps.Keys(now))
	for name := range base.Benchmarks {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	worse := slower(base.Benchmarks, now, tolerance)
	for _, name := range names {
		is, measured := now[name]
		was, known := base.Benchmarks[name]
		verdict := ""
		switch {
		case !measured:
			fmt.Fprintf(&b, "| %s | | | | **gone** |\n", name)
			continue
		case !known:
			fmt.Fprintf(&b, "| %s | %.4g | %g | | new |\n", name, is.Nanoseconds, is.Allocations)
			continue
		case allocatesMore(was, is):
			verdict = fmt.Sprintf("**allocates more than %g**", was.Allocations)
		case slices.Contains(worse, name):
			verdict = "**slower**"
		}
		fmt.Fprintf(&b, "| %s | %.4g | %g | %.2f | %s |\n", name, is.Nanoseconds, is.Allocations, is.Cost/was.Cost, verdict)
	}
	return b.String()
}
