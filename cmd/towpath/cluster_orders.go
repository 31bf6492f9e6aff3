package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// clusterPoll is how often it is looked whether an order is carried out.
const clusterPoll = 200 * time.Millisecond

// drain orders a server to hand over what it runs and waits until it has.
func (o *clusterOptions) drain(ctx context.Context, args []string) error {
	server := args[0]
	_, there, err := o.session.Exists(ctx, zktree.TowpathServer(server))
	if err != nil {
		return err
	}
	if !there {
		names, _, err := o.session.Children(ctx, zktree.TowpathServers)
		if err != nil {
			names = nil
		}
		slices.Sort(names)
		return fmt.Errorf("%s is not a Towpath server of this cluster; those are: %s", server, strings.Join(names, ", "))
	}
	if err := cluster.Drain(ctx, o.session, server); err != nil {
		return err
	}
	last := -1
	left := []string(nil)
	done, err := o.wait(ctx, func() (bool, error) {
		if left, err = o.ownedBy(ctx, server); err != nil {
			return false, err
		}
		if len(left) != last {
			last = len(left)
			fmt.Fprintf(o.stdout, "%s runs %d destinations\n", server, last)
		}
		return last == 0, nil
	})
	if err != nil {
		return err
	}
	if !done {
		return fmt.Errorf("after %v %s still runs %s; a server keeps what nobody else competes for or is able to start; it stays drained until undrain", o.timeout, server, strings.Join(left, ", "))
	}
	fmt.Fprintf(o.stdout, "%s is drained and stays so until: towpath cluster undrain %s\n", server, server)
	return nil
}

// ownedBy are the destinations that a server runs.
func (o *clusterOptions) ownedBy(ctx context.Context, server string) ([]string, error) {
	all, err := cluster.ReadOwners(ctx, o.session)
	if err != nil {
		return nil, err
	}
	var owned []string
	for d, owner := range all {
		if owner == server {
			owned = append(owned, d)
		}
	}
	slices.Sort(owned)
	return owned, nil
}

// wait calls done again and again until it is true or --timeout is over.
func (o *clusterOptions) wait(ctx context.Context, done func() (bool, error)) (bool, error) {
	tick := time.NewTicker(clusterPoll)
	defer tick.Stop()
	for end := time.After(o.timeout); ; {
		if ok, err := done(); ok || err != nil {
			return ok, err
		}
		select {
		case <-tick.C:
		case <-end:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

func (o *clusterOptions) undrain(ctx context.Context, args []string) error {
	was, err := cluster.Undrain(ctx, o.session, args[0])
	if err != nil {
		return err
	}
	if !was {
		fmt.Fprintf(o.stdout, "%s was not drained\n", args[0])
		return nil
	}
	fmt.Fprintf(o.stdout, "%s may run destinations again\n", args[0])
	return nil
}

func (o *clusterOptions) move(ctx context.Context, args []string) error {
	m, err := cluster.MoveTo(ctx, o.session, args[0], args[1], operator())
	switch {
	case err != nil:
		return err
	case m.From == m.To:
		fmt.Fprintf(o.stdout, "%s runs on %s already\n", args[0], m.To)
	case m.From == "":
		fmt.Fprintf(o.stdout, "%s, which nobody ran, runs on %s\n", args[0], m.To)
	default:
		fmt.Fprintf(o.stdout, "%s went from %s to %s in %v; nobody owned it for %v\n", args[0], m.From, m.To, m.Took.Round(time.Millisecond), m.Vacant.Round(time.Millisecond))
	}
	return nil
}

// operator is who gives an order, for the logs of the servers.
func operator() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return "an operator on " + host
}

func (o *clusterOptions) release(ctx context.Context, args []string) error {
	was, err := cluster.Release(ctx, o.session, args[0])
	if err != nil {
		return err
	}
	begun := time.Now()
	owner := was
	done, err := o.wait(ctx, func() (bool, error) {
		now, err := cluster.ReadOwnership(ctx, o.session, args[0])
		owner = now.Owner
		return now.Owner != "" && now.Owner != was, err
	})
	switch {
	case err != nil:
		return err
	case !done && owner == "":
		return fmt.Errorf("%s has given %s up, and nobody has taken it in %v", was, args[0], o.timeout)
	case !done:
		return fmt.Errorf("%s runs on %s as before", args[0], owner)
	}
	fmt.Fprintf(o.stdout, "%s went from %s to %s in %v\n", args[0], was, owner, time.Since(begun).Round(time.Millisecond))
	return nil
}

// rebalance asks the coordinator, and waits until it has done it.
func (o *clusterOptions) rebalance(ctx context.Context, _ []string) error {
	before, err := cluster.ReadOwners(ctx, o.session)
	if err != nil {
		return err
	}
	if err := cluster.RequestRebalance(ctx, o.session); err != nil {
		return err
	}
	done, err := o.wait(ctx, func() (bool, error) {
		_, waits, err := o.session.Exists(ctx, zktree.Rebalance)
		return !waits, err
	})
	if err != nil {
		return err
	}
	after, err := cluster.ReadOwners(ctx, o.session)
	if err != nil {
		return err
	}
	moved := 0
	for d, owner := range after {
		if owner != before[d] {
			moved++
		}
	}
	if !done {
		return fmt.Errorf("not done after %v, %d destinations have moved: the coordinator may be at it still, or no Towpath server is there", o.timeout, moved)
	}
	fmt.Fprintf(o.stdout, "%d destinations have moved\n", moved)
	return nil
}

func (o *clusterOptions) expire(ctx context.Context, args []string) error {
	id, err := strconv.ParseInt(args[1], 10, 16)
	if err != nil || id < 0 {
		return fmt.Errorf("%w: %q is not the id of a client", errUsage, args[1])
	}
	path := zktree.Client(args[0], int16(id))
	_, there, err := o.session.Exists(ctx, path)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("client %d has no subscription to %s", id, args[0])
	}
	err = meta.Expire(ctx, o.session, args[0], int16(id), o.force)
	if errors.Is(err, meta.ErrConsuming) {
		return fmt.Errorf("%w (stop it, or use --force)", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "client %d of %s is deleted; the owner of the destination gives it up within 10s, unless the client is alive\n", id, args[0])
	return nil
}
