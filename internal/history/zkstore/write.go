package zkstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

const (
	// firstPause and lastPause are between two tries to write.
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
	// maxRequest bounds what one transaction creates, and maxDeletes what it deletes.
	maxRequest = 256 << 10
	maxDeletes = 200
	// sweepTimeout bounds the deleting of what is not needed any more, which can be
	// done later as well.
	sweepTimeout = 2 * time.Second
)

// errConflict says that nodes are not as they were known.
var errConflict = errors.New("other nodes than expected")

// update changes the history: plan changes a draft of it, which is then written.
// When somebody has written meanwhile, or an answer was lost and the writing has
// been done, the nodes are read and plan is asked again: it finds what is there.
func (s *Store) update(ctx context.Context, what string, plan func(*draft) error) error {
	if err := s.updated(ctx, plan); err != nil {
		return fmt.Errorf("%s the history of %s in ZooKeeper: %w", what, s.o.Destination, err)
	}
	return nil
}

func (s *Store) updated(ctx context.Context, plan func(*draft) error) error {
	ctx, release := s.bind(ctx)
	defer release()
	select {
	case <-s.writing:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { s.writing <- struct{}{} }()
	switch { // also when the turn came at the same time, and before the one context has told the other
	case s.life.Err() != nil:
		return context.Cause(s.life)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	for round := 1; ; round++ {
		d, err := s.plan(ctx, plan)
		if err != nil || !d.dirty() {
			return err
		}
		err = s.carryOut(ctx, d)
		switch {
		case err == nil:
			s.sweep(ctx)
			return nil
		case round == maxRounds || !errors.Is(err, errConflict):
			return err
		}
	}
}

// plan makes a draft, of nodes that are read again if they may be others than is
// known.
func (s *Store) plan(ctx context.Context, plan func(*draft) error) (*draft, error) {
	if s.stale {
		if err := s.loadOrRenew(ctx); err != nil {
			return nil, err
		}
	}
	d := s.draft()
	if err := plan(d); err != nil {
		return nil, err
	}
	return d, nil
}

// carryOut writes a draft and makes it the current state.
func (s *Store) carryOut(ctx context.Context, d *draft) error {
	s.stale = true // until it is done
	if !d.state.headAt.exists() {
		if err := s.begin(ctx); err != nil {
			return err
		}
		return errConflict // there is a head now; plan again
	}
	ops, err := s.writeBlobs(ctx, d)
	if err != nil {
		return err
	}
	first := len(ops)
	changed := d.changedNodes()
	for _, n := range changed {
		if path := zktree.History(s.o.Destination) + n.name; n.exists() {
			ops = append(ops, zk.SetOp(path, n.data, n.version))
		} else {
			ops = append(ops, zk.CreateOp(path, n.data, zk.Persistent))
		}
	}
	results, err := s.write(ctx, ops)
	if err != nil {
		return err
	}
	for i, n := range changed {
		n.version = results[first+i].Stat.Version // 0 of one that was created
	}
	s.garbage = append(s.garbage, d.unneeded()...)
	for _, at := range d.added {
		s.places.add(at)
	}
	s.mu.Lock()
	s.current = &d.state
	s.mu.Unlock()
	s.stale = false
	for _, text := range d.notices {
		s.o.Notice(text)
	}
	return nil
}

// begin makes a history with nothing in it. The node above it is there unless
// somebody has deleted it, or the history is one of several of a destination.
func (s *Store) begin(ctx context.Context) error {
	path := zktree.History(s.o.Destination)
	session, err := s.o.Session(ctx)
	if err != nil {
		return err
	}
	if err := session.CreateParents(ctx, path); err != nil {
		return err
	}
	_, err = s.write(ctx, []zk.Op{
		zk.CreateOp(path, pack(kindHead, (&head{next: 1}).append(nil)), zk.Persistent),
		zk.CreateOp(path+"/tail", pack(kindPage, (&page{next: 1}).append(nil)), zk.Persistent),
	})
	if errors.Is(err, errConflict) {
		return nil // it is read now
	}
	return err
}

// writeBlobs writes the pieces of new blobs but for a few, which it returns to be
// written in one transaction with the head.
func (s *Store) writeBlobs(ctx context.Context, d *draft) ([]zk.Op, error) {
	var ops []zk.Op
	size := 0
	flush := func() error {
		_, err := s.write(ctx, ops)
		ops, size = nil, 0
		return err
	}
	for _, b := range d.newBlobs {
		for n, data := 0, b.data; len(data) > 0; n++ {
			piece := data[:min(len(data), maxPiece)]
			data = data[len(piece):]
			if size+len(piece) > maxRequest && len(ops) > 0 {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			ops = append(ops, zk.CreateOp(zktree.History(s.o.Destination)+b.node(n), piece, zk.Persistent))
			size += len(piece)
		}
	}
	return ops, nil
}

// sweep deletes what the head does not name, if that can be done soon.
func (s *Store) sweep(ctx context.Context) {
	if len(s.garbage) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	for len(s.garbage) > 0 {
		some := s.garbage[:min(len(s.garbage), maxDeletes)]
		session, checks, err := s.o.Guard()
		if err != nil {
			return
		}
		ops := checks[:len(checks):len(checks)]
		for _, name := range some {
			ops = append(ops, zk.DeleteOp(zktree.History(s.o.Destination)+"/"+name, zk.AnyVersion))
		}
		_, err = session.Multi(ctx, ops...)
		var failed *zk.MultiError
		switch {
		case err == nil:
			s.garbage = s.garbage[len(some):]
		case errors.As(err, &failed) && failed.Index >= len(checks) && errors.Is(err, zk.ErrNoNode):
			i := failed.Index - len(checks)
			s.garbage = append(s.garbage[:i:i], s.garbage[i+1:]...)
		default:
			return // later
		}
	}
}

// write does the operations in one transaction which the checks head, and tries
// until ctx ends while ZooKeeper, or the lease, is away.
func (s *Store) write(ctx context.Context, ops []zk.Op) ([]zk.Result, error) {
	var doubt error // that of a try of which the outcome is not known
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		results, err := s.try(ctx, ops)
		switch {
		case err == nil:
			return results, nil
		case ctx.Err() != nil:
			return nil, ended(ctx, err, doubt)
		case errors.Is(err, zk.ErrConnectionLost):
			doubt = err
		case errors.Is(err, history.ErrNotOwner) && doubt != nil:
			return nil, fmt.Errorf("%w; before that: %w", err, doubt)
		case !errors.Is(err, errSuspended) && !errors.Is(err, zk.ErrSessionExpired):
			return nil, err
		}
		if !rest(ctx, pause) {
			return nil, ended(ctx, err, doubt)
		}
	}
}

// ended is why ctx has ended, with what kept the write from being done until then.
func ended(ctx context.Context, err, doubt error) error {
	cause := context.Cause(ctx)
	if doubt != nil && !errors.Is(err, zk.ErrConnectionLost) {
		err = fmt.Errorf("%w; before that: %w", err, doubt)
	}
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// errSuspended says that the owner may not write at the moment.
var errSuspended = errors.New("not allowed to write at the moment")

// try does the operations once. Its error is history.ErrNotOwner when the checks
// fail, and errConflict when nodes are not as they were known; then nothing was
// done.
func (s *Store) try(ctx context.Context, ops []zk.Op) ([]zk.Result, error) {
	session, checks, err := s.o.Guard()
	if errors.Is(err, history.ErrNotOwner) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSuspended, err)
	}
	results, err := session.Multi(ctx, append(checks[:len(checks):len(checks)], ops...)...)
	var failed *zk.MultiError
	switch {
	case err == nil:
		return results[len(checks):], nil
	case !errors.As(err, &failed):
		return nil, err
	case failed.Index < len(checks):
		return nil, fmt.Errorf("%w: %w", history.ErrNotOwner, err)
	case errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNoNode):
		return nil, fmt.Errorf("%w: %w", errConflict, err)
	}
	return nil, err
}

// rest waits, and says whether ctx lasts.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
