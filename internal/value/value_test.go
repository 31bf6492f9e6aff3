package value

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/charset"
)

func TestIntegers(t *testing.T) {
	values := []uint64{0, 1, 9, 10, 11, 99, 100, 101, 12345, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	for p := uint64(1); p <= 1e18; p *= 10 {
		values = append(values, p-1, p, p+1, 10*p-1)
	}
	for i := range 64 {
		values = append(values, 1<<i, 1<<i-1, 1<<i+1)
	}
	for _, v := range values {
		if got, want := string(AppendUint([]byte("x"), v)), "x"+strconv.FormatUint(v, 10); got != want {
			t.Errorf("AppendUint(%d) = %s", v, got)
		}
		for _, i := range []int64{int64(v), -int64(v)} {
			if got, want := string(AppendInt([]byte("x"), i)), "x"+strconv.FormatInt(i, 10); got != want {
				t.Errorf("AppendInt(%d) = %s", i, got)
			}
		}
	}
}

// TestShortDoubles: doubles that are close to decimals of up to six digits after the point are
// printed as the general way prints them.
func TestShortDoubles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	short := 0
	for range 200_000 {
		f := float64(r.IntN(1e10)) / math.Pow10(r.IntN(9))
		for _, f := range []float64{f, math.Nextafter(f, 0), math.Nextafter(f, 1e9), f * 7} {
			b := math.Float64bits(f)
			want := appendJavaFloat(nil, false, int(b>>52), 0x7FF, b&(1<<52-1), 52, 1023)
			got := AppendFloat64(nil, f)
			if string(got) != string(want) {
				t.Fatalf("%x: %s instead of %s", b, got, want)
			}
			if f >= 1e-3 && f < 1e7 && len(got) < 12 {
				short++
			}
		}
	}
	if short < 10_000 {
		t.Errorf("only %d of the numbers were short", short)
	}
}

func TestDecimalErrors(t *testing.T) {
	tests := []struct {
		name             string
		data             []byte
		precision, scale int
	}{
		{"no digits", nil, 0, 0},
		{"negative scale", []byte{0x80}, 1, -1},
		{"scale above precision", []byte{0x80}, 1, 2},
		{"too short", []byte{0x80}, 10, 2},
		{"too long", []byte{0x80, 0, 0}, 1, 0},
		{"digit of ten", []byte{0x8A}, 1, 0},
		{"full group of a milliard", []byte{0xBB, 0x9A, 0xCA, 0x00}, 9, 0},
		{"fraction of a hundred", []byte{0x80, 100}, 3, 2},
		{"negative digit of ten", []byte{0x7F ^ 0x0A}, 1, 0},
	}
	for _, tt := range tests {
		got, err := AppendDecimal([]byte("kept"), tt.data, tt.precision, tt.scale)
		if err == nil || string(got) != "kept" {
			t.Errorf("%s: got %q, %v, want an error", tt.name, got, err)
		}
	}
}

