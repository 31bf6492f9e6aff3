// Package sqlstore keeps the history of a destination's tables in SQL: in a file of
// SQLite, or in Canal's own tables meta_snapshot and meta_history in MySQL, where a
// Java Canal that takes the destination over finds it, and finds Canal's when it is
// taken over from one.
//
// Canal's columns say what Canal would write in them. What it has no column for is
// JSON in the column extra, which Canal fills and never reads. A text that does not
// fit its column is there as far as it fits, and in full in extra. What is too long
// for extra, and the State, is in a table of our own, towpath_history_state.
//
// Which definitions make up the tables at a place is not known here.
package sqlstore
