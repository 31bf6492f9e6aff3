package control

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTail(t *testing.T) {
	dir := t.TempDir()
	l := NewLogs(dir)
	for _, c := range []struct {
		name, text string
		lines      int
		want       string
	}{
		{"none", "a\nb\n", 0, ""},
		{"one", "a\nb\n", 1, ""},
		{"two", "a\nb\n", 2, "b\n"},
		{"three", "a\nb\n", 3, "a\nb\n"},
		{"more than there are", "a\nb\n", 100, "a\nb\n"},
		{"without a last line end", "a\nb", 1, "b"},
		{"all", "a\nb\n", -1, "a\nb\n"},
		{"carriage returns", "a\r\nb\rc\r\n", 3, "b\nc\n"},
		{"blank lines", "a\n\n\nb\n", 4, "\n\nb\n"},
		{"not UTF-8", "a\xff\n", 2, "a\uFFFD\n"},
		{"empty", "", 5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			put(t, dir, "d/d.log", c.text)
			if got, err := l.Tail(t.Context(), "d", "", c.lines); got != c.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
			put(t, dir, "d/2026-11-23/d-2026-11-23-0.log.gz", packedText(t, c.text))
			if got, err := l.Tail(t.Context(), "d", "2026-11-23/d-2026-11-23-0.log.gz", c.lines); got != c.want || err != nil {
				t.Errorf("compressed: got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func packedText(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// C25, K5: no more than 4 MiB, in whole lines.
func TestTailIsBounded(t *testing.T) {
	dir := t.TempDir()
	line := strings.Repeat("x", 999) + "\n"
	text := strings.Repeat(line, 6<<20/len(line))
	put(t, dir, "d/d.log", text)
	put(t, dir, "d/d.log.gz", packedText(t, text))
	put(t, dir, "d/one.log", strings.Repeat("y", 5<<20))
	for _, name := range []string{"d.log", "d.log.gz"} {
		got, err := NewLogs(dir).Tail(t.Context(), "d", name, 1<<30)
		if err != nil || len(got) > maxTail || len(got) < maxTail-len(line) || len(got)%len(line) != 0 {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
		if got, err := NewLogs(dir).Tail(t.Context(), "d", name, 101); err != nil || got != strings.Repeat(line, 100) {
			t.Errorf("%s: got %d bytes for 100 lines, %v", name, len(got), err)
		}
	}
	if got, err := NewLogs(dir).Tail(t.Context(), "d", "one.log", 5); err != nil || len(got) != maxTail {
		t.Errorf("one long line: got %d bytes, %v", len(got), err)
	}
}

// Nothing outside of the folder is read, whatever names and links say.
func TestLogsAreConfined(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "logs")
	secret := put(t, base, "conf/canal.properties", "secret")
	put(t, dir, "d/d.log", "fine\n")
	put(t, dir, "other/other.log", "of another\n")
	for link, to := range map[string]string{"d/link.log": secret, "d/up.log": "../../conf/canal.properties", "d/sibling.log": "../other/other.log", "d/good.log": "d.log", "linked": filepath.Dir(secret)} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	l := NewLogs(dir)
	for _, c := range []struct {
		destination, file string
		want              error // nil for any
	}{
		{"", "", errPath}, {".", "canal.log", errPath}, {"..", "x", errPath}, {"../conf", "canal.properties", errPath},
		{"d/../../conf", "canal.properties", errPath}, {`..\conf`, "canal.properties", errPath}, {"d\x00", "", errPath},
		{"d", "../../conf/canal.properties", errPath}, {"d", "../other/other.log", errPath}, {"d", secret, errPath}, {"d", "x/../../other/other.log", errPath}, {"d", "..", errPath},
		{"d", "link.log", nil}, {"d", "up.log", nil}, {"d", "sibling.log", nil}, {"linked", "canal.properties", nil}, {"d", ".", nil},
	} {
		got, err := l.Tail(t.Context(), c.destination, c.file, 100)
		if err == nil || got != "" || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("tail of %q in %q: got %q, %v", c.file, c.destination, got, err)
		}
		if err != nil && strings.Contains(err.Error(), base) {
			t.Errorf("the error tells a path: %v", err)
		}
		page, err := l.Read(t.Context(), LogReadParams{Destination: c.destination, File: c.file})
		if _, ok := errors.AsType[*Error](err); !ok && c.destination != "" {
			t.Errorf("read of %q in %q: got %+v, %v", c.file, c.destination, page, err)
		}
	}
	if got, err := l.Tail(t.Context(), "d", "good.log", 100); got != "fine\n" || err != nil {
		t.Errorf("a link within: got %q, %v", got, err)
	}
	for _, name := range []string{"..", "linked", "a/b"} {
		if names, err := l.Names(name); err == nil {
			t.Errorf("names in %q: %q", name, names)
		}
	}
}

func TestLogFiles(t *testing.T) {
	dir := t.TempDir()
	l := NewLogs(dir)
	if _, err := l.Names("canal"); !errors.Is(err, errNoDir) {
		t.Errorf("names without a folder: %v", err)
	}
	if got, err := l.Tail(t.Context(), "canal", "", 5); got != "" || err != nil {
		t.Errorf("tail without a folder: %q, %v", got, err)
	}
	for i, name := range []string{"canal/canal.log", "canal/2026-11-22/canal-2026-11-22-0.log.gz", "canal/canal_stdout.log"} {
		at := time.Unix(int64(1000+i), 0)
		if err := os.Chtimes(put(t, dir, name, "12345"), at, at); err != nil {
			t.Fatal(err)
		}
	}
	names, err := l.Names("canal")
	slices.Sort(names)
	if want := []string{"canal-2026-11-22-0.log.gz", "canal.log", "canal_stdout.log"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("names: got %q, %v", names, err)
	}
	files, err := l.Files(LogFilesParams{})
	want := []LogFile{{"canal_stdout.log", 5, 1002000}, {"2026-11-22/canal-2026-11-22-0.log.gz", 5, 1001000}, {"canal.log", 5, 1000000}}
	if err != nil || !slices.Equal(files, want) {
		t.Errorf("files: got %+v, %v", files, err)
	}
	_, err = l.Files(LogFilesParams{Destination: "nothing"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeNotFound {
		t.Errorf("files of nothing: %v", err)
	}
}

const story = "2026-11-23 10:00:00.000 [main] INFO  c.a.o.canal.deployer.CanalStarter - ## start the canal server.\n" +
	"2026-11-23 10:00:01.000 [destination = d , address = /10.0.0.1:3306 , EventParser] WARN  c.a.o.c.p.i.mysql.MysqlEventParser - prepare to find start position just last position\n" +
	" {\"identity\":{}}\n" +
	"2026-11-23 10:00:02.000 [main] ERROR towpath - read failed\n" +
	"java.io.IOException: [x] WARN  of nothing\n\tat a.b.C\nCaused by: EOF\n" +
	"2026-11-23 10:00:03.000 - clientId:1001 cursor\n" +
	"2026-11-23 10:00:04.000 [x] DEBUG towpath - détail\n"

// shown are the first lines and levels of a page.
func shown(p *LogPage) string {
	var b strings.Builder
	for _, l := range p.Lines {
		first, rest, _ := strings.Cut(l.Text, "\n")
		fmt.Fprintf(&b, "%s|%s|%d\n", l.Level, first[strings.LastIndex(first, " - ")+1:], strings.Count(rest, "\n"))
	}
	return b.String()
}

func TestReadLog(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "d/d.log", story+"2026-11-23 10:00:05.000 [x] INFO  towpath - being writ")
	put(t, dir, "d/old.log.gz", packedText(t, story))
	l := NewLogs(dir)
	const all = "INFO|- ## start the canal server.|0\nWARN|- prepare to find start position just last position|0\nERROR|- read failed|2\n|- clientId:1001 cursor|0\nDEBUG|- détail|0\n"
	last := len(story) - len("2026-11-23 10:00:04.000 [x] DEBUG towpath - détail\n")
	for _, c := range []struct {
		name  string
		p     LogReadParams
		want  string
		first int
		next  int
		more  bool
	}{
		{"all", LogReadParams{}, all, 0, len(story), false},
		{"end", LogReadParams{Offset: -1}, "", len(story), len(story), false},
		{"end, backwards", LogReadParams{Offset: -1, Backwards: true}, all, 0, len(story), false},
		{"last", LogReadParams{Offset: -1, Backwards: true, Lines: 1}, "DEBUG|- détail|0\n", last, len(story), true},
		{"first", LogReadParams{Lines: 1}, "INFO|- ## start the canal server.|0\n", 0, strings.Index(story, "\n") + 1, true},
		{"within a line", LogReadParams{Offset: int64(last) + 7}, "DEBUG|- détail|0\n", last, len(story), false},
		{"warnings", LogReadParams{Level: "warn"}, "WARN|- prepare to find start position just last position|0\nERROR|- read failed|2\n", 0, len(story), false},
		{"search in a stack", LogReadParams{Search: "CAUSED BY"}, "ERROR|- read failed|2\n", 0, len(story), false},
		{"search beyond ASCII", LogReadParams{Search: "DÉTAIL", Backwards: true, Offset: -1}, "DEBUG|- détail|0\n", 0, len(story), false},
		{"search for nothing", LogReadParams{Search: "nothing like it"}, "", 0, len(story), false},
		{"behind a rotation", LogReadParams{Offset: 1 << 40}, all, 0, len(story), false},
		{"behind a rotation, backwards", LogReadParams{Offset: 1 << 40, Backwards: true}, all, 0, len(story), false},
	} {
		for _, file := range []string{"", "old.log.gz"} {
			t.Run(c.name+" "+file, func(t *testing.T) {
				c.p.Destination, c.p.File = "d", file
				got, err := l.Read(t.Context(), c.p)
				if err != nil {
					t.Fatal(err)
				}
				if shown(got) != c.want || got.First != int64(c.first) || got.Next != int64(c.next) || got.More != c.more {
					t.Errorf("got %d..%d, more %v of %d:\n%swant %d..%d, more %v:\n%s", got.First, got.Next, got.More, got.Size, shown(got), c.first, c.next, c.more, c.want)
				}
			})
		}
	}
}

func TestReadLogRefuses(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "d/d.log", story)
	put(t, dir, "d/broken.gz", "no gzip")
	l := NewLogs(dir)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	put(t, dir, "d/good.gz", packedText(t, story))
	for _, c := range []struct {
		ctx  context.Context
		p    LogReadParams
		code string
	}{
		{t.Context(), LogReadParams{Destination: "d", Lines: -1}, CodeBadParams},
		{t.Context(), LogReadParams{Destination: "d", Lines: maxLines + 1}, CodeBadParams},
		{t.Context(), LogReadParams{Destination: "d", Offset: -2}, CodeBadParams},
		{t.Context(), LogReadParams{Destination: "d", Level: "LOUD"}, CodeBadParams},
		{t.Context(), LogReadParams{Destination: "d", Search: strings.Repeat("x", maxSearch+1)}, CodeBadParams},
		{t.Context(), LogReadParams{Destination: "d", File: "../d.log"}, CodeBadParams},
		{t.Context(), LogReadParams{Destination: "d", File: "none.log"}, CodeNotFound},
		{t.Context(), LogReadParams{}, CodeNotFound},
		{t.Context(), LogReadParams{Destination: "d", File: "broken.gz"}, CodeFailed},
		{ended, LogReadParams{Destination: "d", File: "good.gz"}, CodeFailed},
	} {
		_, err := l.Read(c.ctx, c.p)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != c.code {
			t.Errorf("%+v: got %v, want %s", c.p, err, c.code)
		}
	}
}

// A log is followed by asking again from Next: every line is seen once, whatever
// of it was there when.
func TestFollowLog(t *testing.T) {
	dir := t.TempDir()
	path := put(t, dir, "d/d.log", "")
	l := NewLogs(dir)
	r := rand.New(rand.NewPCG(1, 2))
	var seen strings.Builder
	for at, rest := int64(0), story+story; ; {
		page, err := l.Read(t.Context(), LogReadParams{Destination: "d", Offset: at})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range page.Lines {
			seen.WriteString(line.Text + "\n")
		}
		at = page.Next
		if rest == "" {
			break
		}
		n := min(len(rest), 1+r.IntN(60))
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(rest[:n]); err != nil {
			t.Fatal(err)
		}
		f.Close()
		rest = rest[n:]
	}
	if seen.String() != story+story {
		t.Errorf("got\n%s", seen.String())
	}
}

// Pages put together are the file, in both directions, for files larger than a
// window with records of all sizes.
func TestPagesAreTheFile(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 4))
	var text strings.Builder
	for text.Len() < 3*firstWindow {
		fmt.Fprintf(&text, "2026-11-23 10:00:00.%03d [main] INFO  towpath - %d\n", r.IntN(1000), text.Len())
		for range r.IntN(3) * r.IntN(400) {
			text.WriteString("\tat some.java.Class.method(Class.java:1)\n")
		}
	}
	put(t, dir, "d/d.log", text.String())
	put(t, dir, "d/plain.log", strings.Repeat("a line without a date\n", 3*firstWindow/22))
	for _, file := range []string{"d.log", "plain.log"} {
		want, err := os.ReadFile(filepath.Join(dir, "d", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, backwards := range []bool{false, true} {
			for _, lines := range []int{1500, 401} {
				p := LogReadParams{Destination: "d", File: file, Backwards: backwards, Lines: lines}
				if backwards {
					p.Offset = -1
				}
				if got := allPages(t, NewLogs(dir), p); got != string(want) {
					t.Errorf("%s, backwards %v, %d lines: got %d bytes, want %d", file, backwards, lines, len(got), len(want))
				}
			}
		}
	}
}

// allPages reads a file from one end to the other.
func allPages(t *testing.T, l *Logs, p LogReadParams) string {
	t.Helper()
	var pages []string
	for more := true; more; {
		page, err := l.Read(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, line := range page.Lines {
			b.WriteString(line.Text + "\n")
		}
		pages = append(pages, b.String())
		before := p.Offset
		if p.Offset = page.Next; p.Backwards {
			p.Offset = page.First
		}
		if more = page.More; more && p.Offset == before {
			t.Fatalf("no progress at %d", before)
		}
	}
	if p.Backwards {
		slices.Reverse(pages)
	}
	return strings.Join(pages, "")
}

// A record without end costs a bounded answer, and reading gets past it.
func TestHugeRecords(t *testing.T) {
	dir := t.TempDir()
	huge := "2026-11-23 10:00:00.000 [main] ERROR towpath - x\n" + strings.Repeat("\tat y\n", 2*maxWindow/6)
	put(t, dir, "d/d.log", story+huge+story)
	l := NewLogs(dir)
	for _, backwards := range []bool{false, true} {
		p := LogReadParams{Destination: "d", Backwards: backwards}
		if backwards {
			p.Offset = -1
		}
		if got := allPages(t, l, p); strings.Count(got, "détail") != 2 || len(got) > len(huge)/10 {
			t.Errorf("backwards %v: got %d bytes, the end %d times", backwards, len(got), strings.Count(got, "détail"))
		}
	}
}

// A small compressed file may hold more than anybody can read.
func TestPackedLogsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks a gigabyte")
	}
	dir := t.TempDir()
	const part = 16 << 20
	member := packedText(t, strings.Repeat("x", part))
	put(t, dir, "d/bomb.log.gz", strings.Repeat(member, maxUnpacked/part))
	var told *Error
	if _, err := NewLogs(dir).Read(t.Context(), LogReadParams{Destination: "d", File: "bomb.log.gz", Offset: -1}); !errors.As(err, &told) || !strings.Contains(told.Message, "holds too much") {
		t.Errorf("got %v", err)
	}
	if _, err := NewLogs(dir).Tail(t.Context(), "d", "bomb.log.gz", 10); !errors.Is(err, errTooLong) {
		t.Errorf("the tail: %v", err)
	}
}
