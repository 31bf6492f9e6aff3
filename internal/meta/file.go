package meta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// The names of the files in the data directory of a destination.
const (
	FileName    = "meta.dat" // Canal's
	SumFileName = "meta.dat.sum"
	tempSuffix  = ".tmp"
)

// DefaultPeriod is how long a change may stay unwritten: canal.file.flush.period.
const DefaultPeriod = time.Second

// maxFileBytes bounds what is read as a meta.dat. A client takes some 400
// bytes, more with a GTID set, and there are at most 65536 of them.
const maxFileBytes = 64 << 20

// CorruptError says that a meta.dat cannot be trusted. The instance must not
// start: beginning somewhere else would lose or repeat changes silently.
type CorruptError struct {
	Path   string
	Reason string
}

// Error names the file, what is wrong with it, and what can be done.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged: %s; either restore it from a backup, or correct it and delete %s, "+
		"or delete both to begin at the position of instance.properties (changes may then be missed or repeated)",
		e.Path, e.Reason, e.Path+".sum")
}

// FileOptions are the settings of a File.
type FileOptions struct {
	Destination string
	Dir         string        // <canal.file.data.dir>/<destination>; made if it is not there
	Period      time.Duration // DefaultPeriod if 0

	// Flushed is told, after each write, which of the clients had moved since
	// the write before: the lines of meta.log. It must not call the manager.
	Flushed func(moved []Record)
	// Failed is told when a write in the background went wrong; it is tried
	// again after Period.
	Failed func(error)
	// Notice is told, while the manager is opened, what a person may want to
	// know about the file.
	Notice func(text string)

	disk disk // the seam for tests; nil means the file system
}

// File keeps subscriptions and cursors in memory and writes them to meta.dat
// when they have changed, at most once every Period: Canal's
// FileMixedMetaManager, whose file it reads and writes.
//
// The file is replaced as a whole (temporary file, fsync, rename), so that a
// crash leaves the old one or the new one. A checksum is kept beside it, and a
// journal of what has been acked since, see journal.go. A list without clients is never written, as in Canal: the old file
// stays.
//
// File runs nothing while nothing changes: a change starts a timer, the timer
// writes, and Close waits for it.
type File struct {
	*Memory
	o    FileOptions
	path string

	timers sync.WaitGroup // flushes that are due or under way

	writing sync.Mutex // held during a write; taken before mu
	written []byte     // content of the file, nil when not known; guarded by writing

	mu     sync.Mutex // taken before Memory's
	closed bool
	dirty  bool           // something has changed since the last write
	moved  map[int16]bool // clients whose cursors have
	timer  *time.Timer    // nil when no flush is due
	journal
}

// OpenFile reads meta.dat from o.Dir. A file that is not there is a first
// start; one that cannot be trusted is a CorruptError.
func OpenFile(o FileOptions) (*File, error) {
	if o.Period <= 0 {
		o.Period = DefaultPeriod
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	f := &File{o: o, path: filepath.Join(o.Dir, FileName), moved: make(map[int16]bool)}
	records, err := f.load()
	if err != nil {
		return nil, err
	}
	f.Memory = NewMemory(records...)
	return f, nil
}

// load reads and verifies the file.
func (f *File) load() ([]Record, error) {
	content, modified, err := readFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.path, err)
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, &CorruptError{f.path, "it is empty"}
	}
	records, foreign, err := parseRecords(content, f.o.Destination)
	if err != nil {
		return nil, &CorruptError{f.path, err.Error()}
	}
	if err := f.verify(content, modified, records); err != nil {
		return nil, err
	}
	if foreign > 0 {
		f.o.Notice(fmt.Sprintf("%s: %d clients of other destinations were left out", f.path, foreign))
	}
	f.written = content
	return records, nil
}

// verify compares the content with the checksum beside it, and completes the
// records by the journal that follows it. A Java server that
// ran in between, or a person with an editor, has changed the file but not the
// checksum: the time of modification tells that from damage.
func (f *File) verify(content []byte, modified time.Time, records []Record) error {
	beside, _, err := readFile(f.path + ".sum")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checksum: %w", err)
	}
	line, moves, _ := bytes.Cut(beside, []byte{'\n'})
	sum, ok := parseChecksum(line)
	if next, announced := announcedIn(moves, content); ok && announced {
		sum = next
	}
	switch {
	case !ok:
		f.o.Notice(f.path + ".sum cannot be read and is not used")
	case sum.matches(content):
		for i := range records {
			records[i].Cursor.Whole = slices.Contains(sum.whole, records[i].Client.ID)
		}
		replay(moves, records)
	case sum.modified == modified.UnixNano():
		return &CorruptError{f.path, "its content does not match the checksum in " + SumFileName}
	default:
		f.o.Notice(f.path + " was changed by another program since this one wrote it; its present content is used")
	}
	return nil
}

// Subscribe implements Manager. What is written in the background otherwise is
// written at once here: a client that has been told that it is subscribed is
// known after a crash. A disk that cannot be written is reported to Failed, as always.
func (f *File) Subscribe(ctx context.Context, c Client) error {
	if err := f.change(func() error { return f.Memory.Subscribe(ctx, c) }); err != nil {
		return err
	}
	if err := f.Flush(ctx); err != nil {
		f.failed(err)
	}
	return nil
}

// failed reports trouble with the disk that is not the caller's.
func (f *File) failed(err error) {
	if f.o.Failed != nil {
		f.o.Failed(err)
	}
}

// Unsubscribe implements Manager.
func (f *File) Unsubscribe(ctx context.Context, c Client) error {
	return f.change(func() error { return f.Memory.Unsubscribe(ctx, c) })
}

