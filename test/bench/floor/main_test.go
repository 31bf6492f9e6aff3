package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDiscard(t *testing.T) {
	for _, tt := range []struct {
		name string
		from io.Reader
		size int64
		err  error
		left string // of "12345", not read
	}{
		{"at once", strings.NewReader("12345"), 5, nil, ""},
		{"no more than is asked for", iotest.OneByteReader(strings.NewReader("12345")), 3, nil, "45"},
		{"the end comes with the last bytes", iotest.DataErrReader(strings.NewReader("12345")), 5, nil, ""},
		{"too short", strings.NewReader("12345"), 6, io.EOF, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := discard(tt.from, tt.size); !errors.Is(err, tt.err) {
				t.Errorf("%v, want %v", err, tt.err)
			}
			if left, err := io.ReadAll(tt.from); err != nil || string(left) != tt.left {
				t.Errorf("left %q, %v; want %q", left, err, tt.left)
			}
		})
	}
}

// What is measured counts: reading takes CPU time.
func TestCPU(t *testing.T) {
	before, err := cpu()
	if err != nil {
		t.Fatal(err)
	}
	if err := discard(endless{}, 1<<30); err != nil {
		t.Fatal(err)
	}
	if after, err := cpu(); err != nil || after <= before {
		t.Errorf("%v after %v, %v", after, before, err)
	}
}

// endless fills what it is given.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
