package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/entry"
	"github.com/towpath-cdc/towpath/internal/source"
)

// scanner follows the stream of one dump, event by event, and lists what has
// to be encoded. It runs in the source's goroutine.
type scanner struct {
	d        *dump
	file     string
	format   *binlog.FormatDescription
	checksum bool
	flavor   binlog.Flavor
	tables   tableMaps
	gtid     gtidState

	// The first event of a dump may have been confirmed before: done is true until
	// it has come, discard while it is scanned.
	done, discard bool

	inTransaction bool // between BEGIN and its end: no boundaries
	job           *job
	outer         *binlog.Header // of the payload whose events are being scanned
	inner         int            // events of it that came
	payload       payloadReader
}

func (s *scanner) init(d *dump) {
	s.d = d
	s.file = d.s.Position.File
	s.checksum = d.s.Checksum
	s.done = d.s.Done
	s.flavor = d.s.Server.Flavor
	s.tables.init(d)
	s.gtid.init(d.s)
}

func (s *scanner) close() { s.payload.close() }

// chunk scans all events of a chunk and publishes what they make.
func (s *scanner) chunk(ctx context.Context, c *source.Chunk) error {
	s.begin(c)
	for i := range c.Len() {
		if err := s.event(ctx, c.Event(i)); err != nil {
			return errors.Join(err, s.publish(ctx))
		}
	}
	return s.publish(ctx)
}

// begin opens a job over a chunk. s.job is nil between jobs.
func (s *scanner) begin(c *source.Chunk) {
	s.job = newJob()
	c.Retain(1)
	s.job.chunk = c
	s.job.format = s.format
}

// publish hands the open job over, if it has anything in it.
func (s *scanner) publish(ctx context.Context) error {
	j := s.job
	s.job = nil
	if len(j.tasks) == 0 {
		j.abandon()
		return nil
	}
	return s.d.publish(ctx, j)
}

// event scans one event. Its error names the place.
func (s *scanner) event(ctx context.Context, ev []byte) error {
	h, err := binlog.ParseHeader(ev)
	if err == nil && s.checksum && s.outer == nil && h.Type != binlog.EventFormatDescription {
		err = binlog.VerifyChecksum(ev)
	}
	if err == nil {
		err = s.dispatch(ctx, h, ev)
	}
	if err != nil && s.outer != nil {
		return fmt.Errorf("compressed transaction: event of type %d: %w", h.Type, err) // the payload has the place
	}
	if err != nil {
		return fmt.Errorf("event at %s:%d (type %d): %w", s.file, h.Start(), h.Type, err)
	}
	return nil
}

// dispatch does what the type of an event asks for.
func (s *scanner) dispatch(ctx context.Context, h binlog.Header, ev []byte) error {
	if s.outer != nil && !mayBePacked(h.Type) {
		return errors.New("has no place there")
	}
	if s.outer != nil {
		s.inner++
	}
	if h.Type == binlog.EventFormatDescription {
		return s.formatDescription(ctx, ev)
	}
	body, err := s.format.Body(ev, s.checksum && s.outer == nil)
	if err != nil {
		return err
	}
	s.seeWhetherDone(h)
	s.snapshot(h)
	switch h.Type {
	case binlog.EventTableMap:
		return s.tables.add(body, s.format)
	case binlog.EventWriteRowsV1, binlog.EventWriteRowsV2, binlog.EventUpdateRowsV1, binlog.EventUpdateRowsV2,
		binlog.EventDeleteRowsV1, binlog.EventDeleteRowsV2, binlog.EventPartialUpdateRows,
		binlog.EventMariaWriteRowsV1C, binlog.EventMariaUpdateRowsV1C, binlog.EventMariaDeleteRowsV1C,
		binlog.EventMariaWriteRowsV2C, binlog.EventMariaUpdateRowsV2C, binlog.EventMariaDeleteRowsV2C:
		return s.rows(ctx, h, body)
	case binlog.EventXID:
		xid, err := binlog.ParseXID(body)
		if err != nil {
			return err
		}
		s.end(h, int64(xid), nil)
		return nil
	case binlog.EventQuery:
		return s.query(ctx, h, body)
	case binlog.EventMariaQueryCompressed:
		plain, err := binlog.DecompressMariaQuery(body, maxEvent)
		if err != nil {
			return err
		}
		return s.query(ctx, h, plain)
	case binlog.EventTransactionPayload:
		return s.transactionPayload(ctx, h, body)
	case binlog.EventRotate:
		return s.rotate(ev)
	case binlog.EventGTID, binlog.EventAnonymousGTID, binlog.EventGTIDTagged, binlog.EventMariaGTID, binlog.EventMariaGTIDList:
		return s.gtidEvent(h, body)
	}
	return s.minor(h, body)
}

