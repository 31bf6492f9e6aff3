package fleet

import (
	"sort"
	"time"
)

// The series are in memory alone. A point is taken in each round of Run, so they
// reach back as long as they are allowed to while nobody watches, and less far
// while somebody does.
//
// With 1000 instances on 50 servers that is 1000 × 450 × 56 B = 24 MiB and
// 50 × 1800 × 32 B = 3 MiB, beside the last reports: some 250 B for each of at
// most 50 000 standbys and 2 KiB for each instance that runs, 14 MiB.
const (
	maxInstancePoints = 450 // 15 minutes while watched
	maxInstanceAge    = time.Hour
	maxServerPoints   = 1800 // an hour while watched
	maxServerAge      = time.Hour

	// maxSeries is how many instances have a series: with more of them the others
	// have only their present rates.
	maxSeries = 2000
)

// Point is one moment of an instance.
type Point struct {
	AtMs int64
	Rates
	LagMs, LagBytes int64 // -1 when unknown
	Used            int64 // bytes in the store
}

// ServerPoint is one moment of a server.
type ServerPoint struct {
	AtMs      int64
	CPU, Rows float32
	Memory    int64
}

// TotalPoint is one moment of everything.
type TotalPoint struct {
	AtMs                       int64
	RowsRate, BytesRate        float64
	MaxLagMs, Memory           int64
	Running, Troubled, Unknown int
}

func (p Point) at() int64       { return p.AtMs }
func (p ServerPoint) at() int64 { return p.AtMs }
func (p TotalPoint) at() int64  { return p.AtMs }

// ring holds the latest points, of a bounded number and age. Its zero value is
// empty; it grows as needed.
type ring[P interface{ at() int64 }] struct {
	points []P
	first  int // of points, once there is the most of them
}

// add appends a point. Points that are too old go when others are added.
func (r *ring[P]) add(p P, most int) {
	if len(r.points) < most {
		r.points = append(r.points, p)
		return
	}
	r.points[r.first] = p
	r.first = (r.first + 1) % len(r.points)
}

// get is the i-th point, from the oldest.
func (r *ring[P]) get(i int) P { return r.points[(r.first+i)%len(r.points)] }

// search is the number of points that are not later than ms.
func (r *ring[P]) search(ms int64) int {
	return sort.Search(len(r.points), func(i int) bool { return r.get(i).at() > ms })
}

// after lists the points later than ms, oldest first.
func (r *ring[P]) after(ms int64) []P {
	from := r.search(ms)
	out := make([]P, 0, len(r.points)-from)
	for i := from; i < len(r.points); i++ {
		out = append(out, r.get(i))
	}
	return out
}

// last is the latest point.
func (r *ring[P]) last() (p P, ok bool) {
	if len(r.points) == 0 {
		return p, false
	}
	return r.get(len(r.points) - 1), true
}
