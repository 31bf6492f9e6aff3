package binlog

import (
	"encoding/hex"
	"testing"
)

const (
	sidA = "726757ad-4455-11e8-ae04-0242ac110002"
	sidB = "726757ad-4455-11e8-ae04-0242ac110003"
)

func TestGTIDSetText(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"blank", " \n", ""},
		{"single", sidA + ":1", sidA + ":1"},
		{"range", sidA + ":1-3", sidA + ":1-3"},
		{"join touching", sidA + ":1-3:4", sidA + ":1-4"},
		{"join contained", sidA + ":1-4:2", sidA + ":1-4"},
		{"sort", sidA + ":7-9:1-3", sidA + ":1-3:7-9"},
		{"same server twice", sidA + ":1," + sidA + ":3", sidA + ":1:3"},
		{"blanks and line breaks", " " + sidA + ":1-3 : 5,\n" + sidB + " :4 ,", sidA + ":1-3:5," + sidB + ":4"},
		{"upper case without dashes", "726757AD445511E8AE040242AC110002:1", sidA + ":1"},
		{"anonymous", "00000000-0000-0000-0000-000000000000:0", ""},
		{"tags", sidA + ":1-5:Tag:1-3:5:a:7", sidA + ":1-5:a:7:tag:1-3:5"},
		{"only tag", sidA + ":tag:1", sidA + ":tag:1"},
		{"greatest", sidA + ":1-9223372036854775806", sidA + ":1-9223372036854775806"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := ParseGTIDSet(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestGTIDSetTextRefused(t *testing.T) {
	for _, in := range []string{
		"x", sidA, sidA + ":x-", sidA + ":3-1", sidA + ":0-3", sidA + ":-1", sidA + ":1-2-3", sidA + ":9223372036854775807",
		"726757ad:1", "726757ad-4455-11e8-ae04x0242ac110002:1", "g26757ad-4455-11e8-ae04-0242ac110002:1", sidA + ":1:tag-x:1",
	} {
		if s, err := ParseGTIDSet(in); err == nil {
			t.Errorf("%q gave %q, want an error", in, s)
		}
	}
}

func TestGTIDTaggedFieldWidths(t *testing.T) {
	for _, tc := range []struct {
		hex  string
		want uint64
	}{
		{"00", 0}, {"02", 1}, {"fe", 127}, {"0102", 128}, {"fdff", 1<<14 - 1}, {"7fffffffffffffff", 1<<56 - 1},
		{"ffffffffffffffffff", 1<<64 - 1},
	} {
		b, err := hex.DecodeString(tc.hex)
		if err != nil {
			t.Fatal(err)
		}
		c := newCursor(b)
		if got := c.varint(); got != tc.want || c.short || c.len() != 0 {
			t.Errorf("%s: got %d (short %t, %d left), want %d", tc.hex, got, c.short, c.len(), tc.want)
		}
	}
}
