package meta

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/zktree"
)

// inspect compares the cursors with what was written, so that a foreign hand is
// noticed while there is nothing to write, and finds subscriptions that were
// deleted from outside. What cannot be read is looked at the next time.
func (z *ZooKeeper) inspect(ctx context.Context) {
	if !z.acquire(ctx) {
		return
	}
	defer z.release()
	t, _, err := z.o.right()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	for _, r := range z.Snapshot() {
		k := z.known[r.Client.ID]
		z.mu.Lock()
		_, due := z.dirty[r.Client.ID]
		z.mu.Unlock()
		if k == nil || k.stale || due {
			continue // the next write finds out
		}
		if err := z.inspectClient(ctx, t, k, r); err != nil {
			return
		}
	}
}

func (z *ZooKeeper) inspectClient(ctx context.Context, t tree, k *known, r Record) error {
	stat, has, err := t.Exists(ctx, zktree.Cursor(z.o.Destination, r.Client.ID))
	if err != nil || has && k.hasCursor && stat.Version == k.version {
		return err
	}
	s, err := readClient(ctx, t, r.Client)
	switch {
	case err != nil:
		return err
	case !s.known.exists:
		z.expired(r)
	case s.known.cursor != k.cursor:
		z.foreign(s, r)
		if !s.HasCursor { // the next owner could not begin where this one ends
			z.mu.Lock()
			defer z.mu.Unlock()
			k.stale = true
			z.changed(r.Client.ID, true, true)
		}
	}
	return nil
}

// expired deals with a subscription whose node was deleted from outside.
func (z *ZooKeeper) expired(r Record) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.node(r.Client.ID).stale = true
	if z.active[r.Client.ID] {
		z.changed(r.Client.ID, true, true)
		return
	}
	if z.Memory.Unsubscribe(z.life, r.Client) == nil {
		delete(z.filters, r.Client.ID)
		z.o.Notice(fmt.Sprintf("%s was deleted: the subscription is given up", zktree.Client(z.o.Destination, r.Client.ID)))
	}
}

// foreign raises the alarm about a cursor that another program wrote.
func (z *ZooKeeper) foreign(s storedClient, r Record) {
	z.mu.Lock()
	silent := !z.alarmed.IsZero() && time.Since(z.alarmed) < alarmPeriod
	if !silent {
		z.alarmed = time.Now()
	}
	z.mu.Unlock()
	if silent {
		return
	}
	found := "deleted it"
	switch {
	case s.HasCursor && r.HasCursor && r.Cursor.before(s.Cursor):
		found = fmt.Sprintf("moved it ahead to %s", s.Cursor.Position)
	case s.HasCursor:
		found = fmt.Sprintf("set it to %s", s.Cursor.Position)
	case s.known.hasCursor:
		found = "overwrote it with what is no cursor"
	}
	z.o.Alarm(fmt.Sprintf("another program has written the cursor %s: it %s, while the client has confirmed %s to this server, "+
		"which owns the destination and will write that. Does a Java server still run it? To set a cursor by hand, stop the destination first",
		zktree.Cursor(r.Client.Destination, r.Client.ID), found, r.Cursor.Position))
}
