package value

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/charset"
)

// checkAppend makes sure that what was in dst is still there, that the text is
// valid UTF-8 and that an error leaves none of it. It returns the text.
func checkAppend(t *testing.T, got []byte, err error) string {
	t.Helper()
	text, ok := strings.CutPrefix(string(got), "kept")
	if !ok {
		t.Fatalf("overwrote dst: %q", got)
	}
	if err != nil && text != "" {
		t.Fatalf("appended %q with error %v", text, err)
	}
	if !utf8.ValidString(text) {
		t.Fatalf("invalid UTF-8 %q", text)
	}
	return text
}

func kept() []byte { return []byte("kept") }

func FuzzAppendJSON(f *testing.F) {
	f.Add([]byte{jsonSmallArray, 2, 0, 14, 0, jsonInt16, 1, 0, jsonString, 10, 0, 3, 'a', '"', 'b'})
	f.Add([]byte{jsonSmallObject, 1, 0, 12, 0, 11, 0, 1, 0, jsonLiteral, 1, 0, 'k'})
	f.Add([]byte{jsonOpaque, fieldNewDecimal, 7, 10, 2, 0x80, 0, 0, 5, 10})
	f.Add([]byte{jsonOpaque, fieldDatetime, 8, 0, 0, 0, 0, 0, 0x42, 0xB2, 0x19})
	f.Add([]byte{jsonOpaque, fieldTime, 8, 1, 0, 0, 0, 0x40, 6, 0, 0})
	f.Add([]byte{jsonDouble, 0xF6, 0x4A, 0xE1, 0xC7, 0x02, 0x2D, 0xC5, 0x44})
	f.Add(nested(5))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := AppendJSON(kept(), data, charset.UTF8)
		text := checkAppend(t, got, err)
		// Java's NaN and Infinity are not JSON; MySQL stores neither.
		if text == "" || strings.Contains(text, "NaN") || strings.Contains(text, "Infinity") {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("% x: not JSON: %s", data, text)
		}
	})
}

func FuzzAppendJSONDiff(f *testing.F) {
	f.Add([]byte{diffReplace, 3, '$', '.', 'a', 3, jsonInt16, 2, 0, diffRemove, 4, '$', '[', '0', ']'})
	f.Add([]byte{diffInsert, 252, 4, 0, '$', '[', '1', ']', 3, jsonString, 1, 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := AppendJSONDiff(kept(), data, "col", charset.UTF8)
		checkAppend(t, got, err)
	})
}

// escapeSlowly is an obvious form of escapeJSON.
func escapeSlowly(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r >= 0x7F && r <= 0xA0:
			b.WriteString(`\u00`)
			b.WriteString(strconv.FormatUint(uint64(r)|0x100, 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func FuzzEscapeJSON(f *testing.F) {
	f.Add("plain ascii of more than eight bytes")
	f.Add("\u007f\u0080\u009f\u00a0\u00a1\u0000\u001f\u000f\u0010\b\f\n\r\t\"\\/'é世🚚")
	f.Add("12345678\"")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		dst := append(kept(), s...)
		if got, want := string(escapeJSON(dst, 4)), "kept"+escapeSlowly(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	})
}

func FuzzAppendDecimal(f *testing.F) {
	f.Add([]byte{0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2}, 14, 4)
	f.Add([]byte{0x80, 0, 0, 5, 0}, 10, 2)
	f.Add([]byte{0x7F, 0xFF, 0xFF, 0xFF, 0xFF}, 10, 2)
	f.Add([]byte{0x80}, 1, 0)
	number := regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
	f.Fuzz(func(t *testing.T, data []byte, precision, scale int) {
		got, err := AppendDecimal(kept(), data, precision, scale)
		text := checkAppend(t, got, err)
		if err != nil {
			return
		}
		if !number.MatchString(text) || strings.Contains(text, ".") != (scale > 0) {
			t.Errorf("decimal(%d,%d) % x: got %s", precision, scale, data, text)
		}
		if r, ok := new(big.Rat).SetString(text); !ok || r.Sign() == 0 && text[0] == '-' {
			t.Errorf("decimal(%d,%d) % x: got %s", precision, scale, data, text)
		}
	})
}

func FuzzFloats(f *testing.F) {
	f.Add(uint64(0))
	f.Add(math.Float64bits(2e23))
	f.Add(math.Float64bits(math.MaxFloat64))
	f.Add(math.Float64bits(math.SmallestNonzeroFloat64))
	f.Add(uint64(math.Float32bits(1.4e-45)))
	f.Fuzz(func(t *testing.T, bits uint64) {
		// Whatever the digits are, they must be read as the same number again.
		d := math.Float64frombits(bits)
		text := string(AppendFloat64(nil, d))
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != d && !math.IsNaN(d) {
			t.Errorf("%g: got %s", d, text)
		}
		s := math.Float32frombits(uint32(bits))
		text = string(AppendFloat32(nil, s))
		if back, err := strconv.ParseFloat(text, 32); err != nil || float32(back) != s && s == s {
			t.Errorf("%g: got %s", s, text)
		}
	})
}

func FuzzTime2(f *testing.F) {
	f.Add([]byte{0x7F, 0xFF, 0xFF, 0x9D}, 2)
	f.Add([]byte{0x80, 0x01, 0x02, 0x0F, 0x42, 0x3F}, 6)
	shape := regexp.MustCompile(`^-?[0-9]{2,4}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$`)
	f.Fuzz(func(t *testing.T, data []byte, fsp int) {
		got, err := AppendTime2(kept(), data, fsp)
		if text := checkAppend(t, got, err); err == nil && !shape.MatchString(text) {
			t.Errorf("time(%d) % x: got %s", fsp, data, text)
		}
	})
}

// datetimeShape is what any date and time with optional fraction looks like.
var datetimeShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$`)

func FuzzDatetime2(f *testing.F) {
	f.Add([]byte{0x99, 0xB2, 0xBA, 0xC8, 0xB8, 0x0F, 0x42, 0x3F}, 6)
	f.Add([]byte{0x80, 0, 0, 0, 0}, 0)
	f.Fuzz(func(t *testing.T, data []byte, fsp int) {
		got, err := AppendDatetime2(kept(), data, fsp)
		if text := checkAppend(t, got, err); err == nil && !datetimeShape.MatchString(text) {
			t.Errorf("datetime(%d) % x: got %s", fsp, data, text)
		}
	})
}

func FuzzTimestamp2(f *testing.F) {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	zone := NewZone(loc)
	f.Add([]byte{0x65, 0xE0, 0, 0, 1, 2}, 3)
	f.Add([]byte{0, 0, 0, 0}, 0)
	f.Fuzz(func(t *testing.T, data []byte, fsp int) {
		got, err := zone.AppendTimestamp2(kept(), data, fsp)
		if text := checkAppend(t, got, err); err == nil && !datetimeShape.MatchString(text) {
			t.Errorf("timestamp(%d) % x: got %s", fsp, data, text)
		}
	})
}

func FuzzFixedSize(f *testing.F) {
	f.Add(uint64(20240229123456))
	f.Add(uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, v uint64) {
		checkAppend(t, AppendDate(kept(), uint32(v)), nil)
		checkAppend(t, AppendTimeOld(kept(), int32(v)), nil)
		checkAppend(t, AppendDatetimeOld(kept(), v), nil)
		checkAppend(t, AppendYear(kept(), byte(v)), nil)
		checkAppend(t, NewZone(time.UTC).AppendTimestampOld(kept(), uint32(v)), nil)
	})
}
