package logging

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The limits of Canal's logback.xml.
const (
	DefaultMaxBytes     = 512 << 20 // of canal.log and <destination>.log
	DefaultMaxMetaBytes = 32 << 20  // of meta.log
	DefaultKeepDays     = 14
	AdminKeepDays       = 60 // of admin.log
)

// maxFolders bounds the log folders open at a time. Records of further
// destinations go to canal.log.
const maxFolders = 4096

// Options configure Logs. The zero value writes no files and nothing else.
type Options struct {
	Dir          string       // the logs folder; "" means no files
	Level        slog.Leveler // least level logged; nil means info
	Terminal     io.Writer    // receives every line as well; nil means none
	Complaints   io.Writer    // told when a file cannot be written; nil means os.Stderr
	MaxBytes     int64        // 0 means DefaultMaxBytes
	MaxMetaBytes int64        // 0 means DefaultMaxMetaBytes
	KeepDays     int          // 0 means DefaultKeepDays

	// Single is the name of the one log that all records go to, Dir/<Single>.log, as
	// Canal Admin has it; "" for the layout of a server.
	Single string

	// Known says which destinations may have a folder; nil means all whose name
	// can be a folder name. Clients choose names, so a server passes this.
	Known func(destination string) bool

	Now func() time.Time // nil means time.Now

	openFile func(name string) (logFile, error) // tests inject faults here
}

// Logs owns the log files. Its methods and handlers are safe for concurrent
// use. Rotated files are compressed by goroutines that Logs starts and Close
// waits for.
type Logs struct {
	o          Options
	terminalMu sync.Mutex
	compress   sync.WaitGroup
	compressMu sync.Mutex // one compression at a time

	mu     sync.Mutex // guards what follows; never held while writing
	closed bool
	main   map[string]*file // by folder name
	meta   map[string]*file
}

// canalFolder is the folder of records without a destination.
const canalFolder = "canal"

// New prepares logging; files are opened when the first line comes.
func New(o Options) *Logs {
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	if o.Complaints == nil {
		o.Complaints = os.Stderr
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxMetaBytes == 0 {
		o.MaxMetaBytes = DefaultMaxMetaBytes
	}
	if o.KeepDays == 0 {
		o.KeepDays = DefaultKeepDays
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.openFile == nil {
		o.openFile = openAppend
	}
	return &Logs{o: o, main: map[string]*file{}, meta: map[string]*file{}}
}

// Handler is the slog handler that routes records to the files.
func (l *Logs) Handler() slog.Handler { return &handler{logs: l} }

// Logger is slog.New(l.Handler()).
func (l *Logs) Logger() *slog.Logger { return slog.New(l.Handler()) }

// Meta writes one line to the meta.log of a destination: the cursor that was
// flushed. It is not subject to the level.
func (l *Logs) Meta(destination, message string) {
	f := l.file(l.meta, destination, "meta", l.o.MaxMetaBytes)
	if f == nil {
		return
	}
	now := l.o.Now()
	f.write(now, []byte(now.Format(timeLayout)+" - "+message+"\n"))
}

// Release closes the files of a destination that is gone. A later record opens
// them again.
func (l *Logs) Release(destination string) {
	if destination == canalFolder {
		return
	}
	l.mu.Lock()
	files := []*file{l.main[destination], l.meta[destination]}
	delete(l.main, destination)
	delete(l.meta, destination)
	l.mu.Unlock()
	for _, f := range files {
		if f != nil {
			f.close()
		}
	}
}

// Close closes all files and waits for compression to end. Lines that come
// later are dropped, except on the terminal. A second Close is harmless.
func (l *Logs) Close() error {
	l.mu.Lock()
	l.closed = true
	var files []*file
	for _, set := range []map[string]*file{l.main, l.meta} {
		for name, f := range set {
			files = append(files, f)
			delete(set, name)
		}
	}
	l.mu.Unlock()
	var errs []error
	for _, f := range files {
		errs = append(errs, f.close())
	}
	l.compress.Wait()
	return errors.Join(errs...)
}

// write sends a record to its file and to the terminal.
func (l *Logs) write(r *line) {
	if l.o.Single != "" {
		if f := l.file(l.main, l.o.Single, l.o.Single, l.o.MaxBytes); f != nil {
			f.write(r.time, r.format(true))
		}
	} else if f := l.file(l.main, r.destination, r.destination, l.o.MaxBytes); f != nil {
		f.write(r.time, r.format(false))
	} else if f := l.file(l.main, canalFolder, canalFolder, l.o.MaxBytes); f != nil {
		f.write(r.time, r.format(true))
	}
	if l.o.Terminal != nil {
		l.terminalMu.Lock()
		defer l.terminalMu.Unlock()
		l.o.Terminal.Write(r.format(true))
	}
}

// file finds or makes the file base.log of a folder; nil when there is to be
// none. set is l.main or l.meta.
func (l *Logs) file(set map[string]*file, folder, base string, maxBytes int64) *file {
	if l.o.Dir == "" || !l.allowed(folder) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := set[folder]; f != nil || l.closed {
		return f
	}
	if len(set) >= maxFolders && folder != canalFolder {
		return nil
	}
	f := &file{logs: l, dir: filepath.Join(l.o.Dir, folder), base: base, maxBytes: maxBytes}
	f.archive = f.dir
	if l.o.Single != "" {
		f.dir = l.o.Dir
	}
	set[folder] = f
	return f
}

// allowed refuses names that would lead out of the logs folder, and unknown ones.
func (l *Logs) allowed(folder string) bool {
	if folder == canalFolder || l.o.Single != "" {
		return true
	}
	if folder == "" || folder == "." || folder == ".." || len(folder) > 255 || strings.ContainsAny(folder, "/\\\x00") {
		return false
	}
	return l.o.Known == nil || l.o.Known(folder)
}
