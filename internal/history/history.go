package history

import (
	"context"
	"errors"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
)

// Place is a place in the log of one server.
type Place struct {
	// Position is the start of an event. GTIDSet are the transactions executed
	// before it, and "" where this is not known.
	binlog.Position

	// Origin tells whose log File and Offset are of: the server_uuid, or host:port and
	// the server id where the server has none. "" when unknown, as in what Canal has written.
	// Files of different origins cannot be compared.
	Origin string
}

// Change is a statement that has changed tables, or a definition that was read
// from the source because nothing was known of a table when rows of it came.
type Change struct {
	ID int64 // given by the Log; grows in the order of appending, not necessarily by one

	At   Place  // the start of the event; its GTIDSet is ""
	GTID string // of the transaction; "" when unknown

	Schema  string // current schema of the session: use_schema
	SQL     string
	SQLMode uint64 // of the session; 0 when unknown
	Charset string // default character set of the server at that time, which CREATE DATABASE takes; "" when unknown
	Loaded  bool   // SQL was read from the source at this place (Canal: extra is "first")

	// What Canal's DDL parser says of the statement, for Canal's columns
	// sql_schema, sql_table and sql_type; empty when it says nothing.
	Table ddl.Name
	Type  string
}

// Snapshot is all tables at one place.
type Snapshot struct {
	ID int64 // given by the Log; grows in the order of adding

	// At is the place of the last change that is in it, or where the reading began.
	At Place

	// Initial is true for the snapshot that a history begins with, read from the
	// source. Canal writes it with file "0", offset 0, timestamp −2 and server id −1;
	// At is the place where the reading began all the same, if it is known.
	Initial bool

	// Schemas are the CREATE TABLE statements of each schema, each ended by "; \n".
	// It is nil in what Log.Snapshots returns.
	Schemas map[string]string

	// Extra is what the owner of the history wants to know beside the statements.
	Extra []byte
}

// Log is where the history of one destination is kept. Its methods may be called
// from any goroutine. What has been written without an error survives a crash.
type Log interface {
	// Snapshots returns all snapshots without their Schemas, oldest first.
	Snapshots(ctx context.Context) ([]Snapshot, error)

	// Schemas reads the Schemas of a snapshot.
	Schemas(ctx context.Context, id int64) (map[string]string, error)

	// Changes returns the changes of which At.Timestamp is at least since, in
	// milliseconds, in the order in which they stand in the source's log: by
	// timestamp and, within one, by ID, as Canal reads them.
	Changes(ctx context.Context, since int64) ([]Change, error)

	// Append adds a change. The same change at the same place is there only once;
	// another one at that place replaces it, for a source that was reset counts its
	// files anew. Places are the same when server id, file and offset are, unless both
	// origins are known and differ, one change is loaded and the other is not, or two
	// that are loaded are of different tables. c.ID is not looked at.
	Append(ctx context.Context, c Change) error

	// AddSnapshot adds a snapshot, by the same rule. s.ID is not looked at. It
	// returns an error that matches ErrTooLarge when there is no room for it; what
	// was there before is kept then.
	AddSnapshot(ctx context.Context, s Snapshot) error

	// Remove takes out snapshots and changes by their IDs, all or none of them.
	// Those that are not there are not missed.
	Remove(ctx context.Context, snapshots, changes []int64) error

	// Expire removes snapshots older than the timestamp, in milliseconds, but for
	// initial ones and the newest one, as Canal does. A Log may remove changes that
	// no snapshot which is left needs.
	Expire(ctx context.Context, before int64) error

	// State returns what SetState has set; nil before that. It is a small document
	// of the owner of the history.
	State(ctx context.Context) ([]byte, error)
	SetState(ctx context.Context, state []byte) error

	// Close gives back what the Log holds. Calls under way are ended.
	Close() error
}

// Errors of a Log.
var (
	// ErrTooLarge: the Log has a bound, and what is to be written is beyond it.
	ErrTooLarge = errors.New("the history is too large for its store")

	// ErrNotOwner: another server may own the destination by now, so nothing is
	// written. What was on its way when that happened may be there all the same; the
	// next owner reads it anew.
	ErrNotOwner = errors.New("this server does not own the destination")
)
