package client

import (
	"iter"

	"github.com/towpath-cdc/towpath/protocol"
)

// Batch is what one get returned. Its memory is its own, until Release.
type Batch struct {
	id    int64
	raw   [][]byte
	frame []byte // the memory of raw
	c     *Conn
	s     *session
}

// ID is the number the server gave the batch, -1 if it is empty.
func (b *Batch) ID() int64 { return b.id }

// Len is the number of entries.
func (b *Batch) Len() int { return len(b.raw) }

// Empty says that the server had nothing. Such a batch need not be acked, while one
// with an id has to be even if it brings no entries.
func (b *Batch) Empty() bool { return b.id == protocol.NoBatch }

// Raw are the encoded entries, in order.
func (b *Batch) Raw() [][]byte { return b.raw }

// Entries are the entries, in order. An entry that is not well-formed comes as an
// error; the rest can still be read.
func (b *Batch) Entries() iter.Seq2[*protocol.Entry, error] {
	return func(yield func(*protocol.Entry, error) bool) {
		var room []protocol.Entry // the caller may keep entries, so it is not used again
		for i, raw := range b.raw {
			e, err := protocol.ParseEntry(raw)
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if len(room) == 0 {
				room = make([]protocol.Entry, min(len(b.raw)-i, entriesAtOnce))
			}
			room[0] = e
			if !yield(&room[0], nil) {
				return
			}
			room = room[1:]
		}
	}
}

// entriesAtOnce is for how many entries of a batch memory is taken at a time.
const entriesAtOnce = 32

// Ack confirms the batch: see Conn.Ack. It is not sent over another connection
// than the batch came over, where its number could mean other entries.
func (b *Batch) Ack() error {
	if b.Empty() {
		return nil
	}
	return b.c.notifyOn(b.s, func(s *session) error { return s.ack(b.id) })
}

// Nack gives the batch and all after it back, to be delivered again: see
// Conn.RollbackBatch.
func (b *Batch) Nack() error {
	if b.Empty() {
		return nil
	}
	return b.c.notifyOn(b.s, func(s *session) error { return s.rollbackFrom(b.id) })
}

// Release gives the batch's memory to the next one, which costs less than having the
// garbage collector find it. Nothing of its entries may be used afterwards but
// strings that they returned; Raw and Entries are empty. It is no ack, and need
// not be called.
func (b *Batch) Release() {
	if b.frame != nil {
		b.s.reuse(b.frame)
	}
	b.raw, b.frame = nil, nil
}
