package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/schema"
)

// catalogue asks the live source, and reads in its log beside the dump.
type catalogue struct {
	*mysql.Tables
	a *attempt
}

// errCutShort says that a server has ended a dump before it came to the end of a part.
var errCutShort = errors.New("the server ended the dump before the end of what was asked for")

// Ahead implements schema.Live.
func (c catalogue) Ahead(ctx context.Context, from, to binlog.Position, each func(schema.Statement) error) error {
	a := c.a.s.asideOf(c.a.server, "ahead")
	a.facts = c.a.facts
	if a.facts.Flavor == binlog.FlavorMariaDB {
		var err error
		if a.conn, err = mysql.Connect(ctx, a.config); err != nil {
			return err
		}
		a.avoidTwins(ctx)
		_ = a.conn.Close()
	}
	r := &aheadReader{to: to, file: from.File, each: each, flavor: a.facts.Flavor, told: time.Now(), tell: func(at binlog.Position) {
		c.a.s.log.InfoContext(ctx, "reading ahead in the log for statements that change tables; nothing is delivered meanwhile", "at", at.String(), "to", to.String())
	}}
	if to.File == "" {
		var err error
		if err = r.until(from.GTIDSet, to.GTIDSet); err != nil {
			return err
		}
		if r.to, err = c.End(ctx); err != nil {
			return err
		}
	}
	// A GTID set that was configured comes without a place in a file.
	err := a.seekFrom(ctx, start{position: from, gtid: from.File == ""}, r.event, func(checksum bool) { r.checksum = checksum })
	switch {
	case err == nil && !r.done:
		return errCutShort
	case diagnose(err, a.s.o.Instance.User).kind == lostPosition:
		// It says nothing of the place where the dump is, so it must not look as if.
		return fmt.Errorf("%w: %v", schema.ErrNoForesight, err)
	}
	return err
}

// maxStatement bounds a statement that MariaDB has compressed, in bytes: its
// largest packet.
const maxStatement = 1 << 30

// aheadReader gives the statements of a part of the log. But for tell it is a pure function of
// the events it is given.
type aheadReader struct {
	to       binlog.Position
	file     string
	each     func(schema.Statement) error
	flavor   binlog.Flavor
	format   *binlog.FormatDescription // nil before the first
	checksum bool
	gtid     fmt.Stringer    // of the transaction at hand; nil when it has none
	idle     binlog.Position // where the last heartbeat was, when nothing came behind it
	done     bool            // the part is over

	// order is that of the present file and the one where the part ends; ordered is
	// the file for which it was found.
	order   int
	ordered string

	events int                   // that came
	told   time.Time             // when tell was called last
	tell   func(binlog.Position) // is told now and then how far the reading is; nil when nobody wants to know

	// The part is also over when all transactions of want have come; nil when it ends
	// at a place only. seen are those before it and in it.
	seen, want *history
}

// until has the part end behind the transactions of a set. from are those before it.
func (r *aheadReader) until(from, to string) (err error) {
	if r.seen, err = parseHistory(r.flavor, from); err != nil {
		return err
	}
	r.want, err = parseHistory(r.flavor, to)
	return err
}

// event takes the next event and reports whether the part is over.
func (r *aheadReader) event(ev []byte) (done bool, err error) {
	r.done, err = r.next(ev)
	if r.events++; r.events%eventsToTell == 0 && r.tell != nil && time.Since(r.told) > timeToTell {
		r.told = time.Now()
		if h, err := binlog.ParseHeader(ev); err == nil {
			r.tell(binlog.Position{File: r.file, Offset: h.Start()})
		}
	}
	return r.done, err
}

// A reading that takes long says how far it is: after so much time, looked at after
// so many events.
const (
	timeToTell   = 10 * time.Second
	eventsToTell = 10_000
)

func (r *aheadReader) next(ev []byte) (done bool, err error) {
	h, err := binlog.ParseHeader(ev)
	if err != nil {
		return false, err
	}
	switch h.Type {
	case binlog.EventHeartbeat, binlog.EventHeartbeatV2:
		return r.heartbeat(h, ev)
	}
	r.idle = binlog.Position{}
	switch h.Type {
	case binlog.EventRotate:
		if r.file, _, err = r.format.ParseRotate(ev, r.checksum); err != nil {
			return false, err
		}
		return r.over(4), nil
	case binlog.EventFormatDescription:
		f, err := binlog.ParseFormatDescription(ev)
		if err != nil {
			return false, err
		}
		r.format, r.checksum, r.flavor = &f, f.Checksum, f.Flavor()
		return false, nil
	}
	if h.Flags&binlog.FlagArtificial == 0 && r.over(h.Start()) {
		return true, nil
	}
	if done, err := r.follow(h, ev); done || err != nil {
		if err != nil {
			err = fmt.Errorf("%s at %d: %w", r.file, h.Start(), err)
		}
		return done, err
	}
	return r.over(int64(h.LogPos)), nil
}

