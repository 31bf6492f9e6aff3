package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Overview is a cluster as it stands in ZooKeeper. What is in different nodes was
// read one after the other, so that a move in between shows.
type Overview struct {
	Servers      []ServerView
	Destinations []DestinationView
	Orders       []OrderView
	Problems     []string // what a person should look at, in words
}

// ServerView is a server of either kind.
type ServerView struct {
	Address    string
	Towpath    bool
	ServerInfo                // of a Towpath server
	Registered bool           // it is in Canal's list of servers
	Drain      bool           // there is an order to drain it
	Owns       int            // destinations whose running node names it
	session    map[int64]bool // those of its nodes
}

// DestinationView is a destination.
type DestinationView struct {
	Name string
	Ownership
	Competitors []string
	Clients     []meta.Subscription
	Progress    Progress // of the owner; zero when it has told nothing
}

// OrderView is an order to move a destination.
type OrderView struct {
	Destination string
	Order
	Bad error // it cannot be read
}

// ReadOverview reads all of a cluster: about four reads for each destination and
// four for each subscription.
func ReadOverview(ctx context.Context, s *zk.Session) (*Overview, error) {
	if err := s.Sync(ctx, "/"); err != nil {
		return nil, fmt.Errorf("read the cluster: %w", err)
	}
	o := &Overview{}
	servers, err := readServers(ctx, s)
	if err == nil {
		err = o.readDestinations(ctx, s)
	}
	if err == nil {
		err = o.readOrders(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("read the cluster: %w", err)
	}
	for _, d := range o.Destinations {
		if v := servers[d.Owner]; v != nil {
			v.Owns++
			v.session[d.Session] = true
		}
	}
	for _, address := range slices.Sorted(maps.Keys(servers)) {
		o.Servers = append(o.Servers, *servers[address])
	}
	o.findProblems()
	return o, nil
}

// readServers reads the servers of both lists and those that are to be drained.
func readServers(ctx context.Context, s *zk.Session) (map[string]*ServerView, error) {
	servers := make(map[string]*ServerView)
	at := func(address string) *ServerView {
		if servers[address] == nil {
			servers[address] = &ServerView{Address: address, session: make(map[int64]bool)}
		}
		return servers[address]
	}
	for _, list := range []struct {
		path string
		add  func(v *ServerView, data []byte)
	}{
		{zktree.Servers, func(v *ServerView, _ []byte) { v.Registered = true }},
		{zktree.TowpathServers, func(v *ServerView, data []byte) {
			v.Towpath = true
			if info, err := ParseServerInfo(data); err == nil {
				v.ServerInfo = info
			}
		}},
		{zktree.Drains, func(v *ServerView, _ []byte) { v.Drain = true }},
	} {
		names, err := children(ctx, s, list.path)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			data, st, err := s.Get(ctx, list.path+"/"+n)
			if errors.Is(err, zk.ErrNoNode) {
				continue // gone since
			}
			if err != nil {
				return nil, err
			}
			v := at(n)
			list.add(v, data)
			if st.EphemeralOwner != 0 {
				v.session[st.EphemeralOwner] = true
			}
		}
	}
	return servers, nil
}

// children are the children of a node that may be missing, sorted.
func children(ctx context.Context, s *zk.Session, path string) ([]string, error) {
	names, _, err := s.Children(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		err = nil
	}
	slices.Sort(names)
	return names, err
}

func (o *Overview) readDestinations(ctx context.Context, s *zk.Session) error {
	names, err := children(ctx, s, zktree.Destinations)
	if err != nil {
		return err
	}
	o.Destinations = make([]DestinationView, len(names))
	return each(len(names), readers, func(i int) error {
		d := &o.Destinations[i]
		d.Name = names[i]
		return d.read(ctx, s)
	})
}

// ReadOwners returns the owner of each destination that somebody runs: at most
// two reads for each.
func ReadOwners(ctx context.Context, s *zk.Session) (map[string]string, error) {
	names, err := children(ctx, s, zktree.Destinations)
	if err != nil {
		return nil, fmt.Errorf("read who runs what: %w", err)
	}
	found := make([]Ownership, len(names))
	err = each(len(names), readers, func(i int) (err error) {
		found[i], err = ReadOwnership(ctx, s, names[i])
		return err
	})
	owners := make(map[string]string)
	for i, o := range found {
		if o.Owner != "" {
			owners[names[i]] = o.Owner
		}
	}
	return owners, err
}

func (d *DestinationView) read(ctx context.Context, s *zk.Session) (err error) {
	if d.Ownership, err = ReadOwnership(ctx, s, d.Name); err != nil {
		return err
	}
	if d.Competitors, err = children(ctx, s, zktree.Competitors(d.Name)); err != nil {
		return err
	}
	if d.Clients, err = meta.ReadSubscriptions(ctx, s, d.Name); err != nil {
		return err
	}
	data, _, err := s.Get(ctx, zktree.Status(d.Name))
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err == nil {
		d.Progress, err = ParseProgress(data)
	}
	return err
}

func (o *Overview) readOrders(ctx context.Context, s *zk.Session) error {
	names, err := children(ctx, s, zktree.Moves)
	if err != nil {
		return err
	}
	for _, n := range names {
		data, _, err := s.Get(ctx, zktree.Move(n))
		if errors.Is(err, zk.ErrNoNode) {
			continue // carried out since
		}
		if err != nil {
			return err
		}
		order, bad := ParseOrder(data)
		o.Orders = append(o.Orders, OrderView{Destination: n, Order: order, Bad: bad})
	}
	return nil
}

// findProblems says what is not as it should be.
func (o *Overview) findProblems() {
	say := func(format string, args ...any) { o.Problems = append(o.Problems, fmt.Sprintf(format, args...)) }
	known := make(map[string]ServerView)
	for _, v := range o.Servers {
		known[v.Address] = v
	}
	for _, d := range o.Destinations {
		owner := known[d.Owner]
		switch {
		case d.Owner == "" && len(d.Competitors) == 0:
			say("nobody runs %s: no server competes for it", d.Name)
		case d.Owner == "":
			say("nobody runs %s, for which %s compete: their logs say why", d.Name, strings.Join(d.Competitors, ", "))
		case !owner.Registered && !owner.Towpath:
			say("%s runs on %s, which is in no list of servers: a server that has lost its session and not noticed, or a session that has not expired yet", d.Name, d.Owner)
		case !slices.Contains(d.Competitors, d.Owner):
			say("%s runs on %s, which is not among the servers that compete for it", d.Name, d.Owner)
		}
		if d.Owner != "" && !d.Active {
			say("the owner of %s, %s, has been asked to give it up (active=false) and has not", d.Name, d.Owner)
		}
		for _, c := range d.Clients {
			if c.Err != nil {
				say("%s does not start anywhere: %v", d.Name, c.Err)
			}
		}
	}
	for _, v := range o.Servers {
		if len(v.session) > 1 {
			say("nodes of %s belong to %d sessions: two servers have this address, or it has just been restarted", v.Address, len(v.session))
		}
		if v.Drain && v.Owns > 0 {
			say("%s is drained and still runs %d destinations", v.Address, v.Owns)
		}
	}
	for _, order := range o.Orders {
		switch age := time.Since(time.UnixMilli(order.AtMs)); {
		case order.Bad != nil:
			say("the order to move %s cannot be read: %v", order.Destination, order.Bad)
		case age > staleOrder:
			say("the order of %s to move %s to %s has stood for %v and is not obeyed any more", order.By, order.Destination, order.To, age.Round(time.Second))
		default:
			say("%s is being moved to %s by order of %s", order.Destination, order.To, order.By)
		}
	}
}