func TestTemporalErrors(t *testing.T) {
	utc := NewZone(nil)
	type appender func(dst, data []byte, fsp int) ([]byte, error)
	tests := []struct {
		name string
		f    appender
		data []byte
		fsp  int
		want error // if any in particular
	}{
		{"time fsp", AppendTime2, []byte{0x80, 0, 0, 0, 0, 0, 0}, 7, nil},
		{"time negative fsp", AppendTime2, []byte{0x80, 0, 0}, -1, nil},
		{"time short", AppendTime2, []byte{0x80, 0}, 0, ErrTruncated},
		{"time long", AppendTime2, []byte{0x80, 0, 0, 0}, 0, nil},
		{"time fraction", AppendTime2, []byte{0x80, 0, 0, 100}, 2, errFraction},
		{"datetime short", AppendDatetime2, []byte{0x80, 0, 0, 0, 0}, 1, ErrTruncated},
		{"datetime fraction", AppendDatetime2, []byte{0x80, 0, 0, 0, 0, 0x27, 0x10}, 4, errFraction},
		{"datetime below zero", AppendDatetime2, []byte{0x7F, 0xFF, 0xFF, 0xFF, 0xFF}, 0, errYear},
		{"datetime beyond 9999", AppendDatetime2, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 0, errYear},
		{"timestamp short", utc.AppendTimestamp2, []byte{1, 2, 3}, 0, ErrTruncated},
		{"timestamp fraction", utc.AppendTimestamp2, []byte{0, 0, 0, 1, 0x0F, 0x42, 0x40}, 6, errFraction},
	}
	for _, tt := range tests {
		got, err := tt.f([]byte("kept"), tt.data, tt.fsp)
		if err == nil || string(got) != "kept" {
			t.Errorf("%s: got %q, %v, want an error", tt.name, got, err)
		}
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: got error %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestZoneTransitions compares with package time around every change of offset
// and, with a wide stride, in between.
func TestZoneTransitions(t *testing.T) {
	for _, name := range []string{
		"UTC", "Asia/Shanghai", "America/New_York", "Europe/London", "Australia/Lord_Howe",
		"Africa/Casablanca", "America/Argentina/San_Luis", "Pacific/Apia", "Asia/Pyongyang",
	} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := NewZone(loc)
		if z.String() != name {
			t.Errorf("String() = %q", z.String())
		}
		check := func(sec uint32) {
			t.Helper()
			want := time.Unix(int64(sec), 0).In(loc).Format("2006-01-02 15:04:05")
			if sec == 0 {
				want = zeroDatetime
			}
			if got := string(z.AppendTimestampOld(nil, sec)); got != want {
				t.Errorf("%s at %d: got %s, want %s", name, sec, got, want)
			}
		}
		for _, s := range z.spans {
			check(s.last - 1)
			check(s.last)
			check(s.last + 1) // wraps to zero at the end
		}
		for sec := uint64(0); sec <= math.MaxUint32; sec += 1000003 {
			check(uint32(sec))
		}
	}
}

func TestFixedZone(t *testing.T) {
	z := NewZone(time.FixedZone("", -(11*3600 + 30*60)))
	if got := string(z.AppendTimestampOld(nil, 1)); got != "1969-12-31 12:30:01" {
		t.Errorf("got %s", got)
	}
}

// smallArray returns a binary JSON array of n elements with the given value
// entry for each, followed by tail.
func smallArray(n int, entry, tail []byte) []byte {
	b := []byte{jsonSmallArray}
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	b = binary.LittleEndian.AppendUint16(b, uint16(4+n*len(entry)+len(tail)))
	return append(append(b, bytes.Repeat(entry, n)...), tail...)
}

// nested returns n arrays inside each other.
func nested(n int) []byte {
	var inner []byte
	for i := range n {
		if i == 0 {
			inner = smallArray(0, nil, nil)
			continue
		}
		inner = smallArray(1, []byte{inner[0], 7, 0}, inner[1:])
	}
	return inner
}

func TestJSONErrors(t *testing.T) {
	// An array all elements of which point back to the array itself.
	recursive := smallArray(3, []byte{jsonSmallArray, 0, 0}, nil)
	// Ten thousand elements that share one long string.
	shared := smallArray(10000, []byte{jsonString, 0x34, 0x75}, append([]byte{0x90, 0x4E}, bytes.Repeat([]byte("s"), 10000)...))
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"unknown type", []byte{0x0D, 0, 0}, errJSONShape},
		{"type above fifteen", []byte{0x10, 0, 0}, errJSONShape},
		{"only a type", []byte{jsonInt64}, errJSONShape},
		{"literal three", []byte{jsonLiteral, 3}, errJSONShape},
		{"string without length", []byte{jsonString}, errJSONShape},
		{"string length without end", []byte{jsonString, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, errJSONShape},
		{"string longer than document", []byte{jsonString, 3, 'a', 'b'}, errJSONShape},
		{"array size beyond end", []byte{jsonSmallArray, 0, 0, 9, 0}, errJSONShape},
		{"array size below header", []byte{jsonSmallArray, 0, 0, 3, 0}, errJSONShape},
		{"too many elements", []byte{jsonLargeArray, 255, 255, 255, 255, 8, 0, 0, 0}, errJSONShape},
		{"element beyond end", smallArray(1, []byte{jsonString, 9, 0}, []byte{0}), errJSONShape},
		{"key beyond end", []byte{jsonSmallObject, 1, 0, 11, 0, 11, 0, 1, 0, jsonLiteral, 0, 0}, errJSONShape},
		{"opaque without type", []byte{jsonOpaque}, errJSONShape},
		{"opaque of no length", []byte{jsonOpaque, 252, 0}, errJSONShape},
		{"short time", []byte{jsonOpaque, fieldTime, 4, 0, 0, 0, 0}, errJSONShape},
		{"time with odd fraction", []byte{jsonOpaque, fieldTime, 8, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0}, errFraction},
		{"date beyond 9999", []byte{jsonOpaque, fieldDate, 8, 0, 0, 0, 0, 0, 0, 0, 0x7F}, errYear},
		{"decimal without digits", []byte{jsonOpaque, fieldNewDecimal, 2, 0, 0}, errJSONShape},
		{"short decimal", []byte{jsonOpaque, fieldNewDecimal, 3, 10, 2, 0x80}, errJSONShape},
		{"recursion", recursive, errJSONOverlap},
		{"shared string", shared, errJSONOverlap},
		{"too deep", nested(maxJSONDepth + 1), errJSONDepth},
	}
	for _, tt := range tests {
		got, err := AppendJSON([]byte("kept"), tt.data, charset.UTF8)
		if !errors.Is(err, tt.want) || string(got) != "kept" {
			t.Errorf("%s: got %.80q, %v, want error %v", tt.name, got, err, tt.want)
		}
	}
	if _, err := AppendJSON(nil, nested(maxJSONDepth), charset.UTF8); err != nil {
		t.Errorf("depth %d: %v", maxJSONDepth, err)
	}
}

