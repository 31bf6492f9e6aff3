// Package fleet knows how the servers and the ZooKeeper ensembles are that the
// admin has registered, and gives them orders.
//
// Its central type is [Fleet]. It keeps one pool of connections for each server
// and looks at a server at most once at a time, whoever asks: a look at a Towpath
// server is one report, one at a Canal server a check and a list. Whoever wants
// to know waits a bounded time for the looks and gets what was last seen of a
// server that has not answered by then. Servers that do not answer are looked at
// again in the background, so that they delay nobody.
//
// [Fleet.Snapshot] puts rows and looks together once for all readers. Rates come
// from the counters of two reports in a row, and series of them are kept in
// memory alone.
//
// The package stores nothing, and it tells reasons as values: their words, in the
// language of the user, are the callers'.
package fleet
