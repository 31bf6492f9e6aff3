package binlog

// javaTable knows in which bucket java.util.HashMap keeps a key, which decides
// the order in which Canal prints GTID sets. Keys are never removed from it, so
// within a bucket they stay in the order of insertion, and the capacity depends
// only on the first capacity and the greatest size. The conversion of crowded
// buckets to trees, from 9 keys in one, is left out: it would need dozens of servers.
type javaTable struct {
	capacity uint32 // a power of two; 0 stands for the default
}

const javaDefaultCapacity = 16

// init sets the capacity that new HashMap(expected) would have.
func (t *javaTable) init(expected int) {
	t.capacity = 1
	for int(t.capacity) < expected {
		t.capacity <<= 1
	}
}

// grow enlarges the table for the size it has after an insertion: beyond three
// quarters of the capacity, rounded down, it is doubled.
func (t *javaTable) grow(size int) {
	if t.capacity == 0 {
		t.capacity = javaDefaultCapacity
	}
	for size > int(t.capacity)*3/4 {
		t.capacity <<= 1
	}
}

// bucket is the index for a key with the given hashCode.
func (t *javaTable) bucket(hash uint32) uint32 {
	return (hash ^ hash>>16) & (t.capacity - 1)
}

// javaHash is String.hashCode of an ASCII string.
func javaHash(s string) uint32 {
	var h uint32
	for i := range len(s) {
		h = h*31 + uint32(s[i])
	}
	return h
}
