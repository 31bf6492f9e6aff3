package main

import (
	"slices"
	"time"
)

// latencies are the times of the rows from number warm on, by when they arrived,
// each sorted: from the planned time of the commit to the arrival, from the commit's
// return to the arrival, and from the planned time to the return.
func (l *load) latencies(arrived []time.Duration, warm int) (planned, returned, late []time.Duration) {
	for i := warm; i < len(arrived); i++ {
		at := l.planned(int64(i))
		planned = append(planned, arrived[i]-at)
		returned = append(returned, arrived[i]-l.returned[i])
		late = append(late, l.returned[i]-at)
	}
	slices.Sort(planned)
	slices.Sort(returned)
	slices.Sort(late)
	return planned, returned, late
}

// below is how many of sorted times are less than zero.
func below(sorted []time.Duration) int {
	n, _ := slices.BinarySearch(sorted, 0)
	return n
}
