package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// start is where a dump is to begin.
type start struct {
	asked    binlog.Position // what a cursor or the configuration says; zero when neither says anything
	position binlog.Position
	gtid     bool   // dump by position.GTIDSet
	how      string // by which rule position follows from asked, for the log
	reset    bool   // the position was given up for the end of the log
	done     bool   // the event at position is confirmed: see Session.Done
}

// prober asks the server a start position is looked for on.
type prober interface {
	End(ctx context.Context, gtid bool) (binlog.Position, error)
	LogFiles(ctx context.Context) ([]mysql.LogFile, error)
	// scan follows one file from its beginning and returns the last border before the limit.
	scan(ctx context.Context, file string, l limit) (binlog.Position, bool, error)
	// fileTime is when the file was begun, ms since the epoch.
	fileTime(ctx context.Context, file string) (int64, error)
}

// resolver finds start positions. It has no state of its own: everything that
// decides is in its fields.
type resolver struct {
	probe    prober
	server   endpoint
	facts    mysql.Facts
	gtidMode bool
	history  bool          // Options.TableHistory
	standby  bool          // a second server is configured
	fallback time.Duration // how far to go back after a change of server
	reset    bool          // jump to the end when the position is gone
	files    bool          // files in a folder are read: see localAttempt
	logf     func(format string, args ...any)
}

// configured is the start position of the server's configuration. In GTID mode
// a standby without a set of its own starts at the master's, as in Canal.
func (r *resolver) configured(masterSet string) binlog.Position {
	c := r.server.Start
	p := binlog.Position{File: c.File, Offset: max(c.Offset, 0), Timestamp: max(c.Timestamp, 0)}
	if r.gtidMode {
		if p.GTIDSet = c.GTIDSet; p.GTIDSet == "" {
			p.GTIDSet = masterSet
		}
	}
	return p
}

// initial is the start without any cursor: what is configured, or the end.
func (r *resolver) initial(ctx context.Context, asked binlog.Position) (start, error) {
	if asked.GTIDSet != "" {
		return start{asked: asked, position: asked, gtid: true, how: "configured gtid set"}, nil
	}
	switch {
	case asked.File == "" && asked.Timestamp > 0:
		r.logf("prepare to find start position %s:%s:%d", "", "", asked.Timestamp)
		return r.byTime(ctx, asked, asked.Timestamp, "configured timestamp")
	case asked.File == "" && r.files:
		return r.atBegin(ctx, asked)
	case asked.File == "":
		r.logf("prepare to find start position just show master status")
		return r.atEnd(ctx, asked, "nothing stored or configured: present end of the log")
	case asked.Offset > 0:
		r.logf("prepare to find start position %s:%d:%d", asked.File, asked.Offset, asked.Timestamp)
		return r.configuredOffset(ctx, asked)
	}
	r.logf("prepare to find start position %s:%s:%d", asked.File, "", asked.Timestamp)
	return r.inFile(ctx, asked)
}

// configuredOffset starts at a file and an offset. A history of tables needs a
// transaction border with a time, and GTID mode the set before it, so these
// move back to the border before.
func (r *resolver) configuredOffset(ctx context.Context, asked binlog.Position) (start, error) {
	if err := r.available(ctx, asked); err != nil {
		return r.lost(ctx, asked, err)
	}
	if !r.gtidMode && (!r.history || asked.Timestamp > 0) {
		return start{asked: asked, position: asked, how: "configured position"}, nil
	}
	end, err := r.probe.End(ctx, r.gtidMode)
	if err != nil {
		return start{}, err
	}
	p, found, err := r.probe.scan(ctx, asked.File, limit{offset: asked.Offset, end: end})
	if err != nil {
		return start{}, err
	}
	if !found {
		return start{}, r.gone(ctx, asked, "no transaction border was found before the configured position", nil)
	}
	return r.found(asked, p, "transaction border at or before the configured position"), nil
}

