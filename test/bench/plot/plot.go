// Package plot draws what benchmarks found as line charts, in SVG files that can be
// read on light and dark backgrounds and that are the same, byte for byte, for the
// same figures. Its central type is Chart. It does not lay out several charts, draw
// bars, or choose what to show.
package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Point is a measured value. One that has no place, being over 1e300 or not a
// number, or under 1e-300 on a logarithmic axis, is left out, and the line is broken
// there.
type Point struct{ X, Y float64 }

// Series is a line of a chart. Its points are joined in the order they have.
type Series struct {
	Name   string // in the legend, which is left out when the only line has no name
	Points []Point
}

// Chart is a line chart. An axis that is not logarithmic begins at zero for Y,
// unless values are negative, and about where the values do for X. The title is not
// wrapped: about 80 characters have room.
type Chart struct {
	Title, XLabel, YLabel string
	LogX, LogY            bool
	Series                []Series
}

// Sizes in pixels of a chart at its natural size.
const (
	width      = 760
	plotHeight = 320
	right      = 24 // margin of the plot
	top        = 48
	lineHeight = 20
	glyph      = 6.6 // of a character of text, about
)

// maxMarkers is how many points a line may have and still show each of them.
const maxMarkers = 50

// colors are those of the lines, on light and on dark, told apart by people who see
// colours differently. Each line has its own marker, too.
var colors = []struct{ light, dark string }{
	{"#0b62c4", "#58a6ff"}, {"#c2410c", "#ff9a57"}, {"#15803d", "#4ac26b"}, {"#a21caf", "#e38bff"},
	{"#57606a", "#b1bac4"}, {"#b45309", "#e3b341"}, {"#0e7490", "#56d4dd"}, {"#be123c", "#ff7b9c"},
}

// dashes are those of the first lines of all colours, the second, and so on.
var dashes = []string{"", "6 4", "2 3"}

// SVG is the chart as a document that needs nothing else. It paints its own
// background, since where it is shown need not have the colours that the reader
// prefers.
func (c *Chart) SVG() []byte {
	d := newDrawing(c)
	fmt.Fprintf(&d.out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12">`+"\n",
		width, d.height, width, d.height)
	fmt.Fprintf(&d.out, "<title>%s</title>\n", escape(c.Title))
	d.style()
	fmt.Fprintf(&d.out, `<rect class="ground" width="%d" height="%d" rx="6"/>`+"\n", width, d.height)
	d.text("title", width/2, 26, "middle", c.Title)
	d.axes()
	drawn := false
	for i, s := range c.Series {
		drawn = d.line(i, s) || drawn
	}
	if !drawn {
		d.text("label", (d.left+d.right)/2, top+plotHeight/2, "middle", "no data")
	}
	d.legend()
	d.out.WriteString("</svg>\n")
	return d.out.Bytes()
}

// drawing is a chart being drawn.
type drawing struct {
	*Chart
	out         bytes.Buffer
	x, y        axis
	left, right float64 // of the plot
	bottom      float64 // of the plot
	entries     []legendEntry
	height      int
}

// legendEntry is where the name of a line stands.
type legendEntry struct {
	series int
	x, y   float64
}

func newDrawing(c *Chart) *drawing {
	d := &drawing{Chart: c, right: width - right, bottom: top + plotHeight}
	var xs, ys []float64
	for _, s := range c.Series {
		for _, p := range s.Points {
			if c.place(p) {
				xs, ys = append(xs, p.X), append(ys, p.Y)
			}
		}
	}
	if !c.LogY {
		ys = append(ys, 0)
	}
	d.x, d.y = newAxis(xs, c.LogX), newAxis(ys, c.LogY)
	widest := 0.0
	for _, t := range d.y.ticks {
		widest = max(widest, textWidth(tickText(t)))
	}
	d.left = 44 + widest
	d.height = int(d.bottom) + 60
	d.layLegend()
	return d
}

// place says whether a point can be shown.
func (c *Chart) place(p Point) bool {
	fits := func(v float64, log bool) bool { return math.Abs(v) <= 1e300 && (!log || v >= 1e-300) }
	return fits(p.X, c.LogX) && fits(p.Y, c.LogY)
}

// layLegend finds places for the names of the lines under the plot, as many in a
// row as have room.
func (d *drawing) layLegend() {
	if len(d.Series) == 0 || len(d.Series) == 1 && d.Series[0].Name == "" {
		return
	}
	x, y := d.left, d.bottom+66
	for i, s := range d.Series {
		w := 34 + textWidth(s.Name) + 18
		if x > d.left && x+w > width {
			x, y = d.left, y+lineHeight
		}
		d.entries = append(d.entries, legendEntry{i, x, y})
		x += w
	}
	d.height = int(y) + 20
}

