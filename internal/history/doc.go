// Package history keeps what the tables of a source were, statement by statement,
// so that a position can be resumed with the tables of its moment. Canal calls
// this TSDB.
//
// The history of a destination is a Log: snapshots, which are all tables at one
// place of the source's log, and the changes between them. Select says which of
// them make up the tables at a place, and which are about what comes behind it:
// these are taken out before the source is read again from there, because reading
// tells them anew. So a history has no branches.
//
// Where a Log is kept is not known here:
// SQLite or in Canal's tables in MySQL, internal/history/zkstore in ZooKeeper.
package history
