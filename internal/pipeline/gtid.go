package pipeline

import (
	"fmt"
	"strconv"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/entry"
	"github.com/towpath-cdc/towpath/internal/source"
)

// gtidState follows the executed set in GTID mode. Outside of it nothing about
// GTIDs appears in entries.
type gtidState struct {
	on    bool
	maria bool
	set   *binlog.GTIDSet
	mset  *binlog.MariaGTIDSet
	now   *entry.GTID // of the present transaction; shared by its tasks, never changed
	err   error       // the initial set could not be read

	// The last GTID event, in either mode.
	last       []byte
	lastType   binlog.EventType
	lastServer uint32
}

func (g *gtidState) init(s source.Session) {
	g.on = s.GTIDMode
	if !g.on {
		return
	}
	g.maria = s.Server.Flavor == binlog.FlavorMariaDB
	if g.maria {
		g.mset, g.err = binlog.ParseMariaGTIDSet(s.Position.GTIDSet)
	} else {
		g.set, g.err = binlog.ParseGTIDSet(s.Position.GTIDSet)
	}
	g.now = &entry.GTID{Set: s.Position.GTIDSet}
}

// current is what entries say; nil outside GTID mode.
func (g *gtidState) current() *entry.GTID {
	if !g.on {
		return nil
	}
	return g.now
}

// gtidEvent follows a GTID event. MariaDB's stands for the BEGIN of its group,
// for which no QUERY event comes, so that no dump may begin behind it until the
// group's end.
func (s *scanner) gtidEvent(h binlog.Header, body []byte) error {
	if h.Type == binlog.EventMariaGTID {
		id, err := binlog.ParseMariaGTID(body, h.ServerID)
		if err != nil {
			return err
		}
		s.inTransaction = !id.Standalone() || id.Flags&binlog.MariaPreparedXA != 0
	}
	s.gtid.last, s.gtid.lastType, s.gtid.lastServer = append(s.gtid.last[:0], body...), h.Type, h.ServerID
	return s.gtid.event(h, body)
}

// text is the GTID of the transaction at hand; "" when it has none.
func (g *gtidState) text() string {
	switch g.lastType {
	case binlog.EventGTID:
		if e, err := binlog.ParseGTID(g.last); err == nil {
			return e.GTID.String()
		}
	case binlog.EventGTIDTagged:
		if e, err := binlog.ParseGTIDTagged(g.last); err == nil {
			return e.GTID.String()
		}
	case binlog.EventMariaGTID:
		if e, err := binlog.ParseMariaGTID(g.last, g.lastServer); err == nil {
			return e.GTID.String()
		}
	}
	return ""
}

// event takes a GTID event into the set.
func (g *gtidState) event(h binlog.Header, body []byte) error {
	if !g.on {
		return nil
	}
	if g.maria != (h.Type == binlog.EventMariaGTID || h.Type == binlog.EventMariaGTIDList) {
		return nil // of the other kind of server: there is no set it could be part of
	}
	if g.err != nil {
		return fmt.Errorf("initial GTID set: %w", g.err)
	}
	switch h.Type {
	case binlog.EventMariaGTID:
		id, err := binlog.ParseMariaGTID(body, h.ServerID)
		if err != nil {
			return err
		}
		g.mset.Add(id.GTID)
		g.now = &entry.GTID{Set: g.mset.String()}
	case binlog.EventMariaGTIDList:
		ids, err := binlog.ParseMariaGTIDList(body)
		if err != nil {
			return err
		}
		for _, id := range ids {
			g.mset.Add(id)
		}
		g.now = &entry.GTID{Set: g.mset.String()}
	case binlog.EventGTID, binlog.EventAnonymousGTID, binlog.EventGTIDTagged:
		parse := binlog.ParseGTID
		if h.Type == binlog.EventGTIDTagged {
			parse = binlog.ParseGTIDTagged
		}
		id, err := parse(body)
		if err != nil {
			return err
		}
		if h.Type == binlog.EventAnonymousGTID {
			g.now = &entry.GTID{Set: g.set.String()}
			return nil
		}
		g.set.Add(id.GTID)
		g.now = &entry.GTID{
			Set:          g.set.String(),
			Current:      id.GTID.String(),
			Sequence:     strconv.FormatInt(id.SequenceNumber, 10),
			LastCommited: strconv.FormatInt(id.LastCommitted, 10),
		}
	}
	return nil
}
