package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/clock"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Order asks for a destination to be moved.
type Order struct {
	To   string `json:"to"` // address of the server that shall run it
	By   string `json:"by"` // who asks, for the log
	AtMs int64  `json:"at"` // since the epoch, for people

	// Yielded says that the owner was asked, by active=false in its running node
	// and in the transaction that made the order, to give the destination up: a
	// Java server does so without knowing of the order, and then the target need
	// not leave it the time to come back.
	Yielded bool `json:"yielded,omitempty"`

	// Auto says that the coordinator has given it. Where anybody else has moved a
	// destination, the coordinator leaves it.
	Auto bool `json:"auto,omitempty"`
}

// ParseOrder reads the node of an order.
func ParseOrder(b []byte) (Order, error) {
	var o Order
	if err := json.Unmarshal(b, &o); err != nil {
		return Order{}, fmt.Errorf("parse order: %w", err)
	}
	if o.To == "" {
		return Order{}, errors.New("parse order: it names no server")
	}
	return o, nil
}

// Append appends o as it stands in its node.
func (o Order) Append(dst []byte) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		return dst // a struct of plain values
	}
	return append(dst, b...)
}

const (
	// orderLife is for how long an order is obeyed, from when it is first seen. One that has
	// not been carried out by then names a server that cannot.
	orderLife = 10 * time.Second

	// orderPatience is how long others leave a vacant node to the server that an order names.
	orderPatience = 3 * time.Second

	// rankStep is how long a server leaves a vacant node to each server that
	// comes before it, so that a dead server's destinations are spread.
	rankStep = 150 * time.Millisecond
)

// Times of draining. Service goes before it: what nobody else takes is run here.
const (
	// drainPatience is for how long a drained server leaves a vacant destination
	// to all others, Java servers included.
	drainPatience = JavaDelay + time.Second

	// drainRetry is for how long a drained server keeps what it took because
	// nobody else did, before it offers it again.
	drainRetry = time.Minute

	// drainPause is between two looks for somebody who can take what a drained
	// server still runs.
	drainPause = 2 * time.Second
)

// seenOrder is an order and when it was first seen. One that cannot be read
// names no server.
type seenOrder struct {
	Order
	version int64 // Mzxid
	seen    time.Duration
}

// peer is a Towpath server.
type peer struct {
	ServerInfo
	joined int64 // Czxid of its node
}

// view is what a member knows of the other Towpath servers and of the orders of
// operators.
type view struct {
	mu      sync.Mutex
	change  chan struct{} // closed, and replaced, when anything changes
	servers map[string]peer
	orders  map[string]seenOrder
	drains  map[string]bool
	wishes  map[string]string // server to which others than the coordinator have moved a destination
	settled time.Duration     // since when servers and drains are as they are
	drained time.Time         // since when this server is or is not drained
}

// changed returns a channel that is closed at the next change.
func (v *view) changed() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.change == nil {
		v.change = make(chan struct{})
	}
	return v.change
}

// update changes the view.
func (v *view) update(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	if v.change != nil {
		close(v.change)
		v.change = nil
	}
}

// order returns the order to move a destination, unless it has grown old or
// names a server that is not there.
func (v *view) order(destination string) (Order, bool) {
	o, ok := v.standing(destination)
	return o.Order, ok
}

func (v *view) standing(destination string) (seenOrder, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	o, ok := v.orders[destination]
	if !ok || clock.SinceBoot()-o.seen > orderLife || v.drains[o.To] {
		return seenOrder{}, false
	}
	_, there := v.servers[o.To]
	return o, there
}

