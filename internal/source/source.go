package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// Defaults of Options. Canal waits 10 to 20 s after every failure; that is the
// ceiling here, not the floor.
const (
	defaultMinBackoff = 200 * time.Millisecond
	defaultMaxBackoff = 10 * time.Second
	defaultHeartbeat  = 15 * time.Second
	defaultReadLimit  = 25 * time.Second
	defaultDetecting  = 3 * time.Second
)

// maxFatal is how many errors 1236 in a row that name no known cause make a
// position count as lost. Canal gives up a position after as many.
const maxFatal = 3

// Source reads one instance's source. Its methods may be called from any
// goroutine; Run once.
type Source struct {
	o        Options
	log      *slog.Logger
	pool     *chunkPool
	serverID uint32

	bytes, events, chunks atomic.Uint64
	lastByte              atomic.Int64 // ns since the epoch

	// What attempts leave for the next one; only Run's goroutine uses it.
	resumeHost string // server of the last dump that began
	resumePort int
	began      *binlog.Position // where that dump began
	beganDone  bool             // what stands there is confirmed
	before     binlog.Position  // what Resume said then: it may be of another server
	lost       binlog.Position  // position the server does not have, or inside a transaction
	lostCause  error            // nil when there is none
	fatals     int              // unexplained errors 1236 in a row
	failures   int              // failed attempts since the last dump that lasted
	reason     string           // what was last logged as the reason of a failure

	mu      sync.Mutex  // guards all below
	servers [2]endpoint // master, standby
	active  int
	abort   context.CancelCauseFunc // ends the attempt under way
	state   State
	stats   Stats
}

// New builds a source; nothing is started.
func New(o Options) *Source {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&o.MinBackoff, defaultMinBackoff)
	set(&o.MaxBackoff, defaultMaxBackoff)
	set(&o.HeartbeatPeriod, defaultHeartbeat)
	set(&o.ReadTimeout, defaultReadLimit)
	set(&o.Instance.DetectingInterval, defaultDetecting)
	if o.ChunkSize <= 0 {
		o.ChunkSize = defaultChunkSize
	}
	if o.MaxEventSize <= 0 {
		o.MaxEventSize = defaultMaxEventSize
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{o: o, log: o.Logger, pool: newChunkPool(max(o.ChunkSize, 4*minFreeToRead)), serverID: o.Instance.ServerID}
	s.state = State{Phase: PhaseIdle, Since: time.Now()}
	if s.serverID == 0 {
		s.serverID = mysql.GeneratedServerID(o.Instance.Destination, mysql.LocalHostIP())
	}
	return s
}

// Run reads until ctx ends (nil) or until a person is needed (*StopError). It
// owns all goroutines it starts and returns after they have ended.
func (s *Source) Run(ctx context.Context) error {
	err := s.run(ctx)
	s.mu.Lock()
	s.state.Phase, s.state.Since = PhaseStopped, time.Now()
	s.state.Reason, s.state.Remedy = "", ""
	if stop, ok := errors.AsType[*StopError](err); ok {
		s.state.Reason, s.state.Remedy = err.Error(), stop.Remedy()
		s.log.ErrorContext(ctx, fmt.Sprintf("destination:%s[%v]", s.o.Instance.Destination, err))
	}
	s.mu.Unlock()
	s.tell()
	return err
}

