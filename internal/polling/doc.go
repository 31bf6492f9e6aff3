// Package polling is a managed server's side of the conversation with its admin:
// over HTTP it asks for the server's canal.properties and for the texts of its
// instances, again and again, and says what has to be done about what changed.
//
// The requests are those of Canal's PlainCanalConfigClient, so that the admin may be
// Canal's. Client makes them. Next decides which instances stop, reload and start;
// it does no I/O. Cache keeps what the admin last said for the time in which it does
// not answer. Follower is the goroutine around these; it tells a Target, which is
// the server, what to do.
//
// The package does not know what the texts mean and runs nothing itself.
package polling
