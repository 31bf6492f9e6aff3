package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// TestDemo runs the whole demo and looks for what must not be left behind.
func TestDemo(t *testing.T) {
	servers.ForTest(t, servers.MariaDB1011) // skips where it is not installed
	program := filepath.Join(t.TempDir(), "towpath")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/towpath").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	if err := run(t.Context(), options{program: program, samples: "../../conf", keep: time.Second}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "Everything arrived") {
		t.Errorf("the demo ended without its end:\n%s", out.String())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

func TestExpect(t *testing.T) {
	s := step{want: []string{"INSERT a.b id=1", "INSERT a.b id=2"}, ends: 1}
	const at = "\x1b[2m2026-01-31 12:00:00 mysql-bin.000001:4\x1b[0m "
	tests := []struct {
		name  string
		lines []string
		want  string // in the error
	}{
		{name: "all", lines: []string{"BEGIN thread 1", "QUERY INSERT INTO b", "INSERT a.b id=1", "\x1b[32mINSERT\x1b[0m a.b id=2", "END xid 3"}},
		{name: "one missing", lines: []string{"BEGIN thread 1", "INSERT a.b id=2"}, want: `got "INSERT a.b id=2"`},
		{name: "twice", lines: []string{"INSERT a.b id=1", "INSERT a.b id=1"}, want: `got "INSERT a.b id=1"`},
		{name: "too many", lines: []string{"INSERT a.b id=1", "INSERT a.b id=2", "INSERT a.b id=3"}, want: `got "INSERT a.b id=3"`},
		{name: "client gone", lines: []string{"INSERT a.b id=1"}, want: "towpath tail ended"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := &tail{process: &process{name: "towpath tail", output: os.DevNull}, lines: make(chan string, len(tt.lines))}
			for _, l := range tt.lines {
				client.lines <- at + l
			}
			close(client.lines)
			err := client.expect(t.Context(), s, &printer{w: new(bytes.Buffer)})
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestFold(t *testing.T) {
	tests := []struct {
		line    string
		columns int
		want    string // with | where it is broken
	}{
		{"one two three", 0, "one two three"},
		{"one two three", -4, "one two three"},
		{"one two three", 20, "one two three"},
		{"one two three", 8, "one two |three"},
		{"one a-long-word b", 6, "one |a-long-word |b"},
		{"a-long-word", 3, "a-long-word"},
		{"\x1b[32mone\x1b[0m two three", 8, "\x1b[32mone\x1b[0m two |three"},
		{"王小明 王小明", 8, "王小明 |王小明"},
		{"", 8, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(fold(tt.line, tt.columns), "|"); got != tt.want {
			t.Errorf("fold(%q, %d) = %q, want %q", tt.line, tt.columns, got, tt.want)
		}
	}
}

func TestReceivedKeepsTheStyle(t *testing.T) {
	var out strings.Builder
	p := printer{w: &out, columns: 14}
	p.received("\x1b[1mone two three\x1b[0m four")
	want := "  │ \x1b[1mone two\x1b[0m\n  │   \x1b[1mthree\x1b[0m\n  │   four\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestSetNeedsTheKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("# a = 0\na = 1\nab = 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := set(file, map[string]string{"a": "9"}); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(file); string(b) != "# a = 0\na = 9\nab = 2\n" {
		t.Errorf("file is %q", b)
	}
	if err := set(file, map[string]string{"b": "9"}); err == nil {
		t.Error("a key that is not there was set")
	}
}
