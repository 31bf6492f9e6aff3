package value

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/charset"
)

// Benchmark has one case for each kind of cell; bytes are those of the row image.
func Benchmark(b *testing.B) {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		b.Fatal(err)
	}
	zone := NewZone(loc)
	doc, err := hex.DecodeString("0002005b0012000100130002000501000215006162620a00460004010004020004000005ffff" +
		"072200072600072a00092e000a36000a3e00ffff00007011010090eefeffffffffff00000000ffffffffffffff7fffffffffffffffff")
	if err != nil {
		b.Fatal(err)
	}
	text := append([]byte{jsonString, 200, 1}, strings.Repeat("plain 10, ", 20)...)
	datetime := []byte{0x99, 0xB2, 0xBA, 0xC8, 0xB8, 0x01, 0xE2, 0x40}
	small := []byte{0x80, 0, 0, 5, 10}
	clock := []byte{0x80, 0xC8, 0xB8}
	seconds := []byte{0x65, 0xE0, 0x73, 0x30}
	decimal := []byte{0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2}
	cases := []struct {
		name string
		size int
		f    func(dst []byte) []byte
	}{
		{"int/small", 4, func(dst []byte) []byte { return AppendInt(dst, 42) }},
		{"int/large", 8, func(dst []byte) []byte { return AppendInt(dst, -1234567890123) }},
		{"decimal(10,2)", 5, func(dst []byte) []byte { dst, _ = AppendDecimal(dst, small, 10, 2); return dst }},
		{"decimal(14,4)", 7, func(dst []byte) []byte { dst, _ = AppendDecimal(dst, decimal, 14, 4); return dst }},
		{"float32", 4, func(dst []byte) []byte { return AppendFloat32(dst, 12.34) }},
		{"float64/int", 8, func(dst []byte) []byte { return AppendFloat64(dst, 12345) }},
		{"float64/cents", 8, func(dst []byte) []byte { return AppendFloat64(dst, 12345.67) }},
		{"float64/17digits", 8, func(dst []byte) []byte { return AppendFloat64(dst, math.Pi*1e-5) }},
		{"float64/huge", 8, func(dst []byte) []byte { return AppendFloat64(dst, math.MaxFloat64) }},
		{"date", 3, func(dst []byte) []byte { return AppendDate(dst, 2024<<9|2<<5|29) }},
		{"time(0)", 3, func(dst []byte) []byte { dst, _ = AppendTime2(dst, clock, 0); return dst }},
		{"datetime(0)", 5, func(dst []byte) []byte { dst, _ = AppendDatetime2(dst, datetime[:5], 0); return dst }},
		{"datetime(6)", 8, func(dst []byte) []byte { dst, _ = AppendDatetime2(dst, datetime, 6); return dst }},
		{"timestamp(0)", 4, func(dst []byte) []byte {
			dst, _ = zone.AppendTimestamp2(dst, seconds, 0)
			return dst
		}},
		{"bit(64)", 8, func(dst []byte) []byte { return AppendBit(dst, datetime) }},
		{"json", len(doc), func(dst []byte) []byte { dst, _ = AppendJSON(dst, doc, charset.UTF8); return dst }},
		{"json/text", len(text), func(dst []byte) []byte { dst, _ = AppendJSON(dst, text, charset.UTF8); return dst }},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			dst := make([]byte, 0, 4096)
			if len(c.f(dst)) == 0 {
				b.Fatal("no text")
			}
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			for b.Loop() {
				dst = c.f(dst[:0])
			}
		})
	}
}
