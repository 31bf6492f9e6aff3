package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maker makes items whose bytes tell their number, and counts the blocks that
// have not come back.
type maker struct {
	next int64
	live atomic.Int64
}

// spec describes an item: its size and kind.
type spec struct {
	size int
	kind Kind
	gtid string
}

// block makes one block with an item for each spec. Entry n begins with n as
// eight bytes, if it is long enough, and is filled with its low byte.
func (m *maker) block(specs ...spec) []Item {
	var buf []byte
	items := make([]Item, len(specs))
	for i, p := range specs {
		start := len(buf)
		buf = append(buf, 0x12)
		buf = binary.AppendUvarint(buf, uint64(p.size))
		body := bytes.Repeat([]byte{byte(m.next)}, p.size)
		if p.size >= 8 {
			binary.BigEndian.PutUint64(body, uint64(m.next))
		}
		buf = append(buf, body...)
		items[i] = Item{
			Start: uint32(start), End: uint32(len(buf)), Size: uint32(p.size), Rows: uint32(m.next % 3), Kind: p.kind,
			Position: binlog.Position{File: "b.1", Offset: m.next, Timestamp: 1000 + m.next, GTIDSet: p.gtid},
		}
		m.next++
	}
	m.live.Add(1)
	k := NewBlock(buf, func(b *Block) {
		clear(b.Bytes) // as if it were in use for something else already
		m.live.Add(-1)
	})
	for i := range items {
		items[i].Block = k
	}
	k.Retain(len(items) - 1)
	return items
}

func (m *maker) rows(n, size int) []Item {
	return m.block(slices.Repeat([]spec{{size: size}}, n)...)
}

func (m *maker) checkAllBack(t *testing.T) {
	t.Helper()
	if n := m.live.Load(); n != 0 {
		t.Errorf("%d blocks were not released", n)
	}
}

// done is a context that has ended: Put with it takes what fits and returns.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func mustPut(t *testing.T, s *Store, items []Item) {
	t.Helper()
	if err := s.Put(t.Context(), items); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func mustTake(t *testing.T, s *Store, size int) Batch {
	t.Helper()
	b, err := s.Take(size, true)
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return b
}

// numbers reads the entries of a batch back and returns their numbers.
func numbers(t *testing.T, b Batch) []int64 {
	t.Helper()
	data := slices.Concat(b.Buffers...)
	if len(data) != b.Bytes {
		t.Fatalf("batch says %d bytes, has %d", b.Bytes, len(data))
	}
	var out []int64
	for len(data) > 0 {
		n, w := binary.Uvarint(data[1:])
		if data[0] != 0x12 || w <= 0 || n < 8 {
			t.Fatalf("no frame at %x", data[:min(8, len(data))])
		}
		body := data[1+w:][:n]
		out = append(out, int64(binary.BigEndian.Uint64(body)))
		data = data[1+w+int(n):]
	}
	return out
}

func seq(from, n int64) []int64 {
	var out []int64
	for i := range n {
		out = append(out, from+i)
	}
	return out
}

