// Package filter decides which tables and which columns are delivered.
//
// Regex is a list of regular expressions on schema.table, as in
// canal.instance.filter.regex, canal.instance.filter.black.regex and a client's
// subscription; Fields is a list of columns per table, as in
// canal.instance.filter.field and canal.instance.filter.black.field.
//
// The expressions are Perl 5 as Jakarta ORO understands it, because Canal's
// AviaterRegexFilter uses that library. They are translated once: to Go's own
// engine, which takes linear time, unless they use what it lacks (look-ahead,
// back-references, \b), and else to a backtracking engine under a time limit.
//
// The package keeps no results; a caller that asks about the same table for
// every row remembers the answer.
package filter