// patience is how long this server leaves a vacant destination to others.
func (v *view) patience(c *Contender) time.Duration {
	me := c.m.o.Address
	if c.m.draining.Load() {
		return drainPatience
	}
	if o, ok := v.order(c.destination); ok {
		if o.To == me {
			return 0
		}
		return orderPatience
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	rank := 0
	mine := score(c.destination, me, c.m.o.Weight, c.preferred)
	for address, info := range v.servers {
		if address != me && !v.drains[address] && score(c.destination, address, info.Weight, c.preferred) > mine {
			rank++
		}
	}
	return min(time.Duration(rank)*rankStep, orderPatience)
}

// named tells whether an order names this server as the one to run the
// destination, and whether the owner was asked to give it up.
func (c *Contender) named() (named, yielded bool) {
	o, ok := c.m.view.order(c.destination)
	return ok && o.To == c.m.o.Address, o.Yielded
}

// dismissed tells whether this server, the owner, is to hand the destination
// over, why, and for how long it shall leave it to others then.
func (c *Contender) dismissed(ctx context.Context, s *zk.Session) (why string, abstention time.Duration, yes bool) {
	switch o, ok := c.m.view.standing(c.destination); {
	case ok && o.To == c.m.o.Address:
		// It was taken before the order was seen here.
		c.m.view.settle(ctx, s, c.destination, o.To)
	case ok:
		_, competes, err := s.Exists(ctx, zktree.Competitor(c.destination, o.To))
		switch {
		case err != nil:
			return "", 0, false // the session has ended
		case competes:
			// Not for long: the target may fail to start it.
			return fmt.Sprintf("it is to move to %s, says %s", o.To, o.By), orderPatience, true
		case c.refused != o.version:
			c.refused = o.version
			c.log.Warn("an order is not carried out: the server that it names does not compete for the destination", "to", o.To, "by", o.By)
		}
	}
	if !c.m.draining.Load() {
		return "", 0, false
	}
	return c.drained(ctx, s)
}

// drained is dismissed for a server that is being drained: it keeps what nobody
// else can run.
func (c *Contender) drained(ctx context.Context, s *zk.Session) (why string, abstention time.Duration, yes bool) {
	const alone = "this server is drained, but nobody else can run it"
	if since := c.Status().Since; since.After(c.m.view.drainedSince()) && time.Since(since) < drainRetry {
		c.spare(alone)
		return "", 0, false
	}
	others, err := c.successors(ctx, s)
	switch {
	case err != nil:
		return "", 0, false
	case len(others) == 0:
		c.spare(alone)
		return "", 0, false
	}
	c.spared = false
	return "this server is being drained", 0, true
}

// spare says, once, that the destination stays.
func (c *Contender) spare(why string) {
	if !c.spared {
		c.spared = true
		c.log.Warn("the destination stays on this server, which is being drained: nobody else competes for it or was able to start it")
	}
	c.set(RoleOwner, c.m.o.Address, why)
}

// successors are the other servers that compete for the destination and are not
// drained, Java servers included.
func (c *Contender) successors(ctx context.Context, s *zk.Session) ([]string, error) {
	names, _, err := s.Children(ctx, zktree.Competitors(c.destination))
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	v := &c.m.view
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.DeleteFunc(names, func(n string) bool { return n == c.m.o.Address || v.drains[n] }), nil
}

// wish is the server to which somebody has moved a destination; "" for none.
func (v *view) wish(destination string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.wishes[destination]
}

// forgetWish forgets the wish for a move that could not be made.
func (v *view) forgetWish(m Move) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.wishes[m.Destination] == m.To {
		delete(v.wishes, m.Destination)
	}
}

func (v *view) forgetWishes() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.wishes)
}

func (v *view) drainedSince() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.drained
}

// score orders the servers for a destination: the preferred ones first, in
// their order, and the others by weighted rendezvous hashing, which spreads the
// destinations of a server that has gone over all others by their weights.
func score(destination, address string, weight int, preferred []string) float64 {
	if i := slices.Index(preferred, address); i >= 0 {
		return math.MaxFloat64 / float64(i+1)
	}
	h := fnv.New64a()
	h.Write([]byte(destination))
	h.Write([]byte{0})
	h.Write([]byte(address))
	x := mix(h.Sum64())
	u := (float64(x>>11) + 0.5) / (1 << 53) // in (0, 1)
	return -float64(max(1, weight)) / math.Log(u)
}

