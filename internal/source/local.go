package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/schema"
)

// localAttempt is one try to read binlog files from a folder (Canal's
// LocalBinlogEventParser). Whatever is wrong with the files is tried again, because
// they can be mended while the instance runs.
type localAttempt struct {
	s      *Source
	folder *folder
	server endpoint    // in the place of a server: its address is the folder
	live   bool        // there is a server to ask for definitions
	facts  mysql.Facts // of who wrote the files
	asked  mysql.Facts // of that server
}

// localEndpoint is the folder as a server. Cursors name the server that wrote the
// files, where it is known, so that they are valid there too.
func localEndpoint(o *config.Instance) (endpoint, error) {
	e := endpoint{Endpoint: config.Endpoint{Address: o.Local.Dir, Start: o.Master.Start}}
	if o.Master.Address != "" {
		master, err := parseEndpoint(o.Master)
		if err != nil {
			return e, err
		}
		e.host, e.port = master.host, master.port
	}
	return e, nil
}

func (s *Source) newLocalAttempt(server endpoint) *localAttempt {
	o := &s.o.Instance
	return &localAttempt{s: s, server: server, live: o.Master.Address != "",
		folder: &folder{dir: o.Local.Dir, name: o.Local.Name, serverID: o.Local.ServerID, maxEvent: s.o.MaxEventSize}}
}

// run makes the attempt. It returns only with an error.
func (a *localAttempt) run(ctx context.Context) error {
	a.s.setPhase(PhaseConnecting, a.server.Address)
	if err := a.inspect(ctx); err != nil {
		return err
	}
	a.s.setPhase(PhaseLocating, a.server.Address)
	st, err := a.locate(ctx)
	if err != nil {
		return a.mendable(err)
	}
	return a.dump(ctx, st)
}

// mendable makes an error of a folder one that is tried again.
func (a *localAttempt) mendable(err error) error {
	if stop, ok := errors.AsType[*StopError](err); ok {
		remedy := stop.Remedy()
		plain := *stop
		plain.Choices = nil
		return &configError{plain.Error(), remedy}
	}
	return err
}

// inspect asks the files who wrote them, and the server, if there is one, for the
// settings that files do not have.
func (a *localAttempt) inspect(ctx context.Context) error {
	files, err := a.folder.list()
	if err != nil {
		return err
	}
	f, o, err := a.folder.open(files[len(files)-1].name)
	if err != nil {
		return err
	}
	_ = f.Close()
	a.facts = o.facts()
	if !a.live {
		return nil
	}
	conn, err := mysql.Connect(ctx, a.s.masterConfig())
	if err != nil {
		return err
	}
	defer conn.Close()
	a.asked, err = conn.Inspect(ctx)
	return err
}

// locate finds the place to begin at. What is asked for by a GTID set is looked for
// in the files.
func (a *localAttempt) locate(ctx context.Context) (start, error) {
	st, err := a.s.locate(ctx, a.folder, a.server, a.facts)
	if err != nil || !st.gtid || st.position.GTIDSet == "" || st.asked.GTIDSet != st.position.GTIDSet {
		return st, err // otherwise the set was read from the files, with its place
	}
	found, err := a.s.find(ctx, Target{GTIDSet: st.position.GTIDSet}, a.folder, a.server, a.facts)
	if err != nil {
		return st, fmt.Errorf("find the first transaction that is not in the set: %w", err)
	}
	p := found.Cursor.Position
	st.position.File, st.position.Offset, st.done = p.File, p.Offset, false
	return st, nil
}

// dump reads the files from st on and gives them to the Handler.
func (a *localAttempt) dump(ctx context.Context, st start) error {
	f, o, err := a.folder.open(st.position.File)
	if err != nil {
		return err
	}
	at, ok := a.folder.place(f, &o, st.position.Offset)
	if !ok {
		_ = f.Close()
		err := fmt.Errorf("%s is not the begin of an event: %w", st.position, ErrNeedTransactionStart)
		a.s.lose(st.position, err)
		return err
	}
	r := &follower{folder: a.folder, pool: a.s.pool, log: a.s.log, wait: a.s.o.Instance.Local.Wait,
		heartbeat: a.s.o.HeartbeatPeriod, settle: settle, read: a.s.countRead}
	r.start(f, o, st.position.File, at)
	defer r.close()
	facts := o.facts()
	facts.LowerCaseTableNames, facts.RDS, facts.PolarX = a.asked.LowerCaseTableNames, a.asked.RDS, a.asked.PolarX
	if a.same() {
		facts.ServerUUID = a.asked.ServerUUID
	}
	tables, done := a.tables()
	defer done()
	streaming, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	h := a.s.o.Handler
	err = h.Start(ctx, Session{
		Address: a.server.Address, Host: a.server.host, Port: a.server.port,
		Server: facts, Position: st.position, Done: st.done, Reset: st.reset, GTIDMode: st.gtid, Checksum: o.format.Checksum,
		Tables: tables, Fail: fail,
	})
	if err != nil {
		return fmt.Errorf("begin of dump: %w", err)
	}
	defer h.Stop()
	a.s.dumping(a.server, facts.Version, st)
	err = a.pump(streaming, r)
	if errors.Is(err, ErrNeedTransactionStart) {
		a.s.lose(st.position, err)
	}
	if errors.Is(err, binlog.ErrChecksum) {
		return &configError{err.Error(), remedyDamaged}
	}
	return err
}

