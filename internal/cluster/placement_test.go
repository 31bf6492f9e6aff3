package cluster

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func seats(addresses ...string) []Seat {
	var all []Seat
	for _, a := range addresses {
		all = append(all, Seat{Address: a, Weight: 1})
	}
	return all
}

// placed is a list of destinations d0, d1, ... of these owners, for which all of
// competitors compete.
func placed(competitors []string, owners ...string) []Placed {
	var all []Placed
	for i, o := range owners {
		all = append(all, Placed{Destination: fmt.Sprintf("d%d", i), Owner: o, Competitors: competitors})
	}
	return all
}

func TestPlan(t *testing.T) {
	ab, abc := []string{"a", "b"}, []string{"a", "b", "c"}
	withJava := []string{"a", "b", "java"}
	wish := func(d []Placed, preferred ...string) []Placed { d[0].Preferred = preferred; return d }
	tests := []struct {
		name         string
		servers      []Seat
		destinations []Placed
		want         []Move
	}{
		{name: "nothing"},
		{name: "no servers", destinations: placed(ab, "a")},
		{name: "balanced", servers: seats("a", "b"), destinations: placed(ab, "a", "b", "a")},
		{name: "a server joins", servers: seats("a", "b"), destinations: placed(ab, "a", "a", "a"),
			want: []Move{{Destination: "d0", From: "a", To: "b"}}},
		{name: "weights", servers: []Seat{{Address: "a", Weight: 3}, {Address: "b", Weight: 1}}, destinations: placed(ab, "a", "a", "a", "a"),
			want: []Move{{Destination: "d0", From: "a", To: "b"}}},
		{name: "weights are right", servers: []Seat{{Address: "a", Weight: 3}, {Address: "b", Weight: 1}}, destinations: placed(ab, "a", "a", "a", "b")},
		{name: "preferred", servers: seats("a", "b"), destinations: wish(placed(ab, "a", "b"), "x", "b"),
			want: []Move{{Destination: "d0", From: "a", To: "b", Preferred: true}, {Destination: "d1", From: "b", To: "a"}}},
		{name: "first preferred above all", servers: seats("a", "b"), destinations: wish(placed(ab, "b"), "a", "b"),
			want: []Move{{Destination: "d0", From: "b", To: "a", Preferred: true}}},
		{name: "preferred does not compete", servers: seats("a", "b"), destinations: wish(placed([]string{"a"}, "a"), "b")},
		{name: "preferred is drained", servers: []Seat{{Address: "a"}, {Address: "b", Draining: true}}, destinations: wish(placed(ab, "a"), "b")},
		{name: "drained gets nothing", servers: []Seat{{Address: "a"}, {Address: "b", Draining: true}}, destinations: placed(ab, "a", "a", "a", "a")},
		{name: "drained owner moves by itself", servers: []Seat{{Address: "a", Draining: true}, {Address: "b"}}, destinations: placed(ab, "a", "a")},
		{name: "java competes", servers: seats("a", "b"), destinations: placed(withJava, "a", "a", "a", "a")},
		{name: "java owns", servers: seats("a", "b"), destinations: placed(withJava, "java", "java", "java")},
		{name: "nobody owns", servers: seats("a", "b"), destinations: placed(ab, "", "", "")},
		{name: "what stays counts", servers: seats("a", "b"), destinations: append(placed(withJava, "a", "a"), Placed{Destination: "e", Owner: "a", Competitors: ab}),
			want: []Move{{Destination: "e", From: "a", To: "b"}}},
		{name: "a chain", servers: seats("a", "b", "c"), destinations: []Placed{
			{Destination: "d0", Owner: "a", Competitors: ab}, {Destination: "d1", Owner: "a", Competitors: ab},
			{Destination: "d2", Owner: "b", Competitors: []string{"b", "c"}}},
			want: []Move{{Destination: "d0", From: "a", To: "b"}, {Destination: "d2", From: "b", To: "c"}}},
		{name: "a server that competes for nothing", servers: []Seat{{Address: "a", Weight: 1}, {Address: "b", Weight: 1}, {Address: "c", Weight: 8}}, destinations: placed(ab, "a", "b", "b")},
		{name: "three", servers: seats("a", "b", "c"), destinations: placed(abc, "a", "a", "a", "b", "b", "b"),
			want: []Move{{Destination: "d0", From: "a", To: "c"}, {Destination: "d3", From: "b", To: "c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Plan(tt.servers, tt.destinations); !slices.Equal(got, tt.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// situation is a random cluster.
type situation struct {
	servers      []Seat
	destinations []Placed
}

func randomSituation(r *rand.Rand, everybody bool) situation {
	var s situation
	var names []string
	for i := range 1 + r.IntN(5) {
		name := fmt.Sprintf("s%d", i)
		names = append(names, name)
		s.servers = append(s.servers, Seat{Address: name, Weight: 1 + r.IntN(3)*r.IntN(2), Draining: !everybody && r.IntN(8) == 0})
	}
	for i := range r.IntN(24) {
		d := Placed{Destination: fmt.Sprintf("d%02d", i), Owner: names[r.IntN(len(names))], Competitors: names}
		if !everybody {
			d.Competitors = nil
			for _, n := range names {
				if r.IntN(4) > 0 {
					d.Competitors = append(d.Competitors, n)
				}
			}
			switch r.IntN(12) {
			case 0:
				d.Competitors = append(d.Competitors, "java")
			case 1:
				d.Owner = "java"
			case 2:
				d.Owner = ""
			case 3, 4:
				d.Preferred = []string{names[r.IntN(len(names))], names[r.IntN(len(names))]}
			}
		}
		s.destinations = append(s.destinations, d)
	}
	return s
}

// after is the situation once moves are done.
func (s situation) after(moves []Move) situation {
	s.destinations = slices.Clone(s.destinations)
	for _, m := range moves {
		i := slices.IndexFunc(s.destinations, func(d Placed) bool { return d.Destination == m.Destination })
		s.destinations[i].Owner = m.To
	}
	return s
}

func (s situation) seat(address string) (Seat, bool) {
	i := slices.IndexFunc(s.servers, func(x Seat) bool { return x.Address == address })
	if i < 0 {
		return Seat{}, false
	}
	return s.servers[i], true
}

func TestPlanProperties(t *testing.T) {
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := randomSituation(r, seed%2 == 0)
		moves := Plan(s.servers, s.destinations)
		for _, m := range moves {
			s.checkMove(t, seed, m)
		}
		then := s.after(moves)
		if again := Plan(then.servers, then.destinations); len(again) > 0 {
			t.Fatalf("seed %d: not at rest after the moves: %+v", seed, again)
		}
		then.checkPreferred(t, seed)
		if seed%2 == 0 {
			then.checkShares(t, seed)
			if least := s.leastMoves(); len(moves) != least {
				t.Fatalf("seed %d: %d moves, %d would do", seed, len(moves), least)
			}
		}
		shuffled := situation{slices.Clone(s.servers), slices.Clone(s.destinations)}
		r.Shuffle(len(shuffled.servers), reflect.Swapper(shuffled.servers))
		r.Shuffle(len(shuffled.destinations), reflect.Swapper(shuffled.destinations))
		if other := Plan(shuffled.servers, shuffled.destinations); !slices.Equal(other, moves) {
			t.Fatalf("seed %d: the order of the input matters: %+v and %+v", seed, moves, other)
		}
	}
}

func (s situation) checkMove(t *testing.T, seed uint64, m Move) {
	t.Helper()
	i := slices.IndexFunc(s.destinations, func(d Placed) bool { return d.Destination == m.Destination })
	d := s.destinations[i]
	to, known := s.seat(m.To)
	from, towpath := s.seat(m.From)
	switch {
	case m.From != d.Owner || m.From == m.To:
		t.Fatalf("seed %d: %+v of %+v", seed, m, d)
	case !known || to.Draining || !slices.Contains(d.Competitors, m.To):
		t.Fatalf("seed %d: %+v goes where it cannot run: %+v", seed, m, d)
	case !towpath || from.Draining || slices.Contains(d.Competitors, "java"):
		t.Fatalf("seed %d: %+v is to be left alone: %+v", seed, m, d)
	}
}

func (s situation) checkPreferred(t *testing.T, seed uint64) {
	t.Helper()
	for _, d := range s.destinations {
		owner, ok := s.seat(d.Owner)
		if !ok || owner.Draining || slices.Contains(d.Competitors, "java") {
			continue
		}
		for _, p := range d.Preferred {
			if p == d.Owner {
				break
			}
			if x, ok := s.seat(p); ok && !x.Draining && slices.Contains(d.Competitors, p) {
				t.Fatalf("seed %d: %+v is not on its preferred server", seed, d)
			}
		}
	}
}

// shares returns the loads and the weighted shares.
func (s situation) shares() (loads []int, shares []float64) {
	weights := 0
	for _, x := range s.servers {
		weights += x.Weight
	}
	for _, x := range s.servers {
		n := 0
		for _, d := range s.destinations {
			if d.Owner == x.Address {
				n++
			}
		}
		loads = append(loads, n)
		shares = append(shares, float64(len(s.destinations))*float64(x.Weight)/float64(weights))
	}
	return loads, shares
}

func (s situation) checkShares(t *testing.T, seed uint64) {
	t.Helper()
	loads, shares := s.shares()
	for i, n := range loads {
		if math.Abs(float64(n)-shares[i]) > 1+rounding {
			t.Fatalf("seed %d: loads %v, shares %v", seed, loads, shares)
		}
	}
}

// leastMoves tries all ways to spread the destinations in which no two servers
// are further apart than one, and returns how far the nearest one is.
func (s situation) leastMoves() int {
	loads, shares := s.shares()
	best := math.MaxInt
	want := make([]int, len(loads))
	var try func(i, left int)
	try = func(i, left int) {
		if i == len(want)-1 {
			want[i] = left
			least, most, moves := math.Inf(1), math.Inf(-1), 0
			for j, n := range want {
				e := float64(n) - shares[j]
				least, most = min(least, e), max(most, e)
				moves += max(0, n-loads[j])
			}
			if most-least <= 1+rounding {
				best = min(best, moves)
			}
			return
		}
		for n := max(0, int(shares[i])-1); n <= min(left, int(shares[i])+2); n++ {
			want[i] = n
			try(i+1, left-n)
		}
	}
	try(0, len(s.destinations))
	return best
}

func BenchmarkPlan(b *testing.B) {
	var s situation
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("s%d", i))
		s.servers = append(s.servers, Seat{Address: names[i], Weight: 1})
	}
	for i := range 500 {
		s.destinations = append(s.destinations, Placed{Destination: fmt.Sprintf("d%03d", i), Owner: names[i%5], Competitors: names})
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(Plan(s.servers, s.destinations)); n != 250 {
			b.Fatal(n)
		}
	}
}
