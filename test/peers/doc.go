// Package peers builds and runs the real thing beside ours: the Java Canal
// server and the clients of other languages, from package registries. What is
// built goes to $TOWPATH_CACHE/peers, keyed by its source, so it is built once.
//
// Each client prints entries in the canonical form of `towpath tail --format
// json`, so that outputs can be compared line by line.
package peers