func TestJSONEmpty(t *testing.T) {
	if got, err := AppendJSON([]byte("x"), nil, charset.UTF8); string(got) != "x" || err != nil {
		t.Errorf("no bytes: got %q, %v", got, err)
	}
	if got, err := AppendJSONDiff(nil, nil, "col", charset.UTF8); string(got) != "col" || err != nil {
		t.Errorf("no changes: got %q, %v", got, err)
	}
}

// TestJSONCharset decodes strings and keys by the set in use, but not the paths
// of a diff.
func TestJSONCharset(t *testing.T) {
	gbk, err := charset.ByJavaName("GBK")
	if err != nil {
		t.Fatal(err)
	}
	doc := []byte{jsonString, 4, 0xCA, 0xC0, '"', '\\'}
	if got, err := AppendJSON(nil, doc, gbk); string(got) != `"世\"\\"` || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	diff := append([]byte{diffReplace, 5, '$', '.', 0xCA, 0xC0, ']', byte(len(doc))}, doc...)
	if got, err := AppendJSONDiff(nil, diff, "c", gbk); string(got) != `JSON_REPLACE(c, '$.ÊÀ]', "世\"\\")` || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestJSONDiffErrors(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"unknown operation", []byte{3, 1, '$'}, errDiffShape},
		{"no path", []byte{diffRemove}, errDiffShape},
		{"empty path", []byte{diffRemove, 0}, errDiffShape},
		{"null length", []byte{diffRemove, 251}, errDiffShape},
		{"length cut off", []byte{diffRemove, 254, 1, 0, 0}, errDiffShape},
		{"length of all ones", append([]byte{diffRemove, 254}, bytes.Repeat([]byte{255}, 8)...), errDiffShape},
		{"path cut off", []byte{diffRemove, 2, '$'}, errDiffShape},
		{"no value", []byte{diffReplace, 1, '$'}, errDiffShape},
		{"empty value", []byte{diffReplace, 1, '$', 0}, errDiffShape},
		{"bad value", []byte{diffReplace, 1, '$', 1, jsonInt16}, errJSONShape},
		{"second change bad", []byte{diffRemove, 1, '$', 9}, errDiffShape},
	}
	for _, tt := range tests {
		got, err := AppendJSONDiff([]byte("kept"), tt.data, "c", charset.UTF8)
		if !errors.Is(err, tt.want) || string(got) != "kept" {
			t.Errorf("%s: got %q, %v, want error %v", tt.name, got, err, tt.want)
		}
	}
}

// TestNoAllocation holds the functions that run for every cell to their word.
func TestNoAllocation(t *testing.T) {
	zone := NewZone(time.FixedZone("", 8*3600))
	gbk, err := charset.ByJavaName("GBK")
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 4096)
	doc := []byte{jsonSmallArray, 2, 0, 14, 0, jsonInt16, 1, 0, jsonString, 10, 0, 3, 'a', '"', 'b'}
	doc[3] = byte(len(doc) - 1)
	decimal := []byte{0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2}
	temporal := []byte{0x99, 0xA5, 0xC4, 1, 2}
	text := []byte("\xCA\xC0世界\xFF")
	tests := []struct {
		name string
		f    func() error
	}{
		{"integer", func() error { dst = AppendInt(dst[:0], math.MinInt64); return nil }},
		{"decimal", func() (err error) { dst, err = AppendDecimal(dst[:0], decimal, 14, 4); return }},
		{"float64", func() error { dst = AppendFloat64(dst[:0], 12.34); return nil }},
		{"float64 large", func() error { dst = AppendFloat64(dst[:0], math.MaxFloat64); return nil }},
		{"time", func() (err error) { dst, err = AppendTime2(dst[:0], temporal[:3], 0); return }},
		{"datetime", func() (err error) { dst, err = AppendDatetime2(dst[:0], temporal, 0); return }},
		{"timestamp", func() (err error) { dst, err = zone.AppendTimestamp2(dst[:0], temporal[:4], 0); return }},
		{"utf8", func() error { dst = charset.UTF8.Append(dst[:0], text); return nil }},
		{"gbk", func() error { dst = gbk.Append(dst[:0], text); return nil }},
		{"latin1", func() error { dst = AppendLatin1(dst[:0], text); return nil }},
		{"json", func() (err error) { dst, err = AppendJSON(dst[:0], doc, charset.UTF8); return }},
	}
	for _, tt := range tests {
		allocs := testing.AllocsPerRun(100, func() {
			if err := tt.f(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", tt.name, allocs)
		}
	}
}