func TestTakeSizes(t *testing.T) {
	kinds := func(k ...Kind) (s []spec) {
		for _, k := range k {
			s = append(s, spec{size: 100, kind: k})
		}
		return s
	}
	same := func(n, size int) []spec { return slices.Repeat([]spec{{size: size}}, n) }
	tests := []struct {
		name  string
		o     Options
		items []spec
		size  int
		want  []int // lengths of the batches
	}{
		{"unit crossed by the second", Options{}, same(3, 717), 1, []int{2, 1}},
		{"unit met exactly takes one more", Options{}, same(3, 1024), 1, []int{2, 1}},
		{"first larger than the batch", Options{}, same(3, 5000), 1, []int{1, 1, 1}},
		{"zero means the default", Options{}, same(3, 717), 0, []int{3}},
		{"negative means the default", Options{}, same(3, 717), -1, []int{3}},
		{"product beyond 32 bits", Options{}, same(3, 717), 3_000_000, []int{3}},
		{"unit of the options", Options{MemUnit: 100}, same(4, 100), 1, []int{2, 2}},
		{"items", Options{Mode: config.ItemSize}, same(10, 717), 4, []int{4, 4, 2}},
		{"items, zero means the default", Options{Mode: config.ItemSize}, same(10, 717), 0, []int{10}},
		{"ddl not isolated", Options{}, kinds(KindRows, KindDDL, KindRows), 100, []int{3}},
		{"ddl isolated", Options{DDLIsolation: true}, kinds(KindRows, KindRows, KindDDL, KindDDL, KindRows), 100, []int{2, 1, 1, 1}},
		{"ddl isolated in items", Options{DDLIsolation: true, Mode: config.ItemSize}, kinds(KindDDL, KindRows, KindDDL), 100, []int{1, 1, 1}},
		{"query is no ddl", Options{DDLIsolation: true}, kinds(KindRows, KindQuery, KindRows), 100, []int{3}},
		{"across segments", Options{Mode: config.ItemSize}, same(3*segmentItems+7, 10), 2 * segmentItems, []int{2 * segmentItems, segmentItems + 7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m maker
			s := New(tt.o)
			mustPut(t, s, m.block(tt.items...))
			var got []int
			next := int64(0)
			for {
				b := mustTake(t, s, tt.size)
				if b.Empty() {
					break
				}
				got = append(got, b.Count)
				if nums := numbers(t, b); !slices.Equal(nums, seq(next, int64(b.Count))) {
					t.Errorf("batch has %v, want %d from %d", nums, b.Count, next)
				}
				next += int64(b.Count)
				b.Release()
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got batches of %v, want %v", got, tt.want)
			}
			s.Close()
			m.checkAllBack(t)
		})
	}
}

func TestBatchPositions(t *testing.T) {
	tests := []struct {
		name  string
		items []spec
		ack   int64 // offset of the ack position, -1 for none
	}{
		{"whole transaction", []spec{{8, KindBegin, ""}, {8, KindRows, ""}, {8, KindEnd, ""}}, 2},
		{"ends in mid-transaction", []spec{{8, KindEnd, ""}, {8, KindBegin, ""}, {8, KindRows, ""}}, 1},
		{"ends in mid-transaction, gtid", []spec{{8, KindEnd, "a:1"}, {8, KindBegin, "a:1-2"}, {8, KindRows, "a:1-2"}}, 0},
		{"no boundary", []spec{{8, KindRows, ""}, {8, KindQuery, ""}}, -1},
		{"ddl", []spec{{8, KindRows, ""}, {8, KindDDL, ""}, {8, KindRows, ""}}, 1},
		{"gtid begin only", []spec{{8, KindBegin, "a:1"}}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m maker
			s := New(Options{})
			mustPut(t, s, m.block(tt.items...))
			b := mustTake(t, s, 0)
			got := int64(-1)
			if b.HasAck {
				got = b.Ack.Position.Offset
			}
			if got != tt.ack {
				t.Errorf("ack position %d, want %d", got, tt.ack)
			}
			if first, last := b.Start.Position.Offset, b.End.Position.Offset; first != 0 || last != int64(len(tt.items)-1) {
				t.Errorf("positions %d to %d", first, last)
			}
			b.Release()
			s.Close()
			m.checkAllBack(t)
		})
	}
}

func TestBuffersAreMerged(t *testing.T) {
	var m maker
	s := New(Options{})
	mustPut(t, s, m.rows(10, 20))
	second := m.rows(5, 20)
	mustPut(t, s, second[:2])
	second[2].Block.Release(1) // the third is filtered out
	mustPut(t, s, second[3:])
	b := mustTake(t, s, 0)
	if len(b.Buffers) != 3 || len(b.blocks) != 2 {
		t.Errorf("%d buffers in %d blocks, want 3 in 2", len(b.Buffers), len(b.blocks))
	}
	if got, want := numbers(t, b), append(seq(0, 12), 13, 14); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s.Close()
	b.Release()
	b.Release()
	m.checkAllBack(t)
}

