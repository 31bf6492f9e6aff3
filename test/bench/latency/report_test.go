package main

import (
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	o := &options{rate: 2000, sessions: 8, duration: 30 * time.Second, warmUp: 5 * time.Second, batch: 1000, timeout: 100 * time.Millisecond}
	var results []result
	for _, s := range []string{"Towpath", "Java Canal"} {
		r := result{subject: s, manner: o.manners()[1], cpu: 0.125, gets: 1500}
		for _, d := range sequence(1000) {
			r.planned = append(r.planned, d*time.Millisecond)
			r.returned = append(r.returned, (d-100)*time.Millisecond)
			r.late = append(r.late, 10*time.Microsecond)
		}
		results = append(results, r)
	}
	text := report(results, o, "sync_binlog=0")
	for _, want := range []string{
		"2000 transactions a second of one row each over 8 sessions, for 30s after 5s; gets with a timeout of 100ms; MySQL 8.0 with sync_binlog=0",
		"| batches of 1 KiB | return of COMMIT | Towpath | 400.00 | 800.00 | 890.00 | 899.00 | 900.00 |",
		"| batches of 1 KiB | planned COMMIT | Java Canal | 500.00 | 900.00 | 990.00 | 999.00 | 1000.00 |",
		"| batches of 1 KiB | Java Canal | 12.5 | 1500 | 9.9 | 0.01 | 0.01 | 0.01 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if c := chart(results); len(c.Series) != 2 || c.Series[1].Name != "Java Canal, batches of 1 KiB" {
		t.Errorf("series %v", c.Series)
	}
}