// mayBePacked says whether an event can be part of a compressed transaction.
// MySQL packs none of those that are about the log itself
// (Transaction_payload_log_event), and taking one for real would mislead all
// that follows.
func mayBePacked(t binlog.EventType) bool {
	return t != binlog.EventFormatDescription && t != binlog.EventRotate && t != binlog.EventTransactionPayload
}

// seeWhetherDone decides whether the entries of an event are wanted. Only the
// first event that stands in the log can be the one that was confirmed before.
func (s *scanner) seeWhetherDone(h binlog.Header) {
	if s.outer != nil || h.LogPos == 0 || h.Flags&binlog.FlagArtificial != 0 {
		return
	}
	at := s.d.s.Position
	s.discard = s.done && h.Start() == at.Offset && s.file == at.File
	s.done = false
}

// minor handles the events that make at most a line of text.
func (s *scanner) minor(h binlog.Header, body []byte) error {
	switch h.Type {
	case binlog.EventRowsQuery, binlog.EventMariaAnnotateRows, binlog.EventUserVar, binlog.EventIntvar, binlog.EventRand:
		if s.d.p.o.Instance.FilterQueryDML {
			return nil
		}
		return s.text(h, body)
	case binlog.EventHeartbeat, binlog.EventHeartbeatV2:
		s.d.p.stats.lastEventTime.Store(time.Now().UnixMilli())
	case binlog.EventWriteRowsV0, binlog.EventUpdateRowsV0, binlog.EventDeleteRowsV0:
		s.d.p.unknown(unknownThing{event: h.Type}, "row events of MySQL before 5.1.18 are not read: their changes are missing", "event_type", uint8(h.Type), "position", s.place(h))
	case binlog.EventIncident:
		code, msg, err := binlog.ParseIncident(body)
		if err != nil {
			return err
		}
		s.d.p.o.Logger.Error("the source reports an incident: changes may be missing from its binlog",
			"position", s.place(h), "code", code, "message", string(msg))
	case binlog.EventStop, binlog.EventPreviousGTIDs, binlog.EventTransactionContext, binlog.EventViewChange,
		binlog.EventXAPrepare, binlog.EventMariaCheckpoint, binlog.EventMariaStartEncryption, binlog.EventIgnorable,
		binlog.EventBeginLoadQuery, binlog.EventExecuteLoadQuery, binlog.EventAppendBlock, binlog.EventDeleteFile,
		binlog.EventLoad, binlog.EventNewLoad, binlog.EventCreateFile, binlog.EventExecLoad, binlog.EventSlave, binlog.EventStartV3:
		if h.Type == binlog.EventXAPrepare {
			s.boundary(h)
		}
	default:
		s.d.p.unknown(unknownThing{event: h.Type}, "events of an unknown type are skipped; unless they are ignorable, changes that they tell of are missing: see whether a newer version of Towpath reads them",
			"event_type", uint8(h.Type), "ignorable", h.Flags&binlog.FlagIgnorable != 0, "position", s.place(h))
	}
	return nil
}

// position is where an event stands. The events of a compressed transaction stand
// where the payload does.
func (s *scanner) position(h binlog.Header) binlog.Position {
	c := s.context(h)
	return binlog.Position{File: s.file, Offset: c.Offset, Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)}
}

// apart gives each event of a compressed transaction a place of its own in the
// history: they all stand where the payload does, and the history tells changes apart
// by their places. No event begins there, so that nothing can be read from it.
func (s *scanner) apart(p binlog.Position) binlog.Position {
	if s.outer != nil {
		p.Offset += min(int64(s.inner), int64(s.outer.EventSize)-1)
	}
	return p
}

// beginsGroup says whether an event tells the GTID of what follows.
func beginsGroup(t binlog.EventType) bool {
	return t == binlog.EventGTID || t == binlog.EventAnonymousGTID || t == binlog.EventGTIDTagged || t == binlog.EventMariaGTID
}

