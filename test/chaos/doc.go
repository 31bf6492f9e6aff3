// Command chaos runs a fault campaign: three Towpath servers with two destinations,
// three ZooKeeper servers, a MySQL with two writers, and for each destination two
// processes that compete to consume it, while things go wrong, often several at
// once. Afterwards everything works again, all rows have to arrive, and then it
// is proven from what was recorded that the cluster kept its promises.
//
//	make chaos                                    220 faults over 30 minutes
//	go run ./test/chaos -faults 60 -duration 5m   as much as one has time for
//	go run ./test/chaos -seed N                   the same choice of faults again
//	go run ./test/chaos -verify DIR               the proof once more, from files that were kept
//
// TestChaosShort is a short campaign, with a new seed each time.
//
// # The faults
//
// Servers and consumers are killed (SIGKILL), stopped for shorter or longer than
// their session with ZooKeeper lasts (SIGSTOP, SIGCONT) and, servers, ended in good
// order (SIGTERM). ZooKeeper servers are killed and stopped, often the leader. The
// networks between each server and each ZooKeeper server, the database and each
// consumer, and between consumers and ZooKeeper, are cut, made silent in both
// directions or in one, delayed or slowed down, by proxies. The wall clock of one
// process is set wrong by a second up to ten years: the programs are built with a
// package time in which that can be done, because no process has a wall clock of
// its own on Linux. The disk of one server, with its logs and what it remembers, is
// filled to the last byte; for that one has to be root, else there is no such
// fault. A seed decides what happens and for how long; who leads and who has handed
// out the last batch, which are picked often, and when exactly things happen,
// differs between runs.
//
// While a server is stopped for long or cut off from ZooKeeper, it is also asked for
// batches by clients that know nothing of ZooKeeper.
//
// Not covered are the clocks of ZooKeeper and of the database, and a database that
// dies (test/e2e does that) or is switched over.
//
// # What is recorded
//
//   - Each consumer writes down, before it goes on, to which server it was
//     connected, each batch with its rows, and each ack before it is sent.
//   - A tap in front of each server, behind the faulty network, writes down when a
//     batch has left the server, and when it had been asked for.
//   - The transaction logs of the ZooKeeper servers have every owner and every
//     cursor there ever was, in the one order in which they came to be. A
//     transaction counts when most of the servers have it.
//   - The binlog has the order in which the rows were committed.
//
// All times are of the monotonic clock of the machine; ZooKeeper's are converted.
//
// # What is proven
//
// For each destination:
//
//	lost     Each row came to a consumer that acked it, on the connection it came over.
//	order    Within a delivery run, which is what comes over one connection, the rows
//	         are those of the binlog one after the other, without a gap.
//	skipped  A run begins at a row before which all had been acked. A cursor is written
//	         when all rows before it have been acked. So nothing is passed over, and
//	         what was acked is what had been delivered.
//	overlap  No two servers deliver batches with overlapping validity.
//	fence    A server hands batches out only while it owns the destination.
//	cursor   A cursor never goes back, and only the owner of that moment writes it.
//
// # Overlapping validity
//
// The number of a batch has the epoch of the ownership under which it was handed
// out (delivery.BatchIDOf). A batch is valid from the moment it is handed out for as
// long as its ack would count, which is at most until the epoch ends. The validity
// of batches of two servers would overlap if one were handed out, or its ack
// counted, after the other's server had handed out one of a later epoch. Neither
// happens:
//
// A batch was handed out at some moment between its request's arrival and its leaving
// the server, and not while the server was stopped. A batch that was asked for (or
// whose server was woken) after one of a later epoch had left its server is an
// overlap. If there is none, a moment can be named for each pair of epochs at which
// the earlier has handed out its last batch and the later not yet its first. Likewise
// a batch that was asked for after ZooKeeper had taken the running node away, or
// that left before the node was made, violates the fence, even if no other server
// was there to overlap with; ZooKeeper's times are good for 5 ms.
//
// An ack counts when it moves the cursor, which is a transaction in ZooKeeper: it has
// a place in the order of all transactions, in which the owner at that place is
// known exactly. What the memory of a server that has lost its destination does with
// an ack has no effect on anybody.
package main
