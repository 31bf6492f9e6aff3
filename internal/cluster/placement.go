package cluster

import (
	"cmp"
	"slices"
	"strings"
)

// Seat is a Towpath server as Plan sees it.
type Seat struct {
	Address  string
	Weight   int  // share beside the other servers; 1 if less
	Draining bool // shall own nothing
}

// Placed is a destination and where it is.
type Placed struct {
	Destination string
	Owner       string   // address; "" when nobody runs it
	Competitors []string // servers of both kinds that can run it; the owner counts as one
	Preferred   []string // servers that shall run it when they can, most wanted first
}

// Move is a destination that shall go from one server to another.
type Move struct {
	Destination string
	From, To    string
	Preferred   bool // because To is preferred; else so that the servers have their shares
}

// Plan returns the moves after which each destination is on its preferred server
// and the servers have their shares, in the order of the destinations.
//
// A server's share is that part of the destinations which its weight is of all
// weights. The shares are right when no two servers are further apart than one
// destination, measured from their shares; then each is within one of its own.
// As long as they are right nothing moves, and where all servers compete for all
// destinations no smaller number of moves would set them right.
//
// A destination that a server competes for which is not among servers, a Java
// server, is left where it is: whoever gives it up cannot tell who takes it. So
// is one that nobody, a Java server, or a server that is being drained runs,
// which hands it over by itself. Preferred servers that are drained, or do not
// compete, are passed over.
func Plan(servers []Seat, destinations []Placed) []Move {
	b := newBoard(servers)
	for _, d := range slices.SortedFunc(slices.Values(destinations), func(x, y Placed) int { return cmp.Compare(x.Destination, y.Destination) }) {
		b.place(d)
	}
	b.share()
	for b.improve() {
	}
	return b.moves()
}

// board is what Plan moves pieces on. Servers are known by their index.
type board struct {
	seats  []Seat          // that may run something, by address
	index  map[string]int  // of seats
	towers map[string]bool // all Towpath servers, the drained ones too
	load   []int           // destinations of a server that count, free ones included
	fixed  []int           // those of them that stay
	quota  []float64       // the share of a server
	free   []*piece        // what can be moved for the shares
	pinned []Move          // to preferred servers
}

// piece is a destination that may be moved.
type piece struct {
	Placed
	from, at int
	can      []bool // by server: it competes
}

func newBoard(servers []Seat) *board {
	b := &board{index: make(map[string]int), towers: make(map[string]bool)}
	for _, s := range slices.SortedFunc(slices.Values(servers), func(x, y Seat) int { return cmp.Compare(x.Address, y.Address) }) {
		if b.towers[s.Address] {
			continue
		}
		b.towers[s.Address] = true
		if s.Draining {
			continue
		}
		s.Weight = max(1, s.Weight)
		b.index[s.Address] = len(b.seats)
		b.seats = append(b.seats, s)
	}
	b.load, b.fixed, b.quota = make([]int, len(b.seats)), make([]int, len(b.seats)), make([]float64, len(b.seats))
	return b
}

// place puts a destination on the board.
func (b *board) place(d Placed) {
	owner, ok := b.index[d.Owner]
	if !ok {
		return
	}
	stays := func(at int) { b.load[at]++; b.fixed[at]++ }
	p := &piece{Placed: d, from: owner, at: owner, can: make([]bool, len(b.seats))}
	p.can[owner] = true
	for _, c := range d.Competitors {
		if i, ok := b.index[c]; ok {
			p.can[i] = true
		} else if !b.towers[c] {
			stays(owner)
			return
		}
	}
	for _, want := range d.Preferred {
		i, ok := b.index[want]
		if !ok || !p.can[i] {
			continue
		}
		stays(i)
		if i != owner {
			b.pinned = append(b.pinned, Move{Destination: d.Destination, From: d.Owner, To: want, Preferred: true})
		}
		return
	}
	b.load[owner]++
	b.free = append(b.free, p)
}

// share computes the quotas. Only servers that can have something take part, and
// one of which more than its share stays leaves less to the others.
func (b *board) share() {
	total := 0
	part := make([]bool, len(b.seats))
	for i, n := range b.load {
		total += n
		part[i] = n > 0
	}
	for _, p := range b.free {
		for i, can := range p.can {
			part[i] = part[i] || can
		}
	}
	for again := true; again; {
		again = false
		weights := 0
		for i, s := range b.seats {
			if part[i] {
				weights += s.Weight
			}
		}
		rest := total
		for i, s := range b.seats {
			if !part[i] {
				continue
			}
			b.quota[i] = float64(total) * float64(s.Weight) / float64(weights)
			if float64(b.fixed[i]) > b.quota[i] {
				part[i], again = false, true
				b.quota[i] = float64(b.fixed[i])
				rest -= b.fixed[i]
			}
		}
		total = rest
	}
}

// excess is how far a server is above its share.
func (b *board) excess(i int) float64 { return float64(b.load[i]) - b.quota[i] }

// rounding is what sums of shares may be off.
const rounding = 1e-9

// improve takes one destination off a server that has too many and gives one to
// a server that has too few, which may need a chain of moves when not everybody
// competes for everything. It reports whether there was anything to improve.
func (b *board) improve() bool {
	links := b.links()
	order := make([]int, len(b.seats))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(b.excess(j), b.excess(i)) })
	for _, from := range order {
		chain := b.chain(from, links)
		if chain == nil {
			continue
		}
		for i := range len(chain) - 1 {
			p := links[chain[i]][chain[i+1]]
			p.at = chain[i+1]
		}
		b.load[from]--
		b.load[chain[len(chain)-1]]++
		return true
	}
	return false
}

// links are, by server and server, a destination that can be moved from the one
// to the other. One that moves anyway is taken first.
func (b *board) links() [][]*piece {
	links := make([][]*piece, len(b.seats))
	for i := range links {
		links[i] = make([]*piece, len(b.seats))
	}
	for _, p := range b.free {
		for to, can := range p.can {
			if !can || to == p.at {
				continue
			}
			if best := links[p.at][to]; best == nil || p.gain(to) > best.gain(to) {
				links[p.at][to] = p
			}
		}
	}
	return links
}

// gain is by how many moves a plan gets shorter when p goes on to a server.
func (p *piece) gain(to int) int {
	switch p.from {
	case p.at:
		return -1
	case to:
		return 1
	}
	return 0
}

// chain is the shortest way along links to the server that is furthest below its
// share; nil when that would set nothing right.
func (b *board) chain(from int, links [][]*piece) []int {
	before := make([]int, len(b.seats))
	for i := range before {
		before[i] = -1
	}
	before[from] = from
	best := from
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if b.excess(at) < b.excess(best)-rounding {
			best = at
		}
		for to, p := range links[at] {
			if p != nil && before[to] < 0 {
				before[to] = at
				queue = append(queue, to)
			}
		}
	}
	if b.excess(from)-b.excess(best) <= 1+rounding {
		return nil
	}
	chain := []int{best}
	for at := best; at != from; at = before[at] {
		chain = append(chain, before[at])
	}
	slices.Reverse(chain)
	return chain
}

// moves are those that lead from where everything was to where it is now.
func (b *board) moves() []Move {
	all := b.pinned
	for _, p := range b.free {
		if p.at != p.from {
			all = append(all, Move{Destination: p.Destination, From: p.Owner, To: b.seats[p.at].Address})
		}
	}
	slices.SortFunc(all, func(x, y Move) int { return strings.Compare(x.Destination, y.Destination) })
	return all
}
