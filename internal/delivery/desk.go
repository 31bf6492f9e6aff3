package delivery

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/store"
)

// NoBatch is the batch id of a Delivery that has nothing in it; acking it is
// allowed and does nothing.
const NoBatch int64 = -1

// Options are the settings of a Desk. The zero value is usable.
type Options struct {
	// FirstBatchID is the first batch id each client gets; 1 if 0, as in Canal.
	// A desk that follows another one of the same destination should be given
	// BatchIDAt or BatchIDOf, so that a late ack for a batch of its predecessor is refused
	// and cannot hit a batch of its own.
	FirstBatchID int64

	// NextIDs are the ids that clients get first instead, by client: those of
	// Desk.NextIDs, for a desk that follows another one without clients noticing.
	NextIDs map[int16]int64

	// Guard says whether the desk may serve; nil is always.
	Guard Guard

	// Begin is where the source began to read when the store was empty; false
	// while it has not. nil means that it is not known.
	Begin func() (store.Place, bool)

	// Sources tells, for a destination with several sources, where each of them stands
	// for a client with the cursor cur, as far as that is known; with known false for
	// one that has none yet. It is called with the desk's lock held and must not call
	// the desk. nil with one source.
	Sources func(cur meta.Cursor, known bool) *meta.Sources

	// Linger, if not nil, is how long a get whose timeout is not over goes on waiting for
	// a full batch once there is anything; it then takes what there is. nil is until its
	// timeout, as in Canal.
	Linger *time.Duration

	// SetFilter makes the filter of a subscription that of the instance. It is
	// called with the desk's lock held and must not call the desk. nil ignores filters.
	SetFilter func(pattern string) error

	Hooks Hooks
}

// BatchIDAt returns a first batch id for a desk made at t: microseconds since
// the epoch, which exceeds every id of an earlier desk that handed out fewer
// than a million batches a second, and which JavaScript can still count.
func BatchIDAt(t time.Time) int64 { return t.UnixMicro() }

// BatchIDOf returns a first batch id for the desk of the nth server to serve a
// destination: above those of the earlier ones unless one of them handed out four
// billion batches.
func BatchIDOf(n int32) int64 { return int64(n) << 32 }

// Hooks are told what has happened, for the log. They are called with the
// desk's lock held and must not call the desk. Each may be nil.
type Hooks struct {
	Subscribed   func(c meta.Client, cur meta.Cursor, known, first bool) // known: there is a cursor; first: it has just been made
	Unsubscribed func(c meta.Client)
	Delivered    func(c meta.Client, fetchSize int32, d *Delivery)
	Acked        func(c meta.Client, id int64, r Range)
	RolledBack   func(c meta.Client, id int64) // id 0: all batches
}

// Delivery is the answer to a get. It has to be released (store.Batch.Release)
// when it has been written.
type Delivery struct {
	BatchID int64 // NoBatch when there was nothing
	store.Batch

	guard Guard
}

// Until is when d must have been written at the latest, as things are now: after
// that another server may be handing out the same. It is the zero time when there
// is no such limit, and has passed when it is too late.
func (d *Delivery) Until() time.Time {
	if d.guard == nil {
		return time.Time{}
	}
	return time.Now().Add(d.guard.Remaining())
}

// Desk serves the clients of one destination. Its methods may be called by any
// number of goroutines.
//
// Lock order: the desk's, then meta's and the store's.
type Desk struct {
	destination string
	store       *store.Store
	meta        meta.Manager
	source      func() (host string, port int)
	o           Options

	mu      sync.Mutex // held for as long as it takes to change batches, cursor and ring together; never during a wait
	batches map[int16]*ledger
	handed  int64 // sequence of the last item in a batch that is outstanding or acked; -1 when none since the last rollback

	drain drain
}

// New returns the desk of a destination. source tells the server that is being
// read now; it is asked for positions of items that do not name their server.
func New(destination string, st *store.Store, m meta.Manager, source func() (host string, port int), o Options) *Desk {
	if o.FirstBatchID <= 0 {
		o.FirstBatchID = 1
	}
	return &Desk{
		destination: destination, store: st, meta: m, source: source, o: o,
		batches: make(map[int16]*ledger), handed: -1, drain: newDrain(),
	}
}

