package statistics

import "testing"

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		all  []int64
		want int64
	}{
		{[]int64{7}, 7}, {[]int64{9, 1}, 5}, {[]int64{9, 1, 2}, 2}, {[]int64{4, 8, 1, 2}, 3},
	} {
		before := tt.all[0]
		if got := Median(tt.all, func(n int64) int64 { return n }); got != tt.want {
			t.Errorf("median of %d: %d, want %d", tt.all, got, tt.want)
		}
		if tt.all[0] != before {
			t.Errorf("%d was sorted", tt.all)
		}
	}
	if got := Median([]string{"abc", "a", "ab", ""}, func(s string) float64 { return float64(len(s)) }); got != 1.5 {
		t.Errorf("median of lengths: %g, want 1.5", got)
	}
}

// sequence is 1 to n.
func sequence(n int) (s []int) {
	for i := range n {
		s = append(s, i+1)
	}
	return s
}

func TestPercentile(t *testing.T) {
	for _, tt := range []struct {
		n    int
		p    float64
		want int
	}{
		{0, 0.5, 0}, {1, 0, 1}, {1, 1, 1}, {2, 0.5, 1}, {3, 0.5, 2},
		{100, 0, 1}, {100, 0.9, 90}, {100, 0.99, 99}, {100, 0.999, 100},
		{1000, 0.999, 999}, {1000, 1, 1000},
	} {
		if got := Percentile(sequence(tt.n), tt.p); got != tt.want {
			t.Errorf("%g of %d: %d, want %d", tt.p, tt.n, got, tt.want)
		}
	}
}
