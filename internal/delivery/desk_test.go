package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const immediate = time.Duration(store.NoWait)

func client(id int16) meta.Client { return meta.Client{Destination: "example", ID: id} }

// bench is a desk with a store in items and a meta manager in memory.
type bench struct {
	*Desk
	st   *store.Store
	mem  *meta.Memory
	next int64
}

func newBench(o Options) *bench {
	st, mem := store.New(store.Options{Mode: config.ItemSize, Slots: 64}), meta.NewMemory()
	source := func() (string, int) { return "10.0.0.1", 3306 }
	return &bench{Desk: New("example", st, mem, source, o), st: st, mem: mem}
}

// items returns n entries; entry i is the number i, a transaction of its own.
func (b *bench) items(n int) []store.Item {
	items := make([]store.Item, n)
	for i := range items {
		buf := append([]byte{0x12, 8}, binary.BigEndian.AppendUint64(nil, uint64(b.next))...)
		items[i] = store.Item{
			Block: store.NewBlock(buf, nil), End: uint32(len(buf)), Size: 8, Kind: store.KindEnd,
			Position: binlog.Position{File: "b.1", Offset: b.next, Timestamp: 1},
		}
		b.next++
	}
	return items
}

func (b *bench) put(n int) error { return b.st.Put(context.Background(), b.items(n)) }

// content returns the numbers of the entries and releases the batch.
func content(d *Delivery) []int64 {
	data := slices.Concat(d.Buffers...)
	var out []int64
	for ; len(data) > 0; data = data[10:] {
		out = append(out, int64(binary.BigEndian.Uint64(data[2:])))
	}
	d.Release()
	return out
}

// TestScenarios runs the scripts in testdata: each line is a command, the line
// after it what it answers. Run with UPDATE=1 to rewrite the answers.
//
//	put N                  new entries
//	sub ID [FILTER]        get ID SIZE      ack ID BATCH
//	unsub ID               rollback ID BATCH
//	cursor ID              state            filters   close
func TestScenarios(t *testing.T) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".txt") {
			continue
		}
		t.Run(f.Name(), func(t *testing.T) { runScenario(t, "testdata/"+f.Name()) })
	}
}

func runScenario(t *testing.T, path string) {
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var filters []string
	b := newBench(Options{SetFilter: func(p string) error {
		if p == "(" {
			return errors.New("bad filter")
		}
		filters = append(filters, p)
		return nil
	}})
	defer b.st.Close()
	var out strings.Builder
	for line := range strings.Lines(string(script)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		filters = nil
		answer := b.command(t, strings.Fields(line))
		if len(filters) > 0 {
			answer += " filter " + strings.Join(filters, " ")
		}
		fmt.Fprintln(&out, "  "+answer)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := out.String(); got != string(script) {
		t.Errorf("%s answers differ, now:\n%s", path, got)
	}
}

func (b *bench) command(t *testing.T, args []string) string {
	t.Helper()
	number := func(i int) int64 {
		n, err := strconv.ParseInt(args[i], 10, 64)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return n
	}
	var c meta.Client
	if len(args) > 1 {
		c = client(int16(number(1)))
	}
	ctx := t.Context()
	var err error
	switch args[0] {
	case "put":
		err = b.put(int(number(1)))
	case "sub":
		c.Filter = strings.Join(args[2:], "")
		err = b.Subscribe(ctx, c)
	case "unsub":
		err = b.Unsubscribe(ctx, c)
	case "ack":
		err = b.Ack(ctx, c, number(2))
	case "rollback":
		err = b.Rollback(ctx, c, number(2))
	case "close":
		b.st.Close()
	case "get":
		var d Delivery
		if d, err = b.Get(ctx, c, int32(number(2)), immediate); err == nil {
			return fmt.Sprintf("batch %d: %v", d.BatchID, content(&d))
		}
	case "cursor":
		cur, ok := b.mem.Cursor(c)
		return fmt.Sprintf("%s:%d %v %t", cur.Host, cur.Port, cur.Position, ok)
	case "state":
		st := b.st.Stats()
		return fmt.Sprintf("put %d get %d ack %d", st.PutSeq, st.GetSeq, st.AckSeq)
	case "filters":
		err = b.ApplyFilters()
	default:
		t.Fatalf("unknown command %v", args)
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func subscribe(t *testing.T, b *bench, ids ...int16) {
	t.Helper()
	for _, id := range ids {
		if err := b.Subscribe(t.Context(), client(id)); err != nil {
			t.Fatal(err)
		}
	}
}

// A get that waits holds up nobody.
func TestBlockedGetHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{})
		subscribe(t, b, 1001)
		_ = b.put(3)
		first, err := b.Get(t.Context(), client(1001), 3, immediate)
		if err != nil {
			t.Fatal(err)
		}
		first.Release()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := b.Get(ctx, client(1001), 10, 0)
			result <- err
		}()
		synctest.Wait()
		if err := b.Ack(t.Context(), client(1001), first.BatchID); err != nil {
			t.Errorf("ack: %v", err)
		}
		if err := b.Rollback(t.Context(), client(1001), 0); err != nil {
			t.Errorf("rollback: %v", err)
		}
		if d, err := b.Get(t.Context(), client(1001), 10, time.Second); err != nil || d.BatchID != NoBatch {
			t.Errorf("second get: %d, %v", d.BatchID, err)
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		_ = b.put(10)
		if st := b.st.Stats(); st.GetSeq != 2 {
			t.Errorf("the get whose client has gone took entries: %d", st.GetSeq)
		}
		if d, err := b.Get(t.Context(), client(1001), 10, 0); err != nil || d.BatchID != 2 {
			t.Errorf("next get: %d, %v", d.BatchID, err)
		}
		b.st.Close()
	})
}

