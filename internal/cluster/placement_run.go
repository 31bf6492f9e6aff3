package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/clock"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Times and bounds of the coordinator.
const (
	// SettleTime is for how long servers must neither come nor go, nor be
	// drained, before destinations are moved: a server that is restarted is back
	// by then.
	SettleTime = 5 * time.Second

	// recheck is how often the shares are looked at without a reason.
	recheck = 30 * time.Second

	// sameMoves is how many destinations move at a time.
	sameMoves = 16

	// refusal is for how long a destination is not moved again to a server that
	// has not taken it.
	refusal = 5 * time.Minute

	// motion is for how long a destination that nobody runs is taken to be on its
	// way to a server.
	motion = 10 * time.Second

	// staleOrder is when the order that nobody has carried out is removed: a
	// little after everybody has ceased to obey it.
	staleOrder = orderLife + 2*time.Second
)

// coordinator spreads the destinations over the Towpath servers. Every member has
// one; the one whose turn it is works. Two that work at the same time, because
// one does not know yet that it is not its turn, do no harm: an owner follows the
// one order that there can be.
//
// It moves only what its own server competes for, because of that it knows the
// owner from its contenders, and the preferred servers. As long as everything is
// in its place a look costs one read, of the list of all servers; only when
// something seems to have to move the competitors of each destination are read.
type coordinator struct {
	m *Member
	s *zk.Session

	refused   map[refusedMove]time.Duration // until when
	fruitless string                        // the situation in which nothing could be moved
	pause     time.Duration                 // between two looks at it
	look      time.Duration                 // when the next one is
	request   <-chan zk.Event               // tells of a request; nil when it has
	saidJava  bool
}

// refusedMove is a destination that a server did not take.
type refusedMove struct{ destination, to string }

// coordinate does the work of the coordinator until ctx ends.
func (m *Member) coordinate(ctx context.Context, s *zk.Session) {
	c := &coordinator{m: m, s: s, refused: make(map[refusedMove]time.Duration)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		changed := m.view.changed()
		wait := recheck
		if m.view.leader() == m.o.Address {
			wait = c.turn(ctx)
		}
		timer.Reset(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-c.request:
			c.request = nil
		case <-ctx.Done():
		}
	}
}

// leader is the server whose turn it is to coordinate: the one that has been
// there longest of those that spread destinations by themselves, or of all if
// none does.
func (v *view) leader() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	best := ""
	for address, p := range v.servers {
		switch b := v.servers[best]; {
		case best == "", p.Rebalance && !b.Rebalance, p.Rebalance == b.Rebalance && p.joined < b.joined:
			best = address
		}
	}
	return best
}

// turn does what is due and returns when to look again.
func (c *coordinator) turn(ctx context.Context) time.Duration {
	wait := c.sweep(ctx)
	requested, err := c.requested(ctx)
	if err != nil {
		return min(wait, time.Second)
	}
	settle := c.m.o.Settle - (clock.SinceBoot() - c.m.view.settledSince())
	switch {
	case !requested && !c.m.o.Rebalance:
	case c.inMotion():
		wait = min(wait, time.Second)
	case requested:
		clear(c.refused)
		c.fruitless = ""
		c.m.view.forgetWishes()
		c.rebalance(ctx)
		if err := c.s.Delete(ctx, zktree.Rebalance, zk.AnyVersion); err != nil && !errors.Is(err, zk.ErrNoNode) {
			wait = min(wait, time.Second)
		}
		c.request = nil
	case settle > 0:
		wait = min(wait, settle)
	default:
		c.rebalance(ctx)
	}
	if left := c.look - clock.SinceBoot(); left > 0 {
		wait = min(wait, left)
	}
	return wait
}

// requested tells whether somebody asks for the destinations to be spread now.
// When nobody does, c.request tells when somebody comes.
func (c *coordinator) requested(ctx context.Context) (yes bool, err error) {
	if c.request != nil {
		return false, nil // nothing has been heard since the last look
	}
	_, yes, watch, err := c.s.ExistsW(ctx, zktree.Rebalance)
	if err == nil && !yes {
		c.request = watch
	}
	return yes, err
}

