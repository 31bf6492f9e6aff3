package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/store"
)

var errFault = errors.New("fault")

// borders are the offsets behind which a dump of a recorded binlog may begin:
// where a group of events with a GTID ends.
func borders(t *testing.T, events [][]byte) map[int64]bool {
	t.Helper()
	out := map[int64]bool{}
	last := int64(0)
	for _, ev := range events {
		h, err := binlog.ParseHeader(ev)
		check(t, err)
		switch h.Type {
		case binlog.EventGTID, binlog.EventGTIDTagged, binlog.EventAnonymousGTID, binlog.EventMariaGTID, binlog.EventRotate, binlog.EventStop:
			out[last] = true
		case binlog.EventMariaCheckpoint:
			continue // stands anywhere between groups
		}
		last = int64(h.LogPos)
	}
	out[last] = true
	return out
}

// from are the events of a dump that begins at offset: the format description
// and what stands there and behind.
func from(events [][]byte, offset int64) [][]byte {
	for i, ev := range events {
		if h, err := binlog.ParseHeader(ev); err == nil && h.Start() >= offset {
			return append([][]byte{events[0]}, events[max(i, 1):]...)
		}
	}
	return events[:1]
}

// checkResume checks a place to resume from: it is a border, and all entries
// before it have been put. That is the entries themselves in the order of want.
func checkResume(t *testing.T, r *rig, borders map[int64]bool, want []string) (offset int64, complete []string) {
	t.Helper()
	p, ok := r.p.Resume()
	if !ok {
		return 4, nil
	}
	if !borders[p.Offset] {
		t.Fatalf("resume at %s, which is inside a transaction", p)
	}
	for i := range r.store.entries {
		if e := &r.store.entries[i]; e.Position.Offset < p.Offset {
			complete = append(complete, e.json)
		}
	}
	if len(complete) > len(want) || !slices.Equal(complete, want[:len(complete)]) {
		t.Fatalf("before %s there are %d entries, and not the first of all", p, len(complete))
	}
	return p.Offset, complete
}

// created are the tables that a recorded binlog creates, as its server would
// tell them at the end.
func created(t *testing.T, events [][]byte, flavor binlog.Flavor) tables {
	t.Helper()
	l := tables{"h_binlog.tx": "CREATE TABLE tx (id INT PRIMARY KEY, v VARCHAR(50), `中文` INT NULL)"}
	name := regexp.MustCompile("^CREATE TABLE `?([^`(]+)`? \\(")
	for _, ev := range events {
		body, err := binlog.Body(ev, true)
		check(t, err)
		if ev[4] != byte(binlog.EventQuery) {
			continue
		}
		q, err := binlog.ParseQuery(body, flavor)
		check(t, err)
		if m := name.FindSubmatch(q.SQL); m != nil && l["h_binlog."+string(m[1])] == "" {
			sql := string(q.SQL)
			if flavor == binlog.FlavorMariaDB {
				sql = strings.ReplaceAll(sql, " JSON,", " longtext,") // where JSON is another name for it
			}
			l["h_binlog."+string(m[1])] = sql
		}
	}
	return l
}

// typeText is what a definition read anew spells differently.
var typeText = regexp.MustCompile(`"mysqlType":"(?:[^"\\]|\\.)*"`)

func withoutTypes(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = typeText.ReplaceAllString(l, "")
	}
	return out
}

// resumed plays what comes behind offset and expects the rest of want.
func resumed(t *testing.T, r *rig, events [][]byte, offset int64, complete, want []string) {
	t.Helper()
	r.session.Tables = created(t, events, r.session.Server.Flavor)
	r.store.before = nil
	r.store.entries = nil
	r.session.Position.Offset = offset
	if err := r.play(from(events, offset), nil); err != nil {
		t.Fatal(err)
	}
	got := append(complete, r.store.lines()...)
	compareLines(t, strings.Join(withoutTypes(got), "\n"), strings.Join(withoutTypes(want), "\n"))
}