// UpdateCursor implements Manager.
func (f *File) UpdateCursor(ctx context.Context, c Client, cur Cursor) error {
	return f.change(func() error {
		err := f.Memory.UpdateCursor(ctx, c, cur)
		if err != nil {
			return err
		}
		f.moved[c.ID] = true
		if err := f.journal.moved(c.ID, cur); err != nil {
			f.failed(err)
		}
		return nil
	})
}

// MoveCursors implements Manager. The journal ends before the file is replaced: it
// says where cursors were, and must not be taken for what came after the file.
func (f *File) MoveCursors(ctx context.Context, records []Record) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	err := f.change(func() error {
		if err := f.Memory.MoveCursors(ctx, records); err != nil {
			return err
		}
		for _, r := range records {
			f.moved[r.Client.ID] = true
		}
		return f.journal.close()
	})
	if err != nil {
		return err
	}
	return f.flush()
}

// change applies do and sees to it that it gets written.
func (f *File) change(do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	if err := do(); err != nil {
		return err
	}
	f.dirty = true
	f.schedule()
	return nil
}

// schedule starts the timer of the next flush, if none is due. The caller holds mu.
func (f *File) schedule() {
	if f.timer != nil || f.closed {
		return
	}
	f.timers.Add(1)
	f.timer = time.AfterFunc(f.o.Period, func() {
		defer f.timers.Done()
		f.mu.Lock()
		f.timer = nil
		f.mu.Unlock()
		if err := f.Flush(context.Background()); err != nil {
			f.failed(err)
		}
	})
}

// Flush implements Manager. When it fails the change stays due and is tried
// again after the period. ctx is not used: a write to a local file cannot be ended.
func (f *File) Flush(context.Context) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	return f.flush()
}

// flush is Flush for a caller that holds writing.
func (f *File) flush() error {
	f.mu.Lock()
	if !f.dirty {
		f.mu.Unlock()
		return nil
	}
	records, moved := f.Snapshot(), f.moved
	f.dirty, f.moved = false, make(map[int16]bool)
	f.since = nil
	f.mu.Unlock()

	if err := f.write(records); err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		for id := range moved {
			f.moved[id] = true
		}
		f.dirty = true
		f.schedule()
		return err
	}
	f.report(records, moved)
	return nil
}

// report tells Flushed about the clients that had moved.
func (f *File) report(records []Record, moved map[int16]bool) {
	if f.o.Flushed == nil || len(moved) == 0 {
		return
	}
	var out []Record
	for _, r := range records {
		if moved[r.Client.ID] && r.HasCursor {
			out = append(out, r)
		}
	}
	if len(out) > 0 {
		f.o.Flushed(out)
	}
}

// write replaces the file. The caller holds writing.
func (f *File) write(records []Record) error {
	if len(records) == 0 {
		return nil
	}
	content := appendRecords(nil, f.o.Destination, records)
	if bytes.Equal(content, f.written) && f.journaling(records) {
		return nil
	}
	f.written = nil // until it is known to be there
	modified, err := f.prepare(f.path, content, true)
	if err != nil {
		return err
	}
	sum := newChecksum(content, modified, records)
	f.announce(sum)
	if err := f.replace(f.path); err != nil {
		return err
	}
	if err := f.restartJournal(sum); err != nil {
		return err
	}
	f.written = content
	return nil
}

// journaling says whether acks go to the journal that belongs to the records as
// they are: not before the first write of this process, and not when a cursor
// has become Whole or ceased to be, which meta.dat does not show.
func (f *File) journaling(records []Record) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.journal.file != nil && slices.Equal(f.journal.whole, wholeClients(records))
}

// restartJournal replaces the file beside meta.dat, which has just been written.
// It is not worth an fsync: when it is lost or old after a crash of the machine,
// verify takes meta.dat for one that another program has changed.
func (f *File) restartJournal(sum checksum) error {
	path := f.path + ".sum"
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.journal.close(); err != nil {
		f.failed(err)
	}
	if _, err := f.prepare(path, append(sum.append(nil), f.since...), false); err != nil {
		return err
	}
	if err := f.replace(path); err != nil {
		return err
	}
	file, err := f.o.disk.append(path)
	if err != nil {
		return fmt.Errorf("append to %s: %w", path, err)
	}
	f.journal.file, f.journal.whole = file, sum.whole
	return nil
}

// prepare writes what is to be in the place of the file at path.
func (f *File) prepare(path string, content []byte, sync bool) (modified time.Time, err error) {
	if modified, err = f.o.disk.write(path+tempSuffix, content, sync); err != nil {
		return modified, fmt.Errorf("write %s: %w", path+tempSuffix, err)
	}
	return modified, nil
}

// replace puts what was prepared in the place of the file at path.
func (f *File) replace(path string) error {
	if err := f.o.disk.rename(path+tempSuffix, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

// announce notes in the journal which meta.dat comes next, so that the journal
// still counts if this is the last thing the program does but to put it in place.
func (f *File) announce(sum checksum) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.journal.announce(sum); err != nil {
		f.failed(err)
	}
}

// Close implements Manager: it refuses further changes, waits for a flush that
// is under way and writes what is left.
func (f *File) Close() error {
	f.mu.Lock()
	f.closed = true
	if f.timer != nil && f.timer.Stop() {
		f.timers.Done()
	}
	f.timer = nil
	f.mu.Unlock()
	f.timers.Wait()
	err := f.Flush(context.Background())
	f.mu.Lock()
	err = errors.Join(err, f.journal.close())
	f.mu.Unlock()
	if err != nil {
		return fmt.Errorf("close meta manager: %w", err)
	}
	return f.Memory.Close()
}
