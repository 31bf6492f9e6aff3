package meta

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// Sources are the cursors of several sources of one client.
type Sources struct {
	List []SourceCursor // in the order of their numbers
}

// SourceCursor is the cursor of one source.
type SourceCursor struct {
	Number int    // of the source, from 1 on
	Cursor Cursor // without Sources
}

// With returns the sources with one that is added or replaced. s may be nil.
func (s *Sources) With(number int, c Cursor) *Sources {
	c.Sources = nil
	next := &Sources{}
	if s != nil {
		next.List = slices.Clone(s.List)
	}
	at, found := slices.BinarySearchFunc(next.List, number, func(e SourceCursor, n int) int { return e.Number - n })
	if found {
		next.List[at].Cursor = c
	} else {
		next.List = slices.Insert(next.List, at, SourceCursor{number, c})
	}
	return next
}

// Servers are the addresses, host:port, that each of several sources may be read
// from: the first ones are those of source 1.
type Servers [][]string

// Cursor is what a cursor says of one source: by its address, or by its number when
// the address is of no source, as after a change of addresses. A cursor that Canal
// wrote is about one source alone. Without Servers there is one source, and it is
// the cursor itself.
func (s Servers) Cursor(c Cursor, number int) (Cursor, bool) {
	switch {
	case len(s) == 0:
		return c, true
	case c.Sources == nil:
		return c, s.has(number, c)
	}
	for _, e := range c.Sources.List {
		if s.has(number, e.Cursor) {
			return e.Cursor, true
		}
	}
	for _, e := range c.Sources.List {
		if e.Number == number && !s.any(e.Cursor) {
			return e.Cursor, true
		}
	}
	return Cursor{}, false
}

// Earliest is Earliest for one source.
func (s Servers) Earliest(records []Record, number int) (Cursor, bool) {
	var own []Record
	for _, r := range records {
		if !r.HasCursor {
			continue
		}
		if r.Cursor, r.HasCursor = s.Cursor(r.Cursor, number); r.HasCursor {
			own = append(own, r)
		}
	}
	return Earliest(own)
}

func (s Servers) has(number int, c Cursor) bool {
	address := net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	return number <= len(s) && slices.ContainsFunc(s[number-1], func(a string) bool { return strings.EqualFold(a, address) })
}

func (s Servers) any(c Cursor) bool {
	for n := range s {
		if s.has(n+1, c) {
			return true
		}
	}
	return false
}
