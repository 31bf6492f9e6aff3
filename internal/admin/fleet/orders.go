package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// ClusterOrderTime is how long an order to a cluster waits until it is carried
// out.
const ClusterOrderTime = 20 * time.Second

// orderPoll is how often it is looked whether an order is carried out.
const orderPoll = 200 * time.Millisecond

// Errors of orders to a cluster, beside those of package cluster.
var (
	// ErrNotTowpath says that an address is that of no Towpath server of the cluster.
	ErrNotTowpath = errors.New("not a Towpath server of this cluster")
	// ErrBadDestination says that a text is not the name of a destination.
	ErrBadDestination = errors.New("not the name of a destination")
	// ErrBadAddress says that a text is no ip:port.
	ErrBadAddress = errors.New("not an address of the form ip:port")
)

// NotYetError says that an order has been given and is not carried out yet. It
// stays in force.
type NotYetError struct {
	Left  []string // destinations that a server that is drained still runs
	Owner string   // who runs a destination that shall move; "" when nobody does
}

func (e *NotYetError) Error() string { return "the order is not carried out yet" }

// Drain orders a Towpath server, by its address for clients, to hand over all
// that it runs and to take nothing, and waits until it runs nothing.
func (f *Fleet) Drain(ctx context.Context, c database.Cluster, address string) error {
	return f.orderCluster(ctx, c, func(ctx context.Context, s *zk.Session) error {
		if err := checkMember(ctx, s, address); err != nil {
			return err
		}
		if err := cluster.Drain(ctx, s, address); err != nil {
			return err
		}
		var left []string
		done, err := await(ctx, func() (bool, error) {
			owners, err := cluster.ReadOwners(ctx, s)
			left = nil
			for destination, owner := range owners {
				if owner == address {
					left = append(left, destination)
				}
			}
			slices.Sort(left)
			return len(left) == 0, err
		})
		if err == nil && !done {
			err = &NotYetError{Left: left}
		}
		return err
	})
}

// Undrain takes the order to drain a server back. It reports whether there was
// one.
func (f *Fleet) Undrain(ctx context.Context, c database.Cluster, address string) (was bool, err error) {
	if err := checkServerAddress(address); err != nil {
		return false, err
	}
	err = f.orderCluster(ctx, c, func(ctx context.Context, s *zk.Session) error {
		was, err = cluster.Undrain(ctx, s, address)
		return err
	})
	return was, err
}

// Move moves a destination to a Towpath server and waits until that runs it. by is
// who asks, for the logs of the servers.
func (f *Fleet) Move(ctx context.Context, c database.Cluster, destination, to, by string) (moved cluster.Moved, err error) {
	if err := checkDestination(destination); err != nil {
		return moved, err
	}
	if err := checkServerAddress(to); err != nil {
		return moved, err
	}
	err = f.orderCluster(ctx, c, func(ctx context.Context, s *zk.Session) error {
		moved, err = cluster.MoveTo(ctx, s, destination, to, by)
		return err
	})
	return moved, err
}

// Release has the owner of a destination give it to whichever server is first, and
// waits until another has it.
func (f *Fleet) Release(ctx context.Context, c database.Cluster, destination string) (from, to string, err error) {
	if err := checkDestination(destination); err != nil {
		return "", "", err
	}
	err = f.orderCluster(ctx, c, func(ctx context.Context, s *zk.Session) error {
		if from, err = cluster.Release(ctx, s, destination); err != nil {
			return err
		}
		done, err := await(ctx, func() (bool, error) {
			now, err := cluster.ReadOwnership(ctx, s, destination)
			to = now.Owner
			return to != "" && to != from, err
		})
		if err == nil && !done {
			err = &NotYetError{Owner: to}
		}
		return err
	})
	return from, to, err
}

// Rebalance asks the coordinator of a cluster to spread the destinations, waits
// until it has, and tells how many have moved.
func (f *Fleet) Rebalance(ctx context.Context, c database.Cluster) (moved int, err error) {
	err = f.orderCluster(ctx, c, func(ctx context.Context, s *zk.Session) error {
		before, err := cluster.ReadOwners(ctx, s)
		if err != nil {
			return err
		}
		if err := cluster.RequestRebalance(ctx, s); err != nil {
			return err
		}
		done, err := await(ctx, func() (bool, error) {
			_, waits, err := s.Exists(ctx, zktree.Rebalance)
			return !waits, err
		})
		if err != nil {
			return err
		}
		if !done {
			return &NotYetError{}
		}
		after, err := cluster.ReadOwners(ctx, s)
		for destination, owner := range after {
			if owner != before[destination] {
				moved++
			}
		}
		return err
	})
	return moved, err
}

// orderCluster gives an order, after which nothing that was seen before counts. A
// little of the time stays for the answer after await has given up.
func (f *Fleet) orderCluster(ctx context.Context, c database.Cluster, give func(context.Context, *zk.Session) error) error {
	err := f.withSession(ctx, c, ClusterOrderTime+zooTimeout, give)
	f.expireCluster(ctx, c)
	return err
}

// expireCluster makes what is known of a cluster and of its servers too old.
func (f *Fleet) expireCluster(ctx context.Context, c database.Cluster) {
	if e, err := f.ensemble(ctx, c); err == nil {
		e.overview.expire()
	}
	r, _ := f.rows.last()
	if r == nil {
		return
	}
	for _, s := range r.servers {
		if s.ClusterID != nil && *s.ClusterID == c.ID {
			f.host(s).expire()
		}
	}
	f.sight.touch()
}

// checkMember refuses an address that no Towpath server of the cluster has.
func checkMember(ctx context.Context, s *zk.Session, address string) error {
	if err := checkServerAddress(address); err != nil {
		return err
	}
	_, there, err := s.Exists(ctx, zktree.TowpathServer(address))
	if err == nil && !there {
		err = fmt.Errorf("%s: %w", address, ErrNotTowpath)
	}
	return err
}

func checkDestination(destination string) error {
	if err := zktree.CheckDestination(destination); err != nil {
		return fmt.Errorf("%w: %w", ErrBadDestination, err)
	}
	return nil
}

// checkServerAddress refuses what cannot be the name of a server's node.
func checkServerAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" || strings.ContainsAny(address, "/ ") || CheckPath(zktree.TowpathServer(address)) != nil {
		return fmt.Errorf("%q: %w", address, ErrBadAddress)
	}
	return nil
}

// await calls done again and again until it is true or ClusterOrderTime is over.
func await(ctx context.Context, done func() (bool, error)) (bool, error) {
	tick := time.NewTicker(orderPoll)
	defer tick.Stop()
	end := time.NewTimer(ClusterOrderTime)
	defer end.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return ok, err
		}
		select {
		case <-tick.C:
		case <-end.C:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}