// inFile starts in a configured file: at a time if there is one, else at its beginning.
func (r *resolver) inFile(ctx context.Context, asked binlog.Position) (start, error) {
	first := binlog.Position{File: asked.File, Offset: 4, Timestamp: asked.Timestamp}
	if asked.Timestamp <= 0 {
		return start{asked: asked, position: first, how: "beginning of the configured file"}, nil
	}
	end, err := r.probe.End(ctx, r.gtidMode)
	if err != nil {
		return start{}, err
	}
	p, found, err := r.probe.scan(ctx, asked.File, limit{time: asked.Timestamp, end: end})
	if err != nil {
		return start{}, err
	}
	if !found {
		return start{asked: asked, position: first, how: "nothing before the timestamp in the configured file: its beginning"}, nil
	}
	return r.found(asked, p, "timestamp in the configured file"), nil
}

// resume is the start for a cursor.
func (r *resolver) resume(ctx context.Context, c Cursor) (start, error) {
	asked := c.Position
	if r.gtidMode && asked.GTIDSet != "" {
		r.logLast(c)
		return start{asked: asked, position: asked, gtid: true, how: "stored gtid set"}, nil
	}
	if !r.files && !r.server.is(ctx, c.Host, c.Port) {
		r.logf("prepare to find start position by switch %s:%s:%d", "", "", asked.Timestamp)
		return r.byCursorTime(ctx, asked, fmt.Sprintf("position of another server (%s:%d)", c.Host, c.Port))
	}
	if asked.File == "" || asked.Offset <= 0 {
		r.logf("prepare to find start position by last position %s:%s:%d", "", "", asked.Timestamp)
		return r.byCursorTime(ctx, asked, "stored position names no place")
	}
	r.logLast(c)
	if err := r.available(ctx, asked); err != nil {
		return r.lost(ctx, asked, err)
	}
	if r.gtidMode {
		return r.withSet(ctx, asked)
	}
	st := r.found(asked, asked, "stored position")
	st.done = c.Whole
	return st, nil
}

// withSet finds out the GTID set at a position that was stored without one.
func (r *resolver) withSet(ctx context.Context, asked binlog.Position) (start, error) {
	end, err := r.probe.End(ctx, true)
	if err != nil {
		return start{}, err
	}
	p, found, err := r.probe.scan(ctx, asked.File, limit{offset: asked.Offset, end: end})
	if err != nil {
		return start{}, err
	}
	if !found || p.GTIDSet == "" {
		return start{asked: asked, position: asked, how: "stored position, without a gtid set"}, nil
	}
	return r.found(asked, p, "stored position had no gtid set: read from the binlog"), nil
}

// transactionStart is the start when a dump at p turned out to begin inside a
// transaction.
func (r *resolver) transactionStart(ctx context.Context, p binlog.Position) (start, error) {
	if p.File == "" {
		return start{}, r.gone(ctx, p, "rows refer to a table map that the dump did not bring", ErrNeedTransactionStart)
	}
	r.logf("prepare to find last position : %s", canalText(p))
	end, err := r.probe.End(ctx, r.gtidMode)
	if err != nil {
		return start{}, err
	}
	b, found, err := r.probe.scan(ctx, p.File, limit{offset: p.Offset, end: end})
	if err != nil {
		return start{}, err
	}
	if !found || b.Offset >= p.Offset {
		return start{}, r.gone(ctx, p, "rows after the position refer to a table map that is not in its transaction", ErrNeedTransactionStart)
	}
	r.logf("find new start Transaction Position , old : %d , new : %d", p.Offset, b.Offset)
	if b.Timestamp == 0 {
		b.Timestamp = p.Timestamp
	}
	return r.found(p, b, "begin of the transaction around the position"), nil
}

// lost is the start when the server does not have the position: cause says so.
func (r *resolver) lost(ctx context.Context, asked binlog.Position, cause error) (start, error) {
	if r.movedServer(asked) {
		r.logf("prepare to find start position by last position %s:%s:%d", "", "", asked.Timestamp)
		how := fmt.Sprintf("server id changed from %d to %d behind the same address", asked.ServerID, r.facts.ServerID)
		return r.byCursorTime(ctx, asked, how)
	}
	if r.reset {
		return r.jump(ctx, asked, "position is gone")
	}
	stop, ok := errors.AsType[*StopError](cause)
	if !ok {
		stop = r.gone(ctx, asked, "the server no longer has the binlog the position is in", cause)
	}
	return start{}, stop
}

