package meta

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	must(t, err)
	return string(b)
}

// recorder collects what a hook was told.
type recorder[T any] struct {
	mu  sync.Mutex
	got []T
}

func (r *recorder[T]) add(v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, v)
}

func (r *recorder[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func TestFileSurvivesRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf", dest)
	f := open(t, FileOptions{Dir: dir})
	must(t, f.Subscribe(t.Context(), client(1001, "a\\..*")))
	must(t, f.Subscribe(t.Context(), client(2, "")))
	must(t, f.UpdateCursor(t.Context(), client(2, ""), at("b.1", 4)))
	want := f.Snapshot()
	must(t, f.Close())
	var notices []string
	f = open(t, FileOptions{Dir: dir, Notice: func(s string) { notices = append(notices, s) }})
	if got := f.Snapshot(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(notices) > 0 {
		t.Errorf("notices %q", notices)
	}
	for _, name := range []string{FileName, SumFileName} {
		if read(t, dir, name) == "" || read(t, dir, name+tempSuffix) != "" {
			t.Errorf("%s is not there, or its temporary file is", name)
		}
	}
}

func TestFilePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var flushes recorder[[]Record]
		f := open(t, FileOptions{Dir: dir, Period: 3 * time.Second, Flushed: flushes.add})
		must(t, f.Subscribe(t.Context(), client(1, "")))
		time.Sleep(2 * time.Second)
		for i := range 5 {
			must(t, f.UpdateCursor(t.Context(), client(1, ""), at("b.1", int64(i))))
		}
		synctest.Wait()
		if len(flushes.all()) > 0 {
			t.Fatal("flushed too early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want := [][]Record{{{client(1, ""), at("b.1", 4), true}}}
		if !reflect.DeepEqual(flushes.all(), want) {
			t.Errorf("got %v, want %v", flushes.all(), want)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		must(t, f.Subscribe(t.Context(), client(2, ""))) // no cursor moves
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(flushes.all()) != 1 || !strings.Contains(read(t, dir, FileName), `"clientId":2`) {
			t.Errorf("after a subscription: %v", flushes.all())
		}
		must(t, f.UpdateCursor(t.Context(), client(1, ""), at("b.2", 4)))
		must(t, f.Close())
		if len(flushes.all()) != 2 || !strings.Contains(read(t, dir, FileName), `"b.2"`) {
			t.Errorf("close has not flushed: %v", flushes.all())
		}
	})
}

func TestFileKeepsLastClients(t *testing.T) {
	dir := t.TempDir()
	f := open(t, FileOptions{Dir: dir})
	must(t, f.Subscribe(t.Context(), client(1, "")))
	must(t, f.Flush(t.Context()))
	want := read(t, dir, FileName)
	must(t, f.Unsubscribe(t.Context(), client(1, "")))
	must(t, f.Close())
	if got := read(t, dir, FileName); got != want {
		t.Errorf("file is now %q", got)
	}
}

func TestFileDamage(t *testing.T) {
	good := string(appendRecords(nil, dest, []Record{{Client: client(1001, ""), Cursor: at("b.1", 4), HasCursor: true}}))
	foreign := strings.ReplaceAll(good, dest, "elsewhere")
	other := strings.Replace(good, `"position":4`, `"position":5`, 1)
	tests := []struct {
		name, content string
		sumOf         string // "" for no checksum, "garbage" for a bad one
		sameTime      bool   // the checksum names the file's own time of modification
		corrupt       string // part of the error, "" for none
		notice        string
	}{
		{name: "good", content: good, sumOf: good, sameTime: true},
		{name: "good, no checksum", content: good},
		{name: "good, checksum garbled", content: good, sumOf: "garbage", notice: "cannot be read"},
		{name: "rewritten by another program", content: good, sumOf: other, notice: "another program"},
		{name: "copied, content as it was", content: good, sumOf: good},
		{name: "a digit has flipped", content: other, sumOf: good, sameTime: true, corrupt: "checksum"},
		{name: "empty", corrupt: "empty"},
		{name: "blank", content: " \n", corrupt: "empty"},
		{name: "torn", content: good[:len(good)/2], corrupt: "unexpected end"},
		{name: "trailing", content: good + "}]}", corrupt: "after top-level"},
		{name: "zeroes", content: strings.Repeat("\x00", 300), corrupt: "invalid character"},
		{name: "null", content: "null", corrupt: "null"},
		{name: "no identity", content: `{"clientDatas":[{}]}`, corrupt: "clientIdentity"},
		{name: "no position", content: strings.Replace(good, "postion", "position", 1), corrupt: "postion"},
		{name: "of another destination", content: foreign, corrupt: `"elsewhere"`},
		{name: "client id too large", content: strings.Replace(good, "1001", "70000", 1), corrupt: "70000"},
		{name: "some of another destination", content: strings.Replace(good, "[{", foreign[strings.Index(foreign, "[{"):strings.Index(foreign, "}]")]+"},{", 1), notice: "1 clients of other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			must(t, os.WriteFile(path, []byte(tt.content), 0o644))
			info, err := os.Stat(path)
			must(t, err)
			switch tt.sumOf {
			case "":
			case "garbage":
				must(t, os.WriteFile(path+".sum", []byte("crc32c=zz"), 0o644))
			default:
				when := info.ModTime()
				if !tt.sameTime {
					when = when.Add(-time.Hour)
				}
				must(t, os.WriteFile(path+".sum", newChecksum([]byte(tt.sumOf), when, nil).append(nil), 0o644))
			}
			var notices []string
			f, err := OpenFile(FileOptions{Destination: dest, Dir: dir, Notice: func(s string) { notices = append(notices, s) }})
			var bad *CorruptError
			switch {
			case tt.corrupt == "" && err != nil:
				t.Fatal(err)
			case tt.corrupt != "":
				if !errors.As(err, &bad) || !strings.Contains(bad.Reason, tt.corrupt) || !strings.Contains(err.Error(), path) {
					t.Fatalf("error %v, want %q", err, tt.corrupt)
				}
				if got := read(t, dir, FileName); got != tt.content {
					t.Errorf("the file was touched: %q", got)
				}
				return
			}
			if got := f.Subscriptions(); !reflect.DeepEqual(got, []Client{client(1001, "")}) {
				t.Errorf("got %v", got)
			}
			if (len(notices) > 0) != (tt.notice != "") || len(notices) > 0 && !strings.Contains(notices[0], tt.notice) {
				t.Errorf("notices %q, want %q", notices, tt.notice)
			}
			must(t, f.Close())
		})
	}
}

// badDisk fails the n-th of its operations, and tears the file if that is a write.
type badDisk struct {
	osDisk
	n int
}

var errDisk = errors.New("disk failed")

func (d *badDisk) fails() bool {
	d.n--
	return d.n == 0
}

func (d *badDisk) write(path string, content []byte, sync bool) (time.Time, error) {
	if d.fails() {
		when, _ := d.osDisk.write(path, content[:len(content)/2], sync)
		return when, errDisk
	}
	return d.osDisk.write(path, content, sync)
}

func (d *badDisk) rename(from, to string) error {
	if d.fails() {
		return errDisk
	}
	return d.osDisk.rename(from, to)
}

func (d *badDisk) append(path string) (io.WriteCloser, error) {
	if d.fails() {
		return nil, errDisk
	}
	w, err := d.osDisk.append(path)
	return badFile{w, d}, err
}

// badFile is a journal on a bad disk: a write that fails is torn.
type badFile struct {
	io.WriteCloser
	disk *badDisk
}

func (f badFile) Write(b []byte) (int, error) {
	if f.disk.fails() {
		n, _ := f.WriteCloser.Write(b[:len(b)/2])
		return n, errDisk
	}
	return f.WriteCloser.Write(b)
}

// Whichever operation fails, and whether the process goes on or ends there, the
// file has the old cursor or the new one.
func TestFileFaults(t *testing.T) {
	for n := 1; n <= 18; n++ {
		dir := t.TempDir()
		disk := &badDisk{n: n}
		failed := 0
		f, err := OpenFile(FileOptions{Destination: dest, Dir: dir, disk: disk, Period: time.Hour, Failed: func(error) { failed++ }})
		must(t, err)
		must(t, f.Subscribe(t.Context(), client(1, "")))
		valid := []int64{-1}
		for i := range int64(3) {
			must(t, f.UpdateCursor(t.Context(), client(1, ""), at("b.1", i)))
			valid = append(valid, i)
			err := f.Flush(t.Context())
			if err != nil {
				if !errors.Is(err, errDisk) {
					t.Fatal(err)
				}
				failed++
			}
			after, openErr := OpenFile(FileOptions{Destination: dest, Dir: dir}) // as if after a crash
			if openErr != nil {
				t.Fatalf("n=%d: after flush %d (%v): %v", n, i, err, openErr)
			}
			got := int64(-1)
			if cur, ok := after.Cursor(client(1, "")); ok {
				got = cur.Position.Offset
			}
			if err == nil && got != i || !slices.Contains(valid, got) {
				t.Errorf("n=%d: cursor is %d after flush %d (%v)", n, got, i, err)
			}
		}
		if failed != 1 {
			t.Errorf("n=%d: %d operations failed", n, failed)
		}
		must(t, f.Close())
	}
}

// A write that failed in the background is reported and tried again.
func TestFileRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var failures recorder[error]
		var moved recorder[[]Record]
		f := open(t, FileOptions{
			Dir: dir, disk: &badDisk{n: 7}, // the first of the flush that is due after Subscribe's and the ack
			Failed: failures.add, Flushed: moved.add,
		})
		must(t, f.Subscribe(t.Context(), client(1, "")))
		must(t, f.UpdateCursor(t.Context(), client(1, ""), at("b.1", 7)))
		time.Sleep(DefaultPeriod)
		synctest.Wait()
		if len(failures.all()) != 1 || !errors.Is(failures.all()[0], errDisk) || len(moved.all()) != 0 {
			t.Fatalf("failures %v, moved %v", failures.all(), moved.all())
		}
		time.Sleep(DefaultPeriod)
		synctest.Wait()
		if len(failures.all()) != 1 || len(moved.all()) != 1 || !strings.Contains(read(t, dir, FileName), `"position":7`) {
			t.Errorf("failures %v, moved %v", failures.all(), moved.all())
		}
		must(t, f.Close())
	})
}
