package main

import (
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/workload"
)

// took are runs that decoded so many rows in so many seconds each.
func took(rows int64, seconds ...float64) (all []figures) {
	for _, s := range seconds {
		d := time.Duration(s * float64(time.Second))
		all = append(all, figures{Version: "v9", Rows: rows, Wall: d, CPU: 2 * d, Allocations: rows / 4})
	}
	return all
}

func TestDecoderReport(t *testing.T) {
	r := result{Stretch: workload.Stretch{Name: "bulk", Bytes: 3 << 20}, contenders: decoders, runs: [][]figures{took(1000, 1, 2, 9), took(1000, 5, 6, 7)}}
	text := decoderReport([]result{r}, 3)
	for _, want := range []string{"medians of 3 runs", "go-mysql v9", "| bulk: 1000 rows, 3 MB | Towpath | 500 | 2 | 4.00 | 250 | 0.250 |", "**3.0**"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestClientReport(t *testing.T) {
	r := result{Stretch: workload.Stretch{Name: "oltp"}, contenders: clients}
	for i := range clients {
		r.runs = append(r.runs, took(1000, float64(i+1)))
	}
	r.runs[3][0].Allocations = -1
	text := clientReport([]result{r}, 1)
	for _, want := range []string{"| oltp | Towpath's client, strings | 1000 | 500 | 0.25 |  |", "| oltp | Canal's Java client | 250 | 125 |  | 4.0 |", "| oltp | " + headersOnly + " | 200 | 100 | 0.25 |  |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestCheck(t *testing.T) {
	with := func(change func(*figures)) *result {
		r := &result{Stretch: workload.Stretch{Name: "bulk"}, contenders: clients}
		for range clients {
			r.runs = append(r.runs, []figures{{Rows: 10, Columns: 30, Text: 500}})
		}
		change(&r.runs[1][0])
		return r
	}
	for name, c := range map[string]struct {
		change func(*figures)
		fails  bool
	}{
		"the same":        {func(*figures) {}, false},
		"two passes":      {func(f *figures) { *f = figures{Rows: 20, Columns: 60, Text: 1000} }, false},
		"a column less":   {func(f *figures) { f.Columns-- }, true},
		"other text":      {func(f *figures) { f.Text++ }, true},
		"rows left alone": {func(f *figures) { f.Columns = 0 }, true},
	} {
		if err := with(c.change).check(); (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := result{contenders: decoders, runs: [][]figures{took(10, 1), took(9, 1)}}
	if r.check() == nil {
		t.Error("decoders that find another number of rows are let pass")
	}
}

func TestCut(t *testing.T) {
	event := func(size int) []byte {
		b := make([]byte, size)
		b[9], b[10], b[11], b[12] = byte(size), byte(size>>8), byte(size>>16), byte(size>>24)
		return b
	}
	file := []byte("\xfebin")
	sizes := []int{19, 100_000, 100_000, 100_000, 400_000, 30}
	for _, n := range sizes {
		file = append(file, event(n)...)
	}
	chunks, err := cut(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, c := range chunks {
		for i := range c.Len() {
			got = append(got, len(c.Event(i)))
		}
	}
	if len(chunks) != 4 || len(got) != len(sizes) {
		t.Fatalf("%d chunks with events of %v bytes", len(chunks), got)
	}
	for i := range got {
		if got[i] != sizes[i] {
			t.Errorf("event %d has %d bytes, want %d", i, got[i], sizes[i])
		}
	}
	for _, bad := range [][]byte{nil, []byte("text"), file[:len(file)-1], file[:30], append([]byte("\xfebin"), make([]byte, 19)...)} {
		if _, err := cut(bad); err == nil {
			t.Errorf("%d bytes are taken for a file", len(bad))
		}
	}
}

func TestUnframe(t *testing.T) {
	packets, err := unframe([]byte{0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 1, 'c'})
	if err != nil || len(packets) != 3 || string(packets[0]) != "ab" || len(packets[1]) != 0 || string(packets[2]) != "c" {
		t.Errorf("%q, %v", packets, err)
	}
	for _, bad := range [][]byte{{0, 0, 0}, {0, 0, 0, 2, 'a'}, {255, 255, 255, 255}} {
		if _, err := unframe(bad); err == nil {
			t.Errorf("% x is taken for packets", bad)
		}
	}
}
