package entry

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestBeginGolden compares with the bytes Canal's own classes make of the same
// event.
func TestBeginGolden(t *testing.T) {
	c := Context{File: "mysql-bin.000001", Offset: 219, ServerID: 1, Timestamp: 1700000000, Size: 72}
	got := new(Encoder).Begin(nil, &c, 8, false, "")
	want := "0a2f080112106d7973716c2d62696e2e303030303031"
	want = strings.Replace(want, "12106d", "12106d", 1) + "18db0120012a055554462d383080d095ffbc31380242004a005048" + "10011a022008"
	if s := hex.EncodeToString(unframe(t, got)); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestEndOfXID(t *testing.T) {
	c := Context{File: "f", Timestamp: 1}
	got := hex.EncodeToString(new(Encoder).End(nil, &c, 31, false, ""))
	if !strings.HasSuffix(got, "1003"+"1a04"+"12023331") {
		t.Errorf("got %s, want it to end with the transaction id 31", got)
	}
}

func TestWidthsOfLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16383, 16384, 1 << 21} {
		for width := 1; width <= 4; width++ {
			b, at := openLength([]byte("x"), width)
			b = append(b, strings.Repeat("a", n)...)
			b, used := closeLength(b, at, width)
			if used != sizeVarint(uint64(n)) {
				t.Errorf("%d bytes: width %d, want %d", n, used, sizeVarint(uint64(n)))
			}
			if len(b) != 1+used+n || strings.Count(string(b[1+used:]), "a") != n {
				t.Errorf("%d bytes guessed as %d: content damaged", n, width)
			}
		}
	}
}

func TestStatementFields(t *testing.T) {
	c := Context{File: "f", Timestamp: 1}
	var e Encoder
	s := Statement{Type: Create, Schema: "d", Table: "t", SQL: "create table t (a int)", CurrentSchema: "d"}
	ddl := hex.EncodeToString(e.Statement(nil, &c, &s))
	if want := hex.EncodeToString([]byte("\x10\x04\x50\x01\x5a\x16create table t (a int)\x72\x01d")); !strings.HasSuffix(ddl, want) {
		t.Errorf("DDL: got %s, want the end %s", ddl, want)
	}
	s = Statement{Type: Insert, NoSchema: true, Table: "t", SQL: "q"}
	dml := hex.EncodeToString(e.Statement(nil, &c, &s))
	if want := "1002" + "1a07" + "1001" + "5000" + "5a0171"; !strings.HasSuffix(dml, want) {
		t.Errorf("statement DML: got %s, want the end %s", dml, want)
	}
	if strings.Contains(dml, "4200") {
		t.Errorf("a schema that is not known is written: %s", dml)
	}
}
