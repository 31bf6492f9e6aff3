package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// attempt is one try: connect, find the position, dump until it ends. Its
// connections end with it.
type attempt struct {
	s      *Source
	server endpoint
	config mysql.Config
	conn   *mysql.Conn // for questions and then for the dump
	facts  mysql.Facts
}

// End implements prober.
func (a *attempt) End(ctx context.Context, gtid bool) (binlog.Position, error) {
	return a.conn.End(ctx, gtid)
}

// LogFiles implements prober.
func (a *attempt) LogFiles(ctx context.Context) ([]mysql.LogFile, error) {
	return a.conn.LogFiles(ctx)
}

// run makes the attempt. It returns only with an error, also when the server
// ended the dump in an orderly way or ctx is over.
func (a *attempt) run(ctx context.Context) (err error) {
	a.s.setPhase(PhaseConnecting, a.server.Address)
	if a.conn, err = mysql.Connect(ctx, a.config); err != nil {
		return err
	}
	defer func() { _ = a.conn.Close() }()
	if a.facts, err = a.conn.Inspect(ctx); err != nil {
		return err
	}
	o := &a.s.o.Instance
	if err := checkFacts(a.facts, o.BinlogFormats, o.BinlogImages, o.GTIDMode); err != nil {
		return err
	}
	a.s.setPhase(PhaseLocating, a.server.Address)
	st, err := a.s.locate(ctx, a, a.server, a.facts)
	if err != nil {
		return err
	}
	a.avoidTwins(ctx)
	err = a.dump(ctx, st)
	if ctx.Err() == nil && diagnose(err, o.User).kind == lostPosition {
		// The server found out what the list of files did not show.
		a.s.lose(st.position, err)
	}
	return err
}

// avoidTwins looks for another reader that is registered under our replica id:
// the server would end the dump of one when the other begins. A generated id
// is changed to a free one, a configured one is only warned about. Servers that
// do not tell are not asked further. MySQL is not asked at all: it tells replicas
// apart by @slave_uuid, which PrepareDump sets, and 5.7 and 8.0 crash in SHOW
// SLAVE HOSTS when a replica has registered and gone without a dump.
func (a *attempt) avoidTwins(ctx context.Context) {
	if a.facts.Flavor != binlog.FlavorMariaDB {
		return
	}
	replicas, err := a.conn.Replicas(ctx)
	if err != nil {
		return
	}
	taken := make(map[uint32]mysql.Replica, len(replicas))
	for _, r := range replicas {
		taken[r.ServerID] = r
	}
	id := a.s.serverID
	twin, ok := taken[id]
	if !ok {
		return
	}
	if a.s.o.Instance.ServerID != 0 {
		a.s.log.WarnContext(ctx, fmt.Sprintf("replica id %d is already registered from %s:%s: a dump of this instance that is still ending, or %s",
			id, twin.Host, twin.Port, collisionRemedy))
		return
	}
	for ok {
		id++
		_, ok = taken[id]
	}
	a.s.log.InfoContext(ctx, fmt.Sprintf("replica id %d is in use by %s:%s, taking %d", a.s.serverID, twin.Host, twin.Port, id))
	a.s.serverID = id
}

// dump reads the binlog from st on and gives it to the Handler.
func (a *attempt) dump(ctx context.Context, st start) (err error) {
	checksum, err := a.conn.PrepareDump(ctx, a.s.o.HeartbeatPeriod)
	if err != nil {
		return err
	}
	tables := mysql.NewTables(a.config)
	defer func() { _ = tables.Close() }()
	started := false
	defer func() {
		if started {
			a.endDump(ctx, a.conn, err)
		}
	}()
	streaming, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	h := a.s.o.Handler
	err = h.Start(ctx, Session{
		Address: a.server.Address, Host: a.server.host, Port: a.server.port,
		Server: a.facts, Position: st.position, Done: st.done, Reset: st.reset, GTIDMode: st.gtid, Checksum: checksum,
		ServerID: a.s.serverID, Tables: catalogue{tables, a}, Fail: fail,
	})
	if err != nil {
		return fmt.Errorf("begin of dump: %w", err)
	}
	defer h.Stop()
	if err := a.startDump(ctx, st); err != nil {
		return err
	}
	started = true
	a.s.dumping(a.server, a.facts.Version, st)
	err = a.pump(streaming)
	if errors.Is(err, ErrNeedTransactionStart) {
		a.s.lose(st.position, err)
	}
	return err
}

// startTimeout bounds the registration and the dump command together.
const startTimeout = 10 * time.Second

// startDump registers and begins the dump. The one follows the other also when
// ctx ends between them: see avoidTwins for what a registration without a dump
// does to a server.
func (a *attempt) startDump(ctx context.Context, st start) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	if !st.gtid {
		if err := a.conn.Register(ctx, a.s.serverID); err != nil {
			return err
		}
	}
	return a.command(ctx, a.conn, st)
}

// command asks for the log from a start on.
func (a *attempt) command(ctx context.Context, c *mysql.Conn, st start) error {
	id := a.s.serverID
	if !st.gtid {
		return c.Dump(ctx, id, st.position.File, st.position.Offset)
	}
	unreadable := func(err error) error {
		return &StopError{Reason: "the start position's GTID set cannot be read", Asked: st.position, Err: err,
			Choices: []string{"correct canal.instance.master.gtid, or remove the stored cursor"}}
	}
	if a.facts.Flavor == binlog.FlavorMariaDB {
		set, err := binlog.ParseMariaGTIDSet(st.position.GTIDSet)
		if err != nil {
			return unreadable(err)
		}
		return c.DumpMariaGTID(ctx, id, set.String())
	}
	set, err := binlog.ParseGTIDSet(st.position.GTIDSet)
	if err != nil {
		return unreadable(err)
	}
	return c.DumpGTID(ctx, id, set.Encode())
}

// pump moves chunks from the connection to the Handler until one of them fails.
func (a *attempt) pump(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = a.conn.Close() })()
	began := time.Now()
	fr := newFramer(&stream{conn: a.conn.Stream(), timeout: a.s.o.ReadTimeout, read: a.s.countRead}, a.s.pool, a.s.o.MaxEventSize)
	defer fr.close()
	idle := &idleWatch{connect: func(ctx context.Context) (*mysql.Conn, error) { return mysql.Connect(ctx, a.config) }}
	defer idle.close()
	for {
		c, err := fr.next()
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, errEndOfStream) || endedByServer(err) && mysql.Code(err) == 0 && time.Since(began) < suspicious {
				return fmt.Errorf("binlog dump: %w; %s", err, collisionHint)
			}
			return fmt.Errorf("binlog dump: %w", err)
		}
		a.s.countChunk(c)
		stale := idle.chunk(ctx, c)
		err = a.s.o.Handler.Chunk(ctx, c)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case stale != nil:
			return fmt.Errorf("binlog dump: %w", stale)
		}
	}
}

// suspicious is how soon after its begin the end of a dump without a word hints
// at a second reader: MariaDB cuts the older of two that have one replica id.
const suspicious = 5 * time.Second

// collisionHint goes with a dump that the server ended without a word.
const collisionHint = "the server may be stopping, or " + collisionRemedy
