package logging

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// rotate moves the file into the folder of its day and leaves compression and
// the removal of old days to a goroutine that Logs.Close waits for. When the
// file cannot be moved it stays and goes on growing: lines matter more than
// sizes. Called with f.mu held.
func (f *file) rotate() error {
	target, err := f.rotated()
	if err != nil {
		return f.grow(err)
	}
	if err := os.Rename(f.path(), target); err != nil {
		return f.grow(err)
	}
	f.f.Close()
	f.f, f.size = nil, 0
	today := f.logs.o.Now()
	f.logs.compress.Go(func() {
		f.logs.compressMu.Lock()
		defer f.logs.compressMu.Unlock()
		f.tidy(today)
	})
	return nil
}

// grow tells once that rotation fails and lets the file grow by its size again
// before the next attempt.
func (f *file) grow(err error) error {
	fmt.Fprintf(f.logs.o.Complaints, "rotating %s fails, it goes on growing: %v\n", f.path(), err)
	f.maxBytes += max(f.size, 1)
	f.day = f.logs.o.Now().Format(dayLayout)
	return nil
}

// rotated is a free name for the file in the folder of its day.
func (f *file) rotated() (string, error) {
	dir := filepath.Join(f.archive, f.day)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for i := 0; ; i++ {
		name := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.log", f.base, f.day, i))
		if !exists(name) && !exists(name+".gz") {
			return name, nil
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// tidy compresses the rotated files of this log, also those a crash left
// behind, and removes days past the limit. A file that cannot be compressed
// stays as it is.
func (f *file) tidy(today time.Time) {
	oldest := today.AddDate(0, 0, -f.logs.o.KeepDays).Format(dayLayout)
	days, _ := os.ReadDir(f.archive)
	for _, day := range days {
		if _, err := time.Parse(dayLayout, day.Name()); err != nil || !day.IsDir() {
			continue
		}
		dir := filepath.Join(f.archive, day.Name())
		files, _ := os.ReadDir(dir)
		for _, file := range files {
			if !strings.HasPrefix(file.Name(), f.base+"-"+day.Name()+"-") {
				continue
			}
			name := filepath.Join(dir, file.Name())
			switch {
			case day.Name() < oldest, strings.HasSuffix(name, ".tmp"):
				os.Remove(name)
			case strings.HasSuffix(name, ".log"):
				if err := compressFile(name); err != nil {
					fmt.Fprintf(f.logs.o.Complaints, "compressing %s fails, it stays as it is: %v\n", name, err)
				}
			}
		}
		if day.Name() < oldest {
			os.Remove(dir) // only when empty
		}
	}
}

// compressFile replaces name by name.gz; at each moment one of them is whole.
func compressFile(name string) (err error) {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp := name + ".gz.tmp"
	out, err := os.Create(tmp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp)
		}
	}()
	w := gzip.NewWriter(out)
	_, err = io.Copy(w, in)
	err = errors.Join(err, w.Close(), out.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(tmp, name+".gz"); err != nil {
		return err
	}
	return os.Remove(name)
}