// heartbeat sees from a heartbeat how far the server is. One alone does not mean that
// the log is over: MySQL sends one for the transactions that it passes over because
// they are in the set (Binlog_sender::send_events). A second one at the same place does.
func (r *aheadReader) heartbeat(h binlog.Header, ev []byte) (over bool, err error) {
	at := binlog.Position{File: r.file, Offset: int64(h.LogPos)}
	if h.Type == binlog.EventHeartbeatV2 {
		body, err := r.format.Body(ev, r.checksum)
		if err != nil {
			return false, err
		}
		file, offset, err := binlog.ParseHeartbeatV2(body)
		if err != nil {
			return false, err
		}
		at = binlog.Position{File: file, Offset: int64(offset)}
	}
	if at.Compare(r.to) >= 0 || at == r.idle {
		return true, nil
	}
	r.idle = at
	return false, nil
}

// over reports whether a place in the present file is at the end of the part, or
// behind it.
func (r *aheadReader) over(offset int64) bool {
	if r.file != r.ordered || r.file == "" {
		r.order, r.ordered = binlog.CompareFiles(r.file, r.to.File), r.file
	}
	return r.order > 0 || r.order == 0 && offset >= r.to.Offset
}

// follow takes statements, and the GTIDs before them. It reports whether all
// transactions have come that are wanted.
func (r *aheadReader) follow(h binlog.Header, ev []byte) (all bool, err error) {
	switch h.Type {
	case binlog.EventQuery, binlog.EventMariaQueryCompressed, binlog.EventGTID, binlog.EventGTIDTagged, binlog.EventAnonymousGTID, binlog.EventMariaGTID:
	default:
		return false, nil
	}
	body, err := r.format.Body(ev, r.checksum)
	if err != nil {
		return false, err
	}
	switch h.Type {
	case binlog.EventQuery:
		return false, r.query(h, body)
	case binlog.EventMariaQueryCompressed:
		if body, err = binlog.DecompressMariaQuery(body, maxStatement); err != nil {
			return false, err
		}
		return false, r.query(h, body)
	}
	if r.want != nil && r.seen.contains(r.want) {
		return true, nil
	}
	return false, r.begin(h, body)
}

// begin takes the event that begins a transaction.
func (r *aheadReader) begin(h binlog.Header, body []byte) error {
	parse := binlog.ParseGTID
	switch h.Type {
	case binlog.EventAnonymousGTID:
		r.gtid = nil
		return nil
	case binlog.EventMariaGTID:
		e, err := binlog.ParseMariaGTID(body, h.ServerID)
		if err != nil {
			return err
		}
		r.gtid = e.GTID
		if r.want != nil {
			r.seen.maria.Add(e.GTID)
		}
		return nil
	case binlog.EventGTIDTagged:
		parse = binlog.ParseGTIDTagged
	}
	e, err := parse(body)
	if err != nil {
		return err
	}
	r.gtid = e.GTID
	if r.want != nil {
		r.seen.mysql.Add(e.GTID)
	}
	return nil
}

func (r *aheadReader) query(h binlog.Header, body []byte) error {
	q, err := binlog.ParseQuery(body, r.flavor)
	if err != nil {
		return err
	}
	switch word := bytes.TrimSpace(q.SQL); {
	case bytes.EqualFold(word, []byte("BEGIN")), bytes.EqualFold(word, []byte("COMMIT")), bytes.EqualFold(word, []byte("ROLLBACK")):
		return nil
	}
	gtid := ""
	if r.gtid != nil {
		gtid = r.gtid.String()
	}
	return r.each(schema.Statement{
		Position: binlog.Position{File: r.file, Offset: h.Start(), Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)},
		GTID:     gtid, Schema: string(charset.UTF8.Append(nil, q.Schema)), SQL: charset.Statement(q.SQL, q.ClientCollation, q.HasCharset), SQLMode: q.SQLMode,
	})
}
