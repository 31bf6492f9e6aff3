package store

import (
	"sync/atomic"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// Kind says what an entry is, as far as batches and acks have to know.
type Kind uint8

// The kinds of entries.
const (
	KindRows  Kind = iota // row changes
	KindBegin             // TRANSACTIONBEGIN
	KindEnd               // TRANSACTIONEND
	KindDDL               // CREATE, ALTER, ERASE, RENAME, TRUNCATE, CINDEX, DINDEX
	KindQuery             // any other ROWDATA: statement text, XA commit and rollback
)

// Block is a piece of memory that holds the encoded entries of several items.
// It is reference counted: each item in the ring holds one reference, and so
// does each batch that is being written to a socket. When the last reference
// goes the memory returns to where it came from.
type Block struct {
	// Bytes are the entries, each as it stands in a Messages packet: the tag of
	// field 2 (0x12), the entry's length as a varint, the entry.
	Bytes []byte

	refs    atomic.Int32
	recycle func(*Block)
}

// NewBlock returns a block over b with one reference, the caller's. recycle,
// if not nil, is called once when the last reference goes; it may reuse b.
func NewBlock(b []byte, recycle func(*Block)) *Block {
	k := &Block{Bytes: b, recycle: recycle}
	k.refs.Store(1)
	return k
}

// Retain adds n references.
func (b *Block) Retain(n int) { b.refs.Add(int32(n)) }

// Release gives back n references; the block must not be used afterwards by
// whoever held them.
func (b *Block) Release(n int) {
	switch left := b.refs.Add(int32(-n)); {
	case left == 0:
		if b.recycle != nil {
			b.recycle(b)
		}
	case left < 0:
		panic("store: block released more often than retained")
	}
}

// Item is one entry in the ring. The ring keeps it until it has been acked.
type Item struct {
	Block *Block
	Start uint32 // of the framed entry in Block.Bytes
	End   uint32
	Size  uint32 // length of the entry itself, without the framing: what Canal counts
	Rows  uint32 // row changes in it (Canal's rowsCount)
	Kind  Kind

	Position binlog.Position // of the binlog event it came from; Timestamp is its executeTime
	Origin   *Origin         // the server Position is valid on, shared by all its items; may be nil
}

// Origin is the address of the server that items were read from. A cursor
// carries it, because a position says nothing about another server's binlog:
// after a fail-over the ring may hold items of both.
type Origin struct {
	Host string // IP address, or a name
	Port int

	// Source is the number of the source in a destination that has several, from 1
	// on; 0 in one that has a single one.
	Source int
}
