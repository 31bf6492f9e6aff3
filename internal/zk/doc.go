// Package zk is a ZooKeeper client in which every request belongs to one session.
//
// A server that owns a destination for as long as a ZooKeeper session lasts needs
// to know more of that session than general clients tell. Here
//
//   - a Session is a value: its requests never move to the session after it, so
//     that an owner whose session expired cannot write as if nothing had happened;
//   - the timeout the servers granted is known, and when they last heard of us
//     (Session.Confirmed);
//   - every call ends when its context does, connected or not;
//   - a server that says nothing is given up after a third of the timeout, which
//     leaves time to go to the others within the session;
//   - a session's id and password can be kept, so that a restarted process ends
//     the session of its dead predecessor at once (CloseSession).
//
// Open starts a Client, which holds one connection and one Session at a time and
// opens a new session after an expiry. Only a server can say that a session has
// expired: a client that has been cut off for however long tries to come back to
// its own session, and its requests wait.
//
// What was in flight when a connection broke is repeated if it only reads. If it
// writes it fails with ErrConnectionLost: it may or may not have been carried out,
// and only the caller knows how to find out. What was not yet sent waits.
//
// The wire protocol is that of ZooKeeper 3.4 to 3.9: jute records as its
// zookeeper.jute and ZooDefs describe them, framed by a length. There is no SASL,
// no reading from servers without a quorum, and no recursive or persistent watch.
package zk
