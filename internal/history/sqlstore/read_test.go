package sqlstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/history"
)

// TestRead looks at histories that are there and at those that are not: both stay as
// they are.
func TestRead(t *testing.T) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			o := b.fresh(t)
			reading := o
			reading.Read = true
			if s, err := Open(t.Context(), reading); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("before there is one: %v, %v", s, err)
			}
			if _, err := os.Stat(filepath.Dir(o.Path)); o.Path != "" && err == nil {
				t.Error("the folder was made")
			}
			owner := open(t, o)
			state := func() string {
				t.Helper()
				got, err := open(t, reading).State(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return string(got)
			}
			for _, want := range []string{"one", "two"} { // while the owner has it open
				if err := owner.SetState(t.Context(), []byte(want)); err != nil {
					t.Fatal(err)
				}
				if got := state(); got != want {
					t.Errorf("read %q, want %q", got, want)
				}
			}
			if err := open(t, reading).Append(t.Context(), history.Change{SQL: "CREATE TABLE t (i int)"}); !errors.Is(err, errRead) {
				t.Errorf("it was written to: %v", err)
			}
		})
	}
}

// TestReadLeavesNothing reads a file that nobody has open: no log stays beside it.
func TestReadLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h2.towpath.db")
	owner := open(t, Options{Destination: "example", Path: path})
	if err := owner.SetState(t.Context(), []byte("kept")); err != nil {
		t.Fatal(err)
	}
	owner.Close()
	s := open(t, Options{Destination: "example", Path: path, Read: true})
	if got, err := s.State(t.Context()); string(got) != "kept" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	s.Close()
	var names []string
	entries, err := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || !slices.Equal(names, []string{"h2.towpath.db"}) {
		t.Errorf("there are %q, %v", names, err)
	}
}

func TestReadTellsOfJava(t *testing.T) {
	java := filepath.Join(t.TempDir(), "h2.mv.db")
	if err := os.WriteFile(java, []byte("H2"), 0o600); err != nil {
		t.Fatal(err)
	}
	var told []string
	_, err := Open(t.Context(), Options{Destination: "example", Path: filepath.Join(filepath.Dir(java), "h2.towpath.db"), Read: true, Notice: func(text string) { told = append(told, text) }})
	if !errors.Is(err, fs.ErrNotExist) || len(told) != 1 || !strings.Contains(told[0], java) {
		t.Errorf("%v, told %q", err, told)
	}
}

func TestReadForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h2.towpath.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Destination: "example", Path: path, Read: true}); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
