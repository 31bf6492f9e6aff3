package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// serverLogs is the folder of what belongs to no destination.
	serverLogs = "canal"

	// maxTail bounds what Tail reads of the end of a file, in bytes, as in Canal.
	maxTail = 4 << 20

	// maxFiles bounds the files of one folder that are listed.
	maxFiles = 10000
)

// The failures of Logs that have a text in Canal.
const (
	errPath  = canalError("Invalid destination path")
	errNoDir = canalError("Parameter 'directory' is not a directory")
)

// Logs reads the log files below one folder, which holds one folder per
// destination and "canal" for the server's own. Nothing outside is read, not even
// by a symbolic link.
type Logs struct {
	dir string
	gz  chan struct{} // holds one value while a compressed file is read
}

// NewLogs returns the logs in dir, which need not exist yet.
func NewLogs(dir string) *Logs { return &Logs{dir: dir, gz: make(chan struct{}, 1)} }

// open opens the folder of a destination. The error wraps fs.ErrNotExist when
// there is none.
func (l *Logs) open(destination string) (*os.Root, error) {
	if destination == "" || destination == "." || destination == ".." || strings.ContainsAny(destination, "/\\\x00") {
		return nil, errPath
	}
	all, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, fmt.Errorf("open log folder: %w", bare(err))
	}
	defer all.Close()
	dir, err := all.OpenRoot(destination)
	if err != nil {
		return nil, fmt.Errorf("open log folder: %w", bare(err))
	}
	return dir, nil
}

// bare takes the path off an error: the client knows what it asked for, and not
// where that is.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// openFile opens a file of a destination's folder, by a path relative to that; ""
// is its main file. Folders and devices are not opened.
func (l *Logs) openFile(destination, name string) (*os.File, string, error) {
	if name == "" {
		name = destination + ".log"
	}
	name = path.Clean(name)
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, "", errPath
	}
	dir, err := l.open(destination)
	if err != nil {
		return nil, "", err
	}
	defer dir.Close()
	info, err := dir.Stat(name)
	if err != nil {
		return nil, "", fmt.Errorf("open log file: %w", bare(err))
	}
	if !info.Mode().IsRegular() {
		return nil, "", errors.New("open log file: not a regular file")
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, "", fmt.Errorf("open log file: %w", bare(err))
	}
	return f, name, nil
}

// Names are the files in the folder of a destination and the folders below, by
// their last element, as Canal lists them.
func (l *Logs) Names(destination string) ([]string, error) {
	files, err := l.list(destination)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoDir
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = path.Base(f.Name)
	}
	return names, err
}

// Files are the files in a folder and the folders below, latest first. The error
// is an *Error.
func (l *Logs) Files(p LogFilesParams) ([]LogFile, error) {
	files, err := l.list(orServer(p.Destination))
	if err != nil {
		return nil, logError(err)
	}
	slices.SortStableFunc(files, func(a, b LogFile) int { return cmp.Compare(b.ModifiedMs, a.ModifiedMs) })
	return files, nil
}

func orServer(destination string) string {
	if destination == "" {
		return serverLogs
	}
	return destination
}

// logError is the *Error for a failure.
func logError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Code: CodeNotFound, Message: "there is no such log"}
	case errors.Is(err, errPath):
		return &Error{Code: CodeBadParams, Message: "not the name of a log"}
	default:
		return &Error{Code: CodeFailed, Message: err.Error()}
	}
}

// list are the regular files below a destination's folder, by name.
func (l *Logs) list(destination string) ([]LogFile, error) {
	dir, err := l.open(destination)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	files := []LogFile{}
	err = fs.WalkDir(dir.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		if files = append(files, LogFile{Name: name, Size: info.Size(), ModifiedMs: info.ModTime().UnixMilli()}); len(files) >= maxFiles {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list log folder: %w", bare(err))
	}
	return files, nil
}

// ignoreGone passes over what was removed while the folder was read.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Tail returns the last lines of a file, as Canal counts them: what follows the
// last line end counts as one, so that of a log that ends with one there are
// lines - 1. No more than 4 MiB are read, lines before that are left out. A file
// that does not exist is empty; lines below 0 is all of it.
func (l *Logs) Tail(ctx context.Context, destination, name string, lines int) (string, error) {
	f, name, err := l.openFile(destination, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if lines == 0 {
		return "", nil
	}
	var text []byte
	if strings.HasSuffix(name, ".gz") {
		text, err = l.gzTail(ctx, f)
	} else {
		text, err = tail(f)
	}
	if err != nil {
		return "", fmt.Errorf("read log file: %w", bare(err))
	}
	return lastLines(text, lines), nil
}

// tail reads the end of a file. It begins with a whole line if there is one.
func tail(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	start := max(0, info.Size()-maxTail)
	text, err := io.ReadAll(io.NewSectionReader(f, start, min(info.Size(), maxTail)))
	if err != nil {
		return nil, err
	}
	if start > 0 {
		text = wholeLines(text)
	}
	return text, nil
}

// wholeLines cuts off the first line, which is not whole, unless it is the only
// one.
func wholeLines(text []byte) []byte {
	for i, c := range text {
		if c == '\n' {
			return text[i+1:]
		}
	}
	return text
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// lastLines are the last n lines of text, with \n between them.
func lastLines(text []byte, n int) string {
	s := strings.ToValidUTF8(lineEnds.Replace(string(text)), "\uFFFD")
	for i := len(s); n > 0; n-- {
		if i = strings.LastIndexByte(s[:i], '\n'); i < 0 {
			return s
		}
		if n == 1 {
			return s[i+1:]
		}
	}
	return s
}

// stamp is how a line of a log begins that is no continuation: logback's date.
const stamp = "2006-01-02 15:04:05.000"

// isStart says whether a line begins a record.
func isStart(line []byte) bool {
	if len(line) < len(stamp) {
		return false
	}
	for i := range len(stamp) {
		want := stamp[i]
		if digit := line[i] >= '0' && line[i] <= '9'; digit != (want >= '0' && want <= '9') || !digit && line[i] != want && (want != '.' || line[i] != ',') {
			return false
		}
	}
	return true
}

// levels are in the order of their weight.
var levels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}

// levelOf is the level in the first line of a record, "" for none. It stands
// behind the thread's name in brackets.
func levelOf(line []byte) string {
	if !isStart(line) {
		return ""
	}
	text := string(line[len(stamp):min(len(line), len(stamp)+maxHead)])
	for {
		_, rest, ok := strings.Cut(text, "] ")
		if !ok {
			return ""
		}
		word, _, _ := strings.Cut(rest, " ")
		if slices.Contains(levels, word) {
			return word
		}
		text = rest
	}
}

// maxHead bounds how far into a line its level is looked for, in bytes.
const maxHead = 512
