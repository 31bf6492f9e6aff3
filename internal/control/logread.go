package control

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	// defaultLines and maxLines are the records on a page.
	defaultLines = 200
	maxLines     = 2000

	// firstWindow and maxWindow are how much of a file is looked at for a page, in
	// bytes: first a little, and no more than maxWindow. What a search finds
	// behind that is on the next page.
	firstWindow = 256 << 10
	maxWindow   = 8 << 20

	// maxRecord bounds the text of one record, maxPage that of all on a page, in
	// bytes. The rest of a longer record is left out. In JSON a byte may take six.
	maxRecord = 64 << 10
	maxPage   = 2 << 20

	// maxSearch bounds the text that is searched for, in bytes.
	maxSearch = 1000

	// maxUnpacked bounds what is read out of a compressed file for one page, in
	// bytes. Logs are rotated at 512 MiB.
	maxUnpacked = 1 << 30
)

// Read returns a page of a log file; LogReadParams and LogPage say how. Records
// are kept together: a line that does not begin with a date belongs to the one
// before it. The last line of a file is left out until it has its end, since it
// may still be written. Offsets in a compressed file are those of its text. The
// error is an *Error.
//
// After a rotation an offset lies behind the end of the new file; a page forward
// then begins at its start.
func (l *Logs) Read(ctx context.Context, p LogReadParams) (*LogPage, error) {
	want, err := newSelection(p)
	if err != nil {
		return nil, err
	}
	f, name, err := l.openFile(orServer(p.Destination), p.File)
	if err != nil {
		return nil, logError(err)
	}
	defer f.Close()
	var t text
	if strings.HasSuffix(name, ".gz") {
		if err := l.gzTurn(ctx); err != nil {
			return nil, logError(err)
		}
		defer l.gzDone()
		t, err = newPacked(ctx, f)
	} else {
		t, err = newPlain(f)
	}
	if err != nil {
		return nil, logError(fmt.Errorf("read log file: %w", bare(err)))
	}
	page, err := want.page(t, p)
	if err != nil {
		return nil, logError(fmt.Errorf("read log file: %w", bare(err)))
	}
	page.File = name
	return page, nil
}

// text is what a page is read from.
type text struct {
	io.ReaderAt
	size   int64 // of all of it
	end    int64 // behind the last whole line
	window int64 // to begin with
}

// newPlain reads a file that may be growing.
func newPlain(f *os.File) (text, error) {
	info, err := f.Stat()
	if err != nil {
		return text{}, err
	}
	t := text{ReaderAt: f, size: info.Size(), window: firstWindow}
	t.end, err = wholeEnd(f, t.size)
	return t, err
}

// wholeEnd is where the last whole line before end ends. A line longer than a
// record may be counts as whole.
func wholeEnd(r io.ReaderAt, end int64) (int64, error) {
	start := max(0, end-maxRecord)
	buf, err := readAt(r, start, end)
	if err != nil {
		return 0, err
	}
	if i := bytes.LastIndexByte(buf, '\n'); i >= 0 {
		return start + int64(i) + 1, nil
	}
	if start == 0 {
		return 0, nil
	}
	return end, nil
}

// readAt reads [start, end). A file that has been cut meanwhile yields less.
func readAt(r io.ReaderAt, start, end int64) ([]byte, error) {
	buf := make([]byte, end-start)
	n, err := r.ReadAt(buf, start)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return buf[:n], err
}

// gzTurn waits until no other compressed file is read: that is much work, and one
// at a time is enough. gzDone ends the turn.
func (l *Logs) gzTurn(ctx context.Context) error {
	select {
	case l.gz <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another compressed log: %w", context.Cause(ctx))
	}
}

func (l *Logs) gzDone() { <-l.gz }

// packed reads at an offset of what is in a compressed file by unpacking all that
// is before.
type packed struct {
	ctx context.Context
	f   *os.File
}

func newPacked(ctx context.Context, f *os.File) (text, error) {
	p := &packed{ctx: ctx, f: f}
	size, err := p.unpack(io.Discard)
	return text{ReaderAt: p, size: size, end: size, window: maxWindow}, err
}