// A batch that is being written must not change when somebody else acks it.
func TestBatchOutlivesAck(t *testing.T) {
	var m maker
	s := New(Options{})
	mustPut(t, s, m.rows(3, 20))
	b := mustTake(t, s, 0)
	if err := s.Ack(b.EndSeq); err != nil {
		t.Fatal(err)
	}
	if m.live.Load() != 1 {
		t.Fatal("block was recycled under the batch")
	}
	if got := numbers(t, b); !slices.Equal(got, seq(0, 3)) {
		t.Errorf("got %v", got)
	}
	var sink bytes.Buffer
	buffers := b.Buffers
	if n, err := (&buffers).WriteTo(&sink); err != nil || int(n) != b.Bytes {
		t.Errorf("wrote %d of %d: %v", n, b.Bytes, err)
	}
	b.Release()
	m.checkAllBack(t)
}

func TestAckRefusals(t *testing.T) {
	var m maker
	s := New(Options{Mode: config.ItemSize})
	mustPut(t, s, m.rows(10, 20))
	a, b := mustTake(t, s, 3), mustTake(t, s, 3)
	a.Release()
	b.Release()
	for _, n := range []int64{-1, 6, 100} {
		if err := s.Ack(n); !errors.Is(err, ErrNoMatch) {
			t.Errorf("ack %d: %v", n, err)
		}
	}
	if err := s.Ack(2); err != nil {
		t.Fatal(err)
	}
	if err := s.Ack(2); !errors.Is(err, ErrNoMatch) {
		t.Errorf("second ack: %v", err)
	}
	s.Rollback()
	if err := s.Ack(5); !errors.Is(err, ErrNoMatch) {
		t.Errorf("ack after rollback: %v", err)
	}
	s.Close()
	if err := s.Ack(3); !errors.Is(err, ErrClosed) {
		t.Errorf("ack after close: %v", err)
	}
	m.checkAllBack(t)
}

func TestFirstAndLatestPosition(t *testing.T) {
	var m maker
	s := New(Options{Mode: config.ItemSize})
	check := func(when string, first, latest int64) {
		t.Helper()
		for _, c := range []struct {
			name string
			f    func() (Place, bool)
			want int64
		}{{"first", s.FirstPosition, first}, {"latest", s.LatestPosition, latest}} {
			p, ok := c.f()
			got := p.Position.Offset
			if !ok {
				got = -1
			}
			if got != c.want {
				t.Errorf("%s: %s is %d, want %d", when, c.name, got, c.want)
			}
		}
	}
	check("new", -1, -1)
	mustPut(t, s, m.rows(3, 20))
	check("put", 0, 2)
	b := mustTake(t, s, 2)
	b.Release()
	check("taken", 0, 2)
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	check("acked", 1, 2)
	b = mustTake(t, s, 2)
	b.Release()
	if err := s.Ack(2); err != nil {
		t.Fatal(err)
	}
	check("drained", 2, 2)
	mustPut(t, s, m.rows(1, 20))
	s.Close()
	check("closed with an item unacked", 2, 3)
}