// Subscribe adds the client or changes its filter. A client that has no cursor
// gets one, see first. A filter that is not empty becomes that of
// the whole instance, for all clients, from the events on that are read next.
func (d *Desk) Subscribe(ctx context.Context, c meta.Client) error {
	if err := d.admit(ctx); err != nil {
		return err
	}
	defer d.mu.Unlock()
	c.Destination = d.destination
	if c.Filter != "" && d.o.SetFilter != nil {
		if err := d.o.SetFilter(c.Filter); err != nil {
			return err
		}
	}
	if err := d.meta.Subscribe(ctx, c); err != nil {
		return d.translate(err)
	}
	cur, known := d.meta.Cursor(c)
	first := false
	if !known {
		if p, ok := d.first(); ok {
			cur, first = d.cursor(p), true
			d.addSources(&cur, meta.Cursor{}, false, nil)
			known = true
			if err := d.meta.UpdateCursor(ctx, c, cur); err != nil {
				return d.translate(err)
			}
		}
	}
	if h := d.o.Hooks.Subscribed; h != nil {
		h(c, cur, known, first)
	}
	return nil
}

// first is the cursor of a client that has none: Canal's choice is the store's
// first position. That does not do while nothing has been acked and the store is
// empty, because then nothing would be known after a restart; nor in GTID mode,
// because the set of the first item contains its own transaction, which a
// restart would skip.
func (d *Desk) first() (store.Place, bool) {
	p, ok := d.store.FirstPosition()
	acked := d.store.Stats().AckSeq >= 0
	if (!ok || !acked && p.Position.GTIDSet != "") && d.o.Begin != nil {
		if b, known := d.o.Begin(); known {
			return b, true
		}
	}
	return p, ok
}

// Unsubscribe removes the client. Its cursor and its batches are kept, so that
// it goes on where it was when it subscribes again; but its batches do not hold
// up the ring for others any more.
func (d *Desk) Unsubscribe(ctx context.Context, c meta.Client) error {
	if err := d.admit(ctx); err != nil {
		return err
	}
	defer d.mu.Unlock()
	c.Destination = d.destination
	if err := d.meta.Unsubscribe(ctx, c); err != nil {
		return d.translate(err)
	}
	if h := d.o.Hooks.Unsubscribed; h != nil {
		h(c)
	}
	return nil
}

// ApplyFilters makes the filters of the stored subscriptions that of the
// instance, in their order, so that the last one that is not empty stays: what
// an instance does when it starts.
func (d *Desk) ApplyFilters() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.o.SetFilter == nil {
		return nil
	}
	var pattern string
	for _, c := range d.meta.Subscriptions() {
		if c.Filter != "" {
			pattern = c.Filter
		}
	}
	if pattern == "" {
		return nil
	}
	return d.o.SetFilter(pattern)
}

// Get hands out the next batch. fetchSize counts as the store's mode says; 0
// and less mean store.DefaultSize. timeout is how long to wait for a full
// batch: -1 not at all, 0 or less than -1 without limit. When it is over the
// batch has what there is; with nothing its id is NoBatch.
//
// When ctx ends, Get returns its cause and nothing has been handed out.
func (d *Desk) Get(ctx context.Context, c meta.Client, fetchSize int32, timeout time.Duration) (Delivery, error) {
	asked, immediate := ctx, timeout == time.Duration(store.NoWait)
	got, err := d.take(ctx, c, fetchSize, immediate)
	if err != nil || immediate || got.BatchID != NoBatch {
		return got, err
	}
	if d.o.Guard != nil {
		var cancel context.CancelFunc
		ctx, cancel = d.o.Guard.Bind(ctx)
		defer cancel()
	}
	var expired <-chan time.Time
	var end time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		expired, end = t.C, time.Now().Add(timeout)
	}
	for {
		partial, late, err := d.await(ctx, int(fetchSize), expired, end)
		if err != nil {
			return Delivery{}, d.unserved(asked)
		}
		// Another get may have been quicker, then the wait goes on.
		got, err := d.take(ctx, c, fetchSize, partial)
		if err != nil && ctx.Err() != nil {
			err = d.unserved(asked)
		}
		if err != nil || late || got.BatchID != NoBatch {
			return got, err
		}
	}
}

