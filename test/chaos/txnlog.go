package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// op is what a transaction did to a node.
type op int

const (
	opCreate op = iota
	opSet
	opDelete
	opClose // the end of a session, with its ephemeral nodes
)

// change is one operation of a transaction in ZooKeeper. Those of a multi have the
// same zxid and are in their order.
type change struct {
	zxid    int64
	wall    int64 // milliseconds since the epoch, by the leader's clock, when it was proposed
	session int64 // that asked for it or, for opClose, that ended
	op      op
	path    string
	data    []byte
	version int32 // of opSet: the node's after it
}

// transaction is an entry of a transaction log.
type transaction struct {
	zxid    int64
	changes []change
}

// readTransactions merges the transaction logs of an ensemble, given by the data
// directories of its servers, into what was committed, in order. A transaction
// counts when most of the servers have it. It is an error when one is missing, as
// when a server was brought up to date with a snapshot in place of transactions.
func readTransactions(dirs []string) ([]change, error) {
	votes := make(map[int64]int)
	all := make(map[int64][]change)
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "version-2", "log.*"))
		if err != nil {
			return nil, err
		}
		seen := make(map[int64]bool) // a server that was killed may log the same again
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			txns, err := parseLog(b)
			if err != nil {
				return nil, fmt.Errorf("transaction log %s: %w", file, err)
			}
			for _, t := range txns {
				if !seen[t.zxid] {
					seen[t.zxid] = true
					votes[t.zxid]++
				}
				all[t.zxid] = t.changes
			}
		}
	}
	return committed(len(dirs), votes, all)
}

// committed puts the transactions that a majority of n servers has in order.
func committed(n int, votes map[int64]int, all map[int64][]change) ([]change, error) {
	var changes []change
	var last int64
	for _, zxid := range slices.Sorted(maps.Keys(votes)) {
		if 2*votes[zxid] <= n {
			continue
		}
		// Its upper half counts the leaders, the lower one what a leader has proposed.
		if next := last + 1; zxid != next && (zxid>>32 == last>>32 || int32(zxid) > 1) {
			return nil, fmt.Errorf("after transaction %#x most ZooKeeper servers have logged %#x: some are missing", last, zxid)
		}
		last = zxid
		changes = append(changes, all[zxid]...)
	}
	return changes, nil
}

// Of FileTxnLog and ZooDefs.OpCode.
const (
	logMagic   = 0x5a4b4c47 // ZKLG
	logVersion = 2
	logEnd     = 'B' // behind each entry

	typeCreate          = 1
	typeDelete          = 2
	typeSet             = 5
	typeMulti           = 14
	typeCreate2         = 15
	typeCreateContainer = 19
	typeDeleteContainer = 20
	typeCreateTTL       = 21
	typeCloseSession    = -11
)

// errTorn is where a log ends because its server was killed, or where the space
// begins that was set aside for more.
var errTorn = errors.New("the entry is not whole")

// parseLog reads a file that FileTxnLog has written, as far as it is whole.
func parseLog(b []byte) ([]transaction, error) {
	r := jute{b: b}
	if magic, version := r.int(), r.int(); r.err == nil && (magic != logMagic || version != logVersion) {
		return nil, fmt.Errorf("it begins with %#x, version %d", uint32(magic), version)
	}
	r.long() // of the database
	var txns []transaction
	for r.err == nil && len(r.b) > 0 {
		entry, err := readEntry(&r)
		if errors.Is(err, errTorn) {
			return txns, nil
		}
		if err != nil {
			return txns, err
		}
		t, err := parseTransaction(entry)
		if err != nil {
			return txns, err
		}
		txns = append(txns, t)
	}
	return txns, nil
}

func readEntry(r *jute) ([]byte, error) {
	sum := r.long()
	entry := r.buffer()
	end := r.bytes(1)
	if r.err != nil || len(entry) == 0 || end[0] != logEnd || int64(adler32.Checksum(entry)) != sum {
		return nil, errTorn
	}
	return entry, nil
}

// parseTransaction reads a TxnHeader and the record that belongs to it. What
// follows that, a digest, is not read.
func parseTransaction(entry []byte) (transaction, error) {
	r := jute{b: entry}
	session := r.long()
	r.int() // number of the request
	zxid, wall, kind := r.long(), r.long(), r.int()
	changes := r.record(kind)
	if r.err != nil {
		return transaction{}, fmt.Errorf("transaction %#x of type %d: %w", zxid, kind, r.err)
	}
	for i := range changes {
		changes[i].session, changes[i].zxid, changes[i].wall = session, zxid, wall
	}
	return transaction{zxid, changes}, nil
}

// jute reads ZooKeeper's encoding. After an error it returns zero values.
type jute struct {
	b   []byte
	err error
}

var errShort = errors.New("it ends early")

// bytes returns the next n bytes, and zeros when there are not so many.
func (r *jute) bytes(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)) {
		r.err = errShort
	}
	if r.err != nil {
		return make([]byte, 8)
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *jute) int() int32  { return int32(binary.BigEndian.Uint32(r.bytes(4))) }
func (r *jute) long() int64 { return int64(binary.BigEndian.Uint64(r.bytes(8))) }

// buffer is nil for Java's null, and after an error.
func (r *jute) buffer() []byte {
	n := r.int()
	if n <= 0 || r.err != nil {
		return nil
	}
	if b := r.bytes(int(n)); r.err == nil {
		return b
	}
	return nil
}

func (r *jute) string() string { return string(r.buffer()) }

// record reads the record of a transaction: what it did to nodes.
func (r *jute) record(kind int32) []change {
	switch kind {
	case typeCreate, typeCreate2, typeCreateContainer, typeCreateTTL:
		return []change{{op: opCreate, path: r.string(), data: r.buffer()}}
	case typeDelete, typeDeleteContainer:
		return []change{{op: opDelete, path: r.string()}}
	case typeSet:
		return []change{{op: opSet, path: r.string(), data: r.buffer(), version: r.int()}}
	case typeCloseSession:
		return []change{{op: opClose}}
	case typeMulti:
		var all []change
		for n := r.int(); n > 0 && r.err == nil; n-- {
			kind := r.int()
			sub := jute{b: r.buffer()}
			all = append(all, sub.record(kind)...)
			if r.err == nil {
				r.err = sub.err
			}
		}
		return all
	}
	return nil // checks, new sessions, errors, access rights
}
