package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/entry"
	"github.com/towpath-cdc/towpath/internal/store"
)

// worker encodes jobs. With workers of its own a dump starts them in Start and
// waits for them in Stop; otherwise the source's goroutine does the work.
type worker struct {
	d      *dump
	enc    entry.Encoder
	slab   slab
	out    []store.Item
	growth growth
}

// run works until the dump is stopped. After a failure it still takes jobs, so
// that nobody waits for it, and gives them up.
func (w *worker) run() {
	defer w.slab.close()
	for j := range w.d.work {
		w.do(j)
	}
}

// do encodes a job, waits for its turn and puts the result into the store.
func (w *worker) do(j *job) {
	if w.d.ctx.Err() == nil {
		w.encode(j)
	}
	j.releaseChunk() // it may be large, and putting may take long
	<-j.behind
	if w.d.ctx.Err() == nil {
		if err := w.deliver(j); err != nil {
			w.d.fail(err)
		}
	}
	close(j.done)
	j.abandon()
}

// abandon releases what a job holds; items that were delivered are gone from
// it already.
func (j *job) abandon() {
	for i := range j.items {
		if j.items[i].item.Block != nil {
			j.items[i].item.Block.Release(1)
		}
	}
	j.releaseChunk()
	j.recycle()
}

// releaseChunk gives up the bytes of the events, which encoding alone needs.
func (j *job) releaseChunk() {
	if j.chunk != nil {
		clear(j.tasks) // they refer to it
		j.chunk.Release()
		j.chunk = nil
	}
}

// encode fills j.items. It touches nothing but the job and the worker's memory.
func (w *worker) encode(j *job) {
	for i := range j.tasks {
		if j.err = w.task(j, &j.tasks[i]); j.err != nil {
			return
		}
	}
}

// entryOverhead is room for what an entry has beside its rows.
const entryOverhead = 1 << 10

// growth tells how many bytes of entry the next rows event will make, from what the
// last one of its table did.
type growth struct {
	plan  *entry.Plan
	event int // bytes of that event
	entry int // and of its entry
}

const (
	// usualGrowth is how many bytes of entry a byte of a rows event makes where
	// nothing is known.
	usualGrowth = 4

	// smallEvent is the size in bytes up to which it is not worth knowing better.
	smallEvent = 16 << 10
)

// guess is how much room to make for an event of so many bytes: a quarter more than
// would be as the last one had it.
func (g *growth) guess(p *entry.Plan, event int) int {
	if event <= smallEvent || g.plan != p {
		return event * usualGrowth
	}
	return int(int64(event) * int64(g.entry) / int64(g.event) * 5 / 4)
}

func (g *growth) learn(p *entry.Plan, event, size int) {
	if event > smallEvent {
		*g = growth{p, event, size}
	}
}

// bigEvent is the size from which an event's cells are taken to be large, so
// that its entry is hardly longer than the event.
const bigEvent = 1 << 20

// task encodes one task.
func (w *worker) task(j *job, t *task) error {
	out := encoded{boundary: t.boundary, next: t.ctx.Offset + t.ctx.Size, ddl: t.ddl}
	out.item.Position = position(&t.ctx)
	out.item.Origin = w.d.origin
	if t.kind == taskNone {
		out.skip = true
		j.items = append(j.items, out)
		return nil
	}
	need := entryOverhead
	switch {
	case len(t.body) > bigEvent && t.plan.Lengthens():
		// How much it takes is known only when it comes to the large cell, and
		// what was taken before would be held until the entry is complete.
	case len(t.body) > bigEvent:
		need += len(t.body) + len(t.body)/8
	case t.kind == taskRows:
		need += w.growth.guess(t.plan, len(t.body))
	default:
		need += t.words.size()
	}
	w.slab.room(need)
	start := len(w.slab.buf)
	buf, err := w.append(w.slab.buf, j, t, &out)
	if err != nil {
		return err
	}
	if t.kind == taskRows {
		w.growth.learn(t.plan, len(t.body), len(buf)-start)
	}
	w.slab.grown(buf, start)
	out.item.Block, out.item.Start, out.item.End = w.slab.block, uint32(start), uint32(len(buf))
	out.item.Size = uint32(entrySize(buf[start:]))
	w.slab.block.Retain(1)
	if cap(w.slab.buf) > slabSize {
		w.slab.close() // so that it goes with its entry
	}
	j.items = append(j.items, out)
	return nil
}

// entrySize is the length of the entry in a framed entry.
func entrySize(framed []byte) int {
	i := 1
	for framed[i]&0x80 != 0 {
		i++
	}
	return len(framed) - i - 1
}

