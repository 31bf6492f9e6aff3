package charset

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
)

// inputs calls f with the inputs that testdata/java.sums was made from: all pairs
// of bytes, alone, before and after other characters, and random strings with
// many bytes of more than one role.
func inputs(f func(in []byte)) {
	for i := range 1 << 16 {
		hi, lo := byte(i>>8), byte(i)
		f([]byte{hi, lo})
		f([]byte{hi, lo, 'A'})
		f([]byte{'A', hi, lo, 0xB0, 0xA1, '0'})
	}
	s := uint64(88172645463325252) // xorshift
	random := func(n uint64) uint64 {
		s ^= s << 13
		s ^= s >> 7
		s ^= s << 17
		return s % n
	}
	for range 20000 {
		in := make([]byte, random(12))
		for i := range in {
			switch random(4) {
			case 0:
				in[i] = byte(random(128))
			case 1:
				in[i] = byte('0' + random(10))
			case 2:
				in[i] = byte(0x80 + random(128))
			default:
				in[i] = byte(random(256))
			}
		}
		f(in)
	}
}

// TestLikeJava compares the decodings of a quarter of a million strings, each
// ended by a newline, with those of OpenJDK 17 (GB18030 in its edition of 2000),
// of which java.sums holds the SHA-256 by charset.
func TestLikeJava(t *testing.T) {
	f, err := os.Open("testdata/java.sums")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, want, _ := strings.Cut(lines.Text(), " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := ByJavaName(name)
			if err != nil {
				t.Fatal(err)
			}
			if d.Name() != name {
				t.Errorf("Name() = %q", d.Name())
			}
			h := sha256.New()
			var out []byte
			inputs(func(in []byte) {
				out = append(d.Append(out[:0], in), '\n')
				h.Write(out)
			})
			if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
				t.Errorf("decodings have sum %s, want %s", got, want)
			}
		})
	}
}
