package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/schema"
)

// Handler takes what a Source reads. The calls of one dump come from one
// goroutine: Start, any number of Chunk, Stop. If Start fails Stop is not called.
type Handler interface {
	// Start announces a dump that is about to begin.
	Start(ctx context.Context, s Session) error

	// Chunk takes the next events, in order, and the chunk's one reference,
	// also when it returns an error. It may block: that is the back-pressure. An error ends the
	// dump; one that wraps ErrNeedTransactionStart makes the next attempt begin
	// at the transaction around the position, one that wraps a *StopError
	// stops the source for good, any other is retried after a pause.
	Chunk(ctx context.Context, c *Chunk) error

	// Stop announces that the dump ended. What has not come out yet is to be
	// discarded; nothing may be put into the store after Stop has returned.
	Stop()
}

// ErrNeedTransactionStart says that the dump began inside a transaction, after
// the table maps its rows refer to. A Handler returns it; see Handler.Chunk.
var ErrNeedTransactionStart = errors.New("position is inside a transaction")

// Session describes a dump to the Handler that will get it.
type Session struct {
	Address string // host:port of the source, as configured
	Host    string
	Port    int

	Server mysql.Facts // version, flavour, server id, settings

	// Position is where the dump begins. Its GTIDSet is the initial set; the
	// Timestamp and ServerID are those known from the cursor, or 0.
	Position binlog.Position

	// Done is true when the event at Position has been delivered and confirmed
	// before, as a whole: the dump begins with it, because the position says no
	// more, but nobody wants it again.
	Done bool

	// Reset is true when the position before was given up for the end of the log: the
	// source may have thrown its log away, so that its files count anew.
	Reset bool

	// GTIDMode is true when the source was asked by Position.GTIDSet: File and
	// Offset then only tell where the set was seen, and the first rotate event
	// tells the real place.
	GTIDMode bool

	Checksum bool   // each event ends with a CRC32
	ServerID uint32 // under which this reader registered as a replica

	Tables schema.Loader // asks the live source; valid until Handler.Stop returns

	// Fail ends the dump as an error of Handler.Chunk does, also while the
	// source is idle. It may be called from any goroutine and does not wait; the
	// first error counts, and after Stop none does. Not nil in a Source's sessions.
	Fail func(error)
}

// Cursor is a stored position and the server it belongs to.
type Cursor struct {
	Host     string
	Port     int
	Position binlog.Position
	Whole    bool // the event at Position is done with as a whole
}

// Options configure a Source.
type Options struct {
	Instance config.Instance
	Handler  Handler

	// Stored returns the position that is safe to start from after a restart
	// of the process, if one is stored. Nil means none. It is called once per attempt that has no Resume.
	Stored func(ctx context.Context) (Cursor, bool, error)

	// Resume returns the newest transaction boundary that the Handler has put
	// into the store in this process, if any. It is asked on each reconnect,
	// before Stored. Nil means never.
	Resume func() (binlog.Position, bool)

	// TableHistory is set when table definitions are tracked by position: a
	// start position then needs a timestamp and must be a transaction border,
	// so one that lacks either is moved back (Canal's TSDB rules).
	TableHistory bool

	Logger *slog.Logger // not nil
	Hooks  Hooks

	// Limits for tests; zero values mean the defaults.
	MinBackoff, MaxBackoff time.Duration // 200ms and 10s
	HeartbeatPeriod        time.Duration // 15s; asked of the source
	ReadTimeout            time.Duration // 25s without a byte ends the dump
	ChunkSize              int           // 256 KiB
	MaxEventSize           int           // 1 GiB, MySQL's largest packet
}

// Hooks tell what happens. They are called from the source's goroutines and
// must not block; nil ones are skipped.
type Hooks struct {
	State    func(State)                     // the state changed
	Switched func(from, to string)           // master and standby changed places
	Reset    func(asked, to binlog.Position) // jumped to the end because automatic reset is on
}

// Phase is what a Source is doing.
type Phase string

// The phases of a Source.
const (
	PhaseIdle       Phase = "idle"       // Run has not been called
	PhaseConnecting Phase = "connecting" // opening connections, reading the server's settings
	PhaseLocating   Phase = "locating"   // finding the start position
	PhaseStreaming  Phase = "streaming"  // reading the binlog
	PhaseFinished   Phase = "finished"   // all binlog files of a folder have been read, and no more is to be waited for
	PhaseWaiting    Phase = "waiting"    // an attempt failed; the next one follows after a pause
	PhaseStopped    Phase = "stopped"    // Run has ended: asked to, or it needs a person (Reason says which)
)

// State is what an operator should know of a Source.
type State struct {
	Phase    Phase
	Since    time.Time
	Address  string          // server in use, or the folder with files
	Version  string          // of that server, as it tells it; "" before it was read in this process
	Position binlog.Position // where the present or last dump began
	Reason   string          // why the last attempt failed, until a dump begins; or why Run ended
	Remedy   string          // what to do about it; "" when it heals itself
	Failures int             // attempts failed since a dump lasted
}

// Stats are counters since New.
type Stats struct {
	Bytes      uint64 // of events
	Events     uint64
	Chunks     uint64
	Dumps      uint64    // dumps begun
	Failures   uint64    // attempts that failed
	Switches   uint64    // master/standby switches
	LastByteAt time.Time // when the source last sent something; zero before that
}

// StopError says why a source cannot go on without a person.
type StopError struct {
	Reason  string // one sentence
	Asked   binlog.Position
	Oldest  string   // oldest binlog file the source still has, when known
	Newest  string   // newest one
	Choices []string // what can be done, each a full instruction
	Err     error    // what the source said; may be nil
}

// Error gives the reason and the choices in one line.
func (e *StopError) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason)
	if e.Oldest != "" {
		fmt.Fprintf(&b, " (asked %s, available %s..%s)", e.Asked, e.Oldest, e.Newest)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if len(e.Choices) > 0 {
		b.WriteString("; " + e.Remedy())
	}
	return b.String()
}

// Remedy joins the choices.
func (e *StopError) Remedy() string { return "choices: " + strings.Join(e.Choices, "; or ") }

// Unwrap returns what the source said.
func (e *StopError) Unwrap() error { return e.Err }
