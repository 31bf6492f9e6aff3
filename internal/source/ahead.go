package source

import (
	"bytes"
	"context"
	"fmt"

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
	r := &aheadReader{to: to, file: from.File, each: each, flavor: a.facts.Flavor}
	// A GTID set that was configured comes without a place in a file.
	return a.seekFrom(ctx, start{position: from, gtid: from.File == ""}, r.event, func(checksum bool) { r.checksum = checksum })
}

// maxStatement bounds a statement that MariaDB has compressed, in bytes: its
// largest packet.
const maxStatement = 1 << 30

// aheadReader gives the statements of a part of the log. It is a pure function of
// the events it is given.
type aheadReader struct {
	to       binlog.Position
	file     string
	each     func(schema.Statement) error
	flavor   binlog.Flavor
	format   *binlog.FormatDescription // nil before the first
	checksum bool
	gtid     string // of the transaction at hand
}

// event takes the next event and reports whether the part is over.
func (r *aheadReader) event(ev []byte) (done bool, err error) {
	h, err := binlog.ParseHeader(ev)
	if err != nil {
		return false, err
	}
	switch h.Type {
	case binlog.EventHeartbeat, binlog.EventHeartbeatV2:
		return true, nil // nothing more is in the log
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
	if err := r.follow(h, ev); err != nil {
		return false, fmt.Errorf("%s at %d: %w", r.file, h.Start(), err)
	}
	return r.over(int64(h.LogPos)), nil
}

// over reports whether a place in the present file is at the end of the part, or
// behind it.
func (r *aheadReader) over(offset int64) bool {
	return binlog.Position{File: r.file, Offset: offset}.Compare(r.to) >= 0
}

// follow takes statements, and the GTIDs before them.
func (r *aheadReader) follow(h binlog.Header, ev []byte) error {
	switch h.Type {
	case binlog.EventQuery, binlog.EventMariaQueryCompressed, binlog.EventGTID, binlog.EventGTIDTagged, binlog.EventAnonymousGTID, binlog.EventMariaGTID:
	default:
		return nil
	}
	body, err := r.format.Body(ev, r.checksum)
	if err != nil {
		return err
	}
	switch h.Type {
	case binlog.EventQuery:
		return r.query(h, body)
	case binlog.EventMariaQueryCompressed:
		if body, err = binlog.DecompressMariaQuery(body, maxStatement); err != nil {
			return err
		}
		return r.query(h, body)
	case binlog.EventGTID:
		e, err := binlog.ParseGTID(body)
		r.gtid = e.GTID.String()
		return err
	case binlog.EventGTIDTagged:
		e, err := binlog.ParseGTIDTagged(body)
		r.gtid = e.GTID.String()
		return err
	case binlog.EventMariaGTID:
		e, err := binlog.ParseMariaGTID(body, h.ServerID)
		r.gtid = e.GTID.String()
		return err
	}
	r.gtid = "" // anonymous
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
	return r.each(schema.Statement{
		Position: binlog.Position{File: r.file, Offset: h.Start(), Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)},
		GTID:     r.gtid, Schema: string(charset.UTF8.Append(nil, q.Schema)), SQL: charset.Statement(q.SQL, q.ClientCollation, q.HasCharset), SQLMode: q.SQLMode,
	})
}
