package store

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the randomized tests; 0 takes one from the clock")
	stepsFlag = flag.Int("steps", 3000, "steps of each randomized test")
)

// newRand returns a source of randomness and says how to repeat the run.
func newRand(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// model is a store as a list that is summed up anew each time.
type model struct {
	o     Options
	items []Item // all that were ever put
	get   int    // number of items handed out
	ack   int    // number of items acked
}

func (m *model) bytes(from, to int) (n int64) {
	for _, it := range m.items[from:to] {
		n += int64(it.Size)
	}
	return n
}

func (m *model) fits() bool {
	if len(m.items)-m.ack >= m.o.Slots {
		return false
	}
	return m.o.Mode == config.ItemSize || m.bytes(m.ack, len(m.items)) < int64(m.o.Slots*m.o.MemUnit)
}

func (m *model) put(items []Item) {
	for _, it := range items {
		if !m.fits() {
			return
		}
		m.items = append(m.items, it)
	}
}

// take returns the number of items that the next batch has.
func (m *model) take(size int) int {
	if size <= 0 {
		size = DefaultSize
	}
	n := 0
	for _, it := range m.items[m.get:] {
		ddl := m.o.DDLIsolation && it.Kind == KindDDL
		if ddl && n > 0 {
			break
		}
		if m.o.Mode == config.ItemSize && n >= size {
			break
		}
		if m.o.Mode == config.MemSize && n > 0 && m.bytes(m.get, m.get+n) > int64(size)*int64(m.o.MemUnit) {
			break
		}
		n++
		if ddl {
			break
		}
	}
	return n
}

func TestAgainstModel(t *testing.T) {
	for _, o := range []Options{
		{Slots: 16, MemUnit: 32},
		{Slots: 1024, MemUnit: 8},
		{Slots: 1000, MemUnit: 16, Mode: config.ItemSize, DDLIsolation: true},
		{Slots: 512, MemUnit: 64, DDLIsolation: true, Budget: NewBudget(1 << 40)},
	} {
		runModel(t, o)
	}
}

func runModel(t *testing.T, o Options) {
	t.Helper()
	r := newRand(t)
	var mk maker
	s, m := New(o), &model{o: o}
	for step := range *stepsFlag {
		switch op := r.IntN(10); {
		case op < 4:
			specs := make([]spec, 1+r.IntN(40))
			for i := range specs {
				specs[i] = spec{size: 8 + r.IntN(40), kind: Kind(r.IntN(5)), gtid: []string{"", "a:1"}[r.IntN(2)]}
			}
			items := mk.block(specs...)
			m.put(items)
			mk.next = int64(len(m.items)) // those that do not fit are dropped
			if err := s.Put(done(), items); (err == nil) != (len(m.items) == int(s.Stats().PutSeq+1) && fitted(items, m)) {
				t.Fatalf("step %d: put: %v", step, err)
			}
		case op < 7:
			size := r.IntN(50) - 1
			want := m.take(size)
			b := mustTake(t, s, size)
			checkBatch(t, m, b, want)
			b.Release()
			m.get += want
		case op < 9:
			n := m.ack + r.IntN(m.get-m.ack+3) - 1 // sometimes outside
			err := s.Ack(int64(n - 1))
			if valid := n > m.ack && n <= m.get; valid != (err == nil) || !valid && !errors.Is(err, ErrNoMatch) {
				t.Fatalf("step %d: ack %d of (%d,%d]: %v", step, n, m.ack, m.get, err)
			} else if valid {
				m.ack = n
			}
		default:
			s.Rollback()
			m.get = m.ack
		}
		checkState(t, step, s, m)
	}
	s.Close()
	mk.checkAllBack(t)
	if o.Budget != nil && o.Budget.Used() != 0 {
		t.Errorf("budget keeps %d bytes", o.Budget.Used())
	}
}

// fitted reports whether the last of the items is in the model.
func fitted(items []Item, m *model) bool {
	return len(m.items) > 0 && m.items[len(m.items)-1] == items[len(items)-1]
}

func checkBatch(t *testing.T, m *model, b Batch, want int) {
	t.Helper()
	if b.Count != want {
		t.Fatalf("batch has %d items, want %d", b.Count, want)
	}
	if want == 0 {
		return
	}
	items := m.items[m.get : m.get+want]
	if got := numbers(t, b); !slices.Equal(got, seq(int64(m.get), int64(want))) {
		t.Fatalf("batch has %v, want %d from %d", got, want, m.get)
	}
	var ack *Item
	for i := range items {
		if items[i].boundary() {
			ack = &items[i]
		}
	}
	if b.Start != items[0].place() || b.End != items[want-1].place() || b.HasAck != (ack != nil) || ack != nil && b.Ack != ack.place() {
		t.Fatalf("positions %v %v %v (%t)", b.Start, b.End, b.Ack, b.HasAck)
	}
}

func checkState(t *testing.T, step int, s *Store, m *model) {
	t.Helper()
	st := s.Stats()
	if st.PutSeq+1 != int64(len(m.items)) || st.GetSeq+1 != int64(m.get) || st.AckSeq+1 != int64(m.ack) {
		t.Fatalf("step %d: cursors %d %d %d, want %d %d %d", step, st.PutSeq+1, st.GetSeq+1, st.AckSeq+1, len(m.items), m.get, m.ack)
	}
	if st.PutBytes != m.bytes(0, len(m.items)) || st.GetBytes != m.bytes(0, m.get) || st.AckBytes != m.bytes(0, m.ack) {
		t.Fatalf("step %d: bytes %+v", step, st)
	}
	first, ok := s.FirstPosition()
	switch {
	case m.ack > 0 && first != m.items[m.ack-1].place(),
		m.ack == 0 && len(m.items) > 0 && first != Place{Position: m.items[0].Position, Origin: m.items[0].Origin},
		ok != (len(m.items) > 0):
		t.Fatalf("step %d: first position %v, %t", step, first, ok)
	}
}
