package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTicks(t *testing.T) {
	tests := []struct {
		name      string
		values    []float64
		log       bool
		low, high float64
		want      []float64
	}{
		{"from zero", []float64{0, 10}, false, 0, 10, []float64{0, 2, 4, 6, 8, 10}},
		{"between steps", []float64{0, 4.3}, false, 0, 5, []float64{0, 1, 2, 3, 4, 5}},
		{"decimals are exact", []float64{0, 0.6}, false, 0, 0.6, []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6}},
		{"negative", []float64{-3, 5}, false, -4, 6, []float64{-4, -2, 0, 2, 4, 6}},
		{"far from zero", []float64{1e6, 1e6 + 12}, false, 1e6, 1e6 + 12, []float64{1e6, 1e6 + 2, 1e6 + 4, 1e6 + 6, 1e6 + 8, 1e6 + 10, 1e6 + 12}},
		{"none", nil, false, 0, 1, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"zero", []float64{0, 0}, false, 0, 1, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"equal", []float64{6, 6}, false, 3, 9, []float64{3, 4, 5, 6, 7, 8, 9}},
		{"log, fine", []float64{10, 1000}, true, 10, 1000, []float64{10, 20, 50, 100, 200, 500, 1000}},
		{"log, between", []float64{0.3, 7}, true, 0.2, 10, []float64{0.2, 0.5, 1, 2, 5, 10}},
		{"log, wide", []float64{1, 50000}, true, 1, 50000, []float64{1, 10, 100, 1000, 10000}},
		{"log, very wide", []float64{1e-8, 1e12}, true, 1e-8, 1e12, []float64{1e-8, 1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6, 1e8, 1e10, 1e12}},
		{"log, equal", []float64{10, 10}, true, 5, 20, []float64{5, 10, 20}},
		{"log, none", nil, true, 1, 10, []float64{1, 2, 5, 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAxis(tt.values, tt.log)
			if a.low != tt.low || a.high != tt.high || !slices.Equal(a.ticks, tt.want) {
				t.Errorf("%v to %v, ticks %v; want %v to %v, %v", a.low, a.high, a.ticks, tt.low, tt.high, tt.want)
			}
		})
	}
}

func TestFraction(t *testing.T) {
	linear, log := newAxis([]float64{0, 10}, false), newAxis([]float64{1, 100}, true)
	for _, tt := range []struct {
		a       axis
		v, want float64
	}{{linear, 0, 0}, {linear, 5, 0.5}, {linear, 10, 1}, {log, 1, 0}, {log, 10, 0.5}, {log, 100, 1}} {
		if got := tt.a.fraction(tt.v); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("fraction of %v is %v, want %v", tt.v, got, tt.want)
		}
	}
}

func TestTickText(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 1: "1", 999: "999", 1000: "1k", 2500: "2.5k", -50000: "-50k", 1e6: "1M", 2e9: "2G", 0.001: "0.001"} {
		if got := tickText(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// parse fails for what is no XML document and returns the texts in it.
func parse(t *testing.T, svg []byte) (texts []string) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if s, ok := token.(xml.CharData); ok {
			texts = append(texts, string(s))
		}
	}
}

// points are where markers of lines are: those that have a hint.
func points(svg []byte) (at []string) {
	for _, m := range regexp.MustCompile(`translate\((\S+ \S+)\)" d="[^"]*"><title>`).FindAllSubmatch(svg, -1) {
		at = append(at, string(m[1]))
	}
	return at
}

func TestTextsAreEscaped(t *testing.T) {
	const hard = `<a href="x"> & 'b' ]]> ünïcode`
	c := Chart{Title: hard + "1", XLabel: hard + "2", YLabel: hard + "3", Series: []Series{{hard + "4", []Point{{1, 1}}}, {"bad \x00\xff", []Point{{1, 2}}}}}
	texts := parse(t, c.SVG())
	for i := range 4 {
		if want := fmt.Sprint(hard, i+1); !slices.Contains(texts, want) {
			t.Errorf("no text %q in %q", want, texts)
		}
	}
}

