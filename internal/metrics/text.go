package metrics

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// The types of metrics.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// family is a metric with its samples.
type family struct {
	name, typ, help string
	samples         []sample
}

// sample is one line of a family.
type sample struct {
	suffix string // of the family's name, for the parts of a histogram
	labels []label
	value  float64
}

type label struct{ name, value string }

// add adds a sample; labels are names and values in turn.
func (f *family) add(value float64, labels ...string) { f.addPart("", value, labels...) }

func (f *family) addPart(suffix string, value float64, labels ...string) {
	s := sample{suffix: suffix, value: value, labels: make([]label, 0, len(labels)/2)}
	for i := 0; i+1 < len(labels); i += 2 {
		s.labels = append(s.labels, label{labels[i], labels[i+1]})
	}
	f.samples = append(f.samples, s)
}

// render writes families as text, as version 0.4 of the Prometheus Java client
// does. With names only samples of these names are written, and only families
// that have any.
func render(families []family, names []string) []byte {
	var out []byte
	for _, f := range families {
		if len(names) > 0 {
			f.samples = slices.DeleteFunc(f.samples, func(s sample) bool {
				return !slices.Contains(names, f.name+s.suffix)
			})
			if len(f.samples) == 0 {
				continue
			}
		}
		out = append(out, "# HELP "+f.name+" "+escapeHelp.Replace(f.help)+"\n"...)
		out = append(out, "# TYPE "+f.name+" "+f.typ+"\n"...)
		for _, s := range f.samples {
			out = appendSample(out, f.name, s)
		}
	}
	return out
}

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func appendSample(out []byte, name string, s sample) []byte {
	out = append(append(out, name...), s.suffix...)
	if len(s.labels) > 0 {
		out = append(out, '{')
		for _, l := range s.labels {
			// The comma after the last label is legal, and the Java client's habit.
			out = append(out, l.name+`="`+escapeLabel.Replace(l.value)+`",`...)
		}
		out = append(out, '}')
	}
	out = append(out, ' ')
	return append(appendDouble(out, s.value), '\n')
}

// appendDouble appends v as Java's Double.toString prints it: 1.0, 1.6384E7.
func appendDouble(out []byte, v float64) []byte {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		return append(out, "NaN"...)
	case math.IsInf(v, 1):
		return append(out, "+Inf"...)
	case math.IsInf(v, -1):
		return append(out, "-Inf"...)
	case abs == 0 || abs >= 1e-3 && abs < 1e7:
		text := strconv.FormatFloat(v, 'f', -1, 64)
		return append(out, withPoint(text)...)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(exponent) // always digits with a sign
	out = append(append(out, withPoint(mantissa)...), 'E')
	return strconv.AppendInt(out, int64(n), 10)
}

func withPoint(digits string) string {
	if strings.Contains(digits, ".") {
		return digits
	}
	return digits + ".0"
}
