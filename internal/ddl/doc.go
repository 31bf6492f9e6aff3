// Package ddl reads MySQL's and MariaDB's statements as far as a change stream
// needs them.
//
// Classify says what Canal would call a statement, with the names it would
// report. ParseCreateTable reads a table definition, from the stream or from
// SHOW CREATE TABLE. Changes says what a statement does to tables, for package
// schema to follow.
//
// The readers are tolerant: they skip what does not matter to a table's columns
// and keys, so that a newer server's syntax rarely stops them. They take
// foreign text, never panic on it and take time linear in its length. They do
// not judge whether a statement is valid, and they know nothing of what exists.
package ddl