// inMotion tells whether a destination is on its way from one server to another:
// then it cannot be said which server has how many.
func (c *coordinator) inMotion() bool {
	for _, k := range c.m.Contenders() {
		if _, ordered := c.m.view.order(k.destination); ordered {
			return true
		}
		if st := k.Status(); st.Owner == "" && st.Role != RoleFailed && time.Since(st.Since) < motion {
			return true
		}
	}
	return false
}

func (v *view) settledSince() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.settled
}

// sweep removes orders that have grown old, whoever gave them, and returns when
// to look again.
func (c *coordinator) sweep(ctx context.Context) time.Duration {
	v := &c.m.view
	v.mu.Lock()
	orders := maps.Clone(v.orders)
	v.mu.Unlock()
	wait := recheck
	for d, o := range orders {
		left := staleOrder - (clock.SinceBoot() - o.seen)
		if left > 0 {
			wait = min(wait, left)
			continue
		}
		if err := c.s.Delete(ctx, zktree.Move(d), zk.AnyVersion); err == nil {
			c.m.o.Logger.Warn("an order to move a destination has not been carried out and is removed", "destination", d, "to", o.To, "by", o.By)
		}
	}
	return wait
}

// rebalance moves what is not in its place, once. What fails, or has changed
// meanwhile, is seen to by the next look.
func (c *coordinator) rebalance(ctx context.Context) {
	seats := c.m.view.seats()
	likely := c.likely(seats)
	if len(Plan(seats, likely)) == 0 {
		return
	}
	all, _, err := c.s.Children(ctx, zktree.Servers)
	if err != nil {
		return
	}
	slices.Sort(all)
	situation := fmt.Sprint(seats, likely, all)
	if situation == c.fruitless && clock.SinceBoot() < c.look {
		return
	}
	found, err := c.compete(ctx, likely)
	if err != nil {
		return
	}
	c.tellJava(seats, found)
	moves := Plan(seats, found)
	if len(moves) == 0 {
		c.giveUp(situation)
		return
	}
	c.fruitless, c.pause, c.look = "", 0, 0
	c.m.o.Logger.Info("destinations move to other servers", "moves", len(moves), "why", reasons(moves), "first", moves[0])
	begun := c.m.view.settledSince()
	for batch := range slices.Chunk(moves, sameMoves) {
		if ctx.Err() != nil || c.m.view.settledSince() != begun || c.m.view.leader() != c.m.o.Address {
			return
		}
		c.carryOut(ctx, batch)
	}
}

// giveUp notes that nothing can be moved as things are, and when to look again
// who competes: a server that has just come may not compete for everything yet,
// one that does not compete after a while is not likely to.
func (c *coordinator) giveUp(situation string) {
	if c.fruitless != situation {
		c.fruitless, c.pause = situation, 0
	}
	c.pause = min(max(time.Second, 2*c.pause), refusal)
	c.look = clock.SinceBoot() + c.pause
}

// String is the move in a log.
func (m Move) String() string { return m.Destination + " from " + m.From + " to " + m.To }

// reasons say why there are moves.
func reasons(moves []Move) string {
	preferred := 0
	for _, m := range moves {
		if m.Preferred {
			preferred++
		}
	}
	switch preferred {
	case 0:
		return "the servers shall have their shares"
	case len(moves):
		return "preferred servers can run them"
	}
	return fmt.Sprintf("preferred servers can run %d of them, and the servers shall have their shares", preferred)
}

// seats are the servers as Plan takes them.
func (v *view) seats() []Seat {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []Seat
	for _, address := range slices.Sorted(maps.Keys(v.servers)) {
		all = append(all, Seat{Address: address, Weight: v.servers[address].Weight, Draining: v.drains[address]})
	}
	return all
}

