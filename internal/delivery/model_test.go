package delivery

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/meta"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the randomized test; 0 takes one from the clock")
	stepsFlag = flag.Int("steps", 5000, "steps of the randomized test")
)

// model is a desk as plain lists: entries are numbers from 0.
type model struct {
	put, get int64                  // next numbers to be put and to be handed out
	freed    int64                  // entries below are gone
	open     map[int16][]modelBatch // of subscribed and unsubscribed clients
	nextID   map[int16]int64
	sub      map[int16]bool
	cursor   map[int16]int64
}

type modelBatch struct{ id, from, to int64 }

// settle works out what can be freed: everything handed out that no subscribed
// client holds, nor anything after such.
func (m *model) settle() {
	end := m.get
	for id, open := range m.open {
		if m.sub[id] && len(open) > 0 {
			end = min(end, open[0].from)
		}
	}
	m.freed = max(m.freed, end)
}

func TestAgainstModel(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -seed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	b := newBench(Options{})
	m := &model{open: map[int16][]modelBatch{}, nextID: map[int16]int64{}, sub: map[int16]bool{}, cursor: map[int16]int64{}}
	for step := range *stepsFlag {
		c := client(int16(r.IntN(3)))
		switch r.IntN(12) {
		case 0:
			m.subscribe(t, b, c)
		case 1:
			if r.IntN(4) == 0 {
				m.sub[c.ID] = false
				if err := b.Unsubscribe(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
		case 2, 3:
			n := min(1+r.Int64N(9), 64-(m.put-m.freed))
			if n > 0 && b.put(int(n)) == nil {
				m.put += n
			}
		case 4, 5, 6:
			m.getBatch(t, step, b, c, 1+r.Int64N(6))
		case 7, 8, 9, 10:
			m.ack(t, step, b, c, r)
		default:
			m.rollback(t, step, b, c, r)
		}
		st := b.st.Stats()
		if st.PutSeq+1 != m.put || st.GetSeq+1 != m.get || st.AckSeq+1 != m.freed {
			t.Fatalf("step %d: put %d get %d ack %d, want %d %d %d", step, st.PutSeq+1, st.GetSeq+1, st.AckSeq+1, m.put, m.get, m.freed)
		}
	}
	b.st.Close()
}

func (m *model) subscribe(t *testing.T, b *bench, c meta.Client) {
	t.Helper()
	if err := b.Subscribe(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	m.sub[c.ID] = true
	if _, ok := m.cursor[c.ID]; !ok && m.put > 0 {
		m.cursor[c.ID] = max(m.freed-1, 0)
	}
	m.checkCursor(t, b, c)
}

func (m *model) checkCursor(t *testing.T, b *bench, c meta.Client) {
	t.Helper()
	want, known := m.cursor[c.ID]
	if cur, ok := b.mem.Cursor(c); ok != known || cur.Position.Offset != want {
		t.Fatalf("cursor of %d is %v, %t; want %d, %t", c.ID, cur, ok, want, known)
	}
}

func (m *model) getBatch(t *testing.T, step int, b *bench, c meta.Client, size int64) {
	t.Helper()
	d, err := b.Get(t.Context(), c, int32(size), immediate)
	if !m.sub[c.ID] {
		if err == nil {
			t.Fatalf("step %d: get without subscription", step)
		}
		return
	}
	want := modelBatch{NoBatch, m.get, min(m.get+size, m.put)}
	if want.to > want.from {
		m.nextID[c.ID]++
		want.id = m.nextID[c.ID]
		m.open[c.ID] = append(m.open[c.ID], want)
		m.get = want.to
	}
	var entries []int64
	for n := want.from; n < want.to; n++ {
		entries = append(entries, n)
	}
	if got := content(&d); err != nil || d.BatchID != want.id || !slices.Equal(got, entries) {
		t.Fatalf("step %d: batch %d %v, %v; want %v", step, d.BatchID, got, err, want)
	}
}

// pick chooses a batch id, mostly the right one.
func (m *model) pick(c meta.Client, r *rand.Rand) (id int64, oldest bool) {
	open := m.open[c.ID]
	if len(open) == 0 || r.IntN(5) == 0 {
		id = 1 + r.Int64N(m.nextID[c.ID]+3)
	} else {
		id = open[0].id
	}
	return id, len(open) > 0 && open[0].id == id
}

func (m *model) ack(t *testing.T, step int, b *bench, c meta.Client, r *rand.Rand) {
	t.Helper()
	id, oldest := m.pick(c, r)
	err := b.Ack(t.Context(), c, id)
	if ok := oldest && m.sub[c.ID]; ok != (err == nil) {
		t.Fatalf("step %d: ack %d of client %d: %v", step, id, c.ID, err)
	} else if !ok {
		return
	}
	m.cursor[c.ID] = m.open[c.ID][0].to - 1
	m.open[c.ID] = m.open[c.ID][1:]
	m.settle()
	m.checkCursor(t, b, c)
}

func (m *model) rollback(t *testing.T, step int, b *bench, c meta.Client, r *rand.Rand) {
	t.Helper()
	id, oldest := m.pick(c, r)
	if r.IntN(2) == 0 {
		id = 0
	}
	err := b.Rollback(t.Context(), c, id)
	var e *Error
	switch {
	case !m.sub[c.ID] && err == nil:
		return
	case m.sub[c.ID] && id != 0 && !oldest:
		if !errors.As(err, &e) {
			t.Fatalf("step %d: rollback %d of client %d: %v", step, id, c.ID, err)
		}
		return
	case err != nil:
		t.Fatalf("step %d: rollback: %v", step, err)
	}
	clear(m.open)
	m.get = m.freed
}
