package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// RequestRebalance asks the coordinator to spread the destinations now, whether
// or not servers do so by themselves. It removes zktree.Rebalance when it has.
func RequestRebalance(ctx context.Context, s *zk.Session) error {
	if err := createOnce(ctx, s, zktree.Rebalance); err != nil {
		return fmt.Errorf("ask for the destinations to be spread: %w", err)
	}
	return nil
}

// Drain orders a Towpath server to hand over all it runs and to take nothing that
// another server takes, also after a restart, until Undrain.
func Drain(ctx context.Context, s *zk.Session, address string) error {
	if err := createOnce(ctx, s, zktree.Drain(address)); err != nil {
		return fmt.Errorf("drain %s: %w", address, err)
	}
	return nil
}

// Undrain takes the order back. It reports whether there was one.
func Undrain(ctx context.Context, s *zk.Session, address string) (bool, error) {
	err := s.Delete(ctx, zktree.Drain(address), zk.AnyVersion)
	if errors.Is(err, zk.ErrNoNode) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("undrain %s: %w", address, err)
	}
	return true, nil
}

// createOnce makes a node without data, which may be there.
func createOnce(ctx context.Context, s *zk.Session, path string) error {
	err := s.CreateParents(ctx, path)
	if err == nil {
		_, err = s.Create(ctx, path, nil, zk.Persistent)
	}
	if errors.Is(err, zk.ErrNodeExists) {
		return nil
	}
	return err
}

// Ownership is who runs a destination.
type Ownership struct {
	Owner   string    // address; "" when nobody does
	Towpath bool      // it is a Towpath server
	Since   time.Time // by the clock of ZooKeeper
	Active  bool      // false while the owner is asked to give it up
	Session int64     // of the owner

	version int32
}

// ReadOwnership reads who runs a destination.
func ReadOwnership(ctx context.Context, s *zk.Session, destination string) (Ownership, error) {
	data, st, err := s.Get(ctx, zktree.Running(destination))
	if errors.Is(err, zk.ErrNoNode) {
		return Ownership{}, nil
	}
	if err != nil {
		return Ownership{}, fmt.Errorf("read who runs %s: %w", destination, err)
	}
	return ownershipOf(ctx, s, destination, data, st)
}

func ownershipOf(ctx context.Context, s *zk.Session, destination string, data []byte, st zk.Stat) (Ownership, error) {
	r, err := zktree.ParseServerRunning(data)
	if err != nil {
		return Ownership{}, fmt.Errorf("read who runs %s: %w", destination, err)
	}
	o := Ownership{Owner: r.Address, Active: r.Active, Since: time.UnixMilli(st.Ctime), Session: st.EphemeralOwner, version: st.Version}
	server, ok, err := s.Exists(ctx, zktree.TowpathServer(r.Address))
	if err != nil {
		return Ownership{}, fmt.Errorf("read who runs %s: %w", destination, err)
	}
	o.Towpath = ok && server.EphemeralOwner == st.EphemeralOwner
	return o, nil
}

// watchOwnership is ReadOwnership with a channel that tells when that changes.
func watchOwnership(ctx context.Context, s *zk.Session, destination string) (Ownership, <-chan zk.Event, error) {
	for {
		data, st, watch, err := s.GetW(ctx, zktree.Running(destination))
		if err == nil {
			o, err := ownershipOf(ctx, s, destination, data, st)
			return o, watch, err
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return Ownership{}, nil, err
		}
		_, exists, watch, err := s.ExistsW(ctx, zktree.Running(destination))
		if err != nil || !exists {
			return Ownership{}, watch, err
		}
	}
}

// Errors of MoveTo and Release.
var (
	ErrNotRunning   = errors.New("nobody runs the destination")
	ErrNoSuccessor  = errors.New("no other server that is not drained competes for the destination")
	ErrNotMoved     = errors.New("the server has not taken the destination, or was not able to start it")
	ErrWrongTarget  = errors.New("the server cannot take the destination")
	errOrderChanged = errors.New("the owner has changed meanwhile, try again")
)

// Moved is how a move went.
type Moved struct {
	From, To string
	Took     time.Duration // from the order to the new owner
	Vacant   time.Duration // of that, while nobody owned it
}

// MoveTo moves a destination to a Towpath server and waits until that runs it, for
// as long as orders are obeyed. by is who asks, for the log of the owner. The
// owner may be a Java server. The error is one of ErrWrongTarget, when to is no
// Towpath server, is drained, or does not compete for the destination, and
// ErrNotMoved, or one of ZooKeeper's. Moving it to its owner does nothing.
func MoveTo(ctx context.Context, s *zk.Session, destination, to, by string) (Moved, error) {
	if err := checkTarget(ctx, s, destination, to); err != nil {
		return Moved{}, fmt.Errorf("move %s to %s: %w", destination, to, err)
	}
	o, watch, err := watchOwnership(ctx, s, destination)
	if err != nil {
		return Moved{}, fmt.Errorf("move %s to %s: %w", destination, to, err)
	}
	m := Moved{From: o.Owner, To: to}
	if o.Owner == to {
		return m, nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, orderLife, ErrNotMoved)
	defer cancel()
	begun := time.Now()
	if err = order(limited, s, destination, o, Order{To: to, By: by, AtMs: begun.UnixMilli()}); err == nil {
		if m.Vacant, err = awaitOwner(limited, s, destination, to, o, watch); err == nil {
			err = awaitStart(limited, s, destination, to)
		}
	}
	m.Took = time.Since(begun)
	if errors.Is(err, ErrNotMoved) {
		err = notMoved(ctx, s, destination)
	}
	if err != nil {
		err = fmt.Errorf("move %s to %s: %w", destination, to, err)
	}
	return m, err
}

