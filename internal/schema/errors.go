package schema

import (
	"errors"
	"fmt"
)

// Errors of a Loader, and of Tracker.Table when the table would have to be loaded.
var (
	// ErrNoTable: the table does not exist at the source (MySQL error 1146, or
	// 1049 for its schema). It was dropped after the rows at hand were written.
	ErrNoTable = errors.New("table does not exist at the source")

	// ErrNoPrivilege: the user may not see the table (MySQL error 1142).
	ErrNoPrivilege = errors.New("no privilege to read the table's definition")

	// ErrUnreadable: the server cannot show the table, but others: a file of it is
	// missing or damaged, or its storage engine is not there.
	ErrUnreadable = errors.New("the source cannot read the table's definition")

	// ErrMismatch: no known definition fits the rows. See MismatchError.
	ErrMismatch = errors.New("definition does not fit the rows")
)

// ErrNoForesight says that the log ahead of the stream cannot be looked at: it has more
// changes of tables than are kept, or is gone though the stream goes on. No definition
// that is read counts as certain then. Live.Ahead returns it as well.
var ErrNoForesight = errors.New("it is not known what stands ahead in the log")

// IsAboutTable reports whether an error is one of these: about one table, and not
// about the connection to the source.
func IsAboutTable(err error) bool {
	return errors.Is(err, ErrNoTable) || errors.Is(err, ErrNoPrivilege) || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrMismatch)
}

// MismatchError explains an ErrMismatch.
type MismatchError struct {
	Schema, Table string
	Reason        string // which column, or how many

	// Closest is the definition that comes closest: the live one, or nil when
	// there is none. Its columns may be wrong ones for the rows.
	Closest *Table
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("table %s.%s: %v: %s; the table was altered after these rows were written: "+
		"set binlog_row_metadata=FULL at the source, or exclude the table until the position has passed", e.Schema, e.Table, ErrMismatch, e.Reason)
}

// Is makes errors.Is(err, ErrMismatch) hold.
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }
