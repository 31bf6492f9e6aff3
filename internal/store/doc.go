// Package store holds the encoded entries of one instance between the decoder
// and the clients: a ring with a put, a get and an ack cursor.
//
// Store is the central type. Put appends items and blocks while the ring is
// full, Take and Get hand out the next items as a Batch, Ack frees everything
// up to a sequence number, Rollback makes everything that has not been acked
// available again. It is Canal's MemoryEventStoreWithBuffer, with three
// differences: the ring is bounded in bytes of the whole process as well (see
// Budget), its memory is allocated in segments and given back as it empties,
// and an item is a slice of already framed bytes (see Item), so that a batch
// is written to a socket as it lies.
//
// Invariant: ack <= get <= put. Sequences start at -1 as in Canal: the first
// item has number 0, and a cursor names the last item it has passed.
//
// The package starts no goroutine and does no I/O. It knows nothing of clients
// and batch ids; that is package delivery.
package store
