package netfault

import (
	"encoding/binary"
	"slices"
)

// Kinds of requests, by their numbers in ZooDefs.OpCode.
const (
	OpCreate  int32 = 1
	OpDelete  int32 = 2
	OpSetData int32 = 5
	OpMulti   int32 = 14
	OpCreate2 int32 = 15
)

// maxRequest is more than ZooKeeper takes as one request (jute.maxbuffer, 1 MiB).
const maxRequest = 4 << 20

// ZooKeeperRequest makes a match function for CutAfter that finds requests of
// some kinds in what a ZooKeeper client sends without TLS. Requests may come in
// pieces if the proxy has one connection at a time.
func ZooKeeperRequest(kinds ...int32) func(toServer []byte) bool {
	var part []byte // of a request whose end has not come
	return func(b []byte) bool {
		r := requests(append(part, b...), kinds)
		if !r.whole() {
			// Perhaps what came before was of a connection that has ended.
			if alone := requests(b, kinds); alone.whole() {
				r = alone
			}
		}
		part = slices.Clone(r.part)
		return r.found
	}
}

// requestsFound is what a stream of requests has: whether one is of the kinds
// asked for, the last one if it has not ended, and whether all are well formed.
type requestsFound struct {
	found bool
	part  []byte
	valid bool
}

func (r requestsFound) whole() bool { return r.valid && len(r.part) == 0 }

// requests reads a stream: each request is four bytes of length, its number, its
// kind and more. The number is 0 in what makes a connection, which has no kind.
func requests(b []byte, kinds []int32) (r requestsFound) {
	const head = 8
	for len(b) >= 4 {
		n := binary.BigEndian.Uint32(b)
		if n < head || n > maxRequest {
			return requestsFound{found: r.found}
		}
		if uint32(len(b)-4) < n {
			break
		}
		number, kind := binary.BigEndian.Uint32(b[4:]), int32(binary.BigEndian.Uint32(b[8:]))
		if number != 0 && slices.Contains(kinds, kind) {
			r.found = true
		}
		b = b[4+n:]
	}
	return requestsFound{found: r.found, part: b, valid: true}
}