func TestStats(t *testing.T) {
	var m maker
	s := New(Options{Slots: 8})
	if st := s.Stats(); st.PutSeq != -1 || st.GetSeq != -1 || st.AckSeq != -1 || st.PutTime == 0 || st.AckTime != st.PutTime {
		t.Errorf("new store: %+v", st)
	}
	items := m.rows(4, 20)
	items[0].Position.Timestamp = 0
	mustPut(t, s, items)
	for range 2 {
		b := mustTake(t, s, 0)
		b.Release()
		s.Rollback()
	}
	b := mustTake(t, s, 0)
	b.Release()
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	got, want := s.Stats(), Stats{
		Slots: 8, PutSeq: 3, GetSeq: 3, AckSeq: 1, PutBytes: 80, GetBytes: 80, AckBytes: 40,
		PutRows: 3, GetRows: 9, AckRows: 1, PutTime: 1001, GetTime: 1001, AckTime: 1001, OldestTime: 1002,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPutBlocks(t *testing.T) {
	tests := []struct {
		name   string
		o      Options
		fits   int // items of 100 bytes
		reason FullReason
	}{
		{"slots", Options{Slots: 4}, 4, FullSlots},
		{"slots in item mode", Options{Slots: 4, MemUnit: 1, Mode: config.ItemSize}, 4, FullSlots},
		{"bytes, overshooting by one", Options{Slots: 16, MemUnit: 20}, 4, FullBytes}, // 320 bytes
		{"budget", Options{Budget: NewBudget(400)}, 2, FullBudget},                    // 102+112 bytes each; 214 < 4*(400-214)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m maker
				s := New(tt.o)
				result := make(chan error)
				go func() { result <- s.Put(t.Context(), m.rows(tt.fits+2, 100)) }()
				synctest.Wait()
				st := s.Stats()
				if st.PutSeq != int64(tt.fits-1) || st.FullReason != tt.reason || st.FullSince.IsZero() {
					t.Fatalf("put %d, %v since %v; want %d, %v", st.PutSeq+1, st.FullReason, st.FullSince, tt.fits, tt.reason)
				}
				b := mustTake(t, s, 0)
				synctest.Wait()
				if got := s.Stats().PutSeq; got != st.PutSeq {
					t.Fatalf("a get made room: %d", got)
				}
				if err := s.Ack(b.EndSeq); err != nil {
					t.Fatal(err)
				}
				b.Release()
				if err := <-result; err != nil {
					t.Fatal(err)
				}
				if st := s.Stats(); st.FullReason != NotFull || !st.FullSince.IsZero() {
					t.Errorf("still full: %+v", st)
				}
				s.Close()
				m.checkAllBack(t)
			})
		})
	}
}

func TestPutIsEnded(t *testing.T) {
	cause := errors.New("stopped")
	tests := []struct {
		name string
		end  func(s *Store, cancel context.CancelCauseFunc)
		want error
	}{
		{"by its context", func(_ *Store, cancel context.CancelCauseFunc) { cancel(cause) }, cause},
		{"by close", func(s *Store, _ context.CancelCauseFunc) { s.Close() }, ErrClosed},
	}
	for _, tt := range tests {
		for _, o := range []Options{{Slots: 4}, {Budget: NewBudget(400)}} {
			t.Run(fmt.Sprintf("%s, budget %t", tt.name, o.Budget != nil), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var m maker
					s := New(o)
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					result := make(chan error)
					go func() { result <- s.Put(ctx, m.rows(10, 100)) }()
					synctest.Wait()
					tt.end(s, cancel)
					if err := <-result; !errors.Is(err, tt.want) {
						t.Errorf("got %v, want %v", err, tt.want)
					}
					s.Close()
					s.Close()
					m.checkAllBack(t)
					if err := s.Put(t.Context(), m.rows(1, 100)); !errors.Is(err, ErrClosed) {
						t.Errorf("put after close: %v", err)
					}
					m.checkAllBack(t)
					if o.Budget != nil && (o.Budget.Used() != 0 || o.Budget.waiters.Load() != 0) {
						t.Errorf("budget: %d bytes, %d waiters", o.Budget.Used(), o.Budget.waiters.Load())
					}
				})
			})
		}
	}
}

