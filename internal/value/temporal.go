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

// fits reports whether a precision is right and a value with head bytes before its
// fractional seconds has the length for it. If not, misfit says why.
func fits(data []byte, head, fsp int) bool {
	return uint(fsp) <= 6 && len(data) == head+FractionSize(fsp)
}

func misfit(kind string, data []byte, head, fsp int) error {
	if fsp < 0 || fsp > 6 {
		return fmt.Errorf("%s: %w", kind, errPrecision(fsp))
	}
	want := head + FractionSize(fsp)
	if len(data) < want {
		return fmt.Errorf("%s(%d) in %d bytes instead of %d: %w", kind, fsp, len(data), want, ErrTruncated)
	}
	return fmt.Errorf("%s(%d) in %d bytes instead of %d", kind, fsp, len(data), want)
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

// appendFraction appends a point and the first fsp digits of micros, which must
// be below a million; nothing when fsp is 0.
func appendFraction(dst []byte, micros uint32, fsp int) []byte {
	if fsp == 0 {
		return dst
	}
	dst = room(append(dst, '.'), 8)
	at := len(dst)
	binary.LittleEndian.PutUint64(dst[at:at+8], (decimals(micros)|eightZeros)>>16)
	return dst[:at+fsp]
}

// A datetime is a date and time of day in its parts. The year is below 10,000 and the
// others below 100; that they make sense is not required.
type datetime struct {
	year, month, day     uint32
	hour, minute, second uint32
}

// dateText makes YYYY-MM-DD of the decimals of YYYYMMDD: the first eight characters, the
// first one in the lowest byte, and the last two.
func dateText(d uint64) (first uint64, last uint16) {
	d |= eightZeros
	return d&0xffffffff | '-'<<32 | d>>32&0xffff<<40 | '-'<<56, uint16(d >> 48)
}

// clockText makes HH:MM:SS of the decimals of 00HHMMSS, the first character in the lowest byte.
func clockText(d uint64) uint64 {
	d |= eightZeros
	return d>>16&0xffff | ':'<<16 | d>>32&0xffff<<24 | ':'<<40 | d>>48<<48
}

// append appends YYYY-MM-DD HH:MM:SS.
func (d datetime) append(dst []byte) []byte {
	dst = room(dst, len(zeroDatetime))
	at := len(dst)
	out := (*[len(zeroDatetime)]byte)(dst[at : at+len(zeroDatetime)])
	first, last := dateText(decimals(d.year*10000 + d.month*100 + d.day))
	binary.LittleEndian.PutUint64(out[0:], first)
	binary.LittleEndian.PutUint16(out[8:], last)
	out[10] = ' '
	binary.LittleEndian.PutUint64(out[11:], clockText(decimals(d.hour*10000+d.minute*100+d.second)))
	return dst[:at+len(out)]
}

// appendClock appends HH:MM:SS for numbers below 100.
func appendClock(dst []byte, hour, minute, second uint32) []byte {
	return binary.LittleEndian.AppendUint64(dst, clockText(decimals(hour*10000+minute*100+second)))
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
	first, last := dateText(decimals(v>>9%10000*10000 + v>>5&15*100 + v&31))
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint64(dst, first), last)
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
	if !fits(data, 3, fsp) {
		return dst, misfit("time", data, 3, fsp)
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
	if fsp > 0 {
		dst = appendFraction(dst, frac, fsp)
	}
	return dst, nil
}

// AppendDatetimeOld appends a DATETIME value in the layout before MySQL 5.6,
// the number YYYYMMDDhhmmss. Digits before these are not looked at.
func AppendDatetimeOld(dst []byte, v uint64) []byte {
	if v == 0 {
		return append(dst, zeroDatetime...)
	}
	date, clock := uint32(v/1e6), uint32(v%1e6)
	return datetime{
		date / 1e4 % 1e4, date / 100 % 100, date % 100,
		clock / 1e4, clock / 100 % 100, clock % 100,
	}.append(dst)
}

// AppendDatetime2 appends a DATETIME value in the layout of MySQL 5.6 and
// later: 5 big-endian bytes, of which, below the sign bit, 17 bits year*13 +
// month, 5 day, 5 hour, 6 minute, 6 second, then FractionSize(fsp) bytes.
func AppendDatetime2(dst, data []byte, fsp int) ([]byte, error) {
	if !fits(data, 5, fsp) {
		return dst, misfit("datetime", data, 5, fsp)
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
	if fsp > 0 {
		dst = appendFraction(dst, frac, fsp)
	}
	return dst, nil
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
