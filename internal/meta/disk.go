package meta

import (
	"fmt"
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
	// append opens a file to write at its end.
	append(path string) (io.WriteCloser, error)
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

func (osDisk) append(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
}

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
