package meta

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// disk is what File does to the file system, so that tests can make it fail.
type disk interface {
	// write makes or replaces the file and returns its time of modification;
	// with sync the bytes are on the disk when it returns.
	write(path string, content []byte, sync bool) (modified time.Time, err error)
	rename(from, to string) error
}

// osDisk is the file system.
type osDisk struct{}

func (osDisk) write(path string, content []byte, sync bool) (modified time.Time, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return modified, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if _, err := f.Write(content); err != nil {
		return modified, err
	}
	if sync {
		if err := f.Sync(); err != nil {
			return modified, err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return modified, err
	}
	return info.ModTime(), nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

// readFile reads a file of at most maxFileBytes and its time of modification.
func readFile(path string) (content []byte, modified time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, modified, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, modified, err
	}
	content, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, modified, err
	}
	if len(content) > maxFileBytes {
		return nil, modified, fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	return content, info.ModTime(), nil
}

// checksum is the content of the file beside meta.dat: one line of text.
type checksum struct {
	crc      uint32 // CRC-32C of the content
	size     int    // bytes of the content
	modified int64  // when this program wrote it, nanoseconds since the epoch
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newChecksum(content []byte, modified time.Time) checksum {
	return checksum{crc: crc32.Checksum(content, castagnoli), size: len(content), modified: modified.UnixNano()}
}

func (c checksum) matches(content []byte) bool {
	return c.size == len(content) && c.crc == crc32.Checksum(content, castagnoli)
}

const checksumFormat = "crc32c=%08x size=%d mtime=%d\n"

func (c checksum) append(dst []byte) []byte {
	return fmt.Appendf(dst, checksumFormat, c.crc, c.size, c.modified)
}

// parseChecksum reads a checksum file; ok is false when it is not one.
func parseChecksum(b []byte) (c checksum, ok bool) {
	if _, err := fmt.Sscanf(string(b), checksumFormat, &c.crc, &c.size, &c.modified); err != nil {
		return checksum{}, false
	}
	return c, bytes.Equal(c.append(nil), b)
}
