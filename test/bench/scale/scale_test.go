package main

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestShares(t *testing.T) {
	tests := []struct {
		name string
		rows []int64
		want shares
	}{
		{"equal", []int64{5, 5, 5, 5}, shares{1, 1, 1}},
		{"one has everything", []int64{0, 12, 0, 0}, shares{0.25, 0, 4}},
		{"uneven", []int64{1, 3}, shares{0.8, 0.5, 1.5}},
		{"alone", []int64{7}, shares{1, 1, 1}},
		{"nothing", []int64{0, 0}, shares{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := newShares(tt.rows); !near(got.jain, tt.want.jain) || !near(got.least, tt.want.least) || !near(got.greatest, tt.want.greatest) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestTallyLooksAtHalf(t *testing.T) {
	c := newTally(2, 100)
	c.add(0, 30)
	c.add(1, 19)
	if got := c.half(); got != (shares{}) {
		t.Errorf("before half of the rows: %+v", got)
	}
	c.add(1, 11) // now 30 each
	c.add(0, 40)
	if got := c.half(); got != (shares{1, 1, 1}) {
		t.Errorf("at half of the rows: %+v", got)
	}
	if got := c.total.Load(); got != 100 {
		t.Errorf("%d rows counted", got)
	}
}

func at(x int, memory ...int64) point {
	p := point{x: x}
	for _, m := range memory {
		p.samples = append(p.samples, sample{memory: m << 20})
	}
	return p
}

func TestMedian(t *testing.T) {
	if got := memoryMB(at(1, 9, 1, 5)); got != 5 {
		t.Errorf("median of three is %v", got)
	}
	if got := memoryMB(at(1, 9, 1, 5, 6)); got != 5.5 {
		t.Errorf("median of four is %v", got)
	}
}

func TestSlope(t *testing.T) {
	if got := slope([]point{at(1, 22), at(100, 220), at(500, 1020)}, memoryMB); !near(got, 2) {
		t.Errorf("slope %v, want 2", got)
	}
	if got := slope([]point{at(5, 22)}, memoryMB); got != 0 {
		t.Errorf("slope of one point is %v", got)
	}
}

func TestTable(t *testing.T) {
	p := point{x: 10, bytes: 3e6, samples: []sample{{rows: 1000, wall: 500 * time.Millisecond, server: 4 * time.Millisecond, client: 2 * time.Millisecond, source: 1500 * time.Microsecond, ready: time.Second, memory: 64 << 20}}}
	const want = `| columns | rows | binlog MB | rows/s | server CPU µs per row | client CPU µs per row | MySQL CPU µs per row | s to the first row | peak RSS MB |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| 10 | 1000 | 3 | 2000 | 4.00 | 2.00 | 1.50 | 1.00 | 64 |
`
	if got := table("columns", []point{p}, streamColumns()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := table("n", []point{p, p}, instanceColumns(p)); !strings.Contains(got, "times that of 10") || strings.Count(got, "| 1.00 |") < 2 {
		t.Errorf("the ratio is not in\n%s", got)
	}
}

func TestChart(t *testing.T) {
	c := costChart("t", "columns", both([]point{{x: 3, samples: []sample{{rows: 10, server: 20 * time.Microsecond, client: 50 * time.Microsecond}}}})...)
	if !c.LogX || c.LogY || len(c.Series) != 2 || c.Series[0].Points[0].X != 3 || !near(c.Series[0].Points[0].Y, 2) || !near(c.Series[1].Points[0].Y, 5) {
		t.Errorf("chart %+v", c)
	}
}

func TestSQL(t *testing.T) {
	const create = "CREATE TABLE t (id INT UNSIGNED NOT NULL PRIMARY KEY, c0 INT NOT NULL, c1 VARCHAR(8) CHARACTER SET ascii NOT NULL)"
	if got := tableSQL("t", 3); got != create {
		t.Errorf("table is %s", got)
	}
	const insert = "INSERT INTO t SELECT n, n % 100000, CONCAT('v', n % 100000) FROM (SELECT 7 + n AS n FROM bench.numbers WHERE n < 5) s"
	if got := insertSQL("t", 3, "7", "5"); got != insert {
		t.Errorf("insert is %s", got)
	}
}

func TestList(t *testing.T) {
	var l list
	if err := l.Set("1,20,300"); err != nil || l.String() != "1,20,300" {
		t.Errorf("list %s, %v", l.String(), err)
	}
	for _, bad := range []string{"", "1,", "0", "-1", "x"} {
		if err := l.Set(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestChoose(t *testing.T) {
	all, err := choose("memory,width")
	if err != nil || len(all) != 2 || all[0].name != "memory" || all[1].name != "width" {
		t.Errorf("chose %v, %v", all, err)
	}
	if _, err := choose("wide"); err == nil {
		t.Error("a case that there is not was chosen")
	}
}

// The document has a place for each case, and nothing is measured that has none.
func TestPlaces(t *testing.T) {
	if err := places("../../../docs/benchmarks.md", studies); err != nil {
		t.Error(err)
	}
	if err := places("../../../docs/benchmarks.md", []study{{name: "colour"}}); err == nil {
		t.Error("a case without markers was taken")
	}
}

func TestEach(t *testing.T) {
	broken := errors.New("broken")
	err := each(t.Context(), 3, func(ctx context.Context, i int) error {
		if i == 1 {
			return broken
		}
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if err := each(t.Context(), 3, func(context.Context, int) error { return nil }); err != nil {
		t.Errorf("without an error: %v", err)
	}
}