// likely are the destinations as if all Towpath servers, and no others, competed
// for them.
func (c *coordinator) likely(seats []Seat) []Placed {
	var all []Placed
	for _, k := range c.m.Contenders() {
		st := k.Status()
		if st.Owner == "" {
			continue // nobody runs it, or that is being decided
		}
		p := Placed{Destination: k.destination, Owner: st.Owner, Preferred: k.preferred}
		if to := c.m.view.wish(k.destination); to != "" {
			p.Preferred = append([]string{to}, p.Preferred...)
		}
		for _, s := range seats {
			p.Competitors = append(p.Competitors, s.Address)
		}
		all = append(all, c.without(p))
	}
	return all
}

// without takes the servers that have not taken the destination out of those
// that compete for it.
func (c *coordinator) without(p Placed) Placed {
	p.Competitors = slices.DeleteFunc(p.Competitors, func(s string) bool {
		return clock.SinceBoot() < c.refused[refusedMove{p.Destination, s}]
	})
	return p
}

// readers is how many lists of competitors are read at a time.
const readers = 16

// compete reads who competes for the destinations.
func (c *coordinator) compete(ctx context.Context, likely []Placed) ([]Placed, error) {
	found := slices.Clone(likely)
	err := each(len(found), readers, func(i int) error {
		names, _, err := c.s.Children(ctx, zktree.Competitors(found[i].Destination))
		if errors.Is(err, zk.ErrNoNode) {
			err = nil
		}
		found[i].Competitors = names
		return err
	})
	for i := range found {
		found[i] = c.without(found[i])
	}
	return found, err
}

// tellJava says, once, that there are destinations that are not moved.
func (c *coordinator) tellJava(seats []Seat, found []Placed) {
	left, java := 0, ""
	for _, p := range found {
		foreign := slices.IndexFunc(p.Competitors, func(a string) bool {
			return !slices.ContainsFunc(seats, func(s Seat) bool { return s.Address == a })
		})
		if foreign >= 0 {
			left++
			java = p.Competitors[foreign]
		}
	}
	if left > 0 && !c.saidJava {
		c.m.o.Logger.Info("destinations for which Java servers compete are not moved: whichever server is first runs them", "destinations", left, "java_server", java)
	}
	c.saidJava = left > 0
}

// carryOut gives the orders for moves and waits until they are carried out, for
// as long as they are obeyed.
func (c *coordinator) carryOut(ctx context.Context, moves []Move) {
	var open []Move
	for _, m := range moves {
		o := Order{To: m.To, By: "the coordinator " + c.m.o.Address, AtMs: time.Now().UnixMilli(), Auto: true}
		_, err := c.s.Create(ctx, zktree.Move(m.Destination), o.Append(nil), zk.Persistent)
		if errors.Is(err, zk.ErrNodeExists) {
			continue // an operator's, which prevails
		}
		open = append(open, m) // if its outcome is not known, it is waited for as well
	}
	done := func(m Move) bool {
		k := c.m.Contender(m.Destination)
		if k == nil {
			return true
		}
		if _, ordered := c.m.view.order(m.Destination); ordered || k.Status().Owner != m.To {
			return false
		}
		// The target has removed the order, because it has started the instance or
		// was not able to. In that case its running node has gone before, which is
		// not known here yet.
		o, err := ReadOwnership(ctx, c.s, m.Destination)
		return err == nil && o.Owner == m.To
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(orderLife); ; {
		if open = slices.DeleteFunc(open, done); len(open) == 0 {
			return
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
			return
		case <-end:
		}
		break
	}
	for _, m := range open {
		c.refused[refusedMove{m.Destination, m.To}] = clock.SinceBoot() + refusal
		c.m.view.forgetWish(m)
		_ = c.s.Delete(ctx, zktree.Move(m.Destination), zk.AnyVersion) // nobody obeys it any more
		c.m.o.Logger.Warn("a destination did not move and is left where it is for a while", "destination", m.Destination, "from", m.From, "to", m.To, "retry_in", refusal)
	}
}

// each calls do for 0 to n-1, several at a time, and returns an error of one of
// them.
func each(n, atOnce int, do func(i int) error) error {
	turns := make(chan struct{}, atOnce)
	errs := make(chan error, n)
	for i := range n {
		turns <- struct{}{}
		go func() {
			defer func() { <-turns }()
			errs <- do(i)
		}()
	}
	var first error
	for range n {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
