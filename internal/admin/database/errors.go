package database

import "errors"

var (
	// ErrConflict says that a text has changed since it was read.
	ErrConflict = errors.New("changed by somebody else")
	// ErrUnavailable says that the database cannot be reached.
	ErrUnavailable = errors.New("database not reachable")
)
