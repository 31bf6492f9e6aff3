// Package servers starts real database servers for tests, the demo and the
// benchmarks: each from a private data directory, on 127.0.0.1 and a free port,
// stopped by its pid.
//
// The programs are fetched once by the fetch script of this folder, into
// $TOWPATH_CACHE/servers (by default ~/.cache/towpath/servers). A data directory is
// initialised once per kind and copied for each start.
package servers
