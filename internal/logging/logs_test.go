package logging

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 5, 10, 20, 30, 456_000_000, time.Local)}
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

func newLogs(t *testing.T, o Options) (*Logs, *clock, *bytes.Buffer) {
	t.Helper()
	c := newClock()
	complaints := &bytes.Buffer{}
	o.Dir, o.Now, o.Complaints = t.TempDir(), c.Now, complaints
	l := New(o)
	t.Cleanup(func() { l.Close() })
	return l, c, complaints
}

// log writes a record with the time of the clock.
func log(l *Logs, c *clock, level slog.Level, message string, attrs ...slog.Attr) {
	r := slog.NewRecord(c.Now(), level, message, 0)
	r.AddAttrs(attrs...)
	h := l.Handler()
	if h.Enabled(context.Background(), level) {
		h.Handle(context.Background(), r)
	}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func unzip(t *testing.T, parts ...string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLinesAndRouting(t *testing.T) {
	var terminal bytes.Buffer
	l, c, _ := newLogs(t, Options{Terminal: &terminal})
	dest := slog.String(DestinationKey, "example")
	log(l, c, slog.LevelInfo, "## start the canal server.")
	log(l, c, slog.LevelWarn, "start successful....", dest, slog.String(LoggerKey, "c.a.o.c.i.core.AbstractCanalInstance"), slog.String(ThreadKey, "scan"))
	log(l, c, slog.LevelError, "went wrong", dest, slog.Any("err", errors.New("a b")), slog.Int("n", 3), slog.Group("g", slog.String("k", "x\ny")))
	log(l, c, slog.LevelDebug, "hidden")
	l.Meta("example", "clientId:1")
	want := map[string]string{
		"canal/canal.log":     "2026-03-05 10:20:30.456 [main] INFO  towpath - ## start the canal server.\n",
		"example/example.log": "2026-03-05 10:20:30.456 [scan] WARN  c.a.o.c.i.core.AbstractCanalInstance - start successful....\n2026-03-05 10:20:30.456 [main] ERROR towpath - went wrong err=\"a b\" n=3 g.k=\"x\\ny\"\n",
		"example/meta.log":    "2026-03-05 10:20:30.456 - clientId:1\n",
	}
	for name, text := range want {
		if got := read(t, l.o.Dir, name); got != text {
			t.Errorf("%s =\n%q, want\n%q", name, got, text)
		}
	}
	if got := terminal.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "start successful.... destination=example\n") {
		t.Errorf("terminal =\n%s", got)
	}
}

func TestWithAttrsAndGroups(t *testing.T) {
	l, _, _ := newLogs(t, Options{})
	l.o.Now = time.Now
	logger := l.Logger().With(DestinationKey, "d", "a", 1)
	logger.WithGroup("g").With("b", 2).Info("m", "c", 3, DestinationKey, "inner")
	logger.Info("m2")
	got := read(t, l.o.Dir, "d", "d.log")
	for _, text := range []string{"- m a=1 g.b=2 g.c=3 g.destination=inner\n", "- m2 a=1\n"} {
		if !strings.Contains(got, text) {
			t.Errorf("log = %q, want %q in it", got, text)
		}
	}
}

// TestForeignNames: clients choose destination names; none leads out of the
// folder or makes one for a destination that does not exist.
func TestForeignNames(t *testing.T) {
	l, c, _ := newLogs(t, Options{Known: func(d string) bool { return d == "known" || strings.Contains(d, ".") }})
	for _, name := range []string{"../x", "..", ".", "a/b", `a\b`, "a\x00b", "unknown", strings.Repeat("x", 300)} {
		log(l, c, slog.LevelInfo, "m", slog.String(DestinationKey, name))
		l.Meta(name, "m")
	}
	log(l, c, slog.LevelInfo, "m", slog.String(DestinationKey, "known"))
	entries, err := os.ReadDir(l.o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("folders = %v, want canal and known", entries)
	}
	if n := strings.Count(read(t, l.o.Dir, "canal", "canal.log"), "\n"); n != 8 {
		t.Errorf("canal.log has %d lines, want 8", n)
	}
}

func TestRotationByDay(t *testing.T) {
	l, c, _ := newLogs(t, Options{})
	log(l, c, slog.LevelInfo, "first day")
	c.add(24 * time.Hour)
	log(l, c, slog.LevelInfo, "second day")
	l.compress.Wait()
	if got := unzip(t, l.o.Dir, "canal", "2026-03-05", "canal-2026-03-05-0.log.gz"); !strings.Contains(got, "first day") {
		t.Errorf("rotated file = %q", got)
	}
	if got := read(t, l.o.Dir, "canal", "canal.log"); strings.Contains(got, "first") || !strings.Contains(got, "second") {
		t.Errorf("canal.log = %q", got)
	}
}

// TestRotationAfterRestart: what an earlier process wrote yesterday belongs to
// yesterday's folder.
func TestRotationAfterRestart(t *testing.T) {
	l, c, _ := newLogs(t, Options{})
	dir := filepath.Join(l.o.Dir, "canal")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "canal.log")
	if err := os.WriteFile(name, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	yesterday := c.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(name, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	log(l, c, slog.LevelInfo, "new")
	l.compress.Wait()
	if got := unzip(t, dir, "2026-03-04", "canal-2026-03-04-0.log.gz"); got != "old\n" {
		t.Errorf("rotated file = %q", got)
	}
}

// TestRotationBySize writes from several goroutines and wants every line back
// exactly once.
func TestRotationBySize(t *testing.T) {
	l, c, _ := newLogs(t, Options{MaxBytes: 2000, MaxMetaBytes: 500})
	const writers, lines = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range lines {
				log(l, c, slog.LevelInfo, fmt.Sprintf("line <%d-%d>", w, i))
				l.Meta("d", fmt.Sprintf("meta <%d-%d>", w, i))
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct{ folder, base, word string }{{"canal", "canal", "line"}, {"d", "meta", "meta"}} {
		text := read(t, l.o.Dir, part.folder, part.base+".log")
		rotated, err := filepath.Glob(filepath.Join(l.o.Dir, part.folder, "2026-03-05", "*"))
		if err != nil || len(rotated) < 3 {
			t.Fatalf("rotated = %v, %v, want several", rotated, err)
		}
		for _, name := range rotated {
			if !strings.HasSuffix(name, ".log.gz") {
				t.Errorf("%s is left over", name)
			}
			text += unzip(t, name)
		}
		for w := range writers {
			for i := range lines {
				if n := strings.Count(text, fmt.Sprintf("%s <%d-%d>\n", part.word, w, i)); n != 1 {
					t.Fatalf("%s line %d-%d is there %d times", part.base, w, i, n)
				}
			}
		}
	}
}

func TestOldDaysGo(t *testing.T) {
	l, c, _ := newLogs(t, Options{KeepDays: 2})
	l.Meta("d", "x")
	foreign := filepath.Join(l.o.Dir, "d", "2026-03-05")
	if err := os.Mkdir(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, "mine.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		log(l, c, slog.LevelInfo, "x", slog.String(DestinationKey, "d"))
		c.add(24 * time.Hour)
	}
	log(l, c, slog.LevelInfo, "x", slog.String(DestinationKey, "d"))
	l.compress.Wait()
	left, err := filepath.Glob(filepath.Join(l.o.Dir, "d", "2026-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range left {
		left[i] = filepath.Base(name)
	}
	if got, want := strings.Join(left, " "), "mine.txt d-2026-03-08-0.log.gz d-2026-03-09-0.log.gz"; got != want {
		t.Errorf("left = %s, want %s", got, want)
	}
}

// fullFile fails writes while full is set, after taking half of the text.
type fullFile struct {
	osFile
	full *bool
}

func (f fullFile) Write(b []byte) (int, error) {
	if *f.full {
		n, _ := f.osFile.Write(b[:len(b)/2])
		return n, errors.New("no space left on device")
	}
	return f.osFile.Write(b)
}

func TestDiskFull(t *testing.T) {
	full := false
	l, c, complaints := newLogs(t, Options{openFile: func(name string) (logFile, error) {
		f, err := openAppend(name)
		if err != nil {
			return nil, err
		}
		return fullFile{f.(osFile), &full}, nil
	}})
	log(l, c, slog.LevelInfo, "before")
	full = true
	log(l, c, slog.LevelInfo, "lost 1")
	log(l, c, slog.LevelInfo, "lost 2")
	full = false
	log(l, c, slog.LevelInfo, "after")
	var messages []string
	for line := range strings.Lines(read(t, l.o.Dir, "canal", "canal.log")) {
		_, message, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		messages = append(messages, message)
	}
	if got, want := strings.Join(messages, "|"), "before|2 lines could not be written here|after"; got != want {
		t.Errorf("canal.log = %s, want %s", got, want)
	}
	if got := complaints.String(); strings.Count(got, "no space left") != 1 || !strings.Contains(got, "lost 1") || strings.Contains(got, "lost 2") {
		t.Errorf("complaints = %q, want one with the first line", got)
	}
}

func TestUnwritableFolder(t *testing.T) {
	l, c, complaints := newLogs(t, Options{})
	blocker := filepath.Join(l.o.Dir, "canal")
	if err := os.WriteFile(blocker, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	log(l, c, slog.LevelInfo, "lost 1")
	log(l, c, slog.LevelInfo, "lost 2")
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	c.add(2 * retryAfter)
	log(l, c, slog.LevelInfo, "after")
	if got := read(t, l.o.Dir, "canal", "canal.log"); !strings.Contains(got, "2 lines could not") || !strings.Contains(got, "after") {
		t.Errorf("canal.log = %q", got)
	}
	if strings.Count(complaints.String(), "logging to") != 1 {
		t.Errorf("complaints = %q, want one", complaints)
	}
}

// TestRotationBlocked: a file that cannot be moved goes on taking lines.
func TestRotationBlocked(t *testing.T) {
	l, c, complaints := newLogs(t, Options{})
	log(l, c, slog.LevelInfo, "first day")
	if err := os.WriteFile(filepath.Join(l.o.Dir, "canal", "2026-03-05"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.add(24 * time.Hour)
	log(l, c, slog.LevelInfo, "second day")
	log(l, c, slog.LevelInfo, "third line")
	if n := strings.Count(read(t, l.o.Dir, "canal", "canal.log"), "\n"); n != 3 {
		t.Errorf("canal.log has %d lines, want 3", n)
	}
	if strings.Count(complaints.String(), "rotating") != 1 {
		t.Errorf("complaints = %q, want one", complaints)
	}
}

func TestReleaseAndClose(t *testing.T) {
	l, c, _ := newLogs(t, Options{})
	d := slog.String(DestinationKey, "d")
	log(l, c, slog.LevelInfo, "one", d)
	l.Release("d")
	l.Release("d")
	log(l, c, slog.LevelInfo, "two", d)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log(l, c, slog.LevelInfo, "three", d)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, l.o.Dir, "d", "d.log"); strings.Count(got, "\n") != 2 || strings.Contains(got, "three") {
		t.Errorf("d.log = %q", got)
	}
}

func TestLevelChanges(t *testing.T) {
	var level slog.LevelVar
	l, c, _ := newLogs(t, Options{Level: &level})
	log(l, c, slog.LevelDebug, "hidden")
	level.Set(slog.LevelDebug)
	log(l, c, slog.LevelDebug, "shown")
	if got := read(t, l.o.Dir, "canal", "canal.log"); !strings.Contains(got, "DEBUG towpath - shown") || strings.Contains(got, "hidden") {
		t.Errorf("canal.log = %q", got)
	}
}

func BenchmarkHandler(b *testing.B) {
	l := New(Options{Dir: b.TempDir()})
	defer l.Close()
	logger := l.Logger().With(DestinationKey, "d")
	b.ReportAllocs()
	for b.Loop() {
		logger.Info("ack successfully", "client_id", 1001, "batch_id", 12345)
	}
}

// TestSingleLog has all records in one file, whatever their destination, and the
// files of past days below a folder of its name.
func TestSingleLog(t *testing.T) {
	l, c, _ := newLogs(t, Options{Single: "admin"})
	log(l, c, slog.LevelInfo, "first day")
	c.add(24 * time.Hour)
	log(l, c, slog.LevelInfo, "second day", slog.String(DestinationKey, "example"))
	l.Close()
	text, err := os.ReadFile(filepath.Join(l.o.Dir, "admin.log"))
	if err != nil || !strings.Contains(string(text), "second day") || strings.Contains(string(text), "first day") {
		t.Errorf("admin.log: %s, %v", text, err)
	}
	if old, _ := filepath.Glob(filepath.Join(l.o.Dir, "admin", "*", "admin-*-0.log.gz")); len(old) != 1 {
		t.Errorf("rotated files: %v", old)
	}
	if entries, _ := os.ReadDir(l.o.Dir); len(entries) != 2 {
		t.Errorf("the folder has %v", entries)
	}
}
