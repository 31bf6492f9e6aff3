// Package mysqltest is a MySQL server for tests: it has a real address, speaks
// the handshake, answers the questions a replica asks and dumps a binlog that
// the test has written, and it can misbehave on purpose: cut or stall the
// connection after any byte, split its writes, send errors.
//
// Its central types are Server and Log, the binlog it serves. It holds no data
// and understands no SQL beyond a table of statements.
package mysqltest
