package schema

import (
	"context"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// Loader reads table definitions from the live source, as SHOW CREATE TABLE
// prints them. It returns errors that match ErrNoTable, ErrNoPrivilege and
// ErrUnreadable.
type Loader interface {
	LoadTable(ctx context.Context, schema, table string) (createSQL string, err error)
}

// Statement is a statement that stands in the source's log.
type Statement struct {
	Position binlog.Position // of its event
	GTID     string          // of its transaction; "" when it has none
	Schema   string          // the session's current one
	SQL      string
	SQLMode  uint64
}

// Live is a Loader that also knows where the source's log ends, and can read in
// it. With it a definition that is read while the stream is behind can be told
// from what it was.
type Live interface {
	Loader

	// End returns the place behind the last event of the log.
	End(ctx context.Context) (binlog.Position, error)

	// Ahead gives the statements of the events that begin at from or behind it and
	// before to, but for those that begin and end transactions. A from or to without a
	// file is the set of transactions before it; what is behind such a to may be given
	// as well. An error of each ends it and is returned.
	Ahead(ctx context.Context, from, to binlog.Position, each func(Statement) error) error
}

// Catalogue is a Live source that tells all it has.
type Catalogue interface {
	Live

	// Charsets returns the default character set of each schema.
	Charsets(ctx context.Context) (map[string]string, error)

	// TableNames returns the names of the tables of a schema, without views. Its error
	// matches ErrNoPrivilege when they may not be seen.
	TableNames(ctx context.Context, schema string) ([]string, error)
}
