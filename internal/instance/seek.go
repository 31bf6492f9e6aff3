package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/source"
)

// Errors of Manager.Seek.
var (
	ErrNotRunning = errors.New("the destination is not running on this server")
	ErrNotOwner   = errors.New("this server does not own the destination")
	ErrNoClient   = errors.New("no such client is subscribed")
)

// Move says where clients are to go on.
type Move struct {
	Client int16 // 0 for all that are subscribed
	To     meta.Cursor

	settle func(*Instance) // of the instance that has stopped for it; nil when none has
	err    error           // why an instance could not start with it
}

// apply moves the cursors. It is called before anything is read from them.
func (m *Move) apply(cursors meta.Manager) error {
	records := m.clients(cursors.Snapshot())
	if len(records) == 0 {
		return ErrNoClient
	}
	for n := range records {
		records[n].Cursor, records[n].HasCursor = m.To, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), moveTimeout)
	defer cancel()
	return cursors.MoveCursors(ctx, records)
}

// clients are those of the records that move.
func (m *Move) clients(records []meta.Record) []meta.Record {
	return slices.DeleteFunc(records, func(r meta.Record) bool { return m.Client != 0 && r.Client.ID != m.Client })
}

// moveTimeout bounds how long it takes to write the cursors.
const moveTimeout = 10 * time.Second

// Seek moves the cursors of a destination that runs on this server. The instance
// stops, which drops what clients have in hand, the cursors are written where they
// are kept, and it starts anew. In a cluster this server stays its owner.
//
// Whenever the server is killed meanwhile, either the old cursors count or the new
// ones. After an error that is none of this package's it is not certain which; the
// instance runs on from those that do, if it can.
//
// Clients stay connected. What they ask for meanwhile waits, and what they ack or
// roll back of before means nothing any more.
func (m *Manager) Seek(ctx context.Context, destination string, mv Move) error {
	s := m.slot(destination, false)
	if s == nil {
		return ErrNotRunning
	}
	s.op.Lock()
	defer s.op.Unlock()
	in, contender := s.instance(), s.competes()
	switch {
	case in == nil && contender != nil:
		return ErrNotOwner
	case in == nil:
		return ErrNotRunning
	case len(mv.clients(in.meta.Snapshot())) == 0:
		return ErrNoClient
	}
	c, err := m.o.Config.Instance(destination)
	if err != nil {
		return fmt.Errorf("the instance would not start again: %w", err)
	}
	in.log.Info("the cursors of clients are moved on request", "client_id", mv.Client, "to", mv.To.Position.String())
	if contender == nil {
		return m.seekAlone(s, in, c, &mv)
	}
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	err = contender.RestartWith(ctx, func() { s.setMove(&mv) })
	switch {
	case mv.settle == nil && err != nil:
		return fmt.Errorf("nothing was moved: %w", err)
	case mv.settle == nil: // a restart on another server than the owner does nothing
		return ErrNotOwner
	}
	mv.settle(s.instance())
	if mv.err != nil {
		return mv.err
	}
	return err
}

// seekAlone is Seek without a cluster. The caller holds the slot's op. The instance
// stays in the slot until its heir is there, so that requests find it.
func (m *Manager) seekAlone(s *slot, in *Instance, c config.Instance, mv *Move) error {
	settle := in.bequeath()
	_ = m.stopped(c.Destination, in.Stop()) // it has logged its error, and what is not saved comes again
	next, err := m.openMoved(in, c, nil, mv)
	s.set(next, c.Lazy, err)
	settle(next)
	if mv.err != nil {
		return mv.err
	}
	return err
}

// Locate finds where on the source that the instance reads a target is. With several
// sources its error wraps source.ErrTarget.
func (i *Instance) Locate(ctx context.Context, t source.Target) (source.Located, error) {
	if len(i.members) > 1 {
		return source.Located{}, fmt.Errorf("%w: %w", source.ErrTarget, errSeveral)
	}
	return i.members[0].source.Locate(ctx, t)
}

// Remedy says what to do about an error of Locate; "" when nothing is known.
func (i *Instance) Remedy(err error) string { return i.members[0].source.Remedy(err) }

func (s *slot) setMove(m *Move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move = m
}

// takeMove returns the move that is due, once.
func (s *slot) takeMove() *Move {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.move
	s.move = nil
	return m
}

// moving returns the move that is due, nil when none is.
func (s *slot) moving() *Move {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.move
}
