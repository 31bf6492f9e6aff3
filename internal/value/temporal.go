package value

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	zeroTime     = "00:00:00"
	zeroDate     = "0000-00-00"
	zeroDatetime = "0000-00-00 00:00:00"

	// timeOffset and datetimeOffset are what TIME2 and DATETIME2 add to their
	// integer parts, so that they compare as unsigned bytes (TIMEF_INT_OFS and
	// DATETIMEF_INT_OFS in MySQL's my_time.cc).
	timeOffset     = 0x800000
	datetimeOffset = 0x8000000000

	maxYear = 9999
)

var errYear = errors.New("year out of range 0..9999")

// FractionSize returns how many bytes fsp digits of fractional seconds take in
// TIME2, DATETIME2 and TIMESTAMP2, for fsp in 0..6.
func FractionSize(fsp int) int { return (fsp + 1) / 2 }

// fractionUnit gives by the number of bytes the microseconds of one unit of the
// stored fraction.
var fractionUnit = [4]uint32{0, 10000, 100, 1}

// checkTemporal checks the precision and length of a value with head bytes
// before its fractional seconds.
func checkTemporal(kind string, data []byte, head, fsp int) error {
	if fsp < 0 || fsp > 6 {
		return fmt.Errorf("%s: %w", kind, errPrecision(fsp))
	}
	switch want := head + FractionSize(fsp); {
	case len(data) < want:
		return fmt.Errorf("%s(%d) in %d bytes instead of %d: %w", kind, fsp, len(data), want, ErrTruncated)
	case len(data) > want:
		return fmt.Errorf("%s(%d) in %d bytes instead of %d", kind, fsp, len(data), want)
	}
	return nil
}

// rawFraction reads the 0 to 3 bytes of stored fractional seconds.
func rawFraction(b []byte) uint32 {
	switch len(b) {
	case 1:
		return uint32(b[0])
	case 2:
		return uint32(b[0])<<8 | uint32(b[1])
	case 3:
		return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	}
	return 0
}

// fractionPow gives what microseconds are divided by to keep fsp digits.
var fractionPow = [7]uint32{1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1}

// appendFraction appends a point and the first fsp digits of micros, which must
// be below a million; nothing when fsp is 0.
func appendFraction(dst []byte, micros uint32, fsp int) []byte {
	if fsp == 0 {
		return dst
	}
	dst = append(dst, '.')
	return appendDigits(dst, uint64(micros/fractionPow[fsp]), fsp)
}

// put2 writes v, of which only the last two digits count, to out[i] and out[i+1].
func put2(out []byte, i int, v uint32) {
	p := 2 * (v % 100)
	out[i+1] = pairs[p+1]
	out[i] = pairs[p]
}

// putDate writes YYYY-MM-DD to the first ten bytes of out, for years of up to
// four digits.
func putDate(out []byte, year, month, day uint32) {
	_ = out[len(zeroDate)-1]
	put2(out, 0, year/100)
	put2(out, 2, year)
	out[4] = '-'
	put2(out, 5, month)
	out[7] = '-'
	put2(out, 8, day)
}

// putClock writes HH:MM:SS to the first eight bytes of out.
func putClock(out []byte, hour, minute, second uint32) {
	_ = out[len(zeroTime)-1]
	put2(out, 0, hour)
	out[2] = ':'
	put2(out, 3, minute)
	out[5] = ':'
	put2(out, 6, second)
}

// appendClock appends HH:MM:SS for numbers below 100.
func appendClock(dst []byte, hour, minute, second uint32) []byte {
	at := len(dst)
	dst = extend(dst, len(zeroTime))
	putClock(dst[at:], hour, minute, second)
	return dst
}

// A datetime is a date and time of day in its parts. The year has up to four
// digits and the others up to two; that they make sense is not required.
type datetime struct {
	year, month, day     uint32
	hour, minute, second uint32
}

// append appends YYYY-MM-DD HH:MM:SS.
func (d datetime) append(dst []byte) []byte {
	at := len(dst)
	dst = extend(dst, len(zeroDatetime))
	out := dst[at:]
	putDate(out, d.year, d.month, d.day)
	out[len(zeroDate)] = ' '
	putClock(out[len(zeroDate)+1:], d.hour, d.minute, d.second)
	return dst
}

// AppendYear appends a YEAR value: 0000 or 1900+v.
func AppendYear(dst []byte, v byte) []byte {
	if v == 0 {
		return append(dst, "0000"...)
	}
	return appendDigits(dst, 1900+uint64(v), 4)
}

