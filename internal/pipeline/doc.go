// Package pipeline turns what a source reads into entries in the store: the
// middle of an instance.
//
// Its central type is Pipeline, which is a source.Handler. The goroutine of the
// source scans each chunk: it follows transactions, table maps and DDL, applies
// the filters, and lists what has to be encoded as a job (scan.go). Workers
// encode jobs, which is a pure function of their bytes, each into memory of its
// own (work.go). Jobs take turns to put their items into the store, in the
// order in which they were scanned, after the rule that drops empty
// transactions (group.go).
//
// What a client sees is decided by three Canal classes, and their behaviour is
// kept: LogEventConvert (which event becomes which entry), EventTransactionBuffer
// and EntryEventSink (which transaction marks are left out).
//
// The package does no network I/O, except that a table definition may be loaded
// through the session's loader while a table map is scanned.
package pipeline