func (s *Source) run(ctx context.Context) error {
	if err := s.configure(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	if s.o.Instance.DetectingEnable && s.o.Instance.DetectingSQL != "" && s.o.Instance.Local.Dir == "" {
		wg.Go(func() { s.detect(ctx) })
	}
	backoff := s.o.MinBackoff
	for {
		err := s.try(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if st := s.State(); st.Phase == PhaseStreaming && time.Since(st.Since) >= s.o.MaxBackoff {
			// Only a dump that lasted counts as a success: two readers with one
			// replica id would else cut each other off without a pause.
			backoff, s.failures, s.reason = s.o.MinBackoff, 0, ""
		}
		if errors.Is(err, errSwitch) {
			continue
		}
		wait, err := s.judge(ctx, err, backoff)
		if err != nil {
			return err
		}
		backoff = min(2*backoff, s.o.MaxBackoff)
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// configure reads the addresses.
func (s *Source) configure() error {
	bad := func(key string, err error) error {
		return &StopError{Reason: key + ": " + err.Error(), Choices: []string{"correct " + key}}
	}
	parse := parseEndpoint
	if s.o.Instance.Local.Dir != "" {
		parse = func(config.Endpoint) (endpoint, error) { return localEndpoint(&s.o.Instance) }
	}
	master, err := parse(s.o.Instance.Master)
	if err != nil {
		return bad("canal.instance.master.address", err)
	}
	var standby endpoint
	if s.o.Instance.Standby.Address != "" && s.o.Instance.Local.Dir == "" {
		if standby, err = parseEndpoint(s.o.Instance.Standby); err != nil {
			return bad("canal.instance.standby.address", err)
		}
	}
	s.mu.Lock()
	s.servers = [2]endpoint{master, standby}
	s.mu.Unlock()
	return nil
}

// try makes one attempt at the server in use.
func (s *Source) try(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	server := s.servers[s.active]
	s.abort = cancel
	s.mu.Unlock()
	run := (&attempt{s: s, server: server, config: s.mysqlConfig(server)}).run
	if s.o.Instance.Local.Dir != "" {
		run = s.newLocalAttempt(server).run
	}
	err := run(ctx)
	if errors.Is(context.Cause(ctx), errSwitch) {
		return errSwitch
	}
	return err
}

// judge decides what a failed attempt means: an error that ends Run, or how
// long to wait. It says in the log what happened, once per change of reason.
func (s *Source) judge(ctx context.Context, err error, backoff time.Duration) (time.Duration, error) {
	d := diagnose(err, s.o.Instance.User)
	if mysql.Code(err) == mysql.CodeMasterFatal && d.kind == transient && d.remedy != collisionRemedy {
		if s.fatals++; s.fatals >= maxFatal {
			// Not to be read is as good as not there: the next attempt goes by time
			// or jumps where that is allowed, else stops with this.
			p := s.State().Position
			s.fatals = 0
			s.lose(p, &StopError{Reason: "the server cannot read its binlog at the start position", Asked: p, Err: err, Choices: []string{
				d.remedy, "start from another position: set canal.instance.master.journal.name and .position and remove the stored cursor of the instance"}})
		}
	} else if d.kind != lostPosition {
		s.fatals = 0
	}
	wait := backoff/2 + rand.N(backoff/2+1)
	switch d.kind {
	case permanent:
		return 0, err
	case lostPosition, midTransaction:
		s.log.WarnContext(ctx, err.Error())
		return wait, nil // the next attempt deals with it, or stops
	}
	s.mu.Lock()
	changed := s.reason != err.Error()
	s.reason = err.Error()
	s.failures++
	failures := s.failures
	s.state.Phase, s.state.Since = PhaseWaiting, time.Now()
	s.state.Reason, s.state.Remedy, s.state.Failures = err.Error(), d.remedy, failures
	s.stats.Failures++
	s.mu.Unlock()
	if changed || failures%100 == 0 {
		s.log.ErrorContext(ctx, fmt.Sprintf("destination:%s[%v]", s.o.Instance.Destination, err), "remedy", d.remedy, "failures", failures)
	}
	s.tell()
	return wait, nil
}

// cursor is the position to go on from: the newest that the last dump of this
// process brought into the store, else where that dump began, else the stored one.
func (s *Source) cursor(ctx context.Context) (Cursor, bool, error) {
	if s.o.Resume != nil {
		if p, ok := s.o.Resume(); ok && p != s.before {
			return Cursor{Host: s.resumeHost, Port: s.resumePort, Position: p}, true, nil
		}
	}
	if s.began != nil {
		return Cursor{Host: s.resumeHost, Port: s.resumePort, Position: *s.began, Whole: s.beganDone}, true, nil
	}
	if s.o.Stored != nil {
		return s.o.Stored(ctx)
	}
	return Cursor{}, false, nil
}

// lose notes that the server does not have a position, or that it is inside a
// transaction, for the next attempt to deal with.
func (s *Source) lose(p binlog.Position, cause error) { s.lost, s.lostCause = p, cause }

// takeLost returns what lose noted, once.
func (s *Source) takeLost() (binlog.Position, error) {
	p, err := s.lost, s.lostCause
	s.lost, s.lostCause = binlog.Position{}, nil
	return p, err
}

// dumping notes that a dump has begun.
func (s *Source) dumping(server endpoint, version string, st start) {
	p := st.position
	s.resumeHost, s.resumePort, s.began, s.beganDone = server.host, server.port, &p, st.done
	if s.o.Resume != nil {
		s.before, _ = s.o.Resume()
	}
	s.mu.Lock()
	s.stats.Dumps++
	s.state = State{Phase: PhaseStreaming, Since: time.Now(), Address: server.Address, Version: version, Position: p, Failures: s.failures}
	s.mu.Unlock()
	s.tell()
}

func (s *Source) mysqlConfig(e endpoint) mysql.Config {
	return mysql.Config{Address: e.Address, User: s.o.Instance.User, Password: s.o.Instance.Password,
		Schema: s.o.Instance.DefaultSchema, TLS: e.TLS, Logger: s.log}
}

// masterConfig is for connections to the configured master.
func (s *Source) masterConfig() mysql.Config {
	return s.mysqlConfig(endpoint{Endpoint: s.o.Instance.Master})
}

// errNoServer is why nobody can be asked.
var errNoServer = errors.New("binlog files are read, and canal.instance.master.address names no server to ask")

// Connect connects to the server in use, for questions; the caller closes it. The
// dump has connections of its own and is not disturbed. Where files are read it is
// the server that is asked for definitions, if there is one.
func (s *Source) Connect(ctx context.Context) (*mysql.Conn, error) {
	if s.o.Instance.Local.Dir != "" {
		if s.o.Instance.Master.Address == "" {
			return nil, errNoServer
		}
		return mysql.Connect(ctx, s.masterConfig())
	}
	return mysql.Connect(ctx, s.mysqlConfig(s.current()))
}

// current is the server in use.
func (s *Source) current() endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers[s.active]
}

// Address is the server in use: the master's, or the standby's after a switch.
// It is empty before Run.
func (s *Source) Address() (host string, port int) {
	e := s.current()
	return e.host, e.port
}

func (s *Source) setPhase(p Phase, address string) {
	s.mu.Lock()
	s.state.Phase, s.state.Since, s.state.Address = p, time.Now(), address
	s.mu.Unlock()
	s.tell()
}

func (s *Source) tell() {
	if s.o.Hooks.State != nil {
		s.o.Hooks.State(s.State())
	}
}

func (s *Source) countRead(n int, now time.Time) {
	s.bytes.Add(uint64(n))
	s.lastByte.Store(now.UnixNano())
}

func (s *Source) countChunk(c *Chunk) {
	s.events.Add(uint64(c.Len()))
	s.chunks.Add(1)
}

// State tells what the source is doing.
func (s *Source) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Stats returns the counters.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Bytes, st.Events, st.Chunks = s.bytes.Load(), s.events.Load(), s.chunks.Load()
	if ns := s.lastByte.Load(); ns != 0 {
		st.LastByteAt = time.Unix(0, ns)
	}
	return st
}

// sleep waits for d and reports whether ctx is still going.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
