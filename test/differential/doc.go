// Package differential compares Towpath with the real Java Canal: both read the
// same binlog of a real server from its beginning, and what a client gets from
// each is compared entry by entry. Every difference has to be explained by an
// entry of the known differences in known.go, which docs/differences.md
// describes for users.
package differential
