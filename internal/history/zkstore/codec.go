package zkstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ErrFormat is returned for what a later version of this program has written.
var ErrFormat = errors.New("written by a later version of this program")

// kind is what a packed text is.
type kind byte

const (
	kindHead     kind = 'H'
	kindPage     kind = 'P' // sealed, or the tail
	kindState    kind = 'S'
	kindSnapshot kind = 'D'
)

const (
	magic  = "TPH"
	format = 1

	// maxRaw bounds what is unpacked, in bytes: a snapshot, or a page, which is
	// small unless a single statement is not.
	maxRaw = 256 << 20
)

var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(4<<20), zstd.WithEncoderCRC(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return d
	})
)

// pack compresses: magic, kind, format, length of raw, zstd frame.
func pack(k kind, raw []byte) []byte {
	b := append([]byte(magic), byte(k), format)
	b = binary.AppendUvarint(b, uint64(len(raw)))
	return encoder().EncodeAll(raw, b)
}

// unpack is the inverse of pack, for at most limit bytes.
func unpack(k kind, b []byte, limit int) ([]byte, error) {
	const head = len(magic) + 2
	if len(b) < head || string(b[:len(magic)]) != magic {
		return nil, errors.New("not a part of a history")
	}
	if b[head-1] != format {
		return nil, fmt.Errorf("%w: format %d", ErrFormat, b[head-1])
	}
	if got := kind(b[head-2]); got != k {
		return nil, fmt.Errorf("kind %q in place of %q", got, k)
	}
	size, n := binary.Uvarint(b[head:])
	if n <= 0 || size > uint64(limit) {
		return nil, fmt.Errorf("%d bytes, beyond %d", size, limit)
	}
	raw, err := decoder().DecodeAll(b[head+n:], make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if len(raw) != int(size) {
		return nil, fmt.Errorf("%d bytes in place of %d", len(raw), size)
	}
	return raw, nil
}

// The writing side: numbers as varints, texts and records after their length.

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// fields reads what the functions above have written. At the end of the bytes
// everything is zero, which is how a field that an earlier version did not know
// is read; err says that the bytes are none of ours.
type fields struct {
	b   []byte
	err error
}

var errCut = errors.New("ends in the middle of a field")

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
	f.b = nil
}

func (f *fields) uint() uint64 {
	if len(f.b) == 0 {
		return 0
	}
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.fail(errCut)
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) int() int64 {
	if len(f.b) == 0 {
		return 0
	}
	v, n := binary.Varint(f.b)
	if n <= 0 {
		f.fail(errCut)
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) bool() bool { return f.uint() != 0 }

// bytes is valid as long as what is read.
func (f *fields) bytes() []byte {
	n := f.uint()
	if n > uint64(len(f.b)) {
		f.fail(errCut)
		return nil
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

// copied is bytes, nil when there are none, that stay as they are.
func (f *fields) copied() []byte { return append([]byte(nil), f.bytes()...) }

func (f *fields) text() string { return string(f.bytes()) }

// record reads a record and says whether there was one.
func (f *fields) record() (fields, bool) {
	if len(f.b) == 0 {
		return fields{}, false
	}
	b := f.bytes()
	return fields{b: b}, f.err == nil
}
