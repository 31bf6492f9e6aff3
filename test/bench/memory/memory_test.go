package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPointsKeepPeaks(t *testing.T) {
	const n, peak = 10 * plotPoints, 777
	var curve []sample
	for i := range n {
		bytes := int64(10)
		if i == 1234 {
			bytes = peak
		}
		curve = append(curve, sample{time.Duration(i) * watchInterval, bytes << 20})
	}
	got := points(curve)
	if len(got) > plotPoints+1 || len(got) < plotPoints-1 {
		t.Errorf("%d points of %d samples", len(got), n)
	}
	highest, last := 0.0, -1.0
	for _, p := range got {
		highest = max(highest, p.Y)
		if p.X <= last || p.X > 100 {
			t.Errorf("a point at %v %% after one at %v %%", p.X, last)
		}
		last = p.X
	}
	if highest != peak {
		t.Errorf("the highest point is %v MB, want %d", highest, peak)
	}
	if points(nil) != nil {
		t.Error("points of nothing")
	}
}

func TestReport(t *testing.T) {
	s := sizes{stall: time.Minute}
	text := report([]result{
		{what: "fast", subjects: []string{"Towpath", "Java Canal"}, outcomes: []outcome{
			{rows: 10, wall: 2 * time.Second, peak: 30 << 20, after: 20 << 20},
			{rows: 10, wall: 4 * time.Second, peak: 900 << 20, after: 800 << 20}}},
		{what: "stalled", stalls: true, subjects: []string{"Towpath", "Java Canal"}, outcomes: []outcome{
			{rows: 10, peak: 40 << 20, stallBegin: 33 << 20, stallEnd: 34 << 20},
			{rows: 7, peak: 400 << 20, failure: "OutOfMemoryError:\n Java heap space"}}},
	}, s)
	for _, want := range []string{
		"| fast | Towpath | 10 | 2.0 | 30 | 20 |",
		"| fast | Java Canal | 10 | 4.0 | 900 | 800 |",
		"| | **ratio** | | | **1/30.0** | |",
		"- Towpath: 33 MB once its store was full, 34 MB when the client went on.",
		"- stalled, Java Canal: **did not get through**, after 7 rows: OutOfMemoryError: Java heap space.",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Java Canal: 0 MB") {
		t.Errorf("memory of a stall that was not reached:\n%s", text)
	}
}

func TestReason(t *testing.T) {
	failed := errors.New("server closed the connection")
	log := filepath.Join(t.TempDir(), "output.log")
	if got := reason(failed, log); got != failed.Error() {
		t.Errorf("without a log: %q", got)
	}
	for text, want := range map[string]string{
		"all\nis well\n": failed.Error(),
		"a\njava.lang.OutOfMemoryError: Java heap space\n\tat x\n": "OutOfMemoryError: Java heap space",
	} {
		if err := os.WriteFile(log, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := reason(failed, log); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTransactionRows(t *testing.T) {
	const want = 300 << 20
	n := transactionRows(want)
	var sum int64
	for i := range n { // as the statement computes them
		sum += leastRow + int64(i)*7919%spread
	}
	if sum < want*98/100 || sum > want*102/100 {
		t.Errorf("%d rows have %d bytes, want about %d", n, sum, want)
	}
}
