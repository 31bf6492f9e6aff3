// Package statistics has what the reports of the benchmarks say of several
// measurements. Its central functions are Median and Percentile.
package statistics

import (
	"math"
	"slices"
)

// Median is the middle of what of says of all, of which there is at least one; of an
// even number the mean of the two in the middle.
func Median[E any, T ~int64 | ~float64](all []E, of func(E) T) T {
	v := make([]T, len(all))
	for i, e := range all {
		v[i] = of(e)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// Percentile is the least of sorted values that a part p of them does not exceed;
// zero without any.
func Percentile[T any](sorted []T, p float64) (v T) {
	if len(sorted) == 0 {
		return v
	}
	// The product of, say, 0.999 and 1000 is a little more than 999.
	rank := int(math.Ceil(p*float64(len(sorted)) - 1e-6))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