// append encodes one task into buf and completes out.
func (w *worker) append(buf []byte, j *job, t *task, out *encoded) ([]byte, error) {
	switch t.kind {
	case taskBegin:
		out.item.Kind = store.KindBegin
		return w.enc.Begin(buf, &t.ctx, t.number, t.xa, t.words.xidText()), nil
	case taskEnd:
		out.item.Kind = store.KindEnd
		return w.enc.End(buf, &t.ctx, t.number, t.xa, t.words.xidText()), nil
	case taskXA:
		out.item.Kind, out.flush = store.KindQuery, true
		return w.enc.XA(buf, &t.ctx, t.words.Type, t.words.SQL, t.words.xid), nil
	case taskText:
		out.item.Kind, out.flush = store.KindQuery, true
		return w.enc.QueryText(buf, &t.ctx, t.words.SQL, t.words.Table, t.words.NoTable), nil
	case taskStatement:
		out.item.Kind, out.flush = statementKind(t.words.Type)
		return w.enc.Statement(buf, &t.ctx, &t.words.Statement), nil
	}
	out.item.Kind = store.KindRows
	rows, err := parseRows(j.format, t)
	if err != nil {
		return buf, fmt.Errorf("rows event at %s:%d: %w", t.ctx.File, t.ctx.Offset, err)
	}
	buf, n, err := w.enc.Rows(buf, &t.ctx, t.plan, &rows, rows.TableID)
	out.item.Rows = uint32(n)
	return buf, err
}

// parseRows reads a rows event, unpacking MariaDB's compressed form.
func parseRows(f *binlog.FormatDescription, t *task) (binlog.Rows, error) {
	typ, body := t.typ, t.body
	if typ >= binlog.EventMariaWriteRowsV1C && typ <= binlog.EventMariaDeleteRowsV2C {
		var err error
		if typ, body, err = binlog.DecompressMariaRows(typ, body, maxEvent); err != nil {
			return binlog.Rows{}, err
		}
	}
	return binlog.ParseRows(typ, body, f)
}

// maxEvent bounds an unpacked event: MySQL's largest packet.
const maxEvent = 1 << 30

// statementKind is how a statement counts in the store, and whether it ends
// its group.
func statementKind(t entry.EventType) (k store.Kind, flush bool) {
	switch t {
	case entry.Insert, entry.Update, entry.Delete:
		return store.KindRows, false
	case entry.Query:
		return store.KindQuery, true
	}
	return store.KindDDL, true
}

// position is what the cursor of a client says of an event.
func position(c *entry.Context) binlog.Position {
	p := binlog.Position{File: c.File, Offset: c.Offset, Timestamp: int64(c.Timestamp) * 1000, ServerID: int64(c.ServerID)}
	if c.GTID != nil {
		p.GTIDSet = c.GTID.Set
	}
	return p
}

// deliver passes a job's items through the grouper into the store. The caller
// has the turn.
func (w *worker) deliver(j *job) error {
	d := w.d
	w.out = w.out[:0]
	border := -1 // items before the last boundary; none without one
	var resume binlog.Position
	var ddl uint64
	for i := range j.items {
		it := &j.items[i]
		if !it.skip {
			w.out = d.group.add(w.out, &it.item, it.flush, dropItem)
			it.item.Block = nil // handed on
		}
		if it.boundary {
			resume = it.item.Position
			resume.Offset = it.next
			ddl = it.ddl
			border = len(w.out)
		}
	}
	err := d.put(d.whole.add(w.out, border))
	clear(w.out) // the worker must not keep what the store has let go
	if err != nil {
		return err
	}
	if !resume.IsZero() {
		d.p.mu.Lock()
		d.p.resume, d.p.resumeDDL, d.p.resumeLog = resume, ddl, d.log
		d.p.mu.Unlock()
	}
	return j.err
}

// put stores items and counts them.
func (d *dump) put(items []store.Item) error {
	if len(items) == 0 {
		return nil
	}
	var ends int64
	for i := range items {
		if items[i].Kind == store.KindEnd {
			ends++
		}
	}
	last := items[len(items)-1].Position.Timestamp
	start := time.Now()
	err := d.p.o.Store.Put(d.ctx, items)
	d.p.stats.storeWait.Add(int64(time.Since(start)))
	if err != nil {
		if cause := context.Cause(d.ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("put into the store: %w", err)
	}
	d.p.stats.transactions.Add(ends)
	if last > 0 {
		d.p.stats.lastEventTime.Store(last)
	}
	return nil
}

func dropItem(it store.Item) { it.Block.Release(1) }

func (w *words) xidText() string {
	if w == nil {
		return ""
	}
	return w.xid
}

// size is about how many bytes the texts take.
func (w *words) size() int {
	if w == nil {
		return 0
	}
	return len(w.SQL) + len(w.Schema) + len(w.Table) + len(w.CurrentSchema) + 2*len(w.xid)
}
