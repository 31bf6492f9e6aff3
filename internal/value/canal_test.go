package value

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/towpath-cdc/towpath/internal/charset"
)

// testLines calls f with each line of a file in testdata.
func testLines(t *testing.T, name string, f func(line string)) {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	for s.Scan() {
		f(s.Text())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// cell is one value as it stands in a row image, and what Canal prints for it.
type cell struct {
	typ, meta int
	data      []byte
	partial   bool // a JSON diff
	want      string
}

// parseCell reads "type meta hex [partial]", a tab and the text.
func parseCell(t *testing.T, line string) cell {
	t.Helper()
	head, want, ok := strings.Cut(line, "\t")
	fields := strings.Fields(head)
	if !ok || len(fields) < 3 {
		t.Fatalf("malformed line %q", line)
	}
	c := cell{partial: len(fields) == 4, want: want}
	var errs [3]error
	c.typ, errs[0] = strconv.Atoi(fields[0])
	c.meta, errs[1] = strconv.Atoi(fields[1])
	c.data, errs[2] = hex.DecodeString(fields[2])
	for _, err := range errs {
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
	}
	return c
}

// append prints the cell by the function that belongs to its column type.
func (c cell) append(dst []byte, z *Zone) ([]byte, error) {
	le := append(append([]byte(nil), c.data...), make([]byte, 8)...)
	switch c.typ {
	case 7:
		return z.AppendTimestampOld(dst, binary.LittleEndian.Uint32(le)), nil
	case 10:
		return AppendDate(dst, binary.LittleEndian.Uint32(le)), nil
	case 11:
		return AppendTimeOld(dst, int32(binary.LittleEndian.Uint32(le)<<8)>>8), nil
	case 12:
		return AppendDatetimeOld(dst, binary.LittleEndian.Uint64(le)), nil
	case 13:
		return AppendYear(dst, c.data[0]), nil
	case 16:
		return AppendBit(dst, c.data), nil
	case 17:
		return z.AppendTimestamp2(dst, c.data, c.meta)
	case 18:
		return AppendDatetime2(dst, c.data, c.meta)
	case 19:
		return AppendTime2(dst, c.data, c.meta)
	case 245:
		if c.partial {
			return AppendJSONDiff(dst, c.data[4:], "col", charset.UTF8)
		}
		return AppendJSON(dst, c.data[4:], charset.UTF8)
	case 246:
		return AppendDecimal(dst, c.data, c.meta>>8, c.meta&0xFF)
	case 254:
		return AppendSet(dst, c.data), nil
	}
	return dst, fmt.Errorf("no column type %d here", c.typ)
}

// TestLikeCanal prints the cells of canal.txt, whose texts come from Canal's own
// RowsLogBuffer. The JSON documents that are not made up are from the binlog of
// MySQL 8.0.
func TestLikeCanal(t *testing.T) {
	utc := NewZone(time.UTC)
	testLines(t, "canal.txt", func(line string) {
		c := parseCell(t, line)
		got, err := c.append([]byte("x"), utc)
		if err != nil {
			t.Errorf("type %d meta %d % x: %v", c.typ, c.meta, c.data, err)
			return
		}
		// The texts hold no line breaks: JSON escapes them.
		if string(got) != "x"+c.want {
			t.Errorf("type %d meta %d % x: got %q, want %q", c.typ, c.meta, c.data, got[1:], c.want)
		}
	})
}

// TestTruncated cuts off the end of every cell of canal.txt and expects an
// error or, where an object only loses bytes it does not use, the text; and dst
// as it was given with an error.
func TestTruncated(t *testing.T) {
	utc := NewZone(time.UTC)
	testLines(t, "canal.txt", func(line string) {
		c := parseCell(t, line)
		switch c.typ {
		case 17, 18, 19, 246, 245:
		default:
			return // of fixed size, which the caller's types ensure
		}
		head := 0
		if c.typ == 245 {
			head = 5 // length and type or operation
		}
		whole := c.data
		for n := head; n < len(whole); n++ {
			c.data = whole[:n:n]
			got, err := c.append([]byte("kept"), utc)
			if err == nil {
				if c.typ != 245 || !c.partial && n > head {
					t.Errorf("type %d meta %d % x: got %q, want an error", c.typ, c.meta, c.data, got)
				}
				continue
			}
			if string(got) != "kept" {
				t.Errorf("type %d meta %d % x: got %q with error", c.typ, c.meta, c.data, got)
			}
		}
	})
}

// TestZonesLikeJava prints the seconds of zones.txt in several time zones; the
// texts come from Canal under each of them.
func TestZonesLikeJava(t *testing.T) {
	zones := make(map[string]*Zone)
	testLines(t, "zones.txt", func(line string) {
		name, rest, _ := strings.Cut(line, " ")
		z := zones[name]
		if z == nil {
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			z = NewZone(loc)
			zones[name] = z
		}
		c := parseCell(t, rest)
		got, err := c.append(nil, z)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if string(got) != c.want {
			t.Errorf("%s: got %q", line, got)
		}
	})
}

// TestFloatsLikeJava prints the numbers of floats.txt, which OpenJDK 17 made.
func TestFloatsLikeJava(t *testing.T) {
	testLines(t, "floats.txt", func(line string) {
		fields := strings.Fields(line)
		n, err := strconv.ParseUint(fields[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		if fields[0] == "d" {
			got = AppendFloat64([]byte("x"), math.Float64frombits(n))
		} else {
			got = AppendFloat32([]byte("x"), math.Float32frombits(uint32(n)))
		}
		if string(got) != "x"+fields[2] {
			t.Errorf("%s: got %s", line, got[1:])
		}
	})
}