// snapshot writes a snapshot of the tables if one is due and the event begins
// something new.
func (s *scanner) snapshot(h binlog.Header) {
	k := &s.d.p.keeper
	if !k.due.Load() || s.inTransaction || s.outer != nil || h.LogPos == 0 || h.Flags&binlog.FlagArtificial != 0 {
		return
	}
	at := k.place(s.position(h))
	if c := s.gtid.current(); c != nil {
		if !beginsGroup(h.Type) {
			return // the set has the transaction already
		}
		at.GTIDSet = c.Set
	}
	k.image(at)
}

func (s *scanner) place(h binlog.Header) string { return fmt.Sprintf("%s:%d", s.file, h.Start()) }

// formatDescription takes the layout of the events that follow. What was scanned
// before keeps the layout it was written in, so it becomes a job of its own.
func (s *scanner) formatDescription(ctx context.Context, ev []byte) error {
	f, err := binlog.ParseFormatDescription(ev)
	if err != nil {
		return err
	}
	s.format = &f
	s.checksum = f.Checksum
	if len(s.job.tasks) > 0 {
		return s.publishAndReopen(ctx, s.job.chunk)
	}
	s.job.format = s.format
	return nil
}

// rotate follows the log to its next file.
func (s *scanner) rotate(ev []byte) error {
	file, _, err := s.format.ParseRotate(ev, s.checksum)
	if err != nil {
		return err
	}
	if file != s.file {
		s.tables.rotated()
	}
	s.file = file
	s.inTransaction = false
	return nil
}

// context is what entries of the event say of where it stands. The events of a
// compressed transaction all stand where the payload does.
func (s *scanner) context(h binlog.Header) entry.Context {
	c := entry.ContextOf(s.file, h, s.gtid.current())
	if s.outer != nil {
		c.Offset, c.Size = s.outer.Start(), int64(s.outer.EventSize)
	}
	return c
}

// add lists a task.
func (s *scanner) add(t task) {
	if s.discard {
		if !t.boundary {
			return
		}
		t = task{kind: taskNone, boundary: true, ctx: t.ctx}
	}
	t.ddl = s.d.p.scannedDDL
	s.job.tasks = append(s.job.tasks, t)
}

// canStartBehind says whether a dump may begin behind the present event: not
// inside a transaction, and not inside the events of a payload.
func (s *scanner) canStartBehind() bool { return !s.inTransaction && s.outer == nil }

// boundary notes that a dump may start behind an event that makes no entry.
func (s *scanner) boundary(h binlog.Header) {
	s.inTransaction = false
	if s.canStartBehind() {
		s.add(task{kind: taskNone, boundary: true, ctx: s.context(h)})
	}
}

// beginTransaction lists the start of a transaction; w is that of an XA one.
func (s *scanner) beginTransaction(h binlog.Header, thread uint32, w *words) {
	s.inTransaction = true
	s.add(task{kind: taskBegin, ctx: s.context(h), number: int64(thread), xa: w != nil, words: w})
}

// end lists the end of a transaction.
func (s *scanner) end(h binlog.Header, xid int64, w *words) {
	// Behind XA END comes the prepare event, which still belongs to it.
	s.inTransaction = w != nil
	s.add(task{kind: taskEnd, ctx: s.context(h), number: xid, xa: w != nil, words: w, boundary: s.canStartBehind()})
}

// rows lists a rows event if somebody wants it.
func (s *scanner) rows(ctx context.Context, h binlog.Header, body []byte) error {
	o := &s.d.p.o.Instance
	if o.FilterRows || filteredKind(o, h.Type) {
		return nil
	}
	plan, ok, err := s.tables.plan(ctx, h, body, s.format, s.position(h))
	if err != nil || !ok {
		return err
	}
	s.inTransaction = true
	s.add(task{kind: taskRows, typ: h.Type, ctx: s.context(h), body: body, plan: plan})
	return nil
}

// filteredKind says whether a setting drops all row events of this kind.
func filteredKind(o *config.Instance, t binlog.EventType) bool {
	switch t {
	case binlog.EventWriteRowsV1, binlog.EventWriteRowsV2, binlog.EventMariaWriteRowsV1C, binlog.EventMariaWriteRowsV2C:
		return o.FilterDMLInsert
	case binlog.EventDeleteRowsV1, binlog.EventDeleteRowsV2, binlog.EventMariaDeleteRowsV1C, binlog.EventMariaDeleteRowsV2C:
		return o.FilterDMLDelete
	}
	return o.FilterDMLUpdate
}