// movedServer tells a virtual address that now leads to another server, which
// has other files: then the time of the position is the only thing to go by.
func (r *resolver) movedServer(p binlog.Position) bool {
	return !r.standby && !r.gtidMode && p.ServerID > 0 && p.Timestamp > 0 && uint32(p.ServerID) != r.facts.ServerID
}

func (r *resolver) byCursorTime(ctx context.Context, asked binlog.Position, why string) (start, error) {
	if asked.Timestamp <= 0 {
		return start{}, r.gone(ctx, asked, why+", and no time is stored with it", nil)
	}
	return r.byTime(ctx, asked, asked.Timestamp-r.fallback.Milliseconds(), fmt.Sprintf("%s: %v before its time", why, r.fallback))
}

// atEnd starts where the log ends now.
func (r *resolver) atEnd(ctx context.Context, asked binlog.Position, how string) (start, error) {
	end, err := r.probe.End(ctx, r.gtidMode)
	if err != nil {
		return start{}, err
	}
	return r.found(asked, end, how), nil
}

// atBegin starts where the log begins, which is what is wanted of files: they have
// been put there to be read.
func (r *resolver) atBegin(ctx context.Context, asked binlog.Position) (start, error) {
	files, err := r.probe.LogFiles(ctx)
	if err != nil {
		return start{}, err
	}
	const how = "nothing stored or configured: begin of the oldest file"
	if r.gtidMode {
		end, err := r.probe.End(ctx, true)
		if err != nil {
			return start{}, err
		}
		p, found, err := r.probe.scan(ctx, files[0].Name, limit{offset: 4, end: end})
		if err != nil || found {
			return start{asked: asked, position: p, gtid: true, how: how}, err // the set before it may be empty
		}
	}
	return start{asked: asked, position: binlog.Position{File: files[0].Name, Offset: 4}, how: how}, nil
}

// jump gives a position up for the end of the log, as the configuration allows.
func (r *resolver) jump(ctx context.Context, asked binlog.Position, why string) (start, error) {
	st, err := r.atEnd(ctx, asked, why+" and canal.auto.reset.latest.pos.mode is on: jumped to the end, the changes between are skipped")
	st.reset = true
	return st, err
}

// byTime finds the last transaction border before target (ms since the epoch).
// The files' first events tell which file it is in, so only that one is read.
func (r *resolver) byTime(ctx context.Context, asked binlog.Position, target int64, how string) (start, error) {
	end, err := r.probe.End(ctx, r.gtidMode)
	if err != nil {
		return start{}, err
	}
	files, err := r.probe.LogFiles(ctx)
	if err != nil {
		return start{}, err
	}
	var (
		probeErr error
		oldest   int64 // when files[0] was begun, if the search came to it
	)
	after := sort.Search(len(files), func(i int) bool {
		if probeErr != nil {
			return true
		}
		t, err := r.probe.fileTime(ctx, files[i].Name)
		if err != nil {
			probeErr = err
			return true
		}
		if i == 0 {
			oldest = t
		}
		return t >= target
	})
	if probeErr != nil {
		return start{}, probeErr
	}
	if after == 0 && len(files) > 0 && oldest <= asked.Timestamp {
		// Only what was to be read twice is missing.
		p := binlog.Position{File: files[0].Name, Offset: 4, Timestamp: oldest}
		return start{asked: asked, position: p, how: how + ", or what is left of that: the begin of the oldest file"}, nil
	}
	if after == 0 {
		reason := "can't find start position: the oldest binlog begins after " + time.UnixMilli(target).UTC().Format(time.RFC3339)
		if r.reset {
			return r.jump(ctx, asked, reason)
		}
		return start{}, r.gone(ctx, asked, reason, nil)
	}
	file := files[after-1].Name
	p, found, err := r.probe.scan(ctx, file, limit{time: target, end: end})
	if err != nil {
		return start{}, err
	}
	if !found {
		return start{}, r.gone(ctx, asked, "can't find start position: no transaction border in "+file, nil)
	}
	return r.found(asked, p, how), nil
}

