package fleet

import (
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/control"
)

func reportOf(started, now int64, cpu float64, bytes uint64, rows int64) *control.ServerReport {
	return &control.ServerReport{PID: 7, StartedMs: started, NowMs: now, CPUSeconds: cpu, Instances: []control.InstanceReport{
		{Destination: "a", State: control.StateRunning, Source: &control.SourceReport{Bytes: bytes}, Store: &control.StoreReport{GetRows: rows}},
		{Destination: "b", State: control.StateStandby},
	}}
}

func TestRates(t *testing.T) {
	begin := time.Unix(1_000, 0)
	before := reportOf(1, 10_000, 1, 1000, 100)
	tests := []struct {
		name       string
		after      *control.ServerReport
		rows, read float64
		cpu        float64
		known      bool
	}{
		{"two seconds", reportOf(1, 12_000, 2, 3000, 300), 100, 1000, 0.5, true},
		{"nothing", reportOf(1, 12_000, 1, 1000, 100), 0, 0, 0, true},
		{"the server was started again", reportOf(5, 12_000, 0.1, 50, 5), 0, 0, 0, false},
		{"the instance was started again", reportOf(1, 12_000, 2, 50, 5), 0, 0, 0.5, false},
		{"its clock was set back", reportOf(1, 9_000, 2, 3000, 300), 100, 1000, 0.5, true},
		{"its clock was set forward", reportOf(1, 999_000, 2, 3000, 300), 100, 1000, 0.5, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old := countersOf(before, begin)
			now := countersOf(tt.after, begin.Add(2*time.Second))
			total, rates := now.since(&old)
			_, known := rates["a"]
			if total.Rows != tt.rows || total.Bytes != tt.read || total.CPU != tt.cpu || known != tt.known {
				t.Errorf("got %+v, %v", total, rates)
			}
			if _, standby := rates["b"]; standby {
				t.Error("a standby has rates")
			}
		})
	}
	first := countersOf(before, begin)
	if _, rates := first.since(&counters{}); rates != nil {
		t.Errorf("rates of the first report: %v", rates)
	}
}

func TestRing(t *testing.T) {
	var r ring[Point]
	if _, ok := r.last(); ok || len(r.after(0)) != 0 {
		t.Error("an empty ring has points")
	}
	for i := int64(1); i <= 25; i++ {
		r.add(Point{AtMs: i}, 10)
		last, _ := r.last()
		all := r.after(0)
		if last.AtMs != i || len(all) != int(min(i, 10)) || all[len(all)-1].AtMs != i || all[0].AtMs != max(1, i-9) {
			t.Fatalf("after %d: last %d, all %v", i, last.AtMs, all)
		}
		if got := r.after(i - 3); len(got) != int(min(3, i)) {
			t.Fatalf("after %d: %d points of the last three", i, len(got))
		}
	}
}

// TestLagGrowth: what counts is a minute, and a lag that is known.
func TestLagGrowth(t *testing.T) {
	f := New(Options{DB: &stored{}})
	defer f.Close()
	add := func(second, lag int64) {
		of(f.sight.instance, 1).add(Point{AtMs: second * 1000, LagMs: lag}, maxInstancePoints)
	}
	if f.LagGrowth(1) != 0 {
		t.Error("growth without points")
	}
	for s := int64(0); s <= 30; s += 2 {
		add(s, s*1000)
	}
	if got := f.LagGrowth(1); got != 0 {
		t.Errorf("growth within half a minute = %d", got)
	}
	for s := int64(32); s <= 120; s += 2 {
		add(s, s*1000)
	}
	if got := f.LagGrowth(1); got != 60_000 {
		t.Errorf("growth = %d, want 60000", got)
	}
	add(180, 0)
	if got := f.LagGrowth(1); got != 0 {
		t.Errorf("growth after it has caught up = %d", got)
	}
}