// mix spreads what differs in few bits: the finalizer of MurmurHash3.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// settle removes the order that named this server: it has been carried out, or
// cannot be.
func (v *view) settle(ctx context.Context, s *zk.Session, destination, address string) {
	v.mu.Lock()
	o, ok := v.orders[destination]
	if ok = ok && o.To == address; ok {
		delete(v.orders, destination) // before the watch tells, so that it is not followed once more
	}
	v.mu.Unlock()
	if !ok {
		return
	}
	// A stale one is not obeyed, so an error costs nothing.
	_ = s.Delete(ctx, zktree.Move(destination), zk.AnyVersion)
}

// watchOrders keeps the view up to date until ctx ends.
func (m *Member) watchOrders(ctx context.Context, s *zk.Session) {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() {
		mirror(ctx, s, zktree.TowpathServers, m.o.Logger, func(nodes map[string]mirrored) {
			servers := make(map[string]peer)
			for address, n := range nodes {
				info, err := ParseServerInfo(n.data)
				if err != nil {
					info = ServerInfo{Weight: 1}
				}
				servers[address] = peer{ServerInfo: info, joined: n.created}
			}
			m.view.update(func() { m.view.servers, m.view.settled = servers, clock.SinceBoot() })
		})
	})
	parts.Go(func() {
		mirror(ctx, s, zktree.Drains, m.o.Logger, func(nodes map[string]mirrored) {
			drains := make(map[string]bool)
			for address := range nodes {
				drains[address] = true
			}
			drained := drains[m.o.Address]
			changed := m.draining.Load() != drained
			m.view.update(func() {
				m.view.drains, m.view.settled = drains, clock.SinceBoot()
				if changed {
					m.view.drained = time.Now()
					m.draining.Store(drained)
				}
			})
			if changed {
				m.o.Logger.Warn("an operator has changed whether this server may run anything", "drained", drained)
				m.touch()
			}
		})
	})
	mirror(ctx, s, zktree.Moves, m.o.Logger, func(nodes map[string]mirrored) {
		m.view.update(func() {
			orders := make(map[string]seenOrder)
			for d, n := range nodes {
				o, err := ParseOrder(n.data)
				if err != nil {
					m.o.Logger.Warn("an order to move a destination cannot be read", "destination", d, "error", err)
				}
				if old, ok := m.view.orders[d]; ok && old.version == n.version {
					orders[d] = old
					continue
				}
				orders[d] = seenOrder{Order: o, version: n.version, seen: clock.SinceBoot()}
				if err == nil && !o.Auto {
					m.view.wishes[d] = o.To // where it shall stay
				}
			}
			m.view.orders = orders
		})
	})
}

// mirrored is a node as mirror found it.
type mirrored struct {
	data    []byte
	version int64 // Mzxid
	created int64 // Czxid
}

// mirror calls changed with the children of a node, now and whenever one comes
// or goes, until ctx ends.
func mirror(ctx context.Context, s *zk.Session, path string, log *slog.Logger, changed func(map[string]mirrored)) {
	for ctx.Err() == nil {
		var (
			nodes map[string]mirrored
			watch <-chan zk.Event
		)
		err := retry(ctx, func() (err error) {
			nodes, watch, err = readChildren(ctx, s, path)
			return err
		}, log, "read "+path)
		if err != nil {
			return
		}
		changed(nodes)
		select {
		case <-watch:
		case <-ctx.Done():
		}
	}
}

// readChildren reads and watches the children of a node, which is made if it is
// missing.
func readChildren(ctx context.Context, s *zk.Session, path string) (map[string]mirrored, <-chan zk.Event, error) {
	names, _, watch, err := s.ChildrenW(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if err = s.CreateParents(ctx, path+"/x"); err == nil {
			names, _, watch, err = s.ChildrenW(ctx, path)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	nodes := make(map[string]mirrored)
	for _, name := range names {
		b, st, err := s.Get(ctx, path+"/"+name)
		if errors.Is(err, zk.ErrNoNode) {
			continue // gone since
		}
		if err != nil {
			return nil, nil, err
		}
		nodes[name] = mirrored{data: b, version: st.Mzxid, created: st.Czxid}
	}
	return nodes, watch, nil
}