func TestPlaces(t *testing.T) {
	c := Chart{Series: []Series{{"a", []Point{{0, 0}, {5, 50}, {10, 100}}}}}
	// The plot is from 48 to 368 high, and from 44 and the width of "100" to 736 wide.
	if got, want := points(c.SVG()), []string{"63.8 368.0", "399.9 208.0", "736.0 48.0"}; !slices.Equal(got, want) {
		t.Errorf("points at %q, want %q", got, want)
	}
}

func TestDegenerateCharts(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name   string
		chart  Chart
		points int
	}{
		{"no series", Chart{}, 0},
		{"no points", Chart{Series: []Series{{"a", nil}}}, 0},
		{"no points, log", Chart{LogX: true, LogY: true, Series: []Series{{"a", nil}}}, 0},
		{"one point", Chart{Series: []Series{{"a", []Point{{3, 4}}}}}, 1},
		{"one point, log", Chart{LogX: true, LogY: true, Series: []Series{{"a", []Point{{3, 4}}}}}, 1},
		{"equal values", Chart{Series: []Series{{"a", []Point{{1, 7}, {1, 7}}}}}, 2},
		{"all zero", Chart{Series: []Series{{"a", []Point{{0, 0}, {0, 0}}}}}, 2},
		{"nearly equal", Chart{Series: []Series{{"a", []Point{{1e15, 1e15}, {1e15 + 0.125, 1e15 + 0.125}}}}}, 2},
		{"not finite", Chart{Series: []Series{{"a", []Point{{nan, 1}, {1, nan}, {inf, 1}, {1, -inf}, {2, 2}}}}}, 1},
		{"not positive, log", Chart{LogX: true, LogY: true, Series: []Series{{"a", []Point{{0, 1}, {-1, 1}, {1, 0}, {2, 2}}}}}, 1},
		{"extremes, log", Chart{LogY: true, Series: []Series{{"a", []Point{{1, 1e-300}, {2, 1e300}}}}}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svg := tt.chart.SVG()
			texts := parse(t, svg)
			if got := len(points(svg)); got != tt.points {
				t.Errorf("%d points, want %d", got, tt.points)
			}
			if got := slices.Contains(texts, "no data"); got != (tt.points == 0) {
				t.Errorf("says no data: %v", got)
			}
			if s := string(svg); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Errorf("a place is not finite:\n%s", s)
			}
		})
	}
}

func TestLineIsBroken(t *testing.T) {
	c := Chart{Series: []Series{{"a", []Point{{0, 1}, {1, 1}, {2, math.NaN()}, {3, 1}, {4, 1}}}}}
	m := regexp.MustCompile(`class="line c0" d="([^"]*)"`).FindSubmatch(c.SVG())
	if got := regexp.MustCompile(`[^ML]`).ReplaceAllString(string(m[1]), ""); got != "MLML" {
		t.Errorf("line is drawn as %s", got)
	}
}

func TestLongLinesHaveNoMarkers(t *testing.T) {
	var c Chart
	c.Series = []Series{{"long", make([]Point, maxMarkers+1)}, {"short", make([]Point, maxMarkers)}}
	if got := len(points(c.SVG())); got != maxMarkers {
		t.Errorf("%d points shown, want %d", got, maxMarkers)
	}
}

func TestDeterministic(t *testing.T) {
	c := Chart{Title: "t", LogX: true, LogY: true}
	for i := range 20 {
		c.Series = append(c.Series, Series{fmt.Sprintf("series %d", i), []Point{{1, float64(i)}, {1000, 3}}})
	}
	first := c.SVG()
	for range 10 {
		if !bytes.Equal(c.SVG(), first) {
			t.Fatal("the same chart was drawn otherwise")
		}
	}
}

func TestLegend(t *testing.T) {
	height := func(c Chart) string {
		return string(regexp.MustCompile(`viewBox="0 0 760 (\d+)"`).FindSubmatch(c.SVG())[1])
	}
	one := Chart{Series: []Series{{"", []Point{{1, 1}}}}}
	two := Chart{Series: []Series{{"a", nil}, {"b", nil}}}
	long := Chart{Series: []Series{{strings.Repeat("a", 60), nil}, {strings.Repeat("b", 60), nil}}}
	if a, b, c := height(one), height(two), height(long); a != "428" || b != "454" || c != "474" {
		t.Errorf("heights %s without a legend, %s with one row, %s with two", a, b, c)
	}
}
