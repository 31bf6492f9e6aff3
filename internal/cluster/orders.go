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

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Order asks for a destination to be moved.
type Order struct {
	To   string `json:"to"` // address of the server that shall run it
	By   string `json:"by"` // who asks, for the log
	AtMs int64  `json:"at"` // since the epoch, for people
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

// seenOrder is an order and when it was first seen.
type seenOrder struct {
	Order
	version int64 // Mzxid
	seen    time.Duration
}

// view is what a member knows of the other Towpath servers and of the orders of
// operators.
type view struct {
	mu      sync.Mutex
	change  chan struct{} // closed, and replaced, when anything changes
	servers map[string]ServerInfo
	orders  map[string]seenOrder
	drains  map[string]bool
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
	v.mu.Lock()
	defer v.mu.Unlock()
	o, ok := v.orders[destination]
	if !ok || sinceBoot()-o.seen > orderLife || v.drains[o.To] {
		return Order{}, false
	}
	_, there := v.servers[o.To]
	return o.Order, there
}

// patience is how long this server leaves a vacant destination to others; false
// means that it shall not take it at all.
func (v *view) patience(c *Contender) (time.Duration, bool) {
	me := c.m.o.Address
	if c.m.draining.Load() {
		return 0, false
	}
	if o, ok := v.order(c.destination); ok {
		if o.To == me {
			return 0, true
		}
		return orderPatience, true
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
	return min(time.Duration(rank)*rankStep, orderPatience), true
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

// taken removes the order that has been carried out.
func (v *view) taken(ctx context.Context, s *zk.Session, destination, address string) {
	v.mu.Lock()
	o, ok := v.orders[destination]
	v.mu.Unlock()
	if !ok || o.To != address {
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
			servers := make(map[string]ServerInfo)
			for address, n := range nodes {
				info, err := ParseServerInfo(n.data)
				if err != nil {
					info = ServerInfo{Weight: 1}
				}
				servers[address] = info
			}
			m.view.update(func() { m.view.servers = servers })
		})
	})
	parts.Go(func() {
		mirror(ctx, s, zktree.Drains, m.o.Logger, func(nodes map[string]mirrored) {
			drains := make(map[string]bool)
			for address := range nodes {
				drains[address] = true
			}
			if m.draining.Swap(drains[m.o.Address]) != drains[m.o.Address] {
				m.o.Logger.Warn("an operator has changed whether this server may run anything", "drained", drains[m.o.Address])
				m.touch()
			}
			m.view.update(func() { m.view.drains = drains })
		})
	})
	mirror(ctx, s, zktree.Moves, m.o.Logger, func(nodes map[string]mirrored) {
		m.view.update(func() {
			orders := make(map[string]seenOrder)
			for d, n := range nodes {
				o, err := ParseOrder(n.data)
				if err != nil {
					m.o.Logger.Warn("an order to move a destination cannot be read", "destination", d, "error", err)
					continue
				}
				if old, ok := m.view.orders[d]; ok && old.version == n.version {
					orders[d] = old
					continue
				}
				orders[d] = seenOrder{Order: o, version: n.version, seen: sinceBoot()}
			}
			m.view.orders = orders
		})
	})
}

// mirrored is a node as mirror found it.
type mirrored struct {
	data    []byte
	version int64 // Mzxid
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
		nodes[name] = mirrored{data: b, version: st.Mzxid}
	}
	return nodes, watch, nil
}
