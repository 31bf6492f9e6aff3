// Package servers starts real servers for tests, the demo and the benchmarks:
// databases, ZooKeeper, nginx as a proxy in front of it, and Towpath itself. Each
// runs from a private data directory, on 127.0.0.1 and a free port, and is stopped
// by its pid.
//
// The database programs are fetched once by the fetch script of this folder, into
// $TOWPATH_CACHE/servers (by default ~/.cache/towpath/servers). A data directory is
// initialised once per kind and copied for each start. ZooKeeper and nginx are
// Debian's packages, which scripts/deps brings.
package servers
