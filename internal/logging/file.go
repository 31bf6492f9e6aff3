package logging

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// logFile is what a file needs of the operating system.
type logFile interface {
	io.WriteCloser
	Size() (int64, error)
	Truncate(size int64) error
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func openAppend(name string) (logFile, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// retryAfter is how long a file that could not be opened is left alone.
const retryAfter = time.Second

// file is one log file with its rotation. A line is written or moved as a whole
// under the lock, so rotation loses and splits none.
type file struct {
	logs     *Logs
	dir      string // logs/<folder>
	archive  string // where the folders of the days are: the same, but for a single log
	base     string // file name without .log
	maxBytes int64

	mu      sync.Mutex
	closed  bool
	f       logFile // nil while not open
	size    int64
	day     string    // yyyy-MM-dd the content belongs to
	retry   time.Time // do not try to open before
	dropped int64     // lines lost since the first failure
}

func (f *file) path() string { return filepath.Join(f.dir, f.base+".log") }

// dayLayout names the folders of rotated files.
const dayLayout = "2006-01-02"

// write appends one line. Failures are told once, then lines are counted until
// the file works again.
func (f *file) write(now time.Time, text []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	err := f.prepare(now)
	if err == nil && f.dropped > 0 {
		text = append(fmt.Appendf(nil, "%s [main] WARN  towpath - %d lines could not be written here\n", now.Format(timeLayout), f.dropped), text...)
	}
	if err == nil {
		err = f.append(text)
	}
	if err == nil {
		f.dropped = 0
		return
	}
	if f.dropped == 0 {
		fmt.Fprintf(f.logs.o.Complaints, "logging to %s fails, lines are dropped until it works again: %v\n%s", f.path(), err, text)
	}
	f.dropped++
}

// append writes text or nothing: what a full disk took of it is cut off again.
func (f *file) append(text []byte) error {
	n, err := f.f.Write(text)
	if err == nil {
		f.size += int64(n)
		return nil
	}
	if n > 0 && f.f.Truncate(f.size) != nil {
		f.size += int64(n)
	}
	return err
}

// prepare opens the file and rotates it when the day changed or it is full.
func (f *file) prepare(now time.Time) error {
	if err := f.open(now); err != nil {
		return err
	}
	today := now.Format(dayLayout)
	if f.size == 0 {
		f.day = today
	}
	// A line of yesterday may come late; it does not turn the day back.
	if f.size < f.maxBytes && today <= f.day {
		return nil
	}
	if err := f.rotate(); err != nil {
		return err
	}
	if err := f.open(now); err != nil {
		return err
	}
	f.day = max(f.day, today)
	return nil
}

// open opens the file when it is not open. Content found there belongs to the
// day it was last written.
func (f *file) open(now time.Time) error {
	if f.f != nil {
		return nil
	}
	if now.Before(f.retry) {
		return fmt.Errorf("open %s: not tried again yet", f.path())
	}
	f.retry = now.Add(retryAfter)
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	lastWrite := now
	if info, err := os.Stat(f.path()); err == nil {
		lastWrite = info.ModTime().In(now.Location())
	}
	opened, err := f.logs.o.openFile(f.path())
	if err != nil {
		return err
	}
	if f.size, err = opened.Size(); err != nil {
		opened.Close()
		return err
	}
	f.f, f.day, f.retry = opened, lastWrite.Format(dayLayout), time.Time{}
	return nil
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