// pump moves chunks from the files to the Handler until one of them fails.
func (a *localAttempt) pump(ctx context.Context, r *follower) error {
	for {
		c, err := r.next(ctx)
		if errors.Is(err, errFinished) {
			a.s.finished(r.name, r.offset)
			<-ctx.Done()
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		a.s.countChunk(c)
		err = a.s.o.Handler.Chunk(ctx, c)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		}
	}
}

// finished notes that everything has been read and no more is waited for.
func (s *Source) finished(file string, offset int64) {
	s.log.Info(fmt.Sprintf("destination:%s[all binlog files have been read, and towpath.instance.localBinlog.wait is false: nothing more is read before the instance starts anew]",
		s.o.Instance.Destination), "file", file, "offset", offset)
	s.mu.Lock()
	s.state.Phase, s.state.Since = PhaseFinished, time.Now()
	s.mu.Unlock()
	s.tell()
}

// tables is who knows definitions, at the place of a dump. done ends its connections.
func (a *localAttempt) tables() (t schema.Loader, done func()) {
	files := fileLog{a}
	if !a.live {
		return noServer{files}, func() {}
	}
	live := mysql.NewTables(a.s.masterConfig())
	done = func() { _ = live.Close() }
	if !a.same() {
		return struct{ schema.Loader }{live}, done // its log is another one
	}
	return fileCatalogue{live, files}, done
}

// same says whether the server that is asked is the one that wrote the files.
func (a *localAttempt) same() bool {
	return a.live && a.asked.ServerID == a.facts.ServerID && a.asked.Flavor == a.facts.Flavor
}

// noServer is a Live source where there is nobody to ask for definitions.
type noServer struct{ fileLog }

// LoadTable implements schema.Loader.
func (noServer) LoadTable(_ context.Context, schemaName, table string) (string, error) {
	return "", fmt.Errorf("%w: no CREATE TABLE of %s.%s was in the binlog files, and canal.instance.master.address names no server to ask", schema.ErrNoTable, schemaName, table)
}

// fileCatalogue asks the server that wrote the files.
type fileCatalogue struct {
	*mysql.Tables
	files fileLog
}

// Ahead implements schema.Live.
func (c fileCatalogue) Ahead(ctx context.Context, from, to binlog.Position, each func(schema.Statement) error) error {
	return c.files.Ahead(ctx, from, to, each)
}

// fileLog is the log that the files are.
type fileLog struct{ a *localAttempt }

// End implements schema.Live.
func (l fileLog) End(ctx context.Context) (binlog.Position, error) { return l.a.folder.End(ctx, false) }

// Ahead implements schema.Live. What the files do not have yet is read from the
// server that writes them.
func (l fileLog) Ahead(ctx context.Context, from, to binlog.Position, each func(schema.Statement) error) error {
	r := &aheadReader{to: to, each: each, flavor: l.a.facts.Flavor}
	if to.File == "" {
		if err := r.until(from.GTIDSet, to.GTIDSet); err != nil {
			return err
		}
		var err error
		if r.to, err = l.End(ctx); err != nil {
			return err
		}
	}
	if from.File == "" {
		var err error
		if from, err = l.find(ctx, from.GTIDSet); err != nil {
			return err
		}
	}
	r.file = from.File
	for at := from; ; {
		next, err := l.a.folder.after(r.file) // before the reading: a file grows until there is one after it
		if err != nil {
			return err
		}
		done, end, err := l.ahead(ctx, r, at)
		switch {
		case done || err != nil:
			return err
		case next != nil:
			r.file = next.name
			at = binlog.Position{File: next.name, Offset: int64(len(binlog.Magic))}
			continue
		case !l.a.same():
			return nil // nothing more is in the log
		}
		server, err := parseEndpoint(l.a.s.o.Instance.Master)
		if err != nil {
			return err
		}
		c := catalogue{a: &attempt{s: l.a.s, server: server, facts: l.a.asked}}
		return c.Ahead(ctx, binlog.Position{File: r.file, Offset: end}, r.to, each)
	}
}

// find is where the first transaction stands that is not in a set.
func (l fileLog) find(ctx context.Context, set string) (binlog.Position, error) {
	if set != "" {
		found, err := l.a.s.find(ctx, Target{GTIDSet: set}, l.a.folder, l.a.server, l.a.facts)
		return found.Cursor.Position, err
	}
	files, err := l.a.folder.list()
	if err != nil {
		return binlog.Position{}, err
	}
	return binlog.Position{File: files[0].name, Offset: int64(len(binlog.Magic))}, nil
}

// ahead reads the rest of a file. done says that the part is over, end is where the
// file ends so far.
func (l fileLog) ahead(ctx context.Context, r *aheadReader, from binlog.Position) (done bool, end int64, err error) {
	end = from.Offset
	err = l.a.folder.each(ctx, from.File, func(ev []byte) (bool, error) {
		h, err := binlog.ParseHeader(ev)
		if err != nil {
			return false, err
		}
		if h.Type == binlog.EventRotate || h.Type != binlog.EventFormatDescription && h.Start() < from.Offset {
			return false, nil
		}
		end = max(end, int64(h.LogPos))
		done, err = r.event(ev)
		return done, err
	})
	return done, end, err
}

// locateInFiles is Locate for files.
func (s *Source) locateInFiles(ctx context.Context, t Target) (Located, error) {
	server, err := localEndpoint(&s.o.Instance)
	if err != nil {
		return Located{}, err
	}
	a := s.newLocalAttempt(server)
	a.live = false
	if err := a.inspect(ctx); err != nil {
		return Located{}, err
	}
	return s.find(ctx, t, a.folder, server, a.facts)
}
