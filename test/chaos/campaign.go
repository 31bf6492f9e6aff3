package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// options say how a campaign is run.
type options struct {
	root     string // folder of the module
	dir      string // where everything is kept; it is removed when all is well
	keep     bool   // not even then
	seed     uint64
	faults   int
	duration time.Duration // for that many faults
	out      io.Writer
}

const (
	campaignHistory = "campaign.jsonl"
	historySuffix   = ".jsonl"
	truthFile       = "rows.json"
)

// The limits of what comes after the faults: everything works again, so this is
// the time to catch up on a busy machine.
const settleTimeout = 4 * time.Minute

// campaign is a run.
type campaign struct {
	o       options
	c       *cluster
	r       *rand.Rand
	began   time.Time
	running sync.WaitGroup // of faults

	mu   sync.Mutex
	busy [][]string // targets of the faults that last
	errs []error    // of faults and processes
	kind map[string]int
}

// runCampaign runs a campaign and verifies what it has recorded. Its error tells
// where the evidence is.
func runCampaign(ctx context.Context, o options) error {
	k := &campaign{o: o, r: newRand(o.seed), began: time.Now(), kind: make(map[string]int)}
	k.printf("seed %d, %d faults in %v, files in %s", o.seed, o.faults, o.duration, o.dir)
	err := k.run(ctx)
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), os.RemoveAll(o.dir))
	}
	if err == nil {
		var e *evidence
		if e, err = loadEvidence(o.dir); err == nil {
			k.printf("%s", summary(e))
			err = violations(verify(e))
		}
	}
	k.mu.Lock()
	err = errors.Join(append([]error{err}, k.errs...)...)
	k.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("seed %d, evidence in %s: %w", o.seed, o.dir, err)
	case o.keep:
		return nil
	}
	return os.RemoveAll(o.dir)
}

// violations makes an error of what was found, which may be much.
func violations(found []violation) error {
	const shown = 30
	var errs []error
	for _, v := range found[:min(len(found), shown)] {
		errs = append(errs, errors.New(v.String()))
	}
	if len(found) > shown {
		errs = append(errs, fmt.Errorf("and %d more violations", len(found)-shown))
	}
	return errors.Join(errs...)
}

func (k *campaign) printf(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fmt.Fprintf(k.o.out, "%7.1fs  %s\n", time.Since(k.began).Seconds(), fmt.Sprintf(format, args...))
}

// fail notes an error, with which the campaign goes on.
func (k *campaign) fail(err error) {
	if err == nil {
		return
	}
	k.printf("ERROR %v", err)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.errs = append(k.errs, err)
}

// run starts everything, makes the faults, waits until all rows are acked, and
// stops everything. Its error is one of the campaign itself, or that rows did not come.
func (k *campaign) run(ctx context.Context) (err error) {
	k.c, err = startCluster(ctx, k.o.root, k.o.dir, func(name, reason string) {
		k.c.rec.record(event{Kind: kindDeath, Text: name + ": " + reason})
		k.fail(fmt.Errorf("%s ended by itself: %s", name, reason))
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.c.close()) }()
	stopClock := k.sampleClock()
	defer stopClock()

	writing, stop := context.WithCancel(ctx)
	defer stop()
	written := make(chan error, 1)
	go func() { written <- write(writing, k.c.db, k.o.seed) }()
	k.printf("everything runs")
	if err := k.awaitAll(ctx); err != nil {
		return err
	}
	k.printf("clients have acked all that was there; the faults begin")
	k.inject(ctx)
	k.running.Wait()
	k.printf("%s", k.tally())
	stop()
	if err := <-written; err != nil {
		return err
	}
	err = k.awaitAll(ctx)
	if err == nil {
		k.printf("clients have acked everything")
		for _, p := range slices.Backward(k.c.processes()) {
			k.fail(p.terminate())
		}
	}
	rows, truthErr := readTruth(ctx, k.c.db, k.c.start)
	return errors.Join(err, truthErr, saveTruth(filepath.Join(k.o.dir, truthFile), rows))
}

// awaitAll waits until clients have acked everything that is in the binlog now.
func (k *campaign) awaitAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for ctx.Err() == nil {
		rows, err := readTruth(ctx, k.c.db, k.c.start)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return k.c.awaitCursors(ctx, rows[len(rows)-1].place)
		}
	}
	return context.Cause(ctx)
}