// TestPutFails lets each Put of a run fail in turn. The dump ends with that
// error, nothing is put after it, and going on where Resume says gives all
// entries that are missing, and only those.
func TestPutFails(t *testing.T) {
	for name, version := range fixtures {
		t.Run(name, func(t *testing.T) {
			events := fixture(t, name)
			whole := newRig(t, version, nil)
			check(t, whole.play(events, nil))
			want, ends := whole.store.lines(), borders(t, events)
			for fail := 0; fail < whole.store.puts; fail += 1 + fail/2 {
				seed := rand.Uint64()
				rnd := rand.New(rand.NewPCG(seed, 0))
				r := newRig(t, version, func(o *config.Instance) { o.Parallel, o.ParallelThreads = fail%3 > 0, fail%3 })
				r.store.before = func(_ context.Context, put int) error {
					if put == fail {
						return errFault
					}
					if put > fail {
						t.Errorf("put %d after put %d has failed", put, fail)
					}
					return nil
				}
				if err := r.play(events, rnd); r.store.puts > fail && !errors.Is(err, errFault) {
					t.Fatalf("put %d, seed %d: error %v", fail, seed, err)
				}
				offset, complete := checkResume(t, r, ends, want)
				resumed(t, r, events, offset, complete, want)
			}
		})
	}
}

// TestFailureWithoutChunk: what goes wrong after the last chunk is told to the
// source at once, which would notice it at the next one only.
func TestFailureWithoutChunk(t *testing.T) {
	events := fixture(t, "mysql80")
	for name, workers := range map[string]int{"serial": 0, "parallel": 2} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "8.0.15", func(o *config.Instance) { o.Parallel, o.ParallelThreads = workers > 0, workers })
			failed := make(chan error, 1)
			r.session.Fail = func(err error) { failed <- err }
			release := make(chan struct{})
			r.store.before = func(context.Context, int) error {
				<-release
				return errFault
			}
			if workers == 0 {
				close(release)
			}
			r.start()
			defer r.stop()
			if err := r.chunk(events...); workers > 0 {
				check(t, err)
				close(release)
			}
			select {
			case err := <-failed:
				if !errors.Is(err, errFault) {
					t.Errorf("error %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("the source was not told")
			}
		})
	}
}

// TestDamagedEvent damages one rows event in the middle, without its checksum
// noticing: the error names the place, and all before its transaction can be
// kept.
func TestDamagedEvent(t *testing.T) {
	for name, version := range fixtures {
		t.Run(name, func(t *testing.T) {
			events := fixture(t, name)
			whole := newRig(t, version, nil)
			check(t, whole.play(events, nil))
			want, ends := whole.store.lines(), borders(t, events)
			for i, ev := range events {
				if !slices.Contains([]byte{23, 24, 25, 30, 31, 32}, ev[4]) || i%17 > 0 {
					continue
				}
				damaged := slices.Clone(events)
				damaged[i] = withoutLastByte(ev)
				r := newRig(t, version, func(o *config.Instance) { o.Parallel, o.ParallelThreads = i%2 > 0, 2 })
				if err := r.play(damaged, rand.New(rand.NewPCG(uint64(i), 0))); err == nil {
					t.Fatalf("event %d: no error", i)
				}
				offset, complete := checkResume(t, r, ends, want)
				resumed(t, r, events, offset, complete, want)
			}
		})
	}
}

// withoutLastByte is an event whose body ends a byte early, with lengths and
// checksum to match.
func withoutLastByte(ev []byte) []byte {
	out := slices.Clone(ev[:len(ev)-1-binlog.ChecksumSize])
	binary.LittleEndian.PutUint32(out[9:], uint32(len(ev)-1))
	return sealed(out)
}

// TestStopWhileFull stops a dump whose Put waits for room. Chunk and Stop come
// back, and what was on its way is released.
func TestStopWhileFull(t *testing.T) {
	events := fixture(t, "mysql80")
	for workers := range 4 {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			r := newRig(t, "8.0.15", func(o *config.Instance) { o.Parallel, o.ParallelThreads = workers > 0, workers })
			ctx, cancel := context.WithCancel(t.Context())
			full := make(chan struct{})
			r.store.before = func(ctx context.Context, put int) error {
				if put < 10 {
					return nil
				}
				if put == 10 {
					close(full)
				}
				<-ctx.Done()
				return ctx.Err()
			}
			check(t, r.p.Start(ctx, r.session))
			go func() {
				<-full
				cancel()
			}()
			var err error
			for i := 0; err == nil && i < len(events); i++ {
				c := newChunk(events[i : i+1])
				r.chunks = append(r.chunks, c)
				err = r.p.Chunk(ctx, c)
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			puts := r.store.puts
			r.stop()
			if r.store.puts > puts+1 {
				t.Errorf("%d puts after the dump was cancelled", r.store.puts-puts)
			}
			r.stop() // harmless
		})
	}
}

