package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDiscard(t *testing.T) {
	for _, tt := range []struct {
		name   string
		from   io.Reader
		size   int64
		reads  int
		failed bool
	}{
		{"at once", strings.NewReader("12345"), 5, 1, false},
		{"byte by byte, and no more than is asked for", iotest.OneByteReader(strings.NewReader("12345")), 3, 3, false},
		{"the end comes with the last bytes", iotest.DataErrReader(strings.NewReader("12345")), 5, 1, false},
		{"too short", strings.NewReader("12345"), 6, 2, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reads, err := discard(tt.from, tt.size)
			if reads != tt.reads || (err != nil) != tt.failed {
				t.Errorf("%d reads, %v; want %d, failed %t", reads, err, tt.reads, tt.failed)
			}
		})
	}
}
