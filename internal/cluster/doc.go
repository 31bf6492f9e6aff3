// Package cluster decides, with ZooKeeper, which server runs which destination.
//
// A Member is this server in its cluster: it keeps the server's nodes alive from
// session to session and confirms, with a write every heartbeat, that the session
// lives. A Contender competes for one destination: it stands by while another
// server holds the running node, takes the node when it is free, and runs the
// instance for as long as it holds it. A Lease is that ownership, as the parts of
// the instance see it.
//
// # The fence
//
// A session that ZooKeeper hears nothing of for its timeout is expired, and then
// another server may own what this one owned. So the owner must have stopped by
// then, by its own clock and without any word from ZooKeeper. A lease is valid
// until
//
//	start of the heartbeat before the last one confirmed + session timeout - a tenth of it
//
// Only a write counts as a heartbeat. A read or a ping is answered by the server
// one is connected to, which may itself have been cut off from the ensemble; a
// write that is answered was accepted by a majority that then still knew the
// session. It is the heartbeat before the last because a follower tells the
// leader only twice a tick which sessions it has heard of (LearnerHandler,
// SessionTrackerImpl): that the later write was accepted shows that what was
// heard before the earlier one has arrived. The tenth is for clocks that run at
// different speeds. The clock counts the time that a machine is suspended.
//
// While a lease is not valid nothing is handed out and no ack is taken; requests
// wait a little, because most often ZooKeeper is back at once. Whatever is
// written to ZooKeeper for a destination goes in one transaction with checks
// that fail unless this very ownership lasts: see Lease.Guard.
//
// # Java servers in the same cluster
//
// The nodes under /otter/canal are exactly Canal's. A Java owner that has lost
// its session elects itself again without stopping, and relies on the 5 seconds
// that every other server leaves a vacant running node alone; so we leave it
// those 5 seconds when the last owner may have been a Java server. Towpath
// servers know one another by nodes under /towpath: what an owner of theirs has
// given up they take at once, and what it has lost after the fraction of a
// second in which one that lives comes back to what it still runs.
package cluster