// A get that is late takes nothing, whether there is something at once or after a wait:
// its client has connected again and rolled back.
func TestLateGetTakesNothing(t *testing.T) {
	left := errors.New("left")
	for name, wait := range map[string]time.Duration{"at once": immediate, "with a timeout": time.Hour, "for ever": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(Options{})
				subscribe(t, b, 1001)
				var gone atomic.Bool
				ctx := WithPresence(t.Context(), func() error {
					if gone.Load() {
						return left
					}
					return nil
				})
				if wait == immediate {
					_ = b.put(3)
					gone.Store(true)
				}
				result := make(chan error)
				go func() {
					_, err := b.Get(ctx, client(1001), 3, wait)
					result <- err
				}()
				synctest.Wait()
				if wait != immediate {
					gone.Store(true)
					_ = b.put(3)
				}
				if err := <-result; !errors.Is(err, left) {
					t.Errorf("got %v", err)
				}
				if d, err := b.Get(t.Context(), client(1001), 3, immediate); err != nil || d.BatchID != 1 {
					t.Errorf("the next get: %d, %v", d.BatchID, err)
				}
				b.st.Close()
			})
		})
	}
}

func TestGetEndsWithTheInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{})
		subscribe(t, b, 1001)
		result := make(chan error)
		go func() {
			_, err := b.Get(t.Context(), client(1001), 10, 0)
			result <- err
		}()
		synctest.Wait()
		b.st.Close()
		var e *Error
		if err := <-result; !errors.As(err, &e) || *e != *NotStarted("example") {
			t.Errorf("got %v", err)
		}
	})
}

// With a linger a get does not wait for its timeout once there is something, and
// takes what came meanwhile; without one it does, as in Canal.
func TestLinger(t *testing.T) {
	const timeout = time.Second
	ms := func(n int) *time.Duration { d := time.Duration(n) * time.Millisecond; return &d }
	tests := []struct {
		name   string
		linger *time.Duration
		size   int32
		puts   []time.Duration // when one entry is put, from the get on
		after  time.Duration   // until the get answers
		want   int             // entries in the answer
	}{
		{"as_canal", nil, 10, []time.Duration{100 * time.Millisecond}, timeout, 1},
		{"at_once", ms(0), 10, []time.Duration{100 * time.Millisecond, 110 * time.Millisecond}, 100 * time.Millisecond, 1},
		{"gathers", ms(20), 10, []time.Duration{100 * time.Millisecond, 110 * time.Millisecond, 130 * time.Millisecond}, 120 * time.Millisecond, 2},
		{"full_before_that", ms(20), 2, []time.Duration{100 * time.Millisecond, 110 * time.Millisecond}, 110 * time.Millisecond, 2},
		{"not_beyond_the_timeout", ms(20), 10, []time.Duration{timeout - 5*time.Millisecond}, timeout, 1},
		{"nothing", ms(20), 10, nil, timeout, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(Options{Linger: tt.linger})
				subscribe(t, b, 1001)
				began := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() {
					for _, at := range tt.puts {
						time.Sleep(at - time.Since(began))
						_ = b.put(1)
					}
				})
				d, err := b.Get(t.Context(), client(1001), tt.size, timeout)
				if err != nil {
					t.Fatal(err)
				}
				if got := time.Since(began); got != tt.after || d.Count != tt.want {
					t.Errorf("%d entries after %v, want %d after %v", d.Count, got, tt.want, tt.after)
				}
				if tt.want == 0 && d.BatchID != NoBatch {
					t.Errorf("batch %d of nothing", d.BatchID)
				}
				wg.Wait()
				b.st.Close()
			})
		})
	}
}

