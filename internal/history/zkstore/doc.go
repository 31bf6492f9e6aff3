// Package zkstore keeps the history of a destination in ZooKeeper, where every
// server of the cluster finds it: who takes the destination over reads exactly
// what the owner before has written.
//
// # Nodes
//
//	/towpath/destinations/D/history        the head: which snapshots and pages there are
//	/towpath/destinations/D/history/tail   the changes added last
//	/towpath/destinations/D/history/state  what SetState was given
//	/towpath/destinations/D/history/B-N    piece N of blob B
//
// A blob is a snapshot or a page of changes, cut into pieces of at most 256 KiB.
// It never changes: what shall change is written as another blob, and then the
// head is set, in one transaction with whatever else belongs to it. What the head
// does not name is not there: pieces of a snapshot that was not finished are
// deleted by the next one who opens the history or writes to it. Snapshots of the
// same tables share a blob, so one that is taken every day takes no room where
// nothing has changed.
//
// A change goes to the tail, which is written anew, one round trip. A tail of
// 16 KiB is added to the last page, and a page of 256 KiB is followed by a new
// one, so that thousands of changes are read in a few requests. No request is
// larger than 768 KiB; ZooKeeper takes 1 MiB (jute.maxbuffer).
//
// Head, tail, state and blobs are "TPH", a letter for what it is, a version of the
// format and a zstd frame with a checksum, see pack. Within it are records of
// numbers and texts, each preceded by its length: what a later version adds to the
// end of a record is passed over by an earlier one. ACLs are those of the client's
// configuration, as for all nodes. Like the other nodes of a destination under
// /towpath the history stays when no server has the destination any more; who
// wants to be rid of it deletes /towpath/destinations/D.
//
// # Writing
//
// Every write is a transaction headed by the checks of Options.Guard, so that only
// the owner can write, however late a request arrives. While ZooKeeper is away
// writes wait until their context ends. When an answer is lost the same transaction
// is sent again: head, tail and state are set at the version they were read at, so
// it is done at most once; if that says that somebody has written, the nodes are
// read again, and what is there already is not written twice.
//
// # Bound
//
// All that is kept of a destination, compressed, is at most Options.Limit; while a
// snapshot replaces others both are there for a moment. Beyond it the oldest
// snapshots go, initial ones too, and the changes that only they needed. When the
// newest snapshot and what came after it are beyond it, Append fails with
// history.ErrTooLarge. A new snapshot makes room then: what is before it can go.
//
// # Damage
//
// Nodes that cannot be read make Open, or Schemas for the pieces of a snapshot,
// fail with a DamagedError; so does what writes if somebody has changed nodes
// meanwhile. With Options.Renew such a history is discarded, and the caller, which
// finds no snapshot, begins it anew from the definitions the source has now; Schemas
// fails, but takes the snapshot out, so that the next Select goes back to an older
// one. Who does not want that has Discard. A history of a later version of the
// format is no damage and is never discarded: the error is ErrFormat.
package zkstore
