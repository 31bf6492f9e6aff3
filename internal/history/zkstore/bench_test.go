package zkstore

import (
	"testing"
)

// BenchmarkAppend is what an Append costs without ZooKeeper.
func BenchmarkAppend(b *testing.B) {
	s := newStore(Options{})
	defer s.Close()
	st := &state{headAt: node{version: 0}, tail: node{version: 0, data: pack(kindPage, (&page{next: 1}).append(nil))}, doc: node{version: -1}}
	if err := s.adopt(st, nil); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		d := s.draft()
		if err := d.appendChange(ddlOf(i)); err != nil {
			b.Fatal(err)
		}
		s.current = &d.state
	}
}