// TestStopAtOnce stops dumps with work on its way at random moments.
func TestStopAtOnce(t *testing.T) {
	events := fixture(t, "mysql57")
	for n := range 60 {
		r := newRig(t, "5.7.22", func(o *config.Instance) { o.Parallel, o.ParallelThreads = true, 1+n%4 })
		r.start()
		rnd := rand.New(rand.NewPCG(uint64(n), 0))
		for i := 0; i < rnd.IntN(len(events)); i += 10 {
			check(t, r.chunk(events[i:min(i+10, len(events))]...))
		}
		r.stop()
		before := len(r.store.entries)
		if _, complete := checkResume(t, r, borders(t, events), r.store.lines()); len(complete) > before {
			t.Errorf("%d entries are complete, %d were put", len(complete), before)
		}
	}
}

// TestRealStore plays into a ring much smaller than the stream, with a reader.
func TestRealStore(t *testing.T) {
	events := fixture(t, "mysql97")
	whole := newRig(t, "9.7.4", nil)
	check(t, whole.play(events, nil))
	want := whole.store.lines()
	r := newRig(t, "9.7.4", func(o *config.Instance) { o.Parallel, o.ParallelThreads = true, 3 })
	ring := store.New(store.Options{Slots: 8, Mode: config.ItemSize})
	defer ring.Close()
	r.p.o.Store = ring
	got := make(chan []string)
	go func() { got <- readAll(t, ring, len(want)) }()
	check(t, r.play(events, nil))
	if lines := <-got; !slices.Equal(lines, want) {
		t.Errorf("%d entries, want %d, or others", len(lines), len(want))
	}
}

// readAll gets and acks n entries.
func readAll(t *testing.T, ring *store.Store, n int) (lines []string) {
	c := newCollector(t)
	for len(c.entries) < n {
		b, err := ring.Get(t.Context(), 1, store.Forever)
		if err != nil {
			t.Error(err)
			return nil
		}
		data := slices.Concat(b.Buffers...)
		for len(data) > 0 {
			size, width := binary.Uvarint(data[1:])
			end := 1 + width + int(size)
			c.entries = append(c.entries, c.entry(store.Item{Block: &store.Block{Bytes: data[:end]}, End: uint32(end), Size: uint32(size)}))
			data = data[end:]
		}
		b.Release()
		if err := ring.Ack(b.EndSeq); err != nil {
			t.Error(err)
			return nil
		}
	}
	return c.lines()
}

// TestSlabsComeBack stops and breaks dumps at random moments and expects all
// their memory back in the pool, also that of entries which never came out.
func TestSlabsComeBack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pool
	drain := func() (n int64) {
		defer func(f func() any) { slabs.New = f }(slabs.New)
		slabs.New = nil
		for slabs.Get() != nil {
			n++
		}
		return n
	}
	drain()
	var made atomic.Int64
	defer func(f func() any) { slabs.New = f }(slabs.New)
	plain := slabs.New
	slabs.New = func() any { made.Add(1); return plain() }
	events := fixture(t, "mysql80")
	for n := range 40 {
		rnd := rand.New(rand.NewPCG(uint64(n), 1))
		r := newRig(t, "8.0.15", func(o *config.Instance) { o.Parallel, o.ParallelThreads = n%5 > 0, n%5 })
		fail := rnd.IntN(200)
		r.store.before = func(_ context.Context, put int) error {
			if put >= fail {
				return errFault
			}
			return nil
		}
		r.start()
		for i := 0; i < rnd.IntN(len(events)); i += 10 {
			if r.chunk(events[i:min(i+10, len(events))]...) != nil {
				break
			}
		}
		r.stop()
	}
	// The pool keeps one piece for each processor that others cannot take.
	lost := made.Load() - drain()
	if hidden := int64(runtime.GOMAXPROCS(0) - 1); max(lost, -lost) > hidden && !raceDetector {
		t.Errorf("%d of %d pieces of memory did not come back", lost, made.Load())
	}
}