func (d *drawing) style() {
	d.out.WriteString("<style>\n")
	sheet := func(indent, ground, text, label, grid string, color func(i int) string) {
		fmt.Fprintf(&d.out, "%s.ground{fill:%s}.title{fill:%s;font-size:16px;font-weight:600}.label,.tick{fill:%s}.grid{stroke:%s}.axis{stroke:%s}\n", indent, ground, text, label, grid, label)
		for i := range min(len(d.Series), len(colors)) {
			fmt.Fprintf(&d.out, "%s.c%d{stroke:%s;fill:%s}\n", indent, i, color(i), color(i))
		}
	}
	sheet("", "#ffffff", "#1f2328", "#4b535c", "#e3e7eb", func(i int) string { return colors[i].light })
	d.out.WriteString("@media (prefers-color-scheme: dark){\n")
	sheet("  ", "#0d1117", "#e6edf3", "#aab4be", "#272d35", func(i int) string { return colors[i].dark })
	d.out.WriteString("}\npath.line{fill:none;stroke-width:2;stroke-linejoin:round}\n</style>\n")
}

// axes draws the grid, the numbers at it and the names of the axes.
func (d *drawing) axes() {
	for _, t := range d.x.ticks {
		x := d.px(t)
		d.rule("grid", x, top, x, d.bottom)
		d.text("tick", x, d.bottom+18, "middle", tickText(t))
	}
	for _, t := range d.y.ticks {
		y := d.py(t)
		d.rule("grid", d.left, y, d.right, y)
		d.text("tick", d.left-8, y+4, "end", tickText(t))
	}
	d.rule("axis", d.left, d.bottom, d.right, d.bottom)
	d.rule("axis", d.left, top, d.left, d.bottom)
	d.text("label", (d.left+d.right)/2, d.bottom+40, "middle", d.XLabel)
	fmt.Fprintf(&d.out, `<text class="label" transform="translate(20 %s) rotate(-90)" text-anchor="middle">%s</text>`+"\n", px(top+plotHeight/2), escape(d.YLabel))
}

// line draws a line and its markers, and says whether there was anything to draw.
func (d *drawing) line(i int, s Series) bool {
	var path []byte
	n, pen := 0, byte('M')
	for _, p := range s.Points {
		if !d.place(p) {
			pen = 'M'
			continue
		}
		path = append(append(append(append(path, pen), px(d.px(p.X))...), ' '), px(d.py(p.Y))...)
		n, pen = n+1, 'L'
	}
	if n == 0 {
		return false
	}
	fmt.Fprintf(&d.out, `<path class="line %s"%s d="%s"/>`+"\n", class(i), dash(i), path)
	if n > maxMarkers {
		return true
	}
	for _, p := range s.Points {
		if d.place(p) {
			d.marker(i, d.px(p.X), d.py(p.Y), fmt.Sprintf("%s: %s, %s", s.Name, tickText(p.X), tickText(p.Y)))
		}
	}
	return true
}

// markers are paths around the origin.
var markers = []string{
	"M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-3.5 -3.5h7v7h-7z", "M0 -4.5l4.5 8h-9z",
	"M0 -5l5 5l-5 5l-5 -5z", "M0 4.5l-4.5 -8h9z", "M-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z", "M-5 -2.5h10v5h-10z",
}

// marker draws a point of a line, with a text for those who point at it.
func (d *drawing) marker(i int, x, y float64, hint string) {
	fmt.Fprintf(&d.out, `<path class="%s" transform="translate(%s %s)" d="%s">`, class(i), px(x), px(y), markers[i%len(markers)])
	if hint != "" {
		fmt.Fprintf(&d.out, "<title>%s</title>", escape(hint))
	}
	d.out.WriteString("</path>\n")
}

func (d *drawing) legend() {
	for _, e := range d.entries {
		fmt.Fprintf(&d.out, `<path class="line %s"%s d="M%s %sh26"/>`+"\n", class(e.series), dash(e.series), px(e.x), px(e.y))
		d.marker(e.series, e.x+13, e.y, "")
		d.text("label", e.x+34, e.y+4, "start", d.Series[e.series].Name)
	}
}

func (d *drawing) text(class string, x, y float64, anchor, s string) {
	fmt.Fprintf(&d.out, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", class, px(x), px(y), anchor, escape(s))
}

func (d *drawing) rule(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.out, `<path class="%s" d="M%s %sL%s %s"/>`+"\n", class, px(x1), px(y1), px(x2), px(y2))
}

// px and py are where a value is in the picture.
func (d *drawing) px(v float64) float64 { return d.left + d.x.fraction(v)*(d.right-d.left) }
func (d *drawing) py(v float64) float64 { return d.bottom - d.y.fraction(v)*plotHeight }

// px is a length in pixels, to a tenth.
func px(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func class(series int) string { return "c" + strconv.Itoa(series%len(colors)) }

func dash(series int) string {
	if s := dashes[series/len(colors)%len(dashes)]; s != "" {
		return ` stroke-dasharray="` + s + `"`
	}
	return ""
}

// textWidth is about what a text takes in pixels.
func textWidth(s string) float64 { return glyph * float64(utf8.RuneCountInString(s)) }

// escape makes a text one of an XML document.
func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}
