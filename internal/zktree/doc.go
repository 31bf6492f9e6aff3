// Package zktree names the nodes that Canal keeps in ZooKeeper and reads and
// writes what is in them, so that Java and Go servers and clients share a tree.
//
//	/otter/canal/cluster/IP:PORT                            a server, ephemeral
//	/otter/canal/destinations/D/cluster/IP:PORT             a server that competes for D, ephemeral
//	/otter/canal/destinations/D/running                     the server that runs D, ephemeral
//	/otter/canal/destinations/D/CLIENTID                    a subscription
//	/otter/canal/destinations/D/CLIENTID/{cursor,filter}    how far it is, and its filter
//	/otter/canal/destinations/D/CLIENTID/running            the client that consumes, ephemeral
//	/otter/canal/destinations/D/CLIENTID/mark/N             a batch that is outstanding, of older versions
//
// What Canal knows nothing of is kept under a root of its own, /towpath, where
// no Canal program looks:
//
//	/towpath/servers/IP:PORT                                a Towpath server, ephemeral
//	/towpath/destinations/D                                 who has taken D last
//	/towpath/destinations/D/lease-ID                        the ownership of D, ephemeral
//	/towpath/destinations/D/status                          how far its owner has read
//	/towpath/destinations/D/history                         what the tables of D were, with nodes under it
//	/towpath/moves/D                                        an order to move D
//	/towpath/drain/IP:PORT                                  a server that shall own nothing
//	/towpath/rebalance                                      a request to spread the destinations now
//
// The facts are from Canal's ZookeeperPathUtils, ServerRunningData and
// ClientRunningData.
package zktree
