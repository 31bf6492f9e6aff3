package document

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	const before = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n<!-- y: begin -->\n<!-- y: end -->\n"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"x", "y"} {
		if err := Replace(file, part, "new "+part+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	const want = "a\n<!-- x: begin -->\nnew x\n<!-- x: end -->\nb\n<!-- y: begin -->\nnew y\n<!-- y: end -->\n"
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if err := Replace(file, "z", "new"); err == nil {
		t.Error("a part that is not there was replaced")
	}
}
