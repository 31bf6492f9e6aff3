package main

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := parse(`goos: linux
pkg: github.com/towpath-cdc/towpath/internal/entry
BenchmarkRows/mysql80         	    1203	     98123 ns/op	 180.55 MB/s	      16 B/op	       2 allocs/op
BenchmarkTiny 	1000000000	         0.25 ns/op
BenchmarkRows/mysql80         	    1203	     99999 ns/op	 180.55 MB/s	      16 B/op	       3 allocs/op
PASS
`)
	want := measurements{"BenchmarkRows/mysql80": {Nanoseconds: 98123, Allocations: 2}, "BenchmarkTiny": {Nanoseconds: 0.25}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"PASS\n", "BenchmarkX 1 x ns/op\n", "BenchmarkX 1 5 MB/s\n"} {
		if got, err := parse(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestSlower(t *testing.T) {
	base := measurements{"p.A": {Cost: 100}, "p.B": {Cost: 100, Allocations: 20}}
	for name, c := range map[string]struct {
		now  measurements
		want []string
	}{
		"the same":                {measurements{"p.A": {Cost: 100}, "p.B": {Cost: 100, Allocations: 20}}, nil},
		"within the tolerance":    {measurements{"p.A": {Cost: 124}, "p.B": {Cost: 80, Allocations: 22}}, nil},
		"slower":                  {measurements{"p.A": {Cost: 126}, "p.B": {Cost: 100, Allocations: 20}}, []string{"p.A"}},
		"allocates":               {measurements{"p.A": {Cost: 100, Allocations: 1}, "p.B": {Cost: 100, Allocations: 24}}, []string{"p.A", "p.B"}},
		"gone":                    {measurements{"p.B": {Cost: 100}}, []string{"p.A"}},
		"new ones do not matter":  {measurements{"p.A": {Cost: 100}, "p.B": {Cost: 100}, "p.C": {Cost: 1e9}}, nil},
		"another machine, faster": {measurements{"p.A": {Cost: 100, Nanoseconds: 1}, "p.B": {Cost: 100, Nanoseconds: 1}}, nil},
	} {
		if got := slower(base, c.now, 0.25); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestImprove(t *testing.T) {
	m := measurements{"p.A": {Cost: 9, Nanoseconds: 90, Allocations: 1}, "p.B": {Cost: 5}}
	m.improve(measurements{"p.A": {Cost: 4, Nanoseconds: 40, Allocations: 2}, "p.B": {Cost: 6}, "p.C": {Cost: 1}})
	want := measurements{"p.A": {Cost: 4, Nanoseconds: 40, Allocations: 1}, "p.B": {Cost: 5}, "p.C": {Cost: 1}}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %v, want %v", m, want)
	}
}

func TestOnly(t *testing.T) {
	suites := []suite{{pkg: "internal/store", pattern: "x"}, {pkg: "internal/entry", pattern: "y"}}
	got := only(suites, []string{"internal/entry.BenchmarkRows/mysql56", "internal/entry.BenchmarkRows/mysql80", "internal/entry.BenchmarkA"})
	if len(got) != 1 || got[0].pkg != "internal/entry" || got[0].pattern != "^(BenchmarkA|BenchmarkRows)$" {
		t.Errorf("got %+v", got)
	}
}

func TestReport(t *testing.T) {
	base := baseline{Date: "2026-01-02", Go: "go1", Platform: "linux/amd64", Benchmarks: measurements{"p.A": {Cost: 100}, "p.B": {Cost: 100}, "p.C": {Cost: 1}, "p.D": {Cost: 100}}}
	now := measurements{"p.A": {Cost: 50, Nanoseconds: 12}, "p.B": {Cost: 200, Nanoseconds: 3}, "p.D": {Cost: 100, Nanoseconds: 7, Allocations: 3}, "p.E": {Cost: 1, Nanoseconds: 1}}
	text := report(base, now, 0.25, 5)
	for _, want := range []string{"| p.A | 12 | 0 | 0.50 |  |", "| p.B | 3 | 0 | 2.00 | **slower** |", "| p.C | | | | **gone** |", "| p.D | 7 | 3 | 1.00 | **allocates more than 0** |", "| p.E | 1 | 0 | | new |", "up to 1.25"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestBaselineFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.json")
	if _, err := readBaseline(file); err == nil || !strings.Contains(err.Error(), "-update") {
		t.Errorf("no file: %v", err)
	}
	want := baseline{Date: "2026-01-02", Go: "go1", Platform: "linux/amd64", Benchmarks: measurements{"p.A": {Cost: 1.5, Nanoseconds: 2, Allocations: 3}}}
	if err := writeBaseline(file, want); err != nil {
		t.Fatal(err)
	}
	if got, err := readBaseline(file); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// TestCalibration: its time grows with its work, which is really done.
func TestCalibration(t *testing.T) {
	c := newCalibration()
	for name, part := range map[string]func(){"numbers": c.numbers, "copies": c.copies, "branches": c.branches} {
		before := c.sink
		if part(); c.sink == before {
			t.Errorf("%s leave no trace", name)
		}
	}
	if a := c.measure(); a <= 0 {
		t.Errorf("it takes %v ns", a)
	}
	if got := geometricMean(1, 10, 100); got < 9.99 || got > 10.01 {
		t.Errorf("geometric mean %v, want 10", got)
	}
}
