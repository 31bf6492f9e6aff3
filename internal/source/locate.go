package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// Target says from where clients want to go on. One of File, Timestamp, GTIDSet and
// End is given.
type Target struct {
	File      string
	Offset    int64 // in File; 4 and less is its beginning
	Timestamp int64 // ms since the epoch: the last transaction border before it
	GTIDSet   string
	End       bool // of the binlog, as it is now
}

// Located is where a Target is on the source.
type Located struct {
	Cursor Cursor          // from which a Source delivers what is wanted
	Files  []mysql.LogFile // that the source has, oldest first
	End    binlog.Position // of its binlog

	// Moved says that File and Offset are inside a transaction, or not at the begin of
	// one, and the cursor is at the border before.
	Moved bool

	// Again says that transactions of the set asked for come again: they stand behind
	// one that is not in it, and the source is read by file and offset.
	Again bool
}

// ErrTarget says that a Target is none for this source, whatever it has.
var ErrTarget = errors.New("no such place")

// Locate finds a target on the server in use, by the same means by which Run finds
// its start, and over connections of its own. It may be called while Run reads. It
// reads up to one binlog file from its begin, which takes its time.
//
// The error is a *StopError when the server does not have the place any more, or
// not yet; it wraps ErrTarget when the target is wrong in itself. Remedy knows what
// to do about others.
func (s *Source) Locate(ctx context.Context, t Target) (Located, error) {
	if s.o.Instance.Local.Dir != "" {
		return s.locateInFiles(ctx, t)
	}
	a := s.asideOf(s.current(), "locate")
	var err error
	if a.conn, err = mysql.Connect(ctx, a.config); err != nil {
		return Located{}, err
	}
	defer func() { _ = a.conn.Close() }()
	if a.facts, err = a.conn.Inspect(ctx); err != nil {
		return Located{}, err
	}
	a.avoidTwins(ctx)
	return s.find(ctx, t, a, a.server, a.facts)
}

// find is Locate with somebody to ask.
func (s *Source) find(ctx context.Context, t Target, probe prober, server endpoint, facts mysql.Facts) (Located, error) {
	l := &locator{&resolver{probe: probe, server: server, facts: facts, files: s.o.Instance.Local.Dir != "",
		gtidMode: s.o.Instance.GTIDMode, logf: func(string, ...any) {}}, binlog.Position{}, nil}
	found, err := l.locate(ctx, t)
	if stop, ok := errors.AsType[*StopError](err); ok {
		stop.Choices = []string{"choose a place in the binlog that the source has", "restore the missing binlog files on the source"}
	}
	return found, err
}

// Remedy says what to do about an error of Locate or Connect; "" when nothing is
// known.
func (s *Source) Remedy(err error) string { return diagnose(err, s.o.Instance.User).remedy }

// asideOf is an attempt that asks a server without being in the way of Run: it has
// a replica id of its own, because MariaDB ends a dump when another one begins
// under the same id.
func (s *Source) asideOf(server endpoint, purpose string) *attempt {
	o := s.o
	o.Handler, o.Stored, o.Resume, o.Hooks = nil, nil, nil, Hooks{}
	o.Logger = slog.New(slog.DiscardHandler)
	o.Instance.ServerID = 0
	o.Instance.Destination += "/" + purpose
	other := New(o)
	return &attempt{s: other, server: server, config: s.mysqlConfig(server)}
}

// locator finds a target.
type locator struct {
	r     *resolver
	end   binlog.Position
	files []mysql.LogFile
}

func (l *locator) locate(ctx context.Context, t Target) (Located, error) {
	var err error
	if l.end, err = l.r.probe.End(ctx, true); err != nil {
		return Located{}, err
	}
	if l.files, err = l.r.probe.LogFiles(ctx); err != nil {
		return Located{}, err
	}
	out := Located{Files: l.files, End: l.end}
	var p binlog.Position
	switch {
	case t.End:
		p = l.end
	case t.GTIDSet != "":
		p, out.Again, err = l.bySet(ctx, t.GTIDSet)
	case t.Timestamp > 0:
		p, err = l.atTime(ctx, t.Timestamp)
	default:
		p, err = l.inFile(ctx, t)
		out.Moved = t.Offset > 4 && p.Offset != t.Offset
	}
	if err != nil {
		return Located{}, err
	}
	if !l.r.gtidMode {
		p.GTIDSet = ""
	}
	out.Cursor = Cursor{Host: l.r.server.host, Port: l.r.server.port, Position: p}
	return out, nil
}