// A get that lingers while another one takes everything goes on waiting.
func TestLingerBesideAnotherGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		linger := 20 * time.Millisecond
		b := newBench(Options{Linger: &linger})
		subscribe(t, b, 1001)
		began := time.Now()
		type answer struct {
			d     Delivery
			err   error
			after time.Duration
		}
		result := make(chan answer, 1)
		go func() {
			d, err := b.Get(t.Context(), client(1001), 10, time.Second)
			result <- answer{d, err, time.Since(began)}
		}()
		synctest.Wait()
		_ = b.put(1)
		time.Sleep(10 * time.Millisecond)
		if d, err := b.Get(t.Context(), client(1001), 10, immediate); err != nil || d.Count != 1 {
			t.Fatalf("the quicker get: %d entries, %v", d.Count, err)
		}
		time.Sleep(90 * time.Millisecond)
		_ = b.put(1)
		if got := <-result; got.err != nil || got.d.Count != 1 || got.after != 120*time.Millisecond {
			t.Errorf("the slower get: %d entries after %v, %v; want 1 after 120ms", got.d.Count, got.after, got.err)
		}
		b.st.Close()
	})
}

// refusing is a meta manager that may not write.
type refusing struct {
	*meta.Memory
	err error
}

func (r *refusing) UpdateCursor(ctx context.Context, c meta.Client, cur meta.Cursor) error {
	if r.err != nil {
		return r.err
	}
	return r.Memory.UpdateCursor(ctx, c, cur)
}

func TestRefusedAckChangesNothing(t *testing.T) {
	b := newBench(Options{})
	subscribe(t, b, 1001)
	m := &refusing{Memory: b.mem, err: errors.New("lease lost")}
	b.Desk.meta = m
	_ = b.put(3)
	d, err := b.Get(t.Context(), client(1001), 3, immediate)
	if err != nil {
		t.Fatal(err)
	}
	d.Release()
	if err := b.Ack(t.Context(), client(1001), d.BatchID); !errors.Is(err, m.err) {
		t.Errorf("ack: %v", err)
	}
	if st := b.st.Stats(); st.AckSeq != -1 {
		t.Errorf("the ring was freed up to %d", st.AckSeq)
	}
	m.err = nil
	if err := b.Ack(t.Context(), client(1001), d.BatchID); err != nil {
		t.Errorf("second ack: %v", err)
	}
	b.st.Close()
}

func TestOriginGoesIntoTheCursor(t *testing.T) {
	b := newBench(Options{FirstBatchID: BatchIDAt(time.UnixMicro(77))})
	subscribe(t, b, 1001)
	items := b.items(2)
	items[1].Origin = &store.Origin{Host: "10.0.0.2", Port: 3307}
	if err := b.st.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"10.0.0.1", "10.0.0.2"} {
		d, err := b.Get(t.Context(), client(1001), 1, immediate)
		if err != nil || d.BatchID != int64(77+i) {
			t.Fatalf("batch %d, %v", d.BatchID, err)
		}
		d.Release()
		if err := b.Ack(t.Context(), client(1001), d.BatchID); err != nil {
			t.Fatal(err)
		}
		if cur, _ := b.mem.Cursor(client(1001)); cur.Host != want {
			t.Errorf("cursor is on %s, want %s", cur.Host, want)
		}
	}
	b.st.Close()
}

func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{})
		if _, ok := b.Stall(time.Now()); ok {
			t.Error("stalled without data")
		}
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.put(100) })
		synctest.Wait()
		begin := time.Now()
		check := func(want string) {
			t.Helper()
			s, ok := b.Stall(time.Now())
			if !ok || !strings.Contains(s.String(), want) || s.Reason != store.FullSlots || !s.Since.Equal(begin) {
				t.Errorf("got %v, %t; want %q", s, ok, want)
			}
		}
		check("no client is subscribed to example")
		subscribe(t, b, 7, 1001)
		check("client 7, client 1001 subscribed but does not get what is waiting (64 entries)")
		for range 2 {
			d, _ := b.Get(t.Context(), client(1001), 10, immediate)
			d.Release()
		}
		time.Sleep(90 * time.Second)
		check("client 1001 has not acked batch 1, handed out 1m30s ago (2 batches outstanding)")
		b.st.Close()
		wg.Wait()
	})
}
