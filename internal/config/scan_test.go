package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestScanScenario plays scans one after another on a real folder.
func TestScanScenario(t *testing.T) {
	root := t.TempDir()
	file := func(d string) string { return filepath.Join(root, d, "instance.properties") }
	touch := func(d string, second int64) {
		write(t, file(d), "")
		if err := os.Chtimes(file(d), time.Unix(second, 0), time.Unix(second, 0)); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(path string) {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	state := NewScanState([]string{"listed", "homeless"})
	touch("listed", 100)
	touch("found", 100)
	touch("Spring", 100)
	write(t, filepath.Join(root, "metrics", "x.json"), "")
	write(t, filepath.Join(root, "canal.properties"), "")
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"a listed destination without folder stops, a found one starts", func() {}, "stop homeless, start found"},
		{"nothing happened", func() {}, ""},
		{"a newer file reloads", func() { touch("listed", 200) }, "reload listed"},
		{"an older file too", func() { touch("listed", 50) }, "reload listed"},
		{"other files do not matter", func() { write(t, filepath.Join(root, "listed", "meta.dat"), "x") }, ""},
		{"the file goes", func() { remove(file("found")) }, "stop found"},
		{"it is back, in other letters", func() { write(t, filepath.Join(root, "found", "INSTANCE.properties"), "") }, "start found"},
		{"folders go and come", func() { remove(filepath.Join(root, "listed")); touch("new", 1) }, "stop listed, start new"},
	} {
		step.do()
		folders, ok, err := ReadFolders(root)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		var actions []ScanAction
		state, actions = Scan(state, folders)
		var words []string
		for _, a := range actions {
			words = append(words, fmt.Sprintf("%v %s", a.Op, a.Destination))
		}
		if got := strings.Join(words, ", "); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}

func TestScanLeavesItsArgumentsAlone(t *testing.T) {
	prev := NewScanState([]string{"a", "b"})
	Scan(prev, map[string]Folder{"a": {HasFile: true, ModTime: time.Unix(5, 0)}})
	if len(prev) != 2 || !prev["a"].IsZero() {
		t.Errorf("prev became %v", prev)
	}
}

// TestFailedStop: the caller puts the destination back and is told again.
func TestFailedStop(t *testing.T) {
	state, actions := Scan(NewScanState([]string{"a"}), nil)
	if len(actions) != 1 || actions[0].Op != ScanStop {
		t.Fatalf("actions = %v", actions)
	}
	state["a"] = time.Time{}
	if _, actions = Scan(state, nil); len(actions) != 1 || actions[0].Op != ScanStop {
		t.Errorf("actions = %v, want the stop again", actions)
	}
}

func TestReadFoldersWithoutRoot(t *testing.T) {
	if folders, ok, err := ReadFolders(filepath.Join(t.TempDir(), "none")); folders != nil || ok || err != nil {
		t.Errorf("ReadFolders = %v, %v, %v", folders, ok, err)
	}
}