func TestGetWaits(t *testing.T) {
	o := Options{Mode: config.ItemSize, Slots: 64}
	type outcome struct {
		count int
		err   error
		after time.Duration
	}
	tests := []struct {
		name string
		wait Wait
		act  func(s *Store, m *maker, cancel context.CancelFunc) // a second after the get began
		want outcome
	}{
		{"immediate", NoWait, func(*Store, *maker, context.CancelFunc) {}, outcome{}},
		{"timeout with nothing", Wait(5 * time.Second), func(*Store, *maker, context.CancelFunc) {}, outcome{after: 5 * time.Second}},
		{"timeout with less than full", Wait(5 * time.Second), func(s *Store, m *maker, _ context.CancelFunc) {
			mustPut(t, s, m.rows(3, 10))
		}, outcome{count: 3, after: 5 * time.Second}},
		{"full before the timeout", Wait(5 * time.Second), func(s *Store, m *maker, _ context.CancelFunc) {
			mustPut(t, s, m.rows(6, 10))
		}, outcome{count: 4, after: time.Second}},
		{"for ever, full in pieces", Forever, func(s *Store, m *maker, _ context.CancelFunc) {
			mustPut(t, s, m.rows(3, 10))
			time.Sleep(time.Hour) // of the bubble
			mustPut(t, s, m.rows(1, 10))
		}, outcome{count: 4, after: time.Hour + time.Second}},
		{"below immediate is for ever", -2, func(s *Store, m *maker, _ context.CancelFunc) {
			time.Sleep(time.Hour)
			mustPut(t, s, m.rows(4, 10))
		}, outcome{count: 4, after: time.Hour + time.Second}},
		{"client gone", Forever, func(s *Store, m *maker, cancel context.CancelFunc) {
			mustPut(t, s, m.rows(3, 10))
			cancel()
		}, outcome{err: context.Canceled, after: time.Second}},
		{"closed", Forever, func(s *Store, m *maker, _ context.CancelFunc) { s.Close() }, outcome{err: ErrClosed, after: time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m maker
				s := New(o)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan outcome)
				begin := time.Now()
				go func() {
					b, err := s.Get(ctx, 4, tt.wait)
					b.Release()
					result <- outcome{b.Count, err, time.Since(begin)}
				}()
				if tt.wait != NoWait {
					time.Sleep(time.Second)
					go tt.act(s, &m, cancel)
				}
				got := <-result
				if got.count != tt.want.count || !errors.Is(got.err, tt.want.err) || got.after != tt.want.after {
					t.Errorf("got %+v, want %+v", got, tt.want)
				}
				synctest.Wait()
				if got.err != nil && s.Stats().GetSeq != -1 {
					t.Error("a get that failed has taken something")
				}
				s.Close()
				m.checkAllBack(t)
			})
		})
	}
}

// Canal would wait for ever: the get for a batch larger than the ring, the put
// for the get.
func TestGetOfMoreThanTheRingHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		s := New(Options{Mode: config.ItemSize, Slots: 8})
		put := make(chan error, 1)
		go func() { put <- s.Put(t.Context(), m.rows(20, 10)) }()
		var total int
		for total < 16 {
			b, err := s.Get(t.Context(), 100, Forever)
			if err != nil {
				t.Fatal(err)
			}
			total += b.Count
			b.Release()
			if err := s.Ack(b.EndSeq); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-put; err != nil {
			t.Fatal(err)
		}
		s.Close()
	})
}

// A get that lost the race for the items goes on waiting for a full batch.
func TestConcurrentGets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		s := New(Options{Mode: config.ItemSize})
		var mu sync.Mutex
		var counts []int
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				b, err := s.Get(t.Context(), 4, Forever)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				counts = append(counts, b.Count)
				mu.Unlock()
				b.Release()
			})
		}
		for range 10 {
			synctest.Wait()
			mustPut(t, s, m.rows(2, 10))
		}
		wg.Wait()
		if !slices.Equal(counts, []int{4, 4, 4, 4, 4}) {
			t.Errorf("got %v", counts)
		}
		s.Close()
		m.checkAllBack(t)
	})
}

func TestRollbackWakesGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		s := New(Options{Mode: config.ItemSize})
		mustPut(t, s, m.rows(4, 10))
		b := mustTake(t, s, 4)
		b.Release()
		got := make(chan Batch)
		go func() {
			b, _ := s.Get(t.Context(), 4, Forever)
			got <- b
		}()
		synctest.Wait()
		s.Rollback()
		again := <-got
		if nums := numbers(t, again); !slices.Equal(nums, seq(0, 4)) {
			t.Errorf("got %v", nums)
		}
		again.Release()
		s.Close()
	})
}

func TestEmptyRingHoldsNoSegment(t *testing.T) {
	var m maker
	s := New(Options{})
	for range 3 {
		mustPut(t, s, m.rows(300, 10))
		b := mustTake(t, s, 0)
		b.Release()
		if err := s.Ack(b.EndSeq); err != nil {
			t.Fatal(err)
		}
		if s.first != nil || s.last != nil || s.unread != nil {
			t.Fatalf("segments remain at %d", b.EndSeq)
		}
	}
	m.checkAllBack(t)
}

// The whole pipe with a real reader: what comes out is what went in, in order,
// and all memory comes back.
func TestConcurrentPipe(t *testing.T) {
	const total = 20000
	var m maker
	budget := NewBudget(20_000)
	s := New(Options{Slots: 256, MemUnit: 64, Budget: budget})
	r, w := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		for m.next < total {
			if err := s.Put(t.Context(), m.rows(1+int(m.next%7), 8+int(m.next%50))); err != nil {
				t.Errorf("put: %v", err)
			}
		}
	})
	acks := make(chan int64, 100)
	wg.Go(func() {
		defer w.Close()
		defer close(acks)
		for last := int64(-1); last < total-1; {
			b, err := s.Get(t.Context(), 3, Wait(time.Millisecond))
			if err != nil {
				t.Errorf("get: %v", err)
				return
			}
			if b.Empty() {
				continue
			}
			buffers := b.Buffers
			if _, err := buffers.WriteTo(w); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			last = b.EndSeq
			b.Release()
			acks <- last
		}
	})
	wg.Go(func() {
		for n := range acks {
			if err := s.Ack(n); err != nil {
				t.Errorf("ack %d: %v", n, err)
			}
		}
	})
	in := newEntryReader(r)
	for want := int64(0); ; want++ {
		got, err := in.next()
		if err != nil {
			if want < total {
				t.Errorf("ended at %d: %v", want, err)
			}
			break
		}
		if got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
	wg.Wait()
	s.Close()
	m.checkAllBack(t)
	if budget.Used() != 0 {
		t.Errorf("budget keeps %d bytes", budget.Used())
	}
}

// TestAcksOfSources takes a batch with items of two sources: each has its own border.
func TestAcksOfSources(t *testing.T) {
	m := &maker{}
	s := New(Options{Mode: config.ItemSize})
	defer s.Close()
	a, b := &Origin{Host: "a", Source: 1}, &Origin{Host: "b", Source: 2}
	items := m.block(spec{kind: KindBegin, size: 8}, spec{kind: KindEnd, size: 8}, spec{kind: KindBegin, size: 8}, spec{kind: KindEnd, size: 8}, spec{kind: KindRows, size: 8})
	for i, o := range []*Origin{a, a, b, b, a} {
		items[i].Origin = o
	}
	mustPut(t, s, items)
	got := mustTake(t, s, 5)
	defer got.Release()
	if len(got.Acks) != 2 || got.Acks[0].Position.Offset != 1 || got.Acks[1].Position.Offset != 3 || got.Ack != got.Acks[1] {
		t.Errorf("borders %+v, the last %+v", got.Acks, got.Ack)
	}
	mustPut(t, s, m.block(spec{kind: KindEnd, size: 8}))
	alone := mustTake(t, s, 5)
	defer alone.Release()
	if alone.Acks != nil || !alone.HasAck {
		t.Errorf("of a source that is alone: %+v", alone.Acks)
	}
}
