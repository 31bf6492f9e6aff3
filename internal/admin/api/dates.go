package api

import (
	"fmt"
	"strings"
	"time"
)

// What application.yml of Canal ships with.
const (
	defaultDateFormat = "yyyy-MM-dd HH:mm:ss"
	defaultTimeZone   = "GMT+8"
)

// dateFormat writes times as spring.jackson.date-format and time-zone say.
type dateFormat struct {
	layout string
	zone   *time.Location
}

func (d dateFormat) format(t time.Time) string { return t.In(d.zone).Format(d.layout) }

// date is a time for an answer: null when it is zero.
func (d dateFormat) date(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := d.format(t)
	return &s
}

// letters of java.text.SimpleDateFormat that have a form in Go.
var dateLetters = map[string]string{
	"yyyy": "2006", "yy": "06", "MM": "01", "M": "1", "MMM": "Jan", "dd": "02", "d": "2",
	"HH": "15", "hh": "03", "h": "3", "a": "PM", "mm": "04", "m": "4", "ss": "05", "s": "5", "SSS": "000",
	"Z": "-0700", "X": "Z07", "XX": "Z0700", "XXX": "Z07:00", "z": "MST", "E": "Mon", "EEE": "Mon", "EEEE": "Monday",
}

// newDateFormat reads a pattern of SimpleDateFormat and a zone of
// java.util.TimeZone. Empty texts mean those that Canal ships.
func newDateFormat(pattern, zone string) (dateFormat, error) {
	if pattern == "" {
		pattern = defaultDateFormat
	}
	if zone == "" {
		zone = defaultTimeZone
	}
	layout, err := goLayout(pattern)
	if err != nil {
		return dateFormat{}, err
	}
	location, err := parseZone(zone)
	if err != nil {
		return dateFormat{}, err
	}
	return dateFormat{layout, location}, nil
}

func goLayout(pattern string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			literal, next, err := quoted(pattern, i)
			if err != nil {
				return "", err
			}
			out.WriteString(literal)
			i = next
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			end := i
			for end < len(pattern) && pattern[end] == c {
				end++
			}
			form, ok := dateLetters[pattern[i:end]]
			if !ok {
				return "", fmt.Errorf("date format %q: %q is not supported", pattern, pattern[i:end])
			}
			out.WriteString(form)
			i = end
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String(), nil
}

// quoted reads what stands between quotes from i on; two quotes are one, inside
// and outside.
func quoted(pattern string, i int) (literal string, next int, err error) {
	if strings.HasPrefix(pattern[i:], "''") {
		return "'", i + 2, nil
	}
	var out strings.Builder
	for i++; i < len(pattern); i++ {
		switch {
		case pattern[i] != '\'':
			out.WriteByte(pattern[i])
		case strings.HasPrefix(pattern[i:], "''"):
			out.WriteByte('\'')
			i++
		default:
			return out.String(), i + 1, nil
		}
	}
	return "", 0, fmt.Errorf("date format %q: a quote is not closed", pattern)
}

// parseZone knows names of the tz database and Java's GMT+8, GMT-3:30, UTC+8.
func parseZone(zone string) (*time.Location, error) {
	rest, ok := strings.CutPrefix(zone, "GMT")
	if !ok {
		rest, ok = strings.CutPrefix(zone, "UTC")
	}
	if ok && rest == "" {
		return time.UTC, nil
	}
	if ok {
		for _, layout := range []string{"-07:00", "-0700", "-07"} {
			padded := rest
			if hour, minutes, _ := strings.Cut(rest, ":"); len(hour) == 2 {
				padded = strings.TrimSuffix(hour[:1]+"0"+hour[1:]+":"+minutes, ":")
			}
			if t, err := time.Parse(layout, padded); err == nil {
				_, offset := t.Zone()
				return time.FixedZone(zone, offset), nil
			}
		}
		return nil, fmt.Errorf("time zone %q cannot be read", zone)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", zone, err)
	}
	return location, nil
}
