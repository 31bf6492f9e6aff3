package polling

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleTexts() Texts {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	return Texts{
		Server:    Text{Content: "canal.port = 1\n", MD5: "m", At: at},
		Instances: map[string]Text{"example": {Content: "canal.instance.dbPassword = ü\"\\\n", MD5: "n", At: at}},
	}
}

func TestCache(t *testing.T) {
	c := Cache{File: filepath.Join(t.TempDir(), "data", "canal-admin.cache"), Admin: "a:8089", Node: "10.0.0.1:11110"}
	if _, err := c.Load(); !errors.Is(err, ErrNoCache) {
		t.Fatalf("without a file: %v", err)
	}
	want := sampleTexts()
	for range 2 { // new, and over the old one
		if err := c.Save(want); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Load(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if info, err := os.Stat(c.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others can read the passwords", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(c.File)); err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
	for name, other := range map[string]Cache{"admin": {c.File, "b:8089", c.Node}, "node": {c.File, c.Admin, "10.0.0.2:11110"}} {
		if _, err := other.Load(); !errors.Is(err, ErrNoCache) {
			t.Errorf("of another %s: %v", name, err)
		}
	}
	if err := (Cache{File: filepath.Join(c.File, "x", "y")}).Save(want); err == nil {
		t.Error("a folder that cannot be made is no error")
	}
}

// TestCacheDamaged: every changed byte is noticed.
func TestCacheDamaged(t *testing.T) {
	c := Cache{File: filepath.Join(t.TempDir(), "canal-admin.cache"), Admin: "a", Node: "n"}
	if err := c.Save(sampleTexts()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(c.File)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		b := append([]byte(nil), whole...)
		b[i] ^= 1
		if _, err := decodeCache(b); err == nil {
			t.Fatalf("byte %d can be changed unnoticed", i)
		}
		if _, err := decodeCache(whole[:i]); err == nil {
			t.Fatalf("it can be cut to %d bytes unnoticed", i)
		}
	}
	if err := os.WriteFile(c.File, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(); err == nil || errors.Is(err, ErrNoCache) || !strings.Contains(err.Error(), c.File) {
		t.Errorf("a cut file: %v", err)
	}
}

func FuzzDecodeCache(f *testing.F) {
	f.Add([]byte(cacheMagic + "\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if held, err := decodeCache(b); err == nil && held.Server.Content == "" {
			t.Error("a cache without a text")
		}
	})
}
