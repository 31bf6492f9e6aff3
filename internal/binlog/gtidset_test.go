package binlog

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// testdata/javaorder.txt holds what java.util.HashMap does (JavaOrder.java).
func TestPrintOrderIsJavas(t *testing.T) {
	data, err := os.ReadFile("testdata/javaorder.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		keys := strings.Split(f[1], ",")
		var got string
		switch f[0] {
		case "sized":
			s, err := ParseGTIDSet(strings.Join(keys, ":1,") + ":1")
			if err != nil {
				t.Fatal(err)
			}
			got = strings.ReplaceAll(s.String(), ":1", "")
		case "grown":
			var s GTIDSet
			for _, key := range keys {
				uuid, err := ParseUUID(key)
				if err != nil {
					t.Fatal(err)
				}
				s.Add(GTID{UUID: uuid, Sequence: 1})
			}
			got = strings.ReplaceAll(s.String(), ":1", "")
		case "domains":
			s, err := ParseMariaGTIDSet(strings.Join(keys, "-1-1,") + "-1-1")
			if err != nil {
				t.Fatal(err)
			}
			got = strings.ReplaceAll(s.String(), "-1-1", "")
		}
		if got != f[2] {
			t.Errorf("%s of %d:\n got %s\nwant %s", f[0], len(keys), got, f[2])
		}
	}
}

func TestGTIDSetOperations(t *testing.T) {
	s, err := ParseGTIDSet(sidA + ":1-5:8:tag:3")
	if err != nil {
		t.Fatal(err)
	}
	uuid := s.order[0].uuid
	for seq, want := range map[int64]bool{0: false, 1: true, 5: true, 6: false, 8: true, 9: false} {
		if got := s.Contains(GTID{UUID: uuid, Sequence: seq}); got != want {
			t.Errorf("contains %d: %t", seq, got)
		}
	}
	if s.Contains(GTID{UUID: uuid, Tag: "tag", Sequence: 1}) || !s.Contains(GTID{UUID: uuid, Tag: "tag", Sequence: 3}) || s.Contains(GTID{Sequence: 1}) {
		t.Error("tags or servers are mixed up")
	}
	s.Add(GTID{UUID: uuid, Sequence: 2}) // Canal's set shrinks here
	s.Add(GTID{UUID: uuid, Sequence: 7})
	s.Add(GTID{UUID: uuid, Sequence: 6})
	s.Add(GTID{UUID: uuid, Sequence: 0})
	if got, want := s.String(), sidA+":1-8:tag:3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	clone := s.Clone()
	clone.Add(GTID{UUID: uuid, Sequence: 9})
	if s.Equal(clone) || !clone.ContainsSet(s) || s.ContainsSet(clone) {
		t.Error("a clone is not independent")
	}
	s.AddSet(clone)
	if !s.Equal(clone) || s.IsEmpty() || !new(GTIDSet).IsEmpty() || !s.ContainsSet(new(GTIDSet)) {
		t.Errorf("after AddSet %s, want %s", s, clone)
	}
}

// A set against the obvious model, numbers in a map.
func TestGTIDSetRandom(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	var s GTIDSet
	model := map[int64]bool{}
	for range 2000 {
		n := 1 + r.Int64N(300)
		s.Add(GTID{Sequence: n})
		model[n] = true
		probe := 1 + r.Int64N(300)
		if s.Contains(GTID{Sequence: probe}) != model[probe] {
			t.Fatalf("seed %d: %s contains %d: want %t", seed, &s, probe, model[probe])
		}
		again, err := ParseGTIDSet(s.String())
		if err != nil || !again.Equal(&s) || again.String() != s.String() {
			t.Fatalf("seed %d: %s reads as %v, %v", seed, &s, again, err)
		}
	}
}

