package protocol

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReadFrame(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 3*frameStep/16)
	var stream []byte
	for _, p := range [][]byte{{}, []byte("one"), big, []byte("last")} {
		stream = AppendFrame(stream, p)
	}
	for _, r := range []io.Reader{bytes.NewReader(stream), iotest.HalfReader(bytes.NewReader(stream))} {
		var buf []byte
		for _, want := range [][]byte{{}, []byte("one"), big, []byte("last")} {
			var err error
			buf, err = ReadFrame(r, buf, len(big))
			if err != nil || !bytes.Equal(buf, want) {
				t.Fatalf("got %d bytes, %v, want %d", len(buf), err, len(want))
			}
		}
		if _, err := ReadFrame(r, buf, len(big)); err != io.EOF {
			t.Fatalf("at the end: %v", err)
		}
	}
}

func TestReadFrameErrors(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		want      error
	}{
		{"nothing", "", io.EOF},
		{"half a header", "00 00", io.ErrUnexpectedEOF},
		{"no body", "00 00 00 04", io.ErrUnexpectedEOF},
		{"half a body", "00 00 00 04 01 02", io.ErrUnexpectedEOF},
		{"negative", "ff ff ff ff 01", &FrameSizeError{Length: -1, Max: 10}},
		{"too large", "00 00 00 0b 01", &FrameSizeError{Length: 11, Max: 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadFrame(bytes.NewReader(unhex(t, c.hex)), nil, 10)
			var size *FrameSizeError
			if want, ok := c.want.(*FrameSizeError); ok {
				if !errors.As(err, &size) || *size != *want {
					t.Errorf("got %v, want %v", err, want)
				}
			} else if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// A header may promise 2 GiB; only what arrives is paid for.
func TestReadFrameDoesNotTrustHeader(t *testing.T) {
	got := testing.AllocsPerRun(10, func() {
		_, _ = ReadFrame(bytes.NewReader([]byte{0x7f, 0xff, 0xff, 0xff, 1}), nil, 1<<31-1)
	})
	if got > 5 {
		t.Errorf("%v allocations", got)
	}
	buf, err := ReadFrame(bytes.NewReader([]byte{0, 0, 0, 1, 1}), make([]byte, 0, 600), 10)
	if err != nil || cap(buf) != 600 {
		t.Errorf("given memory is not used: cap %d, %v", cap(buf), err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(AppendFrame(nil, []byte("packet")))
	f.Add([]byte{0x80, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		r := bytes.NewReader(b)
		packet, err := ReadFrame(r, nil, limit)
		if err != nil {
			return
		}
		if len(packet) > limit {
			t.Fatalf("packet of %d bytes", len(packet))
		}
		if again := AppendFrame(nil, packet); !bytes.HasPrefix(b, again) {
			t.Fatalf("read %x from %x", packet, b)
		}
	})
}