// inFile is the border at or before an offset in a file.
func (l *locator) inFile(ctx context.Context, t Target) (binlog.Position, error) {
	if err := l.r.available(ctx, binlog.Position{File: t.File, Offset: t.Offset}); err != nil {
		return binlog.Position{}, err
	}
	return l.border(ctx, t.File, limit{offset: max(t.Offset, 4), end: l.end})
}

// border is the last border before a limit in a file.
func (l *locator) border(ctx context.Context, file string, lim limit) (binlog.Position, error) {
	p, found, err := l.r.probe.scan(ctx, file, lim)
	if err == nil && !found {
		err = l.r.gone(ctx, binlog.Position{File: file}, "no transaction border was found in "+file, nil)
	}
	return p, err
}

// atTime is the place of a time, with its set in GTID mode.
func (l *locator) atTime(ctx context.Context, ms int64) (binlog.Position, error) {
	st, err := l.r.byTime(ctx, binlog.Position{Timestamp: ms}, ms, "")
	if err == nil && l.r.gtidMode && st.position.GTIDSet == "" {
		return l.border(ctx, st.position.File, limit{offset: 4, end: l.end}) // it is the begin of the oldest file
	}
	return st.position, err
}

// bySet is where the first transaction begins that is not in a set.
func (l *locator) bySet(ctx context.Context, text string) (p binlog.Position, again bool, err error) {
	set, err := parseHistory(l.r.facts.Flavor, text)
	if err != nil {
		return p, false, fmt.Errorf("%w: %w", ErrTarget, err)
	}
	if m := l.r.facts.GTIDMode; l.r.facts.Flavor != binlog.FlavorMariaDB && m != "ON" {
		return p, false, fmt.Errorf("%w: the source has no GTIDs (gtid_mode is %q)", ErrTarget, m)
	}
	executed, err := parseHistory(l.r.facts.Flavor, l.end.GTIDSet)
	if err != nil {
		return p, false, err
	}
	asked := binlog.Position{GTIDSet: set.String()}
	if !executed.contains(set) {
		return p, false, l.r.stop(l.files, asked, "the set has transactions that the source has not executed: it has "+executed.String(), nil)
	}
	file, err := l.fileOf(ctx, set)
	if err != nil {
		return p, false, err
	}
	if file == "" {
		return p, false, l.r.stop(l.files, asked, "the source no longer has the first transaction that is not in the set", ErrPositionPurged)
	}
	if p, err = l.border(ctx, file, limit{set: set, end: l.end}); err != nil {
		return p, false, err
	}
	if l.r.gtidMode {
		p.GTIDSet = asked.GTIDSet
		return p, false, nil
	}
	before, err := parseHistory(l.r.facts.Flavor, p.GTIDSet)
	return p, err == nil && !before.contains(set), err
}

// fileOf is the newest file before which nothing stands but what is in the set; ""
// when there is none.
func (l *locator) fileOf(ctx context.Context, set *history) (string, error) {
	var failed error
	after := sort.Search(len(l.files), func(i int) bool {
		if failed != nil {
			return true
		}
		p, err := l.border(ctx, l.files[i].Name, limit{offset: 4, end: l.end})
		if err != nil {
			failed = err
			return true
		}
		if p.GTIDSet == "" && i > 0 && i == len(l.files)-1 {
			return true // it has just been begun and does not tell it yet
		}
		before, err := parseHistory(l.r.facts.Flavor, p.GTIDSet)
		if err != nil {
			failed = err
		}
		return err != nil || !set.contains(before)
	})
	if failed != nil || after == 0 {
		return "", failed
	}
	return l.files[after-1].Name, nil
}
