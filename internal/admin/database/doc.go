// Package database keeps what the admin knows: clusters, servers, the texts of
// their configuration, users, sessions, who changed what, and every text that has
// ever been stored. DB is the way to it.
//
// The tables that Canal Admin has (canal_*) have its columns and its meaning, in
// MySQL as in SQLite, so that a Java admin may be put back on the same database.
// They are created when they are missing and neither altered nor dropped. What
// Canal does not know is kept in tables of our own (towpath_*), whose version is
// in towpath_schema.
//
// Clusters, servers, configurations and instances change seldom, but each server
// asks for them every few seconds. They are read from a copy in memory, which is
// read anew after each change made here, and within a second of a change made by
// somebody else; see snapshot. While the database cannot be reached the copy goes
// on answering, and Stale tells since when. Everything else fails with
// ErrUnavailable within seconds.
//
// Every change is one transaction together with its audit record and, where a text
// changes, with its revision. Changes of several admins on one MySQL database come
// one after the other: each locks the row of towpath_schema first, so that what is
// unique by our rules and by no index stays so.
//
// The package does not decide who may do what, and does not read the texts.
package database
