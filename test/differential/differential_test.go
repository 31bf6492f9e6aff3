package differential

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestAgainstCanal plays each script on each server and compares what clients
// of the real Canal and of ours get.
func TestAgainstCanal(t *testing.T) {
	program := build(t)
	for _, k := range servers.Kinds {
		for _, script := range []struct{ name, marker string }{{"types", "d1.done_types"}, {"statements", "d2.done_statements"}} {
			t.Run(string(k)+"/"+script.name, func(t *testing.T) {
				db := servers.ForTest(t, k)
				if err := play(t.Context(), db, script.name); err != nil {
					t.Fatal(err)
				}
				port, stop := startTowpath(t, program, db)
				ours, err := entries(t.Context(), port, script.marker)
				stop()
				if err != nil {
					t.Fatal("towpath:", err)
				}
				theirs, err := entries(t.Context(), peers.StartJavaCanal(t, "--dest", "example="+db.Addr(), "--journal", startFile, "--position", "4"), script.marker)
				if dir := os.Getenv("DIFF_OUT"); dir != "" {
					save(t, filepath.Join(dir, string(k)+"-"+script.name), ours, theirs)
				}
				if err != nil {
					t.Fatal("java canal:", err)
				}
				compare(t, k, ours, theirs)
			})
		}
	}
}

func save(t *testing.T, base string, ours, theirs []string) {
	for suffix, lines := range map[string][]string{".ours": ours, ".canal": theirs} {
		var b []byte
		for _, l := range lines {
			b = append(append(b, l...), '\n')
		}
		if err := os.WriteFile(base+suffix, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// compare reports each entry that differs without being explained.
func compare(t *testing.T, k servers.Kind, ours, theirs []string) {
	t.Helper()
	const most = 10
	shown := 0
	for i := range max(len(ours), len(theirs)) {
		var a, b string
		if i < len(ours) {
			a = ours[i]
		}
		if i < len(theirs) {
			b = theirs[i]
		}
		if a == b {
			continue
		}
		if shown++; shown <= most {
			t.Errorf("entry %d differs\nours  %.1500s\ncanal %.1500s", i, a, b)
		}
	}
	if shown > most {
		t.Errorf("%d entries differ in all, of %d", shown, len(theirs))
	}
}