func TestGTIDSetEncode(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "0000000000000000"},
		{"one", sidA + ":1-3:5",
			"0100000000000000" + "726757ad445511e8ae040242ac110002" + "0200000000000000" +
				"0100000000000000" + "0400000000000000" + "0500000000000000" + "0600000000000000"},
		{"sorted by server", sidB + ":1," + sidA + ":2",
			"0200000000000000" + "726757ad445511e8ae040242ac110002" + "0100000000000000" + "0200000000000000" + "0300000000000000" +
				"726757ad445511e8ae040242ac110003" + "0100000000000000" + "0100000000000000" + "0200000000000000"},
		{"tagged", sidA + ":1:ab:2",
			"0102000000000001" + "726757ad445511e8ae040242ac110002" + "00" + "0100000000000000" + "0100000000000000" + "0200000000000000" +
				"726757ad445511e8ae040242ac110002" + "046162" + "0100000000000000" + "0200000000000000" + "0300000000000000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := ParseGTIDSet(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(s.Encode()); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestPreviousGTIDsRefused(t *testing.T) {
	s, err := ParseGTIDSet(sidA + ":1-3:5:ab:2")
	if err != nil {
		t.Fatal(err)
	}
	good := s.Encode()
	for n := range good {
		if _, err := ParsePreviousGTIDs(good[:n]); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(good))
		}
	}
	if _, err := ParsePreviousGTIDs(append(bytes.Clone(good), 0)); err == nil {
		t.Error("a byte too many was accepted")
	}
	huge := bytes.Clone(good)
	huge[30] = 0xff // a great number of intervals
	if _, err := ParsePreviousGTIDs(huge); err == nil {
		t.Error("more intervals than bytes were accepted")
	}
}

func TestMariaGTIDSet(t *testing.T) {
	s, err := ParseMariaGTIDSet(" 0-1-5,\n7-2-9,0-3-6 ")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.String(), "0-3-6,7-2-9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !s.Contains(MariaGTID{Domain: 7, ServerID: 8, Sequence: 9}) || s.Contains(MariaGTID{Domain: 7, Sequence: 10}) || s.Contains(MariaGTID{Domain: 1}) {
		t.Error("contains is wrong")
	}
	clone := s.Clone()
	clone.Add(MariaGTID{Domain: 1, ServerID: 1, Sequence: 1})
	if clone.Equal(s) || !clone.ContainsSet(s) || s.ContainsSet(clone) || s.IsEmpty() {
		t.Error("a clone is not independent")
	}
	for _, bad := range []string{"1-2", "1-2-3-4", "a-1-1", "4294967296-1-1", "1--1", "1-1-1 1-1-1"} {
		if s, err := ParseMariaGTIDSet(bad); err == nil {
			t.Errorf("%q gave %s", bad, s)
		}
	}
}

// The bytes are those of a MySQL 9.7 server.
func TestTaggedSetAsMySQLWritesIt(t *testing.T) {
	body := unhex(t, "01020000000000016fc6f344e6f011f19b0202fc00000001000100000000000000010000000000000044000000000000006fc6f344e6f011f19b0202fc000000010a7461675f31010000000000000001000000000000000300000000000000")
	s, err := ParsePreviousGTIDs(body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.String(), "6fc6f344-e6f0-11f1-9b02-02fc00000001:1-67:tag_1:1-2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.Encode(); !bytes.Equal(got, body) {
		t.Errorf("encoded %x", got)
	}
}

func TestGTIDText(t *testing.T) {
	uuid, err := ParseUUID(sidA)
	if err != nil {
		t.Fatal(err)
	}
	for want, g := range map[string]interface {
		String() string
		AppendText([]byte) ([]byte, error)
	}{
		sidA:            uuid,
		sidA + ":5":     GTID{UUID: uuid, Sequence: 5},
		sidA + ":tag:5": GTID{UUID: uuid, Tag: "tag", Sequence: 5},
		"1-2-3":         MariaGTID{Domain: 1, ServerID: 2, Sequence: 3},
	} {
		if text, err := g.AppendText(nil); g.String() != want || string(text) != want || err != nil {
			t.Errorf("got %s and %s, want %s", g, text, want)
		}
	}
}
