package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// bucketShift divides the 32-bit seconds into 256 buckets of about half a year.
const bucketShift = 24

// A Zone prints TIMESTAMP values, which are seconds since 1970 in UTC, as local
// time of one time zone. Canal uses the zone of its process, not that of the
// MySQL session.
//
// It holds all offsets between 1970 and 2106, so that finding the one of a
// value is a table lookup and a compare or two. A Zone is immutable and may be
// used by any number of goroutines.
type Zone struct {
	name    string
	spans   []zoneSpan                      // in order of time, the last one ends at MaxUint32
	buckets [1 << (32 - bucketShift)]uint16 // the span at the bucket's first second
}

// A zoneSpan is a stretch of time with one offset.
type zoneSpan struct {
	last   uint32 // last second of the span, inclusive
	offset int32  // seconds east of UTC
}

// NewZone prepares the offsets of loc; nil means UTC.
func NewZone(loc *time.Location) *Zone {
	if loc == nil {
		loc = time.UTC
	}
	z := &Zone{name: loc.String()}
	for sec := int64(0); sec <= math.MaxUint32; {
		t := time.Unix(sec, 0).In(loc)
		_, offset := t.Zone()
		next := offsetEnd(t)
		last := uint32(min(next-1, math.MaxUint32))
		if n := len(z.spans); n > 0 && z.spans[n-1].offset == int32(offset) {
			z.spans[n-1].last = last
		} else {
			z.spans = append(z.spans, zoneSpan{last, int32(offset)})
		}
		sec = next
	}
	i := 0
	for b := range z.buckets {
		for z.spans[i].last < uint32(b)<<bucketShift {
			i++
		}
		z.buckets[b] = uint16(i)
	}
	return z
}

// offsetEnd returns a second after t up to which the offset is that of t.
func offsetEnd(t time.Time) int64 {
	_, end := t.ZoneBounds()
	switch {
	case end.IsZero():
		return math.MaxUint32 + 1
	case end.After(t):
		return end.Unix()
	}
	// In years beyond the zone's table the bound is a guess of 365 days after
	// New Year, which on the last day of a leap year has gone by already. No zone
	// changes but at a full quarter of an hour.
	return t.Unix()/900*900 + 900
}

// String returns the name of the time zone.
func (z *Zone) String() string { return z.name }

// offset returns the seconds east of UTC at sec.
func (z *Zone) offset(sec uint32) int32 {
	i := int(z.buckets[sec>>bucketShift])
	for z.spans[i].last < sec {
		i++
	}
	return z.spans[i].offset
}

// AppendTimestampOld appends a TIMESTAMP value in the layout before MySQL 5.6.
// Zero is MySQL's zero date, not 1970.
func (z *Zone) AppendTimestampOld(dst []byte, sec uint32) []byte {
	if sec == 0 {
		return append(dst, zeroDatetime...)
	}
	return appendUnix(dst, int64(sec)+int64(z.offset(sec)))
}

// AppendTimestamp2 appends a TIMESTAMP value in the layout of MySQL 5.6 and
// later: 4 big-endian bytes of seconds and FractionSize(fsp) bytes.
func (z *Zone) AppendTimestamp2(dst, data []byte, fsp int) ([]byte, error) {
	if !fits(data, 4, fsp) {
		return dst, misfit("timestamp", data, 4, fsp)
	}
	frac := rawFraction(data[4:]) * fractionUnit[len(data)-4]
	if frac >= 1e6 {
		return dst, fmt.Errorf("timestamp(%d) % x: %w", fsp, data, errFraction)
	}
	if sec := binary.BigEndian.Uint32(data); sec != 0 {
		dst = appendUnix(dst, int64(sec)+int64(z.offset(sec)))
	} else {
		dst = append(dst, zeroDatetime...)
	}
	if fsp > 0 {
		dst = appendFraction(dst, frac, fsp)
	}
	return dst, nil
}

const (
	secondsPerDay = 86400
	// epochDay is 1970-01-01 counted in days from 0000-03-01, which makes the
	// leap day the last of its year.
	epochDay   = 719468
	daysPerEra = 146097 // of 400 years
)

// appendUnix appends the date and time of unix seconds, in the proleptic
// Gregorian calendar; sec must be after 0000-03-01 and before the year 10000.
//
// Centuries, years and months follow from the day by divisions alone, those of
// C. Neri and L. Schneider, Euclidean Affine Functions and their Application to
// Calendar Algorithms (2022).
func appendUnix(dst []byte, sec int64) []byte {
	shifted := uint64(sec + epochDay*secondsPerDay)
	day := uint32(shifted / secondsPerDay)
	clock := uint32(shifted % secondsPerDay)

	quarters := 4*day + 3
	century, dayOfCentury := quarters/daysPerEra, quarters%daysPerEra/4
	quarters = 4*dayOfCentury + 3
	yearOfCentury, dayOfYear := quarters/1461, quarters%1461/4
	year := 100*century + yearOfCentury
	months := 2141*dayOfYear + 197913 // in 65536ths; 3 is March
	month, dayOfMonth := months>>16, months&0xffff/2141
	if month > 12 {
		month -= 12
		year++
	}
	return datetime{
		year, month, dayOfMonth + 1,
		clock / 3600, clock / 60 % 60, clock % 60,
	}.append(dst)
}