// checkTarget says why a server cannot take a destination.
func checkTarget(ctx context.Context, s *zk.Session, destination, to string) error {
	for _, check := range []struct {
		path string
		want bool
		why  string
	}{
		{zktree.TowpathServer(to), true, "it is not a Towpath server of this cluster; a Java server takes a destination only when it is the first to see it vacant"},
		{zktree.Drain(to), false, "it is drained"},
		{zktree.Competitor(destination, to), true, "it does not compete for the destination, which is not configured there or is lazy"},
	} {
		_, ok, err := s.Exists(ctx, check.path)
		if err != nil {
			return err
		}
		if ok != check.want {
			return fmt.Errorf("%w: %s", ErrWrongTarget, check.why)
		}
	}
	return nil
}

// order gives an order in place of one that stands. A Java server, which does
// not know of orders, is asked in its own way in the same transaction.
func order(ctx context.Context, s *zk.Session, destination string, owner Ownership, o Order) error {
	path := zktree.Move(destination)
	if err := s.CreateParents(ctx, path); err != nil {
		return err
	}
	var ops []zk.Op
	if owner.Owner != "" && !owner.Towpath {
		o.Yielded = true
		ops = append(ops, askToYield(destination, owner))
	}
	if _, old, err := s.Exists(ctx, path); err != nil {
		return err
	} else if old {
		ops = append(ops, zk.DeleteOp(path, zk.AnyVersion))
	}
	_, err := s.Multi(ctx, append(ops, zk.CreateOp(path, o.Append(nil), zk.Persistent))...)
	if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNodeExists) {
		return errOrderChanged
	}
	return err
}

// askToYield is active=false in the running node, upon which servers of both
// kinds give the destination up.
func askToYield(destination string, o Ownership) zk.Op {
	return zk.SetOp(zktree.Running(destination), zktree.ServerRunning{Active: false, Address: o.Owner}.Append(nil), o.version)
}

// awaitOwner waits until a server owns a destination, and returns for how long
// nobody did.
func awaitOwner(ctx context.Context, s *zk.Session, destination, to string, o Ownership, watch <-chan zk.Event) (vacant time.Duration, err error) {
	var since time.Time
	for o.Owner != to {
		if o.Owner == "" && since.IsZero() {
			since = time.Now()
		}
		select {
		case <-watch:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		if o, watch, err = watchOwnership(ctx, s, destination); err != nil {
			return 0, err
		}
	}
	if !since.IsZero() {
		vacant = time.Since(since)
	}
	return vacant, nil
}

// awaitStart waits until the new owner has removed the order, which it does when
// it has started the instance, or has failed and given its node up.
func awaitStart(ctx context.Context, s *zk.Session, destination, to string) error {
	for {
		_, stands, watch, err := s.ExistsW(ctx, zktree.Move(destination))
		if err != nil {
			return err
		}
		if !stands {
			break
		}
		select {
		case <-watch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	o, err := ReadOwnership(ctx, s, destination)
	if err == nil && o.Owner != to {
		err = ErrNotMoved
	}
	return err
}

// notMoved removes the order, which nobody has carried out, and says how things are.
func notMoved(ctx context.Context, s *zk.Session, destination string) error {
	if err := s.Delete(ctx, zktree.Move(destination), zk.AnyVersion); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	o, err := ReadOwnership(ctx, s, destination)
	switch {
	case err != nil:
		return err
	case o.Owner == "":
		return fmt.Errorf("%w, its log says why; at the moment nobody runs it", ErrNotMoved)
	}
	return fmt.Errorf("%w, its log says why; it runs on %s", ErrNotMoved, o.Owner)
}

// Release asks the owner of a destination to give it up to whichever server is
// first, and returns who that was. It is ErrNotRunning when there is no owner and
// ErrNoSuccessor when it would come back to it.
func Release(ctx context.Context, s *zk.Session, destination string) (owner string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("release %s: %w", destination, err)
		}
	}()
	o, err := ReadOwnership(ctx, s, destination)
	if err != nil {
		return "", err
	}
	if o.Owner == "" {
		return "", ErrNotRunning
	}
	others, err := candidates(ctx, s, destination, o.Owner)
	if err != nil {
		return "", err
	}
	if len(others) == 0 {
		return o.Owner, ErrNoSuccessor
	}
	_, err = s.Multi(ctx, askToYield(destination, o))
	if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode) {
		err = errOrderChanged
	}
	return o.Owner, err
}

// candidates are the servers but the owner that compete for a destination and
// are not drained.
func candidates(ctx context.Context, s *zk.Session, destination, owner string) ([]string, error) {
	names, _, err := s.Children(ctx, zktree.Competitors(destination))
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	var all []string
	for _, n := range names {
		_, drained, err := s.Exists(ctx, zktree.Drain(n))
		if err != nil {
			return nil, err
		}
		if n != owner && !drained {
			all = append(all, n)
		}
	}
	return all, nil
}
