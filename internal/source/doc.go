// Package source reads the binary log of one MySQL or MariaDB server as a
// replica does and hands it on in chunks of whole events.
//
// Its central type is Source, the reading end of one instance: it connects,
// finds the position to start from (Canal's rules, see resolve.go), registers
// as a replica, cuts the stream into events without copying them, and does it
// again with back-off whenever the connection ends. What the events mean is
// the Handler's business; nothing here decodes rows.
//
// A Source never guesses silently: each attempt logs which position was asked
// for and what it became, and when nothing can be done without a person (the
// binlog was purged, for one) Run ends with a StopError that says what is
// missing and what the choices are.
package source
