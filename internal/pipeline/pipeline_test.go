package pipeline

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/config"
)

// TestRecordedBinlogs plays the binlogs of real servers and compares the
// entries with testdata/entries; -update rewrites those. However the stream is
// cut into chunks and however many workers there are, the same entries come
// out in the same order.
func TestRecordedBinlogs(t *testing.T) {
	all := maps.Clone(fixtures)
	maps.Copy(all, forms)
	for name, version := range all {
		t.Run(name, func(t *testing.T) {
			events := fixture(t, name)
			r := newRig(t, version, nil)
			if err := r.play(events, nil); err != nil {
				t.Fatal(err)
			}
			want := r.store.lines()
			compareGolden(t, filepath.Join("testdata", "entries", name+".jsonl"), want)
			resume, _ := r.p.Resume()
			for workers := range 5 {
				for range 4 {
					seed := rand.Uint64()
					p := newRig(t, version, func(o *config.Instance) { o.Parallel, o.ParallelThreads = workers > 0, workers })
					if err := p.play(events, rand.New(rand.NewPCG(seed, 0))); err != nil {
						t.Fatalf("%d workers, seed %d: %v", workers, seed, err)
					}
					if got := p.store.lines(); !slices.Equal(got, want) {
						t.Fatalf("%d workers, seed %d: entries differ from those of single events", workers, seed)
					}
					if got, _ := p.p.Resume(); got != resume {
						t.Errorf("%d workers, seed %d: resume at %+v, want %+v", workers, seed, got, resume)
					}
				}
			}
		})
	}
}

// compareGolden compares lines with a file, abridged.
func compareGolden(t *testing.T, file string, lines []string) {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&b, abridge(l))
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compareLines(t, b.String(), string(want))
}
