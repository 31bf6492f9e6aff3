package binlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Magic is how a binlog file begins; the first event follows at offset 4.
const Magic = "\xfebin"

// magicEncrypted is how a file of MySQL with binlog_encryption begins.
const magicEncrypted = "\xfdbin"

// MaxEventSize bounds the size of one event that FileReader accepts: MySQL's
// greatest max_allowed_packet and room for headers. Beyond it the length is
// taken for damage.
const MaxEventSize = 1<<30 + 1<<16

// readStep bounds how far the buffer grows ahead of bytes that have come.
const readStep = 1 << 20

// ErrNotBinlog is wrapped when a file does not begin like a binlog, or is encrypted.
var ErrNotBinlog = errors.New("not a readable binlog file")

// FileEvent is one event of a file. Its slices are valid until the next call of Next.
type FileEvent struct {
	Header Header
	Offset int64  // where the event begins in the file
	Raw    []byte // the whole event, with its checksum
	Body   []byte // what the Parse functions take: without header and checksum
}

// FileReader reads the events of a binlog file one by one. Its memory is
// bounded by the greatest event in the file.
type FileReader struct {
	// Verify makes Next check the checksum of each event that has one.
	Verify bool

	r       *bufio.Reader
	format  *FormatDescription
	offset  int64
	buf     []byte
	started bool
}

// NewFileReader reads from r, which stands at the beginning of the file.
func NewFileReader(r io.Reader) *FileReader {
	return &FileReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// Format is the format description read last, nil before the first.
func (f *FileReader) Format() *FormatDescription { return f.format }

// Next returns the next event. The error is io.EOF after the last whole event
// and wraps io.ErrUnexpectedEOF if the file ends inside one, as it may while
// the server writes to it.
func (f *FileReader) Next() (FileEvent, error) {
	if !f.started {
		if err := f.readMagic(); err != nil {
			return FileEvent{}, err
		}
		f.started = true
	}
	ev, err := f.next()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("binlog file at offset %d: %w", f.offset, err)
	}
	return ev, err
}

func (f *FileReader) readMagic() error {
	var magic [len(Magic)]byte
	if _, err := io.ReadFull(f.r, magic[:]); err != nil {
		return fmt.Errorf("binlog file magic: %w: %w", ErrNotBinlog, err)
	}
	switch string(magic[:]) {
	case Magic:
		f.offset = int64(len(Magic))
		return nil
	case magicEncrypted:
		return fmt.Errorf("binlog file is encrypted: %w", ErrNotBinlog)
	default:
		return fmt.Errorf("binlog file begins with %x: %w", magic, ErrNotBinlog)
	}
}

func (f *FileReader) next() (FileEvent, error) {
	f.buf = f.buf[:0]
	if err := f.fill(HeaderSize); err != nil {
		if err == io.ErrUnexpectedEOF && len(f.buf) == 0 {
			err = io.EOF
		}
		return FileEvent{}, err
	}
	h, err := ParseHeader(f.buf)
	if err != nil {
		return FileEvent{}, err
	}
	if h.EventSize < HeaderSize || h.EventSize > MaxEventSize {
		return FileEvent{}, fmt.Errorf("event of type %d claims %d bytes", h.Type, h.EventSize)
	}
	if err := f.fill(int(h.EventSize)); err != nil {
		return FileEvent{}, err
	}
	ev := FileEvent{Header: h, Offset: f.offset, Raw: f.buf}
	checksum, err := f.learn(ev)
	if err != nil {
		return FileEvent{}, err
	}
	if ev.Body, err = f.format.Body(ev.Raw, checksum); err != nil {
		return FileEvent{}, err
	}
	f.offset += int64(h.EventSize)
	return ev, nil
}

// learn takes up a format description, tells whether the event has a checksum
// and verifies it.
func (f *FileReader) learn(ev FileEvent) (checksum bool, err error) {
	if ev.Header.Type == EventFormatDescription {
		fd, err := ParseFormatDescription(ev.Raw)
		if err != nil {
			return false, err
		}
		f.format = &fd
	}
	checksum = f.format != nil && f.format.Checksum
	if checksum && f.Verify {
		return checksum, VerifyChecksum(ev.Raw)
	}
	return checksum, nil
}

// fill reads until the buffer holds n bytes. It grows by what has really come,
// so that a false length costs no more than the file has.
func (f *FileReader) fill(n int) error {
	for len(f.buf) < n {
		have := len(f.buf)
		want := min(n, have+max(have, readStep))
		if cap(f.buf) < want {
			grown := make([]byte, have, want)
			copy(grown, f.buf)
			f.buf = grown
		}
		got, err := io.ReadFull(f.r, f.buf[have:want])
		f.buf = f.buf[:have+got]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}