// found makes a start of a place on the server; in GTID mode it is asked for by its set.
func (r *resolver) found(asked, p binlog.Position, how string) start {
	gtid := r.gtidMode && p.GTIDSet != ""
	if !r.gtidMode {
		p.GTIDSet = ""
	}
	return start{asked: asked, position: p, gtid: gtid, how: how}
}

// available checks a position against the list of files. A server that does not
// show it is not asked further: the dump will tell.
func (r *resolver) available(ctx context.Context, p binlog.Position) error {
	files, err := r.probe.LogFiles(ctx)
	if err != nil {
		if mysql.Code(err) != 0 {
			return nil
		}
		return err
	}
	i := slices.IndexFunc(files, func(f mysql.LogFile) bool { return f.Name == p.File })
	switch {
	case i < 0:
		return r.stop(files, p, "the server does not have the binlog file of the position", ErrPositionPurged)
	case p.Offset > files[i].Size:
		return r.stop(files, p, fmt.Sprintf("the position is beyond the end of its file (%d bytes): the server lost or rewrote the end of its log", files[i].Size), nil)
	}
	return nil
}

// gone is the stop when a position cannot be used.
func (r *resolver) gone(ctx context.Context, p binlog.Position, reason string, cause error) *StopError {
	files, err := r.probe.LogFiles(ctx)
	if err != nil {
		files = nil // the reason matters more than the list
	}
	return r.stop(files, p, reason, cause)
}

func (r *resolver) stop(files []mysql.LogFile, p binlog.Position, reason string, cause error) *StopError {
	e := &StopError{Reason: reason, Asked: p, Err: cause, Choices: []string{
		"restore the missing binlog files on the source, or point canal.instance.master.address to a server that still has them",
		"take the data again and start from a position that exists: set canal.instance.master.journal.name and .position (or .timestamp, or .gtid) and remove the stored cursor of the instance",
		"skip the missing changes: set canal.auto.reset.latest.pos.mode=true, which jumps to the present end",
	}}
	if r.files {
		e.Choices[0] = "put the missing binlog files into the folder of towpath.instance.localBinlog.dir"
	}
	if len(files) > 0 {
		e.Oldest, e.Newest = files[0].Name, files[len(files)-1].Name
	}
	return e
}

// logLast writes the cursor in Canal's form: its LogPosition as JSON, with the
// field names as they are spelled there.
func (r *resolver) logLast(c Cursor) {
	type address struct {
		Address string `json:"address"`
		Port    int    `json:"port"`
	}
	type identity struct {
		SlaveID       int64   `json:"slaveId"`
		SourceAddress address `json:"sourceAddress"`
	}
	type position struct {
		GTID        string `json:"gtid"`
		Included    bool   `json:"included"`
		JournalName string `json:"journalName"`
		Position    int64  `json:"position"`
		ServerID    int64  `json:"serverId"`
		Timestamp   int64  `json:"timestamp"`
	}
	p := c.Position
	text, err := json.Marshal(struct {
		Identity identity `json:"identity"`
		Position position `json:"postion"`
	}{identity{-1, address{c.Host, c.Port}}, position{p.GTIDSet, false, p.File, p.Offset, p.ServerID, p.Timestamp}})
	if err != nil {
		text = []byte(p.String())
	}
	r.logf("prepare to find start position just last position\n %s", text)
}

// canalText is a position as Canal's log shows it (EntryPosition.toString).
func canalText(p binlog.Position) string {
	var b strings.Builder
	b.WriteString("EntryPosition[included=false")
	field := func(name, value string, known bool) {
		if !known {
			value = "<null>"
		}
		b.WriteString("," + name + "=" + value)
	}
	field("journalName", p.File, p.File != "")
	field("position", fmt.Sprint(p.Offset), p.Offset > 0)
	field("serverId", fmt.Sprint(p.ServerID), p.ServerID > 0)
	field("gtid", p.GTIDSet, p.GTIDSet != "")
	field("timestamp", fmt.Sprint(p.Timestamp), p.Timestamp > 0)
	b.WriteString("]")
	return b.String()
}
