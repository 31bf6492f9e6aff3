// Package binlog knows the bytes of MySQL's and MariaDB's binary logs: event
// headers and bodies, table maps, GTIDs and GTID sets, positions.
//
// Everything here is a pure function of its arguments: no network, no clock,
// no goroutine, and only the standard library is imported. Bytes come from
// outside, so every function that reads them returns an error instead of
// panicking, and never allocates more than the input justifies.
//
// The package does not turn column values into text (package value) nor events
// into Canal entries (package entry).
package binlog