// await waits until a get may take a batch: a full one, or with partial one of what
// there is. late says that its timeout is over, which is when expired fires, at end.
func (d *Desk) await(ctx context.Context, size int, expired <-chan time.Time, end time.Time) (partial, late bool, err error) {
	if d.o.Linger == nil {
		late, err = d.store.Wait(ctx, size, expired)
		return late, late, err
	}
	late, err = d.store.WaitAny(ctx, expired)
	linger := *d.o.Linger
	if expired != nil {
		linger = min(linger, time.Until(end))
	}
	if late || err != nil || linger <= 0 {
		return true, late, err
	}
	t := time.NewTimer(linger)
	defer t.Stop()
	_, err = d.store.Wait(ctx, size, t.C)
	return true, false, err
}

// take takes a batch from the store and enters it as outstanding, in one step.
func (d *Desk) take(ctx context.Context, c meta.Client, fetchSize int32, partial bool) (Delivery, error) {
	if err := d.admit(ctx); err != nil {
		return Delivery{}, err
	}
	if d.drain.isBegun() {
		d.mu.Unlock()
		return Delivery{}, d.outlast(ctx)
	}
	defer d.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return Delivery{}, context.Cause(ctx)
	case !d.meta.HasSubscription(c): // it may have unsubscribed during the wait
		return Delivery{}, notSubscribed(d.named(c))
	}
	if err := Present(ctx); err != nil {
		return Delivery{}, err
	}
	b, err := d.store.Take(int(fetchSize), partial)
	if err != nil {
		return Delivery{}, d.translate(err)
	}
	if b.Empty() {
		return Delivery{BatchID: NoBatch}, nil
	}
	r := Range{
		StartSeq: b.StartSeq, EndSeq: b.EndSeq,
		Start: d.cursor(b.Start), End: d.cursor(b.End),
		Since: time.Now(),
	}
	if b.HasAck {
		r.Ack, r.HasAck, r.acks = d.cursor(b.Ack), true, b.Acks
	}
	got := Delivery{BatchID: d.ledger(c).add(r), Batch: b, guard: d.o.Guard}
	d.handed = b.EndSeq
	if h := d.o.Hooks.Delivered; h != nil {
		h(c, fetchSize, &got)
	}
	return got, nil
}

// Ack confirms one batch, which must be the oldest that the client has
// outstanding: the client's cursor moves to the last place in it where a
// source can resume, and the ring is freed up to the oldest batch that is still
// outstanding. Acking NoBatch does nothing.
//
// The ack of a batch of an earlier desk changes nothing and is no error.
//
// When Ack returns an error nothing has changed, except that the cursor may have
// moved when the instance was stopped at that moment: the client has confirmed.
func (d *Desk) Ack(ctx context.Context, c meta.Client, id int64) error {
	if id == NoBatch {
		return nil
	}
	if err := d.admit(ctx); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if d.foreign(c, id) {
		return nil
	}
	if !d.meta.HasSubscription(c) {
		return notSubscribed(d.named(c))
	}
	l := d.ledger(c)
	r, err := l.first(id)
	if err != nil {
		if errors.Is(err, errNoBatch) {
			return noBatchToAck(c, id)
		}
		return err
	}
	if r.HasAck {
		cur, known := d.meta.Cursor(c)
		d.addSources(&r.Ack, cur, known, r.acks)
		if err := d.meta.UpdateCursor(ctx, c, r.Ack); err != nil {
			return d.translate(err)
		}
	}
	if err := d.free(c); err != nil {
		if errors.Is(err, store.ErrNoMatch) {
			return noMatch(r.End)
		}
		return d.translate(err)
	}
	l.removeFirst()
	d.drain.acked()
	if h := d.o.Hooks.Acked; h != nil {
		h(c, id, r)
	}
	return nil
}

// free lets the store drop everything before the oldest batch that will be
// outstanding when the first one of c has gone. A client that has unsubscribed
// does not count.
func (d *Desk) free(c meta.Client) error {
	end := d.handed
	for id, l := range d.batches {
		open := l.open
		if id == c.ID {
			open = open[1:]
		} else if !d.meta.HasSubscription(meta.Client{Destination: d.destination, ID: id}) {
			continue
		}
		if len(open) > 0 {
			end = min(end, open[0].StartSeq-1)
		}
	}
	// Nothing to free: an older batch of another client holds it, or, after an
	// unsubscription, it is free already.
	if end <= d.store.Stats().AckSeq {
		return nil
	}
	return d.store.Ack(end)
}

// Rollback takes batches back, so that the next get hands out again whatever
// has not been acked. id 0 means all batches; another one must be the oldest
// that the client has outstanding, and then all later ones go with it. The ring
// is rewound for all clients, so the batches of the others are taken back too.
//
// A client that is not subscribed is ignored, as in Canal.
func (d *Desk) Rollback(ctx context.Context, c meta.Client, id int64) error {
	if err := d.admit(ctx); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if !d.meta.HasSubscription(c) {
		return nil
	}
	if id != 0 {
		if _, err := d.ledger(c).first(id); errors.Is(err, errNoBatch) {
			return noBatchToRollback(c, id)
		} else if err != nil {
			return err
		}
	}
	for _, l := range d.batches {
		l.clear()
	}
	d.store.Rollback()
	d.handed = d.store.Stats().AckSeq
	if h := d.o.Hooks.RolledBack; h != nil {
		h(c, id)
	}
	return nil
}

// foreign tells whether a batch id is of a desk before this one. Its batch will be
// handed out again, so an ack of it changes nothing; and it is no error,
// because Java's cluster client, when a connection breaks, repeats the ack on the
// next server, takes an error for the answer to its next get, and turns away.
func (d *Desk) foreign(c meta.Client, id int64) bool { return id > 0 && id < d.firstID(c) }

// firstID is the first batch id that c gets of this desk.
func (d *Desk) firstID(c meta.Client) int64 {
	if id, ok := d.o.NextIDs[c.ID]; ok {
		return id
	}
	return d.o.FirstBatchID
}

// NextIDs are the ids of the batches that clients would get next, by client.
func (d *Desk) NextIDs() map[int16]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := maps.Clone(d.o.NextIDs)
	if ids == nil {
		ids = make(map[int16]int64)
	}
	for id, l := range d.batches {
		ids[id] = l.next
	}
	return ids
}

// ledger returns the outstanding batches of c.
func (d *Desk) ledger(c meta.Client) *ledger {
	l := d.batches[c.ID]
	if l == nil {
		l = &ledger{next: d.firstID(c)}
		d.batches[c.ID] = l
	}
	return l
}

// cursor makes a cursor of a place in the ring.
func (d *Desk) cursor(p store.Place) meta.Cursor {
	c := meta.Cursor{Position: p.Position, Whole: p.Whole}
	switch {
	case p.Origin != nil:
		c.Host, c.Port = p.Origin.Host, p.Origin.Port
	case d.source != nil:
		c.Host, c.Port = d.source()
	}
	return c
}

// addSources completes the cursor to, which follows cur, by where each source of a
// destination with several stands: at acks, or as far as before.
func (d *Desk) addSources(to *meta.Cursor, cur meta.Cursor, known bool, acks []store.Place) {
	if d.o.Sources == nil {
		return
	}
	to.Sources = d.o.Sources(cur, known)
	for _, p := range acks {
		to.Sources = to.Sources.With(p.Origin.Source, d.cursor(p))
	}
}

func (d *Desk) named(c meta.Client) meta.Client {
	c.Destination = d.destination
	return c
}

// translate turns "closed" and "not the owner" of the parts into what Canal says
// of an instance that has stopped.
func (d *Desk) translate(err error) error {
	if errors.Is(err, store.ErrClosed) || errors.Is(err, meta.ErrClosed) || errors.Is(err, meta.ErrNotOwner) {
		return NotStarted(d.destination)
	}
	return err
}
