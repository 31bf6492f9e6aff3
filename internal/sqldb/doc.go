// Package sqldb opens the databases that Towpath keeps things in, MySQL and SQLite,
// with the same care everywhere: what has been written is on the disk, no call
// hangs, and errors of addresses never contain a password. What is in a database is
// not known here.
package sqldb
