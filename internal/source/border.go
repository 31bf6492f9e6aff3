package source

import (
	"bytes"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// limit says where a search through a binlog file ends.
type limit struct {
	time   int64           // first event at or after it, ms since the epoch; 0 for none
	offset int64           // first event that ends after it, but for those that describe the file; 0 for none
	end    binlog.Position // the end of the whole log, so that the search does not wait there
	set    *history        // first transaction that is not in it; nil for none
}

// borderFinder follows a binlog file from its beginning and keeps the last
// place between two transactions, where a dump can begin without missing the
// begin of one. It is a pure function of the events it is given.
type borderFinder struct {
	file  string
	limit limit

	format   *binlog.FormatDescription // nil before the first
	checksum bool
	flavor   binlog.Flavor
	inside   bool // of a transaction with a begin of its own

	found  bool
	border binlog.Position

	// The transactions before border; nil until the file's own set was read.
	gtids     *binlog.GTIDSet
	maria     *binlog.MariaGTIDSet
	gtid      binlog.GTID // of the group under way
	mgtid     binlog.MariaGTID
	tagged    bool // gtid (or mgtid) is set
	beyondSet bool // that one is not in limit.set
}

// event takes the next event and reports whether the search is over.
func (f *borderFinder) event(ev []byte) (done bool, err error) {
	h, err := binlog.ParseHeader(ev)
	if err != nil {
		return false, err
	}
	switch h.Type {
	case binlog.EventHeartbeat, binlog.EventHeartbeatV2:
		return true, nil // nothing more is in the log
	case binlog.EventRotate:
		return f.rotate(h, ev)
	}
	if f.beyond(h) {
		return true, nil
	}
	if err := f.follow(h, ev); err != nil {
		return false, fmt.Errorf("%s at %d: event type %d: %w", f.file, h.Start(), h.Type, err)
	}
	return f.beyondSet || f.file == f.limit.end.File && int64(h.LogPos) >= f.limit.end.Offset, nil
}

// rotate ends the search at the file's own rotate event, or when the server
// went on to another file; the made-up one that begins each dump does neither.
func (f *borderFinder) rotate(h binlog.Header, ev []byte) (done bool, err error) {
	if h.LogPos != 0 && h.Flags&binlog.FlagArtificial == 0 {
		return true, nil
	}
	name, _, err := f.format.ParseRotate(ev, f.checksum)
	return err == nil && name != f.file, err
}

// describesFile says whether an event is one of those with which a file begins.
func describesFile(t binlog.EventType) bool {
	switch t {
	case binlog.EventFormatDescription, binlog.EventPreviousGTIDs, binlog.EventMariaGTIDList, binlog.EventMariaCheckpoint, binlog.EventMariaStartEncryption:
		return true
	}
	return false
}

func (f *borderFinder) beyond(h binlog.Header) bool {
	if h.Flags&binlog.FlagArtificial != 0 {
		return false
	}
	if f.limit.offset > 0 && describesFile(h.Type) {
		return false // the begin of a file is a border, however early the limit is
	}
	if f.limit.time > 0 && h.Timestamp > 0 && int64(h.Timestamp)*1000 >= f.limit.time {
		return true
	}
	return f.limit.offset > 0 && int64(h.LogPos) > f.limit.offset
}

func (f *borderFinder) follow(h binlog.Header, ev []byte) error {
	if h.Type == binlog.EventFormatDescription {
		fde, err := binlog.ParseFormatDescription(ev)
		if err != nil {
			return err
		}
		f.format, f.checksum, f.flavor = &fde, fde.Checksum, fde.Flavor()
		f.found = true
		f.border = binlog.Position{File: f.file, Offset: 4, Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)}
		return nil
	}
	body, err := f.format.Body(ev, f.checksum)
	if err != nil {
		return err
	}
	switch h.Type {
	case binlog.EventPreviousGTIDs:
		f.gtids, err = binlog.ParsePreviousGTIDs(body)
		return err
	case binlog.EventMariaGTIDList:
		return f.gtidList(body)
	case binlog.EventGTID:
		e, err := binlog.ParseGTID(body)
		f.gtid, f.tagged, f.beyondSet = e.GTID, true, f.limit.set.lacks(e.GTID)
		return err
	case binlog.EventGTIDTagged:
		e, err := binlog.ParseGTIDTagged(body)
		f.gtid, f.tagged, f.beyondSet = e.GTID, true, f.limit.set.lacks(e.GTID)
		return err
	case binlog.EventAnonymousGTID:
		f.tagged = false
	case binlog.EventMariaGTID:
		e, err := binlog.ParseMariaGTID(body, h.ServerID)
		f.mgtid, f.tagged, f.inside = e.GTID, true, !e.Standalone()
		f.beyondSet = f.limit.set.lacksMaria(e.GTID)
		return err
	case binlog.EventQuery:
		q, err := binlog.ParseQuery(body, f.flavor)
		if err != nil {
			return err
		}
		f.query(h, q.SQL)
	case binlog.EventMariaQueryCompressed:
		if !f.inside { // begins and commits are too short to be compressed
			f.close(h)
		}
	case binlog.EventXID, binlog.EventXAPrepare, binlog.EventTransactionPayload:
		f.close(h)
	}
	return nil
}

func (f *borderFinder) gtidList(body []byte) error {
	list, err := binlog.ParseMariaGTIDList(body)
	if err != nil {
		return err
	}
	if f.maria, err = binlog.ParseMariaGTIDSet(""); err != nil {
		return err
	}
	for _, g := range list {
		f.maria.Add(g)
	}
	return nil
}

// query tells the statements that begin and end transactions from DDL, which
// is a transaction of its own.
func (f *borderFinder) query(h binlog.Header, sql []byte) {
	sql = bytes.TrimSpace(sql)
	switch {
	case bytes.EqualFold(sql, []byte("BEGIN")), hasPrefixFold(sql, "XA START"), hasPrefixFold(sql, "XA BEGIN"):
		f.inside = true
	case bytes.EqualFold(sql, []byte("COMMIT")), bytes.EqualFold(sql, []byte("ROLLBACK")):
		f.close(h)
	case !f.inside:
		f.close(h)
	}
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}

// close makes the end of this event the border.
func (f *borderFinder) close(h binlog.Header) {
	f.inside = false
	f.found = true
	f.border = binlog.Position{File: f.file, Offset: int64(h.LogPos), Timestamp: int64(h.Timestamp) * 1000, ServerID: int64(h.ServerID)}
	if f.tagged && f.gtids != nil {
		f.gtids.Add(f.gtid)
	}
	if f.tagged && f.maria != nil {
		f.maria.Add(f.mgtid)
	}
	f.tagged = false
}

// result returns the border, with the set of the transactions before it where
// the file tells it.
func (f *borderFinder) result() (binlog.Position, bool) {
	p := f.border
	switch {
	case f.gtids != nil:
		p.GTIDSet = f.gtids.String()
	case f.maria != nil:
		p.GTIDSet = f.maria.String()
	}
	return p, f.found
}
