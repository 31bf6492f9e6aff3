package store

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/towpath-cdc/towpath/internal/config"
)

// Stores that are never acked leave room for those that come later.
func TestBudgetLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budgetBytes = 1 << 20
		var m maker
		b := NewBudget(budgetBytes)
		var stores []*Store
		for i := range 8 {
			s := New(Options{Slots: 1 << 20, Budget: b})
			stores = append(stores, s)
			_ = s.Put(done(), m.rows(40000, 20))
			if held := s.account.held.Load(); i < 3 && held < budgetBytes/200 {
				t.Errorf("store %d got %d bytes", i, held)
			}
		}
		if b.Used() > budgetBytes+8*200 {
			t.Errorf("%d bytes in use", b.Used())
		}
		// Room for everybody again after all but one have gone.
		for _, s := range stores[1:] {
			s.Close()
		}
		_ = stores[0].Put(done(), m.rows(40000, 20))
		if held := stores[0].account.held.Load(); held < budgetBytes*3/4 {
			t.Errorf("the only store left gets %d bytes", held)
		}
		stores[0].Close()
		m.checkAllBack(t)
		if b.Used() != 0 {
			t.Errorf("%d bytes remain", b.Used())
		}
	})
}

// With the budget used up by one store every other one still gets on, one item
// at a time, and whoever waits for it is woken when there is room.
func TestBudgetNeverStops(t *testing.T) {
	b := NewBudget(300) // one item
	var hog maker
	first := New(Options{Budget: b})
	mustPut(t, first, hog.rows(1, 180))

	var wg sync.WaitGroup
	for i := range 4 {
		s := New(Options{Budget: b, Mode: config.ItemSize})
		var m maker
		const total = 500
		wg.Go(func() {
			for m.next < total {
				if err := s.Put(t.Context(), m.rows(5, 8)); err != nil {
					t.Errorf("put: %v", err)
				}
			}
		})
		wg.Go(func() {
			var got []int64
			for len(got) < total {
				batch, err := s.Get(t.Context(), 1, Forever)
				if err != nil {
					t.Errorf("get: %v", err)
					return
				}
				got = append(got, numbers(t, batch)...)
				batch.Release()
				if err := s.Ack(batch.EndSeq); err != nil {
					t.Errorf("ack: %v", err)
				}
			}
			if !slices.Equal(got, seq(0, total)) {
				t.Errorf("store %d: order is wrong", i)
			}
		})
	}
	wg.Wait()
	first.Close()
	if b.Used() != 0 || b.waiters.Load() != 0 {
		t.Errorf("%d bytes, %d waiters remain", b.Used(), b.waiters.Load())
	}
}

func TestBudgetWakesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m maker
		b := NewBudget(10_000)
		hog := New(Options{Budget: b})
		_ = hog.Put(done(), m.rows(200, 8))
		var waiting []*Store
		var wg sync.WaitGroup
		for range 5 {
			s := New(Options{Budget: b})
			items := m.rows(10, 8)
			wg.Go(func() { _ = s.Put(t.Context(), items) })
			waiting = append(waiting, s)
		}
		synctest.Wait()
		if b.waiters.Load() == 0 {
			t.Fatal("nobody waits; the test tests nothing")
		}
		hog.Close()
		wg.Wait()
		for i, s := range waiting {
			if got := s.Stats().PutSeq; got != 9 {
				t.Errorf("store %d has put %d", i, got+1)
			}
			s.Close()
		}
		m.checkAllBack(t)
	})
}

func TestFullReasonStrings(t *testing.T) {
	for r := NotFull; r <= FullBudget+1; r++ {
		if fmt.Sprint(r) == "" || (fmt.Sprint(r) == "unknown") != (r > FullBudget) {
			t.Errorf("%d: %q", int(r), r)
		}
	}
}
