package plot

import (
	"math"
	"slices"
	"strconv"
)

// axis maps values to their part of a length.
type axis struct {
	low, high float64 // low < high; both positive when log
	log       bool
	ticks     []float64 // ascending, within low and high
}

// newAxis is an axis that all values have room on. Values are finite, and positive
// when log. There may be none.
func newAxis(values []float64, log bool) axis {
	if log {
		return logAxis(values)
	}
	return linearAxis(values)
}

// wantedTicks is about how many a linear axis has.
const wantedTicks = 6

// linearAxis begins and ends at a tick.
func linearAxis(values []float64) axis {
	low, high := 0.0, 1.0
	if len(values) > 0 {
		low, high = slices.Min(values), slices.Max(values)
	}
	if high-low <= 1e-9*max(math.Abs(low), math.Abs(high)) { // as good as equal, or all zero
		pad := max(math.Abs(high)/2, 0.5)
		if low == 0 {
			low, high = 0, 2*pad
		} else {
			low, high = low-pad, high+pad
		}
	}
	step := niceStep((high - low) / wantedTicks)
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	a := axis{low: round(first*step, step), high: round(last*step, step)}
	for n := first; n <= last; n++ {
		a.ticks = append(a.ticks, round(n*step, step))
	}
	return a
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is not under v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// round takes away from a multiple of a step what its binary form adds, as in
// 0.30000000000000004.
func round(v, step float64) float64 {
	digits := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', digits, 64), 64)
	if err != nil || r == 0 { // not negative zero
		return 0
	}
	return r
}

// Up to fineDecades a logarithmic axis has ticks at 1, 2 and 5 of each power of
// ten; beyond, at powers of ten only, of which it shows at most maxDecades.
const (
	fineDecades = 3.0
	maxDecades  = 10
)

// logAxis begins and ends at 1, 2 or 5 times a power of ten.
func logAxis(values []float64) axis {
	low, high := 1.0, 10.0
	if len(values) > 0 {
		low, high = fineBelow(slices.Min(values)), fineAbove(slices.Max(values))
	}
	if low == high {
		low, high = fineBelow(low/2), fineAbove(high*2)
	}
	a := axis{low: low, high: high, log: true}
	decades := math.Log10(high) - math.Log10(low)
	every := max(1, int(math.Ceil(decades/maxDecades)))
	mantissas := []float64{1}
	if decades <= fineDecades+1e-9 {
		mantissas = []float64{1, 2, 5}
	}
	for e := int(math.Floor(math.Log10(low))); e <= int(math.Ceil(math.Log10(high))); e++ {
		for _, m := range mantissas {
			if t := decimal(m, e); e%every == 0 && t >= low && t <= high {
				a.ticks = append(a.ticks, t)
			}
		}
	}
	return a
}

// fineBelow is the greatest of 1, 2 and 5 times a power of ten that is not over v.
func fineBelow(v float64) float64 {
	e := int(math.Floor(math.Log10(v))) + 1
	for {
		for _, m := range []float64{5, 2, 1} {
			if t := decimal(m, e); t <= v {
				return t
			}
		}
		e--
	}
}

// fineAbove is the least of 1, 2 and 5 times a power of ten that is not under v.
func fineAbove(v float64) float64 {
	e := int(math.Floor(math.Log10(v))) - 1
	for {
		for _, m := range []float64{1, 2, 5} {
			if t := decimal(m, e); t >= v {
				return t
			}
		}
		e++
	}
}

// decimal is m times ten to the e, as exact as it can be.
func decimal(m float64, e int) float64 {
	if e < 0 {
		return m / math.Pow10(-e)
	}
	return m * math.Pow10(e)
}

// fraction is where v is between the ends.
func (a axis) fraction(v float64) float64 {
	if a.log {
		return (math.Log(v) - math.Log(a.low)) / (math.Log(a.high) - math.Log(a.low))
	}
	return (v - a.low) / (a.high - a.low)
}

// tickText is a value to read: four digits, and thousands as k, M and G.
func tickText(v float64) string {
	suffix := ""
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.size {
			v, suffix = v/u.size, u.name
			break
		}
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + suffix
}