// AppendDate appends a DATE value, the 24 bits of which are year*512 + month*32
// + day. Parts that are zero stay zero. Years beyond 9999, which MySQL does not
// store, lose their first digit.
func AppendDate(dst []byte, v uint32) []byte {
	if v == 0 {
		return append(dst, zeroDate...)
	}
	at := len(dst)
	dst = extend(dst, len(zeroDate))
	putDate(dst[at:], v>>9, v>>5&15, v&31)
	return dst
}

// AppendTimeOld appends a TIME value in the layout before MySQL 5.6, the number
// HHHMMSS with sign. An hour of exactly 100 comes out as 00, as in Canal.
func AppendTimeOld(dst []byte, v int32) []byte {
	if v == 0 {
		return append(dst, zeroTime...)
	}
	u := uint32(v)
	if v < 0 {
		dst = append(dst, '-')
		u = -u
	}
	return appendLongClock(dst, u/10000, u/100%100, u%100, true)
}

// appendLongClock is appendClock for hours of more than two digits. With
// hundredIsZero an hour of 100 is printed as 00, which Canal does wherever it
// asks "more than 100" instead of "100 or more".
func appendLongClock(dst []byte, hour, minute, second uint32, hundredIsZero bool) []byte {
	if hour < 100 || hour == 100 && hundredIsZero {
		return appendClock(dst, hour, minute, second)
	}
	dst = AppendUint(dst, uint64(hour))
	dst = append2(append(dst, ':'), minute)
	return append2(append(dst, ':'), second)
}

// AppendTime2 appends a TIME value in the layout of MySQL 5.6 and later, which
// is 3 bytes and FractionSize(fsp) bytes of fractional seconds, big-endian,
// offset by timeOffset. All fsp digits are printed, and a sign also for a time
// within a second of zero.
func AppendTime2(dst, data []byte, fsp int) ([]byte, error) {
	if err := checkTemporal("time", data, 3, fsp); err != nil {
		return dst, err
	}
	size := FractionSize(fsp)
	// The whole as one signed number: a negative time is stored as the
	// complement of integer and fractional part together.
	packed := int64(rawFraction(data[:3]))<<(8*size) | int64(rawFraction(data[3:]))
	packed -= timeOffset << (8 * size)
	negative := packed < 0
	if negative {
		packed = -packed
	}
	frac := uint32(packed&(1<<(8*size)-1)) * fractionUnit[size]
	if frac >= 1e6 {
		return dst, fmt.Errorf("time(%d) % x: %w", fsp, data, errFraction)
	}
	hms := uint32(packed >> (8 * size))
	if negative {
		dst = append(dst, '-')
	}
	dst = appendLongClock(dst, hms>>12&0x3FF, hms>>6&0x3F, hms&0x3F, false)
	return appendFraction(dst, frac, fsp), nil
}

// AppendDatetimeOld appends a DATETIME value in the layout before MySQL 5.6,
// the number YYYYMMDDhhmmss. Digits before these are not looked at.
func AppendDatetimeOld(dst []byte, v uint64) []byte {
	if v == 0 {
		return append(dst, zeroDatetime...)
	}
	date, clock := uint32(v/1e6), uint32(v%1e6)
	return datetime{
		date / 1e4, date / 100, date,
		clock / 1e4, clock / 100, clock,
	}.append(dst)
}

// AppendDatetime2 appends a DATETIME value in the layout of MySQL 5.6 and
// later: 5 big-endian bytes, of which, below the sign bit, 17 bits year*13 +
// month, 5 day, 5 hour, 6 minute, 6 second, then FractionSize(fsp) bytes.
func AppendDatetime2(dst, data []byte, fsp int) ([]byte, error) {
	if err := checkTemporal("datetime", data, 5, fsp); err != nil {
		return dst, err
	}
	frac := rawFraction(data[5:]) * fractionUnit[len(data)-5]
	if frac >= 1e6 {
		return dst, fmt.Errorf("datetime(%d) % x: %w", fsp, data, errFraction)
	}
	packed := int64(data[0])<<32 | int64(binary.BigEndian.Uint32(data[1:]))
	packed -= datetimeOffset
	if packed < 0 || packed>>22/13 > maxYear {
		return dst, fmt.Errorf("datetime(%d) % x: %w", fsp, data, errYear)
	}
	dst = appendPackedDatetime(dst, uint64(packed))
	return appendFraction(dst, frac, fsp), nil
}

// appendPackedDatetime appends the integer part of a packed datetime (see
// AppendDatetime2) without its offset.
func appendPackedDatetime(dst []byte, packed uint64) []byte {
	ym := uint32(packed >> 22)
	hms := uint32(packed & (1<<17 - 1))
	return datetime{
		ym / 13, ym % 13, uint32(packed>>17) & 31,
		hms >> 12, hms >> 6 & 63, hms & 63,
	}.append(dst)
}