// errTooLong is for a compressed file with more in it than maxUnpacked.
var errTooLong = errors.New("the compressed file holds too much")

// unpack writes the text to w, until w refuses more.
func (p *packed) unpack(w io.Writer) (int64, error) {
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	z, err := gzip.NewReader(untilDone{p.ctx, p.f})
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(w, io.LimitReader(z, maxUnpacked))
	if n == maxUnpacked {
		err = errTooLong
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (p *packed) ReadAt(b []byte, offset int64) (int, error) {
	part := &slice{skip: offset, into: b}
	if _, err := p.unpack(part); err != nil && !errors.Is(err, errFull) {
		return part.n, err
	}
	if part.n < len(b) {
		return part.n, io.EOF
	}
	return part.n, nil
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(b)
}

// errFull ends the copying into a slice.
var errFull = errors.New("slice is full")

// slice is a writer that keeps a part of what is written.
type slice struct {
	skip int64
	into []byte
	n    int
}

func (s *slice) Write(b []byte) (int, error) {
	length := len(b)
	skipped := min(s.skip, int64(len(b)))
	s.skip -= skipped
	s.n += copy(s.into[s.n:], b[skipped:])
	if s.n == len(s.into) {
		return length, errFull
	}
	return length, nil
}

// gzTail reads the end of what is in a compressed file.
func (l *Logs) gzTail(ctx context.Context, f *os.File) ([]byte, error) {
	if err := l.gzTurn(ctx); err != nil {
		return nil, err
	}
	defer l.gzDone()
	p := &packed{ctx: ctx, f: f}
	end := &ring{}
	if _, err := p.unpack(end); err != nil {
		return nil, err
	}
	end.trim()
	if end.cut {
		return wholeLines(end.last), nil
	}
	return end.last, nil
}

// ring is a writer that keeps the last maxTail bytes.
type ring struct {
	last []byte
	cut  bool // there were more
}

func (r *ring) Write(b []byte) (int, error) {
	r.last = append(r.last, b...)
	if len(r.last) > 2*maxTail {
		r.trim()
	}
	return len(b), nil
}

func (r *ring) trim() {
	if over := len(r.last) - maxTail; over > 0 {
		r.last, r.cut = slices.Delete(r.last, 0, over), true
	}
}

// selection says which records are wanted.
type selection struct {
	lines  int
	search []byte // in lower case
	level  int    // least index in levels, -1 for any record
}

func newSelection(p LogReadParams) (selection, error) {
	bad := func(text string) (selection, error) {
		return selection{}, &Error{Code: CodeBadParams, Message: text}
	}
	s := selection{lines: p.Lines, search: bytes.ToLower([]byte(p.Search)), level: -1}
	switch {
	case p.Lines < 0 || p.Lines > maxLines:
		return bad(fmt.Sprintf("lines is not between 0 and %d", maxLines))
	case len(p.Search) > maxSearch:
		return bad(fmt.Sprintf("search is longer than %d bytes", maxSearch))
	case p.Offset < -1:
		return bad("offset is below -1")
	case p.Lines == 0:
		s.lines = defaultLines
	}
	if p.Level != "" {
		if s.level = slices.Index(levels, strings.ToUpper(p.Level)); s.level < 0 {
			return bad(fmt.Sprintf("level %q is none of %s", p.Level, strings.Join(levels, ", ")))
		}
	}
	return s, nil
}

// record is one record in a window.
type record struct {
	start, end int64
	text       []byte
}

func (s *selection) wants(r *record) bool {
	if s.level >= 0 && slices.Index(levels, levelOf(r.text)) < s.level {
		return false
	}
	return len(s.search) == 0 || bytes.Contains(bytes.ToLower(r.text), s.search)
}

// page reads a page. The window grows until it holds enough.
func (s *selection) page(t text, p LogReadParams) (*LogPage, error) {
	offset := p.Offset
	switch {
	case offset < 0 || p.Backwards && offset > t.end:
		offset = t.end
	case offset > t.size:
		offset = 0
	case offset > t.end:
		offset = t.end
	}
	if offset > 0 && offset < t.end {
		var err error
		if offset, err = wholeEnd(t, offset); err != nil {
			return nil, err
		}
	}
	read := s.forward
	if p.Backwards {
		read = s.backward
	}
	for window := t.window; ; window *= 4 {
		page, enough, err := read(t, offset, min(window, maxWindow))
		if err != nil || enough || window >= maxWindow {
			return page, err
		}
	}
}

// forward is the page behind offset. It is not enough when a larger window may
// show more.
func (s *selection) forward(t text, offset, window int64) (*LogPage, bool, error) {
	end := min(t.end, offset+window)
	buf, err := readAt(t, offset, end)
	if err != nil {
		return nil, false, err
	}
	page := &LogPage{First: offset, Next: offset, Size: t.size, Lines: []LogLine{}}
	records := split(buf, offset)
	if n := len(records); end < t.end && (n > 1 || window < maxWindow) {
		records = records[:max(0, n-1)] // it may go on behind the window
	}
	bytes := 0
	for i := range records {
		r := &records[i]
		if s.wants(r) {
			if len(page.Lines) == s.lines || bytes > maxPage {
				break
			}
			page.Lines = append(page.Lines, r.line())
			bytes += min(len(r.text), maxRecord)
		}
		page.Next = r.end
	}
	page.More = page.Next < t.end
	return page, end == t.end || len(page.Lines) == s.lines || bytes > maxPage, nil
}

// backward is the page before offset.
func (s *selection) backward(t text, offset, window int64) (*LogPage, bool, error) {
	start := max(0, offset-window)
	buf, err := readAt(t, start, offset)
	if err != nil {
		return nil, false, err
	}
	page := &LogPage{First: offset, Next: offset, Size: t.size, Lines: []LogLine{}}
	records := split(buf, start)
	if start > 0 {
		records = records[firstWhole(records):]
	}
	bytes := 0
	for i := len(records) - 1; i >= 0; i-- {
		r := &records[i]
		if s.wants(r) {
			if len(page.Lines) == s.lines || bytes > maxPage {
				break
			}
			page.Lines = append(page.Lines, r.line())
			bytes += min(len(r.text), maxRecord)
		}
		page.First = r.start
	}
	slices.Reverse(page.Lines)
	page.More = page.First > 0
	return page, start == 0 || len(page.Lines) == s.lines || bytes > maxPage, nil
}

// firstWhole is the index of the first record that begins in the window. Without a
// date it is the second line, since the first may have begun before; when there
// is only one, that is taken, so that reading gets on.
func firstWhole(records []record) int {
	if i := slices.IndexFunc(records, func(r record) bool { return isStart(r.text) }); i >= 0 {
		return i
	}
	return min(1, max(0, len(records)-1))
}

// split takes a window apart, which begins at base. Before the first line with a
// date each line is a record, unless it looks like the rest of one.
func split(buf []byte, base int64) []record {
	var records []record
	dated := false
	for at := 0; at < len(buf); {
		end := len(buf)
		if i := bytes.IndexByte(buf[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := buf[at:end]
		starts := isStart(line)
		if n := len(records); n > 0 && !starts && (dated || isRest(line)) {
			last := &records[n-1]
			last.end = base + int64(end)
			last.text = buf[last.start-base : end]
		} else {
			records = append(records, record{base + int64(at), base + int64(end), line})
		}
		dated = dated || starts
		at = end
	}
	return records
}

// isRest says whether a line looks like one of a stack trace.
func isRest(line []byte) bool {
	return line[0] == ' ' || line[0] == '\t' || bytes.HasPrefix(line, []byte("Caused by:"))
}

// line is the record as it is shown.
func (r *record) line() LogLine {
	text, note := r.text, ""
	if len(text) > maxRecord {
		text, note = text[:maxRecord], " …"
	}
	shown := strings.ToValidUTF8(strings.TrimRight(lineEnds.Replace(string(text)), "\n"), "\uFFFD")
	return LogLine{Offset: r.start, Level: levelOf(r.text), Text: shown + note}
}