// sampleClock records both clocks twice a second until stop is called.
func (k *campaign) sampleClock() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			k.c.rec.record(event{Kind: kindClock, At: monotonic(), Wall: time.Now().UnixNano()})
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// inject makes the faults, spread over the duration, one in three steps with
// several at once.
func (k *campaign) inject(ctx context.Context) {
	d := deck{r: k.r}
	for n := 0; n < k.o.faults && ctx.Err() == nil; {
		burst := 1
		if k.r.IntN(3) == 0 {
			burst = 2 + k.r.IntN(3)
		}
		made := 0
		for want, tries := min(burst, k.o.faults-n), 0; made < want && tries < 100; tries++ {
			if k.make(ctx, d.next()) {
				made++
			}
		}
		n += made
		timer := time.NewTimer(about(k.r, k.o.duration*time.Duration(made)/time.Duration(k.o.faults)))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// make begins a fault, if its targets are free, and has it end by itself.
func (k *campaign) make(ctx context.Context, c card) bool {
	f := c.draw(k.r, k.c)
	k.mu.Lock()
	taken := slices.ContainsFunc(k.busy, func(b []string) bool { return touches(b, f.targets) })
	if !taken {
		k.busy = append(k.busy, f.targets)
	}
	k.mu.Unlock()
	if taken {
		return false
	}
	k.c.rec.record(event{Kind: kindFault, Text: f.what})
	if err := f.begin(); err != nil {
		if !errors.Is(err, errAbsent) {
			k.fail(fmt.Errorf("%s: %w", f.what, err))
		}
		k.free(f)
		return false
	}
	k.printf("%s for %v", f.what, f.hold.Round(100*time.Millisecond))
	k.mu.Lock()
	k.kind[c.name]++
	k.mu.Unlock()
	k.running.Go(func() {
		defer k.free(f)
		timer := time.NewTimer(f.hold)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		if err := f.end(); err != nil {
			k.fail(fmt.Errorf("end of %s: %w", f.what, err))
		}
		k.c.rec.record(event{Kind: kindHeal, Text: f.what})
	})
	return true
}

func (k *campaign) free(f fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy = slices.DeleteFunc(k.busy, func(b []string) bool { return touches(b, f.targets) })
}

// tally counts the faults by their kinds, and names those that there were none of.
func (k *campaign) tally() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	total, parts := 0, []string{}
	for _, c := range cards {
		total += k.kind[c.name]
		parts = append(parts, fmt.Sprintf("%s %d", c.name, k.kind[c.name]))
	}
	return fmt.Sprintf("%d faults: %s", total, strings.Join(parts, ", "))
}

// savedRow is a row in the file of the truth: writer, number, file, offset.
type savedRow [4]any

func saveTruth(name string, rows []truth) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	e := json.NewEncoder(w)
	for _, r := range rows {
		err = errors.Join(err, e.Encode(savedRow{r.writer, r.number, r.place.file, r.place.offset}))
	}
	return errors.Join(err, w.Flush(), f.Close())
}

func loadTruth(name string) (rows []truth, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(bufio.NewReader(f)); ; {
		var t truth
		err := d.Decode(&[]any{&t.writer, &t.number, &t.place.file, &t.place.offset})
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rows = append(rows, t)
	}
}

// loadEvidence reads the files of a campaign.
func loadEvidence(dir string) (*evidence, error) {
	e := &evidence{destinations: destinations, consumers: make(map[string][]event), pauses: make(map[string][]pause)}
	var err error
	if e.rows, err = loadTruth(filepath.Join(dir, truthFile)); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "history", "*"+historySuffix))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		events, err := readHistory(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if name := filepath.Base(file); name == campaignHistory {
			e.sort(events)
		} else {
			e.consumers[strings.TrimSuffix(name, historySuffix)] = events
		}
	}
	logs, err := filepath.Glob(filepath.Join(dir, "zookeeper", "*", "data"))
	if err != nil {
		return nil, err
	}
	changes, err := readTransactions(logs)
	if err != nil {
		return nil, err
	}
	e.tree, err = replay(changes)
	return e, err
}

// sort takes the campaign's own events apart.
func (e *evidence) sort(events []event) {
	stopped := make(map[string]int64)
	for _, v := range events {
		switch v.Kind {
		case kindHanded:
			e.handouts = append(e.handouts, v)
		case kindStop:
			stopped[v.Server] = v.At
		case kindCont:
			e.pauses[v.Server] = append(e.pauses[v.Server], pause{stopped[v.Server], v.At})
		case kindClock:
			e.clock = append(e.clock, clockSample{v.At, v.Wall})
		}
	}
}

// summary tells how much there was to verify.
func summary(e *evidence) string {
	owners, batches, acks := make(map[string]int), 0, 0
	for _, o := range e.tree.ownerships {
		owners[o.destination]++
	}
	var parts []string
	for _, d := range e.destinations {
		parts = append(parts, fmt.Sprintf("%s was owned %d times", d, owners[d]))
	}
	got := 0
	for _, events := range e.consumers {
		for _, v := range events {
			switch v.Kind {
			case kindBatch:
				batches++
				for _, s := range v.Rows {
					got += int(s[2] - s[1] + 1)
				}
			case kindAck:
				acks++
			}
		}
	}
	again := got - len(e.rows)*len(e.destinations)
	return fmt.Sprintf("%d rows came to %d destinations in %d batches with %d acks by %d processes, %d of them again; %s; %d cursors were written; the longest time without an ack was %v",
		len(e.rows), len(e.destinations), batches, acks, len(e.consumers), again, strings.Join(parts, ", "), len(e.tree.cursors), longestSilence(e).Round(100*time.Millisecond))
}

// longestSilence is the longest time between two acks of a destination.
func longestSilence(e *evidence) (longest time.Duration) {
	acks := make(map[string][]int64)
	for _, events := range e.consumers {
		for _, v := range events {
			if v.Kind == kindAck {
				acks[v.Destination] = append(acks[v.Destination], v.At)
			}
		}
	}
	for _, times := range acks {
		slices.Sort(times)
		for i := 1; i < len(times); i++ {
			longest = max(longest, time.Duration(times[i]-times[i-1]))
		}
	}
	return longest
}
