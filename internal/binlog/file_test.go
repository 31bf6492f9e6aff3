package binlog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// fixtures are whole binlog files of real servers; the statements that made
// them stand beside them.
var fixtures = []string{"mysql56", "mysql57", "mysql80", "mysql97", "mariadb1011"}

// forms are smaller ones that have each form of event once; beside each is one
// without checksums.
var forms = []string{"forms-mysql56", "forms-mysql57", "forms-mysql80", "forms-mysql97", "forms-mariadb1011"}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".binlog"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readAll returns the events of a file; they own their bytes.
func readAll(t testing.TB, name string) ([]FileEvent, *FormatDescription) {
	t.Helper()
	r := NewFileReader(bytes.NewReader(fixture(t, name)))
	r.Verify = true
	var events []FileEvent
	for {
		ev, err := r.Next()
		if err == io.EOF {
			return events, r.Format()
		}
		if err != nil {
			t.Fatal(err)
		}
		ev.Raw = bytes.Clone(ev.Raw)
		if ev.Body, err = Body(ev.Raw, r.Format().Checksum); err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
}

func TestFileReader(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			events, fd := readAll(t, name)
			if !fd.Checksum || fd.BinlogVersion != 4 {
				t.Errorf("format %+v, want checksums and version 4", fd)
			}
			if len(events) < 50 || events[0].Header.Type != EventFormatDescription || events[len(events)-1].Header.Type != EventRotate {
				t.Errorf("%d events, want many between a format description and a rotate", len(events))
			}
			for _, ev := range events {
				if ev.Offset != ev.Header.Start() {
					t.Errorf("event at %d says it starts at %d", ev.Offset, ev.Header.Start())
				}
			}
		})
	}
}

func TestFileReaderShortReads(t *testing.T) {
	r := NewFileReader(iotest.OneByteReader(bytes.NewReader(fixture(t, "mysql56"))))
	want, _ := readAll(t, "mysql56")
	for i := range want {
		ev, err := r.Next()
		if err != nil || !bytes.Equal(ev.Raw, want[i].Raw) {
			t.Fatalf("event %d: %v", i, err)
		}
	}
}

func TestFileReaderRefuses(t *testing.T) {
	good := fixture(t, "mysql80")
	huge := bytes.Clone(good)
	copy(huge[4+9:], []byte{0xff, 0xff, 0xff, 0xff})
	long := bytes.Clone(good)
	copy(long[4+9:], []byte{0, 0, 0, 0x3f}) // 1 GiB less a bit: allowed, but the file ends
	damaged := bytes.Clone(good)
	damaged[300] ^= 1
	for _, tc := range []struct {
		name string
		data []byte
		want error
	}{
		{"empty", nil, ErrNotBinlog},
		{"text", []byte("hello world"), ErrNotBinlog},
		{"encrypted", []byte(magicEncrypted + "x"), ErrNotBinlog},
		{"cut in a header", good[:4+10], io.ErrUnexpectedEOF},
		{"cut in a body", good[:4+30], io.ErrUnexpectedEOF},
		{"absurd length", huge, nil},
		{"length beyond the file", long, io.ErrUnexpectedEOF},
		{"damaged", damaged, ErrChecksum},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewFileReader(bytes.NewReader(tc.data))
			r.Verify = true
			var err error
			for err == nil {
				_, err = r.Next()
			}
			if err == io.EOF || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}
