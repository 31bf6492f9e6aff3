// Package client reads change streams from a Canal server: Towpath's or the Java
// one.
//
// [Consumer] is what most programs want. It connects to one of several servers,
// subscribes, hands out batches in order, and comes back by itself when a
// connection or a server goes away:
//
//	c := client.NewConsumer(client.ConsumerOptions{
//		Options: client.Options{Addr: "127.0.0.1:11111", Destination: "example"},
//		Filter:  `shop\..*`,
//	})
//	for batch, err := range c.Batches(ctx) {
//		if err != nil {
//			return err
//		}
//		if err := store(batch); err != nil {
//			return err
//		}
//		if err := batch.Ack(); err != nil && !errors.Is(err, client.ErrStale) {
//			return err
//		}
//	}
//
// In a cluster, [ZooKeeper] tells which server runs the destination, and lets one
// process at a time consume under a client id. It is opened once and given to all
// consumers of the process:
//
//	z, err := client.OpenZooKeeper(client.ZooKeeperOptions{Servers: "zk1:2181,zk2:2181,zk3:2181"})
//	if err != nil {
//		return err
//	}
//	defer z.Close()
//	c := client.NewConsumer(client.ConsumerOptions{
//		Options: client.Options{ZooKeeper: z, Destination: "example"},
//	})
//
// The loop stays the same. It waits while there is no server or another process is
// the active client, follows the destination to another server as soon as ZooKeeper
// tells of it, and stops in time when it cannot know that it still is the active
// client. Processes with Canal's Java cluster client take part as equals.
//
// [Conn] is the layer below: one call, one request of the protocol.
//
// Delivery is at least once, in order. The server keeps what it has handed out
// until it is acked; a new connection asks for all of that again, so after an
// interruption entries can come a second time and a batch taken before it can no
// longer be acked ([ErrStale]).
//
// A server reports a refused ack or rollback without being asked, so that its
// report looks like the answer to the next request. A connection that has seen an
// error is therefore never used again: it is closed, and the next call opens a
// new one.
package client
